"""The instruments of the concurrency tests: DynamoDB Local, the meter and the shims against it."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oms.store.meter import Meter, item_size
from tests import dynamodb_local
from tests.conflicts import CONFLICT, FAILED, NO_REASON, Conflicts, Crash, Faults
from tests.dynamodb_local import ROOT, DynamoDBLocalError
from tests.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.concurrency.conftest import Store

EXISTS = "attribute_exists(PK)"
NEW = "attribute_not_exists(PK)"


def key(name: str) -> dict[str, Any]:
    return {"PK": {"S": name}, "SK": {"S": "s"}}


def put(table: str, name: str, condition: str = "", **attributes: Any) -> Any:
    """A Put of a transaction; with a condition it asks for the item that broke it."""
    body: dict[str, Any] = {"TableName": table, "Item": key(name) | attributes}
    if condition:
        body |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return {"Put": body}


def add(table: str, name: str, condition: str = "attribute_not_exists(n) OR n < :most") -> Any:
    """An Update of a transaction that adds 1 to `n`."""
    return {
        "Update": {
            "TableName": table,
            "Key": key(name),
            "UpdateExpression": "ADD #n :one",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#n": "n"},
            "ExpressionAttributeValues": {":one": {"N": "1"}}
            | ({":most": {"N": "1000"}} if ":most" in condition else {}),
        }
    }


def stored(store: "Store", name: str) -> Any:
    return store.client.get_item(TableName=store.table, Key=key(name), ConsistentRead=True).get("Item")


def refused(call: Callable[[], object]) -> Any:
    """The response of the ClientError that a call raises."""
    with pytest.raises(ClientError) as raised:
        call()
    return raised.value.response


class DuringTransaction:
    """Runs something while a transaction of the shim holds its items, and keeps the error it raised."""

    def __init__(self, store: "Store") -> None:
        self.shim = Conflicts(store.client, sleep=self.sleep)
        self.store = store
        self.meanwhile: Callable[[DynamoDBClient], object] | None = None
        self.answer: Any = None

    def sleep(self, _: float) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            try:
                self.answer = meanwhile(self.shim.client)
            except ClientError as error:
                self.answer = error.response

    def hold(self, *names: str, meanwhile: "Callable[[DynamoDBClient], object]") -> Any:
        self.meanwhile = meanwhile
        self.shim.client.transact_write_items(
            TransactItems=[put(self.store.table, name, held={"BOOL": True}) for name in names]
        )
        return self.answer


# DynamoDB Local itself


def test_a_tarball_that_is_not_the_committed_one_is_refused(tmp_path: Path) -> None:
    tarball = tmp_path / "other.tgz"
    tarball.write_bytes(b"something else")
    with pytest.raises(DynamoDBLocalError, match="has integrity sha512-.*expected sha512-xTeeRL"):
        dynamodb_local.check_integrity(tarball)


def test_a_server_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "Broken.java"
    broken.write_text('class Broken { public static void main(String[] a) { throw new Error("why"); } }')
    monkeypatch.setattr(dynamodb_local, "LAUNCHER", broken)
    with pytest.raises(DynamoDBLocalError, match="(?s)did not start.*Error: why"), dynamodb_local.running():
        pass


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 error"), ("", "1 skipped")])
def test_without_java_a_test_fails_in_ci_and_elsewhere_is_skipped_with_advice(ci: str, outcome: str) -> None:
    name = "test_only_the_loopback_interface_is_served"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"{__file__}::{name}"],
        cwd=ROOT,
        env={"PATH": "/nonexistent", "CI": ci, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in run.stdout.splitlines()[-1]
    assert "apt-get install default-jdk-headless" in run.stdout


def test_only_the_loopback_interface_is_served(dynamodb_client: "DynamoDBClient") -> None:
    host, port = dynamodb_client.meta.endpoint_url.removeprefix("http://").split(":")
    assert host == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):  # any other address of this machine, be it loopback too
        socket.create_connection(("127.0.0.2", int(port)))


def test_the_server_ends_with_the_process_that_started_it() -> None:
    script = (
        "from tests.dynamodb_local import running\n"
        "with running() as endpoint:\n"
        "    print(endpoint, flush=True)\n"
        "    input()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            owner.kill()
            assert connection.recv(1) == b""  # the server's end closes when it goes


def test_every_test_has_an_empty_table_of_the_project(dynamodb: "Store") -> None:
    table = dynamodb.client.describe_table(TableName=dynamodb.table)["Table"]
    parts = {"table": table} | {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}
    keys = {part: [k["AttributeName"] for k in described["KeySchema"]] for part, described in parts.items()}
    assert keys == {"table": ["PK", "SK"], "GSI1": ["GSI1PK", "GSI1SK"], "GSI2": ["GSI2PK", "GSI2SK"]}
    projections = [index["Projection"]["ProjectionType"] for index in table["GlobalSecondaryIndexes"]]
    assert projections == ["KEYS_ONLY", "KEYS_ONLY"]
    assert dynamodb.client.scan(TableName=dynamodb.table)["Count"] == 0


@pytest.mark.parametrize(("stream", "view"), [(True, "NEW_AND_OLD_IMAGES"), (False, None)])
def test_a_table_has_the_stream_if_it_is_wanted(
    dynamodb_client: "DynamoDBClient", stream: bool, view: str | None
) -> None:
    name = create_table(dynamodb_client, f"stream-{stream}", stream=stream)
    table = dynamodb_client.describe_table(TableName=name)["Table"]
    assert table.get("StreamSpecification", {}).get("StreamViewType") == view
    dynamodb_client.delete_table(TableName=name)


# The meter against the store's own figures, which are right for all but transactions

numbers = st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**9), max_value=10**9)
scalars = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(max_size=20)),
    st.builds(lambda number: {"N": f"{number:f}"}, numbers),
    st.builds(lambda number: {"N": str(number)}, st.integers(-(10**38) + 1, 10**38 - 1)),
    st.builds(lambda content: {"B": content}, st.binary(max_size=20)),
    st.sampled_from([{"BOOL": True}, {"NULL": True}]),
    st.builds(lambda texts: {"SS": sorted(texts)}, st.sets(st.text(min_size=1, max_size=5), min_size=1)),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.builds(lambda elements: {"L": elements}, st.lists(inner, max_size=3)),
        st.builds(
            lambda pairs: {"M": pairs}, st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3)
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=values)
def test_item_sizes_are_the_stores_to_the_byte(dynamodb: "Store", value: Any) -> None:
    bare = key("a") | {"v": value, "p": {"S": ""}}
    for size, units in ((2048, 2), (2049, 3)):
        dynamodb.client.delete_item(TableName=dynamodb.table, Key=key("a"))
        padded: Any = bare | {"p": {"S": "x" * (size - item_size(bare))}}
        answer = dynamodb.client.put_item(
            TableName=dynamodb.table, Item=padded, ReturnConsumedCapacity="TOTAL"
        )
        assert item_size(padded) == size
        assert answer["ConsumedCapacity"]["CapacityUnits"] == units


def test_units_of_plain_calls_are_the_stores_own(dynamodb: "Store") -> None:
    in_index = {"GSI1PK": {"S": "p"}, "GSI1SK": {"S": "s"}}
    set_key = {"UpdateExpression": "SET GSI1PK = :v", "ExpressionAttributeValues": {":v": {"S": "q"}}}
    ask = {"KeyConditionExpression": "PK = :v", "ExpressionAttributeValues": {":v": {"S": "a"}}}
    in_gsi1 = {
        "IndexName": "GSI1",
        "KeyConditionExpression": "GSI1PK = :v",
        "ExpressionAttributeValues": {":v": {"S": "p"}},
    }
    calls: list[tuple[str, dict[str, Any]]] = [
        ("put_item", {"Item": key("a") | in_index | {"p": {"S": "x" * 3000}}}),
        ("put_item", {"Item": key("a") | in_index}),
        ("update_item", {"Key": key("a")} | set_key),
        ("update_item", {"Key": key("a")} | set_key),
        ("update_item", {"Key": key("a"), "UpdateExpression": "REMOVE GSI1SK"}),
        ("update_item", {"Key": key("b")} | set_key),
        ("put_item", {"Item": key("c") | in_index | {"p": {"S": "x" * 9000}}}),
        ("get_item", {"Key": key("c"), "ProjectionExpression": "PK"}),
        ("get_item", {"Key": key("c"), "ConsistentRead": True}),
        ("get_item", {"Key": key("none")}),
        ("query", ask),
        ("query", ask | {"ConsistentRead": True, "Select": "COUNT"}),
        ("query", in_gsi1),
        ("scan", {"FilterExpression": "attribute_not_exists(PK)"}),
        ("delete_item", {"Key": key("none")}),
        ("delete_item", {"Key": key("c")}),
    ]
    meter = Meter(dynamodb.client)
    for name, request in calls:
        before = meter.bill
        answer = getattr(meter.client(), name)(
            TableName=dynamodb.table, ReturnConsumedCapacity="INDEXES", **request
        )
        spent = meter.bill - before
        theirs = answer["ConsumedCapacity"]
        assert spent.writes + spent.reads == theirs["CapacityUnits"], (name, request)
        if spent.writes:
            indexes = theirs.get("GlobalSecondaryIndexes", {})
            table = {"table": theirs["Table"]["CapacityUnits"]}
            assert spent.by("part") == table | {i: indexes[i]["CapacityUnits"] for i in indexes}


def test_a_transaction_has_the_index_units_of_plain_writes_and_twice_their_table_units(
    dynamodb: "Store",
) -> None:
    meter = Meter(dynamodb.client)
    puts = [
        put(dynamodb.table, name, GSI1PK={"S": "p"}, GSI1SK={"S": "s"}, p={"S": "x" * size})
        for name, size in (("a", 10), ("b", 1500))
    ]
    for action in puts:
        meter.client("plain").put_item(**action["Put"])
        dynamodb.client.delete_item(
            TableName=dynamodb.table, Key={k: action["Put"]["Item"][k] for k in ("PK", "SK")}
        )
    meter.client("transaction").transact_write_items(TransactItems=puts)
    assert meter.bill.only(operation="plain").by("part") == {"GSI1": 2, "table": 3}
    assert meter.bill.only(operation="transaction").by("part") == {"GSI1": 2, "table": 6}


# Conflicts


def test_a_transaction_that_touches_a_held_item_is_cancelled(dynamodb: "Store") -> None:
    during = DuringTransaction(dynamodb)
    actions = [add(dynamodb.table, "free"), add(dynamodb.table, "held")]
    answer = during.hold("held", meanwhile=lambda client: client.transact_write_items(TransactItems=actions))
    assert answer["Error"]["Code"] == "TransactionCanceledException"
    assert answer["Message"].endswith("specific reasons [None, TransactionConflict]")
    assert answer["CancellationReasons"] == [
        {"Code": "None"},
        {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"},
    ]
    assert stored(dynamodb, "free") is None
    assert during.shim.refusals == {"TransactionConflict": 1}


def test_reasons_mix_in_the_order_of_the_actions(dynamodb: "Store") -> None:
    during = DuringTransaction(dynamodb)
    dynamodb.client.put_item(TableName=dynamodb.table, Item=key("known") | {"n": {"N": "7"}})
    actions = [
        put(dynamodb.table, "known", NEW),
        add(dynamodb.table, "held"),
        put(dynamodb.table, "free", NEW),
        put(dynamodb.table, "unconditional"),
        add(dynamodb.table, "known", "n > :one AND n < :one"),
    ]
    actions[-1]["Update"]["Key"] = key("none")
    answer = during.hold("held", meanwhile=lambda client: client.transact_write_items(TransactItems=actions))
    assert answer["CancellationReasons"] == [
        FAILED | {"Item": key("known") | {"n": {"N": "7"}}},
        CONFLICT,
        NO_REASON,
        NO_REASON,
        FAILED,
    ]
    assert stored(dynamodb, "free") is None


def test_a_cancellation_has_the_shape_of_the_stores_own(dynamodb: "Store") -> None:
    during = DuringTransaction(dynamodb)
    dynamodb.client.put_item(TableName=dynamodb.table, Item=key("known"))
    actions = [put(dynamodb.table, "free"), put(dynamodb.table, "known", NEW)]
    theirs = refused(lambda: dynamodb.client.transact_write_items(TransactItems=actions))
    ours = during.hold("free", meanwhile=lambda client: client.transact_write_items(TransactItems=actions))
    assert ours.keys() == theirs.keys()
    assert ours["Error"].keys() == theirs["Error"].keys()
    assert ours["Error"]["Message"] == theirs["Error"]["Message"].replace("[None", "[TransactionConflict")
    assert ours["Message"] == ours["Error"]["Message"]
    assert ours["CancellationReasons"][1] == theirs["CancellationReasons"][1]
    assert theirs["CancellationReasons"][0] == {"Code": "None"}


def test_a_shim_raises_the_exceptions_of_the_client(dynamodb: "Store") -> None:
    shim = Conflicts(dynamodb.client, units_per_second=0)
    with pytest.raises(shim.client.exceptions.TransactionCanceledException):
        shim.client.transact_write_items(TransactItems=[add(dynamodb.table, "a")])


@pytest.mark.parametrize("call", ["put_item", "update_item", "delete_item"])
def test_a_single_write_to_a_held_item_fails(dynamodb: "Store", call: str) -> None:
    during = DuringTransaction(dynamodb)
    request: dict[str, Any] = {"Item": key("held")} if call == "put_item" else {"Key": key("held")}
    answer = during.hold(
        "held", meanwhile=lambda client: getattr(client, call)(TableName=dynamodb.table, **request)
    )
    assert answer["Error"] == {
        "Code": "TransactionConflictException",
        "Message": "Transaction is ongoing for the item",
    }
    assert stored(dynamodb, "held") == key("held") | {"held": {"BOOL": True}}
    getattr(during.shim.client, call)(TableName=dynamodb.table, **request)  # free again


def test_a_batch_leaves_writes_to_held_items_undone(dynamodb: "Store") -> None:
    during = DuringTransaction(dynamodb)
    elements: list[Any] = [{"PutRequest": {"Item": key(name)}} for name in ("held", "free")]
    answer = during.hold(
        "held", meanwhile=lambda c: c.batch_write_item(RequestItems={dynamodb.table: elements})
    )
    assert answer["UnprocessedItems"] == {dynamodb.table: elements[:1]}
    assert stored(dynamodb, "free") == key("free")
    answer = during.hold(
        "held", meanwhile=lambda c: c.batch_write_item(RequestItems={dynamodb.table: elements[:1]})
    )
    assert answer["Error"]["Code"] == "TransactionConflictException"


def test_the_meter_leaves_out_what_a_batch_left_undone(dynamodb: "Store") -> None:
    during = DuringTransaction(dynamodb)
    meter = Meter(during.shim.client)
    elements: list[Any] = [{"PutRequest": {"Item": key(name)}} for name in ("held", "free")]
    during.hold(
        "held", meanwhile=lambda _: meter.client().batch_write_item(RequestItems={dynamodb.table: elements})
    )
    assert meter.bill.writes == 1


def test_a_transactional_read_of_a_held_item_is_cancelled_and_other_reads_see_the_old_item(
    dynamodb: "Store",
) -> None:
    during = DuringTransaction(dynamodb)
    gets: list[Any] = [{"Get": {"TableName": dynamodb.table, "Key": key(name)}} for name in ("free", "held")]
    answer = during.hold("held", meanwhile=lambda client: client.transact_get_items(TransactItems=gets))
    assert [reason["Code"] for reason in answer["CancellationReasons"]] == ["None", "TransactionConflict"]
    assert "Responses" in during.shim.client.transact_get_items(TransactItems=gets)
    answer = during.hold("other", meanwhile=lambda c: c.get_item(TableName=dynamodb.table, Key=key("other")))
    assert "Item" not in answer


def test_transactions_on_other_items_do_not_conflict(dynamodb: "Store") -> None:
    during = DuringTransaction(dynamodb)
    during.hold(
        "held", meanwhile=lambda c: c.transact_write_items(TransactItems=[put(dynamodb.table, "free")])
    )
    assert stored(dynamodb, "free") == key("free")


def test_an_item_is_released_when_its_transaction_fails(dynamodb: "Store") -> None:
    shim = Conflicts(dynamodb.client, sleep=lambda _: None)
    answer = refused(
        lambda: shim.client.transact_write_items(TransactItems=[put(dynamodb.table, "a", EXISTS)])
    )
    assert [reason["Code"] for reason in answer["CancellationReasons"]] == ["ConditionalCheckFailed"]
    shim.client.transact_write_items(TransactItems=[put(dynamodb.table, "a")])
    assert stored(dynamodb, "a") == key("a")


def test_durations_are_drawn_from_the_seed(dynamodb: "Store") -> None:
    def durations(seed: int) -> list[float]:
        slept: list[float] = []
        shim = Conflicts(dynamodb.client, hold_ms=(12, 20), seed=seed, sleep=slept.append)
        for _ in range(3):
            shim.client.transact_write_items(TransactItems=[put(dynamodb.table, "a")])
        return slept

    assert durations(1) == durations(1) != durations(2)
    assert all(0.012 <= duration <= 0.020 for duration in durations(1))


@pytest.mark.parametrize(
    ("billing", "reason", "exception"),
    [
        ("on-demand", "ThrottlingError", "ThrottlingException"),
        ("provisioned", "ProvisionedThroughputExceeded", "ProvisionedThroughputExceededException"),
    ],
)
def test_an_item_takes_so_many_units_a_second(
    dynamodb: "Store", billing: Any, reason: str, exception: str
) -> None:
    now = 0.0
    shim = Conflicts(
        dynamodb.client, units_per_second=10, billing=billing, clock=lambda: now, sleep=lambda _: None
    )
    client = shim.client
    hot, cold = add(dynamodb.table, "hot"), put(dynamodb.table, "cold")
    for _ in range(5):
        client.transact_write_items(TransactItems=[hot])
    answer = refused(lambda: client.transact_write_items(TransactItems=[cold, hot]))
    assert [reason["Code"] for reason in answer["CancellationReasons"]] == ["None", reason]
    answer = refused(lambda: client.update_item(**hot["Update"]))
    assert answer["Error"]["Code"] == exception
    answer = refused(
        lambda: client.batch_write_item(RequestItems={dynamodb.table: [{"PutRequest": {"Item": key("hot")}}]})
    )
    assert answer["Error"]["Code"] == exception
    assert stored(dynamodb, "hot")["n"] == {"N": "5"}
    client.transact_write_items(TransactItems=[cold])  # refusals cost no other item anything

    now = 0.2
    client.transact_write_items(TransactItems=[hot])
    refused(lambda: client.transact_write_items(TransactItems=[hot]))
    now = 100.0
    big = put(dynamodb.table, "hot", p={"S": "x" * 4500})
    client.transact_write_items(TransactItems=[big])  # 5 KB, twice
    refused(lambda: client.put_item(**put(dynamodb.table, "hot")["Put"]))


def test_two_actions_on_one_item_are_refused_though_the_store_may_take_them(dynamodb: "Store") -> None:
    shim = Conflicts(dynamodb.client, sleep=lambda _: None)
    twice = [put(dynamodb.table, "a"), {"Delete": {"TableName": dynamodb.table, "Key": key("a")}}]
    answer = refused(lambda: shim.client.transact_write_items(TransactItems=twice))
    theirs = refused(lambda: dynamodb.client.transact_write_items(TransactItems=twice))
    assert answer["Error"] == theirs["Error"]
    assert answer["Error"]["Code"] == "ValidationException"
    conditional = [put(dynamodb.table, "a", NEW), put(dynamodb.table, "a", NEW)]
    assert (
        refused(lambda: shim.client.transact_write_items(TransactItems=conditional))["Error"]
        == theirs["Error"]
    )
    assert "CancellationReasons" in refused(
        lambda: dynamodb.client.transact_write_items(TransactItems=conditional)
    )


def test_more_than_a_hundred_actions_are_refused_even_on_held_items(dynamodb: "Store") -> None:
    during = DuringTransaction(dynamodb)
    many = [put(dynamodb.table, str(number)) for number in range(101)]
    theirs = refused(lambda: dynamodb.client.transact_write_items(TransactItems=many))
    answer = during.hold("7", meanwhile=lambda client: client.transact_write_items(TransactItems=many))
    assert answer["Error"] == theirs["Error"]
    during.shim.client.transact_write_items(TransactItems=many[:100])
    assert stored(dynamodb, "99") == key("99")


@pytest.mark.parametrize("attribute", ["GSI1PK", "#k"])
def test_an_index_key_of_another_type_is_refused_though_the_store_takes_it(
    dynamodb: "Store", attribute: str
) -> None:
    names = {"ExpressionAttributeNames": {"#k": "GSI2SK"}} if attribute == "#k" else {}
    update: Any = {
        "TableName": dynamodb.table,
        "Key": key("a"),
        "UpdateExpression": f"SET x = :v, {attribute} = :v",
        "ExpressionAttributeValues": {":v": {"N": "1"}},
        **names,
    }
    client = Conflicts(dynamodb.client, sleep=lambda _: None).client
    assert refused(lambda: client.update_item(**update))["Error"]["Code"] == "ValidationException"
    answer = refused(
        lambda: client.transact_write_items(TransactItems=[put(dynamodb.table, "b"), {"Update": update}])
    )
    assert [reason["Code"] for reason in answer["CancellationReasons"]] == ["None", "ValidationError"]
    assert stored(dynamodb, "b") is None
    dynamodb.client.update_item(**update)
    update["ExpressionAttributeValues"] = {":v": {"S": "text"}}
    client.update_item(**update)
    assert stored(dynamodb, "a")["x"] == {"S": "text"}


def test_the_store_itself_refuses_a_put_with_an_index_key_of_another_type(dynamodb: "Store") -> None:
    client = Conflicts(dynamodb.client, sleep=lambda _: None).client
    wrong = put(dynamodb.table, "a", GSI1PK={"N": "1"}, GSI1SK={"S": "s"})
    answer = refused(lambda: client.transact_write_items(TransactItems=[wrong]))
    assert [reason["Code"] for reason in answer["CancellationReasons"]] == ["ValidationError"]
    empty = put(dynamodb.table, "a", GSI1PK={"S": ""}, GSI1SK={"S": "s"})
    answer = refused(lambda: client.transact_write_items(TransactItems=[empty]))
    assert answer["Error"]["Code"] == "ValidationException"


def test_transactions_of_many_threads_are_serialised_by_conflicts(dynamodb: "Store") -> None:
    shim = Conflicts(dynamodb.client, hold_ms=(1, 3))

    def add_until_done(_: int) -> None:
        while True:
            try:
                shim.client.transact_write_items(TransactItems=[add(dynamodb.table, "hot")])
                return
            except shim.client.exceptions.TransactionCanceledException as error:
                codes = re.findall(r"\[(.*)\]", str(error))
                assert codes == ["TransactionConflict"]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add_until_done, range(24)))
    assert stored(dynamodb, "hot")["n"] == {"N": "24"}


# Faults


class Recorder:
    """A client that remembers the calls that reached it."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.exceptions = SimpleNamespace()

    def send(self, **request: str) -> str:
        self.reached.append(request["name"])
        if request["name"] == "bad":
            raise ClientError({"Error": {"Code": "ValidationException"}}, "Send")
        return request["name"]

    def get_paginator(self, **_: str) -> None:
        raise AssertionError("not reached")


