"""Returns that channels announce: too early, called off, repeated, kits, crashes; and what is ignored."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.intake.handler import handler as intake
from oms.channels.canonical import to_document
from oms.channels.envelope import seal
from oms.channels.headers import Headers
from oms.channels.protocol import Command
from oms.channels.registry import adapter
from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.inventory.model import Component, Sku
from oms.orders.identity import order_id
from oms.orders.records import (
    FulfillmentOrderRecorded,
    ReturnedLine,
    ReturnRecorded,
    ReturnStatus,
    StockRecorded,
)
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.returns import read_returns
from oms.store.table import Table
from oms.usecases.announce_return import announce_return
from oms.usecases.describe_sku import describe_sku
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import fill
from tests.tables import create_table

ID = order_id("shop-es", "5001")
LATER = NOW + timedelta(hours=1)
EVENTS = Path(__file__).parents[2] / "events"
SENT = command(line("A", 2), line("B", 1, number=2))
FIRST, SECOND = (line.channel_line_id for line in SENT.lines)


def returned(channel_line_id: str = FIRST, quantity: int = 1) -> ReturnedLine:
    return ReturnedLine("rl1", channel_line_id, quantity, "too_small", None)


APPROVED = ReturnRecorded(
    "shop-es", "shopify", "5001", "77", ReturnStatus.OPEN, (returned(),), None, occurred_at=LATER
)


def place(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    fill(table, "B", wh_madrid=1)
    place_order(table, network(), SENT, NOW)


def ship(table: Table) -> None:
    release_order(table, network(), ID, NOW)
    shipped = FulfillmentFact("m1", FactKind.SHIPPED, NOW, ID, "2-1", (Package("p1"),))
    record_fulfillment(table, shipped, NOW)


def announced(table: Table) -> list[dict[str, int]]:
    """Units announced by line, of every return."""
    return [{line.line_id: line.requested for line in one.lines} for one in read_returns(table, ID).values()]


@pytest.mark.parametrize(
    ("record", "code", "field"),
    [
        (replace(APPROVED, channel_order_id=None), Code.UNSUPPORTED, "channel_order_id"),
        (replace(APPROVED, channel_order_id="404"), Code.NOT_FOUND, "channel_order_id"),
        (replace(APPROVED, lines=()), Code.UNSUPPORTED, "lines"),
        (replace(APPROVED, lines=(returned("404"),)), Code.FIELD_INVALID, "lines[0].channel_line_id"),
        (replace(APPROVED, lines=(returned(quantity=3),)), Code.STATE_REFUSED, "lines[0].units"),
        (replace(APPROVED, status=ReturnStatus.CLOSED), Code.UNSUPPORTED, "status"),
    ],
)
def test_a_return_that_cannot_be_announced_says_why_and_is_kept(
    table: Table, record: ReturnRecorded, code: Code, field: str
) -> None:
    place(table)
    ship(table)
    with pytest.raises(Problem) as refused:
        announce_return(table, network(), record, LATER)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert announced(table) == []


def test_a_return_that_comes_before_its_parcel_is_announced_when_it_is_tried_again(table: Table) -> None:
    place(table)
    with pytest.raises(Problem):
        announce_return(table, network(), APPROVED, LATER)
    ship(table)
    announce_return(table, network(), APPROVED, LATER)
    assert announced(table) == [{"1": 1}]


@pytest.mark.parametrize("status", [ReturnStatus.REQUESTED, ReturnStatus.DECLINED, ReturnStatus.CANCELLED])
def test_what_is_not_approved_is_not_announced(table: Table, status: ReturnStatus) -> None:
    place(table)
    ship(table)
    assert announce_return(table, network(), replace(APPROVED, status=status), LATER) is None
    assert announced(table) == []


@pytest.mark.parametrize("status", [ReturnStatus.DECLINED, ReturnStatus.CANCELLED])
def test_a_return_that_is_called_off_after_it_was_announced_is_for_a_person(
    table: Table, status: ReturnStatus
) -> None:
    place(table)
    ship(table)
    announce_return(table, network(), APPROVED, LATER)
    with pytest.raises(Problem, match=status) as refused:
        announce_return(table, network(), replace(APPROVED, status=status), LATER)
    assert refused.value.code is Code.UNSUPPORTED


def test_repetitions_and_the_end_of_a_return_change_nothing(table: Table) -> None:
    place(table)
    ship(table)
    first = announce_return(table, network(), APPROVED, LATER)
    for again in (
        APPROVED,
        replace(APPROVED, lines=()),
        replace(APPROVED, status=ReturnStatus.CLOSED),
        replace(APPROVED, status=ReturnStatus.CLOSED, lines=(), channel_order_id=None),
    ):
        assert announce_return(table, network(), again, LATER) in (first, None)
    assert list(read_returns(table, ID).values()) == [first]
    other = replace(APPROVED, return_id="78", lines=(returned(), returned(SECOND)))
    announce_return(table, network(), other, LATER)
    assert sorted(map(str, announced(table))) == ["{'1': 1, '2': 1}", "{'1': 1}"]


def test_a_kit_comes_back_as_its_components(table: Table) -> None:
    describe_sku(table, Sku("MUG"))
    describe_sku(table, Sku("SET", kit=(Component("MUG", 2, 900),)))
    fill(table, "MUG", wh_madrid=6)
    place_order(table, network(), command(line("SET", 3)), NOW)
    ship(table)
    announce_return(table, network(), APPROVED, LATER)
    assert announced(table) == [{"2": 2}]


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_delivery(table: Table, fault: str) -> None:
    place(table)
    ship(table)
    undisturbed = Faults()
    announce_return(Table(undisturbed.wrap(table.client), table.name), network(), APPROVED, LATER)
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        place(fresh)
        ship(fresh)
        shaky = Table(Faults(**{fault: number}).wrap(table.client), fresh.name)  # type: ignore[arg-type]
        try:
            announce_return(shaky, network(), APPROVED, LATER)
        except (Crash, ReadTimeoutError):
            announce_return(fresh, network(), APPROVED, LATER)
        assert announced(fresh) == [{"1": 1}]
        table.client.delete_table(TableName=fresh.name)


STOCK = StockRecorded("shop-es", "generic", "905684977", "i1", 7, LATER)
PLAN = FulfillmentOrderRecorded(
    *("shop-es", "generic", "5001", "fo1", "open", None, None, None),
    lines=(),
    hold_reasons=(),
)


@pytest.mark.parametrize(("told", "reason"), [(STOCK, "our own counts"), (PLAN, "plan is read")])
def test_intake_ignores_a_channel_s_stock_and_plans_and_says_why(
    table: Table, told: Command, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(table, "A", wh_madrid=2)
    before = table.query(keys.sku("A"))
    assert deliver(told) == []
    assert table.query(keys.sku("A")) == before
    assert reason in capsys.readouterr().out


def test_intake_announces_a_return(table: Table) -> None:
    place(table)
    assert deliver(replace(APPROVED, adapter="generic")) != []
    ship(table)
    assert deliver(replace(APPROVED, adapter="generic")) == []
    assert announced(table) == [{"1": 1}]


def deliver(told: Command) -> list[object]:
    """What intake hands back of one delivery of the generic channel."""
    event = json.loads((EVENTS / "intake.json").read_text())
    body = json.dumps(to_document(told)).encode()
    event["Records"][0]["body"] = seal("shop-es", adapter("generic"), Headers(()), body, datetime.now(UTC))
    return list(intake(event, None)["batchItemFailures"])
