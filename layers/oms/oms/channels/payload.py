"""Reading JSON that others wrote: numbers exact, ids as strings, and every complaint names its field.

Vendors send the same value as a number or as a string, null for nothing, an empty string for null, and leave
keys out. `Node` reads a value by the type it should have and treats null, absent and blank alike.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from oms.problems import Code, Problem

type Json = None | bool | int | str | Decimal | list[Json] | dict[str, Json]

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}
_SPACED_ZONE = re.compile(r"\s+(?:UTC$|GMT$|(?=[+-]\d\d:?\d\d$))")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_DIGITS = 24
"""Digits of the largest number taken: far above any id or amount, and within decimal's default precision."""
_MOST = 10**_MAX_DIGITS


def loads(body: bytes) -> Json:
    """Decode JSON with its numbers exact: integers of any size, fractions as `Decimal`.

    Raises:
        Problem: the body is not JSON.
    """
    try:
        document: Json = _EXACT.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except (ValueError, InvalidOperation, RecursionError) as error:
        raise Problem(Code.BAD_REQUEST, f"the body is not JSON: {error}") from None
    return document


def _not_a_number(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


_EXACT = json.JSONDecoder(parse_float=Decimal, parse_constant=_not_a_number)
"""Kept, as `json.loads` makes a new one for each document."""


class Node:
    """A value in a payload together with its path, read field by field.

    Args:
        value: the decoded JSON value.
        path: where it stands, as `line_items[0]`; empty for the whole payload.
    """

    __slots__ = ("path", "value")

    def __init__(self, value: Json, path: str = "") -> None:
        self.value = value
        self.path = path

    def at(self, key: str) -> str:
        """The path of one of this node's fields."""
        return f"{self.path}.{key}" if self.path else key

    def get(self, key: str) -> Json:
        """The raw value of a field; None when it is absent or this node is no object."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def has(self, key: str) -> bool:
        """Whether the field is there and not null."""
        return self.get(key) is not None

    def invalid(self, key: str, expected: str) -> Problem:
        """The problem of a field that is not `expected`."""
        return Problem(Code.FIELD_INVALID, f"{_shown(self.get(key))} is not {expected}", self.at(key))

    def need[T](self, read: Callable[["Node", str], T | None], *keys: str) -> T:
        """The first of the fields `keys` that is there, read by `read` (as `Node.text`).

        Raises:
            Problem: none of them is there; names the first.
        """
        for key in keys:
            value = read(self, key)
            if value is not None:
                return value
        raise Problem(Code.FIELD_MISSING, f"{self.at(keys[0])} is required", self.at(keys[0]))

    def text(self, key: str) -> str | None:
        """A string, or a number as it was written; None when blank."""
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise self.invalid(key, "a text")
        text = str(value)
        if not text.strip():
            return None
        # A lone surrogate is valid in JSON and in no encoding: it must not reach the store.
        return text if text.isascii() else text.encode("utf-8", "replace").decode()

    def plain(self, key: str) -> str:
        """What a shop attaches freely, as text: strings as they are, nothing as "", the rest as JSON."""
        value = self.get(key)
        if isinstance(value, bool | list | dict):
            return json.dumps(value, default=str)
        return self.text(key) or ""

    def identifier(self, key: str) -> str | None:
        """An id as a string, exact; of `gid://shopify/Order/12?..` the last part. None when blank.

        A number with a point or an exponent is one too if it is whole: some languages write ids like that.
        """
        value = self.get(key)
        if isinstance(value, Decimal) and (number := self.decimal(key)) == int(number or 0):
            return str(int(value))
        if isinstance(value, bool | Decimal):
            raise self.invalid(key, "an id")
        text = self.text(key)
        if text is not None and text.startswith("gid://"):
            text = text.partition("?")[0].rpartition("/")[2]
        return text

    def decimal(self, key: str) -> Decimal | None:
        """A number, or a string that is one; None when blank."""
        value = self.get(key)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            value = Decimal(value.strip())
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.invalid(key, "a number")
        number = Decimal(value)
        _, digits, exponent = number.as_tuple()
        if len(digits) > _MAX_DIGITS or not isinstance(exponent, int) or abs(exponent) > _MAX_DIGITS:
            raise self.invalid(key, "a number of reasonable size")
        return number

    def integer(self, key: str) -> int | None:
        """A whole number; None when blank."""
        value = self.get(key)
        if type(value) is int and abs(value) < _MOST:  # most are: through decimals it takes far longer
            return value
        number = self.decimal(key)
        if number is not None and number != number.to_integral_value():
            raise self.invalid(key, "a whole number")
        return None if number is None else int(number)

    def quantity(self, key: str) -> int | str:
        """A quantity, never negative: an integer, or a decimal string ("1.5") when it is not whole.

        Raises:
            Problem: it is missing, or no quantity.
        """
        number = self.need(Node.decimal, key)
        if number < 0:
            raise self.invalid(key, "a quantity")
        whole = number == number.to_integral_value()
        return int(number) if whole else f"{number.normalize():f}"

    def flag(self, key: str) -> bool:
        """A boolean, also one written as a string, or as 0 or 1; null and absent are False."""
        value = self.get(key)
        word = str("" if value is None else value).strip().lower()
        if isinstance(value, list | dict) or word not in _FLAGS:
            raise self.invalid(key, "a boolean")
        return _FLAGS[word]

    def time(self, key: str) -> datetime | None:
        """A time in ISO 8601, in UTC; one without an offset is taken as UTC. None when blank.

        Ruby writes a space before the offset, or UTC in place of it.
        """
        text = self.text(key)
        if text is None:
            return None
        try:
            time = datetime.fromisoformat(_SPACED_ZONE.sub("", text.strip()))
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.invalid(key, "a time in ISO 8601") from None

    def unix_time(self, key: str, per_second: int = 1) -> datetime | None:
        """A time since 1970 in seconds, or in milliseconds when `per_second` is 1000. None when blank."""
        number = self.decimal(key)
        if number is None:
            return None
        try:
            return _EPOCH + timedelta(microseconds=int(number * 1_000_000 / per_second))
        except OverflowError:
            raise self.invalid(key, "a Unix time") from None

    def child(self, key: str) -> "Node | None":
        """An object; None when it is null, absent, or [], which is PHP's empty object."""
        value = self.get(key)
        if value is None or value == []:
            return None
        if not isinstance(value, dict):
            raise self.invalid(key, "an object")
        return Node(value, self.at(key))

    def children(self, key: str) -> tuple["Node", ...]:
        """The objects of a list; none when it is null, absent, or {}."""
        value = self.get(key)
        if value is None or value == {}:
            return ()
        if not isinstance(value, list):
            raise self.invalid(key, "a list")
        return Node(value, self.at(key)).items()

    def names(self) -> tuple[str, ...]:
        """The names of this object's fields."""
        return tuple(self.value) if isinstance(self.value, dict) else ()

    def objects(self) -> Iterator["Node"]:
        """Every object in this value, itself included, in document order."""
        pending = [self]
        while pending:
            node = pending.pop()
            if isinstance(node.value, dict):
                yield node
                inner = [Node(value, node.at(key)) for key, value in node.value.items()]
            elif isinstance(node.value, list):
                inner = [Node(value, f"{node.path}[{index}]") for index, value in enumerate(node.value)]
            else:
                continue
            pending.extend(reversed(inner))

    def items(self) -> tuple["Node", ...]:
        """The objects of this list, or this object itself as the only one.

        Raises:
            Problem: something in it is no object.
        """
        nodes: tuple[Node, ...] = (self,)
        if isinstance(self.value, list):
            nodes = tuple(Node(value, f"{self.path}[{index}]") for index, value in enumerate(self.value))
        for node in nodes:
            if not isinstance(node.value, dict):
                path = node.path or "body"
                raise Problem(Code.FIELD_INVALID, f"{_shown(node.value)} is not an object", path)
        return nodes


def _shown(value: Json) -> str:
    """A value in an error message: containers by their type alone, texts cut short."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return repr(str(value)[:40]) if isinstance(value, str) else str(value)[:40]
