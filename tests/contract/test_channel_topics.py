"""The table of topics in the document for channels is true of the adapters."""

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from functions.intake import handler as intake
from oms.channels.amazon.topics import NOTIFICATIONS
from oms.channels.paypal.payments import EVENTS
from oms.channels.stripe.payments import READINGS
from oms.orders.records import FulfillmentOrderRecorded, StockRecorded

TEXT = (Path(__file__).parents[2] / "infra/docs/connecting-channels.md").read_text()
BY_RULES = ("shopify", "woocommerce", "magento", "bigcommerce")


def table() -> dict[str, list[list[str]]]:
    """The topics of each kind: those acted on, those only read, those ignored."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) ?\| (.*?) \|$", TEXT, re.M)
    topics = {kind: [re.findall(r"`([^`]+)`", cell) for cell in cells] for kind, *cells in rows}
    return {kind: cells for kind, cells in topics.items() if kind in (*BY_RULES, *OTHERS)}


def is_read(kind: str, topic: str) -> bool:
    """Whether the adapter of a kind reads a topic; those that it does not are ignored for a reason."""
    rules = import_module(f"oms.channels.{kind}.topics").RULES
    name = topic.lower().replace("/", "_").replace(".", "_")
    return not isinstance(next(rule for pattern, rule in rules if fnmatchcase(name, pattern)), str)


OTHERS: Mapping[str, Callable[[str], bool]] = {
    "amazon": lambda topic: topic in NOTIFICATIONS,
    "stripe": lambda topic: topic in READINGS,
    "paypal": lambda topic: any(fnmatchcase(topic, pattern) for pattern, _ in EVENTS),
}


@pytest.mark.parametrize("kind", [*BY_RULES, *OTHERS])
def test_the_document_says_what_is_read_and_what_is_not(kind: str) -> None:
    acted, only_read, ignored = table()[kind]
    reads = OTHERS.get(kind, partial(is_read, kind))
    assert acted and ignored
    assert [topic for topic in (*acted, *only_read) if not reads(topic)] == []
    assert [topic for topic in ignored if reads(topic)] == []


def test_what_is_only_read_is_what_intake_leaves_alone() -> None:
    assert set(intake._IGNORED) == {StockRecorded, FulfillmentOrderRecorded}


def test_every_notification_of_amazon_is_in_the_document() -> None:
    acted, only_read, _ = table()["amazon"]
    assert set(NOTIFICATIONS) == {*acted, *only_read}
