"""The single table, with the network of `tests.builders`, and the environment of a function.

The table is in memory (`tests.memory`), on moto for tests that are marked so; the rest of AWS is moto's.
"""

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
from tests.memory import MemoryClient
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
    "CHANNEL_SECRET_PREFIX": "oms/channels/",
    "PUBLISH_QUEUE_URL": "https://sqs/publish",
    "ATS_QUEUE_URL": "https://sqs/ats.fifo",
    "REACH": "public",
}


@pytest.fixture(scope="session")
def moto_client() -> "DynamoDBClient":
    """One client for all tests: making one takes longer than most of them."""
    return boto3.client(
        "dynamodb", region_name="eu-south-2", aws_access_key_id="test", aws_secret_access_key="test"
    )


@pytest.fixture
def client(request: pytest.FixtureRequest) -> "DynamoDBClient":
    """A client of the store that the test is for."""
    if request.node.get_closest_marker("moto"):
        on_moto: DynamoDBClient = request.getfixturevalue("moto_client")
        return on_moto
    return MemoryClient().client


@pytest.fixture
def table(client: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    """An empty table but for the configured network; functions find it through their environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in _ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    clients.reset()
    process.reset()
    monkeypatch.setattr(clients, "dynamodb", lambda: client)
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
