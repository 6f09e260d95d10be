"""Secrets: cached, refreshed within limits, and never lost to a bad moment of Secrets Manager."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber
from moto import mock_aws

from oms.runtime import clients, secrets
from oms.runtime.secrets import CACHED_NAMES, ChannelSecret, ChannelSecrets, Keys


def stored(*texts: str) -> str:
    return json.dumps({"kind": "shopify", "secrets": texts})


@dataclass
class Vault:
    """Secrets Manager as far as it matters here, and a clock beside it."""

    values: dict[str, str] = field(default_factory=dict)
    failure: Exception | None = None
    reads: int = 0
    now: float = 0

    def fetch(self, name: str) -> str | None:
        self.reads += 1
        if self.failure:
            raise self.failure
        return self.values.get(name)

    def channels(self) -> ChannelSecrets:
        return ChannelSecrets("oms/channels/", self.fetch, lambda: self.now)


FAILURES = [
    ClientError({"Error": {"Code": "ThrottlingException"}}, "GetSecretValue"),
    EndpointConnectionError(endpoint_url="https://secretsmanager"),
]


@pytest.fixture
def vault() -> Vault:
    return Vault({"oms/channels/shop-es": stored("old")})


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"kind": "shopify"}',
        '{"kind": "shopify", "secrets": []}',
        '{"kind": "shopify", "secrets": ["good", ""]}',
        '{"kind": "shopify", "secrets": "good"}',
        '{"kind": 1, "secrets": ["good"]}',
        '{"kind": "shopify", "secrets": ["good"], "api": "https://shop.example"}',
        '{"kind": "shopify", "secrets": ["good"], "api": {"url": 1}}',
    ],
)
def test_a_stored_value_of_another_form_is_refused(text: str, vault: Vault) -> None:
    vault.values["oms/channels/shop-es"] = text
    with pytest.raises(ValueError):
        vault.channels().get("shop-es")


def test_a_channel_may_have_an_api(vault: Vault) -> None:
    api = {"url": "https://shop.example", "token": "t"}
    vault.values["oms/channels/shop-es"] = json.dumps({"kind": "shopify", "secrets": ["s"], "api": api})
    assert vault.channels().get("shop-es") == ChannelSecret("shopify", ("s",), api)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_failure_with_nothing_known_is_raised(failure: Exception, vault: Vault) -> None:
    vault.failure = failure
    with pytest.raises(type(failure)):
        vault.channels().get("shop-es")


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_the_last_known_secret_outlives_a_failure(
    failure: Exception, vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    channels = vault.channels()
    known = channels.get("shop-es")
    vault.now, vault.failure = 300, failure
    assert channels.get("shop-es") == known == ChannelSecret("shopify", ("old",))
    assert "secret not refreshed" in capsys.readouterr().out


@pytest.mark.parametrize("channel", ["shop-es", "unknown"])
def test_an_answer_is_cached_for_five_minutes_a_negative_one_too(channel: str, vault: Vault) -> None:
    channels = vault.channels()
    for second in (0, 1, 299):
        vault.now = second
        channels.get(channel)
    assert vault.reads == 1
    vault.now = 300
    channels.get(channel)
    assert vault.reads == 2


def test_a_mismatch_reads_again_at_most_once_a_minute(vault: Vault) -> None:
    channels = vault.channels()
    channels.get("shop-es")
    vault.values["oms/channels/shop-es"] = stored("new", "old")
    vault.now = 59
    assert channels.refreshed("shop-es") == ChannelSecret("shopify", ("old",))
    vault.now = 60
    assert channels.refreshed("shop-es") == ChannelSecret("shopify", ("new", "old"))
    vault.now = 119
    channels.refreshed("shop-es")
    assert vault.reads == 2


def test_a_refresh_serves_everybody_for_five_minutes(vault: Vault) -> None:
    channels = vault.channels()
    channels.get("shop-es")
    vault.now = 200
    channels.refreshed("shop-es")
    vault.now = 499
    channels.get("shop-es")
    assert vault.reads == 2


def test_strangers_cannot_fill_the_memory_nor_push_out_who_is_in_use(vault: Vault) -> None:
    channels = vault.channels()
    for number in range(CACHED_NAMES + 10):
        channels.get(f"stranger-{number}")
        channels.get("shop-es")
    assert vault.reads == CACHED_NAMES + 11
    channels.get("stranger-0")
    assert vault.reads == CACHED_NAMES + 12


def test_keys_differ_by_purpose_and_are_read_once(vault: Vault) -> None:
    vault.values["oms/keys"] = "generated"
    keys = Keys("oms/keys", vault.fetch)
    assert keys.key("cursor") == keys.key("cursor") != keys.key("pointer")
    assert len(keys.key("cursor")) == 32
    assert vault.reads == 1


@pytest.mark.parametrize("text", [None, ""])
def test_without_a_secret_there_are_no_keys(text: str | None) -> None:
    with pytest.raises(LookupError, match="oms/keys is missing or empty"):
        Keys("oms/keys", lambda _: text).key("cursor")


class TestFetch:
    @pytest.fixture(autouse=True)
    def aws(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        with mock_aws():
            clients.reset()
            yield
            clients.reset()

    def test_an_absent_secret_is_none(self) -> None:
        assert secrets.fetch("oms/channels/unknown") is None

    def test_a_secret_waiting_for_its_deletion_is_none(self) -> None:
        clients.secrets().create_secret(Name="oms/channels/shop-es", SecretString="x")
        clients.secrets().delete_secret(SecretId="oms/channels/shop-es")
        assert secrets.fetch("oms/channels/shop-es") is None

    def test_a_secret_is_its_text(self) -> None:
        clients.secrets().create_secret(Name="oms/channels/shop-es", SecretString="text")
        assert secrets.fetch("oms/channels/shop-es") == "text"

    def test_another_refusal_is_raised(self) -> None:
        with Stubber(clients.secrets()) as refusing:
            refusing.add_client_error("get_secret_value", "AccessDeniedException")
            with pytest.raises(ClientError, match="AccessDeniedException"):
                secrets.fetch("oms/channels/shop-es")
