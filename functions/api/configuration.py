"""Configuration: rate cards, locations, pools that sell from them, channels that sell from pools."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, field
from typing import Annotated, Any, TypedDict

from annotated_types import Ge, Le, MaxLen, MinLen

from functions.api.fields import Closed, Doc, Page, Text, Units
from functions.api.routing import Answer, AnyRoute, Call, Route
from oms.inventory.model import Capability, CountBasis
from oms.inventory.network import Aspect, LocationKind, ShortOrders
from oms.problems import Code, Problem
from oms.runtime import settings
from oms.sourcing.calendar import EVERY_DAY
from oms.store import configuration, keys, process
from oms.store.attributes import Item
from oms.store.tokens import Scope
from oms.usecases.configure import configure, version
from oms.values import frozen


class ConfiguredDocument[Settings](TypedDict):
    """A configured thing."""

    kind: str
    id: str
    settings: Settings
    v: int


Weekday = Annotated[int, Ge(1), Le(7)]
Days = Annotated[int, Ge(0), Le(366)]
Money = Annotated[int, Ge(0), Le(10**9)]
Weight = Annotated[int, Ge(1), Le(10**8)]
Day = Annotated[str, Doc("A date, ISO 8601.", format="date")]
TimeOfDay = Annotated[str, Doc("HH:MM.", pattern=r"^\d{2}:\d{2}$")]


@frozen
class CalendarSettings(Closed):
    """When a location hands over parcels; an order after the cut-off counts as of the next such day."""

    time_zone: Annotated[Text, Doc("IANA name: Europe/Madrid.")] = "UTC"
    days: Annotated[tuple[Weekday, ...], MinLen(1), MaxLen(7), Doc("ISO weekdays, Monday is 1.")] = EVERY_DAY
    holidays: Annotated[tuple[Day, ...], MaxLen(366), Doc("Days on which it rests.")] = ()
    cutoffs: Annotated[
        Mapping[Text, TimeOfDay], MaxLen(50), Doc("Local time by service; `*` stands for the others.")
    ] = field(default_factory=dict)
    handling_days: Annotated[Days, Doc("Working days from the order to the parcel.")] = 0


@frozen
class CostSettings(Closed):
    """What shipping from a location costs, in minor units of the currency that the retailer reckons in."""

    package_cost: Annotated[Money, Doc("Each parcel.")] = 0
    km_rate_milli: Annotated[Money, Doc("Each km to the customer, once a parcel, in thousandths.")] = 0
    handling: Annotated[Money, Doc("Each unit.")] = 0
    kg_rate: Annotated[Money, Doc("Each kg.")] = 0


@frozen
class CapacitySettings(Closed):
    """What a location can do on one of its working days; null is any number."""

    orders: Annotated[int | None, Ge(1), Doc("Fulfillment orders.")] = None
    units: Annotated[int | None, Ge(1), Doc("Units in them.")] = None


@frozen
class LocationSettings(Closed):
    """A place that holds stock, with one owner."""

    name: Text
    kind: LocationKind
    owner: Annotated[Text, Doc("The legal entity that owns the stock.")]
    country: Annotated[str, MinLen(2), MaxLen(2), Doc("ISO 3166-1, two letters.")]
    latitude: Annotated[float, Ge(-90), Le(90), Doc("Decimal degrees, WGS 84.")]
    longitude: Annotated[float, Ge(-180), Le(180), Doc("Decimal degrees, WGS 84.")]
    active: Annotated[bool, Doc("Whether orders may be given to it.")] = True
    priority: Annotated[int, Ge(0), Le(10**6), Doc("Lower ones are preferred when all else is equal.")] = 100
    connector: Annotated[
        Text | None, Doc("Queue that its requests go out on; without one its staff poll the API.")
    ] = None
    safety_stock: Annotated[Units, Doc("Units of every sku that new orders must leave there.")] = 0
    count_basis: Annotated[
        CountBasis, Doc("physical: counts have everything there; net: they leave promised units out.")
    ] = CountBasis.PHYSICAL
    capabilities: Annotated[
        tuple[Capability, ...] | None,
        MaxLen(len(Capability)),
        Doc("What it can do; null: a store ships and is a pickup point, others ship."),
    ] = None
    lead_days: Annotated[
        Mapping[Capability, Days],
        Doc("Working days more that a capability takes: make_to_order, personalise."),
    ] = field(default_factory=dict)
    calendar: CalendarSettings = CalendarSettings()
    costs: Annotated[CostSettings | None, Doc("null: those that the sourcing profile gives its kind.")] = None
    closed_until: Annotated[
        Text | None,
        Doc("Until then it is no source of anything; ISO 8601 with an offset.", format="date-time"),
    ] = None
    rate_card: Annotated[
        Text | None,
        Doc("Its carrier's, which then says what freight costs in place of km_rate_milli and kg_rate."),
    ] = None
    capacity: Annotated[
        CapacitySettings | None, Doc("Beyond it others are preferred, and work waits for its next day.")
    ] = None


@frozen
class ZoneSettings(Closed):
    """Where the prices of a row hold: where all that is given of countries, codes and distance does."""

    name: Annotated[Text, Doc("As decisions show it.")]
    prices: Annotated[
        tuple[Money, ...], MinLen(1), MaxLen(100), Doc("Of a parcel, minor units; one for each weight.")
    ]
    countries: Annotated[tuple[Text, ...], MaxLen(250), Doc("ISO 3166-1, two letters; all without.")] = ()
    postal_codes: Annotated[
        tuple[Text, ...], MaxLen(1000), Doc("Beginnings of codes of the countries; all without.")
    ] = ()
    up_to_km: Annotated[int | None, Ge(0), Doc("The longest distance; null: any.")] = None


@frozen
class SheetSettings(Closed):
    """The prices of one service; the first zone that a customer is in decides, the last is for everywhere."""

    up_to_g: Annotated[
        tuple[Weight, ...],
        MinLen(1),
        MaxLen(100),
        Doc("Grams up to which prices hold; what is more than the last goes in several parcels."),
    ]
    zones: Annotated[tuple[ZoneSettings, ...], MinLen(1), MaxLen(100)]
    min_charge: Annotated[Money, Doc("The least that a parcel costs before surcharges.")] = 0
    fuel_bp: Annotated[int, Ge(0), Le(100_000), Doc("Surcharge in basis points, rounded up.")] = 0
    parcel_fee: Annotated[Money, Doc("For each parcel, without surcharge.")] = 0


@frozen
class RateCardSettings(Closed):
    """What a carrier's parcels cost, in minor units of the currency that the retailer reckons in."""

    services: Annotated[
        Mapping[Text, SheetSettings], MinLen(1), MaxLen(50), Doc("By service; `*` is every other one.")
    ]


