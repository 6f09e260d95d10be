"""Subscribers on moto: what is sent to whom, on which schedule, and what becomes of one that is down."""

import heapq
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from functions.publisher import calls
from functions.publisher import handler as publisher
from oms.channels.exchange import Request, Response, Unavailable
from oms.channels.headers import Headers
from oms.events.publish import Queue
from oms.events.subscribers import Subscriber, decode_subscriber, encode_subscriber
from oms.orders.identity import order_id
from oms.problems import Code, Problem
from oms.runtime import clients
from oms.runtime.secrets import Keys
from oms.store import keys
from oms.store.table import Table
from oms.usecases import subscribe
from oms.usecases.notify_subscribers import Outcome, deliver, deliveries, message_id
from oms.usecases.place_order import place_order
from oms.usecases.postponing import WEBHOOK_WAITS_S
from tests.builders import NOW, command, line, network
from tests.fakes_http import Says, serving
from tests.outlets import Receiver
from tests.rest import Rest
from tests.shelves import fill

KEYS = Keys("keys", lambda name: "root of all keys")
URL = "https://hooks.example/in"
DOCUMENT: Mapping[str, Any] = {
    "specversion": "1.0",
    "id": "ABC#1#order.placed",
    "source": "oms",
    "type": "order.placed",
    "subject": "ABC",
    "time": "2026-11-22T09:30:00.000Z",
    "v": 1,
    "schemaversion": 1,
    "correlationid": "ABC",
    "data": {"channel": "shop-es", "order_number": "#1001 ✓"},
}


def anywhere(url: str) -> None:
    """Every address may be called."""


