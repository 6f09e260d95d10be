"""The single table in memory: a look-alike of the low-level client, as far as `oms.store` uses it.

It answers as DynamoDB does, which `tests/concurrency/test_memory_table.py` holds it to by the same generated
operations on AWS's DynamoDB Local; what it does not know it refuses. Beyond DynamoDB Local it refuses, as AWS
does, a transaction with two actions on one item and an index key that is no string, and it reads what AWS
may read: an eventually consistent read may see an item, and an index an entry, as they were a moment before.

Stored images are shared with callers and never changed in place; a caller must not change them either.
"""

import marshal
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, cast
from zlib import crc32

from botocore.exceptions import ClientError

from infra.lab import expressions
from infra.lab.expressions import Condition, ExpressionError, Image
from oms.store.meter import item_size

type Request = Mapping[str, Any]
type Answer = dict[str, Any]

KEY = ("PK", "SK")
INDEXES = {"GSI1": ("GSI1PK", "GSI1SK"), "GSI2": ("GSI2PK", "GSI2SK")}

_MOST_ACTIONS = 100
_MOST_KEYS = 100
_MOST_PUTS = 25
_ITEM_BYTES = 400 * 1024
_PAGE_BYTES = 1024 * 1024
_TRANSACTION_BYTES = 4 * 1024 * 1024
_KEPT = 3
"""Earlier images of an item that are kept for stale reads."""

_INDEX_KEYS = frozenset(name for key in INDEXES.values() for name in key)
_KNOWN = {
    "get_item": {"TableName", "Key", "ConsistentRead"},
    "batch_get_item": {"RequestItems"},
    "batch_write_item": {"RequestItems"},
    "query": {
        *("TableName", "IndexName", "KeyConditionExpression", "FilterExpression", "ConsistentRead", "Limit"),
        *("ScanIndexForward", "ExclusiveStartKey", "ExpressionAttributeNames", "ExpressionAttributeValues"),
    },
    "scan": {
        *("TableName", "FilterExpression", "ConsistentRead", "Limit", "Segment", "TotalSegments"),
        *("ExclusiveStartKey", "ExpressionAttributeNames", "ExpressionAttributeValues"),
    },
    "transact_write_items": {"TransactItems", "ClientRequestToken"},
}
_WRITE_PARAMETERS = {
    *("TableName", "Item", "Key", "UpdateExpression", "ConditionExpression", "ExpressionAttributeNames"),
    *("ExpressionAttributeValues", "ReturnValuesOnConditionCheckFailure"),
}


class ItemKey(NamedTuple):
    """Partition and sort key of an item."""

    pk: str
    sk: str


class Change(NamedTuple):
    """A write that changed an item: images before and after, None where there was or is nothing."""

    sequence: int
    key: ItemKey
    old: Image | None
    new: Image | None


class Earlier(NamedTuple):
    """An image that an item had before, and the time at which another took its place."""

    superseded_at: float
    image: Image | None


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why one action cannot be done."""

    code: str
    message: str
    item: Image | None = None

    @property
    def reason(self) -> Answer:
        """As an element of CancellationReasons."""
        shown = {"Code": _REASONS[self.code], "Message": self.message}
        return shown | ({"Item": self.item} if self.item is not None else {})


class _Action(NamedTuple):
    """A write that nothing is wrong with as such: its condition and its changes, None for none."""

    kind: str
    key: ItemKey
    body: Request
    met: Condition | None
    changes: Mapping[str, expressions.Change] | None


class _Outcome(NamedTuple):
    """The image of an item after an action, None where nothing is left, and a bound of its size."""

    key: ItemKey
    new: Image | None
    size: int


_place = itemgetter(0, 1)

_FAILED, _INVALID = "ConditionalCheckFailedException", "ValidationException"
_REASONS = {_FAILED: "ConditionalCheckFailed", _INVALID: "ValidationError"}


def error(operation: str, code: str, message: str, **members: object) -> ClientError:
    """An error as botocore raises it."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 0},
        **members,
    }
    return ClientError(response, operation)