@pytest.mark.parametrize(
    ("plan", "reached"),
    [({"crash_before": 2}, ["one"]), ({"crash_after": 2}, ["one", "two"])],
)
def test_a_crash_ends_the_process_before_or_after_a_call(plan: Any, reached: list[str]) -> None:
    faults = Faults(**plan)
    queue, other = Recorder(), Recorder()
    assert faults.wrap(queue).send(name="one") == "one"
    with pytest.raises(Crash, match="call 2, send"):
        faults.wrap(queue).send(name="two")
    with pytest.raises(Crash):
        faults.wrap(other).send(name="three")
    assert (queue.reached, other.reached) == (reached, [])


def test_no_handler_of_exceptions_survives_a_crash() -> None:
    assert not issubclass(Crash, Exception)


@pytest.mark.parametrize(
    ("plan", "error"), [({"crash_after": 1}, Crash), ({"lose_response": 1}, ReadTimeoutError)]
)
def test_an_error_is_lost_like_an_answer(plan: Any, error: type[BaseException]) -> None:
    queue = Recorder()
    with pytest.raises(error):
        Faults(**plan).wrap(queue).send(name="bad")
    assert queue.reached == ["bad"]


def test_a_lost_response_leaves_the_call_done() -> None:
    queue = Recorder()
    client = Faults(lose_response=1).wrap(queue)
    with pytest.raises(ReadTimeoutError):
        client.send(name="one")
    assert client.send(name="two") == "two"
    assert queue.reached == ["one", "two"]


