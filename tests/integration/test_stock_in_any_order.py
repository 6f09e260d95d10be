"""Everything that happens to stock, in any order, repeated at any time, against a small model.

The model knows what stands on the shelves, and nothing of orders; what orders and positions say of each other
is compared after each step. `pytest --hypothesis-profile long` tries many more lives.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.fulfillment.model import FulfillmentOrder
from oms.fulfillment.recall import ANSWERS
from oms.inventory.model import Block, CountBasis, Position, Sku, Stock
from oms.inventory.network import Channel, Network, Pool
from oms.inventory.reservations import Cart, CartLine, Reservation, ReservationState
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict
from oms.orders.model import Order
from oms.problems import Problem
from oms.returns.events import RequestedUnits, ReturnedUnits, ReturnFact, ReturnRequest
from oms.returns.model import Outcome
from oms.store import keys
from oms.store.attributes import Item, decode
from oms.store.fulfillment import decode_fulfillment_order, decode_shipment
from oms.store.orders import decode_order
from oms.store.reservations import decode_reservation, decode_reserved
from oms.store.returns import decode_refund
from oms.store.stock import decode_demand, decode_position, encode_sku, read_stock
from oms.store.table import Table
from oms.store.writes import limit, put
from oms.usecases.cancel_order import cancel_order
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.end_reservations import expire_reservation, release_cart
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.record_return import record_return
from oms.usecases.release_order import release_order
from oms.usecases.reserve_cart import Wish, reserve_cart
from oms.usecases.serve_waiting import serve_waiting
from tests.builders import CHANNEL, LYON, MADRID, NOW, STORE, command, line
from tests.tables import create_table

LOCATIONS = {
    location.id: location
    for location in (MADRID, replace(LYON, safety_stock=1), replace(STORE, count_basis=CountBasis.NET))
}

CHANNELS = {"shop-es": CHANNEL, "shop-fr": Channel("shop-fr", "shopify", "france")}
POOLS = {"iberia": Pool("iberia", tuple(LOCATIONS)), "france": Pool("france", ("wh-lyon", "wh-madrid"))}
NETWORK = Network(CHANNELS, POOLS, LOCATIONS)

LIMITS: dict[tuple[str, str], int | None] = {
    ("A", "iberia"): 2,
    ("A", "france"): 1,
    ("B", "iberia"): None,
    ("B", "france"): 0,
    ("C", "iberia"): 1,
    ("C", "france"): 2,
}
"""How much may be backordered: of A a little, of B anything or nothing."""

CAPS: dict[tuple[str, str], int | None] = {("C", "iberia"): 5, ("C", "france"): None}
"""How much of C may be sold before its first release."""

FIRST_RELEASE = NOW + timedelta(hours=1)

PRICE = 333

SKUS = st.sampled_from("ABC")
CARTS = st.sampled_from(["cart-1", "cart-2"])
PLACES = st.sampled_from(sorted(LOCATIONS))
UNITS = st.integers(1, 4)
AGO = st.integers(0, 30).map(lambda minutes: timedelta(minutes=minutes))
ANY = st.integers(0, 99)
"""Which of the things that there are, counted round."""

BLOCKED = {Outcome.REFURBISH: Block.DAMAGED, Outcome.QUARANTINE: Block.QUALITY_CONTROL}


@dataclass(slots=True)
class Shelf:
    """What the model knows of a position: all that is there, what of it is blocked, when it was counted."""

    on_hand: int = 0
    blocked: Counter[Block] = field(default_factory=Counter)
    counted_at: datetime | None = None
    net: bool = False

    def counted_since(self, occurred_at: datetime) -> bool:
        """Whether a later count has found already what happened then."""
        return self.counted_at is not None and self.counted_at > occurred_at

    def move(self, units: int, occurred_at: datetime) -> None:
        """Units come or go, unless a later count has found that already."""
        if not self.counted_since(occurred_at):
            self.on_hand += units


class Stored:
    """Everything in the table at a moment, by what it is."""

    def __init__(self, table: Table) -> None:
        everything = table.client.scan(TableName=table.name)["Items"]
        self.items: list[Item] = [decode(item) for item in everything]
        self.orders = {str(item["PK"]): decode_order(item) for item in self._of("order")}
        self.positions = [decode_position(item) for item in self._of("position")]
        self.demands = [decode_demand(item) for item in self._of("demand")]
        self.works = [decode_fulfillment_order(item) for item in self._of("fulfillment_order")]
        self.shipments = [decode_shipment(item) for item in self._of("shipment")]
        self.refunds = [decode_refund(item) for item in self._of("refund")]
        self.rows = {
            (str(item["PK"]), str(item["SK"]).removeprefix(keys.BACKORDER)): item["units"]
            for item in self._of("backorder")
        }
        self.claims = [decode_reserved(item) for item in self._of("reserved")]
        self.carts = {cart.id: cart for cart in map(decode_reservation, self._of("reservation"))}

    def _of(self, kind: str) -> list[Item]:
        return [item for item in self.items if item["t"] == kind]


class Shop(RuleBasedStateMachine):
    """One retailer with two channels whose pools overlap; each step is a message from somewhere."""

    table: Table

    def __init__(self) -> None:
        super().__init__()
        self.table.client.delete_table(TableName=self.table.name)
        create_table(self.table.client, self.table.name)
        self.now = NOW
        self.stored = Stored(self.table)
        self.nothing_new = False
        self.shelves: dict[tuple[str, str], Shelf] = {}
        self.sent: list[Callable[[], object]] = []
        self.returned: list[tuple[str, str]] = []  # order id and reference
        self.placed: list[str] = []
        self.came_back: dict[tuple[str, str, str], Counter[str]] = {}

    @initialize(held=st.tuples(*[st.integers(0, 6)] * 9))
    def open(self, held: tuple[int, ...]) -> None:
        self.stored = Stored(self.table)
        places = [(sku, location) for sku in "ABC" for location in LOCATIONS]
        for sku, at in (("A", None), ("B", None), ("C", FIRST_RELEASE)):
            self.table.commit(put(keys.sku_meta(sku), encode_sku(Sku(sku, first_release_at=at))))
        for (sku, pool), most in LIMITS.items():
            self.table.commit(limit(sku, pool, most, CAPS.get((sku, pool), 0)))
        for (sku, location), units in zip(places, held, strict=True):
            self._count(sku, location, units, timedelta(hours=1))

    @rule(
        channel=st.sampled_from(sorted(CHANNELS)),
        wanted=st.lists(st.tuples(st.sampled_from("ABBCX"), UNITS, ANY), min_size=1, max_size=4),
        at_once=st.booleans(),
        cart=st.none() | CARTS,
    )
    def place(
        self, channel: str, wanted: list[tuple[str, int, int]], at_once: bool, cart: str | None
    ) -> None:
        """An order arrives; it gets all that its pool has to give, and nothing that others wait for.

        What its own cart holds comes before that, unless the cart has expired or is of another channel.
        """
        number = str(len(self.placed))
        lines = (
            line(sku, units, number=index, price=PRICE, discount=discount)
            for index, (sku, units, discount) in enumerate(wanted, 1)
        )
        order = command(
            *lines, channel=channel, channel_order_id=number, placed_at=self.now, reservation=cart
        )
        held = self.stored.carts.get(cart or "")
        own = held is not None and held.cart.channel == channel and self._holds(held)
        stocks = read_stock(self.table, "ABC", consistent=True)
        result = place_order(self.table, NETWORK, order, self.now)
        assert result.verdict is Verdict.PLACED
        self.placed.append(order_id(channel, number))
        self.sent.append(lambda: place_order(self.table, NETWORK, order, self.now))
        for sku in {sku for sku, _, _ in wanted} - {"X"}:
            units = sum(units for name, units, _ in wanted if name == sku)
            own_cart = cart if own else None
            self._judge(result.order, stocks[sku], units, CHANNELS[channel].pool, own_cart)
        if at_once:
            self._release(result.order.order_id)

    def _judge(self, order: Order, before: Stock, units: int, pool: str, cart: str | None) -> None:
        """Whether an order got of a sku what it should have, given the stock before it."""
        waiting = sum(demand.waiting for demand in before.demands)
        free = held_for_it = 0
        for held in before.positions:
            rows = [row for row in before.reserved if row.location == held.location]
            left = held.uncommitted + sum(row.units for row in rows if row.expires_at <= self.now)
            if held.location in POOLS[pool].locations:
                free += max(0, left - LOCATIONS[held.location].safety_stock)
                claimed = sum(row.units for row in rows if row.reservation == cart)
                held_for_it += max(0, claimed + min(0, left))
        own = sum(demand.waiting for demand in before.demands if demand.pool == pool)
        sku = before.demands[0].sku
        released = sku != "C" or self.now >= FIRST_RELEASE
        most = (LIMITS if released else CAPS)[sku, pool]
        lines = [line for line in order.lines if line.sku == sku]
        allocated = sum(line.allocated for line in lines)
        backordered = sum(line.backordered for line in lines)
        most_now = held_for_it + max(0, free - waiting)
        assert allocated == (min(units, most_now) if released else 0)
        rest = units - allocated
        assert backordered == (rest if most is None else min(rest, max(0, most - own)))
        assert sum(line.open for line in lines) == rest - backordered

    @rule(minutes=st.sampled_from([20, 60]))
    def wait(self, minutes: int) -> None:
        """Time passes."""
        self.now += timedelta(minutes=minutes)

    @rule(sku=SKUS)
    def serve(self, sku: str) -> None:
        """Whatever is there goes to those who wait, the oldest first; only a first release is waited for."""
        before = self._waiting(sku)
        released = sku != "C" or self.now >= FIRST_RELEASE
        self._work_off(lambda: serve_waiting(self.table, NETWORK, sku, self.now))
        self.stored = Stored(self.table)
        after = self._waiting(sku)
        free = {
            held.location
            for held in self.stored.positions
            if held.sku == sku and held.uncommitted > LOCATIONS[held.location].safety_stock
        }
        for pool, kept in POOLS.items():
            waited = {key: units for key, units in before.items() if key[2] == pool}
            served = [key[0] for key, units in waited.items() if units > after[key]]
            left = [key[0] for key in waited if after[key]]
            assert released or not served
            assert not left or not released or not free.intersection(kept.locations)
            assert not left or not served or max(served) <= min(left)

    def _waiting(self, sku: str) -> Counter[tuple[datetime, str, str]]:
        """Units of a sku that wait, by the time of their order, its id and its pool."""
        waiting: Counter[tuple[datetime, str, str]] = Counter()
        for order in self.stored.orders.values():
            for ordered in order.lines:
                if ordered.sku == sku:
                    units = ordered.open + ordered.backordered
                    waiting[order.placed_at, order.order_id, str(order.pool)] += units
        return waiting

    @rule(
        name=CARTS,
        channel=st.sampled_from(sorted(CHANNELS)),
        wanted=st.dictionaries(SKUS, UNITS, min_size=1),
        minutes=st.integers(1, 6),
        partial=st.booleans(),
    )
    def hold(self, name: str, channel: str, wanted: dict[str, int], minutes: int, partial: bool) -> None:
        """A cart holds units, or others than before, or for longer; anew if it was over. Or it is refused."""
        cart = Cart(channel, tuple(CartLine(sku, units) for sku, units in sorted(wanted.items())))
        wish = Wish(cart, self.now + timedelta(minutes=minutes), partial)
        try:
            made = reserve_cart(self.table, NETWORK, name, wish, self.now)
        except Problem:
            self.nothing_new = True
            return
        for sku, units in wanted.items():
            held = sum(number for (of, _), number in made.held.items() if of == sku)
            assert held <= units if partial else held == units
        assert reserve_cart(self.table, NETWORK, name, wish, self.now).v == made.v
        self.now += timedelta(minutes=1)

    @precondition(lambda self: self.stored.carts)
    @rule(name=CARTS)
    def let_go(self, name: str) -> None:
        """A buyer empties his cart."""
        try:
            release_cart(self.table, NETWORK, name, self.now)
        except Problem:
            self.nothing_new = True

    @precondition(lambda self: self.stored.carts)
    @rule(name=CARTS)
    def sweep(self, name: str) -> None:
        """The clock comes by; what still holds its units, or has ended, is none of its business."""
        cart = self.stored.carts.get(name)
        over = cart is not None and cart.state is ReservationState.HELD and not self._holds(cart)
        assert expire_reservation(self.table, NETWORK, name, self.now) == over
        self.nothing_new = not over

    def _holds(self, cart: Reservation) -> bool:
        return cart.state is ReservationState.HELD and self.now < cart.expires_at

    @precondition(lambda self: self.placed)
    @rule(which=ANY)
    def release(self, which: int) -> None:
        self._release(self.placed[which % len(self.placed)])

    def _release(self, name: str) -> None:
        self._work_off(lambda: release_order(self.table, NETWORK, name, self.now))

    @precondition(lambda self: self.stored.works)
    @rule(which=ANY, kind=st.sampled_from([FactKind.ACCEPTED, FactKind.PICKING, FactKind.PACKED]))
    def advance(self, which: int, kind: FactKind) -> None:
        work = self._work(which)
        fact = FulfillmentFact("m", kind, self.now, work.order_id, work.id)
        self._send(lambda: record_fulfillment(self.table, fact, self.now))

    @precondition(lambda self: self.stored.works)
    @rule(
        which=ANY,
        kind=st.sampled_from([FactKind.SHIPPED, FactKind.DELIVERED]),
        packed=st.lists(st.tuples(ANY, UNITS), min_size=1, max_size=3),
        ago=AGO,
    )
    def ship(self, which: int, kind: FactKind, packed: list[tuple[int, int]], ago: timedelta) -> None:
        """A parcel leaves, perhaps with more than was asked for, perhaps known by its delivery alone."""
        work = self._work(which)
        contents = [(work.lines[number % len(work.lines)], units) for number, units in packed]
        lines = tuple(PackedUnits(asked.line_id, units) for asked, units in contents)
        package = Package(f"p{len(self.sent)}", lines=lines)
        fact = FulfillmentFact("m", kind, self.now - ago, work.order_id, work.id, (package,))
        promised = {asked.sku: self._position(asked.sku, work.location).allocated for asked, _ in contents}
        for asked, units in contents:
            self._shelf(asked.sku, work.location).move(-units, fact.occurred_at)
        self._send(lambda: record_fulfillment(self.table, fact, self.now))
        for sku, before in promised.items():
            shelf = self._shelf(sku, work.location)
            if shelf.net and shelf.counted_since(fact.occurred_at):  # it took them for promised and there
                shelf.on_hand -= before - self._position(sku, work.location).allocated

    @precondition(lambda self: self.stored.shipments)
    @rule(which=ANY, ago=AGO)
    def deliver(self, which: int, ago: timedelta) -> None:
        parcel = self.stored.shipments[which % len(self.stored.shipments)]
        package = Package(parcel.id.removeprefix(f"{parcel.fulfillment_order}."))
        at, kind = self.now - ago, FactKind.DELIVERED
        fact = FulfillmentFact("m", kind, at, parcel.order_id, parcel.fulfillment_order, (package,))
        self._send(lambda: record_fulfillment(self.table, fact, self.now))

    @precondition(lambda self: self.placed)
    @rule(which=ANY, line_number=ANY, units=st.none() | UNITS, by_channel=st.booleans())
    def cancel(self, which: int, line_number: int, units: int | None, by_channel: bool) -> None:
        """A person cancels an order or units of a line, or its channel, which is never refused."""
        name = self.placed[which % len(self.placed)]
        lines = self.stored.orders[keys.order(name)].lines
        some = None if units is None else {lines[line_number % len(lines)].line_id: units}
        version = f"2027-{len(self.sent):04d}" if by_channel else None
        wish = CancelRequest(CancelReason.CUSTOMER, some, version)
        done = self._send(lambda: cancel_order(self.table, NETWORK, name, wish, self.now))
        assert done or not by_channel
        if done and not by_channel:
            self.sent.pop()  # a person's request is known again by its key alone, in the inbox of the API

    @precondition(lambda self: self.stored.works)
    @rule(which=ANY, units=st.none() | UNITS, kind=st.sampled_from(ANSWERS))
    def answer(self, which: int, units: int | None, kind: FactKind) -> None:
        """A location gives up what it was asked for, or a part of it, or nothing."""
        work = self._work(which)
        given = (PackedUnits(work.lines[0].line_id, units),) if units and kind is FactKind.CANCELLED else ()
        fact = FulfillmentFact(f"m{len(self.sent)}", kind, self.now, work.order_id, work.id, lines=given)
        self._send(lambda: record_fulfillment(self.table, fact, self.now))

    @rule(sku=SKUS, location=PLACES, units=st.integers(0, 6), ago=AGO)
    def count(self, sku: str, location: str, units: int, ago: timedelta) -> None:
        """Somebody counts and tells at once (`test_late_facts` has who tells later).

        A count that is older than the last changes nothing.
        """
        self.now += timedelta(minutes=1)  # what happens in the same millisecond would not be in it
        counted_at = self._shelf(sku, location).counted_at
        old = counted_at is not None and self.now - ago <= counted_at
        self._count(sku, location, units, ago if old else timedelta())

    def _count(self, sku: str, location: str, units: int, ago: timedelta) -> None:
        as_of = self.now - ago
        shelf = self._shelf(sku, location)
        if shelf.counted_at is None or as_of > shelf.counted_at:
            promised = self._position(sku, location).allocated
            net = LOCATIONS[location].count_basis is CountBasis.NET
            shelf.on_hand = units + (promised if net else 0)
            shelf.counted_at = as_of
            shelf.net = net
        found = Count(sku, location, units, as_of, "count", "test")
        self._send(lambda: count_stock(self.table, NETWORK, found, self.now))

    @precondition(lambda self: self.stored.shipments)
    @rule(which=ANY, line_number=ANY, units=UNITS)
    def announce(self, which: int, line_number: int, units: int) -> None:
        """A customer wants to send units back; more than were shipped are refused."""
        order = self.stored.orders[keys.order(self.placed[which % len(self.placed)])]
        asked = RequestedUnits(order.lines[line_number % len(order.lines)].line_id, units)
        reference = f"r{len(self.returned)}"
        message = ReturnRequest("m", self.now, order.order_id, reference, (asked,))
        if self._send(lambda: record_return(self.table, NETWORK, message, self.now)):
            self.returned.append((order.order_id, reference))

    @precondition(lambda self: self.returned)
    @rule(
        which=ANY,
        line_number=ANY,
        units=UNITS,
        location=PLACES,
        outcome=st.none() | st.sampled_from(Outcome),
        ago=AGO,
    )
    def come_back(
        self, which: int, line_number: int, units: int, location: str, outcome: Outcome | None, ago: timedelta
    ) -> None:
        """Units come in, or are disposed of, those never reported as received included."""
        name, reference = self.returned[which % len(self.returned)]
        lines = self.stored.orders[keys.order(name)].lines
        sent_back = lines[line_number % len(lines)]
        at = self.now - ago
        came = (ReturnedUnits(sent_back.line_id, units, outcome),)
        fact = ReturnFact(f"m{len(self.sent)}", at, name, reference, location, came)
        self._send(lambda: record_return(self.table, NETWORK, fact, self.now))
        shelf = self._shelf(str(sent_back.sku), location)
        known = self.came_back.setdefault((reference, sent_back.line_id, location), Counter())
        # What was disposed of has come in, whether the location reports that before, later or never.
        before = max(known.values(), default=0)
        known["disposed" if outcome else "reported"] += units
        arrived = max(known.values()) - before
        gone = units if outcome else 0
        shelf.blocked[Block.RETURNS] += arrived - gone
        if outcome in BLOCKED:
            shelf.blocked[BLOCKED[outcome]] += gone
        shelf.move(arrived - (gone if outcome is Outcome.SCRAP else 0), at)

    @precondition(lambda self: self.sent)
    @rule(which=ANY)
    def repeat(self, which: int) -> None:
        """A message is delivered again, at any time later: nothing changes."""
        self.sent[which % len(self.sent)]()
        self.nothing_new = True

    @invariant()
    def everything_agrees(self) -> None:
        before, self.stored = self.stored, Stored(self.table)
        assert not self.nothing_new or self.stored.items == before.items
        self.nothing_new = False
        self.positions_hold_what_is_on_the_shelves()
        self.positions_and_orders_agree()
        self.waiting_orders_are_found_by_their_skus()
        self.positions_and_carts_agree()
        self.orders_add_up()

    def positions_hold_what_is_on_the_shelves(self) -> None:
        for held in self.stored.positions:
            shelf = self._shelf(held.sku, held.location)
            assert held.on_hand == shelf.on_hand
            assert {**held.blocked} == {reason: units for reason, units in shelf.blocked.items() if units}
            assert held.counted_at == shelf.counted_at

    def positions_and_orders_agree(self) -> None:
        promised: Counter[tuple[str, str]] = Counter()
        waiting: Counter[tuple[str, str]] = Counter()
        for order in self.stored.orders.values():
            for ordered in order.lines:
                sku = str(ordered.sku)
                for entry in ordered.entries:
                    promised[sku, entry.location] += entry.units
                if sku != "X":
                    waiting[sku, str(order.pool)] += ordered.open + ordered.backordered
        for held in self.stored.positions:
            assert held.allocated == promised.pop((held.sku, held.location), 0)
            blocked = sum(held.blocked.values())
            assert held.uncommitted == held.on_hand - blocked - held.allocated - held.reserved
        assert not promised
        for demand in self.stored.demands:
            assert demand.waiting == waiting.pop((demand.sku, demand.pool), 0)
        assert not +waiting

    def waiting_orders_are_found_by_their_skus(self) -> None:
        found: Counter[tuple[str, str]] = Counter()
        for pk, order in self.stored.orders.items():
            for ordered in order.lines:
                found[pk, str(ordered.sku)] += ordered.open + ordered.backordered
        assert self.stored.rows == +found

    def positions_and_carts_agree(self) -> None:
        held: Counter[tuple[str, str]] = Counter()
        for row in self.stored.claims:
            held[row.sku, row.location] += row.units
            assert row in self.stored.carts[row.reservation].rows()
        for position in self.stored.positions:
            assert position.reserved == held.pop((position.sku, position.location), 0)
        assert not held
        for cart in self.stored.carts.values():
            assert not self._holds(cart) or set(cart.rows()) <= set(self.stored.claims)
            assert cart.state is ReservationState.HELD or not cart.held

    def orders_add_up(self) -> None:
        stored = self.stored
        for order in stored.orders.values():
            refunds = [refund for refund in stored.refunds if refund.order_id == order.order_id]
            assert sum(refund.amount for refund in refunds) <= order.captured
            if all(kept.returned + kept.cancelled == kept.ordered for kept in order.lines):
                assert sum(refund.amount for refund in refunds) == order.captured
            works = [work for work in stored.works if work.order_id == order.order_id]
            for kept in order.lines:
                assert kept.ordered == kept.amount // PRICE
                assert 0 <= kept.delivered <= kept.shipped
                assert 0 <= kept.returned <= kept.shipped
                asked = [one for work in works for one in work.lines if one.line_id == kept.line_id]
                assert sum(one.remaining for one in asked) == kept.in_fulfillment
                assert sum(one.withdrawn for one in asked) <= kept.cancelled
                assert sum(one.shipped for one in asked) == kept.shipped

    def _work_off(self, job: Callable[[], object]) -> None:
        """A job does what is due; later more may be, but done again at once it finds nothing to do."""
        job()
        done = Stored(self.table)
        job()
        assert Stored(self.table).items == done.items
        self.now += timedelta(minutes=1)

    def _send(self, message: Callable[[], object]) -> bool:
        """Deliver a message; a minute passes. False when it is refused, and then nothing has changed."""
        try:
            message()
        except Problem:
            self.nothing_new = True
            return False
        self.sent.append(message)
        self.now += timedelta(minutes=1)
        return True

    def _work(self, which: int) -> FulfillmentOrder:
        return self.stored.works[which % len(self.stored.works)]

    def _shelf(self, sku: str, location: str) -> Shelf:
        return self.shelves.setdefault((sku, location), Shelf())

    def _position(self, sku: str, location: str) -> Position:
        item = self.table.get(keys.position(sku, location))
        return decode_position(item) if item else Position(sku, location)


def test_stock_is_right_whatever_happens_in_whatever_order(table: Table) -> None:
    machine = type("Shop", (Shop,), {"table": table, "TestCase": None})
    examples = settings().max_examples // 20
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=50))
