"""The solver on the shared instances, whose cheapest plans are proven, and the shared backlogs.

The plans are priced here from the raw JSON, apart from the solver's reading of it.
"""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from infra.cli.main import main

SHARED = Path(__file__).parents[3] / "shared" / "sourcing"

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared instances are not there")


def rows(name: str) -> list[Any]:
    """The rows of a shared file."""
    with gzip.open(SHARED / name, "rt") as lines:
        return [json.loads(line) for line in lines]


def answers(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    """What a command prints, by id."""
    assert main(argv) == 0
    return {row["id"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}


def parcel_cost(node: Any, distance_km: int) -> int:
    """Cost of using a location."""
    return int(node["package_cost"] + distance_km * node["km_rate_milli"] // 1000)


def units_cost(node: Any, kg_rate: int, line: Any, units: int) -> int:
    """Cost of shipping units of a line."""
    return int(units * (node["handling"] - -kg_rate * line["weight_g"] // 1000))


def cost(instance: Any, plan: list[tuple[str, str, int]]) -> int:
    """Cost of a legal plan of an instance, or of an order of a backlog."""
    nodes = {node["id"]: node for node in instance["nodes"]}
    lines = {line["sku"]: line for line in instance["lines"]}
    assert len({(name, sku) for name, sku, _ in plan}) == len(plan)
    load, filled = Counter[str](), Counter[str]()
    total = 0
    for name, sku, units in plan:
        assert 0 < units <= nodes[name]["stock"].get(sku, 0)
        load[name] += units
        filled[sku] += units
        total += units_cost(nodes[name], nodes[name]["kg_rate"], lines[sku], units)
    for name, units in load.items():
        assert units <= nodes[name]["capacity"]
        total += parcel_cost(nodes[name], nodes[name]["distance_km"])
    assert len(load) <= (instance.get("max_nodes") or len(load))
    for sku, line in lines.items():
        assert filled[sku] <= line["qty"]
        total += line["backorder_cost"] * (line["qty"] - filled[sku])
    return int(total + instance["split_penalty"] * max(0, len(load) - 1))


def test_every_shared_instance_is_solved_and_proven(capsys: pytest.CaptureFixture[str]) -> None:
    found = answers(capsys, "source", str(SHARED / "instances.jsonl.gz"))
    for instance in rows("instances.jsonl.gz"):
        answer = found.pop(instance["id"])
        assert cost(instance, answer["plan"]) == answer["cost"], instance["id"]
        best = instance["optimum"]["cost"]
        assert (answer["cost"], answer["bound"], answer["proven"]) == (best, best, True), instance["id"]
    assert found == {}


def test_a_budget_leaves_legal_plans_and_true_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    found = answers(capsys, "source", "--budget-ms", "5", str(SHARED / "instances.jsonl.gz"))
    for instance in rows("instances.jsonl.gz"):
        answer = found.pop(instance["id"])
        assert cost(instance, answer["plan"]) == answer["cost"], instance["id"]
        assert answer["bound"] <= instance["optimum"]["cost"] <= answer["cost"], instance["id"]
    assert found == {}


def test_the_shared_backlogs_are_planned_again_at_less_cost(capsys: pytest.CaptureFixture[str]) -> None:
    found = answers(capsys, "sourcing", "backlog", "--seconds", "1", str(SHARED / "backlogs.jsonl.gz"))
    for backlog in rows("backlogs.jsonl.gz"):
        answer = found.pop(backlog["id"])
        total = 0
        splits = 0
        taken, load = Counter[tuple[str, str]](), Counter[str]()
        for order in backlog["orders"]:
            plan = answer["plans"].pop(order["id"])
            nodes = [
                node | {"distance_km": distance_km, "kg_rate": kg_rate}
                for node, distance_km, kg_rate in zip(
                    backlog["nodes"], order["distance_km"], order["kg_rate"], strict=True
                )
            ]
            order_alone = {"nodes": nodes, "lines": order["lines"], "split_penalty": backlog["split_penalty"]}
            total += cost(order_alone, plan)
            splits += max(0, len({name for name, _, _ in plan}) - 1)
            for name, sku, units in plan:
                taken[name, sku] += units
                load[name] += units
        assert answer["plans"] == {}
        for node in backlog["nodes"]:
            assert load[node["id"]] <= node["capacity"]
            assert all(taken[node["id"], sku] <= units for sku, units in node["stock"].items())
        assert (answer["cost"], answer["splits"]) == (total, splits)
        assert total < answer["sequential_cost"]
        # Where two plans cost an order the same, the later orders decide which was better: another exact
        # solver does not start from quite the same cost.
        reference = backlog["reference"]
        assert answer["sequential_cost"] == pytest.approx(reference["sequential_exact"], rel=0.01)
        assert reference["lp_bound"] <= total < reference["sequential_exact"]
    assert found == {}
