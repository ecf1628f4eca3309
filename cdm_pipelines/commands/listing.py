"""Commands that are loaded when they are called: what loads them, and what ``cdm --help`` shows of them.

Belongs here: how. Does not belong here: which commands there are (``cli``), what they do (the other modules).
"""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

ROOM = "cdm_pipelines.commands"


@dataclass(frozen=True)
class Listed:
    """A command, or a group of them, before it is loaded.

    Attributes:
        panel: Under which heading of the help it is listed.
        place: ``module:function``, or ``module:application`` of a group.
        help: What is listed of it: the first paragraph of its own help.
        also: More commands of a group, as ``module:function``.
        passed_on: Whether all that is written after it is for somebody else, ``--help`` too.
    """

    panel: str
    place: str
    help: str
    also: tuple[str, ...] = ()
    passed_on: bool = False

    def loaded(self, name: str) -> Any:
        """The command itself."""
        given = _at(self.place)
        app = typer.Typer()
        if isinstance(given, typer.Typer):
            for more in self.also:
                given.command()(_at(more))
            app.add_typer(given, name=name, rich_help_panel=self.panel)
        else:
            settings: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
            if self.passed_on:
                settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
            app.command(name, rich_help_panel=self.panel, context_settings=settings)(given)
        app.callback()(_nothing)
        group: Any = typer.main.get_command(app)
        return group.commands[name]

    def shown(self, name: str) -> TyperCommand:
        """What stands for it in a list."""
        return TyperCommand(name, help=self.help, rich_help_panel=self.panel)


class _Commands(MutableMapping[str, Any]):
    """Commands by name; each is loaded once, when it is asked for."""

    def __init__(self, listed: Mapping[str, Listed]) -> None:
        self.listed, self._loaded = listed, dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self.listed[name].loaded(name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.listed)

    def __len__(self) -> int:
        return len(self.listed)


def group_of(listed: Mapping[str, Listed]) -> type[TyperGroup]:
    """The class of a group that has these commands."""
    commands = _Commands(listed)

    class Group(TyperGroup):
        """A group that loads a command when it is called, and none to list them."""

        _lists = False

        def __init__(self, **more: Any) -> None:
            super().__init__(**{**more, "commands": commands})

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - all of them, unloaded
            return list(listed)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            self._lists = True
            try:
                super().format_help(ctx, formatter)
            finally:
                self._lists = False

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if self._lists:
                return listed[cmd_name].shown(cmd_name)
            return super().get_command(ctx, cmd_name)

    return Group


def _at(place: str) -> Any:
    module, name = place.split(":")
    return getattr(import_module(f"{ROOM}.{module}"), name)


def _nothing() -> None:
    """A callback: with one, an application of a single command is a group."""