@dataclass
class Endpoint:
    """A subscriber's server, and a queue that lets time pass: a message comes when its delay is over.

    Attributes:
        says: what it answers from now on; an exception for none at all.
        asked: when it was called, and with what.
    """

    table: Table
    now: datetime = NOW
    says: int | Exception | Mapping[str, Any] = 200
    asked: list[tuple[datetime, Request]] = field(default_factory=list)
    waiting: list[tuple[datetime, int, Mapping[str, Any]]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def post(self, request: Request) -> Response:
        self.asked.append((self.now, request))
        if isinstance(self.says, Exception):
            raise self.says
        if isinstance(self.says, Mapping):
            return Response(self.says["status"], Headers(self.says["headers"].items()), b"")
        return Response(self.says, Headers(), b"")

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        for entry in Entries:
            delay = entry.get("DelaySeconds", 0)
            assert 0 <= delay <= 900, "more than SQS delays"
            self.take(json.loads(entry["MessageBody"]), self.now + timedelta(seconds=delay))
        return {"Successful": []}

    def take(self, document: Mapping[str, Any], at: datetime) -> None:
        heapq.heappush(self.waiting, (at, next(self.numbers), document))

    def announce(self, document: Mapping[str, Any] = DOCUMENT) -> None:
        """An event comes off the bus."""
        for message in deliveries(document, subscribe.subscribers(self.table)):
            self.take(message.document, self.now)

    def run(self, until: datetime | None = None) -> None:
        """Let time pass until nothing waits any more, or until some moment."""
        queue = Queue(self, "https://sqs/publish", pause=lambda seconds: None)  # type: ignore[arg-type]  # as far as it is called
        while self.waiting and (until is None or self.waiting[0][0] <= until):
            at, _, document = heapq.heappop(self.waiting)
            self.now = max(self.now, at)
            due = document.get("due_at")
            if due and datetime.fromisoformat(due) > self.now:
                left = min(900.0, (datetime.fromisoformat(due) - self.now).total_seconds())
                self.take(document, self.now + timedelta(seconds=left))
                continue
            self.outcomes.append(deliver(self.table, KEYS, self.post, queue, document, self.now))
        if until is not None:
            self.now = until

    @property
    def subscriber(self) -> Subscriber:
        found = subscribe.find(self.table, "erp")
        assert found is not None
        return found


@pytest.fixture
def endpoint(table: Table) -> Endpoint:
    subscribe.subscribe(table, KEYS, Subscriber("erp", URL, ("*",)), anywhere)
    return Endpoint(table)


def verified(request: Request, secret: str, at: datetime, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a receiver reads, by a library that is not ours, whose clock says `at`."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls.fromtimestamp(at.timestamp(), tz)

    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Clock)
    return Webhook(secret).verify(request.body, dict(request.headers))


# ---- What can go wrong -------------------------------------------------------------------------------------


def test_a_failing_endpoint_is_tried_on_the_recommended_schedule_and_then_given_up(
    endpoint: Endpoint,
) -> None:
    endpoint.says = 500
    endpoint.announce()
    endpoint.run()
    times = [at for at, _ in endpoint.asked]
    gaps = [(after - before).total_seconds() for before, after in zip(times, times[1:], strict=False)]
    assert len(times) == len(WEBHOOK_WAITS_S) + 1
    for gap, wait in zip(gaps, WEBHOOK_WAITS_S, strict=True):
        assert wait <= gap <= wait * 1.1 + 2
    assert times[-1] - times[0] > timedelta(days=3)


def test_every_try_has_the_same_id_and_the_time_of_the_try(endpoint: Endpoint) -> None:
    endpoint.says = Unavailable("timed out")
    endpoint.announce()
    endpoint.run()
    assert len({request.headers["webhook-id"] for _, request in endpoint.asked}) == 1
    for at, request in endpoint.asked:
        assert request.headers["webhook-timestamp"] == str(int(at.timestamp()))


@pytest.mark.parametrize(
    "failure",
    [301, 302, 400, 401, 404, 422, 429, 500, 502, 504, Unavailable("no answer")],
    ids=str,
)
def test_anything_but_a_2xx_is_a_failure_that_comes_again(
    failure: int | Exception, endpoint: Endpoint
) -> None:
    endpoint.says = failure
    endpoint.announce()
    endpoint.run(endpoint.now)
    assert endpoint.outcomes == [Outcome.POSTPONED]
    assert endpoint.subscriber.failing_since == NOW
    endpoint.says = 204
    endpoint.run()
    assert endpoint.outcomes == [Outcome.POSTPONED, Outcome.DELIVERED]
    assert endpoint.subscriber.failing_since is None


def test_an_endpoint_that_has_moved_to_a_private_address_is_not_called_and_comes_again(
    endpoint: Endpoint,
) -> None:
    endpoint.says = Problem(Code.ADDRESS_REFUSED, "not public", "url")
    endpoint.announce()
    endpoint.run(endpoint.now)
    assert endpoint.outcomes == [Outcome.POSTPONED]


def test_an_endpoint_that_asks_for_more_time_gets_it(endpoint: Endpoint) -> None:
    endpoint.says = {"status": 429, "headers": {"Retry-After": "600"}}
    endpoint.announce()
    endpoint.run(endpoint.now)
    endpoint.says = 200
    endpoint.run()
    (first, _), (second, _) = endpoint.asked
    assert second - first >= timedelta(seconds=600)


def test_an_endpoint_that_is_gone_is_sent_nothing_more(endpoint: Endpoint) -> None:
    endpoint.says = 410
    endpoint.announce()
    endpoint.run()
    assert endpoint.outcomes == [Outcome.DISABLED]
    assert (endpoint.subscriber.active, endpoint.subscriber.disabled_reason) == (False, "gone")
    endpoint.announce()
    assert endpoint.waiting == []


@pytest.mark.parametrize("drawn", [min, max])
def test_an_endpoint_that_takes_nothing_for_days_is_disabled_with_the_first_event_given_up(
    drawn: Callable[[float, float], float], endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", drawn)
    endpoint.says = 500
    endpoint.announce()
    endpoint.run()
    assert endpoint.outcomes[-1] is Outcome.DISABLED
    assert (endpoint.subscriber.active, endpoint.subscriber.disabled_reason) == (False, "failing")


def test_an_endpoint_that_refuses_one_event_for_days_and_takes_others_stays(endpoint: Endpoint) -> None:
    endpoint.says = 500
    endpoint.announce()
    endpoint.run(NOW + timedelta(hours=60))
    endpoint.says = 200
    endpoint.announce({**DOCUMENT, "id": "DEF#1#order.placed"})
    endpoint.run(endpoint.now)
    endpoint.says = 500
    endpoint.run()
    assert endpoint.outcomes[-1] is Outcome.GIVEN_UP
    assert endpoint.subscriber.active


def test_what_waits_for_a_subscriber_that_was_made_inactive_is_dropped(endpoint: Endpoint) -> None:
    endpoint.announce()
    subscribe.subscribe(endpoint.table, KEYS, Subscriber("erp", URL, ("*",), active=False), anywhere)
    endpoint.take({"task": "deliver", "subscriber": "nobody", "event": DOCUMENT}, NOW)
    endpoint.run()
    assert endpoint.outcomes == [Outcome.DROPPED, Outcome.DROPPED]
    assert endpoint.asked == []


def test_one_that_was_failing_and_is_made_active_again_starts_afresh(endpoint: Endpoint) -> None:
    endpoint.says = 500
    endpoint.announce()
    endpoint.run()
    subscribe.subscribe(endpoint.table, KEYS, Subscriber("erp", URL, ("*",)), anywhere)
    known = endpoint.subscriber
    assert (known.active, known.failing_since, known.disabled_reason) == (True, None, None)


def test_a_changed_body_or_another_secret_does_not_verify(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.announce()
    endpoint.run()
    ((at, request),) = endpoint.asked
    other = subscribe.secret_of(KEYS, "crm", 1)
    with pytest.raises(WebhookVerificationError):
        verified(request, other, at, monkeypatch)
    changed = Request("POST", request.url, request.headers, request.body + b" ")
    with pytest.raises(WebhookVerificationError):
        verified(changed, subscribe.secret_of(KEYS, "erp", 1), at, monkeypatch)


# ---- What goes right ---------------------------------------------------------------------------------------


def test_a_library_that_is_not_ours_verifies_what_is_sent(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.announce()
    endpoint.run()
    ((at, request),) = endpoint.asked
    body = verified(request, subscribe.secret_of(KEYS, "erp", 1), at, monkeypatch)
    assert body == {**DOCUMENT, "timestamp": DOCUMENT["time"]}
    assert list(body)[:2] == ["type", "timestamp"]
    assert (request.method, request.url) == ("POST", URL)
    assert "." not in request.headers["webhook-id"]


def test_both_secrets_verify_for_a_day_after_a_rotation(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotated = subscribe.rotate_secret(endpoint.table, KEYS, "erp", 1, NOW)
    old, new = (subscribe.secret_of(KEYS, "erp", generation) for generation in (1, 2))
    assert rotated.secret == new != old
    endpoint.announce()
    endpoint.run()
    for secret in (old, new):
        assert verified(endpoint.asked[0][1], secret, NOW, monkeypatch)
    endpoint.now = NOW + timedelta(hours=24)
    endpoint.announce()
    endpoint.run()
    assert verified(endpoint.asked[1][1], new, endpoint.now, monkeypatch)
    with pytest.raises(WebhookVerificationError):
        verified(endpoint.asked[1][1], old, endpoint.now, monkeypatch)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (("*",), True),
        (("order.*",), True),
        (("refund.due", "order.placed"), True),
        (("order.shipped",), False),
        (("refund.*",), False),
    ],
)
def test_a_subscriber_is_told_what_it_wants(wanted: tuple[str, ...], told: bool, table: Table) -> None:
    subscribe.subscribe(table, KEYS, Subscriber("erp", URL, wanted), anywhere)
    assert bool(deliveries(DOCUMENT, subscribe.subscribers(table))) is told


def test_every_field_of_a_subscriber_is_kept() -> None:
    full = Subscriber("erp", URL, ("*", "order.*"), False, 3, NOW, NOW + timedelta(1), "failing", 7)
    key = keys.configuration("subscriber", "erp")
    assert decode_subscriber({"PK": key.pk, "SK": key.sk, **encode_subscriber(full)}) == full


def test_ids_of_messages_are_the_same_for_an_event_and_of_no_other() -> None:
    assert message_id("a#1#b") == message_id("a#1#b") != message_id("a#2#b")


# ---- Through the API and the function ----------------------------------------------------------------------


@pytest.fixture
def receiver(table: Table, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    made = Receiver()
    monkeypatch.setenv("CHANNEL_SECRET_PREFIX", "oms/channels/")
    monkeypatch.setenv("INBOUND_QUEUE_URL", "https://sqs/inbound")
    monkeypatch.setattr(clients, "sqs", lambda: made.queue)
    clients.secrets().create_secret(Name="keys", SecretString="root")
    for cached in (calls.configured, calls.client, calls.apis, publisher._signing):
        cached.cache_clear()
    return made


BODY = {"url": URL, "events": ["order.*", "refund.due"]}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"url": None}, (422, "field_invalid", "url")),
        ({"url": "http://hooks.example/"}, (422, "address_refused", "url")),
        ({"url": "https://127.0.0.1/"}, (422, "address_refused", "url")),
        ({"url": "https://169.254.169.254/latest/meta-data"}, (422, "address_refused", "url")),
        ({"url": "https://[::1]/"}, (422, "address_refused", "url")),
        ({"url": "https://10.0.0.7/"}, (422, "address_refused", "url")),
        ({"url": "https://user:pass@93.184.216.34/"}, (422, "address_refused", "url")),
        ({"url": "https://no-such-name.invalid/"}, (422, "address_refused", "url")),
        ({"events": []}, (422, "field_invalid", "events")),
        ({"events": ["order.placed", "order.plaecd"]}, (422, "field_invalid", "events[1]")),
        ({"events": ["order.refreshed"]}, (422, "field_invalid", "events[0]")),
        ({"events": ["position.*"]}, (422, "field_invalid", "events[0]")),
        ({"secret": "mine"}, (422, "field_invalid", "secret")),
    ],
)
def test_a_subscription_that_cannot_be_is_refused_by_name(
    changes: dict[str, object], problem: tuple[int, str, str], receiver: Receiver
) -> None:
    assert Rest().put("/subscribers/erp", BODY | changes).problem == problem


