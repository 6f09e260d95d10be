"""Erase what an order keeps of a person, once nothing is left to be shipped."""

from datetime import datetime, timedelta
from enum import StrEnum

from oms.fulfillment.model import FulfillmentOrder
from oms.orders.privacy import ERASED, country_of, erased, held, still_needed, without_customer
from oms.store import keys, queries
from oms.store.fulfillment import encode_fulfillment_order
from oms.store.orders import encode_body, encode_order
from oms.store.table import Table
from oms.store.writes import Write, put, replace
from oms.usecases.races import settle
from oms.values import replace as changed

LOOK_AGAIN = timedelta(days=3)
"""How long an order that is still to be shipped is left alone."""


class Erased(StrEnum):
    """What became of a wish to erase an order: done, put off, or nothing to do."""

    ERASED = "erased"
    POSTPONED = "postponed"
    NOTHING = "nothing"


def erase_order(table: Table, name: str, now: datetime) -> Erased:
    """Remove names, addresses, notes and what lines say of a customer; money, units and events stay.

    An order of which something has yet to be shipped needs its address: it is put off, and looked at again
    every three days.

    Write units: 4 for header and body, 2 for each fulfillment order.

    Args:
        table: the store.
        name: id of the order.
        now: UTC.

    Raises:
        Busy: the order kept changing; hand the message back to its queue.
    """
    return settle(lambda: _erase(table, name, now), f"erasing order {name}")


def _erase(table: Table, name: str, now: datetime) -> Erased:
    found = queries.order_with_body(table, name)
    if found is None:
        return Erased.NOTHING
    order, body = found
    works = [work for work in queries.fulfillment_orders(table, name) if _names_somebody(work)]
    if not (held(order, body) or works or order.erase_at):
        return Erased.NOTHING
    if still_needed(order):
        if order.erase_at is None or order.erase_at <= now:
            later = changed(order, erase_at=now + LOOK_AGAIN)
            later = later.written(now, "erasure_postponed")
            table.commit(replace(keys.header(name), encode_order(later), order.v))
        return Erased.POSTPONED
    after = without_customer(order, now)
    writes: list[Write] = [
        replace(keys.header(name), encode_order(after), order.v),
        put(keys.body(name), encode_body(after, erased(body))),
    ]
    for work in works:
        anonymous = changed(work, ship_to=country_of(work.ship_to)).written(now, ERASED)
        key = keys.fulfillment_order(name, work.id)
        writes.append(replace(key, encode_fulfillment_order(anonymous), work.v))
    table.commit(*writes)
    return Erased.ERASED


def _names_somebody(work: FulfillmentOrder) -> bool:
    return work.ship_to != country_of(work.ship_to)
