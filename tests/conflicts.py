"""What DynamoDB does and DynamoDB Local never will: conflicts, throttling, crashes, lost responses.

`Conflicts` stands between a client and DynamoDB Local; `Faults` stands around any client of AWS. With the
write-unit meter the order is Faults around Meter around Conflicts around the store.
"""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from botocore.exceptions import ClientError, ReadTimeoutError

from oms.store.meter import write_units
from oms.store.table import Table
from tests.tables import INDEXES, KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Body = Mapping[str, Any]
type Reason = dict[str, Any]  # an element of CancellationReasons

MOST_ACTIONS = 100
NO_REASON: Reason = {"Code": "None"}
FAILED: Reason = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
CONFLICT: Reason = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
UNSUPPORTED_KEY: Reason = {
    "Code": "ValidationError",
    "Message": "The update expression attempted to update the secondary index key to unsupported type",
}
THROTTLED: Mapping[str, Reason] = {
    "on-demand": {
        "Code": "ThrottlingError",
        "Message": "Throughput exceeds the current capacity of your table or index. DynamoDB is "
        "automatically scaling your table or index so please try again shortly. If exceptions persist, check "
        "if you have a hot key: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
        "bp-partition-key-design.html.",
    },
    "provisioned": {
        "Code": "ProvisionedThroughputExceeded",
        "Message": "The level of configured provisioned throughput for the table was exceeded. Consider "
        "increasing your provisioning level with the UpdateTable API.",
    },
}
EXCEPTIONS = {  # what a call that is no transaction raises for the same reason
    "TransactionConflict": "TransactionConflictException",
    "ThrottlingError": "ThrottlingException",
    "ProvisionedThroughputExceeded": "ProvisionedThroughputExceededException",
    "ValidationError": "ValidationException",
}


@dataclass(frozen=True)
class Action:
    """One action on one item, in the form that a transaction has."""

    kind: str  # Put, Update, Delete, ConditionCheck or Get
    body: Body

    @property
    def key(self) -> Body:
        """The item's primary key."""
        item = self.body.get("Item")
        return self.body["Key"] if item is None else {name: item[name] for name in KEY}

    @cached_property
    def target(self) -> tuple[str, ...]:
        """Table and key: what conflicts and throttling are about."""
        key = self.key
        return (self.body["TableName"], *(key[name]["S"] for name in KEY))

    @property
    def sets_index_key_to_other_type(self) -> bool:
        """Whether an update sets a key of an index to something else than a string."""
        if self.kind != "Update":
            return False
        names, values = (self.body.get(f"ExpressionAttribute{part}", {}) for part in ("Names", "Values"))
        keys = {name for key in INDEXES.values() for name in key}
        return any(
            names.get(name, name) in keys and "S" not in values[value]
            for name, value in re.findall(r"(#?\w+)\s*=\s*(:\w+)", self.body.get("UpdateExpression", ""))
        )


def _actions(elements: Iterable[Body]) -> list[Action]:
    return [Action(kind, body) for element in elements for kind, body in element.items()]


