"""`oms import skus`, `positions` and `supplies`: a retailer's catalogue and stock from files."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path
from typing import Any

from functions.api.catalogue import SkuBody
from functions.api.fields import Closed, Moment, Text, Units, utc
from functions.api.supply import SupplyBody
from infra.cli.arguments import moment, whole
from infra.cli.rows import Row, Split, read_rows
from infra.cli.target import add_stack_argument, opened
from oms.inventory.model import Supply, SupplyKind
from oms.inventory.network import Channel, Network
from oms.problems import Code, Problem
from oms.store.configuration import read_network
from oms.store.errors import Busy
from oms.store.stock import read_places, read_skus
from oms.store.table import Table
from oms.usecases.announce_supply import announce_supply
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.describe_sku import describe_sku, says_the_same
from oms.usecases.preconditions import check_sku
from oms.values import frozen, replace

_BATCH = 400
"""Rows that are read ahead: what is there already is read for all of them together."""

_ACTOR = "oms import"
_BAR = 30


_WORKERS = whole(1, 64, "between 1 and 64 rows are written at a time")


@frozen(kw_only=True)
class SkuRow(SkuBody):
    """A catalogue entry."""

    sku: Text

    @property
    def key(self) -> Hashable:
        """What only one row may speak of."""
        return self.sku


@frozen(kw_only=True)
class PositionRow(Closed):
    """What was found at a position."""

    sku: Text
    location: Text
    on_hand: Units
    as_of: Moment | None = None
    reason: Text = "import"

    @property
    def key(self) -> Hashable:
        """What only one row may speak of."""
        return self.sku, self.location


@frozen(kw_only=True)
class SupplyRow(SupplyBody):
    """Units of a sku in a purchase order."""

    sku: Text
    supply: Text

    @property
    def key(self) -> Hashable:
        """What only one row may speak of."""
        return self.sku, self.supply


@frozen
class Into:
    """Where rows go: the store and its network, the channel whose ids they have, the time of their counts."""

    table: Table
    network: Network
    channel: Channel | None
    as_of: datetime | None
    now: datetime

    def location(self, name: str) -> str:
        """Our id of a location.

        Raises:
            Problem: the channel has no such location.
        """
        if self.channel is None:
            return name
        if name not in self.channel.locations:
            detail = (
                f"channel {self.channel.id} has no location {name}; PUT /configuration/channel/{{id}} maps it"
            )
            raise Problem(Code.FIELD_INVALID, detail, "location")
        return self.channel.locations[name]


@frozen
class Kind[R: (SkuRow, PositionRow, SupplyRow), Known]:
    """What a file may hold.

    Attributes:
        help: in a line.
        row: the type of its rows.
        split: for columns of CSV that are more than a text.
        complete: a row with what the command line says of all.
        known: what is there already of some rows.
        write: one row; whether that has changed anything.
        last: whether a row must wait until all others are written.
    """

    help: str
    row: type[R]
    split: Split
    complete: Callable[[Into, R], R]
    known: Callable[[Into, Sequence[R]], Known]
    write: Callable[[Into, R, Known], bool]
    last: Callable[[R], bool] = lambda row: False


def _describe(into: Into, row: SkuRow, known: Mapping[str, Any]) -> bool:
    entry, seen = row.entry(row.sku), known.get(row.sku)
    if seen is not None and says_the_same(entry, seen):
        return False
    describe_sku(into.table, entry)
    return True


def _dated(into: Into, row: PositionRow) -> PositionRow:
    as_of = row.as_of or into.as_of
    if as_of is None:
        raise Problem(Code.FIELD_MISSING, "when was it counted? give a column or --as-of", "as_of")
    return replace(row, location=into.location(row.location), as_of=utc(as_of))


def _count(into: Into, row: PositionRow, known: Mapping[tuple[str, str], Any]) -> bool:
    assert row.as_of is not None, "rows are dated before they are written"
    found = Count(row.sku, row.location, row.on_hand, row.as_of, row.reason, _ACTOR)
    seen = known[row.sku, row.location]
    return count_stock(into.table, into.network, found, into.now, seen).applied


def _announce(into: Into, row: SupplyRow, known: None) -> bool:
    wanted = Supply(row.sku, row.supply, SupplyKind.PURCHASE_ORDER, row.location, utc(row.due), row.expected)
    announce_supply(into.table, into.network, wanted)
    return True


def _codes(text: str) -> list[dict[str, str]]:
    """`ean=4006381333931|vendor=V 1` as JSON has it."""
    pairs = (one.partition("=") for one in text.split("|"))
    return [{"kind": kind.strip(), "value": value.strip()} for kind, _, value in pairs]


def _safety_stock(text: str) -> list[dict[str, str]]:
    """`2|1@store|0@store@pickup`, units, where and for which delivery method, as JSON has it."""
    names = ("units", "location", "method")
    rules = (zip(names, one.split("@", 2), strict=False) for one in text.split("|"))
    return [{name: value.strip() for name, value in rule if value.strip()} for rule in rules]


def _prices(text: str) -> list[dict[str, str]]:
    """`1490@EUR|1590@EUR@shop-fr`, minor units, their currency and where, as JSON has it."""
    names = ("amount", "currency", "channel")
    prices = (zip(names, one.split("@", 2), strict=False) for one in text.split("|"))
    return [{name: value.strip() for name, value in price if value.strip()} for price in prices]


def _kit(text: str) -> list[dict[str, str]]:
    """`MUG=2@950|SPOON=1`, units and what a unit counts for, as JSON has it."""
    components = []
    for one in text.split("|"):
        sku, _, said = one.rpartition("=")
        units, at, weight = said.partition("@")
        component = {"sku": sku.strip(), "per_bundle": units.strip()}
        components.append(component | ({"weight": weight.strip()} if at else {}))
    return components


KINDS: Mapping[str, Kind[Any, Any]] = {
    "skus": Kind(
        "catalogue entries: sku, title, unit, scale, weight_g, tracked, requires, ships_with, codes, kit, "
        "first_release_at, safety_stock, prices",
        SkuRow,
        {
            "tracked": str.lower,
            "codes": _codes,
            "kit": _kit,
            "requires": lambda text: text.split("|"),
            "safety_stock": _safety_stock,
            "prices": _prices,
        },
        complete=lambda into, row: row,
        known=lambda into, rows: read_skus(into.table, (row.sku for row in rows)),
        write=_describe,
        last=lambda row: bool(row.kit),
    ),
    "positions": Kind(
        "counts of stock: sku, location, on_hand, as_of, reason",
        PositionRow,
        {},
        complete=_dated,
        known=lambda into, rows: read_places(into.table, ((row.sku, row.location) for row in rows)),
        write=_count,
    ),
    "supplies": Kind(
        "units that vendors will deliver: sku, supply, location, due, expected",
        SupplyRow,
        {},
        complete=lambda into, row: replace(row, location=into.location(row.location)),
        known=lambda into, rows: None,
        write=_announce,
    ),
}
"""What can be imported, by the name of the command."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `import` group to the `oms` command."""
    group = subparsers.add_parser("import", help="import catalogue, stock and supply from files")
    add_stack_argument(group)
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, kind in KINDS.items():
        command = commands.add_parser(
            name,
            help=kind.help,
            description=f"Import {kind.help}. A row that cannot be taken is told on stderr with its line, as "
            "JSON, and all others are taken. To import a file again changes nothing, so that an import that "
            "was interrupted is simply started again. Exits with 1 when a row was refused.",
        )
        command.set_defaults(run=run, kind=kind, channel=None, as_of=None)
        command.add_argument("file", type=Path, help="CSV with the names of its columns, or JSON lines")
        command.add_argument(
            "--workers",
            type=_WORKERS,
            default=8,
            help="rows that are written at a time (default: 8)",
        )
        if kind.row is not SkuRow:
            command.add_argument("--channel", metavar="ID", help="whose ids of locations the file has")
        if kind.row is PositionRow:
            command.add_argument("--as-of", type=moment, help="when rows without as_of were counted")


