"""Subscribe: say which endpoint is told of which events, and give it the secret that signs what it gets."""

import base64
from collections.abc import Callable
from datetime import datetime

from oms.events.subscribers import (
    KIND,
    Subscriber,
    check_types,
    decode_subscriber,
    encode_subscriber,
    partition,
)
from oms.problems import Code, Problem
from oms.runtime.secrets import Keys
from oms.store import keys
from oms.store.table import Table
from oms.store.writes import create
from oms.store.writes import replace as replacing
from oms.usecases.preconditions import check_id, check_version
from oms.usecases.races import settle
from oms.values import frozen, replace


@frozen
class Subscribed:
    """A subscriber as it stands; `secret` when this command made one, None otherwise."""

    subscriber: Subscriber
    secret: str | None = None


def subscribe(
    table: Table,
    signing: Keys,
    wanted: Subscriber,
    reachable: Callable[[str], None],
    expected: int | None = None,
) -> Subscribed:
    """Enter a subscriber, or change its endpoint, its events, or whether it is active.

    Making it active forgets its failures. What is the same already is left as it is.

    Args:
        table: the store.
        signing: what secrets are derived from.
        wanted: id, url, events and active count.
        reachable: raises when nothing may be sent to an address.
        expected: the version that it replaces, 0 for none yet; None for any.

    Raises:
        Problem: `field_invalid` or `address_refused`, naming the field; `version_mismatch`.
        Unavailable: the address has a name that leads nowhere.
        Busy: others kept writing it; try again.
    """
    check_id(wanted.id, "id")
    check_types(wanted.events, "events")
    reachable(wanted.url)

    def attempt() -> Subscribed:
        known = find(table, wanted.id)
        if known is None:
            check_version(expected, 0)
            made = replace(wanted, v=1)
            table.commit(create(keys.configuration(KIND, wanted.id), encode_subscriber(made)))
            return Subscribed(made, secret_of(signing, made.id, made.generation))
        changed = replace(known, url=wanted.url, events=wanted.events, active=wanted.active)
        if wanted.active and not known.active or wanted.url != known.url:
            changed = replace(changed, failing_since=None, disabled_reason=None)
        if changed == known:
            return Subscribed(known)
        check_version(expected, known.v)
        return Subscribed(_write(table, known, changed))

    return settle(attempt, f"subscriber {wanted.id}")


def rotate_secret(table: Table, signing: Keys, name: str, expected: int | None, now: datetime) -> Subscribed:
    """Give a subscriber a new secret; the one before signs beside it for a day.

    Args:
        table: the store.
        signing: what secrets are derived from.
        name: the subscriber's id.
        expected: its version, so that a request that is sent again does not rotate again; None for any.
        now: UTC.

    Raises:
        Problem: `not_found`; `version_mismatch`; `state_refused`: the last rotation is less than a day old,
            and the secret that most messages are proved by would be lost.
        Busy: others kept writing it; try again.
    """

    def attempt() -> Subscribed:
        known = need(table, name)
        check_version(expected, known.v)
        if len(known.generations(now)) > 1:
            raise Problem(Code.STATE_REFUSED, "its secret has been rotated within a day", state="rotating")
        rotated = _write(table, known, known.rotated(now))
        return Subscribed(rotated, secret_of(signing, name, rotated.generation))

    return settle(attempt, f"subscriber {name}")


def amend(table: Table, name: str, change: Callable[[Subscriber], Subscriber]) -> Subscriber | None:
    """Change what we know of a subscriber's health; nothing is written when that leaves it as it is.

    Returns:
        The subscriber as it stands now; None when there is none.

    Raises:
        Busy: others kept writing it.
    """

    def attempt() -> Subscriber | None:
        known = find(table, name)
        if known is None:
            return None
        changed = change(known)
        return known if changed == known else _write(table, known, changed)

    return settle(attempt, f"subscriber {name}")


def find(table: Table, name: str, *, consistent: bool = True) -> Subscriber | None:
    """A subscriber by its id."""
    item = table.get(keys.configuration(KIND, name), consistent=consistent)
    return decode_subscriber(item) if item else None


def need(table: Table, name: str) -> Subscriber:
    """A subscriber that must be there.

    Raises:
        Problem: `not_found`.
    """
    found = find(table, name)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"subscriber {name} is not there", "id")
    return found


def subscribers(table: Table) -> tuple[Subscriber, ...]:
    """All there are, by id."""
    return tuple(map(decode_subscriber, table.query(partition(), consistent=True)))


def key_of(signing: Keys, name: str, generation: int) -> bytes:
    """The raw key that signs what a subscriber gets: derived, so that no table and no log holds it."""
    return signing.key(f"subscriber/{name}/{generation}")


def secret_of(signing: Keys, name: str, generation: int) -> str:
    """The same as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(key_of(signing, name, generation)).decode()


def _write(table: Table, known: Subscriber, changed: Subscriber) -> Subscriber:
    written = replace(changed, v=known.v + 1)
    key = keys.configuration(KIND, known.id)
    table.commit(replacing(key, encode_subscriber(written), known.v))
    return written