REACHED = BODY | {"url": "https://93.184.216.34/in"}
"""An address of the internet; it is looked at, and not called."""


def test_a_secret_is_told_once_and_is_what_signs(receiver: Receiver, table: Table) -> None:
    made = Rest().put("/subscribers/erp", REACHED)
    again = Rest().put("/subscribers/erp", REACHED)
    shown = Rest().get("/subscribers/erp")
    assert made.document["secret"] == subscribe.secret_of(Keys("keys"), "erp", 1)
    assert (again.document["secret"], shown.document["secret"]) == (None, None)
    assert [reply.document["v"] for reply in (made, again, shown)] == [1, 1, 1]
    assert Rest().get("/subscribers").document == {"items": [shown.document], "next": None}


def test_a_subscription_is_changed_by_who_has_seen_it(receiver: Receiver) -> None:
    Rest().put("/subscribers/erp", REACHED)
    lost = Rest().put("/subscribers/erp", REACHED | {"active": False}, if_match='"7"')
    assert lost.problem == (412, "version_mismatch", "If-Match")
    stopped = Rest().put("/subscribers/erp", REACHED | {"active": False}, if_match='"1"')
    assert (stopped.document["active"], stopped.document["v"]) == (False, 2)


@pytest.mark.parametrize("path", ["", "/secret", "/replay"])
def test_a_subscriber_that_is_not_there_is_not_found(path: str, receiver: Receiver) -> None:
    rest, days = Rest(), {"placed_from": "2026-11-20", "placed_until": "2026-11-22"}
    reply = rest.post(f"/subscribers/erp{path}", days) if path else rest.get("/subscribers/erp")
    assert reply.problem == (404, "not_found", "id")


