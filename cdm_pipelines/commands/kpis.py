"""``cdm kpis``: the key figures of a month against their targets, and how they went.

Belongs here: how they are printed. Does not belong here: what they are (insight), or asking the hub (steps.insight).
"""

from typing import Annotated

import typer

from cdm_pipelines.commands.terminal import console, hub, settings, show, told_to_people

MONTH = typer.Option("--month", metavar="YYYY-MM", help="The month; that of the newest data when left out.")
LANGUAGE = typer.Option("--language", help="en or nl.")


def kpis(
    *,
    month: Annotated[str | None, MONTH] = None,
    language: Annotated[str, LANGUAGE] = "en",
    queries: Annotated[bool, typer.Option("--queries", help="Show definition and query of each.")] = False,
) -> None:
    """Show the nine key figures of the central customer view, and keep those of the newest month."""
    from cdm_pipelines.insight.report_words import day_name, language_of, month_name  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.insight import kpis as steps  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.insight.months import one_version, period  # noqa: PLC0415 - the same

    own = settings()
    with told_to_people():
        chosen = language_of(language)
        with hub(own) as engine, one_version(engine) as connection:
            meant = period(connection, month)
            found = steps.of_month(connection, own, meant)
            series = steps.series(connection, own, meant)
    rows = [steps.row(own, one, chosen) for one in found]
    numbers = ("value", "target", "base")
    title = steps.TITLE.filled(month=month_name(meant.first, chosen), day=day_name(meant.as_of, chosen))
    show(title.read(chosen), rows, numbers)
    if any(len(one) > 1 for one in series.values()):
        show(
            "Month by month",
            [
                {"key": key, **steps.monthly(own, key, values, chosen)}
                for key, values in series.items()
                if len(values) > 1
            ],
        )
    for one in found if queries else ():
        _say(f"\n{one.key}: {one.kpi.definition.read(chosen)}")
        _say(one.query)


def _say(words: str) -> None:
    console.print(words, markup=False, soft_wrap=True)
