"""Poll a channel: take in the orders that have changed since the last time, whether it told of them or not.

Some channels never send a webhook again. An order that is there already changes nothing; each poll begins
some time before the last one ended, as a channel's list may follow its changes late.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from oms.channels.envelope import seal
from oms.channels.exchange import Api
from oms.channels.headers import Headers
from oms.channels.payload import Node
from oms.channels.polling import POLLINGS, Window, changed_orders
from oms.channels.registry import adapter
from oms.events.messages import Message
from oms.events.publish import Queue
from oms.inventory.network import Network
from oms.store import keys
from oms.store.attributes import Item, millis, moment
from oms.store.keys import iso
from oms.store.table import Table
from oms.store.writes import create
from oms.store.writes import replace as replacing
from oms.usecases.races import settle
from oms.values import frozen, replace

OVERLAP = timedelta(minutes=10)
"""How far a poll goes back behind the end of the last one."""

SETTLED = timedelta(minutes=3)
"""How old a change has to be: lists lag behind, and Amazon answers for nothing younger than two minutes."""

FIRST = timedelta(days=1)
"""How far the first poll of a channel goes back."""

PAGES = 3
"""Pages of one message; another message reads those after them."""


@frozen
class Poll:
    """Which channel, and which part of its changes; None for all since the last time."""

    channel: str
    window: Window | None = None


def parse_poll(document: Node) -> Poll:
    """A message of ours.

    Raises:
        Problem: a field is missing or invalid; names it.
    """
    channel = document.need(Node.text, "channel")
    since, until = document.time("since"), document.time("until")
    if since is None or until is None:
        return Poll(channel)
    return Poll(channel, Window(since, until, document.text("after")))


def polls(network: Network) -> list[Message]:
    """A message for each channel whose kind can be polled, and that is not paused."""
    return [
        Message({"task": "poll", "channel": channel.id}, channel.id)
        for channel in network.channels.values()
        if channel.kind in POLLINGS and not channel.paused
    ]


def poll_channel(table: Table, api: Api, inbound: Queue, publish: Queue, poll: Poll, now: datetime) -> int:
    """Send the changed orders of a channel to `inbound`, where verified deliveries of webhooks go too.

    Where a poll ends is kept when all of it has been sent: one that fails begins where it began.

    Args:
        table: the store.
        api: of the channel.
        inbound: the queue that `intake` reads.
        publish: the queue of `publisher`, for the pages after these.
        poll: which channel and part.
        now: UTC.

    Returns:
        How many orders were sent.

    Raises:
        Problem, Unavailable: the channel did not answer with its list.
        NotTakenError: a queue did not take everything.
        Busy: others kept writing where the last poll ended.
    """
    window = poll.window or Window(_since(table, poll.channel, now), now - SETTLED)
    sent = 0
    for _ in range(PAGES):
        page = changed_orders(api, window)
        sealed = (
            seal(poll.channel, adapter(api.kind), Headers(), order.body, now, order.topic)
            for order in page.orders
        )
        inbound.send([Message(json.loads(text), poll.channel) for text in sealed])
        sent += len(page.orders)
        if page.after is None:
            break
        window = replace(window, after=page.after)
    else:
        publish.send([Message(_rest(poll.channel, window), poll.channel)])
        return sent
    settle(lambda: _keep(table, poll.channel, window.until), f"poll of {poll.channel}")
    return sent


def _rest(channel: str, window: Window) -> Mapping[str, object]:
    between = {"since": iso(window.since), "until": iso(window.until), "after": window.after}
    return {"task": "poll", "channel": channel, **between}


def _since(table: Table, channel: str, now: datetime) -> datetime:
    item = table.get(keys.poll(channel))
    return moment(item["until"]) - OVERLAP if item else now - FIRST


def _keep(table: Table, channel: str, until: datetime) -> None:
    """Keep where a poll ended, unless a later one has."""
    key = keys.poll(channel)
    known = table.get(key)
    if known is not None and moment(known["until"]) >= until:
        return
    v = int(str(known["v"])) if known else 0
    item: Item = {"t": "poll", "sv": 1, "v": v + 1, "until": millis(until)}
    table.commit(replacing(key, item, v) if known else create(key, item))
