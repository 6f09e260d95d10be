"""The API's own description: the OpenAPI document and a page to read it. Both are public."""

from functools import cache
from typing import Any

from functions.api.routing import Answer, Call, Html, Route


def _document(call: Call[None, None]) -> Answer[dict[str, Any]]:
    return Answer(_made())


def _page(call: Call[None, None]) -> Answer[Html]:
    from functions.api.page import render  # noqa: PLC0415

    return Answer(Html(render(_made())))


@cache
def _made() -> dict[str, Any]:
    # Making it loads pydantic's schema machinery, and the routes contain this module.
    from functions.api.openapi import document  # noqa: PLC0415
    from functions.api.routes import ROUTES  # noqa: PLC0415

    return document(ROUTES)


ROUTES = (
    Route("GET", "/openapi.json", None, "This document", _document, dict[str, Any]),
    Route("GET", "/docs", None, "This document as a page", _page, Html),
)
