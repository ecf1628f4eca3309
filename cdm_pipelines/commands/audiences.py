"""``cdm audience``: whom to approach for what, why others are not in it, delivering it, and what came of it."""

from typing import Annotated

import typer

from cdm_pipelines.commands.reading import AsRole, login
from cdm_pipelines.commands.terminal import REFUSED, USAGE, console, fail, hub, settings, show, told_to_people

app = typer.Typer(help="Audiences: customers who are approached for a purpose.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="Name of the audience in policies/audiences.yaml.")]


@app.command("list")
def list_() -> None:
    """Show the audiences, what each is for, and its last delivery."""
    from cdm_pipelines.hub import deliveries  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.activation.audience_book import Book  # noqa: PLC0415

    own = settings()
    with hub(own) as engine, engine.connect() as connection:
        book = Book.of(own)
        last = {row["audience"]: row for row in deliveries.last(connection)}
    rows: list[dict[str, object]] = []
    for name, one in book.policy.audiences.items():
        found = last.get(name)
        rows.append(
            {
                "audience": name,
                "description": one.description,
                "purpose": one.purpose,
                "channel": one.channel,
                "target": f"{one.target} ({book.target(one).platform})",
                "delivered": "every day" if one.daily else "by hand",
                "last": f"{found['released_at']:%Y-%m-%d %H:%M}" if found and found["released_at"] else "",
                "members": found["counts"]["members"] if found else None,
                "problem": (found["problem"] or "") if found else "",
            }
        )
    show("Audiences", rows, numeric=["members"])


@app.command()
def preview(name: NameArgument) -> None:
    """Count who would be in an audience now, and why others would not; nothing is written."""
    from cdm_pipelines.steps.activation.audience_book import Book  # noqa: PLC0415
    from cdm_pipelines.steps.activation.deliveries import deliver as delivered  # noqa: PLC0415
    from cdm_pipelines.steps.privacy.reading import delivering  # noqa: PLC0415

    own = settings()
    with hub(own) as engine:
        book = Book.of(own)
        noted = delivering(own, login(), "cdm audience preview", book.named(name).purpose)
        done = delivered(engine.connect, book, name, noted, dry_run=True)
    rows = [{"customers": what, "number": number} for what, number in done.counts.items()]
    show(f"Audience {name}", rows, numeric=["number"])
    console.print(done.sentence, markup=False)


@app.command()
def deliver(
    name: NameArgument,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    role: AsRole = "",
) -> None:
    """Deliver an audience as it is now: additions and removals since the last time, and the whole list."""
    from cdm_pipelines.steps.activation.audience_book import Book  # noqa: PLC0415
    from cdm_pipelines.steps.activation.deliveries import deliver as delivered  # noqa: PLC0415
    from cdm_pipelines.steps.privacy.reading import delivering  # noqa: PLC0415

    own = settings()
    with hub(own) as engine:
        book = Book.of(own)
        noted = delivering(own, login(), "cdm audience deliver", book.named(name).purpose, role)
        done = delivered(engine.connect, book, name, noted, dry_run=dry_run)
    console.print(done.sentence, markup=False)
    if done.where:
        console.print(f"It lies in {done.where}.", markup=False)
    if done.problem:
        fail(done.problem, REFUSED)


@app.command()
def results() -> None:
    """Count anew what came of each audience, among those sent to and those left out to compare."""
    from cdm_pipelines.steps.activation.audience_book import Book  # noqa: PLC0415
    from cdm_pipelines.steps.activation.audience_results import measure  # noqa: PLC0415

    own = settings()
    with told_to_people(), hub(own) as engine:
        book = Book.of(own)
        if not book.policy.audiences:
            fail("No audiences: declare one in policies/audiences.yaml (docs/activation.md).", USAGE)
        with engine.begin() as connection:
            rows = measure(connection, book)
    shown = [{name: value for name, value in row.items() if name != "measured_at"} for row in rows]
    show(
        "Results of audiences",
        shown,
        numeric=["customers", "sent", "opened", "clicked", "unsubscribed", "bought"],
    )
