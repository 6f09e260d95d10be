"""Freight by rate cards: the plan is a cheapest one though prices jump with the weight."""

from collections.abc import Callable
from itertools import product
from random import Random

import pytest

from oms.sourcing import stepped
from oms.sourcing.cards import Rate
from oms.sourcing.instance import Instance, Line, Location, Offer, Solution, price
from oms.sourcing.solver import solve
from oms.sourcing.solver.bound import ascend
from oms.sourcing.solver.model import compile_model
from oms.sourcing.stepped import Cargo, Freight, solve_stepped

highspy = pytest.importorskip("highspy", reason="the reference solver is not installed")

STEPS = Rate("card", "*", "near", (1000, 2000, 5000), (400, 450, 900))


def rate(random: Random) -> Rate:
    """A row of a card, from gentle to steep."""
    columns = random.randint(1, 4)
    weights = sorted(random.sample(range(100, 4000, 50), columns))
    prices = sorted(random.randrange(0, 1500) for _ in range(columns))
    return Rate("card", "*", "zone", tuple(weights), tuple(prices))


def draw(
    random: Random, lines: int, locations: int, units: int
) -> tuple[Instance, list[int], dict[str, Freight]]:
    """An order with locations of which most send by a card, some of them something already."""
    wanted = [
        Line(f"S{number}", random.randint(1, units), random.choice((700, 3000, 10**6)))
        for number in range(lines)
    ]
    places = []
    for number in range(locations):
        offers = [
            Offer(line, random.randint(1, units), random.randrange(0, 200))
            for line in range(lines)
            if random.random() < 0.7
        ]
        total = sum(offer.units for offer in offers)
        room = random.randint(1, total) if total and random.random() < 0.2 else total
        places.append(Location(f"N{number}", random.randrange(0, 400), room, tuple(offers)))
    limit = random.choice((None, None, 1, 2))
    instance = Instance("i", tuple(wanted), tuple(places), random.randrange(0, 400), limit)
    weights = [random.choice((0, 150, 400, 1100, 2500)) for _ in range(lines)]
    freights = {
        place.id: Freight(rate(random), random.choice((None, None, 0, 700)))
        for place in places
        if random.random() < 0.8
    }
    return instance, weights, freights


def true_cost(instance: Instance, weights: list[int], freights: dict[str, Freight], found: Solution) -> int:
    """What a plan costs; refuses an illegal one."""
    skus = [line.sku for line in instance.lines]
    grams: dict[str, int] = {}
    for pick in found.plan:
        grams[pick.location] = grams.get(pick.location, 0) + weights[skus.index(pick.sku)] * pick.units
    freight = sum(freights[name].cost(sent) for name, sent in grams.items() if name in freights)
    return price(instance, found.plan).total + freight


def cheapest(instance: Instance, weights: list[int], freights: dict[str, Freight]) -> int:
    """The least cost of all plans that there are."""
    places = [(n, offer) for n, there in enumerate(instance.locations) for offer in there.offers]
    demand = [line.units for line in instance.lines]
    limit = len(instance.locations) if instance.max_locations is None else instance.max_locations
    least = sum(line.units * line.backorder_cost for line in instance.lines)
    for shipped in product(*(range(min(offer.units, demand[offer.line]) + 1) for _, offer in places)):
        left, load, grams = list(demand), [0] * len(instance.locations), [0] * len(instance.locations)
        cost = 0
        for (n, offer), units in zip(places, shipped, strict=True):
            left[offer.line] -= units
            load[n] += units
            grams[n] += units * weights[offer.line]
            cost += units * offer.unit_cost
        used = [n for n, units in enumerate(load) if units]
        fits = all(load[n] <= instance.locations[n].capacity for n in used)
        if min(left) < 0 or not fits or len(used) > limit:
            continue
        cost += sum(units * line.backorder_cost for units, line in zip(left, instance.lines, strict=True))
        cost += instance.split_penalty * max(0, len(used) - 1)
        for n in used:
            location = instance.locations[n]
            cost += location.fixed_cost
            cost += freights[location.id].cost(grams[n]) if location.id in freights else 0
        least = min(least, cost)
    return least


