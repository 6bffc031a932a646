"""Which class of machines a block goes to, and what is said where none has what it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import Block, Role
from triptych.blocks.gpus import is_gpu_id, is_product
from triptych.blocks.placement import class_of, slots_per_task, unplaced
from triptych.machine_classes import MachineClass

A100, L4 = "NVIDIA A100-SXM4-80GB", "NVIDIA L4"
TABLE = (
    MachineClass("a100", 32, 256, 4, A100),
    MachineClass("large", 64, 512),
    MachineClass("small", 4, 16),
    MachineClass("wide", 8, 16),
    MachineClass("l4", 16, 64, 1, L4),
)


def _block(**needs: Any) -> Block:
    return Block(Role.APP, "tried", "1.0", Path("tried"), **needs)


@pytest.mark.parametrize(
    ("needs", "name"),
    [
        ({}, "small"),
        ({"min_cpu": 4, "min_memory_gib": 16}, "small"),
        ({"min_cpu": 4.5}, "wide"),
        ({"min_memory_gib": 17}, "large"),
        ({"min_cpu": 64, "min_memory_gib": 512}, "large"),
        ({"gpu": 0}, "small"),
        ({"gpu": 1}, "l4"),
        ({"gpu": 2}, "a100"),
        ({"gpu": 1, "min_cpu": 20}, "a100"),
        ({"gpu": ("GPU-1", "GPU-2")}, "a100"),
        ({"gpu": ("nvidia a100", L4), "min_cpu": 20}, "a100"),
        ({"gpu": ("nvidia a100", L4)}, "l4"),
        ({"gpu": ("A100",)}, "a100"),
        ({"min_cpu": 2, "parallel": 2}, "small"),
        ({"min_cpu": 2, "parallel": 3}, "wide"),
        ({"min_memory_gib": 9, "parallel": 2}, "large"),
        ({"gpu": 1, "parallel": 2}, "a100"),
    ],
)
def test_the_smallest_that_fits_is_taken(needs: dict[str, Any], name: str) -> None:
    for classes in (TABLE, TABLE[::-1]):
        found = class_of(_block(**needs), classes)
        assert found is not None
        assert found.name == name


def test_of_two_alike_the_first_is_taken_and_without_a_table_none() -> None:
    found = class_of(_block(), (MachineClass("b", 1, 1), MachineClass("a", 1, 1)))
    assert found is not None
    assert found.name == "b"
    assert class_of(_block(), ()) is None


@pytest.mark.parametrize(
    ("needs", "asked"),
    [
        ({"min_cpu": 65}, "asks for 65 cores, and no class"),
        ({"min_cpu": 1, "min_memory": 600}, "asks for 1 cores and 600 GiB of memory, and"),
        ({"gpu": 5}, r"asks for 5 GPU\(s\), and"),
        ({"min_cpu": 33, "min_memory": 1, "gpu": "A100"}, "asks for 33 cores, 1 GiB of memory and a GPU of A100, and"),
        ({"gpu": ["NVIDIA H100", "NVIDIA L40"]}, "asks for a GPU of NVIDIA H100 or NVIDIA L40, and"),
    ],
)
def test_what_no_class_has_is_told_with_all_that_there_is(tmp_path: Path, needs: dict[str, Any], asked: str) -> None:
    template = write_app(tmp_path, "", manifest={"device_requirements": needs})
    (found,) = unplaced(template, TABLE)
    assert (found.path, found.location) == (template.app.folder / "manifest.json", "$.device_requirements")
    assert asked.replace("\\", "") in found.message
    assert "app tried@1.0 asks" in found.message
    assert f"a100 (32 cores, 256 GiB, 4 x {A100}); large (64 cores, 512 GiB); small" in found.message
    assert list(unplaced(template, ())) == []


def test_of_several_containers_it_is_told_that_each_asks_for_it(tmp_path: Path) -> None:
    template = write_app(tmp_path, "", manifest={"device_requirements": {"min_cpu": 20}, "parallel": 4})
    (found,) = unplaced(template, TABLE)
    assert "asks for 20 cores for each of its 4 containers, and no class" in found.message


@pytest.mark.parametrize(
    ("needs", "machines", "slots"),
    [
        ({}, None, 1),
        ({"min_cpu": 2.5}, None, 2),
        ({"min_cpu": 2, "gpu": 1}, None, 2),
        ({"min_cpu": 2, "gpu": 1}, TABLE[0], 8),
        ({"min_cpu": 2, "gpu": ("A100",)}, TABLE[0], 8),
        ({"min_cpu": 20, "gpu": 2}, TABLE[0], 20),
        ({"min_cpu": 2}, TABLE[0], 2),
        ({"gpu": 1}, MachineClass("odd", 32, 1, 3), 10),
        ({"parallel": 3}, None, 3),
        ({"min_cpu": 0.5, "parallel": 5}, None, 2),
        ({"min_cpu": 2, "gpu": 1, "parallel": 2}, TABLE[0], 16),
    ],
)
def test_a_gpu_counts_for_its_share_of_the_cores(
    needs: dict[str, Any], machines: MachineClass | None, slots: int
) -> None:
    assert slots_per_task(_block(**needs), (machines,) if machines else ()) == slots


@pytest.mark.parametrize(
    ("wanted", "product", "will_do"),
    [
        ("NVIDIA L4", "NVIDIA L4", True),
        ("nvidia l4", "NVIDIA L4", True),
        ("NVIDIA L4", "NVIDIA L40S", False),
        ("NVIDIA A100", "NVIDIA A100-SXM4-80GB", True),
        ("NVIDIA  A100 ", "NVIDIA A100 80GB PCIe", True),
        ("A100", "NVIDIA A100-PCIE-40GB", True),
        ("NVIDIA A100", "A100-SXM4-40GB", True),
        ("NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-40GB", False),
        ("T4", "Tesla T4", False),
        ("", "NVIDIA L4", False),
    ],
)
def test_a_product_is_known_by_its_words(wanted: str, product: str, will_do: bool) -> None:
    assert is_product(wanted, product) is will_do


@pytest.mark.parametrize(
    ("text", "is_id"),
    [
        ("GPU-3faa8319-aa2c-4d5e-8f0e-1f2a3b4c5d6e", True),
        ("MIG-GPU-8932f937/1/0", True),
        ("MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f", True),
        ("0", True),
        ("0:1", True),
        ("nvidia.com/gpu=0", True),
        ("NVIDIA L4", False),
        ("GPU", False),
    ],
)
def test_ids_and_names_are_told_apart(text: str, is_id: bool) -> None:
    assert is_gpu_id(text) is is_id
