"""Carts and availability as shop fronts ask for them: refusals by field, then the way of a cart."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from functions.api import handler as api_function
from functions.clock import handler as clock
from functions.sourcing import handler as sourcing
from oms.inventory.model import Supply, SupplyKind
from oms.inventory.network import Channel
from oms.runtime import clients
from oms.store import keys, process
from oms.store.configuration import document_of, encode_document
from oms.store.stock import encode_supply, read_stock
from oms.store.table import Table
from oms.store.writes import put
from oms.usecases.place_order import place_order
from tests.builders import CHANNEL, NOW, command, line, network
from tests.outlets import Receiver
from tests.rest import Rest
from tests.shelves import fill

SOON = NOW + timedelta(minutes=15)


class Clock:
    """The time of the tests."""

    now_is = NOW

    @classmethod
    def now(cls, zone: object) -> datetime:
        return cls.now_is


@pytest.fixture
def rest(table: Table, monkeypatch: pytest.MonkeyPatch) -> Rest:
    """A caller of the function, whose store and clock are the tests'."""
    monkeypatch.setattr(api_function, "datetime", Clock)
    monkeypatch.setattr(Clock, "now_is", NOW)
    return Rest()


def body(until: datetime = SOON, **fields: object) -> dict[str, object]:
    lines = [{"sku": "A", "units": 2}]
    return {"channel": "shop-es", "lines": lines, "expires_at": keys.iso(until)} | fields


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"channel": None}, (422, "field_invalid", "channel")),
        ({"channel": "ghost"}, (404, "channel_unknown", "channel")),
        ({"lines": []}, (422, "field_invalid", "lines")),
        ({"lines": [{"sku": "A"}]}, (422, "field_missing", "lines[0].units")),
        ({"lines": [{"sku": "A", "units": 0}]}, (422, "field_invalid", "lines[0].units")),
        ({"lines": [{"sku": "A", "units": 1.5}]}, (422, "field_invalid", "lines[0].units")),
        (
            {"lines": [{"sku": "A", "units": 1}, {"sku": "X", "units": 1}]},
            (422, "field_invalid", "lines[1].sku"),
        ),
        ({"lines": [{"sku": "A", "units": 6}]}, (409, "stock_short", "lines[0].units")),
        ({"expires_at": "soon"}, (422, "field_invalid", "expires_at")),
        ({"expires_at": keys.iso(NOW)}, (422, "field_invalid", "expires_at")),
        ({"expires_at": keys.iso(NOW + timedelta(hours=25))}, (422, "field_invalid", "expires_at")),
        ({"method": "drone"}, (422, "field_invalid", "method")),
        ({"method": "pickup"}, (422, "field_missing", "location")),
        ({"method": "pickup", "location": "ghost"}, (422, "field_invalid", "location")),
        ({"ship_to": {"country": "Spain"}}, (422, "field_invalid", "ship_to.country")),
        ({"unit": 3}, (422, "field_invalid", "unit")),
    ],
)
def test_a_wish_that_cannot_be_is_refused_by_field(
    rest: Rest, table: Table, fields: dict[str, object], problem: tuple[int, str, str]
) -> None:
    fill(table, "A", wh_madrid=5)
    assert rest.put("/reservations/cart-1", body() | fields).problem == problem
    assert rest.get("/reservations/cart-1").problem == (404, "not_found", "reservation")


def test_an_id_that_cannot_be_one_is_refused(rest: Rest) -> None:
    assert rest.put("/reservations/%23", body()).problem == (422, "field_invalid", "reservation")


