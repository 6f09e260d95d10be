"""The check of listings: what a channel of each kind shows, what differs, and what mends it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from functions.api import cursors
from functions.api import listings as api
from infra.cli import listings as command_line
from infra.cli.main import main
from oms.channels.catalogues import Shown, catalogue
from oms.channels.exchange import Api, Request, Response
from oms.channels.headers import Headers
from oms.channels.listings import Told
from oms.channels.publishing import KINDS
from oms.events.publish import Queue
from oms.inventory.model import Price, Sku
from oms.inventory.network import Aspect, Channel
from oms.orders.records import ListingRecorded
from oms.problems import Code, Problem
from oms.runtime import clients
from oms.store import keys, process
from oms.store.listings import encode_told, find_listing, find_told
from oms.store.table import Table
from oms.store.writes import create
from oms.usecases.check_listings import Difference, Kind, check_listings, mend
from oms.usecases.describe_sku import describe_sku
from oms.usecases.record_listing import record_listing
from tests.builders import CHANNEL, NOW, network
from tests.fakes_channels import API, OFFERS
from tests.fakes_http import Asked, FakeServer, Fault, Says, serving
from tests.outlets import Receiver
from tests.rest import Reply, Rest
from tests.shelves import fill

LATER = NOW + timedelta(minutes=1)
OWN = {"": Decimal("14.90")}


def answered(kind: str, answers: Mapping[str, Any], **values: str) -> tuple[list[str], tuple[Shown, ...]]:
    """What was asked, and what a channel shows that answers by a part of the request."""
    asked: list[str] = []

    def send(request: Request) -> Response:
        text = request.url.removeprefix("https://api.example") + " " + request.body.decode()
        asked.append(text)
        (answer,) = [answer for part, answer in answers.items() if part in text]
        return Response(200, Headers(), json.dumps(answer).encode())

    return asked, tuple(catalogue(Api(kind, "https://api.example", {**API, **values}, send)))


# ---- Shapes ------------------------------------------------------------------------------------------------


def test_shopify_is_read_variant_by_variant() -> None:
    def variant(number: int, **item: Any) -> dict[str, Any]:
        inventory = {"id": f"gid://shopify/InventoryItem/{number + 10}", "tracked": True, **item}
        return {
            "id": f"gid://shopify/ProductVariant/{number}",
            "sku": "A",
            "displayName": "Mug - Default Title",
            "price": "14.90",
            "product": {"id": "gid://shopify/Product/7"},
            "inventoryItem": inventory,
        }

    def page(more: bool, *variants: dict[str, Any]) -> dict[str, Any]:
        listed = {"pageInfo": {"hasNextPage": more, "endCursor": "c2"}, "nodes": variants}
        return {"data": {"productVariants": listed}}

    level = {"inventoryLevel": {"quantities": [{"quantity": 5}]}}
    pages = {
        '"after"': page(False, variant(2, tracked=False, **level), variant(3, inventoryLevel=None)),
        'Location/655441491"}': page(True, variant(1, **level)),
    }
    _, shown = answered("shopify", pages)
    assert shown == (
        Shown("11", "1", "7", "A", "Mug", 5, OWN),
        Shown("12", "2", "7", "A", "Mug", None, OWN),
        Shown("13", "3", "7", "A", "Mug", None, OWN),
    )


def test_variations_of_woocommerce_stand_for_their_product() -> None:
    products = [
        {"id": 1, "type": "simple", "sku": "A", "name": "Mug", "manage_stock": True, "stock_quantity": 5},
        {"id": 2, "type": "variable", "sku": "", "name": "Shirt", "manage_stock": False},
    ]
    products[0]["regular_price"] = "14.90"
    counted = {"id": 3, "sku": "B", "manage_stock": "parent", "stock_quantity": 9, "regular_price": ""}
    _, shown = answered("woocommerce", {"products?": products, "/2/variations?": [counted]})
    assert shown == (Shown("1", "1", "1", "A", "Mug", 5, OWN), Shown("3", "3", "2", "B", "Shirt", None))


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ({}, {"/stockItems/A%2FB": {"qty": 5, "manage_stock": True}}),
        ({"source_code": "madrid"}, {"/inventory/source-items": {"items": [{"quantity": "5.0000"}]}}),
    ],
)
def test_of_magento_those_that_are_counted_are_read(values: dict[str, str], answer: dict[str, Any]) -> None:
    simple = {"id": 1, "sku": "A/B", "name": "Mug", "type_id": "simple", "price": 14.9}
    bundle = {"id": 2, "sku": "C", "name": "Set", "type_id": "bundle"}
    asked, shown = answered("magento", {"/products?": {"items": [simple, bundle]}, **answer}, **values)
    assert (shown, len(asked)) == ((Shown("1", "1", "1", "A/B", "Mug", 5, OWN),), 2)


def test_every_product_of_bigcommerce_has_variants() -> None:
    variants = [
        {"id": 3, "sku": "A", "inventory_level": 5, "price": None},
        {"id": 4, "sku": "", "inventory_level": 0, "price": 9},
    ]
    product = {"id": 1, "name": "Mug", "inventory_tracking": "variant", "variants": variants, "price": 14.9}
    uncounted = {**product, "id": 2, "inventory_tracking": "none"}
    _, shown = answered("bigcommerce", {"page=1": {"data": [product, uncounted]}})
    assert [(each.item_id, each.sku, each.stock) for each in shown] == [
        ("1/3", "A", 5),
        ("1/4", None, 0),
        ("2/3", "A", None),
        ("2/4", None, None),
    ]
    assert [each.price("EUR") for each in shown[:2]] == [Decimal("14.9"), Decimal(9)]


def test_square_is_asked_for_counts_of_what_its_catalogue_has() -> None:
    def item(name: str) -> dict[str, Any]:
        data: dict[str, Any] = {"item_id": "I", "sku": name, "name": "Regular"}
        data["price_money"] = {"amount": 1490, "currency": "EUR"}
        return {"item_data": {"name": "Mug", "variations": [{"id": name, "item_variation_data": data}]}}

    asked, shown = answered(
        "square",
        {
            "cursor=c2": {"objects": [item("B")]},
            "types=ITEM ": {"objects": [item("A")], "cursor": "c2"},
            "batch-retrieve": {"counts": [{"catalog_object_id": "A", "quantity": "5"}]},
        },
    )
    price = {"EUR": Decimal("14.90")}
    assert shown == (
        Shown("A", "A", "I", "A", "Mug", 5, price),
        Shown("B", "B", "I", "B", "Mug", None, price),
    )
    assert len(asked) == 4


def test_variations_of_one_item_of_square_have_titles_of_their_own() -> None:
    variations = [{"id": name, "item_variation_data": {"sku": name, "name": name}} for name in ("S", "M")]
    listed = {"objects": [{"item_data": {"name": "Shirt", "variations": variations}}]}
    _, shown = answered("square", {"types=ITEM ": listed, "batch-retrieve": {"counts": []}})
    assert [each.title for each in shown] == ["S", "M"]


def test_ebay_is_kept_by_the_skus_of_the_seller() -> None:
    here = {"shipToLocationAvailability": {"quantity": 5}}
    items = [{"sku": "A", "product": {"title": "Mug"}, "availability": here}, {"sku": "B"}]
    offers = {
        "offer?sku=A": {"offers": OFFERS},
        "offer?sku=B": {"errors": [{"errorId": 25713}]},
    }
    _, shown = answered("ebay", {"offset=0": {"inventoryItems": items}, **offers})
    prices = {"GBP": Decimal(9), "EUR": Decimal(9)}
    assert shown == (Shown("A", None, None, "A", "Mug", 5, prices), Shown("B", None, None, "B", None, None))


def test_what_amazon_ships_itself_is_not_ours_to_count() -> None:
    def item(sku: str, code: str) -> dict[str, Any]:
        there = [{"fulfillmentChannelCode": code, "quantity": 5}]
        offers = [
            {"offerType": "B2C", "price": {"currencyCode": "EUR", "amount": "14.90"}},
            {"offerType": "B2B", "price": {"currencyCode": "EUR", "amount": "9.00"}},
        ]
        summaries = [{"itemName": "Mug"}]
        return {"sku": sku, "summaries": summaries, "fulfillmentAvailability": there, "offers": offers}

    first = {"items": [item("A", "DEFAULT"), item("B", "AMAZON_EU")], "pagination": {"nextToken": "t2"}}
    pages = {"pageToken=t2": {"items": [item("C", "DEFAULT")]}, "pageSize=20 ": first}
    _, shown = answered("amazon", pages)
    assert [(each.item_id, each.stock) for each in shown] == [("A", 5), ("C", 5)]
    assert shown[0].price("EUR") == Decimal("14.90")
    assert shown[0].price("USD") is None


def test_a_list_that_never_ends_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oms.channels.catalogues.MOST_PAGES", 3)
    more = {"hasNextPage": True, "endCursor": "c"}
    endless = {"data": {"productVariants": {"pageInfo": more, "nodes": []}}}
    with pytest.raises(Problem) as caught:
        answered("shopify", {"graphql": endless})
    assert caught.value.code == Code.CHANNEL_REFUSED


def test_every_kind_that_is_told_of_stock_has_a_list_and_others_have_none() -> None:
    with pytest.raises(Problem) as caught:
        answered("stripe", {})
    assert caught.value.code == Code.UNSUPPORTED
    for kind in KINDS:
        catalogue(Api(kind, "https://api.example", {}, lambda request: Response(500, Headers(), b"")))


# ---- What differs ------------------------------------------------------------------------------------------


def shown(
    item_id: str = "1",
    sku: str | None = "A",
    stock: int | None = 7,
    title: str = "Mug",
    prices: Mapping[str, Decimal] | None = None,
) -> Shown:
    return Shown(item_id, item_id, "9", sku, title, stock, prices or {})


@pytest.fixture
def listed(table: Table) -> Table:
    """A sku, its seven units, and the listing of it under item 1."""
    fill(table, "A", wh_madrid=7)
    describe_sku(table, Sku("A", title="Mug", prices=(Price(1490, "EUR"),)))
    describe_sku(table, Sku("B", title="Cup"))
    recorded = ListingRecorded(
        "shop-es", "shopify", "1", "9", "1", "A", "Mug", None, tracked=True, requires_shipping=True, as_of=NOW
    )
    record_listing(table, network(), Queue(Receiver().queue, "https://sqs/publish"), recorded)
    return table


TELLING = replace(CHANNEL, publishes=tuple(Aspect), currency="EUR")


def differences(table: Table, *catalogue: Shown, channel: Channel = TELLING) -> list[Difference]:
    return list(check_listings(table, network(channel=channel), "shop-es", catalogue, LATER))


def told(found: Sequence[Difference]) -> list[tuple[str, str, object, object]]:
    return [(str(each.kind), each.item_id, each.ours, each.theirs) for each in found]


@pytest.mark.parametrize(
    ("catalogue", "expected"),
    [
        ([shown()], []),
        ([shown(stock=6)], [("stock", "1", 7, 6)]),
        ([shown(stock=None)], [("stock", "1", 7, None)]),
        ([shown(title="Cup")], [("title", "1", "Mug", "Cup")]),
        ([shown(prices={"": Decimal("15.9")})], [("price", "1", "14.90 EUR", "15.9 EUR")]),
        ([shown(prices={"EUR": Decimal("14.9")})], []),
        ([shown(prices={"USD": Decimal("15.90")})], []),
        ([], [("gone", "1", "Mug", None)]),
        ([shown(sku=None)], []),
        ([shown(sku="B", stock=0, title="Cup")], [("remapped", "1", "A", "B")]),
        ([shown(), shown("2", None)], [("unlisted", "2", None, None), ("unmapped", "2", None, "Mug")]),
        ([shown(), shown("2")], [("unlisted", "2", None, "A"), ("duplicate", "2", "1", "2")]),
        ([shown(), shown("2", "X")], [("unlisted", "2", None, "X"), ("unknown_sku", "2", None, "X")]),
    ],
)
def test_what_differs_is_named(
    catalogue: list[Shown], expected: list[tuple[str, str, object, object]], listed: Table
) -> None:
    assert told(differences(listed, *catalogue)) == expected


def test_above_the_threshold_of_a_channel_its_stock_does_not_differ(listed: Table) -> None:
    rough = replace(CHANNEL, stock_threshold=3)
    assert differences(listed, shown(stock=5), channel=rough) == []
    assert told(differences(listed, shown(stock=3), channel=rough)) == [("stock", "1", 7, 3)]


def test_listings_of_other_channels_are_not_gone(listed: Table) -> None:
    known = find_listing(listed, "shop-es", "1")
    assert known is not None
    found = check_listings(
        listed, replace(network(), channels={"other": replace(CHANNEL, id="other")}), "other", [], NOW
    )
    assert list(found) == []


def test_a_channel_that_is_not_configured_is_not_found(table: Table) -> None:
    with pytest.raises(Problem) as caught:
        list(check_listings(table, network(), "none", [], NOW))
    assert caught.value.code == Code.NOT_FOUND


# ---- What mends it -----------------------------------------------------------------------------------------


def pushes(receiver: Receiver) -> list[str]:
    return [json.loads(entry["MessageBody"])["item_id"] for entry in receiver.taken]


@pytest.mark.parametrize(
    ("catalogue", "kind", "pushed"),
    [
        ([shown(), shown("2", "B", 0, "Cup")], Kind.UNLISTED, ["2"]),
        ([shown(sku="B", stock=0, title="Cup")], Kind.REMAPPED, ["1"]),
        ([shown(stock=3)], Kind.STOCK, ["1"]),
        ([], Kind.GONE, []),
    ],
)
def test_what_can_be_mended_is_and_stock_is_told_again(
    catalogue: list[Shown], kind: Kind, pushed: list[str], listed: Table
) -> None:
    receiver = Receiver()
    queue = Queue(receiver.queue, "https://sqs/publish")
    known = find_listing(listed, "shop-es", "1")
    assert known is not None
    told_before = Told("shop-es", "1", Aspect.STOCK, "A", 7, NOW, v=1)
    listed.commit(create(keys.listing_told("shop-es", "1", Aspect.STOCK), encode_told(told_before)))
    (found,) = differences(listed, *catalogue)
    assert found.kind is kind
    for _ in range(2):
        assert mend(listed, network(), queue, CHANNEL, found, LATER)
    assert set(pushes(receiver)) == set(pushed)
    assert [each for each in differences(listed, *catalogue) if each.kind is not Kind.STOCK] == []
    after = find_listing(listed, "shop-es", "1")
    assert after is None if kind is Kind.GONE else after is not None
    if kind is Kind.STOCK:
        left = find_told(listed, known, Aspect.STOCK)
        assert left is not None and left.value is None


@pytest.mark.parametrize(
    ("other", "aspect"),
    [(shown(stock=3), "stock"), (shown(title="Cup"), "title"), (shown(prices={"": Decimal(9)}), "price")],
)
def test_what_the_channel_is_told_of_is_told_again_and_by_no_other(
    other: Shown, aspect: str, listed: Table
) -> None:
    receiver = Receiver()
    queue = Queue(receiver.queue, "https://sqs/publish")
    (found,) = differences(listed, other)
    for channel in (replace(TELLING, publishes=()), replace(TELLING, paused=True)):
        assert not mend(listed, network(), queue, channel, found, LATER)
    assert receiver.taken == []
    assert mend(listed, network(), queue, TELLING, found, LATER)
    assert [json.loads(entry["MessageBody"])["task"] for entry in receiver.taken] == [f"push_{aspect}"]


@pytest.mark.parametrize("kind", [Kind.UNMAPPED, Kind.UNKNOWN_SKU, Kind.DUPLICATE, Kind.TITLE])
def test_what_needs_a_person_is_left_alone(kind: Kind, listed: Table) -> None:
    receiver = Receiver()
    found = Difference(kind, "1", "A", None, None, shown())
    assert not mend(listed, network(), Queue(receiver.queue, "https://sqs/publish"), CHANNEL, found, LATER)
    assert receiver.taken == []


# ---- The command -------------------------------------------------------------------------------------------


class Secrets:
    """Secrets Manager with one channel's."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803 (boto3's)
        if SecretId != "oms/channels/shop-es":
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "Get")
        secret = {"kind": "shopify", "secrets": ["s"], "api": {"url": self.url, **API}}
        return {"SecretString": json.dumps(secret)}


