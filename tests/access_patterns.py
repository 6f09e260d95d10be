"""Measures every query and write that the code makes, for `infra/docs/access-patterns.md`.

`python -m tests.access_patterns` writes the document's table anew.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from moto import mock_aws

from functions.api import handler as api_function
from functions.api.routes import ROUTES
from functions.api.routing import find
from oms.channels.catalogues import Shown
from oms.channels.exchange import Api, Request, Response
from oms.channels.headers import Headers
from oms.events.publish import Queue
from oms.events.subscribers import Subscriber
from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.fulfillment.model import ShipmentState
from oms.inventory.ledger import Account, Book, Finding
from oms.inventory.model import Capability, Delta, Supply, SupplyKind
from oms.inventory.network import Aspect
from oms.inventory.reservations import Cart, CartLine
from oms.orders.commands import CancelOrder, Customer, Delivery, Method, PlaceOrder
from oms.orders.identity import order_id, shard
from oms.orders.placing import place
from oms.orders.records import (
    FulfillmentOutcome,
    FulfillmentRecorded,
    ListingRecorded,
    PaymentKind,
    PaymentRecorded,
    PrivacyKind,
    PrivacyRequested,
    ReturnedLine,
    ReturnRecorded,
    ReturnStatus,
    TrackingRecorded,
    UnitsOfLine,
)
from oms.orders.records import Outcome as PaymentOutcome
from oms.orders.work import WorkStage
from oms.returns.events import RequestedUnits, ReturnedUnits, ReturnFact, ReturnRequest
from oms.returns.model import Outcome, return_id
from oms.runtime.secrets import Keys
from oms.sourcing.load import Capacity
from oms.sourcing.profile import USUAL
from oms.sourcing.rates import Costs
from oms.store import keys, process, tokens
from oms.store.configuration import document_of, read_network
from oms.store.keys import iso
from oms.store.loads import loaded
from oms.store.meter import Bill, Meter
from oms.store.privacy import read_requests
from oms.store.stock import read_places, read_stock
from oms.store.table import Table
from oms.store.tokens import Scope
from oms.store.writes import Why, move
from oms.usecases.announce_return import announce_return
from oms.usecases.announce_supply import announce_supply
from oms.usecases.cancel_order import cancel_by_channel
from oms.usecases.check_ledger import check_ledger, repair
from oms.usecases.check_listings import Difference, check_listings, check_page, mend
from oms.usecases.check_listings import Kind as ListingKind
from oms.usecases.count_load import count_load
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.end_reservations import expire_reservation, make_room
from oms.usecases.erase_order import erase_order
from oms.usecases.expect_waiting import expect_waiting
from oms.usecases.expire_unpaid import expire_unpaid
from oms.usecases.follow_stock import follow_stock
from oms.usecases.give_up_waiting import give_up_waiting
from oms.usecases.heat import CONFLICTS, Heat
from oms.usecases.honour_privacy import erase_channel, honour_privacy
from oms.usecases.leave_to_person import leave_to_person
from oms.usecases.limit_backorders import limit_backorders
from oms.usecases.notify_subscribers import deliver
from oms.usecases.place_order import place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.poll_channel import Poll, poll_channel
from oms.usecases.push_cancel import find_cancelled
from oms.usecases.push_listing import Wanted as PushWanted
from oms.usecases.push_listing import announce, push_listing
from oms.usecases.push_parcel import find_parcel
from oms.usecases.push_refund import find_repayment
from oms.usecases.recompute_stock import Recompute, recompute_stock
from oms.usecases.record_elsewhere import record_elsewhere
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.record_listing import record_listing, source_listed
from oms.usecases.record_money import record_money
from oms.usecases.record_movements import record_movements
from oms.usecases.record_rejection import record_rejection
from oms.usecases.record_return import record_return
from oms.usecases.record_tracking import record_tracking
from oms.usecases.relay_changes import Change
from oms.usecases.release_order import release_order
from oms.usecases.reoptimise_backlog import reoptimise_backlog
from oms.usecases.replay_events import Replay, replay, request_replay
from oms.usecases.reserve_cart import Wish, reserve_cart
from oms.usecases.resolve_shortage import resolve_shortage
from oms.usecases.serve_waiting import serve_waiting
from oms.usecases.settle_replacement import settle_replacement
from oms.usecases.source_order import source_order
from oms.usecases.subscribe import need as need_subscriber
from oms.usecases.subscribe import rotate_secret, subscribe, subscribers
from oms.usecases.sweep_due import Sweep, sweep_due
from tests.builders import CHANNEL, MADRID, NOW, STORE, command, line, network
from tests.conflicts import Faults
from tests.outlets import Receiver
from tests.recorder import RecordingTable
from tests.rest import Reply, Rest
from tests.shelves import fill
from tests.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DOCUMENT = Path(__file__).parents[1] / "infra/docs/access-patterns.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

HEADER = "by | what | calls | read units | write units"
LINES = (1, 5)
"""Sizes of the orders that are measured."""

ENVIRONMENT = {
    "TABLE_NAME": "orders",
    "KEYS_SECRET": "keys",
    "CONNECTORS": "wms",
    "CHANNEL_SECRET_PREFIX": "oms/channels/",
    "PUBLISH_QUEUE_URL": "https://sqs/publish",
    "REACH": "public",
    "ATS_QUEUE_URL": "https://queue.example.test",
}
DAY = timedelta(days=1)
LATER = NOW + 2 * DAY
ID = order_id("shop-es", "5001")
WORK = "3-1"
PARCEL = Package("p1", "correos", "PQ4F6X0712345670108230Q", 900)
EAN = {"kind": "ean", "value": "4006381333931"}
MEMBERS = {"locations": ["wh-madrid", "wh-lyon", "st-gracia"]}
SHEET = {"up_to_g": [1000], "zones": [{"name": "home", "prices": [400]}]}

_PK = (
    (r"O#.+", "O#<order>"),
    (r"SKU#.+", "SKU#<sku>"),
    (r"MV#.+", "MV#<sku>#<location>"),
    (r"L#code#.+", "L#code#<code>"),
    (r"L#kit#.+", "L#kit#<component>"),
    (r"CFG#\w+#ACTIVE", "CFG#<kind>#ACTIVE"),
    (r"CFG#\w+", "CFG#<kind>"),
    (r"TOK#.+", "TOK#<hash>"),
    (r"I#.+", "I#<sender>#<key>"),
    (r"TOKENS", "TOKENS"),
    (r"PRV#.+", "PRV#<channel>"),
    (r"W#\w+#\d\d", "W#<stage>#<shard>"),
    (r"N#.+", "N#<location>#<state>"),
    (r"B#.+", "B#<sku>"),
    (r"C#.+", "C#<customer>"),
    (r"DAY#.+", "DAY#<day>"),
    (r"LST#[^#]+#.+", "LST#<channel>#<item>"),
    (r"LST#.+", "LST#<sku>"),
    (r"POLL#.+", "POLL#<channel>"),
    (r"H#.+", "H#<reservation>"),
    (r"T#.+", "T#<tracking>"),
    (r"TR#.+", "TR#<transfer>"),
    (r"RMA#.+", "RMA#<number>"),
    (r"LOAD#.+", "LOAD#<location>#<day>"),
    (r"PL#.+", "PL#<location>"),
)
_SK = (
    (r"(O|B|T|I|L|N|P|H|META|ACTIVE)", r"\1"),
    (r"R#[^#]+#.+", "R#<reservation>#<location>"),
    (r"F#.*", "F#<work>"),
    (r"S#.*", "S#<shipment>"),
    (r"T#(stock|title|price)", r"T#\1"),
    (r"R#.*", "R#<return>"),
    (r"M#.*", "M#<refund>"),
    (r"Y#.*", "Y#<payment>"),
    (r"C#.*", "C#<fulfillment>"),
    (r"W#.*", "W#<sku>"),
    (r"P#.*", "P#<location>"),
    (r"D#\d{6}", "D#<v>"),
    (r"D#.*", "D#<pool>"),
    (r"I#.*", "I#<supply>"),
    (r"\d{12}", "<v>"),
    (r"[^#]+", "<id>"),
)
"""How the document names a key, by the key."""


@dataclass(frozen=True, slots=True)
class Use:
    """One thing that is done with the table: by what, what it is, and the doing itself."""

    by: str
    what: str
    run: Callable[[Table], object]


@dataclass(frozen=True, slots=True)
class Measured:
    """The calls that a use makes, by their patterns, what they cost, and how many requests they are."""

    calls: Counter[str]
    bill: Bill
    requests: int


type Measurements = dict[tuple[str, str], dict[int, Measured]]
"""By whom and what, and by the lines of the order; of what is done several times the last."""


def measure() -> Measurements:
    """Everything that is done with the table."""
    measured: Measurements = {}
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setattr(process, "network", lambda *_: network())
        patch.setattr(api_function, "datetime", SimpleNamespace(now=lambda zone: LATER))
        client = boto3.client(
            "dynamodb", region_name="eu-south-2", aws_access_key_id="test", aws_secret_access_key="test"
        )
        for lines in LINES:
            table = Table(client, create_table(client, f"lines-{lines}", stream=False))
            meter = Meter(client)
            for use in uses(table, lines):
                calls: Counter[str] = Counter()
                before = meter.bill
                counted = Faults()
                metered = Table(counted.wrap(_recording(meter.client(), calls)), table.name)
                patch.setattr(process, "table", lambda metered=metered: metered)
                use.run(metered)
                sizes = measured.setdefault((use.by, use.what), {})
                sizes[lines] = Measured(calls, meter.bill - before, len(counted.calls))
    return measured


def uses(table: Table, lines: int) -> Iterator[Use]:
    """Everything, in an order in which it can happen; what is needed besides is done without being measured.

    Args:
        table: an empty one.
        lines: of every order.
    """
    skus = [f"SKU-{number:04d}" for number in range(1, lines + 1)]
    scarce = [f"RARE-{number:04d}" for number in range(1, lines + 1)]
    yield from _entered(skus)
    yield from _kept(table, skus)
    yield from _transferred(table, skus)
    for sku in skus:
        fill(table, sku, wh_madrid=20)
    for sku in scarce:
        fill(table, sku, wh_madrid=1)
        limit_backorders(table, network(), sku, "iberia", 9)
    yield from _lived(skus)
    beyond = _order(scarce, "5002", 2)
    yield Use("intake", "Place one beyond stock", lambda table: place_order(table, network(), beyond, NOW))
    for number in ("5003", "5004"):
        place_order(table, network(), _order(skus, number), NOW)
    release_order(table, network(), order_id("shop-es", "5003"), NOW)
    yield from _followed(table, skus, scarce)
    yield from _served(table, lines, scarce)
    yield from _asked(skus)
    yield from _cancelled(table, skus)
    yield _planned_again(table, lines)
    yield from _operated(table)
    yield _imported(skus)
    yield from _reserved(table, skus)
    yield from _published(skus)
    yield from _rushed(skus)
    yield from _short(table)
    yield from _limited(table)
    yield from _brought(table)
    yield from _impatient(table)
    yield from _announced(table)


def _followed(table: Table, skus: Sequence[str], scarce: Sequence[str]) -> Iterator[Use]:
    """What the reader of the stream does about stock: sold with an order, and come for one that waits."""
    queue = Queue(Receiver().queue, "https://queue.example.test")

    def following(records: Sequence[Change]) -> Callable[[Table], object]:
        return lambda table: follow_stock(table, network(), queue, records)

    recording = RecordingTable(table, keys.SKU)
    place_order(recording, network(), _order(skus, "5005"), NOW)
    yield Use("availability", "Keep the movements of an order", following(recording.records))
    recording.records = []
    for sku in scarce:
        receipt = move(sku, "wh-madrid", Delta(on_hand=1), Why("receipt", "po-7", "wms", NOW))
        recording.commit(receipt)
    yield Use("availability", "Wake what waits for stock that has come", following(recording.records))
    late = RecordingTable(table, keys.SKU)
    late.commit(move("LATE", "wh-madrid", Delta(on_hand=2), Why("receipt", "po-8", "wms", NOW)))
    record_movements(table, late.records)
    found = Count("LATE", "wh-madrid", 1, NOW - timedelta(hours=1), "count", "store")
    yield Use(
        "PUT /stock/{sku}/{location}/count",
        "Record a count that is told after units have moved",
        lambda table: count_stock(table, network(), found, NOW),
    )


def _served(table: Table, lines: int, scarce: Sequence[str]) -> Iterator[Use]:
    """Stock has come for an order that waits for each of its skus; nobody knew those of another."""

    def serving(table: Table) -> None:
        for sku in scarce:
            serve_waiting(table, network(), sku, NOW)

    yield Use("sourcing", "Serve an order that waits, sku by sku", serving)
    yield Use("sourcing", "Serve it again", serving)
    unknown = _order([f"NEW-{number:04d}" for number in range(1, lines + 1)], "5010")
    name = place_order(table, network(), unknown, NOW).order.order_id
    for wanted in unknown.lines:
        fill(table, str(wanted.sku), wh_madrid=1)
    yield Use(
        "sourcing",
        "Source an order whose skus have become known",
        lambda table: source_order(table, network(), name, NOW),
    )


def _short(table: Table) -> Iterator[Use]:
    """An order whose location has lost what it had promised."""
    fill(table, "LOST", wh_madrid=1)
    place_order(table, network(), _order(["LOST"], "5009"), NOW)
    count_stock(table, network(), Count("LOST", "wh-madrid", 0, NOW, "count", "store"), NOW)
    yield Use(
        "sourcing",
        "Resolve a shortage, of one unreleased order",
        lambda table: resolve_shortage(table, "LOST", "wh-madrid", NOW),
    )
    fill(table, "GONE", wh_madrid=1)
    name = place_order(table, network(), _order(["GONE"], "5013"), NOW).order.order_id
    release_order(table, network(), name, NOW)
    count_stock(table, network(), Count("GONE", "wh-madrid", 0, NOW, "count", "store"), NOW)
    yield Use(
        "sourcing",
        "Resolve a shortage, of one released order: its location is asked",
        lambda table: resolve_shortage(table, "GONE", "wh-madrid", NOW),
    )
    given = FulfillmentFact("m-gone", FactKind.CANCELLED, LATER, name, "2-1")
    yield Use(
        "fulfillment",
        "Record that a location gives units back",
        lambda table: record_fulfillment(table, given, LATER),
    )


def _announced(table: Table) -> Iterator[Use]:
    """An order that waits for what is announced later."""
    fill(table, "EXPECTED")
    place_order(table, network(), _order(["EXPECTED"], "late"), NOW)
    coming = Supply("EXPECTED", "po-5", SupplyKind.PURCHASE_ORDER, "wh-madrid", LATER, 9)
    announce_supply(table, network(), coming)
    for which in ("Tell an order that waits when it is expected", "Tell it again"):
        yield Use("sourcing", which, lambda table: expect_waiting(table, network(), "EXPECTED", NOW))


def _brought(table: Table) -> Iterator[Use]:
    """What a customer comes for and another location has."""
    fed = replace(STORE, capabilities=(*STORE.can, Capability.SHIP_TO_STORE))
    shop = network(MADRID, fed)
    fill(table, "FAR", wh_madrid=1, st_gracia=0)
    pickup = (Delivery("d1", Method.PICKUP, location="st-gracia"),)
    wanted = replace(_order(["FAR"], "5024"), deliveries=pickup)
    name = place_order(table, shop, wanted, NOW).order.order_id
    yield Use(
        "sourcing",
        "Release an order to a transfer to its store",
        lambda table: release_order(table, shop, name, NOW),
    )


def _impatient(table: Table) -> Iterator[Use]:
    """Units that wait for longer than they may."""
    strategy = replace(USUAL.strategies[0], cancel_after_days=1)
    hasty = replace(network(), profile=replace(USUAL, strategies=(strategy,)))
    fill(table, "NEVER", wh_madrid=0)
    name = place_order(table, hasty, _order(["NEVER"], "5023"), NOW).order.order_id
    yield Use(
        "sourcing",
        "Cancel a unit that has waited too long",
        lambda table: give_up_waiting(table, hasty, name, NOW + timedelta(days=1)),
    )


def _limited(table: Table) -> Iterator[Use]:
    """What a location with a capacity is given for its day."""
    busy = network(replace(MADRID, capacity=Capacity(orders=1)))
    fill(table, "BUSY", wh_madrid=2)
    first, second = (
        place_order(table, busy, _order(["BUSY"], number), NOW).order.order_id for number in ("5021", "5022")
    )
    made = RecordingTable(table, keys.order(first))
    release_order(made, busy, first, NOW)
    yield Use(
        "availability",
        "Count the work of a location with a capacity",
        lambda table: count_load(table, busy, made.records),
    )
    yield Use(
        "every function",
        "Read what a location with a capacity was given, every 30 s",
        lambda table: loaded(table, busy, NOW),
    )
    yield Use(
        "sourcing",
        "Let an order wait for the next day of a full location",
        lambda table: release_order(table, busy, second, NOW),
    )


def _imported(skus: Sequence[str]) -> Use:
    """A file of counts, of rows that are read together and written each by itself."""

    def count(table: Table) -> None:
        known = read_places(table, [(sku, "st-gracia") for sku in skus])
        for (sku, location), seen in known.items():
            found = Count(sku, location, 1, LATER + timedelta(seconds=1), "import", "oms import")
            count_stock(table, network(), found, LATER, seen)

    return Use("oms import positions", "Count positions, a row for each sku", count)


def _rushed(skus: Sequence[str]) -> Iterator[Use]:
    """What becomes of a sku that everybody wants."""
    heat = Heat()
    for _ in range(CONFLICTS):
        heat.met(keys.position(skus[0], "wh-madrid"))
    yield Use("intake", "Mark a sku as hot", lambda table: heat.mark(table, NOW))
    rush = [_order(skus, f"rush-{number}") for number in range(10)]
    yield Use(
        "hot_lane",
        "Place ten orders together",
        lambda table: list(place_orders(table, network(), rush, NOW)),
    )


def _entered(skus: Sequence[str]) -> Iterator[Use]:
    """Configuration, catalogue and stock, as the API takes them."""
    configured = network()
    for location in configured.locations.values():
        yield _put(f"/configuration/location/{location.id}", document_of(location))
    yield _put("/configuration/rate_card/correos", {"services": {"*": SHEET}})
    yield _put("/configuration/pool/iberia", MEMBERS)
    yield _put("/configuration/channel/shop-es", {"kind": "shopify", "pool": "iberia"})
    yield _put("/sourcing/profiles/1", USUAL.document())
    yield _put("/sourcing/profile", {"version": 1})
    yield _put(f"/skus/{skus[0]}", {"title": "Mug", "weight_g": 350, "codes": [EAN]})
    kit = {"title": "Two mugs", "kit": [{"sku": skus[0], "per_bundle": 2}]}
    yield replace(_put("/skus/SET", kit), what="Enter a kit into the catalogue")
    yield _put(f"/stock/{skus[0]}/wh-lyon/count", {"on_hand": 0, "as_of": iso(NOW)})
    yield _put(f"/stock/{skus[0]}/demand/iberia", {"backorder_limit": 2})
    yield Use("every function", "Read the network, every 30 s", read_network)


def _kept(table: Table, skus: Sequence[str]) -> Iterator[Use]:
    """What vendors deliver and people find out, as the API takes it; nothing of it is left to be sold."""
    for sku in skus[1:]:
        wanted = Supply(sku, "po-7", SupplyKind.PURCHASE_ORDER, "wh-lyon", LATER, 4)
        announce_supply(table, network(), wanted)
    place = f"/stock/{skus[0]}/wh-lyon"
    supply = f"/stock/{skus[0]}/supply/po-7"
    yield _put(supply, {"location": "wh-lyon", "due": iso(LATER), "expected": 4})
    blocked = {"units": 1, "reason": "quality_control"}
    lines = [{"sku": sku, "units": 3, "blocked": "quality_control"} for sku in skus]
    came = {"location": "wh-lyon", "occurred_at": iso(NOW), "reference": "note-1"}
    yield _post("/receipts", came | {"lines": lines, "supply": "po-7"}, key="k-1")
    found = {"units": 1, "reason": "found", "blocked": "quality_control"}
    yield _post(f"{place}/adjustments", found, key="k-2")
    yield _post(f"{place}/adjustments", found, key="k-2", which=", again")
    yield _post(f"{place}/unblock", blocked, key="k-3")
    yield _post(f"{place}/block", blocked, key="k-4")
    yield _delete(supply)


def _transferred(table: Table, skus: Sequence[str]) -> Iterator[Use]:
    """Transfers of each sku of an order; what comes in is damaged, so that nothing is left to be sold."""
    for sku in skus:
        fill(table, sku, wh_madrid=2)
    moved = [{"sku": sku, "units": 1} for sku in skus]
    plan = {"source": "wh-madrid", "target": "wh-lyon", "due": iso(LATER), "lines": moved}
    came = [{"line_id": str(number), "units": 1, "damaged": 1} for number, _ in enumerate(skus, 1)]
    said = {"occurred_at": iso(NOW)}
    plans = [_put(f"/transfers/t-{number}", plan) for number in (1, 2, 3)]
    yield plans[0]
    yield _get("/transfers/t-1")
    yield _get("/transfers", location="wh-madrid", state="draft")
    yield _post("/transfers/t-1/ready", None, key="t-1")
    yield _post("/transfers/t-1/dispatch", said, key="t-2")
    yield _post("/transfers/t-1/receipts", said | {"lines": came}, key="t-3")
    for planned in plans[1:]:
        planned.run(table)
    for verb in ("ready", "dispatch"):
        _post(f"/transfers/t-2/{verb}", None if verb == "ready" else said, key=f"t-{verb}").run(table)
    yield _post("/transfers/t-2/close", None, key="t-4")
    yield _post("/transfers/t-3/cancel", {"units": "put_back"}, key="t-5")


def _lived(skus: Sequence[str]) -> Iterator[Use]:
    """The life of an order, most of it twice: messages are repeated."""
    order = _order(skus, "5001")
    newer = _order(skus, "5001", channel_version="2026-11-22T09:59:00.000Z")

    def placing(sent: PlaceOrder) -> Callable[[Table], object]:
        return lambda table: place_order(table, network(), sent, NOW)

    def reporting(kind: FactKind, *packages: Package) -> Callable[[Table], object]:
        fact = FulfillmentFact(f"m-{kind}", kind, NOW, ID, WORK, packages)
        return lambda table: record_fulfillment(table, fact, NOW)

    def returning(message: ReturnRequest | ReturnFact) -> Callable[[Table], object]:
        return lambda table: record_return(table, network(), message, NOW)

    def came(name: str, outcome: Outcome | None = None) -> ReturnFact:
        units = tuple(ReturnedUnits(str(number), 1, outcome) for number, _ in enumerate(skus, 1))
        return ReturnFact(name, NOW, ID, "r-1", "wh-madrid", units)

    yield Use("intake", "Place an order", placing(order))
    yield Use("intake", "Place it again", placing(order))
    yield Use("intake", "Take on a newer version with the same content", placing(newer))
    releasing = Use("sourcing", "Release an order", lambda table: release_order(table, network(), ID, NOW))
    yield releasing
    yield Use("sourcing", "Release it again", releasing.run)
    yield Use("fulfillment", "Record work as accepted", reporting(FactKind.ACCEPTED))
    yield Use("fulfillment", "Record it again", reporting(FactKind.ACCEPTED))
    yield Use("fulfillment", "Record a parcel as shipped", reporting(FactKind.SHIPPED, PARCEL))
    yield Use("fulfillment", "Record a parcel as shipped again", reporting(FactKind.SHIPPED, PARCEL))
    on_its_way = TrackingRecorded(
        *("track", "easypost", None, None, None, PARCEL.tracking_number),
        *(ShipmentState.IN_TRANSIT, None, None, NOW + timedelta(hours=1)),
    )
    yield Use("intake", "Record where a parcel is", lambda table: record_tracking(table, on_its_way, NOW))
    yield Use("fulfillment", "Record a parcel as delivered", reporting(FactKind.DELIVERED, PARCEL))
    asked = tuple(RequestedUnits(str(number), 1, "too small") for number, _ in enumerate(skus, 1))
    yield Use("returns", "Request a return", returning(ReturnRequest("m-1", NOW, ID, "r-1", asked)))
    sent_back = tuple(
        ReturnedLine(str(number), f"70{number}", 1, "too small", None) for number, _ in enumerate(skus, 1)
    )
    approved = ReturnRecorded("shop-es", "shopify", "5001", "r-1", ReturnStatus.OPEN, sent_back, None, NOW)
    yield Use(
        "intake",
        "Announce it again by its channel",
        lambda table: announce_return(table, network(), approved, NOW),
    )
    yield Use("returns", "Receive a return", returning(came("m-2")))
    yield Use("returns", "Dispose of returned units", returning(came("m-3", Outcome.RESTOCK)))
    yield Use("returns", "Dispose of them again", returning(came("m-3", Outcome.RESTOCK)))


def _asked(skus: Sequence[str]) -> Iterator[Use]:
    """What the API answers, and the messages that it takes."""
    yield _get("/orders", day=f"{NOW:%Y-%m-%d}")
    yield _get("/orders", channel="shop-es", customer="99")
    yield _get(f"/orders/{ID}")
    for part in ("events", "fulfillment-orders", "shipments", "returns"):
        yield _get(f"/orders/{ID}/{part}")
    yield _get(f"/orders/{order_id('shop-es', '5004')}/shipments", which=", when it has none")
    yield _get("/fulfillment-orders", location="wh-madrid", state="released")
    yield _get(f"/fulfillment-orders/{ID}-{WORK}")
    yield _get("/shipments", tracking_number=str(PARCEL.tracking_number))
    yield _get(f"/returns/{return_id(ID, 'r-1')}")
    yield _get(f"/stock/{skus[0]}")
    yield _get(f"/stock/{skus[0]}/wh-madrid/movements")
    yield _get("/availability", channel="shop-es", sku=",".join(skus))
    yield _get(f"/orders/{ID}/sourcing", location="wh-lyon")
    yield _get("/pickup-points", channel="shop-es", sku=",".join(skus))
    lines = [{"sku": sku, "units": 1} for sku in skus]
    yield _post("/promises", {"channel": "shop-es", "lines": lines})
    yield _post("/sourcing/preview", {"basket": {"channel": "shop-es", "lines": lines}})
    yield _post("/sourcing/preview", {"order_id": order_id("shop-es", "5004")}, which=", of an order")
    for part in ("profiles", "profiles/1", "profile"):
        yield _get(f"/sourcing/{part}")
    yield _get(f"/skus/{skus[0]}")
    yield _get("/skus", code=EAN["value"])
    configured = {"rate_card": "correos", "location": "wh-lyon", "pool": "iberia", "channel": "shop-es"}
    for kind, name in configured.items():
        yield _get(f"/configuration/{kind}")
        yield _get(f"/configuration/{kind}/{name}")
    other = order_id("shop-es", "5003")
    said: dict[str, object] = {"message_id": "m-1", "type": "accepted", "occurred_at": iso(NOW)}
    yield _post("/fulfillment-events", said | {"fulfillment_order": f"{other}-2-1"})
    said = {"message_id": "m-1", "type": "received", "occurred_at": iso(NOW), "location": "st-gracia"}
    yield _post("/return-events", said | {"order_id": other, "lines": [{"line_id": "1", "units": 1}]})


def _planned_again(table: Table, lines: int) -> Use:
    """An order in its grace is planned again, when parcels from where its units are have become dear."""
    graced = network(channel=replace(CHANNEL, grace_minutes=30))
    skus = [f"MOVED-{number:04d}" for number in range(1, lines + 1)]
    for sku in skus:
        fill(table, sku, wh_madrid=1)
    place_order(table, graced, _order(skus, "5016"), NOW)
    for sku in skus:
        fill(table, sku, wh_lyon=1)
    madrid = replace(graced.locations["wh-madrid"], costs=Costs(package_cost=99_999))
    profile = replace(USUAL, reoptimise=True)
    dear = replace(graced, locations={**graced.locations, "wh-madrid": madrid}, profile=profile)

    def run(table: Table) -> None:
        assert reoptimise_backlog(table, dear, NOW).moves == 1

    return Use("sourcing", "Plan orders in their grace again, one of which moves", run)


def _cancelled(table: Table, skus: Sequence[str]) -> Iterator[Use]:
    """Cancelling before release and after it."""
    for number in ("5005", "5006"):
        place_order(table, network(), _order(skus, number), NOW)
    early, late = (order_id("shop-es", number) for number in ("5005", "5006"))
    release_order(table, network(), late, NOW)
    unpaid = _order(skus, "5007", payments=())
    place_order(table, network(), unpaid, NOW)
    held = order_id("shop-es", "5007")
    yield _route(
        "POST",
        f"/orders/{held}/holds/payment/release",
        lambda table: _answered(Rest().call("POST", f"/orders/{held}/holds/payment/release")),
    )
    more = move(skus[0], "wh-lyon", Delta(on_hand=9), Why("receipt", "po-8", "wms", NOW))
    table.commit(more)
    elsewhere = {"from_location": "wh-madrid", "to_location": "wh-lyon"}
    yield _post(f"/orders/{early}/lines/1/move", elsewhere, key="c-0")
    yield _post(f"/orders/{early}/cancel", {"reason": "customer"}, key="c-1")
    version = "2026-11-22T09:59:00.000Z"
    said = CancelOrder("shop-es", "shopify", "5006", version, "customer", NOW)
    yield Use(
        "intake",
        "Cancel an order that its location has",
        lambda table: cancel_by_channel(table, network(), said, NOW),
    )
    given_up = FulfillmentFact("m-9", FactKind.CANCELLED, NOW, late, "2-1")
    yield Use(
        "fulfillment",
        "Record that a location gives units up",
        lambda table: record_fulfillment(table, given_up, NOW),
    )
    place_order(table, network(), _order(skus, "5008"), NOW)
    rejected = order_id("shop-es", "5008")
    release_order(table, network(), rejected, NOW)
    refused = FulfillmentFact("m-10", FactKind.REJECTED, NOW, rejected, "2-1", reason="damaged")
    yield Use(
        "fulfillment",
        "Record that a location rejects units",
        lambda table: record_rejection(table, network(), refused, NOW),
    )
    paid = PaymentRecorded(
        "shop-es",
        "shopify",
        "5007",
        "p-1",
        None,
        PaymentKind.CAPTURE,
        PaymentOutcome.SUCCESS,
        1000,
        "EUR",
        "card",
        test=False,
        occurred_at=NOW,
    )
    yield Use("intake", "Record a payment", lambda table: record_money(table, paid, NOW))
    timed = network(channel=replace(CHANNEL, payment_hours=1))
    place_order(table, timed, _order(skus, "5015", payments=()), NOW)
    ended = order_id("shop-es", "5015")
    yield Use(
        "sourcing",
        "Cancel an order that nobody has paid in time",
        lambda table: expire_unpaid(table, timed, ended, LATER),
    )
    forget = PrivacyRequested("shop-es", "shopify", PrivacyKind.ERASE_CUSTOMER, None, ("5015",), NOW)
    yield Use("intake", "Honour a privacy request", lambda table: honour_privacy(table, forget, NOW))
    yield Use("sourcing", "Erase an order of a person", lambda table: erase_order(table, late, NOW))
    yield Use("oms privacy", "List the requests of a channel", lambda table: read_requests(table, "shop-es"))
    yield Use("oms privacy", "Erase a shop", lambda table: erase_channel(table, "none", NOW))
    yield Use(
        "sourcing",
        "Look at the order that another replaces",
        lambda table: settle_replacement(table, early, NOW),
    )
    gone = FulfillmentRecorded(
        *("shop-es", "shopify", "5005", "f-1", version, FulfillmentOutcome.SHIPPED, None),
        *((UnitsOfLine("701", 1),), (), NOW),
    )
    yield Use(
        "intake",
        "Record that a unit has left elsewhere",
        lambda table: record_elsewhere(table, network(), gone, NOW),
    )


def _operated(table: Table) -> Iterator[Use]:
    """What the clock, the authorizer and the command line do."""
    sweep = Sweep(WorkStage.RELEASE, shard(order_id("shop-es", "5004")))
    queue = Queue(Receiver().queue, "https://queue.example.test")
    yield Use(
        "clock",
        "Sweep one of 16 shards of a stage, each minute",
        lambda table: sweep_due(table, queue, queue, sweep, LATER),
    )
    text, token = tokens.issue(table, "wms", (Scope.FULFILLMENT_WRITE,), timedelta(days=9), NOW)
    yield Use("authorizer", "Find a token, every 60 s", lambda table: tokens.find(table, text, NOW))
    yield Use(
        "oms token create",
        "Issue a token",
        lambda table: tokens.issue(table, "store", (Scope.STOCK_READ,), timedelta(days=9), NOW),
    )
    yield Use("oms token list", "List the tokens", tokens.issued)
    yield Use("oms token revoke", "End a token", lambda table: tokens.revoke(table, token, NOW))
    broken = Finding(Account(Book.POSITION, "NONE", "wh-lyon"), 0, {}, {"on_hand": 0, "uncommitted": 0})
    yield Use("oms ledger check", "Prove every unit", lambda table: check_ledger(table, segments=1))
    yield Use("oms ledger check", "Repair a counter", lambda table: repair(table, broken, "oms", NOW))


def _reserved(table: Table, skus: Sequence[str]) -> Iterator[Use]:
    """What carts hold, and what becomes of it."""

    def wish(minutes: int, units: int = 1) -> dict[str, object]:
        lines = [{"sku": sku, "units": units} for sku in skus]
        until = iso(LATER + timedelta(minutes=minutes))
        return {"channel": "shop-es", "lines": lines, "expires_at": until}

    path = "/reservations/cart-1"
    yield _put(path, wish(15))
    extending = _put(path, wish(20))
    yield replace(extending, what="Hold it for longer")
    yield replace(_put(path, wish(20, 2)), what="Hold more units at the same places")
    yield _get(path)
    named = _order(skus, "cart", 2, reservation="cart-1")
    yield Use("intake", "Place an order of a cart", lambda table: place_order(table, network(), named, LATER))
    until = LATER + timedelta(minutes=15)
    cart = Cart("shop-es", tuple(CartLine(sku, 1) for sku in skus))
    for name in ("cart-2", "cart-3"):
        reserve_cart(table, network(), name, Wish(cart, until), LATER)
    yield _route("DELETE", "/reservations/cart-2", lambda table: _answered(_released("cart-2")))
    yield Use(
        "sourcing",
        "Clear an expired cart away",
        lambda table: expire_reservation(table, network(), "cart-3", until),
    )
    _reserve_all(table, skus, "all", LATER, until)
    taking = _order(skus, "taking")
    yield Use(
        "intake",
        "Place an order of units that expired carts still hold",
        lambda table: place_order(table, network(), taking, until),
    )
    end = until + DAY
    _reserve_all(table, skus, "rest", until, end)
    crowded = place(_order(skus, "crowded"), CHANNEL, network(), read_stock(table, skus), end)
    yield Use(
        "intake",
        "Let expired carts go before an order that does not fit into a transaction with them",
        lambda table: make_room(table, network(), crowded, end),
    )


def _reserve_all(table: Table, skus: Sequence[str], name: str, now: datetime, until: datetime) -> None:
    """A cart takes whatever is free."""
    stocks = read_stock(table, skus)
    whole = tuple(
        CartLine(sku, sum(held.uncommitted for held in stock.positions)) for sku, stock in stocks.items()
    )
    reserve_cart(table, network(), name, Wish(Cart("shop-es", whole), until, partial=True), now)


def _released(name: str) -> Reply:
    return Rest().call("DELETE", f"/reservations/{name}")


def _published(skus: Sequence[str]) -> Iterator[Use]:
    """What channels and subscribers are told."""
    queue, keys_ = Queue(Receiver().queue, "https://queue.example.test"), Keys("keys", lambda name: "root")
    erp = Subscriber("erp", "https://hooks.example/in", ("*",))
    day = date(2026, 11, 22)
    wanted = Replay("erp", day, day)
    path = "/subscribers/{id}"
    listed = ListingRecorded(
        "shop-es",
        "shopify",
        "1",
        None,
        "9",
        skus[0],
        "Mug",
        None,
        tracked=True,
        requires_shipping=True,
        as_of=NOW,
    )
    told = {"task": "push_stock", "channel": "shop-es", "item_id": "9"}
    event = {"id": "x#1#order.placed", "type": "order.placed", "time": iso(NOW), "correlationid": "x"}
    delivery = {"task": "deliver", "subscriber": "erp", "event": event}

    def answered(request: Request) -> Response:
        body = b'{"data": {"inventorySetQuantities": {"userErrors": []}}}'
        return Response(200, Headers(), body)

    def failing(request: Request) -> Response:
        return Response(500, Headers(), b"")

    def empty(request: Request) -> Response:
        return Response(200, Headers(), b'{"orders": []}')

    api = Api("shopify", "https://shop.example", {"location_id": "1"}, answered)
    quiet = Api("shopify", "https://shop.example", {}, empty)
    item = PushWanted(Aspect.STOCK, "shop-es", "9")
    yield Use(
        f"PUT {path}",
        "Subscribe to events",
        lambda table: subscribe(table, keys_, erp, lambda url: None),
    )
    yield Use("GET /subscribers", "List every subscriber", subscribers)
    yield Use(f"GET {path}", "Show a subscriber", lambda table: need_subscriber(table, "erp"))
    yield Use(
        f"POST {path}/secret",
        "Give a subscriber a new secret",
        lambda table: rotate_secret(table, keys_, "erp", None, NOW),
    )
    yield Use(
        f"POST {path}/replay",
        "Send events to a subscriber again",
        lambda table: request_replay(table, queue, wanted),
    )
    yield Use(
        "publisher", "Deliver an event", lambda table: deliver(table, keys_, answered, queue, delivery, NOW)
    )
    yield Use(
        "publisher",
        "Fail to deliver one, for the first time",
        lambda table: deliver(table, keys_, failing, queue, delivery, NOW),
    )
    yield Use("publisher", "Replay the orders of a day", lambda table: replay(table, queue, wanted))
    unmapped = command(line(None, properties={"listing_id": "1"}), channel_order_id="of a listing")
    yield Use(
        "intake",
        "Place an order of an unmapped listing",
        lambda table: place_order(table, network(), unmapped, NOW),
    )
    yield Use("intake", "Record a listing", lambda table: record_listing(table, network(), queue, listed))
    yield Use(
        "intake",
        "Give orders that wait for a listing its sku",
        lambda table: source_listed(table, network(), "shop-es", "1", NOW),
    )
    yield Use(
        "publisher",
        "Find the listings of a sku",
        lambda table: announce(table, network(), queue, skus[0]),
    )
    changed = Recompute("channel#shop-es#2", locations=("wh-madrid",))
    yield Use(
        "publisher",
        "Find the skus at a location",
        lambda table: recompute_stock(table, network(), queue, queue, changed),
    )
    yield Use(
        "publisher",
        "Tell a channel of a listing",
        lambda table: push_listing(table, network(), lambda channel: api, queue, told, item, NOW),
    )
    for which in ("for the first time", "each quarter of an hour"):
        yield Use(
            "publisher",
            f"Poll a channel, {which}",
            lambda table: poll_channel(table, quiet, queue, queue, Poll("shop-es"), LATER),
        )
    parcel = (ID, f"{WORK}.{PARCEL.package_id}")
    yield Use(
        "publisher",
        "Find a parcel that a channel is to be told of",
        lambda table: find_parcel(table, lambda _: network(), *parcel),
    )
    for of_what, look in (
        ("that units are cancelled", lambda table: find_cancelled(table, lambda _: network(), ID)),
        ("of money that is due", lambda table: find_repayment(table, lambda _: network(), ID, "cancel.2")),
    ):
        yield Use("publisher", f"Find what a channel is to be told {of_what}", look)
    yield Use(
        "publisher",
        "Leave to a person what a channel has no way for",
        lambda table: leave_to_person(table, ID, "cancel_untold", ID, NOW),
    )
    yield Use(
        "publisher",
        "Find that it knows already",
        lambda table: push_listing(table, network(), lambda channel: api, queue, told, item, NOW),
    )
    shown = Shown("9", "1", None, skus[0], "Mug", 1)
    stale = Difference(ListingKind.STOCK, "9", skus[0], 0, 1, shown)
    shop = network().channels["shop-es"]
    yield Use(
        "GET /listings/differences",
        "Compare a listing with what its channel shows",
        lambda table: list(check_page(table, network(), "shop-es", [shown], NOW)),
    )
    yield Use(
        "POST /listings/repair",
        "Have a channel told again",
        lambda table: mend(table, network(), queue, shop, stale, NOW),
    )
    yield Use(
        "oms listings check",
        "Compare a listing with what its channel shows",
        lambda table: list(check_listings(table, network(), "shop-es", [shown], NOW)),
    )


def _order(skus: Sequence[str], number: str, units: int = 1, **fields: object) -> PlaceOrder:
    lines = (line(sku, units, number=n) for n, sku in enumerate(skus, 1))
    return command(*lines, channel_order_id=number, customer=Customer(id="99"), **fields)


def _get(path: str, /, *, which: str = "", **query: str) -> Use:
    use = _route("GET", path, lambda table: _answered(Rest().get(path, **query)), *query)
    return replace(use, what=f"{use.what}{which}")


def _put(path: str, body: object) -> Use:
    return _route("PUT", path, lambda table: _answered(Rest().put(path, body)))


def _post(path: str, body: object, *, key: str | None = None, which: str = "") -> Use:
    use = _route("POST", path, lambda table: _answered(Rest().post(path, body, key=key)))
    return replace(use, what=f"{use.what}{which}")


def _delete(path: str) -> Use:
    return _route("DELETE", path, lambda table: _answered(Rest().call("DELETE", path)))


def _route(method: str, path: str, run: Callable[[Table], object], *query: str) -> Use:
    route, _ = find(ROUTES, method, path)
    return Use(f"{method} {route.path}{'?' if query else ''}{'&'.join(query)}", route.summary, run)


def _answered(reply: Reply) -> None:
    assert reply.status == 200, reply.document


def _recording(client: "DynamoDBClient", calls: Counter[str]) -> "DynamoDBClient":
    """A client that counts what its calls ask for, by patterns of keys."""
    return cast("DynamoDBClient", _Recording(client, calls))


class _Recording:
    def __init__(self, client: object, calls: Counter[str]) -> None:
        self._client = client
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**request: Any) -> Any:
            self._calls.update(_patterns(name, request))
            return method(**request)

        return call


def _patterns(name: str, request: Mapping[str, Any]) -> Iterator[str]:
    """What a call asks for: an entry for each item of a write or a read by key, one for a query."""
    match name:
        case "get_item":
            yield f"get {_key(request['Key'])}{_consistency(request)}"
        case "batch_get_item":
            for wanted in request["RequestItems"].values():
                for key in wanted["Keys"]:
                    yield f"batch get {_key(key)}{_consistency(wanted)}"
        case "query":
            values = request["ExpressionAttributeValues"]
            index = f"{request['IndexName']} " if "IndexName" in request else ""
            prefix = f" `{values[':prefix']['S']}*`" if ":prefix" in values else ""
            until = " until now" if ":until" in values else ""
            yield f"query {index}`{_named(_PK, values[':pk']['S'])}`{prefix}{until}{_consistency(request)}"
        case "scan":
            yield f"scan{_consistency(request)}"
        case "transact_write_items":
            for element in request["TransactItems"]:
                for action, body in element.items():
                    yield f"tx {_write(action, body)}"
        case "batch_write_item":
            for elements in request["RequestItems"].values():
                for element in elements:
                    yield f"batch {_write('Put', element['PutRequest'])}"
        case "put_item" | "update_item":
            yield _write(name.removesuffix("_item").title(), request)
        case _:
            raise AssertionError(f"{name} has no pattern yet")


def _write(action: str, body: Mapping[str, Any]) -> str:
    condition = body.get("ConditionExpression", "")
    verbs = {"attribute_not_exists(#PK)": "create", "#v = :seen": "replace", "": action.lower()}
    key = body.get("Key") or {name: body["Item"][name] for name in ("PK", "SK")}
    return f"{verbs.get(condition, f'{action.lower()} if')} {_key(key)}"


def _key(key: Mapping[str, Any]) -> str:
    return f"`{_named(_PK, key['PK']['S'])}` `{_named(_SK, key['SK']['S'])}`"


def _named(names: tuple[tuple[str, str], ...], key: str) -> str:
    for pattern, name in names:
        match = re.fullmatch(pattern, key)
        if match:
            return match.expand(name)
    raise AssertionError(f"{key} has no name in the document yet")


def _consistency(request: Mapping[str, Any]) -> str:
    return ", consistent" if request.get("ConsistentRead") else ""


def render(measured: Measurements) -> str:
    """The document's tables."""
    sections: Mapping[str, Callable[[str], bool]] = {
        "Functions": lambda by: by.islower() and not by.startswith("oms "),
        "API": lambda by: not by.islower(),
        "Command line": lambda by: by.startswith("oms "),
    }
    rows: list[str] = []
    together = list(dict.fromkeys(by for by, _ in measured))
    in_order = sorted(measured.items(), key=lambda row: together.index(row[0][0]))
    for title, belongs in sections.items():
        rows += [f"\n### {title}\n", f"| {HEADER} |", "|---" * 5 + "|"]
        rows += (
            f"| `{by}` | {what} | {_cells(*sizes.values())} |"
            for (by, what), sizes in in_order
            if belongs(by)
        )
    return "\n".join(rows) + "\n\n"


def _cells(small: Measured, large: Measured) -> str:
    calls = "<br>".join(
        f"{call}{_times(small.calls[call], large.calls[call])}" for call in small.calls | large.calls
    )
    bills = small.bill, large.bill
    reads = " / ".join(f"{bill.reads:g}" for bill in bills)
    return f"{calls} | {reads} | {' / '.join(map(_written, bills))}"


def _times(small: int, large: int) -> str:
    if small == large:
        return f" × {small}" if small > 1 else ""
    return " × L" if (small, large) == LINES else f" × {small} / {large}"


def _written(bill: Bill) -> str:
    """All write units, and those of each index among them."""
    parts = {name: units for name, units in bill.by("part").items() if name.startswith("GSI")}
    indexed = ", ".join(f"{name} {units:g}" for name, units in parts.items())
    return f"{bill.writes:g}" + (f" ({indexed})" if indexed else "")


def written(document: str, table: str) -> str:
    """The document with a table in the place of its own."""
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table + END + after


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(), render(measure())))
