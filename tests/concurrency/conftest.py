"""A fresh table in AWS's DynamoDB Local for every test that asks for `dynamodb`."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.dynamodb_local import DynamoDBLocalError, connect, running
from tests.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Store:
    """An empty table and a client for it."""

    client: "DynamoDBClient"
    table: str


@pytest.fixture(scope="session")
def dynamodb_client() -> "Iterator[DynamoDBClient]":
    """A client of a DynamoDB Local that runs as long as the tests do."""
    try:
        with running() as endpoint:
            yield connect(endpoint)
    except DynamoDBLocalError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def dynamodb(dynamodb_client: "DynamoDBClient") -> Iterator[Store]:
    """A fresh table without a stream, gone after the test."""
    table = create_table(dynamodb_client, f"orders-{next(_numbers)}", stream=False)
    yield Store(dynamodb_client, table)
    dynamodb_client.delete_table(TableName=table)
