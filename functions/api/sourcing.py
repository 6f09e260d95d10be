"""Sourcing: where an order's units come from and why, what-ifs, promises, the profile's versions."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, field
from typing import Annotated, Any, TypedDict, cast

from annotated_types import Ge, Le, MaxLen, MinLen

from functions.api import cursors, orders
from functions.api.configuration import CostSettings, Days, Money, Weekday
from functions.api.fields import Amount, Closed, Cursor, Doc, Page, SomeUnits, Text, Time, time
from functions.api.routing import Answer, Call, Route
from oms.inventory.model import Capability
from oms.orders.claims import promised
from oms.orders.commands import Address, Delivery, Method
from oms.orders.history import Step, StepKind, history
from oms.orders.model import Order, OrderBody
from oms.problems import Code, Problem
from oms.sourcing.alternatives import Alternative, Plan
from oms.sourcing.deliveries import AT_STORE
from oms.sourcing.places import Precision
from oms.sourcing.profile import USUAL_REJECTIONS, Act, Asked, Fallback, Offered, Profile
from oms.sourcing.promise import Promise
from oms.sourcing.record import record
from oms.store import process, queries
from oms.store.decisions import decisions_of
from oms.store.keys import iso
from oms.store.tokens import Scope
from oms.usecases.preview_sourcing import (
    Basket,
    BasketLine,
    PickupPoint,
    Preview,
    basket_of,
    compare,
    pickup_points,
    preview,
    promises,
    units_to_source,
)
from oms.usecases.profiles import (
    activate_profile,
    active_profile,
    find_profile,
    list_profiles,
    write_profile,
)
from oms.values import frozen

_MOST_LINES = 50
Date = Annotated[str, Doc("A day, ISO 8601.", format="date")]


# ---- Decisions ---------------------------------------------------------------------------------------------


class RemovalDocument(TypedDict):
    """Why a location is no source: of the delivery, or of the line that is named."""

    reason: Annotated[str, Doc("inactive, other_store, incapable, rejected, no_stock, vendor; or a filter.")]
    measured: int | str | None
    limit: int | str | None
    line_id: str | None
    soft: Annotated[bool, Doc("Lifted when stock is short.")]


class RateDocument(TypedDict):
    """The row of a rate card that a parcel is priced by."""

    card: str
    service: Annotated[str, Doc("`*`: the card does not name the order's.")]
    zone: str
    grams: Annotated[int, Doc("What the location sends.")]
    price: Annotated[int, Doc("With surcharges and fees, minor units; part of `parcel`.")]


class SourceDocument(TypedDict):
    """A location, as it would serve the delivery."""

    location: str
    ships: Annotated[dict[str, int], Doc("Units by line; empty when it ships nothing.")]
    distance_km: int | None
    leaves: Date
    arrives: Date
    parcel: Annotated[int, Doc("What using it costs, in minor units: parcel, days, priority.")]
    rate: Annotated[RateDocument | None, Doc("null: it ships nothing, or has no rate card.")]
    removals: list[RemovalDocument]
    more_removals: Annotated[int, Doc("How many of them are not named, as the order has many lines.")]


class CostDocument(TypedDict):
    """What a plan costs, by its terms, in minor units."""

    fixed: Annotated[int, Doc("The locations that ship.")]
    units: Annotated[int, Doc("The units shipped.")]
    splits: Annotated[int, Doc("Locations beyond the first.")]
    backorder: Annotated[int, Doc("Units without a source.")]
    total: Amount


class DecisionDocument(TypedDict):
    """Where the units of a delivery come from, and why."""

    delivery_id: str | None
    profile: Annotated[int, Doc("Version of the sourcing profile; 0 is built in.")]
    strategy: str
    fallbacks: Annotated[list[Fallback], Doc("What had to be tried, in turn.")]
    precision: Annotated[Precision | None, Doc("What the distance is reckoned by; null: nothing is known.")]
    cost: CostDocument
    bound: Annotated[int, Doc("No plan under the same rules costs less.")]
    proven: Annotated[bool, Doc("Whether the plan is known to be a cheapest one.")]
    missing: Annotated[dict[str, int], Doc("Units without a source, by line.")]
    locations: list[SourceDocument]
    others: Annotated[dict[str, int], Doc("Locations that are not named, by the first reason.")]


class AlternativeDocument(TypedDict):
    """Another plan than the one chosen."""

    instead: Annotated[
        str | None, Doc("The location that ships all it can; null: the next best plan, without a used one.")
    ]
    used: list[str]
    difference: Annotated[int | None, Doc("Its cost less that of the plan; null: there is no such plan.")]
    missing: Annotated[int, Doc("Units more without a source.")]
    arrives: Date | None
    removals: list[RemovalDocument]


class DeliveryDecision(DecisionDocument):
    """A decision with what other plans would cost, were it made with the stock that is there now."""

    alternatives: list[AlternativeDocument]


class PlacedUnits(TypedDict):
    """Units of a line at a location."""

    line_id: str
    location: str
    units: int


class SourcingStep(TypedDict):
    """A write that gave units of an order a source, or took it from them."""

    v: Annotated[int, Doc("Version of the order that it made.")]
    decided_at: Time
    kind: Annotated[
        StepKind,
        Doc(
            "sourced: units that waited got a source; reopened: they lost it; moved: a person decided; "
            "replanned: together with other orders."
        ),
    ]
    reason: Annotated[str | None, Doc("Of reopened: why, as the location has said it.")]
    found: Annotated[list[PlacedUnits], Doc("Units that were given a source.")]
    left: Annotated[list[PlacedUnits], Doc("Units that it was taken from.")]
    cost_before: Annotated[int | None, Doc("Of replanned: what the plan cost, minor units.")]
    cost_after: Annotated[int | None, Doc("And what it costs now.")]
    decisions: Annotated[
        list[DeliveryDecision], Doc("Delivery by delivery; none where nothing was chosen by the profile.")
    ]


class OrderSourcingDocument(TypedDict):
    """Where an order's units came from and come from, and why: the latest step first."""

    order_id: str
    items: list[SourcingStep]
    next: str | None


