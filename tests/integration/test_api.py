"""The REST API on the table: what it refuses and why, then what it answers.

Every answer is checked against the OpenAPI document by `tests.rest`, refusals included.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from html import escape
from typing import Any

import boto3
import pytest

from functions.api import handler as api_function
from functions.api.routes import ROUTES
from functions.api.routing import AnyRoute
from oms.inventory.model import CountBasis, Sku
from oms.inventory.network import Channel, Location, LocationKind
from oms.orders.identity import order_id
from oms.store import keys, process, queries
from oms.store.configuration import read_network
from oms.store.stock import encode_sku
from oms.store.table import Table
from oms.store.tokens import Scope
from oms.store.writes import Write, put
from oms.usecases.configure import configure
from oms.usecases.describe_sku import describe_sku
from oms.usecases.place_order import place_order
from oms.usecases.receive_stock import Receipt, ReceivedUnits, receive_stock
from oms.usecases.record_movements import record_movements
from oms.usecases.release_order import release_order
from tests.builders import MADRID, NOW, STORE, command, line, network
from tests.conflicts import Conflicts
from tests.recorder import RecordingTable
from tests.rest import Rest, event, path_of
from tests.shelves import COUNTED_AT, fill, position

pytestmark = pytest.mark.moto

ID = order_id("shop-es", "5001")
TRACKING = "PQ4F6X0712345670108230Q"
AT = keys.iso(NOW)
COUNT = {"on_hand": 5, "as_of": AT}
CONNECTORS = ("wms",)
LOCATION: dict[str, Any] = {
    "name": "Sevilla",
    "kind": "store",
    "owner": "retail-es",
    "country": "ES",
    "latitude": 37.3891,
    "longitude": -5.9845,
}


class Clock(datetime):
    """A clock that stands two hours after NOW."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return cls.fromtimestamp((NOW + timedelta(hours=2)).timestamp(), tz)


class Racing(Table):
    """A table on which somebody else does something just before our first write."""

    def __init__(self, table: Table, race: Callable[[], object]) -> None:
        super().__init__(table.client, table.name)
        self._races = [race]

    def commit(self, *writes: Write) -> None:
        while self._races:
            self._races.pop()()
        super().commit(*writes)


@pytest.fixture
def rest(table: Table, monkeypatch: pytest.MonkeyPatch) -> Rest:
    """A caller of the function, whose store and clock are the tests'."""
    monkeypatch.setattr(api_function, "datetime", Clock)
    return Rest()


@pytest.fixture
def signing(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret that cursors are signed with."""
    monkeypatch.setenv("KEYS_SECRET", "keys")
    boto3.client("secretsmanager").create_secret(Name="keys", SecretString="k" * 64)


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Rest:
    """A caller whose requests must be refused before anything reaches the store."""

    def reached() -> Table:
        raise AssertionError("the store was reached")

    monkeypatch.setattr(process, "table", reached)
    monkeypatch.setattr(api_function, "datetime", Clock)
    return Rest()


def place(table: Table, number: str = "5001", *skus: str, **fields: object) -> str:
    """Place an order of one unit of each sku that finds stock in Madrid, and return its id."""
    for sku in skus or ("A",):
        if position(table, sku, "wh-madrid").v == 0:
            fill(table, sku, wh_madrid=9)
    lines = [line(sku, number=index) for index, sku in enumerate(skus or ("A",), 1)]
    place_order(table, network(), command(*lines, channel_order_id=number, **fields), NOW)
    return order_id("shop-es", number)


def release(table: Table, order: str = ID) -> str:
    """Release an order of one location and return its fulfillment order's public id."""
    (work,) = release_order(table, network(), order, NOW)
    return work.public_id


def fact(kind: str, work: str, **fields: object) -> dict[str, object]:
    """A message about a fulfillment order."""
    return {"message_id": f"m-{kind}", "type": kind, "occurred_at": AT, "fulfillment_order": work, **fields}


def announcement(kind: str, **fields: object) -> dict[str, object]:
    """A message about a return of one unit of the first line."""
    lines = [{"line_id": "1", "units": 1}]
    message: dict[str, object] = {"message_id": f"r-{kind}", "type": kind, "occurred_at": AT, "order_id": ID}
    return message | {"reference": "desk-7", "lines": lines} | fields


def deliver(rest: Rest, table: Table) -> str:
    """Place, release, ship and deliver an order of one unit; returns its fulfillment order's id."""
    place(table)
    work = release(table)
    parcel = {"package_id": "p1", "carrier": "correos", "tracking_number": TRACKING, "weight_g": 740}
    for kind in ("accepted", "shipped", "delivered"):
        assert rest.post("/fulfillment-events", fact(kind, work, packages=[parcel])).status == 200
    return work


# ---- What it refuses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("GET", "/orders/"),
        ("GET", "/orders//shipments"),
        ("GET", "/orders/x/y/z"),
        ("POST", "/orders"),
        ("DELETE", "/skus/A"),
        ("GET", "/configuration/shelf/x"),
        ("get", "/orders"),
    ],
)
def test_an_unknown_path_or_method_is_route_unknown(edge: Rest, method: str, path: str) -> None:
    assert edge.call(method, path).problem == (404, "route_unknown", None)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.scope], ids=lambda route: route.summary)
