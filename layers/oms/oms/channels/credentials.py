"""How each kind of API is told who calls: headers made from what `api` in the channel's secret holds.

Kinds that give short-lived tokens (OAuth 2.0, RFC 6749 section 6) are asked for one with the refresh token.
"""

import base64
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from oms.channels.exchange import Request, Response, needed, read, refused
from oms.channels.payload import Node
from oms.problems import Code, Problem

type Values = Mapping[str, str]
type Authorize = Callable[[Values], Mapping[str, str]]

TOKEN_S = 3600
"""How long a token is good for when its answer does not say."""


def _under(name: str, prefix: str = "") -> Authorize:
    return lambda values: {name: prefix + needed(values, "token")}


def _basic(user: str, password: str) -> Mapping[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _key_and_secret(values: Values) -> Mapping[str, str]:
    return _basic(needed(values, "key"), needed(values, "secret"))


def _shipstation(values: Values) -> Mapping[str, str]:
    """V2 is ShipEngine's API and has one key; V1 has a key and a secret."""
    return AUTHORIZATIONS["shipengine"](values) if "token" in values else _key_and_secret(values)


_BEARER = _under("Authorization", "Bearer ")

AUTHORIZATIONS: Mapping[str, Authorize] = {
    "shopify": _under("X-Shopify-Access-Token"),
    "woocommerce": _key_and_secret,
    "magento": _BEARER,
    "bigcommerce": _under("X-Auth-Token"),
    "square": _BEARER,
    "ebay": _BEARER,
    "amazon": _under("x-amz-access-token"),
    "stripe": _BEARER,
    "shipengine": _under("API-Key"),
    "shipstation": _shipstation,
}
"""The headers that name the caller, by kind of channel."""

_CLIENT_IN_HEADER = frozenset({"ebay"})
"""Kinds that take the client's id and secret as a user and a password; others take them in the body."""


def authorization(kind: str, values: Values) -> Mapping[str, str]:
    """The headers that tell an API who calls.

    Raises:
        Problem: `unsupported`, nothing calls that kind of API; `field_missing`, a credential is not there.
    """
    if kind not in AUTHORIZATIONS:
        raise Problem(Code.UNSUPPORTED, f"no API of {kind} is called", "kind")
    return AUTHORIZATIONS[kind](values)


def is_refreshed(values: Values) -> bool:
    """Whether a short-lived token has to be asked for."""
    return "refresh_token" in values


def token_request(kind: str, values: Values) -> Request:
    """Asks for a token; `api` has the address of the token endpoint in `token_url`.

    Raises:
        Problem: `field_missing`.
    """
    client = {"client_id": needed(values, "client_id"), "client_secret": needed(values, "client_secret")}
    form = {"grant_type": "refresh_token", "refresh_token": needed(values, "refresh_token")}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if kind in _CLIENT_IN_HEADER:
        headers |= _basic(*client.values())
    else:
        form |= client
    return Request("POST", needed(values, "token_url"), headers, urlencode(form).encode())


def token_in(answer: Response) -> tuple[str, int]:
    """The token of an answer, and the seconds that it is good for.

    Raises:
        Problem: `channel_refused`, there is none in it.
    """
    if not answer.good:
        raise refused(answer, "the request of a token")
    node = read(answer)
    token = node.text("access_token")
    if token is None:
        raise Problem(Code.CHANNEL_REFUSED, "the channel's answer holds no token", "access_token")
    return token, node.need(Node.integer, "expires_in") if node.has("expires_in") else TOKEN_S