class PromiseDocument(TypedDict):
    """What the customer may be told."""

    arrives: Annotated[str | None, Doc("When everything is there; null: nobody knows.", format="date")]
    order_by: Annotated[str | None, Doc("Until when that holds, UTC.", format="date-time")]
    lines: Annotated[dict[str, str | None], Doc("The day by line, counted from 1.")]


class PreviewDocument(TypedDict):
    """What would be decided now; nothing is reserved."""

    decision: DecisionDocument
    ms: Annotated[float, Doc("Processor time that the solver took for the decision.")]
    promise: PromiseDocument
    alternatives: list[AlternativeDocument]


class PromiseOption(TypedDict):
    """What may be promised with a service."""

    service: Annotated[str | None, Doc("null: any that the profile does not name.")]
    available: Annotated[bool, Doc("Whether everything comes from stock.")]
    promise: PromiseDocument
    cost: Annotated[int, Doc("What shipping it costs the retailer, minor units.")]


class PromisesDocument(TypedDict):
    """What may be promised, by service."""

    options: list[PromiseOption]


class PickupPointDocument(TypedDict):
    """A store where the whole basket can be picked up."""

    location: str
    name: str
    country: str
    latitude: float
    longitude: float
    distance_km: int | None
    fed: Annotated[bool, Doc("Whether other locations have to send some of it there.")]
    ready: Annotated[str | None, Doc("The day from which on it is there.", format="date")]
    order_by: Annotated[str | None, Doc("Until when that holds, UTC.", format="date-time")]


@frozen
class ShipTo(Closed):
    """Where to; the more is known, the better distances are."""

    country: Annotated[str, MinLen(2), MaxLen(2), Doc("ISO 3166-1, two letters.")]
    postal_code: Text | None = None
    city: Text | None = None
    latitude: Annotated[float | None, Ge(-90), Le(90)] = None
    longitude: Annotated[float | None, Ge(-180), Le(180)] = None


