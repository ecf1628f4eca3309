"""The reference of the command line, from the commands themselves.

Belongs here: how a command, its arguments and options are shown. Does not belong here: what they do.
"""

import re
from collections.abc import Iterator
from typing import Any

import typer

from cdm_pipelines.cli import app

_HEAD = """\
# Commands

*Written by `make docs` from the code; do not edit.*

`cdm` is in `.venv/bin` of the checkout. Exit codes: 0 done, 1 done with something refused or not found, 2 wrong usage
or settings, 3 the platform failed. `cdm COMMAND --help` shows the same on the terminal.
"""


def commands_page() -> str:
    """Every command of ``cdm`` with its arguments and options."""
    return "\n".join([_HEAD, *_group(typer.main.get_command(app), "cdm")]).rstrip() + "\n"


def _group(group: Any, name: str) -> Iterator[str]:
    for word in sorted(group.commands):
        command = group.commands[word]
        if command.hidden:
            continue
        whole = f"{name} {word}"
        level = "#" * (whole.count(" ") + 1)
        yield f"{level} {whole}\n"
        yield f"{_words(command.help or '')}\n"
        if hasattr(command, "commands") and getattr(command, "invoke_without_command", False) is False:
            yield from _group(command, whole)
            continue
        yield from _command(command, whole)
        if hasattr(command, "commands"):
            yield from _group(command, whole)


def _command(command: Any, whole: str) -> Iterator[str]:
    shown = [item for item in command.params if not getattr(item, "hidden", False) and item.name != "help"]
    arguments = [_metavar(item) for item in shown if item.param_type_name == "argument"]
    options = ["[OPTIONS]"] if any(item.param_type_name == "option" for item in shown) else []
    yield f"```\n{' '.join([whole, *options, *arguments])}\n```\n"
    if not shown:
        return
    yield "| | Default | Meaning |\n|---|---|---|"
    for item in shown:
        names = (
            ", ".join(f"`{name}`" for name in [*item.opts, *item.secondary_opts])
            if item.param_type_name == "option"
            else f"`{_metavar(item)}`"
        )
        yield f"| {names} | {_default(item)} | {_words(getattr(item, 'help', None) or '')} |"
    yield ""


def _metavar(item: Any) -> str:
    name = str(item.name).upper()
    name = f"{name}..." if item.nargs == -1 or item.multiple else name
    return name if item.required else f"[{name}]"


def _default(item: Any) -> str:
    if item.required:
        return "required"
    if callable(item.default) or item.default in (None, (), [], "", False):
        return ""
    return f"`{item.default}`"


def _words(text: str) -> str:
    """One line of Markdown: the blanks of a docstring folded, signs of a table kept from being one."""
    return re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split())).replace("|", "\\|").replace("<", "&lt;")
