"""Sourcing by the API: decisions and what-ifs, promises, pickup points, versions of the profile."""

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from functions.api import handler as api_function
from oms.inventory.model import Capability, Component, Sku, Supply, SupplyKind
from oms.inventory.network import Location
from oms.orders.commands import Address, Delivery, Method
from oms.orders.identity import order_id
from oms.sourcing.calendar import Calendar
from oms.sourcing.profile import USUAL
from oms.store import keys, process
from oms.store.configuration import document_of, encode_document, read_network
from oms.store.stock import encode_sku
from oms.store.table import Table
from oms.store.writes import put
from oms.usecases.announce_supply import announce_supply
from oms.usecases.place_order import place_order
from tests.builders import LYON, MADRID, NOW, STORE, command, line, network
from tests.rest import Rest
from tests.shelves import fill, shelves

ID = order_id("shop-es", "5001")
MADRID_CENTRE = {"country": "ES", "latitude": 40.4168, "longitude": -3.7038}
IN_MADRID = Address(country="ES", latitude="40.4168", longitude="-3.7038")
SHORT = ("name", "kind", "owner", "country", "latitude", "longitude")
PROFILE: dict[str, Any] = {
    "strategies": [{"name": "near", "filters": [{"measure": "distance_km", "at_most": 600}]}],
    "services": {"*": {"transit": [{"days": 2}]}},
    "costs": {"*": {"package_cost": 400}},
}


