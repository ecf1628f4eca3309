"""``cdm demo`` and ``cdm demo-data``: the pipeline on made-up customers, and the making of them.

Belongs here: the demo's days and its summary. Does not belong here: the generator (cdm_demo, beside this package) or
a run (run).
"""

import datetime as dt
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.profile import show_best_known
from cdm_pipelines.commands.run import run_in
from cdm_pipelines.commands.terminal import (
    FAILED,
    REFUSED,
    USAGE,
    console,
    fail,
    settings,
    show,
    told_to_people,
    writable,
)
from cdm_pipelines.settings import RECENT, Settings, root

if TYPE_CHECKING:
    from cdm_demo import GeneratedSummary

DEMO_CUSTOMERS, DEMO_DAYS, DEMO_SEED = 1_250, 3, 2026
"""Of the extracts that come with the project, and of recent ones."""
DEMO_SOURCES = ("crm", "erp", "shop", "web", "mail", "desk")
_FIRST_YEAR, _LAST_YEAR = 2010, 2058
"""Of days that extracts can end on: the generator knows days up to 2060, and its customers are born before 2008."""


def demo(
    *,
    recent: Annotated[
        bool,
        typer.Option(
            "--recent",
            help="Make extracts of three days that end yesterday, in data/recent, and run those.",
        ),
    ] = False,
) -> None:
    """Run every day of the demo extracts, publish the customers, and show what came of it.

    The extracts that come with the project are of fixed days, which the documentation names. With --recent nothing is
    old in Dagster's UI, and its daily schedules go on from there.
    """
    from cdm_pipelines.components.session import open_session  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.contracts.catalogue import all_contracts  # noqa: PLC0415
    from cdm_pipelines.ingest import landing_dates  # noqa: PLC0415

    own = settings()
    started = time.monotonic()
    if recent:
        own = _with_recent(own)
    days = sorted({day for contract in all_contracts() for day in landing_dates(own.landing_url, contract)})
    if not days:
        fail(f"There are no extracts in {own.landing_url}. Make some with `cdm demo-data`.", REFUSED)
    with told_to_people(), open_session(own) as session:
        code = max(run_in(session, (day, day)) for day in days)
    if code:
        fail("The demo did not run as it should: see the messages above.", FAILED)
    summarise(own)
    console.print(f"\n{len(days)} days in {time.monotonic() - started:.0f} seconds.")
    console.print(
        "Next: `make up` opens the UI on http://127.0.0.1:3000, the console on http://127.0.0.1:3001"
    )
    console.print(
        "      `.venv/bin/cdm customer NAME` finds a customer; `.venv/bin/cdm quarantine list` what was rejected"
    )


def _with_recent(own: Settings) -> Settings:
    """The settings with extracts in landing that end yesterday; those that were run already stay as they are."""
    from cdm_pipelines.contracts.catalogue import all_contracts  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.ingest import landing_dates  # noqa: PLC0415
    from cdm_pipelines.store import layout  # noqa: PLC0415
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    folder = root() / "data" / RECENT
    landing = str(folder / "landing")
    if os.environ.get("CDM_LANDING_URL"):
        fail("--recent makes extracts of its own: leave out CDM_LANDING_URL.", USAGE)
    lake = Lake(own.lake_url)
    each = [(one, entity) for one in all_contracts() for entity in one.entities]
    ran = {day for one, entity in each for day in layout.standard_days(lake, one, entity)}
    there = {day for one, _ in each for day in landing_dates(landing, one)} if folder.exists() else set()
    if not ran <= there:
        fail(
            f"{own.home} holds days of other extracts, to which recent ones would add the same customers again: "
            "name another CDM_HOME, or take it away with `make clean`.",
            REFUSED,
        )
    if not ran:
        generate = _generator()
        shutil.rmtree(folder, ignore_errors=True)
        making = folder.with_name("recent.part")
        shutil.rmtree(making, ignore_errors=True)
        start = dt.date.today() - dt.timedelta(days=DEMO_DAYS)  # noqa: DTZ011 - the user's own today
        generate(customers=DEMO_CUSTOMERS, days=DEMO_DAYS, seed=DEMO_SEED, out=making, start=start)
        making.rename(folder)
    (own.home / RECENT).mkdir(parents=True, exist_ok=True)
    return settings()


