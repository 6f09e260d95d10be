"""What people do to stock through the API: what is refused, what is known again, then what it changes."""

import contextlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from functools import cache
from typing import Any

import pytest

from functions.api import handler as api_function
from functions.api.routes import ROUTES
from functions.api.routing import AnyRoute
from oms.inventory.model import Block, Delta, Position, Supply, SupplyKind
from oms.store import keys, process
from oms.store.errors import Busy
from oms.store.inbox import KEPT
from oms.store.meter import Meter
from oms.store.stock import encode_supply, read_supplies
from oms.store.table import Table
from oms.store.writes import Why, Write, create, move
from tests.builders import NOW
from tests.conflicts import Crash, deaths
from tests.rest import Reply, Rest, path_of
from tests.shelves import COUNTED_AT, fill, position

AT = keys.iso(NOW)
LATER = NOW + timedelta(hours=2)
ADJUST = "/stock/A/wh-madrid/adjustments"
BLOCK = "/stock/A/wh-madrid/block"
UNBLOCK = "/stock/A/wh-madrid/unblock"
SUPPLY = "/stock/A/supply/po-7"
ANNOUNCED = {"location": "wh-madrid", "due": "2026-12-01T08:00:00Z", "expected": 10}


class Clock(datetime):
    """A clock that stands two hours after NOW."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return cls.fromtimestamp(LATER.timestamp(), tz)


def use(monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    """Let the function find this table."""
    monkeypatch.setattr(process, "table", cache(lambda: table))


@pytest.fixture
def rest(table: Table, monkeypatch: pytest.MonkeyPatch) -> Rest:
    """A caller of the function, whose store and clock are the tests'; of A five units are in Madrid."""
    monkeypatch.setattr(api_function, "datetime", Clock)
    use(monkeypatch, table)
    fill(table, "A", wh_madrid=5)
    return Rest()


class Racing(Table):
    """A table on which somebody else does something just before our first write."""

    def __init__(self, table: Table, race: Callable[[], object]) -> None:
        super().__init__(table.client, table.name)
        self._races = [race]

    def commit(self, *writes: Write) -> None:
        while self._races:
            self._races.pop()()
        super().commit(*writes)


def madrid(table: Table, sku: str = "A") -> Position:
    return position(table, sku, "wh-madrid")


def receipt(*lines: Mapping[str, object], **fields: object) -> dict[str, object]:
    """A delivery of two of A at Madrid at NOW, or of other lines."""
    came = lines or ({"sku": "A", "units": 2},)
    made = {"location": "wh-madrid", "occurred_at": AT, "reference": "note-1", "lines": list(came)}
    return made | fields


def supply(table: Table, sku: str = "A") -> Supply:
    return read_supplies(table, [sku], "po-7")[sku]


# ---- Keys --------------------------------------------------------------------------------------------------

KEYED = [route for route in ROUTES if route.keyed]


@pytest.mark.parametrize("route", KEYED, ids=lambda route: route.path)
@pytest.mark.parametrize(
    ("key", "code"), [(None, "field_missing"), ("", "field_invalid"), ("k" * 101, "field_invalid")]
)
def test_a_command_that_only_its_sender_can_name_needs_a_key(
    rest: Rest, monkeypatch: pytest.MonkeyPatch, route: AnyRoute, key: str | None, code: str
) -> None:
    monkeypatch.setattr("functions.api.handler._checked", lambda *_: (None, None))
    refused = rest.post(path_of(route), {}, key=key)
    assert refused.problem == (422, code, "Idempotency-Key")


@pytest.mark.parametrize("key", ["é", "a\nb", "\x7f"])
def test_a_key_is_printable_ascii(rest: Rest, key: str) -> None:
    refused = rest.post(ADJUST, {"units": 1, "reason": "found"}, key=key)
    assert refused.problem == (422, "field_invalid", "Idempotency-Key")


def test_a_key_stands_for_one_request(rest: Rest, table: Table) -> None:
    assert rest.post(ADJUST, {"units": 1, "reason": "found"}, key="k1").status == 200
    for path, body in ((ADJUST, {"units": 2, "reason": "found"}), (BLOCK, {"units": 1, "reason": "damaged"})):
        assert rest.post(path, body, key="k1").problem == (409, "conflict", "Idempotency-Key")
    assert madrid(table).on_hand == 6


