"""Answers beside what a reader of the same messages writes down; and that what is none lies apart, with a reason.

Usage: python check.py OUTPUT EXPECTED, folders with `answers.jsonl` and with `orders.tsv` (order, quantity, city), or
with `output.jsonl`, of the requests for two capitals and a picture.
"""

import csv
import json
import sys
from pathlib import Path

CAPITALS = {"japan": "Tokyo", "france": "Paris"}
IN, OUT = 0.15, 0.6
"""Of a million tokens."""


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def orders(output: Path, expected: Path) -> list[str]:
    with (expected / "orders.tsv").open(newline="") as file:
        known = [(row["order"], int(row["quantity"]), row["city"]) for row in csv.DictReader(file, delimiter="\t")]
    answers = lines(output / "answers.jsonl")
    found = [(each["id"], each["answer"]["quantity"], each["answer"]["city"]) for each in answers]
    wrong = [f"{one} is not {other}" for one, other in zip(found, known, strict=False) if one != other]
    wrong += [f"{len(found)} answers of {len(known)}"] if len(found) != len(known) else []
    for each in answers:
        cost = (each["input_tokens"] * IN + each["output_tokens"] * OUT) / 1e6
        if (
            not 0 < each["output_tokens"] <= 42
            or not 20 < each["input_tokens"] < 200
            or abs(each["cost"] - cost) > 1e-9
        ):
            wrong.append(f"{each['id']}: tokens or cost")
    apart = [(each["record"]["id"], each["record"]["error"]) for each in lines(output / "quarantine.jsonl")]
    return wrong + ([] if apart == [("A-5", "no JSON")] else [f"apart: {apart}"])


def batch(output: Path) -> list[str]:
    answers = lines(output / "output.jsonl")
    wrong = [] if [each["custom_id"] for each in answers] == list(CAPITALS) else ["other answers, or another order"]
    for each in answers:
        body = each["response"]["body"]
        text = body["choices"][0]["message"]["content"]
        if each["response"]["status_code"] != 200 or each["error"] or CAPITALS[each["custom_id"]] not in text:
            wrong.append(f"{each['custom_id']}: {text}")
        if body["usage"]["total_tokens"] != body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]:
            wrong.append(f"{each['custom_id']}: tokens")
    apart = [(each["record"]["custom_id"], each["record"]["error"]["code"]) for each in lines(output / "errors.jsonl")]
    return wrong + ([] if apart == [("picture", "invalid_request")] else [f"apart: {apart}"])


def main(output: Path, expected: Path) -> int:
    wrong = batch(output) if (output / "output.jsonl").exists() else orders(output, expected)
    print("\n".join(wrong))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