class Clock(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return cls.fromtimestamp(NOW.timestamp(), tz)


@pytest.fixture
def rest(table: Table, monkeypatch: pytest.MonkeyPatch) -> Rest:
    """A caller of the function, whose store and clock are the tests'."""
    monkeypatch.setattr(api_function, "datetime", Clock)
    return Rest()


def locations(table: Table, *changed: Location) -> None:
    """Configure locations anew."""
    known = {**network().locations, **{location.id: location for location in changed}}
    documents = {name: document_of(location) for name, location in known.items()}
    table.commit(put(keys.snapshot("location"), encode_document(documents, 2)))
    process.reset()


def place(table: Table, *lines: Any, **fields: Any) -> None:
    """Place an order of 5001 that goes to the centre of Madrid."""
    deliveries = (Delivery("d1", Method.SHIP, "express", IN_MADRID),)
    order = command(*lines or (line("A", 2),), **{"deliveries": deliveries} | fields)
    place_order(table, read_network(table), order, NOW)


def basket(*lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A basket on shop-es that goes to the centre of Madrid."""
    wanted = list(lines) or [{"sku": "A", "units": 2}]
    return {"channel": "shop-es", "lines": wanted, "ship_to": MADRID_CENTRE} | fields


# ---- What is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        ("/promises", basket(channel="nope"), (404, "channel_unknown", "channel")),
        ("/promises", basket({"sku": "GHOST", "units": 1}), (422, "field_invalid", "lines[0].sku")),
        ("/promises", basket({"sku": "A", "units": 0}), (422, "field_invalid", "lines[0].units")),
        ("/promises", basket() | {"lines": []}, (422, "field_invalid", "lines")),
        ("/promises", basket(ship_to={"country": "Spain"}), (422, "field_invalid", "ship_to.country")),
        ("/sourcing/preview", {}, (422, "field_invalid", "basket")),
        ("/sourcing/preview", {"basket": basket(), "order_id": ID}, (422, "field_invalid", "basket")),
        ("/sourcing/preview", {"order_id": ID}, (404, "not_found", "order_id")),
        ("/sourcing/preview", {"basket": basket(), "profile": 9}, (404, "not_found", "profile")),
        (
            "/sourcing/preview",
            {"basket": basket(channel="nope")},
            (404, "channel_unknown", "basket.channel"),
        ),
        (
            "/sourcing/preview",
            {"basket": basket({"sku": "A", "units": 1}, {"sku": "GHOST", "units": 1})},
            (422, "field_invalid", "basket.lines[1].sku"),
        ),
        (
            "/sourcing/preview",
            {"basket": basket(), "locations": ["wh-lyon", "wh-lyno"]},
            (422, "field_invalid", "locations[1]"),
        ),
        ("/promises", basket(ship_to={"country": ".."}), (422, "field_invalid", "ship_to.country")),
        (
            "/promises",
            basket(ship_to={"country": "ES", "latitude": 40}),
            (422, "field_invalid", "ship_to.longitude"),
        ),
        (
            "/sourcing/preview",
            {"basket": basket(ship_to={"country": "ES", "longitude": 4})},
            (422, "field_invalid", "basket.ship_to.latitude"),
        ),
        ("/promises", basket(method="pickup"), (422, "field_invalid", "location")),
        ("/promises", basket(method="carry_out", location="st-graz"), (422, "field_invalid", "location")),
        (
            "/sourcing/preview",
            {"basket": basket(method="ship_to_store", location="st-graz")},
            (422, "field_invalid", "basket.location"),
        ),
        ("/sourcing/preview", {"basket": basket(), "delivery": "d9"}, (422, "field_invalid", "delivery")),
        ("/sourcing/preview", {"basket": basket(speed=1)}, (422, "field_invalid", "basket.speed")),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_by_its_field(
    path: str, body: dict[str, Any], problem: tuple[int, str, str], rest: Rest, table: Table
) -> None:
    fill(table, "A", wh_madrid=1)
    assert rest.post(path, body).problem == problem


@pytest.mark.parametrize(("known", "missing"), [("latitude", "longitude"), ("longitude", "latitude")])
def test_half_of_a_place_is_none(known: str, missing: str, rest: Rest, table: Table) -> None:
    fill(table, "A", st_gracia=1)
    refused = rest.get("/pickup-points", channel="shop-es", sku="A", **{known: "2"})
    assert refused.problem == (422, "field_invalid", missing)


@pytest.mark.parametrize("sku", ["", "A:٣", "A:", "A:0", "A:x", ",", "A:1,:2", "A:99999999"])
def test_pickup_points_need_skus_with_units(sku: str, rest: Rest, table: Table) -> None:
    assert rest.get("/pickup-points", channel="shop-es", sku=sku).problem == (422, "field_invalid", "sku")


def test_pickup_points_of_an_unknown_sku_or_channel_are_refused_by_the_parameter(
    rest: Rest, table: Table
) -> None:
    fill(table, "A", st_gracia=1)
    refused = rest.get("/pickup-points", channel="shop-es", sku="A,GHOST")
    assert refused.problem == (422, "field_invalid", "sku")
    assert "GHOST" in refused.document["detail"]
    refused = rest.get("/pickup-points", channel="nope", sku="A")
    assert refused.problem == (404, "channel_unknown", "channel")


def test_a_store_that_is_not_configured_is_named(rest: Rest) -> None:
    refused = rest.post("/promises", basket(method="pickup", location="st-graz"))
    assert refused.document["detail"] == "location st-graz is not configured"


def test_an_order_that_is_not_there_has_no_decisions(rest: Rest) -> None:
    assert rest.get(f"/orders/{ID}/sourcing").problem == (404, "not_found", "order_id")


def test_a_delivery_with_nothing_to_source_has_no_preview(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    place(table, line("A", 2, shipped=2))
    refused = rest.post("/sourcing/preview", {"order_id": ID})
    assert refused.problem == (422, "field_invalid", "delivery")


@pytest.mark.parametrize(
    ("version", "change", "problem"),
    [
        ("0", {}, (422, "field_invalid", "version")),
        ("first", {}, (422, "field_invalid", "version")),
        ("1", {"strategies": []}, (422, "field_invalid", "strategies")),
        ("1", {"services": {"express": {"transit": [{"days": 1}]}}}, (422, "field_invalid", "services")),
        (
            "1",
            {"strategies": [{"name": "a", "filters": [{"measure": "mood", "at_most": 1}]}]},
            (422, "field_invalid", "strategies[0].filters[0].measure"),
        ),
        (
            "1",
            {"strategies": [{"name": "a", "filters": [{"measure": "days", "one_of": ["2"]}]}]},
            (422, "field_invalid", "strategies[0].filters[0]"),
        ),
        (
            "1",
            {"strategies": [{"name": "a", "filters": [{"measure": "days", "at_most": 2, "only": ["wh-x"]}]}]},
            (422, "field_invalid", "strategies[0].filters[0].only[0]"),
        ),
        (
            "1",
            {
                "strategies": [
                    {"name": "a", "filters": [{"measure": "location", "none_of": ["wh-madrid", "wh-x"]}]}
                ]
            },
            (422, "field_invalid", "strategies[0].filters[0].none_of[1]"),
        ),
        (
            "1",
            {"strategies": [{"name": "a", "filters": [{"measure": "days", "at_least": 5, "at_most": 2}]}]},
            (422, "field_invalid", "strategies[0].filters[0].at_least"),
        ),
        (
            "1",
            {"strategies": [{"name": "a", "fallbacks": ["relax", "partial", "relax"]}]},
            (422, "field_invalid", "strategies[0].fallbacks[2]"),
        ),
        *(
            (
                "1",
                {"strategies": [{"name": "a", "when": [condition]}, {"name": "b"}]},
                (422, "field_invalid", f"strategies[0].when[0].{field}"),
            )
            for condition, field in (
                ({"measure": "channel", "one_of": ["shop-es", "shop-se"]}, "one_of[1]"),
                ({"measure": "method", "none_of": ["pick_up"]}, "none_of[0]"),
            )
        ),
        (
            "1",
            {"strategies": [{"name": "a", "filters": [{"measure": "kind", "one_of": ["shop"]}]}]},
            (422, "field_invalid", "strategies[0].filters[0].one_of[0]"),
        ),
        (
            "1",
            {"costs": {"*": {"handling": 1}, "warehous": {"handling": 2}}},
            (422, "field_invalid", "costs.warehous"),
        ),
        ("1", {"properties": {"engraving": "fly"}}, (422, "field_invalid", "properties.engraving")),
    ],
)
def test_a_faulty_profile_is_refused_with_the_path_to_the_fault(
    version: str, change: dict[str, Any], problem: tuple[int, str, str], rest: Rest
) -> None:
    assert rest.put(f"/sourcing/profiles/{version}", PROFILE | change).problem == problem
    assert rest.get("/sourcing/profiles").document["items"] == []


def test_a_version_never_changes(rest: Rest) -> None:
    written = rest.put("/sourcing/profiles/1", PROFILE)
    assert rest.put("/sourcing/profiles/1", PROFILE).document == written.document
    other = PROFILE | {"costs": {"*": {"package_cost": 401}}}
    assert rest.put("/sourcing/profiles/1", other).problem == (409, "conflict", "version")
    assert rest.get("/sourcing/profiles/1").document == written.document


def test_a_version_that_is_not_there_cannot_rule(rest: Rest) -> None:
    assert rest.get("/sourcing/profiles/1").problem == (404, "not_found", "version")
    assert rest.put("/sourcing/profile", {"version": 1}).problem == (404, "not_found", "version")


def test_an_activation_that_has_seen_another_is_refused(rest: Rest) -> None:
    rest.put("/sourcing/profiles/1", PROFILE)
    rest.put("/sourcing/profile", {"version": 1})
    refused = rest.put("/sourcing/profile", {"version": 0}, if_match='"0"')
    assert refused.problem == (412, "version_mismatch", "If-Match")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"calendar": {"time_zone": "Europe/Nowhere"}}, "calendar.time_zone"),
        ({"calendar": {"days": []}}, "calendar.days"),
        ({"calendar": {"days": [8]}}, "calendar.days[0]"),
        ({"calendar": {"holidays": ["2026-13-01"]}}, "calendar.holidays[0]"),
        ({"calendar": {"cutoffs": {"*": "3 pm"}}}, "calendar.cutoffs.*"),
        ({"calendar": {"hours": 8}}, "calendar.hours"),
        ({"capabilities": ["fly"]}, "capabilities[0]"),
        ({"lead_days": {"personalise": -1}}, "lead_days.personalise"),
        ({"costs": {"handling": -1}}, "costs.handling"),
        ({"closed_until": "tomorrow"}, "closed_until"),
        ({"closed_until": "2026-12-24T00:00:00"}, "closed_until"),
    ],
)
def test_a_location_that_cannot_be_is_refused_by_its_field(
    change: dict[str, Any], field: str, rest: Rest
) -> None:
    location = {key: value for key, value in document_of(STORE).items() if key in SHORT}
    refused = rest.put("/configuration/location/st-gracia", location | change)
    assert refused.problem == (422, "field_invalid", field)


def test_a_location_keeps_what_sourcing_has_to_know(rest: Rest, table: Table) -> None:
    told = {
        "capabilities": ["ship", "pickup", "personalise"],
        "lead_days": {"personalise": 2},
        "calendar": {
            "time_zone": "Europe/Madrid",
            "days": [1, 2, 3, 4, 5],
            "holidays": ["2026-12-25"],
            "cutoffs": {"*": "15:00"},
            "handling_days": 1,
        },
        "costs": {"package_cost": 500, "km_rate_milli": 100, "handling": 50, "kg_rate": 70},
        "closed_until": "2026-12-24T00:00:00Z",
    }
    location = {key: value for key, value in document_of(STORE).items() if key in SHORT}
    rest.put("/configuration/location/st-gracia", location | told)
    shown = rest.get("/configuration/location/st-gracia").document["settings"]
    assert {key: shown[key] for key in told} == told
    kept = read_network(table, consistent=True).locations["st-gracia"]
    assert (kept.can[-1], kept.lead_days) == (Capability.PERSONALISE, {Capability.PERSONALISE: 2})
    assert kept.calendar == Calendar("Europe/Madrid", (1, 2, 3, 4, 5), ("2026-12-25",), {"*": "15:00"}, 1)


# ---- Profiles ----------------------------------------------------------------------------------------------


def test_the_profile_that_is_built_in_rules_until_another_is_activated_and_again_after_it(
    rest: Rest, table: Table
) -> None:
    assert rest.get("/sourcing/profile").document["version"] == 0
    rest.put("/sourcing/profiles/1", PROFILE)
    rest.put("/sourcing/profiles/2", PROFILE | {"costs": {"*": {"package_cost": 500}}})
    assert read_network(table).profile == USUAL
    for number, version in enumerate((1, 2, 1, 0), 1):
        activated = rest.put("/sourcing/profile", {"version": version})
        assert (activated.document["version"], activated.headers["ETag"]) == (version, f'"{number}"')
        assert read_network(table, consistent=True).profile.v == version
    assert rest.put("/sourcing/profile", {"version": 0}).headers["ETag"] == '"4"'
    assert [kept["version"] for kept in rest.get("/sourcing/profiles").document["items"]] == [1, 2]


def test_orders_are_placed_by_the_profile_that_rules(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_lyon=9)
    rest.put("/sourcing/profiles/1", PROFILE)
    rest.put("/sourcing/profile", {"version": 1})
    place(table)
    (decision,) = rest.get(f"/orders/{ID}/sourcing").document["items"][-1]["decisions"]
    assert (decision["profile"], decision["strategy"], decision["missing"]) == (1, "near", {"1": 2})
    out = {source["location"]: source["removals"] for source in decision["locations"]}["wh-lyon"]
    assert [(one["reason"], one["measured"], one["limit"]) for one in out] == [("distance_km", 913, 600)]
    assert shelves(table, "A") == {"wh-lyon": (9, 0, 9)}


def test_the_rate_card_and_the_profile_in_the_document_are_accepted(rest: Rest) -> None:
    text = (Path(__file__).parents[2] / "infra/docs/sourcing.md").read_text()
    card, profile = map(json.loads, re.findall(r"```json\n(.+?)```", text, re.DOTALL))
    assert rest.put("/configuration/rate_card/correos", card).status == 200
    assert rest.put("/sourcing/profiles/1", profile).status == 200


# ---- Decisions and what-ifs --------------------------------------------------------------------------------


def test_an_order_tells_why_its_units_come_from_where_they_come_from(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=1)
    place(table)
    shown = rest.get(f"/orders/{ID}/sourcing", location="wh-lyon,st-gracia")
    (decision,) = shown.document["items"][-1]["decisions"]
    assert (decision["delivery_id"], decision["profile"], decision["strategy"]) == ("d1", 0, "usual")
    assert (decision["precision"], decision["proven"]) == ("address", True)
    assert decision["cost"] == {"fixed": 550, "units": 120, "splits": 0, "backorder": 0, "total": 670}
    assert decision["bound"] == 670
    sources = {source["location"]: source for source in decision["locations"]}
    assert sources["wh-madrid"]["ships"] == {"1": 2}
    assert (sources["wh-madrid"]["distance_km"], sources["wh-madrid"]["arrives"]) == (0, "2026-11-23")
    assert sources["wh-lyon"]["removals"] == []
    assert [one["reason"] for one in sources["st-gracia"]["removals"]] == ["no_stock"]
    split = {"used": ["wh-madrid", "wh-lyon"], "difference": 941, "missing": 0, "arrives": "2026-11-23"}
    best, lyon, gracia = decision["alternatives"]
    assert (best["instead"], best["used"], best["missing"]) == (None, ["wh-lyon"], 1)
    assert lyon == {"instead": "wh-lyon", "removals": []} | split
    assert (gracia["difference"], gracia["used"]) == (None, [])
    assert [one["reason"] for one in gracia["removals"]] == ["no_stock"]


def test_what_ifs_give_back_what_the_order_has_taken(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=2, st_gracia=2)
    place(table)
    assert shelves(table, "A")["wh-madrid"] == (2, 2, 0)
    (decision,) = rest.get(f"/orders/{ID}/sourcing", location="wh-madrid").document["items"][-1]["decisions"]
    best, same = decision["alternatives"]
    assert (best["used"], best["missing"]) == (["st-gracia"], 0)
    assert (same["used"], same["difference"]) == (["wh-madrid"], 0)


def test_a_preview_of_an_order_by_another_version_reserves_nothing(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=2, wh_lyon=2)
    place(table)
    before = shelves(table, "A")
    nearest = {"measure": "location", "none_of": ["wh-madrid"]}
    rest.put("/sourcing/profiles/7", PROFILE | {"strategies": [{"name": "not-madrid", "filters": [nearest]}]})
    shown = rest.post(
        "/sourcing/preview", {"order_id": ID, "profile": 7, "locations": ["wh-madrid"]}
    ).document
    ships = {source["location"]: source["ships"] for source in shown["decision"]["locations"]}
    assert ships["wh-lyon"] == {"1": 2}
    assert (shown["decision"]["profile"], shown["decision"]["delivery_id"]) == (7, "d1")
    assert shown["alternatives"][-1]["removals"][0]["reason"] == "location"
    assert shelves(table, "A") == before


def test_a_basket_s_preview_looks_at_what_its_lines_ask_for(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=2, wh_lyon=2)
    locations(table, replace(LYON, capabilities=(Capability.SHIP, Capability.GIFT_WRAP)))
    wrapped = basket({"sku": "A", "units": 1, "properties": {"gift_wrap": "yes"}})
    plain = basket({"sku": "A", "units": 1, "properties": {"gift_wrap": "no"}})
    used = [
        next(
            source["location"]
            for source in rest.post("/sourcing/preview", {"basket": asked}).document["decision"]["locations"]
            if source["ships"]
        )
        for asked in (wrapped, plain)
    ]
    assert used == ["wh-lyon", "wh-madrid"]


def test_units_that_others_wait_for_are_not_offered(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    place(table, line("A", 3))
    fill(table, "A", wh_lyon=1)
    shown = rest.post("/sourcing/preview", {"basket": basket({"sku": "A", "units": 1})}).document
    assert shown["decision"]["missing"] == {"1": 1}


# ---- Promises ----------------------------------------------------------------------------------------------


def test_a_basket_is_promised_by_service_with_its_cut_off_and_cost(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    calendar = Calendar("Europe/Madrid", (1, 2, 3, 4, 5), cutoffs={"*": "15:00", "express": "12:00"})
    locations(table, replace(MADRID, calendar=calendar))
    options = rest.post("/promises", basket()).document["options"]
    assert [(option["service"], option["available"], option["cost"]) for option in options] == [
        (None, True, 670),
        ("express", True, 670),
    ]
    usual, express = (option["promise"] for option in options)
    assert usual == {
        "arrives": "2026-11-24",
        "order_by": "2026-11-23T14:00:00.000Z",
        "lines": {"1": "2026-11-24"},
    }
    assert express["order_by"] == "2026-11-23T11:00:00.000Z"


def test_what_is_not_in_stock_is_promised_from_supply_after_those_who_wait(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    place(table, line("A", 3))
    wanted = basket({"sku": "A", "units": 2})
    assert rest.post("/promises", wanted).document["options"][0]["promise"] == {
        "arrives": None,
        "order_by": None,
        "lines": {"1": None},
    }
    for number, (due, units) in enumerate(((3, 3), (8, 9)), 1):
        expected = Supply(
            "A", f"po-{number}", SupplyKind.PURCHASE_ORDER, "wh-madrid", NOW + timedelta(days=due), units
        )
        announce_supply(table, read_network(table), expected)
    option = rest.post("/promises", wanted).document["options"][0]
    assert not option["available"]
    assert option["promise"]["arrives"] == "2026-12-01"


# ---- Pickup points -----------------------------------------------------------------------------------------

NEAR = {"country": "ES", "latitude": "41.40", "longitude": "2.16"}
FED = (Capability.SHIP, Capability.PICKUP, Capability.SHIP_TO_STORE)
SOL = replace(STORE, id="st-sol", name="Sol", latitude=40.4168, longitude=-3.7038)


def points(rest: Rest, sku: str, **query: str) -> list[tuple[str, bool, int, str]]:
    shown = rest.get("/pickup-points", channel="shop-es", sku=sku, **NEAR, **query).document["items"]
    return [(one["location"], one["fed"], one["distance_km"], one["ready"]) for one in shown]


def stores(table: Table, *changed: Location) -> None:
    """Configure locations, all of them in the pool."""
    locations(table, *changed)
    names = [*network().locations, *(location.id for location in changed)]
    pool = {"iberia": {"locations": list(dict.fromkeys(names))}}
    table.commit(put(keys.snapshot("pool"), encode_document(pool, 2)))


def test_a_store_offers_what_it_has_and_one_that_is_fed_the_rest(rest: Rest, table: Table) -> None:
    fill(table, "A", st_gracia=1, wh_madrid=5)
    fill(table, "B", st_gracia=1)
    stores(table, replace(SOL, capabilities=FED))
    assert points(rest, "A,B:1") == [
        ("st-gracia", False, 0, "2026-11-22"),
        ("st-sol", True, 505, "2026-11-24"),
    ]
    assert points(rest, "A:2") == [("st-sol", True, 505, "2026-11-23")]
    assert points(rest, "A:9") == []


def test_points_lie_within_the_radius_and_are_open(rest: Rest, table: Table) -> None:
    fill(table, "A", st_gracia=1, st_sol=1, wh_madrid=1)
    stores(table, SOL)
    assert [point[0] for point in points(rest, "A")] == ["st-gracia", "st-sol"]
    assert [point[0] for point in points(rest, "A", radius_km="500")] == ["st-gracia"]
    stores(table, SOL, replace(STORE, active=False))
    assert [point[0] for point in points(rest, "A")] == ["st-sol"]


# ---- Rate cards --------------------------------------------------------------------------------------------


CARD: dict[str, Any] = {
    "services": {
        "*": {
            "up_to_g": [1000, 5000],
            "zones": [
                {"name": "home", "prices": [400, 900], "countries": ["ES"]},
                {"name": "world", "prices": [1900, 2900]},
            ],
            "fuel_bp": 1000,
        }
    }
}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"services": {"express": CARD["services"]["*"]}}, "services"),
        ({"services": {"*": CARD["services"]["*"] | {"up_to_g": [1000, 900]}}}, "services.*.up_to_g[1]"),
        ({"services": {"*": CARD["services"]["*"] | {"up_to_g": [0, 900]}}}, "services.*.up_to_g[0]"),
        ({"services": {"*": CARD["services"]["*"] | {"zones": []}}}, "services.*.zones"),
        ({"services": {"*": CARD["services"]["*"] | {"fuel_bp": -1}}}, "services.*.fuel_bp"),
        ({"services": {"*": CARD["services"]["*"] | {"discount": 1}}}, "services.*.discount"),
        (
            {"services": {"*": CARD["services"]["*"] | {"zones": [{"name": "a", "prices": [900, 400]}]}}},
            "services.*.zones[0].prices[1]",
        ),
        (
            {
                "services": {
                    "*": CARD["services"]["*"]
                    | {"zones": [{"name": "a", "prices": [1, 2], "countries": ["spain"]}]}
                }
            },
            "services.*.zones[0].countries[0]",
        ),
    ],
)
def test_a_rate_card_that_cannot_be_is_refused_with_the_path_to_the_fault(
    change: dict[str, Any], field: str, rest: Rest
) -> None:
    refused = rest.put("/configuration/rate_card/correos", CARD | change)
    assert refused.problem == (422, "field_invalid", field)
    assert rest.get("/configuration/rate_card").document["items"] == []


def test_a_location_cannot_name_a_card_that_is_not_there(rest: Rest) -> None:
    location = {key: value for key, value in document_of(MADRID).items() if key in SHORT}
    refused = rest.put("/configuration/location/wh-madrid", location | {"rate_card": "correos"})
    assert refused.problem == (422, "field_invalid", "rate_card")


def test_parcels_are_priced_by_the_card_that_their_location_names(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=9, wh_lyon=9)
    table.commit(put(keys.sku_meta("A"), encode_sku(Sku("A", weight_g=700))))
    written = rest.put("/configuration/rate_card/correos", CARD)
    assert rest.get("/configuration/rate_card/correos").document == written.document
    location = {key: value for key, value in document_of(LYON).items() if key in SHORT}
    rest.put("/configuration/location/wh-lyon", location | {"rate_card": "correos", "priority": 0})
    process.reset()
    free = PROFILE | {"strategies": [{"name": "all"}], "costs": {"*": {"package_cost": 2000}}}
    rest.put("/sourcing/profiles/1", free | {"costs": {"*": {"package_cost": 100, "km_rate_milli": 9000}}})
    rest.put("/sourcing/profile", {"version": 1})
    process.reset()
    place(table, line("A", 2))
    decision = rest.get(f"/orders/{ID}/sourcing").document["items"][-1]["decisions"][0]
    sources = {source["location"]: source for source in decision["locations"]}
    assert sources["wh-madrid"]["ships"] == {"1": 2}
    assert sources["wh-madrid"]["rate"] is None
    preview = rest.post("/sourcing/preview", {"basket": basket(), "locations": ["wh-lyon"]}).document
    assert preview["alternatives"][-1]["instead"] == "wh-lyon"
    assert preview["alternatives"][-1]["difference"] == (100 + 990) - (100 + 100)
    locations(table, replace(MADRID, active=False), replace(LYON, rate_card="correos"))
    made = rest.post("/sourcing/preview", {"basket": basket()}).document["decision"]
    shipping = next(source for source in made["locations"] if source["ships"])
    assert shipping["rate"] == {
        "card": "correos",
        "service": "*",
        "zone": "home",
        "grams": 1400,
        "price": 990,
    }


# ---- Kits --------------------------------------------------------------------------------------------------


def kit(table: Table) -> None:
    """A set of two mugs and a cap; 4 mugs in Madrid, 2 caps in Lyon."""
    fill(table, "MUG", wh_madrid=4)
    fill(table, "CAP", wh_lyon=2)
    parts = (Component("MUG", 2, 1), Component("CAP", 1, 1))
    table.commit(put(keys.sku_meta("SET"), encode_sku(Sku("SET", kit=parts))))


def shipped(decision: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {one["location"]: one["ships"] for one in decision["locations"] if one["ships"]}


def test_a_kit_is_previewed_as_it_would_be_placed(rest: Rest, table: Table) -> None:
    kit(table)
    wanted = basket({"sku": "SET", "units": 2, "value": 4000})
    before = rest.post("/sourcing/preview", {"basket": wanted}).document
    assert shipped(before["decision"]) == {"wh-madrid": {"1/MUG": 4}, "wh-lyon": {"1/CAP": 2}}
    place(table, line("SET", 2))
    (after,) = rest.get(f"/orders/{ID}/sourcing").document["items"][-1]["decisions"]
    assert {place: sum(units.values()) for place, units in shipped(after).items()} == {
        "wh-madrid": 4,
        "wh-lyon": 2,
    }
    assert after["cost"] == before["decision"]["cost"]
    again = rest.post("/sourcing/preview", {"order_id": ID}).document["decision"]
    assert shipped(again) == shipped(after)


@pytest.mark.parametrize(("units", "known"), [(2, True), (3, False)])
def test_a_kit_is_promised_for_the_day_on_which_its_last_part_comes(
    units: int, known: bool, rest: Rest, table: Table
) -> None:
    kit(table)
    options = rest.post("/promises", basket({"sku": "SET", "units": units})).document["options"]
    for option in options:
        assert option["available"] == known
        assert list(option["promise"]["lines"]) == ["1"]
        assert (option["promise"]["lines"]["1"] is not None) == known
        assert option["promise"]["lines"]["1"] == option["promise"]["arrives"]


def test_a_kit_is_picked_up_where_all_its_parts_are(rest: Rest, table: Table) -> None:
    kit(table)
    assert rest.get("/pickup-points", channel="shop-es", sku="SET").document["items"] == []
    fill(table, "MUG", wh_madrid=4, st_gracia=2)
    fill(table, "CAP", wh_lyon=2, st_gracia=1)
    (point,) = rest.get("/pickup-points", channel="shop-es", sku="SET").document["items"]
    assert (point["location"], point["fed"]) == ("st-gracia", False)
