"""What channels sell under their own ids, and where a line keeps such an id when it has no sku."""

from dataclasses import dataclass, replace
from datetime import datetime

from oms.orders.records import ListingRecorded

LISTING = "listing_id"
"""Name of that line property: the id under which `ListingRecorded` maps it to a sku."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One thing that a channel sells, and what we last told the channel of its stock.

    Attributes:
        channel: which.
        item_id: what the channel counts its stock under.
        sku: ours; None while nobody has said.
        listing_id: what its orders name it by.
        product_id: what it is a variant of.
        title: as the channel shows it.
        as_of: when the channel last said so, UTC.
        published: ordered units that the channel was told may be sold; None when it is not certain what it
            was told last.
        published_at: when, UTC.
        claimed_until: until then (UTC) somebody is telling it, and nobody else may.
        retry_at: when (UTC) it will be told what it could not be told, or what it was too early to tell.
        v: version.
    """

    channel: str
    item_id: str
    sku: str | None
    listing_id: str | None
    product_id: str | None
    title: str | None
    as_of: datetime
    published: int | None = None
    published_at: datetime | None = None
    claimed_until: datetime | None = None
    retry_at: datetime | None = None
    v: int = 0

    def told(self, recorded: ListingRecorded) -> "Listing":
        """This listing after the channel has said what it is; what is older than we know changes nothing.

        What the channel leaves out stays. Under another sku nothing has been published yet.
        """
        if recorded.as_of < self.as_of:
            return self
        sku = recorded.sku or self.sku
        known = replace(
            self,
            sku=sku,
            listing_id=recorded.listing_id or self.listing_id,
            product_id=recorded.product_id or self.product_id,
            title=recorded.title or self.title,
            as_of=recorded.as_of,
        )
        return known if sku == self.sku else replace(known, published=None)


def first_told(recorded: ListingRecorded, item_id: str) -> Listing:
    """A listing that the channel tells of for the first time."""
    return Listing(
        channel=recorded.channel,
        item_id=item_id,
        sku=recorded.sku,
        listing_id=recorded.listing_id,
        product_id=recorded.product_id,
        title=recorded.title,
        as_of=recorded.as_of,
    )
