"""Files that came since the last job: in batches, each for one job, so that none is lost and none is had twice.

    _watch/<template>/batches/<n>.json   what a look found that no batch before has: URI, etag and size of each file
    _watch/<template>/taken/<n>.json     the run whose source this batch is

Both are written where none is, and never changed; those of runs that are beyond repair go, once `known` has what they
had (`new_files.known`). Whoever looks, and whenever: what no batch has is in the next one.
A batch is some run's from when that says so. A file that changed is another one: what changed, or went, before its job
began is left to the batch of its new etag.
"""

from triptych.jobs.new_files.watch import Batch, NewFile, Watch

__all__ = ["Batch", "NewFile", "Watch"]
