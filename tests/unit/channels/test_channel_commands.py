"""`oms channel verify` and `oms channel parse`: what is refused, and what is printed."""

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from infra.cli.main import main
from tests.unit.channels.shopify_samples import item, order, shipping_line

SECRET = "sample-client-secret"
BODY = '{"id":820982911946154508,"note":"✓"}'.encode()
SIGNATURE = base64.b64encode(hmac.digest(SECRET.encode(), BODY, hashlib.sha256)).decode()


@pytest.fixture
def delivery(tmp_path: Path) -> list[str]:
    """Arguments that name a genuine delivery; tests change its files or add to it."""
    (tmp_path / "body.bin").write_bytes(BODY)
    (tmp_path / "headers.json").write_text(json.dumps({"X-Shopify-Hmac-Sha256": SIGNATURE}))
    files = ["--headers", str(tmp_path / "headers.json"), "--body", str(tmp_path / "body.bin")]
    return ["channel", "verify", "--channel", "shopify", *files]


def test_a_delivery_that_is_not_genuine_is_exit_1_with_a_problem(
    delivery: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*delivery, "--secret", "another"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["code"] == "signature_invalid"


@pytest.mark.parametrize("arguments", [[], ["--secret", ""]])
def test_no_secret_proves_nothing(delivery: list[str], arguments: list[str]) -> None:
    assert main([*delivery, *arguments]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--secret", SECRET],
        ["--secret", "old", "--secret", SECRET],
        ["--secret", SECRET, "--url", "https://example.com", "--now", "1795339800"],
        ["--secret", SECRET, "--now", "2026-11-22T09:30:00Z"],
    ],
)
def test_a_genuine_delivery_is_exit_0(
    delivery: list[str], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*delivery, *arguments]) == 0
    assert json.loads(capsys.readouterr().out) == {"channel": "shopify", "genuine": True}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (json.dumps({"x-shopify-hmac-sha256": [SIGNATURE]}), 0),
        (json.dumps([["X-SHOPIFY-HMAC-SHA256", SIGNATURE]]), 0),
        (f'{{"X-Shopify-Hmac-Sha256": "{SIGNATURE}", "X-Shopify-Hmac-Sha256": "eA=="}}', 1),
        ('{"X-Shopify-Hmac-Sha256": 7}', 1),
        ('["X-Shopify-Hmac-Sha256"]', 1),
        ('"X-Shopify-Hmac-Sha256"', 1),
        ("not JSON", 1),
    ],
)
def test_headers_come_as_an_object_or_as_pairs(
    delivery: list[str], tmp_path: Path, headers: str, status: int
) -> None:
    (tmp_path / "headers.json").write_text(headers)
    assert main([*delivery, "--secret", SECRET]) == status


EVENTS = Path(__file__).parents[3] / "events"
WHSEC = "whsec_" + base64.b64encode(SECRET.encode()).decode()


@pytest.mark.parametrize(
    ("kind", "name", "secret"),
    [
        ("woocommerce", "woocommerce_order_created", SECRET),
        ("bigcommerce", "bigcommerce_order_created", SECRET),
        ("generic", "generic_place_order", WHSEC),
    ],
)
def test_sample_deliveries_of_other_kinds_are_genuine_in_their_time_and_parsed(
    kind: str, name: str, secret: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = json.loads((EVENTS / f"{name}.json").read_text())
    (tmp_path / "h.json").write_text(json.dumps(event["multiValueHeaders"]))
    (tmp_path / "b.bin").write_text(event["body"])
    files = ["--headers", str(tmp_path / "h.json"), "--body", str(tmp_path / "b.bin")]
    verify = ["channel", "verify", "--channel", kind, *files, "--now", "2026-11-22T09:31:00Z"]
    assert main([*verify, "--secret", secret]) == 0
    assert main([*verify, "--secret", "another"]) == 1
    capture = {"headers": event["headers"], "body": event["body"]}
    (tmp_path / "c.json").write_text(json.dumps(capture))
    capsys.readouterr()
    assert main(["channel", "parse", "--channel", kind, "--channel-id", "s", str(tmp_path / "c.json")]) == 0
    command = json.loads(capsys.readouterr().out)
    assert (command["channel"], command["adapter"]) == ("s", kind)


def test_a_public_key_verifies_and_another_does_not(tmp_path: Path) -> None:
    keys = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
    signature = keys[0].sign(base64.b64encode(BODY), padding.PKCS1v15(), hashes.SHA256())
    header = {"x-adobe-commerce-webhook-signature": base64.b64encode(signature).decode()}
    (tmp_path / "h.json").write_text(json.dumps(header))
    (tmp_path / "b.bin").write_bytes(BODY)
    files = ["--headers", str(tmp_path / "h.json"), "--body", str(tmp_path / "b.bin")]
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    for key, status in zip(keys, (0, 1), strict=True):
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, form)
        (tmp_path / "key.pem").write_bytes(pem)
        arguments = ["channel", "verify", "--channel", "magento", *files]
        assert main([*arguments, "--public-key", str(tmp_path / "key.pem")]) == status


