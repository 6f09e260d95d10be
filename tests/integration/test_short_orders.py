"""Orders beyond stock and limits: their units wait, or are cancelled, as the channel is configured."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from oms.inventory.network import Network, ShortOrders
from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.orders.resourcing import reopen
from oms.orders.status import OrderStatus, order_status
from oms.store import keys
from oms.store.configuration import read_network
from oms.store.placements import reclaim_writes
from oms.store.returns import decode_refund
from oms.store.table import Table
from oms.store.writes import Why, limit
from oms.usecases.check_ledger import check_ledger
from oms.usecases.place_order import place_order
from oms.usecases.place_orders import Refused, place_orders
from tests.builders import CHANNEL, NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.rest import Rest
from tests.shelves import fill, order_of, shelves

type Place = Callable[[Table, Network, PlaceOrder], Order]


def alone(table: Table, configured: Network, sent: PlaceOrder) -> Order:
    return place_order(table, configured, sent, NOW).order


def together(table: Table, configured: Network, sent: PlaceOrder) -> Order:
    ((_, outcome),) = place_orders(table, configured, [sent], NOW)
    assert not isinstance(outcome, Refused)
    return outcome.order


def wanting(policy: ShortOrders) -> Network:
    return network(channel=replace(CHANNEL, short_orders=policy))


def refunds(table: Table, name: str) -> list[int]:
    return [decode_refund(item).amount for item in table.query(keys.order(name), keys.REFUND)]


@pytest.mark.parametrize("place", [alone, together])
@pytest.mark.parametrize(
    ("policy", "counters", "owed"),
    [
        (ShortOrders.BACKORDER, [(1, 1, 1, 0), (0, 0, 1, 0)], []),
        (ShortOrders.PARTIAL, [(0, 1, 1, 1), (0, 0, 1, 0)], [1000]),
        (ShortOrders.REJECT, [(0, 0, 0, 3), (0, 0, 0, 1)], [4000]),
    ],
)
def test_what_is_missing_waits_or_is_cancelled_and_owed_back(
    table: Table, place: Place, policy: ShortOrders, counters: list[tuple[int, ...]], owed: list[int]
) -> None:
    fill(table, "A", wh_madrid=1)
    fill(table, "B", wh_madrid=1)
    table.commit(limit("A", "iberia", 1))
    order = place(table, wanting(policy), command(line("A", 3), line("B", number=2)))
    assert [(one.open, one.backordered, one.allocated, one.cancelled) for one in order.lines] == counters
    assert order == order_of(table, order.order_id)
    assert refunds(table, order.order_id) == owed
    assert (order_status(order) is OrderStatus.CANCELLED) == (policy is ShortOrders.REJECT)
    assert check_ledger(table, segments=1).findings == ()


@pytest.mark.parametrize("place", [alone, together])
@pytest.mark.parametrize("policy", ShortOrders)
def test_an_order_that_can_be_had_is_left_alone(table: Table, place: Place, policy: ShortOrders) -> None:
    fill(table, "A", wh_madrid=1)
    table.commit(limit("A", "iberia", 1))
    order = place(table, wanting(policy), command(line("A", 2), line("GHOST", number=2)))
    assert (order.v, order.lines[0].backordered, order.lines[1].open) == (1, 1, 1)


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_a_crash_before_the_refusal_is_mended_by_the_next_delivery(table: Table, when: str) -> None:
    fill(table, "A", wh_madrid=1)
    configured, counted = wanting(ShortOrders.PARTIAL), Faults()
    sent = command(line("A", 2), channel_order_id="none")
    place_order(Table(counted.wrap(table.client), table.name), configured, sent, NOW)
    for number in range(1, len(counted.calls) + 1):
        again = replace(sent, channel_order_id=f"{when}-{number}")
        crashing = Table(Faults(**{when: number}).wrap(table.client), table.name)  # type: ignore[arg-type]
        with pytest.raises(Crash):
            place_order(crashing, configured, again, NOW)
        (kept,) = place_order(table, configured, again, NOW).order.lines
        assert (kept.open, kept.allocated + kept.cancelled) == (0, 2)
        assert refunds(table, order_id("shop-es", again.channel_order_id)) == [1000 * kept.cancelled]
        assert check_ledger(table, segments=1).findings == ()


def test_units_that_have_lost_their_source_are_not_cancelled_when_the_order_comes_again(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    configured, sent = wanting(ShortOrders.REJECT), command(line("A"))
    order = alone(table, configured, sent)
    (entry,) = order.lines[0].entries
    lost = reopen(order, {entry.alloc_id: 1}, NOW, "shortage")
    table.commit(*reclaim_writes(order, lost, Why("shortage", "test", "test", NOW)))
    again = alone(table, configured, sent)
    assert (again.lines[0].open, again.lines[0].cancelled) == (1, 0)
    assert shelves(table, "A") == {"wh-madrid": (1, 0, 1)}


def test_a_channel_is_configured_by_a_word(table: Table) -> None:
    settings = {"kind": "shopify", "pool": "iberia"}
    kept = Rest().put("/configuration/channel/shop-es", settings | {"short_orders": "partial"})
    assert kept.document["settings"]["short_orders"] == "partial"
    assert read_network(table, consistent=True).channels["shop-es"].short_orders is ShortOrders.PARTIAL
    refused = Rest().put("/configuration/channel/shop-es", settings | {"short_orders": "perhaps"})
    assert refused.problem == (422, "field_invalid", "short_orders")