def test_a_repetition_is_answered_as_the_first_was_whatever_has_happened_since(
    rest: Rest, table: Table
) -> None:
    body = {"units": 1, "reason": "found behind the shelf"}
    first = rest.post(ADJUST, body, key="k1")
    rest.post(ADJUST, {"units": 3, "reason": "found"}, key="k2")
    again = rest.post(ADJUST, dict(reversed(body.items())), key="k1")
    assert (again.document, again.headers) == (first.document, first.headers)
    assert (first.document["on_hand"], madrid(table).on_hand) == (6, 9)


def test_the_same_key_of_another_sender_is_another_command(rest: Rest, table: Table) -> None:
    made = json.dumps({"units": 1, "reason": "found"}).encode()
    rest.call("POST", ADJUST, body=made, headers={"Idempotency-Key": "k1"})
    item = table.get(keys.inbox("tests", "k1"))
    assert item is not None
    assert item["ttl"] == int((LATER + KEPT).timestamp())
    assert table.get(keys.inbox("till", "k1")) is None


def test_what_was_refused_may_be_corrected_under_its_key(rest: Rest, table: Table) -> None:
    assert rest.post(ADJUST, {"units": -9, "reason": "gone"}, key="k1").problem[1] == "state_refused"
    assert rest.post(ADJUST, {"units": -3, "reason": "gone"}, key="k1").document["on_hand"] == 2


COMMANDS: dict[str, tuple[str, dict[str, Any], Callable[[Table], object]]] = {
    "adjustment": (ADJUST, {"units": -5, "reason": "gone"}, madrid),
    "block": (BLOCK, {"units": 5, "reason": "damaged"}, madrid),
    "receipt": ("/receipts", receipt(supply="po-7"), lambda table: (madrid(table), supply(table))),
}
"""Commands that cannot be made twice, with what they change."""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_command_sent_twice_at_once_is_done_once(
    rest: Rest, table: Table, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path, body, shown = COMMANDS[name]
    answers: list[Reply] = []
    after: list[object] = []

    def sooner() -> None:
        use(monkeypatch, table)
        answers.append(rest.post(path, body, key="k1"))
        after.append(shown(table))

    racing = Racing(table, sooner)
    use(monkeypatch, racing)
    answers.append(rest.post(path, body, key="k1"))
    assert answers[0].status == answers[1].status == 200
    assert answers[0].document == answers[1].document
    assert after == [shown(table)]


@pytest.mark.parametrize("when", ["crash_before", "crash_after", "lose_response"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_dies_at_any_call_is_done_once_when_it_is_sent_again(
    rest: Rest, table: Table, monkeypatch: pytest.MonkeyPatch, name: str, when: str
) -> None:
    path, body, _ = COMMANDS[name]
    for number, faulty in deaths(when, at_least=3):
        key = f"k{number}"
        rest.post(ADJUST, {"units": 5, "reason": "more"}, key=f"more{number}")
        use(monkeypatch, faulty(table))
        before = madrid(table).v
        with contextlib.suppress(Crash):
            rest.post(path, body, key=key)
        use(monkeypatch, table)
        assert rest.post(path, body, key=key).status == 200
        assert madrid(table).v == before + 1


# ---- Adjusting and blocking --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "code", "field"),
    [
        (ADJUST, {"reason": "found"}, "field_missing", "units"),
        (ADJUST, {"units": 1}, "field_missing", "reason"),
        (ADJUST, {"units": 10**13, "reason": "found"}, "field_invalid", "units"),
        (ADJUST, {"units": 1, "reason": "x", "blocked": "ugly"}, "field_invalid", "blocked"),
        (BLOCK, {"units": 0, "reason": "damaged"}, "field_invalid", "units"),
        (BLOCK, {"units": 1, "reason": "ugly"}, "field_invalid", "reason"),
        ("/receipts", receipt(location=""), "field_invalid", "location"),
        ("/receipts", receipt({"sku": "A", "units": 0}), "field_invalid", "lines[0].units"),
        ("/receipts", receipt({"sku": "A\n", "units": 1}), "field_invalid", "lines[0].sku"),
        (
            "/receipts",
            receipt({"sku": "A", "units": 1}, {"sku": " ", "units": 1}),
            "field_invalid",
            "lines[1].sku",
        ),
        ("/receipts", receipt({"sku": "A", "units": 1}, supply="transfer:t-1"), "field_invalid", "supply"),
        ("/receipts", receipt({"sku": "A", "units": 1}, lines=[]), "field_invalid", "lines"),
        ("/receipts", receipt(occurred_at="2026-11-22T11:31:01Z"), "field_invalid", "occurred_at"),
        ("/receipts", receipt(*[{"sku": "A", "units": 1}] * 41), "field_invalid", "lines"),
    ],
)
def test_bad_input_is_refused_by_the_name_of_the_field(
    rest: Rest, path: str, body: dict[str, Any], code: str, field: str
) -> None:
    assert rest.post(path, body, key="k1").problem == (422, code, field)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/stock/A/nowhere/adjustments", {"units": 1, "reason": "found"}),
        ("/stock/A/nowhere/block", {"units": 1, "reason": "damaged"}),
        ("/receipts", receipt(location="nowhere")),
    ],
)
def test_a_location_must_be_configured(rest: Rest, path: str, body: dict[str, Any]) -> None:
    assert rest.post(path, body, key="k1").problem == (404, "not_found", "location")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ADJUST, {"units": -4, "reason": "gone"}),
        (ADJUST, {"units": -3, "reason": "scrapped", "blocked": "damaged"}),
        (ADJUST, {"units": -1, "reason": "scrapped", "blocked": "quality_control"}),
        (BLOCK, {"units": 4, "reason": "damaged"}),
        (UNBLOCK, {"units": 3, "reason": "damaged"}),
        (UNBLOCK, {"units": 1, "reason": "returns"}),
    ],
)
def test_what_is_not_there_can_neither_be_taken_nor_blocked_nor_unblocked(
    rest: Rest, table: Table, path: str, body: dict[str, Any]
) -> None:
    rest.post(BLOCK, {"units": 2, "reason": "damaged"}, key="k1")
    before = madrid(table)
    assert rest.post(path, body, key="k2").problem == (409, "state_refused", "units")
    assert madrid(table) == before


