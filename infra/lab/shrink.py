"""Making a failing history small: the fewest acts and faults that can be found with which it still fails."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from infra.lab.simulation import Plan, Run, simulate

MOST_RUNS = 80
"""Runs that one failure may cost."""


def shrink(plan: Plan, fails: Callable[[Run], bool] = lambda run: bool(run.wrong)) -> Plan:
    """A plan with as few acts and faults as can be found for which `fails` still holds.

    Parts are left out, the larger ones first, as long as that helps (delta debugging: Zeller, Hildebrandt,
    "Simplifying and isolating failure-inducing input", 2002).

    Args:
        plan: one that fails.
        fails: whether a run is still the failure looked for.
    """
    left = MOST_RUNS

    def still(tried: Plan) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fails(simulate(tried))

    run = simulate(plan)
    plan = replace(plan, acts=frozenset(run.acts), faults=frozenset(run.faults))
    faults = _fewest(run.faults, lambda kept: still(replace(plan, faults=frozenset(kept))))
    plan = replace(plan, faults=frozenset(faults))
    acts = _fewest(run.acts, lambda kept: still(replace(plan, acts=frozenset(kept))))
    plan = replace(plan, acts=frozenset(acts))
    faults = _fewest(faults, lambda kept: still(replace(plan, faults=frozenset(kept))))
    return replace(plan, faults=frozenset(faults))


def _fewest(parts: Sequence[str], still: Callable[[Sequence[str]], bool]) -> Sequence[str]:
    """Parts without those that are not needed; first tried without any."""
    if not parts or still([]):
        return []
    size = max(1, len(parts) // 2)
    while True:
        start, helped = 0, False
        while start < len(parts):
            rest = [*parts[:start], *parts[start + size :]]
            if len(rest) < len(parts) and still(rest):
                parts, helped = rest, True
            else:
                start += size
        if size == 1 and not helped:
            return parts
        size = max(1, size // 2)
