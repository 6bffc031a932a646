"""metrics_report beside scikit-learn, and beside words that are counted by hand."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

import pytest
from sklearn.metrics import classification_report, confusion_matrix

from tests.support.engine_harness import Results, join
from triptych.errors import EngineError, JobSpecError
from triptych.settings import Settings


def _csv(rows: Sequence[tuple[str, str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([("reference", "prediction"), *rows])
    return out.getvalue().encode()


def _json_lines(rows: Sequence[tuple[object, object]]) -> bytes:
    return b"".join(json.dumps({"a": {"true": t}, "said": p}).encode() + b"\n" for t, p in rows)


def _figures(settings: Settings, results: Sequence[Results], **params: Any) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(join(settings, "metrics_report", results, params)["metrics.json"])
    return figures


@pytest.mark.filterwarnings("ignore:Precision is ill-defined")
@pytest.mark.parametrize("seed", range(3))
def test_it_says_what_scikit_learn_says(settings: Settings, seed: int) -> None:
    draw = random.Random(seed)
    labels = ["a", "b", "c, d", "é", '"q"', "never"][: 3 + seed]
    rows = [(draw.choice(labels[:-1]), draw.choice(labels)) for _ in range(90)]
    found = _figures(settings, [Results({"p.csv": _csv(rows[:40])}), Results({"p.csv": _csv(rows[40:])})])
    true, predicted = zip(*rows, strict=True)
    expected = classification_report(true, predicted, output_dict=True, zero_division=0)
    assert found["accuracy"] == pytest.approx(expected.pop("accuracy"))
    for name in ("macro avg", "weighted avg"):
        assert found[name] == pytest.approx({key: expected[name][key] for key in found[name]})
        expected.pop(name)
    assert found["classes"].keys() == expected.keys()
    for label, each in expected.items():
        assert found["classes"][label] == pytest.approx(each)
    matrix = found["confusion_matrix"]
    assert matrix["counts"] == confusion_matrix(true, predicted, labels=matrix["labels"]).tolist()


def test_a_number_in_json_is_the_label_that_it_is_in_csv(settings: Settings) -> None:
    results = [Results({"p.jsonl": _json_lines([(1, 1), (2, "1"), (True, True)])})]
    found = _figures(settings, results, reference="a.true", prediction="said")
    assert found["confusion_matrix"]["labels"] == ["1", "2", "true"]
    assert found["accuracy"] == 2 / 3


@pytest.mark.parametrize(
    ("reference", "prediction", "errors", "words"),
    [
        ("the cat sat on the mat", "the cat sat on the mat", 0, 6),
        ("the cat sat on the mat", "the cat sit on mat", 2, 6),
        ("the cat", "well the cat sat down", 3, 2),
        ("a b c d e", "b c d e a", 2, 5),
        ("one two", "", 2, 2),
        # Published: kitten, sitting (Levenshtein) is 3 letters, here words.
        ("k i t t e n", "s i t t i n g", 3, 6),
    ],
)
def test_words_are_counted_as_by_hand(
    settings: Settings, reference: str, prediction: str, errors: int, words: int
) -> None:
    rows = [("one two three", "one two three"), (reference, prediction)]
    found = _figures(settings, [Results({"p.csv": _csv(rows)})], task="transcription")
    assert (found["errors"], found["words"]) == (errors, words + 3)
    assert found["word_error_rate"] == errors / (words + 3)
    assert found["exact_records"] == 2 - bool(errors)
    assert [each["reference"] for each in found["worst"]] == [reference] * bool(errors)


def test_case_and_punctuation_may_be_no_difference(settings: Settings) -> None:
    results = [Results({"p.csv": _csv([("Hello, world. It's me", "hello world it's me")])})]
    assert _figures(settings, results, task="transcription")["errors"] == 3
    assert _figures(settings, results, task="transcription", normalize=True)["errors"] == 0


def test_silence_where_nobody_spoke_is_right(settings: Settings) -> None:
    rows = _json_lines([("a b", None), ("", "c")])
    found = _figures(
        settings, [Results({"p.jsonl": rows})], task="transcription", reference="a.true", prediction="said"
    )
    assert (found["errors"], found["words"]) == (3, 2)


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onerror"}


@pytest.mark.parametrize("task", ["classification", "transcription"])
def test_the_page_stands_alone_and_runs_nothing(settings: Settings, task: str) -> None:
    hostile = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
    found = join(
        settings, "metrics_report", [Results({"p.csv": _csv([(hostile, "b"), ("b", hostile)])})], {"task": task}
    )
    parser = _Texts()
    parser.feed(found["metrics.html"].decode())
    assert not set(parser.tags) & {"img", "script", "link", "iframe"}
    assert "table" in parser.tags
    assert not re.search(r"https?://", found["metrics.html"].decode())


def test_what_cannot_be_measured_says_why(settings: Settings) -> None:
    many = _csv([(str(number), "x") for number in range(1200)])
    with pytest.raises(EngineError, match=r"'p\.csv': .*there are more than 1,000 classes"):
        join(settings, "metrics_report", [Results({"p.csv": many})])
    with pytest.raises(EngineError, match="hold no record"):
        join(settings, "metrics_report", [Results({"p.csv": _csv([])})])
    with pytest.raises(EngineError, match="All references are empty"):
        join(
            settings, "metrics_report", [Results({"p.csv": b'reference,prediction\n"",a\n'})], {"task": "transcription"}
        )
    with pytest.raises(JobSpecError, match="Name two columns"):
        join(settings, "metrics_report", [Results({"p.csv": _csv([])})], {"reference": "x", "prediction": "x"})
    with pytest.raises(EngineError, match="'truth'"):
        join(settings, "metrics_report", [Results({"p.csv": _csv([("a", "b")])})], {"reference": "truth"})
