"""Privacy requests on the table: what is held is told by name, what may go is gone, money and units stay."""

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.intake.handler import handler as intake
from functions.sourcing.handler import handler as sourcing
from infra.cli import privacy as commands
from infra.cli.main import main
from oms.channels.envelope import seal
from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.events.derive import events_of_journal
from oms.events.publish import Queue
from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.orders.commands import Address, Customer, Delivery, Line, Method, PlaceOrder
from oms.orders.identity import order_id, shard
from oms.orders.privacy import held
from oms.orders.records import PrivacyKind, PrivacyRequested
from oms.orders.work import WorkStage, work_stage
from oms.store import keys, queries
from oms.store.privacy import read_requests
from oms.store.table import Table
from oms.usecases.check_ledger import check_ledger
from oms.usecases.erase_order import LOOK_AGAIN, Erased, erase_order
from oms.usecases.honour_privacy import erase_channel, honour_privacy
from oms.usecases.place_order import place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from oms.usecases.sweep_due import Sweep, sweep_due
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.outlets import Receiver
from tests.shelves import fill, order_of, shelves
from tests.tables import create_table

EVENTS = Path(__file__).parents[2] / "events"
LATER = NOW + timedelta(hours=1)
ID, OTHER = order_id("shop-es", "5001"), order_id("shop-es", "5002")
SECRETS = (
    "Nadie Sample",
    "nadie@example.com",
    "+34600000000",
    "Calle Sample 8",
    "28013",
    "For Nadie",
    "Bring it",
)
HOME = Address(
    name=SECRETS[0], line1=SECRETS[3], city="Madrid", postal_code="28013", country="ES", phone=SECRETS[2]
)
CUSTOMER = Customer("99", SECRETS[0], SECRETS[1], SECRETS[2])


def place(table: Table, number: str = "5001", **fields: object) -> None:
    fill(table, "A", wh_madrid=9)
    only = line("A", 2, properties={"engraving": "For Nadie", "listing_id": "L-1"})
    usual: dict[str, object] = {
        "channel_order_id": number,
        "customer": CUSTOMER,
        "billing": HOME,
        "deliveries": (Delivery("d1", Method.SHIP, "standard", HOME),),
        "notes": "Bring it upstairs",
    }
    place_order(table, network(), command(only, **(usual | fields)), NOW)


def ship(table: Table, name: str = ID) -> None:
    release_order(table, network(), name, NOW)
    package = Package("p1", "correos", f"PQ-{name[:4]}")
    record_fulfillment(table, FulfillmentFact("m", FactKind.SHIPPED, NOW, name, "2-1", (package,)), NOW)


def asked(kind: PrivacyKind, *orders: str, customer: Customer | None = CUSTOMER) -> PrivacyRequested:
    return PrivacyRequested("shop-es", "shopify", kind, customer, orders, LATER)


def stored(table: Table, name: str) -> str:
    """All that the table has of an order, compressed documents opened, as a text."""
    texts = [
        zlib.decompress(value).decode() if key == "doc" and isinstance(value, bytes) else value
        for item in queries.everything(table, name)
        for key, value in item.items()
    ]
    return json.dumps(texts, default=str, ensure_ascii=False)


def names_somebody(table: Table, name: str = ID) -> bool:
    return any(secret in stored(table, name) for secret in SECRETS)


def test_a_request_for_data_names_what_is_held_and_keeps_none_of_it(table: Table) -> None:
    place(table)
    place(table, "5002")
    kept = honour_privacy(table, asked(PrivacyKind.EXPORT, "5001", "777"), LATER)
    assert set(kept.orders) == {ID, OTHER}  # named, and known as this customer's
    assert names_somebody(table)
    (request,) = read_requests(table, "shop-es")
    assert request == kept
    item = table.get(keys.privacy_request("shop-es", kept.id))
    assert not any(secret in json.dumps(item, default=str) for secret in SECRETS)


def test_a_request_is_kept_once_however_often_it_comes(table: Table) -> None:
    place(table)
    ship(table)
    for _ in range(2):
        honour_privacy(table, asked(PrivacyKind.EXPORT, "5001"), LATER)
        honour_privacy(table, asked(PrivacyKind.ERASE_CUSTOMER, "5001"), LATER)
    assert len(read_requests(table, "shop-es")) == 2


