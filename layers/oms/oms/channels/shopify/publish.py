"""What Shopify is told, through its GraphQL Admin API.

`api` in the channel's secret names the shop's location that we feed: `location_id`.
"""

from oms.channels.exchange import Api
from oms.channels.payload import Node
from oms.channels.publishing import Level
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


def mutate(api: Api, mutation: str, variables: dict[str, object], name: str) -> Node:
    """The outcome of a mutation.

    Raises:
        Problem: `channel_refused`, it has errors of the user.
    """
    outcome = graphql(api, mutation, variables).need(Node.child, name)
    errors = outcome.children("userErrors")
    if errors:
        code = errors[0].text("code") or "no code"
        raise Problem(Code.CHANNEL_REFUSED, f"the channel answered {name} with {code}", name)
    return outcome
