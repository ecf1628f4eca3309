"""``cdm profile``: scales and models of the profile, through time and side by side.

Belongs here: how they are printed. Does not belong here: what they say (enrichment), or where they are kept (hub).
"""

from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.bars import WIDTH
from cdm_pipelines.commands.terminal import console, hub, settings, show, told_to_people

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from cdm_pipelines.figures import Figures
    from cdm_pipelines.settings import Settings
    from cdm_pipelines.steps.profile.asking import Said

SHARE = "share"
"""The unit of values from 0 to 1 that are shown in percent."""
app = typer.Typer(help="What is worked out of golden customers, and with which models.", no_args_is_help=True)


@app.callback()
def _profile() -> None:
    """Keep ``model`` a command of its own."""


@app.command()
def model(
    *,
    diff: Annotated[
        bool, typer.Option("--diff", help="Hold each scale and model against the one before it.")
    ] = False,
) -> None:
    """Show the scales and models that score customers, or what is different from those before them."""
    from cdm_pipelines.steps.profile import asking  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.profile.enrich import policy_of  # noqa: PLC0415

    own = settings()
    with told_to_people(), hub(own) as engine, engine.connect() as connection:
        policy = policy_of(own)
        if diff:
            found = asking.differences(connection, policy)
            for one in found:
                _say(
                    f"{one.now.enricher}: version {one.then.number} of {one.then.as_of} (then) and {one.now.number} of "
                    f"{one.now.as_of} (now)"
                )
                if one.figures is None:
                    _say("  They cannot be compared in figures.")
                else:
                    _figures(one.figures)
            if not found:
                _say("No scale or model has a former version yet.")
            return
        rows = [
            {
                "enricher": name,
                "version": str(one.number),
                "as of": one.as_of.isoformat(),
                "fingerprint": one.fingerprint,
                "in use": "yes" if one is models[-1] else "",
            }
            for name, models in asking.versions(connection, policy).items()
            for one in reversed(models)
        ]
        show("Scales and models", rows)


def show_profile(connection: "Connection", own: "Settings", golden_id: "UUID") -> None:
    """Print what the profile says of a customer and, per value, where it comes from."""
    from cdm_pipelines.steps.profile.asking import profile_of  # noqa: PLC0415
    from cdm_pipelines.steps.profile.enrich import policy_of  # noqa: PLC0415

    rows = [
        {
            "enricher": said.enricher,
            "column": said.column,
            "value": _valued(said),
            "from": ", ".join(said.of),
            "as of": said.as_of.isoformat(),
            "model": said.model or "",
        }
        for said in profile_of(connection, policy_of(own), golden_id)
        if said.value is not None
    ]
    show("Profile", rows)


def show_best_known(connection: "Connection", own: "Settings") -> None:
    """Print what is telling of the person of whom the profile says most, and how many customers each segment has."""
    from cdm_pipelines.steps.profile import asking  # noqa: PLC0415
    from cdm_pipelines.steps.profile.enrich import policy_of  # noqa: PLC0415

    policy = policy_of(own)
    if (golden_id := asking.best_known(connection, policy)) is not None:
        rows = [
            {
                "column": f"{said.enricher}_{said.column}",
                "value": _valued(said),
                "follows from": ", ".join(said.of),
            }
            for said in asking.profile_of(connection, policy, golden_id)
            if said.value is not None and (said.enricher, said.column) in asking.TELLING
        ]
        show(
            f"\nThe profile of one customer, in part: cdm customer {golden_id} --profile has all of it", rows
        )
    if found := asking.segments(connection, policy):
        most = max(one.customers for one in found)
        show(
            "\nSegments of customers who ordered",
            [
                {
                    "segment": one.name,
                    "customers": one.customers,
                    f"spent, {policy.currency}": f"{one.net:,}",
                    "": "█" * max(round(WIDTH * one.customers / most), 1),
                }
                for one in found
            ],
            ["customers", f"spent, {policy.currency}"],
        )


def _valued(said: "Said") -> str:
    return f"{said.value:.0%}" if said.unit == SHARE else f"{said.value} {said.unit}".strip()


def _figures(figures: "Figures") -> None:
    from cdm_pipelines.figures import Grid  # noqa: PLC0415

    plain = []
    for name, figure in figures.items():
        if isinstance(figure, Grid):
            show(name, [{key: _text(value) for key, value in row.items()} for row in figure.rows])
        else:
            plain.append({"figure": name, "value": _text(figure)})
    if plain:
        show("", plain)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _say(words: str) -> None:
    console.print(words, markup=False, soft_wrap=True)
