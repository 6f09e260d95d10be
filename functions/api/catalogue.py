"""Catalogue: what is known of a sku."""

from dataclasses import asdict, fields
from typing import Annotated, TypedDict

from annotated_types import Ge, Le, MaxLen

from functions.api.fields import Amount, Closed, Doc, Moment, SomeUnits, Text, Time, Units, time, utc
from functions.api.routing import Answer, Call, Route
from oms.inventory.codes import CodeKind, SkuCode
from oms.inventory.model import Capability, Component, Price, SafetyStock, Sku
from oms.orders.commands import Method
from oms.problems import Code, Problem
from oms.store import keys, process
from oms.store.catalogue import skus_of_code
from oms.store.stock import decode_sku
from oms.store.tokens import Scope
from oms.usecases.describe_sku import describe_sku
from oms.values import frozen


class CodeDocument(TypedDict):
    """A code that stands on the goods."""

    kind: CodeKind
    value: str


class ComponentDocument(TypedDict):
    """Units of a sku in each unit of a kit."""

    sku: str
    per_bundle: int
    weight: int


class SafetyStockDocument(TypedDict):
    """Units that new orders leave where they are."""

    units: int
    location: Annotated[str | None, Doc("Null for every location.")]
    method: Annotated[Method | None, Doc("Null for every delivery method.")]


class PriceDocument(TypedDict):
    """What one ordered unit is sold for."""

    amount: Amount
    currency: str
    channel: Annotated[str | None, Doc("Null for every channel.")]


class SkuDocument(TypedDict):
    """A catalogue entry."""

    sku: str
    title: str
    unit: str
    scale: int
    weight_g: int
    tracked: bool
    requires: list[Capability]
    ships_with: str | None
    codes: list[CodeDocument]
    kit: Annotated[list[ComponentDocument], Doc("What it consists of; empty when it is no kit.")]
    first_release_at: Time | None
    safety_stock: list[SafetyStockDocument]
    prices: list[PriceDocument]
    v: int


class SkusDocument(TypedDict):
    """Catalogue entries."""

    items: list[SkuDocument]


@frozen
class SkusQuery(Closed):
    """Which entries."""

    code: Annotated[Text, Doc("An EAN or UPC, or a vendor's code, as it stands on the goods.")]


@frozen
class CodeBody(Closed):
    """A code that stands on the goods."""

    kind: CodeKind
    value: Text


@frozen
class ComponentBody(Closed):
    """Units of a sku in each unit of a kit."""

    sku: Text
    per_bundle: SomeUnits
    weight: Annotated[
        Units, Doc("What a unit counts for when the kit's price is spread; its own price, most simply.")
    ] = 0


@frozen
class SafetyStockBody(Closed):
    """Units that new orders leave where they are."""

    units: Units
    location: Annotated[Text | None, Doc("Where; without it at every location.")] = None
    method: Annotated[Method | None, Doc("For orders delivered so; without it for all.")] = None


@frozen
class PriceBody(Closed):
    """What one ordered unit is sold for, with or without tax as the channel keeps its prices."""

    amount: Annotated[int, Ge(0), Le(10**12), Doc("Minor units of the currency.")]
    currency: Annotated[Text, Doc("ISO 4217.")]
    channel: Annotated[Text | None, Doc("Where; without it at every channel of the currency.")] = None


