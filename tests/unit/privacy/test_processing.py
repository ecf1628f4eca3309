"""The record of processing: all that is declared is in it, a company's own as well, and its forms say the same."""

import io
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from typer.testing import CliRunner

from cdm_pipelines.cli import app
from cdm_pipelines.contracts.canonical import declarations
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.dictionary import lineage
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.processing import NOT_SAID, Processing, processing
from cdm_pipelines.privacy.processing_forms import FORMS, sheets
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.operate.processing import told_of, write_processing
from cdm_pipelines.steps.privacy.checks import governance_problems

POLICIES = Settings.model_fields["policies"].default
CONTROLLER = {
    "name": "=Fietsen & Zonen",
    "contact": "Example Street 1",
    "data_protection_officer": {"name": "privacy officer", "contact": "privacy@example.com"},
}

DPV = {
    *("Consent", "Contract", "LegalObligation", "LegitimateInterest", "PublicInterest", "VitalInterest"),
    *("DataController", "DataProtectionOfficer", "DataSubject", "Recipient", "ThirdCountry"),
    *("PersonalData", "PersonalDataHandling", "Purpose", "StorageCondition"),
    *("TechnicalOrganisationalMeasure", "hasTechnicalOrganisationalMeasure"),
    *("hasContact", "hasDataController", "hasDataSubject", "hasEntity", "hasLegalBasis", "hasLocation"),
    *("hasName", "hasPersonalData", "hasPurpose", "hasRecipient", "hasStorageCondition"),
}
"""Terms of the Data Privacy Vocabulary, version 2.0, copied from it and not from the code."""
TABS = {
    "Controller": "a",
    "Processing activities": "b",
    "Categories": "c",
    "Recipients": "de",
    "Retention": "f",
    "Security": "g",
    "Data": "",
}
"""Tabs of the register, and which parts of article 30(1) of the GDPR each is; the map of data comes last."""


