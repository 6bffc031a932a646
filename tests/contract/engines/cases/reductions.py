"""reduce, vote, validate_merge, metrics_report."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping

from tests.contract.engines.cases import Join
from tests.support.engine_harness import Results

SCORES = [0.1, 0.2, 0.3, 1e16, -1e16, 7, 0.7]
SCHEMA = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}


def _scores() -> list[Results]:
    return [Results({"r.json": json.dumps({"score": score, "label": "x"}).encode()}) for score in SCORES]


def _scores_in_b() -> list[Results]:
    return [Results({"r.csv": f"b\n{score}\n".encode()}) for score in SCORES]


def _reduced(found: Mapping[str, bytes]) -> None:
    score = json.loads(found["reduced.json"])["score"]
    # fmean adds with fsum, which rounds once.
    assert score["mean"] == statistics.fmean(SCORES)
    assert (score["count"], score["min"], score["max"]) == (7, -1e16, 1e16)


def _broken_array() -> list[Results]:
    return [Results({"r.json": b'[{"a": 1, "b": 2}, {"a": five, "b": 3}]'})]


def _no_number() -> list[Results]:
    return [*_scores(), Results({"r.json": b'{"score": "high"}'})]


def _many_rows(factor: int) -> list[Results]:
    table = b"a,b,note\n" + b"1,2.5,%s\n" % (b"x" * 400) * 20_000
    return [Results({"r.csv": table}) for _ in range(factor)]


def _many_objects(factor: int) -> list[Results]:
    item = b'{"a": 1, "b": 2.5, "note": "%s"}' % (b"x" * 400)
    return [Results({"r.json": b"[" + b",".join([item] * (20_000 * factor)) + b"]"})]


def _no_number_in_csv() -> list[Results]:
    return [Results({"r.csv": b"a,b\n1,x\n2,y\n"}), Results({"r.csv": b'a,b\n3,"z\nz"\n\nthree,z\n'})]


def _many_answers(factor: int) -> list[Results]:
    answer = json.dumps({"answer": 1.5, "why": "x" * 1_000_000}).encode()
    return [Results({"r.json": answer}) for _ in range(8 * factor)]


def _answers() -> list[Results]:
    about = {"replicas": 4}
    return [Results({"r.txt": text}, metadata=about) for text in (b"yes", b"no", b"yes", b"yes")]


def _elected(found: Mapping[str, bytes]) -> None:
    (entry,) = json.loads(found["votes.json"])
    assert found["r.txt"] == b"yes"
    assert entry["winner"]["chunks"] == [0, 2, 3]
    assert [camp["chunks"] for camp in entry["others"]] == [[1]]


def _tie() -> list[Results]:
    return [Results({"r.txt": text}) for text in (b"yes", b"no")]


def _records() -> list[Results]:
    lines = [b'{"id": 1}\n{"id": "two"}\n\n{"id": 3}\n', b'[{"id": 4}, {"name": "five"}]', b'{\n"id": 6\n}\n', b"{oh"]
    return [Results({"r.json": line}) for line in lines]


def _judged(found: Mapping[str, bytes]) -> None:
    valid = [json.loads(line)["id"] for line in found["merged.jsonl"].splitlines()]
    refused = [json.loads(line) for line in found["quarantine.jsonl"].splitlines()]
    assert valid == [1, 3, 4, 6]
    assert [(each["chunk"], each["place"]) for each in refused] == [(0, "line 2"), (1, "item 1"), (3, "line 1")]
    assert '"two" is not of type "integer"' in refused[0]["reasons"][0]
    assert json.loads(found["validation.json"])["invalid"] == 3


def _invalid() -> list[Results]:
    return [Results({"r.jsonl": b'{"id": 1}\n{"id": null}\n'})]


def _many_records(factor: int) -> list[Results]:
    return [Results({"r.jsonl": b'{"id": 1, "text": "%s"}\n' % (b"x" * 800) * 10_000}) for _ in range(factor)]


LABELS = [("cat", "cat"), ("cat", "dog"), ("dog", "dog"), ("dog", "dog"), ("bird", "cat")]


def _predictions() -> list[Results]:
    lines = [f"reference,prediction\n{true},{predicted}\n" for true, predicted in LABELS]
    return [Results({"p.csv": line.encode()}) for line in lines]


def _measured(found: Mapping[str, bytes]) -> None:
    """By hand: 3 of 5 are right; of 2 cats one was found, and of 2 that were called cat one is."""
    figures = json.loads(found["metrics.json"])
    assert figures["accuracy"] == 3 / 5
    assert figures["classes"]["cat"] == {"precision": 1 / 2, "recall": 1 / 2, "f1-score": 1 / 2, "support": 2}
    assert figures["confusion_matrix"]["labels"] == ["bird", "cat", "dog"]
    assert figures["confusion_matrix"]["counts"] == [[0, 1, 0], [0, 1, 1], [0, 0, 2]]
    assert b"60.00% accuracy" in found["metrics.html"]


def _no_prediction() -> list[Results]:
    return [*_predictions(), Results({"p.json": b'{"reference": "cat", "prediction": null}\n'})]


def _many_predictions(factor: int) -> list[Results]:
    table = b"reference,prediction,note\n" + b"cat,dog,%s\n" % (b"x" * 400) * 20_000
    return [Results({"p.csv": table}) for _ in range(factor)]


CASES = [
    Join(
        "metrics_report",
        {},
        _predictions,
        _measured,
        bad={"task": "regression"},
        corrupt=_no_prediction,
        says="'prediction' has no value",
        grow=_many_predictions,
    ),
    Join(
        "reduce",
        {},
        _scores,
        _reduced,
        bad={"operations": []},
        corrupt=_no_number,
        says="chunk 7, 'r.json': line 1: 'score'",
    ),
    Join(
        "reduce",
        {"operations": ["sum"]},
        lambda: [Results({"r.csv": b"a,b\n1,x\n2,y\n"}), Results({"r.csv": b"a,b\n3,z\n"})],
        lambda found: _same(json.loads(found["reduced.json"]), {"a": {"sum": 6}}),
        bad={"operations": ["median"]},
        corrupt=_no_number_in_csv,
        says="chunk 1, 'r.csv': row 2: 'a' is 'three'",
        grow=_many_rows,
    ),
    Join(
        "reduce",
        {"fields": ["b", "a"], "operations": ["count", "max"]},
        lambda: [Results({"r.json": b'[{"a": 1, "b": 2}, {"a": 5, "b": -1.5}]'}), Results({"r.json": b""})],
        lambda found: _same(
            json.loads(found["reduced.json"]), {"b": {"count": 2, "max": 2}, "a": {"count": 2, "max": 5}}
        ),
        bad={"bins": 0},
        corrupt=_broken_array,
        says="chunk 0, 'r.json': after item 0: is no JSON: byte 26",
        grow=_many_objects,
    ),
    Join(
        "reduce",
        {"operations": ["quantiles", "standard_error"], "fields": ["b"], "quantiles": [0.5]},
        _scores_in_b,
        lambda found: _same(json.loads(found["reduced.json"])["b"]["quantiles"], {"0.5": statistics.median(SCORES)}),
        bad={"quantiles": [1.5]},
        corrupt=_no_number_in_csv,
        says="chunk 0, 'r.csv': row 1: 'b' is 'x'",
        grow=_many_rows,
    ),
    Join(
        "vote",
        {"by": "number", "field": "answer"},
        lambda: [Results({"r.json": b'{"answer": %d}' % n}) for n in (1, 2, 2)],
        lambda found: _same(found["r.json"], b'{"answer": 2}'),
        bad={"tolerance": -1},
        corrupt=lambda: [Results({"r.json": b'{"answer": 1}'}), Results({"r.json": b"{"})],
        says="chunk 1, 'r.json': no JSON with a field 'answer'",
        grow=_many_answers,
    ),
    Join("vote", {"quorum": 0.75}, _answers, _elected, bad={"quorum": 0}, corrupt=_tie, says="1 of 2 agree"),
    Join(
        "validate_merge",
        {"schema": SCHEMA, "on_invalid": "quarantine"},
        _records,
        _judged,
        bad={"on_invalid": "ignore"},
        grow=_many_records,
    ),
    Join(
        "validate_merge",
        {"schema": {"type": "object"}},
        lambda: [
            Results({"r.json": b'[{"a": 1.10}, {"b":\n12345678901234567890123}]'}),
            Results({"r.jsonl": b"{}\r\n{}"}),
        ],
        lambda found: _same(found["merged.jsonl"], b'{"a": 1.10}\n{"b": 12345678901234567890123}\n{}\n{}\n'),
        bad={"schema": 3},
        corrupt=_broken_array,
        says="chunk 0, 'r.json': after item 0: is no JSON: byte 26",
        grow=_many_objects,
    ),
    Join(
        "validate_merge",
        {"schema": SCHEMA, "name": "merged.json"},
        lambda: [Results({"r.jsonl": b'{"id": 1}\n'}), Results({"r.jsonl": b'{"id": 2}'})],
        lambda found: _same(json.loads(found["merged.json"]), [{"id": 1}, {"id": 2}]),
        bad={"name": ""},
        corrupt=_invalid,
        says="chunk 0, 'r.jsonl': line 2",
    ),
]


def _same(found: object, expected: object) -> None:
    assert found == expected
