"""The course of a soak: sell while workers are killed, send back, redrive; wait for quiet in between."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.cli.seed import connect_channel, open_api
from infra.cli.target import Target
from infra.demo.client import Api, post_webhook, send
from infra.demo.retailer import POOL
from infra.demo.seeding import in_parallel, seed
from infra.demo.story import Progress, return_messages
from infra.demo.warehouse import Warehouse
from infra.soak.proof import Books, read_books, unsettled
from infra.soak.sales import KINDS, SECRETS, Fate, Sale, demand, hot_article, hot_limits, sales
from infra.soak.workers import Every, Reaper, Scales
from oms.channels.envelope import seal
from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.store.tokens import Scope
from oms.store.writes import heat

_PAUSE_S = 1.0
_ON_THEIR_WAY = ("Inbound", "HotLane", "Sourcing", "FulfillmentEvents", "ReturnEvents", "RequestsWms")
"""Queues of what becomes of orders. What outsiders are told may be tried for a day, where none answers."""

_QUIET_LOOKS = 3
"""Looks at empty queues in a row after which nothing is on its way."""

_PATIENCE_S = 180
"""How long nothing may change before orders count as stuck: longer than a queue hides a message."""

_WAITING_ROOM = 150
"""Deliveries on the queue above which channels are made to wait, so that the load is the same to the end."""

_WEIGH_EVERY_S = 2.0
_HOT_FOR = timedelta(hours=6)
_RETURNED_TO = "st-chiado"


@dataclass(frozen=True, slots=True)
class Load:
    """How hard a soak is.

    Attributes:
        orders: how many.
        clients: connections of channels.
        kill_every: orders between two killed workers; not seconds, or a slow machine only starts workers.
        hidden_s: how long queues hide a message whose worker was killed.
        hold_s: how long warehouses keep work that they have accepted, so that some can still be cancelled.
    """

    orders: int
    clients: int
    kill_every: int
    hidden_s: int
    hold_s: float = 3


@dataclass(slots=True)
class Course:
    """What a soak has come to."""

    before: Books
    after: Books
    made: Sequence[Sale]
    webhooks: Counter[int] = field(default_factory=Counter)
    """How they were answered at last, by status."""

    cancellations: Counter[int] = field(default_factory=Counter)
    """How agents' requests to cancel were answered."""

    returned: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    redriven: Counter[str] = field(default_factory=Counter)
    """Messages by dead-letter queue."""

    selling_s: float = 0
    settling_s: float = 0
    """Time from the first webhook until every order was placed and delivered, or was waiting."""

    failures: list[str] = field(default_factory=list)


def open_channels(stack: Target, api: Api, opening: int) -> int:
    """Configure the demo's retailer with all channels of a soak.

    Args:
        stack: where.
        api: of it, under all scopes.
        opening: free units that a position is filled up to when it has fewer than half of that.

    Returns:
        How many positions had to be filled up.
    """
    for channel, kind in KINDS.items():
        connect_channel(stack, channel, kind, SECRETS[channel])
    filled = seed(api, opening)["positions_filled"]
    for channel, kind in KINDS.items():
        api.put(f"/configuration/channel/{channel}", {"kind": kind, "pool": POOL})
    return filled


