"""``cdm add-source``: a source from the shipped contracts of a system.

Belongs here: what is listed, asked for and told. Does not belong here: the contracts, and how they are put in place
(connectors).
"""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from cdm_pipelines.commands.terminal import USAGE, console, fail, show, told_to_people


def add_source(
    connector: Annotated[
        str, typer.Argument(help="A system, such as hubspot; all of them are listed when left out.")
    ] = "",
    entity: Annotated[
        list[str] | None, typer.Option(help="What of it: contact, customer …; can be repeated.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the source; the system's when left out.")] = "",
    file: Annotated[
        Path | None,
        typer.Option(
            help="An export of that entity: delimiter, encoding, dates and decimal sign are taken from it.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where sources lie; cdm_pipelines/defs when left out.", file_okay=False),
    ] = None,
) -> None:
    """Put the contract and the component of a known system in place; nothing that is there is overwritten."""
    from cdm_pipelines.connectors import (  # noqa: PLC0415 - commands load what they need
        PlacingError,
        UnknownConnectorError,
        connector_named,
        connectors,
        place,
    )
    from cdm_pipelines.contracts.catalogue import DEFS  # noqa: PLC0415

    if not connector:
        rows = [
            {"system": one.name, "entity": entity, "what, and how it is exported": told}
            for one in connectors()
            for entity, told in one.entities.items()
        ]
        show("Connectors", rows)
        console.print("Put one in place with: cdm add-source SYSTEM --entity ENTITY", markup=False)
        return
    try:
        chosen = connector_named(connector)
        if not entity:
            names = "\n".join(f"  --entity {one}: {told}" for one, told in chosen.entities.items())
            fail(f"Say what of {chosen.title}:\n{names}", USAGE)
        start = dt.datetime.now(tz=dt.UTC).date().replace(month=1, day=1).isoformat()
        with told_to_people():
            placed = place(chosen, entity, folder or DEFS, start=start, name=name, file=file)
    except (PlacingError, UnknownConnectorError) as error:
        fail(str(error))
    for path in placed.written:
        console.print(f"Written: {path}", markup=False, soft_wrap=True)
    for path in placed.kept:
        console.print(f"Left as it is: {path}", markup=False, soft_wrap=True)
    for told in placed.told:
        console.print(told, markup=False, soft_wrap=True)
    source = name or chosen.name
    console.print(
        f"Edit what differs (owner, delivery, columns), then: cdm check --write. "
        f"Extracts land as {source}/{entity[0]}/YYYY-MM-DD….",
        markup=False,
        soft_wrap=True,
    )
