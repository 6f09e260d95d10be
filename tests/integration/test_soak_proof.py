"""The proof after a soak: whatever goes wrong is counted by the figure that is named after it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from infra.demo.retailer import CHANNEL
from infra.soak.proof import Books, figures, read_books, unsettled
from infra.soak.sales import HOT_EVERY, KINDS, SECRETS, Fate, Sale, demand, hot_article, hot_limits, sales
from oms.channels.headers import Headers
from oms.channels.protocol import Inbound
from oms.channels.registry import adapter
from oms.orders.commands import PlaceOrder
from oms.orders.model import Order
from oms.store.table import Table
from oms.usecases.place_order import place_order
from tests.builders import NOW, network
from tests.shelves import fill

RUN = 1795339800
MADE = [sale for sale in sales(RUN, 60) if sale.channel == CHANNEL]
HOT = hot_article(RUN).sku


def parsed(sale: Sale) -> PlaceOrder:
    kind = adapter(KINDS[sale.channel])
    body, fields = sale.placed()
    headers = Headers(fields.items())
    kind.verify(headers, body, [SECRETS[sale.channel]], url="", now=datetime.now(UTC))
    (command,) = kind.parse(
        Inbound(sale.channel, kind.kind, kind.topic_of(headers, body), headers, body, NOW)
    )
    assert isinstance(command, PlaceOrder)
    return command


def delivered(order: Order) -> Order:
    lines = (replace(line, entries=(), shipped=line.ordered, delivered=line.ordered) for line in order.lines)
    return replace(order, lines=tuple(lines))


@pytest.fixture
def before(table: Table) -> Books:
    for sku, units in demand(MADE).items():
        fill(table, sku, wh_madrid=units)
    return read_books(table)


@pytest.fixture
def after(table: Table, before: Books) -> Books:
    """Every order placed; nothing of it has left."""
    for sale in MADE:
        place_order(table, network(), parsed(sale), NOW)
    return read_books(table)


def proved(before: Books, after: Books, made: list[Sale] = MADE) -> dict[str, int]:
    """The figures that are not 0."""
    made = [replace(sale, fate=Fate.ORDINARY) for sale in made]
    return {name: value for name, value in figures(before, after, made, []).items() if value}


def without(books: Books, sale: Sale) -> Books:
    return replace(books, orders={name: books.orders[name] for name in books.orders if name != sale.order_id})


def changed(books: Books, sale: Sale, change: Callable[[Order], Order]) -> Books:
    return replace(books, orders={**books.orders, sale.order_id: change(books.orders[sale.order_id])})


def first_line_twice(order: Order) -> Order:
    return replace(order, lines=(*order.lines, replace(order.lines[0], line_id="99", cancelled=0)))


def test_nothing_is_wrong_when_nothing_is(before: Books, after: Books) -> None:
    assert proved(before, after) == {}


def test_orders_lost_and_orders_that_nobody_has_sent(before: Books, after: Books) -> None:
    assert proved(before, without(after, MADE[0])) == {"lost": 1}
    assert proved(before, after, MADE[1:]) == {"strangers": 1}


def test_an_order_that_has_a_line_twice(before: Books, after: Books) -> None:
    wrong = proved(before, changed(after, MADE[0], first_line_twice))
    assert wrong["units_duplicated"] == after.orders[MADE[0].order_id].lines[0].ordered


def test_units_that_left_without_a_parcel_or_off_no_shelf(before: Books, after: Books) -> None:
    units = sum(MADE[0].basket.units.values())
    wrong = proved(before, changed(after, MADE[0], delivered))
    assert wrong == {"parcels_duplicated": units, "stock_off": units}


def test_a_position_that_is_promised_beyond_what_is_there(before: Books, after: Books) -> None:
    first, *rest = after.positions
    short = replace(after, positions=[replace(first, uncommitted=-2), *rest])
    assert proved(before, short) == {"oversold": 2}


def test_a_return_that_nobody_has_dealt_with(before: Books, after: Books) -> None:
    wrong = figures(before, after, MADE, [MADE[0].order_id])
    assert wrong["returns_off"] == 1


def test_an_order_cancelled_before_it_came_that_goes_on(before: Books, after: Books) -> None:
    first = replace(MADE[0], fate=Fate.CANCELLED_BEFORE)
    wrong = figures(before, after, [first, *MADE[1:]], [])
    assert wrong["not_cancelled"] == sum(first.basket.units.values())
    left = changed(after, first, lambda order: order.with_exception("cancel_refused", "2-1", NOW))
    assert figures(before, left, [first, *MADE[1:]], [])["not_cancelled"] == 0


def test_money_that_is_not_given_back_for_what_is_cancelled(before: Books, after: Books) -> None:
    def cancelled(order: Order) -> Order:
        lines = (replace(line, entries=(), cancelled=line.ordered) for line in order.lines)
        return replace(order, lines=tuple(lines))

    wrong = proved(before, changed(after, MADE[0], cancelled))
    assert wrong == {"refunds_off": after.orders[MADE[0].order_id].total}


def test_orders_are_through_when_all_is_delivered_or_waits_for_the_hot_sku(after: Books) -> None:
    hot, plain = (
        next(sale for sale in MADE if (HOT in sale.basket.units) == wanted) for wanted in (True, False)
    )

    def waiting(order: Order) -> Order:
        done = delivered(order)
        lines = (
            replace(line, shipped=0, delivered=0, open=line.shipped) if line.sku == HOT else line
            for line in done.lines
        )
        return replace(done, lines=tuple(lines))

    assert unsettled(after, MADE, HOT) == [sale.order_id for sale in MADE]
    assert unsettled(changed(after, plain, delivered), [plain], HOT) == []
    assert unsettled(changed(after, hot, waiting), [hot], HOT) == []
    assert unsettled(changed(after, hot, waiting), [hot], "OTHER") == [hot.order_id]
    assert unsettled(without(after, plain), [plain], HOT) == [plain.order_id]


def test_every_fate_comes_up_in_a_small_soak_and_the_hot_sku_does_not_suffice() -> None:
    made = sales(RUN, 60)
    assert {sale.fate for sale in made} == set(Fate)
    assert len({sale.order_id for sale in made}) == 60
    assert {sale.channel for sale in made} == set(KINDS)
    there, more = hot_limits(60)
    assert there + more < demand(made)[HOT] == 60 // HOT_EVERY


@pytest.mark.parametrize("channel", KINDS)
def test_what_is_sent_is_genuine_and_says_what_was_sold(channel: str) -> None:
    sale = next(sale for sale in sales(RUN, 60) if sale.channel == channel)
    command = parsed(sale)
    assert (command.channel, command.channel_order_id) == (channel, sale.basket.channel_order_id)
    units: dict[str, int] = {}
    for line in command.lines:
        units[str(line.sku)] = units.get(str(line.sku), 0) + int(line.quantity)
    assert units == sale.basket.units
    assert command.total == sum(payment.amount for payment in command.payments)
