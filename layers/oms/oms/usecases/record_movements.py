"""Record movements: what the writes of positions were, from the table's stream."""

from collections.abc import Sequence

from oms.inventory.movements import Movement
from oms.store import keys
from oms.store.attributes import decode
from oms.store.movements import keep_movements, movement_of
from oms.store.table import Table
from oms.usecases.relay_changes import Change, Failure
from oms.values import frozen


@frozen
class Recorded:
    """The movements that are kept, in the order of their writes, and the failure if any."""

    movements: tuple[Movement, ...]
    failure: Failure | None


def record_movements(table: Table, changes: Sequence[Change]) -> Recorded:
    """Keep the movement of every write of a position, up to the first that fails.

    To record a change again is harmless: the same movement is put under the same key. Changes of anything
    else are passed over.

    Args:
        table: the store.
        changes: records of the stream.
    """
    movements: dict[int, Movement] = {}
    failure = None
    for position, change in enumerate(changes):
        try:
            movement = _movement(change)
        except Exception as error:  # whatever is wrong with it, those before it are recorded
            failure = Failure(position, error)
            break
        if movement:
            movements[position] = movement
    try:
        keep_movements(table, movements.values())
    except Exception as error:  # some may be there; to put them again is harmless
        return Recorded((), Failure(min(movements), error))
    return Recorded(tuple(movements.values()), failure)


def _movement(change: Change) -> Movement | None:
    images = change["dynamodb"]
    if not images["Keys"]["SK"]["S"].startswith(keys.POSITION) or "NewImage" not in images:
        return None
    old = decode(images["OldImage"]) if "OldImage" in images else None
    return movement_of(old, decode(images["NewImage"]))
