"""What Shopify is told, through its GraphQL Admin API.

`api` in the channel's secret names the shop's location that we feed: `location_id`.
"""

from oms.channels.exchange import Api
from oms.channels.payload import Node
from oms.channels.publishing import Level, Parcel
from oms.channels.shopify.fetch import graphql
from oms.problems import Code, Problem

SET_QUANTITIES = """mutation ($input: InventorySetQuantitiesInput!) {
  inventorySetQuantities(input: $input) { userErrors { code } }
}"""


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number, so that to set it twice is to set it once."""
    quantity = {
        "inventoryItemId": f"gid://shopify/InventoryItem/{level.listing.item_id}",
        "locationId": f"gid://shopify/Location/{api.value('location_id')}",
        "quantity": level.units,
    }
    wanted = {
        "name": "available",
        "reason": "correction",
        "referenceDocumentUri": f"oms://stock/{level.key}",
        "ignoreCompareQuantity": True,
        "quantities": [quantity],
    }
    mutate(api, SET_QUANTITIES, {"input": wanted}, "inventorySetQuantities")


def mutate(
    api: Api, mutation: str, variables: dict[str, object], name: str, *, repeatable: bool = True
) -> Node:
    """The outcome of a mutation.

    Raises:
        Problem: `channel_refused`, it has errors of the user.
    """
    outcome = graphql(api, mutation, variables, repeatable=repeatable).need(Node.child, name)
    errors = outcome.children("userErrors")
    if errors:
        code = errors[0].text("code") or "no code"
        raise Problem(Code.CHANNEL_REFUSED, f"the channel answered {name} with {code}", name)
    return outcome


PLAN = """query ($id: ID!) { order(id: $id) {
  fulfillments(first: 100) { trackingInfo { number } }
  fulfillmentOrders(first: 50) { nodes { id
    lineItems(first: 100) { nodes { id remainingQuantity lineItem { id } } } } }
} }"""
"""What Shopify plans to ship, and the parcels that it knows."""

FULFILL = """mutation ($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { userErrors { field } }
}"""


def push_parcel(api: Api, parcel: Parcel) -> None:
    """See `Publishing.push_parcel`: a fulfillment of what Shopify's own plan still has of these lines.

    Without a tracking number a parcel is known by what is left in the plan: what is not left was told.
    """
    variables: dict[str, object] = {"id": f"gid://shopify/Order/{parcel.order_id}"}
    order = graphql(api, PLAN, variables).child("order")
    if order is None:
        raise Problem(Code.CHANNEL_REFUSED, f"the channel has no order {parcel.order_id}", "order")
    known = [
        info.text("number")
        for each in order.children("fulfillments")
        for info in each.children("trackingInfo")
    ]
    work = _planned(order, parcel)
    if (parcel.tracking_number is not None and parcel.tracking_number in known) or not work:
        return
    fulfillment: dict[str, object] = {"lineItemsByFulfillmentOrder": work, "notifyCustomer": True}
    if parcel.tracking_number is not None:
        fulfillment["trackingInfo"] = {"number": parcel.tracking_number, "company": parcel.carrier}
    mutate(api, FULFILL, {"fulfillment": fulfillment}, "fulfillmentCreate", repeatable=False)


def _planned(order: Node, parcel: Parcel) -> list[dict[str, object]]:
    """The lines of Shopify's fulfillment orders that the parcel's units are of."""
    left = dict(parcel.lines)
    work: list[dict[str, object]] = []
    for planned in _nodes(order, "fulfillmentOrders"):
        items: list[dict[str, object]] = []
        for item in _nodes(planned, "lineItems"):
            line = item.need(Node.child, "lineItem").need(Node.identifier, "id")
            units = min(left.get(line, 0), item.integer("remainingQuantity") or 0)
            if units > 0:
                left[line] -= units
                items.append({"id": item.need(Node.text, "id"), "quantity": units})
        if items:
            work.append(
                {"fulfillmentOrderId": planned.need(Node.text, "id"), "fulfillmentOrderLineItems": items}
            )
    return work


def _nodes(node: Node, key: str) -> tuple[Node, ...]:
    return node.need(Node.child, key).children("nodes")
