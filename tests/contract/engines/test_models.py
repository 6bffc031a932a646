"""models: exactness, order, types, what is refused; NumPy, fractions and safetensors' own library are the truth."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import struct
import zipfile
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from tests.contract.engines.cases.learning import npz
from tests.support.engine_harness import Results, join
from triptych.errors import EngineError, JobSpecError
from triptych.settings import Settings


def _npz(found: Mapping[str, bytes], name: str = "m.npz") -> dict[str, Any]:
    with np.load(io.BytesIO(found[name]), allow_pickle=False) as model:
        return dict(model)


def _weighed(models: list[bytes], weights: Sequence[float], name: str = "m.npz") -> list[Results]:
    return [
        Results({name: model, "w.json": json.dumps({"samples": weight}).encode()})
        for model, weight in zip(models, weights, strict=True)
    ]


def test_the_mean_is_exact_whatever_the_order(settings: Settings) -> None:
    """Values that cancel, weights without an exact binary form: as fractions have it, rounded once."""
    random = np.random.default_rng(7)
    columns = random.standard_normal((5, 200)) * 10.0 ** random.integers(-12, 12, (5, 200))
    columns[3] = -columns[0] * 3  # 0.1 * x - 0.1 / 3 * 3x cancels but for the last digits.
    weights = [0.1, 7, 123_456_789, 0.1 / 3, 2.5]
    total = sum(map(Fraction, weights))
    expected = [
        float(sum(Fraction(weight) * Fraction(value) for weight, value in zip(weights, column, strict=True)) / total)
        for column in columns.T.tolist()
    ]
    seen = set()
    for order in itertools.islice(itertools.permutations(range(5)), 0, 120, 17):
        given = _weighed([npz(w=columns[index]) for index in order], [weights[index] for index in order])
        found = join(settings, "models", given, {"weight": "samples"})
        assert _npz(found)["w"].tolist() == expected
        seen.add(found["m.npz"])
    assert len(seen) == 1


def test_every_type_is_kept(settings: Settings) -> None:
    kinds = ["f2", "f4", "f8", ">f4", "i1", "i8", "u2"]
    one = {kind: np.array([[1, 2, 7]], kind) for kind in kinds}
    two = {kind: np.array([[2, 2, 8]], kind) for kind in kinds}
    same = {"names": np.array(["cat", "Ä"]), "mask": np.array([True, False])}
    odd = {"alone": np.float32(3), "none": np.zeros((0, 4))}
    found = _npz(join(settings, "models", [Results({"m.npz": npz(**each, **same, **odd)}) for each in (one, two)]))
    for kind in kinds:
        assert found[kind].dtype == np.dtype(kind)
        # 1.5 and 7.5 are whole numbers' ties, which go to the even one.
        assert found[kind].tolist() == ([[1.5, 2, 7.5]] if "f" in kind else [[2, 2, 8]])
    assert found["names"].tolist() == ["cat", "Ä"]
    assert found["mask"].tolist() == [True, False]
    assert (found["alone"].shape, float(found["alone"])) == ((), 3)
    assert found["none"].shape == (0, 4)


def test_an_array_in_fortrans_order_and_packed_files(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks of a value, as an array beyond the memory is read, and whole."""
    one, two = np.arange(12.0).reshape(3, 4), np.arange(12.0).reshape(3, 4) * 3
    packed = io.BytesIO()
    np.savez_compressed(packed, w=np.asfortranarray(one), v=two)
    given = [Results({"m.npz": packed.getvalue()}), Results({"m.npz": npz(w=two, v=np.asfortranarray(two))})]
    whole = join(settings, "models", given)
    monkeypatch.setattr("triptych.engines.learning.averaging.VALUE_BYTES", 1 << 30)
    found = join(settings, "models", given)
    assert found == whole
    assert _npz(found)["w"].tolist() == (one * 2).tolist()
    assert _npz(found)["v"].tolist() == two.tolist()
    with zipfile.ZipFile(io.BytesIO(found["m.npz"])) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_DEFLATED}


def _bfloat16(*values: float) -> bytes:
    """Bits of numbers that bfloat16 has exactly."""
    return b"".join(struct.pack("<f", value)[2:] for value in values)


def _safetensors(tensors: Mapping[str, tuple[str, list[int], bytes]], told: Mapping[str, str]) -> bytes:
    """A file without NumPy's types, by safetensors' own reading of the header that is made here."""
    header: dict[str, Any] = {"__metadata__": dict(told)}
    data = b""
    for name, (dtype, shape, own) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(own)]}
        data += own
    made = _header(json.dumps(header), data)
    assert len(_deserialized(made)) == len(tensors)
    return made


def _deserialized(data: bytes) -> dict[str, Any]:
    return dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]  # It has no types.


