"""Listings: in what a channel shows something else than we have, and mending it."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, TypedDict

from functions.api import cursors
from functions.api.fields import Closed, Cursor, Doc, Page, Text
from functions.api.routing import Answer, Call, Route
from oms.channels.catalogues import page
from oms.channels.exchange import Unavailable
from oms.events.publish import Queue
from oms.problems import Code, Problem
from oms.runtime import clients, settings
from oms.runtime.channel_api import ChannelApis
from oms.runtime.http import Client
from oms.runtime.secrets import ChannelSecrets
from oms.store import process
from oms.store.tokens import Scope
from oms.usecases.check_listings import Difference, Kind, check_page, mend, need_channel
from oms.values import frozen

_ONE = 1
"""A page of ours is one of the channel's, however long that is."""


class DifferenceDocument(TypedDict):
    """One thing in which a channel differs from us."""

    kind: Kind
    item_id: Annotated[str, Doc("What the channel counts the listing's stock under.")]
    sku: str | None
    ours: Annotated[str | int | None, Doc("What we have: units, a title, a price, a sku, another listing.")]
    theirs: Annotated[str | int | None, Doc("What the channel shows.")]
    repaired: Annotated[bool, Doc("Whether it was recorded, or the channel is being told again.")]


@frozen
class DifferencesQuery(Closed):
    """Which part of what a channel shows."""

    channel: Annotated[Text, Doc("Id of the channel.")]
    cursor: Cursor = None


def _differences(call: Call[DifferencesQuery, None]) -> Answer[Page[DifferenceDocument]]:
    found, after = _found(call)
    return Answer({"items": [_document(each, repaired=False) for each in found], "next": after})


def _repair(call: Call[DifferencesQuery, None]) -> Answer[Page[DifferenceDocument]]:
    found, after = _found(call)
    queue = Queue(clients.sqs(), settings.read(settings.Api).publish_queue_url)
    table, network = process.table(), process.network()
    channel = need_channel(network, call.query.channel)
    repaired = [_document(each, mend(table, network, queue, channel, each, call.now)) for each in found]
    return Answer({"items": repaired, "next": after})


def _found(call: Call[DifferencesQuery, None]) -> tuple[Iterator[Difference], str | None]:
    name = call.query.channel
    need_channel(process.network(), name)
    begin = cursors.span(_ONE, call.query.cursor, call.filters).after
    try:
        shown, after = page(_apis().open(name), str(begin["page"]) if begin else None)
    except Unavailable as error:
        raise Problem(Code.UNAVAILABLE, str(error), "channel") from None
    found = check_page(process.table(), process.network(), name, shown, call.now)
    return found, cursors.encode({"page": after} if after else None, call.filters)


def _document(found: Difference, repaired: bool) -> DifferenceDocument:
    return {
        "kind": found.kind,
        "item_id": found.item_id,
        "sku": found.sku,
        "ours": found.ours,
        "theirs": found.theirs,
        "repaired": repaired,
    }


@cache
def _apis() -> ChannelApis:
    configured = settings.read(settings.Api)
    return ChannelApis(ChannelSecrets(configured.channel_secret_prefix), Client(configured.reach))


_PROBLEMS = (
    Code.NOT_FOUND,
    Code.CHANNEL_UNKNOWN,
    Code.CHANNEL_REFUSED,
    Code.FIELD_MISSING,
    Code.UNSUPPORTED,
    Code.UNAVAILABLE,
    Code.CURSOR_INVALID,
)
_PAGED = (
    "What the channel lists is read from it now, a page of its own at a time: an empty page with a `next` is "
    "not the last. Stock that moves meanwhile may differ. What the channel does not list any more only "
    "`oms listings check` finds."
)

ROUTES = (
    Route(
        "GET",
        "/listings/differences",
        Scope.CATALOGUE_READ,
        "Show in what a channel's listings differ from what we have",
        _differences,
        Page[DifferenceDocument],
        query=DifferencesQuery,
        problems=_PROBLEMS,
        description=_PAGED,
    ),
    Route(
        "POST",
        "/listings/repair",
        Scope.CATALOGUE_WRITE,
        "Mend what differs",
        _repair,
        Page[DifferenceDocument],
        query=DifferencesQuery,
        problems=_PROBLEMS,
        description="Listings that we did not know, or knew as another sku, are recorded; stock, titles and "
        "prices are told again where the channel is told of them. The others are left to a person. To repair "
        f"again is harmless. {_PAGED}",
    ),
)