def test_what_was_shipped_is_erased_and_its_money_and_units_stay(table: Table) -> None:
    place(table)
    ship(table)
    before = order_of(table, ID)
    honour_privacy(table, asked(PrivacyKind.ERASE_CUSTOMER, "5001"), LATER)
    after = order_of(table, ID)
    assert not names_somebody(table)
    assert after.customer_key is None
    assert replace(after, customer_key=before.customer_key, v=before.v, journal=before.journal) == before
    found = queries.order_with_body(table, ID)
    assert found is not None
    assert found[1].ship_to["d1"] == Address(country="ES")
    assert [dict(each.properties) for each in found[1].lines] == [{"listing_id": "L-1"}]
    assert queries.orders_of_customer(table, "shop-es#99", queries.Span(9)).items == ()
    assert not check_ledger(table, segments=1).findings


def test_subscribers_are_told_to_forget_too(table: Table) -> None:
    place(table)
    ship(table)
    erase_order(table, ID, LATER)
    events = [event for item in queries.everything(table, ID) for event in events_of_journal(item)]
    told = {event.type for event in events if event.time == LATER and event.public}
    assert told == {"order.personal_data_erased"}


def test_to_erase_twice_is_to_erase_once(table: Table) -> None:
    place(table)
    ship(table)
    assert erase_order(table, ID, LATER) is Erased.ERASED
    once = order_of(table, ID)
    assert erase_order(table, ID, LATER) is Erased.NOTHING
    assert order_of(table, ID) == once
    assert erase_order(table, "GHOST", LATER) is Erased.NOTHING


def test_what_has_yet_to_be_shipped_keeps_its_address_until_it_has_left(table: Table) -> None:
    place(table)
    kept = honour_privacy(table, asked(PrivacyKind.ERASE_CUSTOMER, "5001"), LATER)
    assert kept.postponed == 1
    assert names_somebody(table)
    assert len(release_order(table, network(), ID, LATER)) == 1
    due = LATER + LOOK_AGAIN
    assert work_stage(order_of(table, ID)) == (WorkStage.ERASE, due)
    seen = order_of(table, ID).v
    assert erase_order(table, ID, LATER) is Erased.POSTPONED
    assert order_of(table, ID).v == seen
    assert erase_order(table, ID, due) is Erased.POSTPONED
    assert work_stage(order_of(table, ID)) == (WorkStage.ERASE, due + LOOK_AGAIN)
    fact = FulfillmentFact("m", FactKind.SHIPPED, NOW, ID, f"{seen}-1", (Package("p1", None, None),))
    record_fulfillment(table, fact, due)
    body = json.dumps({"type": "erase", "order_id": ID})
    assert sourcing({"Records": [{"messageId": "m1", "body": body}]}, None) == {"batchItemFailures": []}
    assert not names_somebody(table)
    assert work_stage(order_of(table, ID)) is None


def test_other_customers_keep_theirs(table: Table) -> None:
    place(table)
    place(table, "5002", customer=replace(CUSTOMER, id="98"))
    ship(table)
    ship(table, OTHER)
    honour_privacy(table, asked(PrivacyKind.ERASE_CUSTOMER, "5001"), LATER)
    assert (names_somebody(table), names_somebody(table, OTHER)) == (False, True)


def test_a_request_that_names_nobody_is_kept_and_erases_nothing(table: Table) -> None:
    place(table)
    ship(table)
    kept = honour_privacy(table, asked(PrivacyKind.ERASE_CUSTOMER, customer=None), LATER)
    assert (kept.orders, names_somebody(table)) == ((), True)


