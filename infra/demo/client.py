"""A client of a deployed stack's public doors: its API, its webhooks and its queues."""

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

_ATTEMPTS = 4
_TIMEOUT_S = 30


class Refused(Exception):
    """The API answered with a problem."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Api:
    """The REST API under one token.

    Args:
        url: base URL with the stage, without a slash at the end.
        token: what `oms token create` printed.
    """

    url: str
    token: str

    def get(self, path: str, **query: str) -> Any:
        """The JSON answer of a GET."""
        return self._call("GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path)

    def put(self, path: str, document: dict[str, Any]) -> Any:
        """The JSON answer of a PUT."""
        return self._call("PUT", path, document)

    def post(self, path: str, document: dict[str, Any]) -> Any:
        """The JSON answer of a POST."""
        return self._call("POST", path, document)

    def _call(self, method: str, path: str, document: dict[str, Any] | None = None) -> Any:
        body = None if document is None else json.dumps(document).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        status, text = send(method, self.url + path, body, headers)
        if status >= 400:
            raise Refused(status, text)
        return json.loads(text) if text else None


def post_webhook(url: str, channel: str, body: bytes, headers: dict[str, str]) -> int:
    """Deliver a webhook as a channel does, again while the server fails; returns the HTTP status."""
    return send("POST", f"{url}/webhooks/{channel}", body, {"Content-Type": "application/json"} | headers)[0]


def shopify_headers(topic: str, body: bytes, secret: str) -> dict[str, str]:
    """The headers of a Shopify delivery: base64 of the HMAC-SHA256 of the body, and the topic."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"X-Shopify-Topic": topic, "X-Shopify-Hmac-Sha256": base64.b64encode(signature).decode()}


def send(method: str, url: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, str]:
    """One HTTP request, repeated with a pause while the server fails; returns status and text."""
    for attempt in range(_ATTEMPTS):
        request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == _ATTEMPTS - 1:
                return error.code, error.read().decode()
        except (urllib.error.URLError, TimeoutError):
            if attempt == _ATTEMPTS - 1:
                raise
        time.sleep(0.2 * 2**attempt)
    raise AssertionError("unreachable")
