"""``cdm maturity``: how mature the handling of customer data is, what shows it, and what the next level takes.

Belongs here: how it is printed. Does not belong here: what a level asks for (insight), or measuring (steps.insight).
"""

from typing import Annotated

from cdm_pipelines.commands.kpis import LANGUAGE, MONTH
from cdm_pipelines.commands.terminal import console, hub, settings, show, told_to_people


def maturity(
    *,
    month: Annotated[str | None, MONTH] = None,
    language: Annotated[str, LANGUAGE] = "en",
) -> None:
    """Show levels 1 to 5 for vision, data, technology, organisation and governance, with evidence for each."""
    from cdm_pipelines.insight.report_words import language_of  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.insight import maturity as steps  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.insight.months import one_version, period  # noqa: PLC0415 - the same

    own = settings()
    with told_to_people():
        chosen = language_of(language)
        with hub(own) as engine, one_version(engine) as connection:
            meant = period(connection, month)
            rows = steps.of_month(connection, own, meant)
            history = steps.history(connection, meant)
    show(f"{meant.name}, {meant.as_of}", steps.told_rows(rows, chosen))
    if any(len(levels) > 1 for levels in history.values()):
        show("", [{"": name, **{at: str(level) for at, level in levels}} for name, levels in history.items()])
    unknown = sum(one.get("answer", "") is None for row in rows for one in row["evidence"])
    if unknown:
        console.print(
            f"{unknown} questions have no answer yet: policies/maturity.yaml asks them.", soft_wrap=True
        )
