"""What channels sell under their own ids, and what they were told of it."""

from datetime import datetime

from oms.inventory.network import Aspect
from oms.orders.records import ListingRecorded
from oms.values import frozen, replace


@frozen
class Listing:
    """One thing that a channel sells.

    Attributes:
        channel: which.
        item_id: what the channel counts its stock under.
        sku: ours; None while nobody has said.
        listing_id: what its orders name it by.
        product_id: what it is a variant of.
        title: as the channel shows it.
        as_of: when the channel last said so, UTC.
        v: version.
    """

    channel: str
    item_id: str
    sku: str | None
    listing_id: str | None
    product_id: str | None
    title: str | None
    as_of: datetime
    v: int = 0

    def told(self, recorded: ListingRecorded) -> "Listing":
        """This listing after the channel has said what it is; what is older than we know changes nothing.

        What the channel leaves out stays.
        """
        if recorded.as_of < self.as_of:
            return self
        return replace(
            self,
            sku=recorded.sku or self.sku,
            listing_id=recorded.listing_id or self.listing_id,
            product_id=recorded.product_id or self.product_id,
            title=recorded.title or self.title,
            as_of=recorded.as_of,
        )


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


@frozen
class Told:
    """What we last told a channel of one aspect of a listing.

    Attributes:
        channel: which.
        item_id: of which listing.
        aspect: stock, title or price.
        sku: what it was told of: of another sku it has not been told yet.
        value: what it was told, units or a text; None when that is not certain.
        at: when, UTC.
        claimed_until: until then (UTC) somebody is telling it, and nobody else may.
        retry_at: when (UTC) it will be told what it could not be told, or what it was too early to tell.
        v: version.
    """

    channel: str
    item_id: str
    aspect: Aspect
    sku: str
    value: int | str | None = None
    at: datetime | None = None
    claimed_until: datetime | None = None
    retry_at: datetime | None = None
    v: int = 0
