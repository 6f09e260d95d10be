"""What Shopify is told, through its GraphQL Admin API.

`api` in the channel's secret names the shop's location that we feed: `location_id`.
"""

from oms.channels.amounts import whole
from oms.channels.exchange import Api
from oms.channels.payload import Node
from oms.channels.publishing import Cancelled, Level, Parcel, Priced, Repayment, Titled, shared_title
from oms.channels.shopify.fetch import graphql
from oms.problems import Code, Problem
from oms.values import replace

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


VARIANTS = "query ($id: ID!) { product(id: $id) { hasOnlyDefaultVariant } }"

SET_TITLE = """mutation ($product: ProductUpdateInput!) {
  productUpdate(product: $product) { userErrors { field } } }"""


def push_title(api: Api, titled: Titled) -> None:
    """See `Publishing.push_title`: that of the product, when it has no other variant."""
    product = f"gid://shopify/Product/{titled.need('product_id')}"
    found = graphql(api, VARIANTS, {"id": product}).child("product")
    if found is None:
        raise Problem(Code.CHANNEL_REFUSED, "the channel has no such product", "product_id")
    if not found.flag("hasOnlyDefaultVariant"):
        raise shared_title()
    mutate(api, SET_TITLE, {"product": {"id": product, "title": titled.title}}, "productUpdate")


SET_PRICE = """mutation ($product: ID!, $variants: [ProductVariantsBulkInput!]!) {
  productVariantsBulkUpdate(productId: $product, variants: $variants) { userErrors { code } } }"""


def push_price(api: Api, priced: Priced) -> None:
    """See `Publishing.push_price`: of the variant, in the shop's currency."""
    variant = {"id": f"gid://shopify/ProductVariant/{priced.need('listing_id')}", "price": priced.decimal}
    product = f"gid://shopify/Product/{priced.need('product_id')}"
    mutate(api, SET_PRICE, {"product": product, "variants": [variant]}, "productVariantsBulkUpdate")


def mutate(
    api: Api, mutation: str, variables: dict[str, object], name: str, *, repeatable: bool = True
) -> Node:
    """The outcome of a mutation.

    Raises:
        Problem: `channel_refused`, it has errors of the user.
    """
    outcome = graphql(api, mutation, variables, repeatable=repeatable).need(Node.child, name)
    errors = [*outcome.children("userErrors"), *outcome.children("orderCancelUserErrors")]
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
    order = _order(api, PLAN, parcel.order_id)
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


STANDING = """query ($id: ID!) { order(id: $id) { cancelledAt
  lineItems(first: 250) { nodes { id currentQuantity } } } }"""

CANCEL = """mutation ($orderId: ID!, $reason: OrderCancelReason!, $restock: Boolean!) {
  orderCancel(orderId: $orderId, reason: $reason, restock: $restock) {
    job { id } orderCancelUserErrors { code } } }"""

BEGIN_EDIT = """mutation ($id: ID!) { orderEditBegin(id: $id) {
  calculatedOrder { id lineItems(first: 250) { nodes { id } } } userErrors { field } } }"""

SET_UNITS = """mutation ($id: ID!, $line: ID!, $units: Int!) {
  orderEditSetQuantity(id: $id, lineItemId: $line, quantity: $units, restock: false) {
    userErrors { field } } }"""

COMMIT_EDIT = (
    """mutation ($id: ID!) { orderEditCommit(id: $id, notifyCustomer: true) { userErrors { field } } }"""
)


def push_cancel(api: Api, cancelled: Cancelled) -> None:
    """See `Publishing.push_cancel`: the order is cancelled, or edited down to what is left of its lines."""
    order_id = f"gid://shopify/Order/{cancelled.order_id}"
    order = _order(api, STANDING, cancelled.order_id)
    if order.text("cancelledAt") is not None:
        return
    if cancelled.whole:
        wanted = {"orderId": order_id, "reason": "OTHER", "restock": False}
        mutate(api, CANCEL, wanted, "orderCancel", repeatable=False)
        return
    now = {_number(line): line.integer("currentQuantity") or 0 for line in _nodes(order, "lineItems")}
    fewer = {line: units for line, units in cancelled.kept.items() if units < now.get(line, 0)}
    if not fewer:
        return
    edit = mutate(api, BEGIN_EDIT, {"id": order_id}, "orderEditBegin").need(Node.child, "calculatedOrder")
    name = edit.need(Node.text, "id")
    for line in _nodes(edit, "lineItems"):
        if _number(line) in fewer:
            units: dict[str, object] = {
                "id": name,
                "line": line.text("id"),
                "units": int(fewer[_number(line)]),
            }
            mutate(api, SET_UNITS, units, "orderEditSetQuantity")
    mutate(api, COMMIT_EDIT, {"id": name}, "orderEditCommit", repeatable=False)


PAID = """query ($id: ID!) { order(id: $id) { refunds(first: 250) { note }
  transactions(first: 250) { id kind status gateway parentTransaction { id }
    amountSet { shopMoney { amount } } } } }"""

REFUND = """mutation ($input: RefundInput!) { refundCreate(input: $input) { userErrors { field } } }"""

_TOOK_IN = ("SALE", "CAPTURE")
_DONE = ("SUCCESS", "PENDING")


def push_refund(api: Api, repayment: Repayment) -> None:
    """See `Publishing.push_refund`: from what each payment still has; the key is in the refund's note."""
    order = _order(api, PAID, repayment.order_id)
    if any(repayment.key in (known.text("note") or "") for known in order.children("refunds")):
        return
    left: dict[str, int] = {}
    gateways: dict[str, str | None] = {}
    moves = [move for move in order.children("transactions") if move.text("status") in _DONE]
    for move in moves:
        if move.text("kind") in _TOOK_IN and move.text("status") == "SUCCESS":
            name = move.need(Node.text, "id")
            left[name], gateways[name] = _amount(move, repayment.currency), move.text("gateway")
    for move in moves:
        parent = (move.child("parentTransaction") or Node({})).text("id")
        if move.text("kind") == "REFUND" and parent in left:
            left[parent] -= _amount(move, repayment.currency)
    missing, transactions = repayment.amount, []
    for name, amount in left.items():
        part = min(missing, max(0, amount))
        if part:
            missing -= part
            transactions.append(
                {
                    "orderId": f"gid://shopify/Order/{repayment.order_id}",
                    "parentId": name,
                    "kind": "REFUND",
                    "gateway": gateways[name],
                    "amount": replace(repayment, amount=part).decimal,
                }
            )
    if missing:
        raise Problem(Code.CHANNEL_REFUSED, "the payments of the order have less to give back", "amount")
    wanted = {
        "orderId": f"gid://shopify/Order/{repayment.order_id}",
        "note": f"oms {repayment.key}",
        "notify": True,
        "transactions": transactions,
    }
    mutate(api, REFUND, {"input": wanted}, "refundCreate", repeatable=False)


def _order(api: Api, query: str, order_id: str) -> Node:
    order = graphql(api, query, {"id": f"gid://shopify/Order/{order_id}"}).child("order")
    if order is None:
        raise Problem(Code.CHANNEL_REFUSED, f"the channel has no order {order_id}", "order")
    return order


def _number(node: Node) -> str:
    """The number at the end of a global id; a line has the same while its order is edited."""
    return node.need(Node.text, "id").rpartition("/")[2]


def _amount(node: Node, currency: str) -> int:
    money = node.need(Node.child, "amountSet").need(Node.child, "shopMoney")
    return whole(money, currency, "amount")
