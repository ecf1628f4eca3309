"""``cdm quarantine``: what was rejected and why, out to a person and corrected back in."""

from pathlib import Path
from typing import Annotated

import typer

from cdm_pipelines.commands.reading import AsRole, ForPurpose, login, note
from cdm_pipelines.commands.run import run_days
from cdm_pipelines.commands.terminal import (
    USAGE,
    console,
    fail,
    hub,
    is_day,
    settings,
    show,
    told_to_people,
    writable,
)

app = typer.Typer(help="Rows that were rejected: list, show, correct, retry.", no_args_is_help=True)

SourceOption = Annotated[str, typer.Option(help="Only this source.")]
DateOption = Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Only this extract date.")]


@app.command("list")
def list_quarantine(source: SourceOption = "", date: DateOption = "") -> None:
    """Count quarantined rows and repaired cells per source, entity, day and rule."""
    from cdm_pipelines.steps.days.quarantine import overview  # noqa: PLC0415

    with told_to_people():
        rows = overview(settings(), source, _day(date))
    show("Quarantine", rows, numeric=["rows", "cells"])


@app.command("show")
def show_rows(
    source: Annotated[str, typer.Argument(help="source/entity, for example crm/contact.")],
    date: DateOption = "",
    limit: Annotated[int, typer.Option(min=1, help="Most rows to show.")] = 20,
) -> None:
    """Show where rejected rows are and why: file, row, column, rule and the shape of the value."""
    from cdm_pipelines.steps.days.quarantine import reasons  # noqa: PLC0415

    with told_to_people():
        show(f"Quarantine of {source}", reasons(settings(), source, _day(date), limit), numeric=["row"])


@app.command()
def cells(
    source: Annotated[str, typer.Argument(help="source/entity, for example crm/contact.")],
    date: DateOption = "",
    limit: Annotated[int, typer.Option(min=1, help="Most cells to show.")] = 20,
) -> None:
    """Show cells of accepted rows that came to nothing or to less: where, rule, shape, what became of them."""
    from cdm_pipelines.steps.days.quarantine import repaired_cells  # noqa: PLC0415

    with told_to_people():
        rows = repaired_cells(settings(), source, _day(date), limit)
    show(f"Repaired cells of {source}", rows, numeric=["row"])


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="source/entity, for example crm/contact.")],
    date: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Extract date.")],
    out: Annotated[Path, typer.Option(help="CSV file to write.")],
    role: AsRole = "",
    purpose: ForPurpose = "",
) -> None:
    """Write a day's rejected rows as CSV, to be corrected and given to `cdm quarantine retry`."""
    from cdm_pipelines.contracts.catalogue import contract_named  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.privacy import exports  # noqa: PLC0415
    from cdm_pipelines.steps.days.quarantine import export_rows, held_count  # noqa: PLC0415
    from cdm_pipelines.steps.privacy.reading import delivered_categories, reading  # noqa: PLC0415

    own, day, target = settings(), _day(date), writable(out)
    with told_to_people():
        held, shown = held_count(own, source, day), delivered_categories([contract_named(source)])
    with hub(own) as engine:
        noted = reading(own, login(), "cdm quarantine export", role, purpose)
        if held:
            note(engine, noted, categories=shown, rows=held)
        with exports.noting(own.home, target, by=login(), what=f"rejected rows of {source}"):
            rows = export_rows(own, source, day, target)
    console.print(
        f"{rows:,} rows written to {out}. They hold personal data: delete the file after use.", markup=False
    )


@app.command()
def retry(
    file: Annotated[Path, typer.Argument(help="The corrected CSV.", exists=True, dir_okay=False)],
) -> None:
    """Take corrected rows back and run their days again."""
    from cdm_pipelines.steps.days.quarantine import accept_corrections  # noqa: PLC0415

    own = settings()
    with told_to_people():
        taken = accept_corrections(own, file)
    for accepted in taken:
        console.print(
            f"{accepted.rows:,} corrected rows for {accepted.contract.name} of {accepted.date}", markup=False
        )
    if taken[0].unknown:
        console.print(
            f"{taken[0].unknown:,} rows of the file are in no quarantine, or no longer: they were left out.",
            markup=False,
            style="yellow",
        )
    if taken[0].unchanged:
        console.print(
            f"{taken[0].unchanged:,} rows of the file stand as they were exported: they were left out.",
            markup=False,
            style="yellow",
        )
    days = sorted({(accepted.date, accepted.contract.source) for accepted in taken})
    raise typer.Exit(max(run_days(own, (date, date), [source]) for date, source in days))


def _day(date: str) -> str:
    if date and not is_day(date):
        fail(f"{date} is not a date; write YYYY-MM-DD.", USAGE)
    return date
