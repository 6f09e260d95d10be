"""Rate cards: bad ones are refused by the path to the fault, good ones price every parcel to the cent."""

from dataclasses import replace
from typing import Any

import pytest

from oms.inventory.network import Location, LocationKind
from oms.orders.commands import Address, Method
from oms.problems import Problem
from oms.sourcing.candidates import Question, Wanted
from oms.sourcing.cards import RateCard, Sheet, Zone
from oms.sourcing.choose import Decision, Shelf, choose
from oms.sourcing.profile import Objective, Profile, Service, Strategy, Transit
from oms.sourcing.rates import Costs
from oms.sourcing.record import record
from tests.builders import LYON, MADRID, NOW, STORE

EVERYWHERE = Zone("world", (900, 1000, 1500))
SHEET = Sheet((1000, 2000, 5000), (Zone("home", (400, 450, 900), ("ES",)), EVERYWHERE))
CARD = RateCard("correos", {"*": SHEET})
MADRID_CENTRE = Address(country="ES", postal_code="28013", latitude="40.4168", longitude="-3.7038")


@pytest.mark.parametrize(
    ("services", "path"),
    [
        ({}, "services"),
        ({"express": SHEET}, "services"),
        ({"*": replace(SHEET, up_to_g=(0, 2, 3))}, "services.*.up_to_g[0]"),
        ({"*": replace(SHEET, up_to_g=(1, 3, 3))}, "services.*.up_to_g[2]"),
        ({"*": replace(SHEET, min_charge=-1)}, "services.*.min_charge"),
        ({"*": replace(SHEET, fuel_bp=-1)}, "services.*.fuel_bp"),
        ({"*": replace(SHEET, parcel_fee=-1)}, "services.*.parcel_fee"),
        ({"*": replace(SHEET, zones=())}, "services.*.zones[0]"),
        ({"*": replace(SHEET, zones=(EVERYWHERE, EVERYWHERE))}, "services.*.zones[1].name"),
        ({"*": SHEET, "x": replace(SHEET, zones=SHEET.zones[:1])}, "services.x.zones[0]"),
        ({"*": replace(SHEET, zones=(replace(EVERYWHERE, up_to_km=9),))}, "services.*.zones[0]"),
        ({"*": replace(SHEET, zones=(Zone("a", (1, 2)),))}, "services.*.zones[0].prices"),
        ({"*": Sheet((), (Zone("a", ()),))}, "services.*.zones[0].prices"),
        ({"*": replace(SHEET, zones=(Zone("a", (1, 3, 2)),))}, "services.*.zones[0].prices[2]"),
        ({"*": replace(SHEET, zones=(Zone("a", (-1, 3, 4)),))}, "services.*.zones[0].prices[0]"),
        (
            {"*": replace(SHEET, zones=(Zone("a", (1, 2, 3), ("ES", "Spain")),))},
            "services.*.zones[0].countries[1]",
        ),
        (
            {"*": replace(SHEET, zones=(Zone("a", (1, 2, 3), postal_codes=("28",)),))},
            "services.*.zones[0].countries",
        ),
        (
            {"*": replace(SHEET, zones=(Zone("a", (1, 2, 3), ("ES",), ("28", "2 8")),))},
            "services.*.zones[0].postal_codes[1]",
        ),
    ],
)
def test_a_card_that_cannot_be_is_refused_with_the_path_to_the_fault(
    services: dict[str, Sheet], path: str
) -> None:
    with pytest.raises(Problem) as refused:
        RateCard("card", services)
    assert refused.value.field == path


@pytest.mark.parametrize(
    ("grams", "price"),
    [
        (0, 400),
        (1, 400),
        (1000, 400),
        (1001, 450),
        (5000, 900),
        (5001, 900 + 400),
        (10_000, 1800),
        (11_500, 1800 + 450),
    ],
)
def test_a_weight_costs_what_its_column_says_and_more_than_the_last_goes_in_several_parcels(
    grams: int, price: int
) -> None:
    assert CARD.compiled().rate(None, "ES", "", None).price(grams) == price


def test_terms_change_every_price_once_and_fuel_is_rounded_up() -> None:
    sheet = replace(SHEET, min_charge=445, fuel_bp=1250, parcel_fee=15)
    rate = RateCard("c", {"*": sheet}).compiled().rate(None, "ES", "", None)
    assert rate.prices == (445 + 56 + 15, 450 + 57 + 15, 900 + 113 + 15)
    assert rate.price(6000) == rate.prices[2] + rate.prices[0]


