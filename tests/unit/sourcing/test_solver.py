import itertools
from collections.abc import Iterator
from random import Random

import pytest

from oms.problems import Code, Problem
from oms.sourcing.instance import Instance, Line, Location, Offer, Pick, fixed_cost, price, unit_cost
from oms.sourcing.solver import solve
from oms.sourcing.solver.alone import alone
from tests.unit.sourcing.instances import KINDS, Kind, draw


def location(name: str, *offers: tuple[int, int, int], fixed: int = 500, capacity: int = 100) -> Location:
    """A location with offers (line, units, unit cost)."""
    return Location(name, fixed, capacity, tuple(Offer(*offer) for offer in offers))


def instance(
    *locations: Location, lines: tuple[Line, ...] = (Line("mug", 2, 3000),), limit: int | None = None
) -> Instance:
    """An instance with a split penalty of 250."""
    return Instance("test", lines, locations, 250, limit)


TWO_LINES = (Line("mug", 1, 3000), Line("cup", 1, 3000))


def ticks() -> Iterator[float]:
    """A clock that moves on by one second whenever it is read."""
    return map(float, itertools.count())


@pytest.mark.parametrize(
    ("case", "cost", "plan"),
    [
        (instance(), 6000, []),
        (instance(location("a")), 6000, []),
        (instance(location("a", (0, 0, 100))), 6000, []),
        (instance(location("a", (0, 5, 100), capacity=0)), 6000, []),
        (instance(location("a", (0, 5, 100)), limit=0), 6000, []),
        (instance(location("a", (0, 5, 3000), fixed=0)), 6000, []),
        (instance(location("a", (0, 5, 2900), fixed=300)), 6000, []),
        (instance(location("a", (0, 5, 100)), lines=(Line("mug", 0, 3000),)), 0, []),
        (instance(location("a", (0, 5, 100)), lines=(Line("mug", 2, 0),)), 0, []),
        (instance(lines=()), 0, []),
    ],
    ids=[
        "no location",
        "no offer",
        "no stock",
        "no capacity",
        "no location allowed",
        "shipping costs as much as waiting",
        "the parcel costs more than it saves",
        "nothing wanted",
        "waiting is free",
        "no line",
    ],
)
def test_nothing_is_shipped_where_nothing_can_be_or_pays(
    case: Instance, cost: int, plan: list[tuple[str, str, int]]
) -> None:
    solution = solve(case)
    assert (list(solution.plan), solution.cost, solution.bound, solution.proven) == (plan, cost, cost, True)


def test_units_that_nobody_has_wait() -> None:
    solution = solve(instance(location("a", (0, 1, 100))))
    assert solution.plan == (Pick("a", "mug", 1),)
    assert solution.cost == 500 + 100 + 3000


def test_the_first_location_is_free_of_the_split_penalty() -> None:
    solution = solve(instance(location("a", (0, 1, 100)), location("b", (0, 1, 100))))
    assert solution.plan == (Pick("a", "mug", 1), Pick("b", "mug", 1))
    assert solution.cost == 2 * (500 + 100) + 250


def test_one_dear_location_beats_two_cheap_ones_by_the_split_penalty() -> None:
    together = location("both", (0, 1, 300), (1, 1, 300), fixed=900)
    apart = (location("mugs", (0, 1, 300), fixed=400), location("cups", (1, 1, 300), fixed=400))
    assert {pick.location for pick in solve(instance(*apart, together, lines=TWO_LINES)).plan} == {"both"}


def test_a_limit_forbids_the_better_split() -> None:
    apart = (location("mugs", (0, 1, 300), fixed=100), location("cups", (1, 1, 300), fixed=100))
    together = location("both", (0, 1, 300), (1, 1, 300), fixed=900)
    assert solve(instance(*apart, together, lines=TWO_LINES)).cost == 2 * 400 + 250
    limited = solve(instance(*apart, together, lines=TWO_LINES, limit=1))
    assert ({pick.location for pick in limited.plan}, limited.cost) == ({"both"}, 1500)


