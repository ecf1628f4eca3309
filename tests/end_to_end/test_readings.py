"""Every command that shows or hands out personal data leaves a line first: who, in which role, for what, of whom."""

import csv
import getpass
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from .conftest import DAYS, Deployment

COLUMNS = ("who", "role", "purpose", "tool", "golden_ids", "categories", "rows")


@dataclass(frozen=True)
class Company:
    """A deployment with a published day, and somebody who is known by two records."""

    home: Deployment
    golden_id: str
    records: tuple[str, str]
    folder: Path

    def lines(self) -> list[dict[str, object]]:
        rows = self.home.query(f"SELECT {', '.join(COLUMNS)} FROM ops.access_log ORDER BY access_id")
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def company(lived: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Company:
    home, folder = lived(DAYS[0]), tmp_path_factory.mktemp("readings")
    ((golden_id, records),) = home.query(
        """SELECT golden_id::text, array_agg(source || '/' || entity || '|' || record_id ORDER BY source, record_id)
        FROM golden.crosswalk JOIN golden.customer USING (golden_id)
        WHERE party_kind = 'person' AND email IS NOT NULL AND birth_date IS NOT NULL
        GROUP BY golden_id HAVING count(DISTINCT source) > 1 ORDER BY 1 LIMIT 1"""
    )
    one, other = records[0], records[-1]
    everybody = home.query("SELECT source || '/' || entity, record_id, golden_id::text FROM golden.crosswalk")
    with (folder / "truth.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("source", "record_id", "truth_id"))
        writer.writerows(  # as if one of the two records were somebody else's
            (source, record, "another" if f"{source}|{record}" == one else whom)
            for source, record, whom in everybody
        )
    return Company(home, golden_id, (one, other), folder)


READINGS = {
    "customer": (["customer", "{id}"], "cdm customer", "engineer", "user.contact.email"),
    "profile": (["customer", "{id}", "--profile"], "cdm customer", "engineer", "user.name"),
    "journey": (["customer", "{id}", "--journey"], "cdm customer", "engineer", "user.name"),
    "steward show": (["steward", "show", "{id}"], "cdm steward show", "steward", "user.contact.email"),
    "explain": (
        ["link", "explain", "{one}", "{other}", "--show-values"],
        "cdm link explain",
        "steward",
        "user.name",
    ),
    "evaluate": (
        ["link", "evaluate", "--truth", "{folder}/truth.csv", "--show-values"],
        "cdm link evaluate",
        "steward",
        "user.name",
    ),
    "sample": (
        ["link", "sample", "{folder}/sample.csv", "--pairs", "2000", "--show-values"],
        "cdm link sample",
        "steward",
        "user.demographic.date_of_birth",
    ),
    "access": (
        ["privacy", "access", "{id}", "--to", "{folder}"],
        "cdm privacy access",
        "privacy_officer",
        "user.behavior.purchase_history",
    ),
}
"""By command: what is asked, the tool, role and one of the categories of the line that names the customer."""


@pytest.mark.parametrize("command", READINGS)
def test_who_is_shown_is_in_the_line_by_golden_id_and_no_value_of_theirs_is(
    company: Company, command: str
) -> None:
    arguments, tool, role, category = READINGS[command]
    one, other = company.records
    before = len(company.lines())
    given = [
        argument.format(id=company.golden_id, one=one, other=other, folder=company.folder)
        for argument in arguments
    ]
    told = company.home.ask(*given)
    lines = company.lines()[before:]
    ((name, email),) = company.home.query(
        f"SELECT surname, email FROM golden.customer WHERE golden_id = '{company.golden_id}'"
    )
    shown = told + "".join(path.read_text("utf-8") for path in company.folder.glob("sample.csv"))
    if command not in {"profile", "journey", "access"}:  # which show other things of the customer, or a file
        assert name.casefold() in shown.casefold()
    (line,) = [one for one in lines if company.golden_id in map(str, one["golden_ids"])]  # type: ignore[call-overload]
    assert (line["who"], line["role"], line["tool"]) == (getpass.getuser(), role, tool)
    assert category in line["categories"]  # type: ignore[operator]
    assert all(str(one["tool"]) == tool for one in lines)
    for value in (name, email):
        assert value not in str(lines)


def test_shapes_leave_no_line(company: Company) -> None:
    before = len(company.lines())
    company.home.ask("link", "explain", *company.records)
    company.home.ask("link", "evaluate", "--truth", str(company.folder / "truth.csv"))
    company.home.ask("link", "sample", str(company.folder / "shapes.csv"))
    company.home.ask("steward", "queue")
    assert len(company.lines()) == before


def test_rejected_rows_that_are_handed_out_leave_a_line_with_their_number(company: Company) -> None:
    """Whose they are is not known: they were rejected before anybody was looked for."""
    found = [
        (entity, path.stem)
        for path in sorted(Path(company.home.settings.lake_url).glob("quarantine/*/*/*.parquet"))
        for entity in ["/".join(path.parts[-3:-1])]
        if pq.read_metadata(path).num_rows
    ]
    exported = 0
    for entity, day in found:
        before, out = len(company.lines()), company.folder / "rejected.csv"
        told = company.home.ask(
            "quarantine", "export", entity, "--date", day, "--out", str(out), "--role", "steward"
        )
        (line,) = company.lines()[before:]
        rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
        assert told.startswith(f"{len(rows):,} rows written")
        assert (line["tool"], line["role"], line["rows"]) == ("cdm quarantine export", "steward", len(rows))
        assert line["golden_ids"] == []
        if entity == "crm/contact":
            assert {"user.name", "user.contact.email"} <= set(line["categories"])  # type: ignore[call-overload]
            values = {value for row in rows for value in row.values() if value and len(value) > 4}
            assert not any(value in str(line) for value in values - {"steward"})
        exported += 1
    assert exported
    company.home.ask("quarantine", "export", "crm/contact", "--date", "2031-01-01", "--out", str(out), code=1)


def test_an_audience_that_is_delivered_leaves_lines_of_whom_it_tells(company: Company) -> None:
    home, before = company.home, len(company.lines())
    home.ask("audience", "preview", "newsletter")
    home.ask("audience", "deliver", "newsletter", "--dry-run")
    assert len(company.lines()) == before, "nobody is told of yet"
    home.ask("audience", "deliver", "newsletter", "--role", "marketing")
    lines = company.lines()[before:]
    told = home.query("SELECT golden_id FROM activation.delivery_member WHERE action = 'added'")
    assert told
    (line,) = lines
    assert sorted(map(str, line["golden_ids"])) == sorted(str(one) for (one,) in told)  # type: ignore[call-overload]
    assert (line["role"], line["purpose"], line["tool"]) == ("marketing", "marketing", "cdm audience deliver")
    assert {"user.name", "user.contact.email", "user.unique_id"} <= set(line["categories"])  # type: ignore[call-overload]
    mailboxes = home.query("SELECT email FROM golden.customer WHERE email IS NOT NULL")
    assert not any(mailbox in str(lines) for (mailbox,) in mailboxes)
    home.ask("audience", "deliver", "newsletter")
    assert company.lines()[before:] == lines, "nobody is told of anew"
    assert "does not act for 'marketing'" in home.ask(
        "audience", "deliver", "newsletter", "--role", "finance", code=1
    )
