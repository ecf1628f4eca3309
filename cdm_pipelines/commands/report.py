"""``cdm report``: one page about customer data for the board.

Belongs here: writing it where somebody wants it. Does not belong here: what it says (insight, steps.insight).
"""

from pathlib import Path
from typing import Annotated

import typer

from cdm_pipelines.commands.kpis import LANGUAGE, MONTH
from cdm_pipelines.commands.terminal import console, hub, settings, told_to_people, writable


def report(
    *,
    month: Annotated[str | None, MONTH] = None,
    language: Annotated[str, LANGUAGE] = "en",
    out: Annotated[
        Path | None, typer.Option("--out", help="The file; report-MONTH.LANGUAGE.html here when left out.")
    ] = None,
) -> None:
    """Write one page about customers, key figures, value, maturity, touch points and risks: HTML, works offline."""
    from cdm_pipelines.insight.report_page import page  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.insight.report_words import language_of  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.insight import report as steps  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.insight.months import one_version, period  # noqa: PLC0415 - the same
    from cdm_pipelines.store.files import write_whole  # noqa: PLC0415 - the same
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415 - the same

    own = settings()
    with told_to_people():
        chosen, lake = language_of(language), Lake(own.lake_url)
        if out is not None:
            writable(out)
        with hub(own) as engine:
            with one_version(engine) as connection:
                meant = period(connection, month)
                made = steps.of_month(connection, lake, own, meant)
            if meant.now:
                steps.keep(lake, made)
        target = writable(out or Path(f"report-{meant.name}.{chosen}.html"))
        write_whole(target, page(made, chosen).encode())
    unknown = [one for section in made.sections for one in section.figures if one.value is None]
    figures = sum(len(section.figures) for section in made.sections)
    console.print(
        f"{target}: {len(made.sections)} sections, {figures} figures, of which {len(unknown)} cannot be measured yet.",
        markup=False,
        soft_wrap=True,
    )
