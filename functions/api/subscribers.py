"""Subscribers: endpoints of others that are told of events, by signed webhooks."""

from datetime import UTC, date, datetime
from typing import Annotated, TypedDict

from annotated_types import MaxLen, MinLen

from functions.api.fields import Closed, Doc, Moment, Page, Text, Time, time, utc
from functions.api.routing import Answer, Call, Route
from oms.channels.exchange import Unavailable
from oms.events.publish import Queue
from oms.events.subscribers import Subscriber
from oms.problems import Code, Problem
from oms.runtime import clients, settings
from oms.runtime.http import Client
from oms.runtime.secrets import Keys
from oms.store import process
from oms.store.tokens import Scope
from oms.usecases import subscribe as subscribing
from oms.usecases.replay_events import Replay, request_replay
from oms.values import frozen

Secret = Annotated[
    str | None,
    Doc("`whsec_..`, as Standard Webhooks has it; told once, in the answer to the request that made it."),
]


class SubscriberDocument(TypedDict):
    """A subscriber as it stands."""

    id: str
    url: str
    events: list[str]
    active: bool
    failing_since: Annotated[Time | None, Doc("First failure after the last success.")]
    disabled_reason: Annotated[
        str | None, Doc("`gone`: it answered 410; `failing`: it took nothing for days.")
    ]
    secret: Secret
    v: int


@frozen
class SubscriberBody(Closed):
    """Where events go, and which."""

    url: Annotated[str, MinLen(1), MaxLen(2000), Doc("https, at a public address.")]
    events: Annotated[
        tuple[Text, ...],
        MinLen(1),
        MaxLen(100),
        Doc("Types of events; `order.*` for all of an entity, `*` for all."),
    ]
    active: Annotated[
        bool, Doc("Whether anything is sent; to make it active again forgets its failures.")
    ] = True


Day = Annotated[str, Doc("A date, UTC.", format="date", pattern=r"^\d{4}-\d{2}-\d{2}$")]


@frozen
class ReplayBody(Closed):
    """Which events to send again: those of orders placed on some days, written within some time."""

    placed_from: Annotated[Day, Doc("First day that the orders were placed on, UTC.", format="date")]
    placed_until: Annotated[Day, Doc("Last one; at most 31 days in all.", format="date")]
    since: Annotated[Moment | None, Doc("Written then or later.")] = None
    until: Annotated[Moment | None, Doc("Written then or before.")] = None


class Accepted(TypedDict):
    """What has been asked for and follows."""

    subscriber: str
    placed_from: str
    placed_until: str


def _list(call: Call[None, None]) -> Answer[Page[SubscriberDocument]]:
    items = [_document(each) for each in subscribing.subscribers(process.table())]
    return Answer({"items": items, "next": None})


def _show(call: Call[None, None]) -> Answer[SubscriberDocument]:
    found = subscribing.need(process.table(), call.path["id"])
    return Answer(_document(found), found.v)


def _subscribe(call: Call[None, SubscriberBody]) -> Answer[SubscriberDocument]:
    configured = settings.read(settings.Api)
    wanted = Subscriber(call.path["id"], call.body.url, call.body.events, call.body.active)
    reachable = Client(configured.reach).require_reachable
    try:
        made = subscribing.subscribe(process.table(), _signing(), wanted, reachable, call.expected)
    except Unavailable as error:
        raise Problem(Code.ADDRESS_REFUSED, str(error), "url") from None
    return Answer(_document(made.subscriber, made.secret), made.subscriber.v)


def _rotate(call: Call[None, None]) -> Answer[SubscriberDocument]:
    rotated = subscribing.rotate_secret(process.table(), _signing(), call.path["id"], call.expected, call.now)
    return Answer(_document(rotated.subscriber, rotated.secret), rotated.subscriber.v)


def _replay(call: Call[None, ReplayBody]) -> Answer[Accepted]:
    body = call.body
    wanted = Replay(
        subscriber=call.path["id"],
        day=_day(body.placed_from, "placed_from"),
        last_day=_day(body.placed_until, "placed_until"),
        since=_utc(body.since),
        until=_utc(body.until),
    )
    queue = Queue(clients.sqs(), settings.read(settings.Api).publish_queue_url)
    request_replay(process.table(), queue, wanted)
    return Answer(
        {
            "subscriber": wanted.subscriber,
            "placed_from": body.placed_from,
            "placed_until": body.placed_until,
        }
    )


def _signing() -> Keys:
    return Keys(settings.read(settings.Api).keys_secret)


def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Problem(Code.FIELD_INVALID, f"{text} is not a date", field) from None


def _utc(moment: datetime | None) -> datetime | None:
    return utc(moment).astimezone(UTC) if moment else None


def _document(subscriber: Subscriber, secret: str | None = None) -> SubscriberDocument:
    return {
        "id": subscriber.id,
        "url": subscriber.url,
        "events": list(subscriber.events),
        "active": subscriber.active,
        "failing_since": time(subscriber.failing_since),
        "disabled_reason": subscriber.disabled_reason,
        "secret": secret,
        "v": subscriber.v,
    }


ROUTES = (
    Route(
        "GET",
        "/subscribers",
        Scope.SUBSCRIBERS_READ,
        "List every subscriber",
        _list,
        Page[SubscriberDocument],
    ),
    Route(
        "GET",
        "/subscribers/{id}",
        Scope.SUBSCRIBERS_READ,
        "Show a subscriber",
        _show,
        SubscriberDocument,
        problems=(Code.NOT_FOUND,),
        versioned=True,
    ),
    Route(
        "PUT",
        "/subscribers/{id}",
        Scope.SUBSCRIBERS_WRITE,
        "Subscribe to events, change a subscription, or make it inactive",
        _subscribe,
        SubscriberDocument,
        body=SubscriberBody,
        problems=(Code.ADDRESS_REFUSED, Code.VERSION_MISMATCH),
        description="Events are posted as Standard Webhooks 1.0, with the attributes of CloudEvents 1.0 in "
        "the body. Anything but 2xx is tried again for 75 hours; 410 makes the subscriber inactive.",
        versioned=True,
    ),
    Route(
        "POST",
        "/subscribers/{id}/secret",
        Scope.SUBSCRIBERS_WRITE,
        "Give a subscriber a new secret",
        _rotate,
        SubscriberDocument,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED, Code.VERSION_MISMATCH),
        description="The secret before signs beside the new one for 24 hours, in which there is no further "
        "rotation.",
        versioned=True,
    ),
    Route(
        "POST",
        "/subscribers/{id}/replay",
        Scope.SUBSCRIBERS_WRITE,
        "Send events to a subscriber again",
        _replay,
        Accepted,
        body=ReplayBody,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED),
        description="They are derived again from what the orders keep, and come under the ids that they had: "
        "a receiver that has had one already knows it.",
    ),
)
