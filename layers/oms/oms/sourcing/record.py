"""The record of a decision: what a person needs to see why units come from where they come from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from oms.sourcing.candidates import Candidate, Removal
from oms.sourcing.choose import Carried, Decision

MOST_LOCATIONS = 20
"""Locations that a record names, those that ship and then the cheapest; of the others it counts the reasons.

So the record stays small enough to be written in the order's body at no cost of its own."""

MOST_REMOVALS = 20
"""Reasons that a record gives for a location, which has one for each line; the others it counts."""

type Document = dict[str, Any]


def record(decisions: Mapping[str | None, Decision]) -> list[Document]:
    """The decisions about an order's deliveries, as plain values; what is empty is left out.

    So is the time that they took: the same order placed again from the same stock has the same record.
    """
    return [_record(delivery_id, decision) for delivery_id, decision in decisions.items()]


def _record(delivery_id: str | None, decision: Decision) -> Document:
    cost = decision.cost
    named, others = _named(decision)
    document: Document = {
        "delivery": delivery_id,
        "profile": decision.profile,
        "strategy": decision.strategy,
        "fallbacks": list(decision.fallbacks),
        "precision": decision.precision,
        "cost": {
            "fixed": cost.fixed,
            "units": cost.units,
            "splits": cost.splits,
            "backorder": cost.backorder,
        },
        "bound": decision.bound,
        "proven": decision.proven,
        "missing": dict(decision.missing),
        "locations": [_location(candidate, decision) for candidate in named],
        "others": Counter(str(_first(candidate)) for candidate in others) if others else None,
    }
    return _stated(document)


def _named(decision: Decision) -> tuple[list[Candidate], Sequence[Candidate]]:
    """The locations to be named, in the order of their cost, and the others."""
    used = set(decision.used)
    ranked = sorted(
        decision.candidates,
        key=lambda one: (one.location.id not in used, one.first_removal is not None),
    )
    return ranked[:MOST_LOCATIONS], ranked[MOST_LOCATIONS:]


def _first(candidate: Candidate) -> str:
    removal = candidate.first_removal
    return removal.reason if removal else "dearer"


def _location(candidate: Candidate, decision: Decision) -> Document:
    removals = candidate.removals
    ships = {one.line_id: one.units for one in decision.assignments if one.location == candidate.location.id}
    document: Document = {
        "location": candidate.location.id,
        "km": candidate.distance_km,
        "leaves": candidate.leaves.isoformat(),
        "arrives": candidate.arrives.isoformat(),
        "parcel": decision.parcels[candidate.location.id],
        "rate": _rate(decision.carried.get(candidate.location.id)),
        "ships": ships,
        "out": [_removal(removal) for removal in removals[:MOST_REMOVALS]],
        "more": max(0, len(removals) - MOST_REMOVALS) or None,
    }
    return _stated(document)


def _rate(carried: Carried | None) -> Document | None:
    if carried is None:
        return None
    rate = carried.rate
    return {
        "card": rate.card,
        "service": rate.service,
        "zone": rate.zone,
        "grams": carried.grams,
        "price": carried.price,
    }


def _removal(removal: Removal) -> Document:
    document: Document = {
        "reason": removal.reason,
        "measured": removal.measured,
        "limit": removal.limit,
        "line_id": removal.line_id,
        "soft": removal.soft or None,
    }
    return _stated(document)


_PLAIN = frozenset({int, bool, str})
"""Types of values that are never empty."""


def _stated(document: Document) -> Document:
    """A document without what is empty."""
    return {name: value for name, value in document.items() if value or type(value) in _PLAIN}
