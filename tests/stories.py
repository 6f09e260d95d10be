"""An order that lives through whatever a test tells, and every change that it makes to what is stored."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from oms.fulfillment.elsewhere import news
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.fulfillment.model import FulfillmentOrder, Shipment, ShipmentState
from oms.fulfillment.progress import advance, date, deliver, overtaken, record_deliveries, ship
from oms.fulfillment.recall import answer, recall
from oms.fulfillment.rejection import reject
from oms.fulfillment.release import release
from oms.fulfillment.tracking import track
from oms.inventory import transfers
from oms.inventory.model import Position, Supply, SupplyKind
from oms.inventory.reservations import Cart, CartLine, Reservation
from oms.inventory.shortage import recallable
from oms.inventory.transfers import Transfer
from oms.orders.cancelling import CancelReason, CancelRequest, cancel
from oms.orders.commands import PlaceOrder
from oms.orders.expecting import expect
from oms.orders.holds import RESOLVES, lift
from oms.orders.judgement import judge
from oms.orders.model import POSITION_SHORT, Order, Stage
from oms.orders.moving import MoveRequest, move
from oms.orders.placing import IN_TURN, place
from oms.orders.privacy import erased, still_needed, without_customer
from oms.orders.records import (
    FulfillmentOutcome,
    FulfillmentRecorded,
    Parcel,
    PaymentKind,
    PaymentRecorded,
    RefundRecorded,
    UnitsOfLine,
)
from oms.orders.records import Outcome as Ending
from oms.orders.replacing import REPLACES
from oms.orders.replacing import after as settle_with
from oms.orders.replanning import carry_out, unreleased
from oms.orders.reserving import reserve
from oms.orders.resourcing import give, reopen, resume
from oms.payments.recording import Recorded, with_payment, with_refund
from oms.payments.refunds import Refund
from oms.problems import Problem
from oms.returns.events import RequestedUnits, ReturnedUnits, ReturnFact, ReturnRequest
from oms.returns.intercept import intercept
from oms.returns.model import Outcome, Return
from oms.returns.progress import Change, Known, record, request
from oms.sourcing.backlog import Move
from oms.sourcing.choose import Assignment
from oms.sourcing.instance import Pick
from oms.sourcing.profile import Act
from oms.store import keys
from oms.store.attributes import Item, decode, encode
from oms.store.fulfillment import encode_fulfillment_order, encode_shipment
from oms.store.keys import Key
from oms.store.orders import encode_body, encode_order
from oms.store.reservations import encode_reservation
from oms.store.returns import encode_refund, encode_return
from oms.store.transfers import encode_transfer
from tests.builders import CHANNEL, NOW, command, line, network, stock

STOCKS = {
    "A": stock("A", {"wh-madrid": 9}),
    "B": stock("B", {"st-gracia": 9}),
    "C": stock("C", {}, backorder_limit=1),
}
"""Of A the warehouse has enough, of B only a store, of C nobody."""


class Story:
    """One order of two units of each sku, told step by step.

    Each of `STEPS` may come at any time and any number of times; where it makes no sense it is refused, and
    nothing happens. Time moves on by a minute a step.

    Args:
        skus: what is ordered.
        sent: the order itself, when it has to be another.
    """

    def __init__(self, skus: str = "AB", sent: PlaceOrder | None = None) -> None:
        self.command = sent or command(*(line(sku, 2, number=n) for n, sku in enumerate(skus, 1)))
        self.now = NOW
        placement = place(self.command, CHANNEL, network(), STOCKS, self.now)
        self.order = placement.order
        self.body = placement.body
        self.works: dict[str, FulfillmentOrder] = {}
        self._shipments: dict[str, Shipment] = {}
        self._returns: dict[str, Return] = {}
        self._refunds: dict[str, Refund] = {}
        self.transfer: Transfer | None = None
        self._supplies: dict[str, Supply] = {}
        self.items: dict[Key, Item] = {}
        self.changes: list[tuple[Item | None, Item]] = []
        self._keep(self.order)
        self._write(keys.body(self.order.order_id), encode_body(self.order, self.body))

    def tell(self, *steps: str) -> "Story":
        """Let steps happen, by name."""
        for step in steps:
            self.now += timedelta(minutes=1)
            try:
                STEPS[step](self)
            except Problem:
                continue
        return self

    def send(self, sent: PlaceOrder) -> None:
        """The channel sends the order again."""
        self.command = sent if sent.channel_version > self.command.channel_version else self.command
        judgement = judge(self.order, self.body, sent, STOCKS, self.now)
        self._keep(judgement.order)
        if judgement.body:
            self.body = judgement.body
            self._write(keys.body(self.order.order_id), encode_body(self.order, self.body))
        if judgement.wish:
            self.cancel(judgement.wish)
        if IN_TURN in self.order.holds:
            self._keep(resume(self.order, self.body, CHANNEL, network(), STOCKS, self.now).order)

    def lift(self) -> None:
        """A person has looked, and lifts whatever may be."""
        for hold in RESOLVES:
            self._keep(lift(self.order, hold, self.now))

    def pay(self, kind: PaymentKind, amount: int) -> None:
        """A provider tells of a payment."""
        name = f"{kind}-{self.now:%H%M}"
        paid = PaymentRecorded(
            *("shop-es", "stripe", "5001", name, None, kind, Ending.SUCCESS),
            *(amount, "EUR", "card", False, self.now),
        )
        self._money(with_payment(self.order, {}, self._refunds.values(), paid, self.now))

    def give_back(self, amount: int) -> None:
        """The channel gives money back."""
        name = f"{self.now:%H%M}"
        back = RefundRecorded(
            "shop-es", "shopify", "5001", name, "EUR", amount, (), 0, 0, 0, 0, 0, None, self.now
        )
        self._money(with_refund(self.order, self._refunds, back, self.now))

    def _money(self, recorded: Recorded | None) -> None:
        if recorded:
            self._keep(recorded.order, *recorded.refunds)

    def release(self) -> None:
        """What is allocated becomes work."""
        order, works = release(self.order, self.body, network(), self.now)
        self._keep(order, *works)

    def serve(self, location: str) -> None:
        """One unit of each line that waits is found at a location."""
        lines = (one for one in self.order.lines if one.open + one.backordered)
        found = [Assignment(one.line_id, str(one.sku), location, 1) for one in lines]
        self._keep(give(self.order, found, self.now).order)

    def reopen(self) -> None:
        """One unit of each line that is allocated loses its source."""
        entries = {entry.alloc_id: 1 for one in self.order.lines for entry in one.entries}
        self._keep(reopen(self.order, entries, self.now, "shortage").order)

    def announce(self) -> None:
        """More of what the order waits for is announced, a day later each time."""
        for sku in dict.fromkeys(one.sku for one in self.order.lines if one.sku):
            due = self.now + timedelta(days=1)
            coming = Supply(sku, "po-1", SupplyKind.PURCHASE_ORDER, "wh-madrid", due, expected=99)
            empty = replace(STOCKS[sku], positions=(), supplies=(coming,))
            self._keep(expect(self.order, sku, network(), empty, 0, self.now))

    def move_units(self) -> None:
        """A person lets the first line come from Lyon."""
        allocated = [entry for entry in self.order.lines[0].entries if entry.stage is Stage.ALLOCATED]
        if allocated and allocated[0].location != "wh-lyon":
            wish = MoveRequest("1", allocated[0].location, "wh-lyon")
            plenty = stock(str(self.order.lines[0].sku), {allocated[0].location: 0, "wh-lyon": 100})
            self._keep(move(self.order, wish, network(), {"A": plenty}, self.now).order)

    def replan(self) -> None:
        """It is planned again with others: all that is not released comes from Lyon."""
        plenty = {sku: stock(sku, {"wh-lyon": 100}) for sku in STOCKS}
        those = unreleased([(self.order, self.body)], network(), plenty, self.now)
        for name, before in those.plans.items():
            after = tuple(Pick("wh-lyon", pick.sku, pick.units) for pick in before)
            if after == before:
                continue
            change = carry_out(
                Move({name: before}, {name: after}, 250),
                those,
                {self.order.order_id: self.order},
                plenty,
                network(),
                self.now,
            )
            self._keep(*change.orders)

    def cancel(self, wish: CancelRequest) -> None:
        """Somebody wants units cancelled; locations are asked for those that they have to ship."""
        change = cancel(self.order, self.works, self._refunds.values(), wish, self.now)
        back = None
        if change.refused and change.order is not self.order:
            known = replace(self._known, order=change.order)
            back = intercept(known, f"intercept {wish.channel}", self.now)
        asked = (
            recall(self.works[name], units, str(wish.reason), self.now)
            for name, units in change.asked.items()
        )
        self._keep(back.order if back else change.order, *asked)
        self._keep(*([change.refund] if change.refund else []), *([back.return_] if back else []))

    def ask_back(self) -> None:
        """There are too few: every location is asked to give units of the first line back."""
        for work in tuple(self.works.values()):
            units = recallable(work, str(self.order.lines[0].sku), 9)
            self._keep(*([recall(work, units, POSITION_SHORT, self.now)] if units else []))

    def answer(self, kind: FactKind) -> None:
        """Every location answers what it was asked to give up."""
        for work in tuple(self.works.values()):
            fact = self._fact(kind, work.id)
            fact = replace(fact, message_id=f"{kind}-{self.now:%H:%M}")
            answered = answer(self.order, work, self._refunds.values(), fact, self.now)
            if answered:
                self._keep(answered.change.order, answered.fulfillment_order)
                self._keep(*([answered.refund] if answered.refund else []))

    def reject(self) -> None:
        """Every location says no to one unit of the first line."""
        for work in tuple(self.works.values()):
            fact = replace(self._fact(FactKind.REJECTED, work.id), lines=(PackedUnits("1", 1),))
            positions = defaultdict[str, Position](lambda: Position("any", "any"))
            refunds = self._refunds.values()
            rejected = reject(self.order, work, positions, refunds, fact, Act.BLOCK, 3, self.now)
            if rejected:
                self._keep(rejected.change.order, rejected.fulfillment_order)

    def advance(self, kind: FactKind) -> None:
        """Every location reports how far it is."""
        for work in tuple(self.works.values()):
            self._keep(advance(work, kind, self.now))

    def ship(self, package: Package) -> None:
        """Every location with the lines of a package reports such a package."""
        lines = {packed.line_id for packed in package.lines}
        for work in tuple(self.works.values()):
            if lines <= {line.line_id for line in work.lines}:
                fact = self._fact(FactKind.SHIPPED, work.id, package)
                shipping = ship(self.order, work, self._shipments, {}, fact, self.now)
                if shipping:
                    self._keep(shipping.order, shipping.fulfillment_order, *shipping.shipments)

    def leave(self) -> None:
        """The channel tells of a unit that has left, of which no location has said anything."""
        version = keys.iso(self.now)
        said = FulfillmentRecorded(
            *("shop-es", "shopify", "5001", f"{self.now:%H%M}", version, FulfillmentOutcome.SHIPPED, None),
            *((UnitsOfLine("701", 1),), (Parcel("ups", f"UPS-{self.now:%H%M}", None),), self.now),
        )
        told = news(self.order, self.body, self._shipments.values(), {}, {}, said, None, self.now)
        if told:
            self._keep(told.order, *([told.shipment] if told.shipment else ()))

    def erase(self) -> None:
        """The customer wants to be forgotten."""
        if still_needed(self.order):
            self._keep(self.order.written(self.now, "erasure_postponed"))
            return
        self.body = erased(self.body)
        self._keep(
            without_customer(self.order, self.now),
            *(work.written(self.now, "personal_data_erased") for work in self.works.values()),
        )

    def overtake(self) -> None:
        """Every location's parcel arrives before anybody says that it left; then somebody does."""
        for work in tuple(self.works.values()):
            fact = self._fact(FactKind.DELIVERED, work.id, Package("p3", "correos", "PQ-3", 300))
            shipping = ship(self.order, work, self._shipments, {}, fact, self.now)
            if shipping:
                self._keep(shipping.order, shipping.fulfillment_order, *shipping.shipments)
        left = replace(self._fact(FactKind.SHIPPED, "any"), occurred_at=self.now - timedelta(hours=1))
        held = defaultdict[str, Position](lambda: Position("any", "any"))
        for shipment in tuple(self._shipments.values()):
            if overtaken(shipment, left):
                self._keep(date(shipment, held, left, self.now).shipment)

    def look_at_replaced(self) -> None:
        """The order that it replaces is one like itself, as far as it has come."""
        held = replace(self.order, holds=(*self.order.holds, REPLACES), replaces="13")
        after = settle_with(held, self.order, self.now)
        if after is not held:
            self._keep(after)

    def deliver(self) -> None:
        """Every parcel arrives."""
        for shipment in tuple(self._shipments.values()):
            fact = self._fact(FactKind.DELIVERED, shipment.fulfillment_order)
            self._keep(deliver(shipment, fact, self.now))
        self._keep(record_deliveries(self.order, self._shipments, self.now))

    def track(self, state: ShipmentState) -> None:
        """Carriers say where the parcels are."""
        for shipment in tuple(self._shipments.values()):
            self._keep(track(shipment, state, self.now, self.now))
        self._keep(record_deliveries(self.order, self._shipments, self.now))

    def request_return(self) -> None:
        """One unit of the first line is announced to come back."""
        asked = (RequestedUnits("1", 1, "too small"),)
        message = ReturnRequest("asked", self.now, self.order.order_id, "r1", asked)
        self._change(request(self._known, message, self.now))

    def come_back(self, line_id: str, outcome: Outcome | None = None, reference: str = "r1") -> None:
        """One unit comes in, or something becomes of it."""
        units = (ReturnedUnits(line_id, 1, outcome),)
        name = f"{reference}-{line_id}-{outcome}"
        fact = ReturnFact(name, self.now, self.order.order_id, reference, "st-gracia", units)
        positions = defaultdict[str, Position](lambda: Position("any", "st-gracia"))
        self._change(record(self._known, fact, positions, self.now))

    def plan_transfer(self) -> None:
        """Units of the first line are to go elsewhere, with one of nobody."""
        allocated = [entry for entry in self.order.lines[0].entries if entry.stage is Stage.ALLOCATED]
        if self.transfer or not allocated:
            return
        source, sku = allocated[0].location, str(self.order.lines[0].sku)
        bound = transfers.OrderLineName(self.order.order_id, "1")
        lines = (transfers.TransferLine("1", sku, 1), transfers.TransferLine("2", sku, 1, bound))
        self._keep(Transfer("t-1", source, "wh-lyon", self.now, lines).written(self.now, "planned"))

    def move(self, decide: Callable[[transfers.Known], transfers.Change]) -> None:
        """Something becomes of the transfer."""
        if self.transfer is None:
            return
        orders = {self.order.order_id: self.order}
        held = defaultdict[tuple[str, str], Position](lambda: Position("any", "any", uncommitted=9))
        moved = decide(transfers.Known(self.transfer, orders, self._supplies, held))
        self._supplies |= moved.supplies
        self._keep(*moved.orders.values(), moved.transfer)

    def receive_transfer(self) -> None:
        """The order's unit comes in, damaged."""
        came = (transfers.Arrived("2", 1, damaged=1),)
        self.move(lambda known: transfers.receive(known, came, self.now, self.now))

    def fall_short(self) -> None:
        """The location of the first line has fewer units than it was asked for."""
        noted = self.order.with_exception("position_short", "A@wh-madrid", self.now)
        self._keep(noted.written(self.now, "position_short", data={"position": "A@wh-madrid"}))

    def find(self) -> None:
        """The location has found its units."""
        settled = self.order.without_exception("position_short", "A@wh-madrid")
        if settled is not self.order:
            self._keep(settled.written(self.now, "position_found", data={"position": "A@wh-madrid"}))

    @property
    def _known(self) -> Known:
        return Known(self.order, self._returns, self._refunds)

    def _change(self, change: Change) -> None:
        self._keep(change.order, change.return_, *([change.refund] if change.refund else []))

    def _fact(self, kind: FactKind, name: str, *packages: Package) -> FulfillmentFact:
        reported = self.now - timedelta(seconds=30)
        return FulfillmentFact(f"{kind}-{name}", kind, reported, self.order.order_id, name, packages)

    def _keep(self, *entities: Order | FulfillmentOrder | Shipment | Return | Refund | Transfer) -> None:
        """Store entities as the use cases do; those that did not change are not written."""
        for entity in entities:
            match entity:
                case Order():
                    self.order = entity
                    self._write(keys.header(entity.order_id), encode_order(entity))
                case FulfillmentOrder():
                    self.works[entity.id] = entity
                    key = keys.fulfillment_order(entity.order_id, entity.id)
                    self._write(key, encode_fulfillment_order(entity))
                case Shipment():
                    self._shipments[entity.id] = entity
                    self._write(keys.shipment(entity.order_id, entity.id), encode_shipment(entity))
                case Return():
                    self._returns[entity.id] = entity
                    self._write(keys.return_(entity.order_id, entity.id), encode_return(entity))
                case Transfer():
                    self.transfer = entity
                    self._write(keys.transfer(entity.id), encode_transfer(entity))
                case Refund():
                    self._refunds[entity.id] = entity
                    self._write(keys.refund(entity.order_id, entity.id), encode_refund(entity))

    def reserve(self, end: str) -> "Story":
        """A cart holds a unit, another one, both for longer; then it is confirmed, released, or expires."""
        until = self.now + timedelta(minutes=15)
        carts = [Cart(CHANNEL.id, (CartLine("A", units),)) for units in (1, 2, 2)]
        name = f"cart-{end}"
        seen = Reservation(id=name, cart=carts[0], expires_at=self.now)
        for n, cart in enumerate(carts):
            stocks = {"A": replace(STOCKS["A"], reserved=seen.rows())}
            made = reserve(seen, cart, until + timedelta(minutes=n), CHANNEL, network(), stocks, self.now)
            seen = made.reservation
            self._write(keys.reservation(name), encode_reservation(seen))
        ends = {
            "confirmed": seen.confirmed(self.order.order_id, self.now),
            "released": seen.released(self.now),
            "expired": seen.expired(self.now),
        }
        self._write(keys.reservation(name), encode_reservation(ends[end]))
        return self

    def _write(self, key: Key, attributes: Item) -> None:
        new = decode(encode({"PK": key.pk, "SK": key.sk} | attributes))
        old = self.items.get(key)
        if new != old:
            self.items[key] = new
            self.changes.append((old, new))


