"""Events are a function of what is stored: of two images as of the journal alone, now as at any time."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.events.derive import Event, events, events_of_journal
from oms.orders.commands import Address, Customer
from oms.orders.placing import place
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.attributes import Item
from oms.store.orders import encode_body, encode_order
from tests.builders import CHANNEL, NOW, command, line, network, stock
from tests.stories import STEPS, Story

ORDER = place(command(line("A", 2)), CHANNEL, network(), {"A": stock("A", {"wh-madrid": 9})}, NOW)
HEADER: Item = {"PK": f"O#{ORDER.order.order_id}", "SK": "O"} | encode_order(ORDER.order)


def later(*kinds: str) -> Item:
    """The header after one more write of these kinds."""
    written = ORDER.order.written(NOW + timedelta(hours=1), *kinds)
    return {"PK": HEADER["PK"], "SK": "O"} | encode_order(written)


def test_a_kind_that_the_catalogue_does_not_know_is_no_event_but_a_problem() -> None:
    with pytest.raises(Problem) as raised:
        events(HEADER, later("evaporated"))
    assert raised.value.code is Code.INTERNAL
    assert "order.evaporated" in raised.value.detail


def test_an_entity_that_the_catalogue_does_not_know_is_no_event_but_a_problem() -> None:
    with pytest.raises(Problem) as raised:
        events(None, HEADER | {"t": "carrier_pigeon"})
    assert "carrier_pigeon" in raised.value.detail


def test_a_journal_of_another_shape_is_an_error() -> None:
    with pytest.raises((ValueError, TypeError)):
        events(None, HEADER | {"j": [["1", "placed"]]})


@pytest.mark.parametrize(
    "item",
    [
        {"PK": HEADER["PK"], "SK": "B"} | encode_body(ORDER.order, ORDER.body),
        {"PK": HEADER["PK"], "SK": "W#A", "t": "backorder", "sv": 1, "units": 1},
        {"PK": "H#cart-1", "SK": "H", "t": "reservation", "sv": 1, "v": 4},
        {"PK": HEADER["PK"], "SK": "O"},
    ],
    ids=["body", "backorder", "reservation", "keys alone"],
)
def test_an_item_without_a_journal_has_no_events(item: Item) -> None:
    assert events(None, item) == ()


def test_an_image_that_did_not_change_has_no_events() -> None:
    assert events(HEADER, HEADER) == ()


def test_an_older_image_after_a_newer_one_has_no_events() -> None:
    assert events(later("shipped"), HEADER) == ()


def test_only_what_the_new_image_adds_is_an_event() -> None:
    assert [event.type for event in events(HEADER, later("conflict"))] == ["order.conflict"]


def test_a_gap_between_the_images_loses_nothing() -> None:
    order = ORDER.order.written(NOW, "conflict").written(NOW, "edit_received")
    new: Item = {"PK": HEADER["PK"], "SK": "O"} | encode_order(order)
    assert [(event.v, event.type) for event in events(HEADER, new)] == [
        (2, "order.conflict"),
        (3, "order.edit_received"),
    ]


def test_one_write_of_two_kinds_is_two_events_with_ids_of_their_own() -> None:
    order = ORDER.order.written(NOW, "delivered", "closed", data={"delivered": {"1": 2}})
    new: Item = {"PK": HEADER["PK"], "SK": "O"} | encode_order(order)
    name = ORDER.order.order_id
    assert [event.id for event in events(HEADER, new)] == [
        f"{name}#2#order.delivered",
        f"{name}#2#order.closed",
    ]


def test_a_placed_order_says_what_was_ordered_and_where_each_unit_is() -> None:
    lines = (line("A", 2), line("B", 3, number=2), line(None, 1, number=3))
    stocks = {
        "A": stock("A", {"wh-madrid": 1, "wh-lyon": 1}),
        "B": stock("B", {"wh-madrid": 1}, backorder_limit=1),
    }
    order = place(command(*lines), CHANNEL, network(), stocks, NOW).order
    (event,) = events(None, {"PK": keys.order(order.order_id), "SK": "O"} | encode_order(order))
    assert event.document() == {
        "specversion": "1.0",
        "id": f"{order.order_id}#1#order.placed",
        "source": "oms",
        "type": "order.placed",
        "subject": order.order_id,
        "time": "2026-11-22T09:30:00.000Z",
        "v": 1,
        "schemaversion": 1,
        "correlationid": order.order_id,
        "data": {
            "channel": "shop-es",
            "order_number": "#1001",
            "placed_at": "2026-11-22T09:30:00.000Z",
            "currency": "EUR",
            "total": 6000,
            "test": False,
            "lines": [
                {
                    "line_id": "1",
                    "sku": "A",
                    "kind": "physical",
                    "units": 2,
                    "allocated": [
                        {"location": "wh-madrid", "units": 1},
                        {"location": "wh-lyon", "units": 1},
                    ],
                    "backordered": 0,
                    "open": 0,
                },
                {
                    "line_id": "2",
                    "sku": "B",
                    "kind": "physical",
                    "units": 3,
                    "allocated": [{"location": "wh-madrid", "units": 1}],
                    "backordered": 1,
                    "open": 1,
                },
                {
                    "line_id": "3",
                    "sku": None,
                    "kind": "physical",
                    "units": 1,
                    "allocated": [],
                    "backordered": 0,
                    "open": 1,
                },
            ],
        },
    }


def test_the_subject_of_what_belongs_to_an_order_is_its_public_id() -> None:
    story = Story("A").tell("release", "ship")
    subjects = {event.type: event.subject for event in derived(story)}
    assert subjects["fulfillment_order.released"] == f"{story.order.order_id}-2-1"
    assert subjects["shipment.shipped"] == f"{story.order.order_id}-2-1.p2"


def test_no_event_holds_anything_that_tells_who_the_customer_is() -> None:
    plain = command(line("A", 2))
    address = Address(name="Nadie", line1="Calle Falsa 123", phone="+34000", postal_code="28013")
    named = replace(
        plain,
        notes="Calle Falsa 123",
        billing=address,
        customer=Customer(id="77001", name="Nadie", email="nadie@example.com"),
        deliveries=tuple(replace(delivery, ship_to=address) for delivery in plain.deliveries),
    )
    story = Story(sent=named).tell("release", "ship", "deliver", "request_return", "receive", "restock")
    text = str([event.document() for event in derived(story)])
    assert "refund.due" in text
    for private in ("Nadie", "nadie@", "Falsa", "+34000", "28013", "77001", "too small"):
        assert private not in text


@given(skus=st.sampled_from(["A", "AB", "ABC"]), steps=st.lists(st.sampled_from(list(STEPS)), max_size=20))
def test_whatever_happens_the_events_of_the_changes_are_those_of_the_journals(
    skus: str, steps: list[str]
) -> None:
    story = Story(skus).tell(*steps)
    seen = derived(story)
    told_later = [event for item in story.items.values() for event in events_of_journal(item)]
    assert sorted(seen, key=by_id) == sorted(told_later, key=by_id)
    assert len({event.id for event in seen}) == len(seen)


@given(steps=st.lists(st.sampled_from(list(STEPS)), max_size=20), since=st.integers(0, 8))
def test_the_journal_from_a_version_on_has_the_events_after_it(steps: list[str], since: int) -> None:
    header = Story().tell(*steps).items[keys.header(ORDER.order.order_id)]
    everything = events_of_journal(header)
    assert events_of_journal(header, since) == tuple(event for event in everything if event.v > since)


def derived(story: Story) -> list[Event]:
    """The events of a story's changes, one after the other."""
    return [event for old, new in story.changes for event in events(old, new)]


def by_id(event: Event) -> str:
    return event.id
