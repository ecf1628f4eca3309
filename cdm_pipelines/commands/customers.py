"""``cdm customer`` and ``cdm export``: reading what is published.

Belongs here: questions about golden customers. Does not belong here: how they are stored (hub.queries).
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cdm_pipelines.commands.terminal import REFUSED, console, fail, settings, show, told_to_people, writable


class ExportFormat(StrEnum):
    """File formats of an export."""

    CSV = "csv"
    PARQUET = "parquet"
    JSONL = "jsonl"


export = typer.Typer(help="Write published tables to a file.", no_args_is_help=True)


def customer(
    search: Annotated[
        list[str], typer.Argument(help="Name, e-mail, phone, postcode, record id or golden id.")
    ],
    limit: Annotated[int, typer.Option(help="Most customers to show.", min=1)] = 10,
) -> None:
    """Find a customer; with one match, show the records behind it and where each value came from."""
    from cdm_pipelines.hub import queries  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415
    from cdm_pipelines.hub.migrate import migrate  # noqa: PLC0415

    with told_to_people(), open_hub(settings()) as engine:
        migrate(engine)
        with engine.connect() as connection:
            found = queries.search_customers(connection, " ".join(search), limit)
            if not found:
                fail("No customer found.", REFUSED)
            show("Customers", found)
            if len(found) == 1:
                one = queries.customer(connection, str(found[0]["golden_id"]))
                if one is not None:
                    show("Source records", one.records)
                    show("Where each value came from", one.provenance)


@export.command("golden")
def export_golden(
    format: Annotated[ExportFormat, typer.Option(help="File format.")] = ExportFormat.CSV,  # noqa: A002 - the option's name
    out: Annotated[Path, typer.Option(help="File to write; named after the format when left out.")] = Path(),
) -> None:
    """Export all golden customers."""
    from cdm_pipelines.flows.export import export_customers  # noqa: PLC0415

    target = writable(out if out != Path() else Path(f"customers.{format}"))
    with told_to_people():
        rows = export_customers(settings(), target, str(format))
    console.print(f"{rows:,} customers written to {target}", markup=False)
