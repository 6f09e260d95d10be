"""Choosing locations: who is a candidate and why not, the plan, its fallbacks, what it costs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from oms.inventory.model import Capability
from oms.inventory.network import Location, LocationKind
from oms.orders.commands import Address, Method
from oms.sourcing.calendar import Calendar
from oms.sourcing.candidates import Question, Reason, Removal, Wanted
from oms.sourcing.choose import Decision, Shelf, choose
from oms.sourcing.places import Precision
from oms.sourcing.profile import (
    USUAL,
    Asked,
    Condition,
    Fallback,
    Filter,
    Limits,
    Objective,
    Offered,
    Profile,
    Service,
    Strategy,
    Transit,
)
from oms.sourcing.rates import Costs
from tests.builders import LYON, MADRID, NOW, STORE

MADRID_CENTRE = Address(country="ES", latitude="40.4168", longitude="-3.7038")
FLAT = Costs(package_cost=500, handling=50)
VENDOR = Location("v-porto", "Porto", LocationKind.VENDOR, "maker", "PT", 41.15, -8.61)


def rules(**fields: Any) -> Profile:
    """A profile of one strategy, where every parcel costs 500, every unit 50, and a split 300."""
    services = {"*": Service((Transit(1, 500), Transit(3)), (1, 2, 3, 4, 5))}
    objective = {"objective": Objective(300, 100_000, 0, 0)} | fields
    return Profile((Strategy("only", **objective),), services, {"*": FLAT})


def ask(*lines: Wanted, **fields: Any) -> Question:
    asked = Question("shop-es", Method.SHIP, lines, NOW, ship_to=MADRID_CENTRE, value=10_000)
    return replace(asked, **fields)


def want(sku: str, units: int, line_id: str = "1", **fields: Any) -> Wanted:
    return Wanted(line_id, sku, units, **fields)


def shelf(**units: Mapping[str, int]) -> Shelf:
    """All that lies there may be taken: `shelf(A={"wh-madrid": 3})`."""
    return Shelf(units, {sku: sum(there.values()) for sku, there in units.items()})


def plan(decision: Decision) -> list[tuple[str, str, int]]:
    return sorted((one.location, one.line_id, one.units) for one in decision.assignments)


def removals(decision: Decision) -> dict[str, tuple[Removal, ...]]:
    return {one.location.id: one.removals for one in decision.candidates if one.removals}


# ---- Who is no candidate -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "question", "removal"),
    [
        (replace(MADRID, active=False), {}, Removal(Reason.INACTIVE, "inactive", "active")),
        (
            replace(STORE, capabilities=(Capability.PICKUP,)),
            {},
            Removal(Reason.INCAPABLE, "pickup", Capability.SHIP),
        ),
        (
            MADRID,
            {"method": Method.PICKUP, "store": "st-gracia"},
            Removal(Reason.OTHER_STORE, "wh-madrid", "st-gracia"),
        ),
        (
            MADRID,
            {"method": Method.PICKUP, "store": "wh-madrid"},
            Removal(Reason.INCAPABLE, "ship", Capability.PICKUP),
        ),
        (VENDOR, {}, Removal(Reason.VENDOR, LocationKind.VENDOR, "dropship")),
        (
            MADRID,
            {"lines": (want("A", 1, requires=(Capability.HAZMAT, Capability.SHIP)),)},
            Removal(Reason.INCAPABLE, "ship", "hazmat", "1"),
        ),
        (
            MADRID,
            {"rejected": {"1": frozenset({"wh-madrid"})}},
            Removal(Reason.REJECTED, "wh-madrid", None, "1"),
        ),
    ],
)
def test_a_location_is_left_out_for_a_reason(
    location: Location, question: dict[str, Any], removal: Removal
) -> None:
    asked = ask(want("A", 1), **question) if "lines" not in question else ask(**question)
    decision = choose(asked, [location], rules(fallbacks=()), shelf(A={location.id: 5}))
    assert decision.assignments == ()
    assert decision.missing == {"1": 1}
    assert removal in removals(decision)[location.id]


@pytest.mark.parametrize(
    ("test", "measured"),
    [
        (Filter(Offered.DISTANCE_KM, at_most=300), 913),
        (Filter(Offered.ABROAD, at_most=0), 1),
        (Filter(Offered.COUNTRY, one_of=("ES", "PT")), "FR"),
        (Filter(Offered.LOCATION, none_of=("wh-lyon",)), "wh-lyon"),
        (Filter(Offered.OWNER, one_of=("retail-es",)), "retail-fr"),
        (Filter(Offered.KIND, none_of=("warehouse",)), "warehouse"),
        (Filter(Offered.PRIORITY, at_least=200), 100),
        (Filter(Offered.DAYS, at_most=2), 3),
    ],
)
def test_a_filter_removes_with_what_was_measured_and_its_limit(test: Filter, measured: int | str) -> None:
    decision = choose(ask(want("A", 1)), [LYON], rules(filters=(test,)), shelf(A={"wh-lyon": 1}))
    assert removals(decision) == {"wh-lyon": (Removal(test.measure, measured, test.limit),)}
    assert decision.missing == {"1": 1}


def test_of_overlapping_limits_the_smallest_counts() -> None:
    own = Filter(Offered.DISTANCE_KM, at_most=16, only=("wh-lyon",))
    filters = (Filter(Offered.DISTANCE_KM, at_most=2000), own)
    stocked = shelf(A={"wh-lyon": 1, "wh-madrid": 1})
    decision = choose(ask(want("A", 2)), [LYON, MADRID], rules(filters=filters), stocked)
    assert plan(decision) == [("wh-madrid", "1", 1)]
    assert removals(decision) == {"wh-lyon": (Removal(Offered.DISTANCE_KM, 913, 16),)}


def test_what_cannot_be_measured_passes_and_priority_decides() -> None:
    filters = (Filter(Offered.DISTANCE_KM, at_most=10), Filter(Offered.ABROAD, at_most=0))
    preferred = replace(LYON, priority=1)
    decision = choose(
        ask(want("A", 1), ship_to=None),
        [MADRID, preferred],
        rules(filters=filters, objective=Objective(priority_cost=1)),
        shelf(A={"wh-lyon": 1, "wh-madrid": 1}),
    )
    assert plan(decision) == [("wh-lyon", "1", 1)]
    assert decision.precision is None


# ---- Days --------------------------------------------------------------------------------------------------


def test_the_promise_counts_cut_off_lead_and_road() -> None:
    """A Friday, 15:30 in Madrid: after the cut-off, so Monday; engraving takes two days; one on the road."""
    calendar = Calendar("Europe/Madrid", (1, 2, 3, 4, 5), cutoffs={"*": "15:00"})
    capable = (Capability.SHIP, Capability.PERSONALISE)
    workshop = replace(MADRID, calendar=calendar, capabilities=capable, lead_days={Capability.PERSONALISE: 2})
    question = ask(
        want("A", 1, requires=(Capability.PERSONALISE,)), at=datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
    )
    (candidate,) = choose(question, [workshop], rules(), shelf(A={"wh-madrid": 1})).candidates
    assert (candidate.leaves, candidate.arrives, candidate.days) == (
        date(2026, 12, 2),
        date(2026, 12, 3),
        6,
    )


def test_what_is_picked_up_at_a_store_that_has_it_travels_nowhere() -> None:
    question = ask(want("A", 1), method=Method.SHIP_TO_STORE, store="st-gracia")
    stocked = shelf(A={"st-gracia": 1, "wh-madrid": 1})
    decision = choose(question, [MADRID, STORE], USUAL, stocked)
    store, feeder = decision.candidates
    assert plan(decision) == [("st-gracia", "1", 1)]
    assert (store.distance_km, store.arrives, feeder.distance_km) == (0, NOW.date(), 505)
    assert feeder.arrives == NOW.date() + timedelta(days=2)


def test_a_day_less_may_be_worth_more_than_the_parcel() -> None:
    near = replace(MADRID, costs=Costs(package_cost=900))
    stocked = {"wh-lyon": 1, "wh-madrid": 1}
    cheap = choose(ask(want("A", 1)), [near, LYON], rules(), shelf(A=stocked))
    fast = choose(ask(want("A", 1)), [near, LYON], rules(objective=Objective(day_cost=200)), shelf(A=stocked))
    assert (plan(cheap), plan(fast)) == ([("wh-lyon", "1", 1)], [("wh-madrid", "1", 1)])


def test_goods_carried_out_of_a_store_that_nobody_names_may_come_from_anywhere() -> None:
    asked = ask(want("A", 1), method=Method.CARRY_OUT)
    assert plan(choose(asked, [MADRID], USUAL, shelf(A={"wh-madrid": 1}))) == [("wh-madrid", "1", 1)]
    here = replace(asked, store="st-gracia")
    assert plan(choose(here, [MADRID, STORE], USUAL, shelf(A={"wh-madrid": 1, "st-gracia": 1}))) == [
        ("st-gracia", "1", 1)
    ]


# ---- Plans -------------------------------------------------------------------------------------------------


def test_one_parcel_is_better_than_two_that_cost_less_each() -> None:
    stocked = shelf(A={"wh-madrid": 1, "st-gracia": 1}, B={"st-gracia": 1})
    decision = choose(ask(want("A", 1), want("B", 1, "2")), [MADRID, STORE], USUAL, stocked)
    assert plan(decision) == [("st-gracia", "1", 1), ("st-gracia", "2", 1)]
    assert decision.proven
    assert decision.bound == decision.cost.total


def test_a_plan_costs_what_its_terms_say() -> None:
    stocked = shelf(A={"wh-madrid": 2}, B={"wh-lyon": 1})
    decision = choose(ask(want("A", 3), want("B", 1, "2")), [MADRID, LYON], rules(), stocked)
    cost = decision.cost
    assert (cost.fixed, cost.units, cost.splits, cost.backorder) == (1000, 150, 300, 100_000)
    assert decision.used == ("wh-lyon", "wh-madrid")
    assert decision.missing == {"1": 1}


def test_lines_of_one_sku_are_one_demand_and_are_filled_in_their_order() -> None:
    stocked = shelf(A={"wh-madrid": 5})
    decision = choose(ask(want("A", 3), want("A", 3, "2")), [MADRID], rules(), stocked)
    assert plan(decision) == [("wh-madrid", "1", 3), ("wh-madrid", "2", 2)]
    assert decision.missing == {"2": 1}
    assert stocked.at("wh-madrid", "A", 9) == 0


def test_no_more_is_taken_than_new_orders_may_have() -> None:
    stocked = Shelf({"A": {"wh-madrid": 5, "wh-lyon": 5}}, {"A": 2})
    decision = choose(ask(want("A", 8)), [MADRID, LYON], rules(), stocked)
    assert sum(one.units for one in decision.assignments) == 2
    assert decision.missing == {"1": 6}


def test_a_sku_whose_stock_is_not_counted_goes_with_the_others() -> None:
    stocked = Shelf({"A": None, "B": {"wh-lyon": 1}}, {"B": 1})
    decision = choose(ask(want("A", 500), want("B", 1, "2")), [MADRID, LYON], rules(), stocked)
    assert plan(decision) == [("wh-lyon", "1", 500), ("wh-lyon", "2", 1)]


def test_what_ships_together_comes_from_one_location_or_waits() -> None:
    sofa = [want("A", 1, ships_with="set"), want("B", 1, "2", ships_with="set"), want("C", 1, "3")]
    apart = shelf(A={"wh-madrid": 1}, B={"wh-lyon": 1}, C={"wh-lyon": 1})
    split = choose(ask(*sofa), [MADRID, LYON], rules(), apart)
    assert (plan(split), split.missing) == ([("wh-lyon", "3", 1)], {"1": 1, "2": 1})
    here = shelf(A={"wh-madrid": 1, "wh-lyon": 1}, B={"wh-lyon": 1}, C={"wh-lyon": 1, "wh-madrid": 1})
    together = choose(ask(*sofa), [MADRID, LYON], rules(), here)
    assert plan(together) == [("wh-lyon", "1", 1), ("wh-lyon", "2", 1), ("wh-lyon", "3", 1)]
    assert (together.cost.fixed, together.cost.splits) == (500, 0)


def test_a_limit_on_locations_counts_those_of_what_goes_together() -> None:
    lines = [want("A", 1, ships_with="set"), want("B", 1, "2"), want("C", 1, "3")]
    stocked = shelf(A={"wh-madrid": 1}, B={"wh-lyon": 1}, C={"st-gracia": 1})
    members = [MADRID, LYON, STORE]
    two = choose(ask(*lines), members, rules(limits=Limits(max_locations=2)), stocked)
    assert len(two.used) == 2
    assert sum(two.missing.values()) == 1
    one = choose(
        ask(*lines),
        members,
        rules(limits=Limits(max_locations=1)),
        shelf(A={"wh-madrid": 1}, B={"wh-lyon": 1}),
    )
    assert plan(one) == [("wh-madrid", "1", 1)]


# ---- Strategies and fallbacks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("soft", "fallbacks", "planned"),
    [
        (True, (Fallback.RELAX,), [("wh-lyon", "1", 1), ("wh-madrid", "1", 1)]),
        (True, (), []),
        (True, (Fallback.PARTIAL,), [("wh-lyon", "1", 1)]),
        (False, (Fallback.RELAX,), []),
        (False, (Fallback.RELAX, Fallback.PARTIAL), [("wh-lyon", "1", 1)]),
    ],
)
def test_a_soft_limit_is_lifted_when_stock_is_short_and_a_hard_one_is_not(
    soft: bool, fallbacks: tuple[Fallback, ...], planned: list[tuple[str, str, int]]
) -> None:
    stocked = shelf(A={"wh-madrid": 1, "wh-lyon": 1})
    profile = rules(limits=Limits(max_locations=1, soft=soft), fallbacks=fallbacks)
    decision = choose(ask(want("A", 2)), [LYON, MADRID], profile, stocked)
    assert plan(decision) == planned
    assert stocked.at("wh-madrid", "A", 1) == (0 if len(planned) == 2 else 1)


def test_a_soft_filter_is_lifted_only_when_stock_is_short() -> None:
    near = (Filter(Offered.DISTANCE_KM, at_most=100, soft=True),)
    enough = choose(ask(want("A", 1)), [MADRID, LYON], rules(filters=near), shelf(A={"wh-madrid": 1}))
    short = choose(ask(want("A", 1)), [MADRID, LYON], rules(filters=near), shelf(A={"wh-lyon": 1}))
    assert (plan(enough), enough.fallbacks) == ([("wh-madrid", "1", 1)], ())
    assert (plan(short), short.fallbacks) == ([("wh-lyon", "1", 1)], (Fallback.RELAX,))


def test_a_vendor_is_asked_only_when_nobody_else_has_it() -> None:
    ours = choose(ask(want("A", 1)), [VENDOR, LYON], USUAL, shelf(A={"wh-lyon": 1, "v-porto": 9}))
    theirs = choose(ask(want("A", 1)), [VENDOR, LYON], USUAL, shelf(A={"v-porto": 9}))
    assert plan(ours) == [("wh-lyon", "1", 1)]
    assert (plan(theirs), theirs.fallbacks) == (
        [("v-porto", "1", 1)],
        (Fallback.RELAX, Fallback.DROPSHIP),
    )


@pytest.mark.parametrize(("value", "locations"), [(12_000, 2), (4_000, 0)])
def test_a_cheap_delivery_is_not_split(value: int, locations: int) -> None:
    stocked = shelf(A={"wh-madrid": 1}, B={"wh-lyon": 1})
    profile = rules(limits=Limits(whole_below=5_000))
    decision = choose(ask(want("A", 1), want("B", 1, "2"), value=value), [MADRID, LYON], profile, stocked)
    assert len(decision.used) == locations


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "all"),
        ({"value": 50_000}, "dear"),
        ({"ship_to": Address(country="fr")}, "france"),
        ({"ship_to": None}, "all"),
        ({"method": Method.PICKUP}, "pickup"),
        ({"service": "express"}, "express"),
        ({"channel": "amazon"}, "amazon"),
        ({"lines": (want("A", 30, weight_g=1000),)}, "heavy"),
    ],
)
def test_the_first_strategy_whose_conditions_hold_decides(fields: dict[str, Any], name: str) -> None:
    profile = replace(
        rules(),
        strategies=(
            Strategy("dear", (Condition(Asked.VALUE, at_least=50_000),)),
            Strategy("france", (Condition(Asked.COUNTRY, one_of=("FR",)),)),
            Strategy("pickup", (Condition(Asked.METHOD, one_of=("pickup",)),)),
            Strategy("express", (Condition(Asked.SERVICE, one_of=("express",)),)),
            Strategy("amazon", (Condition(Asked.CHANNEL, one_of=("amazon",)),)),
            Strategy(
                "heavy", (Condition(Asked.WEIGHT_G, at_least=30_000), Condition(Asked.UNITS, at_most=30))
            ),
            Strategy("all"),
        ),
    )
    asked = replace(ask(want("A", 1)), **fields)
    assert choose(asked, [], profile, shelf()).strategy == name


# ---- What-ifs ----------------------------------------------------------------------------------------------


def test_a_barred_location_ships_nothing_and_a_first_one_all_it_can() -> None:
    stocked = {"A": {"wh-madrid": 2, "wh-lyon": 1}}
    question = ask(want("A", 2))
    best = choose(question, [MADRID, LYON], USUAL, shelf(**stocked))
    barred = choose(question, [MADRID, LYON], USUAL, shelf(**stocked), barred={"wh-madrid"})
    first = choose(question, [MADRID, LYON], USUAL, shelf(**stocked), first="wh-lyon")
    assert plan(best) == [("wh-madrid", "1", 2)]
    assert (plan(barred), barred.missing) == ([("wh-lyon", "1", 1)], {"1": 1})
    assert plan(first) == [("wh-lyon", "1", 1), ("wh-madrid", "1", 1)]
    assert first.cost.total - best.cost.total == 641 + 300


def test_an_unknown_address_is_found_as_well_as_it_can_be() -> None:
    question = ask(want("A", 1), ship_to=Address(country="FR", city="Lyon"))
    decision = choose(question, [MADRID, LYON], USUAL, shelf(A={"wh-madrid": 1, "wh-lyon": 1}))
    assert (plan(decision), decision.precision) == ([("wh-lyon", "1", 1)], Precision.CITY)
