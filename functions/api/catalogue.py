"""Catalogue: what is known of a sku."""

from dataclasses import asdict, dataclass
from typing import Annotated, TypedDict

from annotated_types import Ge, Le, MaxLen

from functions.api.fields import Closed, Doc, Text, Units
from functions.api.routing import Answer, Call, Route
from oms.inventory.model import Capability, Sku
from oms.problems import Code, Problem
from oms.store import keys, process
from oms.store.stock import decode_sku
from oms.store.tokens import Scope
from oms.usecases.describe_sku import describe_sku


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
    v: int


@dataclass(frozen=True, slots=True)
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
        "v": sku.v,
    }


def _show(call: Call[None, None]) -> Answer[SkuDocument]:
    item = process.table().get(keys.sku_meta(call.path["sku"]))
    if item is None:
        raise Problem(Code.NOT_FOUND, f"sku {call.path['sku']} is not in the catalogue", "sku")
    sku = decode_sku(item)
    return Answer(sku_document(sku), sku.v)


def _describe(call: Call[None, SkuBody]) -> Answer[SkuDocument]:
    sku = describe_sku(process.table(), Sku(call.path["sku"], **asdict(call.body)), call.expected)
    return Answer(sku_document(sku), sku.v)


ROUTES = (
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
