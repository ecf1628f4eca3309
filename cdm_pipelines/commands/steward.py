"""``cdm steward``: what people decide about customers, and what waits for a decision.

Belongs here: the commands and how they speak. Does not belong here: recording, what is
shown, the queue (steps.stewardship).
"""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from cdm_pipelines.commands.reading import login, note, opener
from cdm_pipelines.commands.terminal import (
    FAILED,
    REFUSED,
    USAGE,
    console,
    errors,
    fail,
    hub,
    is_day,
    settings,
    show,
    shown,
    told_to_people,
)

if TYPE_CHECKING:
    from cdm_pipelines.contracts.actor import Actor
    from cdm_pipelines.identity.decisions import Decision, Record
    from cdm_pipelines.steps.stewardship.customer import Link, Logged, Value
    from cdm_pipelines.steps.stewardship.decisions import Recorded

app = typer.Typer(help="Decide about customers: same, different, confirmed, corrected.", no_args_is_help=True)

_SHOWN = 3
_ERASED = "(erased)"
Who = Annotated[str, typer.Argument(help="A golden id, or a source record: source/entity/record_id.")]
By = Annotated[str, typer.Option(help="Who decides; the login name when left out.")]
Because = Annotated[str, typer.Option(help="Why, for those who come after.")]
Values = Annotated[bool, typer.Option("--values", help="Show names, not their shapes only.")]


@app.command()
def same(left: Who, right: Who, by: By = "", because: Because = "") -> None:
    """Two customers, or records, are one: they are merged, whatever they score."""
    from cdm_pipelines.steps.stewardship import decisions  # noqa: PLC0415 - commands load what they need

    with hub(settings()) as engine, engine.begin() as connection:
        recorded = decisions.same(connection, left, right, _steward(by), because)
    _tell(recorded)


@app.command()
def different(left: Who, right: Who, by: By = "", because: Because = "") -> None:
    """Two customers, or records, are two: they stay apart. A record and its customer: it leaves that customer."""
    from cdm_pipelines.steps.stewardship import decisions  # noqa: PLC0415

    with hub(settings()) as engine, engine.begin() as connection:
        recorded = decisions.different(connection, left, right, _steward(by), because)
    _tell(recorded)


@app.command()
def confirm(customer: Who, by: By = "", because: Because = "") -> None:
    """A customer is right as it is: its records stay together, and it joins no other confirmed one by itself."""
    from cdm_pipelines.steps.stewardship import decisions  # noqa: PLC0415

    with hub(settings()) as engine, engine.begin() as connection:
        recorded = decisions.confirm(connection, customer, _steward(by), because)
    _tell(recorded)


@app.command("set")
def set_value(
    customer: Who,
    assignment: Annotated[
        str, typer.Argument(metavar="ATTRIBUTE=VALUE", help="For example phone=010-1234567.")
    ],
    expires: Annotated[
        str, typer.Option(metavar="YYYY-MM-DD", help="The first day on which sources speak again.")
    ] = "",
    by: By = "",
    because: Because = "",
) -> None:
    """Correct a value: it outranks all sources until one of them says something new."""
    from cdm_pipelines.steps.stewardship import decisions  # noqa: PLC0415

    attribute, equals, value = assignment.partition("=")
    if not equals:
        fail("Write ATTRIBUTE=VALUE, for example phone=010-1234567.", USAGE)
    if expires and not is_day(expires):
        fail(f"{expires} is not a date; write YYYY-MM-DD.", USAGE)
    until = dt.date.fromisoformat(expires) if expires else None
    own = settings()
    with hub(own) as engine, engine.begin() as connection:
        recorded = decisions.set_value(
            connection,
            own,
            customer,
            attribute.strip(),
            value,
            actor=_steward(by),
            reason=because,
            expires=until,
        )
    _tell(recorded)


@app.command()
def undo(
    decision: Annotated[int, typer.Argument(help="Number of the decision: see `cdm steward list`.")],
    by: By = "",
    because: Because = "",
) -> None:
    """Take a decision back; an undo can be undone too."""
    from cdm_pipelines.steps.stewardship import decisions  # noqa: PLC0415

    with hub(settings()) as engine, engine.begin() as connection:
        recorded = decisions.undo(connection, decision, _steward(by), because)
    _tell(recorded)


