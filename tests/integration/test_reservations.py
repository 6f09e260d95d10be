"""Reservations of carts on the table: what they hold, until when, and who gets it then."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from oms.inventory.model import Delta, Reserved, Sku
from oms.inventory.network import Network
from oms.inventory.reservations import Cart, CartLine, Reservation, ReservationState
from oms.orders.commands import Delivery, Method
from oms.orders.judgement import Verdict
from oms.orders.model import Order
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.errors import Busy
from oms.store.meter import Bill, Meter
from oms.store.reservations import encode_reserved, read_reservation
from oms.store.stock import encode_sku, read_stock
from oms.store.table import Table
from oms.store.writes import Why, limit, move, put
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.end_reservations import expire_reservation, release_cart
from oms.usecases.place_order import Result, place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.reserve_cart import LONGEST, Wish, reserve_cart
from tests.builders import CHANNEL, NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import fill, order_of

SOON = NOW + timedelta(minutes=15)
LATER = SOON + timedelta(minutes=15)
MOMENT = timedelta(milliseconds=1)


def wish(until: datetime = SOON, *, partial: bool = False, **units: int) -> Wish:
    """A cart with units of skus: `wish(A=2, B=1)`."""
    lines = tuple(CartLine(sku, number) for sku, number in units.items())
    return Wish(Cart(CHANNEL.id, lines), until, partial)


def hold(
    table: Table, name: str = "cart-1", now: datetime = NOW, until: datetime = SOON, **units: int
) -> Reservation:
    return hold_all(table, units, name, now, until)


def hold_all(
    table: Table, units: Mapping[str, int], name: str = "cart-1", now: datetime = NOW, until: datetime = SOON
) -> Reservation:
    lines = tuple(CartLine(sku, number) for sku, number in units.items())
    return reserve_cart(table, network(), name, Wish(Cart(CHANNEL.id, lines), until), now)


def order(
    table: Table, now: datetime = NOW, number: str = "5001", cart: str | None = "cart-1", **units: int
) -> Result:
    return order_all(table, units, now, number, cart)


def order_all(
    table: Table,
    units: Mapping[str, int],
    now: datetime = NOW,
    number: str = "5001",
    cart: str | None = "cart-1",
) -> Result:
    lines = (line(sku, each, number=n) for n, (sku, each) in enumerate(units.items(), 1))
    sent = command(*lines, channel_order_id=number, reservation=cart)
    return place_order(table, network(), sent, now)


def held(table: Table, sku: str = "A") -> dict[str, tuple[int, int, int]]:
    """Allocated, reserved and uncommitted units of a sku by location."""
    stock = read_stock(table, [sku], consistent=True)[sku]
    return {one.location: (one.allocated, one.reserved, one.uncommitted) for one in stock.positions}


def rows(table: Table, sku: str = "A") -> dict[tuple[str, str], int]:
    """Units in the rows of a sku, by reservation and location."""
    stock = read_stock(table, [sku], consistent=True)[sku]
    return {(row.reservation, row.location): row.units for row in stock.reserved}


def state(table: Table, name: str = "cart-1") -> ReservationState:
    found = read_reservation(table, name)
    assert found is not None
    return found.state


def everything(table: Table) -> list[Any]:
    items: list[Any] = table.client.scan(TableName=table.name)["Items"]
    return sorted(items, key=lambda item: (item["PK"]["S"], item["SK"]["S"]))


def refused(attempt: Callable[[], object]) -> tuple[Code, str | None, str | None]:
    """Code, field and state of what an attempt is refused with."""
    with pytest.raises(Problem) as problem:
        attempt()
    return problem.value.code, problem.value.field, problem.value.state


# ---- What is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wanted", "code", "field"),
    [
        ("#1", wish(A=1), Code.FIELD_INVALID, "reservation"),
        ("c", wish(NOW, A=1), Code.FIELD_INVALID, "expires_at"),
        ("c", wish(NOW + LONGEST + MOMENT, A=1), Code.FIELD_INVALID, "expires_at"),
        ("c", wish(A=1, X=1), Code.FIELD_INVALID, "lines[1].sku"),
        ("c", wish(A=1, B=3), Code.STOCK_SHORT, "lines[1].units"),
        ("c", Wish(Cart("ghost", (CartLine("A", 1),)), SOON), Code.CHANNEL_UNKNOWN, "channel"),
        (
            "c",
            Wish(Cart(CHANNEL.id, (CartLine("A", 1),), Method.PICKUP, "nowhere"), SOON),
            Code.FIELD_INVALID,
            "location",
        ),
    ],
)
def test_what_cannot_be_held_is_refused_by_field_and_nothing_is_written(
    table: Table, name: str, wanted: Wish, code: Code, field: str
) -> None:
    fill(table, "A", wh_madrid=5)
    fill(table, "B", wh_madrid=2)
    before = everything(table)
    assert refused(lambda: reserve_cart(table, network(), name, wanted, NOW)) == (code, field, None)
    assert everything(table) == before


def test_two_lines_of_a_sku_are_one_demand(table: Table) -> None:
    fill(table, "A", wh_madrid=3)
    twice = Cart(CHANNEL.id, (CartLine("A", 2), CartLine("A", 2)))
    attempt = lambda: reserve_cart(table, network(), "c", Wish(twice, SOON), NOW)  # noqa: E731
    assert refused(attempt) == (Code.STOCK_SHORT, "lines[1].units", None)


def test_what_waits_comes_before_carts(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    order(table, cart=None, A=3)
    count_stock(table, network(), Count("A", "wh-madrid", 3, NOW, "count", "test"), NOW)
    assert refused(lambda: hold(table, A=1))[0] is Code.STOCK_SHORT


def test_safety_stock_is_not_held(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    configured = network()
    safe = replace(configured.locations["wh-madrid"], safety_stock=3)
    careful = replace(configured, locations={**configured.locations, "wh-madrid": safe})
    assert refused(lambda: reserve_cart(table, careful, "c", wish(A=3), NOW))[0] is Code.STOCK_SHORT
    assert reserve_cart(table, careful, "c", wish(A=2), NOW).held == {("A", "wh-madrid"): 2}


def test_a_reservation_of_another_channel_is_not_touched(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    configured = network()
    other = replace(CHANNEL, id="shop-fr")
    both = Network({**configured.channels, "shop-fr": other}, configured.pools, configured.locations)
    theirs = Wish(Cart("shop-fr", (CartLine("A", 1),)), SOON)
    reserve_cart(table, both, "cart-1", theirs, NOW)
    assert refused(lambda: hold(table, A=1)) == (Code.CONFLICT, "channel", None)
    assert order(table, A=5).order.lines[0].allocated == 4
    assert held(table) == {"wh-madrid": (4, 1, 0)}


def test_what_has_become_an_order_is_neither_changed_nor_released(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=2)
    order(table, A=2)
    said = (Code.STATE_REFUSED, None, "confirmed")
    assert refused(lambda: hold(table, A=3)) == said
    assert refused(lambda: release_cart(table, network(), "cart-1", NOW)) == said


def test_a_reservation_that_nobody_made_is_not_found(table: Table) -> None:
    assert refused(lambda: release_cart(table, network(), "ghost", NOW))[0] is Code.NOT_FOUND
    assert not expire_reservation(table, network(), "ghost", NOW)


def test_a_version_that_has_passed_is_refused(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=1)
    again = lambda: reserve_cart(table, network(), "cart-1", wish(A=2), NOW, 0)  # noqa: E731
    assert refused(again) == (Code.VERSION_MISMATCH, "If-Match", None)
    assert refused(lambda: release_cart(table, network(), "cart-1", NOW, 7))[0] is Code.VERSION_MISMATCH
    assert reserve_cart(table, network(), "cart-1", wish(A=1), NOW, 0).v == 1  # what is there already
    assert reserve_cart(table, network(), "cart-1", wish(A=2), NOW, 1).v == 2


def test_a_cart_over_more_positions_than_one_transaction_takes_is_refused(table: Table) -> None:
    skus = [f"SKU-{number}" for number in range(50)]
    for sku in skus:
        fill(table, sku, wh_madrid=1)
    large = Cart(CHANNEL.id, tuple(CartLine(sku, 1) for sku in skus))
    attempt = lambda: reserve_cart(table, network(), "c", Wish(large, SOON), NOW)  # noqa: E731
    assert refused(attempt) == (Code.UNSUPPORTED, "lines", None)


# ---- What is held ---------------------------------------------------------------------------------------


def test_held_units_are_nobody_elses(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    made = hold(table, A=3)
    assert (made.v, made.held) == (1, {("A", "wh-madrid"): 3})
    assert read_reservation(table, "cart-1") == made
    assert (held(table), rows(table)) == ({"wh-madrid": (0, 3, 2)}, {("cart-1", "wh-madrid"): 3})
    (one,) = order(table, cart=None, A=5).order.lines
    assert (one.allocated, one.open) == (2, 3)


def test_the_same_wish_again_changes_nothing(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    before = everything(table)
    assert hold(table, now=NOW + MOMENT, A=3).v == 1
    assert everything(table) == before


def test_to_extend_moves_no_units_and_no_position(table: Table) -> None:
    fill(table, "A", wh_lyon=2, wh_madrid=5)
    first = hold(table, A=2)
    before = read_stock(table, ["A"], consistent=True)["A"].positions
    longer = hold(table, until=LATER, A=2)
    assert (longer.v, longer.held, longer.expires_at) == (2, first.held, LATER)
    stock = read_stock(table, ["A"], consistent=True)["A"]
    assert stock.positions == before
    assert {row.expires_at for row in stock.reserved} == {LATER}
    assert not expire_reservation(table, network(), "cart-1", SOON)
    assert order(table, SOON, cart=None, A=9).order.lines[0].allocated == 5


@pytest.mark.parametrize(
    ("then", "left", "kept"),
    [
        ({"A": 4}, (0, 4, 1), {("cart-1", "wh-madrid"): 4}),
        ({"A": 1}, (0, 1, 4), {("cart-1", "wh-madrid"): 1}),
        ({"B": 1}, (0, 0, 5), {}),
        ({"A": 5, "B": 1}, (0, 5, 0), {("cart-1", "wh-madrid"): 5}),
    ],
)
def test_another_wish_changes_what_is_held_by_the_difference(
    table: Table, then: dict[str, int], left: tuple[int, int, int], kept: dict[tuple[str, str], int]
) -> None:
    fill(table, "A", wh_madrid=5)
    fill(table, "B", wh_madrid=5)
    hold(table, A=3)
    hold_all(table, then)
    assert (held(table)["wh-madrid"], rows(table)) == (left, kept)
    assert held(table, "B")["wh-madrid"] == (0, then.get("B", 0), 5 - then.get("B", 0))


def test_a_wish_that_cannot_be_granted_leaves_what_is_held(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    assert refused(lambda: hold(table, A=6))[0] is Code.STOCK_SHORT
    assert rows(table) == {("cart-1", "wh-madrid"): 3}


def test_a_part_is_held_when_a_part_will_do_and_the_rest_as_soon_as_it_is_there(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    made = reserve_cart(table, network(), "c", wish(partial=True, A=3), NOW)
    assert (made.partial, made.held) == (True, {("A", "wh-madrid"): 2})
    count_stock(table, network(), Count("A", "wh-madrid", 9, NOW, "count", "test"), NOW)
    more = reserve_cart(table, network(), "c", wish(LATER, partial=True, A=3), NOW)
    assert (more.partial, more.held) == (False, {("A", "wh-madrid"): 3})


def test_of_a_sku_that_is_not_counted_nothing_has_to_be_held(table: Table) -> None:
    table.commit(put(keys.sku_meta("A"), encode_sku(Sku("A", tracked=False))))
    assert hold(table, A=7).held == {}
    assert order(table, A=7).order.lines[0].allocated == 7


def test_a_cart_that_picks_up_holds_units_of_its_store(table: Table) -> None:
    fill(table, "A", wh_madrid=5, st_gracia=2)
    at = Cart(CHANNEL.id, (CartLine("A", 2),), Method.PICKUP, "905684977")
    assert reserve_cart(table, network(), "c", Wish(at, SOON), NOW).held == {("A", "st-gracia"): 2}
    more = replace(at, lines=(CartLine("A", 3),))
    attempt = lambda: reserve_cart(table, network(), "c", Wish(more, SOON), NOW)  # noqa: E731
    assert refused(attempt)[0] is Code.STOCK_SHORT


# ---- How it ends ----------------------------------------------------------------------------------------


def test_released_units_are_free_once(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    for _ in range(2):
        assert release_cart(table, network(), "cart-1", NOW).state is ReservationState.RELEASED
        assert (held(table), rows(table)) == ({"wh-madrid": (0, 0, 5)}, {})
    item = table.get(keys.reservation("cart-1"))
    assert item is not None
    assert item["ttl"] == int((NOW + timedelta(days=7)).timestamp())
    assert "GSI1PK" not in item


def test_what_was_released_or_has_expired_can_be_held_anew(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    release_cart(table, network(), "cart-1", NOW)
    assert hold(table, A=2).v == 3
    assert hold(table, now=SOON, until=LATER, A=4).held == {("A", "wh-madrid"): 4}
    assert (held(table), rows(table)) == ({"wh-madrid": (0, 4, 1)}, {("cart-1", "wh-madrid"): 4})


@pytest.mark.parametrize(("now", "allocated"), [(SOON - MOMENT, 2), (SOON, 5)])
def test_it_expires_to_the_millisecond_whether_or_not_the_clock_has_come(
    table: Table, now: datetime, allocated: int
) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    assert order(table, now, cart=None, A=5).order.lines[0].allocated == allocated


def test_who_needs_expired_units_ends_no_more_rows_than_that_takes(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    for name, units in (("a", 1), ("b", 4), ("c", 2)):
        hold(table, name, A=units)
    order(table, SOON, cart=None, A=2)
    assert (held(table), len(rows(table))) == ({"wh-madrid": (2, 7, 0)}, 3)
    order(table, SOON, "5002", cart=None, A=3)
    assert held(table) == {"wh-madrid": (5, 3, 1)}
    assert rows(table) == {("a", "wh-madrid"): 1, ("c", "wh-madrid"): 2}
    hold(table, "d", SOON, LATER, A=4)
    assert held(table) == {"wh-madrid": (5, 4, 0)}
    assert rows(table) == {("d", "wh-madrid"): 4}


def test_the_clock_clears_away_what_is_left_once(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    fill(table, "B", wh_madrid=1)
    hold(table, A=3, B=1)
    assert not expire_reservation(table, network(), "cart-1", SOON - MOMENT)
    order(table, SOON, cart=None, A=5)
    assert expire_reservation(table, network(), "cart-1", SOON)
    assert (held(table), held(table, "B")) == ({"wh-madrid": (5, 0, 0)}, {"wh-madrid": (0, 0, 1)})
    assert not expire_reservation(table, network(), "cart-1", LATER)
    assert state(table) is ReservationState.EXPIRED


def test_more_expired_rows_than_a_transaction_takes_stop_nobody(table: Table) -> None:
    fill(table, "A", wh_madrid=120)
    for number in range(120):
        row = Reserved("A", "wh-madrid", f"c{number}", 1, SOON)
        table.commit(put(keys.reserved("A", row.reservation, row.location), encode_reserved(row)))
    table.commit(move("A", "wh-madrid", Delta(reserved=120), Why("test", "test", "test", NOW)))
    (one,) = order(table, SOON, cart=None, A=119).order.lines
    assert one.allocated == 119
    assert held(table)["wh-madrid"][0] == 119


def test_a_group_of_the_hot_lane_ends_the_rows_that_it_needs_together(table: Table) -> None:
    fill(table, "A", wh_madrid=6)
    for name in "abc":
        hold(table, name, A=2)
    rush = [command(line("A", 3), channel_order_id=str(number)) for number in range(2)]
    outcomes = [outcome for _, outcome in place_orders(table, network(), rush, SOON)]
    assert [one.order.lines[0].allocated for one in outcomes if isinstance(one, Result)] == [3, 3]
    assert (held(table), rows(table)) == ({"wh-madrid": (6, 0, 0)}, {})


# ---- Into an order --------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [1, 3, 4])
def test_an_order_takes_over_what_its_cart_holds_and_gives_back_the_rest(table: Table, units: int) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    made = order(table, A=units).order
    assert made.lines[0].allocated == units
    assert (held(table), rows(table)) == ({"wh-madrid": (units, 0, 5 - units)}, {})
    gone = read_reservation(table, "cart-1")
    assert gone is not None
    assert (gone.state, gone.order_id, gone.held) == (ReservationState.CONFIRMED, made.order_id, {})


def test_a_sku_that_the_buyer_has_left_out_is_given_back(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    fill(table, "B", wh_madrid=5)
    hold(table, A=3, B=2)
    order(table, A=3)
    assert (held(table, "B"), rows(table, "B")) == ({"wh-madrid": (0, 0, 5)}, {})


def test_what_waits_does_not_come_before_what_a_cart_holds_already(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=5)
    table.commit(limit("A", "iberia", 9))
    assert order(table, number="other", cart=None, A=4).order.lines[0].backordered == 4
    assert order(table, A=5).order.lines[0].allocated == 5


def test_an_order_is_sourced_anew_where_the_places_of_its_cart_do_not_serve_it(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    hold(table, A=2)
    fill(table, "A", st_gracia=2)
    at_store = (Delivery("d1", Method.PICKUP, location="st-gracia"),)
    sent = command(line("A", 2), reservation="cart-1", deliveries=at_store)
    (one,) = place_order(table, network(), sent, NOW).order.lines
    assert [entry.location for entry in one.entries] == ["st-gracia"]
    assert held(table) == {"st-gracia": (2, 0, 0), "wh-madrid": (0, 0, 2)}
    assert rows(table) == {}


def test_units_that_a_count_did_not_find_are_not_taken_over(table: Table) -> None:
    fill(table, "A", wh_madrid=5, wh_lyon=0)
    hold(table, A=5)
    count_stock(table, network(), Count("A", "wh-madrid", 3, NOW, "count", "test"), NOW)
    (one,) = order(table, A=5).order.lines
    assert (one.allocated, one.open) == (3, 2)
    assert held(table)["wh-madrid"] == (3, 0, 0)


@pytest.mark.parametrize("cart", ["cart-1", "ghost", "x" * 3000, "#", " "])
def test_an_order_is_placed_from_ordinary_stock_when_its_reservation_is_worth_nothing(
    table: Table, cart: str
) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    (one,) = order(table, SOON, cart=cart, A=4).order.lines
    assert one.allocated == 4
    assert state(table) is ReservationState.HELD
    assert expire_reservation(table, network(), "cart-1", SOON)
    assert held(table) == {"wh-madrid": (4, 0, 1)}


def test_the_second_order_of_a_reservation_gets_ordinary_stock(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    first = order(table, A=3).order
    (second,) = order(table, number="5002", A=3).order.lines
    assert (second.allocated, second.open) == (2, 1)
    gone = read_reservation(table, "cart-1")
    assert gone is not None
    assert gone.order_id == first.order_id


def test_the_hot_lane_gives_a_reservation_to_the_first_order_that_names_it(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    sent = [command(line("A", 3), channel_order_id=str(n), reservation="cart-1") for n in range(3)]
    outcomes = [outcome for _, outcome in place_orders(table, network(), [*sent, sent[0]], NOW)]
    results = [one for one in outcomes if isinstance(one, Result)]
    assert [one.order.lines[0].allocated for one in results] == [3, 2, 0, 3]
    assert [one.verdict for one in results][-1] is Verdict.DUPLICATE
    assert (held(table), rows(table)) == ({"wh-madrid": (5, 0, 0)}, {})


def test_the_order_again_is_a_duplicate_and_a_new_cart_of_the_same_id_is_not_its_business(
    table: Table,
) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    order(table, A=3)
    assert order(table, A=3).verdict is Verdict.DUPLICATE
    assert held(table) == {"wh-madrid": (3, 0, 2)}


# ---- Races ----------------------------------------------------------------------------------------------


class Rival:
    """A client that lets somebody else act just before the first transaction."""

    def __init__(self, client: Any, act: Callable[[], object]) -> None:
        self._client = client
        self._acts = [act]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        if self._acts:
            self._acts.pop()()
        return self._client.transact_write_items(**request)


def against(table: Table, act: Callable[[Table], object]) -> Table:
    """The table for one who comes second: `act` comes between what he reads and what he writes."""
    rival: Any = Rival(table.client, lambda: act(table))
    return Table(rival, table.name, pause=lambda seconds: None)


ACTS: dict[str, Callable[[Table], object]] = {
    "extend": lambda table: hold(table, now=SOON - MOMENT, until=LATER, A=3),
    "change": lambda table: hold(table, now=SOON - MOMENT, until=SOON + MOMENT, A=4),
    "release": lambda table: release_cart(table, network(), "cart-1", SOON),
    "confirm": lambda table: order(table, SOON - MOMENT, A=3),
    "confirm late": lambda table: order(table, SOON, A=3),
    "expire": lambda table: expire_reservation(table, network(), "cart-1", SOON),
    "take": lambda table: order(table, SOON, "other", None, A=5),
    "hold": lambda table: hold(table, "other", SOON, LATER, A=4),
}
"""What may be done about a cart of 3 of 5 units, around its last moment."""


@pytest.mark.parametrize("second", ACTS)
@pytest.mark.parametrize("first", ACTS)
def test_whoever_comes_first_units_go_to_one_and_come_back_once(
    table: Table, first: str, second: str
) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    try:
        ACTS[second](against(table, ACTS[first]))
    except Problem as problem:
        assert problem.code in (Code.STATE_REFUSED, Code.STOCK_SHORT)
    assert_agreed(table)
    expire_reservation(table, network(), "cart-1", LATER)
    expire_reservation(table, network(), "other", LATER)
    assert_agreed(table)
    assert rows(table) == {}


def assert_agreed(table: Table) -> None:
    """Positions say what rows and orders say, and headers know of every row."""
    orders: dict[str, Order] = {}
    carts: dict[str, Reservation] = {}
    for item in everything(table):
        if item["t"]["S"] == "order":
            found = order_of(table, item["PK"]["S"].removeprefix(keys.ORDER))
            orders[found.order_id] = found
        elif item["t"]["S"] == "reservation":
            name = item["PK"]["S"].removeprefix(keys.RESERVATION)
            cart = read_reservation(table, name)
            assert cart is not None
            carts[name] = cart
    for sku in ("A", "B"):
        stock = read_stock(table, [sku], consistent=True)[sku]
        for position in stock.positions:
            place = (sku, position.location)
            assert position.uncommitted == position.on_hand - position.allocated - position.reserved >= 0
            allocated = sum(
                entry.units
                for found in orders.values()
                for one in found.lines
                if one.sku == sku
                for entry in one.entries
                if entry.location == position.location
            )
            assert position.allocated == allocated, place
            there = [row for row in stock.reserved if row.location == position.location]
            assert position.reserved == sum(row.units for row in there), place
            for row in there:
                cart = carts[row.reservation]
                assert cart.state is ReservationState.HELD
                assert (cart.held[place], cart.expires_at) == (row.units, row.expires_at)


def test_positions_that_move_at_every_try_hand_the_wish_back(table: Table) -> None:
    fill(table, "A", wh_madrid=5)

    class Restless(Rival):
        def transact_write_items(self, **request: Any) -> Any:
            hold(table, "cart-1", until=SOON + timedelta(seconds=next(seconds)), A=1)
            return table.client.transact_write_items(**request)

    seconds = iter(range(1, 100))
    restless: Any = Restless(table.client, lambda: None)
    with pytest.raises(Busy):
        hold(Table(restless, table.name, pause=lambda seconds: None), A=2)
    assert_agreed(table)


# ---- Crashes --------------------------------------------------------------------------------------------

STEPS: dict[str, tuple[Callable[[Table], object], tuple[int, int, int]]] = {
    "hold": (lambda table: hold(table, "new", A=1, B=1), (0, 4, 1)),
    "extend": (lambda table: hold(table, until=LATER, A=3, B=1), (0, 3, 2)),
    "change": (lambda table: hold(table, A=2), (0, 2, 3)),
    "release": (lambda table: release_cart(table, network(), "cart-1", NOW), (0, 0, 5)),
    "expire": (lambda table: expire_reservation(table, network(), "cart-1", SOON), (0, 0, 5)),
    "confirm": (lambda table: order(table, A=2, B=1), (2, 0, 3)),
    "take": (lambda table: order(table, SOON, cart=None, A=5), (5, 0, 0)),
}
"""Steps for a cart with 3 of A and 1 of B; and of A what is allocated, reserved and left after it."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_a_crash_around_any_call_is_made_good_by_doing_it_again(
    client: Any, table: Table, step: str, when: str
) -> None:
    act, outcome = STEPS[step]
    plan = Faults()
    for number in range(1, 20):
        for item in everything(table):
            if item["PK"]["S"][:4] != "CFG#":
                client.delete_item(TableName=table.name, Key={key: item[key] for key in ("PK", "SK")})
        fill(table, "A", wh_madrid=5)
        fill(table, "B", wh_madrid=2)
        hold(table, A=3, B=1)
        plan = Faults(**{when: number})  # type: ignore[arg-type]  # the number of a call
        try:
            act(Table(plan.wrap(client), table.name, pause=lambda seconds: None))
        except Crash:
            assert_agreed(table)
            act(table)
            assert_agreed(table)
            assert held(table) == {"wh-madrid": outcome}
        else:
            break
    assert number > 2
    assert len(plan.calls) == number - 1


