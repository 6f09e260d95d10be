"""The one HTTP client: every call of somebody else's server goes through it, by the same rules.

It is urllib3, which botocore brings into every process anyway: another library would cost each cold start
some hundred modules more. What urllib3 leaves to its caller is here: whom to call at all, how long, how
often, and when to stop. Redirects are never followed, so credentials go to no host that was not named.
"""

import http.client
import ipaddress
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationValueError

from oms.channels.exchange import Request, Response, Unavailable
from oms.channels.headers import Headers
from oms.problems import Code, Problem
from oms.runtime.settings import Reach

MAX_BYTES = 5_000_000
"""The longest answer that is read, after decompression."""

TRIES = 3
CONNECT_S = 3.0
READ_S = 10.0
"""Longest wait for a connection, and between two bytes of an answer."""

TOTAL_S = 20.0
"""Longest time for all tries of a call and the pauses between them."""

FIRST_PAUSE_S = 0.2
FAILURES = 5
"""Calls in a row that a host fails before it is left alone."""

REST_S = 30.0
"""How long it is then left alone; one call that fails starts another rest."""

THROTTLED = 429
_PASSING = frozenset({408, THROTTLED, 500, 502, 503, 504})
"""Statuses that another try may change."""

LONGEST_WAIT_S = 3600.0
"""Whatever a server asks for, it is asked again after an hour."""

_CHUNK = 65536
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_PORTS = {"https": 443, "http": 80}


type Resolve = Callable[[str, int], Collection[str]]
"""The addresses of a host."""


