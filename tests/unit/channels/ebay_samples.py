"""Orders as eBay's API answers with them, small, every field replaceable."""

from tests.unit.channels.deliveries import Fields


def usd(value: str) -> Fields:
    return {"value": value, "currency": "USD"}


def gbp(value: str, converted: str = "0.0") -> Fields:
    """An amount of a sale in pounds, converted for an American seller."""
    return {
        "value": converted,
        "currency": "USD",
        "convertedFromValue": value,
        "convertedFromCurrency": "GBP",
    }


def item(line_id: str = "10001", quantity: int = 2, /, **fields: object) -> Fields:
    return {
        "lineItemId": line_id,
        "legacyItemId": "110001",
        "sku": "SKU-1",
        "title": "Article 1",
        "lineItemCost": usd("20.0"),
        "quantity": quantity,
        "lineItemFulfillmentStatus": "NOT_STARTED",
        "total": usd("25.0"),
        "deliveryCost": {"shippingCost": usd("5.0")},
        "taxes": [],
    } | fields


SHIP_TO = {
    "fullName": "Sample Buyer",
    "contactAddress": {
        "addressLine1": "1 Sample Street",
        "addressLine2": "Flat 2",
        "city": "San Jose",
        "stateOrProvince": "CA",
        "postalCode": "95131",
        "countryCode": "US",
    },
    "primaryPhone": {"phoneNumber": "555-0100"},
    "email": "buyer@example.com",
}


def instructions(kind: str = "SHIP_TO", **fields: object) -> Fields:
    return {
        "fulfillmentInstructionsType": kind,
        "shippingStep": {"shipTo": SHIP_TO, "shippingServiceCode": "USPSPriority"},
    } | fields


def order(*items: Fields, **fields: object) -> Fields:
    return {
        "orderId": "01-00001-00001",
        "legacyOrderId": "110001-1",
        "salesRecordReference": "1001",
        "creationDate": "2026-11-22T08:59:00.000Z",
        "lastModifiedDate": "2026-11-22T09:00:00.000Z",
        "orderFulfillmentStatus": "NOT_STARTED",
        "orderPaymentStatus": "PAID",
        "buyer": {"username": "sample_buyer"},
        "pricingSummary": {"priceSubtotal": usd("20.0"), "deliveryCost": usd("5.0"), "total": usd("25.0")},
        "cancelStatus": {"cancelState": "NONE_REQUESTED"},
        "paymentSummary": {"payments": [{"paymentMethod": "EBAY", "paymentReferenceId": "P1"}]},
        "fulfillmentStartInstructions": [instructions()],
        "lineItems": list(items) or [item()],
    } | fields
