"""Small canonical things for tests: a network, a command, stock; every default can be replaced."""

from dataclasses import replace
from datetime import UTC, datetime

from oms.inventory.model import Demand, Position, Sku, Stock
from oms.inventory.network import Channel, Location, LocationKind, Network, Pool
from oms.orders.commands import (
    Address,
    Customer,
    Delivery,
    FulfilledBy,
    Line,
    LineKind,
    Method,
    Payment,
    PaymentState,
    PlaceOrder,
)

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

MADRID = Location(
    "wh-madrid", "Madrid", LocationKind.WAREHOUSE, "retail-es", "ES", 40.4168, -3.7038, connector="wms"
)
LYON = Location("wh-lyon", "Lyon", LocationKind.WAREHOUSE, "retail-fr", "FR", 45.764, 4.8357, connector="wms")
STORE = Location("st-gracia", "Gràcia", LocationKind.STORE, "retail-es", "ES", 41.4036, 2.1586)

CHANNEL = Channel("shop-es", "shopify", "iberia", locations={"905684977": "st-gracia"})


def network(*locations: Location, channel: Channel = CHANNEL) -> Network:
    """One channel that sells from one pool of `locations` (all three when none are given)."""
    chosen = locations or (MADRID, LYON, STORE)
    names = {location.id: location for location in chosen}
    return Network({channel.id: channel}, {channel.pool: Pool(channel.pool, tuple(names))}, names)


def line(
    sku: str | None, quantity: int | str = 1, *, number: int = 1, price: int = 1000, **fields: object
) -> Line:
    """A physical line that we ship, without discount or tax."""
    whole = quantity if isinstance(quantity, int) else 1
    made = Line(
        channel_line_id=f"70{number}",
        kind=LineKind.PHYSICAL,
        fulfilled_by=FulfilledBy.US,
        parent_line_id=None,
        delivery_id="d1",
        sku=sku,
        title=f"Article {sku}",
        quantity=quantity,
        unit_price=price,
        amount=price * whole,
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # fields of Line, by name


def command(*lines: Line, **fields: object) -> PlaceOrder:
    """A paid order of `lines`; its total is what they add up to."""
    total = sum(line.amount - line.discount for line in lines)
    made = PlaceOrder(
        channel="shop-es",
        adapter="shopify",
        channel_order_id="5001",
        channel_version="2026-11-22T09:29:00.000Z",
        order_number="#1001",
        currency="EUR",
        presentment_currency="EUR",
        test=False,
        cancelled=False,
        placed_at=NOW,
        tax_included=True,
        customer=Customer(id="99"),
        billing=None,
        deliveries=(Delivery("d1", Method.SHIP, "standard", Address(country="ES", postal_code="28013")),),
        lines=lines,
        discount=sum(line.discount for line in lines),
        shipping=0,
        fees=(),
        duties=0,
        tip=0,
        tax=sum(line.tax for line in lines),
        total=total,
        payments=(Payment("card", total, PaymentState.CAPTURED),),
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # fields of PlaceOrder, by name


def stock(
    sku: str,
    units: dict[str, int],
    *,
    waiting: int = 0,
    backorder_limit: int | None = 0,
    tracked: bool = True,
    scale: int = 1,
) -> Stock:
    """Stock of a known sku: `units` on hand by location, nothing allocated."""
    return Stock(
        Sku(sku, tracked=tracked, scale=scale),
        tuple(Position(sku, name, on_hand=held, uncommitted=held, v=1) for name, held in units.items()),
        (Demand(sku, "iberia", waiting, backorder_limit),),
    )
