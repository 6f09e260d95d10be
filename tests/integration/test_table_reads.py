"""Reading many items at once: in order, beyond one call, and when DynamoDB gives back only a part."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from oms.store.errors import Busy
from oms.store.keys import Key
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.store.writes import put
from tests.shelves import fill


class Partial:
    """A client whose batch reads leave keys unprocessed, as `leave` says of each call (counted from 0)."""

    def __init__(self, client: Any, leave: Callable[[int, list[Any]], list[Any]]) -> None:
        self._client = client
        self._leave = leave
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 (as boto3 has it)
        ((table, request),) = RequestItems.items()
        left = self._leave(self.calls, request["Keys"])
        self.calls += 1
        wanted = [key for key in request["Keys"] if key not in left]
        answer: dict[str, Any] = {"Responses": {table: []}}
        if wanted:
            answer = self._client.batch_get_item(RequestItems={table: request | {"Keys": wanted}})
        return answer | {"UnprocessedKeys": {table: request | {"Keys": left}} if left else {}}


def stored(table: Table, count: int) -> list[Key]:
    names = [Key("TEST", f"{number:03d}") for number in range(count)]
    for name in names:
        table.commit(put(name, {"n": int(name.sk)}))
    return names


@pytest.mark.parametrize("consistent", [False, True])
def test_items_come_in_the_order_asked_for_without_those_that_are_not_there(
    table: Table, consistent: bool
) -> None:
    first, second, third = stored(table, 3)
    wanted = [third, Key("TEST", "none"), first, third, second]
    assert [item["n"] for item in table.get_many(wanted, consistent=consistent)] == [2, 0, 1]


def test_nothing_asked_for_is_no_call(table: Table) -> None:
    client: Any = Partial(table.client, lambda call, keys: [])
    assert Table(client, table.name).get_many([]) == []
    assert client.calls == 0


def test_more_keys_than_one_call_takes_are_read_in_several(table: Table) -> None:
    names = stored(table, 130)
    client: Any = Partial(table.client, lambda call, keys: [])
    assert [item["n"] for item in Table(client, table.name).get_many(names)] == list(range(130))
    assert client.calls == 2


def test_keys_that_came_back_unprocessed_are_asked_for_again(table: Table) -> None:
    names = stored(table, 5)
    client: Any = Partial(table.client, lambda call, keys: keys[1:])
    pauses: list[float] = []
    items = Table(client, table.name, pause=pauses.append).get_many(names)
    assert [item["n"] for item in items] == [0, 1, 2, 3, 4]
    assert len(pauses) == 4


def test_reads_that_stay_throttled_are_busy(table: Table) -> None:
    client: Any = Partial(table.client, lambda call, keys: keys)
    with pytest.raises(Busy):
        Table(client, table.name, pause=lambda seconds: None).get_many(stored(table, 1))


def test_the_stock_of_several_skus_is_read_by_threads_that_stay(table: Table) -> None:
    for sku in "ABC":
        fill(table, sku, wh_madrid=1)
    assert set(read_stock(table, "ABC")) == set("ABC")
    readers = [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]
    assert readers
    assert set(read_stock(table, "ABC")) == set("ABC")
    assert all(thread.is_alive() for thread in readers)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_reads_stock_by_threads_of_its_own(table: Table) -> None:
    for sku in "AB":
        fill(table, sku, wh_madrid=1)
    read_stock(table, "AB")  # its threads do not come along
    child = os.fork()
    if not child:
        read = False
        try:
            signal.alarm(20)  # to wait for threads that are not there would be for ever
            read = set(read_stock(table, "AB")) == set("AB")
        finally:
            os._exit(not read)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
