"""Units that a customer wants no more, whatever their location says of them, and in whatever order."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import permutations, product
from typing import Any

import pytest

from infra.lab.memory_table import MemoryTable
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.fulfillment.recall import ANSWERS
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.store import queries
from oms.store.returns import read_refunds
from oms.store.table import Table
from oms.usecases.cancel_order import cancel_order
from oms.usecases.place_order import place_order
from oms.usecases.record_rejection import record_fact
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.integration.test_sourcing_rejection import ID, LATER
from tests.shelves import assert_balanced, fill, order_of

UNITS = 3

type Act = tuple[FactKind, int, int | None]
"""What a location says, of up to so many units, and the version of the work that it names."""

REJECTS = [(FactKind.REJECTED, 1, 1), (FactKind.REJECTED, 1, None), (FactKind.REJECTED, 2, 1)]
SHIPS: Act = (FactKind.SHIPPED, 1, None)
REST: Act = (FactKind.SHIPPED, UNITS, None)


def answers(wishes: Sequence[int]) -> Iterator[tuple[Act, ...]]:
    """Each request, which has made a version of the work, is given in to or refused."""
    versions = range(2, 2 + len(wishes))
    for willing in product((True, False), repeat=len(wishes)):
        yield tuple(
            (FactKind.CANCELLED if yes else FactKind.CANCEL_REFUSED, units, v)
            for yes, units, v in zip(willing, wishes, versions, strict=True)
        )


def told(work: str, acts: Sequence[Act]) -> tuple[FulfillmentFact, ...]:
    """What a location tells that does one after the other with the units that it has, and ships the rest."""
    left, facts = UNITS, list[FulfillmentFact]()
    for number, (kind, most, v) in enumerate((*acts, REST)):
        units = 0 if kind is FactKind.CANCEL_REFUSED else min(most, left)
        left -= units
        lines = (PackedUnits("1", units),)
        if kind is FactKind.SHIPPED and units:
            fact = FulfillmentFact(
                f"m-{number}", kind, LATER, ID, work, (Package(f"p{number}", lines=lines),)
            )
        elif units:
            fact = FulfillmentFact(f"m-{number}", kind, LATER, ID, work, lines=lines, v=v, reason="no_box")
        elif kind in ANSWERS:
            fact = FulfillmentFact(f"m-{number}", FactKind.CANCEL_REFUSED, LATER, ID, work, v=v)
        else:
            continue
        facts.append(fact)
    return tuple(facts)


@cache
def wished(wishes: tuple[int, ...]) -> tuple[str, dict[Any, Any]]:
    """The id of work whose location was asked for units, by one request after the other; and the table."""
    memory: Any = MemoryTable("orders")
    table = Table(memory, "orders")
    fill(table, "A", wh_madrid=UNITS)
    place_order(table, network(), command(line("A", UNITS)), NOW)
    (work,) = release_order(table, network(), ID, NOW)
    for units in wishes:
        cancel_order(table, network(), ID, CancelRequest(CancelReason.CUSTOMER, {"1": units}), NOW)
    return work.id, dict(memory.items)


def check(wishes: tuple[int, ...], facts: Sequence[FulfillmentFact]) -> None:
    """Units are cancelled, or the order says that they have left all the same; and money follows them."""
    memory: Any = MemoryTable("orders")
    memory.load(wished(wishes)[1])
    table = Table(memory, "orders")
    for fact in facts:
        record_fact(table, network, fact, LATER)
    (one,), (work,) = order_of(table, ID).lines, queries.fulfillment_orders(table, ID)
    (request,) = work.lines
    assert (request.remaining, work.recalls, one.entries) == (0, (), ())
    assert one.cancelled + request.unwanted == sum(wishes)
    assert one.shipped >= request.unwanted
    assert [known.ref for known in order_of(table, ID).exceptions if known.code == "cancel_refused"] == (
        [work.id] if request.unwanted else []
    )
    assert sum(refund.amount for refund in read_refunds(table, ID).values()) == 1000 * one.cancelled
    assert_balanced(table, [ID], ["A"])


AT_ONCE = [(wishes, (no,)) for wishes in [(1,), (2,), (1, 1), (1, 2), (2, 1)] for no in REJECTS]
IN_PARTS = [(wishes, (no, SHIPS)) for wishes in [(1,), (2,)] for no in REJECTS]


@pytest.mark.parametrize(("wishes", "also"), [*AT_ONCE, *IN_PARTS, ((1, 1), (REJECTS[0], SHIPS))], ids=str)
def test_units_that_were_to_be_cancelled_are_or_somebody_is_told(
    wishes: tuple[int, ...], also: tuple[Act, ...]
) -> None:
    work, _ = wished(wishes)
    acted = [acts for answered in answers(wishes) for acts in permutations((*answered, *also))]
    for facts in {told(work, acts) for acts in acted}:
        for order in permutations(facts):
            check(wishes, order)
