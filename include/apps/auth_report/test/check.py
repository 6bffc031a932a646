"""Attempts found beside those that were labelled, per service: how many were found, and how many are none.

Usage: python check.py OUTPUT EXPECTED, folders with `attacks.jsonl` and with `attacks.tsv`, whose columns (of time,
service, host, line) tell attempts apart; times are compared to the second, and an empty host is any. `least.json` in
EXPECTED, if there, says how much is enough, by service: {"sshd": {"found": 90, "false": 2}}. Else all has to be found.
"""

import csv
import json
import sys
from collections import Counter
from pathlib import Path


def main(output: Path, expected: Path) -> int:
    with (expected / "attacks.tsv").open(newline="") as file:
        labels = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = [json.loads(line) for line in (output / "attacks.jsonl").read_text().splitlines()]
    hostless = {row.get("line") for row in labels if not row["host"]}
    for each in found:
        each["time"] = each["time"][:19]
        if each["line"] in hostless:
            each["host"] = ""
    bars = json.loads((expected / "least.json").read_text()) if (expected / "least.json").exists() else {}

    code = 0
    for service in sorted({each["service"] for each in (*labels, *found)}):
        wanted = Counter(tuple(row.values()) for row in labels if row["service"] == service)
        seen = Counter(tuple(each[name] for name in labels[0]) for each in found if each["service"] == service)
        right, more = (wanted & seen).total(), (seen - wanted).total()
        print(f"{service}: {right} of {wanted.total()} found, {more} false")
        bar = bars.get(service, {"found": wanted.total(), "false": 0})
        code |= right < bar["found"] or more > bar["false"]
    return int(code)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
