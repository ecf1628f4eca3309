"""``cdm plan``: what changed policies would do, before they do it.

Belongs here: options, what is printed, exit codes. Does not belong here: making a plan (steps.plan).
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from cdm_pipelines.commands.reading import AsRole, ForPurpose, login, note, opener
from cdm_pipelines.commands.terminal import (
    DONE,
    REFUSED,
    USAGE,
    console,
    errors,
    settings,
    show,
    told_to_people,
)

if TYPE_CHECKING:
    from cdm_pipelines.settings import Settings
    from cdm_pipelines.steps.plan.examples import Shown
    from cdm_pipelines.steps.plan.outcome import Example, Plan

WARNED = 4
"""Exit code of a plan that a person should look at."""


def plan(
    policies: Annotated[
        Path, typer.Option(help="Folder with the policies that change; those in force stand for the others.")
    ],
    *,
    contracts: Annotated[
        Path | None, typer.Option(help="Folder with contracts that change, likewise.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a pull request.")] = False,
    values: Annotated[
        bool,
        typer.Option(
            "--values", help="Show values of examples that the role sees in clear; noted in the access log."
        ),
    ] = False,
    role: AsRole = "",
    purpose: ForPurpose = "",
) -> None:
    """Show what changed policies would do to the customers; nothing is published.

    Ends with 0 in order or no change, 4 look at it, 1 refused or cannot be planned, 2 no such folder.
    """
    from cdm_pipelines.steps.plan import making, outcome  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.plan.inputs import NoFolderError, PlanInputError  # noqa: PLC0415

    own = settings()
    with told_to_people(), console.status("reading policies") as status:
        shown = _shown(own, role, purpose) if values else None
        try:
            made = making.plan(
                own, policies, contracts, shown=shown, progress=_quiet if as_json else status.update
            )
        except PlanInputError as error:
            _faulty(
                error.problems, as_json=as_json, code=USAGE if isinstance(error, NoFolderError) else REFUSED
            )
        except making.PlanError as error:
            _faulty([str(error)], as_json=as_json, code=REFUSED)
    if as_json:
        typer.echo(json.dumps(outcome.as_json(made), indent=1, ensure_ascii=False))
    else:
        _print(made)
    raise typer.Exit(_CODES.get(str(made.outcome), DONE))


_CODES = {"warn": WARNED, "refuse": REFUSED}


def _quiet(_: str) -> None:
    pass


def _faulty(problems: Sequence[str], *, as_json: bool, code: int) -> None:
    """Say what is wrong with what was given, as ``cdm check`` does."""
    if as_json:
        from cdm_pipelines.steps.plan.outcome import SCHEMA  # noqa: PLC0415

        typer.echo(json.dumps({"schema": SCHEMA, "outcome": "faulty", "problems": problems}, indent=1))
    for problem in problems:
        errors.print(f"✗ {problem}", style="red", markup=False)
    raise typer.Exit(code)


def _shown(own: "Settings", role: str, purpose: str) -> "Shown":
    """Values that a role sees in clear, each reading with its line in the access log."""
    from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415
    from cdm_pipelines.steps.plan.examples import Shown  # noqa: PLC0415
    from cdm_pipelines.steps.plan.seen import seen_in_clear  # noqa: PLC0415
    from cdm_pipelines.steps.privacy.reading import reading, table_categories  # noqa: PLC0415

    noting = reading(own, login(), "cdm plan", role, purpose)

    def noted(golden_ids: Sequence[str]) -> None:
        if golden_ids:
            with open_hub(own) as engine:
                note(
                    engine,
                    noting,
                    categories=table_categories("customer"),
                    golden_ids=[UUID(one) for one in golden_ids],
                )

    return Shown(seen_in_clear(own, noting.role), opener(own), noted)


def _print(made: "Plan") -> None:
    show(
        "Taken",
        [
            {"file": one.file, "": "changed" if one.changed else "the same", "shows": str(one.effect)}
            for one in made.taken
        ],
    )
    for model in made.models:
        how = (
            "a model is fitted anew"
            if model.fitted
            else f"all records are linked: {model.why}"
            if model.everything
            else "only what has changed is linked"
        )
        console.print(f"{model.kind}s: {how}", markup=False)
    if made.changes_nothing:
        console.print("Nothing would change.", style="bold")
    else:
        _print_changes(made)
    for text in made.notes:
        console.print(f"! {text}", style="yellow", markup=False)
    failed = [one for one in made.checks if one.outcome != "passed"]
    show(
        "Limits (policies/checks.yaml)",
        [
            {"": {"warn": "!", "refuse": "✗"}[one.outcome], "check": one.name, "finding": one.text}
            for one in failed
        ],
    )
    colour = {"warn": "yellow", "refuse": "red"}.get(str(made.outcome), "green")
    console.print(f"Verdict: {made.outcome}", style=f"bold {colour}")


def _print_changes(made: "Plan") -> None:
    them, ids = made.customers, made.ids
    show(
        "Customers",
        [
            {"what": what, "number": number}
            for what, number in (
                ("in service", them.before),
                ("as they would be", them.after),
                (f"merged, into {them.merged_into:,}", them.merged),
                (f"split, into {them.split_into:,}", them.split),
                ("with other golden values", them.changed),
                ("records that get another golden id", made.records.moved),
                ("ids that become an alias", ids.alias),
                ("ids that are founded", ids.founded),
                ("ids that come back", ids.restored),
                ("ids that are retired", ids.retired),
                ("aliases that stand for another id", ids.redirected),
                ("that allow less", made.consent_lost),
                ("that allow more", made.consent_gained),
            )
        ],
        ("number",),
    )
    if made.attributes:
        show("Golden values", list(_attributes(made)), ("customers",))
    if made.consent:
        show(
            "Consent",
            [
                {
                    "purpose": one.purpose,
                    "channel": one.channel or "every",
                    "falls away": one.lost,
                    "comes in": one.gained,
                }
                for one in made.consent
            ],
            ("falls away", "comes in"),
        )
    show("Examples", [_row(one) for one in made.examples])


def _attributes(made: "Plan") -> Iterable[dict[str, object]]:
    for one in made.attributes:
        for source in one.sources:
            yield {
                "attribute": one.attribute,
                "from": source.before or "no value",
                "to": source.after or "no value",
                "customers": source.customers,
            }


def _row(one: "Example") -> dict[str, object]:
    moved = [
        f"{record.record}: {record.before or 'new'} → {record.after or 'gone'}" for record in one.records
    ]
    moved += [f"and {one.more:,} more"] if one.more else []
    return {
        "kind": one.kind,
        "customer": one.golden_id,
        "records that move": "\n".join(moved),
        "what changes": "\n".join(_changes(one)),
    }


def _changes(one: "Example") -> Iterable[str]:
    for value in one.values:
        before, after = (text or "nothing" for text in (value.before, value.after))
        sources = " → ".join(
            dict.fromkeys(name for name in (value.source_before, value.source_after) if name)
        )
        yield f"{value.attribute}: {before} → {after} ({sources})"
    for answer in one.consent:
        yield f"{'/'.join(filter(None, (answer.purpose, answer.channel)))}: {answer.change}"
