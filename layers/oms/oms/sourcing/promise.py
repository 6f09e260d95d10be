"""The promise: on which day the lines of a delivery reach the customer."""

from collections.abc import Mapping
from datetime import date, datetime

from oms.inventory.model import Stock
from oms.inventory.network import Location
from oms.sourcing.calendar import arrives, hands_over, order_by
from oms.sourcing.candidates import Question, destination, point_of
from oms.sourcing.choose import Decision
from oms.sourcing.places import Place, distance_km
from oms.sourcing.profile import Profile
from oms.values import frozen


@frozen
class Promise:
    """What the customer may be told.

    Attributes:
        arrives: the day on which everything is there; None when nobody knows for some of it.
        order_by: until when that holds, UTC; None when nothing comes from stock.
        lines: the day by line, None where nobody knows.
    """

    arrives: date | None
    order_by: datetime | None
    lines: Mapping[str, date | None]


def promise(
    question: Question,
    decision: Decision,
    locations: Mapping[str, Location],
    stocks: Mapping[str, Stock],
    profile: Profile,
) -> Promise:
    """The promise that a plan allows: from the locations that ship, else from supply that is on its way.

    Args:
        question: the delivery.
        decision: the plan.
        locations: of the pool, by id.
        stocks: by sku, with the supply that is expected.
        profile: the rules that the plan was made by.
    """
    judged = {candidate.location.id: candidate for candidate in decision.candidates}
    place = destination(question, locations)
    days: dict[str, date | None] = {}
    for line in question.lines:
        sources = [one.location for one in decision.assignments if one.line_id == line.line_id]
        days[line.line_id] = max((judged[name].arrives for name in sources), default=None)
        missing = decision.missing.get(line.line_id, 0)
        if missing:
            late = _supplied(question, stocks[line.sku], missing, locations, place, profile)
            days[line.line_id] = max(late, days[line.line_id] or late) if late else None
    known = [day for day in days.values() if day is not None]
    ends = [order_by(locations[name].calendar, question.service, question.at) for name in decision.used]
    return Promise(max(known) if known and len(known) == len(days) else None, min(ends, default=None), days)


def _supplied(
    question: Question,
    stock: Stock,
    units: int,
    locations: Mapping[str, Location],
    place: Place | None,
    profile: Profile,
) -> date | None:
    """The day on which units arrive that come in first; None when not enough is expected.

    Those who wait already are served before: what they need is not promised again.
    """
    service = profile.service(question.service)
    wanted = units + sum(demand.waiting for demand in stock.demands)
    for supply in sorted(stock.supplies, key=lambda supply: supply.due):
        location = locations.get(supply.location)
        if location is None or not location.active:
            continue
        wanted -= supply.promisable
        if wanted <= 0:
            left = hands_over(location.calendar, question.service, max(supply.due, question.at))
            if location.id == question.store:
                return left
            km = round(distance_km(point_of(location), place.point)) if place else None
            return arrives(left, service.transit_days(km), service.days)
    return None