def resolve(host: str, port: int) -> Collection[str]:
    """The addresses of a host, as the system finds them.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return dict.fromkeys(str(address[4][0]) for address in found)


@dataclass(slots=True)
class _Host:
    """What a process remembers of a host: failures in a row, and until when it is left alone."""

    failures: int = 0
    rest_until: float = 0.0


class Client:
    """Sends requests; one for a process, so that it remembers which hosts are down.

    Args:
        reach: whom to call.
        resolve: finds the addresses of a host.
        clock: monotonic seconds.
        pause: waits a number of seconds.
        read_s: longest wait for a part of an answer, in seconds.
    """

    def __init__(
        self,
        reach: Reach = Reach.PUBLIC,
        *,
        resolve: Resolve = resolve,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
        read_s: float = READ_S,
    ) -> None:
        self._reach = reach
        self._resolve = resolve
        self._clock = clock
        self._pause = pause
        self._timeout = urllib3.Timeout(connect=CONNECT_S, read=read_s)
        self._pools = urllib3.PoolManager(num_pools=50, maxsize=4, retries=False)
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def send(self, request: Request, hosts: Collection[str]) -> Response:
        """Send a request to one of the hosts that it may go to, again when that may help.

        Args:
            request: what to send.
            hosts: names that the address may have.

        Raises:
            Unavailable: the host gave no answer that counts, or is left alone for having failed before.
            Problem: `address_refused`, or `channel_refused`: the answer is too long.
        """
        address = self._address(request.url)
        if address.hostname not in hosts:
            raise _refused(f"{address.hostname} is not a host that this may go to")
        host = self._host(address.netloc)
        deadline = self._clock() + TOTAL_S
        for attempt in range(TRIES):
            self._require_rested(host)
            try:
                response = self._once(request, self._pools.connection_from_url(request.url), MAX_BYTES)
            except HTTPError as error:
                self._failed(host)
                detail, wait, again = type(error).__name__, None, request.repeatable
            else:
                if response.status not in _PASSING:
                    host.failures = 0
                    return response
                wait = retry_after(response, datetime.now(UTC))
                again = request.repeatable
                if response.status == THROTTLED:
                    again = True  # It says that it did nothing.
                    host.rest_until = self._clock() + (wait or 0.0)
                else:
                    self._failed(host)
                detail = f"status {response.status}"
            pause = random.uniform(0, FIRST_PAUSE_S * 2**attempt) if wait is None else wait
            last = attempt == TRIES - 1 or self._clock() + pause > deadline
            if not again or last:
                break
            self._pause(pause)
        raise Unavailable(f"{address.hostname}: {detail}", wait)

    def post_to_stranger(self, request: Request) -> Response:
        """Send a request once to an endpoint that somebody else has named; what it answers is not read.

        The name is resolved once, each of its addresses has to be public, and the connection is made to the
        address that was checked: a name that resolves to another address a moment later reaches nothing.

        Raises:
            Unavailable: the endpoint gave no answer, or is left alone for having failed before.
            Problem: `address_refused`.
        """
        address = self._address(request.url)
        host = self._host(address.netloc)
        self._require_rested(host)
        pool = self._pinned(address)
        try:
            response = self._once(request, pool, 0)
        except HTTPError as error:
            self._failed(host)
            raise Unavailable(f"{address.hostname}: {type(error).__name__}") from None
        finally:
            pool.close()
        if response.status >= 500:
            self._failed(host)
        else:
            host.failures = 0
        return response

    def require_reachable(self, url: str) -> None:
        """See that an endpoint may be called: its scheme, and each of its addresses.

        Raises:
            Problem: `address_refused`.
            Unavailable: its name has no address.
        """
        self._public_address(self._address(url))

    def _address(self, url: str) -> SplitResult:
        try:
            address = urlsplit(url)
            port = address.port
        except ValueError:
            raise _refused("it is not an address") from None
        if address.scheme != "https" and not (self._reach is Reach.ANY and address.scheme == "http"):
            raise _refused("it has to begin with https")
        if not address.hostname or address.username is not None or port == 0:
            raise _refused("it has to name a host, and no user")
        return address

    def _public_address(self, address: SplitResult) -> str:
        host = address.hostname or ""
        try:
            found = self._resolve(host, address.port or _PORTS[address.scheme])
        except (OSError, UnicodeError):
            raise Unavailable(f"{host}: its name has no address") from None
        if not found:
            raise Unavailable(f"{host}: its name has no address")
        for each in found:
            if self._reach is Reach.PUBLIC and not _is_public(each):
                raise _refused(f"{host} stands at an address that is not public")
        return next(iter(found))

    def _pinned(self, address: SplitResult) -> urllib3.HTTPConnectionPool:
        """A connection to the address that was checked; the certificate has to be for the name."""
        name = address.hostname or ""
        checked = self._public_address(address)
        port = address.port or _PORTS[address.scheme]
        if address.scheme == "http":
            return urllib3.HTTPConnectionPool(checked, port, maxsize=1)
        return urllib3.HTTPSConnectionPool(
            checked, port, maxsize=1, server_hostname=name, assert_hostname=name, cert_reqs="CERT_REQUIRED"
        )

    def _once(self, request: Request, pool: urllib3.HTTPConnectionPool, limit: int) -> Response:
        address = urlsplit(request.url)
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        headers = {"Host": address.netloc, "User-Agent": "oms", "Accept-Encoding": "gzip"}
        with _no_surprises():
            answer = pool.urlopen(
                request.method,
                path,
                body=request.body or None,
                headers=headers | dict(request.headers),
                retries=False,
                redirect=False,
                timeout=self._timeout,
                preload_content=False,
            )
            try:
                body = self._body(answer, limit) if limit else b""
            except BaseException:
                answer.close()  # what is left of the answer is nobody's
                raise
            answer.close() if not limit else answer.release_conn()
        return Response(answer.status, Headers(answer.headers.items()), body)

    def _body(self, answer: urllib3.BaseHTTPResponse, limit: int) -> bytes:
        """The body, part by part: one that comes in drops ends at the deadline."""
        deadline = self._clock() + TOTAL_S
        parts: list[bytes] = []
        length = 0
        while part := answer.read1(_CHUNK, decode_content=True):
            parts.append(part)
            length += len(part)
            if length > limit:
                raise Problem(Code.CHANNEL_REFUSED, f"the answer is longer than {limit} bytes")
            if self._clock() > deadline:
                raise urllib3.exceptions.ReadTimeoutError(None, None, "the answer did not end")  # type: ignore[arg-type]  # no pool to tell of
        return b"".join(parts)

    def _host(self, name: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(name, _Host())

    def _require_rested(self, host: _Host) -> None:
        left = host.rest_until - self._clock()
        if left > 0:
            raise Unavailable("the host is left alone for a while", left)

    def _failed(self, host: _Host) -> None:
        host.failures += 1
        if host.failures >= FAILURES:
            host.rest_until = self._clock() + REST_S


@contextmanager
def _no_surprises() -> Iterator[None]:
    """Whatever a server can make the libraries raise becomes urllib3's own kind of error."""
    try:
        yield
    except (http.client.HTTPException, LocationValueError, OSError, ValueError) as error:
        raise HTTPError(type(error).__name__) from error


def retry_after(response: Response, now: datetime) -> float | None:
    """Seconds that a server asks to wait (RFC 9110, 10.2.3), at most an hour; None when it does not ask.

    Some write seconds with a fraction. What cannot be read asks for nothing.
    """
    text = (response.headers.get("Retry-After") or "").strip()
    try:
        wait = float(text) if _SECONDS.fullmatch(text) else _until(text, now)
    except (ValueError, OverflowError):
        return None
    return min(wait, LONGEST_WAIT_S)


def _until(text: str, now: datetime) -> float:
    moment = parsedate_to_datetime(text)
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _is_public(text: str) -> bool:
    """Whether an address is one of the internet; one of IPv4 inside of IPv6 counts as what it is inside."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inside is not None:
            return _is_public(str(inside)) and (address.ipv4_mapped is not None or address.is_global)
        if address in _NAT64:
            return _is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    return address.is_global and not address.is_multicast and not address.is_reserved


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _refused(detail: str) -> Problem:
    return Problem(Code.ADDRESS_REFUSED, detail, "url")