def run(args: argparse.Namespace) -> int:
    """Import a file, and print how many rows were new, there already, and refused."""
    with opened(args.stack) as stack:
        network = read_network(stack.table)
        if args.channel is not None and args.channel not in network.channels:
            raise Problem(Code.CHANNEL_UNKNOWN, f"channel {args.channel} is not configured", "channel")
        channel = network.channels[args.channel] if args.channel else None
        into = Into(stack.table, network, channel, args.as_of, datetime.now(UTC))
        with ThreadPoolExecutor(args.workers) as pool:
            tally = _Import(into, args.kind, pool).read(args.file)
    print(json.dumps(tally))
    return int(tally["refused"] > 0)


class _Import[R: (SkuRow, PositionRow, SupplyRow), Known]:
    def __init__(self, into: Into, kind: Kind[R, Known], pool: ThreadPoolExecutor) -> None:
        self._into = into
        self._kind: Kind[R, Known] = kind
        self._pool = pool
        self._lines: dict[Hashable, int] = {}
        self._tally = Counter(written=0, unchanged=0, refused=0)

    def read(self, path: Path) -> dict[str, int]:
        show = _progress(path)
        last: list[tuple[int, R]] = []
        for batch in batched(read_rows(path, self._kind.row, self._kind.split), _BATCH, strict=False):
            taken = [taken for row in batch if (taken := self._taken(row))]
            last += (one for one in taken if self._kind.last(one[1]))
            self._write([one for one in taken if not self._kind.last(one[1])])
            show(batch[-1].end, self._tally.total())
        for rest in batched(last, _BATCH, strict=False):
            self._write(rest)
        return dict(self._tally)

    def _taken(self, row: Row[R]) -> tuple[int, R] | None:
        """A row that can be written, with its line."""
        try:
            if isinstance(row.said, Problem):
                raise row.said
            said = self._kind.complete(self._into, row.said)
            check_sku(said.sku, "sku")
            line = self._lines.setdefault(said.key, row.line)
            if line != row.line:
                raise Problem(Code.CONFLICT, f"line {line} speaks of the same: only one can be meant", "sku")
        except Problem as problem:
            self._refuse(row.line, problem)
            return None
        return row.line, said

    def _write(self, rows: Sequence[tuple[int, R]]) -> None:
        if not rows:
            return
        known = self._kind.known(self._into, [row for _, row in rows])
        outcomes = self._pool.map(lambda one: self._outcome(one[1], known), rows)
        for (line, _), outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, Problem):
                self._refuse(line, outcome)
            else:
                self._tally["written" if outcome else "unchanged"] += 1

    def _outcome(self, row: R, known: Known) -> bool | Problem:
        try:
            changed: bool = self._kind.write(self._into, row, known)
            return changed
        except Problem as problem:
            return problem
        except Busy as busy:
            return Problem(Code.UNAVAILABLE, f"{busy}: import the file again")

    def _refuse(self, line: int, problem: Problem) -> None:
        self._tally["refused"] += 1
        print(json.dumps({"line": line} | problem.body(), ensure_ascii=False), file=sys.stderr)


def _progress(path: Path) -> Callable[[int, int], None]:
    """Shows on a terminal how far a file has been read."""
    begin, size = time.monotonic(), max(1, path.stat().st_size)

    def show(end: int, rows: int) -> None:
        bar = "#" * (_BAR * end // size)
        rate = rows / max(0.001, time.monotonic() - begin)
        print(f"\r[{bar:{_BAR}}] {rows} rows, {rate:.0f}/s", end="", file=sys.stderr, flush=True)
        if end == size:
            print(file=sys.stderr)

    return show if sys.stderr.isatty() else lambda end, rows: None
