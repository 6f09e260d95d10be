"""A simulated warehouse: a client of the public queues and the API alone.

It takes requests from the WMS queue, and for the locations without a connector from their pick lists, and
reports each as accepted, then shipped in one parcel, then delivered.
"""

import json
import threading
import uuid
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from infra.demo.client import Api
from infra.demo.retailer import PLACES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_POLL_STORES_S = 0.7
_BATCH = 10


class Warehouse:
    """Works in the background between `with` and the end of its block.

    Args:
        sqs: a client for the queues.
        requests_url: queue of requests to locations.
        events_url: queue of what locations report.
        api: for locations that poll; needs the scopes to read and report fulfillment.
    """

    def __init__(self, sqs: "SQSClient", requests_url: str, events_url: str, api: Api) -> None:
        self._sqs = sqs
        self._requests_url = requests_url
        self._events_url = events_url
        self._api = api
        self._seen: set[str] = set()
        self._closing = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._serve_queue, self._serve_stores)]
        self.failures: list[Exception] = []

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

    def _serve_queue(self) -> None:
        while not self._closing.is_set():
            try:
                self._serve_batch()
            except Exception as error:  # noqa: BLE001 (the story reports it and fails)
                self.failures.append(error)
                self._closing.wait(1)

    def _serve_batch(self) -> None:
        answer = self._sqs.receive_message(
            QueueUrl=self._requests_url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=1
        )
        for message in answer.get("Messages", ()):
            request = json.loads(message["Body"])
            for event in self._reports(request["fulfillment_order"], request["lines"]):
                self._sqs.send_message(QueueUrl=self._events_url, MessageBody=json.dumps(event))
            self._sqs.delete_message(QueueUrl=self._requests_url, ReceiptHandle=message["ReceiptHandle"])

    def _serve_stores(self) -> None:
        stores = [place.id for place in PLACES if "connector" not in place.document]
        while not self._closing.wait(_POLL_STORES_S):
            for store in stores:
                try:
                    self._serve_store(store)
                except Exception as error:  # noqa: BLE001 (the story reports it and fails)
                    self.failures.append(error)

    def _serve_store(self, store: str) -> None:
        waiting = self._api.get("/fulfillment-orders", location=store, state="released")
        for work in waiting["items"]:
            name = work["fulfillment_order"]
            if name not in self._seen:
                self._seen.add(name)
                lines = [{"line_id": line["line_id"], "units": line["pending"]} for line in work["lines"]]
                for event in self._reports(name, lines):
                    self._api.post("/fulfillment-events", event)

    def _reports(self, work: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the warehouse says of a fulfillment order, from start to end."""
        parcel = {
            "package_id": "p1",
            "carrier": "demo-express",
            "tracking_number": f"DX{uuid.uuid4().hex[:12].upper()}",
            "weight_g": 1000,
            "lines": [{"line_id": line["line_id"], "units": line["units"]} for line in lines],
        }
        return [
            self._event("accepted", work),
            self._event("shipped", work, packages=[parcel]),
            self._event("delivered", work, packages=[{"package_id": "p1"}]),
        ]

    def _event(self, kind: str, work: str, **more: Any) -> dict[str, Any]:
        return {
            "message_id": str(uuid.uuid4()),
            "type": kind,
            "occurred_at": datetime.now(UTC).isoformat(),
            "fulfillment_order": work,
        } | more
