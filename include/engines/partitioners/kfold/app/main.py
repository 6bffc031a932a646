"""k folds of tables: a chunk for each, with what to train and what to test with; split as scikit-learn splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.learning.fold_chunks import Split
from triptych.engines.learning.folds import (
    Folds,
    TooFewError,
    grouped_folds,
    in_order_of_labels,
    plain_folds,
    stratified_folds,
    stratified_grouped_folds,
)
from triptych.engines.learning.samples import Samples
from triptych.errors import JobSpecError


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Folds in order; the records of each part stay in the order of the sources, which are one data set."""
    columns = [params[key] for key in ("groups", "stratify") if params[key] is not None]
    samples = Samples(sources, params, columns)
    if not samples.count:
        return
    try:
        folds = _folds(samples, params)
    except TooFewError as error:
        msg = f"params.partitioner.folds: is {params['folds']}, and {error}. Ask for fewer folds."
        raise JobSpecError(msg) from error
    yield from Split(samples, folds, params["folds"]).chunks(params["layout"])


def _folds(samples: Samples, params: Mapping[str, Any]) -> Folds:
    count, seed = params["folds"], params["seed"] if params["shuffle"] else None
    if params["groups"] is None and params["stratify"] is None:
        return plain_folds(samples.count, count, seed)
    if params["groups"] is None:
        return stratified_folds(samples.labels(0)[0], count, seed)
    groups = in_order_of_labels(*samples.labels(0))
    if params["stratify"] is None:
        return grouped_folds(groups, count, seed)
    return stratified_grouped_folds(in_order_of_labels(*samples.labels(1)), groups, count, seed)
