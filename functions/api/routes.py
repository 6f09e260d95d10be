"""Every route of the API."""

from functions.api import (
    catalogue,
    configuration,
    documentation,
    fulfillment,
    listings,
    movements,
    orders,
    reservations,
    returns,
    sourcing,
    stock,
    subscribers,
    supply,
    transfers,
)
from functions.api.routing import AnyRoute

ROUTES: tuple[AnyRoute, ...] = (
    *orders.ROUTES,
    *fulfillment.ROUTES,
    *returns.ROUTES,
    *reservations.ROUTES,
    *stock.ROUTES,
    *movements.ROUTES,
    *supply.ROUTES,
    *transfers.ROUTES,
    *catalogue.ROUTES,
    *listings.ROUTES,
    *sourcing.ROUTES,
    *configuration.ROUTES,
    *subscribers.ROUTES,
    *documentation.ROUTES,
)
