"""Sourcing profiles: write a version, once and for all, and choose which one is active."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from oms.inventory.network import LocationKind, Network
from oms.orders.commands import Method
from oms.problems import Code, Problem
from oms.sourcing.calendar import ANY_SERVICE
from oms.sourcing.profile import USUAL, Asked, Condition, Filter, Offered, Profile
from oms.store import keys
from oms.store.configuration import PROFILE, decode_profile, encode_profile, read_network
from oms.store.errors import Cancelled
from oms.store.table import Table
from oms.store.writes import create, replace
from oms.usecases.configure import version
from oms.usecases.preconditions import check_version
from oms.usecases.races import settle


def write_profile(table: Table, profile: Profile) -> Profile:
    """Keep a version of the sourcing profile; the same content again changes nothing.

    Args:
        table: the store.
        profile: with its version.

    Raises:
        Problem: `field_invalid` for a name that nothing has; `conflict` when the version is there with
            other content: versions never change.
    """
    check_names(profile, read_network(table, consistent=True))
    key = keys.profile(profile.v)
    try:
        table.commit(create(key, encode_profile(profile, 1)))
    except Cancelled:
        if decode_profile(table.get(key)) != profile:
            detail = f"version {profile.v} is there with other content; write the next one"
            raise Problem(Code.CONFLICT, detail, "version") from None
    return profile


def find_profile(table: Table, number: int, field: str = "version") -> Profile:
    """A version of the sourcing profile; 0 is the one that is built in.

    Args:
        table: the store.
        number: of the version.
        field: what the request calls it.

    Raises:
        Problem: `not_found`.
    """
    item = table.get(keys.profile(number)) if number else None
    if number and item is None:
        raise Problem(Code.NOT_FOUND, f"version {number} of the sourcing profile is not there", field)
    return decode_profile(item) if item else USUAL


def list_profiles(table: Table) -> list[Profile]:
    """Every version of the sourcing profile that was written, the oldest first."""
    return [decode_profile(item) for item in table.query(keys.configuration(PROFILE, "").pk, consistent=True)]


def active_profile(table: Table) -> tuple[Profile, int]:
    """The active version, and how often one has been activated."""
    item = table.get(keys.snapshot(PROFILE))
    return decode_profile(item), version(item)


def activate_profile(table: Table, number: int, expected: int | None = None) -> tuple[Profile, int]:
    """Make a version the active one: a new one, or an old one to roll back. Functions read it in 30 seconds.

    Args:
        table: the store.
        number: of the version; 0 for the one that is built in.
        expected: how often one must have been activated before; None for any number.

    Returns:
        The version, and how often one has been activated.

    Raises:
        Problem: `not_found`, `version_mismatch`.
        Busy: somebody else kept activating; try again.
    """
    profile = find_profile(table, number)
    return settle(lambda: _activate(table, profile, expected), "activation of a sourcing profile")


def _activate(table: Table, profile: Profile, expected: int | None) -> tuple[Profile, int]:
    key = keys.snapshot(PROFILE)
    active, v = active_profile(table)
    if v and active == profile:
        return profile, v
    check_version(expected, v)
    item = encode_profile(profile, v + 1)
    table.commit(replace(key, item, v) if v else create(key, item))
    return profile, v + 1


def check_names(profile: Profile, network: Network) -> None:
    """Refuse a name that nothing has: its condition would never hold, or leave every location out.

    Raises:
        Problem: `field_invalid`, with the path to the name of a location, channel, kind or method.
    """
    for kind in profile.costs:
        if kind not in {ANY_SERVICE, *LocationKind}:
            raise Problem(Code.FIELD_INVALID, f"{kind} is no kind of location", f"costs.{kind}")
    known: Mapping[Asked | Offered, tuple[str, Container[str]]] = {
        Asked.CHANNEL: ("channel {} is not configured", network.channels),
        Asked.METHOD: ("{} is no method of delivery", tuple(Method)),
        Offered.LOCATION: (_NO_LOCATION, network.locations),
        Offered.KIND: ("{} is no kind of location", tuple(LocationKind)),
    }
    for index, strategy in enumerate(profile.strategies):
        tests: Mapping[str, tuple[Condition[Any], ...]] = {"when": strategy.when, "filters": strategy.filters}
        for part, conditions in tests.items():
            for number, test in enumerate(conditions):
                path = f"strategies[{index}].{part}[{number}]"
                if test.measure in known:
                    _check_known(test.one_of, *known[test.measure], f"{path}.one_of")
                    _check_known(test.none_of, *known[test.measure], f"{path}.none_of")
                if isinstance(test, Filter):
                    _check_known(test.only, _NO_LOCATION, network.locations, f"{path}.only")


_NO_LOCATION = "location {} is not configured"


def _check_known(names: Iterable[str], otherwise: str, known: Container[str], path: str) -> None:
    for position, name in enumerate(names):
        if name not in known:
            raise Problem(Code.FIELD_INVALID, otherwise.format(name), f"{path}[{position}]")
