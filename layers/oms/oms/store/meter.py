"""Write and read units of DynamoDB calls, computed by DynamoDB's own rules.

An instrument for tests and benchmarks: it wraps a low-level client and reads the images that it needs (an
item before and after a write, whole items behind a projection) through the same store, unmetered.

    meter = Meter(client)
    place(Table(meter.client("place"), name), order)
    meter.bill.by("part")           # {"GSI1": 1, "GSI2": 2, "table": 6}
    meter.bill.by("part", "type")   # {"GSI1 order": 1, ..., "table body": 2, "table order": 2, ...}

Rules, from the DynamoDB Developer Guide unless said otherwise:

- Sizes ("DynamoDB item sizes and formats"): UTF-8 bytes of names and values; a list or map is 3 bytes plus 1
  per element; a boolean or null 1; a number about 1 byte per two significant digits plus 1 (`item_size`).
- Writes ("DynamoDB read and write operations"): one unit per started KB of the larger of the old and the new
  image, at least 1. A false condition is charged too, by the larger of the stored and the offered item.
- Transactions ("Amazon DynamoDB Transactions: how it works"): each item is written twice, to prepare and to
  commit, so its table units double. Index units do not, and a ConditionCheck is charged as a write of the
  item it looks at: the guide is silent, the public suite paritysuite/dynamodb-conformance measured both.
- Global secondary indexes ("Using global secondary indexes"): a new entry is one write, a removed one too, a
  changed key two (delete and put), an unchanged entry none; each by the size of the entry. Entries here are
  those of KEYS_ONLY projections.
- Reads: one unit per started 4 KB, eventually consistent a half, transactional two; GetItem, BatchGetItem and
  TransactGetItems item by item (a missing one costs the minimum); a page of a Query or Scan by the sum of the
  items it looked at, before any filter, at least one step.

What is exact: everything, as long as nobody else writes the same item between the meter's own reading and
the call. With several writers of one item an image may be another writer's; that changes a figure only if the
item crosses a KB boundary or changes an index key just then.

What is not known: AWS documents no charge for a cancelled transaction, and its response has none. It is
charged here like a committed one without its index writes: an upper bound. A repeated ClientRequestToken,
which AWS charges as a read, is charged as a write. Calls that AWS refuses before it writes (throttled,
invalid, a single write that meets a transaction) are free. Retries inside the client are not seen: give it
none.

In a stack of wrappers the meter belongs around whatever cancels transactions and inside whatever loses
responses.
"""

import math
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from botocore.exceptions import ClientError

from oms.values import frozen

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = Mapping[str, Mapping[str, Any]]  # values as the low-level client has them: {"S": "text"}
type Request = Mapping[str, Any]

WRITE_UNIT = 1024
READ_UNIT = 4096
_CHARGED_FAILURES = {"ConditionalCheckFailedException", "TransactionCanceledException"}
_FREE = {"describe_table", "exceptions", "meta"}


