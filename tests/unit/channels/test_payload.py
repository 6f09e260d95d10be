"""Reading what others wrote: exact numbers, ids as strings, complaints that name the field."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.channels.currencies import minor, require_currency
from oms.channels.payload import Node, loads
from oms.problems import Code, Problem


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"webhook_id=7",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e9999999999999999999}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json_or_not_bounded_is_a_problem(body: bytes) -> None:
    with pytest.raises(Problem) as problem:
        Node(loads(body)).decimal("a")
    assert problem.value.code in (Code.BAD_REQUEST, Code.FIELD_INVALID)


READERS: list[tuple[str, Callable[[Node, str], object], object]] = [
    ("a list for a text", Node.text, []),
    ("a boolean for a text", Node.text, True),
    ("an object for an id", Node.identifier, {}),
    ("a fraction for an id", Node.identifier, Decimal("8.5")),
    ("a number of no size for an id", Node.identifier, Decimal("1E+100000")),
    ("a word for a number", Node.decimal, "ten"),
    ("an exponent in a text", Node.decimal, "1e5"),
    ("digits of another script", Node.decimal, "١٢"),
    ("a number without end", Node.decimal, Decimal("1E+100000")),
    ("a number of no size", Node.decimal, Decimal("1E-100000")),
    ("a boolean for a number", Node.decimal, True),
    ("a fraction for a whole number", Node.integer, "1.5"),
    ("a negative quantity", Node.quantity, -1),
    ("no quantity", Node.quantity, None),
    ("a word for a flag", Node.flag, "yes"),
    ("a number for a flag", Node.flag, 2),
    ("a list for a flag", Node.flag, []),
    ("no time of this world", Node.time, "yesterday"),
    ("a zone that is none", Node.time, "2026-11-22 09:30:00 CET"),
    ("a time before time", Node.time, "0001-01-01T00:00:00+14:00"),
    ("a list for an object", Node.child, [7]),
    ("an object for a list", Node.children, {"0": {}}),
]


@pytest.mark.parametrize(("read", "value"), [case[1:] for case in READERS], ids=[case[0] for case in READERS])
def test_a_value_of_the_wrong_type_is_a_problem_that_names_its_path(
    read: Callable[[Node, str], object], value: object
) -> None:
    node = Node({"lines": [{"field": value}]}).children("lines")[0]  # type: ignore[dict-item]
    with pytest.raises(Problem) as problem:
        read(node, "field")
    assert problem.value.field == "lines[0].field"
    assert problem.value.status == 422


def test_a_list_of_something_else_names_the_member_at_fault() -> None:
    with pytest.raises(Problem) as problem:
        Node({"lines": [{}, 7]}).children("lines")
    assert problem.value.field == "lines[1]"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_null_blank_and_absent_are_nothing(value: str | None) -> None:
    readers = (Node.text, Node.identifier, Node.decimal, Node.integer, Node.time)
    for node in (Node({"a": value}), Node({}), Node(None)):
        assert [read(node, "a") for read in readers] == [None] * 5


def test_what_is_needed_is_the_first_that_is_there_and_missing_names_the_first() -> None:
    node = Node({"name": None, "number": 7})
    assert node.need(Node.text, "name", "number") == "7"
    with pytest.raises(Problem) as missing:
        node.need(Node.text, "name", "title")
    assert (missing.value.code, missing.value.field) == (Code.FIELD_MISSING, "name")


@given(st.integers(0, 10**20))
def test_ids_and_integers_survive_whatever_their_size(number: int) -> None:
    node = Node(loads(b'{"id": %d, "text": "%d"}' % (number, number)))
    assert node.identifier("id") == node.identifier("text") == str(number)
    assert node.integer("id") == number


@pytest.mark.parametrize(
    ("text", "expected"), [(b"8.0", "8"), (b"8.2e17", "820000000000000000"), (b"0.0", "0")]
)
def test_a_whole_number_is_an_id_however_it_is_written(text: bytes, expected: str) -> None:
    assert Node(loads(b'{"id": %s}' % text)).identifier("id") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        ("True", True),
        (1, True),
        ("1", True),
        (None, False),
        ("", False),
        (0, False),
        ("FALSE", False),
    ],
)
def test_a_boolean_is_one_however_it_is_written(value: bool | int | str | None, expected: bool) -> None:
    assert Node({"flag": value}).flag("flag") is expected


def test_an_empty_list_is_no_object_and_an_empty_object_no_list() -> None:
    node = Node({"address": [], "lines": {}})
    assert (node.child("address"), node.children("lines")) == (None, ())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("gid://shopify/Order/820982911946154508", "820982911946154508"),
        ("gid://shopify/InventoryLevel/24826418?inventory_item_id=271878346596884015", "24826418"),
        ("113-5/7?x", "113-5/7?x"),
    ],
)
def test_of_a_global_id_the_last_part_counts_and_other_ids_stay_as_they_are(
    value: str, expected: str
) -> None:
    assert Node({"id": value}).identifier("id") == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(2, 2), ("2", 2), ("2.0", 2), ("1.5", "1.5"), (Decimal("0.250"), "0.25"), (0, 0)]
)
def test_a_quantity_is_an_integer_or_a_decimal_text(value: Decimal | int | str, expected: int | str) -> None:
    assert Node({"quantity": value}).quantity("quantity") == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T10:30:00+01:00",
        "2026-11-22T09:30:00Z",
        "2026-11-22 09:30:00.000Z",
        "2026-11-22T09:30:00",
        "2026-11-22T09:30:00.000000000Z",
        "2026-11-21T16:30:00-17:00",
        "2026-11-22 09:30:00 UTC",
        "2026-11-22 04:30:00 -0500",
        "2026-11-22 10:30:00.000 +01:00",
    ],
)
def test_times_of_every_form_are_the_same_instant_in_utc(text: str) -> None:
    assert Node({"at": text}).time("at") == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def test_a_lone_surrogate_is_replaced_so_that_texts_can_be_stored() -> None:
    node = Node(loads(b'{"a": "x\\ud800y", "b": "\\ud83d\\ude00"}'))
    assert (node.text("a"), node.text("b")) == ("x?y", "😀")


def test_what_a_shop_attaches_freely_becomes_text() -> None:
    node = Node(loads(b'{"a": "one", "b": 2.50, "c": null, "d": ["x", {"y": true}]}'))
    assert [node.plain(key) for key in "abcde"] == ["one", "2.50", "", '["x", {"y": true}]', ""]


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        ("69.8400", "EUR", 6984),
        ("23600", "JPY", 23600),
        ("23600.00", "JPY", 23600),
        ("1.234", "KWD", 1234),
        ("0.0001", "CLF", 1),
        ("-4.95", "USD", -495),
        ("10.0", "XXX", 1000),
    ],
)
def test_money_becomes_minor_units_by_the_currency(amount: str, currency: str, units: int) -> None:
    assert minor(Decimal(amount), currency, "total") == units


@pytest.mark.parametrize(("amount", "currency"), [("10.005", "EUR"), ("0.5", "JPY"), ("1.2345", "KWD")])
def test_money_with_more_decimals_than_its_currency_is_a_problem(amount: str, currency: str) -> None:
    with pytest.raises(Problem) as problem:
        minor(Decimal(amount), currency, "lines[2].price")
    assert problem.value.field == "lines[2].price"


@pytest.mark.parametrize("code", ["eur", "EURO", "€", "E R", "EUR\n"])
def test_a_currency_has_three_capital_letters(code: str) -> None:
    with pytest.raises(Problem):
        require_currency(code, "currency")
