"""Replay: derive the events of orders again from their journals, and send them to one subscriber."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from oms.channels.payload import Json, Node
from oms.events.derive import Event, events_of_journal
from oms.events.messages import Message
from oms.events.publish import Queue
from oms.problems import Code, Problem
from oms.store import queries
from oms.store.attributes import Item
from oms.store.keys import iso
from oms.store.queries import Span
from oms.store.table import Table
from oms.usecases import subscribe
from oms.usecases.notify_subscribers import deliveries
from oms.values import frozen

PAGE = 25
"""Orders replayed at once."""

MOST_DAYS = 31


@frozen
class Replay:
    """What to send again: events written from `since` to `until` (UTC) of orders placed on some days.

    Attributes:
        subscriber: its id.
        day: the first day whose orders are left.
        last_day: the last one.
        since: written then or later; None from the beginning.
        until: written then or before; None to the end.
        after: where the page before ended, None at the beginning of the day.
    """

    subscriber: str
    day: date
    last_day: date
    since: datetime | None = None
    until: datetime | None = None
    after: Item | None = None

    def message(self) -> Message:
        """Asks `publisher` for this much."""
        document: dict[str, object] = {
            "task": "replay",
            "subscriber": self.subscriber,
            "day": self.day.isoformat(),
            "last_day": self.last_day.isoformat(),
            "since": iso(self.since) if self.since else None,
            "until": iso(self.until) if self.until else None,
            "after": self.after,
        }
        return Message(document, f"replay:{self.subscriber}")


def parse_replay(message: Json) -> Replay:
    """A message that `Replay.message` made.

    Raises:
        Problem: a field is missing or invalid; names it.
    """
    node = Node(message)
    after = node.child("after")
    return Replay(
        subscriber=node.need(Node.text, "subscriber"),
        day=_date(node, "day"),
        last_day=_date(node, "last_day"),
        since=node.time("since"),
        until=node.time("until"),
        after={name: after.need(Node.text, name) for name in after.names()} if after else None,
    )


def request_replay(table: Table, queue: Queue, wanted: Replay) -> None:
    """Have events sent again to a subscriber.

    Raises:
        Problem: `not_found`; `state_refused`: it is not active; `field_invalid`: the days are the wrong way
            round or too many.
        NotTakenError: the queue did not take it.
    """
    if not wanted.day <= wanted.last_day < wanted.day + timedelta(days=MOST_DAYS):
        raise Problem(Code.FIELD_INVALID, f"it takes 1 to {MOST_DAYS} days in a row", "placed_until")
    if not subscribe.need(table, wanted.subscriber).active:
        raise Problem(Code.STATE_REFUSED, "make it active first", state="inactive")
    queue.send([wanted.message()])


def replay(table: Table, queue: Queue, wanted: Replay) -> int:
    """Send one page of what is wanted, and a message for the pages after it.

    Returns:
        How many events were sent.

    Raises:
        NotTakenError: the queue did not take everything; doing it again sends events under the same ids.
    """
    subscriber = subscribe.find(table, wanted.subscriber)
    if subscriber is None or not subscriber.active:
        return 0
    page = queries.orders_of_day(table, wanted.day, Span(PAGE, wanted.after))
    events = [event for order in page.items for event in _events(table, order.order_id, wanted)]
    messages = [message for event in events for message in deliveries(event.document(), [subscriber])]
    next_day = wanted.day + timedelta(days=1)
    rest = (wanted.day, page.after) if page.after else (next_day, None)
    if rest[0] <= wanted.last_day:
        day, after = rest
        further = Replay(wanted.subscriber, day, wanted.last_day, wanted.since, wanted.until, after)
        messages.append(further.message())
    queue.send(messages)
    return len(events)


def _events(table: Table, order_id: str, wanted: Replay) -> Iterator[Event]:
    """The public events of an order and what belongs to it, the earliest first."""
    derived = (event for item in queries.everything(table, order_id) for event in events_of_journal(item))
    for event in sorted(derived, key=lambda event: (event.time, event.subject, event.v)):
        early = wanted.since is not None and event.time < wanted.since
        late = wanted.until is not None and event.time > wanted.until
        if event.public and not early and not late:
            yield event


def _date(node: Node, key: str) -> date:
    try:
        return date.fromisoformat(node.need(Node.text, key))
    except ValueError:
        raise node.invalid(key, "a date") from None