@frozen
class WantedLine(Closed):
    """Units of a sku."""

    sku: Text
    units: Annotated[SomeUnits, Doc("In the sku's smallest unit.")]
    value: Annotated[Money, Doc("Of the line, minor units; strategies may ask for it.")] = 0
    properties: Annotated[
        Mapping[Text, Text], MaxLen(20), Doc("What is asked for besides the goods: gift_wrap.")
    ] = field(default_factory=dict)


@frozen
class BasketBody(Closed):
    """A basket and where it goes."""

    channel: Text
    lines: Annotated[tuple[WantedLine, ...], MinLen(1), MaxLen(_MOST_LINES)]
    method: Method = Method.SHIP
    service: Text | None = None
    ship_to: ShipTo | None = None
    location: Annotated[Text | None, Doc("Where it is picked up: ours, or the channel's id of it.")] = None


@frozen
class PreviewBody(Closed):
    """A basket, or a delivery of an order; by the active profile or another version."""

    basket: BasketBody | None = None
    order_id: Text | None = None
    delivery: Annotated[Text | None, Doc("Of the order; its first when there is none.")] = None
    profile: Annotated[int | None, Ge(0), Doc("Version of the sourcing profile.")] = None
    locations: Annotated[
        tuple[Text, ...], MaxLen(20), Doc("Locations whose plan is to be compared with the one chosen.")
    ] = ()


@frozen
class SourcingQuery(Closed):
    """Locations to compare with, and which page."""

    location: Annotated[Text | None, Doc("Locations, separated by commas: what would they have cost?")] = None
    limit: Annotated[int, Ge(1), Le(20), Doc("Steps at most.")] = 10
    cursor: Cursor = None


@frozen
class PickupQuery(Closed):
    """A basket, and where the buyer is."""

    channel: Text
    sku: Annotated[str, Doc(f"Up to {_MOST_LINES} skus with units, separated by commas: MUG:2,CAP.")]
    country: Annotated[str | None, MinLen(2), MaxLen(2)] = None
    postal_code: Text | None = None
    city: Text | None = None
    latitude: Annotated[float | None, Ge(-90), Le(90)] = None
    longitude: Annotated[float | None, Ge(-180), Le(180)] = None
    radius_km: Annotated[int | None, Ge(0), Le(20_040)] = None


def _of_order(call: Call[SourcingQuery, None]) -> Answer[OrderSourcingDocument]:
    found = queries.order_with_body(process.table(), call.path["order_id"])
    if found is None:
        raise orders.unknown(call.path["order_id"])
    order, body = found
    asked = [name.strip() for name in (call.query.location or "").split(",") if name.strip()]
    _check_known(asked, ["location"] * len(asked))
    span = cursors.span(call.query.limit, call.query.cursor, call.filters)
    steps = [step for step in history(order) if span.after is None or step.v < cast(int, span.after["v"])]
    page = steps[: span.limit]
    kept = decisions_of(
        process.table(), order.order_id, (step.v for step in page if step.kind is StepKind.SOURCED)
    )
    kept[order.journal[0].v] = body.sourcing
    document: OrderSourcingDocument = {
        "order_id": order.order_id,
        "items": [_step(order, body, step, kept.get(step.v, ()), asked) for step in page],
        "next": cursors.encode({"v": page[-1].v} if len(steps) > len(page) else None, call.filters),
    }
    return Answer(document, order.v)


def _check_known(locations: Sequence[str], fields: Sequence[str]) -> None:
    """Refuse to compare with a location that is not there; one that has left the pool says why it is out.

    Raises:
        Problem: `field_invalid`.
    """
    known = process.network().locations
    for name, field_name in zip(locations, fields, strict=True):
        if name not in known:
            raise Problem(Code.FIELD_INVALID, f"there is no location {name}", field_name)


