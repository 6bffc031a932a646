"""reduce, vote and validate_merge: arrays, weights, histograms, tolerances, quorums."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from engines.harness import Results, join
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
    winner, entry = _vote(settings, [1, 2, 3], by="field", without_quorum="report")
    assert winner is None
    assert not entry["decided"]
    with pytest.raises(EngineError, match=r"No quorum of 0\.5: 'r.json': at most 1 of 3 agree"):
        _vote(settings, [1, 2, 3], by="field")


def test_a_schema_that_is_none_is_refused_before_anything_is_read(settings: Settings) -> None:
    with pytest.raises(JobSpecError, match="is no JSON Schema"):
        join(settings, "validate_merge", [], {"schema": {"type": "thing"}})