def _newer(sent: PlaceOrder) -> PlaceOrder:
    return replace(sent, channel_version=f"{sent.channel_version}+")


def _other(sent: PlaceOrder) -> PlaceOrder:
    return replace(sent, notes=f"{sent.notes}, ring twice")


def _edited(sent: PlaceOrder) -> PlaceOrder:
    """One unit more of the first line, and a line that was not there; without the last line."""
    first, *rest = sent.lines
    more = replace(first, quantity=int(first.quantity) + 1, amount=first.amount + 1000)
    new = line("A", 1, number=int(rest[-1].channel_line_id[2:]) + 1 if rest else 9)
    return replace(sent, lines=(more, *rest[:-1], new), total=sent.total + 1000)


STEPS: Mapping[str, Callable[[Story], None]] = {
    "repeat": lambda story: story.send(story.command),
    "repeat_other": lambda story: story.send(_other(story.command)),
    "newer": lambda story: story.send(_newer(story.command)),
    "newer_other": lambda story: story.send(_newer(_other(story.command))),
    "edit": lambda story: story.send(_newer(_edited(story.command))),
    "newer_currency": lambda story: story.send(replace(_newer(story.command), currency="USD")),
    "newer_cancelled": lambda story: story.send(replace(_newer(story.command), cancelled=True)),
    "lift": lambda story: story.lift(),
    "pay": lambda story: story.pay(PaymentKind.SALE, 100),
    "give_back": lambda story: story.give_back(1000),
    "release": lambda story: story.release(),
    "serve": lambda story: story.serve("st-gracia"),
    "announce": Story.announce,
    "move": lambda story: story.move_units(),
    "replan": Story.replan,
    "reopen": lambda story: story.reopen(),
    "cancel": lambda story: story.cancel(CancelRequest(CancelReason.STAFF)),
    "cancel_one": lambda story: story.cancel(CancelRequest(CancelReason.CUSTOMER, {"1": 1})),
    "channel_cancels": lambda story: story.cancel(CancelRequest(CancelReason.CUSTOMER, channel="9")),
    "ask_back": Story.ask_back,
    "give_up": lambda story: story.answer(FactKind.CANCELLED),
    "reject": Story.reject,
    "refuse_to": lambda story: story.answer(FactKind.CANCEL_REFUSED),
    "accept": lambda story: story.advance(FactKind.ACCEPTED),
    "pick": lambda story: story.advance(FactKind.PICKING),
    "pack": lambda story: story.advance(FactKind.PACKED),
    "ready": lambda story: story.advance(FactKind.READY_FOR_PICKUP),
    "ship_one": lambda story: story.ship(Package("p1", "correos", "PQ-1", 300, (PackedUnits("1", 1),))),
    "ship": lambda story: story.ship(Package("p2", "correos", "PQ-2", 900)),
    "leave": lambda story: story.leave(),
    "erase": lambda story: story.erase(),
    "overtake": Story.overtake,
    "look_at_replaced": Story.look_at_replaced,
    "deliver": lambda story: story.deliver(),
    "travel": lambda story: story.track(ShipmentState.IN_TRANSIT),
    "turn_back": lambda story: story.track(ShipmentState.RETURNING),
    "request_return": lambda story: story.request_return(),
    "receive": lambda story: story.come_back("1"),
    "restock": lambda story: story.come_back("1", Outcome.RESTOCK),
    "receive_stray": lambda story: story.come_back("2", reference="stray"),
    "plan_transfer": lambda story: story.plan_transfer(),
    "claim_transfer": lambda story: story.move(lambda known: transfers.make_ready(known, story.now)),
    "send_transfer": lambda story: story.move(
        lambda known: transfers.dispatch(known, None, story.now, story.now)
    ),
    "receive_transfer": lambda story: story.receive_transfer(),
    "date_transfer": lambda story: story.move(
        lambda known: transfers.dispatch(known, None, story.now - timedelta(minutes=1), story.now)
    ),
    "close_transfer": lambda story: story.move(lambda known: transfers.close(known, story.now)),
    "fall_short": lambda story: story.fall_short(),
    "find": lambda story: story.find(),
    "stop_transfer": lambda story: story.move(
        lambda known: transfers.cancel(known, transfers.Fate.PUT_BACK, story.now)
    ),
}