def test_a_shop_is_erased_by_an_operator(table: Table) -> None:
    place(table)
    place(table, "5002")
    ship(table)
    kept = honour_privacy(table, asked(PrivacyKind.ERASE_SHOP, customer=None), LATER)
    assert (kept.kind, kept.orders, names_somebody(table)) == (PrivacyKind.ERASE_SHOP, (), True)
    counts = erase_channel(table, "shop-es", LATER)
    assert counts == {Erased.ERASED: 1, Erased.POSTPONED: 1, Erased.NOTHING: 0}
    assert erase_channel(table, "shop-fr", LATER)[Erased.ERASED] == 0
    assert (names_somebody(table), names_somebody(table, OTHER)) == (False, True)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_delivery(table: Table, fault: str) -> None:
    request = asked(PrivacyKind.ERASE_CUSTOMER, "5001")

    def lived(on: Table) -> None:
        honour_privacy(on, request, LATER)

    place(table)
    ship(table)
    undisturbed = Faults()
    lived(Table(undisturbed.wrap(table.client), table.name))
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        place(fresh)
        ship(fresh)
        try:
            lived(Table(Faults(**{fault: number}).wrap(table.client), fresh.name))  # type: ignore[arg-type]
        except (Crash, ReadTimeoutError):
            lived(fresh)
        assert not names_somebody(fresh)
        assert shelves(fresh, "A") == {"wh-madrid": (7, 0, 7)}
        assert len(read_requests(fresh, "shop-es")) == 1
        table.client.delete_table(TableName=fresh.name)


class Racing(Table):
    """A table on which somebody else does something just before our first write."""

    def __init__(self, table: Table, race: Callable[[], object]) -> None:
        super().__init__(table.client, table.name, pause=lambda seconds: None)
        self._races = [race]

    def commit(self, *writes: Any) -> None:
        while self._races:
            self._races.pop()()
        super().commit(*writes)


def test_whoever_writes_the_order_at_the_same_moment_is_not_lost(table: Table) -> None:
    place(table)
    raced = Racing(table, lambda: release_order(table, network(), ID, LATER))
    assert erase_order(raced, ID, LATER) is Erased.POSTPONED
    (work,) = queries.fulfillment_orders(table, ID)
    assert work.ship_to == HOME


TOPICS = ("customers/data_request", "customers/redact", "shop/redact")


