"""The DAG bundle of published templates, for `[dag_processor] dag_bundle_config_list`.

The DAG processor reads the registry in `refresh`, and brings what is active to the workspace; a worker has its job's
version from there. A version is the SHA-256 of the index: a job goes on with the contents that it began with.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion

from triptych.airflow.published.dags import DAG_FILE, DAG_FILE_TEXT, INDEX, TRACKING, UNITS
from triptych.blocks import read_catalog
from triptych.registry import Registry, open_registry
from triptych.registry.mirror import Mirror
from triptych.registry.resolving import index_bytes
from triptych.registry.syncing import sync
from triptych.settings import get_settings
from triptych.storage import Stores

_KEPT_S = 3600
"""How long a folder is kept that was the newest: Airflow may be parsing it."""


class PublishedTemplates(BaseDagBundle):  # type: ignore[misc]  # Airflow gives it no type.
    """DAGs of the templates in the registry, each with a version of all of them."""

    supports_versioning = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._tracking = self.base_dir / TRACKING
        self._current: str | None = None
        self._registry: Registry | None = None

    def initialize(self) -> None:
        """Have the folder of the version, or of the newest, from the workspace: the registry is not asked."""
        settings = get_settings()
        mirror = Mirror(settings, Stores(settings))
        with self.lock():
            version = self.version or mirror.current()
            index = index_bytes({}) if version is None else mirror.index(version)
            self._install(version or _digest(index), index)
        super().initialize()

    def refresh(self) -> None:
        """Bring what is active in the registry now; a store that fails leaves the version that was there."""
        if self.version:
            msg = "A version of a bundle is what it is: there is nothing to refresh."
            raise RuntimeError(msg)
        settings = get_settings()
        stores = Stores(settings)
        with self.lock():
            if self._registry is None:
                self._registry = open_registry(settings, stores)
            own = read_catalog(settings.include)
            taken = {template.id for template in own.templates} | own.broken.keys()
            built_in = read_catalog(()).blocks
            index = index_bytes(sync(self._registry, Mirror(settings, stores), self.base_dir / UNITS, built_in, taken))
            self._install(_digest(index), index)
            self._forget()

    def get_current_version(self) -> BundleVersion | None:
        """The index's SHA-256."""
        version = self.version or self._current
        return BundleVersion(version) if version else None

    @property
    def path(self) -> Path:
        """The folder with the DAG file."""
        folder: Path = self.versions_dir / self.version if self.version else self._tracking / (self._current or "none")
        return folder

    def _install(self, version: str, index: bytes) -> None:
        folder = (self.versions_dir if self.version else self._tracking) / version
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
            (work / DAG_FILE).write_text(DAG_FILE_TEXT, encoding="utf-8")
            (work / INDEX).write_bytes(index)
            work.chmod(0o755)
            work.rename(folder)
        self._current = version

    def _forget(self) -> None:
        """Remove folders that have not been the newest for a while."""
        last = time.time() - _KEPT_S
        (self.path / INDEX).touch()
        for folder in self._tracking.iterdir():
            with suppress(OSError):
                if folder != self.path and (folder / INDEX).stat().st_mtime < last:
                    shutil.rmtree(folder)


def _digest(index: bytes) -> str:
    import hashlib

    return hashlib.sha256(index).hexdigest()