@app.command("list")
def list_decisions() -> None:
    """List all decisions with their state, then conflicts."""
    from cdm_pipelines.steps.stewardship import customer as stewardship  # noqa: PLC0415

    with hub(settings()) as engine, engine.connect() as connection:
        logged, without_effect = stewardship.decisions(connection), stewardship.conflicts(connection)
    show("Decisions", [_entry(one) for one in logged], numeric=["id"])
    _list_conflicts([conflict.text for conflict in without_effect])


@app.command()
def conflicts() -> None:
    """List decisions that have no effect because they contradict others."""
    from cdm_pipelines.steps.stewardship import customer as stewardship  # noqa: PLC0415

    with hub(settings()) as engine, engine.connect() as connection:
        found = stewardship.conflicts(connection)
    _list_conflicts([conflict.text for conflict in found])
    if not found:
        console.print("No decision contradicts another.")


@app.command("show")
def show_customer(customer: Who) -> None:
    """Show a customer: its records, its values with their origin, decisions and conflicts about it."""
    from cdm_pipelines.steps.privacy.reading import customer_categories, reading  # noqa: PLC0415
    from cdm_pipelines.steps.stewardship import customer as stewardship  # noqa: PLC0415

    own = settings()
    with hub(own) as engine, engine.connect() as connection:
        found = stewardship.dossier(connection, customer)
        opened = opener(own)
        noted = reading(own, login(), "cdm steward show", usual="steward")
        note(engine, noted, categories=customer_categories(), golden_ids=[found.golden_id])
    console.print(f"Customer {found.golden_id}", style="bold")
    show(
        "Source records",
        [
            {"record": str(record), "stands for the customer": "✓" if record == found.anchor else ""}
            for record in found.records
        ],
    )
    show("Values", [opened(_value(value)) for value in found.values])
    show("Links", [_link(link) for link in found.links], numeric=["bits", "probability"])
    show("Decisions", [_entry(one) for one in found.decisions], numeric=["id"])
    _list_conflicts([conflict.text for conflict in found.conflicts])


def _value(value: "Value") -> dict[str, object]:
    decided = f", decision {value.decision_id}" if value.decision_id else ""
    return {
        "attribute": value.attribute,
        "value": value.value,
        "rule": f"{value.rule}{decided}",
        "record": str(value.record),
    }


def _link(link: "Link") -> dict[str, object]:
    return {
        "record": str(link.record),
        "other record": str(link.other),
        "of customer": "" if link.inside else str(link.other_id or ""),
        "bits": f"{link.weight:+.1f}",
        "probability": f"{link.probability:.3f}",
    }


def _entry(logged: "Logged") -> dict[str, object]:
    entry = logged.decision
    return {
        "id": entry.decision_id,
        "decided": f"{entry.decided_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}",
        "by": _or_erased(entry.decided_by),
        "kind": str(entry.kind),
        "about": _about(entry),
        "state": logged.state,
        "because": _or_erased(entry.reason),
    }


def _about(entry: "Decision") -> str:
    """What a decision is about, without values."""
    match str(entry.kind):
        case "same" | "different":
            return f"{_some(entry.left)} | {_some(entry.right)}"
        case "confirm":
            return _some(entry.joins)
        case "set":
            until = f" until {entry.expires}" if entry.expires else ""
            return _ERASED if entry.erased else f"{entry.attribute} of {entry.records[0]}{until}"
        case "undo":
            return f"decision {entry.undoes}"
        case "erase":
            return f"of decision {', '.join(str(number) for number, _ in entry.subject['erased'])}"
        case _:
            return "the log itself"


def _or_erased(text: str | None) -> str:
    return _ERASED if text is None else text


def _some(records: "Sequence[Record]") -> str:
    if not records:
        return _ERASED
    more = len(records) - _SHOWN
    return ", ".join(map(str, records[:_SHOWN])) + (f" and {more} more" if more > 0 else "")


