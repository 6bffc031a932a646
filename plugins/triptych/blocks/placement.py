"""Where a block's tasks run: on machines of the smallest class that has what its manifest asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triptych.blocks.gpus import gpu_count, is_product, product_names
from triptych.blocks.model import Block, Diagnostic, Role, Template
from triptych.machine_classes import MachineClass


def class_of(block: Block, classes: Sequence[MachineClass]) -> MachineClass | None:
    """The fitting class with the fewest GPUs, of these with the fewest cores, then with the least memory; or None.

    What a manifest does not ask for is not compared. Of two alike the first of the table is taken.
    """
    fitting = [each for each in classes if _fits(block, each)]
    return min(fitting, key=lambda each: (each.gpus, each.cores, each.memory_gib), default=None)


def unplaced(template: Template, classes: Sequence[MachineClass]) -> Iterator[Diagnostic]:
    """Of each block that no class fits, what it asks for and what there is; nothing where there is no table."""
    for block in template.blocks.values() if classes else ():
        if class_of(block, classes) is None:
            yield Diagnostic(
                block.folder / "manifest.json",
                "$.device_requirements",
                f"{block.role} {block.tag} asks for {_asked(block)}, and no class of [triptych] classes has that: "
                f"{'; '.join(map(str, classes))}. Ask for less, or let an operator add a class.",
            )


def slots_per_task(app: Block, classes: Sequence[MachineClass]) -> int:
    """Of its pool: one per core, and one at least. A GPU counts for its share of the cores of its class.

    So a pool that has a slot for each core of its machines lets no more tasks in than they have GPUs.
    """
    machines = class_of(app, classes)
    gpus = gpu_count(app) * app.parallel
    share = int(machines.cores * gpus / machines.gpus) if machines and machines.gpus and gpus else 0
    return max(1, round(app.task_cores), share)


def pool_of(template: Template, classes: Sequence[MachineClass], default: str) -> str:
    """Of the app's tasks: the template's own, else its class's, else the default."""
    machines = class_of(template.app, classes)
    return template.pool or (machines.pool if machines else "") or default


def queues(template: Template, classes: Sequence[MachineClass]) -> dict[Role, str]:
    """Airflow's queue of each role's task; none for one whose class names none, or that has no class."""
    placed = {role: class_of(block, classes) for role, block in template.blocks.items()}
    return {role: machines.queue for role, machines in placed.items() if machines and machines.queue}


def _fits(block: Block, machines: MachineClass) -> bool:
    names = product_names(block)
    return (
        (block.min_cpu or 0) * block.parallel <= machines.cores
        and block.task_memory_gib <= machines.memory_gib
        and gpu_count(block) * block.parallel <= machines.gpus
        and (not names or any(is_product(name, machines.gpu_name) for name in names))
    )


def _asked(block: Block) -> str:
    """`4 cores, 16 GiB of memory and a GPU of NVIDIA A100 or NVIDIA L4`."""
    asked = []
    if block.min_cpu:
        asked.append(f"{block.min_cpu:g} cores")
    if block.min_memory_gib:
        asked.append(f"{block.min_memory_gib:g} GiB of memory")
    if names := product_names(block):
        asked.append(f"a GPU of {' or '.join(names)}")
    elif gpus := gpu_count(block):
        asked.append(f"{gpus} GPU(s)")
    told = " and ".join([", ".join(asked[:-1]), asked[-1]] if len(asked) > 1 else asked)
    return f"{told} for each of its {block.parallel} containers" if block.parallel > 1 else told
