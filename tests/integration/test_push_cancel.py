"""Cancellations and refunds at the channels: each once, and left to a person where a channel has no way."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from functions.publisher import calls
from functions.publisher import handler as publisher
from oms.events.derive import events_of_journal
from oms.inventory.network import Channel, Network
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import CancelOrder, PlaceOrder
from oms.orders.identity import order_id
from oms.orders.records import RefundRecorded
from oms.payments.refunds import RefundState
from oms.runtime import clients
from oms.store import keys, process
from oms.store.queries import known_order
from oms.store.returns import read_refunds
from oms.store.table import Table
from oms.usecases.cancel_order import cancel_by_channel, cancel_order
from oms.usecases.place_order import place_order
from oms.usecases.record_money import record_money
from tests.builders import NOW, command, line, network
from tests.fakes_channels import API, ORDER
from tests.fakes_http import FakeServer, Fault, Says, serving
from tests.fakes_orders import CAPTURED, FakeSale
from tests.outlets import Receiver
from tests.pushing import pushing_to
from tests.shelves import fill

CANCELLING = ("shopify", "woocommerce", "magento", "bigcommerce", "square")
REFUNDING = ("shopify", "woocommerce", "bigcommerce", "square")
ALL = CancelRequest(CancelReason.STAFF)


@dataclass
class Desk:
    """An order that somebody cancels here, and the shop that sold it."""

    server: FakeServer
    sale: FakeSale
    table: Table
    receiver: Receiver
    network: Network
    placed: PlaceOrder

    @property
    def order_id(self) -> str:
        return order_id("shop-es", self.placed.channel_order_id)

    @property
    def exceptions(self) -> list[tuple[str, str]]:
        return [(known.code, known.ref) for known in known_order(self.table, self.order_id).exceptions]

    def cancel(self, **units: int) -> None:
        """An agent cancels units of lines (`l1=1`), or everything."""
        wish = {name.removeprefix("l"): count for name, count in units.items()} or None
        cancel_order(self.table, self.network, self.order_id, replace(ALL, units=wish), NOW)

    def events(self, type_: str) -> list[dict[str, Any]]:
        """The events of a type so far."""
        items = self.table.query(keys.order(self.order_id), consistent=True)
        found = [event for item in items for event in events_of_journal(item) if event.type == type_]
        return [{"detail-type": type_, "source": "oms", "detail": event.document()} for event in found]

    def publish(self, *documents: Any) -> list[str]:
        """Have `publisher` handle messages and all that follow from them; bodies of those that failed."""
        dead: list[str] = []
        waiting = [json.dumps(each) for each in documents]
        while waiting:
            body = waiting.pop(0)
            record = {"messageId": "1", "body": body}
            if publisher.handler({"Records": [record]}, None)["batchItemFailures"]:
                dead.append(body)
            entries, self.receiver.taken = self.receiver.taken, []
            later = (json.loads(entry["MessageBody"]) | {"due_at": None} for entry in entries)
            waiting += [json.dumps(each) for each in later]
            calls.client.cache_clear()
            calls.apis.cache_clear()
        return dead


@pytest.fixture
def desk(request: pytest.FixtureRequest, table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    kind: str = getattr(request, "param", "shopify")
    receiver = pushing_to(monkeypatch)
    made = network(channel=Channel("shop-es", kind, "iberia", gives_refunds=True))
    monkeypatch.setattr(process, "network", lambda *_: made)
    monkeypatch.setattr("oms.runtime.http.FIRST_PAUSE_S", 0.0)
    with serving() as server:
        sale = FakeSale(kind)
        server.answering = sale.answer
        secret = {"kind": kind, "secrets": ["s"], "api": {"url": server.url, **API}}
        if kind in ("ebay", "amazon"):
            secret["api"] = {"url": server.url, "token": "t"}
        clients.secrets().create_secret(Name="oms/channels/shop-es", SecretString=json.dumps(secret))
        for sku in "AB":
            fill(table, sku, wh_madrid=9)
        channel_order_id = f"{ORDER}@1" if kind == "magento" else ORDER
        lines = (line("A", 2, number=1), line("B", 1, number=2))
        placed = command(*lines, channel_order_id=channel_order_id, adapter=kind)
        assert placed.total == CAPTURED
        place_order(table, made, placed, NOW)
        yield Desk(server, sale, table, receiver, made, placed)


def kinds(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("desk", names, indirect=True)


# ---- What can go wrong -------------------------------------------------------------------------------------


@kinds(*CANCELLING)
def test_an_order_is_cancelled_at_its_channel_whatever_answer_is_lost(desk: Desk) -> None:
    desk.cancel()
    (event,) = desk.events("order.cancelled")
    for position in range(4):
        for fault in (Fault.LOST, Says(500), Says(429)):
            desk.server.faults = [*[None] * position, fault]
            assert desk.publish(event) == []
    assert (desk.sale.cancelled, desk.exceptions) == (True, [])
    if desk.sale.kind in ("shopify", "magento", "square"):
        assert desk.sale.cancels == 1


@kinds(*REFUNDING)
def test_money_is_given_back_once_whatever_answer_is_lost(desk: Desk) -> None:
    desk.cancel(l1=1)
    (event,) = desk.events("refund.due")
    for position in range(4):
        for fault in (Fault.LOST, Fault.CUT, Says(500), Says(429)):
            desk.server.faults = [*[None] * position, fault]
            assert desk.publish(event) == []
    assert (desk.sale.amounts, desk.exceptions) == ([1000], [])


def test_units_are_cancelled_once_whatever_answer_is_lost(desk: Desk) -> None:
    desk.cancel(l1=1)
    (event,) = desk.events("order.cancelled")
    for position in range(6):
        desk.server.faults = [*[None] * position, Fault.LOST]
        assert desk.publish(event) == []
    assert (desk.sale.units, desk.sale.cancels, desk.exceptions) == ({"701": 1, "702": 1}, 1, [])


@kinds("woocommerce", "magento", "bigcommerce", "square", "ebay", "amazon")
def test_units_that_a_channel_has_no_way_to_cancel_are_left_to_a_person(desk: Desk) -> None:
    desk.cancel(l1=1)
    (event,) = desk.events("order.cancelled")
    for _ in range(2):
        assert desk.publish(event) == []
    assert desk.exceptions == [("cancel_untold", desk.order_id)]
    assert desk.server.asked == []


@kinds("ebay", "amazon")
def test_an_order_that_a_channel_has_no_way_to_cancel_is_left_to_a_person(desk: Desk) -> None:
    desk.cancel()
    assert desk.publish(*desk.events("order.cancelled")) == []
    assert desk.exceptions == [("cancel_untold", desk.order_id)]


@kinds("magento", "ebay", "amazon")
def test_money_that_a_channel_has_no_way_to_give_back_is_left_to_a_person(desk: Desk) -> None:
    desk.cancel(l1=1)
    assert desk.publish(*desk.events("refund.due")) == []
    assert desk.exceptions == [("refund_untold", "cancel.2")]


def test_an_order_in_the_currency_of_its_customer_is_left_to_a_person(desk: Desk) -> None:
    desk.placed = replace(desk.placed, channel_order_id="7", presentment_currency="USD")
    place_order(desk.table, desk.network, desk.placed, NOW)
    desk.cancel()
    assert desk.publish(*desk.events("refund.due")) == []
    assert desk.exceptions == [("refund_untold", "cancel.2")]


@kinds(*CANCELLING)
def test_what_a_channel_refuses_again_and_again_is_left_to_a_person(desk: Desk) -> None:
    desk.cancel()
    desk.server.faults = [Says(422)] * 50
    assert desk.publish(*desk.events("order.cancelled"), *desk.events("refund.due")) == []
    assert {code for code, _ in desk.exceptions} == {"cancel_untold", "refund_untold"}
    assert len(desk.server.asked) <= 8
    assert (desk.sale.cancelled, desk.sale.amounts) == (False, [])


@kinds("shopify", "magento")
def test_a_page_in_place_of_an_answer_is_tried_again(desk: Desk) -> None:
    desk.cancel()
    desk.server.faults = [Fault.GARBAGE, Fault.GARBAGE]
    assert desk.publish(*desk.events("order.cancelled")) == []
    assert (desk.sale.cancelled, desk.exceptions) == (True, [])


@kinds(*REFUNDING)
def test_a_channel_that_has_given_all_back_is_not_asked_for_more(desk: Desk) -> None:
    desk.sale.give("somebody else", CAPTURED)
    desk.cancel(l1=1)
    desk.server.faults = [None, Says(422), None, Says(422), None, Says(422), None, Says(422)]
    assert desk.publish(*desk.events("refund.due")) == []
    assert desk.sale.amounts == [CAPTURED]
    assert desk.exceptions == [("refund_untold", "cancel.2")]


def test_a_channel_that_is_down_for_a_day_leaves_the_message_to_the_dead_letters(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "CHANNEL_WAITS_S", (5, 10))
    desk.cancel()
    desk.server.faults = [Says(503)] * 50
    (body,) = desk.publish(*desk.events("order.cancelled"))
    assert json.loads(body)["attempt"] == 2


@pytest.mark.parametrize(
    "document", [{"task": "push_cancel"}, {"task": "push_refund", "order_id": "x"}, {"task": "push_refund"}]
)
def test_a_message_that_names_nothing_is_kept(document: dict[str, str], desk: Desk) -> None:
    assert len(desk.publish(document)) == 1


@pytest.mark.parametrize(
    "document",
    [
        {"task": "push_cancel", "order_id": "none"},
        {"task": "push_refund", "order_id": "none", "refund": "cancel.2"},
    ],
)
def test_what_is_not_there_is_dropped(document: dict[str, str], desk: Desk) -> None:
    assert desk.publish(document) == []
    assert desk.server.asked == []


# ---- Whose cancellation it is ------------------------------------------------------------------------------


@kinds("shopify", "amazon")
def test_what_the_channel_has_cancelled_is_not_told_back_nor_its_money_asked_for(desk: Desk) -> None:
    name, version = desk.placed.channel_order_id, "2026-11-22T09:40:00.000Z"
    by_channel = CancelOrder("shop-es", desk.sale.kind, name, version, "customer", NOW)
    cancel_by_channel(desk.table, desk.network, by_channel, NOW)
    assert desk.events("refund.due")
    assert desk.publish(*desk.events("order.cancelled"), *desk.events("refund.due")) == []
    assert (desk.server.asked, desk.exceptions) == ([], [])


def test_a_channel_that_reports_our_cancellation_back_changes_nothing(desk: Desk) -> None:
    """It sends the order anew with less of it, then that it is cancelled, and the money that it gave back."""
    desk.cancel(l1=1)
    assert desk.publish(*desk.events("order.cancelled"), *desk.events("refund.due")) == []
    version = "2026-11-22T09:40:00.000Z"
    fewer = replace(desk.placed.lines[0], cancelled=1)
    lines = (fewer, desk.placed.lines[1])
    place_order(desk.table, desk.network, replace(desk.placed, channel_version=version, lines=lines), NOW)
    refunded = RefundRecorded("shop-es", "shopify", ORDER, "R1", "EUR", 1000, (), 0, 0, 0, 0, 0, None, NOW)
    record_money(desk.table, refunded, NOW)
    asked = len(desk.server.asked)
    order = known_order(desk.table, desk.order_id)
    assert [each.cancelled for each in order.lines] == [1, 0]
    assert (order.refunded, len(desk.events("order.cancelled"))) == (1000, 1)
    refunds = read_refunds(desk.table, desk.order_id)
    assert {refund.state for refund in refunds.values()} == {RefundState.SETTLED}
    assert desk.publish(*desk.events("refund.due")) == []
    assert (len(desk.server.asked), desk.sale.amounts) == (asked, [1000])


def test_a_channel_that_reports_our_cancelled_order_back_changes_nothing(desk: Desk) -> None:
    desk.cancel()
    assert desk.publish(*desk.events("order.cancelled"), *desk.events("refund.due")) == []
    before = known_order(desk.table, desk.order_id)
    by_channel = CancelOrder("shop-es", "shopify", ORDER, "2026-11-22T09:40:00.000Z", "other", NOW)
    cancel_by_channel(desk.table, desk.network, by_channel, NOW)
    assert known_order(desk.table, desk.order_id) == before
    assert (desk.sale.cancels, desk.sale.amounts) == (1, [CAPTURED])


def test_a_channel_that_is_not_asked_for_money_is_only_told_of_what_is_cancelled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = replace(desk.network.channels["shop-es"], gives_refunds=False)
    monkeypatch.setattr(process, "network", lambda *_: replace(desk.network, channels={"shop-es": silent}))
    desk.cancel()
    assert desk.publish(*desk.events("order.cancelled"), *desk.events("refund.due")) == []
    assert (desk.sale.cancelled, desk.sale.amounts, desk.exceptions) == (True, [], [])


def test_a_channel_without_an_api_is_told_nothing_and_nobody_is_bothered(desk: Desk) -> None:
    secret = json.dumps({"kind": "shopify", "secrets": ["s"]})
    clients.secrets().put_secret_value(SecretId="oms/channels/shop-es", SecretString=secret)
    desk.cancel(l1=1)
    assert desk.publish(*desk.events("order.cancelled"), *desk.events("refund.due")) == []
    assert (desk.server.asked, desk.exceptions) == ([], [])


def test_units_cancelled_one_after_the_other_end_in_what_is_left(desk: Desk) -> None:
    desk.cancel(l1=1)
    first = desk.events("order.cancelled")
    desk.cancel(l2=1)
    assert desk.publish(*desk.events("order.cancelled")[1:], *first) == []
    assert (desk.sale.units, desk.sale.cancels) == ({"701": 1, "702": 0}, 1)
    desk.cancel()
    assert desk.publish(*desk.events("order.cancelled")) == []
    assert desk.sale.cancelled
