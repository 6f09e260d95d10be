"""The single table: reads, and writes that either all happen or raise why not."""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import batched
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from oms.store.attributes import Item, decode, encode
from oms.store.errors import CONDITION_FAILED, Busy, Cancelled, Reason
from oms.store.keys import Key
from oms.store.writes import Write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons of a cancelled transaction that go away by themselves; boto3 does not retry for them."""

_PASSING_ERRORS = frozenset(
    {
        "TransactionConflictException",
        "TransactionInProgressException",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
    }
)
MOST_WRITES = 100
"""Writes that DynamoDB takes in one transaction."""

_ATTEMPTS = 8
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5
_BATCH = 100
"""Keys that DynamoDB takes in one BatchGetItem."""
_PUTS = 25
"""Items that it takes in one BatchWriteItem."""
_NAME = re.compile(r"#(\w+)")


class Table:
    """The table behind one low-level client.

    Args:
        client: a boto3 DynamoDB client, or anything with its methods (the meter, a fault injector).
        name: the table's name.
        pause: waits a number of seconds between retries.
        on_conflict: is told of every item over which another transaction made a write of ours wait.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        pause: Callable[[float], None] = time.sleep,
        on_conflict: Callable[[Key], object] = lambda key: None,
    ) -> None:
        self.client = client
        self.name = name
        self._pause = pause
        self._on_conflict = on_conflict

    def get(self, key: Key, *, consistent: bool = True) -> Item | None:
        """The item of a key, or None."""
        answer = self.client.get_item(
            TableName=self.name, Key={"PK": {"S": key.pk}, "SK": {"S": key.sk}}, ConsistentRead=consistent
        )
        item = answer.get("Item")
        return None if item is None else decode(item)

    def get_many(self, wanted: Iterable[Key], *, consistent: bool = False) -> list[Item]:
        """The items of the keys, in their order; those that are not there are left out.

        Raises:
            Busy: throttling outlasted the retries.
        """
        names = list(dict.fromkeys(wanted))
        found: dict[Key, Item] = {}
        for start in range(0, len(names), _BATCH):
            for item in self._batch(names[start : start + _BATCH], consistent):
                found[Key(str(item["PK"]), str(item["SK"]))] = item
        return [found[key] for key in names if key in found]

    def query(self, pk: str, prefix: str = "", *, consistent: bool = False) -> list[Item]:
        """All items of a partition whose sort key starts with `prefix`, in key order."""
        values = {":pk": {"S": pk}} | ({":prefix": {"S": prefix}} if prefix else {})
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "PK = :pk" + (" AND begins_with(SK, :prefix)" if prefix else ""),
            "ExpressionAttributeValues": values,
            "ConsistentRead": consistent,
        }
        return list(self._pages(request))

    def latest(self, pk: str, *, before: Item | None = None, limit: int = 100) -> list[Item]:
        """Items of a partition in falling order of their sort keys, read consistently.

        Args:
            pk: the partition.
            before: the key of an item that only those below are wanted of; None for the last ones.
            limit: how many at most.
        """
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "PK = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": limit,
        }
        if before:
            request["ExclusiveStartKey"] = encode(before)
        return [decode(item) for item in self.client.query(**request)["Items"]]

    def keys_in_index(
        self,
        index: Literal["GSI1", "GSI2"],
        pk: str,
        *,
        since: str | None = None,
        until: str | None = None,
        after: Item | None = None,
        limit: int = 100,
        descending: bool = False,
    ) -> tuple[list[Key], Item | None]:
        """Keys that stand under an index partition, ordered by its sort key.

        Args:
            index: which index.
            pk: its partition.
            since: only sort keys from this one on (a time), together with `until`; None for all before it.
            until: only sort keys up to this one (a time); None for all.
            after: where the page before ended, as returned.
            limit: how many keys at most.
            descending: latest first.

        Returns:
            The keys, and where the page ended (None on the last).
        """
        bounds = {":since": since, ":until": until}
        values = {":pk": {"S": pk}} | {name: {"S": bound} for name, bound in bounds.items() if bound}
        upto = f" AND {index}SK <= :until" if until else ""
        condition = f" AND {index}SK BETWEEN :since AND :until" if since else upto
        request: dict[str, Any] = {
            "TableName": self.name,
            "IndexName": index,
            "KeyConditionExpression": f"{index}PK = :pk{condition}",
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not descending,
            "Limit": limit,
        }
        if after:
            request["ExclusiveStartKey"] = encode(after)
        answer = self.client.query(**request)
        last = answer.get("LastEvaluatedKey")
        return [Key(item["PK"]["S"], item["SK"]["S"]) for item in answer["Items"]], decode(
            last
        ) if last else None

    def put_many(self, items: Mapping[Key, Item]) -> None:
        """Put items over whatever stands there, each by itself: some may be there when it fails.

        Raises:
            Busy: throttling outlasted the retries.
        """
        for batch in batched(items.items(), _PUTS, strict=False):
            left: Any = [
                {"PutRequest": {"Item": encode({"PK": key.pk, "SK": key.sk} | item)}} for key, item in batch
            ]
            for attempt in range(_ATTEMPTS):
                self._back_off(attempt)
                answer = self.client.batch_write_item(RequestItems={self.name: left})
                left = answer["UnprocessedItems"].get(self.name)
                if not left:
                    break
            else:
                raise Busy(f"{len(left)} writes were throttled {_ATTEMPTS} times")

    def commit(self, *writes: Write) -> None:
        """Make all writes, or none.

        A single write goes as a plain conditional one, which costs half of a transaction. Conflicts and
        throttling are retried in place with full jitter.

        Raises:
            Cancelled: a condition did not hold.
            Busy: conflicts or throttling outlasted the retries.
        """
        for attempt in range(_ATTEMPTS):
            self._back_off(attempt)
            try:
                self._send(writes)
                return
            except ClientError as error:
                failed = _failed_conditions(error, writes)
                for write in _conflicting(error, writes):
                    self._on_conflict(write.key)
                if failed:
                    raise Cancelled(failed) from error
        raise Busy(f"{len(writes)} writes met conflicts or throttling {_ATTEMPTS} times")

    def _send(self, writes: Sequence[Write]) -> None:
        requests = [self._request(write) for write in writes]
        if len(writes) == 1:
            calls: dict[str, Callable[..., Any]] = {
                "Put": self.client.put_item,
                "Update": self.client.update_item,
                "Delete": self.client.delete_item,
            }
            calls[writes[0].action](**requests[0])
        else:
            items: list[Any] = [{w.action: r} for w, r in zip(writes, requests, strict=True)]
            self.client.transact_write_items(TransactItems=items)

    def _request(self, write: Write) -> dict[str, Any]:
        key: Item = {"PK": write.key.pk, "SK": write.key.sk}
        request: dict[str, Any] = {"TableName": self.name}
        if write.item is not None:
            request["Item"] = encode(key | write.item)
        else:
            request["Key"] = encode(key)
        if write.update is not None:
            request["UpdateExpression"] = write.update
        if write.condition:
            request["ConditionExpression"] = write.condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        names = _names(write.update, write.condition)
        if names:
            request["ExpressionAttributeNames"] = names
        if write.values:
            request["ExpressionAttributeValues"] = encode({f":{name}": v for name, v in write.values.items()})
        return request

    def _batch(self, names: Sequence[Key], consistent: bool) -> Iterator[Item]:
        wanted: Any = [{"PK": {"S": key.pk}, "SK": {"S": key.sk}} for key in names]
        request: Any = {self.name: {"Keys": wanted, "ConsistentRead": consistent}}
        for attempt in range(_ATTEMPTS):
            self._back_off(attempt)
            answer = self.client.batch_get_item(RequestItems=request)
            yield from map(decode, answer["Responses"].get(self.name, ()))
            request = answer["UnprocessedKeys"]
            if not request:
                return
        raise Busy(f"{len(names)} reads were throttled {_ATTEMPTS} times")

    def _back_off(self, attempt: int) -> None:
        """Wait before another attempt, with full jitter."""
        if attempt:
            self._pause(random.uniform(0, min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)))

    def _pages(self, request: dict[str, Any]) -> Iterator[Item]:
        while True:
            answer = self.client.query(**request)
            yield from (decode(item) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


@lru_cache(256)
def _names(*expressions: str | None) -> dict[str, str]:
    """The names of attributes in expressions; of these the system has some dozens."""
    return {f"#{name}": name for name in _NAME.findall(" ".join(filter(None, expressions)))}


def _conflicting(error: ClientError, writes: Sequence[Write]) -> Iterator[Write]:
    """The writes that another transaction stood in the way of."""
    response: Any = error.response
    if response["Error"]["Code"] == "TransactionConflictException":
        yield from writes
    for write, report in zip(writes, response.get("CancellationReasons", ()), strict=False):
        if report["Code"] == "TransactionConflict":
            yield write


def _failed_conditions(error: ClientError, writes: Sequence[Write]) -> tuple[Reason, ...]:
    """The conditions that an error reports; empty when what it reports passes by itself.

    A failed condition outranks a conflict beside it: it will not go away by waiting.

    Raises:
        ClientError: the error itself, when it is neither.
    """
    response: Any = error.response
    code = response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        reports = [{"Code": CONDITION_FAILED, "Item": response.get("Item")}]
    elif code == "TransactionCanceledException":
        reports = response["CancellationReasons"]
    elif code in _PASSING_ERRORS:
        return ()
    else:
        raise error
    failed = tuple(
        Reason(write, decode(report["Item"]) if report.get("Item") else None)
        for write, report in zip(writes, reports, strict=True)
        if report["Code"] == CONDITION_FAILED
    )
    if not failed and not any(report["Code"] in _PASSING for report in reports):
        raise error
    return failed
