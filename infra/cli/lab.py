"""`oms lab`: the whole system under seeded faults, in one process, and failing histories made small."""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from infra.cli.arguments import positive
from infra.lab.shrink import shrink
from infra.lab.simulation import Plan, lab, plan_of, simulate
from oms.problems import Code, Problem

_SHRUNK = 3
"""Failing runs that are made small; the others are only named."""

_BEGINNING = b'{"orders": '
"""How the line of a run begins (`_run`), and what a command leaves of it that is killed while it writes."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `lab` group to the `oms` command."""
    group = subparsers.add_parser("lab", help="find faults by simulation")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    faults = commands.add_parser(
        "faults",
        help="run the whole system under seeded faults and check what must hold",
        description="Each run simulates every function on queues, a stream and a table in memory: crashes, "
        "lost answers, duplicates, conflicts, stale reads, in virtual time. A run that fails is printed as "
        "one JSON line with the smallest plan found, which `oms lab replay` plays again. Exits with 1 then.",
    )
    faults.add_argument("--orders", type=positive, default=20, help="orders of a run (default: 20)")
    faults.add_argument("--seed", type=positive, default=1, help="of the first run; the others follow it")
    faults.add_argument("--runs", type=positive, default=1, help="how many (default: 1)")
    faults.add_argument("--processes", type=positive, default=1, help="how many at a time (default: 1)")
    faults.add_argument(
        "--state", type=Path, metavar="FILE", help="keep every run there as it ends, and go on from it"
    )
    faults.set_defaults(run=run_faults)
    replay = commands.add_parser(
        "replay",
        help="play one run again, line by line",
        description="Plays a plan exactly as it was played, prints its history and what does not hold.",
    )
    replay.add_argument("plan", type=Path, help="file with a plan, as `oms lab faults` prints it")
    replay.set_defaults(run=run_replay)


def run_faults(args: argparse.Namespace) -> int:
    """Make runs, print those that fail, and a summary."""
    wall = time.monotonic()
    wanted = range(args.seed, args.seed + args.runs)
    done = {run["seed"]: run for run in _kept(args.state) if run["orders"] == args.orders}
    done = {seed: done[seed] for seed in wanted if seed in done}
    seeds = [seed for seed in wanted if seed not in done]
    failed = [seed for seed, run in done.items() if run["wrong"]]
    with ExitStack() as held:
        kept = held.enter_context(args.state.open("a")) if args.state else None
        for number, run in enumerate(_made(seeds, args.orders, args.processes), 1):
            done[run["seed"]] = run
            if kept:
                kept.write(json.dumps(run) + "\n")
                kept.flush()
            if run["wrong"]:
                failed.append(run["seed"])
            _progress(number, len(seeds), len(failed))
    with lab():
        for seed in sorted(failed)[:_SHRUNK]:
            print(json.dumps(failure(Plan(seed, args.orders))), flush=True)
    cpu_s = sum(run["cpu_s"] for run in done.values())
    summary = {
        "runs": args.runs,
        "orders": args.orders,
        "failed": sorted(failed),
        "minutes": round((time.monotonic() - wall) / 60, 1),
        "made_now": len(seeds),
        "cpu_s": round(cpu_s, 1),
        "cpu_s_a_run": round(cpu_s / args.runs, 3),
    }
    print(json.dumps(summary), file=sys.stderr)
    return int(bool(failed))


def failure(plan: Plan) -> dict[str, Any]:
    """A failing plan as small as can be found, what does not hold in it, and its history."""
    small = shrink(plan)
    run = simulate(small, history=True)
    return {"plan": small.document(), "wrong": run.wrong, "history": run.history}


def run_replay(args: argparse.Namespace) -> int:
    """Print the history of one run."""
    plan = _plan(args.plan)
    with lab():
        run = simulate(plan, history=True)
    print("\n".join(run.history))
    print(json.dumps({"wrong": run.wrong, "faults": run.faults}, indent=2), file=sys.stderr)
    return int(bool(run.wrong))


def _plan(file: Path) -> Plan:
    """The plan of a file, alone or as a failing run is printed."""
    try:
        document = json.loads(file.read_text())
        return plan_of(document.get("plan", document))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        detail = f"{file} is no plan as `oms lab faults` prints it: {error!r}"
        raise Problem(Code.BAD_REQUEST, detail, "plan") from error


def _made(seeds: Sequence[int], orders: int, processes: int) -> Iterator[dict[str, Any]]:
    """What became of each run, as it ends; with the processor time that it took, whatever else ran."""
    plans = [Plan(seed, orders) for seed in seeds]
    if processes == 1:
        with lab():
            yield from map(_run, plans)
        return
    with multiprocessing.get_context("spawn").Pool(processes, initializer=_enter_lab) as pool:
        yield from pool.imap_unordered(_run, plans)


_entered = ExitStack()


def _enter_lab() -> None:
    """Enter the lab for as long as this process lives."""
    _entered.enter_context(lab())


def _run(plan: Plan) -> dict[str, Any]:
    started = time.process_time()
    wrong = simulate(plan).wrong
    cpu_s = round(time.process_time() - started, 3)
    return {"orders": plan.orders, "seed": plan.seed, "wrong": wrong, "cpu_s": cpu_s}


def _kept(state: Path | None) -> list[dict[str, Any]]:
    """Runs that a command before has made; the line that it was writing when it was killed is cut off.

    Raises:
        Problem: the file holds something else; it stays as it is.
    """
    if state is None:
        return []
    state.parent.mkdir(parents=True, exist_ok=True)
    state.touch()
    whole, end, cut_off = state.read_bytes().rpartition(b"\n")
    runs: list[dict[str, Any]] = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            run = json.loads(line)
            runs.append({name: run[name] for name in ("orders", "seed", "wrong", "cpu_s")})
        except (ValueError, KeyError, TypeError) as error:
            detail = f"line {number} of {state} is no run as this command keeps it: {error!r}"
            raise Problem(Code.BAD_REQUEST, detail, "state") from error
    if cut_off:
        if cut_off[: len(_BEGINNING)] != _BEGINNING[: len(cut_off)]:
            detail = f"the end of {state} is no part of a run as this command keeps it"
            raise Problem(Code.BAD_REQUEST, detail, "state")
        with state.open("r+b") as file:
            file.truncate(len(whole + end))
    return runs


def _progress(number: int, of: int, failed: int) -> None:
    if sys.stderr.isatty() or number % 100 == 0:
        end = "" if sys.stderr.isatty() else "\n"
        print(f"\r{number} of {of} runs, {failed} failed", end=end, file=sys.stderr, flush=True)