def test_what_is_there_can_be_taken_blocked_and_unblocked_to_the_last_unit(rest: Rest, table: Table) -> None:
    for number, (path, body) in enumerate(
        [
            (BLOCK, {"units": 2, "reason": "damaged"}),
            (BLOCK, {"units": 1, "reason": "quality_control"}),
            (ADJUST, {"units": -2, "reason": "gone"}),
            (ADJUST, {"units": -1, "reason": "scrapped", "blocked": "damaged"}),
            (UNBLOCK, {"units": 1, "reason": "damaged"}),
        ]
    ):
        assert rest.post(path, body, key=f"k{number}").status == 200
    held = madrid(table)
    assert (held.on_hand, held.blocked, held.uncommitted) == (2, {Block.QUALITY_CONTROL: 1}, 1)


def test_units_that_are_promised_can_be_found_damaged_or_gone(rest: Rest, table: Table) -> None:
    table.commit(move("A", "wh-madrid", Delta(allocated=5), Why("order_placed", "x", "test", NOW)))
    rest.post(BLOCK, {"units": 2, "reason": "damaged"}, key="k1")
    assert rest.post(ADJUST, {"units": -1, "reason": "gone"}, key="k2").document["uncommitted"] == -3


def test_what_a_later_count_has_found_is_not_adjusted_again(rest: Rest, table: Table) -> None:
    before = madrid(table)
    at = keys.iso(COUNTED_AT - timedelta(minutes=1))
    answer = rest.post(ADJUST, {"units": 2, "reason": "found", "occurred_at": at}, key="k1")
    assert (answer.status, madrid(table)) == (200, before)
    rest.post(ADJUST, {"units": 2, "reason": "damaged", "occurred_at": at, "blocked": "damaged"}, key="k2")
    assert (madrid(table).on_hand, madrid(table).blocked) == (5, {Block.DAMAGED: 2})


