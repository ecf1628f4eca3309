"""Values planted in everything that a source can deliver come out nowhere but in the data (R6).

A header, a cell, a key, a file, a sheet may hold a person where nobody expects one; a database quotes rows in errors.
What is looked through: what was printed, Dagster's tables, figures, files of this installation, the alarm's message.
"""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from openpyxl import Workbook

from cdm_pipelines.components.launch import RunOutcome, run_job
from cdm_pipelines.components.session import open_session
from cdm_pipelines.contracts import Format
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.contracts.model import Dialect
from cdm_pipelines.ingest import ExtractError, read_extract
from cdm_pipelines.steps.operate.notify import FailedRun

from .conftest import DAYS, Deployment

NAME, MAIL, PHONE, KEY = "Zeldzaamnaam", "zelda.zeldzaam@example.nl", "0698765432", "KLANT-ZELDZAAM-7"
PLANTED = (NAME, MAIL, PHONE, KEY)
HEADER = "Id,LastName,FirstName,Email,Phone,IsDeleted,MasterRecordId,LastModifiedDate"
"""What crm/contact cannot do without."""
GOOD = "003000000000001AAA,Bos,Jo,jo@bos.nl,,false,,2026-06-02T08:00:00Z"
ROW = f"{KEY},{NAME},{NAME},{MAIL},{PHONE},false,,2026-06-02T08:00:00Z"


@pytest.fixture(scope="module")
def day_one(lived: Callable[..., Deployment]) -> Deployment:
    return lived(DAYS[0])


Delivery = tuple[str, bytes]


def lines(*rows: str) -> bytes:
    return ("\n".join(rows) + "\n").encode()


DELIVERIES: dict[str, Delivery] = {
    "a file without its header": ("", lines(ROW, ROW.replace(KEY, "x"))),
    "values as further columns": ("", lines(f"{HEADER},{NAME},{MAIL},{PHONE}", f"{GOOD},a,b,c")),
    "a column twice": ("", lines(f"{HEADER},{NAME},{NAME}", f"{GOOD},a,b")),
    "a value like a missing column": ("", lines(HEADER.replace("LastName", f"LastName{NAME}"), GOOD)),
    "a name that ingest uses": ("", lines(f"{HEADER},_row", f"{GOOD},{NAME}")),
    "rows of another length": ("", lines(HEADER, GOOD, f"{ROW},{NAME}", f"{NAME},{MAIL}")),
    "a quote that is never closed": ("", lines(HEADER, GOOD, f'"{ROW}')),
    "stray quotes": ("", lines(HEADER, GOOD, f'x,"{NAME}" {MAIL},"a"b,{PHONE},,false,,')),
    "bytes of no encoding": ("", lines(HEADER, GOOD) + NAME.encode() + b"\xff\xfe" + MAIL.encode() + b"\n"),
    "another encoding": ("", lines(HEADER, GOOD, ROW).decode().encode("utf-16")),
    "another delimiter": ("", lines(HEADER, GOOD, ROW).replace(b",", b";")),
    "zero bytes": ("", lines(HEADER, GOOD, ROW.replace(NAME, f"{NAME}\0"))),
    "keys of no form": ("", lines(HEADER, *([ROW] * 5))),
    "a key for two": ("", lines(HEADER, GOOD, GOOD.replace("Bos", NAME), GOOD.replace("Bos", NAME[::-1]))),
    "a total": ("", lines(HEADER, GOOD, f"Totaal,{NAME},,,,,,")),
    "nothing but names": ("", lines(NAME)),
    "a picture": ("", b"\x89PNG\r\n\x1a\n" + NAME.encode() * 99),
    "half a packed file": (f"-{NAME}", gzip.compress(lines(HEADER, GOOD, *([ROW] * 99)), mtime=0)[:90]),
    "a file named after somebody": (f" {NAME} {MAIL}", lines("Nothing", "1")),
    "a good file named after somebody": (f"_{PHONE}_{NAME}", lines(HEADER, GOOD, ROW)),
    "the same file named after somebody": (f"-{MAIL}", b""),
}
"""What is delivered as crm/contact: the rest of the file's name, and its bytes."""


@contextmanager
def delivered(deployment: Deployment, rest: str, content: bytes) -> Iterator[None]:
    """Have a file in the place of the day's own, or beside it where it has no bytes of its own."""
    own = deployment.landing / "crm" / "contact" / f"{DAYS[1]}.csv"
    before = own.read_bytes()
    path = own.with_name(f"{DAYS[1]}{rest}.csv")
    if content and rest:
        own.unlink()
    path.write_bytes(content or before)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        own.write_bytes(before)


