"""``cdm run`` and ``cdm ingest``: days of extracts through the jobs that the UI shows.

Belongs here: which jobs, in which order, with progress. Does not belong here: what a job does.
"""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cdm_pipelines.commands.terminal import (
    DONE,
    REFUSED,
    USAGE,
    console,
    fail,
    is_day,
    settings,
    told_to_people,
)
from cdm_pipelines.settings import Settings

if TYPE_CHECKING:
    from cdm_pipelines.components.launch import RunOutcome
    from cdm_pipelines.components.session import Session

Days = tuple[str, str]
DUE: Days = ("", "")
"""In place of a range: the days that lie in landing and are not ingested from these files."""
DateOption = Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Extract date.")]


def run(
    date: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="One day to run.")] = "",
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="First day of a range.")] = "",
    last: Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day of a range.")] = "",
    source: Annotated[list[str] | None, typer.Option(help="Only this source; may be repeated.")] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHECK",
            help="Say yes to what this check found, in this run; it tells its name. May be repeated.",
        ),
    ] = None,
    *,
    customers: Annotated[
        bool,
        typer.Option(
            "--customers", help="No days: publish the customers anew, after decisions for instance."
        ),
    ] = False,
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit the models of linkage and of the profile anew.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Work through all records and customers, changed or not.")
    ] = False,
) -> None:
    """Ingest a day, a range of days or, without one, what is new in landing; publish the customers that follow."""
    dated = bool(date or first or last)
    if customers and (dated or source):
        fail("--customers runs no days: leave out --date, --from, --to and --source.", USAGE)
    wanted = None if customers else _days(date, first, last) if dated else DUE
    yes = acceptable(accept or [])
    raise typer.Exit(run_days(settings(), wanted, source, refit=refit, rebuild=rebuild, accept=yes))


def ingest(
    file: Annotated[Path, typer.Argument(help="The extract.", exists=True, dir_okay=False, readable=True)],
    source: Annotated[str, typer.Option(help="Source the file comes from: crm, erp, shop …")],
    entity: Annotated[
        str, typer.Option(help="Entity of the source; found by the columns when left out.")
    ] = "",
    date: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Extract date; today when left out.")] = "",
) -> None:
    """Put one file into landing and run its day."""
    from cdm_pipelines.components.session import open_session  # noqa: PLC0415 - Dagster takes a second to load
    from cdm_pipelines.contracts.catalogue import all_contracts  # noqa: PLC0415
    from cdm_pipelines.contracts.told import told_path  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.days.delivery import deliver  # noqa: PLC0415 - commands load what they need

    own = settings()
    day = _days(date or dt.date.today().isoformat(), "", "")[0]  # noqa: DTZ011 - the user's own today
    with told_to_people(), open_session(own) as session:
        if any(one.source == source for one in all_contracts()):  # else placing the file says what there is
            _possible(session, _chosen(session, [source]), (day, day))
        placed = deliver(own, file, source, entity, day)
        place = told_path(placed.path, placed.contract)
        named = "" if place == placed.path else ", whose name is shown by its shape"
        console.print(f"The file is {placed.contract.name} of {day}: placed at {place}", markup=False)
        code = run_in(session, (day, day), [source], entity=placed.contract.entity)
    if code:
        console.print(
            "The file stays in landing. Corrected, ingest it again under the same name: it takes its place. If it "
            f"should not be there, delete the file at {place}{named}.",
            markup=False,
        )
    raise typer.Exit(code)


def run_days(
    own: Settings,
    days: Days | None,
    sources: Sequence[str] | None = None,
    *,
    entity: str = "",
    refit: bool = False,
    rebuild: bool = False,
    accept: Sequence[str] = (),
) -> int:
    """Run the sources' jobs for some days, then the customers' job; returns the exit code.

    As :func:`run_in`, in a session of its own.
    """
    from cdm_pipelines.components.session import open_session  # noqa: PLC0415 - Dagster takes a second to load

    with told_to_people(), open_session(own) as session:
        return run_in(session, days, sources, entity=entity, refit=refit, rebuild=rebuild, accept=accept)


