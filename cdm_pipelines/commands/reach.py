"""``cdm privacy exposure`` and ``processing``: whose data was in reach, and which data is used for what.

Belongs here: those commands and how they speak. Does not belong here: working it out (steps.rights.exposure,
steps.operate.processing), requests of persons (``privacy``).
"""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.terminal import (
    USAGE,
    console,
    errors,
    fail,
    hub,
    settings,
    show,
    told_to_people,
    writable,
)

if TYPE_CHECKING:
    from cdm_pipelines.steps.rights.exposure import Exposure


def exposure(
    tables: Annotated[
        list[str] | None, typer.Option("--table", help="Table or view of the hub: schema.table.")
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option("--file", help="File, folder or pattern below lake, landing or home: lake/raw/crm/**."),
    ] = None,
    since: Annotated[
        str, typer.Option(help="Moment (2026-06-01T12:00) from when on readings and what left count.")
    ] = "",
    list_to: Annotated[
        Path | None, typer.Option("--list", help="CSV file for the golden ids of who has to be told.")
    ] = None,
) -> None:
    """Say whose data of which kind was in reach of whoever got hold of tables or files, or read since a moment."""
    from cdm_pipelines.privacy.exposure import DEADLINE  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.rights import exposure as steps  # noqa: PLC0415

    if not (tables or files or since):
        fail("Name what was in reach: --table, --file or --since.", USAGE)
    moment = _moment(since) if since else None
    path = writable(list_to) if list_to else None
    with hub(own := settings()) as engine:
        found = steps.exposure(own, engine, tables=tables or (), paths=files or (), since=moment)
        ids = found.total.golden_ids
        if path:
            steps.write_ids(path, ids)
    _tell_exposure(found)
    if path:
        console.print(f"{path}: {len(ids):,} golden ids; delete it when they were told.", markup=False)
    console.print(DEADLINE, markup=False)


def _moment(text: str) -> dt.datetime:
    """A moment; a day is its beginning, and one without a zone is of this machine's."""
    try:
        found = dt.datetime.fromisoformat(text)
        return found if found.tzinfo else found.astimezone()
    except (ValueError, OverflowError):  # the year 1 has no zone
        fail(f"--since {text} is no moment; write 2026-06-01 or 2026-06-01T12:00+02:00.", USAGE)


def _tell_exposure(found: "Exposure") -> None:
    from cdm_pipelines.privacy.exposure import high_risk  # noqa: PLC0415 - commands load what they need

    rows = [
        {
            "what": part.what,
            "customers": len(part.reach.golden_ids),
            "records of nobody": part.reach.records,
            "rows": part.rows,
            "rows that name nobody": part.unnamed,
            "note": part.note,
        }
        for part in found.parts
    ]
    show("In reach", rows, numeric=["customers", "records of nobody", "rows", "rows that name nobody"])
    counts = found.total.counts
    show(
        "By privacy category",
        [
            {
                "category": one.category,
                "read": one.read,
                "customers": one.customers,
                "records of nobody": one.records,
            }
            for one in counts
        ],
        numeric=["customers", "records of nobody"],
    )
    number = len(found.total.golden_ids)
    console.print(
        f"{number:,} golden customers were in reach, and {found.total.records:,} source records of no customer.",
        markup=False,
    )
    risk = high_risk(counts)
    if risk:
        console.print(f"High risk: {', '.join(risk)} in clear.", style="red", markup=False)


def processing(
    to: Annotated[Path, typer.Option(help="Folder to write to.", file_okay=False, writable=True)] = Path(
        "record-of-processing"
    ),
) -> None:
    """Write the record of processing activities (GDPR article 30): a page, a spreadsheet, and JSON-LD."""
    from cdm_pipelines.steps.operate.processing import write_processing  # noqa: PLC0415 - commands load what they need

    with told_to_people():
        try:
            record, paths = write_processing(settings(), to)
        except OSError as error:
            fail(f"{to}: cannot be written ({type(error).__name__}). Name another folder with --to.", USAGE)
    console.print(
        f"{len(record.activities):,} activities and {len(record.attributes):,} attributes: "
        f"{', '.join(map(str, paths))}",
        markup=False,
    )
    if record.missing:
        errors.print(
            f"Not filled in: {', '.join(record.missing)}. Say it under `controller` in policies/governance.yaml.",
            style="yellow",
            markup=False,
        )
