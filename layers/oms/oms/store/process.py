"""The process's table and network: opened when first asked for, shared by everything that runs in it."""

from datetime import UTC, datetime
from functools import cache

from oms.inventory.network import Network
from oms.runtime import clients, settings
from oms.store.configuration import NetworkReader, read_network
from oms.store.loads import loaded
from oms.store.table import Table


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


def reset() -> None:
    """Forget both, so that the next use sees the environment as it is then."""
    table.cache_clear()
    _reader.cache_clear()