@pytest.fixture(scope="module")
def shipped() -> Processing:
    return processing(told_of(load_settings(policies=POLICIES)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "policies"
    made.mkdir()
    for path in POLICIES.iterdir():
        (made / path.name).symlink_to(path)
    return made


def changed(folder: Path, name: str, **said: object) -> Settings:
    found: dict[str, Any] = yaml.safe_load((POLICIES / name).read_text(encoding="utf-8"))
    for key, value in said.items():
        found[key] = {**found[key], **value} if key == "purposes" and isinstance(value, dict) else value
    (folder / name).unlink()
    (folder / name).write_text(yaml.safe_dump(found, sort_keys=False), encoding="utf-8")
    return load_settings(policies=folder)


def test_every_purpose_and_every_attribute_is_in_it(shipped: Processing) -> None:
    purposes = yaml.safe_load((POLICIES / "purposes.yaml").read_text(encoding="utf-8"))["purposes"]
    assert [one.key for one in shipped.activities] == list(purposes)
    for one in shipped.activities:
        said = purposes[one.key]
        assert (one.basis, list(one.recipients)) == (said["basis"], said["recipients"])
        assert set(said["categories"]) <= set(one.categories)
        assert {"customers", "contact persons"} <= set(one.persons), one.key
        roles = yaml.safe_load((POLICIES / "roles.yaml").read_text(encoding="utf-8"))["roles"]
        assert set(one.roles) == {name for name, role in roles.items() if one.key in role["purposes"]}, (
            one.key
        )
    paths = [attribute.path for one in declarations() for attribute in one.attributes]
    assert [one.path for one in shipped.attributes] == paths


def test_what_sources_deliver_is_somewhere_and_used_for_something(shipped: Processing) -> None:
    delivered = lineage(all_contracts())
    for one in shipped.attributes:
        sources = {f"{source}/{entity}" for source, entity, _ in delivered.get(one.path, [])}
        assert set(one.sources) == sources
        if one.personal and sources:
            assert one.purposes, one.path
            assert {f"raw/{source}" for source in sources} <= set(one.places), one.path


def test_the_map_tells_why_where_and_what_is_done(shipped: Processing) -> None:
    by_path = {one.path: one for one in shipped.attributes}
    iban, born, score = by_path["party.iban"], by_path["party.birth_date"], by_path["interaction.score"]
    assert "billing" in iban.purposes
    assert "marketing" not in iban.purposes
    assert {"records/party", "golden/customer", "golden/customer_history", "outside/export"} <= set(
        iban.places
    )
    assert not {"analyst", "marketing", "service", "steward"} & set(iban.clear)
    assert {"finance", "privacy_officer"} <= set(iban.clear)
    assert "service" not in born.clear
    assert "service" in score.enrichers
    assert not [place for place in score.places if "rfm" in place]
    assert {place.name for place in all_places(load_settings(policies=POLICIES))} >= {
        place for one in shipped.attributes for place in one.places
    }
    assert "outside/backup" in shipped.everything


def test_what_an_enricher_reads_is_used_for_its_purpose(shipped: Processing) -> None:
    by_path = {one.path: one for one in shipped.attributes}
    assert "payment" in by_path["invoice.settled_on"].enrichers
    assert "billing" in by_path["invoice.settled_on"].purposes
    billing = next(one for one in shipped.activities if one.key == "billing")
    assert "invoice.settled_on" in billing.attributes
    assert billing.enrichers == ("payment",)


def test_a_purpose_of_a_company_is_in_it(folder: Path) -> None:
    own = {
        "description": "Finding out who was hurt.",
        "basis": "vital_interest",
        "uses": ["essential.service"],
        "categories": ["user.name", "user.contact"],
        "retention": 30,
        "recipients": ["product safety"],
    }
    settings = changed(folder, "purposes.yaml", purposes={"recall": own})
    record = processing(told_of(settings))
    found = next(one for one in record.activities if one.key == "recall")
    assert (found.retention, found.recipients) == ("30 days", ("product safety",))
    assert {"party.email", "party.surname"} <= set(found.attributes)
    assert not {"party.iban", "party.birth_date"} & set(found.attributes), "the purpose does not cover them"
    handled = json.loads(FORMS["processing.jsonld"](record))["@graph"][-1]
    assert (handled["@id"], handled["dpv:hasLegalBasis"]["@id"]) == ("#recall", "dpv:VitalInterest")
    assert b"Finding out who was hurt." in FORMS["processing.html"](record)


def test_the_forms_say_the_same(folder: Path, tmp_path: Path) -> None:
    settings = changed(
        folder,
        "governance.yaml",
        controller=CONTROLLER,
        security=["Laptops are encrypted."],
        transfers={"mailing service": {"country": "US", "safeguard": "adequacy decision"}},
    )
    record, paths = write_processing(settings, tmp_path / "out")
    assert [path.name for path in paths] == ["processing.html", "processing.xlsx", "processing.jsonld"]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    html, book, linked = (path.read_bytes() for path in paths)
    wanted = {one.title: [list(one.heading), *map(list, one.rows)] for one in sheets(record)}
    assert on_page(html.decode()) == wanted
    assert in_book(book) == wanted
    controller, *activities = json.loads(linked)["@graph"]
    assert controller["dpv:hasName"] == "=Fietsen & Zonen"
    assert controller["dpv:hasEntity"]["dpv:hasContact"] == "privacy@example.com"
    for one, said in zip(wanted["Recipients"][1:], activities, strict=True):
        assert said["@id"] == f"#{one[0]}"
        assert ", ".join(who["dpv:hasName"] for who in said["dpv:hasRecipient"]) == one[1]
        abroad = [
            f"{who['dpv:hasName']}: {who['dpv:hasLocation']['dcterms:description']}"
            for who in said["dpv:hasRecipient"]
            if "dpv:hasLocation" in who
        ]
        assert ("; ".join(abroad) or "none") == one[2]
    for one, said in zip(wanted["Categories"][1:], activities, strict=True):
        assert ", ".join(who["dcterms:title"] for who in said["dpv:hasDataSubject"]) == one[1]
        data = [what["dcterms:title"] for what in said["dpv:hasPersonalData"]]
        assert sorted(data) == sorted(f"{one[2]}, {one[3]}".removesuffix(", ").split(", "))
    for one, said in zip(wanted["Retention"][1:], activities, strict=False):
        assert said["dpv:hasStorageCondition"]["dcterms:description"] == one[1]
    measures = [one["dcterms:description"] for one in activities[0]["dpv:hasTechnicalOrganisationalMeasure"]]
    assert [[one] for one in measures] == wanted["Security"][1:]
    assert "mailing service: US (adequacy decision)" in html.decode()
    assert wanted["Security"][-1] == ["Laptops are encrypted."]


def test_the_page_needs_nothing_from_elsewhere(shipped: Processing) -> None:
    html = FORMS["processing.html"](shipped).decode()
    assert re.findall(r"<(?:script|link|img|iframe)|(?:src|href)=\"(?:https?:)?//", html) == []
    assert "prefers-color-scheme: dark" in html


def test_json_ld_has_only_known_terms(shipped: Processing) -> None:
    said = json.loads(FORMS["processing.jsonld"](shipped))
    assert said["@context"]["dpv"] == "https://w3id.org/dpv#"
    used = set(terms(said["@graph"]))
    assert {one.removeprefix("dpv:") for one in used if one.startswith("dpv:")} <= DPV
    keywords = {"@id", "@type", "dcterms:title", "dcterms:description", "dcterms:subject"}
    assert {one for one in used if not one.startswith("dpv:")} <= keywords


def test_every_ground_of_the_law_is_a_term_of_the_vocabulary(folder: Path) -> None:
    grounds = ("consent", "contract", "legal_duty", "vital_interest", "public_task", "legitimate_interest")
    [first, *_] = yaml.safe_load((POLICIES / "purposes.yaml").read_text(encoding="utf-8"))[
        "purposes"
    ].values()
    own = {f"as_{ground}": {**first, "basis": ground} for ground in grounds}
    said = json.loads(
        FORMS["processing.jsonld"](processing(told_of(changed(folder, "purposes.yaml", purposes=own))))
    )
    of = {one["@id"]: one.get("dpv:hasLegalBasis", {}).get("@id") for one in said["@graph"]}
    assert [of[f"#as_{ground}"] for ground in grounds] == [
        *("dpv:Consent", "dpv:Contract", "dpv:LegalObligation"),
        *("dpv:VitalInterest", "dpv:PublicInterest", "dpv:LegitimateInterest"),
    ]


def test_the_tabs_are_the_parts_of_the_register_in_their_order(shipped: Processing) -> None:
    """By their names in the spreadsheet; each says which part of the article it is, and has something in it."""
    book = openpyxl.load_workbook(io.BytesIO(FORMS["processing.xlsx"](shipped)))
    assert book.sheetnames == list(TABS)
    for sheet in sheets(shipped):
        assert re.findall(r"\(([a-g])\)", sheet.about) == list(TABS[sheet.title]), sheet.title
        assert book[sheet.title].max_row > 1, sheet.title


def test_what_is_not_filled_in_is_told(shipped: Processing) -> None:
    assert shipped.missing[:2] == ("Controller", "Contact")
    assert shipped.controller["Controller"] == NOT_SAID


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"controller": {"name": "Fietsen BV"}}, "controller.contact"),
        ({"controller": {**CONTROLLER, "dpo": "me"}}, "controller.dpo"),
        ({"controller": {**CONTROLLER, "name": " "}}, "controller.name"),
        ({"transfers": {"mailing service": {"country": "US"}}}, "transfers.mailing service.safeguard"),
        ({"security": "locks"}, "security"),
    ],
)
def test_what_is_said_wrongly_is_told_with_its_key(folder: Path, said: dict[str, object], told: str) -> None:
    settings = changed(folder, "governance.yaml", **said)
    with pytest.raises(PrivacyPolicyError) as error:
        told_of(settings)
    assert told in str(error.value)
    assert "docs/governance.md has every key" in str(error.value)


