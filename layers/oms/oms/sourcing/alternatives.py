"""What another location would have cost: the difference to the plan, in money."""

from collections.abc import Callable, Iterable
from datetime import date

from oms.inventory.network import Location
from oms.sourcing.candidates import Question, Removal
from oms.sourcing.choose import Decision, Shelf, choose
from oms.sourcing.profile import Profile
from oms.values import frozen


@frozen
class Plan:
    """What others are compared with: the locations that ship, the cost, the units without a source."""

    used: tuple[str, ...]
    cost: int
    missing: int


@frozen
class Alternative:
    """Another plan than the one chosen.

    Attributes:
        instead: the location that ships all it can before others are asked; None for the next best plan,
            which does without one of the locations that ship.
        used: the locations that ship in it; none when there is no such plan.
        difference: its cost less that of the plan, minor units; None when there is no such plan.
        missing: units more that would have no source.
        arrives: the last day on which something would arrive.
        removals: why the location is no source.
    """

    instead: str | None
    used: tuple[str, ...]
    difference: int | None
    missing: int
    arrives: date | None
    removals: tuple[Removal, ...] = ()


def alternatives(
    question: Question,
    members: Iterable[Location],
    profile: Profile,
    shelf: Callable[[], Shelf],
    plan: Plan,
    asked: Iterable[str] = (),
) -> list[Alternative]:
    """The next best plan, and one for each location that is asked for.

    Args:
        question: the delivery.
        members: locations of the pool.
        profile: the rules that the plan was made by.
        shelf: makes what could be taken before it was made.
        plan: the plan to compare with.
        asked: locations.
    """
    locations = tuple(members)
    without = [choose(question, locations, profile, shelf(), barred={name}) for name in plan.used]
    possible = [other for other in without if other.assignments]
    best = min(possible, key=lambda other: other.cost.total, default=None)
    found = [_alternative(None, plan, best)] if best else []
    for name in asked:
        other = choose(question, locations, profile, shelf(), first=name)
        found.append(_alternative(name, plan, other))
    return found


def _alternative(name: str | None, plan: Plan, other: Decision) -> Alternative:
    judged = {candidate.location.id: candidate for candidate in other.candidates}
    if name is not None and name not in other.used:
        removals = judged[name].removals if name in judged else ()
        return Alternative(name, (), None, 0, None, removals)
    return Alternative(
        name,
        other.used,
        other.cost.total - plan.cost,
        sum(other.missing.values()) - plan.missing,
        max((judged[used].arrives for used in other.used), default=None),
    )
