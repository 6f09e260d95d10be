"""What must hold of a request before it may write."""

import re
from datetime import datetime, timedelta

from oms.inventory.network import Location, Network
from oms.problems import Code, Problem

_CLOCK_SKEW = timedelta(minutes=1)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def check_version(expected: int | None, v: int) -> None:
    """Refuse a write whose caller has seen another version.

    Args:
        expected: the version seen; 0 for a thing that is not there yet; None when the caller does not mind.
        v: the version that stands.

    Raises:
        Problem: `version_mismatch`.
    """
    if expected is not None and expected != v:
        raise Problem(Code.VERSION_MISMATCH, f"version {v} stands, {expected} was expected", "If-Match")


def check_id(value: str, field: str) -> None:
    """Refuse an id that cannot stand in keys, paths and queue names.

    Raises:
        Problem: `field_invalid`, naming `field`.
    """
    if not _ID.fullmatch(value):
        detail = "an id has up to 64 letters, digits, '.', '_' and '-', a letter or digit first"
        raise Problem(Code.FIELD_INVALID, detail, field)


def check_sku(value: str, field: str) -> None:
    """Refuse a name that no sku can have: whoever asked for it by its path would not find it.

    Raises:
        Problem: `field_invalid`, naming `field`.
    """
    if not value.isprintable() or not value.strip():
        raise Problem(Code.FIELD_INVALID, "a sku is printable", field)


def check_past(moment: datetime, now: datetime, field: str) -> None:
    """Refuse what is said to happen later than now (UTC), clocks that are a minute fast aside.

    Raises:
        Problem: `field_invalid`, naming `field`.
    """
    if moment > now + _CLOCK_SKEW:
        raise Problem(Code.FIELD_INVALID, "nothing can have happened in the future", field)


def configured_location(network: Network, name: str, field: str = "location") -> Location:
    """The location of a name.

    Raises:
        Problem: `not_found`, naming `field`.
    """
    location = network.locations.get(name)
    if location is None:
        raise Problem(Code.NOT_FOUND, f"location {name} is not configured", field)
    return location
