"""Orders as Square's API answers with them, small, every field replaceable."""

from tests.unit.channels.deliveries import Fields

AT = "2026-11-22T09:00:00.123Z"


def eur(amount: int) -> Fields:
    return {"amount": amount, "currency": "EUR"}


def item(uid: str = "line-1", quantity: str = "2", price: int = 500, /, **fields: object) -> Fields:
    total = round(float(quantity) * price)
    return {
        "uid": uid,
        "catalog_object_id": "VARIATION1",
        "name": "Coffee",
        "variation_name": "Small",
        "quantity": quantity,
        "item_type": "ITEM",
        "base_price_money": eur(price),
        "gross_sales_money": eur(total),
        "total_tax_money": eur(0),
        "total_discount_money": eur(0),
        "total_money": eur(total),
    } | fields


def order(*items: Fields, **fields: object) -> Fields:
    return {
        "id": "ORDER1",
        "location_id": "STORE1",
        "reference_id": "1001",
        "created_at": "2026-11-22T08:59:00Z",
        "updated_at": AT,
        "state": "COMPLETED",
        "version": 4,
        "line_items": list(items) or [item()],
        "total_money": eur(1000),
        "total_tax_money": eur(0),
        "total_tip_money": eur(0),
        "tenders": [{"id": "T1", "type": "CARD", "amount_money": eur(1000), "payment_id": "PAY1"}],
    } | fields


RECIPIENT = {
    "display_name": "Sample Buyer",
    "email_address": "buyer@example.com",
    "phone_number": "+34 910 000 000",
    "address": {
        "address_line_1": "Calle Mayor 1",
        "address_line_2": "2 B",
        "locality": "Madrid",
        "administrative_district_level_1": "MD",
        "postal_code": "28013",
        "country": "ES",
    },
}


def shipment(state: str = "PROPOSED", uid: str = "F1", **fields: object) -> Fields:
    details = {"recipient": RECIPIENT, "shipping_type": "Express"}
    return {"uid": uid, "type": "SHIPMENT", "state": state, "shipment_details": details} | fields
