"""The side that reads: in a process of its own, bounded before it has seen a byte."""

from __future__ import annotations

import io
import json
import os
import resource
import sys
from contextlib import suppress
from typing import IO, Any

from triptych.engines.previews.messages import CPU_S, HEAD, MEMORY_BYTES, ROWS
from triptych.engines.previews.ranges import AskedFile
from triptych.errors import EngineError

READ_BYTES = 64 << 10
"""Of a zip, at once at least."""
BOUNDS = (
    (resource.RLIMIT_AS, MEMORY_BYTES),
    (resource.RLIMIT_CPU, CPU_S),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 0),  # It writes no file.
)


def main() -> None:
    """Answer one question, by the pipes that standard input and output are."""
    # What libraries print is no answer.
    told = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for kind, most in BOUNDS:
        with suppress(ValueError, OSError):  # A system that has no such bound, or a lower one.
            resource.setrlimit(kind, (most, most))
    given = sys.stdin.buffer
    _, size, _ = HEAD.unpack(given.read(HEAD.size))
    answer = json.dumps(_seen(size, told, given)).encode()
    told.write(HEAD.pack(ROWS, 0, len(answer)) + answer)
    told.flush()


def _seen(size: int, told: IO[bytes], given: IO[bytes]) -> dict[str, Any]:
    """Rows, or why there are none: whatever the libraries raise, which is of every sort."""
    try:
        from triptych.engines.runtime.loading import naming_missing_library

        with naming_missing_library("tables"):
            from triptych.engines.previews.tables import rows_of
        seen = rows_of(io.BufferedReader(AskedFile(size, told, given), READ_BYTES))
    except EngineError as error:
        return {"why": str(error)}
    except MemoryError:
        return {"why": "it takes too much memory to look at"}
    except Exception:
        return {"why": "it cannot be read: it is damaged, or no table"}
    return {"rows": seen.rows, "about": seen.about, "is_part": seen.is_part}


main()
