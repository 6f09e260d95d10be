"""Count stock: set what is on hand at a position to what was found there."""

from datetime import datetime

from oms.inventory.model import CountBasis, Delta, Position
from oms.inventory.network import Network
from oms.store import keys
from oms.store.attributes import millis, moment
from oms.store.movements import OUT_OF_ORDER, movements_back_to
from oms.store.stock import read_position
from oms.store.table import Table
from oms.store.writes import Why, count
from oms.usecases.preconditions import check_past, configured_location
from oms.usecases.races import settle
from oms.values import frozen, replace


@frozen
class Count:
    """What was found. `as_of` is when (UTC); `units` are counted on the location's basis."""

    sku: str
    location: str
    units: int
    as_of: datetime
    reason: str
    actor: str


@frozen
class Counted:
    """The position after a count; `applied` is False when a count at least as late was there already."""

    position: Position
    applied: bool


def count_stock(
    table: Table, network: Network, found: Count, now: datetime, seen: Position | None = None
) -> Counted:
    """Record a count, once: its time is its idempotency key, and an older count changes nothing.

    What happened after it stays booked, however late the count is told: on_hand becomes what was found and
    what has come and gone since. A location that counts net of orders leaves promised units out: those of
    that time are added back. Unknown skus can be counted too: a count is a fact.

    Args:
        table: the store.
        network: names the location's count basis.
        found: the count.
        now: UTC.
        seen: the position as it was read a moment ago; whoever counts many reads them together.

    Raises:
        Problem: the location is not configured, or the count comes from the future.
        Busy: the position kept changing, or the movements since `as_of` are not all there yet; try again.
    """
    location = configured_location(network, found.location)
    check_past(found.as_of, now, "as_of")
    as_of = moment(millis(found.as_of))  # as stored: else a repetition would look later than the first
    why = Why(found.reason, keys.iso(as_of), found.actor, now, as_of)
    known = [seen] if seen else []

    def attempt() -> Counted:
        position = known.pop() if known else read_position(table, found.sku, found.location)
        return _count(table, location.count_basis, found, as_of, why, position)

    return settle(attempt, f"count of {found.sku} at {found.location}")


def _count(
    table: Table, basis: CountBasis, found: Count, as_of: datetime, why: Why, seen: Position
) -> Counted:
    if seen.counted_at is not None and as_of <= seen.counted_at:
        return Counted(seen, applied=False)
    net = basis is CountBasis.NET
    since = _since(table, seen, as_of, net)
    on_hand = found.units + since.on_hand + (seen.allocated - since.allocated if net else 0)
    table.commit(count(seen, on_hand, as_of, why, net=net))
    uncommitted = seen.uncommitted + on_hand - seen.on_hand
    counted = replace(
        seen, on_hand=on_hand, uncommitted=uncommitted, counted_at=as_of, counted_net=net, v=seen.v + 1
    )
    return Counted(counted, applied=True)


def _since(table: Table, seen: Position, as_of: datetime, net: bool) -> Delta:
    """What has happened at a position since a count; its movements are read only when that may be something.

    A fact that was written later but happened before is in the count; one of the same millisecond is not.
    """
    last = seen.moved_at
    if net and seen.written_at:  # what was written before it may be dated later
        last = seen.written_at + OUT_OF_ORDER
    if last is None or last < as_of:
        return Delta()
    later = list(movements_back_to(table, seen, as_of))
    on_hand, allocated = (sum(made.since(as_of, name) for made in later) for name in ("on_hand", "allocated"))
    return Delta(on_hand=on_hand, allocated=allocated)
