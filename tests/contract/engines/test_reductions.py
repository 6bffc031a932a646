"""reduce, vote and validate_merge: arrays, weights, histograms, tolerances, quorums."""

from __future__ import annotations

import csv
import io
import json
import random
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from jsonschema.validators import Draft202012Validator

from tests.support.engine_harness import Results, join
from triptych.errors import EngineError, JobSpecError
from triptych.settings import Settings


def _reduce(settings: Settings, records: Sequence[Any], **params: Any) -> Any:
    results = [Results({"r.json": json.dumps(record).encode()}) for record in records]
    return json.loads(join(settings, "reduce", results, params)["reduced.json"])


def test_models_are_averaged_by_their_samples(settings: Settings) -> None:
    source = np.random.default_rng(7)
    weights, samples = source.normal(size=(5, 3, 4)), source.integers(1, 1000, 5)
    models = [{"w": {"dense": each.tolist()}, "n": int(count)} for each, count in zip(weights, samples, strict=True)]
    found = _reduce(settings, models, fields=["w.dense"], operations=["weighted_mean"], weight="n")
    expected = np.average(weights, axis=0, weights=samples)
    np.testing.assert_allclose(found["w.dense"]["weighted_mean"], expected, rtol=1e-15)


def test_a_histogram_is_numpys_and_counts_what_is_outside(settings: Settings) -> None:
    values = [*np.random.default_rng(3).normal(size=500).tolist(), 1.0, -1.0, 5.0]
    found = _reduce(settings, [{"v": value} for value in values], operations=["histogram"], low=-1, high=1, bins=7)
    counts, _ = np.histogram(values, 7, (-1, 1))
    below, above = sum(value < -1 for value in values), sum(value > 1 for value in values)
    assert found["v"]["histogram"] == {"below": below, "counts": counts.tolist(), "above": above}


def test_sums_of_many_floats_are_exact(settings: Settings) -> None:
    # 0.1 added 30,000 times in turn is not 3000.
    found = _reduce(settings, [[{"v": 0.1}] * 30_000, [{"v": 1e300}, {"v": -1e300}]], operations=["sum"])
    assert found["v"]["sum"] == 0.1 * 30_000


@pytest.mark.parametrize("seed", range(5))
def test_sums_are_those_of_fractions(settings: Settings, seed: int) -> None:
    draw = random.Random(seed)
    bits = (draw.getrandbits(64) for _ in range(400))
    floats = [
        value for value in (struct.unpack("<d", struct.pack("<Q", each))[0] for each in bits) if abs(value) < 1e300
    ]
    tiny = [draw.choice([-1, 1]) * draw.randrange(1, 2**60) * 5e-324 for _ in range(50)]
    whole = [draw.randrange(-(2**63), 2**63) for _ in range(100)]
    for values in (floats, floats + tiny, tiny, whole, [*whole, *floats], [*whole, 2**70], [-1, 2**63], [-0.0, 0.0]):
        parts = [[{"v": value} for value in values[start::3]] for start in range(3)]
        found = _reduce(settings, parts, operations=["sum", "mean"])
        total = sum(map(Fraction, values))
        assert found["v"]["sum"] == (int(total) if set(map(type, values)) == {int} else float(total))
        assert found["v"]["mean"] == float(total / len(values))


@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_columns_are_read_as_the_standard_library_reads_them(settings: Settings, suffix: str, delimiter: str) -> None:
    draw = random.Random(1)
    forms: list[Callable[[], Any]] = [
        lambda: draw.randrange(100),
        lambda: f" {draw.randrange(9)}",
        lambda: f"{draw.random():.3f}",
        lambda: "1e3",
    ]
    columns: list[Callable[[], Any]]
    for columns in (
        forms[:1],
        forms[2:3],
        forms,
        [lambda: 2**65 + draw.randrange(5)],
        [lambda: 2**60 + 1, lambda: 0.5],
    ):
        rows = [{"x y": draw.choice(columns)(), "t": draw.choice(['a"b', "c,d", "e\nf", ""])} for _ in range(300)]
        text = io.StringIO()
        table = csv.DictWriter(text, ["x y", "t"], delimiter=delimiter)
        table.writeheader()
        table.writerows(rows)
        data = ("\ufeff" + text.getvalue()).encode()
        name = f"r.{suffix}"
        found = json.loads(join(settings, "reduce", [Results({name: data})] * 2, {})["reduced.json"])["x y"]
        values = [float(x) if "." in x or "e" in x else int(x) for x in (str(row["x y"]) for row in rows)]
        assert [found["count"], found["min"], found["max"]] == [600, min(values), max(values)]
        total = 2 * sum(map(Fraction, values))
        assert found["sum"] == (int(total) if set(map(type, values)) == {int} else float(total))


