"""Groups of commands whose modules are imported when they are asked for: a command starts with what it needs."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group


def deferred(places: Mapping[str, str | None], group: type[TyperGroup] = TyperGroup) -> type[TyperGroup]:
    """The group with these commands: each by its name, and `module:attribute`, a function or a `typer.Typer`.

    In this order; where one is None, the group's own of that name has its place. What a module has as EPILOG is its
    command's.
    """

    class Deferred(group):  # type: ignore[misc, valid-type]  # A class given by the caller.
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            own: Mapping[str, Any] = self.commands
            self.commands: MutableMapping[str, Any] = Commands(places, own)

    return Deferred


class Commands(MutableMapping[str, Any]):  # Of Typer's own click, which it does not export.
    """Commands by name, each made when it is first looked at."""

    def __init__(self, places: Mapping[str, str | None], own: Mapping[str, Any]) -> None:
        self._places: dict[str, str | None] = {**places, **dict.fromkeys(own)}
        self._made = dict(own)

    def __getitem__(self, name: str) -> Any:
        place = self._places[name]
        if place is not None and name not in self._made:
            self._made[name] = _command(name, place)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._places[name] = None
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._made.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _command(name: str, place: str) -> Any:
    module_name, _, attribute = place.partition(":")
    module = importlib.import_module(module_name)
    found = getattr(module, attribute)
    holder = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name, epilog=getattr(module, "EPILOG", None))(found)
    return get_group(holder).commands[name]