_MOVED = ("plan_transfer", "claim_transfer")


def lives() -> tuple[Story, ...]:
    """Orders that between them have lived through everything that may happen to one."""
    return (
        Story("AB").tell("pay", "cancel_one", "give_back"),
        Story().tell("replan", "release"),
        Story().tell(
            *("release", "accept", "pick", "pack", "ready", "ship_one", "ship", "travel", "deliver"),
            *("turn_back", "request_return", "restock", "receive", "receive_stray"),
        ),
        Story("AB").tell(
            "cancel_one", "release", "channel_cancels", "refuse_to", "ship_one", "channel_cancels"
        ),
        Story("AB").tell("release", "cancel_one", "give_up", "reject", "reject", "cancel"),
        Story("AB").tell("leave", "erase", "release", "leave", "ship", "look_at_replaced", "erase"),
        Story("AB").tell(
            "release", "cancel_one", "ask_back", "give_up", "serve", "release", "ask_back", "ship"
        ),
        Story("AB").tell("release", "overtake", "deliver"),
        Story().reserve("confirmed").reserve("released").reserve("expired"),
        Story().tell(*_MOVED, "send_transfer", "receive_transfer", "close_transfer"),
        Story().tell(*_MOVED, "receive_transfer", "date_transfer"),
        Story().tell(*_MOVED, "stop_transfer", "fall_short", "find"),
        Story("ABC").tell(
            "announce",
            "announce",
            "repeat_other",
            "newer",
            "newer_other",
            "edit",
            "newer_currency",
            "lift",
            "serve",
            "move",
            "reopen",
            "release",
            "ship",
        ),
    )
