"""Joins every file of TASK_RESULTS_DIR, in order of name, into one file in OUTPUT_DIR."""

import json
import os
import shutil
from pathlib import Path


def main() -> None:
    name = json.loads(os.environ["ASSEMBLER_PARAMS"])["name"]
    with Path(os.environ["OUTPUT_DIR"], name).open("wb") as out:
        for path in sorted(Path(os.environ["TASK_RESULTS_DIR"]).iterdir()):
            with path.open("rb") as result:
                shutil.copyfileobj(result, out)


if __name__ == "__main__":
    main()
