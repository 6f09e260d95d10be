"""The table in memory answers as AWS's DynamoDB Local does, and where that is too lenient as AWS does."""

import itertools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.lab.memory_table import Change, MemoryTable
from oms.inventory.model import Block, Delta, DemandChange, Position
from oms.store.attributes import Item
from oms.store.errors import Cancelled
from oms.store.keys import Key
from oms.store.table import Table
from oms.store.writes import Why, Write, count, create, heat, limit, move, put, replace, wait
from tests.builders import NOW
from tests.concurrency.conftest import Store
from tests.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Call = tuple[str, dict[str, Any]]

EXAMPLES = itertools.count()
WHY = Why("test", "ref", "tests", NOW)


# ---- calls, generated: few keys, attributes and values, so that they meet


def attribute(name: str) -> str:
    return f"#{name}"


NAMES = st.sampled_from(["a", "b", "PK"])
VALUES = st.sampled_from([{"N": "0"}, {"N": "1"}, {"N": "-2"}, {"S": "x"}, {"S": "xy"}, {"BOOL": True}])
NUMBERS = st.sampled_from([{"N": "1"}, {"N": "-3"}, {"N": "12"}])


class Placeholders:
    """Gives values their placeholders, and finds those that an expression uses."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._numbers = itertools.count()

    def value(self, value: Any) -> str:
        name = f":v{next(self._numbers)}"
        self.values[name] = value
        return name

    def of(self, *expressions: str) -> dict[str, Any]:
        text = " ".join(expressions)
        names = {f"#{name}": name for name in ("a", "b", "c", "PK") if f"#{name} " in f"{text} "}
        made: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        return made | ({"ExpressionAttributeValues": self.values} if self.values else {})


@st.composite
def conditions(draw: st.DrawFn, held: Placeholders, depth: int = 2) -> str:
    kind = draw(st.sampled_from(["and", "or", "not", "atom", "atom"] if depth else ["atom"]))
    if kind in {"and", "or"}:
        one, other = (draw(conditions(held, depth - 1)) for _ in range(2))
        return f"{one} {kind.upper()} {other}" if draw(st.booleans()) else f"( {one} {kind.upper()} {other} )"
    if kind == "not":
        return f"NOT {draw(conditions(held, depth - 1))}"
    name = attribute(draw(NAMES))
    match draw(st.sampled_from(["exists", "missing", "compare", "between", "in", "begins", "size"])):
        case "exists":
            return f"attribute_exists( {name} )"
        case "missing":
            return f"attribute_not_exists( {name} )"
        case "between":
            low, high = sorted(draw(st.tuples(NUMBERS, NUMBERS)), key=lambda value: int(value["N"]))
            return f"{name} BETWEEN {held.value(low)} AND {held.value(high)}"
        case "in":
            return f"{name} IN ({held.value(draw(VALUES))}, {held.value(draw(VALUES))})"
        case "begins":
            return f"begins_with( {name} , {held.value({'S': 'x'})})"
        case "size":
            return f"size( {name} ) > {held.value(draw(NUMBERS))}"
        case _:
            comparator = draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
            value = draw(VALUES if comparator in {"=", "<>"} else NUMBERS)
            return f"{name} {comparator} {held.value(value)}"


@st.composite
def updates(draw: st.DrawFn, held: Placeholders) -> str:
    clauses = []
    for name in draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True)):
        path = attribute(name)
        clauses.append(
            draw(
                st.sampled_from(
                    [
                        ("SET", f"{path} = {held.value(draw(VALUES))}"),
                        ("SET", f"{path} = if_not_exists( {path} , {held.value(draw(VALUES))})"),
                        ("SET", f"{path} = #a + {held.value(draw(NUMBERS))}"),
                        ("SET", f"{path} = if_not_exists( #b , {held.value({'N': '5'})}) - #a "),
                        ("ADD", f"{path} {held.value(draw(NUMBERS))}"),
                        ("REMOVE", f"{path} "),
                    ]
                )
            )
        )
    kinds = dict.fromkeys(kind for kind, _ in clauses)
    text = " ".join(f"{kind} {', '.join(t for k, t in clauses if k == kind)}" for kind in kinds)
    held.values = {name: value for name, value in held.values.items() if f"{name} " in _spaced(text)}
    return text


def _spaced(text: str) -> str:
    return text.replace(",", " ").replace(")", " ") + " "


@st.composite
def actions(draw: st.DrawFn, sort_key: str, *, single: bool) -> tuple[str, dict[str, Any]]:
    """An action on the item of a sort key, without table and partition."""
    kind = draw(st.sampled_from(["Put", "Update", "Delete"] + ([] if single else ["ConditionCheck"])))
    held = Placeholders()
    expressions = []
    body: dict[str, Any] = {"Key": {"SK": {"S": sort_key}}}
    if kind == "Put":
        item = {name: draw(VALUES) for name in draw(st.sets(st.sampled_from(["a", "b", "c"])))}
        if draw(st.booleans()):
            item |= {"GSI1PK": {"S": "queue"}, "GSI1SK": {"S": draw(st.sampled_from("1234"))}}
        body = {"Item": body["Key"] | item}
    if kind == "Update":
        body["UpdateExpression"] = draw(updates(held))
        expressions.append(body["UpdateExpression"])
    if kind == "ConditionCheck" or draw(st.booleans()):
        body["ConditionExpression"] = draw(conditions(held))
        expressions.append(body["ConditionExpression"])
        if draw(st.booleans()):
            body["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return kind, body | held.of(*expressions)


SORT_KEYS = ["P#1", "P#2", "D#1"]
SINGLE = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}


@st.composite
def calls(draw: st.DrawFn) -> Call:
    match draw(st.sampled_from(["one", "one", "many", "many", "get", "batch", "query", "index", "scan"])):
        case "one":
            kind, body = draw(actions(draw(st.sampled_from(SORT_KEYS)), single=True))
            return SINGLE[kind], body
        case "many":
            chosen = draw(st.lists(st.sampled_from(SORT_KEYS), min_size=1, max_size=3, unique=True))
            made = [dict([draw(actions(name, single=False))]) for name in chosen]
            return "transact_write_items", {"TransactItems": made}
        case "get":
            return "get_item", {"Key": {"SK": {"S": draw(st.sampled_from(SORT_KEYS))}}}
        case "batch":
            return "batch_get_item", {"Keys": [{"SK": {"S": name}} for name in SORT_KEYS]}
        case "query":
            prefix = draw(st.sampled_from(["", "P#"]))
            more = {"Limit": draw(st.integers(1, 3))} if draw(st.booleans()) else {}
            return "query", {"prefix": prefix, "ScanIndexForward": draw(st.booleans())} | more
        case "index":
            return "query", {"until": draw(st.sampled_from("1234")), "Limit": draw(st.integers(1, 4))}
    return "scan", {}


def completed(table: str, partition: str, call: Call) -> Call:
    """A generated call with table and partition."""
    name, body = call
    pk = {"PK": {"S": partition}}

    def whole(part: Mapping[str, Any]) -> dict[str, Any]:
        made = dict(part) | {"TableName": table}
        for holder in ("Key", "Item"):
            if holder in part:
                made[holder] = pk | part[holder]
        if "GSI1PK" in made.get("Item", {}):
            made["Item"]["GSI1PK"] = {"S": f"queue {partition}"}
        return made

    match name:
        case "transact_write_items":
            items = [{kind: whole(one) for kind, one in element.items()} for element in body["TransactItems"]]
            return name, {"TransactItems": items}
        case "batch_get_item":
            keys = [pk | key for key in body["Keys"]]
            return name, {"RequestItems": {table: {"Keys": keys, "ConsistentRead": True}}}
        case "query" if "until" in body:
            return name, {
                "TableName": table,
                "IndexName": "GSI1",
                "KeyConditionExpression": "GSI1PK = :pk AND GSI1SK <= :until",
                "ExpressionAttributeValues": {
                    ":pk": {"S": f"queue {partition}"},
                    ":until": {"S": body["until"]},
                },
                "Limit": body["Limit"],
            }
        case "query":
            prefix = body.pop("prefix") if "prefix" in (body := dict(body)) else ""
            values = {":pk": {"S": partition}} | ({":prefix": {"S": prefix}} if prefix else {})
            expression = "PK = :pk" + (" AND begins_with(SK, :prefix)" if prefix else "")
            return name, body | {
                "TableName": table,
                "KeyConditionExpression": expression,
                "ExpressionAttributeValues": values,
                "ConsistentRead": True,
            }
        case "scan":
            return name, {
                "TableName": table,
                "FilterExpression": "#PK IN (:one, :other)",
                "ExpressionAttributeNames": {"#PK": "PK"},
                "ExpressionAttributeValues": {":one": {"S": partition}, ":other": {"S": "nobody"}},
            }
    return name, whole(body)


def answer(client: Any, call: Call) -> object:
    """What a client answers, in a form that two clients can be compared by."""
    name, request = call
    try:
        answered = getattr(client, name)(**request)
    except ClientError as error:
        response: Any = error.response
        reasons = [(r["Code"], r.get("Item")) for r in response.get("CancellationReasons", ())]
        if ("ValidationError", None) in reasons:  # DynamoDB Local refuses the whole request instead
            return "ValidationException", [], None
        return response["Error"]["Code"], reasons, response.get("Item")
    found = {part: answered.get(part) for part in ("Item", "Items", "Count", "LastEvaluatedKey", "Responses")}
    if name == "scan":
        return sorted(map(json.dumps, (dict(sorted(item.items())) for item in answered["Items"])))
    if name == "batch_get_item":
        (items,) = answered["Responses"].values()
        return sorted(json.dumps(dict(sorted(item.items()))) for item in items)
    if name == "query" and "IndexName" in request:  # entries with equal sort keys stand in any order
        return [item["GSI1SK"] for item in answered["Items"]], "LastEvaluatedKey" in answered
    return found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(made=st.lists(calls(), min_size=1, max_size=12))
def test_generated_calls_are_answered_alike(shared: Store, made: list[Call]) -> None:
    memory = MemoryTable(shared.table)
    partition = f"example {next(EXAMPLES)}"
    for call in made:
        one = completed(shared.table, partition, call)
        assert answer(memory, one) == answer(shared.client, one), one
    everything = completed(shared.table, partition, ("query", {"prefix": ""}))
    assert answer(memory, everything) == answer(shared.client, everything)


@pytest.fixture(scope="module")
def shared(dynamodb_client: "DynamoDBClient") -> Store:
    """One table for all generated examples: each has a partition of its own."""
    return Store(dynamodb_client, create_table(dynamodb_client, "memory-contract", stream=False))


# ---- our own writes

POSITION = Position("A", "wh")
ROW: Item = {"t": "row", "v": 3, "note": [1, True, b"\x00\xff", {"deep": "x"}]}
OUR_WRITES: list[list[Write]] = [
    [limit("A", "pool", 2)],
    [limit("A", "pool", None)],
    [wait(DemandChange("A", "pool", 2, 1, 2))],
    [wait(DemandChange("A", "pool", 1))],
    [move("A", "wh", Delta(on_hand=5), WHY)],
    [move("A", "wh", Delta(allocated=2, safety=1), WHY)],
    [move("A", "wh", Delta(on_hand=-1, allocated=-1), WHY, seen=POSITION)],
    [move("A", "wh", Delta(on_hand=2, blocked={Block.RETURNS: 2}), WHY)],
    [move("A", "wh", Delta(blocked={Block.RETURNS: -1}), WHY)],
    [count(POSITION, 4, NOW, WHY)],
    [count(Position("A", "wh", on_hand=5, v=1), 7, NOW, WHY)],
    [put(Key("SKU#A", "META"), ROW)],
    [heat("A", NOW)],
    [create(Key("O#1", "O"), ROW)],
    [replace(Key("O#1", "O"), ROW | {"v": 4}, 3)],
    [create(Key("O#2", "O"), ROW), move("A", "wh", Delta(allocated=1), WHY)],
    [create(Key("O#1", "O"), ROW), move("A", "wh", Delta(allocated=99), WHY), put(Key("O#3", "B"), ROW)],
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.integers(0, len(OUR_WRITES) - 1), max_size=12))
def test_our_own_writes_leave_the_same_items(shared: Store, order: list[int]) -> None:
    example = next(EXAMPLES)
    memory: Any = MemoryTable(shared.table)
    stores = [Table(client, shared.table) for client in (memory, shared.client)]
    for number in order:
        writes = [_moved(write, example) for write in OUR_WRITES[number]]
        refusals = []
        for store in stores:
            try:
                store.commit(*writes)
            except Cancelled as cancelled:
                refusals.append([(reason.write.key, reason.item) for reason in cancelled.reasons])
            else:
                refusals.append([])
        assert refusals[0] == refusals[1]
    for pk in {write.key.pk for writes in OUR_WRITES for write in writes}:
        kept = [store.query(f"{pk} {example}", consistent=True) for store in stores]
        assert kept[0] == kept[1]


def _moved(write: Write, example: int) -> Write:
    """A write in a partition of the example's own."""
    key = Key(f"{write.key.pk} {example}", write.key.sk)
    return Write(write.action, key, write.item, write.update, write.condition, write.values)


