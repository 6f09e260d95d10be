"""Refunds that we have a channel give back, told of by the channel: each settles the one that it is."""

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations
from urllib.parse import urlsplit

import pytest

from oms.channels.exchange import Api, Request, Response, Unavailable
from oms.channels.headers import Headers
from oms.channels.protocol import Inbound
from oms.channels.publishing import Repayment, publishing
from oms.channels.registry import adapter
from oms.channels.woocommerce import publish, records
from oms.inventory.network import Channel
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import Payment, PaymentState
from oms.orders.records import RefundRecorded
from oms.payments.refunds import RefundState
from oms.store.returns import read_refunds
from oms.store.table import Table
from oms.usecases.cancel_order import cancel_order
from oms.usecases.place_order import place_order
from oms.usecases.push_refund import find_repayment
from oms.usecases.record_money import record_money
from tests.builders import command, line, network
from tests.fakes_channels import API, ORDER
from tests.fakes_http import Asked
from tests.fakes_orders import FakeSale
from tests.integration.test_elsewhere import ID, LATER
from tests.shelves import fill, order_of
from tests.unit.channels import test_bigcommerce as bigcommerce
from tests.unit.channels import test_woocommerce as woocommerce

KINDS = ("shopify", "woocommerce", "bigcommerce", "square")
DUE, SETTLED = RefundState.DUE, RefundState.SETTLED


def shop(kind: str) -> Channel:
    return Channel("shop-es", kind, "iberia", gives_refunds=True)


def owed(table: Table, kind: str = "shopify") -> list[str]:
    """An order of which two units are cancelled, one after the other: ids of the refunds, of one amount."""
    fill(table, "A", wh_madrid=5)
    place_order(table, network(channel=shop(kind)), command(line("A", 3)), LATER)
    for _ in range(2):
        cancel_order(
            table, network(channel=shop(kind)), ID, CancelRequest(CancelReason.CUSTOMER, {"1": 1}), LATER
        )
    return sorted(read_refunds(table, ID))


def states(table: Table) -> list[RefundState]:
    """Of our own refunds."""
    found = read_refunds(table, ID, consistent=True)
    return [found[name].state for name in sorted(found) if not name.startswith("channel.")]


def push(table: Table, kind: str, sale: FakeSale, refund: str, *, lost: bool = False) -> None:
    """The publisher has the channel give a refund back, if that is still due."""

    def send(request: Request) -> Response:
        given = len(sale.given)
        asked = Asked(request.method, urlsplit(request.url).path, API, request.body or b"")
        says = sale.answer(asked)
        if lost and len(sale.given) > given:
            raise Unavailable("the answer is lost")
        return Response(says.status, Headers(says.headers.items()), says.body)

    found = find_repayment(table, lambda _: network(channel=shop(kind)), ID, refund)
    if found:
        repayment: Repayment = replace(found[2], order_id=ORDER)
        publishing(kind).push_refund(Api(kind, "https://shop.example", API, send), repayment)


def told(kind: str, sale: FakeSale) -> list[RefundRecorded]:
    """What the channel tells of each refund that it has given, as we read it."""
    return [_told(kind, number, *given) for number, given in enumerate(sale.given, 1)]


def _told(kind: str, number: int, name: str, amount: int) -> RefundRecorded:
    at, money = "2026-11-22T11:00:00Z", f"{amount / 100:.2f}"
    topic, document = {
        "shopify": (
            "refunds/create",
            {"id": number, "order_id": 5001, "note": name, "created_at": at}
            | {"transactions": [{"kind": "refund", "status": "success", "amount": money, "currency": "EUR"}]},
        ),
        "woocommerce": (
            "order.updated",
            woocommerce.order(
                id=5001,
                refunds=[
                    {"id": number, "amount": money, "meta_data": [{"key": records.OUR_REFUND, "value": name}]}
                ],
            ),
        ),
        "bigcommerce": (
            "rest_v2_order",
            bigcommerce.order(
                id=5001,
                refunds=[
                    {"id": number, "total_amount": money}
                    | {"items": [{"item_type": "ORDER", "item_id": 5001, "reason": name, "quantity": 1}]}
                ],
            ),
        ),
        "square": (
            "refund.updated",
            {
                "type": "refund.updated",
                "data": {
                    "object": {
                        "refund": {"id": str(number), "order_id": "5001", "status": "COMPLETED"}
                        | {"reason": name, "updated_at": at}
                        | {"amount_money": {"amount": amount, "currency": "EUR"}}
                    }
                },
            },
        ),
    }[kind]
    inbound = Inbound("shop-es", kind, topic, Headers(), json.dumps(document).encode(), LATER)
    (record,) = (one for one in adapter(kind).parse(inbound) if isinstance(one, RefundRecorded))
    return record


