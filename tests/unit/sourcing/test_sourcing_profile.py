"""Profiles: what cannot be is refused with the path to the fault; what is kept comes back."""

from collections.abc import Callable
from typing import Any

import pytest

from oms.problems import Problem
from oms.sourcing.profile import USUAL, Act, Profile, Service, Transit

type Document = dict[str, Any]


def put(path: str, value: object) -> Callable[[Document], None]:
    """A change of a document: `put("strategies.0.when", [..])`."""

    def change(document: Document) -> None:
        *parents, last = path.split(".")
        place: Any = document
        for name in parents:
            place = place[int(name) if isinstance(place, list) else name]
        place[last] = value

    return change


def document() -> Document:
    """A profile with one of everything."""
    return {
        "strategies": [
            {
                "name": "spain",
                "when": [{"measure": "country", "one_of": ["ES"]}, {"measure": "value", "at_least": 1000}],
                "filters": [
                    {"measure": "distance_km", "at_most": 800, "soft": True},
                    {"measure": "kind", "none_of": ["store"], "only": ["st-gracia"]},
                ],
                "objective": {
                    "split_penalty": 400,
                    "backorder_cost": 9000,
                    "day_cost": 10,
                    "priority_cost": 0,
                },
                "limits": {"max_locations": 2, "whole_below": 2000, "soft": True},
                "fallbacks": ["relax"],
            },
            {"name": "rest"},
        ],
        "services": {"*": {"transit": [{"up_to_km": 300, "days": 1}, {"days": 3}], "days": [1, 2, 3, 4, 5]}},
        "costs": {"*": {"package_cost": 450}, "store": {"package_cost": 600, "handling": 100}},
        "properties": {"engraving": "personalise"},
        "rejections": [{"act": "close", "reasons": ["no_power"], "hours": 24}, {"act": "give_back"}],
        "attempts": 2,
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (put("strategies", []), "strategies[0].when"),
        (put("strategies.1.when", [{"measure": "units", "at_least": 1}]), "strategies[1].when"),
        (put("strategies.1.name", "spain"), "strategies[1].name"),
        (put("strategies.0.when", [{"measure": "value"}]), "strategies[0].when[0]"),
        (put("strategies.0.when", [{"measure": "value", "one_of": ["1"]}]), "strategies[0].when[0]"),
        (put("strategies.0.when", [{"measure": "country", "at_most": 1}]), "strategies[0].when[0]"),
        (put("strategies.0.filters", [{"measure": "kind"}]), "strategies[0].filters[0]"),
        (put("services", {"express": {"transit": [{"days": 1}]}}), "services"),
        (put("services.*.transit", []), "services.*.transit"),
        (put("services.*.transit", [{"up_to_km": 300, "days": 1}]), "services.*.transit"),
        (
            put(
                "services.*.transit",
                [{"up_to_km": 300, "days": 1}, {"up_to_km": 300, "days": 2}, {"days": 3}],
            ),
            "services.*.transit",
        ),
        (put("services.*.days", []), "services.*.days"),
        (put("services.*.days", [8]), "services.*.days"),
        (put("costs", {"store": {}}), "costs"),
        (put("costs.store.handling", -1), "costs.handling"),
        (put("properties.engraving", "fly"), "properties.engraving"),
        (put("rejections", []), "rejections[0].reasons"),
        (put("rejections", [{"act": "block", "reasons": ["damaged"]}]), "rejections[0].reasons"),
        (put("rejections", [{"act": "close"}]), "rejections[0].hours"),
        (put("rejections", [{"act": "block", "hours": 2}]), "rejections[0].hours"),
    ],
)
def test_a_profile_that_cannot_be_is_refused_with_the_path_to_the_fault(
    change: Callable[[Document], None], field: str
) -> None:
    faulty = document()
    change(faulty)
    with pytest.raises(Problem) as refused:
        Profile.of(faulty)
    assert refused.value.field == field


def test_a_profile_comes_back_from_its_document() -> None:
    profile = Profile.of(document(), 7)
    assert Profile.of(profile.document(), 7) == profile
    assert Profile.of(USUAL.document()) == USUAL


@pytest.mark.parametrize(("km", "days"), [(0, 1), (300, 1), (301, 2), (5000, 5), (None, 5)])
def test_days_on_the_road_go_by_distance_and_are_the_most_where_it_is_unknown(
    km: int | None, days: int
) -> None:
    assert Service((Transit(1, 300), Transit(2, 900), Transit(5))).transit_days(km) == days


def test_a_service_that_is_not_named_is_any_other() -> None:
    assert USUAL.service("by-pigeon") == USUAL.service(None) == USUAL.services["*"]
    assert USUAL.service("express") != USUAL.service(None)


@pytest.mark.parametrize(
    ("reason", "act"),
    [
        ("damaged", Act.BLOCK),
        ("short_pick", Act.WRITE_OFF),
        ("closed", Act.CLOSE),
        ("mood", Act.GIVE_BACK),
        (None, Act.GIVE_BACK),
    ],
)
def test_the_first_rule_that_fits_a_rejection_acts(reason: str | None, act: Act) -> None:
    assert USUAL.rejection(reason).act is act
