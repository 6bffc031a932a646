"""Folds are those of scikit-learn, record by record, for all its splitters."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from triptych.engines.learning.folds import (
    TooFewError,
    grouped_folds,
    in_order_of_labels,
    plain_folds,
    stratified_folds,
    stratified_grouped_folds,
)

seeds = st.none() | st.integers(0, 2**32 - 1)
labels = st.lists(st.sampled_from(["b", "a", "ä", "zz", "10", "9", ""]), min_size=2, max_size=60)


def _by_scikit_learn(splitter: Any, *, y: list[str] | None = None, groups: list[str] | None = None) -> list[int]:
    """Of each record the fold that tests it; ValueError where it refuses to split."""
    size = len(y or groups or ())
    folds = np.full(size, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of classes with fewer members than folds.
        for fold, (_, test) in enumerate(splitter.split(np.zeros(size), y, groups)):
            folds[test] = fold
    found: list[int] = folds.tolist()
    return found


def _codes(values: list[str]) -> tuple[Any, list[str]]:
    names = list(dict.fromkeys(values))
    return np.array([names.index(value) for value in values]), names


def _settings(seed: int | None) -> dict[str, Any]:
    return {"shuffle": seed is not None, "random_state": seed}


@given(st.integers(2, 200), st.integers(2, 12), seeds)
def test_plain(count: int, folds: int, seed: int | None) -> None:
    if count < folds:
        with pytest.raises(TooFewError, match=f"there are {count} records"):
            plain_folds(count, folds, seed)
        return
    expected = _by_scikit_learn(KFold(folds, **_settings(seed)), groups=["x"] * count)
    assert plain_folds(count, folds, seed).tolist() == expected
    sizes = np.bincount(expected)
    assert sizes.max() - sizes.min() <= 1


@given(labels, st.integers(2, 5), seeds)
def test_stratified(values: list[str], folds: int, seed: int | None) -> None:
    if max(map(values.count, values)) < folds:
        with pytest.raises(TooFewError, match="records of the largest class"):
            stratified_folds(_codes(values)[0], folds, seed)
        return
    found = stratified_folds(_codes(values)[0], folds, seed)
    assert found.tolist() == _by_scikit_learn(StratifiedKFold(folds, **_settings(seed)), y=values)
    sizes = np.bincount(found)
    assert sizes.max() - sizes.min() <= 1


@given(labels, st.integers(2, 5), seeds)
def test_grouped(values: list[str], folds: int, seed: int | None) -> None:
    groups = in_order_of_labels(*_codes(values))
    if len(set(values)) < folds:
        with pytest.raises(TooFewError, match="groups"):
            grouped_folds(groups, folds, seed)
        return
    expected = _by_scikit_learn(GroupKFold(folds, **_settings(seed)), groups=values)
    assert grouped_folds(groups, folds, seed).tolist() == expected
    assert all(len({expected[i] for i in range(len(values)) if values[i] == name}) == 1 for name in values)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("uvwxyz")), min_size=4, max_size=60), seeds)
def test_stratified_and_grouped(pairs: list[tuple[str, str]], seed: int | None) -> None:
    classes, groups = ([pair[side] for pair in pairs] for side in (0, 1))
    codes = in_order_of_labels(*_codes(classes)), in_order_of_labels(*_codes(groups))
    if len(set(groups)) < 3 or max(map(classes.count, classes)) < 3:
        with pytest.raises(TooFewError):
            stratified_grouped_folds(*codes, 3, seed)
        return
    expected = _by_scikit_learn(StratifiedGroupKFold(3, **_settings(seed)), y=classes, groups=groups)
    assert stratified_grouped_folds(*codes, 3, seed).tolist() == expected
