"""Simulation: recorded orders are sourced again by a profile, as they would have been when they came."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from random import Random
from statistics import fmean

from oms.inventory.model import Sku
from oms.inventory.network import Network
from oms.orders.commands import Delivery
from oms.problems import Code, Problem
from oms.sourcing.candidates import Question
from oms.sourcing.choose import SECONDS, Decision, Shelf, choose, rates_of
from oms.sourcing.deliveries import ask, want
from oms.sourcing.profile import Profile
from oms.values import frozen, replace

RESAMPLES = 2000
"""How often the orders are drawn anew for an interval."""
CONFIDENCE = 0.95
"""Share of the means that lie in an interval."""


@frozen
class RecordedLine:
    """Units of a sku, their value in minor units, and what was asked for besides the goods."""

    sku: str
    units: int
    value: int
    properties: Mapping[str, str]


@frozen
class Recorded:
    """A delivery as it was ordered: on a channel, when (UTC), and the day that was promised if one was."""

    id: str
    channel: str
    at: datetime
    delivery: Delivery
    lines: tuple[RecordedLine, ...]
    promised: date | None = None


@frozen
class Outcome:
    """What becomes of a delivery.

    Attributes:
        cost: of its parcels and their units, minor units; nothing that a profile weighs besides.
        splits: locations that ship, beyond the first.
        backorders: units without a source.
        kept: whether all arrives by the day that was promised; None when none was.
        loads: units by the location that ships them.
        proven: whether it is known that no plan is better by the profile.
    """

    cost: int
    splits: int
    backorders: int
    kept: bool | None
    loads: Mapping[str, int]
    proven: bool


@frozen
class Difference:
    """A mean difference a delivery, and the interval in which it lies were other such orders drawn."""

    mean: float
    low: float
    high: float


def simulate(
    recorded: Iterable[Recorded],
    network: Network,
    skus: Mapping[str, Sku],
    shelf: Shelf,
    profile: Profile,
    *,
    rates: Profile,
    seconds: float | None = SECONDS,
) -> Iterator[Outcome]:
    """Source deliveries one after the other, each from what those before it have left.

    Args:
        recorded: the deliveries, in the order in which they came.
        network: channels, pools and locations.
        skus: the catalogue.
        shelf: what was there before the first; it is lowered.
        profile: the rules.
        rates: the profile that costs are counted by where a location has no rates of its own: one for all
            profiles that are compared.
        seconds: processor time for each delivery.

    Raises:
        Problem: `channel_unknown`, or `field_invalid` for a sku that the catalogue does not know.
    """
    ruled = replace(network, profile=profile)
    for one in recorded:
        channel = network.channels.get(one.channel)
        if channel is None:
            raise Problem(Code.CHANNEL_UNKNOWN, f"channel {one.channel} of {one.id} is not there", "channel")
        lines = []
        for number, line in enumerate(one.lines):
            sku = skus.get(line.sku)
            if sku is None:
                detail = f"sku {line.sku} of {one.id} is not there"
                raise Problem(Code.FIELD_INVALID, detail, f"lines[{number}].sku")
            lines.append(want(str(number + 1), line.units, sku, line.properties, profile))
        value = sum(line.value for line in one.lines)
        question = ask(one.channel, lines, one.delivery, ruled, one.at, value)
        decision = choose(question, network.members(channel.pool), profile, shelf, seconds=seconds)
        yield _outcome(one, question, decision, rates)


def difference(
    before: Sequence[float], after: Sequence[float], random: Random, resamples: int = RESAMPLES
) -> Difference:
    """How much more the same deliveries have of something, by the percentile bootstrap of their differences.

    Source: Efron, Bootstrap methods: another look at the jackknife, 1979.

    Args:
        before: a number for each delivery; at least one.
        after: another one for each, in the same order.
        random: draws the deliveries.
        resamples: how often they are drawn anew.
    """
    more = [new - old for old, new in zip(before, after, strict=True)]
    means = sorted(fmean(random.choices(more, k=len(more))) for _ in range(resamples))
    outside = round(len(means) * (1 - CONFIDENCE) / 2)
    return Difference(fmean(more), means[outside], means[-1 - outside])


def _outcome(one: Recorded, question: Question, decision: Decision, rates: Profile) -> Outcome:
    candidates = {candidate.location.id: candidate for candidate in decision.candidates}
    weights = {line.line_id: line.weight_g for line in question.lines}
    loads = Counter[str]()
    cost = sum(sent.price for sent in decision.carried.values())
    for taken in decision.assignments:
        loads[taken.location] += taken.units
        costs = rates_of(candidates[taken.location].location, rates, decision.carried)
        cost += taken.units * costs.unit(weights[taken.line_id])
    for name in loads:
        if name != question.store:
            costs = rates_of(candidates[name].location, rates, decision.carried)
            cost += costs.parcel(candidates[name].distance_km or 0)
    kept = None
    if one.promised is not None:
        kept = not decision.missing and all(candidates[name].arrives <= one.promised for name in loads)
    return Outcome(cost, max(0, len(loads) - 1), sum(decision.missing.values()), kept, loads, decision.proven)
