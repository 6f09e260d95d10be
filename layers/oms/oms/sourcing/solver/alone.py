"""Orders that one location serves as cheaply as any could: most of them, and nothing is to be searched."""

from oms.sourcing.instance import Instance, Location, Pick, Solution


def alone(instance: Instance) -> Solution | None:
    """The cheapest plan, when one location ships everything and nothing about it could be cheaper.

    No plan that uses a location costs less than the least fixed cost and, for each unit, the least of its
    costs anywhere, that of leaving it unfilled included; so a location whose plan costs just that is proven.

    Returns:
        The plan; None when no location is the cheapest in everything.
    """
    if not instance.locations or instance.max_locations == 0:
        return None
    least = [line.backorder_cost for line in instance.lines]
    for location in instance.locations:
        for line, units, cost in location.offers:
            if units and cost < least[line]:
                least[line] = cost
    cheapest = min([location.fixed_cost for location in instance.locations])
    bound = cheapest + sum(line.units * cost for line, cost in zip(instance.lines, least, strict=True))
    if bound >= sum(line.units * line.backorder_cost for line in instance.lines):
        return None
    for location in instance.locations:
        if location.fixed_cost == cheapest and _cost(instance, location) == bound:
            wanted = (Pick(location.id, line.sku, line.units) for line in instance.lines if line.units)
            return Solution(tuple(wanted), bound, bound, proven=True)
    return None


def _cost(instance: Instance, location: Location) -> int | None:
    """What it costs when a location ships everything; None when it cannot."""
    offers = {line: (units, cost) for line, units, cost in location.offers}
    cost = location.fixed_cost
    room = location.capacity
    for index, line in enumerate(instance.lines):
        there, each = offers.get(index, (0, 0))
        if there < line.units:
            return None
        cost += line.units * each
        room -= line.units
    return cost if room >= 0 else None
