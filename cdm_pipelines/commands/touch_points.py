"""``cdm touch-points``: where customers meet the company, what is delivered of it, and where identity is lost.

Belongs here: how it is printed. Does not belong here: counting (steps.insight).
"""

from typing import Annotated

from cdm_pipelines.commands.kpis import LANGUAGE, MONTH
from cdm_pipelines.commands.terminal import console, hub, settings, show, told_to_people

_LOST = {"en": "Visits that name nobody", "nl": "Bezoeken die niemand noemen"}
_KNOWN = {"en": "became a customer's", "nl": "werden van een klant"}


def touch_points(
    *,
    month: Annotated[str | None, MONTH] = None,
    language: Annotated[str, LANGUAGE] = "en",
) -> None:
    """Show the touch points, how often people are recognised there, the gaps, and from which they go to which."""
    from cdm_pipelines.insight.handover import LOST  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.insight.report_words import language_of  # noqa: PLC0415 - the same
    from cdm_pipelines.insight.touch_points import TouchPointPolicy, gaps, unknown_sources  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.insight import touch_points as steps  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.insight.months import one_version, period  # noqa: PLC0415 - the same
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415 - the same

    own = settings()
    with told_to_people():
        chosen = language_of(language)
        with hub(own) as engine, one_version(engine) as connection:
            meant = period(connection, month)
            found = steps.of_month(connection, Lake(own.lake_url), own, meant)
        policy = TouchPointPolicy.load(own.policies)
    numbers = ("contacts", "recognised", "complete", "hidden")
    show(f"{meant.name}, {meant.as_of}", steps.told_points(found.points, policy, chosen), numbers)
    order = [steps.told_points([row], policy, chosen)[0] for row in gaps(found.points)]
    show(
        "Gaps, the largest first",
        [{name: row[name] for name in ("touch point", "hidden")} for row in order],
        ("hidden",),
    )
    titles = {key: one.title.read(chosen) for key, one in policy.touch_points.items()}
    for row in found.next[:10]:
        console.print(steps.step_words(row, titles, chosen), markup=False, soft_wrap=True)
    if found.identity is not None:
        lost = {LOST[reason].read(chosen): count for reason, count in found.identity.lost.items()}
        rows = [{"": name, "visits": n} for name, n in {_KNOWN[chosen]: found.identity.known, **lost}.items()]
        show(f"\n{_LOST[chosen]}: {found.identity.anonymous:,}", rows, ("visits",))
    for problem in unknown_sources(policy):
        console.print(problem, style="yellow", markup=False, soft_wrap=True)
