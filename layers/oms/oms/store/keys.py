"""Key formats of the single table and its two indexes; nowhere else is a key put together.

GSI1 is the work queue (`W#` by stage and shard, `N#` by location and state, `B#` by sku), sorted by due time.
GSI2 is the look-up (orders by customer or day, shipments by tracking number, returns by number, positions by
location).
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple


class Key(NamedTuple):
    """Partition and sort key of an item."""

    pk: str
    sk: str


ORDER = "O#"
SKU = "SKU#"
HEADER_SK = "O"
BODY_SK = "B"
FULFILLMENT_ORDER = "F#"
SHIPMENT = "S#"
RETURN = "R#"
REFUND = "M#"
PAYMENT = "Y#"
BACKORDER = "W#"
TOLD = "C#"
"""What an order's channel has said of a fulfillment of its own."""
DECISION = "D#"
"""Under an order; under a sku the same letter is a pool's demand."""
POSITION = "P#"
DEMAND = "D#"
SUPPLY = "I#"
RESERVED = "R#"
"""Beside the positions of a sku; under an order the same letter is a return."""
RESERVATION = "H#"
RESERVATION_SK = "H"
META_SK = "META"
MOVEMENT = "MV#"
LISTING = "LST#"
LISTING_SK = "L"
POLL = "POLL#"
POINTER = "L#"
TRANSFER = "TR#"
LOAD = "LOAD#"
PRIVACY = "PRV#"
TOKEN = "TOK#"
INBOX = "I#"
TOKENS = "TOKENS"
"""GSI2 partition of the API tokens."""


@lru_cache(maxsize=16)  # what is written or looked for together has one time
def iso(moment: datetime) -> str:
    """UTC, ISO 8601 with milliseconds and Z: fixed width, so that it sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def order(order_id: str) -> str:
    """Partition of an order and everything that belongs to it."""
    return f"{ORDER}{order_id}"


def header(order_id: str) -> Key:
    """The order's header."""
    return Key(order(order_id), HEADER_SK)


def body(order_id: str) -> Key:
    """The order's body."""
    return Key(order(order_id), BODY_SK)


def fulfillment_order(order_id: str, name: str) -> Key:
    """A fulfillment order by its id within the order."""
    return Key(order(order_id), f"{FULFILLMENT_ORDER}{name}")


def shipment(order_id: str, name: str) -> Key:
    """A shipment by its id within the order."""
    return Key(order(order_id), f"{SHIPMENT}{name}")


def return_(order_id: str, name: str) -> Key:
    """A return by its id within the order."""
    return Key(order(order_id), f"{RETURN}{name}")


def refund(order_id: str, name: str) -> Key:
    """A refund by its id within the order."""
    return Key(order(order_id), f"{REFUND}{name}")


def payment(order_id: str, name: str) -> Key:
    """A payment by its provider's id."""
    return Key(order(order_id), f"{PAYMENT}{name}")


def told(order_id: str, name: str) -> Key:
    """What an order's channel has said of a fulfillment, by the channel's id of it."""
    return Key(order(order_id), f"{TOLD}{name}")


def backorder(order_id: str, sku: str) -> Key:
    """The units of a sku that an order waits for."""
    return Key(order(order_id), f"{BACKORDER}{sku}")


def decision(order_id: str, v: int) -> Key:
    """The decisions that made a version of an order after it was placed; versions sort as numbers do."""
    return Key(order(order_id), f"{DECISION}{v:06d}")


def sku(name: str) -> str:
    """Partition of a sku: catalogue entry, positions, demand, incoming supply."""
    return f"{SKU}{name}"


def sku_meta(name: str) -> Key:
    """Catalogue entry of a sku."""
    return Key(sku(name), META_SK)


def position(name: str, location: str) -> Key:
    """Position of a sku at a location."""
    return Key(sku(name), f"{POSITION}{location}")


def demand(name: str, pool: str) -> Key:
    """Demand of a pool on a sku."""
    return Key(sku(name), f"{DEMAND}{pool}")


def movements(name: str, location: str) -> str:
    """Partition of the movements of a position; no location's id has a `#`."""
    return f"{MOVEMENT}{name}#{location}"


def movement(name: str, location: str, v: int) -> Key:
    """The movement that made a version of a position; versions sort as numbers do."""
    return Key(movements(name, location), f"{v:012d}")


