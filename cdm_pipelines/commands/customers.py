"""``cdm customer`` and ``cdm export``: reading what is published.

Belongs here: questions about golden customers. Does not belong here: how they are stored (hub.queries, hub.history)
or found (steps.search).
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from cdm_pipelines.commands.consent import show_consent
from cdm_pipelines.commands.profile import show_journey, show_profile
from cdm_pipelines.commands.reading import AsRole, ForPurpose, login, note, opener
from cdm_pipelines.commands.terminal import (
    REFUSED,
    USAGE,
    console,
    fail,
    hub,
    settings,
    show,
    writable,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from cdm_pipelines.hub.history import Step
    from cdm_pipelines.settings import Settings
    from cdm_pipelines.steps.search.weigh import Models


MOST_CUSTOMERS, MOST_TOUCHES, MOST_ORDERS = 10, 50, 10
"""How many are shown unless --limit says otherwise."""
_OF_MANY = (
    "A suggestion: a year, an area, an initial, or words that are only like these are no person's own. "
    "Type more of the customer, or the golden id."
)


class ExportFormat(StrEnum):
    """File formats of an export."""

    CSV = "csv"
    PARQUET = "parquet"
    JSONL = "jsonl"


export = typer.Typer(help="Write published tables to a file.", no_args_is_help=True)


def customer(  # noqa: PLR0917 - options of a command
    search: Annotated[
        list[str],
        typer.Argument(
            help="Name, e-mail, phone, postcode with house number, order number, record id or golden id of any age, "
            "typing errors allowed; several of them narrow the search."
        ),
    ],
    limit: Annotated[
        int | None,
        typer.Option(
            help="Most customers to show, 10 unless said otherwise; with --journey most touches, 50.",
            min=1,
            show_default=False,
        ),
    ] = None,
    as_of: Annotated[
        str,
        typer.Option(
            help="Show what was known then: a day, which counts to its end, or a time such as 2026-03-01T12:00."
        ),
    ] = "",
    history: Annotated[
        bool, typer.Option("--history", help="Show what changed when, and which source said so.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show what is worked out of it, and from what.")
    ] = False,
    journey: Annotated[
        bool,
        typer.Option(
            "--journey", help="Show every touch in order: orders, invoices, visits, mails, calls, stages."
        ),
    ] = False,
    consent: Annotated[
        bool, typer.Option("--consent", help="Show what it allows, for which purposes and channels, and why.")
    ] = False,
    role: AsRole = "",
    purpose: ForPurpose = "",
) -> None:
    """Find a customer; with one match, show the records behind it and where each value came from."""
    from cdm_pipelines.steps.privacy.reading import card_categories, customer_categories, reading  # noqa: PLC0415
    from cdm_pipelines.steps.search.find import find  # noqa: PLC0415 - commands load what they need

    own = settings()
    at = _moment(as_of, own.timezone) if as_of else None
    text = " ".join(search)
    if profile + journey + consent + bool(at or history) > 1:
        fail(
            "Ask for --profile, for --journey, for --consent, or for the past with --as-of or --history.",
            USAGE,
        )
    ways: list[tuple[bool, Callable[[Connection, UUID], None]]] = [
        (profile, partial(show_profile, own)),
        (journey, partial(show_journey, own, limit or MOST_TOUCHES)),
        (consent, partial(show_consent, own)),
        (bool(at or history), partial(_past, own, at)),
    ]
    answer = next((way for asked, way in ways if asked), None)
    with hub(own) as engine, engine.connect() as connection:
        noting = partial(note, engine, reading(own, login(), "cdm customer", role, purpose))
        named = _named(connection, text) if answer is not None else None
        if named is not None and answer is not None:
            noting(categories=customer_categories(), golden_ids=[named])
            answer(connection, named)
            return
        most = limit if limit and not journey else MOST_CUSTOMERS
        hits = find(connection, text, partial(_models, own), limit=max(most, 2), country=own.default_country)
        full = [hit for hit in hits if not hit.missed]
        hits, found_all = full or hits, bool(full)
        alone = found_all and len(hits) == 1
        one = alone and hits[0].tells
        more, hits = len(hits) > most, hits[:most]
        found = customer_categories() if one else card_categories()
        noting(categories=found, golden_ids=[hit.golden_id for hit in hits])
        if not hits:
            fail("No customer found.", REFUSED)
        if not one or not (at or history):
            missed = (
                {} if found_all else {hit.golden_id: {"not found": ", ".join(hit.missed)} for hit in hits}
            )
            cards = [{**hit.card, "found by": hit.why, **missed.get(hit.golden_id, {})} for hit in hits]
            show("Customers", cards)
        if more:
            console.print("There are more; a higher --limit shows them.", markup=False)
        if not found_all:
            fail(_part_of([hit.missed for hit in hits]), REFUSED)
        if alone and not one:
            fail(_OF_MANY, REFUSED)
        if one:
            (answer or partial(_present, own))(connection, hits[0].golden_id)
        elif answer is not None:
            fail("Name one of them by its golden id.", REFUSED)


def _models(own: "Settings") -> "Models":
    """The kept linkage models: what ranks, and loads for a while."""
    from cdm_pipelines.steps.search.weigh import Models  # noqa: PLC0415 - most searches go by an id or a number
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    return Models.load(Lake(own.lake_url), own)


def _named(connection: "Connection", typed: str) -> UUID | None:
    """The golden id of any age that was typed, whole or in part; None where it is none, and may be something else."""
    from cdm_pipelines.hub.golden_ids import meant  # noqa: PLC0415 - commands load what they need

    try:
        return meant(connection, typed)
    except LookupError:
        return None


def _part_of(missed: Sequence[tuple[str, ...]]) -> str:
    """That nobody is known by all that was typed, with what of it is of none of those shown."""
    of_none = [typed for typed in missed[0] if all(typed in one for one in missed)]
    told = f" Of none of them: {', '.join(of_none)}." if of_none else ""
    return f"Nobody is known by all of this: those above are by a part of it.{told}"


def _present(own: "Settings", connection: "Connection", golden_id: UUID) -> None:
    """A customer's records, values with where they come from, and newest orders."""
    from cdm_pipelines.hub import history, queries  # noqa: PLC0415

    one = queries.customer(connection, str(golden_id))
    if one is None:
        return
    opened = opener(own)
    provenance = [opened(row) for row in one.provenance]
    show("Source records", [opened(row) for row in one.records])
    values = [
        {
            "attribute": name,
            "value": str(value),
            "source": _source(came),
            "rule": came.get("rule"),
            "others say": _others(came, name, value),
        }
        for name, value in opened(one.golden).items()
        if value is not None and name not in history.SUMMARY
        for came in [history.source_of(provenance, name)]
    ]
    show("Where each value came from", values)
    if orders := queries.orders(connection, golden_id, MOST_ORDERS):
        show("Newest orders", [opened(row) for row in orders], numeric=("total_amount",))