def _step(
    order: Order, body: OrderBody, step: Step, records: Iterable[Mapping[str, Any]], asked: list[str]
) -> SourcingStep:
    before, after = step.cost or (None, None)
    return {
        "v": step.v,
        "decided_at": iso(step.at),
        "kind": step.kind,
        "reason": step.reason,
        "found": _placed(step.found),
        "left": _placed(step.left),
        "cost_before": before,
        "cost_after": after,
        "decisions": [_with_alternatives(order, body, _decision(kept), step, asked) for kept in records],
    }


def _placed(units: Mapping[tuple[str, str], int]) -> list[PlacedUnits]:
    return [
        {"line_id": line_id, "location": location, "units": count}
        for (line_id, location), count in units.items()
    ]


def _with_alternatives(
    order: Order, body: OrderBody, decision: DecisionDocument, step: Step, asked: list[str]
) -> DeliveryDecision:
    """A decision with its alternatives: for the same units, with what the order still has of them given back.

    There are none once its channel is not configured any more: nobody knows what its pool would be.
    """
    units = Counter(decision["missing"])
    held: Counter[tuple[str, str]] = Counter()
    for source in decision["locations"]:
        units.update(source["ships"])
        for line_id, count in source["ships"].items():
            line = order.line(line_id)
            kept = min(count, step.kept.get((line_id, source["location"]), 0))
            held[line.sku or "" if line else "", source["location"]] += kept
    network = process.network()
    if order.channel not in network.channels:
        return {**decision, "alternatives": []}
    used = tuple(source["location"] for source in decision["locations"] if source["ships"])
    plan = Plan(used, decision["cost"]["total"], sum(decision["missing"].values()))
    profile = find_profile(process.table(), decision["profile"])
    basket = basket_of(order, body, decision["delivery_id"], units, held)
    others = compare(process.table(), network, basket, step.at, profile, plan, asked)
    return {**decision, "alternatives": [_alternative(other) for other in others]}


def _preview(call: Call[None, PreviewBody]) -> Answer[PreviewDocument]:
    body = call.body
    if (body.basket is None) == (body.order_id is None):
        raise Problem(Code.FIELD_INVALID, "give a basket or an order_id", "basket")
    if body.basket and body.delivery:
        raise Problem(Code.FIELD_INVALID, "a basket has one delivery, which has no name", "delivery")
    basket = (
        _basket(body.basket, "basket.")
        if body.basket
        else _basket_of_order(body.order_id or "", body.delivery)
    )
    _check_known(body.locations, [f"locations[{number}]" for number in range(len(body.locations))])
    profile = None if body.profile is None else find_profile(process.table(), body.profile, "profile")
    with _named(lambda field: f"basket.{field}" if body.basket else field):
        made = preview(process.table(), process.network(), basket, call.now, profile, body.locations)
    return Answer(
        {
            "decision": _decision(record({basket.delivery.id or None: made.decision})[0]),
            "ms": made.decision.ms,
            "promise": _promise(made.promise),
            "alternatives": [_alternative(other) for other in made.alternatives],
        }
    )


def _promises(call: Call[None, BasketBody]) -> Answer[PromisesDocument]:
    options = promises(process.table(), process.network(), _basket(call.body), call.now)
    return Answer({"options": [_option(service, made) for service, made in options]})


def _pickup_points(call: Call[PickupQuery, None]) -> Answer[Page[PickupPointDocument]]:
    query = call.query
    lines = tuple(_asked_sku(number, text) for number, text in enumerate(query.sku.split(","), 1))
    if len(lines) > _MOST_LINES:
        raise Problem(Code.FIELD_INVALID, f"sku takes up to {_MOST_LINES} skus", "sku")
    basket = Basket(query.channel, lines, Delivery("", Method.PICKUP))
    near = _address(query.country, query.postal_code, query.city, query.latitude, query.longitude)
    with _named(lambda field: "sku" if field.startswith("lines") else field):
        points = pickup_points(process.table(), process.network(), basket, near, query.radius_km, call.now)
    return Answer({"items": [_point(point) for point in points], "next": None})