@app.command()
def queue(
    limit: Annotated[int, typer.Option(min=1, help="Most items to show.")] = 20,
    *,
    values: Values = False,
) -> None:
    """List what is in doubt, what is worth most first."""
    from cdm_pipelines.hub.golden_ids import short  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.privacy.reading import reading  # noqa: PLC0415
    from cdm_pipelines.steps.stewardship import review  # noqa: PLC0415

    own = settings()
    with hub(own) as engine, engine.connect() as connection:
        items, total = review.queue(connection, limit)
        ids = [one for item in items for one in (item.left, item.right) if one]
        known = review.names(connection, ids)
        if values:
            noted = reading(own, login(), "cdm steward queue", usual="steward")
            note(engine, noted, categories=["user.name"], golden_ids=[UUID(one) for one in ids])
    named = {golden_id: shown(values=values)(name) for golden_id, name in known.items()}
    rows = [
        {
            "priority": f"{item.priority:.2f}",
            "doubt": str(item.doubt),
            "probability": "" if item.probability is None else f"{item.probability:.3f}",
            "left": f"{short(item.left)}\n{named.get(item.left, '')}".strip(),
            "right": f"{short(item.right)}\n{named.get(item.right, '')}".strip(),
        }
        for item in items
    ]
    show("Review queue", rows, numeric=["priority", "probability"])
    _list_conflicts([item.text for item in items if item.doubt == "conflict"])
    for item in items:
        if item.text and item.doubt != "conflict":
            console.print(f"{short(item.left)}: {item.text}.", markup=False, soft_wrap=True)
    console.print(
        f"{len(items):,} of {total:,} shown. Decide with `cdm steward same LEFT RIGHT` or `different`; a customer that "
        "is right with `confirm`."
    )


@app.command()
def verify(
    head: Annotated[
        str,
        typer.Option(metavar="NUMBER:HASH", help="A head that was noted elsewhere; the log must hold it."),
    ] = "",
) -> None:
    """Check that no decision was edited, removed or moved since it was recorded; list what was erased on purpose."""
    from cdm_pipelines.identity.chain import Head  # noqa: PLC0415
    from cdm_pipelines.steps.stewardship.decisions import verify_log  # noqa: PLC0415

    noted = Head.parse(head) if head else None
    if head and noted is None:
        fail("Write the head as `cdm steward verify` prints it: NUMBER:HASH.", USAGE)
    with hub(settings()) as engine, engine.connect() as connection:
        found = verify_log(connection, [noted] if noted else [])
    for erasure in found.erased:
        console.print(f"○ erased: {erasure.text}", markup=False, soft_wrap=True)
    for fault in found.faults:
        errors.print(f"✗ {fault.text}", style="red", markup=False)
    if found.faults:
        fail("The log of decisions was tampered with.", FAILED)
    console.print(f"✓ {found.head.decision_id:,} decisions, unbroken. Head {found.head}", markup=False)


def _steward(by: str) -> "Actor":
    from cdm_pipelines.contracts.actor import Actor, Role  # noqa: PLC0415
    from cdm_pipelines.steps.privacy.changing import see_that_may  # noqa: PLC0415

    with told_to_people():
        see_that_may(settings(), "steward", "decisions")
    name = by or login()
    if not name.strip():
        fail("Say with --by who decides.")
    return Actor(name, Role.STEWARD)


def _tell(recorded: "Recorded") -> None:
    """Say what was recorded and when it counts."""
    decision = recorded.decision
    said = f"Decision {decision.decision_id} ({decision.kind}) by {decision.decided_by} is recorded"
    if recorded.conflict is not None:
        errors.print(f"Conflict: {recorded.conflict.text}.", style="red", markup=False)
        fail(f"{said}, but changes nothing until the conflict is solved.", REFUSED)
    console.print(f"{said}; it takes effect with the next run of customers.", markup=False)


def _list_conflicts(texts: Sequence[str]) -> None:
    for text in texts:
        console.print(f"Conflict: {text}.", style="red", markup=False, soft_wrap=True)
