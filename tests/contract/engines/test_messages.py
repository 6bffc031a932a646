"""What engines say of bad and odd inputs: our words, and which file or chunk it is; never a library's, or Python's.

Every case of the contract suite, with each of its inputs damaged in some ways and replaced by what it is not.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.contract.engines.cases import Join, Split, all_cases
from tests.support import in_memory
from tests.support.engine_harness import SAMPLES, Results
from triptych.errors import TriptychError

RAW = re.compile(
    r"Traceback|\b(?:pyarrow|duckdb|libav|pyvips|vips2|soundfile|libsndfile|lxml|numpy(?!\.savez)|tarfile)\b"
    r"|\b(?:zipfile|orjson)\b|\b(?!Excel)[A-Z]\w*(?:Error|Exception|Warning)\b|[Ee]rrno"
    r"|<class|\bNoneType\b|\bdict_\w+\(|[\s(]b['\"]|object at 0x|/tmp/"
    r"|out of range|subscriptable|to unpack|has no attribute|codec can't|invalid literal|unexpected keyword"
    r"|Arrow[a-z]* error|Invalid Input|IO Error|Binder|Conversion Error|\[[a-z0-9]+ @ 0x"
    r"|Invalid data found|Invalid argument|End of file|processing input"
)
PLACE = re.compile(r"\bparams\.|\bchunk \d|^film_scenes\.mp4: |^\d+ number\(s\) have no result")
"""A parameter, a chunk, the name of an output that lacks parts, or the numbers that `indexed` finds no result of."""
SLOW = ("audio_language",)
"""Takes seconds for each file; but for the detector it goes the way of audio_silence."""
ODD: Mapping[str, bytes] = {
    "empty": b"",
    "zeros": bytes(3000),
    "one byte": b"\xff",
    "noise": random.Random(15).randbytes(5000),
    "open quote": b'id,key,n\n1,"a,2\n3,b,4\n',
    "ragged": b"id,key,n\n1\n2,a,3,4,5\n\n,,\n",
    "latin": "id,key,n\n1,é,2\n".encode("latin-1"),
    "half JSON": b'{"id": 1, "n": [1, 2\n',
    "other JSON": b'[1, "a", null, {"id": {}}]\n',
    "lines of JSON": b'{"id": 1}\n[2]\nnull\n"x"\n{"id": "\\ud800", "n": NaN}\n',
    "twice": b"id,id,key\n1,2,3\n",
    "words": b"Ein Text, ohne Zeile und Sinn.\n\n# Titel\n",
    "cut mark": b"\xff\xfea",
}


def _damaged(data: bytes) -> Iterator[tuple[str, bytes]]:
    """By what was done to it."""
    yield "half", data[: len(data) // 2]
    yield "cut off", data[:-7]
    drawn = random.Random(len(data))
    for at in (0.02, 0.5, 0.98):
        flipped = bytearray(data)
        for index in {min(len(data) - 1, int(len(data) * at) + drawn.randrange(24)) for _ in range(8) if data}:
            flipped[index] ^= drawn.randrange(1, 256)
        yield f"flipped at {at}", bytes(flipped)
    middle = len(data) // 2
    yield "a hole", data[:middle] + bytes(min(4096, len(data) - middle)) + data[middle + 4096 :]
    yield "doubled", data + data


def _others() -> dict[str, bytes]:
    samples = {path.name: path.read_bytes() for path in sorted(SAMPLES.iterdir()) if path.suffix != ".md"}
    return {**ODD, **samples}


def _fault(text: str, names: Sequence[str]) -> str:
    """What is wrong with a message, if anything; `names` are those of the inputs, one of which it has to give."""
    if found := RAW.search(text):
        return f"shows {found[0]!r}"
    is_named = PLACE.search(text) or any(name in text for name in names)
    return "" if is_named else "names no file"


def _said(work: Any) -> str:
    try:
        work()
    except TriptychError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _id(case: Split | Join) -> str:
    return f"{case.engine}-{'-'.join(map(str, case.params.values()))}"[:60]


CASES = all_cases()


@pytest.mark.parametrize(
    "case", [case for case in CASES if isinstance(case, Split) and case.write and case.engine not in SLOW], ids=_id
)
def test_partitioners_say_what_is_wrong_in_our_words(case: Split, tmp_path: Path) -> None:
    assert case.write
    sources = {path.name: path.read_bytes() for path in case.write(tmp_path)}
    if case.corrupt:
        path = case.corrupt(tmp_path)
        faults = _faults_of({"corrupt": {path.name: path.read_bytes()}}, case)
    else:
        faults = []
    first = next(iter(sources))
    inputs = {how: {**sources, first: data} for how, data in _damaged(sources[first])}
    inputs |= {how: {**sources, first: data} for how, data in _others().items()}
    assert [*faults, *_faults_of(inputs, case)] == []


def _faults_of(inputs: Mapping[str, Mapping[str, bytes]], case: Split) -> list[str]:
    faults = []
    for how, sources in inputs.items():
        text = _said(lambda sources=sources: in_memory.cut(case.engine, sources, case.params))
        if text and (fault := _fault(text, list(sources))):
            faults.append(f"{how}: {fault}: {text}")
    return faults


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case, Join)], ids=_id)
def test_assemblers_say_what_is_wrong_in_our_words(case: Join) -> None:
    results = case.results()
    name, whole = next((name, data) for name, data in results[0].files.items())
    inputs = [*_damaged(whole), *_others().items()]
    faults = []
    if case.corrupt:
        faults += _said_of("corrupt", case, case.corrupt())
    for how, data in inputs:
        first = Results({**results[0].files, name: data}, results[0].name, results[0].metadata)
        faults += _said_of(how, case, [first, *results[1:]])
    # Of a chunk that another partitioner made, and of one that left nothing.
    bare = [Results(result.files, result.name) for result in results]
    faults += _said_of("no metadata", case, bare)
    faults += _said_of("no file", case, [Results({}, results[0].name, results[0].metadata), *results[1:]])
    assert faults == []


def _said_of(how: str, case: Join, results: Sequence[Results]) -> list[str]:
    text = _said(lambda: in_memory.assembled(case.engine, results, case.params))
    names = [name for result in results for name in result.files]
    fault = _fault(text, names) if text else ""
    return [f"{how}: {fault}: {text}"] if fault else []
