"""Clients: one per service and process, made when first asked for, whoever asks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from oms.runtime import clients


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    clients.reset()
    yield
    clients.reset()


def test_threads_that_ask_at_once_share_one_client() -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: clients.dynamodb(), range(8)))
    assert len({id(client) for client in asked}) == 1


def test_each_service_has_its_own_client() -> None:
    made = (clients.dynamodb(), clients.sqs(), clients.events(), clients.secrets())
    assert [client.meta.service_model.service_name for client in made] == [
        "dynamodb",
        "sqs",
        "events",
        "secretsmanager",
    ]


def test_after_a_reset_clients_see_the_environment_as_it_is_then(monkeypatch: pytest.MonkeyPatch) -> None:
    before = clients.sqs()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert clients.sqs() is before
    clients.reset()
    assert clients.sqs().meta.region_name == "us-east-1"
