"""`oms channel verify` and `parse` on a sample delivery of every kind, as somebody would try them."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.cli.main import main
from oms.channels.registry import KINDS

EVENTS = Path(__file__).parents[3] / "events"
SECRET = "sample-client-secret"
WHSEC = "whsec_" + base64.b64encode(SECRET.encode()).decode()
SECRETS = {"paypal": "SAMPLEWEBHOOKID01", "generic": WHSEC}
KEYS: dict[str, str] = json.loads((EVENTS / "public_keys.json").read_text())

UNSIGNED = {"amazon", "shipstation", "edi"}
"""Kinds whose only proof is the address."""

SAMPLES = {
    "generic": "generic_place_order",
    "shopify": "shopify_orders_create",
    "woocommerce": "woocommerce_order_created",
    "magento": "magento_order_saved",
    "bigcommerce": "bigcommerce_order_created",
    "amazon": "amazon_order_change",
    "ebay": "ebay_account_deletion",
    "square": "square_order_updated",
    "stripe": "stripe_charge_refunded",
    "paypal": "paypal_payment_capture_completed",
    "easypost": "easypost_tracker_updated",
    "aftership": "aftership_tracking_update",
    "shippo": "shippo_track_updated",
    "shipengine": "shipengine_track",
    "shipstation": "shipstation_ship_notify",
    "sendcloud": "sendcloud_parcel_status_changed",
    "edi": "edi_purchase_order",
}

type Event = dict[str, Any]


def event_of(kind: str) -> Event:
    event: Event = json.loads((EVENTS / f"{SAMPLES[kind]}.json").read_text())
    return event


def verify(tmp_path: Path, kind: str, event: Event, *, secret: str | None = None, token: str = SECRET) -> int:
    """Exit status of `oms channel verify` on an event in a file."""
    (tmp_path / "capture.json").write_text(json.dumps(event))
    request = event["requestContext"]
    query = f"?token={token}" if event["queryStringParameters"] else ""
    at = datetime.fromtimestamp(request["requestTimeEpoch"] / 1000, UTC)
    arguments = ["--capture", str(tmp_path / "capture.json"), "--now", at.isoformat()]
    arguments += ["--url", f"https://{request['domainName']}{request['path']}{query}"]
    arguments += ["--secret", SECRETS.get(kind, SECRET) if secret is None else secret]
    if kind in KEYS and secret is None:
        (tmp_path / "key").write_text(KEYS[kind])
        arguments += ["--public-key", str(tmp_path / "key")]
    return main(["channel", "verify", "--channel", kind, *arguments])


def flipped(event: Event, at: int) -> Event:
    """An event with one bit of a byte of its body the other way round."""
    text = event["body"]
    body = base64.b64decode(text) if event["isBase64Encoded"] else text.encode()
    changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] if at >= 0 else body[:-1] + b"\x00"
    return event | {"body": base64.b64encode(changed).decode(), "isBase64Encoded": True}


def test_every_kind_has_a_sample() -> None:
    assert tuple(SAMPLES) == KINDS


@pytest.mark.parametrize("at", [0, 7, -1])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in UNSIGNED])
def test_one_byte_more_or_less_is_not_genuine(
    tmp_path: Path, kind: str, at: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(tmp_path, kind, flipped(event_of(kind), at)) == 1
    out, err = capsys.readouterr()
    assert (out, json.loads(err)["code"]) == ("", "signature_invalid")


@pytest.mark.parametrize("kind", KINDS)
def test_another_secret_is_none(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    for secret in ("", "another", "whsec_" + base64.b64encode(b"another").decode()):
        assert verify(tmp_path, kind, event_of(kind), secret=secret) == 1
        assert json.loads(capsys.readouterr().err)["code"] == "signature_invalid"


@pytest.mark.parametrize("kind", sorted(UNSIGNED))
def test_another_address_is_not_genuine(tmp_path: Path, kind: str) -> None:
    assert verify(tmp_path, kind, event_of(kind), token=SECRET[:-1] + "x") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_every_kind_is_genuine_in_its_time(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(tmp_path, kind, event_of(kind)) == 0
    assert json.loads(capsys.readouterr().out) == {"channel": kind, "genuine": True}


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_every_kind_means_something(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(EVENTS / f"{SAMPLES[kind]}.json")
    assert main(["channel", "parse", "--channel", kind, "--channel-id", "c-1", file]) == 0
    out, err = capsys.readouterr()
    commands = [json.loads(text) for text in out.splitlines()]
    assert commands and err == ""
    assert all(command.get("reason") or command["channel"] == "c-1" for command in commands)
    assert kind == "edi" or any(command["command"] != "ignore" for command in commands)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "edi"])
def test_what_is_cut_off_is_exit_1_with_a_problem(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    event = event_of(kind)
    body = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()
    cut = event | {"body": base64.b64encode(body[: len(body) // 2]).decode(), "isBase64Encoded": True}
    (tmp_path / "cut.json").write_text(json.dumps(cut))
    assert main(["channel", "parse", "--channel", kind, str(tmp_path / "cut.json")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["code"] in ("bad_request", "topic_unknown")


@pytest.mark.parametrize(
    ("capture", "field"),
    [
        ("[]", None),
        ('{"body": "x"}', None),
        ('{"headers": {}, "body": {"id": 1}}', "body"),
        ('{"headers": {}, "body": "!", "isBase64Encoded": true}', "body"),
    ],
)
def test_what_is_no_capture_is_exit_1_and_says_so(
    tmp_path: Path, capture: str, field: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "capture.json").write_text(capture)
    arguments = ["--capture", str(tmp_path / "capture.json"), "--secret", SECRET]
    assert main(["channel", "verify", "--channel", "shopify", *arguments]) == 1
    problem = json.loads(capsys.readouterr().err)
    assert problem["code"] in ("bad_request", "field_invalid")
    assert problem.get("field", "capture") == (field or "capture")
