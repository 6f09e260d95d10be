"""Settle a replacement: an order goes to its locations when the one that it replaces will not be shipped."""

from datetime import datetime

from oms.inventory.network import Network
from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.orders.replacing import after, cancelled_for, may_still_ship, replaced_by, waits_for_other
from oms.store import keys, queries
from oms.store.orders import encode_order
from oms.store.table import Table
from oms.store.writes import replace
from oms.usecases.cancel_order import cancel_by_channel
from oms.usecases.races import settle
from oms.values import replace as dataclass_replace

_LATEST = 50
"""Orders of a customer among which one is looked for by its number."""


def give_way(table: Table, network: Network, command: PlaceOrder, now: datetime) -> tuple[str | None, bool]:
    """Cancel the order that another is about to take the place of; one that has not come is cancelled then.

    Channels name it by its id. Magento may name it by its number alone: it is looked for among the latest
    orders of the customer, since numbers have no index of their own.

    Args:
        table: the store.
        network: channels, pools and locations.
        command: the other.
        now: UTC.

    Returns:
        Our id of the order that is replaced, if any, and whether it may still be shipped.

    Raises:
        Busy: the order kept changing; hand the command back to its queue.
    """
    cancel = cancelled_for(_named_by_id(table, command))
    if cancel is None:
        return None, False
    done = cancel_by_channel(table, network, cancel, now)
    return order_id(cancel.channel, cancel.channel_order_id), may_still_ship(done.order if done else None)


def _named_by_id(table: Table, command: PlaceOrder) -> PlaceOrder:
    """The order, with the id of the one that it replaces where it has but its number."""
    replaced, customer = replaced_by(command), command.customer.id
    if replaced is None or customer is None or queries.order(table, replaced) is not None:
        return command
    page = queries.orders_of_customer(table, f"{command.channel}#{customer}", queries.Span(_LATEST))
    name = next((known.order_id for known in page.items if known.order_number == command.replaces), None)
    found = queries.order_with_body(table, name) if name else None
    return dataclass_replace(command, replaces=found[1].channel_order_id) if found else command


def settle_replacement(table: Table, name: str, now: datetime) -> Order | None:
    """Look whether an order that replaces another may go to its locations, or has to wait for a person.

    Write units: 2, once.

    Args:
        table: the store.
        name: id of the order.
        now: UTC.

    Returns:
        The order as it is then; None when nothing has changed.

    Raises:
        Problem: there is no such order.
        Busy: the order kept changing; hand the message back to its queue.
    """

    def attempt() -> Order | None:
        order = queries.known_order(table, name)
        if not waits_for_other(order) or order.replaces is None:
            return None
        settled = after(order, queries.order(table, order.replaces), now)
        if settled is order:
            return None
        table.commit(replace(keys.header(name), encode_order(settled), order.v))
        return settled

    return settle(attempt, f"the replacement {name}")
