"""Square's catalogue: a notification says that something in it has changed, and not what."""

from collections.abc import Iterator

from oms.channels.exchange import Api, read
from oms.channels.fetching import Fetched
from oms.problems import Code, Problem

MOST_PAGES = 200


def fetch_catalog(api: Api, resource_id: str) -> Iterator[Fetched]:
    """Every item of the catalogue with its variations, page by page.

    Args:
        api: of the channel.
        resource_id: the merchant; the token is good for no other.
    """
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        answer = api.get("/v2/catalog/list", {"types": "ITEM"} | ({"cursor": cursor} if cursor else {}))
        yield Fetched("rest_catalog", answer.body)
        cursor = read(answer).text("cursor")
        if cursor is None:
            return
    raise Problem(Code.CHANNEL_REFUSED, f"the catalogue has more than {MOST_PAGES} pages")