def test_a_secret_is_rotated_once_a_day_and_not_twice_by_a_request_that_is_sent_again(
    receiver: Receiver,
) -> None:
    rest = Rest()
    rest.put("/subscribers/erp", REACHED)
    first = rest.call("POST", "/subscribers/erp/secret", headers={"If-Match": '"1"'})
    assert first.document["secret"] == subscribe.secret_of(Keys("keys"), "erp", 2)
    again = rest.call("POST", "/subscribers/erp/secret", headers={"If-Match": '"1"'})
    assert again.problem == (412, "version_mismatch", "If-Match")
    soon = rest.call("POST", "/subscribers/erp/secret")
    assert soon.problem == (409, "state_refused", None)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"placed_from": "2026-11-23"}, (422, "field_invalid", "placed_until")),
        ({"placed_from": "2026-10-01"}, (422, "field_invalid", "placed_until")),
        ({"placed_from": "2026-02-30"}, (422, "field_invalid", "placed_from")),
        ({"placed_from": "yesterday"}, (422, "field_invalid", "placed_from")),
        ({"since": "then"}, (422, "field_invalid", "since")),
    ],
)
def test_a_replay_that_cannot_be_is_refused_by_name(
    changes: dict[str, str], problem: tuple[int, str, str], receiver: Receiver
) -> None:
    Rest().put("/subscribers/erp", REACHED)
    days = {"placed_from": "2026-11-20", "placed_until": "2026-11-22"}
    assert Rest().post("/subscribers/erp/replay", days | changes).problem == problem


def test_nothing_is_replayed_to_one_that_is_not_active(receiver: Receiver) -> None:
    Rest().put("/subscribers/erp", REACHED | {"active": False})
    days = {"placed_from": "2026-11-20", "placed_until": "2026-11-22"}
    assert Rest().post("/subscribers/erp/replay", days).problem == (409, "state_refused", None)
    assert receiver.taken == []