def milp(instance: Instance, weights: list[int], freights: dict[str, Freight]) -> int:
    """The least cost by a MILP: each location is used in one of its steps of weight, or not at all."""
    model = highspy.Highs()
    model.silent()
    model.setOptionValue("mip_rel_gap", 0.0)
    model.setOptionValue("mip_abs_gap", 1e-6)
    anything = model.addBinary()
    objective = -instance.split_penalty * anything
    left = [line.units for line in instance.lines]
    supplied = [0 * anything for _ in left]
    steps = []
    for location in instance.locations:
        units = {
            offer.line: model.addIntegral(0, min(offer.units, left[offer.line])) for offer in location.offers
        }
        most = sum(weights[line] * left[line] for line in units)
        rises = freights[location.id].rate.steps(most) if location.id in freights else ()
        ends = [*(end for end, _ in rises), most]
        chosen = [model.addBinary() for _ in ends]
        costs = [freights[location.id].cost(end) if location.id in freights else 0 for end in ends]
        carried = sum(weights[line] * count for line, count in units.items())
        model.addConstr(carried <= sum(end * step for end, step in zip(ends, chosen, strict=True)))
        model.addConstr(sum(chosen) <= 1)
        model.addConstr(sum(units.values()) <= location.capacity * sum(chosen))
        for step, cost in zip(chosen, costs, strict=True):
            model.addConstr(step <= anything)
            objective += (cost + location.fixed_cost + instance.split_penalty) * step
            steps.append(step)
        for offer in location.offers:
            supplied[offer.line] += units[offer.line]
            objective += offer.unit_cost * units[offer.line]
    model.addConstr(anything <= sum(steps))
    if instance.max_locations is not None:
        model.addConstr(sum(steps) <= instance.max_locations)
    for index, line in enumerate(instance.lines):
        model.addConstr(supplied[index] <= line.units)
        objective += line.backorder_cost * (line.units - supplied[index])
    model.minimize(objective)
    least: float = model.getInfo().objective_function_value
    return round(least)


@pytest.mark.parametrize("seed", range(400))
def test_no_plan_of_a_small_order_is_cheaper(seed: int) -> None:
    random = Random(seed)
    instance, weights, freights = draw(random, random.randint(1, 3), random.randint(1, 3), 2)
    found = solve_stepped(instance, Cargo(weights, freights))
    assert found.proven
    assert found.cost == true_cost(instance, weights, freights, found)
    assert found.cost == found.bound == cheapest(instance, weights, freights)


@pytest.mark.parametrize("seed", range(40))
def test_a_milp_finds_no_cheaper_plan_of_a_larger_order(seed: int) -> None:
    random = Random(1000 + seed)
    instance, weights, freights = draw(random, random.randint(2, 5), random.randint(4, 9), 3)
    freights = {name: Freight(freight.rate) for name, freight in freights.items()}
    found = solve_stepped(instance, Cargo(weights, freights))
    assert found.proven
    assert found.cost == true_cost(instance, weights, freights, found) == milp(instance, weights, freights)


@pytest.mark.parametrize("seed", range(60))
def test_a_search_that_is_out_of_time_has_a_legal_plan_and_a_bound_that_holds(seed: int) -> None:
    random = Random(seed)
    instance, weights, freights = draw(random, 3, 3, 2)
    found = solve_stepped(instance, Cargo(weights, freights), seconds=0)
    assert found.bound <= cheapest(instance, weights, freights) <= found.cost
    assert found.cost == true_cost(instance, weights, freights, found)
    assert found.proven == (found.bound == found.cost)