def test_each_route_needs_a_token_with_its_own_scope(edge: Rest, route: AnyRoute) -> None:
    without = edge.call(route.method, path_of(route), scopes=None)
    assert without.problem == (401, "token_invalid", None)
    assert without.headers["WWW-Authenticate"] == "Bearer"
    others = [scope for scope in Scope if scope is not route.scope]
    assert edge.call(route.method, path_of(route), scopes=others).problem == (403, "scope_missing", None)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", "bad_request", None),
        (b"{", "bad_request", None),
        (b"\xff\xfe", "bad_request", None),
        (b'{"on_hand": 1, "as_of": "\\ud800"}', "bad_request", None),
        (b"[1]", "field_invalid", "body"),
        (b"null", "field_invalid", "body"),
        (b"{}", "field_missing", "on_hand"),
        (b'{"on_hand": 1}', "field_missing", "as_of"),
        (b'{"on_hand": "1", "as_of": "2026-11-22T09:00:00Z"}', "field_invalid", "on_hand"),
        (b'{"on_hand": 1.5, "as_of": "2026-11-22T09:00:00Z"}', "field_invalid", "on_hand"),
        (b'{"on_hand": true, "as_of": "2026-11-22T09:00:00Z"}', "field_invalid", "on_hand"),
        (b'{"on_hand": -1, "as_of": "2026-11-22T09:00:00Z"}', "field_invalid", "on_hand"),
        (b'{"on_hand": 1e400, "as_of": "2026-11-22T09:00:00Z"}', "field_invalid", "on_hand"),
        (b'{"on_hand": 1000000000001, "as_of": "2026-11-22T09:00:00Z"}', "field_invalid", "on_hand"),
        (b'{"on_hand": 1, "as_of": 1795339800}', "field_invalid", "as_of"),
        (b'{"on_hand": 1, "as_of": "yesterday"}', "field_invalid", "as_of"),
        (b'{"on_hand": 1, "as_of": "1999-12-31T23:59:59Z"}', "field_invalid", "as_of"),
        (b'{"on_hand": 1, "as_of": "9999-12-31T23:59:59-05:00"}', "field_invalid", "as_of"),
        (b'{"on_hand": 1, "as_of": "2026-11-22T09:00:00Z", "onhand": 2}', "field_invalid", "onhand"),
    ],
)
def test_a_bad_body_is_refused_with_the_path_of_the_field(
    edge: Rest, body: bytes, code: str, field: str | None
) -> None:
    refused = edge.call("PUT", "/stock/A/wh-madrid/count", body=body)
    assert refused.problem[1:] == (code, field)


def test_a_field_deep_in_a_body_is_named_by_its_whole_path(edge: Rest) -> None:
    packages = [{"package_id": "p1"}, {"package_id": "p2", "lines": [{"line_id": "1", "units": "2"}]}]
    refused = edge.post("/fulfillment-events", fact("shipped", f"{ID}-2-1", packages=packages))
    assert refused.problem == (422, "field_invalid", "packages[1].lines[0].units")


def test_a_count_from_the_future_is_refused_since_no_later_one_would_count(rest: Rest) -> None:
    for as_of, refused in (("2026-11-22T11:31:00Z", False), ("2026-11-22T11:31:01Z", True)):
        answer = rest.put("/stock/A/wh-madrid/count", {"on_hand": 1, "as_of": as_of})
        assert refused == (answer.status != 200)
    assert answer.problem == (422, "field_invalid", "as_of")


@pytest.mark.parametrize("limit", [-1, "lots", None, 1.0, 10**13])
def test_a_backorder_limit_is_a_number_or_explicitly_unlimited(edge: Rest, limit: object) -> None:
    refused = edge.put("/stock/A/demand/iberia", {"backorder_limit": limit})
    assert refused.problem == (422, "field_invalid", "backorder_limit")
    assert edge.put("/stock/A/demand/iberia", {}).problem == (422, "field_missing", "backorder_limit")


def test_a_body_that_is_not_the_base64_that_it_claims_to_be_is_refused(edge: Rest) -> None:
    request = event("api_put_count") | {"body": "{}"}
    assert edge.send(request).problem == (400, "bad_request", None)


