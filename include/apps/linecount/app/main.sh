#!/bin/sh
# One line per chunk: chunk, lines, words, bytes. LC_ALL=C: a byte is a byte, whatever the encoding.
set -eu
LC_ALL=C awk -v chunk="${CHUNK_NUMBER:-0}" -v bytes="$(wc -c <"$TASK_DIR/data.bin")" '
    { words += NF }
    END { printf "%d,%d,%d,%d\n", chunk, NR, words, bytes }
' "$TASK_DIR/data.bin" >"$TASK_RESULTS_DIR/lines.csv"
