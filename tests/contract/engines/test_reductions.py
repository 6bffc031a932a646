"""reduce, vote and validate_merge: arrays, weights, histograms, tolerances, quorums."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import statistics
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
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


SPREADS = ["variance", "standard_deviation", "standard_error"]


def _numbers(kind: str) -> list[int | float]:
    draw = random.Random(kind)
    forms: dict[str, Callable[[], int | float]] = {
        "floats": lambda: 1e9 + draw.random(),
        "mixed": lambda: draw.choice([draw.randrange(9), draw.uniform(-1, 1)]),
        "ints": lambda: draw.randrange(-50, 50),
        "large": lambda: draw.randrange(-(2**63), 2**63),
        "beyond": lambda: draw.randrange(2**200),
        "tiny": lambda: draw.randrange(-(2**60), 2**60) * 5e-324,
        "wide": lambda: draw.choice([-1, 1]) * 10 ** draw.uniform(-150, 150),
        "one": lambda: 0.1,
    }
    return [forms[kind]() for _ in range(301)]


@pytest.mark.parametrize("memory", [30_000, 512 << 20])
@pytest.mark.parametrize("kind", ["floats", "mixed", "ints", "large", "beyond", "tiny", "wide", "one"])
def test_spreads_and_quantiles_are_pythons_however_records_are_cut(settings: Settings, kind: str, memory: int) -> None:
    values = _numbers(kind)
    settings = replace(settings, engine_memory_bytes=memory)
    params = {"operations": [*SPREADS, "quantiles"], "quantiles": [0, 0.1, 0.5, 1]}
    found, again = (
        _reduce(settings, [[{"v": value} for value in values[start::parts]] for start in range(parts)], **params)["v"]
        for parts in (1, 7)
    )
    assert found == again
    exact = [Fraction(value) for value in values]
    assert found["variance"] == float(statistics.variance(exact))
    assert found["standard_deviation"] == statistics.stdev(exact)
    assert found["standard_error"] == pytest.approx(statistics.stdev(exact) / math.sqrt(301), rel=1e-15, abs=0)
    ordered = sorted(exact)
    # 300 * 0.1 and 300 * 0.5 are ranks.
    quantiles = {"0": ordered[0], "0.1": ordered[30], "0.5": statistics.median(exact), "1": ordered[-1]}
    assert found["quantiles"] == {name: float(value) for name, value in quantiles.items()} or (
        set(map(type, values)) == {int} and found["quantiles"] == quantiles
    )


@pytest.mark.parametrize("count", [1, 2, 10, 999])
def test_quantiles_between_values_are_numpys(settings: Settings, count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    asked = [0.05, 0.25, 1 / 3, 0.9]
    table = b"v\n" + b"".join(b"%r\n" % value for value in values.tolist())
    results = [Results({"r.csv": table})]
    params = {"operations": ["quantiles", "variance"], "quantiles": asked}
    found = json.loads(join(settings, "reduce", results, params)["reduced.json"])["v"]
    np.testing.assert_allclose(list(found["quantiles"].values()), np.quantile(values, asked), rtol=1e-14)
    assert found["variance"] == (float(statistics.variance(map(Fraction, values.tolist()))) if count > 1 else None)


def test_spreads_of_arrays_are_numpys(settings: Settings) -> None:
    arrays = 1e6 + np.random.default_rng(5).normal(size=(40, 2, 3))
    found = _reduce(settings, [{"v": each.tolist()} for each in arrays], operations=SPREADS)["v"]
    np.testing.assert_allclose(found["variance"], arrays.var(0, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(found["standard_error"], arrays.std(0, ddof=1) / np.sqrt(40), rtol=1e-9)
    assert _reduce(settings, [{"v": [1, 2]}], operations=SPREADS)["v"] == dict.fromkeys(SPREADS)
    with pytest.raises(EngineError, match=r"chunk 0.*line 1: 'v' is an array, and quantiles are of numbers"):
        _reduce(settings, [{"v": [1, 2]}], operations=["quantiles"])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("r.csv", b"id,v,w\n1,,2\n2,1.5,1\n3,2.5,\n4,4,3\n"),
        ("r.jsonl", b'{"v": null, "w": 2}\n{"v": 1.5, "w": 1}\n{"v": 2.5}\n{"v": 4, "w": 3}\n'),
    ],
)
def test_empty_values_are_skipped_where_that_is_said(settings: Settings, name: str, data: bytes) -> None:
    results = [Results({name: data})]
    params = {"operations": ["count", "sum", "quantiles"], "fields": ["v"], "quantiles": [0.5]}
    found = json.loads(join(settings, "reduce", results, {**params, "on_empty": "skip"})["reduced.json"])
    assert found == {"v": {"count": 3, "sum": 8.0, "quantiles": {"0.5": 2.5}}}
    weighing = {"operations": ["weighted_mean", "count"], "fields": ["v"], "weight": "w", "on_empty": "skip"}
    found = json.loads(join(settings, "reduce", results, weighing)["reduced.json"])
    assert found == {"v": {"weighted_mean": (1.5 + 4 * 3) / 4, "count": 2}}
    with pytest.raises(EngineError, match=r"chunk 0.*1: 'v' is '(None)?', which is no finite number"):
        join(settings, "reduce", results, params)
    # Not named: what is empty at first is looked at, too.
    every = json.loads(join(settings, "reduce", results, {"operations": ["count"], "on_empty": "skip"})["reduced.json"])
    assert (every["v"], every["w"]) == ({"count": 3}, {"count": 3})


def test_a_text_among_empty_values_is_named(settings: Settings) -> None:
    results = [Results({"r.csv": b'v\n1\n""\n""\nx\n'})]
    with pytest.raises(EngineError, match="row 4: 'v' is 'x', which is no finite number"):
        join(settings, "reduce", results, {"on_empty": "skip"})


def test_nothing_but_empty_values(settings: Settings) -> None:
    operations = ["count", "mean", "variance", "standard_error", "quantiles"]
    found = _reduce(settings, [{"v": None}], operations=operations, quantiles=[0.5], on_empty="skip")
    empty = {"count": 0, "mean": None, "variance": None, "standard_error": None, "quantiles": {"0.5": None}}
    assert found == {"v": empty}


@pytest.mark.parametrize("operation", ["sum", "variance"])
def test_what_no_float_holds_is_named(settings: Settings, operation: str) -> None:
    with pytest.raises(EngineError, match="'v': a statistic is beyond the range of floats"):
        _reduce(
            settings,
            [{"v": 1.5e308}, {"v": 1.6e308}, {"v": -1.7e308}][: 2 if operation == "sum" else 3],
            operations=[operation],
        )


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
