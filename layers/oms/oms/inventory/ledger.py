"""The ledger: what the counters of a position or a demand must be, given what is claimed of them."""

from collections.abc import Mapping
from enum import StrEnum

from oms.inventory.model import Demand, Position
from oms.values import frozen


class Book(StrEnum):
    """Where units are accounted for: at a location's position, or in a pool's demand."""

    POSITION = "location"
    DEMAND = "pool"


@frozen
class Account:
    """The counters of a sku at one place: a location for a position, a pool for a demand."""

    book: Book
    sku: str
    place: str


@frozen
class Finding:
    """Counters that are wrong: as `found`, and as they have to be. `seen` marks the state they were found in.

    The mark is the version of a position (0 when it is missing); a demand has none, so its waiting units are.
    """

    account: Account
    seen: int
    found: Mapping[str, int]
    right: Mapping[str, int]


def audit_position(position: Position, claimed: int, reserved: int = 0) -> Finding | None:
    """What is wrong with a position of which so many units are claimed; None when nothing is.

    allocated = claimed; reserved = the sum of the rows of reservations, expired ones that are still there
    among them; uncommitted = on_hand - blocked - allocated - reserved.
    """
    found = {
        "allocated": position.allocated,
        "reserved": position.reserved,
        "uncommitted": position.uncommitted,
    }
    sellable = position.on_hand - sum(position.blocked.values())
    right = {"allocated": claimed, "reserved": reserved, "uncommitted": sellable - claimed - reserved}
    account = Account(Book.POSITION, position.sku, position.location)
    return None if found == right else Finding(account, position.v, found, right)


def audit_demand(demand: Demand, claimed: int) -> Finding | None:
    """What is wrong with a demand of which orders claim so many waiting units; None when nothing is."""
    if demand.waiting == claimed:
        return None
    account = Account(Book.DEMAND, demand.sku, demand.pool)
    return Finding(account, demand.waiting, {"waiting": demand.waiting}, {"waiting": claimed})