# ---- the stream


def test_the_stream_has_the_same_images(dynamodb_client: "DynamoDBClient") -> None:
    name = create_table(dynamodb_client, "memory-stream")
    seen: list[Change] = []
    memory = MemoryTable(name, on_change=seen.append)
    for client in (memory, dynamodb_client):
        store = Table(client, name)  # type: ignore[arg-type]  # the memory table is a look-alike
        store.commit(put(Key("O#1", "O"), ROW))
        store.commit(move("A", "wh", Delta(on_hand=5), WHY))
        store.commit(create(Key("O#2", "O"), ROW), move("A", "wh", Delta(allocated=1), WHY))
        client.delete_item(TableName=name, Key={"PK": {"S": "O#1"}, "SK": {"S": "O"}})
    expected = {(change.key, _text(change.old), _text(change.new)) for change in seen}
    assert len(expected) == 5
    assert {
        (_key(record["Keys"]), _text(record.get("OldImage")), _text(record.get("NewImage")))
        for record in _records(dynamodb_client, name)
    } == expected


def _records(client: "DynamoDBClient", name: str) -> list[Any]:
    arn = client.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    streams = boto3.client(
        "dynamodbstreams",
        endpoint_url=client.meta.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - DynamoDB Local takes any
    )
    records = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        records += streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    return [record["dynamodb"] for record in records]


