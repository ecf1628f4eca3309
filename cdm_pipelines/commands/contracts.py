"""``cdm suggest``: first contracts for a file that nobody has described yet.

Belongs here: where they are printed or written. Does not belong here: what is suggested (quality).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.terminal import console, fail, told_to_people, writable
from cdm_pipelines.store.files import write_whole

if TYPE_CHECKING:
    from cdm_pipelines.quality.suggested import Suggestion


def suggest(
    file: Annotated[Path, typer.Argument(help="An extract to profile.", exists=True, dir_okay=False)],
    source: Annotated[str, typer.Option(help="Name of the source.")] = "",
    entity: Annotated[str, typer.Option(help="Name of the main entity.")] = "",
    sheet: Annotated[
        str, typer.Option(help="Sheet of a workbook; the one with the largest table when left out.")
    ] = "",
    out: Annotated[
        Path,
        typer.Option(help="Contract to write, those of further entities beside it; printed when left out."),
    ] = Path(),
) -> None:
    """Profile a file and write first contracts to edit, one per entity in it, with how sure they are of each column."""
    from cdm_pipelines.quality.suggest import suggest_all  # noqa: PLC0415 - commands load what they need

    with told_to_people():
        found = suggest_all(
            file, source=source or file.parent.name, entity=entity or file.stem, sheet=sheet or None
        )
    if out == Path():
        for text in _printed(found):
            console.print(text, markup=False, soft_wrap=True, end="")
        return
    main, *others = found
    targets = {out: main, **{out.parent / f"{one.entity}.odcs.yaml": one for one in others}}
    written = {path: one.to_yaml().encode() for path, one in targets.items()}
    if edited := [path for path, yaml in written.items() if path.is_file() and path.read_bytes() != yaml]:
        fail(
            f"{', '.join(map(str, edited))}: there already, with other content, which may be somebody's work. Move it "
            "away, or write with --out to another folder."
        )
    for path, yaml in written.items():
        write_whole(writable(path), yaml)
        console.print(f"Contract written to {path}: read every line that says it is unsure.", markup=False)


def _printed(found: "tuple[Suggestion, ...]") -> list[str]:
    """The contracts as one text, each but the first after the line that parts documents of YAML."""
    main, *others = found
    if not others:
        return [main.to_yaml()]
    names = ", ".join(f"{one.entity}.odcs.yaml" for one in found)
    head = f"# This file holds {len(found)} entities. Keep each contract in a file of its own: {names}.\n"
    return [head, main.to_yaml(), *(f"---\n{one.to_yaml()}" for one in others)]
