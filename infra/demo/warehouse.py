"""A simulated warehouse: a client of the public queues and the API alone.

It takes requests from the WMS queue, and for the locations without a connector from their pick lists, and
reports each as accepted, then shipped in one parcel, then delivered.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from infra.demo.client import Api
from infra.demo.retailer import PLACES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_POLL_STORES_S = 0.7
_BATCH = 10

type Units = dict[str, int]
"""Units by line id."""


class Warehouse:
    """Works in the background between `with` and the end of its block.

    Args:
        sqs: a client for the queues.
        requests_url: queue of requests to locations.
        events_url: queue of what locations report.
        api: for locations that poll; needs the scopes to read and report fulfillment.
        hold_s: seconds between accepting work and shipping it.
    """

    def __init__(
        self, sqs: "SQSClient", requests_url: str, events_url: str, api: Api, hold_s: float = 0
    ) -> None:
        self._sqs = sqs
        self._requests_url = requests_url
        self._events_url = events_url
        self._api = api
        self._floor = Floor(self._send, hold_s)
        self._stores = Floor(lambda event: api.post("/fulfillment-events", event), hold_s)
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=args)
            for args in ((self._serve_queue, 0.0), (self._serve_stores, _POLL_STORES_S))
        ]
        self.failures: list[Exception] = []

    @property
    def is_idle(self) -> bool:
        """Whether all work that it has taken on has left."""
        return not (self._floor.held or self._stores.held)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _work(self, serve: Callable[[], None], pause_s: float) -> None:
        while not self._closing.wait(pause_s):
            try:
                serve()
            except Exception as error:  # noqa: BLE001 (who opened the warehouse looks at its failures)
                self.failures.append(error)
                self._closing.wait(1)

    def _serve_queue(self) -> None:
        answer = self._sqs.receive_message(
            QueueUrl=self._requests_url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=1
        )
        for message in answer.get("Messages", ()):
            request = json.loads(message["Body"])
            units = {line["line_id"]: line["units"] for line in request["lines"]}
            if request["type"] == "fulfillment_cancel_requested":
                self._floor.stop(request["fulfillment_order"], units)
            else:
                self._floor.take_on(request["fulfillment_order"], units)
            self._sqs.delete_message(QueueUrl=self._requests_url, ReceiptHandle=message["ReceiptHandle"])
        self._floor.send_off()

    def _send(self, event: dict[str, Any]) -> None:
        self._sqs.send_message(QueueUrl=self._events_url, MessageBody=json.dumps(event))

    def _serve_stores(self) -> None:
        for store in [place.id for place in PLACES if "connector" not in place.document]:
            waiting = self._api.get("/fulfillment-orders", location=store, state="released")
            for work in waiting["items"]:
                units = {line["line_id"]: line["pending"] for line in work["lines"]}
                self._stores.take_on(work["fulfillment_order"], units)
        self._stores.send_off()


@dataclass(slots=True)
class Floor:
    """Where work is done; a report that fails is made again, as the same message.

    Args:
        report: tells the system.
        hold_s: seconds between accepting work and shipping it.
    """

    report: Callable[[dict[str, Any]], object]
    hold_s: float
    held: dict[str, tuple[float, Units]] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)

    def take_on(self, work: str, units: Units) -> None:
        """Accept a fulfillment order, once."""
        if work not in self._known:
            self.report(_event("accepted", work))
            self._known.add(work)
            self.held[work] = (time.monotonic() + self.hold_s, units)

    def stop(self, work: str, recalled: Units) -> None:
        """Do not ship units of work that is still here; what has left stays shipped."""
        if work in self.held:
            self.report(_event("cancelled", work))
            leaves_at, units = self.held.pop(work)
            rest = {line: units[line] - recalled.get(line, 0) for line in units}
            if any(rest.values()):
                self.held[work] = leaves_at, {line: left for line, left in rest.items() if left}

    def send_off(self) -> None:
        """Ship what has been held for long enough, each in one parcel that arrives at once."""
        for work, (leaves_at, units) in list(self.held.items()):
            if leaves_at > time.monotonic():
                break
            parcel = {
                "package_id": "p1",
                "carrier": "demo-express",
                "tracking_number": f"DX{hashlib.sha256(work.encode()).hexdigest()[:12].upper()}",
                "weight_g": 1000,
                "lines": [{"line_id": line, "units": number} for line, number in units.items()],
            }
            self.report(_event("shipped", work, packages=[parcel]))
            self.report(_event("delivered", work, packages=[{"package_id": "p1"}]))
            del self.held[work]


def _event(kind: str, work: str, **more: Any) -> dict[str, Any]:
    return {
        "message_id": f"{work}-{kind}",
        "type": kind,
        "occurred_at": datetime.now(UTC).isoformat(),
        "fulfillment_order": work,
    } | more
