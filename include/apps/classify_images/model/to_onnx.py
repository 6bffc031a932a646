"""Writes EfficientNet-Lite0 as ONNX, of the weights that PyTorch 1.5 saved: `to_onnx.py weights.pth model.onnx`.

The network is that of https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite: no squeeze, no
swish, a batch normalisation behind each convolution. Images go in as (batch, 3, 224, 224), probabilities come out.
"""

import collections
import pickle
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
from numpy.lib.stride_tricks import as_strided
from onnx import TensorProto, helper, numpy_helper

BLOCKS = [(1, 3, 1, 1), (2, 3, 2, 6), (2, 5, 2, 6), (3, 3, 2, 6), (3, 5, 1, 6), (4, 5, 2, 6), (1, 3, 1, 6)]
"""How many, kernel, stride of the first, expansion."""
EPSILON = 1e-3


class Tensors(pickle.Unpickler):
    """A pickle of PyTorch's in which nothing but these three names stands; no code of it is run."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in ("FloatStorage", "LongStorage"):
            return np.float32 if name == "FloatStorage" else np.int64
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: tuple) -> tuple:
        return pid[1], pid[2]  # Type and key of a storage.


def read_weights(file: BinaryIO) -> dict[str, np.ndarray]:
    """PyTorch's format before 1.6: pickles of a number, a version, the machine, tensors and keys; then the storages."""
    for _ in range(3):
        Tensors(file).load()
    tensors = Tensors(file).load()
    types = {key: dtype for (dtype, key), *_ in tensors.values()}
    storages = {}
    for key in Tensors(file).load():
        count = int.from_bytes(file.read(8), "little")
        dtype = np.dtype(types[key])
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return {
        # Strides, as the weights came from TensorFlow, and lie in its order.
        name: np.ascontiguousarray(as_strided(storages[key][offset:], shape, [4 * step for step in strides]))
        for name, ((dtype, key), offset, shape, strides) in tensors.items()
        if dtype is np.float32
    }


class Graph:
    """Nodes in order; `last` is the name of what came out."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights, self.nodes, self.constants, self.last = weights, [], [], "images"

    def add(self, kind: str, *inputs: str, **options: object) -> None:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self.last, *inputs], [name], **options))
        self.last = name

    def constant(self, name: str, value: np.ndarray | None = None) -> str:
        self.constants.append(numpy_helper.from_array(self.weights[name] if value is None else value, name))
        return name

    def convolution(self, weight: str, norm: str, stride: int = 1, *, activated: bool = True) -> None:
        kernel = self.weights[f"{weight}.weight"]
        groups = kernel.shape[0] if kernel.shape[1] == 1 and "depthwise" in weight else 1
        self.add("Conv", self.constant(f"{weight}.weight"), auto_pad="SAME_UPPER", strides=[stride] * 2, group=groups)
        parts = ("weight", "bias", "running_mean", "running_var")
        self.add("BatchNormalization", *(self.constant(f"{norm}.{part}") for part in parts), epsilon=EPSILON)
        if activated:
            self.add("Clip", "zero", "six")

    def block(self, name: str, stride: int, expansion: int) -> None:
        before = self.last
        if expansion > 1:
            self.convolution(f"{name}._expand_conv", f"{name}._bn0")
        self.convolution(f"{name}._depthwise_conv", f"{name}._bn1", stride)
        self.convolution(f"{name}._project_conv", f"{name}._bn2", activated=False)
        entry = "_expand_conv" if expansion > 1 else "_depthwise_conv"
        inside = self.weights[f"{name}.{entry}.weight"].shape[1 if expansion > 1 else 0]
        if stride == 1 and inside == self.weights[f"{name}._project_conv.weight"].shape[0]:
            self.add("Add", before)


def network(weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    graph = Graph(weights)
    graph.constant("zero", np.float32(0))
    graph.constant("six", np.float32(6))
    graph.convolution("_conv_stem", "_bn0", 2)
    number = 0
    for count, _, stride, expansion in BLOCKS:
        for each in range(count):
            graph.block(f"_blocks.{number}", stride if each == 0 else 1, expansion)
            number += 1
    graph.convolution("_conv_head", "_bn1")
    graph.add("GlobalAveragePool")
    graph.add("Flatten")
    graph.add("Gemm", graph.constant("_fc.weight"), graph.constant("_fc.bias"), transB=1)
    graph.add("Softmax")
    taken = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 224, 224])
    given = helper.make_tensor_value_info(graph.last, TensorProto.FLOAT, ["batch", 1000])
    whole = helper.make_graph(graph.nodes, "efficientnet-lite0", [taken], [given], graph.constants)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    with Path(sys.argv[1]).open("rb") as saved:
        onnx.save(network(read_weights(saved)), sys.argv[2])
