"""Follow stock: everything that follows from changes under a sku and from new work, from the stream."""

from collections.abc import Sequence

from oms.events.publish import Queue
from oms.inventory.network import Network
from oms.store.table import Table
from oms.usecases.count_load import count_load
from oms.usecases.record_movements import record_movements
from oms.usecases.relay_changes import Change, Failure
from oms.usecases.wake_waiting import wake_waiting
from oms.values import frozen


@frozen
class Followed:
    """Movements kept, work counted for its day, positions that lost their last free unit or are short,
    messages sent, the failure.
    """

    movements: int
    loaded: int
    emptied: int
    short: int
    sent: int
    failure: Failure | None


def follow_stock(table: Table, network: Network, sourcing: Queue, changes: Sequence[Change]) -> Followed:
    """Record the movements of changes, count new work, and wake what waits, up to the first failure.

    Args:
        table: the store.
        network: pools and locations.
        sourcing: the queue of `sourcing`.
        changes: records of the stream.
    """
    recorded = record_movements(table, changes)
    stopped = recorded.failure.position if recorded.failure else len(changes)
    loaded, failed = count_load(table, network, changes[:stopped])
    failure = failed or recorded.failure
    stopped = failure.position if failure else len(changes)
    woken = wake_waiting(table, network, sourcing, changes[:stopped])
    emptied = sum(
        movement.before.get("uncommitted", 0) > 0 >= movement.after.get("uncommitted", 0)
        for movement in recorded.movements
    )
    failure = woken.failure or failure
    return Followed(len(recorded.movements), loaded, emptied, woken.short, woken.sent, failure)
