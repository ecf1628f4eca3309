"""What every command shares: the console, exit codes, errors as text, and the open platform.

Belongs here: how ``cdm`` speaks. Does not belong here: what a single command does.
"""

import datetime as dt
import errno
import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Literal, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from cdm_pipelines.faults import database_fault, describe
from cdm_pipelines.settings import Settings, SettingsError, load_settings
from cdm_pipelines.store.files import make_folder

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from cdm_pipelines.steps.operate.finding import Finding

DONE, REFUSED, USAGE, FAILED = 0, 1, 2, 3

WIDTH_OF_A_FILE = 160
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OF_THE_MACHINE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
}
"""What is wrong with a place that somebody named, and never with this project."""
console = Console(highlight=False, width=None if os.isatty(1) else WIDTH_OF_A_FILE)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(text: str, code: int = REFUSED) -> NoReturn:
    """Say what is wrong and leave with an exit code."""
    errors.print(text, style="red", markup=False)
    raise typer.Exit(code)


def settings() -> Settings:
    """The settings, or the end of the command with what to set."""
    try:
        return load_settings()
    except SettingsError as error:
        fail(str(error), USAGE)


def show(title: str, rows: Sequence[Mapping[str, object]], numeric: Sequence[str] = ()) -> None:
    """Print rows as a table; each has the keys of the first. Columns of golden ids stay on one line, to be copied."""
    if not rows:
        console.print(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in rows[0]:
        justify: Literal["left", "right"] = "right" if name in numeric else "left"
        texts = [text for row in rows if (text := _text(row[name]))]
        whole = bool(texts) and all(map(_ID.fullmatch, texts))
        table.add_column(name, justify=justify, overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    console.print(table)


def show_findings(title: str, findings: "Sequence[Finding]") -> None:
    """Print what was tried or compared."""
    show(
        title,
        [
            {"": "✓" if one.well else "✗", "what": one.what, "finding": one.finding, "what to do": one.fix}
            for one in findings
        ],
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def shown(*, values: bool) -> Callable[[str], str]:
    """How values are shown: as they are, or their shapes only."""
    from cdm_pipelines.contracts.told import shape  # noqa: PLC0415 - commands load what they need

    return str if values else shape


def is_day(text: str) -> bool:
    """Whether a text is a date as file names and partitions spell it: YYYY-MM-DD."""
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def writable(path: Path) -> Path:
    """A file to write, in a folder that is there and can be written to: made when it was not."""
    try:
        make_folder(path.parent)
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        fail(f"{path.parent} cannot be used as a folder: {error.strerror}.", USAGE)
    if path.is_dir():
        fail(f"{path} is a folder; give the name of a file.", USAGE)
    return path


@contextmanager
def told_to_people() -> Iterator[None]:
    """Print errors of the project as text. Of a bug the lines that led to it are printed, for whoever reports it.

    Its own text is not: it may quote a value (R6).
    """
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        if type(error).__module__.startswith("cdm_pipelines.") or database_fault(error) is not None:
            fail(describe(error))
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE and error.filename is not None:
            fail(f"{error.filename}: {error.strerror}. Name another place, or have it made writable.")
        errors.print("".join(traceback.format_tb(error.__traceback__)), markup=False)
        fail(f"{describe(error)}. This is a bug: please report the lines above, which hold no data.", FAILED)


@contextmanager
def hub(own: Settings) -> "Iterator[Engine]":
    """The hub, migrated, with errors of the project told as text."""
    from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.privacy.migrated import bring_up  # noqa: PLC0415

    with told_to_people(), open_hub(own) as engine:
        bring_up(engine, own)
        yield engine
