"""Check the ledger: prove every position and demand from what claims them, without stopping anybody.

Orders and transfers claim what is allocated, rows of reservations what is reserved. A first pass over the
whole table may be wrong about what moves while it reads: it only finds suspects. They are read, then all that
claims anything, then what claims them and the suspects themselves again. What changes a claim on a position
raises the position's version in the same transaction; so one whose version is still the same has been
compared with all of its claims as they were at one moment.

A demand has no version. Its waiting units are as before, and so are the claims of every order seen: then what
newer orders may have claimed adds up to nothing, and as claims are never negative, none of them has any. So
its state counts as unchanged by the same rule, with its waiting units as the mark.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from oms.inventory.ledger import Account, Book, Finding, audit_demand, audit_position
from oms.inventory.model import Delta, Demand, Position
from oms.inventory.transfers import claimed
from oms.orders.claims import awaited, promised
from oms.store.attributes import Item
from oms.store.errors import Cancelled
from oms.store.keys import Key
from oms.store.ledger import account_key, mend, scan
from oms.store.orders import decode_order
from oms.store.reservations import decode_reserved
from oms.store.stock import decode_demand, decode_position
from oms.store.table import Table
from oms.store.transfers import decode_transfer
from oms.store.writes import Why
from oms.values import frozen

ROUNDS = 5
"""How often suspects that moved meanwhile are looked at again."""

type Claims = dict[Account, dict[Key, Delta]]
"""What is allocated or reserved of an account, by the item that claims it; what waits counts as allocated."""

type Progress = Callable[[int], None]
"""Told how many more items have been looked at; called from several threads."""


@frozen
class Checked:
    """What a check has seen: counters proved wrong, and suspects that moved whenever they were looked at."""

    findings: tuple[Finding, ...]
    unsettled: tuple[Account, ...]
    accounts: int
    orders: int


@dataclass(slots=True)
class _Survey:
    """What one pass over a part of the table has seen, at no single moment."""

    kept: dict[Account, Position | Demand] = field(default_factory=dict)
    claimed: dict[Account, Delta] = field(default_factory=dict)
    orders: int = 0

    def add(self, other: "_Survey") -> None:
        self.kept |= other.kept
        self.claim(other.claimed)
        self.orders += other.orders

    def claim(self, claims: Mapping[Account, Delta]) -> None:
        for account, claim in claims.items():
            self.claimed[account] = self.claimed.get(account, Delta()) + claim


def check_ledger(table: Table, *, segments: int = 4, progress: Progress = lambda items: None) -> Checked:
    """Find every position and demand whose counters are not what its orders make them; change nothing.

    Reads the whole table once, and once more for each round in which there are suspects left.

    Args:
        table: the store.
        segments: how many parts of the table are read at a time.
        progress: told what has been looked at.
    """
    survey = _in_parallel(table, segments, partial(_survey, progress=progress))
    whole = _Survey()
    for part in survey:
        whole.add(part)
    suspects = {
        account
        for account in whole.kept.keys() | whole.claimed.keys()
        if _audit(account, whole.kept.get(account), whole.claimed.get(account, Delta()))
    }
    findings: list[Finding] = []
    for _ in range(ROUNDS):
        if not suspects:
            break
        settled, wrong = _look_again(table, suspects, segments, progress)
        suspects -= settled
        findings += wrong
    return Checked(
        tuple(sorted(findings, key=lambda finding: _place_of(finding.account))),
        tuple(sorted(suspects, key=_place_of)),
        len(whole.kept),
        whole.orders,
    )


def repair(table: Table, finding: Finding, actor: str, now: datetime) -> bool:
    """Set counters right; False when they have changed since they were found, and are left alone.

    Args:
        table: the store.
        finding: what is wrong.
        actor: who repairs; stands in the movement.
        now: UTC.
    """
    try:
        table.commit(mend(finding, Why("ledger_repair", str(finding.seen), actor, now)))
    except Cancelled:
        return False
    return True


def _survey(table: Table, segment: int, segments: int, *, progress: Progress) -> _Survey:
    survey = _Survey()
    for item in scan(table, segment, segments, *_CLAIMS, "position", "demand", on_page=progress):
        if item["t"] in _CLAIMS:
            survey.claim(_claims(item))
            survey.orders += item["t"] == "order"
        else:
            survey.kept.update((_account(item),))
    return survey


def _look_again(
    table: Table, suspects: Collection[Account], segments: int, progress: Progress
) -> tuple[set[Account], list[Finding]]:
    """The suspects that did not move while they were looked at, and what is wrong with them."""
    before = _read(table, suspects)
    read = partial(_claims_on, suspects=suspects, progress=progress)
    claims: Claims = {account: {} for account in suspects}
    for part in _in_parallel(table, segments, read):
        for account, units in part.items():
            claims[account] |= units
    again: Claims = {account: {} for account in suspects}
    claimants = {key for units in claims.values() for key in units}
    _collect(again, table.get_many(sorted(claimants), consistent=True))
    after = _read(table, suspects)
    settled = {
        account
        for account in suspects
        if _mark(before.get(account)) == _mark(after.get(account)) and claims[account] == again[account]
    }
    audits = (
        _audit(account, after.get(account), sum(again[account].values(), Delta()))
        for account in sorted(settled, key=_place_of)
    )
    return settled, [finding for finding in audits if finding]


def _in_parallel[T](table: Table, segments: int, read: Callable[[Table, int, int], T]) -> list[T]:
    with ThreadPoolExecutor(segments) as pool:
        return list(pool.map(lambda segment: read(table, segment, segments), range(segments)))


def _claims_on(
    table: Table, segment: int, segments: int, *, suspects: Collection[Account], progress: Progress
) -> Claims:
    claims: Claims = {account: {} for account in suspects}
    _collect(claims, scan(table, segment, segments, *_CLAIMS, on_page=progress))
    return claims


def _collect(claims: Claims, items: Iterable[Item]) -> None:
    """Enter what items claim of the accounts there."""
    for item in items:
        for account, claim in _claims(item).items():
            if account in claims:
                claims[account][Key(str(item["PK"]), str(item["SK"]))] = claim


def _claims(item: Item) -> Mapping[Account, Delta]:
    return _CLAIMS[str(item["t"])](item)


def _of_order(item: Item) -> Mapping[Account, Delta]:
    order = decode_order(item)
    return _allocated(Book.POSITION, promised(order)) | _allocated(Book.DEMAND, awaited(order))


def _of_transfer(item: Item) -> Mapping[Account, Delta]:
    return _allocated(Book.POSITION, claimed(decode_transfer(item)))


def _of_row(item: Item) -> Mapping[Account, Delta]:
    row = decode_reserved(item)
    return {Account(Book.POSITION, row.sku, row.location): Delta(reserved=row.units)}


def _allocated(book: Book, units: Mapping[tuple[str, str], int]) -> dict[Account, Delta]:
    return {Account(book, *place): Delta(allocated=number) for place, number in units.items()}


_CLAIMS: Mapping[str, Callable[[Item], Mapping[Account, Delta]]] = {
    "order": _of_order,
    "transfer": _of_transfer,
    "reserved": _of_row,
}
"""What items claim of stock, by their type."""


def _read(table: Table, accounts: Iterable[Account]) -> Mapping[Account, Position | Demand]:
    return dict(map(_account, table.get_many(map(account_key, accounts), consistent=True)))


def _account(item: Item) -> tuple[Account, Position | Demand]:
    if item["t"] == "position":
        position = decode_position(item)
        return Account(Book.POSITION, position.sku, position.location), position
    demand = decode_demand(item)
    return Account(Book.DEMAND, demand.sku, demand.pool), demand


def _audit(account: Account, kept: Position | Demand | None, claim: Delta) -> Finding | None:
    """What is wrong with an account; one that is not there has nothing in it."""
    if account.book is Book.POSITION:
        position = kept if isinstance(kept, Position) else Position(account.sku, account.place)
        return audit_position(position, claim.allocated, claim.reserved)
    demand = kept if isinstance(kept, Demand) else Demand(account.sku, account.place)
    return audit_demand(demand, claim.allocated)


def _mark(kept: Position | Demand | None) -> int:
    """What tells that an account has not changed."""
    return kept.v if isinstance(kept, Position) else kept.waiting if kept else 0


def _place_of(account: Account) -> tuple[str, str, str]:
    return account.sku, account.book, account.place
