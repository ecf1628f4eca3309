"""``cdm takeover``: another company's customers, looked at, taken in and given away again.

Belongs here: options, what is printed, exit codes. Does not belong here: doing it (steps.takeover).
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.kpis import LANGUAGE
from cdm_pipelines.commands.terminal import (
    USAGE,
    console,
    fail,
    hub,
    is_day,
    settings,
    show,
    told_to_people,
    writable,
)

if TYPE_CHECKING:
    from cdm_pipelines.insight.takeover_report import Assessment
    from cdm_pipelines.settings import Settings

app = typer.Typer(
    name="takeover",
    help="Take another company's customers in, and give them away again.",
    no_args_is_help=True,
)
Folder = Annotated[
    Path, typer.Argument(help="Folder with the other company's extracts, and contracts for some.")
]
_NAME = "other_company"


@app.command()
def assess(
    folder: Folder,
    name: Annotated[str, typer.Option(help="Name of the source that it would be.")] = _NAME,
    out: Annotated[
        Path, typer.Option(help="Report to write, one HTML file.", show_default="takeover-NAME.html")
    ] = Path(),
    language: Annotated[str, LANGUAGE] = "en",
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, and write no file unless --out is given.")
    ] = False,
) -> None:
    """Say what taking a company in would bring, before anything of it is taken in; nothing is changed."""
    from cdm_pipelines.insight.report_words import language_of  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.insight.takeover_page import page  # noqa: PLC0415 - the same
    from cdm_pipelines.insight.takeover_report import as_json as plain  # noqa: PLC0415
    from cdm_pipelines.steps.takeover import assess as step  # noqa: PLC0415
    from cdm_pipelines.store.files import write_whole  # noqa: PLC0415

    own = settings()
    target = out if out != Path() else Path(f"takeover-{name}.html")
    with told_to_people(), console.status("reading the other company's files") as status:
        chosen = language_of(language)
        found = step.assess(own, folder, name, progress=_quiet if as_json else status.update)
        if out != Path() or not as_json:
            write_whole(writable(target), page(found, chosen).encode())
    if as_json:
        typer.echo(json.dumps(plain(found), indent=1, ensure_ascii=False))
        return
    _print(found)
    console.print(f"Report written to {target}", markup=False, soft_wrap=True)


@app.command()
def apply(
    folder: Folder,
    name: Annotated[str, typer.Option(help="Name of the source that it becomes.")],
    date: Annotated[
        str,
        typer.Option(metavar="YYYY-MM-DD", help="Extract date; the newest day of ours when left out."),
    ] = "",
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHECK", help="Say yes to what this check finds; it tells its name. May be repeated."
        ),
    ] = None,
) -> None:
    """Take a company in as a source: contracts and extracts are put in place, and its day is run.

    Ids of its records are its own, whatever they are. `cdm takeover divest NAME` undoes it.
    """
    from cdm_pipelines.commands.run import acceptable, run_days  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.contracts.catalogue import all_contracts  # noqa: PLC0415
    from cdm_pipelines.steps.takeover.apply import put_in_place  # noqa: PLC0415
    from cdm_pipelines.steps.takeover.assess import newest_day  # noqa: PLC0415

    if date and not is_day(date):
        fail(f"{date} is not a date; write YYYY-MM-DD.", USAGE)
    own, yes = settings(), acceptable(accept or [])
    with hub(own) as engine, engine.connect() as connection:
        placed = put_in_place(own, connection, folder, name, date=date or newest_day(own))
    for problem in placed.folder.problems:
        console.print(f"! not read: {problem}", style="yellow", markup=False)
    for path in placed.written:
        console.print(f"Written: {path}", markup=False, soft_wrap=True)
    if placed.done:
        console.print(
            f"{name} is taken in already, as of {placed.date}: nothing is left to do.", markup=False
        )
        return
    all_contracts.cache_clear()
    code = run_days(own, (placed.date, placed.date), [name], accept=yes)
    if code:
        console.print(
            f"{name} is in place, and not published. See the messages above: say yes with --accept, or undo it with "
            f"`cdm takeover divest {name}`.",
            markup=False,
        )
        raise typer.Exit(code)
    console.print(
        f"{name} is taken in. Restart `cdm serve` and Dagster, which know the sources of when they started. "
        f"`cdm takeover divest {name}` undoes it.",
        markup=False,
    )


@app.command()
def divest(
    name: Annotated[str, typer.Argument(help="The source.")],
    export: Annotated[
        Path | None,
        typer.Option(
            help="New folder for its records, extracts and contracts, for whoever gets them.", file_okay=False
        ),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take a source out again: every id, value and consent becomes what it is without it.

    Its extracts, contracts, days, records, links and values go; decisions of stewards about its records are ended.
    """
    from cdm_pipelines.commands.reading import login, note  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.contracts.actor import Actor, Role  # noqa: PLC0415
    from cdm_pipelines.contracts.catalogue import all_contracts  # noqa: PLC0415
    from cdm_pipelines.hub.persons import customers_of_source  # noqa: PLC0415
    from cdm_pipelines.steps.privacy.reading import delivered_categories, reading  # noqa: PLC0415
    from cdm_pipelines.steps.takeover import divest as step  # noqa: PLC0415
    from cdm_pipelines.store.categories import UNCLASSIFIED  # noqa: PLC0415

    own = settings()
    with hub(own) as engine:
        with engine.connect() as connection:
            found = step.leaving(own, connection, name)
        console.print(
            f"{name}: {found.records:,} records of {found.customers:,} customers go, {found.alone:,} of which have no "
            f"other record; {len(found.landing):,} extracts, {len(found.contracts):,} contracts; "
            f"{len(found.decisions):,} decisions of stewards are ended.",
            markup=False,
        )
        if not yes:
            typer.confirm("Is that meant?", abort=True)
        if export is not None:
            theirs = [one for one in all_contracts() if one.source == name]
            with engine.connect() as connection:
                whom = customers_of_source(connection, name)
            noted = reading(own, login(), "cdm takeover divest")
            note(engine, noted, categories=delivered_categories(theirs) or {UNCLASSIFIED}, golden_ids=whom)
            counts = step.hand_out(own, name, export)
            console.print(
                f"Handed out to {export}: {sum(counts.values()):,} records.", markup=False, soft_wrap=True
            )
        with engine.begin() as connection:
            step.take_out(own, connection, found, Actor(login(), Role.ENGINEER))
    all_contracts.cache_clear()
    code = _published_without(own)
    if code:
        fail(
            f"{name} is out of the lake, and the customers are not published without it: run the same again.",
            code,
        )
    with hub(own) as engine, engine.begin() as connection:
        versions = step.forget_history(own, connection, name)
    console.print(
        f"{name} is out. {versions:,} former versions of customers that only it had went too.", markup=False
    )