# ---- Cost -----------------------------------------------------------------------------------------------


def billed(table: Table, act: Callable[[Table], object]) -> Bill:
    meter = Meter(table.client)
    act(Table(meter.client("act"), table.name, pause=lambda seconds: None))
    return meter.bill


@pytest.mark.parametrize("size", [1, 5])
def test_what_a_cart_costs_in_write_units(table: Table, size: int) -> None:
    skus = [f"SKU-{number}" for number in range(size)]
    for sku in skus:
        fill(table, sku, wh_madrid=9)
    one, two = (dict.fromkeys(skus, units) for units in (1, 2))
    spent = [
        billed(table, lambda table: hold_all(table, one)).writes,
        billed(table, lambda table: hold_all(table, one)).writes,
        billed(table, lambda table: hold_all(table, one, until=LATER)).writes,
        billed(table, lambda table: hold_all(table, two, until=LATER)).writes,
        billed(table, lambda table: order_all(table, two)).writes,
        billed(table, lambda table: order_all(table, two)).writes,
    ]
    create, repeat, extend, change, confirm, _ = spent
    assert (create, repeat, extend) == (3 + 4 * size, 0, 4 + 2 * size)
    assert change == 2 + 4 * size
    assert confirm == 7 + 2 * size + 3 + 2 * size
    release = billed(
        table, lambda table: (hold_all(table, one, "b"), release_cart(table, network(), "b", NOW))
    )
    assert release.writes == (3 + 4 * size) * 2


def test_one_query_a_sku_tells_of_stock_and_carts_alike(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    hold(table, A=2)
    calls = Faults()
    order(Table(calls.wrap(table.client), table.name), A=2)
    assert calls.calls == ["get_item", "query", "transact_write_items"]


def test_an_order_without_a_cart_pays_nothing_for_carts(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    hold(table, A=2)
    assert billed(table, lambda table: order(table, cart=None, A=2)).writes <= 9
    assert billed(table, lambda table: order(table, SOON, "b", None, A=6)).writes <= 9 + 2
