"""``cdm suggest``: a first contract for a file that nobody has described yet."""

from pathlib import Path
from typing import Annotated

import typer

from cdm_pipelines.commands.terminal import console, told_to_people, writable
from cdm_pipelines.store.files import write_whole


def suggest(
    file: Annotated[Path, typer.Argument(help="An extract to profile.", exists=True, dir_okay=False)],
    source: Annotated[str, typer.Option(help="Name of the source.")] = "",
    entity: Annotated[str, typer.Option(help="Name of the entity.")] = "",
    out: Annotated[Path, typer.Option(help="Contract to write; printed when left out.")] = Path(),
) -> None:
    """Profile a file and write a first contract to edit, with how sure it is of each column."""
    from cdm_pipelines.quality.suggest import suggest as profile  # noqa: PLC0415

    with told_to_people():
        text = profile(file, source=source or file.parent.name, entity=entity or file.stem).to_yaml()
    if out == Path():
        console.print(text, markup=False, soft_wrap=True, end="")
    else:
        write_whole(writable(out), text.encode())
        console.print(f"Contract written to {out}: read every line that says it is unsure.", markup=False)
