"""Runs once per chunk: TASK_DIR/data.bin in, files in TASK_RESULTS_DIR out. Exit code 0 is success."""

import json
import os
from pathlib import Path


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    lines = Path(os.environ["TASK_DIR"], "data.bin").read_text(encoding="utf-8").splitlines()
    result = "".join(f"{params['prefix']}{line}\n" for line in lines)
    Path(os.environ["TASK_RESULTS_DIR"], "output.txt").write_text(result, encoding="utf-8")
    print(f"chunk {os.environ['CHUNK_NUMBER']} of {os.environ['CHUNK_COUNT']}: {len(lines)} line(s)")


if __name__ == "__main__":
    main()
