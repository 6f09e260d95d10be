"""Returns on the table: the sample messages, crashes, lost races, write units."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.returns.handler import handler
from oms.inventory.model import Block, Delta
from oms.orders.model import Order
from oms.orders.placing import enter
from oms.problems import Code, Problem
from oms.returns.events import RequestedUnits, ReturnedUnits, ReturnFact, ReturnRequest
from oms.returns.model import Outcome, ReturnState, return_id
from oms.returns.progress import Change
from oms.store import keys
from oms.store.errors import Busy
from oms.store.meter import Meter
from oms.store.orders import encode_order
from oms.store.returns import find_return, read_refunds, read_returns
from oms.store.table import Table
from oms.store.writes import Why, Write, count, put
from oms.usecases.correct_stock import Correction, correct_stock
from oms.usecases.races import TRIES
from oms.usecases.record_return import record_return
from tests.builders import NOW, command, line, network, stock
from tests.conflicts import Crash, Faults
from tests.shelves import order_of, position
from tests.tables import create_table

EVENTS = Path(__file__).parents[2] / "events"
LATER = NOW + timedelta(days=3)
STORE = "st-gracia"


def delivered(table: Table) -> Order:
    """A delivered order of two units at 19.99, 1.00 off, and one of another sku at 5.00."""
    lines = (line("A", 2, price=1999, discount=100), line("B", 1, number=2, price=500))
    placed = enter(command(*lines), {sku: stock(sku, {}) for sku in "AB"}, NOW)
    shipped = [replace(one, open=0, shipped=one.open, delivered=one.open) for one in placed.lines]
    order = replace(placed, lines=tuple(shipped), closed_at=NOW).written(NOW, "placed")
    table.commit(put(keys.header(order.order_id), encode_order(order)))
    return order


@pytest.fixture
def order(table: Table) -> Order:
    """The delivered order that the samples in `events/` are about."""
    return delivered(table)


def requested(order: Order, *lines: tuple[str, int], reference: str = "r1") -> ReturnRequest:
    asked = tuple(RequestedUnits(line_id, units) for line_id, units in lines)
    return ReturnRequest(f"ask-{reference}", LATER, order.order_id, reference, asked)


def received(
    order: Order, *lines: tuple[str, int], reference: str = "r1", message: str = "in-1", location: str = STORE
) -> ReturnFact:
    came = tuple(ReturnedUnits(line_id, units) for line_id, units in lines)
    return ReturnFact(message, LATER, order.order_id, reference, location, came)


def disposed(order: Order, *lines: tuple[str, int, Outcome], message: str = "out-1") -> ReturnFact:
    gone = tuple(ReturnedUnits(line_id, units, outcome) for line_id, units, outcome in lines)
    return ReturnFact(message, LATER, order.order_id, "r1", STORE, gone)


def heard(table: Table, message: ReturnRequest | ReturnFact) -> Change:
    return record_return(table, network(), message, LATER)


def sample(kind: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"returns_{kind}.json").read_text())
    return event


def metrics_of(output: str) -> dict[str, int]:
    """Sums of the metrics in what a handler has written."""
    sums: dict[str, int] = {}
    for document in map(json.loads, output.splitlines()):
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", ()):
            for name in (metric["Name"] for metric in directive["Metrics"]):
                sums[name] = sums.get(name, 0) + document[name]
    return sums


def test_a_return_by_message_from_request_to_stock_again(
    table: Table, order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    """An online order comes back to a store, which had never held the sku."""
    for kind in ("requested", "received", "disposed"):
        for _ in range(2):
            assert handler(sample(kind), None) == {"batchItemFailures": []}
    (back,) = read_returns(table, order.order_id).values()
    (refund,) = read_refunds(table, order.order_id).values()
    assert (back.state, back.reference) == (ReturnState.DISPOSED, "RET-1001-1")
    assert (refund.amount, refund.currency, refund.return_id) == (3898, "EUR", back.id)
    at = position(table, "A", STORE)
    assert (at.on_hand, at.blocked, at.uncommitted) == (2, {Block.QUALITY_CONTROL: 1}, 1)
    assert [one.returned for one in order_of(table, order.order_id).lines] == [2, 0]
    found = find_return(table, back.id)
    assert found == back
    assert metrics_of(capsys.readouterr().out) == {
        "ReturnsReceived": 2,
        "ReturnsDisposed": 2,
        "RefundsDue": 1,
        "RefundAmountDue": 3898,
    }


@pytest.mark.parametrize(
    ("outcome", "on_hand", "blocked"),
    [
        (Outcome.RESTOCK, 2, {}),
        (Outcome.REFURBISH, 2, {Block.DAMAGED: 2}),
        (Outcome.QUARANTINE, 2, {Block.QUALITY_CONTROL: 2}),
        (Outcome.SCRAP, 0, {}),
    ],
)
@pytest.mark.parametrize("unblocked", [1, 2])
def test_what_somebody_has_unblocked_by_hand_is_disposed_of_all_the_same(
    table: Table, order: Order, outcome: Outcome, on_hand: int, blocked: dict[Block, int], unblocked: int
) -> None:
    heard(table, requested(order, ("1", 2)))
    heard(table, received(order, ("1", 2)))
    by_hand = Delta(blocked={Block.RETURNS: -unblocked})
    correct_stock(table, network(), Correction("A", STORE, by_hand, "unblocked", "", LATER, "test"), LATER)
    heard(table, disposed(order, ("1", 2, outcome)))
    at = position(table, "A", STORE)
    assert (at.on_hand, {reason: units for reason, units in at.blocked.items() if units}) == (
        on_hand,
        blocked,
    )
    assert at.uncommitted == on_hand - sum(blocked.values())


def test_what_is_unblocked_while_it_is_disposed_of_is_seen(table: Table, order: Order) -> None:
    heard(table, received(order, ("1", 1)))

    class Racing(Table):
        raced = False

        def commit(self, *writes: Write) -> None:
            if not self.raced:
                self.raced = True
                by_hand = Delta(blocked={Block.RETURNS: -1})
                made = Correction("A", STORE, by_hand, "unblocked", "", LATER, "test")
                correct_stock(table, network(), made, LATER)
            super().commit(*writes)

    record_return(
        Racing(table.client, table.name), network(), disposed(order, ("1", 1, Outcome.SCRAP)), LATER
    )
    at = position(table, "A", STORE)
    assert (at.on_hand, at.uncommitted, sum(at.blocked.values())) == (0, 0, 0)


def test_a_message_that_cannot_be_recorded_comes_back_alone(
    table: Table, order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = sample("received")["Records"][0] | {"messageId": "bad", "body": '{"type": "received"}'}
    good = sample("received")["Records"][0]
    answer = handler({"Records": [bad, good]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    metrics = metrics_of(capsys.readouterr().out)
    assert (metrics["ReturnsReceived"], metrics["RecordsFailed"], metrics["ExceptionsOpened"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"order_id": "GHOST"}, Code.NOT_FOUND, "order_id"),
        ({"location": "st-ghost"}, Code.NOT_FOUND, "location"),
    ],
)
def test_a_return_of_no_order_or_at_no_location_is_refused_by_name(
    table: Table, order: Order, change: dict[str, str], code: Code, field: str
) -> None:
    fact = {"order_id": order.order_id, "location": STORE} | change
    with pytest.raises(Problem) as refused:
        heard(
            table, ReturnFact("m", LATER, fact["order_id"], "r", fact["location"], (ReturnedUnits("1", 1),))
        )
    assert (refused.value.code, refused.value.field) == (code, field)
    assert read_returns(table, order.order_id) == {}


def test_no_return_has_an_unknown_number(table: Table, order: Order) -> None:
    assert find_return(table, "AAAAAAAAAAAA") is None


def test_a_refused_request_leaves_no_trace(table: Table, order: Order) -> None:
    with pytest.raises(Problem):
        heard(table, requested(order, ("1", 3)))
    assert read_returns(table, order.order_id) == {}
    assert order_of(table, order.order_id) == order


def test_what_is_stored_is_what_was_decided(table: Table, order: Order) -> None:
    heard(table, requested(order, ("1", 2), ("2", 1)))
    heard(table, received(order, ("1", 3), ("9", 1)))
    lines = (("1", 1, Outcome.SCRAP), ("1", 1, Outcome.REFURBISH), ("2", 1, Outcome.RESTOCK))
    change = heard(table, disposed(order, *lines))
    assert read_returns(table, order.order_id) == {change.return_.id: change.return_}
    assert order_of(table, order.order_id) == change.order
    assert change.refund is not None
    assert read_refunds(table, order.order_id)[change.refund.id] == change.refund


class Rival:
    """A client that lets a rival write just before the first transactions."""

    def __init__(self, client: Any, moves: list[Callable[[], object]]) -> None:
        self._client = client
        self._moves = moves

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        if self._moves:
            self._moves.pop(0)()
        return self._client.transact_write_items(**request)


def against(table: Table, *moves: Callable[[], object]) -> Table:
    return Table(Rival(table.client, list(moves)), table.name, pause=lambda seconds: None)  # type: ignore[arg-type]


def test_two_requests_at_once_never_claim_a_unit_twice(table: Table, order: Order) -> None:
    rival = against(table, lambda: heard(table, requested(order, ("1", 2), reference="r2")))
    with pytest.raises(Problem) as refused:
        heard(rival, requested(order, ("1", 1)))
    assert refused.value.code is Code.STATE_REFUSED
    assert list(read_returns(table, order.order_id)) == [return_id(order.order_id, "r2")]


def test_two_receipts_at_once_pay_back_each_unit_once_and_to_the_cent(table: Table, order: Order) -> None:
    heard(table, requested(order, ("1", 1)))
    heard(table, requested(order, ("1", 1), reference="r2"))
    rival = against(table, lambda: heard(table, received(order, ("1", 1), reference="r2", message="in-2")))
    heard(rival, received(order, ("1", 1)))
    assert sorted(one.amount for one in read_refunds(table, order.order_id).values()) == [1949, 1949]
    assert position(table, "A", STORE).on_hand == 2


def test_the_same_message_at_once_is_recorded_once(table: Table, order: Order) -> None:
    heard(table, requested(order, ("1", 2)))
    fact = received(order, ("1", 2))
    again = heard(against(table, lambda: heard(table, fact)), fact)
    assert (again.received, again.refund) == (0, None)
    assert position(table, "A", STORE).on_hand == 2


def test_a_count_between_the_reading_and_the_write_is_decided_anew(table: Table, order: Order) -> None:
    """The count comes after the receipt, so it has found the units."""
    heard(table, requested(order, ("1", 2)))
    at = LATER + timedelta(minutes=5)
    seen = position(table, "A", STORE)
    rival = against(table, lambda: table.commit(count(seen, 2, at, Why("count", "c1", "test", at))))
    heard(rival, received(order, ("1", 2)))
    after = position(table, "A", STORE)
    assert (after.on_hand, after.blocked, after.uncommitted) == (2, {Block.RETURNS: 2}, 0)


def test_an_order_that_changes_at_every_try_hands_the_message_back(table: Table, order: Order) -> None:
    heard(table, requested(order, ("1", 2)))
    rivals = [
        lambda number=number: heard(
            table, received(order, ("9", 1), reference=f"x{number}", message=f"x{number}")
        )
        for number in range(TRIES)
    ]
    with pytest.raises(Busy):
        heard(against(table, *rivals), received(order, ("1", 2)))
    assert read_refunds(table, order.order_id) == {}


def story(order: Order) -> list[ReturnRequest | ReturnFact]:
    """A parcel that nobody announced in full, told from its request to its end."""
    return [
        requested(order, ("1", 1)),
        received(order, ("1", 2)),
        disposed(order, ("1", 1, Outcome.RESTOCK), ("1", 1, Outcome.SCRAP)),
    ]


def tell(table: Table, shaky: Table, order: Order) -> None:
    """Tell the story; a message whose recording fails is delivered again, with nothing in its way."""
    for message in story(order):
        try:
            heard(shaky, message)
        except (Crash, ReadTimeoutError):
            heard(table, message)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_delivery(table: Table, fault: str) -> None:
    """Each time in a table of its own: moto copies all of it for every transaction."""
    undisturbed = Faults()
    tell(table, Table(undisturbed.wrap(table.client), table.name), delivered(table))
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}"))
        order = delivered(fresh)
        faults = Faults(**{fault: number})  # type: ignore[arg-type]  # the number of a call, all three
        tell(fresh, Table(faults.wrap(table.client), fresh.name), order)
        (back,) = read_returns(fresh, order.order_id).values()
        (refund,) = read_refunds(fresh, order.order_id).values()
        assert (back.v, back.state, refund.amount) == (3, ReturnState.DISPOSED, 1949)
        assert [one.returned for one in order_of(fresh, order.order_id).lines] == [1, 0]
        at = position(fresh, "A", STORE)
        assert (at.on_hand, sum(at.blocked.values()), at.uncommitted) == (1, 0, 1)
        table.client.delete_table(TableName=fresh.name)


def test_each_message_costs_few_write_units(table: Table, order: Order) -> None:
    """Header, return, refund and each of two positions 2 in a transaction; each new entry of an index 1."""
    meter = Meter(table.client)
    for message in (
        requested(order, ("1", 2), ("2", 1)),
        received(order, ("1", 1), ("2", 1)),
        received(order, ("1", 1), message="in-2"),
        disposed(order, ("1", 1, Outcome.RESTOCK), ("2", 1, Outcome.SCRAP)),
        disposed(order, ("1", 1, Outcome.RESTOCK), ("2", 1, Outcome.SCRAP)),
    ):
        heard(Table(meter.client(message.message_id), table.name), message)
    writes = {name: meter.bill.only(operation=name).writes for name in ("ask-r1", "in-1", "in-2", "out-1")}
    assert writes == {"ask-r1": 4 + 1, "in-1": 6 + 4 + 2, "in-2": 6 + 2, "out-1": 2 + 4}
