"""Loads in the store: what locations were given for a day, counted by the stream, read with the network."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from oms.inventory.network import Location, Network
from oms.sourcing.load import Load, day_of
from oms.store import keys
from oms.store.attributes import millis
from oms.store.table import Table
from oms.store.writes import Write, create
from oms.values import replace

KEPT = timedelta(days=14)
"""How long what was given for a day is kept; DynamoDB removes it some time after."""


def count_work(location: str, day: str, work: str, units: int, at: datetime) -> tuple[Write, Write]:
    """Count work of a location for a day; the first write fails when it has been counted.

    Args:
        location: whose.
        day: for which, ISO 8601.
        work: public id of the fulfillment order.
        units: in it.
        at: when it was released, UTC.
    """
    ends = millis(at + KEPT) // 1000
    counted = create(keys.counted(location, day, work), {"t": "counted", "sv": 1, "ttl": ends})
    total = Write(
        "Update",
        keys.load(location, day),
        update="ADD #orders :one, #units :units SET #t = :t, #sv = :sv, #ttl = :ttl",
        values={"one": 1, "units": units, "t": "load", "sv": 1, "ttl": ends},
    )
    return counted, total


def read_loads(
    table: Table, wanted: Iterable[tuple[str, str]], *, consistent: bool = False
) -> dict[tuple[str, str], Load]:
    """What locations were given for days, by both; nothing is a load too."""
    names = {keys.load(location, day): (location, day) for location, day in wanted}
    loads = dict.fromkeys(names.values(), Load())
    for item in table.get_many(names, consistent=consistent) if names else ():
        stored = cast(dict[str, Any], item)
        loads[names[keys.Key(stored["PK"], stored["SK"])]] = Load(stored["orders"], stored["units"])
    return loads


def loaded(table: Table, network: Network, now: datetime) -> Network:
    """A network with what its locations were given for this working day and the next.

    Args:
        table: the store; it is only asked for locations that have a capacity.
        network: as configured.
        now: UTC.
    """
    days = {location.id: _days(location, now) for location in network.locations.values() if location.capacity}
    loads = read_loads(table, ((name, day) for name, both in days.items() for day in both))
    limited = {
        name: replace(network.locations[name], loads={day: loads[name, day] for day in both})
        for name, both in days.items()
    }
    return replace(network, locations=_with(network.locations, limited)) if limited else network


def _with(locations: Mapping[str, Location], changed: Mapping[str, Location]) -> dict[str, Location]:
    return {name: changed.get(name, location) for name, location in locations.items()}


def _days(location: Location, now: datetime) -> tuple[str, ...]:
    """The days that orders may count as of now, before a cut-off and after it."""
    calendar = replace(location.calendar, cutoffs={})
    return tuple(day_of(calendar, None, now + timedelta(days=later)) for later in (0, 1))
