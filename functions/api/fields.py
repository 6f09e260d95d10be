"""Types of fields that requests and answers share; their constraints and texts go into the OpenAPI document.

Nothing here imports pydantic: it is loaded when a body or query has to be checked, or the document is made,
not at every cold start.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypedDict

from annotated_types import Ge, Le, MaxLen, MinLen

from oms.orders.limits import MOST_UNITS
from oms.store.keys import iso


class Doc:
    """Description and other JSON Schema keywords of a field, for `Annotated`."""

    def __init__(self, description: str, **keywords: object) -> None:
        self._keywords = {"description": description, **keywords}

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return dict(handler(core)) | self._keywords


class Closed:
    """Base of what callers send: an unknown field is refused, since a misspelt one would be lost."""

    __slots__ = ()
    __pydantic_config__ = {"extra": "forbid"}


type Time = Annotated[str, Doc("UTC, ISO 8601 with milliseconds and Z.", format="date-time")]
type Amount = Annotated[int, Doc("Minor units of the currency.")]
type Unlimited = Literal["unlimited"]

Text = Annotated[str, MinLen(1), MaxLen(200)]
Units = Annotated[int, Ge(0), Le(MOST_UNITS)]
SomeUnits = Annotated[int, Ge(1), Le(MOST_UNITS)]
Moment = Annotated[
    datetime,
    Ge(datetime(2000, 1, 1, tzinfo=UTC)),
    Le(datetime(2200, 1, 1, tzinfo=UTC)),
    Doc("ISO 8601; UTC without an offset."),
]
PageSize = Annotated[int, Ge(1), Le(100), Doc("Entries at most.")]
Cursor = Annotated[str | None, MaxLen(2000), Doc("`next` of the page before; with the same filters.")]


class Page[Document](TypedDict):
    """A part of a list. `next` is the cursor of the part that follows, null at the end."""

    items: list[Document]
    next: str | None


def time(moment: datetime | None) -> str | None:
    """A time as documents have it."""
    return iso(moment) if moment else None


def utc(moment: datetime) -> datetime:
    """A time of a request in UTC, which it is in when it names no offset."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
