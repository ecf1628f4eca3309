"""Mending what sources delivered: a row in place, its day run again, and who works on what.

Belongs here: that the role may, and the call of the step. Does not belong here: what a correction does (steps.days),
the form of a request (pages).
"""

from collections.abc import Mapping
from typing import Any

from cdm_pipelines.console import source_rows
from cdm_pipelines.console.errors import RefusedError, UnknownError
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.console.works import Work, Works
from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.told import shape
from cdm_pipelines.hub import assignments
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days import quarantine
from cdm_pipelines.steps.days.quarantine import QuarantineError

_MOST = 100


def fields(row: Mapping[str, Any], contract: SourceContract, clear: set[str]) -> list[dict[str, Any]]:
    """The cells of a rejected row as a form has them, in the contract's order.

    A cell that the role does not read, or that a form would change by itself (one with line ends), is left as it is
    unless something is typed.
    """
    found = []
    for column in contract.columns:
        if column.name not in row:
            continue
        value = row[column.name]
        plain = value is None or str(value).isprintable()
        found.append(
            {
                "name": column.name,
                "means": column.description,
                "value": str(value or "") if column.name in clear and plain else "",
                "kept": not (column.name in clear and plain) and value is not None,
                "shape": shape(str(value)) if value is not None else "",
            }
        )
    return found


def correct(
    eyes: Eyes,
    settings: Settings,
    contract: SourceContract,
    place: tuple[str, str, int],
    typed: Mapping[str, str],
) -> None:
    """Put a rejected row right; it is tried again when its day is run.

    Args:
        eyes: Of who does it.
        settings: Of the deployment.
        contract: Of the source entity.
        place: The day, checksum of the row's file, and its number.
        typed: Cells by ``cell:COLUMN``, and ``empty:COLUMN`` for one that is to be emptied though it was not shown.

    Raises:
        ForbiddenError: The role may not.
        UnknownError: The row is not in quarantine, or no longer.
        RefusedError: Nothing was changed.
    """
    eyes.sight.see_that_may("quarantine")
    date, sha256, number = place
    row = held(settings, contract, date, (sha256, number))
    cells: dict[str, str | None] = {}
    for one in fields(row, contract, source_rows.clear_columns(eyes.sight, contract)):
        name = one["name"]
        said = typed.get(f"cell:{name}", "" if one["kept"] else one["value"])
        if one["kept"] and not said:
            if typed.get(f"empty:{name}"):
                cells[name] = None
        elif said != one["value"]:
            cells[name] = said or None
    if not cells:
        raise RefusedError("Nothing was changed: the row would be rejected again for the same reasons.")
    try:
        quarantine.accept_row(settings, contract.name, date, (sha256, number), cells)
    except QuarantineError as error:
        raise RefusedError(str(error)) from None


def held(settings: Settings, contract: SourceContract, date: str, place: tuple[str, int]) -> dict[str, Any]:
    """A rejected row.

    Raises:
        UnknownError: It is not in quarantine, or no longer.
    """
    try:
        return quarantine.held_row(settings, contract.name, date, *place)
    except QuarantineError as error:
        raise UnknownError(str(error)) from None


def run_key(source: str, date: str) -> str:
    """By which the run of a day is known."""
    return f"run {source} {date}"


def run_again(eyes: Eyes, works: Works, contract: SourceContract, date: str) -> Work:
    """Have a day of a source run again, and the customers that follow.

    Raises:
        ForbiddenError: The role may not.
    """
    eyes.sight.see_that_may("quarantine")
    arguments = ("run", f"--date={date}", f"--source={contract.source}")
    return works.start(run_key(contract.source, date), eyes.caller.who, arguments)


def assign(eyes: Eyes, work: assignments.Work, who: str) -> None:
    """Note who works on something; nobody when empty.

    Raises:
        ForbiddenError: The role may not.
        RefusedError: That is no name.
    """
    eyes.sight.see_that_may("quarantine")
    name = who.strip()
    if len(name) > _MOST or not name.isprintable():
        raise RefusedError("Write the name of a colleague, in at most 100 characters.")
    assignments.assign(eyes.connection, work, name, eyes.caller.who)
