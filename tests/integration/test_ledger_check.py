"""The check of the ledger on moto: every planted fault is found and mended, and nothing else is touched."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest

from infra.cli import ledger as command_line
from infra.cli.main import main
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.inventory.ledger import Account, Book, Finding
from oms.inventory.model import Delta
from oms.inventory.reservations import Cart, CartLine
from oms.orders.identity import order_id
from oms.store import keys
from oms.store.keys import Key
from oms.store.queries import fulfillment_orders
from oms.store.table import Table
from oms.store.writes import Why, limit, move
from oms.usecases.check_ledger import Checked, check_ledger, repair
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from oms.usecases.reserve_cart import Wish, reserve_cart
from tests.builders import NOW, command, line, network
from tests.shelves import fill, shelves

ID = order_id("shop-es", "5001")
MADRID = Account(Book.POSITION, "A", "wh-madrid")
IBERIA = Account(Book.DEMAND, "B", "iberia")


@pytest.fixture
def lived(table: Table) -> Table:
    """Three units of A in an order, one of them shipped; of B one is allocated and two wait."""
    fill(table, "A", wh_madrid=9)
    fill(table, "B", wh_lyon=1)
    table.commit(limit("B", "iberia", 1))
    lines = line("A", 2), line("A", 1, number=2), line("B", 3, number=3), line("unknown", 1, number=4)
    place_order(table, network(), command(*lines), NOW)
    release_order(table, network(), ID, NOW)
    parcel = Package("p1", lines=(PackedUnits("1", 1),))
    (name,) = (work.id for work in fulfillment_orders(table, ID) if work.location == "wh-madrid")
    record_fulfillment(table, FulfillmentFact("m", FactKind.SHIPPED, NOW, ID, name, (parcel,)), NOW)
    return table


def plant(table: Table, key: Key, **changes: int) -> None:
    """Change counters behind the system's back; the version stays, as after a lost write."""
    table.client.update_item(
        TableName=table.name,
        Key={"PK": {"S": key.pk}, "SK": {"S": key.sk}},
        UpdateExpression="ADD " + ", ".join(f"{name} :{name}" for name in changes),
        ExpressionAttributeValues={f":{name}": {"N": str(units)} for name, units in changes.items()},
    )


def check(table: Table) -> Checked:
    return check_ledger(table, segments=1)


@pytest.mark.parametrize(
    ("account", "changes", "found", "right"),
    [
        (MADRID, {"allocated": 2, "uncommitted": -2}, (4, 0, 4), (2, 0, 6)),
        (MADRID, {"allocated": -1, "uncommitted": 1}, (1, 0, 7), (2, 0, 6)),
        (MADRID, {"uncommitted": 1}, (2, 0, 7), (2, 0, 6)),
        (MADRID, {"reserved": 1, "uncommitted": -1}, (2, 1, 5), (2, 0, 6)),
        (MADRID, {"blocked_damaged": 1}, (2, 0, 6), (2, 0, 5)),
        (IBERIA, {"waiting": 1}, (3,), (2,)),
        (IBERIA, {"waiting": -2}, (0,), (2,)),
    ],
    ids=[
        "leaked allocation",
        "lost allocation",
        "wrong uncommitted",
        "leaked reservation",
        "block that is not subtracted",
        "leaked waiting",
        "lost waiting",
    ],
)
def test_a_planted_fault_is_found_and_mended(
    lived: Table, account: Account, changes: dict[str, int], found: tuple[int, ...], right: tuple[int, ...]
) -> None:
    assert check(lived).findings == ()
    key = keys.position("A", "wh-madrid") if account is MADRID else keys.demand("B", "iberia")
    plant(lived, key, **changes)
    (finding,) = check(lived).findings
    assert finding.account == account
    assert (tuple(finding.found.values()), tuple(finding.right.values())) == (found, right)
    assert repair(lived, finding, "test", NOW)
    assert check(lived) == Checked((), (), accounts=3, orders=1)


def test_what_carts_hold_is_proved_and_mended_too(lived: Table) -> None:
    cart = Cart("shop-es", (CartLine("A", 2),))
    for name in ("one", "two"):
        reserve_cart(lived, network(), name, Wish(cart, NOW + timedelta(minutes=15)), NOW)
    assert check(lived).findings == ()
    row = keys.reserved("A", "one", "wh-madrid")
    lived.client.delete_item(TableName=lived.name, Key={"PK": {"S": row.pk}, "SK": {"S": row.sk}})
    (finding,) = check(lived).findings
    assert (finding.found["reserved"], finding.right["reserved"], finding.right["uncommitted"]) == (4, 2, 4)
    assert repair(lived, finding, "test", NOW)
    assert check(lived).findings == ()


