"""The word error rate: words to replace, drop and add, by those of the reference, over all records together."""

from __future__ import annotations

import heapq
import itertools
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from triptych.engines.metrics.measuring import MeasureError
from triptych.errors import EngineError

MOST_WORDS = 20_000
"""Of one text, two hours of speech: what it takes grows with the square."""
WORST = 10
"""So many records are shown, those of most errors first."""
SHOWN_LETTERS = 200
_PUNCTUATION = re.compile(r"[^\w\s']")


class Transcription:
    """Counts the errors of each record; all errors by all words is the rate, as it is published."""

    def __init__(self, *, normalize: bool) -> None:
        """With `normalize` case and punctuation, but for apostrophes, are no difference."""
        self._normalize = normalize
        self._words = self._errors = self._exact = 0
        self._worst: list[tuple[int, int, dict[str, Any]]] = []
        self._numbers = itertools.count()

    def add(self, references: Sequence[str], predictions: Sequence[str], place: Callable[[int], str]) -> None:
        """Count records; MeasureError where a text is too long to compare."""
        for index, (reference, prediction) in enumerate(zip(references, predictions, strict=True)):
            words, said = self._split(reference), self._split(prediction)
            if max(len(words), len(said)) > MOST_WORDS:
                text = f"a text has more than {MOST_WORDS:,} words. Write shorter segments."
                raise MeasureError(text, index)
            errors = word_errors(words, said)
            self._words += len(words)
            self._errors += errors
            self._exact += not errors
            number = next(self._numbers)
            if errors and (len(self._worst) < WORST or (errors, -number) > self._worst[0][:2]):
                shown = {"reference": reference[:SHOWN_LETTERS], "prediction": prediction[:SHOWN_LETTERS]}
                entry = {"place": place(index), "errors": errors, "words": len(words), **shown}
                push = heapq.heappush if len(self._worst) < WORST else heapq.heappushpop
                push(self._worst, (errors, -number, entry))

    def _split(self, text: str) -> list[str]:
        text = unicodedata.normalize("NFC", text)
        return _PUNCTUATION.sub(" ", text.casefold()).split() if self._normalize else text.split()

    def read(self) -> dict[str, Any]:
        """The rate may be above 1: of two words, five may be too many."""
        if not self._words:
            msg = "All references are empty, and there is no word to measure by. Name the column that holds the text."
            raise EngineError(msg)
        worst = [entry for *_, entry in sorted(self._worst, key=lambda each: each[:2], reverse=True)]
        rate = {"word_error_rate": self._errors / self._words, "errors": self._errors, "words": self._words}
        return {**rate, "exact_records": self._exact, "worst": worst}


def word_errors(reference: Sequence[str], prediction: Sequence[str]) -> int:
    """The fewest words replaced, dropped or added that make one of the other (Levenshtein): "a b c", "a x" -> 2."""
    numbers = {word: number for number, word in enumerate({*reference, *prediction})}
    said = np.array([numbers[word] for word in prediction], np.int64)
    places = np.arange(len(said) + 1)
    row = places
    for dropped, word in enumerate(reference, 1):
        # All but additions at once; one follows another, so these are a running minimum.
        best = np.concatenate([[dropped], np.minimum(row[1:] + 1, row[:-1] + (said != numbers[word]))])
        row = np.minimum.accumulate(best - places) + places
    return int(row[-1])
