"""CPU of the things that are done for every order, with AWS answering at once."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from functions.api import handler as api
from functions.webhooks import handler as webhooks
from infra.lab.memory_table import MemoryTable
from infra.local.stack import ROOT
from oms.events.publish import Bus, Queue
from oms.orders.identity import order_id
from oms.runtime import clients
from oms.store import process
from oms.store.table import Table
from oms.usecases.place_order import place_order
from oms.usecases.relay_changes import Outlets, relay_changes
from tests.builders import NOW, command, line, network
from tests.outlets import Receiver
from tests.shelves import fill
from tests.stories import lives
from tests.stream import records

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROUNDS = 15
LINES = 3
ORDER = command(*(line(f"SKU-{number}", 2, number=number) for number in range(LINES)))

ENVIRONMENT = {
    "TABLE_NAME": "orders",
    "KEYS_SECRET": "keys",
    "CONNECTORS": "wms",
    "CHANNEL_SECRET_PREFIX": "channels/",
    "INBOUND_QUEUE_URL": "https://queue",
    "INBOUND_MAX_BYTES": "1000000",
}

type Job = Callable[[], object]
type Row = dict[str, str | int | float]


class Aws(Receiver):
    """The other services, answering at once."""

    def send_message(self, **request: object) -> dict[str, str]:
        """Take a message."""
        return {"MessageId": "1"}

    def get_secret_value(self, **request: object) -> dict[str, str]:
        """The secret that the samples are signed with."""
        return {"SecretString": json.dumps({"kind": "shopify", "secrets": ["sample-client-secret"]})}


class Canned:
    """A store that answers each query as it was answered once, and takes every write."""

    def __init__(self, store: "DynamoDBClient") -> None:
        self._store = store
        self._answers: dict[str, Any] = {}

    def query(self, **request: Any) -> Any:
        """What the partition held when it was first asked for."""
        pk = request["ExpressionAttributeValues"][":pk"]["S"]
        if pk not in self._answers:
            self._answers[pk] = self._store.query(**request)
        return self._answers[pk]

    def transact_write_items(self, **request: Any) -> Any:
        """Nothing that anybody would see."""
        return {}

    def behind_botocore(self) -> "DynamoDBClient":
        """A client of botocore whose requests come here instead of going to the network."""
        client = boto3.client(
            "dynamodb",
            region_name="eu-west-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",  # noqa: S106 - nobody is asked
            config=Config(parameter_validation=False),
        )

        def answer(request: Any, event_name: str, **kwargs: object) -> Any:
            asked = json.loads(request.body)
            given = self.query(**asked) if event_name.endswith("Query") else {}
            return AWSResponse(request.url, 200, HTTPHeaders(), Content(json.dumps(given).encode()))

        client.meta.events.register("before-send.dynamodb", answer)
        return client


class Content:
    """The body of a response, as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **kwargs: object) -> Iterator[bytes]:
        """All of it."""
        yield self._content


def measure() -> Iterator[Row]:
    """Microseconds of CPU for each thing done, the least of several rounds.

    `place_order` is our own CPU with a store that costs nothing, `place_order_through_botocore` includes what
    botocore does up to the socket; `own_share` is the first in the second.
    """
    figures: dict[str, float] = {}
    with _environment():
        jobs = list(_jobs())
        for _ in range(ROUNDS):  # the jobs take turns: what else the machine does falls on all alike
            for name, times, job in jobs:
                figures[name] = min(_microseconds(job, times), figures.get(name, float("inf")))
    for name, microseconds in figures.items():
        yield {"job": name, "cpu_us": round(microseconds)}
    share = figures["place_order"] / figures["place_order_through_botocore"]
    yield {"job": "place_order", "own_share": round(share, 2)}


def _microseconds(job: Job, times: int) -> float:
    job()
    begin = time.process_time()
    for _ in range(times):
        job()
    return (time.process_time() - begin) / times * 1e6


@contextmanager
def _environment() -> Iterator[None]:
    """The functions' settings, and `Aws` for every client; log lines go nowhere."""
    aws = Aws()
    process.reset()
    with (
        patch.dict(os.environ, ENVIRONMENT),
        patch.object(clients, "sqs", lambda: aws),
        patch.object(clients, "secrets", lambda: aws),
        patch.object(clients, "dynamodb", _stocked),
        redirect_stdout(StringIO()),
    ):
        place_order(process.table(), network(), ORDER, NOW)
        yield
    process.reset()


def _stocked() -> "DynamoDBClient":
    """A table with what the order asks for."""
    client = cast("DynamoDBClient", MemoryTable("orders"))
    for wanted in ORDER.lines:
        fill(Table(client, "orders"), str(wanted.sku), wh_madrid=9, wh_lyon=9)
    return client


def _jobs() -> Iterator[tuple[str, int, Job]]:
    """What is measured, with how often in a round."""
    received = json.loads((ROOT / "events" / "webhooks.json").read_text())
    yield "verify_and_enqueue", 100, lambda: webhooks.handler(received, None)

    canned = Canned(_stocked())
    clients_of_store: dict[str, Any] = {
        "place_order": canned,
        "place_order_through_botocore": canned.behind_botocore(),
    }
    for name, client in clients_of_store.items():
        yield name, 100, partial(place_order, Table(client, "orders"), network(), ORDER, NOW)

    changes = [change for story in lives() for change in story.changes]
    batch = (records(changes) * 100)[:100]
    aws = Aws()
    outlets = Outlets(Bus(aws.bus, "bus"), Queue(aws.queue, "sourcing"), {"wms": Queue(aws.queue, "wms")})
    yield "stream_batch_of_100", 3, lambda: relay_changes(batch, outlets)

    asked = json.loads((ROOT / "events" / "api_get_order.json").read_text())
    name = order_id(ORDER.channel, ORDER.channel_order_id)
    asked["pathParameters"] = {"proxy": f"orders/{name}"}
    yield "api_read", 100, lambda: api.handler(asked, None)
