"""Publishing: an output is staged where nobody sees it, decided by one record, and rolled forward by any attempt.

`check_destination` says before any data moves whether source and destination keep out of each other's way. Of the rest
an attempt uses `Publisher`: what it decided, once decided, is never taken back, and before that nothing is seen.
"""

from triptych.stages.publishing.names import Existing, Names
from triptych.stages.publishing.overlap import check_destination
from triptych.stages.publishing.publisher import Publisher, Target
from triptych.stages.publishing.records import Listing, Records, Used, newest_listing
from triptych.stages.publishing.staging import StagedOutput

__all__ = [
    "Existing",
    "Listing",
    "Names",
    "Publisher",
    "Records",
    "StagedOutput",
    "Target",
    "Used",
    "check_destination",
    "newest_listing",
]
