"""AWS on the loopback for one process at a time: the table in memory, and answers of the other services.

It is quick enough to vanish beside a cold start, which an emulator is not.
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError

from infra.lab.memory_table import MemoryTable

type Document = dict[str, Any]

_TABLE = "DynamoDB_20120810"


class AwsStub:
    """What answers: `table` is the store of the next calls, `secrets` are the values of secrets by name."""

    def __init__(self, url: str, secrets: Mapping[str, str]) -> None:
        self.url = url
        self.table = MemoryTable("none")
        self.secrets = secrets

    def answer(self, service: str, operation: str, request: Document) -> Document:
        """What an operation gives.

        Raises:
            ClientError: the table refuses it.
            KeyError: nothing is known of the operation.
        """
        if service == _TABLE:
            method = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
            answer: Document = getattr(self.table, method)(**_map(request, base64.b64decode))
            return dict(_map(answer, _text))
        others: Mapping[str, Callable[[Document], Document]] = {
            "GetSecretValue": lambda asked: {"SecretString": self.secrets[asked["SecretId"]]},
            "SendMessage": lambda asked: {"MessageId": "1"},
            "SendMessageBatch": lambda asked: {
                "Successful": [{"Id": entry["Id"], "MessageId": "1"} for entry in asked["Entries"]]
            },
            "PutEvents": lambda asked: {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]},
        }
        return others[operation](request)


@contextmanager
def serving(secrets: Mapping[str, str]) -> Iterator[AwsStub]:
    """Serve on a free port of the loopback for the duration of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # an answer in two packets would wait for the client's acknowledgement

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service, _, operation = self.headers["X-Amz-Target"].rpartition(".")
            try:
                status, answer = 200, stub.answer(service, operation, json.loads(body))
            except ClientError as error:
                status, answer = 400, _problem(error)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stub = AwsStub(f"http://127.0.0.1:{server.server_port}", secrets)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()


def _problem(error: ClientError) -> Document:
    response: Any = _map(dict(error.response), _text)
    return {
        "__type": f"com.amazonaws.dynamodb.v20120810#{response['Error']['Code']}",
        "message": response["Error"]["Message"],
    } | {name: value for name, value in response.items() if name == "CancellationReasons"}


def _map(value: Any, binary: Callable[[Any], Any]) -> Any:
    """A document with its binary attribute values in the other form: text on the wire, bytes in memory."""
    if isinstance(value, list | tuple):
        return [_map(member, binary) for member in value]
    if isinstance(value, dict):
        if len(value) == 1 and "B" in value and isinstance(value["B"], str | bytes):
            return {"B": binary(value["B"])}
        return {name: _map(member, binary) for name, member in value.items()}
    return value


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
