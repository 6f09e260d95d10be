"""The check of the ledger while orders are placed and shipped: no false alarm, no fault overlooked."""

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.inventory.ledger import Account, Book
from oms.inventory.model import Delta
from oms.orders.identity import order_id
from oms.store.errors import Busy
from oms.store.table import Table
from oms.store.writes import Why, limit, move
from oms.usecases.check_ledger import check_ledger, repair
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.concurrency.conftest import Store
from tests.shelves import fill

WORKERS = 3
CHECKS = 4
BUSY = ("A", "B", "C")


def live(table: Table, worker: int, stop: Event) -> None:
    """Place, release and ship orders of a few skus, of which there will be too few."""
    drawn = random.Random(worker)
    number = 0
    while not stop.is_set():
        number += 1
        lines = [line(drawn.choice(BUSY), drawn.randint(1, 3), number=n) for n in (1, 2)]
        placed = command(*lines, channel_order_id=f"{worker}-{number}")
        name = order_id(placed.channel, placed.channel_order_id)
        try:
            place_order(table, network(), placed, NOW)
            for work in release_order(table, network(), name, NOW):
                shipped = FulfillmentFact("m", FactKind.SHIPPED, NOW, name, work.id, (Package("p1"),))
                record_fulfillment(table, shipped, NOW)
        except Busy:
            continue


def leak(table: Table, sku: str) -> None:
    """An allocation that no order knows of, as a naive system leaves it behind."""
    table.commit(move(sku, "wh-madrid", Delta(allocated=1), Why("leak", "test", "test", NOW)))


def test_a_check_under_load_finds_the_leak_and_nothing_else(dynamodb: Store) -> None:
    table = Table(dynamodb.client, dynamodb.table)
    for sku in (*BUSY, "quiet"):
        fill(table, sku, wh_madrid=40, wh_lyon=5)
        table.commit(limit(sku, "iberia", 1000))
    leak(table, "quiet")
    stop = Event()
    with ThreadPoolExecutor(WORKERS) as workers:
        living = [workers.submit(live, table, worker, stop) for worker in range(WORKERS)]
        try:
            checks = [check_ledger(table, segments=2) for _ in range(CHECKS)]
            leak(table, "A")
        finally:
            stop.set()
    for worker in living:
        worker.result()
    assert checks[-1].orders > checks[0].orders, "there was no load"
    quiet, busy = (Account(Book.POSITION, sku, "wh-madrid") for sku in ("quiet", "A"))
    assert [[finding.account for finding in check.findings] for check in checks] == [[quiet]] * CHECKS

    at_rest = check_ledger(table, segments=2)
    assert [finding.account for finding in at_rest.findings] == [busy, quiet]
    assert at_rest.unsettled == ()
    assert all(repair(table, finding, "test", NOW) for finding in at_rest.findings)
    assert check_ledger(table, segments=2).findings == ()
