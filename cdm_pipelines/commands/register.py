"""``cdm register``: every place that holds data.

Belongs here: the table, and the same as CSV or JSON. Does not belong here: what the places are (steps.operate.places).
"""

import csv
import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from cdm_pipelines.commands.terminal import settings, show, told_to_people


class RegisterFormat(StrEnum):
    """How the register is shown."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def register(
    format: Annotated[RegisterFormat, typer.Option(help="How to show it.")] = RegisterFormat.TABLE,  # noqa: A002 - the option's name
    personal: Annotated[
        bool, typer.Option("--personal", help="Only places that hold data of persons.")
    ] = False,
) -> None:
    """Show every place that holds data: where, of whom, kept how long, how it is searched and erased."""
    from cdm_pipelines.steps.operate.places import all_places  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.operate.register_document import COLUMNS, rows  # noqa: PLC0415

    with told_to_people():
        places = [place for place in all_places(settings()) if place.categories or not personal]
    found = rows(places)
    if format is RegisterFormat.JSON:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
    elif format is RegisterFormat.CSV:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    else:
        show("Places that hold data", [{name: row[name] for name in _SHOWN} for row in found])


_SHOWN = ("place", "where", "categories", "of whom", "kept", "searched by", "erased")