@frozen
class PoolSettings(Closed):
    """Locations that channels sell from."""

    locations: Annotated[tuple[Text, ...], MaxLen(1000)]


@frozen
class ChannelSettings(Closed):
    """One connection to a place where customers buy."""

    kind: Annotated[Text, Doc("Name of its adapter.")]
    pool: Annotated[Text, Doc("What it sells from.")]
    buffer: Annotated[Units, Doc("Units of every sku kept back from it.")] = 0
    grace_minutes: Annotated[int, Ge(0), Le(10080), Doc("Minutes between placing and release.")] = 0
    locations: Annotated[
        Mapping[Text, Text], MaxLen(1000), Doc("Our locations by the channel's own ids of them.")
    ] = field(default_factory=dict)
    short_orders: Annotated[
        ShortOrders,
        Doc("Units beyond stock and limits wait, or are cancelled, or the whole order is."),
    ] = ShortOrders.BACKORDER
    stock_threshold: Annotated[
        Units | None,
        Doc("Changes of stock above it are not told, unless they cross it; null: all are."),
    ] = None
    payment_hours: Annotated[
        int | None,
        Ge(1),
        Le(8760),
        Doc("Hours after which an order that nobody has paid is cancelled; null: it is kept."),
    ] = None
    orders_of: Annotated[
        Text | None, Doc("Of a payment provider: the channel whose orders are paid by it.")
    ] = None
    order_prefix: Annotated[
        Text | None,
        Doc("Of a payment provider: what it is given before that channel's id of an order, such as WC-."),
    ] = None
    gives_refunds: Annotated[
        bool, Doc("Whether it is asked to give back the money that is due for its orders.")
    ] = False
    publishes: Annotated[
        tuple[Aspect, ...], MaxLen(len(Aspect)), Doc("What it is told of its listings: stock, title, price.")
    ] = (Aspect.STOCK,)
    currency: Annotated[Text | None, Doc("ISO 4217; the one that it is told prices in.")] = None
    paused: Annotated[
        bool,
        Doc(
            "Whether its API is left alone: it is neither told nor asked. What it sends is taken in all the "
            "same, and it is told what has changed when it is paused no more."
        ),
    ] = False


