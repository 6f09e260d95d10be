"""Settings of the functions: one frozen dataclass each, read from the environment and checked when read.

The name of an environment variable is the field's name in capitals. A field with a default is optional.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from typing import Any

from oms.values import frozen


class SettingsError(Exception):
    """An environment variable that a function needs is missing or malformed; the message names it."""


class StreamFailures(StrEnum):
    """How a stream consumer tells of a failed record: by report, or by raising where reports are ignored."""

    REPORT = "report"
    RAISE = "raise"


class Reach(StrEnum):
    """Whom to call: `public` is https, and addresses of the internet alone for endpoints that strangers name;
    `any` is for a laptop, where everything stands on the loopback interface.
    """

    PUBLIC = "public"
    ANY = "any"


@frozen
class Process:
    """What every function reads, whatever it does."""

    metrics_namespace: str = "oms"
    log_level: str = "INFO"


@frozen
class Webhooks:
    """Settings of `webhooks`; inbound_max_bytes bounds a queued message, attributes included."""

    channel_secret_prefix: str
    inbound_queue_url: str
    inbound_max_bytes: int


@frozen
class Api:
    """Settings of `api`; keys_secret names the secret that look-up hashes and cursors are keyed with.

    `connectors` names the queues that requests to locations can go out on; `reach` says which endpoints may
    subscribe, and which channels may be asked what they list.
    """

    table_name: str
    keys_secret: str
    channel_secret_prefix: str
    connectors: tuple[str, ...]
    publish_queue_url: str
    reach: Reach


@frozen
class Table:
    """Settings of the functions that need the table alone."""

    table_name: str


@frozen
class Intake:
    """Settings of `intake`."""

    table_name: str
    hot_lane_queue_url: str
    publish_queue_url: str


@frozen
class HotLane:
    """Settings of `hot_lane`; what can never be placed goes straight to the dead letters."""

    table_name: str
    hot_lane_dead_letters_url: str


@frozen
class Outbox:
    """Settings of `outbox`; requests_queue_urls has the queue of each connector to locations."""

    bus_name: str
    sourcing_queue_url: str
    requests_queue_urls: Mapping[str, str]
    stream_failures: StreamFailures


@frozen
class Availability:
    """Settings of `availability`; the queue `ats` gathers changes, `publish` is for what cannot wait."""

    table_name: str
    sourcing_queue_url: str
    ats_queue_url: str
    publish_queue_url: str
    stream_failures: StreamFailures


@frozen
class Publisher:
    """Settings of `publisher`; what is postponed goes back to its own queue."""

    table_name: str
    keys_secret: str
    channel_secret_prefix: str
    inbound_queue_url: str
    publish_queue_url: str
    ats_queue_url: str
    reach: Reach


@frozen
class Clock:
    """Settings of `clock`."""

    table_name: str
    clock_queue_url: str
    sourcing_queue_url: str


@frozen
class Sourcing:
    """Settings of `sourcing`; what one message does not finish goes back to its own queue."""

    table_name: str
    sourcing_queue_url: str


FUNCTIONS: Mapping[str, type[Any]] = {
    "webhooks": Webhooks,
    "intake": Intake,
    "hot_lane": HotLane,
    "api": Api,
    "authorizer": Table,
    "outbox": Outbox,
    "availability": Availability,
    "sourcing": Sourcing,
    "fulfillment": Table,
    "returns": Table,
    "publisher": Publisher,
    "clock": Clock,
}
"""The settings of each function, by the name of its folder."""


def variables(kind: type[Any]) -> frozenset[str]:
    """Names of the environment variables that one kind of settings reads."""
    return frozenset(field.name.upper() for field in fields(kind))


def read[T](kind: type[T]) -> T:
    """Read one kind of settings from the environment.

    Args:
        kind: one of the dataclasses of this module.

    Raises:
        SettingsError: a variable without default is not set, or its value does not parse.
    """
    values: dict[str, object] = {}
    for field in fields(kind):  # type: ignore[arg-type]  # every kind is a dataclass
        name = field.name.upper()
        raw = os.environ.get(name)
        if raw is None:
            if field.default is MISSING:
                raise SettingsError(f"environment variable {name} is not set ({kind.__name__} needs it)")
            continue
        try:
            values[field.name] = _PARSERS[field.type](raw)
        except ValueError as error:
            raise SettingsError(f"environment variable {name} cannot be read: {error}") from error
    return kind(**values)


def _text(raw: str) -> str:
    if not raw:
        raise ValueError("it is empty")
    return raw


def _texts(raw: str) -> tuple[str, ...]:
    return tuple(map(_text, raw.split(",")))


def _text_by_name(raw: str) -> Mapping[str, str]:
    parsed = json.loads(raw)
    if not isinstance(parsed, dict) or not all(isinstance(value, str) for value in parsed.values()):
        raise ValueError("it must be a JSON object of strings")
    return parsed


_PARSERS: Mapping[object, Callable[[str], object]] = {
    str: _text,
    int: int,
    tuple[str, ...]: _texts,
    StreamFailures: StreamFailures,
    Reach: Reach,
    Mapping[str, str]: _text_by_name,
}
