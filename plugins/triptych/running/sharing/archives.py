"""The engine does not share our files: they are copied into volumes of its own, and results out of them.

Nothing in there can be emptied from outside, so each unit has a new container, whose volumes go with it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from docker.types import Mount

from triptych.running.interpreter import LAUNCHER
from triptych.running.result_files import ResultLimits
from triptych.running.sharing.archive import get_folder, put_folders
from triptych.running.sharing.interface import (
    CODE,
    HOME,
    INPUTS,
    INSIDE,
    OURS,
    OWN_CACHE,
    SHARED_CACHE,
    TEMPORARY,
    WORK,
)
from triptych.running.sharing.volumes import InputVolume, VolumeLimits
from triptych.running.spec import RunSpec, Unit

if TYPE_CHECKING:
    from docker import APIClient


class Archives:
    """One volume holds code, work and HOME; an image's own temporary folders are volumes, too.

    Caches outlive both, and so does the volume of each side input, to which a link leads from INPUTS_DIR.
    """

    is_for_one_unit = True

    def __init__(self, client: APIClient, spec: RunSpec, limits: ResultLimits, keeping: VolumeLimits) -> None:
        self._client, self._spec, self._limits, self._keeping = client, spec, limits, keeping
        self._inputs = [InputVolume(each) for each in spec.inputs]

    def mounts(self) -> list[Mount]:
        own = [*(Mount(str(inside), None, "volume") for inside in (INSIDE, *TEMPORARY))]
        if self._spec.cache:
            own += [
                Mount(str(SHARED_CACHE), "triptych-cache-shared", "volume", read_only=True),
                Mount(str(OWN_CACHE), f"triptych-cache-{self._spec.block.name}", "volume"),
            ]
        return [*own, *(volume.mount() for volume in self._inputs)]

    def fill(self, container: str) -> None:
        with tempfile.TemporaryDirectory(dir=self._spec.work, ignore_cleanup_errors=True) as empty:
            # A new volume is root's, and so is what is in it.
            writable = (HOME, OWN_CACHE) if self._spec.cache else (HOME,)
            folders = {CODE: self._spec.block.code, OURS: LAUNCHER, **dict.fromkeys(writable, Path(empty))}
            if self._inputs:
                folders[INPUTS] = self._spec.link_inputs({volume.key: volume.data for volume in self._inputs})
            put_folders(self._client, container, INSIDE, folders, writable, self._spec.work)
        for volume in self._inputs:
            volume.fill(self._client, container, self._spec, self._keeping)

    def bring(self, container: str, unit: Unit) -> None:
        inside = WORK / unit.folder.name
        writable = (inside / "in", inside / "out")
        put_folders(self._client, container, INSIDE, {inside: unit.folder}, writable, self._spec.work)

    def fetch(self, container: str, unit: Unit) -> None:
        get_folder(self._client, container, WORK / unit.folder.name / "out", unit.folder / "out", self._limits)

    def empty(self) -> bool:
        return False

    def close(self) -> None:
        pass
