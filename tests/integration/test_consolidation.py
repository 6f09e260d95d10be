"""Work for several orders of one customer: one id for what may go in one parcel, and nothing else shared."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from oms.events.derive import events
from oms.events.messages import request_of
from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.fulfillment.model import FulfillmentOrder
from oms.inventory.model import Capability
from oms.inventory.network import Network
from oms.orders.commands import Address, Customer, Delivery, Method
from oms.orders.identity import order_id
from oms.sourcing.calendar import Calendar
from oms.store import keys, queries
from oms.store.fulfillment import encode_fulfillment_order
from oms.store.table import Table
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from tests.builders import LYON, MADRID, NOW, command, line, network
from tests.rest import Rest
from tests.shelves import fill, order_of

HOME = Address("Sample Customer", None, "Calle de Ejemplo 1", None, "Madrid", None, "28013", "ES")
SCHEMA = Path(__file__).parents[2] / "events/fulfillment_request.v1.json"


def work(
    table: Table, number: int, *, shop: Network | None = None, hours: int = 0, **fields: Any
) -> FulfillmentOrder:
    """The work of an order of one unit, released some hours later."""
    fill(table, "A", wh_madrid=9)
    name, shop = str(7000 + number), shop or network(MADRID)
    delivery = Delivery("d1", Method.SHIP, "standard", HOME)
    delivery = replace(delivery, **{key: value for key, value in fields.items() if key != "customer"})
    customer = fields.get("customer", Customer(id="99"))
    order = command(line("A"), channel_order_id=name, deliveries=(delivery,), customer=customer)
    place_order(table, shop, order, NOW)
    (made,) = release_order(table, shop, order_id("shop-es", name), NOW + timedelta(hours=hours))
    return made


def test_orders_of_one_customer_to_one_address_may_go_in_one_parcel(table: Table) -> None:
    first, second = work(table, 1), work(table, 2, hours=3)
    assert first.consolidation_id
    assert first.consolidation_id == second.consolidation_id
    assert first.public_id != second.public_id


def test_case_and_blanks_make_no_other_address(table: Table) -> None:
    written = replace(HOME, line1="CALLE  de Ejemplo 1 ", city="MADRID", phone="600 000 000")
    assert work(table, 1).consolidation_id == work(table, 2, ship_to=written).consolidation_id


@pytest.mark.parametrize(
    "other",
    [
        {"customer": Customer(id="98")},
        {"ship_to": replace(HOME, line1="Calle de Ejemplo 2")},
        {"ship_to": replace(HOME, name="Somebody Else")},
        {"service": "express"},
        {"hours": 15},
        {"shop": network(replace(MADRID, calendar=Calendar(cutoffs={"*": "09:00"})))},
    ],
    ids=str,
)
def test_what_differs_goes_by_itself(other: dict[str, Any], table: Table) -> None:
    assert work(table, 1).consolidation_id != work(table, 2, **other).consolidation_id


def test_locations_have_ids_of_their_own(table: Table) -> None:
    from_madrid = work(table, 1)
    fill(table, "A", wh_madrid=0, wh_lyon=9)
    name = order_id("shop-es", "7002")
    delivery = Delivery("d1", Method.SHIP, "standard", HOME)
    order = command(line("A"), channel_order_id="7002", deliveries=(delivery,))
    shop = network(LYON)
    place_order(table, shop, order, NOW)
    (from_lyon,) = release_order(table, shop, name, NOW)
    assert from_madrid.consolidation_id != from_lyon.consolidation_id


@pytest.mark.parametrize(
    "fields",
    [
        {"customer": Customer()},
        {"ship_to": Address(country="ES", postal_code="28013")},
        {"method": Method.PICKUP, "location": "wh-madrid"},
    ],
    ids=str,
)
def test_what_nobody_knows_to_be_of_one_customer_to_one_address_goes_by_itself(
    fields: dict[str, Any], table: Table
) -> None:
    able = replace(MADRID, capabilities=(Capability.SHIP, Capability.PICKUP))
    assert work(table, 1, shop=network(able), **fields).consolidation_id is None


def test_the_location_is_told_and_each_order_is_reported_on_by_itself(table: Table) -> None:
    first, second = work(table, 1), work(table, 2)
    for made in (first, second):
        item = encode_fulfillment_order(made)
        key = keys.fulfillment_order(made.order_id, made.id)
        (event,) = events(None, item | {"PK": key.pk, "SK": key.sk})
        document = request_of(made, event).document
        jsonschema.validate(document, json.loads(SCHEMA.read_text()))
        assert document["consolidation_id"] == first.consolidation_id
    shown = Rest().get(f"/fulfillment-orders/{second.public_id}").document
    assert shown["consolidation_id"] == first.consolidation_id
    parcel = (Package("p1", "correos", "PQ1"),)
    record_fulfillment(
        table, FulfillmentFact("m1", FactKind.SHIPPED, NOW, first.order_id, first.id, parcel), NOW
    )
    assert [order_of(table, each.order_id).lines[0].shipped for each in (first, second)] == [1, 0]
    (kept,) = queries.fulfillment_orders(table, first.order_id)
    assert kept.consolidation_id == first.consolidation_id
