"""A server on the loopback interface that answers as a test wants it to: well, late, badly, or not at all."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Fault(StrEnum):
    """What may go wrong with one call."""

    HANG = "no answer until the caller gives up"
    LOST = "what was asked is done, and the answer is lost"
    CUT = "the answer ends in the middle"
    GARBAGE = "a page that says that the shop is down, with status 200"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came in; the names of the headers are in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Says:
    """An answer; a document becomes JSON."""

    status: int = 200
    document: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The bytes of the answer."""
        if self.document is None:
            return b""
        return self.document if isinstance(self.document, bytes) else json.dumps(self.document).encode()


type Answering = Callable[[Asked], Says]
GARBAGE = Says(200, b"<html>We are down for maintenance</html>")


@dataclass
class FakeServer:
    """What a test knows of its server.

    Attributes:
        url: where it stands.
        answering: answers what no fault is in store for.
        faults: what befalls the next calls, in turn: a fault, or an answer in place of the usual one.
        asked: every request that came in.
    """

    url: str
    answering: Answering
    faults: list[Fault | Says | None] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        """Its host, with the port."""
        return self.url.removeprefix("http://")


@contextmanager
def serving(answering: Answering = lambda asked: Says(200, {})) -> Iterator[FakeServer]:
    """A server for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            with fake.lock:
                fake.asked.append(asked)
                fault = fake.faults.pop(0) if fake.faults else None
                says = fault if isinstance(fault, Says) else GARBAGE
                if fault is None or fault in (Fault.LOST, Fault.CUT):
                    says = fake.answering(asked)
            if fault is Fault.HANG:
                fake.over.wait(5)
            if fault in (Fault.HANG, Fault.LOST):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._say(says, cut=fault is Fault.CUT)

        def _say(self, says: Says, *, cut: bool) -> None:
            self.send_response(says.status)
            for name, value in says.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(says.body)))
            self.end_headers()
            self.wfile.write(says.body[: len(says.body) // 2] if cut else says.body)
            if cut:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 (the library's names)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
            """Nothing: tests have output of their own."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Nothing: callers hang up, as some tests want them to."""

    server = Quiet(("127.0.0.1", 0), Handler)
    fake = FakeServer(f"http://127.0.0.1:{server.server_address[1]}", answering)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