@pytest.mark.parametrize(
    ("path", "query", "code", "field"),
    [
        ("/orders", {}, "field_missing", "day"),
        ("/orders", {"channel": "shop-es"}, "field_missing", "day"),
        ("/orders", {"day": "2026-11-22", "channel": "shop-es", "customer": "9"}, "field_missing", "day"),
        ("/orders", {"day": "22.11.2026"}, "field_invalid", "day"),
        ("/orders", {"day": "1795339800"}, "field_invalid", "day"),
        ("/orders", {"day": "2026-11-22", "limit": "0"}, "field_invalid", "limit"),
        ("/orders", {"day": "2026-11-22", "limit": "101"}, "field_invalid", "limit"),
        ("/orders", {"day": "2026-11-22", "state": "open"}, "field_invalid", "state"),
        ("/orders", {"channel": "shop-es", "customer": ""}, "field_invalid", "customer"),
        ("/fulfillment-orders", {"state": "released"}, "field_missing", "location"),
        ("/fulfillment-orders", {"location": "wh-madrid"}, "field_missing", "state"),
        ("/fulfillment-orders", {"location": "wh-madrid", "state": "lost"}, "field_invalid", "state"),
        ("/fulfillment-orders", {"location": "wh-madrid", "state": "closed"}, "field_invalid", "state"),
        ("/shipments", {}, "field_missing", "tracking_number"),
        ("/availability", {"channel": "shop-es"}, "field_missing", "sku"),
        ("/availability", {"channel": "shop-es", "sku": ""}, "field_invalid", "sku"),
        ("/availability", {"channel": "shop-es", "sku": "A,,B"}, "field_invalid", "sku"),
        ("/availability", {"channel": "shop-es", "sku": "A" * 201}, "field_invalid", "sku"),
        (
            "/availability",
            {"channel": "shop-es", "sku": ",".join(map(str, range(51)))},
            "field_invalid",
            "sku",
        ),
    ],
)
def test_a_bad_query_is_refused_with_the_name_of_the_parameter(
    edge: Rest, path: str, query: dict[str, str], code: str, field: str
) -> None:
    assert edge.call("GET", path, query=query).problem == (422, code, field)


def test_a_parameter_given_twice_is_refused_since_one_would_be_lost(edge: Rest) -> None:
    request = event("api_list_orders")
    request["multiValueQueryStringParameters"]["day"].append("2026-11-23")
    assert edge.send(request).problem == (422, "field_invalid", "day")


@pytest.mark.parametrize("sku", ["A" * 201, "%00", "a%0Ab"])
def test_a_path_parameter_that_no_id_can_be_is_refused(edge: Rest, sku: str) -> None:
    assert edge.get(f"/stock/{sku}").problem == (422, "field_invalid", "sku")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/orders/NOPE", "order_id"),
        ("/orders/NOPE/fulfillment-orders", "order_id"),
        ("/orders/NOPE/shipments", "order_id"),
        ("/orders/NOPE/returns", "order_id"),
        ("/orders/NOPE/events", "order_id"),
        ("/fulfillment-orders/NOPE", "fulfillment_order"),
        (f"/fulfillment-orders/{ID}-2-1", "fulfillment_order"),
        ("/returns/NOPE", "rma"),
        ("/stock/NOPE", "sku"),
        ("/skus/NOPE", "sku"),
        ("/configuration/location/nope", "id"),
        ("/configuration/pool/nope", "id"),
        ("/configuration/channel/nope", "id"),
    ],
)
def test_what_is_not_there_is_not_found(rest: Rest, path: str, field: str) -> None:
    assert rest.get(path).problem == (404, "not_found", field)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/stock/A/nowhere/count", COUNT, "location"),
        ("/stock/A/demand/nowhere", {"backorder_limit": 1}, "pool"),
        ("/fulfillment-events", fact("accepted", f"{ID}-2-1"), "fulfillment_order"),
        ("/return-events", announcement("requested"), "order_id"),
    ],
)
def test_a_write_to_what_is_not_there_is_not_found(
    rest: Rest, path: str, body: dict[str, object], field: str
) -> None:
    method = "POST" if path.endswith("events") else "PUT"
    refused = rest.call(method, path, body=json.dumps(body).encode())
    assert refused.problem == (404, "not_found", field)


