"""``cdm backup``, ``cdm restore`` and ``cdm verify``: nothing is lost, and people know that it is not.

Belongs here: options, progress and summaries. Does not belong here: doing it (steps.operate).
"""

from typing import Annotated

import typer

from cdm_pipelines.commands.terminal import (
    FAILED,
    USAGE,
    console,
    fail,
    hub,
    settings,
    show_findings,
    told_to_people,
)


def _progress(what: str) -> None:
    console.print(f"{what} …", markup=False)


def _size(number: int) -> str:
    return f"{number / 1_000_000:,.1f} MB"


def _place(given: str) -> str:
    """A folder or URL that can be used, or the end of the command with what is wrong with it."""
    from cdm_pipelines.settings import place  # noqa: PLC0415 - commands load what they need

    try:
        return place(given)
    except ValueError as error:
        fail(f"{given}: {error}.", USAGE)


def backup(
    to: Annotated[str, typer.Argument(help="Folder or fsspec URL (s3://…) that backups lie in.")],
    keep: Annotated[
        int, typer.Option(min=0, help="Afterwards remove all but so many backups there; 0 removes none.")
    ] = 0,
    patience: Annotated[
        float, typer.Option(min=0, help="Minutes to wait for a moment in which no run is writing.")
    ] = 30,
) -> None:
    """Copy lake, hub and secret as they are at one moment, while the pipeline runs, and read the copy back."""
    from cdm_pipelines.steps.operate import backup as backups  # noqa: PLC0415 - commands load what they need

    to = _place(to)
    with hub(own := settings()) as engine:
        made = backups.back_up(own, engine, to, patience=60 * patience, progress=_progress)
        gone = backups.keep_newest(to, keep) if keep else []
    console.print(
        f"✓ {made.place.url}: {made.manifest.files:,} files, {_size(made.manifest.size)}, publication "
        f"{made.manifest.publication or 'none yet'}, read back and compared",
        markup=False,
    )
    if gone:
        console.print(f"removed {len(gone):,} older ones", markup=False)


def restore(
    where: Annotated[
        str, typer.Argument(metavar="FROM", help="A backup, or a folder of them for the newest.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of the lake and hub that are there.")
    ] = False,
) -> None:
    """Make lake, hub and secret what they were, in the CDM_HOME and database of the settings; then verify them."""
    from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.operate.backup import open_backup  # noqa: PLC0415
    from cdm_pipelines.steps.operate.restore import restore as put_back  # noqa: PLC0415
    from cdm_pipelines.steps.rights.replay import replay  # noqa: PLC0415

    own = settings()
    with told_to_people():
        chosen = open_backup(_place(where))
        console.print(
            f"from {chosen.place.url}, of {chosen.manifest.made_at:%Y-%m-%d %H:%M} UTC", markup=False
        )
        with open_hub(own, restoring=True) as engine:
            put_back(
                own,
                engine,
                chosen,
                replace=replace,
                before_readers=lambda: replay(own, engine, chosen, _progress),
                progress=_progress,
            )
    _verified(thorough=True)


def verify(
    of_backup: Annotated[
        str,
        typer.Option(
            "--backup", help="Compare a backup with its checksums instead, or the newest of a folder."
        ),
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not make the hub's tables anew from the lake to compare them.")
    ] = False,
) -> None:
    """Compare every file and table with what was written, the hub with the lake, and the chain of decisions."""
    if of_backup:
        from cdm_pipelines.steps.operate.backup import faults, open_backup  # noqa: PLC0415

        with told_to_people():
            chosen = open_backup(_place(of_backup))
            wrong = list(faults(chosen))
        if wrong:
            fail("\n".join(f"✗ {chosen.place.url}: {one}" for one in wrong), FAILED)
        console.print(
            f"✓ {chosen.place.url}: {chosen.manifest.files:,} files are what was copied", markup=False
        )
    else:
        _verified(thorough=not quick)


def _verified(*, thorough: bool) -> None:
    from cdm_pipelines.steps.operate.verify import verify as compare  # noqa: PLC0415 - commands load what they need

    with hub(own := settings()) as engine, engine.connect() as connection:
        found = compare(connection, own, thorough=thorough, progress=_progress)
        connection.rollback()
    show_findings("Compared", found)
    if not all(one.well for one in found):
        fail("Something is not what it should be.", FAILED)
