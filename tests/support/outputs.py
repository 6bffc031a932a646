"""What a run's records say of its output."""

from __future__ import annotations

from triptych.stages.publishing import Listing, Records


def newest_listing(records: Records) -> Listing | None:
    """The list of the newest finished making; None when there is none."""
    listings = (records.listing(making.number) for making in reversed(records.makings()))
    return next((listing for listing in listings if listing is not None), None)