def run_in(
    session: "Session",
    days: Days | None,
    sources: Sequence[str] | None = None,
    *,
    entity: str = "",
    refit: bool = False,
    rebuild: bool = False,
    accept: Sequence[str] = (),
) -> int:
    """Run the sources' jobs for some days, then the customers' job; returns the exit code.

    A source that fails is told and does not keep the others from being published. Where nobody has pruned for long,
    since no daemon runs here, that is done too.

    Args:
        session: The open platform.
        days: First and last day of a range; :data:`DUE` for what is new in landing; None for the customers alone.
        sources: Only these; all of them when empty.
        entity: Only this entity of each source is ingested.
        refit: Configures the customers' job, as ``rebuild`` does.
        rebuild: See ``refit``.
        accept: Checks of which what they find stops nothing in these runs.
    """
    from cdm_pipelines.components.pruning import HOUSEKEEPING, overdue  # noqa: PLC0415 - Dagster takes a second to load

    chosen = _chosen(session, sources)
    ranges: list[tuple[str, Days]] = []
    if days == DUE:
        ranges = _due(session, chosen)
        if not ranges and not (refit or rebuild):
            if session.is_published:
                console.print(
                    "Nothing in landing is new. `cdm run --customers` publishes the customers anew."
                )
                return DONE
            console.print("Nothing in landing is new. What was ingested is not published yet: it is now.")
    elif days:
        _possible(session, chosen, days)
        ranges = [(name, days) for name in chosen]
    with _progress() as progress:
        outcomes = [
            _run(
                session,
                progress,
                session.ingest_jobs[name],
                f"{_label(some)}  {name}",
                dates=some,
                part=f"{name}/{entity}" if entity else "",
                accept=accept,
            )
            for name, some in ranges
        ]
        if not ranges or any(outcome.succeeded for outcome in outcomes):
            config = _config(refit=refit, rebuild=rebuild)
            label = f"{_label(days)}  customers" if days and days != DUE else "customers"
            outcomes.append(_run(session, progress, "customers", label, config=config, accept=accept))
        if overdue(session.instance, dt.datetime.now(dt.UTC)):
            outcomes.append(_run(session, progress, HOUSEKEEPING, HOUSEKEEPING))
    return DONE if all(outcome.succeeded for outcome in outcomes) else REFUSED


def _label(days: Days) -> str:
    return days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"


def _chosen(session: "Session", sources: Sequence[str] | None) -> list[str]:
    from cdm_pipelines.contracts.catalogue import all_contracts  # noqa: PLC0415 - commands load what they need

    jobs = session.ingest_jobs
    if unknown := sorted(set(sources or ()) - set(jobs)):
        if begun := sorted({one.source for one in all_contracts()}.intersection(unknown)):
            fail(
                f"{', '.join(begun)}: there is a contract and no component. Write defs.yaml beside the contract, as "
                "docs/how-to/add-a-source.md shows, and try `cdm check`.",
                USAGE,
            )
        fail(f"No source named {', '.join(unknown)}; there are {', '.join(jobs)}.", USAGE)
    return [name for name in jobs if not sources or name in sources]


def _possible(session: "Session", chosen: Sequence[str], days: Days) -> None:
    """Refuse a range that begins before a source does, or that ends after today."""
    known = {name: session.days_of(session.ingest_jobs[name]) for name in chosen}
    if early := "; ".join(
        f"{name} begins on {start}" for name, (start, _) in known.items() if days[0] < start
    ):
        fail(
            f"{days[0]} is too early: {early}. Give later days or another --source, or change start_date in "
            "the source's defs.yaml.",
            USAGE,
        )
    if today := min((end for _, end in known.values() if end < days[1]), default=""):
        fail(f"{days[1]} has not come yet: the last day that can run is today, {today}.", USAGE)