def test_the_command_shows_what_differs_until_it_is_mended(
    listed: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stock = 3

    def answer(asked: Asked) -> Says:
        item = {"id": "1", "tracked": True, "inventoryLevel": {"quantities": [{"quantity": stock}]}}
        variant = {"id": "1", "sku": "A", "displayName": "Mug", "product": {"id": "9"}, "inventoryItem": item}
        page = {"pageInfo": {"hasNextPage": False}, "nodes": [variant]}
        return Says(200, {"data": {"productVariants": page}})

    receiver = Receiver()
    with serving(answer) as server:
        target = SimpleNamespace(
            table=listed,
            sqs=receiver.queue,
            secrets=Secrets(server.url),
            name="oms",
            outputs={"PublishQueueUrl": "https://sqs/publish"},
            endpoint_url="http://local",
        )

        @contextmanager
        def opened(name: str | None) -> Iterator[SimpleNamespace]:
            yield target

        monkeypatch.setattr(command_line, "opened", opened)
        assert main(["listings", "check", "shop-es"]) == 1
        line = json.loads(capsys.readouterr().out)
        assert line == {
            "kind": "stock",
            "item_id": "1",
            "sku": "A",
            "ours": 7,
            "theirs": 3,
            "repaired": False,
        }
        assert main(["listings", "check", "shop-es", "--repair"]) == 0
        assert json.loads(capsys.readouterr().err) == {"differences": {"stock": 1}, "left": 0}
        assert pushes(receiver) == ["1"]
        stock = 7
        assert main(["listings", "check", "shop-es"]) == 0
        assert main(["listings", "check", "other"]) == 1
        assert "has no secret" in capsys.readouterr().err
        server.faults = [Fault.LOST] * 3
        assert main(["listings", "check", "shop-es"]) == 1
        assert "unavailable" in capsys.readouterr().err


# ---- The API -----------------------------------------------------------------------------------------------


@pytest.fixture
def shop(listed: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A shop that lists three variants on two pages, and the API that may ask it."""
    receiver = Receiver()
    channels = {"shop-es": TELLING, "till": Channel("till", "stripe", "iberia")}
    monkeypatch.setattr(process, "network", lambda *_: replace(network(), channels=channels))
    monkeypatch.setattr(clients, "sqs", lambda: receiver.queue)
    monkeypatch.setenv("REACH", "any")
    for cached in (api._apis, cursors._keys):
        cached.cache_clear()
    clients.secrets().create_secret(Name="keys", SecretString="k" * 64)

    def variant(number: int, sku: str, stock: int, title: str, price: str) -> dict[str, Any]:
        item = {"id": str(number), "tracked": True, "inventoryLevel": {"quantities": [{"quantity": stock}]}}
        product = {"id": "9"}
        return {
            "id": str(number),
            "sku": sku,
            "displayName": title,
            "price": price,
            "product": product,
            "inventoryItem": item,
        }

    def answer(asked: Asked) -> Says:
        first = "after" not in json.loads(asked.body)["variables"]
        nodes = [variant(1, "A", 3, "Jug", "15.90"), variant(2, "", 0, "Cup", "1.00")]
        nodes = nodes if first else [variant(3, "A", 7, "Mug", "14.90")]
        page = {"pageInfo": {"hasNextPage": first, "endCursor": "c2"}, "nodes": nodes}
        return Says(200, {"data": {"productVariants": page}})

    with serving(answer) as server:
        for name, kind in (("shop-es", "shopify"), ("till", "stripe")):
            secret = {"kind": kind, "secrets": ["s"], "api": {"url": server.url, **API}}
            clients.secrets().create_secret(Name=f"oms/channels/{name}", SecretString=json.dumps(secret))
        yield server
    for cached in (api._apis, cursors._keys):
        cached.cache_clear()


def kinds(reply: Reply) -> list[tuple[str, str, bool]]:
    return [(each["kind"], each["item_id"], each["repaired"]) for each in reply.document["items"]]


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ({}, (422, "field_missing", "channel")),
        ({"channel": "none"}, (404, "not_found", "channel")),
        ({"channel": "till"}, (422, "unsupported", "kind")),
        ({"channel": "shop-es", "cursor": "abc"}, (400, "cursor_invalid", "cursor")),
        ({"channel": "shop-es", "size": "9"}, (422, "field_invalid", "size")),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(
    query: dict[str, str], refusal: tuple[int, str, str], shop: FakeServer
) -> None:
    for method, path in (("GET", "/listings/differences"), ("POST", "/listings/repair")):
        assert Rest().call(method, path, query=query).problem == refusal


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ([Fault.LOST] * 3, "unavailable"),
        ([Says(500)] * 3, "unavailable"),
        ([Says(429, headers={"Retry-After": "60"})], "unavailable"),
        ([Says(403)], "channel_refused"),
        ([Fault.GARBAGE], "channel_refused"),
    ],
)
def test_a_channel_that_does_not_answer_is_told_of(
    faults: list[Fault | Says | None], code: str, shop: FakeServer
) -> None:
    shop.faults = faults
    assert Rest().get("/listings/differences", channel="shop-es").problem[1] == code


def test_a_channel_without_credentials_is_unknown(shop: FakeServer) -> None:
    clients.secrets().delete_secret(SecretId="oms/channels/shop-es", ForceDeleteWithoutRecovery=True)
    assert Rest().get("/listings/differences", channel="shop-es").problem == (
        404,
        "channel_unknown",
        "channel",
    )


def test_what_differs_is_shown_page_by_page_and_repaired_where_it_can_be(
    shop: FakeServer, listed: Table
) -> None:
    rest = Rest()
    first = rest.get("/listings/differences", channel="shop-es")
    assert kinds(first) == [
        ("stock", "1", False),
        ("title", "1", False),
        ("price", "1", False),
        ("unlisted", "2", False),
        ("unmapped", "2", False),
    ]
    price = first.document["items"][2]
    assert (price["sku"], price["ours"], price["theirs"]) == ("A", "14.90 EUR", "15.90 EUR")
    cursor = first.document["next"]
    second = rest.get("/listings/differences", channel="shop-es", cursor=cursor)
    assert kinds(second) == [("unlisted", "3", False), ("duplicate", "3", False)]
    assert second.document["next"] is None

    sent = cast(Receiver, clients.sqs()).taken
    for _ in range(2):
        repaired = rest.call("POST", "/listings/repair", query={"channel": "shop-es"})
        assert kinds(repaired)[:3] == [("stock", "1", True), ("title", "1", True), ("price", "1", True)]
    tasks = {json.loads(entry["MessageBody"])["task"] for entry in sent}
    assert tasks == {"push_stock", "push_title", "push_price"}
    assert find_listing(listed, "shop-es", "2") is not None
    assert kinds(rest.get("/listings/differences", channel="shop-es"))[3:] == [("unmapped", "2", False)]
    other = {"channel": "shop-es", "cursor": cursor}
    assert rest.call("POST", "/listings/repair", query=other).problem[1] == "cursor_invalid"