def test_a_transfer_to_whom_no_purpose_names_is_told(folder: Path) -> None:
    transfer = {"country": "US", "safeguard": "adequacy decision"}
    settings = changed(folder, "governance.yaml", transfers={"mailing servise": transfer})
    (problem,) = governance_problems(settings, all_contracts())
    assert problem.startswith("governance.yaml: transfers.mailing servise: no purpose of purposes.yaml has")
    assert problem.endswith("Did you mean 'mailing service'?")


def test_the_files_have_a_place() -> None:
    assert all_places(load_settings(policies=POLICIES)).named("outside/processing").categories == ()


def test_the_command_writes_it_and_tells_what_is_not_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDM_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["privacy", "processing", "--to", str(tmp_path / "record")])
    assert done.exit_code == 0
    assert "11 activities" in done.output
    assert "Not filled in: Controller" in done.output
    assert {path.name for path in (tmp_path / "record").iterdir()} == set(FORMS)
    assert not (tmp_path / "home").exists(), "no database is needed"


def test_a_folder_that_cannot_be_made_is_told_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDM_HOME", str(tmp_path / "home"))
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["privacy", "processing", "--to", str(tmp_path / "file" / "record")])
    assert done.exit_code != 0
    assert "cannot be written" in done.output
    assert "This is a bug" not in done.output


def on_page(html: str) -> dict[str, list[list[str]]]:
    found = {}
    for part in html.split("<h2 ")[1:]:
        title = unescape(re.findall(r">([^<]*)</h2>", part)[0])
        rows = re.findall(r"<tr>(.*?)</tr>", part, re.DOTALL)
        found[title] = [
            [unescape(text) for text in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
            for row in rows
        ]
    return found


def in_book(content: bytes) -> dict[str, list[list[str]]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    cells = [cell for tab in book for row in tab.iter_rows() for cell in row if cell.value]
    assert {cell.data_type for cell in cells} == {"s"}, "a formula"
    return {
        tab.title: [[str(cell.value or "") for cell in row] for row in tab.iter_rows()]
        for tab in book.worksheets
    }


def terms(said: Any) -> Iterator[str]:
    if isinstance(said, list):
        for one in said:
            yield from terms(one)
    elif isinstance(said, dict):
        for key, value in said.items():
            yield key
            if key == "@type" or (key == "@id" and value.startswith("dpv:")):
                yield value
            yield from terms(value)
