"""Where a line keeps what the channel calls the thing sold, for channels whose lines need not have a sku."""

LISTING = "listing_id"
"""Name of that line property: the id under which `ListingRecorded` maps it to a sku."""