def publish(*documents: Mapping[str, Any]) -> list[str]:
    """Ids of the messages that `publisher` failed to handle."""
    records = [{"messageId": str(n), "body": json.dumps(document)} for n, document in enumerate(documents)]
    answer = publisher.handler({"Records": records}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def taken(receiver: Receiver) -> list[dict[str, Any]]:
    """What the queue `publish` has taken since it was last asked."""
    entries = [entry for entry in receiver.taken if entry["QueueUrl"] == "https://sqs/publish"]
    receiver.taken.clear()
    return [json.loads(entry["MessageBody"]) for entry in entries]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"task": "dance"},
        {"task": "deliver"},
        {"task": "deliver", "subscriber": "erp"},
        {"task": "replay", "subscriber": "erp", "day": "x", "last_day": "2026-11-22"},
        {"task": "fetch", "channel": "shop-es"},
        {"detail-type": "order.placed", "detail": {"type": "order.placed"}},
        {"detail-type": "order.placed"},
    ],
)
def test_a_message_that_says_nothing_sensible_fails_and_is_kept(
    document: Any, receiver: Receiver, table: Table
) -> None:
    assert publish(document) == ["0"]
    assert receiver.taken == []


def test_a_message_whose_time_has_not_come_is_sent_on(receiver: Receiver) -> None:
    later = {"task": "deliver", "due_at": "2199-01-01T00:00:00.000Z", "attempt": 9}
    assert publish(later) == []
    assert receiver.taken[0]["DelaySeconds"] == 900
    assert taken(receiver) == [later]


def test_an_event_of_the_bus_reaches_a_server_that_verifies_it(
    receiver: Receiver, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REACH", "any")
    with serving(lambda asked: Says(204)) as server:
        made = Rest().put("/subscribers/erp", {"url": server.url + "/in", "events": ["order.placed"]})
        Rest().put("/subscribers/crm", {"url": server.url + "/crm", "events": ["refund.*"]})
        publish({"detail-type": "order.placed", "source": "oms", "detail": DOCUMENT})
        messages = taken(receiver)
        assert [message["subscriber"] for message in messages] == ["erp"]
        assert publish(*messages) == []
        (asked,) = server.asked
        body = Webhook(made.document["secret"]).verify(asked.body, dict(asked.headers))
        assert body["data"] == DOCUMENT["data"] and asked.path == "/in"
        server.faults = [Says(500)]
        publish(*messages)
        assert [message["attempt"] for message in taken(receiver)] == [1]


def test_events_are_replayed_under_the_ids_that_they_had_page_by_page(
    receiver: Receiver, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oms.usecases.replay_events.PAGE", 2)
    fill(table, "A", wh_madrid=99)
    for number in range(5):
        placed = NOW - timedelta(days=number % 2)
        sent = command(line("A"), channel_order_id=str(number), placed_at=placed)
        place_order(table, network(), sent, NOW)
    Rest().put("/subscribers/erp", REACHED)
    first, last = (f"{NOW - timedelta(days=back):%Y-%m-%d}" for back in (1, 0))
    reply = Rest().post("/subscribers/erp/replay", {"placed_from": first, "placed_until": last})
    assert reply.document == {"subscriber": "erp", "placed_from": first, "placed_until": last}
    delivered: list[str] = []
    waiting = taken(receiver)
    while waiting:
        message = waiting.pop()
        if message["task"] == "deliver":
            delivered.append(message["event"]["id"])
            continue
        assert publish(message) == []
        waiting += taken(receiver)
    ids = [f"{order_id('shop-es', str(number))}#1#order.placed" for number in range(5)]
    assert sorted(delivered) == sorted(ids)


def test_a_replay_leaves_out_what_was_written_before_or_after(receiver: Receiver, table: Table) -> None:
    fill(table, "A", wh_madrid=99)
    place_order(table, network(), command(line("A")), NOW)
    Rest().put("/subscribers/erp", REACHED)
    day = f"{NOW:%Y-%m-%d}"
    replay = {"task": "replay", "subscriber": "erp", "day": day, "last_day": day}
    at = keys.iso(NOW)
    for since, until, found in (
        (at, at, 1),
        (keys.iso(NOW + timedelta(seconds=1)), None, 0),
        (None, keys.iso(NOW - timedelta(seconds=1)), 0),
    ):
        publish(replay | {"since": since, "until": until})
        assert len(taken(receiver)) == found


def test_an_event_that_follows_a_subscription_at_once_is_delivered_whatever_a_read_still_shows(
    table: Table, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = subscribe.find
    monkeypatch.setattr(
        subscribe,
        "find",
        lambda table, name, *, consistent=True: find(table, name) if consistent else None,
    )
    endpoint.announce()
    endpoint.run()
    assert endpoint.outcomes == [Outcome.DELIVERED]
