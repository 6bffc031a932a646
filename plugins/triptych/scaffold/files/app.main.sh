#!/bin/sh
# Runs once per chunk: TASK_DIR/data.bin in, files in TASK_RESULTS_DIR out. Exit code 0 is success.
# The parameters are JSON in APP_PARAMS.
set -eu
tr '[:lower:]' '[:upper:]' <"$TASK_DIR/data.bin" >"$TASK_RESULTS_DIR/output.txt"
echo "chunk $CHUNK_NUMBER of $CHUNK_COUNT"
