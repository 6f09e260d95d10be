"""Proof of origin by the schemes of marketplaces, tills, payment and tracking services: refusals first."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from infra.cli.main import main
from oms.channels.ebay import ADAPTER as EBAY
from oms.channels.headers import Headers
from oms.channels.protocol import Handshaking
from oms.channels.registry import adapter
from oms.problems import Code, Problem
from tests.unit.channels import signing
from tests.unit.channels.signing import (
    BODY,
    BY_ADDRESS,
    BY_KEY,
    BY_SECRET,
    NOW,
    SECRET,
    TIMED,
    URL,
    Delivery,
    Signer,
    b64,
    digest,
    ec_key,
    jwks,
    pem,
    rsa_key,
)

SHARED = Path(__file__).parents[4] / "shared" / "channels"
SIGNED = (*BY_SECRET, *BY_KEY)


def genuine(signer: Signer) -> Delivery:
    return signer(BODY, SECRET, NOW)


def refused(delivery: Delivery) -> str:
    """Why a delivery is refused."""
    with pytest.raises(Problem) as problem:
        delivery.verify()
    assert problem.value.code is Code.SIGNATURE_INVALID
    return problem.value.detail


def flipped(body: bytes) -> bytes:
    return body[:-2] + bytes([body[-2] ^ 1]) + body[-1:]


def each_header(change: Callable[[str], str]) -> Callable[[Delivery], Delivery]:
    return lambda delivery: delivery.but(headers={k: change(v) for k, v in delivery.headers.items()})


TAMPERED: dict[str, Callable[[Delivery], Delivery]] = {
    "one byte of the body flipped": lambda d: d.but(body=flipped(d.body)),
    "a byte too many": lambda d: d.but(body=d.body + b"\n"),
    "an empty body": lambda d: d.but(body=b""),
    "the same JSON written anew": lambda d: d.but(body=json.dumps(json.loads(d.body)).encode()),
    "no headers": lambda d: d.but(headers={}),
    "empty headers": each_header(lambda value: ""),
    "headers that are not what they should be": each_header(lambda value: "señal"),
    "no secrets": lambda d: d.but(secrets=()),
    "empty secrets": lambda d: d.but(secrets=("", " ")),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED.keys())
@pytest.mark.parametrize("signer", SIGNED, ids=lambda signer: signer.__name__)
def test_a_delivery_that_was_changed_or_is_not_signed_is_refused(
    signer: Signer, change: Callable[[Delivery], Delivery]
) -> None:
    refused(change(genuine(signer)))


@pytest.mark.parametrize("signer", BY_SECRET, ids=lambda signer: signer.__name__)
def test_another_secret_does_not_verify_and_is_not_told(signer: Signer) -> None:
    detail = refused(genuine(signer).but(secrets=("another", "an older")))
    assert "another" not in detail


@pytest.mark.parametrize("signer", BY_SECRET, ids=lambda signer: signer.__name__)
def test_a_body_signed_with_an_empty_secret_is_refused(signer: Signer) -> None:
    refused(signer(BODY, "", NOW))


@pytest.mark.parametrize("signer", SIGNED, ids=lambda signer: signer.__name__)
def test_two_signatures_that_differ_are_refused(signer: Signer) -> None:
    delivery, other = genuine(signer), signer(b"another body", SECRET, NOW)
    fields = [*other.headers.items(), *delivery.headers.items()]
    with pytest.raises(Problem):
        verify = adapter(delivery.kind).verify
        verify(Headers(fields), delivery.body, delivery.secrets, url=URL, now=NOW)


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("signer", SIGNED, ids=lambda signer: signer.__name__)
def test_a_genuine_delivery_verifies_whatever_the_case_of_its_headers(
    signer: Signer, case: Callable[[str], str]
) -> None:
    delivery = genuine(signer)
    delivery.but(headers={case(name): value for name, value in delivery.headers.items()}).verify()


@pytest.mark.parametrize("signer", [*BY_SECRET, *BY_ADDRESS], ids=lambda signer: signer.__name__)
def test_any_of_the_secrets_verifies_while_one_is_rotated(signer: Signer) -> None:
    delivery = genuine(signer)
    for secrets in [("old", SECRET), (SECRET, "new"), ("", SECRET)]:
        delivery.but(secrets=secrets).verify()


@pytest.mark.parametrize("signer", SIGNED, ids=lambda signer: signer.__name__)
def test_bytes_that_are_no_text_are_verified_as_they_are(signer: Signer) -> None:
    signer(bytes(range(256)), SECRET, NOW).verify()


@pytest.mark.parametrize("seconds", [-301, 301, 86400])
@pytest.mark.parametrize("signer", TIMED, ids=lambda signer: signer.__name__)
def test_a_delivery_replayed_later_or_from_the_future_is_refused(signer: Signer, seconds: int) -> None:
    assert "ago" in refused(genuine(signer).but(now=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize("seconds", [-300, 0, 300])
@pytest.mark.parametrize("signer", TIMED, ids=lambda signer: signer.__name__)
def test_five_minutes_either_way_are_allowed(signer: Signer, seconds: int) -> None:
    genuine(signer).but(now=NOW + timedelta(seconds=seconds)).verify()


@pytest.mark.parametrize("signer", TIMED, ids=lambda signer: signer.__name__)
def test_a_time_that_was_moved_is_refused(signer: Signer) -> None:
    """The time is signed: a replay cannot claim a new one."""
    later = signer(BODY, SECRET, NOW + timedelta(hours=1))
    delivery = genuine(signer)
    moved = {
        name: later.headers[name] if "timestamp" in name else value
        for name, value in delivery.headers.items()
    }
    if moved == delivery.headers:
        (name, value), (_, other) = *delivery.headers.items(), *later.headers.items()
        moved = {name: other.partition(",")[0] + "," + value.partition(",")[2]}
    refused(delivery.but(headers=moved, now=later.now))


@pytest.mark.parametrize("sent", ["", "now", "1e9", "-1", "99999999999999999999", "2026-13-01"])
def test_a_time_that_is_none_is_refused(sent: str) -> None:
    signature = digest(f"{sent}.".encode() + BODY).hex()
    header = {"Stripe-Signature": f"t={sent},v1={signature}"}
    assert "no time" in refused(genuine(signing.stripe).but(headers=header))


# ---- Stripe ------------------------------------------------------------------------------------------------


def stripe_header(*parts: str) -> Delivery:
    return genuine(signing.stripe).but(headers={"Stripe-Signature": ",".join(parts)})


T, V1 = genuine(signing.stripe).headers["Stripe-Signature"].split(",")
V0 = V1.replace("v1=", "v0=")
OTHER = "v1=" + "00" * 32


@pytest.mark.parametrize("parts", [(T, V0), (V1,), (T,), (T, T, V1), (T, OTHER), (V1, V0), (T, "v1=zz")])
def test_stripe_without_one_time_and_a_signature_of_version_1_is_refused(parts: tuple[str, ...]) -> None:
    refused(stripe_header(*parts))


@pytest.mark.parametrize("parts", [(T, V1, V0), (T, OTHER, V1), (T, V1, OTHER), (V1, T), (T, " " + V1)])
def test_stripe_may_give_several_signatures_while_a_secret_is_rolled(parts: tuple[str, ...]) -> None:
    stripe_header(*parts).verify()


def test_stripes_secret_is_used_as_it_is_written() -> None:
    secret = "whsec_" + b64(b"these bytes are not the key")
    signing.stripe(BODY, secret, NOW).verify()


# ---- Square ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [URL + "/", URL.replace("https", "http"), URL.upper(), "", URL + "?a=1", URL.replace("prod", "dev")],
)
def test_square_signs_the_address_as_it_was_configured(url: str) -> None:
    refused(genuine(signing.square).but(url=url))


# ---- EasyPost, AfterShip -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", "sha256={}", "hmac-sha256-base64={}"])
def test_easypost_names_its_scheme(form: str) -> None:
    header = {"X-Hmac-Signature": form.format(digest(BODY).hex())}
    refused(genuine(signing.easypost).but(headers=header))


def test_easyposts_secret_counts_in_its_decomposed_form() -> None:
    header = {"X-Hmac-Signature": f"hmac-sha256-hex={digest(BODY, 'ñ').hex()}"}
    refused(genuine(signing.easypost).but(headers=header, secrets=("ñ",)))
    signing.easypost(BODY, "ñ", NOW).verify()


@pytest.mark.parametrize("name", ["as-signature-hmac-sha256", "am-webhook-signature"])
def test_aftership_signs_its_other_products_alike(name: str) -> None:
    genuine(signing.aftership).but(headers={name: b64(digest(BODY))}).verify()


# ---- secrets in the address --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        URL,
        f"{URL}?token=",
        f"{URL}?token=another",
        f"{URL}?{SECRET}",
        f"https://{SECRET}.example.com/",
        "[x",
    ],
)
@pytest.mark.parametrize("signer", BY_ADDRESS, ids=lambda signer: signer.__name__)
def test_an_address_without_the_secret_is_refused(signer: Signer, url: str) -> None:
    refused(genuine(signer).but(url=url))


@pytest.mark.parametrize("secrets", [(), ("",), (" ",)])
@pytest.mark.parametrize("signer", BY_ADDRESS, ids=lambda signer: signer.__name__)
def test_without_a_secret_no_address_proves_anything(signer: Signer, secrets: tuple[str, ...]) -> None:
    for url in (URL, f"{URL}?token=", f"{URL}?token=%20", f"{URL}//"):
        refused(genuine(signer).but(secrets=secrets, url=url))


@pytest.mark.parametrize("url", [f"{URL}?a=1&token={SECRET}", f"{URL}?key={SECRET}", f"{URL}/{SECRET}"])
@pytest.mark.parametrize("signer", BY_ADDRESS, ids=lambda signer: signer.__name__)
def test_a_secret_in_the_path_or_the_query_proves_a_delivery(signer: Signer, url: str) -> None:
    genuine(signer).but(url=url).verify()


def test_a_public_key_in_the_address_is_no_secret() -> None:
    key = jwks("key-1")
    refused(Delivery("shipstation", {}, BODY, (key,), url=f"{URL}/{key}"))


def test_a_wrong_signature_is_not_made_good_by_the_address() -> None:
    refused(genuine(signing.shippo).but(body=b"{}", url=f"{URL}?token={SECRET}"))


# ---- public keys -------------------------------------------------------------------------------------------


def other_rsa() -> str:
    return pem(rsa.generate_private_key(65537, 2048))


def other_ec() -> str:
    return pem(ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    ("signer", "secrets"),
    [
        (signing.paypal, lambda: (SECRET, other_rsa())),
        (signing.paypal, lambda: ("another webhook", pem(rsa_key()))),
        (signing.paypal, lambda: (pem(rsa_key()),)),
        (signing.paypal, lambda: (SECRET,)),
        (signing.paypal, lambda: (SECRET, pem(ec_key()))),
        (signing.paypal, lambda: (SECRET, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")),
        (signing.paypal, lambda: (SECRET, "-----BEGIN PUBLIC KEY-----")),
        (signing.ebay, lambda: (other_ec(),)),
        (signing.ebay, lambda: (SECRET,)),
        (signing.ebay, lambda: (pem(rsa_key()),)),
        (signing.shipengine, lambda: (jwks("key-2"),)),
        (signing.shipengine, lambda: ('{"keys": []}',)),
        (signing.shipengine, lambda: ('{"keys": [{"kid": "key-1"}]}',)),
        (signing.shipengine, lambda: ('{"keys": [7]}',)),
        (signing.shipengine, lambda: ("{not JSON",)),
    ],
)
def test_another_key_or_none_is_refused(signer: Signer, secrets: Callable[[], tuple[str, ...]]) -> None:
    refused(genuine(signer).but(secrets=secrets()))


def one_line(key: str) -> str:
    """As eBay gives it."""
    return key.replace("\n", "")


def certificate() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "messageverificationcerts.paypal.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(rsa_key().public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(rsa_key(), hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("signer", "secrets"),
    [
        (signing.paypal, lambda: (SECRET, certificate())),
        (signing.paypal, lambda: (SECRET, other_rsa(), pem(rsa_key()))),
        (signing.paypal, lambda: (SECRET, other_rsa() + pem(rsa_key()))),
        (signing.paypal, lambda: ("the webhook before", SECRET, one_line(pem(rsa_key())))),
        (signing.ebay, lambda: (one_line(pem(ec_key())),)),
        (signing.ebay, lambda: (json.dumps({"key": one_line(pem(ec_key())), "algorithm": "ECDSA"}),)),
        (signing.ebay, lambda: (json.dumps({"key": pem(ec_key()), "kid": "key-1"}),)),
        (signing.ebay, lambda: (other_ec(), pem(ec_key()))),
        (signing.shipengine, lambda: (jwks("key-0", "key-1"),)),
        (signing.shipengine, lambda: (json.dumps(json.loads(jwks("key-1"))["keys"][0]),)),
        (signing.shipengine, lambda: (pem(rsa_key()),)),
    ],
)
def test_keys_are_read_in_the_forms_that_vendors_give(
    signer: Signer, secrets: Callable[[], tuple[str, ...]]
) -> None:
    genuine(signer).but(secrets=secrets()).verify()


@pytest.mark.parametrize(
    "address",
    [
        "http://api.paypal.com/cert",
        "https://api.paypal.com.example.com/cert",
        "https://evilpaypal.com/cert",
        "https://paypal.com@example.com/cert",
        "https://example.com/paypal.com",
        "file:///etc/paypal.com",
        "https://[paypal.com/",
        "paypal.com",
    ],
)
def test_paypals_certificate_must_be_at_paypals_address(address: str) -> None:
    delivery = genuine(signing.paypal)
    refused(delivery.but(headers=delivery.headers | {"Paypal-Cert-Url": address}))


@pytest.mark.parametrize("address", ["https://api.sandbox.paypal.com/v1/c", "https://paypal.com/c"])
def test_paypals_hosts_are_paypals_address(address: str) -> None:
    delivery = genuine(signing.paypal)
    delivery.but(headers=delivery.headers | {"Paypal-Cert-Url": address}).verify()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Paypal-Auth-Algo", "SHA1withRSA"),
        ("Paypal-Transmission-Id", "69cd13f0-0000-4000-8000-000000000002"),
        ("Paypal-Transmission-Time", "2026-11-22T09:30:01Z"),
    ],
)
def test_all_that_paypal_signs_counts(name: str, value: str) -> None:
    delivery = genuine(signing.paypal)
    assert name in delivery.headers
    refused(delivery.but(headers=delivery.headers | {name: value}))


@pytest.mark.parametrize(
    "stated", [{"alg": "rsa"}, {"digest": "MD5"}, {"digest": "SHA256"}, {"digest": ""}, {"signature": "!"}]
)
def test_ebays_header_must_name_what_was_done(stated: dict[str, str]) -> None:
    refused(signing.ebay(BODY, SECRET, NOW, **stated))


@pytest.mark.parametrize("header", [b"not JSON", b"[]", b"7", b"\xff"])
def test_ebays_header_that_cannot_be_read_is_refused(header: bytes) -> None:
    refused(genuine(signing.ebay).but(headers={"X-EBAY-SIGNATURE": b64(header)}))


def test_ebays_key_of_another_id_is_left_out() -> None:
    secrets = (json.dumps({"key": pem(ec_key()), "kid": "key-2"}),)
    assert "key" in refused(genuine(signing.ebay).but(secrets=secrets))


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_ebay_may_name_stronger_digests(algorithm: hashes.HashAlgorithm) -> None:
    signature = ec_key().sign(BODY, ec.ECDSA(algorithm))
    signing.ebay(BODY, SECRET, NOW, signature=b64(signature), digest=algorithm.name.upper()).verify()


# ---- eBay's challenge --------------------------------------------------------------------------------------


def challenge(method: str = "GET", code: str = "a1b2", secrets: tuple[str, ...] = (SECRET,)) -> str | None:
    query = {"challenge_code": code} if code else {}
    url = f"{URL}?challenge_code={code}"
    reply = EBAY.handshake(method, query, Headers(), b"", secrets, url=url)
    return reply.body if reply else None


def test_ebays_challenge_is_answered_with_the_hash_of_challenge_token_and_endpoint() -> None:
    expected = hashlib.sha256(f"a1b2{SECRET}{URL}".encode()).hexdigest()
    assert json.loads(challenge() or "") == {"challengeResponse": expected}
    assert isinstance(EBAY, Handshaking)


def test_only_a_request_that_asks_is_a_challenge() -> None:
    assert challenge(method="POST") is None
    assert challenge(code="") is None


@pytest.mark.parametrize("secrets", [(), ("",), (jwks("key-1"),)])
def test_without_a_token_ebays_challenge_is_refused(secrets: tuple[str, ...]) -> None:
    with pytest.raises(Problem):
        challenge(secrets=secrets)


# ---- known vectors and the command -------------------------------------------------------------------------


def known(kind: str) -> list[Delivery]:
    """The vectors that are known of a kind."""
    vectors = json.loads((SHARED / "signature_vectors.json").read_text())["vectors"]
    return [_delivery(vector) for vector in vectors if vector["channel"] == kind]


def _delivery(vector: dict[str, str]) -> Delivery:
    kind = vector["channel"]
    match kind:
        case "square":
            header = {"x-square-hmacsha256-signature": vector["signature"]}
        case "easypost":
            header = {"X-Hmac-Signature": vector["signature"]}
        case _:
            header = {"Sendcloud-Signature": vector["signature_hex"]}
    file = vector.get("body_file", "").partition(" ")[0]
    body = (SHARED / file).read_bytes().rstrip(b"\n") if file else vector["body"].encode()
    return Delivery(kind, header, body, (vector["secret"],), url=vector.get("url", ""))


@pytest.fixture
def shared() -> None:
    if not SHARED.exists():
        pytest.skip("the shared vectors are not there")


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("kind", ["square", "easypost", "sendcloud"])
def test_the_known_vectors_verify_and_fail_with_a_byte_flipped(kind: str) -> None:
    deliveries = known(kind)
    assert deliveries
    for delivery in deliveries:
        delivery.verify()
        refused(delivery.but(body=flipped(delivery.body)))
        refused(delivery.but(secrets=("another",)))
        if kind == "square":
            refused(delivery.but(url=delivery.url + "/"))


@pytest.mark.usefixtures("shared")
def test_stripes_known_vectors_are_its_primitive() -> None:
    vectors = json.loads((SHARED / "signature_vectors.json").read_text())["vectors"]
    mine = [vector for vector in vectors if vector["channel"] == "stripe"]
    assert len(mine) == 3
    for vector in mine:
        assert digest(vector["payload"].encode(), vector["secret"]).hex() == vector["signature_hex"]


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(
    ("case", "genuine_"), [("VALID", True), ("INVALID", False), ("SIGNATURE_MISMATCH", False)]
)
def test_ebays_known_vectors(case: str, genuine_: bool) -> None:
    file = next((SHARED / "payloads" / "ebay").glob("notification_signature_vectors__*"))
    vector = json.loads(file.read_text())[case]
    body = json.dumps(vector["message"], separators=(",", ":")).encode()
    delivery = Delivery("ebay", {"x-ebay-signature": vector["signature"]}, body, (vector["response"]["key"],))
    if genuine_:
        delivery.verify()
        delivery.but(secrets=(json.dumps(vector["response"]),)).verify()
        refused(delivery.but(body=flipped(body)))
    else:
        refused(delivery)


@pytest.mark.parametrize("signer", [*SIGNED, *BY_ADDRESS], ids=lambda signer: signer.__name__)
def test_the_command_verifies_every_scheme(
    signer: Signer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery = genuine(signer)
    (tmp_path / "headers.json").write_text(json.dumps(delivery.headers))
    (tmp_path / "key.pem").write_text(next((s for s in delivery.secrets if s.startswith(("-", "{"))), ""))
    files = ["--headers", str(tmp_path / "headers.json"), "--body", str(tmp_path / "body.bin")]
    secrets = ["--secret", SECRET] if SECRET in delivery.secrets else []
    keys = ["--public-key", str(tmp_path / "key.pem")] if signer in BY_KEY else []
    when = ["--now", NOW.isoformat(), "--url", delivery.url]
    command = ["channel", "verify", "--channel", delivery.kind, *files, *secrets, *keys, *when]
    (tmp_path / "body.bin").write_bytes(delivery.body)
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == {"channel": delivery.kind, "genuine": True}
    if signer not in BY_ADDRESS:
        (tmp_path / "body.bin").write_bytes(flipped(delivery.body))
        assert main(command) == 1
        assert json.loads(capsys.readouterr().err)["code"] == "signature_invalid"


def test_base64_is_decoded_strictly() -> None:
    signature = base64.b64encode(digest(BODY)).decode()
    refused(genuine(signing.aftership).but(headers={"aftership-hmac-sha256": signature[:-1] + "*="}))