def _list(kind: str) -> Callable[[Call[None, None]], Answer[Page[ConfiguredDocument[Any]]]]:
    def endpoint(call: Call[None, None]) -> Answer[Page[ConfiguredDocument[Any]]]:
        items = process.table().query(keys.configuration(kind, "").pk, consistent=True)
        return Answer({"items": [_stored(kind, item) for item in items], "next": None})

    return endpoint


def _show(kind: str) -> Callable[[Call[None, None]], Answer[ConfiguredDocument[Any]]]:
    def endpoint(call: Call[None, None]) -> Answer[ConfiguredDocument[Any]]:
        item = process.table().get(keys.configuration(kind, call.path["id"]))
        if item is None:
            raise Problem(Code.NOT_FOUND, f"{kind} {call.path['id']} is not configured", "id")
        return Answer(_stored(kind, item), version(item))

    return endpoint


def _write(kind: str) -> Callable[[Call[None, Any]], Answer[ConfiguredDocument[Any]]]:
    def endpoint(call: Call[None, Any]) -> Answer[ConfiguredDocument[Any]]:
        thing = configuration.parse(kind, call.path["id"], asdict(call.body))
        connectors = settings.read(settings.Api).connectors
        configured = configure(process.table(), thing, connectors, call.expected)
        return Answer(_document(kind, thing.id, configured.document, configured.v), configured.v)

    return endpoint


def _stored(kind: str, item: Item) -> ConfiguredDocument[Any]:
    return _document(kind, str(item["SK"]), configuration.decode_document(item), version(item))


def _document(kind: str, name: str, settings: Mapping[str, object], v: int) -> ConfiguredDocument[Any]:
    return {"kind": kind, "id": name, "settings": settings, "v": v}


def _routes(kind: str, body: type, document: type, *problems: Code) -> tuple[AnyRoute, ...]:
    return (
        Route(
            "GET",
            f"/configuration/{kind}",
            Scope.CONFIGURATION_READ,
            f"List every {kind}",
            _list(kind),
            Page[document],  # type: ignore[valid-type]  # each of the four is a type
        ),
        Route(
            "GET",
            f"/configuration/{kind}/{{id}}",
            Scope.CONFIGURATION_READ,
            f"Show a {kind}",
            _show(kind),
            document,
            problems=(Code.NOT_FOUND,),
            versioned=True,
        ),
        Route(
            "PUT",
            f"/configuration/{kind}/{{id}}",
            Scope.CONFIGURATION_WRITE,
            f"Configure a {kind}",
            _write(kind),
            document,
            body=body,
            problems=(Code.VERSION_MISMATCH, *problems),
            description="What it names must be configured before. Functions read it within 30 seconds.",
            versioned=True,
        ),
    )


ROUTES = (
    *_routes("rate_card", RateCardSettings, ConfiguredDocument[RateCardSettings]),
    *_routes("location", LocationSettings, ConfiguredDocument[LocationSettings]),
    *_routes("pool", PoolSettings, ConfiguredDocument[PoolSettings]),
    *_routes("channel", ChannelSettings, ConfiguredDocument[ChannelSettings], Code.UNSUPPORTED),
)