@contextmanager
def _named(place: Callable[[str], str]) -> Iterator[None]:
    """Tell what is wrong with a basket by the place where the request has it."""
    try:
        yield
    except Problem as problem:
        raise Problem(problem.code, problem.detail, place(problem.field or ""), problem.state) from None


def _asked_sku(number: int, text: str) -> BasketLine:
    sku, _, units = text.strip().rpartition(":") if ":" in text else (text.strip(), "", "1")
    if not 0 < len(sku) <= 200 or not (units.isascii() and units.isdecimal()) or not 0 < int(units) <= 10**6:
        raise Problem(Code.FIELD_INVALID, "sku takes skus with units, separated by commas: MUG:2,CAP", "sku")
    return BasketLine(str(number), sku, int(units), 0, {})


def _basket(body: BasketBody, path: str = "") -> Basket:
    """The basket of a body; `path` is where it stands in the request."""
    to = body.ship_to
    address = (
        _address(to.country, to.postal_code, to.city, to.latitude, to.longitude, f"{path}ship_to.")
        if to
        else None
    )
    if body.method in AT_STORE:
        network = process.network()
        channel = network.channels.get(body.channel)
        named = body.location or ""
        if channel and channel.locations.get(named, named) not in network.locations:
            detail = (
                f"location {named} is not configured"
                if named
                else f"{body.method} needs the location where it is handed over"
            )
            raise Problem(Code.FIELD_INVALID, detail, f"{path}location")
    lines = tuple(
        BasketLine(str(number), line.sku, line.units, line.value, line.properties)
        for number, line in enumerate(body.lines, 1)
    )
    return Basket(body.channel, lines, Delivery("", body.method, body.service, address, body.location))


def _basket_of_order(order_id: str, delivery_id: str | None) -> Basket:
    found = queries.order_with_body(process.table(), order_id)
    if found is None:
        raise orders.unknown(order_id)
    order, body = found
    first = order.deliveries[0].id if order.deliveries else None
    return basket_of(order, body, delivery_id or first, units_to_source(order), promised(order))


def _address(
    country: str | None,
    postal_code: str | None,
    city: str | None,
    latitude: float | None,
    longitude: float | None,
    path: str = "",
) -> Address:
    """An address as far as it is known; `path` is where it stands in the request.

    Raises:
        Problem: `field_invalid`, for a country of other than letters, or half of a place.
    """
    if country is not None and not (country.isascii() and country.isalpha()):
        raise Problem(Code.FIELD_INVALID, "country takes two letters, ISO 3166-1", f"{path}country")
    known = latitude is not None and longitude is not None
    if not known and (latitude, longitude) != (None, None):
        missing = "latitude" if latitude is None else "longitude"
        raise Problem(Code.FIELD_INVALID, "latitude and longitude go together", f"{path}{missing}")
    return Address(
        country=country,
        postal_code=postal_code,
        city=city,
        latitude=str(latitude) if known else None,
        longitude=str(longitude) if known else None,
    )


def _decision(kept: Mapping[str, Any]) -> DecisionDocument:
    """A decision from its record, which leaves out what is empty."""
    cost = kept["cost"]
    return {
        "delivery_id": kept.get("delivery"),
        "profile": kept["profile"],
        "strategy": kept["strategy"],
        "fallbacks": [Fallback(step) for step in kept.get("fallbacks", ())],
        "precision": Precision(kept["precision"]) if "precision" in kept else None,
        "cost": {
            "fixed": cost["fixed"],
            "units": cost["units"],
            "splits": cost["splits"],
            "backorder": cost["backorder"],
            "total": sum(cost.values()),
        },
        "bound": kept["bound"],
        "proven": kept["proven"],
        "missing": kept.get("missing", {}),
        "locations": [
            {
                "location": source["location"],
                "ships": source.get("ships", {}),
                "distance_km": source.get("km"),
                "leaves": source["leaves"],
                "arrives": source["arrives"],
                "parcel": source["parcel"],
                "rate": source.get("rate"),
                "removals": [_removal(removal) for removal in source.get("out", ())],
                "more_removals": source.get("more", 0),
            }
            for source in kept.get("locations", ())
        ],
        "others": kept.get("others", {}),
    }