def test_what_has_ended_or_belongs_to_another_is_refused_by_state(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    assert rest.call("DELETE", "/reservations/cart-1").problem == (404, "not_found", "reservation")
    rest.put("/reservations/cart-1", body())
    changed = body(lines=[{"sku": "A", "units": 1}])
    stale = rest.put("/reservations/cart-1", changed, if_match='"7"')
    assert stale.problem == (412, "version_mismatch", "If-Match")
    place_order(table, network(), command(line("A", 2), reservation="cart-1"), NOW)
    for refused in (rest.put("/reservations/cart-1", changed), rest.call("DELETE", "/reservations/cart-1")):
        assert refused.problem[:2] == (409, "state_refused")
        assert refused.document["state"] == "confirmed"
    snapshot = {name: document_of(Channel(name, "shopify", "iberia")) for name in ("shop-es", "shop-fr")}
    table.commit(put(keys.snapshot("channel"), encode_document(snapshot, 2)))
    process.reset()
    rest.put("/reservations/cart-2", body())
    theirs = rest.put("/reservations/cart-2", body(channel="shop-fr"))
    assert theirs.problem == (409, "conflict", "channel")


def test_a_cart_of_too_many_positions_is_refused(rest: Rest, table: Table) -> None:
    lines = [{"sku": f"S{number}", "units": 1} for number in range(50)]
    for each in lines:
        fill(table, str(each["sku"]), wh_madrid=1)
    assert rest.put("/reservations/large", body(lines=lines)).problem == (422, "unsupported", "lines")


def test_reading_and_writing_carts_take_scopes_of_their_own(rest: Rest) -> None:
    readers = ["reservations:read", "availability:read"]
    assert rest.put("/reservations/cart-1", body(), scopes=readers).problem[:2] == (403, "scope_missing")
    assert rest.get("/reservations/cart-1", scopes=["orders:read"]).problem[:2] == (403, "scope_missing")


def test_the_way_of_a_cart(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    made = rest.put("/reservations/cart-1", body(), if_match='"0"')
    assert made.headers["ETag"] == '"1"'
    assert made.document == {
        "reservation": "cart-1",
        "channel": "shop-es",
        "state": "held",
        "expires_at": keys.iso(SOON),
        "lines": [{"sku": "A", "units": 2}],
        "held": [{"sku": "A", "location": "wh-madrid", "units": 2}],
        "partial": False,
        "method": "ship",
        "location": None,
        "order_id": None,
        "v": 1,
    }
    assert rest.put("/reservations/cart-1", body()).document == made.document
    assert rest.put("/reservations/cart-1", body(SOON + timedelta(minutes=5))).document["v"] == 2
    more = rest.put("/reservations/cart-1", body(lines=[{"sku": "A", "units": 9}], partial=True)).document
    assert (more["partial"], more["held"][0]["units"]) == (True, 5)
    ended = rest.call("DELETE", "/reservations/cart-1").document
    assert (ended["state"], ended["held"]) == ("released", [])
    assert rest.get("/reservations/cart-1").document == ended


def test_a_cart_is_shown_as_expired_from_its_moment_on(
    rest: Rest, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(table, "A", wh_madrid=5)
    rest.put("/reservations/cart-1", body())
    monkeypatch.setattr(Clock, "now_is", SOON - timedelta(milliseconds=1))
    assert rest.get("/reservations/cart-1").document["state"] == "held"
    monkeypatch.setattr(Clock, "now_is", SOON)
    shown = rest.get("/reservations/cart-1").document
    assert (shown["state"], shown["held"], shown["v"]) == ("expired", [], 1)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"location": "ghost"}, (422, "field_invalid", "location")),
        ({"location": "st-gracia,,"}, (422, "field_invalid", "location")),
        ({"location": ",".join(f"l{n}" for n in range(21))}, (422, "field_invalid", "location")),
        ({"postal_code": "28013"}, (422, "field_missing", "country")),
        ({"country": "Spain"}, (422, "field_invalid", "country")),
        ({"reservation": ""}, (422, "field_invalid", "reservation")),
    ],
)
def test_a_bad_question_about_availability_is_refused_by_parameter(
    rest: Rest, query: dict[str, str], problem: tuple[int, str, str]
) -> None:
    assert rest.get("/availability", channel="shop-es", sku="A", **query).problem == problem


def test_a_buyer_is_told_what_he_can_have_by_when_and_where(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=5, st_gracia=3)
    rest.put("/stock/A/demand/iberia", {"backorder_limit": 4})
    due = NOW + timedelta(days=3)
    supply = Supply("A", "po-1", SupplyKind.PURCHASE_ORDER, "st-gracia", due, 10, v=1)
    table.commit(put(keys.supply("A", "po-1"), encode_supply(supply)))
    at_store = body(lines=[{"sku": "A", "units": 2}], method="pickup", location="905684977")
    rest.put("/reservations/cart-1", at_store)
    asked = {"channel": "shop-es", "sku": "A", "location": "905684977,wh-madrid", "country": "ES"}
    (told,) = rest.get("/availability", **asked).document["items"]
    assert told["known"]
    assert (told["ats"], told["in_stock"], told["backorderable"]) == (10, 6, 4)
    assert told["atp"] == [{"by": keys.iso(due), "units": 16}]
    assert told["expected_at"] == keys.iso(due)
    assert [(one["location"], one["in_stock"]) for one in told["pickup"]] == [
        ("st-gracia", 1),
        ("wh-madrid", 0),
    ]
    (own,) = rest.get("/availability", **asked, reservation="cart-1").document["items"]
    assert (own["in_stock"], own["pickup"][0]["in_stock"], own["net"]) == (8, 3, 6)


def test_the_clock_has_expired_carts_cleared_away(
    rest: Rest, table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = Receiver()
    for name in ("SOURCING", "CLOCK"):
        monkeypatch.setenv(f"{name}_QUEUE_URL", f"https://sqs/{name.lower()}")
    monkeypatch.setattr(clients, "sqs", lambda: receiver.queue)
    fill(table, "A", wh_madrid=5)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    soon = long_ago + timedelta(minutes=15)
    monkeypatch.setattr(Clock, "now_is", long_ago)
    rest.put("/reservations/cart-1", body(soon))
    tick = {"Records": [{"messageId": "1", "body": '{"tick": true}'}]}
    assert clock.handler(tick, None) == {"batchItemFailures": []}
    wanted = {"type": "expire", "reservation": "cart-1"}  # each fifth minute something else is asked for too
    (asked,) = (sent for sent in receiver.taken if json.loads(sent["MessageBody"]) == wanted)
    monkeypatch.setattr(sourcing, "datetime", Clock)
    records = {"Records": [{"messageId": "1", "body": asked["MessageBody"]}]}
    for now, reserved in ((long_ago, 2), (soon, 0), (soon, 0)):
        monkeypatch.setattr(Clock, "now_is", now)
        assert sourcing.handler(records, None) == {"batchItemFailures": []}
        assert sum(held.reserved for held in read_stock(table, ["A"])["A"].positions) == reserved
    assert '"ReservationsExpired":1' in capsys.readouterr().out.replace(" ", "")


def test_a_channel_whose_buffer_keeps_units_back_shows_them_to_nobody(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    snapshot = {"shop-es": document_of(Channel("shop-es", "shopify", "iberia", buffer=3))}
    table.commit(put(keys.snapshot("channel"), encode_document(snapshot, 2)))
    process.reset()
    (told,) = rest.get("/availability", channel=CHANNEL.id, sku="A").document["items"]
    assert (told["ats"], told["net"]) == (2, 5)