def _key(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["PK"]["S"], key["SK"]["S"]


def _text(image: Mapping[str, Any] | None) -> str:
    return json.dumps(image, sort_keys=True, default=lambda data: data.hex())


def test_a_write_that_changes_nothing_leaves_no_record() -> None:
    seen: list[Change] = []
    memory = MemoryTable("orders", on_change=seen.append)
    for _ in range(2):
        memory.put_item(TableName="orders", Item={"PK": {"S": "A"}, "SK": {"S": "B"}})
    assert len(seen) == 1


# ---- what AWS refuses and DynamoDB Local lets through


def refusal(memory: MemoryTable, name: str, **request: Any) -> str:
    with pytest.raises(ClientError) as refused:
        getattr(memory, name)(**request)
    return refused.value.response["Error"]["Code"]


KEY_OF_A: Any = {"PK": {"S": "A"}, "SK": {"S": "B"}}


def test_two_actions_on_one_item_are_no_transaction() -> None:
    action = {"Put": {"TableName": "orders", "Item": KEY_OF_A}}
    code = refusal(MemoryTable("orders"), "transact_write_items", TransactItems=[action, action])
    assert code == "ValidationException"


@pytest.mark.parametrize("value", [{"N": "1"}, {"S": ""}])
def test_a_key_of_an_index_is_text(value: dict[str, str]) -> None:
    item = KEY_OF_A | {"GSI1PK": value}
    assert refusal(MemoryTable("orders"), "put_item", TableName="orders", Item=item) == "ValidationException"


def test_an_item_has_no_more_than_400_kb() -> None:
    item = KEY_OF_A | {"s": {"S": "x" * 400 * 1024}}
    assert refusal(MemoryTable("orders"), "put_item", TableName="orders", Item=item) == "ValidationException"


@pytest.mark.parametrize(
    "request_",
    [
        {"UpdateExpression": "SET #a = :v", "ExpressionAttributeNames": {"#a": "a"}},
        {"UpdateExpression": "SET a = :v, a = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}},
        {"UpdateExpression": "SET PK = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}},
        {"UpdateExpression": "SET a == :v", "ExpressionAttributeValues": {":v": {"S": "x"}}},
        {
            "UpdateExpression": "SET a = :v",
            "ExpressionAttributeValues": {":v": {"S": "x"}, ":w": {"S": "unused"}},
        },
    ],
)
def test_a_wrong_expression_is_refused_by_both(shared: Store, request_: dict[str, Any]) -> None:
    memory = MemoryTable(shared.table)
    call = ("update_item", {"TableName": shared.table, "Key": KEY_OF_A, **request_})
    assert answer(memory, call) == answer(shared.client, call) == ("ValidationException", [], None)


def test_what_it_does_not_know_it_refuses() -> None:
    with pytest.raises(NotImplementedError):
        MemoryTable("orders").get_item(TableName="orders", Key=KEY_OF_A, ProjectionExpression="a")


# ---- reads that may be late


def test_only_an_eventually_consistent_read_sees_the_image_before() -> None:
    late = MemoryTable("orders", stale=lambda earlier: 0)
    for text in ("first", "second"):
        image = {"text": {"S": text}, "GSI1PK": {"S": text}, "GSI1SK": {"S": "1"}}
        late.put_item(TableName="orders", Item=KEY_OF_A | image)
    read = {"TableName": "orders", "Key": KEY_OF_A}
    assert late.get_item(**read)["Item"]["text"] == {"S": "first"}
    assert late.get_item(**read, ConsistentRead=True)["Item"]["text"] == {"S": "second"}
    assert [len(_in_queue(late, name)) for name in ("first", "second")] == [1, 0]


def _in_queue(memory: MemoryTable, name: str) -> list[Any]:
    found: list[Any] = memory.query(
        TableName="orders",
        IndexName="GSI1",
        KeyConditionExpression="GSI1PK = :pk",
        ExpressionAttributeValues={":pk": {"S": name}},
    )["Items"]
    return found


def test_pages_of_a_query_follow_each_other() -> None:
    memory = MemoryTable("orders")
    for number in range(7):
        memory.put_item(
            TableName="orders",
            Item={"PK": {"S": "A"}, "SK": {"S": str(number)}, "s": {"S": "x" * 300 * 1024}},
        )
    store = Table(memory, "orders")  # type: ignore[arg-type]  # the memory table is a look-alike
    assert [item["SK"] for item in store.query("A")] == [str(number) for number in range(7)]
