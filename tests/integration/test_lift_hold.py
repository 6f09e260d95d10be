"""Lifting holds by the API: refused by name, once, and the order is released."""

import pytest

from oms.orders.identity import order_id
from oms.store.table import Table
from oms.usecases.lift_hold import lift_hold
from oms.usecases.place_order import place_order
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.rest import Rest
from tests.shelves import fill, order_of

ID = order_id("shop-es", "5001")
PATH = f"/orders/{ID}/holds/payment/release"


@pytest.fixture
def rest(table: Table) -> Rest:
    """A caller, and an order that nobody has paid."""
    fill(table, "A", wh_madrid=1)
    place_order(table, network(), command(line("A"), payments=()), NOW)
    return Rest()


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/orders/GHOST/holds/payment/release", (404, "not_found", "order_id")),
        (f"/orders/{ID}/holds/boredom/release", (422, "field_invalid", "hold")),
    ],
)
def test_a_bad_request_is_refused_with_its_field(
    rest: Rest, path: str, problem: tuple[int, str, str]
) -> None:
    assert rest.call("POST", path).problem == problem


def test_a_hold_of_another_version_stays(rest: Rest, table: Table) -> None:
    refused = rest.call("POST", PATH, headers={"If-Match": '"7"'})
    assert refused.problem == (412, "version_mismatch", "If-Match")
    assert order_of(table, ID).holds == ("payment",)


def test_a_hold_is_lifted_once_and_the_order_released(rest: Rest, table: Table) -> None:
    assert release_order(table, network(), ID, NOW) == ()
    replies = [rest.call("POST", PATH) for _ in range(2)]
    assert [(reply.status, reply.document["holds"], reply.document["v"]) for reply in replies] == [
        (200, [], 2)
    ] * 2
    assert len(release_order(table, network(), ID, NOW)) == 1


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_crash_at_any_call_is_mended_by_the_next_request(
    rest: Rest, table: Table, number: int, when: str
) -> None:
    faults = Faults(**{when: number})  # type: ignore[arg-type]  # the number of a call
    with pytest.raises(Crash):
        lift_hold(Table(faults.wrap(table.client), table.name), ID, "payment", NOW)
    assert lift_hold(table, ID, "payment", NOW).v == 2
