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
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit the models of linkage and of the profile anew.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Work through all records and customers, changed or not.")
    ] = False,
) -> None:
    """Ingest one day or a range of days and publish the customers that follow."""
    days = _days(date, first, last)
    yes = acceptable(accept or [])
    raise typer.Exit(run_days(settings(), days, source, refit=refit, rebuild=rebuild, accept=yes))


def ingest(
    file: Annotated[Path, typer.Argument(help="The extract.", exists=True, dir_okay=False, readable=True)],
    source: Annotated[str, typer.Option(help="Source the file comes from: crm, erp, shop …")],
    entity: Annotated[
        str, typer.Option(help="Entity of the source; found by the columns when left out.")
    ] = "",
    date: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Extract date; today when left out.")] = "",
) -> None:
    """Put one file into landing and run its day."""
    from cdm_pipelines.contracts.told import told_path  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.days.delivery import deliver  # noqa: PLC0415 - commands load what they need

    own = settings()
    day = _days(date or dt.date.today().isoformat(), "", "")[0]  # noqa: DTZ011 - the user's own today
    with told_to_people():
        placed = deliver(own, file, source, entity, day)
    place = told_path(placed.path, placed.contract)
    console.print(f"The file is {placed.contract.name} of {day}: placed at {place}", markup=False)
    raise typer.Exit(run_days(own, (day, day), [source], entity=placed.contract.entity))


def run_days(
    own: Settings,
    days: tuple[str, str],
    sources: Sequence[str] | None = None,
    *,
    entity: str = "",
    refit: bool = False,
    rebuild: bool = False,
    accept: Sequence[str] = (),
) -> int:
    """Run the sources' jobs for a range of days, then the customers' job; returns the exit code.

    As :func:`run_in`, in a session of its own.
    """
    from cdm_pipelines.components.session import open_session  # noqa: PLC0415 - Dagster takes a second to load

    with told_to_people(), open_session(own) as session:
        return run_in(session, days, sources, entity=entity, refit=refit, rebuild=rebuild, accept=accept)


def run_in(
    session: "Session",
    days: tuple[str, str],
    sources: Sequence[str] | None = None,
    *,
    entity: str = "",
    refit: bool = False,
    rebuild: bool = False,
    accept: Sequence[str] = (),
) -> int:
    """Run the sources' jobs for a range of days, then the customers' job; returns the exit code.

    A source that fails is told and does not keep the others from being published. With ``entity``, only that
    entity of each source is ingested. ``refit`` and ``rebuild`` configure the customers' job. What the checks named in
    ``accept`` find stops nothing in these runs. Where nobody has pruned for long, since no daemon runs here, that is
    done too.
    """
    from cdm_pipelines.components.pruning import HOUSEKEEPING, overdue  # noqa: PLC0415 - Dagster takes a second to load

    label = days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"
    jobs = session.ingest_jobs
    unknown = sorted(set(sources or ()) - set(jobs))
    if unknown:
        fail(f"No source named {', '.join(unknown)}; there are {', '.join(jobs)}.", USAGE)
    chosen = [name for name in jobs if not sources or name in sources]
    starts = {name: session.first_day(jobs[name]) for name in chosen}
    early = {name: start for name, start in starts.items() if days[0] < start}
    if early:
        known = "; ".join(f"{name} begins on {start}" for name, start in early.items())
        fail(
            f"{days[0]} is too early: {known}. Give later days or another --source, or change start_date in "
            "the source's defs.yaml.",
            USAGE,
        )
    with _progress() as progress:
        outcomes = [
            _run(
                session,
                progress,
                jobs[name],
                f"{label}  {name}",
                dates=days,
                part=f"{name}/{entity}" if entity else "",
                accept=accept,
            )
            for name in chosen
        ]
        if any(outcome.succeeded for outcome in outcomes):
            config = _config(refit=refit, rebuild=rebuild)
            outcomes.append(
                _run(session, progress, "customers", f"{label}  customers", config=config, accept=accept)
            )
        if overdue(session.instance, dt.datetime.now(dt.UTC)):
            outcomes.append(_run(session, progress, HOUSEKEEPING, HOUSEKEEPING))
    return DONE if all(outcome.succeeded for outcome in outcomes) else REFUSED


def publish_in(session: "Session", *, accept: Sequence[str] = ()) -> int:
    """Run the customers' job alone; returns the exit code."""
    with _progress() as progress:
        outcome = _run(session, progress, "customers", "customers", accept=accept)
    return DONE if outcome.succeeded else REFUSED


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
    if not start:
        fail("Which day? Give --date YYYY-MM-DD, or --from and --to.", USAGE)
    for value in (start, end):
        if not is_day(value):
            fail(f"{value} is not a date; write YYYY-MM-DD.", USAGE)
    if end < start:
        fail(f"--to {end} is before --from {start}.", USAGE)
    return start, end