def summarise(own: Settings) -> None:
    """Print what is published, how good it is, and what the profile says of one customer."""
    from cdm_pipelines.contracts.catalogue import all_contracts  # noqa: PLC0415
    from cdm_pipelines.hub import queries  # noqa: PLC0415
    from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415
    from cdm_pipelines.steps.operate import summary  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    lake = Lake(own.lake_url)
    counts = summary.source_counts(lake, all_contracts())
    numeric = ["days", "read", "accepted", "repaired", "quarantined"]
    show("Rows per source", counts, numeric)
    with told_to_people(), open_hub(own) as engine, engine.connect() as connection:
        totals = queries.summary(connection)
        console.print(
            f"\n{sum(totals.records.values()):,} source records are {totals.customers:,} golden customers: "
            f"{totals.duplicates_within:,} duplicates within a source, "
            f"{totals.duplicates_across:,} across sources."
        )
        truth = Path(own.landing_url).parent / "truth" / "party.csv"
        if truth.exists():
            quality = summary.accuracy(connection, truth)
            console.print(
                f"Against the demo's truth: precision {quality.precision:.3f}, recall {quality.recall:.3f} "
                f"({quality.pairs:,} true pairs)."
            )
        show("\nFive customers and the records they are made of", summary.example_merges(connection, lake))
        show_best_known(connection, own)


def demo_data(
    *,
    customers: Annotated[
        int, typer.Option(min=10, max=10_000_000, help="Persons and organisations.")
    ] = DEMO_CUSTOMERS,
    days: Annotated[int, typer.Option(min=1, max=365, help="Days of extracts.")] = DEMO_DAYS,
    out: Annotated[Path, typer.Option(help="Folder for landing/ and truth/.")] = Path("demo-data"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = DEMO_SEED,
    ending: Annotated[
        str,
        typer.Option(
            metavar="YYYY-MM-DD", help="The last day; by default the first is 2026-06-01.", show_default=False
        ),
    ] = "",
    interactions: Annotated[
        float,
        typer.Option(
            min=0,
            max=500,
            help="Web events, mails and tickets per customer, about; 0 leaves their sources out.",
        ),
    ] = 2.0,
    lifelike: Annotated[
        bool,
        typer.Option(
            "--lifelike",
            help="Customers buy at rates of their own and leave: truth/behaviour.csv says why.",
        ),
    ] = False,
) -> None:
    """Make extracts of a CRM, an ERP, a web shop and what customers do, with the truth of who is who."""
    generate = _generator()
    start = _start(ending, days)
    if foreign := _foreign(out / "landing"):
        fail(
            f"{foreign} holds extracts that no demo made, whose place those of the demo would take. Nothing was "
            "written: name another folder with --out.",
            REFUSED,
        )
    writable(out / "truth" / "party.csv")
    with told_to_people(), console.status("Making customers …"):
        made = generate(
            customers=customers,
            days=days,
            seed=seed,
            out=out,
            interactions=interactions,
            lifelike=lifelike,
            **start,
        )
    console.print(
        f"{made.total_records:,} source records of {customers:,} customers over {days} days in {out}",
        markup=False,
    )


def _start(ending: str, days: int) -> dict[str, dt.date]:
    if not ending:
        return {}
    try:
        last = dt.date.fromisoformat(ending)
    except ValueError:
        fail(f"--ending {ending}: write a day such as 2026-06-03.", USAGE)
    if not _FIRST_YEAR <= last.year <= _LAST_YEAR:
        fail(f"--ending {ending}: give a day from {_FIRST_YEAR} to {_LAST_YEAR}.", USAGE)
    return {"start": last - dt.timedelta(days=days - 1)}


def _foreign(landing: Path) -> Path | None:
    """A folder of the demo's sources with files, where no truth beside it says that they are of a demo."""
    if (landing.parent / "truth" / "party.csv").exists():
        return None
    sources = (landing / source for source in DEMO_SOURCES)
    return next((one for one in sources if one.is_dir() and any(one.iterdir())), None)


def _generator() -> "Callable[..., GeneratedSummary]":
    """The generator, which a checkout has and an installed package has not."""
    try:
        from cdm_demo import generate  # noqa: PLC0415 - it stands beside the package, and may be absent
    except ModuleNotFoundError as error:
        if error.name != "cdm_demo":
            raise
        fail(
            "The generator of demo extracts, cdm_demo, is not part of the installed package. "
            "Run this in a checkout of the project (`make venv` sets it up), or name a checkout in PYTHONPATH.",
            USAGE,
        )
    return generate
