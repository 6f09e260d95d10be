"""Bugs to plant: one thing each that the system must not do, which the lab must find.

A bug exchanges a function of the product for one that does it wrong, wherever it is used by its name.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from unittest.mock import patch

from functions.intake import handler as intake
from infra.lab.substitutes import modules
from oms.channels.woocommerce import publish
from oms.events.publish import Bus, Queue
from oms.fulfillment import elsewhere, progress, recall
from oms.inventory import transfers
from oms.inventory.model import Delta, Position
from oms.orders import identity, judgement, placing, replacing, work
from oms.payments import recording, refunds
from oms.returns import model as returns
from oms.runtime import batch
from oms.store import writes
from oms.store.errors import Busy, Cancelled
from oms.store.table import Table
from oms.store.writes import Write
from oms.usecases import count_stock, erase_order, poll_channel, postponing, push_listing
from oms.values import frozen, replace

type Plant = Callable[[ExitStack], None]


@frozen
class Bug:
    """A bug; `plant` puts it in for as long as the stack is open."""

    name: str
    plant: Plant


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """The system with a bug."""
    with ExitStack() as stack:
        bug.plant(stack)
        yield


def everywhere(right: Callable[..., Any], wrong: Callable[..., Any]) -> Plant:
    """Exchange a function in every module that knows it by a name."""

    def plant(stack: ExitStack) -> None:
        found = [(module, name) for module in modules() for name, it in vars(module).items() if it is right]
        assert found, "somebody has it"
        for module, name in found:
            stack.enter_context(patch.object(module, name, wrong))

    return plant


def method(holder: Any, name: str, wrong: Any) -> Plant:
    """Exchange a method of a class or a function of a module."""
    return lambda stack: stack.enter_context(patch.object(holder, name, wrong))


def _without_condition(right: Callable[..., Write], *lost: str) -> Callable[..., Write]:
    """A builder whose writes lose their condition, or of it the parts that name something."""

    def wrong(*args: Any, **kwargs: Any) -> Write:
        write = right(*args, **kwargs)
        parts = (write.condition or "").split(" AND ") if lost else []
        kept = [part for part in parts if not any(name in part for name in lost)]
        text = " ".join([write.update or "", *kept])
        used = {name: value for name, value in write.values.items() if f":{name}" in text}
        return replace(write, condition=" AND ".join(kept) or None, values=used)

    return wrong


def _torn(self: Table, *all_writes: Write) -> None:
    for write in all_writes:
        _commit(self, write)


def _gives_up_quietly(self: Table, *all_writes: Write) -> None:
    with suppress(Busy):
        _commit(self, *all_writes)


def _takes_a_refusal_for_done(self: Table, *all_writes: Write) -> None:
    with suppress(Cancelled):
        _commit(self, *all_writes)


def _first_alone(ids: Sequence[str]) -> batch.Failures:
    return _failures(list(ids)[:1])


def _never_fails(record: batch.Record, handle: batch.Handle) -> bool:
    _handled(record, handle)
    return True


def _sees_nothing_refused(put: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(self: Any, entries: Sequence[Any]) -> dict[int, str]:
        put(self, entries)
        return {}

    return wrong


def _minted(*args: object) -> str:
    return uuid.uuid4().hex[:12].upper()


def _minted_order(channel: str, channel_order_id: str) -> str:
    return f"{_order_id(channel, channel_order_id)[:20]}{uuid.uuid4().hex[:6].upper()}"


def _hands_nothing_on(hot: Sequence[Any]) -> batch.Failures:
    return {"batchItemFailures": []}


def _forgets_what_was_returned(order: Any, returned: Mapping[str, int]) -> Any:
    lines = tuple(replace(line, returned=0) for line in order.lines)
    return _worth(replace(order, lines=lines), returned)


def _moves_twice(*args: Any, **kwargs: Any) -> Write:
    sku, location, delta, *rest = args
    if delta.allocated < 0:
        delta = replace(delta, allocated=2 * delta.allocated)
    return _move(sku, location, delta, *rest, **kwargs)


def _receives_all_again(known: Any, arrived: Sequence[Any], *args: Any) -> Any:
    sent = [replace(one, units=known.transfer.lines[0].sent) for one in arrived]
    return _receive(known, sent, *args)


def _keeps_what_the_cart_held(*args: Any, **kwargs: Any) -> Any:
    return replace(_placed(*args, **kwargs), ended=(), reservation=None)


def _forgets_the_payment(order: Any, command: Any) -> Any:
    authorized, captured, refunded = placing.paid_amounts(command)
    return replace(_paid(order, command), authorized=authorized, captured=captured, refunded=refunded)


def _settles_nothing(*args: Any) -> tuple[Any, ...]:
    return ()


def _told_it_all(*args: Any, **kwargs: Any) -> None:
    return None


def _has_a_time_to_pay(order: Any) -> bool:
    return order.pays_until is not None


def _stays_held(order: Any, *_: Any) -> Any:
    return order


def _wanted_all_the_same(work: Any, gone: Mapping[str, int]) -> tuple[Counter[str], Any]:
    return Counter(), work


def _on_queue(self: Any, *args: Any, **kwargs: Any) -> tuple[list[Any], None]:
    return [], None


_commit, _handled, _failures = Table.commit, batch._handled, batch._failures  # noqa: SLF001 (to do it wrong)
_order_id, _worth, _move = identity.order_id, refunds.worth, writes.move
_receive, _placed, _paid = transfers.receive, placing.place, judgement._paid  # noqa: SLF001 (as above)

BUGS = (
    Bug(
        "an order is created over the one that is there",
        everywhere(writes.create, _without_condition(writes.create)),
    ),
    Bug(
        "an item is replaced whatever its version",
        everywhere(writes.replace, _without_condition(writes.replace)),
    ),
    Bug("units are promised that are not there", everywhere(_move, _without_condition(_move, "uncommitted"))),
    Bug("units shipped are given back twice", everywhere(_move, _moves_twice)),
    Bug("a transaction is torn into single writes", method(Table, "commit", _torn)),
    Bug("a conflict that lasts is taken for success", method(Table, "commit", _gives_up_quietly)),
    Bug("a refused write is taken for success", method(Table, "commit", _takes_a_refusal_for_done)),
    Bug("a failed record is confirmed", method(batch, "_handled", _never_fails)),
    Bug("of the failed records of a batch one alone is reported", method(batch, "_failures", _first_alone)),
    Bug("FailedEntryCount is ignored", method(Bus, "_put", _sees_nothing_refused(Bus._put))),  # noqa: SLF001
    Bug(
        "messages that a queue refused are forgotten",
        method(Queue, "_put", _sees_nothing_refused(Queue._put)),
    ),  # noqa: SLF001
    Bug("the id of an order is minted inside a retry", everywhere(_order_id, _minted_order)),
    Bug("the id of a return is minted inside a retry", everywhere(returns.return_id, _minted)),
    Bug("a repeated message of a return counts again", method(returns.Return, "knows", lambda *_: False)),
    Bug("a shipment before a count lowers it again", method(Position, "counted_since", lambda *_: False)),
    Bug("a count told late undoes what came since", method(count_stock, "_since", lambda *_: Delta())),
    Bug("hot orders are confirmed and never handed on", method(intake, "_hand_on", _hands_nothing_on)),
    Bug("a refund forgets what was refunded before", everywhere(_worth, _forgets_what_was_returned)),
    Bug("a transfer comes in as it was sent", everywhere(_receive, _receives_all_again)),
    Bug("an order takes other units than its cart held", everywhere(_placed, _keeps_what_the_cart_held)),
    Bug("an old version of an order forgets its payment", everywhere(_paid, _forgets_the_payment)),
    Bug("what was given back stays due", everywhere(recording.settled_by, _settles_nothing)),
    Bug("a delivery that failed is not tried again", everywhere(postponing.postponed, _told_it_all)),
    Bug("a channel is not told of the last change of stock", everywhere(push_listing.knows, lambda *_: True)),
    Bug("an order that somebody has paid expires", everywhere(work.unpaid, _has_a_time_to_pay)),
    Bug("an order that nobody pays is kept", method(placing, "_pays_until", lambda *_: None)),
    Bug(
        "work keeps the address of who is forgotten", method(erase_order, "_names_somebody", lambda _: False)
    ),
    Bug("an address is forgotten that is needed", method(erase_order, "still_needed", lambda _: False)),
    Bug("a newer version brings back who is forgotten", method(judgement, "nobodys", lambda order: order)),
    Bug("a shop is not told to cancel", method(publish, "push_cancel", lambda *_: None)),
    Bug("a parcel of ours that a shop tells of counts again", method(elsewhere, "_own", lambda *_: None)),
    Bug("a poll begins where time has come to", method(poll_channel, "_since", lambda *known: known[-1])),
    Bug(
        "an order is shipped beside the one that it replaces",
        everywhere(replacing.may_still_ship, lambda _: False),
    ),
    Bug("an order waits for good for the one that it replaces", everywhere(replacing.after, _stays_held)),
    Bug(
        "what is to be cancelled comes from elsewhere when its location rejects it",
        everywhere(recall.needless_units, _wanted_all_the_same),
    ),
    Bug(
        "nobody is told of a parcel with units that were to be cancelled",
        method(progress, "decided", lambda *_: Counter()),
    ),
    Bug("the clock finds nothing due", method(Table, "keys_in_index", _on_queue)),
)
"""All of them."""