def test_intake_honours_the_three_topics_and_logs_nobody(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    place(table)
    ship(table)
    event: dict[str, Any] = json.loads((EVENTS / "intake.json").read_text())
    (sample,) = event["Records"]
    who = {"id": 99, "email": SECRETS[1], "phone": SECRETS[2]}
    bodies: list[dict[str, object]] = [
        {"shop_id": 1, "orders_requested": [5001], "customer": who, "data_request": {"id": 9}},
        {"shop_id": 1, "orders_to_redact": [5001], "customer": who},
        {"shop_id": 1, "shop_domain": "sample.myshopify.com"},
    ]
    records = [
        sample
        | {
            "messageId": f"m{number}",
            "body": seal(
                "shop-es",
                adapter("shopify"),
                Headers([("x-shopify-topic", topic)]),
                json.dumps(body).encode(),
                datetime.now(UTC),
            ),
        }
        for number, (topic, body) in enumerate(zip(TOPICS, bodies, strict=True))
    ]
    assert intake({"Records": records}, None) == {"batchItemFailures": []}
    logged = capsys.readouterr()
    assert not any(secret in logged.out + logged.err for secret in SECRETS)
    kinds = sorted(request.kind for request in read_requests(table, "shop-es"))
    assert kinds == sorted(PrivacyKind)
    assert not names_somebody(table)


@pytest.fixture
def stack(table: Table, monkeypatch: pytest.MonkeyPatch) -> Table:
    """The command line works on the test's table."""

    @contextmanager
    def opened(name: str | None) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(table=table)

    monkeypatch.setattr(commands, "opened", opened)
    return table


def test_the_command_line_lists_exports_and_erases(stack: Table, capsys: pytest.CaptureFixture[str]) -> None:
    place(stack)
    ship(stack)
    kept = honour_privacy(stack, asked(PrivacyKind.EXPORT, "5001"), LATER)
    assert main(["privacy", "list", "shop-es"]) == 0
    (listed,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (listed["id"], listed["kind"], listed["orders"]) == (kept.id, "export", [ID])
    assert main(["privacy", "export", "shop-es", kept.id]) == 0
    (exported,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert exported["customer"]["email"] == SECRETS[1]
    assert {"customer.email", "ship_to.d1.line1", "notes", "lines.1.engraving", "customer_key"} <= set(
        exported["held"]
    )
    assert main(["privacy", "erase-shop", "shop-es"]) == 0
    assert json.loads(capsys.readouterr().out) == {"erased": 1, "postponed": 0, "nothing": 0}
    assert not names_somebody(stack)


def test_an_export_of_no_request_is_refused(stack: Table, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["privacy", "export", "shop-es", "GHOST"]) == 1
    problem = json.loads(capsys.readouterr().err)
    assert (problem["code"], problem["field"]) == ("not_found", "request")


def test_the_clock_asks_for_what_was_put_off(table: Table) -> None:
    place(table)
    release_order(table, network(), ID, NOW)
    erase_order(table, ID, LATER)
    receiver = Receiver()
    queue = Queue(receiver.queue, "https://queue.example.test")
    page = Sweep(WorkStage.ERASE, shard(ID))
    assert sweep_due(table, queue, queue, page, LATER) == 0
    assert sweep_due(table, queue, queue, page, LATER + LOOK_AGAIN) == 1
    (message,) = (json.loads(entry["MessageBody"]) for entry in receiver.taken)
    assert message == {"type": "erase", "order_id": ID}


NEWER = "2026-11-22T09:45:00.000Z"
VERSIONS: dict[str, dict[str, object]] = {
    "notes": {"notes": "Bring it upstairs, please"},
    "another address": {"deliveries": (Delivery("d1", Method.SHIP, "standard", replace(HOME, line2="8B")),)},
    "a delivery of its own": {
        "deliveries": tuple(Delivery(f"d{number}", Method.SHIP, "standard", HOME) for number in (1, 2))
    },
    "more units": {"lines": (line("A", 3, properties={"engraving": "For Nadie", "listing_id": "L-1"}),)},
    "a new line": {
        "lines": (line("A", 2), line("A", 1, number=2, properties={"engraving": "For Nadie"})),
    },
    "fewer units": {"lines": (line("A", 1),)},
    "how far it has come": {"payments": (), "lines": (line("A", 2, shipped=2),)},
    "that it is cancelled": {"cancelled": True},
}


def together(table: Table, sent: PlaceOrder) -> None:
    list(place_orders(table, network(), [sent], LATER))


@pytest.mark.parametrize("change", VERSIONS)
@pytest.mark.parametrize(
    "again",
    [lambda table, sent: place_order(table, network(), sent, LATER), together],
    ids=["alone", "in the hot lane"],
)
def test_no_version_of_an_order_brings_back_what_was_erased(
    table: Table, change: str, again: Callable[[Table, PlaceOrder], object]
) -> None:
    place(table)
    ship(table)
    assert erase_order(table, ID, LATER) is Erased.ERASED
    fields = {"customer": CUSTOMER, "billing": HOME, "purchase_order": "For Nadie", "channel_version": NEWER}
    usual = {"deliveries": (Delivery("d1", Method.SHIP, "standard", HOME),), "notes": "For Nadie"}
    lines = VERSIONS[change].get("lines", (line("A", 2, properties={"engraving": "For Nadie"}),))
    sent = command(*cast(tuple[Line, ...], lines), **(fields | usual | VERSIONS[change]))
    for _ in range(2):
        again(table, sent)
    found = queries.order_with_body(table, ID)
    assert found is not None
    order, body = found
    assert order.channel_version == NEWER
    assert held(order, body) == ()
    assert not names_somebody(table)


@pytest.mark.parametrize("change", ["more units", "a new line"])
def test_what_a_version_adds_after_the_erasure_has_no_address_to_go_to(table: Table, change: str) -> None:
    place(table)
    ship(table)
    erase_order(table, ID, LATER)
    lines = cast(tuple[Line, ...], VERSIONS[change]["lines"])
    more = command(*lines, channel_version=NEWER, deliveries=(Delivery("d1", Method.SHIP, None, HOME),))
    place_order(table, network(), more, LATER)
    order = order_of(table, ID)
    assert "address" in order.holds
    assert "address_missing" in [known.code for known in order.exceptions]
    assert release_order(table, network(), ID, LATER) == ()