def test_responses_are_lost_at_a_rate_by_the_seed() -> None:
    def lost(seed: int) -> list[int]:
        client = Faults(loss_rate=0.05, seed=seed).wrap(Recorder())
        numbers = []
        for number in range(1000):
            try:
                client.send(name="one")
            except ReadTimeoutError:
                numbers.append(number)
        return numbers

    assert lost(1) == lost(1) != lost(2)
    assert 30 < len(lost(1)) < 70


def test_latency_is_waited_before_each_call() -> None:
    slept: list[float] = []
    client = Faults(latency_ms=(5, 9), sleep=slept.append).wrap(Recorder())
    for name in ("one", "two"):
        client.send(name=name)
    assert len(slept) == 2 and all(0.005 <= pause <= 0.009 for pause in slept)


def test_calls_are_counted_over_all_clients_of_a_plan_and_none_escapes() -> None:
    faults = Faults()
    faults.wrap(Recorder()).send(name="one")
    client = faults.wrap(Recorder())
    client.send(name="two")
    assert faults.calls == ["send", "send"]
    with pytest.raises(AttributeError, match="would escape"):
        client.get_paginator(name="send")


def test_the_instruments_stack(dynamodb: "Store") -> None:
    meter = Meter(Conflicts(dynamodb.client, sleep=lambda _: None).client)
    client = Faults(lose_response=1).wrap(meter.client("place"))
    order = [put(dynamodb.table, "order", NEW)]
    with pytest.raises(ReadTimeoutError):
        client.transact_write_items(TransactItems=order)
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=order)
    assert meter.bill.by("operation", "part", "failed") == {
        "place table False": 2,
        "place table True": 2,
    }