def _others(came: Mapping[str, object], attribute: str, golden: object) -> str:
    """What other records say of an attribute that the golden value does not, each with its source."""
    losers = came.get("losers")
    said = []
    for loser in losers if isinstance(losers, list) and came.get("attribute") != "*" else ():
        value = loser["value"].get(attribute) if isinstance(loser["value"], dict) else loser["value"]
        if value is not None and str(value) != str(golden):
            said.append(f"{value} ({_source(loser)})")
    return "; ".join(said)


def _past(own: "Settings", at: dt.datetime | None, connection: "Connection", golden_id: UUID) -> None:
    """A customer as it was known at a time, or all that happened to it."""
    from cdm_pipelines.hub import history  # noqa: PLC0415

    opened = opener(own)
    if at is None:
        steps = list(history.timeline(history.life(connection, golden_id)))
        if not steps:
            fail("No customer ever had this id.", REFUSED)
        show(f"History of {golden_id}", [opened(_step(step)) for step in steps])
        return
    version = history.as_of(connection, golden_id, at)
    if version is None:
        fail(f"Nothing was known of this customer at {at:%Y-%m-%d %H:%M %Z}.", REFUSED)
    until = f"{version.valid_to:%Y-%m-%d %H:%M:%S %Z}" if version.valid_to else "now"
    console.print(
        f"Customer {version.golden['golden_id']} as known from {version.valid_from:%Y-%m-%d %H:%M:%S %Z} until {until} "
        f"(publication {version.publication}); last seen by its sources on {version.golden['last_seen']}",
        markup=False,
    )
    values = [
        {"attribute": name, "value": str(value), "source": _source(source), "why": source.get("rule")}
        for name, value in version.golden.items()
        if value is not None and name not in history.SUMMARY
        for source in [version.source(name)]
    ]
    show("Values", [opened(row) for row in values])