@frozen
class SkuBody(Closed):
    """A catalogue entry as its owner writes it."""

    title: Annotated[str, MaxLen(500)]
    unit: Annotated[Text, Doc("Name of the smallest unit, which all quantities are in: each, g, ml.")] = (
        "each"
    )
    scale: Annotated[int, Ge(1), Le(10**6), Doc("Smallest units in one ordered unit: 1000 for kg in g.")] = 1
    weight_g: Annotated[Units, Doc("Grams of one smallest unit.")] = 0
    tracked: Annotated[bool, Doc("Whether its stock is counted; if not, it can always be sold.")] = True
    requires: Annotated[
        tuple[Capability, ...],
        MaxLen(len(Capability)),
        Doc("What a location must be able to do to be its source."),
    ] = ()
    ships_with: Annotated[
        Text | None, Doc("Skus with the same word here go from one location, or wait together.")
    ] = None
    codes: Annotated[tuple[CodeBody, ...], MaxLen(20), Doc("What stands on the goods.")] = ()
    kit: Annotated[
        tuple[ComponentBody, ...],
        MaxLen(20),
        Doc("What it consists of: orders are given the components, which are no kits themselves."),
    ] = ()
    first_release_at: Annotated[
        Moment | None, Doc("Until then it is sold as a pre-order alone, and nothing of it is promised.")
    ] = None
    safety_stock: Annotated[
        tuple[SafetyStockBody, ...],
        MaxLen(100),
        Doc(
            "What new orders leave of it. The most specific entry counts: one for the location before one "
            "for all of them, then one for the delivery method before one for any. Only where none fits, the "
            "location's own safety stock does."
        ),
    ] = ()
    prices: Annotated[
        tuple[PriceBody, ...],
        MaxLen(200),
        Doc("A channel's own price in its currency counts before that of all channels."),
    ] = ()

    def entry(self, sku: str) -> Sku:
        """This as the entry of a sku."""
        said = {field.name: getattr(self, field.name) for field in fields(SkuBody)}
        said["codes"] = tuple(SkuCode(code.kind, code.value) for code in self.codes)
        said["kit"] = tuple(Component(**asdict(component)) for component in self.kit)
        said["first_release_at"] = utc(self.first_release_at) if self.first_release_at else None
        said["safety_stock"] = tuple(SafetyStock(**asdict(rule)) for rule in self.safety_stock)
        said["prices"] = tuple(Price(**asdict(price)) for price in self.prices)
        return Sku(sku, **said)


def sku_document(sku: Sku) -> SkuDocument:
    """A catalogue entry as the API shows it."""
    return {
        "sku": sku.sku,
        "title": sku.title,
        "unit": sku.unit,
        "scale": sku.scale,
        "weight_g": sku.weight_g,
        "tracked": sku.tracked,
        "requires": list(sku.requires),
        "ships_with": sku.ships_with,
        "codes": [{"kind": code.kind, "value": code.value} for code in sku.codes],
        "kit": [
            {"sku": component.sku, "per_bundle": component.per_bundle, "weight": component.weight}
            for component in sku.kit
        ],
        "first_release_at": time(sku.first_release_at),
        "safety_stock": [
            {"units": rule.units, "location": rule.location, "method": rule.method}
            for rule in sku.safety_stock
        ],
        "prices": [
            {"amount": price.amount, "currency": price.currency, "channel": price.channel}
            for price in sku.prices
        ],
        "v": sku.v,
    }


def _show(call: Call[None, None]) -> Answer[SkuDocument]:
    item = process.table().get(keys.sku_meta(call.path["sku"]))
    if item is None:
        raise Problem(Code.NOT_FOUND, f"sku {call.path['sku']} is not in the catalogue", "sku")
    sku = decode_sku(item)
    return Answer(sku_document(sku), sku.v)


def _find(call: Call[SkusQuery, None]) -> Answer[SkusDocument]:
    found = skus_of_code(process.table(), call.query.code)
    return Answer({"items": [sku_document(sku) for sku in found]})


def _describe(call: Call[None, SkuBody]) -> Answer[SkuDocument]:
    sku = describe_sku(process.table(), call.body.entry(call.path["sku"]), call.expected)
    return Answer(sku_document(sku), sku.v)


ROUTES = (
    Route(
        "GET",
        "/skus",
        Scope.CATALOGUE_READ,
        "Find catalogue entries by a code",
        _find,
        SkusDocument,
        query=SkusQuery,
        description="Several skus may share a code. A UPC is found by its EAN, too.",
    ),
    Route(
        "GET",
        "/skus/{sku}",
        Scope.CATALOGUE_READ,
        "Show a catalogue entry",
        _show,
        SkuDocument,
        problems=(Code.NOT_FOUND,),
        versioned=True,
    ),
    Route(
        "PUT",
        "/skus/{sku}",
        Scope.CATALOGUE_WRITE,
        "Enter a sku into the catalogue, or change its entry",
        _describe,
        SkuDocument,
        body=SkuBody,
        problems=(Code.VERSION_MISMATCH,),
        versioned=True,
    ),
)
