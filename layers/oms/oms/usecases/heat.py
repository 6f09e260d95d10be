"""Heat: skus over which so many orders meet at once that one transaction for each no longer gets through."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from oms.inventory.model import Stock
from oms.store import keys
from oms.store.errors import Cancelled
from oms.store.keys import Key
from oms.store.table import Table
from oms.store.writes import heat

CONFLICTS = 5
"""Conflicts over one sku in a batch that make it hot."""

HOT_FOR = timedelta(minutes=5)
"""How long it then stays hot: long beside the time in which the conflicts would show it anew."""


class Hot(Exception):
    """An order asks for a hot sku, so that it was not placed; nothing was written. `sku` names its lane."""

    def __init__(self, sku: str) -> None:
        super().__init__(f"sku {sku} is hot")
        self.sku = sku


class Heat:
    """The conflicts that a batch of orders has met, by sku."""

    def __init__(self) -> None:
        self._conflicts: Counter[str] = Counter()

    def met(self, key: Key) -> None:
        """Count a conflict over an item, when it stands under a sku."""
        if key.pk.startswith(keys.SKU):
            self._conflicts[key.pk.removeprefix(keys.SKU)] += 1

    @property
    def risen(self) -> list[str]:
        """Skus that this batch has found hot."""
        return sorted(sku for sku, number in self._conflicts.items() if number >= CONFLICTS)

    def lane(self, stocks: Mapping[str, Stock], now: datetime) -> str | None:
        """The sku whose lane an order belongs into: its hot one, the smallest if several; None if none is.

        Args:
            stocks: stock of every sku of the order.
            now: UTC.
        """
        risen = self.risen
        hot = (
            name for name, stock in stocks.items() if name in risen or (stock.sku and stock.sku.is_hot(now))
        )
        return min(hot, default=None)

    def mark(self, table: Table, now: datetime) -> None:
        """Tell everybody of the skus that this batch has found hot.

        Raises:
            Busy: throttling outlasted the retries.
        """
        for sku in self.risen:
            with suppress(Cancelled):  # gone from the catalogue since
                table.commit(heat(sku, now + HOT_FOR))
