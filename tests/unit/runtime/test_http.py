"""The HTTP client: whom it calls, how often, how long, and what it makes of bad answers."""

import gzip
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from oms.channels.exchange import Request, Response, Unavailable
from oms.channels.headers import Headers
from oms.problems import Code, Problem
from oms.runtime.http import FAILURES, MAX_BYTES, REST_S, TRIES, Client, retry_after
from oms.runtime.settings import Reach
from tests.fakes_http import GARBAGE, FakeServer, Fault, Says, serving

HERE = frozenset({"127.0.0.1"})


@dataclass
class Time:
    """Time that passes only by waiting."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def client(time: Time) -> Client:
    return Client(Reach.ANY, clock=lambda: time.now, pause=time.wait, read_s=0.2)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving(lambda asked: Says(200, {"path": asked.path})) as fake:
        yield fake


def get(fake: FakeServer, path: str = "/orders?id=1", *, repeatable: bool = True) -> Request:
    return Request("GET", fake.url + path, {"X-Token": "t"}, repeatable=repeatable)


@pytest.mark.parametrize(
    "fault", [Fault.HANG, Fault.LOST, Fault.CUT, Says(500), Says(502), Says(503), Says(504), Says(408)]
)
def test_a_call_that_another_try_may_help_is_tried_again(
    fault: Fault | Says, client: Client, server: FakeServer, time: Time
) -> None:
    server.faults = [fault, fault]
    assert client.send(get(server), HERE).body == b'{"path": "/orders?id=1"}'
    assert len(server.asked) == 3
    assert len(time.waits) == 2 and all(0 <= wait <= 0.4 for wait in time.waits)


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.LOST, Fault.CUT, Says(500)])
def test_a_call_that_must_not_be_made_twice_is_made_once(
    fault: Fault | Says, client: Client, server: FakeServer
) -> None:
    server.faults = [fault]
    with pytest.raises(Unavailable):
        client.send(get(server, repeatable=False), HERE)
    assert len(server.asked) == 1


def test_a_call_that_was_throttled_was_not_made_and_waits_as_long_as_it_is_told(
    client: Client, server: FakeServer, time: Time
) -> None:
    server.faults = [Says(429, headers={"Retry-After": "2"})]
    assert client.send(get(server, repeatable=False), HERE).status == 200
    assert time.waits == [2.0]


def test_a_wait_that_is_too_long_to_sit_through_is_handed_back_and_nobody_else_calls_meanwhile(
    client: Client, server: FakeServer, time: Time
) -> None:
    server.faults = [Says(429, headers={"Retry-After": "90"})]
    with pytest.raises(Unavailable) as first:
        client.send(get(server), HERE)
    assert (first.value.after_s, time.waits) == (90.0, [])
    with pytest.raises(Unavailable) as second:
        client.send(get(server), HERE)
    assert second.value.after_s == 90.0
    assert len(server.asked) == 1
    time.now += 90
    assert client.send(get(server), HERE).status == 200


def test_a_host_that_keeps_failing_is_left_alone_and_tried_by_one_call_after_the_rest(
    client: Client, server: FakeServer, time: Time
) -> None:
    server.faults = [Says(500)] * 100
    for _ in range(20):
        with pytest.raises(Unavailable):
            client.send(get(server), HERE)
    assert len(server.asked) == FAILURES
    time.now += REST_S
    with pytest.raises(Unavailable):
        client.send(get(server), HERE)
    assert len(server.asked) == FAILURES + 1
    server.faults = []
    time.now += REST_S
    assert [client.send(get(server), HERE).status for _ in range(3)] == [200] * 3


def test_a_failing_host_does_not_keep_us_from_another(client: Client, server: FakeServer) -> None:
    with serving(lambda asked: Says(500)) as failing:
        for _ in range(FAILURES):
            with pytest.raises(Unavailable):
                client.send(get(failing), HERE)
        assert client.send(get(server), HERE).status == 200


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 400, 401, 404, 409, 422])
def test_an_answer_is_given_back_as_it_is_and_a_redirect_is_not_followed(
    status: int, client: Client, server: FakeServer
) -> None:
    server.faults = [Says(status, headers={"Location": server.url + "/elsewhere"})]
    assert client.send(get(server), HERE).status == status
    assert len(server.asked) == 1


def test_no_host_but_those_named_gets_the_credentials(client: Client, server: FakeServer) -> None:
    with pytest.raises(Problem) as caught:
        client.send(get(server), frozenset({"shop.example"}))
    assert (caught.value.code, caught.value.field) == (Code.ADDRESS_REFUSED, "url")
    assert server.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "ftp://shop.example/",
        "shop.example",
        "https://",
        "https://user@shop.example/",
        "https://shop.example:0/",
        "https://shop.example:99999/",
        "https://[::1/",
    ],
)
def test_an_address_that_is_not_plain_https_is_refused(url: str) -> None:
    client = Client()
    for call in (
        lambda: client.send(Request("GET", url), frozenset({"shop.example"})),
        lambda: client.require_reachable(url),
        lambda: client.post_to_stranger(Request("POST", url)),
    ):
        with pytest.raises(Problem) as caught:
            call()
        assert caught.value.code == Code.ADDRESS_REFUSED


def test_an_answer_that_is_too_long_is_refused_even_when_it_is_short_on_the_wire(
    client: Client, server: FakeServer
) -> None:
    bomb = gzip.compress(b"0" * (MAX_BYTES + 1))
    server.faults = [Says(200, bomb, {"Content-Encoding": "gzip"})]
    with pytest.raises(Problem) as caught:
        client.send(get(server), HERE)
    assert caught.value.code == Code.CHANNEL_REFUSED
    server.faults = [Says(200, gzip.compress(b"[1]"), {"Content-Encoding": "gzip"})]
    assert client.send(get(server), HERE).body == b"[1]"


def test_what_is_sent_arrives_byte_for_byte(client: Client, server: FakeServer) -> None:
    client.send(Request("PUT", server.url + "/a%2Fb?q=%20", {"X-Token": "t"}, b"\x00\xff"), HERE)
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("PUT", "/a%2Fb?q=%20", b"\x00\xff")
    assert asked.headers["x-token"] == "t" and asked.headers["host"] == server.host


def test_a_host_whose_name_has_no_address_is_unavailable(client: Client) -> None:
    with pytest.raises(Unavailable):
        client.send(Request("GET", "https://shop.invalid/"), frozenset({"shop.invalid"}))


# ---- Strangers ---------------------------------------------------------------------------------------------

PRIVATE = [
    "127.0.0.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_endpoint_at_an_address_that_is_not_public_is_refused(address: str) -> None:
    client = Client(resolve=lambda host, port: [address])
    for call in (client.require_reachable, lambda url: client.post_to_stranger(Request("POST", url))):
        with pytest.raises(Problem) as caught:
            call("https://hooks.example/")
        assert caught.value.code == Code.ADDRESS_REFUSED


def test_one_address_that_is_not_public_among_several_is_enough_to_refuse() -> None:
    client = Client(resolve=lambda host, port: ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(Problem):
        client.require_reachable("https://hooks.example/")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34"])
def test_an_endpoint_of_the_internet_is_reachable(address: str) -> None:
    Client(resolve=lambda host, port: [address]).require_reachable("https://hooks.example:8443/in?a=b")


def test_an_endpoint_without_an_address_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        Client(resolve=lambda host, port: []).require_reachable("https://hooks.example/")


def test_the_connection_is_made_to_the_address_that_was_checked(server: FakeServer) -> None:
    """DNS rebinding: a name that resolves to something else the second time is not resolved a second time."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        assert len(asked) == 1, "resolved twice"
        return ["127.0.0.1"]

    client = Client(Reach.ANY, resolve=resolve)
    port = server.url.rpartition(":")[2]
    answer = client.post_to_stranger(Request("POST", f"http://hooks.example:{port}/in", body=b"{}"))
    assert answer.status == 200
    assert server.asked[0].headers["host"] == f"hooks.example:{port}"


