"""The APIs of channels: the right credentials, to no other host, and new ones when the old are refused."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from oms.problems import Code, Problem
from oms.runtime.channel_api import EARLY_S, ChannelApis
from oms.runtime.http import Client
from oms.runtime.secrets import ChannelSecrets
from oms.runtime.settings import Reach
from tests.fakes_http import Asked, FakeServer, Says, serving


@dataclass
class Shop:
    """A channel with an API that knows one good token, and its secret in our vault."""

    server: FakeServer
    good: str = "good"
    issued: int = 0
    now: float = 0.0
    values: dict[str, str] = field(default_factory=dict)
    secrets: int = 0

    def apis(self) -> ChannelApis:
        """Our side."""
        vault = ChannelSecrets("", self.fetch, lambda: self.now)
        return ChannelApis(vault, Client(Reach.ANY, pause=lambda seconds: None), lambda: self.now)

    def fetch(self, name: str) -> str | None:
        self.secrets += 1
        if name != "tills-es":
            return None
        return json.dumps({"kind": "ebay", "secrets": ["s"], "api": self.values})

    def answer(self, asked: Asked) -> Says:
        if asked.path == "/token":
            self.issued += 1
            return Says(200, {"access_token": self.good, "expires_in": 7200})
        known = asked.headers.get("authorization") == f"Bearer {self.good}"
        return Says(200 if known else 401, {})

    @property
    def paths(self) -> list[str]:
        """What was asked for."""
        return [asked.path for asked in self.server.asked]


@pytest.fixture
def shop() -> Iterator[Shop]:
    with serving() as server:
        made = Shop(server)
        server.answering = made.answer
        made.values = {"url": server.url + "/", "token": "good"}
        yield made


def refreshing(shop: Shop) -> Mapping[str, str]:
    """Credentials of a channel that gives short-lived tokens."""
    client = {"client_id": "id", "client_secret": "secret", "refresh_token": "refresh"}
    return {"url": shop.server.url, "token_url": shop.server.url + "/token", **client}


def test_a_channel_without_a_secret_is_unknown(shop: Shop) -> None:
    with pytest.raises(Problem) as caught:
        shop.apis().open("other")
    assert (caught.value.code, caught.value.field) == (Code.CHANNEL_UNKNOWN, "channel")


def test_a_channel_without_an_api_is_told_so(shop: Shop) -> None:
    shop.values = {}
    with pytest.raises(Problem) as caught:
        shop.apis().open("tills-es")
    assert (caught.value.code, caught.value.field) == (Code.FIELD_MISSING, "api.url")


def test_what_is_sent_says_who_calls(shop: Shop) -> None:
    assert shop.apis().open("tills-es").get("/orders", {"page": 2}).status == 200
    assert shop.paths == ["/orders?page=2"]


def test_credentials_that_are_refused_are_read_again_and_tried_once(shop: Shop) -> None:
    apis = shop.apis()
    apis.open("tills-es").get("/orders")
    shop.good, shop.values["token"], shop.now = "better", "better", 60.0
    assert apis.open("tills-es").get("/orders").status == 200
    assert len(shop.paths) == 3


def test_credentials_that_stay_the_same_are_not_tried_again(shop: Shop) -> None:
    shop.good = "other"
    with pytest.raises(Problem) as caught:
        shop.apis().open("tills-es").get("/orders")
    assert caught.value.code == Code.CHANNEL_REFUSED
    assert len(shop.paths) == 1


def test_a_short_lived_token_is_asked_for_once_while_it_is_good(shop: Shop) -> None:
    shop.values = dict(refreshing(shop))
    apis = shop.apis()
    for shop.now in (0.0, 10.0, 7200.0 - EARLY_S - 1):
        assert apis.open("tills-es").get("/orders").status == 200
    assert shop.issued == 1
    shop.now = 7200.0 - EARLY_S
    apis.open("tills-es").get("/orders")
    assert shop.issued == 2


def test_a_short_lived_token_that_is_refused_is_replaced(shop: Shop) -> None:
    shop.values = dict(refreshing(shop))
    apis = shop.apis()
    apis.open("tills-es").get("/orders")
    shop.good = "better"
    assert apis.open("tills-es").get("/orders").status == 200
    assert shop.issued == 2


def test_a_channel_that_gives_no_token_is_not_asked_for_anything_else(shop: Shop) -> None:
    shop.values = dict(refreshing(shop))
    shop.server.faults = [Says(400, {"error": "invalid_grant"})]
    with pytest.raises(Problem) as caught:
        shop.apis().open("tills-es").get("/orders")
    assert caught.value.code == Code.CHANNEL_REFUSED
    assert shop.paths == ["/token"]


def test_a_path_cannot_lead_to_another_host(shop: Shop) -> None:
    with serving() as elsewhere, pytest.raises(Problem) as caught:
        api = shop.apis().open("tills-es")
        api.get(f"@{elsewhere.host}/orders")
    assert caught.value.code == Code.ADDRESS_REFUSED
    assert elsewhere.asked == []