@pytest.mark.parametrize(
    ("country", "code", "km", "zone"),
    [
        ("ES", "28013", 700, "city"),
        ("es", "280-13", 700, "city"),
        ("FR", "28013", 700, "far"),
        ("ES", "08001", 300, "near"),
        ("FR", "", 300, "near"),
        ("ES", "", None, "far"),
        ("", "", None, "far"),
    ],
)
def test_the_first_zone_that_a_customer_is_in_decides(
    country: str, code: str, km: int | None, zone: str
) -> None:
    zones = (Zone("city", (1,), ("ES",), ("28",)), Zone("near", (2,), up_to_km=300), Zone("far", (3,)))
    assert RateCard("c", {"*": Sheet((1,), zones)}).compiled().rate(None, country, code, km).zone == zone


@pytest.mark.parametrize(("service", "named"), [("express", "express"), ("slow", "*"), (None, "*")])
def test_a_service_that_the_card_does_not_name_is_every_other_one(service: str | None, named: str) -> None:
    card = RateCard("c", {"*": SHEET, "express": replace(SHEET, parcel_fee=1)}).compiled()
    assert card.rate(service, "ES", "", None).service == named


# ---- In a decision -----------------------------------------------------------------------------------------


def decide(members: list[Location], lines: tuple[Wanted, ...], **asked: Any) -> Decision:
    """What is chosen where everything is everywhere, and a parcel costs 500 without a card."""
    rules = Profile(
        (Strategy("only", objective=Objective(30, 100_000, 0, 0)),),
        {"*": Service((Transit(1),))},
        {"*": Costs(package_cost=100, km_rate_milli=1000, handling=7, kg_rate=50)},
    )
    question = replace(Question("shop-es", Method.SHIP, lines, NOW, ship_to=MADRID_CENTRE), **asked)
    units = {line.sku: {member.id: 9 for member in members} for line in lines}
    return choose(question, members, rules, Shelf(units, dict.fromkeys(units, 99)))


def carded(location: Location, card: RateCard = CARD) -> Location:
    return replace(location, rate_card=card.id, rates=card.compiled())


def test_a_card_takes_the_place_of_rates_by_km_and_kg_and_the_record_shows_its_row() -> None:
    decision = decide([carded(LYON)], (Wanted("1", "A", 2, 600),))
    assert (decision.cost.fixed, decision.cost.units) == (100 + 450, 2 * 7)
    assert decision.proven
    document = record({"d1": decision})[0]["locations"][0]
    assert document["rate"] == {
        "card": "correos",
        "service": "*",
        "zone": "home",
        "grams": 1200,
        "price": 450,
    }
    assert document["parcel"] == 100 + 450


def test_without_a_card_nothing_changes_and_no_rate_is_shown() -> None:
    decision = decide([LYON], (Wanted("1", "A", 2, 600),))
    assert (decision.cost.fixed, decision.cost.units) == (100 + 913, 2 * (7 + 30))
    assert "rate" not in record({"d1": decision})[0]["locations"][0]


def test_the_cheaper_way_is_taken_where_some_locations_have_a_card() -> None:
    near, far = MADRID, carded(LYON)
    light = decide([near, far], (Wanted("1", "A", 1, 900),))
    heavy = decide([near, far], (Wanted("1", "A", 1, 9900),))
    assert (light.used, heavy.used) == (("wh-madrid",), ("wh-madrid",))
    dear = decide([replace(MADRID, costs=Costs(package_cost=900)), far], (Wanted("1", "A", 1, 900),))
    assert dear.used == ("wh-lyon",)


def test_one_parcel_holds_what_goes_together_and_what_does_not() -> None:
    lines = (Wanted("1", "A", 1, 800, ships_with="set"), Wanted("2", "B", 1, 900))
    decision = decide([carded(LYON)], lines)
    assert decision.cost.fixed == 100 + 450
    assert decision.carried["wh-lyon"].grams == 1700
    assert decision.bound == decision.cost.total


def test_the_store_where_it_is_picked_up_sends_no_parcel_and_a_feeder_pays_for_the_way_to_it() -> None:
    lines = (Wanted("1", "A", 1, 800),)
    there = decide([carded(STORE)], lines, method=Method.PICKUP, store="st-gracia")
    assert (there.cost.fixed, there.carried) == (0, {})
    abroad = replace(
        CARD, services={"*": replace(SHEET, zones=(Zone("fr", (1, 2, 3), ("FR",)), *SHEET.zones))}
    )
    question: dict[str, Any] = {"method": Method.SHIP_TO_STORE, "store": "st-gracia", "ship_to": None}
    empty = replace(STORE, active=False, rates=None)
    fed = decide([empty, carded(LYON, abroad)], lines, **question)
    assert fed.carried["wh-lyon"].rate.zone == "home"


def test_a_vendor_that_ships_nothing_is_ranked_by_the_whole_weight() -> None:
    vendor = carded(Location("v-porto", "Porto", LocationKind.VENDOR, "maker", "PT", 41.15, -8.61))
    decision = decide([MADRID, vendor], (Wanted("1", "A", 3, 1500),))
    assert decision.parcels["v-porto"] == 100 + 900
    assert "v-porto" not in decision.carried