@pytest.mark.parametrize(
    ("path", "settings", "field"),
    [
        ("/configuration/location/l", LOCATION | {"connector": "fax"}, "connector"),
        ("/configuration/pool/p", {"locations": ["wh-madrid", "nowhere"]}, "locations[1]"),
        ("/configuration/channel/c", {"kind": "shopify", "pool": "nowhere"}, "pool"),
        ("/configuration/channel/c", {"kind": "carrier-pigeon", "pool": "iberia"}, "kind"),
        ("/configuration/channel/c", {"kind": "stripe", "pool": "iberia", "orders_of": "c"}, "orders_of"),
        ("/configuration/channel/c", {"kind": "ebay", "pool": "iberia", "payment_hours": 0}, "payment_hours"),
        (
            "/configuration/channel/c",
            {"kind": "shopify", "pool": "iberia", "locations": {"77": "nowhere"}},
            "locations.77",
        ),
        ("/configuration/channel/c", {"kind": "shopify", "pool": "iberia", "buffer": -1}, "buffer"),
        ("/configuration/location/st%20sevilla", LOCATION, "id"),
        ("/configuration/location/%23", LOCATION, "id"),
        ("/configuration/location/l", LOCATION | {"latitude": 90.1}, "latitude"),
        ("/configuration/location/l", LOCATION | {"latitude": "37.4"}, "latitude"),
        ("/configuration/location/l", LOCATION | {"kind": "shed"}, "kind"),
        ("/configuration/location/l", LOCATION | {"country": "ESP"}, "country"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(
    rest: Rest, path: str, settings: dict[str, object], field: str
) -> None:
    assert rest.put(path, settings).problem == (422, "field_invalid", field)


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        ({"publishes": ["stock", "price"]}, (422, "field_missing", "currency")),
        ({"publishes": ["price"], "currency": "euro"}, (422, "field_invalid", "currency")),
        ({"publishes": ["colour"]}, (422, "field_invalid", "publishes[0]")),
        ({"kind": "ebay", "publishes": ["stock", "title"]}, (422, "unsupported", "publishes[1]")),
        ({"kind": "stripe", "publishes": ["title"]}, (422, "unsupported", "publishes[0]")),
    ],
)
def test_a_channel_is_told_nothing_that_it_could_not_understand(
    rest: Rest, settings: dict[str, object], refusal: tuple[int, str, str]
) -> None:
    refused = rest.put("/configuration/channel/c", {"kind": "shopify", "pool": "iberia"} | settings)
    assert refused.problem == refusal


@pytest.mark.parametrize("path", ["/skus/A", "/configuration/location/st-sevilla"])
def test_a_write_over_another_version_than_was_seen_is_refused(rest: Rest, path: str) -> None:
    first, second = (
        ({"title": "Mug"}, {"title": "Cup"}) if path == "/skus/A" else (LOCATION, LOCATION | {"priority": 1})
    )
    assert rest.put(path, first, if_match='"1"').problem == (412, "version_mismatch", "If-Match")
    assert rest.put(path, first, if_match='"0"').headers["ETag"] == '"1"'
    assert rest.put(path, second, if_match='"0"').problem == (412, "version_mismatch", "If-Match")
    assert rest.put(path, second, if_match='"1"').headers["ETag"] == '"2"'


@pytest.mark.parametrize("tag", ["", "1", "*", 'W/"1"', '"one"', '"1", "2"', '"'])
def test_an_if_match_that_is_no_etag_of_ours_is_refused(edge: Rest, tag: str) -> None:
    assert edge.put("/skus/A", {"title": "Mug"}, if_match=tag).problem == (422, "field_invalid", "If-Match")


def pages(rest: Rest, table: Table) -> tuple[str, dict[str, str]]:
    """A cursor into the orders of a day, and the query that it belongs to."""
    for number in ("5001", "5002"):
        place(table, number)
    query = {"day": "2026-11-22", "limit": "1"}
    cursor: str = rest.call("GET", "/orders", query=query).document["next"]
    return cursor, query


@pytest.mark.usefixtures("signing")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda cursor: "",
        lambda cursor: "x",
        lambda cursor: "ä",
        lambda cursor: cursor[:-8],
        lambda cursor: cursor[4:] + "AAAA",
        lambda cursor: ("B" if cursor[0] == "A" else "A") + cursor[1:],
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(rest: Rest, table: Table, spoil: Callable[[str], str]) -> None:
    cursor, query = pages(rest, table)
    refused = rest.call("GET", "/orders", query=query | {"cursor": spoil(cursor)})
    assert refused.problem == (400, "cursor_invalid", "cursor")


@pytest.mark.usefixtures("signing")
def test_a_cursor_of_another_list_is_refused(rest: Rest, table: Table) -> None:
    cursor, _ = pages(rest, table)
    another = {"day": "2026-11-21", "cursor": cursor}
    assert rest.call("GET", "/orders", query=another).problem == (400, "cursor_invalid", "cursor")


def test_a_failure_is_internal_and_tells_nothing_outside(
    rest: Rest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Calle Mayor 5, Madrid")

    monkeypatch.setattr(queries, "order_with_body", fail)
    refused = rest.get(f"/orders/{ID}")
    assert refused.problem == (500, "internal", None)
    logged = capsys.readouterr().out
    assert "RuntimeError" in logged
    assert "Calle Mayor" not in json.dumps(refused.document) + logged


def test_a_busy_store_is_unavailable_with_a_time_to_come_back(
    rest: Rest, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttled = Conflicts(table.client, units_per_second=0, sleep=lambda seconds: None)
    busy = Table(throttled.client, table.name, pause=lambda seconds: None)
    with monkeypatch.context() as patched:
        patched.setattr(process, "table", lambda: busy)
        refused = rest.put("/stock/A/wh-madrid/count", COUNT)
    assert refused.problem == (503, "unavailable", None)
    assert refused.headers["Retry-After"] == "1"


def test_a_delivery_of_what_was_never_shipped_needs_to_name_its_parcels(rest: Rest, table: Table) -> None:
    place(table)
    refused = rest.post("/fulfillment-events", fact("delivered", release(table)))
    assert refused.problem == (409, "state_refused", "packages")


def test_a_return_of_more_than_was_shipped_is_refused(rest: Rest, table: Table) -> None:
    place(table)
    refused = rest.post("/return-events", announcement("requested"))
    assert refused.problem[:2] == (409, "state_refused")


def test_a_return_requested_again_with_other_units_is_a_conflict(rest: Rest, table: Table) -> None:
    deliver(rest, table)
    assert rest.post("/return-events", announcement("requested")).status == 200
    other = announcement("requested", lines=[{"line_id": "1", "units": 2}])
    assert rest.post("/return-events", other).problem == (409, "conflict", "lines")


def test_availability_of_an_unknown_channel_is_channel_unknown(rest: Rest) -> None:
    assert rest.get("/availability", channel="nope", sku="A").problem == (404, "channel_unknown", "channel")


# ---- What it answers: orders -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["api_get_order", "api_list_orders", "api_put_count", "api_post_fulfillment_event", "api_get_docs"],
)
def test_every_sample_event_is_answered(rest: Rest, table: Table, name: str) -> None:
    place(table)
    release(table)
    assert rest.send(event(name)).status == 200


def test_an_order_is_shown_with_its_statuses_lines_entries_and_exceptions(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    lines = [line("A", 2, price=1999, discount=200, tax=660), line("GHOST", number=2)]
    place_order(table, network(), command(*lines), NOW)
    work = release(table)
    shown = rest.get(f"/orders/{ID}")
    assert shown.headers["ETag"] == f'"{shown.document["v"]}"'
    order = shown.document
    assert order["statuses"] == {
        "order": "placed",
        "fulfillment": "unfulfilled",
        "delivery": "none",
        "returns": "none",
        "payment": "captured",
    }
    assert (order["placed_at"], order["closed_at"]) == ("2026-11-22T09:30:00.000Z", None)
    assert (order["currency"], order["total"], order["captured"]) == ("EUR", 4798, 4798)
    assert order["customer"]["id"] == "99"
    assert order["deliveries"][0]["ship_to"]["postal_code"] == "28013"
    first, second = order["lines"]
    assert {name: first[name] for name in ("ordered", "open", "in_fulfillment", "amount", "total")} == {
        "ordered": 2,
        "open": 1,
        "in_fulfillment": 1,
        "amount": 3998,
        "total": 3798,
    }
    (entry,) = first["entries"]
    assert (entry["location"], entry["units"], entry["stage"]) == ("wh-madrid", 1, "in_fulfillment")
    assert entry["fulfillment_order"] == work
    assert (second["sku"], second["open"]) == ("GHOST", 1)
    exceptions = {known["code"]: known for known in order["exceptions"]}
    assert exceptions["sku_unknown"]["ref"] == "2"
    assert exceptions["sku_unknown"]["owner"] == "catalogue"
    assert exceptions["sku_unknown"]["command"] == "PUT /skus/{sku}"
    assert exceptions["stock_short"]["ref"] == "1"


@pytest.mark.usefixtures("signing")
def test_orders_of_a_day_come_latest_first_in_pages(rest: Rest, table: Table) -> None:
    placed = [place(table, str(n), placed_at=NOW + timedelta(minutes=n)) for n in range(5)]
    place(table, "tomorrow", placed_at=NOW + timedelta(days=1))
    seen: list[str] = []
    query = {"day": "2026-11-22", "limit": "2"}
    while True:
        page = rest.call("GET", "/orders", query=query).document
        seen += [order["order_id"] for order in page["items"]]
        if page["next"] is None:
            break
        query = query | {"cursor": page["next"]}
    assert seen == placed[::-1]


@pytest.mark.usefixtures("signing")
def test_the_size_of_a_page_may_change_on_the_way(rest: Rest, table: Table) -> None:
    placed = [place(table, str(n), placed_at=NOW + timedelta(minutes=n)) for n in range(3)]
    first = rest.get("/orders", day="2026-11-22", limit="1").document
    rest_of_it = rest.get("/orders", day="2026-11-22", limit="100", cursor=first["next"]).document
    assert [order["order_id"] for order in rest_of_it["items"]] == placed[1::-1]
    assert rest_of_it["next"] is None


def test_orders_of_a_customer_are_those_of_the_channel_alone(rest: Rest, table: Table) -> None:
    order = place(table)
    found = rest.get("/orders", channel="shop-es", customer="99").document
    assert [known["order_id"] for known in found["items"]] == [order]
    assert rest.get("/orders", channel="shop-fr", customer="99").document == {"items": [], "next": None}


def test_a_list_of_orders_names_nobody(rest: Rest, table: Table) -> None:
    place(table)
    listed = json.dumps(rest.get("/orders", day="2026-11-22").document)
    assert "customer" not in listed
    assert "28013" not in listed


def test_the_events_of_an_order_tell_its_life_in_order(rest: Rest, table: Table) -> None:
    deliver(rest, table)
    events = rest.get(f"/orders/{ID}/events").document["items"]
    types = [known["type"] for known in events]
    assert types[0] == "order.placed"
    assert {"fulfillment_order.released", "shipment.shipped", "order.closed"} <= set(types)
    assert len({known["id"] for known in events}) == len(events)
    assert [known["time"] for known in events] == sorted(known["time"] for known in events)


# ---- Fulfillment and returns -------------------------------------------------------------------------------


def test_a_pick_list_follows_the_state_of_the_work(rest: Rest, table: Table) -> None:
    place(table)
    work = release(table)

    def listed(state: str) -> list[str]:
        found = rest.get("/fulfillment-orders", location="wh-madrid", state=state).document["items"]
        return [known["fulfillment_order"] for known in found]

    assert (listed("released"), listed("accepted")) == ([work], [])
    assert rest.post("/fulfillment-events", fact("accepted", work)).document["accepted"]
    assert (listed("released"), listed("accepted")) == ([], [work])
    shown = rest.get(f"/fulfillment-orders/{work}")
    assert (shown.document["state"], shown.headers["ETag"]) == ("accepted", '"2"')
    assert shown.document["lines"][0]["pending"] == 1
    assert shown.document["ship_to"]["postal_code"] == "28013"


def test_a_message_may_be_posted_again(rest: Rest, table: Table) -> None:
    place(table)
    shipped = fact("shipped", release(table), packages=[{"package_id": "p1"}])
    assert rest.post("/fulfillment-events", shipped).document["shipped"] == 1
    assert rest.post("/fulfillment-events", shipped).document["shipped"] == 0
    assert position(table, "A", "wh-madrid").on_hand == 8


def test_a_parcel_is_found_by_its_tracking_number_and_under_its_order(rest: Rest, table: Table) -> None:
    work = deliver(rest, table)
    (found,) = rest.get("/shipments", tracking_number=TRACKING).document["items"]
    assert (found["state"], found["fulfillment_order"], found["weight_g"]) == ("delivered", work, 740)
    assert rest.get(f"/orders/{ID}/shipments").document["items"] == [found]
    (of_order,) = rest.get(f"/orders/{ID}/fulfillment-orders").document["items"]
    assert (of_order["fulfillment_order"], of_order["state"]) == (work, "closed")
    assert rest.get("/shipments", tracking_number="unknown").document["items"] == []


def test_a_placed_order_has_no_shipments_fulfillment_orders_or_returns_yet(rest: Rest, table: Table) -> None:
    place(table)
    for part in ("fulfillment-orders", "shipments", "returns"):
        assert rest.get(f"/orders/{ID}/{part}").document == {"items": [], "next": None}


def test_a_return_is_requested_received_and_disposed_of_through_the_api(rest: Rest, table: Table) -> None:
    deliver(rest, table)
    requested = rest.post("/return-events", announcement("requested")).document
    received = rest.post("/return-events", announcement("received", location="st-gracia")).document
    assert (received["received"], received["refund_due"], received["rma"]) == (1, 1000, requested["rma"])
    outcome = [{"line_id": "1", "units": 1, "outcome": "restock"}]
    disposed = announcement("disposed", location="st-gracia", lines=outcome)
    assert rest.post("/return-events", disposed).document["disposed"] == {"restock": 1}
    shown = rest.get(f"/returns/{requested['rma']}").document
    assert (shown["state"], shown["reference"]) == ("disposed", "desk-7")
    assert shown["lines"][0]["places"] == [
        {"location": "st-gracia", "arrived": 1, "disposed": {"restock": 1}}
    ]
    assert [(refund["state"], refund["amount"]) for refund in shown["refunds"]] == [("due", 1000)]
    assert rest.get(f"/orders/{ID}/returns").document["items"] == [shown]
    assert rest.get("/stock/A").document["positions"][0] == {
        "location": "st-gracia",
        "on_hand": 1,
        "blocked": {},
        "allocated": 0,
        "reserved": 0,
        "uncommitted": 1,
        "counted_at": None,
        "v": 2,
    }


# ---- Stock -------------------------------------------------------------------------------------------------


def test_a_count_creates_a_position_and_its_repetition_changes_nothing(rest: Rest, table: Table) -> None:
    first = rest.put("/stock/A/st-gracia/count", COUNT)
    assert (first.document["applied"], first.document["position"]["on_hand"]) == (True, 5)
    assert first.document["position"]["counted_at"] == AT
    again = rest.put("/stock/A/st-gracia/count", COUNT)
    assert not again.document["applied"]
    assert again.document["position"] == first.document["position"]
    assert again.headers["ETag"] == first.headers["ETag"] == '"1"'


def test_a_repeated_count_with_microseconds_is_still_the_same_count(rest: Rest, table: Table) -> None:
    count = {"on_hand": 5, "as_of": "2026-11-22T09:00:00.000400Z"}
    assert rest.put("/stock/A/st-gracia/count", count).document["applied"]
    assert not rest.put("/stock/A/st-gracia/count", count | {"on_hand": 4}).document["applied"]


def test_an_older_count_that_arrives_late_is_ignored(rest: Rest, table: Table) -> None:
    rest.put("/stock/A/wh-madrid/count", COUNT)
    late = {"on_hand": 7, "as_of": keys.iso(NOW - timedelta(hours=1))}
    ignored = rest.put("/stock/A/wh-madrid/count", late)
    assert (ignored.status, ignored.document["applied"], position(table, "A", "wh-madrid").on_hand) == (
        200,
        False,
        5,
    )


def test_a_time_without_an_offset_is_utc_and_one_with_an_offset_is_converted(rest: Rest) -> None:
    naive = rest.put("/stock/A/wh-madrid/count", {"on_hand": 1, "as_of": "2026-11-22T09:00:00"})
    assert naive.document["position"]["counted_at"] == "2026-11-22T09:00:00.000Z"
    offset = rest.put("/stock/A/wh-madrid/count", {"on_hand": 1, "as_of": "2026-11-22T10:30:00+01:00"})
    assert offset.document["position"]["counted_at"] == "2026-11-22T09:30:00.000Z"


def test_a_count_below_what_is_promised_shows_the_shortage(rest: Rest, table: Table) -> None:
    place(table)
    counted = rest.put("/stock/A/wh-madrid/count", {"on_hand": 0, "as_of": AT}).document["position"]
    assert (counted["on_hand"], counted["allocated"], counted["uncommitted"]) == (0, 1, -1)


def test_a_location_that_counts_net_of_orders_has_promised_units_added_back(rest: Rest, table: Table) -> None:
    stream = RecordingTable(table, "SKU#")
    place(stream)
    assert record_movements(table, stream.records).failure is None
    configure(table, Location(**{**location_fields(MADRID), "count_basis": CountBasis.NET}), CONNECTORS)
    process.reset()
    soon = keys.iso(NOW + timedelta(milliseconds=1))
    counted = rest.put("/stock/A/wh-madrid/count", {"on_hand": 4, "as_of": soon}).document["position"]
    assert (counted["on_hand"], counted["allocated"], counted["uncommitted"]) == (5, 1, 4)


def test_a_count_told_late_leaves_booked_what_came_since_once_its_movement_is_there(
    rest: Rest, table: Table
) -> None:
    stream = RecordingTable(table, "SKU#")
    receipt = Receipt("wh-madrid", (ReceivedUnits("A", 3),), NOW, "note-1", "test")
    receive_stock(stream, network(), receipt, NOW)
    count = {"on_hand": 4, "as_of": keys.iso(NOW - timedelta(minutes=1))}
    assert rest.put("/stock/A/wh-madrid/count", count).problem[:2] == (503, "unavailable")
    assert position(table, "A", "wh-madrid").on_hand == 3
    assert record_movements(table, stream.records).failure is None
    counted = rest.put("/stock/A/wh-madrid/count", count).document
    assert (counted["applied"], counted["position"]["on_hand"]) == (True, 7)


def test_a_count_wins_against_an_order_that_comes_between(
    rest: Rest, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(table, "A", wh_madrid=9)

    racing = Racing(table, lambda: place(table))
    with monkeypatch.context() as patched:
        patched.setattr(process, "table", lambda: racing)
        counted = rest.put("/stock/A/wh-madrid/count", {"on_hand": 4, "as_of": AT}).document
    assert counted["applied"]
    held = position(table, "A", "wh-madrid")
    assert (held.on_hand, held.allocated, held.uncommitted) == (4, 1, 3)


def test_stock_is_shown_with_positions_demand_and_availability(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    assert rest.put("/stock/A/demand/iberia", {"backorder_limit": 3}).document == {
        "pool": "iberia",
        "waiting": 0,
        "backorder_limit": 3,
        "preorder_limit": 0,
    }
    place_order(table, network(), command(line("A", 4)), NOW)
    shown = rest.get("/stock/A").document
    (held,) = shown["positions"]
    assert (held["on_hand"], held["allocated"], held["uncommitted"]) == (2, 2, 0)
    assert held["counted_at"] == keys.iso(COUNTED_AT)
    limits = {"backorder_limit": 3, "preorder_limit": 0}
    assert shown["demand"] == [{"pool": "iberia", "waiting": 2, **limits}]
    assert shown["availability"] == [
        {
            "pool": "iberia",
            "ats": 1,
            "in_stock": 0,
            "backorderable": 1,
            "expected_at": None,
            "atp": [],
            "net": -2,
            "waiting": 2,
        }
    ]


def test_a_channel_is_told_what_it_may_sell(rest: Rest, table: Table) -> None:
    configure(table, Channel("shop-es", "shopify", "iberia", buffer=1), CONNECTORS)
    process.reset()
    fill(table, "A", wh_madrid=3)
    fill(table, "B", wh_madrid=1)
    rest.put("/stock/B/demand/iberia", {"backorder_limit": "unlimited"})
    rest.put("/stock/GHOST/wh-madrid/count", COUNT)
    table.commit(put(keys.sku_meta("SERVICE"), encode_sku(Sku("SERVICE", tracked=False))))
    answer = rest.get("/availability", channel="shop-es", sku="B, A,GHOST,SERVICE,NOPE,A").document
    assert {item["sku"]: (item["ats"], item["known"]) for item in answer["items"]} == {
        "B": ("unlimited", True),
        "A": (2, True),
        "GHOST": (0, False),
        "SERVICE": ("unlimited", True),
        "NOPE": (0, False),
    }
    assert [item["sku"] for item in answer["items"]] == ["B", "A", "GHOST", "SERVICE", "NOPE"]


def test_limiting_backorders_leaves_what_waits_alone(rest: Rest, table: Table) -> None:
    fill(table, "A", wh_madrid=0)
    rest.put("/stock/A/demand/iberia", {"backorder_limit": "unlimited"})
    place_order(table, network(), command(line("A", 2)), NOW)
    limited = rest.put("/stock/A/demand/iberia", {"backorder_limit": 0}).document
    assert limited == {"pool": "iberia", "waiting": 2, "backorder_limit": 0, "preorder_limit": 0}


@pytest.mark.parametrize(("path", "sku"), [("Cup%20%231%2F2", "Cup #1/2"), ("%C3%B1", "ñ"), ("a+b", "a+b")])
def test_a_sku_may_be_any_text(rest: Rest, path: str, sku: str) -> None:
    assert rest.put(f"/skus/{path}", {"title": "Cup"}).document["sku"] == sku
    assert rest.get(f"/skus/{path}").document["sku"] == sku


# ---- Catalogue and configuration ---------------------------------------------------------------------------


def test_a_sku_is_entered_with_defaults_and_changed_as_a_whole(rest: Rest) -> None:
    entered = rest.put("/skus/A", {"title": "Mug", "weight_g": 320})
    assert entered.document == {
        "sku": "A",
        "title": "Mug",
        "unit": "each",
        "scale": 1,
        "weight_g": 320,
        "tracked": True,
        "requires": [],
        "ships_with": None,
        "codes": [],
        "kit": [],
        "safety_stock": [],
        "first_release_at": None,
        "prices": [],
        "v": 1,
    }
    changed = rest.put("/skus/A", {"title": "Mug, blue"})
    assert (changed.document["weight_g"], changed.document["v"]) == (0, 2)
    assert rest.get("/skus/A").document == changed.document


@pytest.mark.parametrize(
    ("path", "body"), [("/skus/A", {"title": "Mug"}), ("/configuration/location/st-sevilla", LOCATION)]
)
def test_a_write_whose_answer_was_lost_may_be_sent_again_as_it_was(
    rest: Rest, path: str, body: dict[str, object]
) -> None:
    assert rest.put(path, body, if_match='"0"').headers["ETag"] == '"1"'
    assert rest.put(path, body, if_match='"0"').headers["ETag"] == '"1"'


def test_a_network_is_configured_from_its_locations_up_and_read_back(rest: Rest, table: Table) -> None:
    assert rest.put("/configuration/location/st-sevilla", LOCATION).document["settings"]["priority"] == 100
    rest.put("/configuration/pool/south", {"locations": ["st-sevilla"]})
    channel = {"kind": "shopify", "pool": "south", "locations": {"77": "st-sevilla"}}
    made = rest.put("/configuration/channel/shop-south", channel)
    assert made.headers["ETag"] == '"1"'
    assert rest.get("/configuration/channel/shop-south").document == made.document
    assert rest.get("/configuration/channel").document["items"] == [made.document]
    configured = read_network(table)
    assert configured.channels["shop-south"] == Channel(
        "shop-south", "shopify", "south", locations={"77": "st-sevilla"}
    )
    assert list(configured.sellable("south")) == ["st-sevilla"]
    assert configured.locations["st-sevilla"].kind is LocationKind.STORE
    assert configured.channels.keys() == {"shop-es", "shop-south"}


def test_two_who_configure_at_once_both_end_up_in_the_snapshot(table: Table) -> None:
    first, second = (Location(**{**location_fields(STORE), "id": name}) for name in ("st-first", "st-second"))
    configure(Racing(table, lambda: configure(table, first, CONNECTORS)), second, CONNECTORS)
    assert {"st-first", "st-second"} < read_network(table).locations.keys()


def test_two_who_describe_a_sku_at_once_write_one_after_the_other(table: Table) -> None:
    described = describe_sku(Racing(table, lambda: describe_sku(table, Sku("A", "Mug"))), Sku("A", "Cup"))
    assert (described.title, described.v) == ("Cup", 2)


def location_fields(location: Location) -> dict[str, Any]:
    """The fields of a location by name."""
    return {name: getattr(location, name) for name in location.__dataclass_fields__}


# ---- Its own description -----------------------------------------------------------------------------------


def test_document_and_page_are_public_and_say_the_same(rest: Rest) -> None:
    page = rest.send(event("api_get_docs"))
    request = event("api_get_docs") | {"resource": "/openapi.json", "path": "/openapi.json"}
    described = rest.send(request).document
    assert described["openapi"].startswith("3.1")
    for path, methods in described["paths"].items():
        assert f"<code>{path}</code>" in page.document
        for operation in methods.values():
            assert escape(operation["summary"]) in page.document


def test_a_request_leaves_one_line_of_log_without_anything_personal(
    rest: Rest, table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    place(table)
    capsys.readouterr()
    rest.get(f"/orders/{ID}")
    (logged,) = capsys.readouterr().out.splitlines()
    entry = json.loads(logged)
    assert (entry["route"], entry["token"], entry["status"]) == ("GET /orders/{order_id}", "tests", 200)
    assert "28013" not in logged