def _step(step: "Step") -> dict[str, object]:
    return {
        "when": f"{step.at:%Y-%m-%d %H:%M:%S}",
        "publication": str(step.publication or ""),
        "event": f"merged into {step.after}" if step.event == "ends" and step.after else step.event,
        "attribute": step.attribute,
        "before": step.before if step.before is None else str(step.before),
        "after": None if step.after is None or step.event == "ends" else str(step.after),
        "source": _source(step.source),
    }


def _source(row: Mapping[str, object]) -> str:
    return "/".join(str(row[key]) for key in ("source", "entity", "record_id")) if row else ""


def _moment(text: str, timezone: str) -> dt.datetime:
    """A day to its end, or a time, where the user is unless the text says otherwise."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        fail(f"--as-of {text}: write a day such as 2026-03-01, or a time such as 2026-03-01T12:00.", USAGE)
    if len(text) == len("2026-03-01"):
        moment += dt.timedelta(days=1, microseconds=-1)
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))


@export.command("golden")
def export_golden(
    format: Annotated[ExportFormat, typer.Option(help="File format.")] = ExportFormat.CSV,  # noqa: A002 - the option's name
    out: Annotated[Path, typer.Option(help="File to write; named after the format when left out.")] = Path(),
    table: Annotated[str, typer.Option(help="Published table: customer, customer_order, …")] = "customer",
    role: AsRole = "",
    purpose: ForPurpose = "",
) -> None:
    """Export golden customers, or another published table.

    Customers whose data may not be used for the purpose are left out. With a role, the file holds what the role sees.
    """
    from cdm_pipelines.hub import bulk  # noqa: PLC0415
    from cdm_pipelines.privacy import exports  # noqa: PLC0415
    from cdm_pipelines.privacy.protection import Vault  # noqa: PLC0415
    from cdm_pipelines.steps.customers import export as exporting  # noqa: PLC0415
    from cdm_pipelines.steps.privacy.reading import reading, table_categories  # noqa: PLC0415
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    what = "customers" if table == "customer" else f"rows of {table}"
    name = "customers" if table == "customer" else table
    target = writable(out if out != Path() else Path(f"{name}.{format}"))
    own = settings()
    with hub(own) as engine, engine.connect() as connection:
        noted, shown = reading(own, login(), "cdm export", role, purpose), table_categories(table)
        part = exporting.part_for_purpose(connection, own, table, noted.purpose)
        if role:
            part = exporting.part_of_role(connection, own, part, role)
        note(engine, noted, categories=shown, rows=bulk.count_rows(connection, part))
        vault = Vault.of(own, Lake(own.lake_url))
        with exports.noting(own.home, target, by=login(), what=table):
            rows = exporting.export_table(connection, target, str(format), part, vault.open)
    console.print(f"{rows:,} {what} written to {target}", markup=False)
    if part.left_out is not None and len(part.left_out):
        console.print(
            f"Left out: what is of {len(part.left_out):,} customers, who are restricted or do not allow the purpose "
            f"{noted.purpose}.",
            markup=False,
        )
