"""Orders as Amazon's APIs answer with them, small, every field replaceable."""

from tests.unit.channels.deliveries import Fields

ORDER_ID = "902-0000001-0000001"


AT = "2026-11-22T09:00:00Z"


def eur(amount: str, currency: str = "EUR") -> Fields:
    return {"CurrencyCode": currency, "Amount": amount}


def header(**fields: object) -> Fields:
    return {
        "AmazonOrderId": ORDER_ID,
        "PurchaseDate": "2026-11-22T08:59:00Z",
        "LastUpdateDate": AT,
        "OrderStatus": "Unshipped",
        "FulfillmentChannel": "MFN",
        "SalesChannel": "Amazon.es",
        "ShipServiceLevel": "Std ES Dom",
        "OrderTotal": eur("42.97"),
        "NumberOfItemsShipped": 0,
        "NumberOfItemsUnshipped": 2,
        "PaymentMethodDetails": ["Standard"],
        "MarketplaceId": "A1RKKUPIHCS9HS",
        "IsISPU": False,
        "ShippingAddress": {
            "Name": "Sample Buyer",
            "AddressLine1": "Calle Mayor 1",
            "AddressLine2": "2 B",
            "AddressLine3": "Portal 3",
            "City": "Madrid",
            "StateOrRegion": "Madrid",
            "PostalCode": "28013",
            "CountryCode": "ES",
            "Phone": "+34 910 000 000",
        },
        "BuyerInfo": {
            "BuyerEmail": "x@marketplace.amazon.es",
            "BuyerName": "Buyer",
            "PurchaseOrderNumber": "PO-7",
        },
    } | fields


def item(item_id: str = "05015851154158", quantity: int = 2, /, **fields: object) -> Fields:
    return {
        "ASIN": "B00551Q3CS",
        "OrderItemId": item_id,
        "SellerSKU": "SKU-1",
        "Title": "Article 1",
        "QuantityOrdered": quantity,
        "QuantityShipped": 0,
        "ItemPrice": eur("39.98"),
        "ItemTax": eur("6.94"),
        "ShippingPrice": eur("4.99"),
        "ShippingTax": eur("0.87"),
        "PromotionDiscount": eur("2.00"),
        "IsGift": "false",
    } | fields


def items(*listed: Fields, **fields: object) -> Fields:
    return {"AmazonOrderId": ORDER_ID, "OrderItems": list(listed) or [item()]} | fields


def v0(head: Fields | None = None, listed: Fields | None = None) -> Fields:
    """The answers of getOrder and getOrderItems, side by side."""
    return {"order": {"payload": head or header()}, "items": {"payload": listed or items()}}


def gbp(amount: str, currency: str = "GBP") -> Fields:
    return {"amount": amount, "currencyCode": currency}


def part(kind: str, amount: str, **subtypes: str) -> Fields:
    details = [{"subtype": subtype, "value": gbp(value)} for subtype, value in subtypes.items()]
    return {"type": kind, "subtotal": gbp(amount)} | ({"detailedBreakdowns": details} if details else {})


def item_2026(*parts: Fields, **fields: object) -> Fields:
    return {
        "orderItemId": "20212345678901",
        "quantityOrdered": 3,
        "product": {
            "asin": "B08DFPV54V",
            "title": "Article 1",
            "sellerSku": "SKU-1",
            "price": {"unitPrice": gbp("29.99")},
        },
        "proceeds": {
            "breakdowns": list(parts)
            or [
                part("ITEM", "89.97"),
                part("SHIPPING", "10.00"),
                part("TAX", "4.00", ITEM="3.00", SHIPPING="1.00"),
            ]
        },
        "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": 3},
    } | fields


def order_2026(*listed: Fields, **fields: object) -> Fields:
    return {
        "orderId": ORDER_ID,
        "orderAliases": [{"aliasId": "UK-1001", "aliasType": "SELLER_ORDER_ID"}],
        "createdTime": "2026-11-22T08:59:00Z",
        "lastUpdatedTime": AT,
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": "A1F83G8C2ARO7P"},
        "buyer": {"buyerName": "Buyer", "buyerEmail": "x@example.com", "buyerPurchaseOrderNumber": "PO-7"},
        "recipient": {
            "deliveryAddress": {
                "name": "Sample Buyer",
                "companyName": "Sample Ltd",
                "addressLine1": "1 High Street",
                "addressLine2": "Unit 4",
                "city": "Manchester",
                "postalCode": "M1 2AB",
                "countryCode": "GB",
                "phone": "+44 161 000 0000",
            }
        },
        "proceeds": {"grandTotal": gbp("103.97")},
        "fulfillment": {
            "fulfillmentStatus": "UNSHIPPED",
            "fulfilledBy": "MERCHANT",
            "fulfillmentServiceLevel": "STANDARD",
        },
        "orderItems": list(listed) or [item_2026()],
    } | fields


def outsourced(*shipments: Fields, status: str = "Complete") -> Fields:
    order = {
        "sellerFulfillmentOrderId": "F-1",
        "fulfillmentOrderStatus": status,
        "statusUpdatedDate": AT,
    }
    return {
        "payload": {
            "fulfillmentOrder": order,
            "fulfillmentOrderItems": [{"sellerFulfillmentOrderItemId": "line-1"}],
            "fulfillmentShipments": list(shipments),
        }
    }


SHIPMENT: Fields = {
    "amazonShipmentId": "S-1",
    "fulfillmentCenterId": "MAD4",
    "fulfillmentShipmentStatus": "SHIPPED",
    "shippingDate": "2026-11-22T08:59:00Z",
    "fulfillmentShipmentItem": [{"sellerFulfillmentOrderItemId": "line-1", "quantity": 2}],
    "fulfillmentShipmentPackage": [{"carrierCode": "SEUR", "trackingNumber": "T-1"}],
}
