"""The single table on moto, with the network of `tests.builders`, and the environment of a function."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from oms.runtime import clients
from oms.store import keys, process
from oms.store.configuration import document_of, encode_document
from oms.store.table import Table
from oms.store.writes import put
from tests.builders import network
from tests.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NAME = "orders"
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-south-2",
    "TABLE_NAME": NAME,
    "KEYS_SECRET": "keys",
    "CONNECTORS": "wms",
    "PUBLISH_QUEUE_URL": "https://sqs/publish",
    "REACH": "public",
}


@pytest.fixture(scope="session")
def client() -> "DynamoDBClient":
    """One client for all tests: making one takes longer than most of them."""
    return boto3.client(
        "dynamodb", region_name="eu-south-2", aws_access_key_id="test", aws_secret_access_key="test"
    )


@pytest.fixture
def table(client: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    """An empty table but for the configured network; functions find it through their environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in _ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    clients.reset()
    process.reset()
    with mock_aws():
        create_table(client, NAME, stream=False)
        made = Table(client, NAME, pause=lambda seconds: None)
        configure(made)
        yield made
    clients.reset()
    process.reset()


def configure(table: Table) -> None:
    """Store the snapshots of the tests' network."""
    configured = network()
    for kind, things in (
        ("channel", configured.channels),
        ("pool", configured.pools),
        ("location", configured.locations),
    ):
        documents = {name: document_of(thing) for name, thing in things.items()}
        table.commit(put(keys.snapshot(kind), encode_document(documents, 1)))
