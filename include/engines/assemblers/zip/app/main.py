"""All results in one archive, written as a stream."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.archives.members import write_zip

METHODS = {"deflate": zipfile.ZIP_DEFLATED, "store": zipfile.ZIP_STORED}


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    files = ((result.flat_name, result.size, result.stream()) for result in results)
    with output.open(params["name"]) as out:
        write_zip(out, files, METHODS[params["compression"]])