def test_an_adjustment_meets_a_count_that_comes_between(
    rest: Rest, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"on_hand": 1, "as_of": keys.iso(LATER + timedelta(seconds=30))}
    use(monkeypatch, Racing(table, lambda: rest.put("/stock/A/wh-madrid/count", found)))
    answer = rest.post(ADJUST, {"units": -3, "reason": "gone"}, key="k1")
    assert (answer.status, answer.document["on_hand"], madrid(table).on_hand) == (200, 1, 1)


def test_a_position_says_who_corrected_it_and_why(rest: Rest, table: Table) -> None:
    rest.post(ADJUST, {"units": 1, "reason": "found behind the shelf"}, key="k1")
    item = table.get(keys.position("A", "wh-madrid"))
    assert item is not None
    why: Any = item["why"]
    assert (why["reason"], why["actor"]) == ("found behind the shelf", "tests")


# ---- Receipts ----------------------------------------------------------------------------------------------


def test_a_receipt_makes_the_positions_that_are_missing(rest: Rest, table: Table) -> None:
    came = receipt(
        {"sku": "A", "units": 2}, {"sku": "N", "units": 3}, {"sku": "N", "units": 1, "blocked": "damaged"}
    )
    assert rest.post("/receipts", came, key="k1").document == {"supplies": []}
    assert madrid(table).on_hand == 7
    new = madrid(table, "N")
    assert (new.on_hand, new.blocked, new.uncommitted) == (4, {Block.DAMAGED: 1}, 3)


def test_units_that_came_before_the_last_count_have_been_found_by_it(rest: Rest, table: Table) -> None:
    at = keys.iso(COUNTED_AT - timedelta(minutes=1))
    rest.put(SUPPLY, ANNOUNCED)
    answer = rest.post("/receipts", receipt(occurred_at=at, supply="po-7"), key="k1")
    assert answer.document["supplies"][0]["received"] == 2
    assert madrid(table).on_hand == 5
    rest.post("/receipts", receipt({"sku": "A", "units": 1, "blocked": "returns"}, occurred_at=at), key="k2")
    assert (madrid(table).on_hand, madrid(table).uncommitted) == (5, 4)


def test_more_than_was_expected_is_there_all_the_same_and_shown(rest: Rest, table: Table) -> None:
    rest.put(SUPPLY, ANNOUNCED)
    came = receipt({"sku": "A", "units": 8}, {"sku": "A", "units": 4, "blocked": "damaged"}, supply="po-7")
    (shown,) = rest.post("/receipts", came, key="k1").document["supplies"]
    assert (shown["received"], shown["over"], shown["promisable"]) == (12, 2, 0)
    assert (madrid(table).on_hand, madrid(table).uncommitted) == (17, 13)
    item = table.get(keys.position("A", "wh-madrid"))
    assert item is not None
    why: Any = item["why"]
    assert (why["reason"], why["ref"]) == ("over_received", "po-7")


def test_supply_that_comes_before_it_is_announced_finds_its_units_received(rest: Rest, table: Table) -> None:
    (shown,) = rest.post("/receipts", receipt(supply="po-7"), key="k1").document["supplies"]
    assert (shown["expected"], shown["received"], shown["over"]) == (0, 2, 2)
    announced = rest.put(SUPPLY, ANNOUNCED)
    assert (announced.document["received"], announced.document["promisable"]) == (2, 8)


def test_a_receipt_of_supply_that_was_closed_is_still_a_receipt(rest: Rest, table: Table) -> None:
    rest.put(SUPPLY, ANNOUNCED)
    assert rest.call("DELETE", SUPPLY).document["closed"]
    (shown,) = rest.post("/receipts", receipt(supply="po-7"), key="k1").document["supplies"]
    assert (shown["received"], shown["over"], shown["closed"]) == (2, 2, True)
    assert madrid(table).on_hand == 7


def test_units_of_a_transfer_are_received_by_the_transfer(rest: Rest, table: Table) -> None:
    of_transfer = Supply("A", "t-1", SupplyKind.TRANSFER, "wh-madrid", NOW, 3, v=1)
    key = keys.supply("A", "t-1")
    table.commit(create(key, encode_supply(of_transfer)))
    before = madrid(table)
    refused = rest.post("/receipts", receipt(supply="t-1"), key="k1")
    assert refused.problem == (409, "state_refused", "supply")
    assert rest.put("/stock/A/supply/t-1", ANNOUNCED).problem[:2] == (409, "state_refused")
    assert rest.call("DELETE", "/stock/A/supply/t-1").problem[:2] == (409, "state_refused")
    assert madrid(table) == before


