"""Postponing: a message that cannot be done now is sent again for later, as it is but for when and how often.

A queue delays by 15 minutes at most, so a message that has longer to wait comes back and is sent on. The
message that was received is then done: its queue counts no failure, and its dead letters hold only what is
wrong for good.
"""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil

from oms.channels.payload import Node
from oms.events.messages import Message
from oms.store.keys import iso

LONGEST_DELAY_S = 900
"""What SQS delays a message by at most."""

CHANNEL_WAITS_S = (*(5 * 2**n for n in range(8)), *[LONGEST_DELAY_S] * 100)
"""Between the tries to reach a channel: from seconds to a quarter of an hour, for about a day."""

REFUSED_WAITS_S = (10, 60, 300)
"""Between the tries of what a channel has refused: a page in place of its API says no as well."""

WEBHOOK_WAITS_S = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""Between the tries of a webhook, 75 hours in all: the schedule that Standard Webhooks 1.0 recommends."""


def is_due(document: Node, now: datetime) -> bool:
    """Whether a message's time has come, UTC; one without a time is due at once."""
    due = document.time("due_at")
    return due is None or due <= now


def delayed(document: Mapping[str, object], correlation_id: str, due: datetime, now: datetime) -> Message:
    """A message for a time, UTC: it comes back then, or as late as its queue can delay it."""
    delay_s = max(0, min(LONGEST_DELAY_S, ceil((due - now).total_seconds())))
    return Message({**document, "due_at": iso(due)}, correlation_id, delay_s)


def postponed(
    document: Mapping[str, object],
    correlation_id: str,
    now: datetime,
    waits_s: Sequence[int],
    at_least_s: float | None = None,
) -> Message | None:
    """A message that failed, for its next try; None when it has had its last one.

    The wait is up to a tenth longer, so that what failed together does not come back together. It is never
    shorter: the tries of a webhook last long enough to find that its endpoint took nothing for days.

    Args:
        document: of the message; `attempt` counts the tries before this one.
        correlation_id: of the message.
        now: UTC.
        waits_s: seconds before each further try.
        at_least_s: what the other side asked for.
    """
    attempt = document.get("attempt", 0)
    assert isinstance(attempt, int), "we count it"
    if attempt >= len(waits_s):
        return None
    wait = max(waits_s[attempt] * random.uniform(1, 1.1), at_least_s or 0.0)
    return delayed({**document, "attempt": attempt + 1}, correlation_id, now + timedelta(seconds=wait), now)