def _removal(kept: Mapping[str, Any]) -> RemovalDocument:
    return {
        "reason": kept["reason"],
        "measured": kept.get("measured"),
        "limit": kept.get("limit"),
        "line_id": kept.get("line_id"),
        "soft": kept.get("soft", False),
    }


def _alternative(other: Alternative) -> AlternativeDocument:
    return {
        "instead": other.instead,
        "used": list(other.used),
        "difference": other.difference,
        "missing": other.missing,
        "arrives": other.arrives.isoformat() if other.arrives else None,
        "removals": [_removal(asdict(removal)) for removal in other.removals],
    }


def _promise(made: Promise) -> PromiseDocument:
    return {
        "arrives": made.arrives.isoformat() if made.arrives else None,
        "order_by": time(made.order_by),
        "lines": {line_id: day.isoformat() if day else None for line_id, day in made.lines.items()},
    }


def _option(service: str | None, made: Preview) -> PromiseOption:
    cost = made.decision.cost
    return {
        "service": service,
        "available": not made.decision.missing,
        "promise": _promise(made.promise),
        "cost": cost.total - cost.backorder,
    }


def _point(point: PickupPoint) -> PickupPointDocument:
    made = _promise(point.promise)
    return {
        "location": point.location.id,
        "name": point.location.name,
        "country": point.location.country,
        "latitude": point.location.latitude,
        "longitude": point.location.longitude,
        "distance_km": point.distance_km,
        "fed": point.fed,
        "ready": made["arrives"],
        "order_by": made["order_by"],
    }


# ---- Profiles ----------------------------------------------------------------------------------------------


@frozen
class ConditionBody(Closed):
    """A condition on the delivery: a number within bounds, or a word of a list."""

    measure: Asked
    at_least: int | None = None
    at_most: int | None = None
    one_of: Annotated[tuple[Text, ...], MaxLen(300)] = ()
    none_of: Annotated[tuple[Text, ...], MaxLen(300)] = ()


@frozen
class FilterBody(Closed):
    """A condition that locations must pass; what cannot be measured passes."""

    measure: Annotated[Offered, Doc("abroad is 1 for a location outside the customer's country, else 0.")]
    at_least: int | None = None
    at_most: int | None = None
    one_of: Annotated[tuple[Text, ...], MaxLen(300)] = ()
    none_of: Annotated[tuple[Text, ...], MaxLen(300)] = ()
    soft: Annotated[bool, Doc("Whether `relax` lifts it when stock is short.")] = False
    only: Annotated[tuple[Text, ...], MaxLen(300), Doc("The locations that it is for; all without any.")] = ()


@frozen
class ObjectiveBody(Closed):
    """What a plan costs besides parcels and units, in minor units."""

    split_penalty: Annotated[Money, Doc("Each location beyond the first.")] = 300
    backorder_cost: Annotated[Money, Doc("Each unit without a source.")] = 1_000_000
    day_cost: Annotated[Money, Doc("Each day until the promised one, once for each location.")] = 0
    priority_cost: Annotated[Money, Doc("Each point of a location's priority.")] = 1


@frozen
class LimitsBody(Closed):
    """What a plan may not do."""

    max_locations: Annotated[int | None, Ge(1), Doc("Locations that may serve a delivery.")] = None
    whole_below: Annotated[Money, Doc("A delivery of less value goes in whole from one location.")] = 0
    soft: Annotated[bool, Doc("Whether `relax` lifts these limits when stock is short.")] = False