def test_safetensors_and_bfloat16(settings: Settings) -> None:
    """Between 1 and 1 + 1/128, its neighbour, a mean goes to the nearer, and in the middle to the even one."""
    up = 1 + 1 / 128
    bits = ("F8_E4M3", [2], b"\x01\x7f")
    given = [
        _safetensors({"h": ("BF16", [4], _bfloat16(*values)), "q": bits}, {"format": "pt", "step": str(values)})
        for values in ([1, 1, 1, -up], [up, up, 1, -up])
    ]
    for weights, first in (([1, 1], 1), ([1, 2], up), ([2**40 - 1, 2**40], up), ([2**40, 2**40 - 1], 1)):
        found = join(settings, "models", _weighed(given, weights, "m.safetensors"), {"weight": "samples"})
        tensors = _deserialized(found["m.safetensors"])
        assert bytes(tensors["h"]["data"]) == _bfloat16(first, first, 1, -up)
        assert (tensors["h"]["dtype"], tensors["q"]["dtype"]) == ("BF16", "F8_E4M3")
        assert bytes(tensors["q"]["data"]) == b"\x01\x7f"
    size = int.from_bytes(found["m.safetensors"][:8], "little")
    assert size % 8 == 0
    assert json.loads(found["m.safetensors"][8 : 8 + size])["__metadata__"] == {"format": "pt"}


def test_many_tensors_of_safetensors_are_as_numpy_has_them(settings: Settings) -> None:
    random = np.random.default_rng(3)
    models = [
        {f"layer.{n}": random.standard_normal((n, 5)).astype("f4" if n % 2 else "f2") for n in range(9)} for _ in "abc"
    ]
    given = [Results({"m.safetensors": safetensors.numpy.save(model)}) for model in models]
    found = safetensors.numpy.load(join(settings, "models", given)["m.safetensors"])
    for name, tensor in models[0].items():
        expected = np.mean([model[name].astype(np.float64) for model in models], axis=0).astype(tensor.dtype)
        assert found[name].dtype == tensor.dtype
        assert np.array_equal(found[name], expected)


def _evil() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        data = io.BytesIO()
        np.lib.format.write_array(data, np.array([{"a": 1}], object), allow_pickle=True)
        archive.writestr("w.npy", data.getvalue())
    return out.getvalue()


def _header(text: str, data: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text.encode() + data


def _of_header(dtype: str, shape: int, end: int, data: bytes) -> dict[str, bytes]:
    about = {"w": {"dtype": dtype, "shape": [shape], "data_offsets": [0, end]}}
    return {"m.safetensors": _header(json.dumps(about), data)}


ONE = npz(w=[1.0])
N = {"weight": "n"}


@pytest.mark.parametrize(
    ("files", "params", "says"),
    [
        ([{"m.npz": _evil()}], {}, "pickled objects, which are never read"),
        ([{"m.pkl": pickle.dumps(1)}], {}, r"chunk 0, 'm.pkl': is no model: those end in .npz or .safetensors"),
        ([{"m.npz": ONE}, {"m.npz": npz(v=[1.0])}], {}, "chunk 1, 'm.npz': has no tensor 'w', as chunk 0, 'm.npz' has"),
        ([{"m.npz": ONE}, {"m.npz": npz(w=[1.0], v=[1])}], {}, "has the tensor 'v', and chunk 0, 'm.npz' has none"),
        (
            [{"m.npz": ONE}, {"m.npz": npz(w=np.ones(1, np.float32))}],
            {},
            r"'w' is float32 of the shape \(1,\), and",
        ),
        ([{"m.npz": ONE}, {"m.npz": npz(w=[np.nan])}], {}, "value 0 of 'w' is nan: its training failed"),
        ([{"m.npz": npz(w=[2**60 + 1])}], {}, r"whole numbers beyond 2 \*\* 53"),
        ([{"m.npz": npz(w=["a"])}, {"m.npz": npz(w=["b"])}], {}, "there is no mean, and differs from that of chunk 0"),
        ([{"m.npz": ONE}, {"n.npz": ONE}], {}, "its chunk left no 'm.npz', as others did"),
        ([{"m.npz": ONE[:-30]}], {}, "cannot be read as a npz archive"),
        ([{"m.npz": ONE}], N, "its chunk has no weight 'n', neither in a JSON object"),
        ([{"m.npz": ONE, "a.json": b'{"n": -1}'}], N, "weight 'n' -1, and it must be one number, 0 or above"),
        ([{"m.npz": ONE, "a.json": b'{"n": true}'}], N, "weight 'n' True"),
        ([{"m.npz": ONE, "a.json": b'{"n": 1}', "b.json": b'{"n": 2}'}], N, "weight 'n' 1 and 2"),
        ([{"m.npz": ONE, "a.json": b'{"n": 0}'}], N, "All 1 models 'm.npz' weigh 0"),
        ([{"m.npz": ONE, "a.json": b"{"}], N, "'a.json': is no JSON"),
        ([{"m.npz": ONE}], {"name": "m.npz"}, "name: 'm.npz' is what a model is called"),
        ([{"m.safetensors": b"\x10"}], {}, "cannot be read as safetensors: it is cut off"),
        ([{"m.safetensors": _header("{")}], {}, "its header is damaged"),
        ([_of_header("F4", 2, 1, b"x")], {}, "the type 'F4' of 'w' is not known"),
        ([_of_header("F32", 2, 4, b"1234")], {}, "the bytes of 'w' are not where, or as many as, its shape asks for"),
        ([_of_header("F32", 1, 4, b"12345")], {}, "its tensors take 4 bytes, and there are 5"),
    ],
)
def test_what_has_no_mean_is_refused(
    settings: Settings, files: list[dict[str, bytes]], params: dict[str, Any], says: str
) -> None:
    with pytest.raises((EngineError, JobSpecError), match=says):
        join(settings, "models", [Results(each) for each in files], params)