@pytest.mark.parametrize("status", [200, 302, 400, 410, 429, 500])
def test_a_stranger_is_called_once_whatever_it_answers(
    status: int, client: Client, server: FakeServer
) -> None:
    server.faults = [Says(status, b"x" * 100_000, {"Location": server.url})]
    assert client.post_to_stranger(get(server)).status == status
    assert len(server.asked) == 1


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.LOST])
def test_a_stranger_that_does_not_answer_is_unavailable_and_left_alone_in_the_end(
    fault: Fault, client: Client, server: FakeServer
) -> None:
    server.faults = [fault] * 100
    for _ in range(FAILURES + 3):
        with pytest.raises(Unavailable):
            client.post_to_stranger(get(server))
    assert len(server.asked) == FAILURES


def test_the_tries_are_bounded(client: Client, server: FakeServer) -> None:
    server.faults = [Says(500)] * 100
    with pytest.raises(Unavailable, match="status 500"):
        client.send(get(server), HERE)
    assert len(server.asked) == TRIES


def test_a_body_that_is_no_json_is_still_an_answer(client: Client, server: FakeServer) -> None:
    server.faults = [Fault.GARBAGE]
    assert client.send(get(server), HERE).body == GARBAGE.body


# ---- TLS ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for hooks.example and its key, signed by nobody else."""
    from cryptography import x509  # noqa: PLC0415 (takes long to load)
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "hooks.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_port(certificate: Path) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 (the library's name)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
            """Nothing."""

    class Quiet(HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Nothing: callers that trust nobody hang up."""

    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join()


type Post = Callable[[str], Response]


@pytest.fixture
def post(tls_port: int) -> Post:
    client = Client(Reach.ANY, resolve=lambda host, port: ["127.0.0.1"])
    return lambda name: client.post_to_stranger(Request("POST", f"https://{name}:{tls_port}/"))


def test_a_certificate_that_nobody_vouches_for_is_refused(post: Post) -> None:
    with pytest.raises(Unavailable, match="SSLError"):
        post("hooks.example")


def test_a_certificate_has_to_be_for_the_name_not_for_the_address(
    post: Post, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert post("hooks.example").status == 204
    with pytest.raises(Unavailable, match="SSLError"):
        post("other.example")


# ---- Retry-After -------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("9" * 400, None),
        ("٣", None),
        ("120", 120.0),
        ("2.5", 2.5),
        ("999999", 3600.0),
        ("Sun, 22 Nov 2026 10:01:30 GMT", 90.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0),
    ],
)
def test_a_wait_is_read_in_seconds_or_as_a_date(text: str | None, seconds: float | None) -> None:
    headers = Headers([("Retry-After", text)] if text is not None else [])
    assert retry_after(Response(429, headers, b""), NOW) == seconds
