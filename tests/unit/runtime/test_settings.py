"""Settings: what is missing or malformed is named, what is there is typed."""

import pytest

from oms.runtime import settings
from oms.runtime.settings import Outbox, Process, SettingsError, StreamFailures, Webhooks

OUTBOX = {
    "BUS_NAME": "oms-events",
    "SOURCING_QUEUE_URL": "https://sqs/sourcing",
    "REQUESTS_QUEUE_URLS": '{"wms": "https://sqs/wms.fifo"}',
    "STREAM_FAILURES": "report",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOG_LEVEL", "METRICS_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in OUTBOX.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", OUTBOX)
def test_a_missing_variable_is_named_with_who_needs_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=f"{name} is not set .Outbox needs it"):
        settings.read(Outbox)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("BUS_NAME", "", "it is empty"),
        ("STREAM_FAILURES", "ignore", "'ignore' is not a valid StreamFailures"),
        ("REQUESTS_QUEUE_URLS", "https://sqs/wms.fifo", "Expecting value"),
        ("REQUESTS_QUEUE_URLS", '["https://sqs/wms.fifo"]', "a JSON object of strings"),
        ("REQUESTS_QUEUE_URLS", '{"wms": 1}', "a JSON object of strings"),
    ],
)
def test_a_malformed_variable_is_named_with_the_reason(
    name: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name} cannot be read: .*{reason}"):
        settings.read(Outbox)


def test_a_number_must_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANNEL_SECRET_PREFIX", "oms/channels/")
    monkeypatch.setenv("INBOUND_QUEUE_URL", "https://sqs/inbound")
    monkeypatch.setenv("INBOUND_MAX_BYTES", "1 MiB")
    with pytest.raises(SettingsError, match="INBOUND_MAX_BYTES cannot be read"):
        settings.read(Webhooks)


def test_values_have_the_types_that_the_settings_say() -> None:
    read = settings.read(Outbox)
    assert read.stream_failures is StreamFailures.REPORT
    assert read.requests_queue_urls == {"wms": "https://sqs/wms.fifo"}


def test_what_has_a_default_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.read(Process) == Process("oms", "INFO")
    monkeypatch.setenv("METRICS_NAMESPACE", "oms/shop")
    assert settings.read(Process).metrics_namespace == "oms/shop"
