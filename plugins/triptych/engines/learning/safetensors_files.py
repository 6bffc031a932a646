"""Models as safetensors: a header in JSON that says where each array lies, and the arrays back to back.

The format is huggingface/safetensors' own (its README, Format): 8 bytes with the header's size, the header, the data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from triptych.engines.api import Input, Output
from triptych.engines.learning.tensors import BFLOAT16, Tensor, Values
from triptych.engines.runtime.resources import resources
from triptych.errors import TriptychError

METADATA = "__metadata__"
_LENGTH_BYTES = 8
_HEADER_SHARE = 1 / 32
"""As JSON that is read it takes some ten times as much."""
_DTYPES: Mapping[str, str] = {
    **{"BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8"},
    **{"I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8"},
}
_BITS: Mapping[str, str] = {BFLOAT16: "<u2", "F8_E5M2": "u1", "F8_E4M3": "u1", "F8_E8M0": "u1"}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}


@dataclass(frozen=True)
class SafetensorsFile:
    """`starts` says where each tensor's values begin; `told` is the header's text for people and programs."""

    item: Input
    tensors: Mapping[str, Tensor]
    starts: Mapping[str, int]
    told: Mapping[str, str]

    def values(self, name: str, start: int, count: int) -> Values:
        """As `TensorFile.values`."""
        dtype = self.tensors[name].dtype
        with self.item.local_path().open("rb") as data:
            data.seek(self.starts[name] + start * dtype.itemsize)
            return np.frombuffer(data.read(count * dtype.itemsize), dtype)


def read_safetensors(item: Input) -> SafetensorsFile:
    """Reads the header. Raises the item's error where it is none, or does not describe all of the data."""
    size = item.size
    with item.local_path().open("rb") as data:
        length = int.from_bytes(data.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or length > size - _LENGTH_BYTES:
            raise _unread(item, "it is cut off")
        resources().share(_HEADER_SHARE, "the header of its tensors").check(length, item)
        text = data.read(length)
    tensors, spans, told = _header(item, text)
    first = _LENGTH_BYTES + length
    end = 0
    for name in sorted(spans, key=lambda each: spans[each]):
        begin, stop = spans[name]
        if begin != end or stop - begin != tensors[name].size:
            raise _unread(item, f"the bytes of {name!r} are not where, or as many as, its shape asks for")
        end = stop
    if first + end != size:
        raise _unread(item, f"its tensors take {end} bytes, and there are {size - first}")
    in_order = sorted(tensors, key=lambda each: spans[each])
    starts = {name: first + spans[name][0] for name in in_order}
    return SafetensorsFile(item, {name: tensors[name] for name in in_order}, starts, told)


def _header(item: Input, text: bytes) -> tuple[dict[str, Tensor], dict[str, tuple[int, int]], dict[str, str]]:
    tensors: dict[str, Tensor] = {}
    spans: dict[str, tuple[int, int]] = {}
    told: dict[str, str] = {}
    try:
        pairs = json.loads(text.decode(), object_pairs_hook=_once)
        for name, about in pairs.items():
            if name == METADATA:
                told = {str(key): str(value) for key, value in about.items()}
                continue
            begin, end = map(_whole, about["data_offsets"])
            tensors[name] = _tensor(item, name, about["dtype"], tuple(map(_whole, about["shape"])))
            spans[name] = begin, end
    except TriptychError:
        raise
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise _unread(item, "its header is damaged") from error
    return tensors, spans, told


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value


def _tensor(item: Input, name: str, code: str, shape: tuple[int, ...]) -> Tensor:
    if code in _BITS:
        return Tensor(name, np.dtype(_BITS[code]), shape, code)
    if code in _DTYPES:
        return Tensor(name, np.dtype(_DTYPES[code]), shape)
    known = ", ".join((*_DTYPES, *_BITS))
    text = f"the type {code!r} of {name!r} is not known. Convert the tensor to one of {known}."
    raise item.error(text)


def _unread(item: Input, why: str) -> TriptychError:
    return item.error(f"cannot be read as safetensors: {why}. Write it anew.")


def write_safetensors(
    output: Output, name: str, files: Sequence[SafetensorsFile], values: Iterable[tuple[Tensor, Iterator[Values]]]
) -> None:
    """One file of tensors as the first has them; of the files' texts those that all share."""
    first = files[0]
    shared = {key: text for key, text in first.told.items() if all(file.told.get(key) == text for file in files)}
    header: dict[str, object] = {METADATA: shared} if shared else {}
    end = 0
    for tensor in first.tensors.values():
        code = tensor.code or _CODES[tensor.dtype]
        offsets = [end, end + tensor.size]
        header[tensor.name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": offsets}
        end += tensor.size
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH_BYTES)
    with output.open(name) as out:
        out.write(len(text).to_bytes(_LENGTH_BYTES, "little") + text)
        for _, blocks in values:
            for block in blocks:
                out.write(block.tobytes())
