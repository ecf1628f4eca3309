"""A source is a folder with YAML: no line of Python is written to add one, in whatever format it delivers."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import DAYS, ROOT, Deployment

MEMBERS, STRANGERS, FIRST_RESPONDENT = 40, 8, 7000
DEFS = """\
type: cdm_pipelines.components.CustomerSource

attributes:
  owner: team:marketing
  start_date: "2026-06-01"
"""
STREETS = ("Zonnedauwpad", "Wederikhof", "Duizendbladweg", "Koekoeksbloem")
NAMES = ("Quirijn Zwaardemaker", "Odilia Wttewaall", "Sjuul Kromdijk", "Fenna Hoogstraaten")


@dataclass(frozen=True)
class Checkout:
    """A copy of the project, with two sources that it did not have."""

    folder: Path
    deployment: Deployment
    known: tuple[tuple[str, str, str], ...]
    """Loyalty number, panel number and CRM id of each person whom all three know."""
    suggested: dict[str, str]

    def run(self, *command: str, code: int = 0) -> str:
        """Run a program in the copy; the copy's package comes before the installed one."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**kept, **self.deployment.settings.environment(), **self._own(), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def cdm(self, *arguments: str, code: int = 0) -> str:
        return self.run(sys.executable, "-m", "cdm_pipelines.cli", *arguments, code=code)

    def _own(self) -> dict[str, str]:
        return {
            "CDM_POLICIES": str(self.folder / "cdm_pipelines" / "policies"),
            "PYTHONPATH": str(self.folder),
        }


def shared_contacts(landing: Path) -> list[dict[str, str]]:
    """Contacts of the CRM with enough about them to be told from their relatives."""
    with (landing / "crm" / "contact" / f"{DAYS[0]}.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    told = [
        row
        for row in rows
        if None not in row and None not in row.values() and row["Id"]  # neither ragged nor without its key
        if row["Email"]
        and "@" in row["Email"]
        and row["MailingPostalCode"]
        and len(row["FirstName"] or "") > 3
        if row["IsDeleted"] == "false" and row["MailingCountry"] == "Nederland"
    ]
    unique = {(row["LastName"], row["FirstName"]): row for row in told}
    return list(unique.values())[:MEMBERS]


