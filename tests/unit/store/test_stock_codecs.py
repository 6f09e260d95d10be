"""Codecs of what stands under a sku."""

from datetime import timedelta

from oms.inventory.model import Supply, SupplyKind
from oms.store import keys
from oms.store.stock import decode_stock, decode_supply, encode_supply
from tests.builders import NOW

SUPPLY = Supply("A", "po-7", SupplyKind.PURCHASE_ORDER, "wh-madrid", NOW, 9, 3, 2, closed=False, v=4)


def test_supply_is_read_as_it_was_stored() -> None:
    key = keys.supply("A", "po-7")
    assert decode_supply({"PK": key.pk, "SK": key.sk} | encode_supply(SUPPLY)) == SUPPLY


def test_the_stock_of_a_sku_includes_its_supply_and_leaves_out_what_it_does_not_know() -> None:
    key = keys.supply("A", "po-7")
    stored = {"PK": key.pk, "SK": key.sk} | encode_supply(SUPPLY)
    stock = decode_stock([stored, {"PK": "SKU#A", "SK": "?#1", "t": "something_newer"}])
    assert (stock.supplies, stock.positions, stock.sku) == ((SUPPLY,), (), None)


def test_what_nobody_waits_for_yet_can_be_promised() -> None:
    assert (SUPPLY.outstanding, SUPPLY.promisable) == (6, 4)


def test_nothing_can_be_promised_of_supply_that_is_closed_or_came_in_excess() -> None:
    closed = Supply("A", "po-7", SupplyKind.TRANSFER, "wh-madrid", NOW + timedelta(1), 9, closed=True)
    excess = Supply("A", "po-7", SupplyKind.TRANSFER, "wh-madrid", NOW + timedelta(1), 9, received=11)
    assert [(known.outstanding, known.promisable) for known in (closed, excess)] == [(0, 0), (0, 0)]
