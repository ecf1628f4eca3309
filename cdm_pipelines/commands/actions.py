"""``cdm actions``: next best actions, what they brought, and whether changed rules would do better.

Belongs here: options, what is printed, exit codes. Does not belong here: choosing and measuring (steps.activation).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.terminal import REFUSED, console, hub, settings, show, told_to_people

if TYPE_CHECKING:
    from cdm_pipelines.insight.action_judgement import Estimate

app = typer.Typer(help="What to do next for customers, and what came of it.", no_args_is_help=True)


@app.command("show")
def show_actions() -> None:
    """Show how many customers have which action now, and what speaks against the others."""
    from cdm_pipelines.hub import actions as rows  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.activation.actions import action_policy  # noqa: PLC0415

    own = settings()
    with told_to_people(), hub(own) as engine, engine.connect() as connection:
        policy = action_policy(own)
        now, reasons = rows.by_action(connection), rows.by_reason(connection)
    words = policy.says("en")
    _say(f"Decided by {policy.decided_by}.")
    show(
        "Next best actions",
        [{"action": key, "": words.get(key, ""), "customers": number} for key, number in now.items()],
        ("customers",),
    )
    show(
        "Not for a customer, and why",
        [
            {"action": key, "reason": reason, "": words.get(reason, ""), "customers": number}
            for (key, reason), number in reasons.items()
        ],
        ("customers",),
    )


@app.command()
def uplift() -> None:
    """Show what each action brought where it was the first choice, against those left alone, in intervals of 95 %."""
    from cdm_pipelines.insight.action_picture import uplift_rows  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.activation.action_results import measured  # noqa: PLC0415
    from cdm_pipelines.steps.activation.actions import action_policy  # noqa: PLC0415
    from cdm_pipelines.steps.profile.enrich import company_of  # noqa: PLC0415
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    own = settings()
    with told_to_people(), hub(own) as engine, engine.connect() as connection:
        policy = action_policy(own)
        found = measured(connection, company_of(Lake(own.lake_url), own), policy)
    for one in policy.actions:
        outcome = policy.outcome_of(one)
        campaign = f" of campaign {outcome.campaign}" if outcome.campaign else ""
        _say(f"{one.key}: a response is {outcome.kind}{campaign} within {outcome.within_days} days.")
    show("What actions brought", uplift_rows(found.actions))
    if found.waiting:
        _say(f"{found.waiting:,} choices still have time to get a response.")
    if found.mixed:
        _say(
            f"{found.mixed:,} choices are left out: their customers became one with somebody of the other group, and "
            "were both approached and left alone."
        )


@app.command()
def judge(
    policies: Annotated[Path, typer.Option(help="Folder with the changed next_best_action.yaml.")],
) -> None:
    """Judge changed rules by choices that were made, before they are used; ends with 1 where they cannot be."""
    from cdm_pipelines.steps.activation.action_results import judged  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.activation.actions import action_policy  # noqa: PLC0415
    from cdm_pipelines.steps.profile.enrich import company_of  # noqa: PLC0415
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    own = settings()
    with told_to_people(), hub(own) as engine, engine.connect() as connection:
        now, then = action_policy(own), action_policy(own, policies)
        found, counted = judged(connection, company_of(Lake(own.lake_url), own), now, then)
    _say(f"By {found.choices:,} choices whose time to respond is over. What is counted: {counted}.")
    if found.now is not None and found.then is not None:
        show("Rules", [_row("rules of now", found.now), _row("changed rules", found.then)])
        _say(f"They choose otherwise for {found.differing:.0%} of the customers.")
    if found.difference is not None:
        one = found.difference
        _say(f"Changed less now (self-normalised): {one.value:+.4f}, from {one.low:+.4f} to {one.high:+.4f}.")
    _say(found.verdict)
    if found.refused:
        raise typer.Exit(REFUSED)


def _row(name: str, one: "Estimate") -> dict[str, object]:
    return {
        "": name,
        "inverse propensity": f"{one.ips.value:.4f} ({one.ips.low:.4f} to {one.ips.high:.4f})",
        "self-normalised": f"{one.snips.value:.4f} ({one.snips.low:.4f} to {one.snips.high:.4f})",
        "stand for customers": f"{one.effective:,.0f}",
        "could not have been drawn": f"{one.unsupported:.1%}",
    }


def _say(words: str) -> None:
    console.print(words, markup=False, soft_wrap=True)
