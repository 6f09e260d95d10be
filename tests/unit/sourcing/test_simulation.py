"""Profiles compared on recorded orders: what is read, what is refused, what comes out."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from infra.cli.main import main
from infra.cli.retailer import Retailer, read_orders, read_profile
from oms.sourcing.profile import USUAL
from oms.sourcing.simulation import Outcome, difference, simulate

CHEAP = {"package_cost": 400, "km_rate_milli": 1000, "handling": 50, "kg_rate": 100}
RETAILER: dict[str, Any] = {
    "channels": {"web": {"kind": "generic", "pool": "iberia"}},
    "pools": {"iberia": {"locations": ["madrid", "lyon", "gracia"]}},
    "locations": {
        name: {
            "name": name,
            "kind": kind,
            "owner": "retailer",
            "country": country,
            "latitude": latitude,
            "longitude": longitude,
            "costs": CHEAP,
        }
        for name, kind, country, latitude, longitude in (
            ("madrid", "warehouse", "ES", 40.4, -3.7),
            ("lyon", "warehouse", "FR", 45.8, 4.8),
            ("gracia", "store", "ES", 41.4, 2.2),
        )
    },
    "skus": {"MUG": {"weight_g": 500}, "CAP": {"weight_g": 100, "requires": ["ship"]}},
    "stock": {"MUG": {"madrid": 2, "lyon": 3}, "CAP": {"gracia": 1, "lyon": 1}},
}
TO_MADRID = {"country": "ES", "latitude": 40.4, "longitude": -3.7}
ORDER: dict[str, Any] = {
    "id": "1",
    "channel": "web",
    "placed_at": "2026-11-20T10:00:00Z",
    "ship_to": TO_MADRID,
    "lines": [{"sku": "MUG", "units": 1, "value": 1500}],
    "promised": "2026-11-21",
}
WHOLE = {**ORDER, "id": "2", "lines": [{"sku": "MUG", "units": 1}, {"sku": "CAP", "units": 1}]}
SHORT = {**ORDER, "id": "3", "lines": [{"sku": "MUG", "units": 9}], "promised": None}
ONE_PARCEL = {
    "strategies": [{"name": "one parcel", "limits": {"max_locations": 1}}],
    "services": {"*": {"transit": [{"up_to_km": 100, "days": 1}, {"days": 3}]}},
    "costs": {"*": CHEAP},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "retailer.json", RETAILER)
    write(tmp_path, "profile.json", ONE_PARCEL)
    write(tmp_path, "orders.jsonl", ORDER, WHOLE, SHORT)
    return tmp_path


def write(folder: Path, name: str, *documents: object) -> None:
    (folder / name).write_text("".join(json.dumps(document) + "\n" for document in documents))


def run(folder: Path, *more: str) -> int:
    names = ["--retailer", str(folder / "retailer.json"), "--profile", str(folder / "profile.json")]
    return main(["sourcing", "simulate", *names, str(folder / "orders.jsonl"), *more])


def outcomes(folder: Path, profile: str = "usual") -> list[Outcome]:
    retailer = Retailer(str(folder / "retailer.json"))
    orders = read_orders(str(folder / "orders.jsonl"))
    rules = read_profile(str(folder / profile) if profile != "usual" else profile, retailer.network)
    return list(
        simulate(orders, retailer.network, retailer.skus, retailer.shelf(), rules, rates=USUAL, seconds=None)
    )


def changed(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        place: Any = document
        for name in parents:
            place = place[int(name) if name.isdecimal() else name]
        place[last] = value

    return change


@pytest.mark.parametrize(
    ("file", "path", "value", "field"),
    [
        ("retailer.json", "locations/lyon/kind", "cave", "locations.lyon.kind"),
        ("retailer.json", "locations/lyon/prioritty", 1, "locations.lyon.prioritty"),
        ("retailer.json", "locations/lyon/costs", {"handling": -1}, "locations.lyon.costs.handling"),
        ("retailer.json", "locations/lyon/rate_card", "post", "locations.lyon.rate_card"),
        ("retailer.json", "locations/lyon", 7, "locations.lyon"),
        ("retailer.json", "pools", [], "pools"),
        ("retailer.json", "pools/iberia", {}, "pools.iberia.locations"),
        ("retailer.json", "pools/iberia/locations", ["madrid", "lyons"], "pools.iberia.locations[1]"),
        ("retailer.json", "channels/web/pool", "italy", "channels.web.pool"),
        ("retailer.json", "channels/web/buffer", "2", "channels.web.buffer"),
        ("retailer.json", "rate_cards", {"post": {"services": {}}}, "rate_cards.post.services"),
        ("retailer.json", "skus/MUG/weight_g", -1, "skus.MUG.weight_g"),
        ("retailer.json", "skus/MUG/requires", ["magic"], "skus.MUG.requires"),
        ("retailer.json", "stock/MUG/lyon", -1, "stock.MUG.lyon"),
        ("retailer.json", "channels", {}, "channel"),
        ("retailer.json", "skus", {}, "lines[0].sku"),
        ("profile.json", "strategies", [], "{profile}.strategies"),
        ("profile.json", "strategies", [{}], "{profile}.strategies[0].name"),
        ("profile.json", "strategies/0/filters", [{"measure": "kind"}], "{profile}.strategies[0].filters[0]"),
        ("profile.json", "strategies/0/limits/max_locations", "1", "{profile}.strategies[0].limits"),
        (
            "profile.json",
            "strategies/0/filters",
            [{"measure": "location", "one_of": ["madird"]}],
            "{profile}.strategies[0].filters[0].one_of[0]",
        ),
        ("profile.json", "services", None, "{profile}.services"),
        ("profile.json", "costs/*/handling", 1.5, "{profile}.costs.*.handling"),
        ("profile.json", "atempts", 2, "{profile}.atempts"),
        ("orders.jsonl", "id", None, "id"),
        ("orders.jsonl", "placed_at", "soon", "placed_at"),
        ("orders.jsonl", "method", "throw", "method"),
        ("orders.jsonl", "lines", [], "lines"),
        ("orders.jsonl", "lines/0/units", 0, "lines[0].units"),
        ("orders.jsonl", "promised", "soon", "promised"),
        ("orders.jsonl", "ship_to/latitude", "north", "ship_to.latitude"),
    ],
)
def test_what_cannot_be_read_is_refused_by_the_name_of_the_field(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, path: str, value: object, field: str
) -> None:
    documents = [json.loads(text) for text in (folder / file).read_text().splitlines()]
    changed(path, value)(documents[0])
    write(folder, file, *documents)
    assert run(folder) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert json.loads(printed.err)["field"].startswith(field.format(profile=folder / "profile.json"))


def test_a_profile_without_anything_is_told_what_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "profile.json", {})
    assert run(folder) == 1
    refused = json.loads(capsys.readouterr().err)
    assert (refused["code"], refused["field"]) == ("field_missing", f"{folder / 'profile.json'}.strategies")


def test_a_file_without_orders_or_with_two_retailers_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "orders.jsonl")
    assert run(folder) == 1
    write(folder, "orders.jsonl", ORDER)
    write(folder, "retailer.json", RETAILER, RETAILER)
    assert run(folder) == 1
    assert "one JSON object" in capsys.readouterr().err


def test_each_order_takes_from_what_those_before_it_have_left(folder: Path) -> None:
    first, second, third = outcomes(folder)
    assert (first.loads, first.cost, first.splits, first.backorders) == ({"madrid": 1}, 400 + 100, 0, 0)
    assert (second.loads, second.splits) == ({"lyon": 2}, 0)
    assert (third.loads, third.splits, third.backorders) == ({"madrid": 1, "lyon": 2}, 1, 6)
    assert [one.kept for one in (first, second, third)] == [True, False, None]


def test_costs_are_what_parcels_cost_and_nothing_that_a_profile_weighs(folder: Path) -> None:
    heavy = {
        **ONE_PARCEL,
        "strategies": [{"name": "all", "objective": {"priority_cost": 90, "day_cost": 50}}],
    }
    write(folder, "profile.json", heavy)
    write(folder, "orders.jsonl", ORDER)
    assert [one.cost for one in outcomes(folder, "profile.json")] == [500]


def test_a_picked_up_order_sends_no_parcel(folder: Path) -> None:
    pickup = {**ORDER, "method": "pickup", "location": "gracia", "lines": [{"sku": "CAP", "units": 1}]}
    write(folder, "orders.jsonl", pickup)
    (outcome,) = outcomes(folder)
    assert (outcome.loads, outcome.cost) == ({"gracia": 1}, 50 + 10)


def test_two_profiles_are_compared_on_the_same_orders(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "--seed", "7") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["orders"], printed["against"]["profile"]) == (3, "usual")
    assert (printed["against"]["splits"], printed["profile"]["splits"]) == (1, 0)
    assert printed["against"]["backorders"] < printed["profile"]["backorders"]
    assert sum(printed["against"]["loads"].values()) + printed["against"]["backorders"] == 12
    assert (printed["against"]["promises"], printed["against"]["promises_met"]) == (2, 1)
    for figure, found in printed["difference"].items():
        total = printed["profile"][figure] - printed["against"][figure]
        assert found["mean"] == pytest.approx(total / 3)
        assert found["low"] <= found["mean"] <= found["high"]
    assert run(folder, "--seed", "7") == 0
    assert json.loads(capsys.readouterr().out) == printed


def test_a_profile_differs_from_itself_by_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--against", str(folder / "profile.json")) == 0
    nothing = {"mean": 0, "low": 0, "high": 0}
    assert all(found == nothing for found in json.loads(capsys.readouterr().out)["difference"].values())


def test_the_interval_holds_the_true_difference_about_as_often_as_it_says() -> None:
    random, held, trials = Random(1), 0, 300
    for _ in range(trials):
        before = [random.gauss(500, 100) for _ in range(60)]
        after = [number + random.gauss(-20, 50) for number in before]
        found = difference(before, after, random, resamples=200)
        held += found.low <= -20 <= found.high
    assert 0.88 < held / trials < 0.99