@frozen
class StrategyBody(Closed):
    """How the deliveries are sourced for which all conditions hold."""

    name: Text
    when: Annotated[tuple[ConditionBody, ...], MaxLen(20), Doc("None on the last strategy.")] = ()
    filters: Annotated[tuple[FilterBody, ...], MaxLen(50)] = ()
    objective: ObjectiveBody = ObjectiveBody()
    limits: LimitsBody = LimitsBody()
    fallbacks: Annotated[
        tuple[Fallback, ...],
        MaxLen(len(Fallback)),
        Doc("Tried in turn while units are missing; without `partial` all of the delivery waits then."),
    ] = (Fallback.RELAX, Fallback.DROPSHIP, Fallback.PARTIAL)
    cancel_after_days: Annotated[
        int | None, Ge(1), Le(3660), Doc("Units that have waited so long are cancelled; null: they wait on.")
    ] = None


@frozen
class TransitBody(Closed):
    """Days on the road up to a distance; the last band is for any."""

    days: Days
    up_to_km: Annotated[int | None, Ge(1)] = None


@frozen
class ServiceBody(Closed):
    """A way of shipping."""

    transit: Annotated[tuple[TransitBody, ...], MinLen(1), MaxLen(50)]
    days: Annotated[tuple[Weekday, ...], MinLen(1), MaxLen(7), Doc("ISO weekdays on which it delivers.")] = (
        1,
        2,
        3,
        4,
        5,
        6,
    )


@frozen
class RejectionRuleBody(Closed):
    """What is done when a location rejects units."""

    act: Annotated[
        Act,
        Doc("block: damaged; write_off: not there; give_back: free for others; close: the place, for hours."),
    ]
    reasons: Annotated[tuple[Text, ...], MaxLen(50), Doc("For any reason without; so is the last rule.")] = ()
    hours: Annotated[int, Ge(0), Le(24 * 366), Doc("For how long `close` closes the location.")] = 0


_REJECTIONS = tuple(RejectionRuleBody(rule.act, rule.reasons, rule.hours) for rule in USUAL_REJECTIONS)


@frozen
class ProfileBody(Closed):
    """A version of the sourcing profile: which locations may serve an order, and what a plan costs."""

    strategies: Annotated[
        tuple[StrategyBody, ...], MinLen(1), MaxLen(50), Doc("The first whose conditions hold decides.")
    ]
    services: Annotated[
        Mapping[Text, ServiceBody], MinLen(1), MaxLen(50), Doc("By name; `*` is every other one.")
    ]
    costs: Annotated[
        Mapping[Text, CostSettings],
        MinLen(1),
        MaxLen(10),
        Doc("By kind of location, for those that have none of their own; `*` is every other one."),
    ]
    properties: Annotated[
        Mapping[Text, Capability],
        MaxLen(50),
        Doc("What a line with a property of a name needs of a location."),
    ] = field(default_factory=dict)
    rejections: Annotated[
        tuple[RejectionRuleBody, ...], MinLen(1), MaxLen(50), Doc("The first that fits a reason acts.")
    ] = _REJECTIONS
    attempts: Annotated[
        int, Ge(1), Le(20), Doc("Locations that may say no to a line before a person finds it a source.")
    ] = 3
    reoptimise: Annotated[
        bool, Doc("Whether orders that wait for their release are planned again, together.")
    ] = False


@frozen
class ActivationBody(Closed):
    """The version that is to rule; 0 is the one that is built in."""

    version: Annotated[int, Ge(0), Le(999_999)]


class ProfileDocument(TypedDict):
    """A version of the sourcing profile."""

    version: int
    profile: ProfileBody


def _profiles(call: Call[None, None]) -> Answer[Page[ProfileDocument]]:
    return Answer({"items": [_profile(kept) for kept in list_profiles(process.table())], "next": None})


def _show_profile(call: Call[None, None]) -> Answer[ProfileDocument]:
    return Answer(_profile(find_profile(process.table(), _version(call.path["version"]))))