def record(table: Table, said: Iterable[RefundRecorded]) -> None:
    for one in said:
        record_money(table, one, LATER)


def version(table: Table, kind: str, refunded: int) -> None:
    """The channel's order, as it shows what was given back."""
    payments = (
        Payment("card", 3000 - refunded, PaymentState.CAPTURED),
        Payment("card", refunded, PaymentState.REFUNDED),
    )
    newer = command(line("A", 3), channel_version="2026-11-22T10:30:00.000Z", payments=payments)
    place_order(table, network(channel=shop(kind)), newer, LATER)


def test_woocommerce_is_told_and_read_under_one_name() -> None:
    assert publish._KEY == records.OUR_REFUND


def test_a_note_of_somebody_elses_names_no_refund_of_ours(table: Table) -> None:
    first, _ = owed(table)
    (said,) = (_told("shopify", 1, f"see order {ID}-x of another", 1000),)
    assert said.settles == f"{ID}-x"
    record(table, [said])
    assert states(table) == [SETTLED, DUE], first


@pytest.mark.parametrize("kind", KINDS)
def test_the_refund_that_was_given_is_settled_and_not_the_earliest(table: Table, kind: str) -> None:
    _, second = owed(table, kind)
    sale = FakeSale(kind)
    push(table, kind, sale, second)
    record(table, told(kind, sale))
    assert states(table) == [DUE, SETTLED]
    record(table, told(kind, sale))
    assert order_of(table, ID).refunded == 1000


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_answer_gives_nothing_twice_whenever_the_channel_tells_of_it(table: Table, kind: str) -> None:
    _, second = owed(table, kind)
    sale = FakeSale(kind)
    with pytest.raises(Unavailable):
        push(table, kind, sale, second, lost=True)
    push(table, kind, sale, second)
    record(table, told(kind, sale))
    push(table, kind, sale, second)
    assert (len(sale.given), states(table)) == (1, [DUE, SETTLED])


STEPS = ("version", "told", "told again", "push again")


@pytest.mark.parametrize("order", list(permutations(STEPS)), ids=", ".join)
def test_whatever_is_told_first_the_one_that_was_given_is_settled(
    table: Table, order: tuple[str, ...]
) -> None:
    _, second = owed(table)
    sale = FakeSale("shopify")
    push(table, "shopify", sale, second)
    for step in order:
        if step == "version":
            version(table, "shopify", 1000)
        elif step == "push again":
            push(table, "shopify", sale, second)
        else:
            record(table, told("shopify", sale))
    assert (states(table), order_of(table, ID).refunded) == ([DUE, SETTLED], 1000)
    assert len(sale.given) == 1


def test_what_was_taken_for_another_is_given_back_after_all(table: Table) -> None:
    first, second = owed(table)
    sale = FakeSale("shopify")
    push(table, "shopify", sale, second)
    version(table, "shopify", 1000)
    assert states(table) == [SETTLED, DUE]
    record(table, told("shopify", sale))
    assert states(table) == [DUE, SETTLED]
    push(table, "shopify", sale, first)
    record(table, told("shopify", sale))
    assert (states(table), order_of(table, ID).refunded) == ([SETTLED, SETTLED], 2000)
    assert len(sale.given) == 2


def test_a_named_refund_of_less_is_judged_by_its_amount(table: Table) -> None:
    first, second = owed(table)
    record(table, [_told("shopify", 1, f"oms {ID}-{first}", 1000)])
    record(table, [_told("shopify", 2, f"oms {ID}-{second}", 400)])
    assert states(table) == [SETTLED, DUE]
    record(table, [_told("shopify", 3, "the rest", 600)])
    assert states(table) == [SETTLED, SETTLED]
