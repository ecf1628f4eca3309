"""``cdm privacy``: what persons may ask about their data, and that it was done.

Belongs here: the commands and how they speak. Does not belong here: doing it (steps.rights).
"""

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.reading import login, note
from cdm_pipelines.commands.terminal import (
    USAGE,
    console,
    errors,
    fail,
    hub,
    is_day,
    settings,
    show,
    told_to_people,
    writable,
)
from cdm_pipelines.privacy.words import Language
from cdm_pipelines.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from cdm_pipelines.contracts.actor import Actor
    from cdm_pipelines.privacy.certificate import Certificate
    from cdm_pipelines.privacy.roles import Change
    from cdm_pipelines.steps.rights.requests import Receipt

app = typer.Typer(
    no_args_is_help=True, help="Rights of persons: access, erasure, restriction, and certificates."
)

Customer = Annotated[
    str,
    typer.Argument(metavar="CUSTOMER", help="Golden id, alias, or source record source/entity/record_id."),
]
Customers = Annotated[
    list[str],
    typer.Argument(
        metavar="CUSTOMER…",
        help="Golden ids, aliases, or source records source/entity/record_id; - reads them from standard input.",
    ),
]
By = Annotated[str, typer.Option("--by", help="Who does it.")]
Reason = Annotated[str, typer.Option("--reason", help="Number or words of the request; no values.")]
Checked = Annotated[
    str, typer.Option("--checked-by", help="Who made sure that the person is who asks; --by when left out.")
]
Received = Annotated[
    str,
    typer.Option(metavar="YYYY-MM-DD", help="The day on which it was received; today when left out."),
]
Patience = Annotated[float, typer.Option(min=0, help="Minutes to wait for runs that are under way.")]


