"""Catalogue entries by the API: codes, kits, and what cannot be."""

from typing import Any

import pytest

from oms.inventory.model import Component, Price, Sku
from oms.store import keys
from oms.store.catalogue import kits_with, skus_of_code
from oms.store.stock import read_skus
from oms.store.table import Table
from oms.usecases.describe_sku import describe_sku
from tests.conflicts import Crash, Faults
from tests.rest import Rest

EAN = {"kind": "ean", "value": "4006381333931"}
UPC = {"kind": "upc", "value": "036000291452"}


def described(sku: str, **said: Any) -> Any:
    reply = Rest().put(f"/skus/{sku}", {"title": sku} | said)
    assert reply.status == 200, reply.document
    return reply.document


def refused(sku: str, **said: Any) -> tuple[int, str, str | None]:
    return Rest().put(f"/skus/{sku}", {"title": sku} | said).problem


def found(code: str) -> list[str]:
    return [item["sku"] for item in Rest().get("/skus", code=code).document["items"]]


def part(sku: str, per_bundle: int = 1, weight: int = 0) -> dict[str, Any]:
    return {"sku": sku, "per_bundle": per_bundle, "weight": weight}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"codes": [{"kind": "isbn", "value": "1"}]}, "codes[0].kind"),
        ({"codes": [EAN, {"kind": "ean", "value": "4006381333932"}]}, "codes[1].value"),
        ({"codes": [{"kind": "vendor", "value": ""}]}, "codes[0].value"),
        ({"codes": [EAN] * 21}, "codes"),
        ({"kit": [part("MUG", 0)]}, "kit[0].per_bundle"),
        ({"kit": [part("MUG", 1, -1)]}, "kit[0].weight"),
        ({"kit": [part("MUG"), part("GHOST")]}, "kit[1].sku"),
        ({"kit": [part("MUG"), part("MUG")]}, "kit[1].sku"),
        ({"kit": [part("NEW")]}, "kit[0].sku"),
        ({"kit": [part("SET")]}, "kit[0].sku"),
        ({"safety_stock": [{"units": -1}]}, "safety_stock[0].units"),
        ({"safety_stock": [{"units": 1, "method": "pigeon"}]}, "safety_stock[0].method"),
        (
            {"safety_stock": [{"units": 1, "location": "st"}, {"units": 2, "location": "st"}]},
            "safety_stock[1]",
        ),
        ({"prices": [{"amount": -1, "currency": "EUR"}]}, "prices[0].amount"),
        ({"prices": [{"amount": 1, "currency": "euro"}]}, "prices[0].currency"),
        (
            {"prices": [{"amount": 1, "currency": "EUR"}, {"amount": 2, "currency": "EUR"}]},
            "prices[1]",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(table: Table, said: Any, field: str) -> None:
    described("MUG")
    described("SET", kit=[part("MUG", 2)])
    assert refused("NEW", **said) == (422, "field_invalid", field)
    assert table.get(keys.sku_meta("NEW")) is None


def test_safety_stock_is_kept_by_location_and_method(table: Table) -> None:
    rules = [
        {"units": 2, "location": None, "method": None},
        {"units": 0, "location": "st-gracia", "method": "pickup"},
    ]
    described("MUG", safety_stock=[{"units": 2}, rules[1]])
    assert Rest().get("/skus/MUG").document["safety_stock"] == rules
    assert described("MUG", safety_stock=rules)["v"] == 1


def test_prices_are_kept_by_currency_and_channel(table: Table) -> None:
    prices = [
        {"amount": 1490, "currency": "EUR", "channel": None},
        {"amount": 1590, "currency": "EUR", "channel": "shop-fr"},
        {"amount": 2300, "currency": "JPY", "channel": None},
    ]
    described("MUG", prices=[{"amount": 1490, "currency": "EUR"}, *prices[1:]])
    assert Rest().get("/skus/MUG").document["prices"] == prices
    assert described("MUG", prices=prices)["v"] == 1
    entry = read_skus(table, ["MUG"])["MUG"]
    assert [entry.price_at("shop-fr", currency) for currency in ("EUR", "JPY", "USD", None)] == [
        Price(1590, "EUR", "shop-fr"),
        Price(2300, "JPY"),
        None,
        None,
    ]
    assert entry.price_at("shop-es", "EUR") == Price(1490, "EUR")


def test_a_component_cannot_become_a_kit_and_no_cycle_can_be_made(table: Table) -> None:
    described("MUG")
    described("SPOON")
    described("SET", kit=[part("MUG")])
    assert refused("MUG", kit=[part("SPOON")]) == (422, "field_invalid", "kit")
    assert refused("MUG", kit=[part("SET")]) == (422, "field_invalid", "kit[0].sku")


def test_what_was_a_component_once_may_become_a_kit(table: Table) -> None:
    described("MUG")
    described("SPOON")
    described("SET", kit=[part("MUG")])
    described("SET", kit=[part("SPOON")])
    assert described("MUG", kit=[part("SPOON")])["kit"] == [part("SPOON")]


def test_an_entry_shows_what_was_said_of_it(table: Table) -> None:
    described("MUG")
    entry = described("SET", codes=[EAN, UPC], kit=[part("MUG", 2, 950)])
    assert (entry["codes"], entry["kit"]) == ([EAN, UPC], [part("MUG", 2, 950)])
    assert Rest().get("/skus/SET").document == entry
    assert described("SET", codes=[EAN, UPC], kit=[part("MUG", 2, 950)])["v"] == 1
    assert described("SET")["kit"] == []


def test_skus_are_found_by_every_code_that_they_have_now(table: Table) -> None:
    described("MUG", codes=[EAN, {"kind": "vendor", "value": "V 1"}])
    described("CUP", codes=[UPC, {"kind": "vendor", "value": "V 1"}])
    assert found("4006381333931") == ["MUG"]
    assert found("036000291452") == found("0036000291452") == ["CUP"]
    assert found("V 1") == ["CUP", "MUG"]
    described("CUP")
    assert (found("036000291452"), found("V 1"), found("nothing")) == ([], ["MUG"], [])


def test_a_look_up_without_a_code_is_refused(table: Table) -> None:
    assert Rest().get("/skus").problem == (422, "field_missing", "code")


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_a_crash_leaves_no_entry_that_its_codes_do_not_find(table: Table, when: str) -> None:
    describe_sku(table, Sku("MUG"))
    entry = Sku("SET", kit=(Component("MUG", 2),))
    for calls in range(1, 9):
        faults = Faults(**{when: calls})  # type: ignore[arg-type]  # one of its numbers of calls
        try:
            describe_sku(Table(faults.wrap(table.client), table.name), entry)
        except Crash:
            there = table.get(keys.sku_meta("SET")) is not None
            assert [kit.sku for kit in kits_with(table, "MUG")] == ["SET"] * there
        else:
            break
        table.client.delete_item(TableName=table.name, Key={"PK": {"S": "SKU#SET"}, "SK": {"S": "META"}})
    assert calls > 3
    assert [kit.sku for kit in kits_with(table, "MUG")] == ["SET"]
    assert skus_of_code(table, "MUG") == []
