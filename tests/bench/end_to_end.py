"""Orders through the whole local stack: how many a second, and how long each takes on its way.

MiniStack runs everything on the machine's own processors, itself included: that is what limits it, so the
figures compare one version with another on one machine. On AWS the same way is limited by none of it.
"""

import json
import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from infra.cli.seed import open_api
from infra.cli.target import Target, opened
from infra.demo.client import post_webhook
from infra.demo.retailer import ONLY_IN_STORES
from infra.local.ministack import MiniStack
from infra.local.stack import ROOT, Home
from infra.soak.course import open_channels
from infra.soak.sales import Sale, hot_article, sales
from infra.soak.workers import started
from oms.store import keys
from oms.store.orders import decode_order
from oms.store.tokens import Scope
from tests.local_stack import deployed, forget

COLD, WARM, TOGETHER = 5, 20, 200
CLIENTS = 8
OPENING = 1000
PATIENCE_S = 300

type Row = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Way:
    """What one order met, in seconds: the webhook's answer, then the time from it to the next two."""

    answered: float
    placed: float
    asked: float


def measure() -> Iterator[Row]:
    """Orders a second, and milliseconds from a webhook to its answer, and on to order and location."""
    home = Home(ROOT / ".local" / "bench")
    forget(home)
    with deployed(home), opened(home=home) as stack:
        open_channels(stack, open_api(stack, "bench", *Scope), OPENING)
        with Requests(stack) as requests:
            made = iter(_sales())
            chosen = [[next(made) for _ in range(many)] for many in (COLD, WARM, 2 * CLIENTS, TOGETHER)]
            yield _row("cold", *_one_by_one(stack, requests, chosen[0], MiniStack(home).process.pid()))
            yield _row("warm", *_one_by_one(stack, requests, chosen[1], None))
            _together(stack, requests, chosen[2])  # starts as many processes as there are clients
            yield _row(f"{CLIENTS} clients", *_together(stack, requests, chosen[3]))


class Requests:
    """Takes requests off the queue of a connector, and remembers when each order's first was sent."""

    def __init__(self, stack: Target) -> None:
        self._sqs = stack.sqs
        self._url = stack.outputs["RequestsWmsQueueUrl"]
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._take)
        self.sent_at: dict[str, float] = {}

    def __enter__(self) -> "Requests":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        self._thread.join()

    def wait_for(self, made: Sequence[Sale]) -> None:
        """Wait until every order has had a request."""
        deadline = time.monotonic() + PATIENCE_S
        while not all(sale.order_id in self.sent_at for sale in made):
            assert time.monotonic() < deadline, "orders are stuck"
            time.sleep(0.01)

    def _take(self) -> None:
        while not self._closing.is_set():
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            for message in answer.get("Messages", ()):
                name = json.loads(message["Body"])["fulfillment_order"].partition("-")[0]
                self.sent_at.setdefault(name, int(message["Attributes"]["SentTimestamp"]) / 1000)
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])


def _sales() -> Iterator[Sale]:
    """Orders of all channels that a location behind the queue can ship."""
    run = int(time.time())
    elsewhere = {ONLY_IN_STORES, hot_article(run).sku}
    return (sale for sale in sales(run, 10_000) if not elsewhere & sale.basket.units.keys())


def _one_by_one(
    stack: Target, requests: Requests, made: Sequence[Sale], kill_children_of: int | None
) -> tuple[list[Way], float]:
    """Send each when the one before is through; end all workers of a MiniStack before, if one is given."""
    ways, spent = [], 0.0
    for sale in made:
        if kill_children_of is not None:
            for worker in started(kill_children_of):
                os.kill(worker.pid, signal.SIGKILL)
        begin = time.time()
        answered_at = _send(stack, sale)
        requests.wait_for([sale])
        spent += time.time() - begin
        ways.append(_way(stack, requests, sale, begin, answered_at))
    return ways, spent


def _together(stack: Target, requests: Requests, made: Sequence[Sale]) -> tuple[list[Way], float]:
    """Send all from several clients at once."""
    times: dict[str, tuple[float, float]] = {}

    def send(sale: Sale) -> None:
        begin = time.time()
        times[sale.order_id] = begin, _send(stack, sale)

    first = time.time()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(send, made))
    requests.wait_for(made)
    last = max(requests.sent_at[sale.order_id] for sale in made)
    return [_way(stack, requests, sale, *times[sale.order_id]) for sale in made], last - first


def _send(stack: Target, sale: Sale) -> float:
    body, headers = sale.placed()
    status = post_webhook(stack.api_url, sale.channel, body, dict(headers))
    assert status == 200, f"the webhook was answered {status}"
    return time.time()


def _way(stack: Target, requests: Requests, sale: Sale, begin: float, answered_at: float) -> Way:
    """The times of an order; its own journal says when it was placed, the queue when it was asked for."""
    item = stack.table.get(keys.header(sale.order_id))
    assert item is not None
    placed_at = decode_order(item).journal[0].at.timestamp()
    # Intake may be quicker than the answer on its way back.
    return Way(
        answered_at - begin,
        max(0.0, placed_at - answered_at),
        max(0.0, requests.sent_at[sale.order_id] - answered_at),
    )


def _row(way: str, ways: Sequence[Way], seconds: float) -> Row:
    row: Row = {"way": way, "orders": len(ways), "orders_per_s": round(len(ways) / seconds, 2)}
    for name in ("answered", "placed", "asked"):
        taken = sorted(getattr(one, name) for one in ways)
        for part in (50, 95):
            row[f"{name}_ms_p{part}"] = round(taken[math.ceil(len(taken) * part / 100) - 1] * 1000)
    return row
