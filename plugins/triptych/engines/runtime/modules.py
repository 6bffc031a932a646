"""The modules of one engine's code: they import each other by plain names, as scripts do, and nobody else sees them.

`import helper` beside `main.py` must find this engine's `helper.py`, also when another engine with a `helper` of its
own ran before, runs in another thread, or has other code under the same name. So `main.py` is a package of a name that
holds the code's digest, its siblings are in it, and their `import` statement, which Python takes from a module's
`__builtins__` (documented with `exec`), looks there first. No plain name in `sys.modules` is used, and no `sys.path`.
"""

from __future__ import annotations

import builtins
import importlib.util
import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from types import CodeType, ModuleType

from triptych.blocks import Block, code_digest

PREFIX = "triptych_engine_"
_DIGITS = 12
_numbers = itertools.count()


class EngineModules:
    """The modules of one engine as one stage runs it; each stage has its own, with module variables of their own."""

    def __init__(self, block: Block) -> None:
        # The number, as two threads may run one engine: the first to end must not take the other's modules away.
        digest = code_digest(block)[:_DIGITS]
        self.package = f"{PREFIX}{block.role}_{block.name}_{digest}_{next(_numbers)}"
        self._main = block.code / block.entrypoint
        self._folders = (str(block.code), os.path.realpath(block.code))
        self._builtins = {**vars(builtins), "__import__": self._import}
        self._finders: dict[str, FileFinder] = {}
        self._siblings: dict[str, bool] = {}

    def load(self) -> ModuleType:
        """The engine's main module, executed; what its code raises comes as it is."""
        loader = _SourceLoader(self._builtins, self.package, str(self._main))
        beside = [str(self._main.parent)]
        spec = ModuleSpec(self.package, loader, origin=str(self._main), is_package=True)
        spec.submodule_search_locations, spec.has_location = beside, True
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.package] = module  # Dataclasses, and its siblings, look their module up.
        loader.exec_module(module)
        return module

    def find(self, fullname: str, folders: Sequence[str]) -> ModuleSpec | None:
        """The module of this whole name, in one of the folders of the package that it is in."""
        spec = next((spec for folder in folders if (spec := self._finder(folder).find_spec(fullname))), None)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _SourceLoader(self._builtins, fullname, spec.loader.path)
        return spec

    def forget(self) -> None:
        """Take out of `sys` whatever comes from this code, also what the engine has put there itself."""
        for entry in filter(self._is_inside, tuple(sys.path)):
            sys.path.remove(entry)
        for entry in filter(self._is_inside, tuple(sys.path_importer_cache)):
            sys.path_importer_cache.pop(entry, None)
        # A copy: while a list of its items is made, a collection of garbage can let another thread import.
        for name, module in sys.modules.copy().items():
            is_engines = name.startswith(PREFIX)  # Of this code, too, where another thread runs it.
            is_own = name == self.package or name.startswith(f"{self.package}.")
            if is_own or (not is_engines and self._is_inside(getattr(module, "__file__", None) or "")):
                sys.modules.pop(name, None)

    def _finder(self, folder: str) -> FileFinder:
        if folder not in self._finders:
            kinds = ((ExtensionFileLoader, EXTENSION_SUFFIXES), (SourceFileLoader, SOURCE_SUFFIXES))
            self._finders[folder] = FileFinder(folder, *kinds)
        return self._finders[folder]

    def _import(
        self,
        name: str,
        globals_: Mapping[str, object] | None = None,
        locals_: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What the `import` statement calls in these modules: an absolute name means a sibling first."""
        top = name.partition(".")[0]
        if level or not self._is_sibling(top):
            return builtins.__import__(name, globals_, locals_, fromlist or (), level)
        found = builtins.__import__(f"{self.package}.{name}", globals_, locals_, fromlist or (), 0)
        # As `import a.b` binds `a`; with a list of names it is `a.b` itself.
        return found if fromlist else sys.modules[f"{self.package}.{top}"]

    def _is_sibling(self, top: str) -> bool:
        if top not in self._siblings:
            spec = self.find(f"{self.package}.{top}", [str(self._main.parent)])
            # A folder of data is a package only where no library has its name, as everywhere in Python.
            self._siblings[top] = spec is not None and (spec.loader is not None or not _is_library(top))
        return self._siblings[top]

    def _is_inside(self, path: str) -> bool:
        return path in self._folders or path.startswith(tuple(f"{folder}{os.sep}" for folder in self._folders))


class _SourceLoader(SourceFileLoader):
    """Gives a module the builtins of its engine; reads no `.pyc`, which an edit within one second leaves behind."""

    def __init__(self, own_builtins: Mapping[str, object], fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._own_builtins = own_builtins

    def get_code(self, fullname: str) -> CodeType:
        """Compiled from the source, each time."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code, with the engine's own `import` statement."""
        module.__dict__["__builtins__"] = self._own_builtins
        super().exec_module(module)


class _LiveEngines(MetaPathFinder):
    """Finds the siblings of the engines that are loaded now; stands in `sys.meta_path` for good, as lists that threads
    search must not lose elements."""

    def __init__(self) -> None:
        self._engines: dict[str, EngineModules] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module, when its package is an engine's."""
        engine = self._engines.get(fullname.partition(".")[0])
        return engine.find(fullname, path or ()) if engine else None

    @contextmanager
    def holding(self, engine: EngineModules) -> Iterator[None]:
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        self._engines[engine.package] = engine
        try:
            yield
        finally:
            del self._engines[engine.package]


_live = _LiveEngines()


@contextmanager
def engine_modules(block: Block) -> Iterator[EngineModules]:
    """Modules that can be imported, also late and inside functions, while the context lasts; then nothing is left."""
    engine = EngineModules(block)
    with _live.holding(engine):
        try:
            yield engine
        finally:
            engine.forget()


def _is_library(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None
