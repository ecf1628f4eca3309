"""``cdm roles`` and ``cdm handbook``: who may see what, in the database and on paper.

Belongs here: asking and printing. Does not belong here: what follows from the policies (privacy, steps.privacy).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.terminal import (
    USAGE,
    console,
    errors,
    fail,
    hub,
    settings,
    show,
)

if TYPE_CHECKING:
    from cdm_pipelines.hub.role_access import Step

app = typer.Typer(
    help="Who may see and change what: policies/roles.yaml and the database.", no_args_is_help=True
)


@app.command()
def check() -> None:
    """Compare the database with the policy of roles; differences end with exit code 1."""
    from cdm_pipelines.steps.privacy.access import drift  # noqa: PLC0415 - commands load what they need

    own = settings()
    with hub(own) as engine, engine.connect() as connection:
        found = drift(connection, own)
        connection.rollback()
    _tell(found)
    if found:
        fail(
            "`cdm roles apply` mends what the pipeline may mend; `cdm roles apply --sql` is for an administrator."
        )
    console.print("✓ the database is what policies/roles.yaml says")


@app.command()
def apply(
    *,
    sql: Annotated[
        bool, typer.Option("--sql", help="Change nothing; print what an administrator has to run, as SQL.")
    ] = False,
) -> None:
    """Make the database what the policy of roles says: roles, schemas, views, rights."""
    from cdm_pipelines.steps.privacy import access  # noqa: PLC0415 - commands load what they need

    own = settings()
    with hub(own) as engine, engine.begin() as connection:
        left = access.apply(connection, own, thorough=True)
        if sql:
            connection.rollback()
    if sql:
        typer.echo(access.script(left), nl=False)
        return
    _tell(left)
    if left:
        fail(
            "Let an administrator of the database run what `cdm roles apply --sql` prints, then apply again."
        )
    console.print("✓ the database is what policies/roles.yaml says")


@app.command("show")
def show_role(
    role: Annotated[str, typer.Argument(help="Such as service; all roles when left out.")] = "",
) -> None:
    """Show what a role sees: each view, and how each column of it is read."""
    from cdm_pipelines.steps.privacy.handbook import overview, seen_by  # noqa: PLC0415 - commands load what they need

    own = settings()
    with hub(own) as engine, engine.connect() as connection:
        if not role:
            show("Roles", overview(connection, own))
            return
        show(f"What {role} sees", seen_by(connection, own, role))


@app.command()
def anonymity() -> None:
    """Tell how many customers of a pseudonymous role share what they might be recognised by (k-anonymity)."""
    from cdm_pipelines.steps.privacy.anonymity import anonymity as measured  # noqa: PLC0415 - commands load what they need

    own = settings()
    with hub(own) as engine, engine.connect() as connection:
        show("k-anonymity", [one.told() for one in measured(connection, own)])


def handbook(
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("handbook-of-roles"),
) -> None:
    """Write a manual for every role as HTML: what the data means, what they may do, whom to ask."""
    from cdm_pipelines.steps.privacy.handbook import write_handbook  # noqa: PLC0415 - commands load what they need

    own = settings()
    with hub(own) as engine, engine.connect() as connection:
        try:
            pages = write_handbook(connection, own, out)
        except OSError as error:
            fail(f"{out}: cannot be written ({type(error).__name__}). Name another folder with --out.", USAGE)
    console.print(f"{len(pages):,} pages written to {out}", markup=False)


def _tell(found: "list[Step]") -> None:
    for step in found:
        errors.print(f"✗ {step.finding}", style="red", markup=False)
        for statement in step.sql if step.administrator else ():
            errors.print(f"    an administrator runs: {statement}", markup=False)
