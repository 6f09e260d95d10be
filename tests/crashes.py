"""Crashes: whatever is done with the table dies before and after each call to AWS, and is done again.

What is done is everything of `tests.access_patterns`, in its order, where a test sees to it that no use case
is left out; and here what takes more than one transaction, or calls something else than the table. Each crash
starts from the table as it was before, and has to end as if it had never been.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from functions.api import handler as api_function
from functions.availability import handler as availability
from functions.clock import handler as clock
from functions.outbox import handler as outbox
from functions.sourcing import handler as sourcing
from functions.sourcing import seldom
from infra.lab.memory_table import ItemKey, MemoryTable
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.inventory.ledger import Finding
from oms.inventory.model import Supply, SupplyKind
from oms.inventory.transfers import (
    Arrived,
    Change,
    Known,
    OrderLineName,
    Transfer,
    TransferLine,
    close,
    dispatch,
    make_ready,
    receive,
)
from oms.orders import placing
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.identity import order_id
from oms.problems import Problem
from oms.runtime import clients
from oms.store import process
from oms.store.table import Table
from oms.usecases.announce_supply import announce_supply
from oms.usecases.cancel_order import cancel_order
from oms.usecases.check_ledger import check_ledger
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.expect_waiting import expect_waiting
from oms.usecases.place_order import place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.record_rejection import record_rejection
from oms.usecases.release_order import release_order
from oms.usecases.resolve_shortage import resolve_shortage
from oms.usecases.serve_waiting import serve_waiting
from oms.usecases.transfer_stock import change_transfer, plan_transfer
from tests.access_patterns import ENVIRONMENT, LATER, Use, uses
from tests.builders import MADRID, NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.outlets import Receiver
from tests.recorder import RecordingTable
from tests.shelves import fill
from tests.stories import Story
from tests.stream import records

NAME = "orders"
WAYS = ("crash_before", "crash_after", "lose_response")
"""How a call goes wrong: it is never made; it is the last thing that happens; nobody hears what it did."""

EXCUSED: Mapping[str, str] = {
    "Issue a token": "done again it makes another; one that nobody was shown is used by nobody, and expires",
    "Tell a channel of a listing": "who dies holds the claim to tell it until that expires; then it is told",
}
"""What may end otherwise than if nobody had died, and why, by what it is."""

_QUEUES = ("sourcing", "ats", "publish", "clock")
_ENVIRONMENT = {
    **ENVIRONMENT,
    **{f"{name.upper()}_QUEUE_URL": f"https://sqs/{name}" for name in _QUEUES},
    "REQUESTS_QUEUE_URLS": '{"wms": "https://sqs/requests-wms.fifo"}',
    "BUS_NAME": "events",
    "STREAM_FAILURES": "report",
}

type Items = Mapping[ItemKey, Any]
"""Everything that is stored, as DynamoDB has it."""


@dataclass(frozen=True, slots=True)
class End:
    """What is stored, and what was sent to queues and the bus: messages may be sent more than once."""

    items: Items
    sent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tried:
    """One thing that was done: its calls to AWS, whether they changed or sent anything, in how many ways it
    died or lost an answer, and what was wrong then.
    """

    use: Use
    calls: int
    writes: bool
    cases: int
    wrong: tuple[str, ...]


@dataclass(slots=True)
class _Shop:
    """A table in memory that can be set back, and what is known of how it adds up."""

    patch: pytest.MonkeyPatch
    looked_at: list[tuple[Items, tuple[Finding, ...]]] = field(default_factory=list)

    def do(self, use: Use, before: Items, faults: Faults, *, again: bool = False) -> tuple[End, Items | None]:
        """Do a thing, and again if it died or if that is wanted.

        Returns:
            What is there at the end; and what was stored when it died, None if it did not.
        """
        memory, receiver, left = MemoryTable(NAME), Receiver(), None
        memory.load(before)
        try:
            self.run(use, memory, receiver, faults)
        except (Crash, ReadTimeoutError):
            left = dict(memory.items)
        except AssertionError:  # the API has answered that it did not hear from the table
            again = True
        if left is not None or again:
            # What has been done may be refused when it is asked for again.
            with contextlib.suppress(AssertionError, Problem):
                self.run(use, memory, receiver, Faults())
        return End(dict(memory.items), frozenset(map(_sent, receiver.taken))), left

    def run(self, use: Use, memory: MemoryTable, receiver: Receiver, faults: Faults) -> None:
        """Do it once, on a table and queues whose calls go wrong."""
        table = Table(faults.wrap(cast(Any, memory)), NAME, pause=lambda seconds: None)
        self.patch.setattr(process, "table", lambda: table)
        self.patch.setattr(clients, "sqs", lambda: faults.wrap(receiver.queue))
        self.patch.setattr(clients, "events", lambda: faults.wrap(receiver.bus))
        use.run(table)

    def findings(self, items: Items) -> tuple[Finding, ...]:
        """What does not add up; what was looked at before is not looked at again."""
        for known, findings in self.looked_at:
            if known == items:
                return findings
        memory = MemoryTable(NAME)
        memory.load(items)
        checked = check_ledger(Table(cast(Any, memory), NAME), segments=1)
        assert not checked.unsettled, "nobody else writes"
        self.looked_at.append((items, checked.findings))
        return checked.findings


def everything(table: Table, lines: int) -> Iterator[Use]:
    """All that is tried, in an order in which it can happen."""
    return chain(uses(table, lines), _in_steps(table), _by_functions(table))


def tried(
    lines: int, ways: tuple[str, ...] = WAYS, of: Callable[[Table, int], Iterator[Use]] = everything
) -> Iterator[Tried]:
    """Do things, each once for each of its calls and ways to go wrong; then go on as if nothing had.

    Args:
        lines: of the orders of `tests.access_patterns`.
        ways: parameters of `Faults`.
        of: what is done, on the table that is given.
    """
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in _ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setattr(process, "network", lambda *_: network())
        for function in (api_function, sourcing, seldom, availability, clock):
            patch.setattr(function, "datetime", SimpleNamespace(now=lambda zone: LATER))
        memory, shop = MemoryTable(NAME), _Shop(patch)
        for use in of(Table(cast(Any, memory), NAME, pause=lambda seconds: None), lines):
            yield _try(shop, use, dict(memory.items), ways)
            shop.run(use, memory, Receiver(), Faults())


def _try(shop: _Shop, use: Use, before: Items, ways: tuple[str, ...]) -> Tried:
    counted, memory, receiver = Faults(), MemoryTable(NAME), Receiver()
    memory.load(before)
    shop.looked_at.clear()
    shop.run(use, memory, receiver, counted)
    wanted = End(dict(memory.items), frozenset(map(_sent, receiver.taken)))
    twice, _ = shop.do(use, before, Faults(), again=True)
    known = (*shop.findings(before), *shop.findings(wanted.items))
    wrong = [] if twice == wanted else [f"done again: {_difference(wanted, twice)}"]
    for way in ways:
        for number, call in enumerate(counted.calls, 1):
            faults = Faults(**{way: number}, sleep=lambda seconds: None)  # type: ignore[arg-type]
            end, left = shop.do(use, before, faults, again=way == WAYS[-1])
            name = f"{way} {number}, {call}"
            if end not in (wanted, twice):
                wrong.append(f"{name}: {_difference(wanted, end)}")
            if end != wanted or left is not None:
                found = (*shop.findings(end.items), *shop.findings(left or end.items))
                wrong += [f"{name}: {finding}" for finding in found if finding not in known]
    return Tried(
        use,
        len(counted.calls),
        wanted != End(before),
        len(ways) * len(counted.calls),
        () if use.what in EXCUSED else tuple(wrong),
    )


def _sent(entry: Mapping[str, Any]) -> str:
    """A message, without what is new each time that it is sent."""
    return json.dumps({name: entry[name] for name in entry if name not in ("Id", "Time")}, sort_keys=True)


def _difference(wanted: End, found: End) -> str:
    """The items that differ, and in what; else the messages."""
    told = []
    for key in sorted(wanted.items.keys() | found.items.keys()):
        one, other = wanted.items.get(key) or {}, found.items.get(key) or {}
        names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
        told += [f"{key.pk} {key.sk} {names}"] if names else []
    return "; ".join(told[:5]) or f"messages {sorted(wanted.sent ^ found.sent)[:3]}"


# ---- What takes several transactions -----------------------------------------------------------------------


def _in_steps(table: Table) -> Iterator[Use]:
    yield from _short_of_stock(table)
    yield from _waiting(table)
    yield from _with_locations(table)
    yield from _moving(table)


def _placed(table: Table, number: str, *lines: tuple[str, int], at: datetime = NOW) -> str:
    wanted = (line(sku, units, number=n) for n, (sku, units) in enumerate(lines, 1))
    place_order(table, network(MADRID), command(*wanted, channel_order_id=number, placed_at=at), at)
    return order_id("shop-es", number)


def _short_of_stock(table: Table) -> Iterator[Use]:
    """Of eight units six are gone; two orders are with their location, one of them packed."""
    fill(table, "SHORT", wh_madrid=8, wh_lyon=1)
    names = [_placed(table, f"short-{n}", ("SHORT", 2), at=NOW + timedelta(minutes=n)) for n in range(4)]
    for name in names[:2]:
        release_order(table, network(), name, NOW)
    fact = FulfillmentFact("packed", FactKind.PACKED, NOW, names[0], "2-1")
    record_fulfillment(table, fact, NOW)
    lost = Count("SHORT", "wh-madrid", 1, LATER, "count", "store")
    yield Use("api", "Count too few", lambda table: count_stock(table, network(), lost, LATER))
    yield Use(
        "sourcing",
        "Resolve a shortage of several orders",
        lambda table: resolve_shortage(table, "SHORT", "wh-madrid", LATER),
    )
    given = FulfillmentFact("given", FactKind.CANCELLED, LATER, names[1], "2-1")
    yield Use(
        "fulfillment",
        "Give a part back and be asked no more",
        lambda table: record_fulfillment(table, replace(given, lines=(PackedUnits("1", 1),)), LATER),
    )


def _waiting(table: Table) -> Iterator[Use]:
    """Orders that wait, in a group and alone, for what is announced and then comes."""
    fill(table, "AWAITED", wh_madrid=1)
    group = [command(line("AWAITED", 2), channel_order_id=f"awaits-{n}") for n in range(3)]
    yield Use(
        "hot_lane",
        "Place orders together that have to wait",
        lambda table: list(place_orders(table, network(), group, NOW)),
    )
    coming = Supply("AWAITED", "po", SupplyKind.PURCHASE_ORDER, "wh-madrid", LATER, 4)
    announce_supply(table, network(), coming)
    yield Use(
        "sourcing",
        "Tell several orders when they are expected",
        lambda table: expect_waiting(table, network(), "AWAITED", NOW),
    )
    fill(table, "AWAITED", wh_lyon=4)
    yield Use(
        "sourcing",
        "Serve several orders",
        lambda table: serve_waiting(table, network(), "AWAITED", NOW),
    )
    skus = [f"MANY-{number}" for number in range(9)]
    for sku in skus:
        fill(table, sku, wh_madrid=1)
    large = command(*(line(sku, 1, number=n) for n, sku in enumerate(skus, 1)), channel_order_id="large")

    def in_turns(table: Table) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(placing, "ROOM", 4)
            place_order(table, network(), large, NOW)

    yield Use("intake", "Place an order larger than a transaction", in_turns)


def _with_locations(table: Table) -> Iterator[Use]:
    """Work that locations report on out of turn, reject and give up."""
    fill(table, "WORK", wh_madrid=12, wh_lyon=12)
    names = [_placed(table, f"work-{n}", ("WORK", 3)) for n in range(4)]
    for name in names:
        release_order(table, network(), name, NOW)
    parcel = Package("p1", "correos", "PQ-1", 300)

    def fact(kind: FactKind, which: int, at: datetime, *packages: Package) -> FulfillmentFact:
        return FulfillmentFact(f"{kind}-{which}", kind, at, names[which], "2-1", packages)

    arrived, left = fact(FactKind.DELIVERED, 0, LATER, parcel), fact(FactKind.SHIPPED, 0, NOW, parcel)
    yield Use(
        "fulfillment",
        "Record that a parcel has arrived that nobody had sent",
        lambda table: record_fulfillment(table, arrived, LATER),
    )
    yield Use(
        "fulfillment",
        "Record afterwards when it left",
        lambda table: record_fulfillment(table, left, LATER),
    )
    no = replace(fact(FactKind.REJECTED, 1, LATER), reason="closed")
    yield Use(
        "fulfillment",
        "Record that a location is closed",
        lambda table: record_rejection(table, network(), no, LATER),
    )
    stop = CancelRequest(CancelReason.CUSTOMER)
    yield Use(
        "api",
        "Cancel what a location has",
        lambda table: cancel_order(table, network(), names[2], stop, LATER),
    )
    refused = replace(fact(FactKind.REJECTED, 2, LATER), lines=(PackedUnits("1", 3),), reason="damaged")
    yield Use(
        "fulfillment",
        "Reject what was asked back",
        lambda table: record_rejection(table, network(), refused, LATER),
    )
    cancel_order(table, network(), names[3], CancelRequest(CancelReason.CUSTOMER, {"1": 1}), LATER)
    short = replace(fact(FactKind.REJECTED, 3, LATER), reason="short_pick")
    yield Use(
        "fulfillment",
        "Find short what was asked back in part",
        lambda table: record_rejection(table, network(), short, LATER),
    )


def _moving(table: Table) -> Iterator[Use]:
    """A transfer of an order's units and others, which loses one of each."""
    fill(table, "MOVED", wh_madrid=9)
    name = _placed(table, "moved", ("MOVED", 3))
    bound = OrderLineName(name, "1")
    lines = (TransferLine("1", "MOVED", 2), TransferLine("2", "MOVED", 3, bound))
    wanted = Transfer("t-crash", "wh-madrid", "wh-lyon", LATER, lines)
    yield Use("api", "Plan a transfer", lambda table: plan_transfer(table, network(), wanted, NOW))
    steps: Mapping[str, Callable[[Known], Change]] = {
        "Claim the units of a transfer": lambda known: make_ready(known, NOW),
        "Send it off": lambda known: dispatch(known, None, NOW, NOW),
        "Give up what has not come of it": lambda known: close(known, LATER),
    }
    came = (Arrived("1", 1, 1), Arrived("2", 2, 1))

    def doing(decide: Callable[[Known], Change]) -> Callable[[Table], object]:
        return lambda table: change_transfer(table, wanted.id, decide, "test", LATER)

    for what, decide in steps.items():
        if what == "Give up what has not come of it":
            # Without a key each receipt is another one: the API enters it into its inbox.
            change_transfer(table, wanted.id, lambda known: receive(known, came, LATER, LATER), "test", LATER)
        yield Use("api", what, doing(decide))