def test_a_position_that_was_lost_is_made_again(lived: Table) -> None:
    key = keys.position("A", "wh-madrid")
    lived.client.delete_item(TableName=lived.name, Key={"PK": {"S": key.pk}, "SK": {"S": key.sk}})
    (finding,) = check(lived).findings
    assert (finding.seen, finding.right["allocated"]) == (0, 2)
    assert repair(lived, finding, "test", NOW)
    assert check(lived).findings == ()
    assert shelves(lived, "A") == {"wh-madrid": (0, 2, -2)}


def test_a_demand_that_was_lost_is_made_again(lived: Table) -> None:
    key = keys.demand("B", "iberia")
    lived.client.delete_item(TableName=lived.name, Key={"PK": {"S": key.pk}, "SK": {"S": key.sk}})
    (finding,) = check(lived).findings
    assert repair(lived, finding, "test", NOW)
    assert check(lived).findings == ()


@pytest.mark.parametrize("account", [MADRID, IBERIA])
def test_what_has_changed_since_it_was_found_is_not_repaired(lived: Table, account: Account) -> None:
    if account is MADRID:
        plant(lived, keys.position("A", "wh-madrid"), allocated=1, uncommitted=-1)
    else:
        plant(lived, keys.demand("B", "iberia"), waiting=5)
    (finding,) = check(lived).findings
    lines = line("A", 1), line("B", 1, number=2)
    place_order(lived, network(), command(*lines, channel_order_id="5002"), NOW)
    assert not repair(lived, finding, "test", NOW)
    (still,) = check(lived).findings
    assert repair(lived, still, "test", NOW)
    assert check(lived).findings == ()


def test_a_repair_raises_the_version_and_says_why(lived: Table) -> None:
    key = keys.position("A", "wh-madrid")
    plant(lived, key, allocated=1, uncommitted=-1)
    (finding,) = check(lived).findings
    repair(lived, finding, "oms ledger", NOW)
    item = lived.get(key)
    assert item is not None
    assert item["v"] == finding.seen + 1
    assert (item["why"]["reason"], item["why"]["actor"]) == ("ledger_repair", "oms ledger")  # type: ignore[index, call-overload]


def test_a_suspect_that_moves_at_every_look_is_named_but_not_reported(lived: Table) -> None:
    plant(lived, keys.position("A", "wh-madrid"), allocated=1, uncommitted=-1)
    receipt = move("A", "wh-madrid", Delta(on_hand=1), Why("receipt", "test", "test", NOW))
    checked = check_ledger(lived, segments=1, progress=lambda items: lived.commit(receipt))
    assert checked.findings == ()
    assert checked.unsettled == (MADRID,)


@contextmanager
def _stack(table: Table) -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(table=table)


def test_the_command_exits_1_until_what_is_wrong_has_been_repaired(
    lived: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "opened", lambda name: _stack(lived))
    argv = ["ledger", "check", "--segments", "1"]
    assert main(argv) == 0
    plant(lived, keys.position("A", "wh-madrid"), allocated=1, uncommitted=-1)
    capsys.readouterr()
    assert main(argv) == 1
    shown = json.loads(capsys.readouterr().out)
    assert (shown["sku"], shown["location"], shown["repaired"]) == ("A", "wh-madrid", False)
    assert shown["right"] == {"allocated": 2, "reserved": 0, "uncommitted": 6}
    assert main([*argv, "--repair"]) == 0
    summary = json.loads(capsys.readouterr().err)
    assert (summary["wrong"], summary["repaired"], summary["unsettled"]) == (1, 1, [])
    assert main(argv) == 0
    assert capsys.readouterr().out == ""


def test_a_command_that_could_not_repair_exits_1(
    lived: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Finding(MADRID, seen=99, found={"allocated": 3}, right={"allocated": 2})
    monkeypatch.setattr(command_line, "opened", lambda name: _stack(lived))
    monkeypatch.setattr(command_line, "check_ledger", lambda table, **how: Checked((gone,), (), 1, 1))
    assert main(["ledger", "check", "--repair"]) == 1
    assert json.loads(capsys.readouterr().out)["repaired"] is False
