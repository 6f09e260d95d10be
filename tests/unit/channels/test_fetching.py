"""What is asked of each API for a resource that a notification named, and what becomes of the answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from oms.channels.credentials import authorization, is_refreshed, token_in, token_request
from oms.channels.exchange import Api, Request, Response, Unavailable
from oms.channels.fetching import FETCHINGS, fetch
from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.registry import KINDS, adapter
from oms.orders.commands import PlaceOrder
from oms.orders.records import ListingRecorded, PaymentRecorded, ReturnRecorded
from oms.problems import Code, Problem
from tests.unit.channels import amazon_samples, ebay_samples, shopify_samples, square_samples

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
BASE = "https://api.example"

type Answers = Mapping[str, object]


@dataclass
class Fake:
    """An API as far as its paths and documents go."""

    answers: Answers
    asked: list[Request] = field(default_factory=list)

    def send(self, request: Request) -> Response:
        self.asked.append(request)
        path = request.url.removeprefix(BASE)
        found = self.answers.get(path)
        if isinstance(found, bytes):
            return Response(200, Headers(), found)
        status = 404 if path not in self.answers else 204 if found is None else 200
        return Response(status, Headers(), b"" if found is None else json.dumps(found).encode())

    @property
    def paths(self) -> list[str]:
        return [request.url.removeprefix(BASE) for request in self.asked]


def fetched(kind: str, resource: str, resource_id: str, fake: Fake) -> tuple[Command, ...]:
    """What a resource means once it is fetched."""
    api = Api(kind, BASE, {}, fake.send)
    return tuple(
        command
        for found in fetch(api, resource, resource_id)
        for command in adapter(kind).parse(Inbound("shop", kind, found.topic, Headers(), found.body, NOW))
    )


def test_every_fetching_is_of_a_kind_that_credentials_are_known_for() -> None:
    for kind, _ in FETCHINGS:
        assert kind in KINDS
        values = dict.fromkeys(("token", "key", "secret"), "x")
        assert authorization(kind, values)


BIGCOMMERCE_ORDER = {
    "id": 118,
    "status_id": 11,
    "currency_code": "EUR",
    "date_created": "Sun, 22 Nov 2026 09:00:00 +0000",
    "date_modified": "Sun, 22 Nov 2026 09:00:00 +0000",
    "subtotal_ex_tax": "20.0000",
    "subtotal_inc_tax": "20.0000",
    "total_ex_tax": "20.0000",
    "total_inc_tax": "20.0000",
    "items_total": 2,
    "products": {"url": "https://api.example/v2/orders/118/products"},
    "shipping_addresses": {"url": "https://api.example/v2/orders/118/shipping_addresses"},
}
BIGCOMMERCE_PRODUCT = {
    "id": 7,
    "order_address_id": 3,
    "sku": "A",
    "name": "Mug",
    "type": "physical",
    "quantity": 2,
    "price_ex_tax": "10.0000",
    "price_inc_tax": "10.0000",
    "base_price": "10.0000",
    "total_ex_tax": "20.0000",
    "total_inc_tax": "20.0000",
}


def bigcommerce(**changes: object) -> Fake:
    """An order of BigCommerce and its parts."""
    at = "/v2/orders/118"
    return Fake(
        {
            at: BIGCOMMERCE_ORDER,
            f"{at}/products?limit=250&page=1": [BIGCOMMERCE_PRODUCT],
            f"{at}/shipping_addresses?limit=250&page=1": [{"id": 3, "country_iso2": "ES", "zip": "28013"}],
            f"{at}/shipments?limit=250&page=1": None,
            f"{at}/consignments": {},
            "/v3/orders/118/transactions": {"data": []},
            "/v3/orders/118/payment_actions/refunds": {"data": []},
        }
        | {at + path: answer for path, answer in changes.items()}
    )


def test_an_order_of_bigcommerce_is_read_with_all_its_parts() -> None:
    fake = bigcommerce()
    (order,) = fetched("bigcommerce", "order", "118", fake)
    assert isinstance(order, PlaceOrder)
    assert [(line.sku, line.quantity, line.amount) for line in order.lines] == [("A", 2, 2000)]
    assert len(fake.asked) == 7


def test_a_list_of_several_pages_is_read_to_its_end() -> None:
    pages = [{**BIGCOMMERCE_PRODUCT, "id": number} for number in range(251)]
    fake = bigcommerce(
        **{"/products?limit=250&page=1": pages[:250], "/products?limit=250&page=2": pages[250:]}
    )
    (order,) = fetched("bigcommerce", "order", "118", fake)
    assert isinstance(order, PlaceOrder) and len(order.lines) == 251


def test_a_list_without_an_end_is_not_read_for_ever() -> None:
    pages = {f"/products?limit=250&page={n}": [BIGCOMMERCE_PRODUCT] * 250 for n in range(1, 100)}
    with pytest.raises(Problem) as caught:
        fetched("bigcommerce", "order", "118", bigcommerce(**pages))
    assert caught.value.code == Code.CHANNEL_REFUSED


RETURN = {
    "id": "gid://shopify/Return/945000954",
    "status": "OPEN",
    "order": {"id": "gid://shopify/Order/820982911946154508"},
    "decline": None,
    "returnLineItems": {
        "pageInfo": {"hasNextPage": False},
        "nodes": [
            {
                "id": "gid://shopify/ReturnLineItem/677614677",
                "quantity": 1,
                "returnReason": "DEFECTIVE",
                "customerNote": "chipped",
                "fulfillmentLineItem": {"lineItem": {"id": "gid://shopify/LineItem/487817672276298554"}},
            }
        ],
    },
}
GRAPHQL = "/admin/api/2025-07/graphql.json"


def test_a_return_of_shopify_has_the_lines_that_its_webhook_left_out() -> None:
    fake = Fake({GRAPHQL: {"data": {"return": RETURN}}})
    (found,) = fetched("shopify", "return", "945000954", fake)
    assert isinstance(found, ReturnRecorded)
    assert (found.return_id, found.channel_order_id) == ("945000954", "820982911946154508")
    assert [(line.channel_line_id, line.quantity, line.reason) for line in found.lines] == [
        ("487817672276298554", 1, "DEFECTIVE")
    ]
    assert json.loads(fake.asked[0].body)["variables"] == {"id": "gid://shopify/Return/945000954"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"data": {"return": None}}, Code.CHANNEL_REFUSED),
        ({"errors": [{"message": "Field 'retur' doesn't exist"}]}, Code.CHANNEL_REFUSED),
        (
            {
                "data": {
                    "return": {
                        **RETURN,
                        "returnLineItems": {"pageInfo": {"hasNextPage": True}, "nodes": []},
                    }
                }
            },
            Code.UNSUPPORTED,
        ),
    ],
)
def test_a_return_that_is_not_told_in_full_is_a_problem(answer: object, code: Code) -> None:
    with pytest.raises(Problem) as caught:
        fetched("shopify", "return", "1", Fake({GRAPHQL: answer}))
    assert caught.value.code == code


def test_a_query_that_costs_too_much_now_is_for_later() -> None:
    throttled = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
    with pytest.raises(Unavailable) as caught:
        fetched("shopify", "return", "1", Fake({GRAPHQL: throttled}))
    assert caught.value.after_s == 2.0


def test_the_catalogue_of_square_is_read_page_by_page() -> None:
    def item(number: int) -> dict[str, object]:
        variation = {
            "id": f"V{number}",
            "type": "ITEM_VARIATION",
            "updated_at": "2026-11-22T09:00:00Z",
            "item_variation_data": {"item_id": f"I{number}", "name": "Mug", "sku": f"SKU-{number}"},
        }
        return {"type": "ITEM", "id": f"I{number}", "item_data": {"name": "Mug", "variations": [variation]}}

    fake = Fake(
        {
            "/v2/catalog/list?types=ITEM": {"objects": [item(1)], "cursor": "next"},
            "/v2/catalog/list?types=ITEM&cursor=next": {"objects": [item(2)]},
        }
    )
    found = fetched("square", "catalog", "M1", fake)
    assert [one.sku for one in found if isinstance(one, ListingRecorded)] == ["SKU-1", "SKU-2"]


def test_a_refund_that_a_charge_of_stripe_does_not_hold_is_found_in_its_list() -> None:
    refund = {
        "id": "re_1",
        "object": "refund",
        "amount": 500,
        "currency": "eur",
        "status": "succeeded",
        "payment_intent": "pi_1",
        "charge": "ch_1",
        "created": 1795339800,
    }
    listed = {"object": "list", "data": [refund], "has_more": False}
    fake = Fake({"/v1/refunds?charge=ch_1&limit=100": listed})
    found = fetched("stripe", "refunds", "ch_1", fake)
    assert [(one.payment_id, one.amount) for one in found if isinstance(one, PaymentRecorded)] == [
        ("re_1", 500)
    ]


WOOCOMMERCE_ORDER = {
    "id": 727,
    "number": "727",
    "status": "processing",
    "currency": "EUR",
    "date_created_gmt": "2026-11-22T09:00:00",
    "date_modified_gmt": "2026-11-22T09:00:00",
    "total": "20.00",
    "line_items": [
        {"id": 1, "name": "Mug", "sku": "A", "quantity": 2, "subtotal": "20.00", "total": "20.00"}
    ],
}
AMAZON_PATH = (
    f"/orders/2026-01-01/orders/{amazon_samples.ORDER_ID}"
    "?includedData=BUYER,RECIPIENT,PROCEEDS,PROMOTION,FULFILLMENT,PAYMENT,CANCELLATION"
)
ONE_PATH: list[tuple[str, str, str, object]] = [
    (
        "shopify",
        "820982911946154508",
        "/admin/api/2025-07/orders/820982911946154508.json",
        {"order": shopify_samples.order(shopify_samples.item())},
    ),
    ("woocommerce", "727", "/wp-json/wc/v3/orders/727", WOOCOMMERCE_ORDER),
    ("square", "CAISEM", "/v2/orders/CAISEM", {"order": square_samples.order(square_samples.item())}),
    (
        "ebay",
        "05-03594-64837",
        "/sell/fulfillment/v1/order/05-03594-64837",
        ebay_samples.order(ebay_samples.item()),
    ),
    (
        "amazon",
        amazon_samples.ORDER_ID,
        AMAZON_PATH,
        {"order": amazon_samples.order_2026(amazon_samples.item_2026(amazon_samples.part("ITEM", "20.00")))},
    ),
]


@pytest.mark.parametrize(("kind", "order_id", "path", "document"), ONE_PATH, ids=[row[0] for row in ONE_PATH])
def test_most_orders_stand_at_one_path(kind: str, order_id: str, path: str, document: object) -> None:
    fake = Fake({path: document})
    (order,) = fetched(kind, "order", order_id, fake)
    assert isinstance(order, PlaceOrder) and order.lines
    assert fake.paths == [path]


def test_an_order_of_magento_stands_at_one_path_too() -> None:
    fake = Fake({"/rest/V1/orders/13": {"entity_id": 13}})
    (found,) = fetch(Api("magento", BASE, {}, fake.send), "order", "13")
    assert (fake.paths, found.topic) == (["/rest/V1/orders/13"], "rest_order")


def test_an_id_stays_in_its_place_in_the_path() -> None:
    fake = Fake({})
    with pytest.raises(Problem):
        fetch(Api("woocommerce", BASE, {}, fake.send), "order", "../users/1?x=#")
    assert fake.paths == ["/wp-json/wc/v3/orders/..%2Fusers%2F1%3Fx%3D%23"]


@pytest.mark.parametrize(
    "address",
    [
        "https://ssapi6.shipstation.com/shipments?batchId=9&includeShipmentItems=False",
        "https://evil.example/shipments?batchId=9&includeShipmentItems=False",
    ],
)
def test_the_address_in_a_notification_is_read_at_the_host_that_we_know(address: str) -> None:
    path = "/shipments?batchId=9&includeShipmentItems=False"
    fake = Fake({path: {"shipments": []}})
    fetch(Api("shipstation", BASE, {}, fake.send), "shipments", address)
    assert fake.paths == [path]


@pytest.mark.parametrize("kind", ["shopify", "paypal", "generic"])
def test_a_resource_that_nothing_reads_is_unsupported(kind: str) -> None:
    with pytest.raises(Problem) as caught:
        fetch(Api(kind, BASE, {}, Fake({}).send), "reverse_fulfillment_order", "1")
    assert (caught.value.code, caught.value.field) == (Code.UNSUPPORTED, "resource")


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 422])
def test_an_answer_that_says_no_is_a_problem_that_quotes_nothing_of_it(status: int) -> None:
    def send(request: Request) -> Response:
        return Response(status, Headers(), b'{"message": "no order of Ana Ruiz"}')

    with pytest.raises(Problem) as caught:
        fetch(Api("woocommerce", BASE, {}, send), "order", "1")
    assert caught.value.code == Code.CHANNEL_REFUSED
    assert str(status) in caught.value.detail and "Ana" not in caught.value.detail


# ---- Credentials -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values", "headers"),
    [
        ("shopify", {"token": "t"}, {"X-Shopify-Access-Token": "t"}),
        ("woocommerce", {"key": "ck", "secret": "cs"}, {"Authorization": "Basic Y2s6Y3M="}),
        ("magento", {"token": "t"}, {"Authorization": "Bearer t"}),
        ("bigcommerce", {"token": "t"}, {"X-Auth-Token": "t"}),
        ("square", {"token": "t"}, {"Authorization": "Bearer t"}),
        ("ebay", {"token": "t"}, {"Authorization": "Bearer t"}),
        ("amazon", {"token": "t"}, {"x-amz-access-token": "t"}),
        ("stripe", {"token": "t"}, {"Authorization": "Bearer t"}),
        ("shipengine", {"token": "t"}, {"API-Key": "t"}),
        ("shipstation", {"token": "t"}, {"API-Key": "t"}),
        ("shipstation", {"key": "ck", "secret": "cs"}, {"Authorization": "Basic Y2s6Y3M="}),
    ],
)
def test_each_kind_is_told_who_calls_in_its_own_way(
    kind: str, values: dict[str, str], headers: dict[str, str]
) -> None:
    assert authorization(kind, values) == headers


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        ("shopify", {}, "api.token"),
        ("shopify", {"token": ""}, "api.token"),
        ("woocommerce", {"key": "ck"}, "api.secret"),
        ("paypal", {"token": "t"}, "kind"),
    ],
)
def test_a_credential_that_is_not_there_is_named(kind: str, values: dict[str, str], field: str) -> None:
    with pytest.raises(Problem) as caught:
        authorization(kind, values)
    assert caught.value.field == field


CLIENT = {
    "client_id": "id",
    "client_secret": "se cret",
    "refresh_token": "r&t",
    "token_url": "https://auth.example/token",
}


def test_a_token_is_asked_for_as_the_kind_takes_it() -> None:
    amazon, ebay = token_request("amazon", CLIENT), token_request("ebay", CLIENT)
    assert amazon.body == b"grant_type=refresh_token&refresh_token=r%26t&client_id=id&client_secret=se+cret"
    assert ebay.body == b"grant_type=refresh_token&refresh_token=r%26t"
    assert ebay.headers["Authorization"] == "Basic aWQ6c2UgY3JldA=="
    assert amazon.url == ebay.url == "https://auth.example/token"
    assert is_refreshed(CLIENT) and not is_refreshed({"token": "t"})


@pytest.mark.parametrize("missing", CLIENT)
def test_what_a_token_needs_and_is_not_there_is_named(missing: str) -> None:
    values = {name: value for name, value in CLIENT.items() if name != missing}
    if missing == "refresh_token":
        assert not is_refreshed(values)
        return
    with pytest.raises(Problem) as caught:
        token_request("ebay", values)
    assert caught.value.field == f"api.{missing}"


def answered(document: object, status: int = 200) -> Response:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Response(status, Headers(), body)


@pytest.mark.parametrize(
    "answer",
    [
        answered({"error": "invalid_grant"}, 400),
        answered({}),
        answered([]),
        answered({"access_token": ""}),
        answered(b"<html>"),
    ],
)
def test_an_answer_without_a_token_is_a_problem(answer: Response) -> None:
    with pytest.raises(Problem) as caught:
        token_in(answer)
    assert caught.value.code == Code.CHANNEL_REFUSED


def test_a_token_is_good_for_as_long_as_its_answer_says() -> None:
    assert token_in(answered({"access_token": "t", "expires_in": 7200})) == ("t", 7200)
    assert token_in(answered({"access_token": "t"})) == ("t", 3600)
