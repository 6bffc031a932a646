"""Publishing: an output is staged where nobody sees it, decided by one record, and rolled forward by any attempt.

`check_destination` says before any data moves whether source and destination keep out of each other's way.
"""

from triptych.stages.publishing.overlap import check_destination

__all__ = ["check_destination"]
