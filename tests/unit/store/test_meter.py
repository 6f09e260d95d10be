"""The write-unit meter against figures worked out by hand from DynamoDB's rules."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from oms.store.meter import Meter, item_size, read_units, write_units
from tests.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "orders"


@pytest.fixture(scope="module")
def moto() -> "Iterator[DynamoDBClient]":
    with mock_aws():
        yield boto3.client("dynamodb", region_name="eu-west-1")


@pytest.fixture
def store(moto: "DynamoDBClient") -> "Iterator[DynamoDBClient]":
    create_table(moto, TABLE)
    yield moto
    moto.delete_table(TableName=TABLE)


@pytest.fixture
def meter(store: "DynamoDBClient") -> Meter:
    return Meter(store)


def key(name: str) -> dict[str, Any]:
    return {"PK": {"S": name}, "SK": {"S": "s"}}


def item(name: str, size: int = 0, **attributes: str) -> dict[str, Any]:
    """An item of type "thing" with string attributes, padded to `size` bytes."""
    bare = {**key(name), "t": {"S": "thing"}, "p": {"S": ""}, **{k: {"S": v} for k, v in attributes.items()}}
    return bare | {"p": {"S": "x" * max(0, size - item_size(bare))}}


def put(name: str, size: int = 0, **attributes: str) -> Any:
    return {"Put": {"TableName": TABLE, "Item": item(name, size, **attributes)}}


def put_new(name: str, size: int = 0) -> Any:
    return {"Put": put(name, size)["Put"] | {"ConditionExpression": "attribute_not_exists(PK)"}}


def update(name: str, expression: str, **values: Any) -> Any:
    values = {f":{placeholder}": value for placeholder, value in values.items()}
    return {
        "Update": {
            "TableName": TABLE,
            "Key": key(name),
            "UpdateExpression": expression,
            **({"ExpressionAttributeValues": values} if values else {}),
        }
    }


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "ñandú"}, 7),
        ({"B": b"\x00\xff"}, 2),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"N": "0"}, 1),
        ({"N": "27"}, 2),
        ({"N": "-27"}, 3),
        ({"N": "461"}, 3),
        ({"N": "1000000"}, 2),
        ({"N": "1.5"}, 3),
        ({"N": "0.0000001"}, 2),
        ({"N": "1E125"}, 2),
        ({"N": "-12345678901234567890123456789012345678"}, 21),
        ({"L": []}, 3),
        ({"L": [{"N": "1"}, {"S": "ab"}]}, 3 + (1 + 2) + (1 + 2)),
        ({"M": {}}, 3),
        ({"M": {"né": {"S": "x"}}}, 3 + (1 + 3 + 1)),
        ({"SS": ["a", "bcd"]}, 4),
        ({"NS": ["1", "-123"]}, 6),
        ({"BS": [b"a", b"bc"]}, 3),
    ],
)
def test_an_attribute_has_the_size_of_its_name_and_value(value: dict[str, Any], size: int) -> None:
    assert item_size({"äa": value}) == 3 + size


def test_an_unknown_attribute_type_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown attribute type X"):
        item_size({"a": {"X": "1"}})


@pytest.mark.parametrize(
    ("size", "writes", "reads"), [(1024, 1, 1), (1025, 2, 1), (4096, 4, 1), (4097, 5, 2)]
)
def test_units_are_started_kilobytes(size: int, writes: int, reads: int) -> None:
    assert write_units(item("a", size)) == writes
    assert read_units(size) == reads


def test_a_call_that_cannot_be_metered_is_refused(meter: Meter) -> None:
    with pytest.raises(AttributeError, match="get_paginator would go unmetered"):
        meter.client().get_paginator("query")
    with pytest.raises(AttributeError, match="execute_statement would go unmetered"):
        meter.client().execute_statement(Statement="SELECT * FROM orders")


def test_an_index_that_projects_more_than_its_keys_is_refused(store: "DynamoDBClient") -> None:
    store.update_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "t", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "everything",
                    "KeySchema": [{"AttributeName": "t", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )
    with pytest.raises(ValueError, match="projects more than its keys"):
        Meter(store).client().put_item(TableName=TABLE, Item=item("a"))


def test_a_false_condition_is_charged_by_the_larger_of_stored_and_offered(meter: Meter) -> None:
    client = meter.client()
    client.put_item(TableName=TABLE, Item=item("a", 1500))
    before = meter.bill
    for size in (100, 2500):
        with pytest.raises(ClientError):
            client.put_item(**put_new("a", size)["Put"])
    with pytest.raises(ClientError):
        client.delete_item(TableName=TABLE, Key=key("none"), ConditionExpression="attribute_exists(PK)")
    assert (meter.bill - before).by("part", "type", "failed") == {"table  True": 1, "table thing True": 2 + 3}


def test_every_write_of_a_cancelled_transaction_is_charged_double_but_no_index(meter: Meter) -> None:
    client = meter.client()
    client.put_item(TableName=TABLE, Item=item("a"))
    before = meter.bill
    with pytest.raises(ClientError):
        client.transact_write_items(TransactItems=[put("b", 1500, GSI1PK="p", GSI1SK="s"), put_new("a")])
    assert (meter.bill - before).rows() == [
        {"operation": "", "part": "table", "type": "thing", "failed": True, "units": 2 * 2 + 2}
    ]


def test_a_refused_call_is_free(meter: Meter) -> None:
    with pytest.raises(ClientError):
        meter.client().update_item(TableName=TABLE, Key=key("a"), UpdateExpression="nonsense")
    assert not meter.bill.lines


@pytest.mark.parametrize(
    ("stored", "written", "units"),
    [(None, 10, 1), (None, 1025, 2), (3000, 10, 3), (10, 3000, 3)],
)
def test_a_write_is_charged_by_the_larger_of_old_and_new(
    meter: Meter, store: "DynamoDBClient", stored: int | None, written: int, units: int
) -> None:
    if stored is not None:
        store.put_item(TableName=TABLE, Item=item("a", stored))
    meter.client().put_item(TableName=TABLE, Item=item("a", written))
    assert meter.bill.writes == units

    before = meter.bill
    meter.client().update_item(**update("a", "SET p = :p", p={"S": "x" * 4000})["Update"])
    assert (meter.bill - before).writes == write_units(item("a", 4000 + item_size(item("a"))))

    before = meter.bill
    meter.client().delete_item(TableName=TABLE, Key=key("a"))
    assert (meter.bill - before).writes == 4


def test_an_update_that_changes_nothing_is_charged(meter: Meter, store: "DynamoDBClient") -> None:
    store.put_item(TableName=TABLE, Item=item("a", 1500, GSI1PK="p", GSI1SK="s"))
    meter.client().update_item(**update("a", "SET GSI1PK = :p", p={"S": "p"})["Update"])
    assert meter.bill.by("part") == {"table": 2}


@pytest.mark.parametrize(
    ("change", "index_units"),
    [
        ("SET q = :v", 0),
        ("SET GSI1PK = :v", 2),
        ("SET GSI1SK = :v", 2),
        ("REMOVE GSI1PK", 1),
        ("SET GSI2PK = :v", 0),
        ("SET GSI2PK = :v, GSI2SK = :v", 1),
        ("SET GSI2PK = :v, GSI2SK = :v REMOVE GSI1SK", 2),
    ],
)
@pytest.mark.parametrize("transactional", [False, True])
def test_an_index_is_charged_for_what_changes_in_it_and_never_double(
    meter: Meter, store: "DynamoDBClient", change: str, index_units: int, transactional: bool
) -> None:
    store.put_item(TableName=TABLE, Item=item("a", GSI1PK="p", GSI1SK="s"))
    action = update("a", change, **({"v": {"S": "new"}} if ":v" in change else {}))
    if transactional:
        meter.client().transact_write_items(TransactItems=[action])
    else:
        meter.client().update_item(**action["Update"])
    assert meter.bill.only(part="table").writes == (2 if transactional else 1)
    assert meter.bill.writes - meter.bill.only(part="table").writes == index_units


def test_a_large_index_entry_costs_by_its_own_size(meter: Meter) -> None:
    meter.client().put_item(TableName=TABLE, Item=item("a", 5000, GSI1PK="p" * 1000, GSI1SK="s" * 100))
    assert meter.bill.by("part") == {"GSI1": 2, "table": 5}


def test_a_transaction_doubles_table_units_and_charges_a_check_as_a_write(
    meter: Meter, store: "DynamoDBClient"
) -> None:
    store.put_item(TableName=TABLE, Item=item("old", 1500))
    store.put_item(TableName=TABLE, Item=item("seen", 2500))
    check: Any = {"TableName": TABLE, "Key": key("seen"), "ConditionExpression": "attribute_exists(PK)"}
    meter.client("place").transact_write_items(
        TransactItems=[
            put("new", 100, GSI1PK="p", GSI1SK="s", GSI2PK="p", GSI2SK="s"),
            {"Delete": {"TableName": TABLE, "Key": key("old")}},
            {"ConditionCheck": check},
        ]
    )
    assert meter.bill.by("operation", "part") == {
        "place GSI1": 1,
        "place GSI2": 1,
        "place table": 2 * (1 + 2 + 3),
    }


def test_a_batch_is_charged_item_by_item(meter: Meter, store: "DynamoDBClient") -> None:
    store.put_item(TableName=TABLE, Item=item("old", 1500, GSI1PK="p", GSI1SK="s"))
    meter.client().batch_write_item(
        RequestItems={
            TABLE: [{"PutRequest": {"Item": item("new", 10)}}, {"DeleteRequest": {"Key": key("old")}}]
        }
    )
    assert meter.bill.by("part") == {"GSI1": 1, "table": 1 + 2}


@pytest.mark.parametrize(("consistent", "rate"), [(False, 0.5), (True, 1)])
def test_reads_are_charged_by_whole_items_whatever_is_returned(
    meter: Meter, store: "DynamoDBClient", consistent: bool, rate: float
) -> None:
    store.put_item(TableName=TABLE, Item=item("a", 5000))
    client = meter.client()
    client.get_item(TableName=TABLE, Key=key("a"), ProjectionExpression="SK", ConsistentRead=consistent)
    client.get_item(TableName=TABLE, Key=key("none"), ConsistentRead=consistent)
    client.batch_get_item(
        RequestItems={TABLE: {"Keys": [key("a"), key("none")], "ConsistentRead": consistent}}
    )
    assert meter.bill.by("part", "type") == {"reads ": 2 * rate, "reads thing": 2 * 2 * rate}
    assert meter.bill.writes == 0


def test_a_transactional_read_is_charged_double(meter: Meter, store: "DynamoDBClient") -> None:
    store.put_item(TableName=TABLE, Item=item("a", 5000))
    meter.client().transact_get_items(
        TransactItems=[{"Get": {"TableName": TABLE, "Key": key(name)}} for name in ("a", "none")]
    )
    assert meter.bill.reads == 2 * 2 + 2


@pytest.mark.parametrize(
    "narrowing",
    [
        {},
        {"Select": "COUNT"},
        {"ProjectionExpression": "#t", "ExpressionAttributeNames": {"#t": "t"}},
        {"FilterExpression": "t = :t", "ExpressionAttributeValues": {":t": {"S": "nothing"}}},
    ],
)
def test_a_query_is_charged_by_the_sum_of_what_it_looked_at(
    meter: Meter, store: "DynamoDBClient", narrowing: dict[str, Any]
) -> None:
    for name in ("1", "2", "3"):
        store.put_item(TableName=TABLE, Item=item("a", 1500) | {"SK": {"S": name}})
    values = {":pk": {"S": "a"}} | narrowing.pop("ExpressionAttributeValues", {})
    meter.client().query(
        TableName=TABLE, KeyConditionExpression="PK = :pk", ExpressionAttributeValues=values, **narrowing
    )
    assert meter.bill.reads == 1  # 4,500 bytes, eventually consistent
    meter.client().query(
        TableName=TABLE,
        KeyConditionExpression="PK = :pk",
        ExpressionAttributeValues={":pk": {"S": "nobody"}},
        ConsistentRead=True,
    )
    assert meter.bill.reads == 1 + 1


def test_an_index_query_is_charged_by_the_entries(meter: Meter, store: "DynamoDBClient") -> None:
    store.put_item(TableName=TABLE, Item=item("a", 5000, GSI1PK="p", GSI1SK="s"))
    meter.client().query(
        TableName=TABLE,
        IndexName="GSI1",
        KeyConditionExpression="GSI1PK = :p",
        ExpressionAttributeValues={":p": {"S": "p"}},
    )
    assert meter.bill.reads == 0.5


def test_a_scan_is_charged_by_the_sum_of_what_it_looked_at(meter: Meter, store: "DynamoDBClient") -> None:
    for name in ("a", "b", "c"):
        store.put_item(TableName=TABLE, Item=item(name, 3000))
    meter.client().scan(TableName=TABLE, FilterExpression="attribute_exists(q)", ConsistentRead=True)
    assert meter.bill.reads == 3


def test_operations_are_counted_apart_and_bills_subtract(meter: Meter) -> None:
    meter.client("place").put_item(TableName=TABLE, Item=item("a"))
    before = meter.bill
    meter.client("ship").put_item(TableName=TABLE, Item=item("b", 1500))
    assert meter.bill.by("operation") == {"place": 1, "ship": 2}
    assert (meter.bill - before).by("operation", "type") == {"ship thing": 2}
    assert str(meter.bill - before).split() == ["ship", "table", "thing", "2"]