def item_size(item: Item) -> int:
    """Size of an item in bytes, as DynamoDB limits and charges it.

    A number is one byte, one per pair of digits counted from the decimal point to either side (leading and
    trailing pairs of zeros left out), and one more if it is negative: what the guide says approximately, to
    the byte as AWS's DynamoDB Local has it.
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_size(content)
        case "B":
            return len(content)
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + len(content) + sum(map(_value_size, content))
        case "M":
            return 3 + len(content) + item_size(content)
        case "SS" | "NS" | "BS":
            return sum(_value_size({kind[0]: element}) for element in content)
    raise ValueError(f"unknown attribute type {kind}")


@lru_cache(4096)  # most numbers come again: zeros, ones, prices
def _number_size(text: str) -> int:
    number = Decimal(text)
    whole, _, fraction = f"{number.copy_abs():f}".partition(".")
    pairs = "0" * (len(whole) % 2) + whole + fraction + "0" * (len(fraction) % 2)
    return 1 + len(re.sub("^(00)+|(00)+$", "", pairs)) // 2 + (number < 0)


def write_units(item: Item | None) -> int:
    """Units of a plain write of an item: started KB, at least 1; no item is 1 too."""
    return max(1, math.ceil(item_size(item or {}) / WRITE_UNIT))


def read_units(size: int) -> int:
    """Units of a strongly consistent read of `size` bytes: started 4 KB, at least 1."""
    return max(1, math.ceil(size / READ_UNIT))


class Line(NamedTuple):
    """What units were spent on."""

    operation: str  # label given to the client
    part: str  # "table", the name of an index, or "reads"
    type: str  # the item's `t`; "page" for a query, "" for an item that does not exist
    failed: bool  # a false condition or a cancelled transaction


@frozen
class Bill:
    """Units by line. Two bills of a meter subtract: `meter.bill - before`."""

    lines: Mapping[Line, float]

    @property
    def writes(self) -> float:
        """Write units of the table and its indexes."""
        return sum(units for line, units in self.lines.items() if line.part != "reads")

    @property
    def reads(self) -> float:
        """Read units."""
        return sum(units for line, units in self.lines.items() if line.part == "reads")

    def only(self, **where: str | bool) -> "Bill":
        """The lines whose fields have these values: `only(operation="place", part="table")`."""
        return Bill(
            {
                line: units
                for line, units in self.lines.items()
                if all(getattr(line, name) == value for name, value in where.items())
            }
        )

    def by(self, *fields: str) -> dict[str, float]:
        """Units summed by the values of some fields of `Line`, which make up the key: "table order"."""
        sums: defaultdict[str, float] = defaultdict(float)
        for line, units in sorted(self.lines.items()):
            sums[" ".join(str(getattr(line, name)) for name in fields)] += units
        return dict(sums)

    def rows(self) -> list[dict[str, object]]:
        """Every line with its units, ready for JSON."""
        return [{**line._asdict(), "units": units} for line, units in sorted(self.lines.items())]

    def __sub__(self, earlier: "Bill") -> "Bill":
        spent = {line: units - earlier.lines.get(line, 0) for line, units in self.lines.items()}
        return Bill({line: units for line, units in spent.items() if units})

    def __str__(self) -> str:
        return "\n".join(
            f"{line.operation:20} {line.part:6} {line.type:12} {'failed' * line.failed:6} {units:8g}"
            for line, units in sorted(self.lines.items())
        )


@frozen
class _Schema:
    """Key attributes of a table and of its indexes."""

    key: tuple[str, ...]
    indexes: Mapping[str, tuple[str, ...]]

    def key_of(self, item: Item) -> Item:
        return {name: item[name] for name in self.key}

    def entry(self, index: str, item: Item | None) -> Item | None:
        """What a KEYS_ONLY index stores of an item; None if the item is not in it."""
        keys = self.indexes[index]
        if item is None or any(name not in item for name in keys):
            return None
        return {name: item[name] for name in (*self.key, *keys)}


class _Write(NamedTuple):
    """One action on one item."""

    action: str  # Put, Update, Delete or ConditionCheck
    table: str
    key: Item
    item: Item | None  # the new image, if the request has it


class Meter:
    """Counts the units of every call made through its clients.

    Thread-safe; see the module's text for what is exact. Pagers (`get_paginator`) and calls that it does not
    know are refused, so that nothing goes uncounted.
    """

    def __init__(self, store: "DynamoDBClient") -> None:
        """Meter calls to `store`, a low-level client, which also serves the meter's own reading."""
        self._store = store
        self._schemas: dict[str, _Schema] = {}
        self._lines: defaultdict[Line, float] = defaultdict(float)
        self._lock = threading.Lock()

    def client(self, operation: str = "") -> "DynamoDBClient":
        """A client whose calls are counted under the label `operation`."""
        return cast("DynamoDBClient", _MeteredClient(self, operation))

    @property
    def bill(self) -> Bill:
        """What has been spent so far."""
        with self._lock:
            return Bill(dict(self._lines))

    def _spend(self, line: Line, units: float) -> None:
        with self._lock:
            self._lines[line] += units

    def _schema(self, table: str) -> _Schema:
        if table not in self._schemas:
            description = self._store.describe_table(TableName=table)["Table"]
            indexes = description.get("GlobalSecondaryIndexes", [])
            if any(index["Projection"]["ProjectionType"] != "KEYS_ONLY" for index in indexes):
                raise ValueError(f"an index of {table} projects more than its keys")
            self._schemas[table] = _Schema(
                tuple(key["AttributeName"] for key in description["KeySchema"]),
                {i["IndexName"]: tuple(k["AttributeName"] for k in i["KeySchema"]) for i in indexes},
            )
        return self._schemas[table]

    def _images(self, targets: Iterable[tuple[str, Item]]) -> Callable[[str, Item], Item | None]:
        """Read items consistently; returns a look-up by table and key."""
        keys = {_identity(table, key): (table, key) for table, key in targets}
        images: dict[object, Item] = {}
        wanted: dict[str, Any] = {}
        for table, key in keys.values():
            wanted.setdefault(table, {"Keys": [], "ConsistentRead": True})["Keys"].append(key)
        while wanted:
            answer = self._store.batch_get_item(RequestItems=wanted)
            for table, items in answer["Responses"].items():
                for item in items:
                    images[_identity(table, self._schema(table).key_of(item))] = item
            wanted = dict(answer.get("UnprocessedKeys", {}))
        return lambda table, key: images.get(_identity(table, key))

    def _write(self, operation: str, name: str, request: Request) -> dict[str, Any]:
        writes = [self._as_write(*action) for action in _actions(name, request)]
        doubled = 2 if name == "transact_write_items" else 1
        old = self._images((write.table, write.key) for write in writes)
        try:
            response: dict[str, Any] = getattr(self._store, name)(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] in _CHARGED_FAILURES:
                for write in writes:
                    image = old(write.table, write.key)
                    units = doubled * max(write_units(image), write_units(write.item))
                    self._spend(Line(operation, "table", _type(write.item or image), True), units)
            raise
        left = [self._as_write(*action) for action in _actions("batch_write_item", _left_undone(response))]
        done = [write for write in writes if write not in left]
        new = self._images((write.table, write.key) for write in done if write.action == "Update")
        for write in done:
            before = old(write.table, write.key)
            after = {
                "Put": write.item,
                "Update": new(write.table, write.key),
                "Delete": None,
                "ConditionCheck": before,
            }[write.action]
            self._charge(operation, write.table, before, after, doubled)
        return response

    def _as_write(self, action: str, body: Request) -> _Write:
        table, item = body["TableName"], body.get("Item")
        key = body["Key"] if item is None else self._schema(table).key_of(item)
        return _Write(action, table, key, item)

    def _charge(
        self, operation: str, table: str, before: Item | None, after: Item | None, doubled: int
    ) -> None:
        kind = _type(after or before)
        units = doubled * max(write_units(before), write_units(after))
        self._spend(Line(operation, "table", kind, False), units)
        schema = self._schema(table)
        for index in schema.indexes:
            entries = schema.entry(index, before), schema.entry(index, after)
            if entries[0] != entries[1]:
                changed = sum(write_units(entry) for entry in entries if entry is not None)
                self._spend(Line(operation, index, kind, False), changed)

    def _read_items(self, operation: str, name: str, request: Request) -> dict[str, Any]:
        response: dict[str, Any] = getattr(self._store, name)(**request)
        left = list(_gets("batch_get_item", _left_undone(response)))
        gets = [get for get in _gets(name, request) if get not in left]
        image = self._images((table, key) for table, key, _ in gets)
        for table, key, rate in gets:
            item = image(table, key)
            units = rate * read_units(item_size(item or {}))
            self._spend(Line(operation, "reads", _type(item), False), units)
        return response

    def _read_page(self, operation: str, name: str, request: Request) -> dict[str, Any]:
        response: dict[str, Any] = getattr(self._store, name)(**request)
        unfiltered = _without_filter(request)
        looked_at = response if unfiltered == request else getattr(self._store, name)(**unfiltered)
        rate = 1 if request.get("ConsistentRead") else 0.5
        units = rate * read_units(sum(item_size(item) for item in looked_at["Items"]))
        self._spend(Line(operation, "reads", "page", False), units)
        return response


