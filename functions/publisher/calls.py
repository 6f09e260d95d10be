"""What the tasks of publisher share: its settings and clients, and how a channel is called, now or later."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from oms.channels.exchange import Api, Unavailable
from oms.events.publish import Queue
from oms.runtime import clients, logger, metrics, settings
from oms.runtime.channel_api import ChannelApis
from oms.runtime.http import Client
from oms.runtime.metrics import Metric
from oms.runtime.secrets import ChannelSecrets
from oms.store import process
from oms.usecases.postponing import CHANNEL_WAITS_S, postponed

type Document = Mapping[str, Any]
"""A message, as JSON has it."""


@cache
def configured() -> settings.Publisher:
    """Read once for the process."""
    return settings.read(settings.Publisher)


@cache
def client() -> Client:
    """One for the process, which remembers the hosts that are down."""
    return Client(configured().reach)


@cache
def apis() -> ChannelApis:
    """Of all channels, for the process."""
    return ChannelApis(ChannelSecrets(configured().channel_secret_prefix), client())


def queue() -> Queue:
    """Takes what is to be done later, or by itself."""
    return Queue(clients.sqs(), configured().publish_queue_url)


def called(channel: str) -> bool:
    """Whether a channel has an API; one without is not told of anything, and that is no failure."""
    found = apis().there_for(channel)
    logger.note(channel=channel, called=found)
    return found


def open_api(channel: str) -> Api:
    """The API of a channel that is to be told something.

    Raises:
        Unavailable: it is paused; what waits for it is told later, or found among the dead letters.
        Problem: as `ChannelApis.open` does.
    """
    known = process.network().channels.get(channel)
    if known is not None and known.paused:
        raise Unavailable("the channel is paused")
    return apis().open(channel)


def or_later(call: Callable[[], None], channel: str, document: Document, now: datetime) -> None:
    """Call a channel; when it gives no answer that counts, the message comes back later.

    Raises:
        Unavailable: it was the last try, and the dead letters keep the message.
    """
    logger.note(channel=channel)
    try:
        call()
    except Unavailable as error:
        metrics.add(Metric.CHANNELS_UNAVAILABLE, channel=channel)
        again = postponed(document, logger.correlation_id(), now, CHANNEL_WAITS_S, error.after_s)
        if again is None:
            raise
        queue().send([again])
        logger.note(postponed=True)