class Conflicts:
    """A store whose transactions take time and get into each other's way, as on AWS.

    A transaction holds its items for some milliseconds. Meanwhile every other transaction that touches one of
    them is cancelled with TransactionConflict, and every single write to one fails with
    TransactionConflictException. An item takes no more than so many write units a second (a put counts by its
    size, any other action as one unit; double in a transaction). A cancelled transaction has one reason per
    action, in their order; where nothing else stands in the way the action's condition is tried, so that
    reasons mix as they do on AWS.

    It also refuses what AWS refuses and DynamoDB Local lets through: two actions on one item in a transaction
    and updates that set a key of an index to another type (`SET key = :value`). Everything else is the
    store's own answer.
    """

    def __init__(
        self,
        store: "DynamoDBClient",
        *,
        hold_ms: tuple[float, float] = (12, 20),
        units_per_second: float = 1000,
        billing: Literal["on-demand", "provisioned"] = "on-demand",
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Put conflicts before a store.

        Args:
            store: a low-level client.
            hold_ms: least and most milliseconds that a transaction takes; drawn evenly.
            units_per_second: write units that one item takes in a second, and at once.
            billing: decides the code of throttling.
            seed: of the drawn durations.
            clock: seconds that only grow.
            sleep: waits a number of seconds.
        """
        self._store = store
        self._hold_ms = hold_ms
        self._units_per_second = units_per_second
        self._throttled = THROTTLED[billing]
        self._random = random.Random(seed)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._held: set[tuple[str, ...]] = set()
        self._budgets: dict[tuple[str, ...], tuple[float, float]] = {}  # units left, as of when
        self.refusals: Counter[str] = Counter()  # actions refused, by code

    @property
    def client(self) -> "DynamoDBClient":
        """The store as a client sees it."""
        return cast("DynamoDBClient", self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put_item(self, **request: Any) -> Any:
        return self._write_one("PutItem", self._store.put_item, Action("Put", request))

    def update_item(self, **request: Any) -> Any:
        return self._write_one("UpdateItem", self._store.update_item, Action("Update", request))

    def delete_item(self, **request: Any) -> Any:
        return self._write_one("DeleteItem", self._store.delete_item, Action("Delete", request))

    def batch_write_item(self, **request: Any) -> Any:
        """Refused writes come back in UnprocessedItems; if all are, the batch fails like a single write."""
        accepted: dict[str, list[Any]] = {}
        refused: dict[str, list[Any]] = {}
        reasons = []
        for table, elements in request["RequestItems"].items():
            for element in elements:
                ((kind, body),) = element.items()
                action = Action(kind.removesuffix("Request"), {"TableName": table, **body})
                (reason,) = self._admit([action], price=1)
                (accepted if reason is NO_REASON else refused).setdefault(table, []).append(element)
                reasons.append(reason)
        if not accepted:
            raise self._error("BatchWriteItem", reasons[0])
        answer = self._store.batch_write_item(**(request | {"RequestItems": accepted}))
        for table, left in answer.get("UnprocessedItems", {}).items():
            refused.setdefault(table, []).extend(left)
        return answer | {"UnprocessedItems": refused}

    def transact_write_items(self, **request: Any) -> Any:
        actions = _actions(request["TransactItems"])
        self._validate(actions)
        reasons = self._admit(actions, price=2, hold=True)
        if any(reason is not NO_REASON for reason in reasons):
            raise self._cancelled("TransactWriteItems", self._try_conditions(actions, reasons))
        try:
            self._sleep(self._duration())
            return self._store.transact_write_items(**request)
        finally:
            with self._lock:
                self._held.difference_update(action.target for action in actions)

    def transact_get_items(self, **request: Any) -> Any:
        with self._lock:
            reasons = [
                CONFLICT if action.target in self._held else NO_REASON
                for action in _actions(request["TransactItems"])
            ]
        if CONFLICT in reasons:
            raise self._cancelled("TransactGetItems", reasons)
        return self._store.transact_get_items(**request)

    def _write_one(self, operation: str, write: Callable[..., Any], action: Action) -> Any:
        (reason,) = self._admit([action], price=1)
        if reason is not NO_REASON:
            raise self._error(operation, reason)
        return write(**action.body)

    def _validate(self, actions: Sequence[Action]) -> None:
        if len(actions) > MOST_ACTIONS:
            problem = f"Member must have length less than or equal to {MOST_ACTIONS}"
        elif len({action.target for action in actions}) < len(actions):
            problem = "Transaction request cannot include multiple operations on one item"
        else:
            return
        raise self._error("TransactWriteItems", {"Code": "ValidationError", "Message": problem})

    def _admit(self, actions: Sequence[Action], *, price: int, hold: bool = False) -> list[Reason]:
        """Charge actions to their items' budgets, and hold the items; neither if one action is refused."""
        with self._lock:
            now = self._clock()
            reasons = []
            left = {}
            for action in actions:
                units, since = self._budgets.get(action.target, (self._units_per_second, now))
                units = min(self._units_per_second, units + (now - since) * self._units_per_second)
                units -= price * write_units(action.body.get("Item"))
                left[action.target] = (units, now)
                if action.target in self._held:
                    reasons.append(CONFLICT)
                elif units < 0:
                    reasons.append(self._throttled)
                elif action.sets_index_key_to_other_type:
                    reasons.append(UNSUPPORTED_KEY)
                else:
                    reasons.append(NO_REASON)
            refused = [reason["Code"] for reason in reasons if reason is not NO_REASON]
            self.refusals.update(refused)
            if not refused:
                self._budgets |= left
                if hold:
                    self._held |= left.keys()
            return reasons

    def _duration(self) -> float:
        with self._lock:
            return self._random.uniform(*self._hold_ms) / 1000

    def _try_conditions(self, actions: Sequence[Action], reasons: Sequence[Reason]) -> Sequence[Reason]:
        """The given reasons, with those of the conditions that do not hold in the places still free."""
        tried = [
            index
            for index, action in enumerate(actions)
            if reasons[index] is NO_REASON and "ConditionExpression" in action.body
        ]
        checks: list[Any] = [{"ConditionCheck": _condition_check(actions[index])} for index in tried]
        if not checks:
            return reasons
        try:
            self._store.transact_write_items(TransactItems=checks)
        except ClientError as error:
            response = cast("dict[str, Any]", error.response)
            if "CancellationReasons" not in response:
                raise
            mixed = list(reasons)
            for index, reason in zip(tried, response["CancellationReasons"], strict=True):
                mixed[index] = reason if reason == NO_REASON else reason | FAILED
            return mixed
        return reasons

    def _cancelled(self, operation: str, reasons: Sequence[Reason]) -> ClientError:
        codes = ", ".join(reason["Code"] for reason in reasons)
        message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
        members = {"Message": message, "CancellationReasons": list(reasons)}
        return self._exception(operation, "TransactionCanceledException", message, members)

    def _error(self, operation: str, reason: Reason) -> ClientError:
        return self._exception(operation, EXCEPTIONS[reason["Code"]], reason["Message"], {})

    def _exception(self, operation: str, code: str, message: str, members: Body) -> ClientError:
        response = {
            "Error": {"Message": message, "Code": code},
            "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 0},
            **members,
        }
        exception: Any = self._store.exceptions.from_code(code)
        return cast("ClientError", exception(response, operation))


def _condition_check(action: Action) -> Body:
    """A ConditionCheck of an action's condition, with the placeholders that it uses."""
    body = action.body
    used = re.findall(r"[#:]\w+", body["ConditionExpression"])
    check = {name: body[name] for name in ("TableName", "ConditionExpression")} | {"Key": action.key}
    for name in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        placeholders = {key: value for key, value in body.get(name, {}).items() if key in used}
        if placeholders:
            check[name] = placeholders
    if "ReturnValuesOnConditionCheckFailure" in body:
        check["ReturnValuesOnConditionCheckFailure"] = body["ReturnValuesOnConditionCheckFailure"]
    return check


class Crash(BaseException):
    """The process ended here. Not an Exception: no handler of the code under test may survive it."""


class Faults:
    """Calls to AWS that crash the caller, lose their responses or take long; by number and seed.

    One plan may wrap several clients: their calls are counted together, from 1. After a crash every further
    call crashes too, as the process is gone. `calls` tells what was called: a run without faults shows how
    many places there are to crash at.
    """

    def __init__(
        self,
        *,
        crash_before: int | None = None,
        crash_after: int | None = None,
        lose_response: int | None = None,
        loss_rate: float = 0,
        latency_ms: tuple[float, float] = (0, 0),
        seed: int = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Plan faults.

        Args:
            crash_before: number of the call that is never made.
            crash_after: number of the call that is made, and then the process ends.
            lose_response: number of the call that is made, and then times out.
            loss_rate: share of calls, 0 to 1, whose response is lost.
            latency_ms: least and most milliseconds before each call.
            seed: of what is drawn.
            sleep: waits a number of seconds.
        """
        self._crash_before = crash_before
        self._crash_after = crash_after
        self._lose_response = lose_response
        self._loss_rate = loss_rate
        self._latency_ms = latency_ms
        self._random = random.Random(seed)
        self._sleep = sleep
        self._lock = threading.Lock()
        self._crashed = False
        self.calls: list[str] = []

    def wrap[Client](self, client: Client) -> Client:
        """The same client under the plan; pagers and waiters are refused, as their calls would escape it."""
        return cast("Client", _FaultyClient(client, self))

    def call(self, name: str, call: Callable[..., Any], request: Body) -> Any:
        """Make one call of a wrapped client.

        Raises:
            Crash: the process ends here, or has ended.
            ReadTimeoutError: the call was made and its response lost.
        """
        with self._lock:
            self.calls.append(name)
            number = len(self.calls)
            lost = self._random.random() < self._loss_rate or number == self._lose_response
            latency = self._random.uniform(*self._latency_ms) / 1000
            if number == self._crash_before:
                self._crashed = True
            if self._crashed:
                raise Crash(f"before call {number}, {name}")
        if latency:
            self._sleep(latency)
        try:
            return call(**request)
        finally:  # an error can be lost, or be the last thing before the crash, as well as an answer
            if number == self._crash_after:
                self._crashed = True
                raise Crash(f"after call {number}, {name}")
            if lost:
                raise ReadTimeoutError(endpoint_url=f"https://aws.invalid/{name}")


def deaths(kind: str, at_least: int) -> Iterator[tuple[int, Callable[[Table], Table]]]:
    """Somebody who dies at his first call to AWS, then at his second, and so on until no call is left.

    Args:
        kind: `crash_before`, `crash_after` or `lose_response`.
        at_least: calls that there are at the least: a test that dies nowhere proves nothing.

    Yields:
        The number of the call, and what makes of a table the one that he works with; the last time nothing
        happens to him.
    """
    number, died = 0, True
    while died:
        number += 1
        plan = Faults(**{kind: number}, sleep=lambda seconds: None)  # type: ignore[arg-type]

        def faulty(table: Table, plan: Faults = plan) -> Table:
            return Table(plan.wrap(table.client), table.name, pause=lambda seconds: None)

        yield number, faulty
        died = len(plan.calls) >= number
    assert number > at_least, f"there are only {number - 1} calls to die at"


class _FaultyClient:
    def __init__(self, client: Any, faults: Faults) -> None:
        self._client = client
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if name in {"exceptions", "meta"}:
            return attribute
        if name in {"get_paginator", "get_waiter"}:
            raise AttributeError(f"the calls of {name} would escape the plan")
        return lambda **request: self._faults.call(name, attribute, request)
