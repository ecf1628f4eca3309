"""``cdm steward``: what people decide about customers, and what waits for a decision.

Belongs here: the commands and how they speak. Does not belong here: recording, what is
shown, the queue (steps.stewardship).
"""

import datetime as dt
import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import Engine

from cdm_pipelines.commands.terminal import (
    FAILED,
    REFUSED,
    USAGE,
    console,
    errors,
    fail,
    is_day,
    settings,
    show,
    told_to_people,
)

if TYPE_CHECKING:
    from cdm_pipelines.steps.stewardship.decisions import Author, Recorded
    from cdm_pipelines.store.lake import Lake

app = typer.Typer(help="Decide about customers: same, different, confirmed, corrected.", no_args_is_help=True)

Who = Annotated[str, typer.Argument(help="A golden id, or a source record: source/entity/record_id.")]
By = Annotated[str, typer.Option(help="Who decides; the login name when left out.")]
Because = Annotated[str, typer.Option(help="Why, for those who come after.")]
Values = Annotated[bool, typer.Option("--values", help="Show names, not their shapes only.")]


@app.command()
def same(left: Who, right: Who, by: By = "", because: Because = "") -> None:
    """Two customers, or records, are one: they are merged, whatever they score."""
    from cdm_pipelines.steps.stewardship import decisions  # noqa: PLC0415 - commands load what they need

    with _hub() as (engine, _):
        _tell(decisions.same(engine, left, right, _author(by, because)))


@app.command()
def different(left: Who, right: Who, by: By = "", because: Because = "") -> None:
    """Two customers, or records, are two: they stay apart. A record and its customer: it leaves that customer."""
    from cdm_pipelines.steps.stewardship import decisions  # noqa: PLC0415

    with _hub() as (engine, _):
        _tell(decisions.different(engine, left, right, _author(by, because)))


@app.command()
def confirm(customer: Who, by: By = "", because: Because = "") -> None:
    """A customer is right as it is: its records stay together, and it joins no other confirmed one by itself."""
    from cdm_pipelines.steps.stewardship import decisions  # noqa: PLC0415

    with _hub() as (engine, _):
        _tell(decisions.confirm(engine, customer, _author(by, because)))


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
    with _hub() as (engine, lake):
        author = _author(by, because)
        _tell(
            decisions.set_value(
                engine, lake, customer, attribute.strip(), value, author=author, expires=until
            )
        )


@app.command()
def undo(
    decision: Annotated[int, typer.Argument(help="Number of the decision: see `cdm steward list`.")],
    by: By = "",
    because: Because = "",
) -> None:
    """Take a decision back; an undo can be undone too."""
    from cdm_pipelines.steps.stewardship import decisions  # noqa: PLC0415

    with _hub() as (engine, _):
        _tell(decisions.undo(engine, decision, _author(by, because)))


@app.command("list")
def list_decisions() -> None:
    """List all decisions with their state, then conflicts."""
    from cdm_pipelines.steps.stewardship import customer as stewardship  # noqa: PLC0415

    with _hub() as (engine, lake):
        show("Decisions", stewardship.decisions(engine, lake), numeric=["id"])
        _list_conflicts(stewardship.conflicts(engine))


@app.command()
def conflicts() -> None:
    """List decisions that have no effect because they contradict others."""
    from cdm_pipelines.steps.stewardship import customer as stewardship  # noqa: PLC0415

    with _hub() as (engine, _):
        found = stewardship.conflicts(engine)
    _list_conflicts(found)
    if not found:
        console.print("No decision contradicts another.")


@app.command("show")
def show_customer(customer: Who) -> None:
    """Show a customer: its records, its values with their origin, decisions and conflicts about it."""
    from cdm_pipelines.steps.stewardship import customer as stewardship  # noqa: PLC0415

    with _hub() as (engine, lake):
        found = stewardship.dossier(engine, lake, customer)
    console.print(f"Customer {found.golden_id}", style="bold")
    show("Source records", found.records)
    show("Values", found.values)
    show("Decisions", found.decisions, numeric=["id"])
    _list_conflicts(found.conflicts)


@app.command()
def queue(
    limit: Annotated[int, typer.Option(min=1, help="Most items to show.")] = 20,
    *,
    values: Values = False,
) -> None:
    """List what is in doubt, what is worth most first."""
    from cdm_pipelines.steps.stewardship import review  # noqa: PLC0415

    with _hub() as (engine, lake):
        items, total = review.queue(engine, lake, limit)
        named = review.names(
            engine, [i for item in items for i in (item.left, item.right) if i], values=values
        )
    rows = [
        {
            "priority": f"{item.priority:.2f}",
            "doubt": str(item.doubt),
            "probability": "" if item.probability is None else f"{item.probability:.3f}",
            "left": f"{item.left}\n{named.get(item.left, '')}".strip(),
            "right": f"{item.right}\n{named.get(item.right, '')}".strip(),
        }
        for item in items
    ]
    show("Review queue", rows, numeric=["priority", "probability"])
    _list_conflicts([item.text for item in items if item.doubt == "conflict"])
    for item in items:
        if item.text and item.doubt != "conflict":
            console.print(f"{item.left}: {item.text}.", markup=False, soft_wrap=True)
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
    with _hub() as (engine, _), engine.connect() as connection:
        found = verify_log(connection, [noted] if noted else [])
    for erasure in found.erased:
        console.print(f"○ erased: {erasure.text}", markup=False, soft_wrap=True)
    for fault in found.faults:
        errors.print(f"✗ {fault.text}", style="red", markup=False)
    if found.faults:
        fail("The log of decisions was tampered with.", FAILED)
    console.print(f"✓ {found.head.decision_id:,} decisions, unbroken. Head {found.head}", markup=False)


@contextmanager
def _hub() -> "Iterator[tuple[Engine, Lake]]":
    from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415
    from cdm_pipelines.hub.migrate import migrate  # noqa: PLC0415
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    own = settings()
    with told_to_people(), open_hub(own) as engine:
        migrate(engine)
        yield engine, Lake(own.lake_url)


def _author(by: str, because: str) -> "Author":
    from cdm_pipelines.steps.stewardship.decisions import Author  # noqa: PLC0415

    return Author(by or getpass.getuser(), because)


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
