"""Count load: what locations are given for their days, from the table's stream."""

from collections.abc import Sequence

from oms.inventory.network import Network
from oms.sourcing.load import day_of
from oms.store import keys
from oms.store.attributes import decode
from oms.store.errors import Cancelled
from oms.store.fulfillment import decode_fulfillment_order
from oms.store.loads import count_work
from oms.store.table import Table
from oms.usecases.relay_changes import Change, Failure


def count_load(table: Table, network: Network, changes: Sequence[Change]) -> tuple[int, Failure | None]:
    """Count each new fulfillment order of a location that has a capacity, once, for the day of its release.

    Work that is taken back later has had its place in the day.

    Args:
        table: the store.
        network: calendars and capacities.
        changes: records of the stream; all but those of new fulfillment orders are passed over.

    Returns:
        How many were counted now, and the first change that failed, before which all are counted.
    """
    counted = 0
    for position, change in enumerate(changes):
        try:
            counted += _count(table, network, change)
        except Exception as error:  # whatever is wrong with it, those before it are counted
            return counted, Failure(position, error)
    return counted, None


def _count(table: Table, network: Network, change: Change) -> bool:
    images = change["dynamodb"]
    names = {name: key["S"] for name, key in images["Keys"].items()}
    ordered = names["PK"].startswith(keys.ORDER) and names["SK"].startswith(keys.FULFILLMENT_ORDER)
    if not ordered or "OldImage" in images or "NewImage" not in images:
        return False
    work = decode_fulfillment_order(decode(images["NewImage"]))
    location = network.locations.get(work.location)
    if location is None or location.capacity is None:
        return False
    released = work.journal[0].at
    day = day_of(location.calendar, work.service, released)
    units = sum(line.requested for line in work.lines)
    try:
        table.commit(*count_work(location.id, day, work.public_id, units, released))
    except Cancelled:  # it has been counted
        return False
    return True
