"""All results in one archive, written as a stream."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.streams import OutputFile

METHODS = {"deflate": zipfile.ZIP_DEFLATED, "store": zipfile.ZIP_STORED}
# The same results give the same archive: no clock inside.
EPOCH = (1980, 1, 1, 0, 0, 0)


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    with output.open(params["name"]) as out, zipfile.ZipFile(OutputFile(out), "w", allowZip64=True) as archive:
        for result in results:
            entry = zipfile.ZipInfo(result.flat_name, EPOCH)
            entry.compress_type = METHODS[params["compression"]]
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=result.size > 2**31) as target:
                for block in result.stream():
                    target.write(block)