class MemoryTable:
    """One table with two KEYS_ONLY indexes and a stream.

    Args:
        name: the only table that requests may name.
        on_change: told of every change, in their order: the stream.
        stale: asked by each eventually consistent read of an item that has changed lately, with its earlier
            images, the latest first: which one the read sees, None for the present one.
        clock: when a change happens.
    """

    def __init__(
        self,
        name: str,
        *,
        on_change: Callable[[Change], None] = lambda change: None,
        stale: Callable[[Sequence[Earlier]], int | None] = lambda earlier: None,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.name = name
        self._on_change = on_change
        self._stale = stale
        self._clock = clock
        self._items: dict[ItemKey, Image] = {}
        self._sizes: dict[ItemKey, int] = {}
        self._earlier: dict[ItemKey, list[Earlier]] = {}
        # Keys in their order, those included that an image was stored under before: a stale read may see it.
        self._partitions: dict[str, list[ItemKey]] = {}
        self._indexed: dict[str, dict[str, list[ItemKey]]] = {index: {} for index in INDEXES}
        self._sequence = 0

    @property
    def items(self) -> Mapping[ItemKey, Image]:
        """Everything that is stored."""
        return self._items

    def load(self, items: Mapping[ItemKey, Image]) -> None:
        """Put items where nothing is yet; the stream is not told."""
        for key, image in items.items():
            self._keep(key, image, _at_most(image))

    # ---- reads

    def get_item(self, **request: Any) -> Answer:
        """One item."""
        self._check("GetItem", "get_item", request)
        image = self._seen(self._key("GetItem", request["Key"]), bool(request.get("ConsistentRead")))
        return {} if image is None else {"Item": image}

    def batch_get_item(self, **request: Any) -> Answer:
        """Up to 100 items; those that are not there are left out."""
        self._check("BatchGetItem", "batch_get_item", request)
        found: dict[str, list[Image]] = {}
        for table, wanted in request["RequestItems"].items():
            self._named("BatchGetItem", table)
            names = [self._key("BatchGetItem", key) for key in wanted["Keys"]]
            if not 0 < len(names) <= _MOST_KEYS or len(set(names)) < len(names):
                raise error("BatchGetItem", _INVALID, "too many keys, none, or one twice")
            seen = (self._seen(name, bool(wanted.get("ConsistentRead"))) for name in names)
            found[table] = [image for image in seen if image is not None]
        return {"Responses": found, "UnprocessedKeys": {}}

    def query(self, **request: Any) -> Answer:
        """Items of one partition of the table, or keys of one of an index, in the order of the sort key."""
        self._check("Query", "query", request)
        index = request.get("IndexName")
        if index is not None and (index not in INDEXES or request.get("ConsistentRead")):
            raise error("Query", _INVALID, "there is no such index, or it cannot be read consistently")
        hash_key, sort_key = INDEXES[index] if index else KEY
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        conditions = self._conditions(
            "Query", request, ("KeyConditionExpression", "FilterExpression"), names, values
        )
        if conditions[0] is None:
            raise error("Query", _INVALID, "a key condition is missing")
        equal = expressions.equal(request["KeyConditionExpression"], names, hash_key)
        if equal is None:
            raise error("Query", _INVALID, f"the key condition has to name {hash_key}")
        partition = values[equal].get("S")
        candidates = (self._indexed[index] if index else self._partitions).get(partition)
        if not candidates:
            return {"Items": [], "Count": 0, "ScannedCount": 0}
        met = conditions[0]
        back = request.get("ScanIndexForward") is False
        rows = []
        for key in candidates:
            image = self._seen(key, bool(request.get("ConsistentRead")))
            if image is not None and hash_key in image and sort_key in image and met(image, values):
                rows.append((image[sort_key]["S"], key, image))
        if index:
            rows.sort(key=_place)
        if back:
            rows.reverse()
        start = request.get("ExclusiveStartKey")
        if start:
            begin = (start[sort_key]["S"], self._key("Query", {name: start[name] for name in KEY}))
            rows = [row for row in rows if (row[:2] < begin if back else row[:2] > begin)]
        shown = KEY if index is None else (*KEY, hash_key, sort_key)
        return self._page(
            request, [(row[1], row[2]) for row in rows], conditions[1], values, shown, keys_only=bool(index)
        )

    def scan(self, **request: Any) -> Answer:
        """All items, or those of one of several segments."""
        self._check("Scan", "scan", request)
        values = request.get("ExpressionAttributeValues", {})
        (met,) = self._conditions(
            "Scan", request, ("FilterExpression",), request.get("ExpressionAttributeNames", {}), values
        )
        segments, segment = request.get("TotalSegments", 1), request.get("Segment", 0)
        names = sorted(key for key in self._items if crc32(key.pk.encode()) % segments == segment)
        start = request.get("ExclusiveStartKey")
        if start:
            begin = self._key("Scan", start)
            names = [key for key in names if key > begin]
        consistent = bool(request.get("ConsistentRead"))
        rows = [(key, image) for key in names if (image := self._seen(key, consistent)) is not None]
        return self._page(request, rows, met, values, KEY, keys_only=False)

    def _page(
        self,
        request: Request,
        rows: Sequence[tuple[ItemKey, Image]],
        met: Condition | None,
        values: Request,
        shown: tuple[str, ...],
        *,
        keys_only: bool,
    ) -> Answer:
        """The rows up to the limit and the size of a page, filtered, and where the page ended."""
        limit = request.get("Limit", len(rows) + 1)
        read: list[Image] = []
        left = _PAGE_BYTES
        for key, image in rows[:limit]:
            entry = {name: image[name] for name in shown} if keys_only else image
            read.append(entry)
            left -= self._sizes[key]
            if left < 0 and sum(map(item_size, read)) > _PAGE_BYTES:
                break
        items = [image for image in read if met is None or met(image, values)]
        answer: Answer = {"Items": items, "Count": len(items), "ScannedCount": len(read)}
        if read and (len(read) < len(rows) or len(read) == limit):
            answer["LastEvaluatedKey"] = {name: rows[len(read) - 1][1][name] for name in shown}
        return answer

    def _seen(self, key: ItemKey, consistent: bool) -> Image | None:
        """The image that a read sees."""
        if not consistent and key in self._earlier:
            earlier = self._earlier[key]
            chosen = self._stale(earlier)
            if chosen is not None:
                return earlier[chosen].image
        return self._items.get(key)

    # ---- writes

    def put_item(self, **request: Any) -> Answer:
        """Put one item."""
        return self._write_one("PutItem", "Put", request)

    def update_item(self, **request: Any) -> Answer:
        """Update one item."""
        return self._write_one("UpdateItem", "Update", request)

    def delete_item(self, **request: Any) -> Answer:
        """Delete one item."""
        return self._write_one("DeleteItem", "Delete", request)

    def batch_write_item(self, **request: Any) -> Answer:
        """Up to 25 puts and deletes, each by itself."""
        self._check("BatchWriteItem", "batch_write_item", request)
        outcomes = []
        for table, elements in request["RequestItems"].items():
            for element in elements:
                ((kind, body),) = element.items()
                named = {"TableName": table, **body}
                outcomes.append(
                    self._tried(self._action("BatchWriteItem", kind.removesuffix("Request"), named))
                )
        wrong = next((outcome for outcome in outcomes if isinstance(outcome, _Refusal)), None)
        written = [outcome for outcome in outcomes if not isinstance(outcome, _Refusal)]
        if wrong or not 0 < len(outcomes) <= _MOST_PUTS or len({one.key for one in written}) < len(outcomes):
            raise error(
                "BatchWriteItem", _INVALID, wrong.message if wrong else "too many, none, or one twice"
            )
        for outcome in written:
            self._store(outcome)
        return {"UnprocessedItems": {}}

    def transact_write_items(self, **request: Any) -> Answer:
        """Do all actions, or none."""
        self._check("TransactWriteItems", "transact_write_items", request)
        actions = self._actions(request)
        outcomes = [self._tried(action) for action in actions]
        written = [outcome for outcome in outcomes if not isinstance(outcome, _Refusal)]
        if len(written) < len(outcomes):
            raise cancelled([_reason(outcome) for outcome in outcomes])
        if sum(outcome.size for outcome in written) > _TRANSACTION_BYTES:
            raise error("TransactWriteItems", _INVALID, "the transaction is larger than 4 MB")
        for outcome in written:
            self._store(outcome)
        return {}

    def reasons(self, **request: Any) -> list[Answer]:
        """The cancellation reasons that a transaction would have now, without making it."""
        return [_reason(self._tried(action)) for action in self._actions(request)]

    def _actions(self, request: Request) -> list[_Action]:
        actions = [
            self._action("TransactWriteItems", kind, body)
            for element in request["TransactItems"]
            for kind, body in element.items()
        ]
        if not 0 < len(actions) <= _MOST_ACTIONS or len({action.key for action in actions}) < len(actions):
            raise error(
                "TransactWriteItems",
                _INVALID,
                "Transaction request cannot include multiple operations on one item, none or over 100",
            )
        return actions

    def _write_one(self, operation: str, kind: str, request: Request) -> Answer:
        outcome = self._tried(self._action(operation, kind, request))
        if isinstance(outcome, _Refusal):
            members = {"Item": outcome.item} if outcome.item is not None else {}
            raise error(operation, outcome.code, outcome.message, **members)
        self._store(outcome)
        return {}

    def _tried(self, action: _Action) -> _Outcome | _Refusal:
        """The item as it is after an action, or why the action is refused."""
        key, kind, body = action.key, action.kind, action.body
        old = self._items.get(key)
        values = body.get("ExpressionAttributeValues", {})
        try:
            if action.met is not None and not action.met(old or {}, values):
                shown = body.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
                return _Refusal(_FAILED, "The conditional request failed", old if shown else None)
            new: Image | None
            if action.changes is not None:
                new = _updated(old if old is not None else body["Key"], action.changes, values)
            else:
                new = {"Put": body.get("Item"), "Delete": None}.get(kind, old)
        except ExpressionError as wrong:
            return _Refusal(_INVALID, str(wrong))
        if new is None or new is old:
            return _Outcome(key, new, 0)
        wrong_key = _wrong_index_key(new)
        if wrong_key:
            return _Refusal(_INVALID, f"Type mismatch or empty value for index key {wrong_key}")
        size = _at_most(new)
        if size > _ITEM_BYTES and item_size(new) > _ITEM_BYTES:
            return _Refusal(_INVALID, "Item size has exceeded the maximum allowed size")
        return _Outcome(key, new, size)

    def _store(self, outcome: _Outcome) -> None:
        key, new, size = outcome
        old = self._items.get(key)
        if old == new:
            return  # no record either, as on AWS
        self._sequence += 1
        if new is None:
            del self._items[key]
        else:
            self._keep(key, new, size)
        earlier = self._earlier.setdefault(key, [])
        earlier.insert(0, Earlier(self._clock(), old))
        del earlier[_KEPT:]
        self._on_change(Change(self._sequence, key, old, new))

    def _keep(self, key: ItemKey, image: Image, size: int) -> None:
        self._items[key] = image
        self._sizes[key] = max(size, self._sizes.get(key, 0))  # stale images are not larger
        _add(self._partitions.setdefault(key.pk, []), key)
        for index, (hash_key, sort_key) in INDEXES.items():
            if hash_key in image and sort_key in image:
                _add(self._indexed[index].setdefault(image[hash_key]["S"], []), key)

    # ---- checks

    def _check(self, operation: str, method: str, request: Request) -> None:
        if not request.keys() <= _KNOWN[method]:
            unknown = request.keys() - _KNOWN[method]
            raise NotImplementedError(f"{operation} with {', '.join(sorted(unknown))}")
        if "TableName" in request:
            self._named(operation, request["TableName"])

    def _action(self, operation: str, kind: str, body: Request) -> _Action:
        """An action, when nothing is wrong with it whatever is stored."""
        if not body.keys() <= _WRITE_PARAMETERS:
            unknown = body.keys() - _WRITE_PARAMETERS
            raise NotImplementedError(f"{operation} with {', '.join(sorted(unknown))}")
        self._named(operation, body["TableName"])
        key = self._target(operation, kind, body)
        names = body.get("ExpressionAttributeNames", {})
        values = body.get("ExpressionAttributeValues", {})
        parts = ("ConditionExpression", "UpdateExpression")
        met, changes = self._conditions(operation, body, parts, names, values)
        return _Action(kind, key, body, met, changes)

    def _conditions(
        self,
        operation: str,
        request: Request,
        parts: tuple[str, ...],
        names: Mapping[str, str],
        values: Request,
    ) -> Sequence[Any]:
        """What a request's expressions do; every placeholder must be used and every used one defined."""
        try:
            found, used_names, used_values = _parsed(
                tuple([request.get(part) for part in parts]), parts, tuple(names.items())
            )
        except ExpressionError as wrong:
            raise error(operation, _INVALID, str(wrong)) from None
        if used_names != names.keys() or used_values != values.keys():
            raise error(operation, _INVALID, "a placeholder is not defined, or not used")
        return found

    def _target(self, operation: str, kind: str, body: Request) -> ItemKey:
        if kind == "Put":
            return self._key(operation, {name: body["Item"].get(name, {}) for name in KEY})
        return self._key(operation, body["Key"])

    def _key(self, operation: str, key: Request) -> ItemKey:
        pk, sk = key.get("PK", {}).get("S"), key.get("SK", {}).get("S")
        if not pk or not sk or len(key) != len(KEY):
            raise error(operation, _INVALID, "The provided key element does not match the schema")
        return ItemKey(pk, sk)

    def _named(self, operation: str, table: str) -> None:
        if table != self.name:
            raise error(operation, "ResourceNotFoundException", "Cannot do operations on that table")


@lru_cache(maxsize=4096)
def _parsed(
    texts: tuple[str | None, ...], parts: tuple[str, ...], names: tuple[tuple[str, str], ...]
) -> tuple[list[Any], frozenset[str], frozenset[str]]:
    """What expressions do, None where there is none, and the placeholders that they use together."""
    used_names: frozenset[str] = frozenset()
    used_values: frozenset[str] = frozenset()
    found: list[Any] = []
    for text, part in zip(texts, parts, strict=True):
        if text is None:
            found.append(None)
            continue
        parse = expressions.update if part == "UpdateExpression" else expressions.condition
        parsed = cast("expressions.Parsed[Any]", parse(text, names))
        if part == "UpdateExpression" and parsed.run.keys() & set(KEY):
            raise ExpressionError("the key of an item cannot be updated")
        used_names |= parsed.names
        used_values |= parsed.values
        found.append(parsed.run)
    return found, used_names, used_values


def _add(ordered: list[ItemKey], key: ItemKey) -> None:
    """Put a key in its place, unless it is there."""
    place = bisect_left(ordered, key)
    if place == len(ordered) or ordered[place] != key:
        ordered.insert(place, key)


def _reason(outcome: _Outcome | _Refusal) -> Answer:
    return outcome.reason if isinstance(outcome, _Refusal) else {"Code": "None"}


def cancelled(reasons: Sequence[Answer]) -> ClientError:
    """The error of a cancelled transaction."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    return error(
        "TransactWriteItems",
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=list(reasons),
    )


def _updated(old: Image, changes: Mapping[str, expressions.Change], values: Request) -> Image:
    """An image after an update; every operand is read from the image before it."""
    made = {name: change(old, values) for name, change in changes.items()}
    kept = {name: value for name, value in old.items() if name not in made}
    return kept | {name: value for name, value in sorted(made.items()) if value is not None}


def _wrong_index_key(image: Image) -> str | None:
    for name in _INDEX_KEYS & image.keys():
        if not image[name].get("S"):
            return name
    return None


def _at_most(image: Image) -> int:
    """A bound of an item's size that is cheap to tell: every value in full, and some bytes around each."""
    return len(marshal.dumps(cast(Any, image), 2))  # later formats write equal texts once
