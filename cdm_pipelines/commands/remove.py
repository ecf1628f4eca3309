"""``cdm remove-source``: a source, or days of it, taken away on purpose.

Belongs here: asking whether it is meant, and saying what follows. Does not belong here: doing it (steps.customers).
"""

from typing import Annotated

import typer

from cdm_pipelines.commands.terminal import USAGE, console, fail, hub, is_day, settings


def remove_source(
    source: Annotated[str, typer.Argument(help="Source system, for example crm.")],
    entity: Annotated[str, typer.Option(help="Only this entity of it.")] = "",
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="Only from this day on.")] = "",
    last: Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="Only up to this day.")] = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take a source away, or days of it, also those that the lake has lost; and let the next run follow.

    Its days leave the lake in every layer, with corrections that people made. What lies in landing stays.
    """
    from cdm_pipelines.hub import source_days  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.customers.lost_days import remove, to_remove  # noqa: PLC0415 - the same
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415 - the same

    for day in filter(None, (first, last)):
        if not is_day(day):
            fail(f"{day} is not a date; write YYYY-MM-DD.", USAGE)
    own = settings()
    lake = Lake(own.lake_url)
    with hub(own) as engine:
        with engine.connect() as connection:
            found = to_remove(connection, lake, source, entity, (first, last))
            known = sorted({f"{day.source}/{day.entity}" for day in source_days.known_days(connection)})
        if not found.days and not found.files:
            fail(
                f"There is nothing of {source}{f'/{entity}' if entity else ''} on those days; customers are made from "
                f"{', '.join(known) or 'no source yet'}.",
                USAGE,
            )
        days = {(day.entity, day.date) for day in found.days}
        console.print(
            f"{len(days):,} days that customers were made from, and {len(found.files):,} tables of the lake, go."
        )
        if not yes:
            typer.confirm("Is that meant?", abort=True)
        with engine.begin() as connection:
            remove(connection, lake, found)
    console.print(
        "Done. The next run publishes customers without them. What lies in landing is ingested again unless it is "
        "taken away too, or the source's folder in defs.",
        markup=False,
    )
