"""``cdm profile``: scales and models of the profile, through time and side by side, and whose interactions are.

Belongs here: how they are printed. Does not belong here: what they say (enrichment), or where they are kept (hub).
"""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from cdm_pipelines.commands.bars import WIDTH
from cdm_pipelines.commands.terminal import console, fail, hub, settings, show, told_to_people

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from cdm_pipelines.enrichment.attachment import Attached
    from cdm_pipelines.figures import Figures
    from cdm_pipelines.settings import Settings
    from cdm_pipelines.steps.profile.asking import Said

SHARE = "share"
"""The unit of values from 0 to 1 that are shown in percent."""
app = typer.Typer(help="What is worked out of golden customers, and with which models.", no_args_is_help=True)


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


@app.command()
def tokens() -> None:
    """Show whose interactions are, and what today's policies/interactions.yaml would change; nothing is changed."""
    from cdm_pipelines.steps.profile import asking  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.profile.enrich import company_of  # noqa: PLC0415
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    own = settings()
    with told_to_people(), hub(own) as engine, engine.connect() as connection:
        found = asking.tokens(connection, company_of(Lake(own.lake_url), own))
    if found is None:
        _say("No interactions are counted yet: `cdm run` does it where a source delivers them.")
        return
    now, then = _counts(found.before), _counts(found.after)
    rows = [{"": name, "by the rules that hold": now[name], "by today's policy": then[name]} for name in now]
    show("Interactions", rows, numeric=("by the rules that hold", "by today's policy"))
    if found.moved:
        _say(
            f"Today's policy would give {found.moved:,} interactions to another customer, to one where they have none, "
            f"or to none; {found.customers:,} customers would gain or lose some. The next run applies it."
        )
    else:
        _say("Today's policy changes nothing.")


def _counts(found: "Attached") -> dict[str, int]:
    """How many interactions are whose, in words."""
    return {
        "all": found.accepted,
        "attached": found.attached,
        **{f"  by {way}": number for way, number in found.by.items()},
        "anonymous": sum(found.anonymous.values()),
        **{f"  {reason}": number for reason, number in found.anonymous.items()},
        "tokens identified": found.tokens,
        "shared devices among them": found.shared_devices,
    }


def show_journey(own: "Settings", limit: int, connection: "Connection", golden_id: UUID) -> None:
    """Print every touch of a customer in order, the newest where there are many; an alias leads to its customer."""
    from cdm_pipelines.hub.queries import customer  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.profile.asking import journey_of  # noqa: PLC0415
    from cdm_pipelines.steps.profile.enrich import company_of  # noqa: PLC0415
    from cdm_pipelines.steps.profile.journey import HEADINGS, told  # noqa: PLC0415
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    one = customer(connection, str(golden_id))
    if one is None:
        fail("No customer found.")
    current = UUID(str(one.golden["golden_id"]))
    found = journey_of(connection, company_of(Lake(own.lake_url), own), current, limit)
    show("Journey", [dict(zip(HEADINGS, row, strict=True)) for row in told(found)], numeric=("amount",))
    shown = sum(touch.times for touch in found.touches)
    if shown < found.total:
        _say(f"The newest {shown:,} of {found.total:,} touches; --limit shows more.")


def show_profile(own: "Settings", connection: "Connection", golden_id: UUID) -> None:
    """Print what the profile says of a customer and, per value, where it comes from; and what it leaves out."""
    from cdm_pipelines.hub.profile_withheld import of_customer  # noqa: PLC0415
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
    if (left_out := of_customer(connection, golden_id)) is not None:
        _say("Not worked out: {}, since these purposes are off for the customer: {}.".format(*left_out))


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
