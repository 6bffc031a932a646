"""Which GPUs there are where blocks run: NVIDIA's management library (NVML) tells their ids and products."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import dataclass

from triptych.blocks import Block
from triptych.blocks.gpus import gpu_count, is_product, product_names
from triptych.settings import Runner, Settings

GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"
"""By it CUDA shows a process some devices alone, in this order; ids count as numbers do."""


@dataclass(frozen=True)
class Device:
    """One GPU: its id (`GPU-3faa8319-...`) and its product's name (`NVIDIA L4`), both as `nvidia-smi -L` shows them."""

    id: str
    product: str


@dataclass(frozen=True)
class Devices:
    """All GPUs, in NVML's order; `unknown` says why they cannot be told, and is empty where they are."""

    all: tuple[Device, ...] = ()
    unknown: str = ""

    def fit_for(self, block: Block) -> tuple[str, ...]:
        """Ids of those that may be given to the block: any, by default; all that it names by id, whoever tells of them.

        An index (`0`) is another word for a device that is known.
        """
        if names := product_names(block):
            return tuple(each.id for each in self.all if any(is_product(name, each.product) for name in names))
        if isinstance(block.gpu, tuple):
            numbered = {str(index): each.id for index, each in enumerate(self.all)}
            return tuple(dict.fromkeys(numbered.get(each, each) for each in block.gpu))
        return tuple(each.id for each in self.all)

    def __str__(self) -> str:
        counted = Counter(each.product for each in self.all)
        return ", ".join(f"{count} x {product}" for product, count in counted.items()) or "none"


def devices_of_engine(settings: Settings) -> Devices:
    """Those of this machine, where the runner uses them."""
    if settings.runner is Runner.DOCKER and not settings.docker_url.startswith("unix://"):
        return Devices(unknown=f"the engine at {settings.docker_url} is on another machine")
    try:
        import pynvml  # nvidia-ml-py; here, since few machines have a GPU.
    except ModuleNotFoundError:
        return Devices(unknown="'nvidia-ml-py' is not installed: pip install 'triptych[gpu]'")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return Devices(unknown=f"NVML says: {error}")
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return Devices(
            tuple(
                Device(_text(pynvml.nvmlDeviceGetUUID(each)), _text(pynvml.nvmlDeviceGetName(each))) for each in handles
            )
        )
    except pynvml.NVMLError as error:
        return Devices(unknown=f"NVML says: {error}")
    finally:
        pynvml.nvmlShutdown()


def lacking_gpus(block: Block, found: Devices) -> str:
    """Of a block that names products what is missing here, as `a GPU of NVIDIA L4, and worker-1 has 2 x Tesla T4`.

    Empty where it can be given one, and where it asks by number or by ids: then its engine has the word.
    """
    names = product_names(block)
    if not names or len(found.fit_for(block)) >= gpu_count(block):
        return ""
    told = f"cannot be asked which it has ({found.unknown})" if found.unknown else f"has {found}"
    return f"a GPU of {' or '.join(names)}, and {platform.node()} {told}"


def _text(told: str | bytes) -> str:
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else told