def test_capacity_makes_the_cheapest_units_come_from_elsewhere() -> None:
    small = location("small", (0, 1, 100), (1, 1, 10), fixed=0, capacity=1)
    large = location("large", (0, 1, 110), (1, 1, 90), fixed=0)
    # `small` is cheaper for both lines: it saves 10 on the mug and 80 on the cup.
    assert solve(Instance("test", TWO_LINES, (small, large), 0)).plan == (
        Pick("small", "cup", 1),
        Pick("large", "mug", 1),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [0, 1, 3, 10, 30, 100, 300])
def test_however_early_time_runs_out_the_plan_is_legal_and_the_bound_holds(kind: str, seconds: float) -> None:
    for seed in range(5):
        case = draw(Random(f"{kind} {seed}"), KINDS[kind])
        cheapest = solve(case).cost
        solution = solve(case, seconds, ticks().__next__)
        assert price(case, solution.plan).total == solution.cost
        assert solution.bound <= cheapest <= solution.cost
        assert solution.proven == (solution.bound == solution.cost)


def test_more_time_never_makes_a_plan_dearer() -> None:
    case = draw(Random(7), Kind(lines=(20, 20), locations=(80, 80), stock=(0, 2), capacity=(5, 20)))
    costs = [solve(case, seconds, ticks().__next__).cost for seconds in (0, 5, 20, 60, 200, 600, 2000)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


def test_a_first_plan_is_made_without_any_time() -> None:
    case = draw(Random(3), Kind(lines=(20, 20), locations=(80, 80), offered=0.7))
    nothing = sum(line.units * line.backorder_cost for line in case.lines)
    assert solve(case, 0, ticks().__next__).cost < nothing / 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_locations_does_not_change_the_cost(kind: str) -> None:
    for seed in range(5):
        case = draw(Random(f"{kind} {seed}"), KINDS[kind])
        turned = Instance(case.id, case.lines, case.locations[::-1], case.split_penalty, case.max_locations)
        assert solve(turned).cost == solve(case).cost


def test_the_same_instance_always_gets_the_same_plan() -> None:
    case = draw(Random(1), KINDS["ties"])
    assert solve(case) == solve(case)


@pytest.mark.parametrize(
    ("lines", "locations", "field"),
    [
        ((Line("mug", 1, 1), Line("mug", 2, 1)), (), "lines[1].sku"),
        ((Line("mug", -1, 1),), (), "lines[0]"),
        ((Line("mug", 1, -1),), (), "lines[0]"),
        ((Line("mug", 1, 1),), (location("a"), location("a")), "locations[1].id"),
        ((Line("mug", 1, 1),), (location("a", fixed=-1),), "locations[0]"),
        ((Line("mug", 1, 1),), (location("a", capacity=-1),), "locations[0]"),
        ((Line("mug", 1, 1),), (location("a", (1, 1, 1)),), "locations[0].offers"),
        ((Line("mug", 1, 1),), (location("a", (-1, 1, 1)),), "locations[0].offers"),
        ((Line("mug", 1, 1),), (location("a", (0, -1, 1)),), "locations[0].offers"),
        ((Line("mug", 1, 1),), (location("a", (0, 1, -1)),), "locations[0].offers"),
        ((Line("mug", 1, 1),), (location("a", (0, 1, 1), (0, 2, 2)),), "locations[0].offers[1].line"),
    ],
)
def test_an_instance_that_makes_no_sense_is_refused(
    lines: tuple[Line, ...], locations: tuple[Location, ...], field: str
) -> None:
    with pytest.raises(Problem) as refused:
        Instance("test", lines, locations, 0).checked()
    assert (refused.value.code, refused.value.field) == (Code.FIELD_INVALID, field)


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ([Pick("b", "mug", 1)], "plan[0]"),
        ([Pick("a", "hat", 1)], "plan[0]"),
        ([Pick("a", "mug", 0)], "plan[0]"),
        ([Pick("a", "mug", -1)], "plan[0]"),
        ([Pick("a", "mug", 3)], "plan[0]"),
        ([Pick("a", "mug", 1), Pick("a", "mug", 1)], "plan[1]"),
        ([Pick("a", "mug", 2), Pick("a", "cup", 2)], "plan[1]"),
        ([Pick("a", "mug", 1), Pick("c", "mug", 2)], "plan[1]"),
        ([Pick("a", "mug", 1), Pick("c", "mug", 1)], "plan"),
    ],
    ids=[
        "unknown location",
        "unknown sku",
        "no units",
        "negative units",
        "more than the stock",
        "the same pair twice",
        "more than the capacity",
        "more than ordered",
        "more locations than allowed",
    ],
)
def test_a_plan_that_breaks_a_rule_has_no_price(plan: list[Pick], field: str) -> None:
    locations = (location("a", (0, 2, 1), (1, 2, 1), capacity=3), location("c", (0, 2, 1)))
    case = Instance("test", (Line("mug", 2, 9), Line("cup", 2, 9)), locations, 0, 1)
    with pytest.raises(Problem) as refused:
        price(case, plan)
    assert refused.value.field == field


