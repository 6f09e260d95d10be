"""Reading all that the ledger is proved from, and mending what it shows: for operators' tools alone."""

from collections.abc import Callable, Iterator
from typing import Any, cast

from oms.inventory.ledger import Account, Book, Finding
from oms.store import keys
from oms.store.attributes import Item, Value, decode, encode
from oms.store.keys import Key
from oms.store.table import Table
from oms.store.writes import Why, Write

_KEYS: dict[Book, Callable[[str, str], Key]] = {Book.POSITION: keys.position, Book.DEMAND: keys.demand}


def account_key(account: Account) -> Key:
    """The item that keeps an account."""
    return _KEYS[account.book](account.sku, account.place)


def scan(
    table: Table, segment: int, segments: int, *types: str, on_page: Callable[[int], None]
) -> Iterator[Item]:
    """Items of some types in one of several parallel segments of the whole table, read consistently.

    Args:
        table: the store.
        segment: which, from 0.
        segments: how many there are.
        types: values of `t`.
        on_page: told how many items DynamoDB has looked at, page by page.
    """
    request: dict[str, Any] = {
        "TableName": table.name,
        "Segment": segment,
        "TotalSegments": segments,
        "ConsistentRead": True,
        "FilterExpression": f"#t IN ({', '.join(f':{name}' for name in types)})",
        "ExpressionAttributeNames": {"#t": "t"},
        "ExpressionAttributeValues": encode({f":{name}": name for name in types}),
    }
    while True:
        answer = table.client.scan(**request)
        on_page(answer["ScannedCount"])
        yield from (decode(item) for item in answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def mend(finding: Finding, why: Why) -> Write:
    """Set counters to what they have to be, if they are still in the state that they were found in."""
    account = finding.account
    values = cast(dict[str, Value], dict(finding.right)) | {"sv": 1, "t": "demand"}
    adds, condition = "", "#waiting = :seen"
    if account.book is Book.POSITION:
        values |= {"t": "position", "GSI2PK": keys.location_stock(account.place), "GSI2SK": account.sku}
        values["why"] = why.stored()
        adds, condition = "ADD #v :one ", "#v = :seen"
    if not finding.seen:
        condition = "attribute_not_exists(#PK)" if adds else f"attribute_not_exists(#PK) OR {condition}"
    sets = ", ".join(f"#{name} = :{name}" for name in values)
    if adds:
        values["one"] = 1
    if ":seen" in condition:
        values["seen"] = finding.seen
    return Write(
        "Update", account_key(account), update=f"{adds}SET {sets}", condition=condition, values=values
    )
