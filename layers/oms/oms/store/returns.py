"""Codecs of returns and refunds, and the reading of them."""

from collections.abc import Mapping
from typing import Any, cast

from oms.payments.refunds import Refund, RefundLine, RefundState
from oms.returns.model import Outcome, Place, Return, ReturnLine
from oms.store import keys
from oms.store.attributes import Item, Value
from oms.store.journal import decode_journal, encode_journal
from oms.store.table import Table

_COUNTERS = {
    "requested": "rq",
    "approved": "ap",
    "rejected": "rj",
    "cancelled": "ca",
    "expired": "xp",
    "lost": "lo",
    "kept": "kp",
}


def read_returns(table: Table, order_id: str, *, consistent: bool = False) -> dict[str, Return]:
    """The returns of an order, by id."""
    items = table.query(keys.order(order_id), keys.RETURN, consistent=consistent)
    returns = (decode_return(item) for item in items)
    return {return_.id: return_ for return_ in returns}


def read_refunds(table: Table, order_id: str, *, consistent: bool = False) -> dict[str, Refund]:
    """The refunds of an order, by id."""
    items = table.query(keys.order(order_id), keys.REFUND, consistent=consistent)
    refunds = (decode_refund(item) for item in items)
    return {refund.id: refund for refund in refunds}


def find_return(table: Table, number: str) -> Return | None:
    """The return of an RMA number, or None; one just written may take a moment to be found."""
    found, _ = table.keys_in_index("GSI2", keys.rma(number), limit=1)
    item = table.get(found[0]) if found else None
    return decode_return(item) if item else None


def encode_return(return_: Return) -> Item:
    """A return's attributes, without its key; in GSI2 under its number."""
    return {
        "t": "return",
        "sv": 1,
        "v": return_.v,
        "ref": return_.reference,
        "ln": [_encode_line(line) for line in return_.lines],
        "j": encode_journal(return_.journal),
        "GSI2PK": keys.rma(return_.id),
        "GSI2SK": return_.order_id,
    }


def decode_return(item: Item) -> Return:
    """A return from its item, key included."""
    stored = cast(dict[str, Any], item)
    return Return(
        order_id=stored["PK"].removeprefix(keys.ORDER),
        id=stored["SK"].removeprefix(keys.RETURN),
        reference=stored["ref"],
        lines=tuple(_decode_line(line) for line in stored["ln"]),
        v=stored["v"],
        journal=decode_journal(stored["j"]),
    )


def encode_refund(refund: Refund) -> Item:
    """A refund's attributes, without its key."""
    return {
        "t": "refund",
        "sv": 1,
        "v": refund.v,
        **({"ret": refund.return_id} if refund.return_id else {}),
        "cu": refund.currency,
        "a": refund.amount,
        "st": str(refund.state),
        "ln": [[line.line_id, line.units, line.amount, line.tax] for line in refund.lines],
        "j": encode_journal(refund.journal),
    }


def decode_refund(item: Item) -> Refund:
    """A refund from its item, key included."""
    stored = cast(dict[str, Any], item)
    return Refund(
        order_id=stored["PK"].removeprefix(keys.ORDER),
        id=stored["SK"].removeprefix(keys.REFUND),
        return_id=stored.get("ret"),
        currency=stored["cu"],
        amount=stored["a"],
        lines=tuple(RefundLine(*line) for line in stored["ln"]),
        state=RefundState(stored["st"]),
        v=stored["v"],
        journal=decode_journal(stored["j"]),
    )


def _encode_line(line: ReturnLine) -> Value:
    stored: dict[str, Value] = {"i": line.line_id}
    stored |= {short: getattr(line, name) for name, short in _COUNTERS.items() if getattr(line, name)}
    optional: dict[str, Value | None] = {
        "s": line.sku,
        "why": line.reason,
        "pl": [_encode_place(place) for place in line.places] or None,
    }
    return stored | {name: value for name, value in optional.items() if value is not None}


def _decode_line(stored: Mapping[str, Any]) -> ReturnLine:
    return ReturnLine(
        line_id=stored["i"],
        sku=stored.get("s"),
        reason=stored.get("why"),
        places=tuple(_decode_place(place) for place in stored.get("pl", ())),
        **{name: stored.get(short, 0) for name, short in _COUNTERS.items()},
    )


def _encode_place(place: Place) -> Value:
    return [place.location, place.reported, {str(name): units for name, units in place.disposed.items()}]


def _decode_place(stored: list[Any]) -> Place:
    location, reported, disposed = stored
    return Place(location, reported, {Outcome(name): units for name, units in disposed.items()})
