"""The chapter of the demo in which a lamp is sold: what it says of a world that is, or is not, told of it."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from standardwebhooks import Webhook

from infra.demo import shops
from infra.demo.neighbours import Neighbours, neighbours
from infra.demo.shops import EVENTS, SHOPS, sell_the_last, shops_open
from oms.channels.exchange import Api, Request, Response
from oms.channels.headers import Headers
from oms.channels.listings import Listing
from oms.channels.publishing import Level, Parcel, publishing
from oms.problems import Problem

SECRET = "whsec_" + "bXkgc2VjcmV0" * 3  # noqa: S105 (a test's)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class World:
    """A stack that tells its neighbours of everything that it is told, but for what it leaves out."""

    def __init__(self, world: Neighbours, url: str, *left_out: str) -> None:
        self.world = world
        self.url = url
        self.left_out = left_out
        self.said: list[str] = []
        self.puts: list[tuple[str, Any]] = []

    def put(self, path: str, document: Any) -> Any:
        self.puts.append((path, document))
        return {"secret": SECRET}

    def webhook(self, url: str, channel: str, body: bytes, headers: dict[str, str]) -> int:
        sold = "line_items" in json.loads(body)
        if not sold:
            self.tell("shopify" if channel == "lamps-es" else "woocommerce", 1)
            return 200
        for kind in ("shopify", "woocommerce"):
            if kind not in self.left_out:
                self.tell(kind, 0)
        if "parcel" not in self.left_out:
            (line,) = self.world.lines
            parcel = Parcel("1", "p1", "demo", "DX1", NOW, {line: 1}, completes=True)
            for _ in range(2):
                publishing("shopify").push_parcel(self.api("shopify"), parcel)
        for name in EVENTS:
            self.event(name, "another" if "signature" in self.left_out else None)
        return 200

    def api(self, kind: str) -> Api:
        return Api(kind, self.url, {"location_id": "1"}, send)

    def tell(self, kind: str, units: int) -> None:
        listing = Listing("c", "1", "LAMP", "1", "1", "Lamp", NOW)
        publishing(kind).push_stock(self.api(kind), Level(listing, "k", NOW, units))

    def event(self, name: str, forged: str | None) -> None:
        body = json.dumps({"type": name})
        at = datetime.now(UTC)
        signed = Webhook(SECRET).sign("msg_1", at, forged or body)
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signed,
        }
        send(Request("POST", f"{self.url}/hooks", headers, body.encode()))


def send(request: Request) -> Response:
    sent = urllib.request.Request(  # noqa: S310 (our own server)
        request.url, data=request.body or None, headers=dict(request.headers), method=request.method
    )
    try:
        with urllib.request.urlopen(sent) as answer:  # noqa: S310
            return Response(answer.status, Headers(), answer.read())
    except urllib.error.HTTPError as error:
        return Response(error.code, Headers(), error.read())


def played(monkeypatch: pytest.MonkeyPatch, *left_out: str) -> tuple[shops.Told, World]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def wait(steps: Callable[[], int], wanted: int) -> None:
        steps()

    with neighbours(port) as world:
        stack = World(world, url, *left_out)
        monkeypatch.setattr(shops, "post_webhook", stack.webhook)
        api: Any = SimpleNamespace(url="http://api", put=stack.put)
        return sell_the_last(api, world, url, 7, wait, stack.said.append), stack


def test_a_world_that_is_told_everything_has_no_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    told, stack = played(monkeypatch)
    assert (told.problems, told.tracking_number, told.events) == ((), "DX1", EVENTS)
    assert told.seconds is not None
    assert len(stack.said) == 4
    assert stack.puts[-1] == (
        "/subscribers/demo-7",
        {"url": f"{stack.url}/hooks", "events": list(EVENTS), "active": False},
    )


@pytest.mark.parametrize(
    ("left_out", "problem"),
    [
        ("woocommerce", "the woocommerce shop shows 1 lamps, not 0"),
        ("shopify", "the shopify shop shows 1 lamps, not 0"),
        ("parcel", "the shop that sold the lamp knows 0 parcels of it, not 1"),
        ("signature", "the subscriber has not heard of order.placed"),
    ],
)
def test_what_the_world_is_not_told_is_a_problem(
    left_out: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, _ = played(monkeypatch, left_out)
    assert problem in told.problems


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_when_the_demo_ends_nobody_calls_its_shops_any_more(error: type[BaseException] | None) -> None:
    puts: dict[str, list[bool]] = {}

    def put(path: str, document: dict[str, Any]) -> None:
        puts.setdefault(path.rpartition("/")[2], []).append(document["paused"])

    api: Any = SimpleNamespace(put=put)
    with pytest.raises(error) if error else nullcontext(), shops_open(api):
        assert puts == dict.fromkeys(SHOPS, [False])
        if error:
            raise error
    assert puts == dict.fromkeys(SHOPS, [False, True])


def test_a_subscriber_is_told_nothing_more_when_its_chapter_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    puts: list[tuple[str, Any]] = []

    def put(path: str, document: Any) -> dict[str, str]:
        puts.append((path, document))
        return {"secret": SECRET}

    def down(*arguments: object) -> None:
        raise OSError("the stack is gone")

    monkeypatch.setattr(shops, "post_webhook", down)
    api: Any = SimpleNamespace(url="http://api", put=put)
    with pytest.raises(OSError, match="gone"):
        sell_the_last(api, Neighbours(), "http://shops", 7, lambda steps, wanted: None, lambda text: None)
    path, document = puts[-1]
    assert (path, document["active"]) == ("/subscribers/demo-7", False)


def test_a_port_that_is_taken_is_named() -> None:
    port = free_port()
    with neighbours(port), pytest.raises(Problem, match=f"127.0.0.1:{port}"), neighbours(port):
        pass