@pytest.mark.parametrize(
    ("params", "word"),
    [({"operations": ["weighted_mean"]}, "weight"), ({"operations": ["histogram"], "low": 2, "high": 1}, "high")],
)
def test_parameters_that_belong_together(settings: Settings, params: dict[str, Any], word: str) -> None:
    with pytest.raises(JobSpecError, match=word):
        _reduce(settings, [{"v": 1}], **params)


def test_arrays_of_different_shapes_are_refused(settings: Settings) -> None:
    with pytest.raises(EngineError, match=r"chunk 1.*shape \[3\], and had \[2\]"):
        _reduce(settings, [{"v": [1, 2]}, {"v": [1, 2, 3]}])


def _vote(settings: Settings, values: Sequence[Any], **params: Any) -> Any:
    results = [Results({"r.json": json.dumps({"a": [{"v": value}]}).encode()}) for value in values]
    found = join(settings, "vote", results, {"field": "a.0.v", **params})
    winner = json.loads(found["r.json"])["a"][0]["v"] if "r.json" in found else None
    return winner, json.loads(found["votes.json"])[0]


def test_numbers_agree_within_a_tolerance(settings: Settings) -> None:
    winner, entry = _vote(settings, [1.00, 5.0, 1.02, 1.04, 1.3], by="number", tolerance=0.05)
    assert winner == 1.02
    assert entry["winner"]["chunks"] == [0, 2, 3]
    assert _vote(settings, [100, 101, 200], by="number", tolerance=0.01, relative=True)[0] == 100


def test_fields_agree_when_their_json_does(settings: Settings) -> None:
    assert _vote(settings, [{"x": 1, "y": 2}, {"y": 2, "x": 1}, {}], by="field")[0] == {"x": 1, "y": 2}


def test_without_a_quorum_the_report_says_so(settings: Settings) -> None:
    winner, entry = _vote(settings, [1, 2, 3], by="field", on_no_quorum="report")
    assert winner is None
    assert not entry["decided"]
    with pytest.raises(EngineError, match=r"No quorum of 0\.5: 'r.json': at most 1 of 3 agree"):
        _vote(settings, [1, 2, 3], by="field")


def test_a_schema_that_is_none_is_refused_before_anything_is_read(settings: Settings) -> None:
    with pytest.raises(JobSpecError, match="is no JSON Schema"):
        join(settings, "validate_merge", [], {"schema": {"type": "thing"}})


def test_a_schema_cannot_reach_the_network(settings: Settings) -> None:
    with pytest.raises(JobSpecError, match=r"is no JSON Schema: .*http://127\.0\.0\.1:9/x"):
        join(settings, "validate_merge", [], {"schema": {"$ref": "http://127.0.0.1:9/x"}})


def test_reasons_are_those_of_another_validator(settings: Settings) -> None:
    schema = {
        "properties": {"a": {"items": {"maximum": 3}}, "b": {"pattern": "^x"}, "c": {"$ref": "#/$defs/c"}},
        "required": ["a"],
        "$defs": {"c": {"enum": [1, None]}},
    }
    records = [{"a": [1, 5, 9]}, {"a": [], "b": "y"}, {}, {"a": 1, "c": 2}, {"a": [3], "b": "xy", "c": None}]
    lines = "".join(json.dumps(record) + "\n" for record in records).encode()
    found = join(
        settings, "validate_merge", [Results({"r.jsonl": lines})], {"schema": schema, "on_invalid": "quarantine"}
    )
    refused = [json.loads(line) for line in found["quarantine.jsonl"].splitlines()]
    truth = [sorted(error.json_path for error in Draft202012Validator(schema).iter_errors(each)) for each in records]
    assert [sorted(reason.partition(": ")[0] for reason in each["reasons"]) for each in refused] == list(
        filter(None, truth)
    )
    assert [each["record"] for each in refused] == records[:4]
    assert found["merged.jsonl"] == lines.splitlines(keepends=True)[4]
