"""What the two processes say to each other: each message has a head of twelve bytes."""

from __future__ import annotations

import struct

HEAD = struct.Struct(">BQI")
"""A kind, a number of 64 bits and one of 32."""
HELLO = 1
"""To the reader, first: the size of the file, 0."""
WANTED = 2
"""From the reader: the offset and the length of a range. Its bytes come back, without a head."""
ROWS = 3
"""From the reader, last: 0, and the length of the JSON that follows, of rows or of why there are none."""

MOST_ROWS = 100
MOST_COLUMNS = 50
MOST_LETTERS = 200
"""Of a cell."""
MOST_READ_BYTES = 64 << 20
"""Of the file, in all."""
MOST_ANSWER_BYTES = MOST_ROWS * MOST_COLUMNS * MOST_LETTERS * 6 * 2
"""A letter takes six bytes in JSON of ASCII, two times where it is beyond 16 bits."""
MEMORY_BYTES = 1 << 30
"""Of addresses: the libraries alone take a third of it."""
CPU_S = 10
WAIT_S = 30
"""For the store, too."""