@app.command()
def erase(  # noqa: PLR0917 - options of a command
    customers: Customers,
    by: By,
    reason: Reason = "",
    checked_by: Checked = "",
    received: Received = "",
    patience: Patience = 30,
    *,
    proposal: Annotated[
        int, typer.Option(hidden=True, help="What was proposed in the console and approved.")
    ] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase customers everywhere, for good; look through everything after, and issue a certificate."""
    from cdm_pipelines.steps.rights import erasure, requests  # noqa: PLC0415 - commands load what they need

    actor, own = _officer(by), settings()
    customers, receipt = _named(customers), _receipt(own, received)
    if not yes:
        going = "One customer goes" if len(customers) == 1 else f"{len(customers):,} customers go"
        typer.confirm(f"{going} for good. Is that meant?", abort=True)
    with hub(own) as engine:
        _end_orphans(own)
        if proposal:
            with engine.connect() as connection:
                receipt = requests.receipt_of(connection, own, proposal)
        asked = erasure.Asked(customers, actor, checked_by or by, reason, receipt)
        _tell(erasure.erase(own, engine, asked, patience=60 * patience, progress=_progress))


def _receipt(own: Settings, received: str) -> "Receipt":
    from cdm_pipelines.steps.rights.requests import Receipt  # noqa: PLC0415 - commands load what they need

    day = _day(received) if received else None
    with told_to_people():
        return Receipt.now(own, day)


def _named(customers: list[str]) -> list[str]:
    """Those that are named; from standard input, a line each, where - is: no list of processes shows them."""
    if customers != ["-"]:
        return customers
    given = [line.strip() for line in sys.stdin if line.strip()]
    return given or fail("Nobody is named: give golden ids on standard input, a line each.", USAGE)


@app.command()
def access(
    customer: Customer,
    to: Annotated[Path, typer.Option(help="Folder of the archive; where you are when left out.")] = Path(),
    language: Annotated[Language, typer.Option(help="Of the page: Dutch or English.")] = Language.DUTCH,
    checked_by: Checked = "",
    received: Received = "",
) -> None:
    """Write everything that is known of a customer into an archive: a page, JSON and CSV, and a manifest of hashes."""
    from cdm_pipelines.steps.rights.archive import answer  # noqa: PLC0415 - commands load what they need

    folder, own = writable(to / "archive").parent, settings()
    receipt, who = _receipt(own, received), checked_by or login()
    with hub(own) as engine:
        _note_access(own, engine, customer)
        path = answer(own, engine, customer, folder, language=language, checked_by=who, receipt=receipt)
    console.print(
        f"{path}: hand it over by a way that only this person can read, and delete it.", markup=False
    )


def _note_access(own: Settings, engine: "Engine", customer: str) -> None:
    """Write the line of the access log before the archive is made."""
    from cdm_pipelines.steps.privacy.reading import everything_categories, reading  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.rights.subject import named  # noqa: PLC0415

    with engine.connect() as connection:
        whom = named(own, connection, customer).golden_ids
    noted = reading(own, login(), "cdm privacy access", usual="privacy_officer")
    note(engine, noted, categories=everything_categories(), golden_ids=whom)


@app.command()
def resume(by: By, patience: Patience = 30) -> None:
    """Go on with erasures that were cut short, or that left something somewhere."""
    from cdm_pipelines.steps.rights import erasure  # noqa: PLC0415 - commands load what they need

    actor, own = _officer(by), settings()
    with hub(own) as engine:
        _end_orphans(own)
        done = erasure.resume(own, engine, actor, patience=60 * patience, progress=_progress)
    for certificate in done:
        _tell(certificate)
    if not done:
        console.print("No erasure waits to be ended.")


@app.command()
def restrict(
    customer: Customer,
    by: By,
    reason: Reason = "",
    *,
    lift: Annotated[bool, typer.Option("--lift", help="Take the restriction back.")] = False,
) -> None:
    """Keep a customer's data and use it for nothing, until the restriction is lifted."""
    from cdm_pipelines.steps.rights import limits  # noqa: PLC0415 - commands load what they need

    actor, own = _officer(by), settings()
    with hub(own) as engine, engine.begin() as connection:
        if lift:
            number = limits.lift(connection, own, customer, actor=actor, reason=reason)
            console.print(f"{number:,} records are restricted no more.")
        else:
            number = limits.restrict(connection, own, customer, actor, reason)
            console.print(f"Request {number}: the customer's records are kept and used for nothing.")


@app.command("object")
def object_to(
    customer: Customer,
    purpose: Annotated[
        str, typer.Option(help="The purpose that is off, as policies/purposes.yaml calls it.")
    ],
    by: By,
    reason: Reason = "",
    *,
    lift: Annotated[bool, typer.Option("--lift", help="Take the objection back.")] = False,
) -> None:
    """Use a customer's data for a purpose no more, whatever sources say: from the next run and delivery on."""
    from cdm_pipelines.steps.rights import limits  # noqa: PLC0415 - commands load what they need

    actor, own = _officer(by), settings()
    with hub(own) as engine, engine.begin() as connection:
        if lift:
            number = limits.lift(connection, own, customer, purpose, actor=actor, reason=reason)
            console.print(f"{number:,} records may be used for {purpose} again.", markup=False)
            return
        number = limits.object_to(connection, own, customer, purpose, actor=actor, reason=reason)
    console.print(f"Request {number}: {purpose} is off for the customer.", markup=False)


@app.command()
def rectify(
    customer: Customer,
    attribute: Annotated[str, typer.Argument(metavar="ATTRIBUTE=VALUE", help="What is right.")],
    by: By,
    reason: Reason = "",
) -> None:
    """Set a value whatever the sources say; owners of those that say something else are told what to correct."""
    from cdm_pipelines.steps.rights import limits  # noqa: PLC0415 - commands load what they need

    name, equals, value = attribute.partition("=")
    if not equals:
        fail("Write ATTRIBUTE=VALUE, for example job_title=baker.", USAGE)
    actor, own = _officer(by), settings()
    with hub(own) as engine, engine.begin() as connection:
        done = limits.rectify(connection, own, customer, (name, value), actor=actor, reason=reason)
    console.print(
        f"Decision {done.decision.decision_id} is recorded; it takes effect with the next run of customers, and "
        "publish/source_corrections tells the owners of sources that say something else.",
        markup=False,
    )


@app.command()
def say(
    customer: Customer,
    purpose: Annotated[
        str, typer.Option(help="What it is about, as policies/purposes.yaml calls the purpose.")
    ],
    state: Annotated[str, typer.Option(help="given, refused, withdrawn or objected.")],
    by: By,
    *,
    channel: Annotated[
        str,
        typer.Option(help="email, phone, post, sms, visit, web, app or other; every channel when left out."),
    ] = "",
    method: Annotated[str, typer.Option(help="How it was said: a call, a letter.")] = "command line",
    notice: Annotated[str, typer.Option(help="What was asked or read to them, or where that is.")] = "",
    notice_version: Annotated[str, typer.Option(help="Version of that text.")] = "",
    reason: Annotated[str, typer.Option(help="Words of whoever takes it down.")] = "",
) -> None:
    """Take down what a customer says about consent; it is in force at once."""
    from cdm_pipelines.steps.consent.said import Statement  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.consent.said import say as take_down  # noqa: PLC0415

    actor, own = _officer(by, "consent"), settings()
    said = Statement(customer, purpose, channel, state, method, notice, notice_version, reason)
    with hub(own) as engine, engine.begin() as connection:
        done = take_down(connection, own, said, who=actor.name, role="privacy_officer")
    allowed = "allowed" if done.allowed else "not allowed"
    through = f" by {channel}" if channel else ""
    console.print(
        f"Statement {done.number} is in force: {purpose} is {allowed}{through} ({done.why}).", markup=False
    )


@app.command()
def rotate_keys(patience: Patience = 30) -> None:
    """Make a new key, and seal under it what policies/protection.yaml has encrypted; go on where that was cut short."""
    from cdm_pipelines.contracts.catalogue import all_contracts  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.rights.rotation import rotate  # noqa: PLC0415

    today = dt.datetime.now(dt.UTC).date()
    with hub(own := settings()) as engine:
        _end_orphans(own)
        done = rotate(own, engine, all_contracts(), today, patience=60 * patience, progress=_progress)
    if not done.key:
        console.print("Nothing is encrypted: see policies/protection.yaml.")
        return
    console.print(
        f"{'Ended the change to key' if done.was_cut_short else 'Sealed under key'} {done.key}: {done.tables:,} tables "
        "written anew. The next run takes it on to records and customers. Keep a copy of the file of keys.",
        markup=False,
    )


@app.command()
def retention(
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="YYYY-MM-DD", help="The day; today when left out.")
    ] = "",
    by: Annotated[str, typer.Option("--by", help="Who does it; needed to apply.")] = "",
    patience: Patience = 30,
    *,
    rows: Annotated[bool, typer.Option("--rows", help="List every row: golden ids, keys, paths.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Let go what has expired, for good.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Say what has expired by policies/retention.yaml and what expires when; let it go with --apply."""
    from cdm_pipelines.commands.retention import tell_retention  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.rights import retention as steps  # noqa: PLC0415 - the same

    today = _day(as_of) if as_of else dt.datetime.now(dt.UTC).date()
    if apply and not by:
        fail("Say who does it: --by NAME.", USAGE)
    if apply and today > dt.datetime.now(dt.UTC).date():
        fail(f"{today} is yet to come: leave --apply out to see what expires by then.", USAGE)
    own = settings()
    with hub(own) as engine:
        if not apply:
            with engine.connect() as connection:
                tell_retention(steps.planned(own, connection, today), rows=rows)
            return
        if not yes:
            typer.confirm(f"What has expired on {today} goes for good. Is that meant?", abort=True)
        _end_orphans(own)
        found, done = steps.apply(
            own, engine, _officer(by), today, patience=60 * patience, progress=_progress
        )
    tell_retention(found, rows=rows, gone=True)
    if done is not None:
        _tell(done)


def _day(text: str) -> dt.date:
    if not is_day(text):
        fail(f"{text} is not a date; write YYYY-MM-DD.", USAGE)
    return dt.date.fromisoformat(text)


def _officer(by: str, change: "Change" = "requests") -> "Actor":
    from cdm_pipelines.contracts.actor import Actor, Role  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.privacy.changing import see_that_may  # noqa: PLC0415

    with told_to_people():
        see_that_may(settings(), "privacy_officer", change)
        return Actor(by, Role.PRIVACY_OFFICER)


def _end_orphans(own: Settings) -> None:
    """Runs whose process was killed are under way no more."""
    from cdm_pipelines.components.launch import fail_orphans  # noqa: PLC0415 - Dagster takes a second to load
    from cdm_pipelines.components.session import open_instance  # noqa: PLC0415

    with open_instance(own) as (_, instance):
        fail_orphans(instance)


def _progress(what: str) -> None:
    if "/" not in what:  # places are told by the certificate
        console.print(f"{what} …", markup=False)


def _tell(certificate: "Certificate") -> None:
    content = certificate.content
    show(
        f"Certificate {certificate.number} of request {certificate.request_id}",
        [{"place": place, "rows": rows, "how": how} for place, rows, how in content["erased"]],
        numeric=["rows"],
    )
    for kept in content["kept_by_law"]:
        console.print(
            f"kept by law until {kept['until']}: {kept['documents']:,} of {kept['what']} ({kept['reason']})",
            markup=False,
        )
    for place, _, reason in content.get("left", ()):
        errors.print(f"✗ {place} left as it is: {reason}", style="red", markup=False)
    for one in content.get("exports_out_of_hands", ()):
        console.print(
            f"moved or changed since {one['by']} exported {one['what']} on {one['made_on']}, and out of our hands: "
            f"{one['path']}",
            markup=False,
        )
    if alike := content.get("alike"):
        console.print(
            f"{alike:,} records of other customers have the same name with the same e-mail, phone, or birth date and "
            "postcode, and stay: erase that customer too where it is the same person (cdm customer NAME)",
            markup=False,
        )
    for one in content["backups"]:
        console.print(f"still in the backup {one['where']} until {one['until']}", markup=False)
    seen = content["looked_through"]
    console.print(
        f"✓ {content['customers']:,} customers erased; {seen['files']:,} files and {seen['tables']:,} tables looked "
        f"through for {seen['values']:,} values: none is left. Hash {certificate.hash}",
        markup=False,
    )
