"""Answering files of sourcing instances or backlogs: JSON or JSON lines, compressed or not."""

import argparse
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from oms.problems import Code, Problem
from oms.sourcing.backlog import Backlog
from oms.sourcing.instance import Instance, Line, Location, Offer, fixed_cost, unit_cost

LARGEST = 10**12
"""The largest number taken."""
GZIP = b"\x1f\x8b"
"""What gzipped files begin with."""


def answer_each[T](path: str, read: Callable[[object], T], answer: Callable[[T], object]) -> int:
    """Print the answer to each document of a file, one JSON line each.

    A document that cannot be read gets a problem on stderr, and the others are answered all the same.

    Args:
        path: as of `documents`.
        read: makes a question of a document.
        answer: what to print for it.

    Returns:
        The exit status: 1 if there was a problem.
    """
    status = 0
    for number, text in documents(path):
        try:
            question = read(decode(text))
        except Problem as problem:
            print(json.dumps({"line": number} | problem.body()), file=sys.stderr)
            status = 1
        else:
            print(json.dumps(answer(question)), flush=True)
    return status


def add_file_argument(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the file to answer to a command."""
    parser.add_argument(
        name, metavar=name.upper(), help="JSON or JSON lines, also gzipped; - for standard input"
    )


def duration(text: str) -> float:
    """A time given on the command line."""
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no time")
    return number


class Fields:
    """An object of a document, read field by field; every complaint names the field.

    Args:
        value: the decoded JSON value.
        path: where it stands, as `nodes[0]`; empty for the whole document.
    """

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise Problem(Code.FIELD_INVALID, "An object is expected", path or "document")
        self._value: Mapping[str, object] = value
        self._path = path

    def at(self, key: str) -> str:
        """The path of a field."""
        return f"{self._path}.{key}" if self._path else key

    def _get(self, key: str) -> object:
        if key not in self._value:
            raise Problem(Code.FIELD_MISSING, f"{key} is required", self.at(key))
        return self._value[key]

    def integer(self, key: str, least: int = 0) -> int:
        """A whole number from `least` to LARGEST."""
        return _integer(self._get(key), self.at(key), least)

    def optional(self, key: str) -> int | None:
        """A whole number, or None when it is null or absent."""
        return None if self._value.get(key) is None else self.integer(key)

    def text(self, key: str) -> str:
        """A string that is not empty."""
        value = self._get(key)
        if not isinstance(value, str) or not value:
            raise Problem(Code.FIELD_INVALID, "A text is expected", self.at(key))
        return value

    def items(self, key: str, count: int | None = None) -> list[object]:
        """A list; of `count` values, if that is given."""
        value = self._get(key)
        if not isinstance(value, list) or count not in (None, len(value)):
            expected = "A list" if count is None else f"A list of {count}"
            raise Problem(Code.FIELD_INVALID, f"{expected} is expected", self.at(key))
        return value

    def objects(self, key: str, name: str) -> list["Fields"]:
        """A list of objects, each named by another text in its field `name`."""
        rows = [Fields(value, f"{self.at(key)}[{index}]") for index, value in enumerate(self.items(key))]
        seen: set[str] = set()
        for row in rows:
            if row.text(name) in seen:
                raise Problem(Code.FIELD_INVALID, f"{row.text(name)} appears twice", row.at(name))
            seen.add(row.text(name))
        return rows

    def integers(self, key: str, count: int) -> list[int]:
        """A list of `count` whole numbers."""
        values = enumerate(self.items(key, count))
        return [_integer(value, f"{self.at(key)}[{index}]", 0) for index, value in values]

    def units(self, key: str) -> dict[str, int]:
        """Units by sku."""
        value = self._get(key)
        if not isinstance(value, dict):
            raise Problem(Code.FIELD_INVALID, "An object of units by sku is expected", self.at(key))
        return {sku: _integer(units, f"{self.at(key)}.{sku}", 0) for sku, units in value.items()}


def _integer(value: object, path: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
        raise Problem(Code.FIELD_INVALID, f"A whole number from {least} to {LARGEST} is expected", path)
    return value


def documents(path: str) -> Iterator[tuple[int, str]]:
    """The JSON documents of a file: the whole of it if that is one, else its lines.

    Args:
        path: a file, gzipped or not; `-` for standard input.

    Yields:
        Each document and the number of the line where it begins.

    Raises:
        Problem: bad_request, when the file is no text or holds nothing.
        OSError: it cannot be read.
    """
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        text = (gzip.decompress(raw) if raw.startswith(GZIP) else raw).decode("utf-8-sig")
    except (EOFError, UnicodeDecodeError, gzip.BadGzipFile, zlib.error) as error:
        raise Problem(Code.BAD_REQUEST, f"{path} cannot be read: {error}") from None
    if not text.strip():
        raise Problem(Code.BAD_REQUEST, f"{path} is empty")
    try:
        decode(text)
    except Problem:
        yield from ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    else:
        yield 1, text


def decode(text: str) -> object:
    """The value of a JSON document.

    Raises:
        Problem: bad_request, when it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(Code.BAD_REQUEST, f"This is not JSON: {error}") from None


def read_instance(document: object) -> Instance:
    """The sourcing instance of a document.

    Raises:
        Problem: field_missing or field_invalid, naming the field.
    """
    fields = Fields(document)
    order = _Lines(fields)
    locations = [
        order.location(_Node(node), node.integer("distance_km"), node.integer("kg_rate"))
        for node in fields.objects("nodes", "id")
    ]
    split_penalty = fields.integer("split_penalty")
    most = fields.optional("max_nodes")
    return Instance(fields.text("id"), order.lines, tuple(locations), split_penalty, most).checked()


def read_backlog(document: object) -> Backlog:
    """The backlog of a document.

    Raises:
        Problem: field_missing or field_invalid, naming the field.
    """
    fields = Fields(document)
    nodes = [_Node(node) for node in fields.objects("nodes", "id")]
    split_penalty = fields.integer("split_penalty")
    orders = []
    for row in fields.objects("orders", "id"):
        order = _Lines(row)
        distances, rates = row.integers("distance_km", len(nodes)), row.integers("kg_rate", len(nodes))
        locations = map(order.location, nodes, distances, rates)
        orders.append(Instance(row.text("id"), order.lines, tuple(locations), split_penalty).checked())
    stock = {node.id: node.stock for node in nodes}
    return Backlog(fields.text("id"), tuple(orders), stock, {node.id: node.capacity for node in nodes})


class _Node:
    """A location: what it has and what its rates are."""

    def __init__(self, fields: Fields) -> None:
        self.id = fields.text("id")
        self.package_cost = fields.integer("package_cost")
        self.km_rate_milli = fields.integer("km_rate_milli")
        self.handling = fields.integer("handling")
        self.capacity = fields.integer("capacity")
        self.stock = fields.units("stock")


class _Lines:
    """The lines of an order, and what they cost from anywhere."""

    def __init__(self, fields: Fields) -> None:
        rows = fields.objects("lines", "sku")
        if not rows:
            raise Problem(Code.FIELD_INVALID, "An order needs a line", fields.at("lines"))
        self.lines = tuple(
            Line(row.text("sku"), row.integer("qty", 1), row.integer("backorder_cost")) for row in rows
        )
        self._weights = [row.integer("weight_g") for row in rows]

    def location(self, node: _Node, distance_km: int, kg_rate: int) -> Location:
        """What a location offers of these lines."""
        offers = tuple(
            Offer(index, units, unit_cost(node.handling, kg_rate, weight))
            for index, (line, weight) in enumerate(zip(self.lines, self._weights, strict=True))
            if (units := node.stock.get(line.sku, 0))
        )
        fixed = fixed_cost(node.package_cost, distance_km, node.km_rate_milli)
        return Location(node.id, fixed, node.capacity, offers)
