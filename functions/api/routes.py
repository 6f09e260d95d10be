"""Every route of the API."""

from functions.api import catalogue, configuration, documentation, fulfillment, orders, returns, stock, supply
from functions.api.routing import AnyRoute

ROUTES: tuple[AnyRoute, ...] = (
    *orders.ROUTES,
    *fulfillment.ROUTES,
    *returns.ROUTES,
    *stock.ROUTES,
    *supply.ROUTES,
    *catalogue.ROUTES,
    *configuration.ROUTES,
    *documentation.ROUTES,
)
