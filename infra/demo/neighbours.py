"""Servers of others for the demo, on the loopback interface: two shops' APIs and a subscriber's endpoint.

They know as little as the story needs. What they were told, and when, is theirs to keep.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from oms.problems import Code, Problem

LOCATION_ID = "655441491"
"""The location of the Shopify shop that is fed."""

type Answer = tuple[int, Any]
"""Status and JSON document."""


@dataclass(slots=True)
class Neighbours:
    """What the servers have been told.

    Attributes:
        stock: by shop, each level that it was told and when (monotonic seconds).
        parcels: tracking numbers that the Shopify shop knows.
        events: types of the events whose signature the subscriber has verified.
        refused: what came in and was not as it must be.
        lines: lines of the Shopify shop's order and their units, once it has one.
        secret: what the subscriber verifies by.
    """

    stock: dict[str, list[tuple[float, int]]] = field(
        default_factory=lambda: {"shopify": [], "woocommerce": []}
    )
    parcels: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    secret: str = ""

    def shows(self, shop: str) -> int | None:
        """How many a shop would sell now."""
        return self.stock[shop][-1][1] if self.stock[shop] else None

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """The answer of whichever server stands at the path."""
        for pattern, server in _SERVERS:
            if re.match(pattern, path):
                return server(self, method, headers, body)
        return 404, {"detail": f"nothing stands at {path}"}

    def _shopify(self, method: str, headers: dict[str, str], body: bytes) -> Answer:
        asked = json.loads(body)
        query, variables = asked["query"], asked["variables"]
        done: dict[str, Any] = {"userErrors": []}
        if "inventorySetQuantities(" in query:
            level = variables["input"]["quantities"][0]["quantity"]
            self.stock["shopify"].append((time.monotonic(), level))
            return 200, {"data": {"inventorySetQuantities": done}}
        if "fulfillmentCreate(" in query:
            self.parcels.append(variables["fulfillment"]["trackingInfo"]["number"])
            return 200, {"data": {"fulfillmentCreate": done}}
        items = [
            {"id": f"i{line}", "remainingQuantity": units, "lineItem": {"id": line}}
            for line, units in self.lines.items()
        ]
        planned = [{"id": "f1", "lineItems": {"nodes": items}}]
        known = [{"trackingInfo": [{"number": number}]} for number in self.parcels]
        return 200, {"data": {"order": {"fulfillments": known, "fulfillmentOrders": {"nodes": planned}}}}

    def _woocommerce(self, method: str, headers: dict[str, str], body: bytes) -> Answer:
        self.stock["woocommerce"].append((time.monotonic(), json.loads(body)["stock_quantity"]))
        return 200, {}

    def _subscriber(self, method: str, headers: dict[str, str], body: bytes) -> Answer:
        """Verifies by a library that is not ours."""
        try:
            event = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError as error:
            self.refused.append(f"a webhook of ours does not verify: {error}")
            return 401, {}
        self.events.append(str(event["type"]))
        return 200, {}

    def _no_orders(self, method: str, headers: dict[str, str], body: bytes) -> Answer:
        """The list that polls ask for."""
        return 200, {"orders": []}

    def _no_orders_either(self, method: str, headers: dict[str, str], body: bytes) -> Answer:
        return 200, []


type _Server = Callable[[Neighbours, str, dict[str, str], bytes], Answer]

_SERVERS: tuple[tuple[str, _Server], ...] = (
    (r"/admin/api/[^/]+/graphql.json", Neighbours._shopify),
    (r"/admin/api/[^/]+/orders.json", Neighbours._no_orders),
    (r"/wp-json/wc/v3/products/", Neighbours._woocommerce),
    (r"/wp-json/wc/v3/orders", Neighbours._no_orders_either),
    (r"/hooks", Neighbours._subscriber),
)


@contextmanager
def neighbours(port: int) -> Iterator[Neighbours]:
    """The servers at a port, for the time of the block.

    Raises:
        Problem: `unavailable`, something else stands at the port.
    """
    found = Neighbours()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, document = found.answer(self.command, self.path, headers, body)
            answer = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815 (the library's names)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
            """Nothing: the story says what happens."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Nothing: a process of the stack that ends hangs up on whom it was connected to."""

    try:
        server = Quiet(("127.0.0.1", port), Handler)
    except OSError as error:
        raise Problem(Code.UNAVAILABLE, f"127.0.0.1:{port}, where the demo's shops stand: {error}") from error
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