_CALLS: Mapping[str, Callable[[Meter, str, str, Request], dict[str, Any]]] = {
    "put_item": Meter._write,
    "update_item": Meter._write,
    "delete_item": Meter._write,
    "batch_write_item": Meter._write,
    "transact_write_items": Meter._write,
    "get_item": Meter._read_items,
    "batch_get_item": Meter._read_items,
    "transact_get_items": Meter._read_items,
    "query": Meter._read_page,
    "scan": Meter._read_page,
}


class _MeteredClient:
    def __init__(self, meter: Meter, operation: str) -> None:
        self._meter = meter
        self._operation = operation

    def __getattr__(self, name: str) -> Any:
        if name in _FREE:
            return getattr(self._meter._store, name)
        if name not in _CALLS:
            raise AttributeError(f"{name} would go unmetered")
        return partial(self._call, name)

    def _call(self, name: str, **request: Any) -> dict[str, Any]:
        return _CALLS[name](self._meter, self._operation, name, request)


def _identity(table: str, key: Item) -> object:
    return table, frozenset((name, *value.items()) for name, value in key.items())


def _type(item: Item | None) -> str:
    return str((item or {}).get("t", {}).get("S", ""))


def _actions(name: str, request: Request) -> Iterator[tuple[str, Request]]:
    """The actions of a write call, in the form that transactions have: ("Put", {"TableName", "Item"})."""
    match name:
        case "transact_write_items":
            for element in request["TransactItems"]:
                yield from element.items()
        case "batch_write_item":
            for table, elements in request["RequestItems"].items():
                for element in elements:
                    for kind, body in element.items():
                        yield kind.removesuffix("Request"), {"TableName": table, **body}
        case _:
            yield name.removesuffix("_item").title(), request


def _gets(name: str, request: Request) -> Iterator[tuple[str, Item, float]]:
    """Table, key and price per 4 KB of the items that a read call asks for."""
    match name:
        case "transact_get_items":
            for element in request["TransactItems"]:
                yield element["Get"]["TableName"], element["Get"]["Key"], 2
        case "batch_get_item":
            for table, wanted in request["RequestItems"].items():
                for key in wanted["Keys"]:
                    yield table, key, 1 if wanted.get("ConsistentRead") else 0.5
        case _:
            yield request["TableName"], request["Key"], 1 if request.get("ConsistentRead") else 0.5


def _left_undone(response: Request) -> Request:
    """What a batch did not do, as a batch request of its own; without items for any other call."""
    return {"RequestItems": response.get("UnprocessedItems") or response.get("UnprocessedKeys") or {}}


def _without_filter(request: Request) -> Request:
    """The same page without filter, projection and count, nor the placeholders that only they use."""
    kept = {
        name: value
        for name, value in request.items()
        if name not in {"FilterExpression", "ProjectionExpression", "Select"}
    }
    used = re.findall(r"[#:]\w+", kept.get("KeyConditionExpression", ""))
    for name in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        placeholders = {key: value for key, value in kept.pop(name, {}).items() if key in used}
        if placeholders:
            kept[name] = placeholders
    return kept
