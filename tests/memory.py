"""The table in memory as a client of DynamoDB: for tests that make very many calls, one after the other.

It is held to AWS's DynamoDB Local by `tests/concurrency/test_memory_table.py`, and many times quicker than
moto, which copies its tables for every transaction.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import boto3

from infra.lab.memory_table import MemoryTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class MemoryClient:
    """Tables by name, each in memory."""

    def __init__(self) -> None:
        self._tables: dict[str, MemoryTable] = {}
        self._described: dict[str, dict[str, Any]] = {}

    @cached_property
    def exceptions(self) -> Any:
        """The exceptions that a client of DynamoDB raises."""
        return boto3.client("dynamodb", region_name="eu-west-1").exceptions

    @property
    def client(self) -> "DynamoDBClient":
        """This as a client."""
        return cast("DynamoDBClient", self)

    def create_table(self, **request: Any) -> dict[str, Any]:
        """Make an empty table; its keys are those of the template's."""
        self._tables[request["TableName"]] = MemoryTable(request["TableName"])
        self._described[request["TableName"]] = request
        return {"TableDescription": request}

    def delete_table(self, **request: Any) -> dict[str, Any]:
        """Forget a table."""
        del self._tables[request["TableName"]]
        return {"TableDescription": self._described.pop(request["TableName"])}

    def describe_table(self, **request: Any) -> dict[str, Any]:
        """A table as it was made."""
        return {"Table": self._described[request["TableName"]]}

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation.startswith("_"):
            raise AttributeError(operation)
        return lambda **request: getattr(self._tables[_table_of(request)], operation)(**request)


def _table_of(request: dict[str, Any]) -> str:
    """The table that a request is about; each is about one."""
    if "TransactItems" in request:
        ((body, *_), *_) = (list(action.values()) for action in request["TransactItems"])
        return str(body["TableName"])
    return str(request["TableName"] if "TableName" in request else next(iter(request["RequestItems"])))
