"""Made-up retailers with orders to source, as `oms source` reads them."""

import math
from random import Random
from typing import Any

KINDS = {"dc": (430, 95, 60), "store": (620, 210, 160), "vendor": (720, 250, 60)}
"""Cost of a parcel, thousandths of a cent a km, cost of handling a unit."""


def instance(name: str, random: Random, lines: int, nodes: int) -> dict[str, Any]:
    """An order of some lines for a retailer of some locations, scattered over a continent."""
    to = (random.uniform(28, 48), random.uniform(-120, -75))
    wanted = [
        {
            "sku": f"S{number:02}",
            "qty": random.randint(1, 3),
            "weight_g": round(random.lognormvariate(6.3, 0.9)),
            "backorder_cost": random.randrange(1800, 6000, 50),
        }
        for number in range(lines)
    ]
    return {
        "id": name,
        "ship_to": {"lat": to[0], "lon": to[1]},
        "split_penalty": random.randrange(150, 501, 25),
        "max_nodes": None,
        "lines": wanted,
        "nodes": [_node(f"N{number:04}", random, wanted, to) for number in range(nodes)],
    }


def _node(name: str, random: Random, wanted: list[dict[str, Any]], to: tuple[float, float]) -> dict[str, Any]:
    kind = random.choices(list(KINDS), [5, 85, 10])[0]
    package_cost, km_rate_milli, handling = KINDS[kind]
    place = (random.uniform(28, 48), random.uniform(-120, -75))
    east = (place[1] - to[1]) * math.cos(math.radians((place[0] + to[0]) / 2))
    distance_km = round(math.hypot(place[0] - to[0], east) * 111)
    offered, most = (0.8, 8) if kind == "dc" else (0.3, 3)
    return {
        "id": name,
        "type": kind,
        "lat": place[0],
        "lon": place[1],
        "distance_km": distance_km,
        "priority": random.randrange(1000) + (0 if kind == "dc" else 1000),
        "package_cost": package_cost,
        "km_rate_milli": km_rate_milli,
        "handling": handling,
        "kg_rate": 70 + 25 * min(8, distance_km // 400),
        "capacity": 500 if kind == "dc" else random.randint(5, 40),
        "stock": {line["sku"]: random.randint(1, most) for line in wanted if random.random() < offered},
    }