class Soak:
    """A soak of the local stack.

    Args:
        stack: the local one.
        load: how hard it is.
        run: a number that no other run has had (seconds since 1970).
        reaper: kills workers.
        scales: weigh workers.
        progress: where to say what happens.
    """

    def __init__(
        self, stack: Target, load: Load, run: int, reaper: Reaper, scales: Scales, progress: Progress
    ) -> None:
        self._stack = stack
        self._load = load
        self._run = run
        self._reaper = reaper
        self._scales = scales
        self._progress = progress
        self._api = open_api(stack, "soak", *Scope)
        self._queues = [url for name, url in stack.outputs.items() if name.endswith("QueueUrl")]
        self._room = threading.Event()

    def play(self) -> Course:
        """Run it once, on whatever is there already."""
        made = sales(self._run, self._load.orders)
        self._prepare(made)
        nothing = read_books(self._stack.table)
        course = Course(nothing, nothing, made)
        warehouse = Warehouse(
            self._stack.sqs,
            self._stack.outputs["RequestsWmsQueueUrl"],
            self._stack.outputs["FulfillmentEventsQueueUrl"],
            open_api(self._stack, "soak-store", Scope.FULFILLMENT_READ, Scope.FULFILLMENT_WRITE),
            self._load.hold_s,
        )
        with self._hiding_briefly(), warehouse, Every(_WEIGH_EVERY_S, self._scales.weigh):
            begin = time.monotonic()
            with Every(_PAUSE_S, self._make_room):
                self._sell(course)
            course.selling_s = time.monotonic() - begin
            self._settle(course, warehouse, [sale for sale in made if sale.fate is not Fate.PUT_ASIDE])
            course.settling_s = time.monotonic() - begin
            self._send_back(course)
            self._settle(course, warehouse, [])
            while self._redrive(course):
                self._settle(course, warehouse, made)
        course.failures += [repr(failure) for failure in warehouse.failures]
        return course

    def _prepare(self, made: Sequence[Sale]) -> None:
        """Channels, and stock for every order; of the hot sku for some of them."""
        hot = hot_article(self._run)
        units = demand(made)
        del units[hot.sku]
        filled = open_channels(self._stack, self._api, 2 * max(units.values()))
        self._api.put(f"/skus/{hot.sku}", {"title": hot.title, "weight_g": hot.weight_g})
        there, more = hot_limits(len(made))
        now = datetime.now(UTC)
        self._api.put(f"/stock/{hot.sku}/wh-getafe/count", {"on_hand": there, "as_of": now.isoformat()})
        self._api.put(f"/stock/{hot.sku}/demand/{POOL}", {"backorder_limit": more})
        self._stack.table.commit(heat(hot.sku, now + _HOT_FOR))
        self._progress.say(f"{len(KINDS)} channels, {filled} positions filled up")

    def _sell(self, course: Course) -> None:
        """Deliver the webhooks of all orders, in order as far as several connections do."""
        self._room.set()
        done = 0

        def deliver(sale: Sale) -> None:
            nonlocal done
            self._room.wait(_PATIENCE_S)
            self._deliver(sale, course)
            done += 1
            if done % self._load.kill_every == 0:
                self._reaper.kill_one()
            self._progress.update(f"{done} of {len(course.made)} orders sent")

        in_parallel(deliver, course.made, self._load.clients)
        killed = self._reaper.killed.total()
        self._progress.say(f"{course.webhooks[200]} webhooks accepted, {killed} workers killed meanwhile")

    def _deliver(self, sale: Sale, course: Course) -> None:
        body, headers = sale.placed()
        if sale.fate is Fate.PUT_ASIDE:
            message = seal(
                sale.channel, adapter(KINDS[sale.channel]), Headers(headers.items()), body, datetime.now(UTC)
            )
            self._stack.sqs.send_message(
                QueueUrl=self._stack.outputs["InboundDeadLettersUrl"], MessageBody=message
            )
            return
        deliveries = [(body, headers)]
        if sale.fate is Fate.REPEATED:
            deliveries *= 2
        if sale.fate in {Fate.CANCELLED_BEFORE, Fate.CANCELLED_BY_CHANNEL}:
            deliveries.insert(0 if sale.fate is Fate.CANCELLED_BEFORE else 1, sale.cancelled())
        for content, proof in deliveries:
            course.webhooks[self._post(sale.channel, content, proof)] += 1
        if sale.fate is Fate.CANCELLED_BY_AGENT:
            course.cancellations[self._cancel(sale)] += 1

    def _post(self, channel: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Deliver a webhook as channels do: again when the server has failed."""
        while True:
            with suppress(OSError):  # no answer in time
                status = post_webhook(self._stack.api_url, channel, body, dict(headers))
                if status < 500:
                    return status
            time.sleep(_PAUSE_S)

    def _cancel(self, sale: Sale) -> int:
        """Cancel an order as soon as it is there; 409 when all of it has left."""
        url = f"{self._stack.api_url}/orders/{sale.order_id}/cancel"
        headers = {
            "Authorization": f"Bearer {self._api.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"soak-{sale.order_id}",
        }
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            with suppress(OSError):  # no answer in time
                status, _ = send("POST", url, json.dumps({"reason": "customer"}).encode(), headers)
                if (status != 404 and status < 500) or time.monotonic() > deadline:
                    return status
            time.sleep(_PAUSE_S)

    def _send_back(self, course: Course) -> None:
        """Have a unit of each order come back that was to; each message is sent twice, as queues do."""
        for sale in course.made:
            order = course.after.orders.get(sale.order_id)
            if sale.fate is Fate.RETURNED and order is not None:
                line = next((line for line in order.lines if line.delivered), None)
                if line is None:
                    continue
                course.returned.append(sale.order_id)
                for message in return_messages(sale.order_id, line.line_id, _RETURNED_TO, "restock"):
                    for _ in range(2):
                        self._stack.sqs.send_message(
                            QueueUrl=self._stack.outputs["ReturnEventsQueueUrl"],
                            MessageBody=json.dumps(message),
                        )

    def _settle(self, course: Course, warehouse: Warehouse, expected: Iterable[Sale]) -> None:
        """Wait until nothing is on its way and the expected orders are through, or patience ends."""
        hot_sku = hot_article(self._run).sku
        course.stuck, since = [], time.monotonic()
        while True:
            self._be_quiet(warehouse)
            course.after = read_books(self._stack.table)
            stuck = unsettled(course.after, expected, hot_sku)
            if len(stuck) != len(course.stuck):
                since = time.monotonic()
            course.stuck = stuck
            if not stuck or time.monotonic() - since > _PATIENCE_S:
                self._progress.say(f"{len(course.after.orders)} orders stored, {len(stuck)} on their way")
                return
            time.sleep(_PAUSE_S)

    def _be_quiet(self, warehouse: Warehouse) -> None:
        """Wait until nothing is on its way for some looks in a row, or it stays as it is for too long."""
        quiet, before, since = 0, -1, time.monotonic()
        while quiet < _QUIET_LOOKS and time.monotonic() - since < _PATIENCE_S:
            time.sleep(_PAUSE_S)
            urls = (self._stack.outputs[f"{name}QueueUrl"] for name in _ON_THEIR_WAY)
            depth = self._depth(urls) + (not warehouse.is_idle)
            if depth != before:
                since = time.monotonic()
            quiet, before = (0 if depth else quiet + 1), depth
            self._progress.update(f"{depth} messages on their way")

    def _redrive(self, course: Course) -> bool:
        """Send back what was given up on; False when that was nothing, or nothing new happened to it."""
        found: Counter[str] = Counter()
        for queue in _oms("dlq", "list"):
            if queue["messages"] and not course.redriven[queue["queue"]]:
                found[queue["queue"]] = len(_oms("dlq", "redrive", "--queue", queue["queue"]))
        course.redriven += found
        if found:
            self._progress.say(f"dead letters redriven: {dict(found)}")
        return bool(found)

    def _make_room(self) -> None:
        crowded = self._depth([self._stack.outputs["InboundQueueUrl"]]) > _WAITING_ROOM
        (self._room.clear if crowded else self._room.set)()

    def _depth(self, urls: Iterable[str]) -> int:
        """Messages in queues: waiting, delayed, and in somebody's hands."""
        return sum(
            int(number)
            for url in urls
            for name, number in self._attributes(url).items()
            if name.startswith("ApproximateNumberOfMessages")
        )

    def _attributes(self, url: str) -> dict[str, str]:
        attributes = self._stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return {str(name): value for name, value in attributes.items()}

    @contextmanager
    def _hiding_briefly(self) -> Iterator[None]:
        """Let queues show a message again soon whose worker was killed."""
        usual = {url: self._attributes(url)["VisibilityTimeout"] for url in self._queues}
        try:
            for url in usual:
                self._hide(url, str(self._load.hidden_s))
            yield
        finally:
            for url, seconds in usual.items():
                self._hide(url, seconds)

    def _hide(self, url: str, seconds: str) -> None:
        self._stack.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": seconds})


def _oms(*arguments: str) -> list[dict[str, Any]]:
    """What the `oms` command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "infra.cli.main", *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