def _write_profile(call: Call[None, ProfileBody]) -> Answer[ProfileDocument]:
    number = _version(call.path["version"])
    if not number:
        raise Problem(Code.FIELD_INVALID, "version 0 is built in; begin with 1", "version")
    profile = Profile.of(asdict(call.body), number)
    return Answer(_profile(write_profile(process.table(), profile)))


def _active(call: Call[None, None]) -> Answer[ProfileDocument]:
    profile, v = active_profile(process.table())
    return Answer(_profile(profile), v)


def _activate(call: Call[None, ActivationBody]) -> Answer[ProfileDocument]:
    profile, v = activate_profile(process.table(), call.body.version, call.expected)
    return Answer(_profile(profile), v)


def _version(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise Problem(Code.FIELD_INVALID, "a version is a number from 0 to 999999", "version")
    return int(text)


def _profile(profile: Profile) -> ProfileDocument:
    return {"version": profile.v, "profile": cast(ProfileBody, profile.document())}


ROUTES = (
    Route(
        "GET",
        "/orders/{order_id}/sourcing",
        Scope.ORDERS_READ,
        "Show why an order's units come from where they come from",
        _of_order,
        OrderSourcingDocument,
        query=SourcingQuery,
        problems=(Code.NOT_FOUND, Code.CURSOR_INVALID),
        description="Every step since it was placed, the latest first, with the decisions behind it, and "
        "what other plans would cost, with the stock of now, as if the order had not taken its units.",
        versioned=True,
    ),
    Route(
        "POST",
        "/sourcing/preview",
        Scope.SOURCING_READ,
        "Show what would be decided for a basket or an order",
        _preview,
        PreviewDocument,
        body=PreviewBody,
        problems=(Code.NOT_FOUND, Code.CHANNEL_UNKNOWN),
        description="Nothing is reserved. By the active profile, or by any version of it.",
    ),
    Route(
        "POST",
        "/promises",
        Scope.AVAILABILITY_READ,
        "Tell when a basket can be there, by service",
        _promises,
        PromisesDocument,
        body=BasketBody,
        problems=(Code.CHANNEL_UNKNOWN,),
        description="For product page and cart. What is not in stock is promised from supply on its way.",
    ),
    Route(
        "GET",
        "/pickup-points",
        Scope.AVAILABILITY_READ,
        "List the stores where a basket can be picked up",
        _pickup_points,
        Page[PickupPointDocument],
        query=PickupQuery,
        problems=(Code.CHANNEL_UNKNOWN,),
        description="Those that have all of it, or can be sent it; the nearest first.",
    ),
    Route(
        "GET",
        "/sourcing/profiles",
        Scope.CONFIGURATION_READ,
        "List every version of the sourcing profile",
        _profiles,
        Page[ProfileDocument],
    ),
    Route(
        "GET",
        "/sourcing/profiles/{version}",
        Scope.CONFIGURATION_READ,
        "Show a version of the sourcing profile",
        _show_profile,
        ProfileDocument,
        problems=(Code.NOT_FOUND,),
    ),
    Route(
        "PUT",
        "/sourcing/profiles/{version}",
        Scope.CONFIGURATION_WRITE,
        "Write a version of the sourcing profile",
        _write_profile,
        ProfileDocument,
        body=ProfileBody,
        problems=(Code.CONFLICT,),
        description="A version never changes; it rules when it has been activated.",
    ),
    Route(
        "GET",
        "/sourcing/profile",
        Scope.CONFIGURATION_READ,
        "Show the active version of the sourcing profile",
        _active,
        ProfileDocument,
        versioned=True,
    ),
    Route(
        "PUT",
        "/sourcing/profile",
        Scope.CONFIGURATION_WRITE,
        "Activate a version of the sourcing profile",
        _activate,
        ProfileDocument,
        body=ActivationBody,
        problems=(Code.NOT_FOUND, Code.VERSION_MISMATCH),
        description="A new one, or an older one to roll back. Functions read it within 30 seconds.",
        versioned=True,
    ),
)
