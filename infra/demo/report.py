"""The report at the end of the demo: every order, what came back, stock before and after."""

from collections.abc import Iterable, Sequence
from typing import Any

from infra.demo.retailer import PLACES
from infra.demo.story import Outcome


def report(outcome: Outcome) -> str:
    """The tables, as text."""
    orders = [
        _order_row(number, order, outcome.sources.get(number, []))
        for number, order in sorted(outcome.orders.items())
    ]
    returns = [_return_row(number, one) for number, one in sorted(outcome.returns.items())]
    parts = [
        _table(
            ("order", "number", "units", "from", "status", "fulfilment", "delivery", "payment", "waits"),
            orders,
        ),
        _table(("order", "return", "state", "units", "outcome", "refund due"), returns),
        _table(("location", "on hand before", "after", "allocated", "blocked"), _stock_rows(outcome)),
    ]
    if outcome.problems:
        parts.append("\n".join(["What is wrong:", *(f"  {problem}" for problem in outcome.problems)]))
    else:
        parts.append(f"All orders are where they must be, and stock adds up ({outcome.seconds:.1f} s).")
    return "\n\n".join(parts)


def _order_row(number: int, order: dict[str, Any], sources: list[str]) -> tuple[str, ...]:
    lines = order["lines"]
    waits = [f"{sum(line[name] for line in lines)} {name}" for name in ("backordered", "open")]
    return (
        str(number),
        order["order_number"],
        str(sum(line["ordered"] for line in lines)),
        ", ".join(sources),
        *(order["statuses"][name] for name in ("order", "fulfillment", "delivery", "payment")),
        ", ".join(wait for wait in waits if not wait.startswith("0 ")),
    )


def _return_row(number: int, returned: dict[str, Any]) -> tuple[str, ...]:
    disposed: dict[str, int] = {}
    for line in returned["lines"]:
        for name, units in line["disposed"].items():
            disposed[name] = disposed.get(name, 0) + units
    return (
        str(number),
        returned["rma"],
        returned["state"],
        str(sum(line["received"] for line in returned["lines"])),
        ", ".join(f"{units} {name}" for name, units in disposed.items() if units),
        ", ".join(f"{refund['amount'] / 100:.2f} {refund['currency']}" for refund in returned["refunds"]),
    )


def _stock_rows(outcome: Outcome) -> Iterable[tuple[str, ...]]:
    for place in PLACES:
        before = [held for (_, location), held in outcome.before.items() if location == place.id]
        after = [held for (_, location), held in outcome.after.items() if location == place.id]
        yield (
            place.id,
            str(sum(held["on_hand"] for held in before)),
            str(sum(held["on_hand"] for held in after)),
            str(sum(held["allocated"] for held in after)),
            str(sum(sum(held["blocked"].values()) for held in after)),
        )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = [list(heads), *map(list, rows)]
    widths = [max(len(row[column]) for row in body) for column in range(len(heads))]
    body.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in body
    )
