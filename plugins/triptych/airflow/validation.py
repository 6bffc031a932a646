"""What Airflow says of the templates of some include folders: `triptych validate` asks in a process of its own.

So the command starts without Airflow, and what Airflow logs and leaves in memory is not the command's. On the standard
output comes one JSON list: [file, location, message] of each thing that is wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from triptych.airflow.factory import build_dag
from triptych.airflow.judgement import judged
from triptych.blocks import read_catalog


def main(include: list[str]) -> None:
    """Judge every template of these folders, each alone."""
    catalog = read_catalog([Path(folder) for folder in include])
    found = [each for template in catalog.templates for each in judged(template, build_dag)[1]]
    print(json.dumps([[str(each.path), each.location, each.message] for each in found]))


if __name__ == "__main__":
    main(sys.argv[1:])