def _due(session: "Session", chosen: Sequence[str]) -> list[tuple[str, Days]]:
    """New days of each source, the oldest first; days that wait are told with the reason."""
    found: list[tuple[str, str]] = []
    for name in chosen:
        decision, problems = session.due(name)
        first, last = session.days_of(session.ingest_jobs[name])
        outside = [date for date in decision.ready if not first <= date <= last]
        found += [(date, name) for date in decision.ready if first <= date <= last]
        told = [*problems, *(f"{name} {date} waits: {reason}" for date, reason in decision.waiting.items())]
        told += [f"{name} {date} is left alone: its days are {first} to today" for date in outside]
        for entity, days in session.read_in_part(name).items():
            if old := [date for date in days if date not in decision.ready]:
                when = f"--date {old[0]}" if len(old) == 1 else f"--from {old[0]} --to {old[-1]}"
                told.append(
                    f"{name}: {len(old):,} days were ingested when the contract read no {entity} of them, which "
                    f"customers therefore lack: `cdm run {when} --source {name}` makes them anew."
                )
        for line in told:
            console.print(line, style="yellow", markup=False)
    return [(name, (date, date)) for date, name in sorted(found)]


def _run(
    session: "Session",
    progress: Progress,
    job: str,
    label: str,
    *,
    dates: tuple[str, str] | None = None,
    part: str = "",
    config: dict[str, object] | None = None,
    accept: Sequence[str] = (),
) -> "RunOutcome":
    """Run one job with a line of progress, and say what failed."""
    from cdm_pipelines.components.launch import run_job  # noqa: PLC0415 - Dagster takes a second to load

    task = progress.add_task(label, total=None)
    outcome = run_job(
        session.definitions,
        job,
        session.instance,
        dates=dates,
        part=part,
        run_config=config,
        accept=accept,
        on_step=lambda step: progress.update(task, description=f"{label}: {step.replace('__', '/')}"),
    )
    mark = "[green]✓[/]" if outcome.succeeded else "[red]✗[/]"
    progress.update(task, description=f"{mark} {label}", total=1, completed=1)
    for warning in outcome.warnings:
        progress.console.print(f"  {warning}", markup=False, style="yellow")
    for step, text in outcome.failures.items():
        progress.console.print(f"  {step.replace('__', '/')}: {text}", markup=False, style="red")
    return outcome


def acceptable(names: Sequence[str]) -> Sequence[str]:
    """Names of checks to which a person may say yes."""
    from cdm_pipelines.quality.thresholds import ACCEPTABLE  # noqa: PLC0415 - commands load what they need

    if unknown := sorted(set(names) - set(ACCEPTABLE)):
        fail(f"Nobody can say yes to {', '.join(unknown)}; there are {', '.join(ACCEPTABLE)}.", USAGE)
    return names


def _config(*, refit: bool, rebuild: bool) -> dict[str, object]:
    """Configuration of the customers' job."""
    from cdm_pipelines.contracts.entity import families  # noqa: PLC0415 - commands load what they need

    records = [f"records__{head.entity}" for head, *_ in families()]
    steps = {step: {"config": {"rebuild": rebuild}} for step in (*records, "stage", "consent")}
    fitting = {step: {"config": {"refit": refit, "rebuild": rebuild}} for step in ("link", "profile")}
    return {"ops": {**steps, **fitting}}


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
    )


def _days(date: str, first: str, last: str) -> tuple[str, str]:
    if date and (first or last):
        fail("Give --date, or --from and --to, not both.", USAGE)
    start, end = (date, date) if date else (first or last, last or first)
    for value in (start, end):
        if not is_day(value):
            fail(f"{value} is not a date; write YYYY-MM-DD.", USAGE)
    if end < start:
        fail(f"--to {end} is before --from {start}.", USAGE)
    return start, end