def test_a_price_names_its_terms() -> None:
    case = instance(location("a", (0, 1, 100)), location("b", (1, 1, 70), fixed=300), lines=TWO_LINES)
    cost = price(case, [Pick("a", "mug", 1), Pick("b", "cup", 1)])
    assert (cost.fixed, cost.units, cost.splits, cost.backorder) == (800, 170, 250, 0)
    waiting = price(case, [Pick("a", "mug", 1)])
    assert (waiting.splits, waiting.backorder, waiting.total) == (0, 3000, 3600)


@pytest.mark.parametrize(
    ("handling", "rate", "grams", "cost"), [(60, 225, 0, 60), (60, 225, 1, 61), (0, 200, 5, 1)]
)
def test_freight_is_rounded_up_for_each_unit(handling: int, rate: int, grams: int, cost: int) -> None:
    assert unit_cost(handling, rate, grams) == cost


def test_distance_is_rounded_down_for_each_parcel() -> None:
    assert fixed_cost(430, 19, 99) == 431


PAIR = (Line("mug", 2, 3000), Line("pot", 1, 3000))
BEST = location("a", (0, 2, 100), (1, 1, 100), fixed=300)


@pytest.mark.parametrize(
    ("case", "cost"),
    [
        (instance(BEST, location("b", (0, 9, 100), (1, 9, 200), fixed=400), lines=PAIR), 600),
        (instance(BEST, location("b", (0, 9, 100), (1, 9, 100), fixed=300), lines=PAIR, limit=1), 600),
        (instance(BEST, location("b", (0, 9, 90), (1, 9, 400), fixed=300), lines=PAIR), None),
        (instance(BEST, location("b", (0, 9, 900), fixed=299), lines=PAIR), None),
        (instance(location("a", (0, 2, 100), (1, 0, 100), fixed=300), lines=PAIR), None),
        (instance(location("a", (0, 2, 100), (1, 1, 100), fixed=300, capacity=2), lines=PAIR), None),
        (instance(BEST, lines=PAIR, limit=0), None),
        (instance(lines=PAIR), None),
    ],
    ids=[
        "cheapest in everything",
        "as cheap as another",
        "a unit is cheaper elsewhere",
        "a parcel is cheaper elsewhere",
        "no stock of a line",
        "no room for all",
        "no location allowed",
        "no location",
    ],
)
def test_one_location_settles_what_it_is_the_cheapest_in(case: Instance, cost: int | None) -> None:
    solution = alone(case)
    assert (solution.cost if solution else None) == cost
    if solution:
        assert solution.plan == (Pick("a", "mug", 2), Pick("a", "pot", 1))
        assert price(case, solution.plan).total == cost