def told_anywhere(deployment: Deployment) -> list[str]:
    """Columns of tables of operation, and files of this installation, that hold a planted value but are not data."""
    columns = deployment.query(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns "
        "WHERE table_schema IN ('dagster', 'ops')"
    )
    found = []
    for schema, table, column in columns:
        holds = " OR ".join(f"\"{column}\"::text LIKE '%{value}%'" for value in PLANTED)
        if deployment.query(f"SELECT count(*) FROM {schema}.{table} WHERE {holds}") != [(0,)]:
            found.append(f"{schema}.{table}.{column}")
    data = ("landing", "lake", "postgres")
    for file in deployment.settings.home.rglob("*"):
        if file.is_file() and file.relative_to(deployment.settings.home).parts[0] not in data:
            content = file.read_bytes()
            found += [str(file) for value in PLANTED if value.encode() in content]
    return found


def alarm(deployment: Deployment, outcome: RunOutcome, job: str) -> str:
    """What the alarm would tell of a run."""
    with open_session(deployment.settings) as session:
        events = session.instance.get_records_for_run(
            outcome.run_id, of_type=dg.DagsterEventType.STEP_FAILURE
        ).records
        texts = [str(one.event_log_entry.dagster_event) for one in events]
    return FailedRun(job, outcome.run_id, DAYS[1], outcome.failures).body + "".join(texts)


def ingest(deployment: Deployment) -> RunOutcome:
    with open_session(deployment.settings) as session:
        days = (DAYS[1], DAYS[1])
        return run_job(session.definitions, "ingest_crm", session.instance, dates=days, part="crm/contact")


def assert_told_nowhere(deployment: Deployment, *texts: str) -> None:
    for value in PLANTED:
        assert [text for text in texts if value in text] == []
    assert told_anywhere(deployment) == []


@pytest.mark.parametrize("name", DELIVERIES)
def test_a_planted_value_is_told_nowhere(
    day_one: Deployment, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with delivered(day_one, *DELIVERIES[name]):
        outcome = ingest(day_one)
        shown = day_one.ask("quarantine", "show", "crm/contact", "--date", DAYS[1])
    printed = "".join(capfd.readouterr())
    assert_told_nowhere(day_one, str(outcome), alarm(day_one, outcome, "ingest_crm"), shown, printed)


def test_one_file_named_after_somebody_is_placed_without_telling_it(
    day_one: Deployment, tmp_path: Path
) -> None:
    file = tmp_path / f"{NAME}.csv"
    file.write_bytes(lines(NAME, MAIL))
    told = day_one.ask(
        "ingest", str(file), "--source", "crm", "--entity", "contact", "--date", DAYS[2], code=1
    )
    (day_one.landing / "crm" / "contact" / f"{DAYS[2]}-{NAME}.csv").unlink()
    assert_told_nowhere(day_one, told)


@pytest.mark.parametrize("state", ["53100", "25006", "23505", "P0001"])
def test_what_a_database_quotes_is_told_nowhere(
    day_one: Deployment, state: str, capfd: pytest.CaptureFixture[str]
) -> None:
    day_one.alter(
        f"""CREATE OR REPLACE FUNCTION ops.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'Key (email)=({MAIL}) {NAME}' USING ERRCODE = '{state}', DETAIL = '{PHONE}'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON ops.measurement FOR EACH ROW EXECUTE FUNCTION ops.refuse()"""
    )
    try:
        outcome = ingest(day_one)
    finally:
        day_one.alter("DROP FUNCTION ops.refuse() CASCADE")
    assert not outcome.succeeded
    printed = "".join(capfd.readouterr())
    assert "Traceback" not in printed
    assert_told_nowhere(day_one, str(outcome), alarm(day_one, outcome, "ingest_crm"), printed)


def test_names_of_sheets_are_told_by_their_shape(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = NAME
    sheet.append(["Id"])
    book.create_sheet(MAIL.replace("@", " "))
    (tmp_path / "crm" / "contact").mkdir(parents=True)
    book.save(tmp_path / "crm" / "contact" / f"{DAYS[0]}-{NAME}.xlsx")
    contract = replace(
        contract_named("crm/contact"),
        format=Format.EXCEL,
        location="crm/contact/{date}*.xlsx",
        dialect=Dialect(sheet="Klanten"),
    )
    with pytest.raises(ExtractError) as raised:
        list(read_extract(str(tmp_path), contract, DAYS[0]))
    assert "no sheet 'Klanten'" in str(raised.value)
    assert "one of the form 'Aaaaaaaaaaaa'" in str(raised.value)
    assert [value for value in (*PLANTED, "zelda") if value in str(raised.value)] == []