def test_a_missing_file_is_exit_1(delivery: list[str], tmp_path: Path) -> None:
    (tmp_path / "body.bin").unlink()
    assert main([*delivery, "--secret", SECRET]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "--channel", "shopfy"],
        ["verify", "--channel", "shopify"],
        ["parse"],
        ["parse", "--channel", "shopify"],
        ["verify", "--channel", "shopify", "--headers", "h", "--body", "b", "--now", "noon"],
        [],
    ],
)
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["channel", *arguments])
    assert exit_.value.code == 2


def parse(tmp_path: Path, payload: object, *arguments: str, topic: str | None = "orders/create") -> int:
    content = payload if isinstance(payload, str) else json.dumps(payload)
    (tmp_path / "payload.json").write_text(content)
    named = ["--topic", topic] if topic is not None else []
    return main(
        ["channel", "parse", "--channel", "shopify", *named, *arguments, str(tmp_path / "payload.json")]
    )


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ("not JSON", None),
        (order(total_price="free"), "total_price"),
        (order(item(quantity=None)), "line_items[0].quantity"),
    ],
)
def test_a_payload_that_cannot_be_understood_is_exit_1_with_a_problem_that_names_the_field(
    tmp_path: Path, payload: object, field: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse(tmp_path, payload) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err).get("field") == field


def test_a_payload_without_a_topic_in_sight_is_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse(tmp_path, order(), topic=None) == 1
    assert json.loads(capsys.readouterr().err)["code"] == "topic_unknown"


def test_an_order_is_printed_as_one_line_of_canonical_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    payload = order(
        item(
            quantity=2,
            price="19.99",
            discount_allocations=[{"amount": "2.00"}],
            tax_lines=[{"price": "6.64"}],
        ),
        taxes_included=True,
        total_tax="6.64",
        total_price="42.97",
        shipping_lines=[shipping_line("4.99")],
        shipping_address={"name": "Sample Buyer", "country_code": "ES", "zip": "28013"},
    )
    assert parse(tmp_path, payload, "--channel-id", "shop-es") == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    printed = json.loads(out)
    nobody = dict.fromkeys(
        ("company", "line1", "line2", "city", "region", "phone", "email", "latitude", "longitude")
    )
    assert printed == {
        "command": "place_order",
        "channel": "shop-es",
        "adapter": "shopify",
        "channel_order_id": "820982911946154508",
        "channel_version": "2026-11-22T09:00:01.000Z",
        "order_number": "#1001",
        "currency": "EUR",
        "presentment_currency": "EUR",
        "test": False,
        "cancelled": False,
        "placed_at": "2026-11-22T09:00:00.000Z",
        "tax_included": True,
        "customer": dict.fromkeys(("id", "name", "email", "phone", "locale")),
        "billing": None,
        "deliveries": [
            {
                "id": "d1",
                "method": "ship",
                "service": "Standard",
                "ship_to": nobody | {"name": "Sample Buyer", "country": "ES", "postal_code": "28013"},
                "location": None,
                "shipping": 499,
                "shipping_discount": 0,
                "shipping_tax": 0,
            }
        ],
        "lines": [
            {
                "channel_line_id": "9007199254740994",
                "kind": "physical",
                "fulfilled_by": "us",
                "parent_line_id": None,
                "delivery_id": "d1",
                "sku": "SKU-1",
                "title": "Article 1",
                "quantity": 2,
                "unit_price": 1999,
                "amount": 3998,
                "discount": 200,
                "tax": 664,
                "requires_shipping": True,
                "cancelled": 0,
                "refunded": 0,
                "shipped": 0,
                "properties": {},
            }
        ],
        "discount": 200,
        "shipping": 499,
        "fees": [],
        "duties": 0,
        "tip": 0,
        "tax": 664,
        "total": 4297,
        "payments": [{"method": "card", "amount": 4297, "state": "captured", "reference": None}],
        "source_location": None,
        "purchase_order": None,
        "replaces": None,
        "notes": None,
        "balanced": True,
        "reservation": None,
    }
    assert list(printed)[:4] == ["command", "channel", "adapter", "channel_order_id"]


def test_a_payload_with_several_orders_is_one_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse(tmp_path, {"orders": [order(), order(name="#1002")]}, topic="rest_orders") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["order_number"] for line in lines] == ["#1001", "#1002"]
    assert {line["channel"] for line in lines} == {"shopify"}


@pytest.mark.parametrize("as_text", [True, False])
def test_a_stored_capture_is_unwrapped_and_its_numbers_stay_as_they_were(
    tmp_path: Path, as_text: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    body = order(item(price=10.10), total_price=10.10)
    capture = {
        "headers": {"x-shopify-topic": "orders/paid", "x-shopify-test": "true"},
        "body": json.dumps(body) if as_text else body,
    }
    assert parse(tmp_path, capture, topic=None) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["channel_order_id"], printed["total"]) == ("820982911946154508", 1010)
    assert printed["test"] is True
