"""What a count makes of units that are blocked, promised or claimed by a transfer, on either basis."""

from dataclasses import replace
from datetime import timedelta

import pytest

from oms.inventory.model import Block, CountBasis, Delta
from oms.inventory.network import Network
from oms.inventory.transfers import Transfer, TransferLine, make_ready
from oms.store.table import Table
from oms.store.writes import Why, move
from oms.usecases.check_ledger import check_ledger
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.place_order import place_order
from oms.usecases.release_order import release_order
from oms.usecases.transfer_stock import change_transfer, plan_transfer
from tests.builders import MADRID, NOW, STORE, command, line, network
from tests.shelves import fill, position

LATER = NOW + timedelta(hours=1)


def counted_by(basis: CountBasis) -> Network:
    """A network whose warehouse counts on a basis."""
    return network(replace(MADRID, count_basis=basis), STORE)


@pytest.mark.parametrize(
    ("basis", "found", "on_hand", "uncommitted"),
    [
        (CountBasis.PHYSICAL, 10, 10, 3),
        (CountBasis.PHYSICAL, 8, 8, 1),
        (CountBasis.PHYSICAL, 6, 6, -1),
        (CountBasis.NET, 5, 10, 3),
        (CountBasis.NET, 2, 7, 0),
        (CountBasis.NET, 0, 5, -2),
    ],
)
def test_a_count_finds_blocked_units_and_on_the_net_basis_leaves_out_promised_ones(
    table: Table, basis: CountBasis, found: int, on_hand: int, uncommitted: int
) -> None:
    places = counted_by(basis)
    fill(table, "A", wh_madrid=10)
    place_order(table, network(MADRID), command(line("A", 2)), NOW)  # two units allocated,
    placed = command(line("A", 1), channel_order_id="5002")
    order = place_order(table, network(MADRID), placed, NOW).order
    release_order(table, places, order.order_id, NOW)  # one with its location,
    table.commit(move("A", "wh-madrid", Delta(blocked={Block.DAMAGED: 2}), Why("blocked", "", "test", NOW)))
    moved = Transfer("t-1", "wh-madrid", "st-gracia", LATER, (TransferLine("1", "A", 2),))
    plan_transfer(table, places, moved, NOW)
    change_transfer(table, "t-1", lambda known: make_ready(known, NOW), "test", NOW)  # and two claimed
    seen = position(table, "A", "wh-madrid")
    assert (seen.on_hand, seen.allocated, seen.uncommitted) == (10, 5, 3)
    count_stock(table, places, Count("A", "wh-madrid", found, LATER, "count", "test"), LATER)
    after = position(table, "A", "wh-madrid")
    assert (after.on_hand, after.allocated, after.uncommitted) == (on_hand, 5, uncommitted)
    assert after.blocked == {Block.DAMAGED: 2}
    assert check_ledger(table, segments=1).findings == ()
