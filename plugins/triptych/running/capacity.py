"""What a block needs of a container engine, compared with what the engine has, before anything of it runs there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException, ImageNotFound

from triptych.blocks import Block
from triptych.blocks.gpus import gpu_count, product_names
from triptych.errors import CapacityError
from triptych.harmless import harmless_logger
from triptych.running.container import GIB, gpu_request
from triptych.running.gpus import devices_of_engine, lacking_gpus
from triptych.running.reaper import LEFTOVER_S, expiry_label
from triptych.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient

USABLE_SHARE = 0.9
"""A kernel keeps some of the memory that a machine is sold with: one of 16 GiB tells 15.4."""
_log = harmless_logger(__name__)


def check_capacity(client: APIClient, block: Block, settings: Settings) -> None:
    """CapacityError when the engine can never run this block: too few cores, too little memory, no GPU."""
    if not (block.min_cpu or block.min_memory_gib or block.gpu):
        return
    info = client.info()
    lacking = [*_lacking(info, block)]
    lacking_names = lacking_gpus(block, devices_of_engine(settings)) if block.gpu else ""
    if lacking_names:
        lacking.append(lacking_names)
    elif block.gpu and not _tells_of_gpus(info) and _refuses_gpus(client, block):
        lacking.append("a GPU, and has none that it knows of")
    if lacking:
        msg = (
            f"{block.role} {block.tag} needs {'; '.join(lacking)}: the engine {info.get('Name', '')} can never run it. "
            f"Lower device_requirements{' or parallel' if block.parallel > 1 else ''} in its manifest, or run it where "
            "there is more."
        )
        raise CapacityError(msg)


def _lacking(info: Mapping[str, Any], block: Block) -> list[str]:
    """What of cores and memory is missing: `16 cores, and has 2`; nothing where the engine does not tell."""
    lacking = []
    cores, memory = info.get("NCPU"), info.get("MemTotal")
    at_once = f" for {block.parallel} containers" if block.parallel > 1 else ""
    if cores and block.min_cpu and block.task_cores > cores:
        lacking.append(f"{block.task_cores:g} cores{at_once}, and has {cores}")
    if memory and block.task_memory_gib * GIB * USABLE_SHARE > memory:
        lacking.append(f"{block.task_memory_gib:g} GiB of memory{at_once}, and has {memory / GIB:.1f}")
    return lacking


def _tells_of_gpus(info: Mapping[str, Any]) -> bool:
    return "nvidia" in info.get("Runtimes", {}) or bool(info.get("DiscoveredDevices"))


def _refuses_gpus(client: APIClient, block: Block) -> bool:
    """Whether a container of the block's image that asks for them does not start; no where the image is not here.

    The engine's own word for it: one that is not told of in `info` can have GPUs all the same.
    """
    asked = gpu_count(block) if product_names(block) or not block.gpu else block.gpu
    wanted = client.create_host_config(network_mode="none", device_requests=[gpu_request(asked)])
    try:
        made = client.create_container(
            block.image, entrypoint=["/bin/sh", "-c", ":"], host_config=wanted, labels=expiry_label(client, LEFTOVER_S)
        )
    except ImageNotFound:
        return False
    try:
        client.start(made["Id"])
    except APIError as error:
        return "could not select device driver" in str(error.explanation)
    finally:
        try:
            client.remove_container(made["Id"], force=True)
        except (DockerException, OSError) as error:
            _log.warning("Container %s is left for a later job to remove: %s", made["Id"][:12], error)
    return False