def listing(channel: str, item_id: str) -> Key:
    """What a channel sells under an id of its own; no channel's id has a `#`."""
    return Key(f"{LISTING}{channel}#{item_id}", LISTING_SK)


def listing_told(channel: str, item_id: str, aspect: str) -> Key:
    """What a channel was told last of an aspect of a listing."""
    return Key(listing(channel, item_id).pk, f"T#{aspect}")


def listed(channel: str, listing_id: str) -> Key:
    """The sku that a channel's orders mean by a listing."""
    return Key(listing(channel, listing_id).pk, "N")


def listings(name: str) -> str:
    """GSI2 partition of a sku's listings."""
    return f"{LISTING}{name}"


def poll(channel: str) -> Key:
    """Where the last poll of a channel ended."""
    return Key(f"{POLL}{channel}", "P")


def supply(name: str, supply_id: str) -> Key:
    """Incoming supply of a sku."""
    return Key(sku(name), f"{SUPPLY}{supply_id}")


def reserved(name: str, reservation: str, location: str) -> Key:
    """Units of a sku at a location that a reservation holds."""
    return Key(sku(name), f"{RESERVED}{reservation}#{location}")


def reservation(name: str) -> Key:
    """Header of a reservation."""
    return Key(f"{RESERVATION}{name}", RESERVATION_SK)


def transfer(name: str) -> Key:
    """A transfer by its id."""
    return Key(f"{TRANSFER}{name}", "T")


def configuration(kind: str, name: str) -> Key:
    """One configured thing."""
    return Key(f"CFG#{kind}", name)


def snapshot(kind: str) -> Key:
    """The compiled snapshot of everything configured of a kind."""
    return Key(f"CFG#{kind}#ACTIVE", "ACTIVE")


def profile(version: int) -> Key:
    """A version of the sourcing profile."""
    return configuration("profile", f"{version:06d}")


def pointers(kind: str, name: str) -> str:
    """Partition of everything that a name of a kind points to."""
    return f"{POINTER}{kind}#{name}"


def pointer(kind: str, name: str, target: str) -> Key:
    """One pointer, by the id of what it points to."""
    return Key(pointers(kind, name), target)


def load(location: str, day: str) -> Key:
    """What a location was given for one of its working days (ISO 8601)."""
    return Key(f"{LOAD}{location}#{day}", "T")


def counted(location: str, day: str, work: str) -> Key:
    """That a fulfillment order, by its public id, has been counted for a day."""
    return Key(f"{LOAD}{location}#{day}", f"{FULFILLMENT_ORDER}{work}")


def privacy_requests(channel: str) -> str:
    """Partition of the privacy requests of a channel."""
    return f"{PRIVACY}{channel}"


def privacy_request(channel: str, name: str) -> Key:
    """One of them, by its id."""
    return Key(privacy_requests(channel), name)


def token(digest: str) -> Key:
    """An API token by the hex SHA-256 of its text."""
    return Key(f"{TOKEN}{digest}", "T")


def inbox(source: str, name: str) -> Key:
    """A command by its sender and the sender's own key of it."""
    return Key(f"{INBOX}{source}#{name}", "I")


def work(stage: str, shard: str) -> str:
    """GSI1 partition of orders due in a stage."""
    return f"W#{stage}#{shard}"


def pick_list(location: str, state: str) -> str:
    """GSI1 partition of fulfillment orders at a location in a state."""
    return f"N#{location}#{state}"


def transfers(location: str, state: str) -> str:
    """GSI1 partition of transfers in a state in which a location has to do something about them."""
    return f"N#{location}#transfer.{state}"


def backorders(name: str) -> str:
    """GSI1 partition of everything that waits for a sku."""
    return f"B#{name}"


def customer(key: str) -> str:
    """GSI2 partition of a customer's orders."""
    return f"C#{key}"


def day(moment: datetime) -> str:
    """GSI2 partition of the orders placed on a day (UTC)."""
    return f"DAY#{moment.astimezone(UTC).date().isoformat()}"


def tracking(number: str) -> str:
    """GSI2 partition of a tracking number."""
    return f"T#{number}"


def rma(number: str) -> str:
    """GSI2 partition of a return's number."""
    return f"RMA#{number}"


def location_stock(location: str) -> str:
    """GSI2 partition of the positions at a location."""
    return f"PL#{location}"
