"""Shopify's returns, which only its GraphQL API has."""

import re
from collections.abc import Iterator

from oms.channels.exchange import Api, Unavailable, read
from oms.channels.fetching import SHOPIFY_API, Fetched, encoded
from oms.channels.payload import Json, Node
from oms.problems import Code, Problem

RETURN = """query ($id: ID!) { return(id: $id) {
  id status order { id } decline { reason }
  returnLineItems(first: 100) { pageInfo { hasNextPage } nodes { id quantity returnReason customerNote
    ... on ReturnLineItem { fulfillmentLineItem { lineItem { id } } } } }
} }"""
"""A return with what its webhooks may leave out: the lines of the order that its own lines are of."""

THROTTLED_S = 2.0
"""The bucket of costs fills up again at 50 points a second or more."""

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def fetch_return(api: Api, resource_id: str) -> Iterator[Fetched]:
    """A return in the form of its webhooks: names in snake case, connections as lists."""
    found = graphql(api, RETURN, {"id": f"gid://shopify/Return/{resource_id}"}).child("return")
    if found is None:
        raise Problem(Code.CHANNEL_REFUSED, f"the channel has no return {resource_id}")
    if found.need(Node.child, "returnLineItems").need(Node.child, "pageInfo").flag("hasNextPage"):
        raise Problem(Code.UNSUPPORTED, f"return {resource_id} has more than 100 lines")
    yield Fetched("rest_return", encoded({"return": _as_sent(found.value)}))


def graphql(api: Api, query: str, variables: dict[str, object], *, repeatable: bool = True) -> Node:
    """The data that answers a query or a mutation of the GraphQL Admin API.

    Raises:
        Problem: `channel_refused`, there are errors.
        Unavailable: the query costs more than is left in the bucket, or as for `Api.call`.
    """
    asked = {"query": query, "variables": variables}
    answer = api.call("POST", f"{SHOPIFY_API}/graphql.json", asked, repeatable=repeatable)
    node = read(answer)
    codes = [(error.child("extensions") or Node({})).text("code") for error in node.children("errors")]
    if "THROTTLED" in codes:
        raise Unavailable("the query costs more than the shop has left for us", THROTTLED_S)
    if codes:
        raise Problem(Code.CHANNEL_REFUSED, "the channel's answer holds errors", "errors")
    return node.need(Node.child, "data")


def _as_sent(value: Json) -> Json:
    if isinstance(value, dict):
        if isinstance(value.get("nodes"), list):
            return _as_sent(value["nodes"])
        return {_HUMP.sub("_", key).lower(): _as_sent(inner) for key, inner in value.items()}
    return [_as_sent(inner) for inner in value] if isinstance(value, list) else value
