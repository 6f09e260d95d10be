"""Every route of the API."""

from functions.api import (
    catalogue,
    configuration,
    documentation,
    fulfillment,
    movements,
    orders,
    returns,
    stock,
    supply,
)
from functions.api.routing import AnyRoute

ROUTES: tuple[AnyRoute, ...] = (
    *orders.ROUTES,
    *fulfillment.ROUTES,
    *returns.ROUTES,
    *stock.ROUTES,
    *movements.ROUTES,
    *supply.ROUTES,
    *catalogue.ROUTES,
    *configuration.ROUTES,
    *documentation.ROUTES,
)