def _published_without(own: "Settings") -> int:
    """Publish the customers anew; what the checks say of a change that is meant stops nothing."""
    from cdm_pipelines.commands.run import run_in  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.components.session import open_session  # noqa: PLC0415
    from cdm_pipelines.quality.thresholds import ACCEPTABLE  # noqa: PLC0415

    with told_to_people(), open_session(own) as session:
        return run_in(session, None, accept=ACCEPTABLE)


def _quiet(_: str) -> None:
    pass


def _print(found: "Assessment") -> None:
    show(
        "Files",
        [
            {
                "file": one.file,
                "as": one.entity,
                "contract": f"guessed ({one.doubts} doubts)" if one.suggested else "given",
                "rows": one.read,
                "put aside": one.quarantined,
                "mended": one.repaired,
            }
            for one in found.files
        ],
        ("rows", "put aside", "mended"),
    )
    told = [("customers of theirs", f"{found.customers:,} in {found.records:,} records")]
    if found.overlap:
        one = found.overlap
        told.append(
            (
                "ours already",
                f"{one.expected:,.0f} expected, {one.low:,} to {one.high:,} (95 %); {one.linked:,} are linked",
            )
        )
    else:
        told.append(("ours already", "not measurable yet, because no file holds customers"))
    told += [
        ("our customers", f"{found.golden_before:,} now, {found.golden_after:,} then"),
        ("of ours become one with another", f"{found.merged:,}"),
        ("golden values filled", f"{sum(one.filled for one in found.values):,}"),
        ("golden values replaced", f"{sum(one.replaced for one in found.values):,}"),
        ("pairs for a steward", f"{found.doubtful:,}"),
        *(
            (f"consent to {one.purpose}", f"{one.given:,} yes, {one.refused:,} no, {one.nothing:,} nothing")
            for one in found.consent.purposes
        ),
        (
            "cost of cleaning",
            f"{found.currency} {found.total[0]:,.2f} to {found.total[2]:,.2f}, likely {found.total[1]:,.2f}"
            if found.total
            else "no price yet: give inputs in policies/business_case.yaml",
        ),
    ]
    show(f"Takeover of {found.name}", [{"what": what, "": text} for what, text in told])
    console.print(found.ids.told.en, markup=False)
    for text in (*found.unreadable, *(note.en for note in found.notes)):
        console.print(f"! {text}", style="yellow", markup=False)