# ---- What calls queues and the bus -------------------------------------------------------------------------


def _by_functions(table: Table) -> Iterator[Use]:
    """Functions whose calls are not to the table alone."""
    story = records(Story("AB").tell("release", "accept", "ship", "deliver", "request_return").changes)
    yield Use("outbox", "Relay an order's life", lambda table: outbox.handler({"Records": story}, None))
    made = RecordingTable(table, "SKU#")
    fill(made, "TOLD", wh_madrid=1)
    for number in range(2):
        sent = command(line("TOLD", 2), channel_order_id=f"told-{number}")
        place_order(made, network(), sent, NOW)
    announce_supply(made, network(), Supply("TOLD", "po", SupplyKind.PURCHASE_ORDER, "wh-madrid", LATER, 9))
    count_stock(made, network(), Count("TOLD", "wh-madrid", 3, LATER, "count", "store"), LATER)
    changes = list(made.records)
    yield Use(
        "availability",
        "Follow the changes of a sku",
        lambda table: availability.handler({"Records": changes}, None),
    )

    def taking(body: object) -> Callable[[Table], object]:
        message = {"messageId": "m", "body": json.dumps(body)}
        return lambda table: sourcing.handler({"Records": [message]}, None)

    for kind in ("serve", "expect"):
        yield Use("sourcing", f"Take a message: {kind}", taking({"type": kind, "sku": "TOLD"}))
    tick = {"messageId": "m", "body": json.dumps({"tick": True})}
    yield Use("clock", "Sweep what is due", lambda table: clock.handler({"Records": [tick]}, None))
