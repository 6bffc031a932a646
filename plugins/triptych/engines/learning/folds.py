"""Which fold tests each record, as scikit-learn's splitters decide it; from numbers alone, without the records.

The random numbers are those of NumPy's RandomState, whose streams are promised to stay (NEP 19), drawn as
scikit-learn draws them: a split is the same there, with `random_state` for `seed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from triptych.engines.arrays.aliases import Codes, Floats, Offsets

Folds: TypeAlias = npt.NDArray[np.int16]
"""Of each record the number of the fold that tests it, from 0."""


class TooFewError(ValueError):
    """There are fewer of something than folds."""


def plain_folds(count: int, folds: int, seed: int | None) -> Folds:
    """KFold: consecutive records, the first folds one longer where they do not come out even; 5, 2 -> [0, 0, 0, 1, 1].

    With a seed the same sizes of records drawn at random.
    """
    _check(count, folds, "records")
    sizes = np.full(folds, count // folds)
    sizes[: count % folds] += 1
    found: Folds = np.repeat(np.arange(folds, dtype=np.int16), sizes)
    if seed is None:
        return found
    order = np.arange(count)
    np.random.RandomState(seed).shuffle(order)
    shuffled = np.empty_like(found)
    shuffled[order] = found
    return shuffled


def stratified_folds(classes: Codes, folds: int, seed: int | None) -> Folds:
    """StratifiedKFold: each fold has of each class its share; classes are numbered as they first occur.

    [0, 0, 1, 0, 1, 0] in 2 folds -> [0, 0, 0, 1, 1, 1]. Sizes of folds differ by one at most. Raises TooFewError where
    no class has a record for each fold.
    """
    counts = np.bincount(classes)
    _check(int(counts.max()), folds, "records of the largest class")
    in_order = np.repeat(np.arange(len(counts)), counts)
    shares = [np.bincount(in_order[fold::folds], minlength=len(counts)) for fold in range(folds)]
    random = None if seed is None else np.random.RandomState(seed)
    found: Folds = np.empty(len(classes), np.int16)
    # A stable sort has the records of each class together, in their order.
    members = np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
    for number, own in enumerate(members):
        dealt = np.repeat(np.arange(folds), [share[number] for share in shares])
        if random is not None:
            random.shuffle(dealt)
        found[own] = dealt
    return found


def grouped_folds(groups: Codes, folds: int, seed: int | None) -> Folds:
    """GroupKFold: all records of a group in one fold; the largest group first, each to the fold of fewest records.

    `groups` are numbered in order of their labels. With a seed each fold gets an equal number of groups at random.
    """
    sizes = np.bincount(groups)
    _check(len(sizes), folds, "groups")
    of_group: Folds = np.empty(len(sizes), np.int16)
    if seed is not None:
        drawn = np.random.RandomState(seed).permutation(np.arange(len(sizes)))
        for fold, own in enumerate(np.array_split(drawn, folds)):
            of_group[own] = fold
        return of_group[groups]
    records = np.zeros(folds, np.int64)
    for group in np.argsort(sizes, kind="stable")[::-1].tolist():
        fold = int(records.argmin())
        records[fold] += sizes[group]
        of_group[group] = fold
    return of_group[groups]


def stratified_grouped_folds(classes: Codes, groups: Codes, folds: int, seed: int | None) -> Folds:
    """StratifiedGroupKFold: groups whole, each to the fold where classes then are spread most evenly over folds.

    Groups that are least like the whole come first. `groups` are numbered in order of their labels.
    """
    totals, number = np.bincount(classes), int(groups.max()) + 1
    _check(number, folds, "groups")
    _check(int(totals.max()), folds, "records of the largest class")
    counts = np.bincount(groups * len(totals) + classes, minlength=number * len(totals)).reshape(number, -1)
    counts = counts.astype(np.float64)
    names = np.arange(number)
    if seed is not None:
        np.random.RandomState(seed).shuffle(names)
    of_group: Folds = np.empty(number, np.int16)
    per_fold = np.zeros((folds, len(totals)))
    for index in np.argsort(-np.std(counts[names], axis=1), kind="stable").tolist():
        group = int(names[index])
        fold = _most_even(per_fold, totals, counts[group])
        per_fold[fold] += counts[group]
        of_group[group] = fold
    return of_group[groups]


def _most_even(per_fold: Floats, totals: Offsets, added: Floats) -> int:
    """The fold that a group of these counts goes to."""
    best, least, fewest = 0, np.inf, np.inf
    for fold in range(len(per_fold)):
        tried = per_fold.copy()
        tried[fold] += added
        spread = float(np.mean(np.std(tried / totals, axis=0)))
        records = float(per_fold[fold].sum())
        if spread < least or (np.isclose(spread, least) and records < fewest):
            best, least, fewest = fold, spread, records
    return best


def in_order_of_labels(codes: Codes, labels: Sequence[str]) -> Codes:
    """Codes that count labels in their order: [0, 1, 0] of ["b", "a"] -> [1, 0, 1]."""
    ranks = np.empty(len(labels), np.int64)
    ranks[sorted(range(len(labels)), key=labels.__getitem__)] = np.arange(len(labels))
    return ranks[codes]


def _check(count: int, folds: int, what: str) -> None:
    if count < folds:
        msg = f"there are {count} {what}"
        raise TooFewError(msg)