def members(contacts: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same people as a loyalty programme spells them, and a few that nobody else knows."""
    rows = []
    for number, contact in enumerate(contacts):
        rows.append(
            {
                "Lidnummer": f"L{number:05}",
                "Voornaam": contact["FirstName"].upper(),
                "Achternaam": contact["LastName"].upper(),
                "Adres": contact["MailingStreet"].replace("\n", " "),
                "Postcode": contact["MailingPostalCode"].replace(" ", "").lower(),
                "Woonplaats": contact["MailingCity"],
                "E-mail": contact["Email"].upper(),
                "Punten": str(number * 25),
            }
        )
    for number in range(STRANGERS):
        given, _, surname = NAMES[number % len(NAMES)].partition(" ")
        rows.append(
            {
                "Lidnummer": f"N{number:05}",
                "Voornaam": given,
                "Achternaam": surname,
                "Adres": f"{STREETS[number // 2]} {number + 1}",
                "Postcode": f"{9101 + 7 * number}XK",
                "Woonplaats": "Dokkum",
                "E-mail": f"{given}{number}@nergens-anders.nl".lower(),
                "Punten": "0",
            }
        )
    return rows


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, deploy: Callable[..., Deployment]) -> Checkout:
    """A copy of the project with a CSV source made by ``cdm suggest`` and a JSONL source beside it."""
    folder, deployment = tmp_path_factory.mktemp("checkout"), deploy()
    left_out = shutil.ignore_patterns("__pycache__", ".telemetry")
    shutil.copytree(ROOT / "cdm_pipelines", folder / "cdm_pipelines", ignore=left_out)
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder / name)
    contacts = shared_contacts(deployment.landing)
    rows = members(contacts)
    loyalty = deployment.landing / "loyalty" / "member" / f"{DAYS[0]}.csv"
    loyalty.parent.mkdir(parents=True)
    with loyalty.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    panel = deployment.landing / "panel" / "respondent" / f"{DAYS[0]}.jsonl"
    panel.parent.mkdir(parents=True)
    panel.write_text(
        "".join(
            json.dumps({"respondent_id": FIRST_RESPONDENT + number, **respondent(row)}, ensure_ascii=False)
            + "\n"
            for number, row in enumerate(rows[:MEMBERS])
        ),
        encoding="utf-8",
    )
    known = tuple(
        (rows[place]["Lidnummer"], str(FIRST_RESPONDENT + place), contact["Id"])
        for place, contact in enumerate(contacts)
    )
    made = Checkout(folder, deployment, known, {})
    for source, entity, file in (("loyalty", "member", loyalty), ("panel", "respondent", panel)):
        target = folder / "cdm_pipelines" / "defs" / source
        contract = target / f"{entity}.odcs.yaml"
        made.cdm("suggest", str(file), "--source", source, "--entity", entity, "--out", str(contract))
        (target / "defs.yaml").write_text(DEFS, encoding="utf-8")
        made.suggested[source] = contract.read_text(encoding="utf-8")
    return made


def respondent(row: dict[str, str]) -> dict[str, object]:
    """The same person in a survey panel, which nests nothing and leaves out what it does not know."""
    return {
        "first_name": row["Voornaam"].title(),
        "last_name": row["Achternaam"].title(),
        "email": row["E-mail"].lower(),
        "postal_code": row["Postcode"],
        "newsletter": int(row["Punten"]) > 100,
    }


@pytest.fixture(scope="module")
def ran(checkout: Checkout) -> Checkout:
    """The day run with the new sources."""
    output = checkout.cdm("run", "--date", DAYS[0])
    assert "✓ 2026-06-01  loyalty" in output
    assert "✓ 2026-06-01  panel" in output
    return checkout


def test_the_suggestion_knows_what_dutch_headers_mean(checkout: Checkout) -> None:
    contract = checkout.suggested["loyalty"]
    for target in ("given_name", "family_name", "address_line", "postcode", "city", "email"):
        assert f"party.{target}}}" in contract, target
    assert 'delimiter: ";"' in contract
    assert "{property: format, value: jsonl}" in checkout.suggested["panel"]


def test_cdm_check_wants_the_dictionary_and_then_nothing_more(checkout: Checkout) -> None:
    told = checkout.cdm("check", code=1)
    assert "data-dictionary.md" in told
    assert "cdm check --write" in " ".join(told.split())
    assert "loyalty" not in told
    checkout.cdm("check", "--write")
    assert "in order" in checkout.cdm("check")
    dictionary = (checkout.folder / "docs" / "reference" / "data-dictionary.md").read_text(encoding="utf-8")
    assert "loyalty/member" in dictionary
    assert "Lidnummer" in dictionary


def test_cdm_check_names_file_and_key_of_a_mistake(checkout: Checkout) -> None:
    contract = checkout.folder / "cdm_pipelines" / "defs" / "loyalty" / "member.odcs.yaml"
    good = contract.read_text(encoding="utf-8")
    try:
        contract.write_text(good.replace("party.postcode", "party.postkode"), encoding="utf-8")
        told = checkout.cdm("check", code=1)
    finally:
        contract.write_text(good, encoding="utf-8")
    assert "member.odcs.yaml" in told
    assert "party.postkode" in told
    assert "party.postcode" in told
    assert "Traceback" not in told


def test_a_mistake_beside_the_contract_is_one_sentence_and_no_traceback(checkout: Checkout) -> None:
    declared = checkout.folder / "cdm_pipelines" / "defs" / "loyalty" / "defs.yaml"
    good = declared.read_text(encoding="utf-8")
    try:
        declared.write_text(good.replace("owner:", "ownr:"), encoding="utf-8")
        for command in (("check",), ("run", "--date", DAYS[0])):
            told = checkout.cdm(*command, code=1)
            assert "loyalty/defs.yaml" in told
            assert "attributes.ownr: is not known. Did you mean 'owner'?" in told
            assert "Traceback" not in told
    finally:
        declared.write_text(good, encoding="utf-8")


def test_the_new_sources_have_assets_job_schedule_and_sensor(checkout: Checkout) -> None:
    listed = checkout.run(str(Path(sys.executable).with_name("dg")), "list", "defs", "--json")
    for name in ("standard/loyalty/member", "ingest_loyalty", "daily_loyalty", "landing_loyalty"):
        assert f'"{name}"' in listed, name
    assert '"quarantine/panel/respondent"' in listed


def test_every_member_is_a_record_of_exactly_one_customer(ran: Checkout) -> None:
    found = ran.deployment.query(
        "SELECT source, count(*), count(DISTINCT record_id) FROM golden.crosswalk "
        "WHERE source IN ('loyalty', 'panel') GROUP BY source ORDER BY source"
    )
    assert found == [("loyalty", MEMBERS + STRANGERS, MEMBERS + STRANGERS), ("panel", MEMBERS, MEMBERS)]


def test_their_records_are_linked_to_the_customers_that_were_there(ran: Checkout) -> None:
    golden = {
        (entity, record): golden_id
        for entity, record, golden_id in ran.deployment.query(
            "SELECT entity, record_id, golden_id FROM golden.crosswalk"
        )
    }
    assert len(ran.known) == MEMBERS
    apart = [
        (member, contact)
        for member, respondent_id, contact in ran.known
        if golden["member", member] != golden["contact", contact]
        or golden["respondent", respondent_id] != golden["contact", contact]
    ]
    assert len(apart) <= 0.05 * MEMBERS, apart


def test_a_stranger_becomes_a_customer_of_one_record(ran: Checkout) -> None:
    found = ran.deployment.query(
        "SELECT c.surname, c.email, c.record_count FROM golden.customer c JOIN golden.crosswalk x "
        "USING (golden_id) WHERE x.source = 'loyalty' AND x.record_id = 'N00000'"
    )
    assert found == [("Zwaardemaker", "quirijn0@nergens-anders.nl", 1)]


def test_cdm_customer_shows_the_new_source(ran: Checkout) -> None:
    told = ran.cdm("customer", "L00000")
    assert "loyalty" in told
    assert "member" in told