@pytest.mark.parametrize("looks", [1, 2, 5, 20, 100])
@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_begun_once_the_time_is_over(
    seed: int, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The root's plan is all that it takes to answer: after the end no other is looked for."""
    random = Random(seed)
    instance, weights, freights = draw(random, 5, 6, 3)
    now = [0.0]
    late: list[str] = []

    def clock() -> float:
        now[0] += 1
        return now[0]

    def noting[**P, R](name: str, call: Callable[P, R]) -> Callable[P, R]:
        def noted(*args: P.args, **kwargs: P.kwargs) -> R:
            late.extend([name] if now[0] > 1 + looks else [])
            return call(*args, **kwargs)

        return noted

    for name, call in (
        ("solve", solve),
        ("ascend", ascend),
        ("compile_model", compile_model),
    ):
        monkeypatch.setattr(stepped, name, noting(name, call))
    found = solve_stepped(instance, Cargo(weights, freights), looks, clock)
    assert late == []
    assert found.bound <= found.cost == true_cost(instance, weights, freights, found)


@pytest.mark.parametrize("seed", range(200))
def test_the_line_never_rises_above_the_freight(seed: int) -> None:
    random = Random(seed)
    freight = Freight(rate(random), random.choice((None, 0, 900)))
    loads = [(random.choice((0, 90, 700, 2100)), random.randint(1, 3)) for _ in range(3)]
    scale = random.choice((1, 3))
    base, each = freight.line(min(weight for weight, _ in loads), loads, scale)
    assert base >= 0
    for units in product(*(range(most + 1) for _, most in loads)):
        grams = sum(count * weight for count, (weight, _) in zip(units, loads, strict=True))
        below = base + sum(count * cost for count, cost in zip(units, each, strict=True))
        if any(units):
            assert below <= scale * freight.cost(grams)


def test_the_line_meets_the_freight_where_all_is_sent() -> None:
    base, each = Freight(STEPS).line(800, [(800, 2), (1500, 2)], 1)
    assert base + 2 * sum(each) == STEPS.price(4600)


def test_two_light_parcels_may_cost_less_than_a_heavy_one() -> None:
    lines = (Line("A", 1, 10**6), Line("B", 1, 10**6))
    both = (Offer(0, 1, 0), Offer(1, 1, 0))
    instance = Instance("i", lines, (Location("N", 0, 2, both), Location("M", 0, 2, both)), 30)
    freights = {name: Freight(STEPS) for name in ("N", "M")}
    found = solve_stepped(instance, Cargo([2000, 2000], freights))
    assert (found.cost, found.proven) == (900, True)
    split = solve_stepped(instance, Cargo([2000, 900], {name: Freight(STEPS) for name in ("N", "M")}))
    assert split.cost == 450 + 400 + 30
    assert {pick.location for pick in split.plan} == {"N", "M"}


def test_what_is_sent_already_leaves_room_in_its_parcel() -> None:
    instance = Instance("i", (Line("A", 1, 10**6),), (Location("N", 0, 1, (Offer(0, 1, 7),)),), 0)
    assert solve_stepped(instance, Cargo([300], {"N": Freight(STEPS, 700)})).cost == 7
    assert solve_stepped(instance, Cargo([301], {"N": Freight(STEPS, 700)})).cost == 57


def test_without_a_card_the_solver_answers_as_it_is() -> None:
    instance, weights, _ = draw(Random(7), 4, 5, 3)
    assert solve_stepped(instance, Cargo(weights, {})) == solve(instance)


def test_a_plan_of_no_units_has_no_freight_and_one_that_adds_to_a_parcel_pays_what_it_adds() -> None:
    instance = Instance("i", (Line("S", 2, 9000),), (Location("N", 0, 2, (Offer(0, 2, 7),)),), 0)
    empty, begun = Cargo([600], {"N": Freight(STEPS)}), Cargo([600], {"N": Freight(STEPS, 700)})
    assert empty.cost(instance, ()) == 0
    for cargo, freight in ((empty, 450), (begun, 50)):
        found = solve_stepped(instance, cargo)
        assert cargo.cost(instance, found.plan) == freight
        assert found.cost == price(instance, found.plan).total + freight
