"""The weighted mean of models, tensor by tensor, a block of values at a time.

Rounding: products of weights and values are exact, as two floats each, and are added as three floats of 159 bits
together; the sum is divided and rounded to the tensor's own type at the end. So nothing depends on the models' order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from triptych.engines.arrays.aliases import Floats
from triptych.engines.learning.tensors import Tensor, TensorFile, Values, as_floats, of_floats
from triptych.engines.reduction.running_statistics import halves
from triptych.engines.runtime.resources import resources

BLOCK_SHARE = 1 / 4
VALUE_BYTES = 160
"""What a value takes while it is added: itself, three floats of the sum, and those on the way."""
_MOST_SPLIT = 2.0**970
"""Larger floats have no halves; their products are rounded."""


@dataclass(frozen=True)
class Weighted:
    """A model and how much it counts: finite, and not negative."""

    file: TensorFile
    weight: float


def check_alike(models: Sequence[Weighted]) -> None:
    """Raises the item's error of the first that has not the tensors of the first model: names, types and shapes."""
    first = models[0].file
    for model in models[1:]:
        file, other = model.file, first.item.label
        if missing := [name for name in first.tensors if name not in file.tensors]:
            text = f"has no tensor {missing[0]!r}, as {other} has. Let all chunks leave models of one architecture."
            raise file.item.error(text)
        if more := [name for name in file.tensors if name not in first.tensors]:
            text = f"has the tensor {more[0]!r}, and {other} has none such. Let all chunks leave models of one kind."
            raise file.item.error(text)
        for name, tensor in file.tensors.items():
            if tensor != first.tensors[name]:
                text = f"{name!r} is {tensor.called}, and in {other} {first.tensors[name].called}. Correct the app."
                raise file.item.error(text)


def averaged(models: Sequence[Weighted]) -> Iterator[tuple[Tensor, Iterator[Values]]]:
    """Each tensor of the first model, with its mean over all in blocks; take a tensor's blocks before the next.

    Of whole numbers the mean is rounded. What has none, such as texts, must be the same in all. Raises the item's error
    for values that are not finite, and whole numbers beyond 2 ** 53. The weights' sum is above 0.
    """
    weights = [model.weight for model in models]
    total = math.fsum(weights)
    # A power of two changes no digit; with weights of 1 at most no sum is beyond the values themselves.
    scale = math.ldexp(1.0, -math.frexp(total)[1])
    scaled = [Weighted(model.file, model.weight * scale) for model in models]
    totals = total * scale, math.fsum([*weights, -total]) * scale
    for tensor in models[0].file.tensors.values():
        yield tensor, _means(tensor, scaled, totals) if tensor.is_number else _same(tensor, scaled)


def _spans(tensor: Tensor) -> Iterator[tuple[int, int]]:
    """Index of the first, and number, of the values of each block."""
    size = max(1, resources().share(BLOCK_SHARE).bytes // max(VALUE_BYTES, tensor.dtype.itemsize * 4))
    for start in range(0, tensor.count, size):
        yield start, min(size, tensor.count - start)


def _means(tensor: Tensor, models: Sequence[Weighted], totals: tuple[float, float]) -> Iterator[Values]:
    """`totals` is the weights' sum, and what its rounding left."""
    for start, count in _spans(tensor):
        mean = _Sum(count)
        for model in models:
            mean.add(_floats(tensor, model.file, start, count), model.weight)
        yield of_floats(tensor, mean.over(*totals))


def _floats(tensor: Tensor, file: TensorFile, start: int, count: int) -> Floats:
    try:
        values = as_floats(tensor, file.values(tensor.name, start, count))
    except OverflowError as error:
        text = f"{tensor.name!r} has whole numbers beyond 2 ** 53, of which no exact mean is made. Leave it out."
        raise file.item.error(text) from error
    if not (finite := np.isfinite(values)).all():
        index = start + int(finite.argmin())
        text = f"value {index} of {tensor.name!r} is {values[index - start]}: its training failed. Leave the model out."
        raise file.item.error(text)
    return values


def _same(tensor: Tensor, models: Sequence[Weighted]) -> Iterator[Values]:
    for start, count in _spans(tensor):
        first = models[0].file.values(tensor.name, start, count)
        for model in models[1:]:
            if model.file.values(tensor.name, start, count).tobytes() != first.tobytes():
                text = f"{tensor.name!r} is {tensor.called}, of which there is no mean, and differs from that of "
                text += f"{models[0].file.item.label}. Leave it out, or convert it to floats."
                raise model.file.item.error(text)
        yield first


class _Sum:
    """Weighted sums of vectors, each value as three floats, of which the first is the largest."""

    def __init__(self, count: int) -> None:
        self._parts = [np.zeros(count) for _ in range(3)]

    def add(self, values: Floats, weight: float) -> None:
        """Exactly, as long as 159 bits hold all that was added."""
        product = values * weight
        for term in (product, _rounding(values, weight, product)):
            rest = term
            for index in range(2):
                self._parts[index], rest = _two_sum(self._parts[index], rest)
            self._parts[2] += rest

    def over(self, total: float, rest: float) -> Floats:
        """The sums divided by total + rest: a first quotient, and what it left over divided again."""
        first, second, third = self._parts
        second, third = _two_sum(second, third)
        first, second = _two_sum(first, second)
        second, _ = _two_sum(second, third)
        first, second = _two_sum(first, second)
        quotient = first / total
        product = quotient * total
        left = (first - product) - _rounding(quotient, total, product) + second - quotient * rest
        return quotient + left / total


def _two_sum(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """The sum, and what its rounding left, exactly (Knuth 1969)."""
    total = one + other
    shown = total - one
    return total, (one - (total - shown)) + (other - shown)


def _rounding(values: Floats, weight: float, product: Floats) -> Floats:
    """What the rounding of values * weight left, exactly (Dekker 1971); 0 where values are too large to be halved."""
    is_large = np.abs(values) > _MOST_SPLIT
    high, low = halves(np.where(is_large, 0.0, values))
    weight_high, weight_low = halves(np.array([weight]))
    rest = np.where(is_large, 0.0, product) - high * weight_high - low * weight_high - high * weight_low
    left: Floats = low * weight_low - rest
    return left