# ---- Supply ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "field_missing", "location"),
        (ANNOUNCED | {"expected": -1}, "field_invalid", "expected"),
        (ANNOUNCED | {"due": "soon"}, "field_invalid", "due"),
        (ANNOUNCED | {"received": 3}, "field_invalid", "received"),
    ],
)
def test_bad_supply_is_refused_by_the_name_of_the_field(
    rest: Rest, body: dict[str, Any], code: str, field: str
) -> None:
    assert rest.put(SUPPLY, body).problem == (422, code, field)


def test_supply_needs_an_id_that_can_be_one_and_a_configured_location(rest: Rest) -> None:
    assert rest.put("/stock/A/supply/po%237", ANNOUNCED).problem == (422, "field_invalid", "supply")
    refused = rest.put(SUPPLY, ANNOUNCED | {"location": "nowhere"})
    assert refused.problem == (404, "not_found", "location")
    assert rest.call("DELETE", SUPPLY).problem == (404, "not_found", "supply")


def test_supply_is_announced_changed_and_closed(rest: Rest, table: Table) -> None:
    assert rest.put(SUPPLY, ANNOUNCED, if_match='"1"').problem[1] == "version_mismatch"
    assert rest.put(SUPPLY, ANNOUNCED, if_match='"0"').headers["ETag"] == '"1"'
    assert rest.put(SUPPLY, ANNOUNCED, if_match='"0"').headers["ETag"] == '"1"'
    changed = rest.put(SUPPLY, ANNOUNCED | {"expected": 4, "due": "2026-12-03T08:00:00Z"})
    assert (changed.document["expected"], changed.document["due"]) == (4, "2026-12-03T08:00:00.000Z")
    assert rest.get("/stock/A").document["supply"] == [changed.document]
    closed = rest.call("DELETE", SUPPLY)
    assert (closed.document["promisable"], closed.headers["ETag"]) == (0, '"3"')
    assert rest.call("DELETE", SUPPLY).headers["ETag"] == '"3"'
    refused = rest.put(SUPPLY, ANNOUNCED)
    assert (refused.problem[:2], refused.document["state"]) == ((409, "state_refused"), "closed")


def test_supply_is_removed_some_time_after_nothing_more_comes_of_it(rest: Rest, table: Table) -> None:
    rest.put(SUPPLY, ANNOUNCED)
    stored = table.get(keys.supply("A", "po-7"))
    assert stored is not None
    assert "ttl" not in stored
    rest.call("DELETE", SUPPLY)
    stored = table.get(keys.supply("A", "po-7"))
    assert stored is not None
    assert int(str(stored["ttl"])) == int(datetime.fromisoformat("2027-03-01T08:00:00Z").timestamp())


# ---- Cost --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "units"),
    [
        (ADJUST, {"units": 1, "reason": "found"}, 4),
        (BLOCK, {"units": 1, "reason": "damaged"}, 4),
        ("/receipts", receipt(), 4),
        ("/receipts", receipt(supply="po-7"), 6),
    ],
)
def test_what_a_command_costs(
    rest: Rest, table: Table, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any], units: int
) -> None:
    rest.put(SUPPLY, ANNOUNCED)
    meter = Meter(table.client)
    use(monkeypatch, Table(meter.client(), table.name))
    assert rest.post(path, body, key="k1").status == 200
    assert meter.bill.writes == units
    before = meter.bill
    rest.post(path, body, key="k1")
    assert (meter.bill - before).writes == 0


def test_a_store_that_stays_busy_is_unavailable_and_nothing_is_kept(
    rest: Rest, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Contended(Table):
        def commit(self, *writes: Write) -> None:
            raise Busy("others keep writing")

    use(monkeypatch, Contended(table.client, table.name))
    assert rest.post(ADJUST, {"units": 1, "reason": "found"}, key="k1").problem[1] == "unavailable"
    assert table.get(keys.inbox("tests", "k1")) is None
