"""The process's table, network and readers: made when first asked for, shared by all that runs in it."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache

from oms.inventory.network import Network
from oms.runtime import clients, settings
from oms.store.configuration import NetworkReader, read_network
from oms.store.loads import loaded
from oms.store.table import Table

_MOST_READERS = 16
"""Reads of a process under way; its client has connections for twice as many."""


@cache
def table() -> Table:
    """The table named in the environment."""
    return Table(clients.dynamodb(), settings.read(settings.Table).table_name)


@cache
def _reader() -> NetworkReader:
    return NetworkReader(table(), read=lambda table: loaded(table, read_network(table), datetime.now(UTC)))


def network(*channels: str) -> Network:
    """The configured network with the loads of its locations, as of at most 30 seconds ago.

    It is read anew where it does not know the channels of those who ask: they may have been configured since.
    """
    return _reader()(*channels)


def readers() -> ThreadPoolExecutor:
    """Threads for reads in parallel; to start them anew for each order takes more than the reads."""
    return _readers(os.getpid())  # threads do not come along into a forked process


@cache
def _readers(pid: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MOST_READERS)


def reset() -> None:
    """Forget all of it, so that the next use sees the environment as it is then."""
    for made in (table, _reader, _readers):
        made.cache_clear()
