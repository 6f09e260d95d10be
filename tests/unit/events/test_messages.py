"""What follows from a change besides events: releases that are due, requests to locations."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from oms.channels.payload import Node
from oms.events.derive import events
from oms.events.messages import AT_ONCE, RELEASED, Message, release, release_of, request_of
from oms.fulfillment.model import FulfillmentOrder
from oms.orders.commands import Address, Delivery, Method, PlaceOrder
from oms.orders.model import Order
from oms.usecases.messages import Work, choice
from tests.builders import NOW, command, line
from tests.stories import Story

SCHEMA = json.loads((Path(__file__).parents[3] / "events/fulfillment_request.v1.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())


def due_in(seconds: float, order: Order | None = None) -> Order:
    """An order written now, to be released so many seconds later."""
    written = (order or Story("A").order).written(NOW, "refreshed")
    return replace(written, due_at=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [61, 3600])
def test_a_release_after_a_longer_grace_is_left_to_the_clock(seconds: int) -> None:
    assert release_of(due_in(seconds)) is None


def test_a_held_order_is_not_released() -> None:
    assert release_of(replace(due_in(0), holds=("payment",))) is None


def test_an_order_without_allocated_units_is_not_released() -> None:
    assert release_of(due_in(0, Story("C").order)) is None


def test_an_order_that_is_released_already_is_not_released_again() -> None:
    assert release_of(due_in(0, Story("A").tell("release").order)) is None


@pytest.mark.parametrize(
    ("seconds", "delay"), [(-3600, 0), (0, 0), (0.2, 1), (1, 1), (59.5, 60), (AT_ONCE.seconds, 60)]
)
def test_a_release_comes_at_its_time_and_never_before(seconds: float, delay: int) -> None:
    order = due_in(seconds)
    assert release_of(order) == release(order.order_id, delay)


def test_sourcing_understands_a_release() -> None:
    message = Node(dict(release("O1").document))  # type: ignore[arg-type]
    assert choice(message, "type", Work) is Work.RELEASE
    assert message.need(Node.text, "order_id") == "O1"


def request(sent: PlaceOrder) -> tuple[FulfillmentOrder, Message]:
    story = Story(sent=sent).tell("release")
    (work,) = story.works.values()
    (event,) = (event for old, new in story.changes for event in events(old, new) if event.type == RELEASED)
    return work, request_of(work, event)


def test_a_request_has_all_that_a_location_needs() -> None:
    address = Address(name="Ana", line1="Calle Mayor 1", postal_code="28013", country="ES")
    delivery = Delivery("d1", Method.SHIP, "express", address)
    work, message = request(command(line("A", 2), deliveries=(delivery,)))
    assert message.document == {
        "message_id": f"{work.public_id}#1#fulfillment_order.released",
        "type": "fulfillment_requested",
        "occurred_at": "2026-11-22T09:31:00.000Z",
        "location": "wh-madrid",
        "fulfillment_order": work.public_id,
        "consolidation_id": work.consolidation_id,
        "v": 1,
        "order_number": "#1001",
        "channel": "shop-es",
        "method": "ship",
        "service": "express",
        "ship_to": {"name": "Ana", "line1": "Calle Mayor 1", "postal_code": "28013", "country": "ES"},
        "lines": [{"line_id": "1", "sku": "A", "units": 2}],
        "packages": [],
    }
    assert (message.group, message.correlation_id) == (work.public_id, work.order_id)
    VALIDATOR.validate(message.document)


@pytest.mark.parametrize("address", [None, Address()])
def test_a_request_without_an_address_says_so(address: Address | None) -> None:
    story = Story(sent=command(line("A", 1))).tell("release")
    (work,) = story.works.values()
    (event,) = (event for old, new in story.changes for event in events(old, new) if event.type == RELEASED)
    message = request_of(replace(work, ship_to=address), event)
    assert message.document["ship_to"] is None
    VALIDATOR.validate(message.document)


def test_a_request_made_again_is_the_same() -> None:
    sent = command(line("A", 1))
    assert request(sent) == request(sent)


@pytest.mark.parametrize("member", SCHEMA["required"])
def test_the_schema_misses_what_a_request_leaves_out(member: str) -> None:
    _, message = request(command(line("A", 1)))
    document = {name: value for name, value in message.document.items() if name != member}
    assert not VALIDATOR.is_valid(document)
