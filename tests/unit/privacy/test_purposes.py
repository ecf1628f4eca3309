"""Purposes as a company writes them: what is refused, and that every refusal names file, key and fix."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cdm_pipelines.contracts import Column, SourceContract, load_contracts
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.enrichment.catalogue import built_in, enrichers
from cdm_pipelines.privacy.checks import in_force, of_contracts, of_enrichers
from cdm_pipelines.privacy.given import Given
from cdm_pipelines.privacy.purposes import Basis, Purposes, PurposesError
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.operate.checkup import check_configuration

ROOT = Path(__file__).parents[3]
POLICIES = ROOT / "cdm_pipelines" / "policies"
SHIPPED = Purposes.load(POLICIES / "purposes.yaml")
CONTACT = next(one for one in all_contracts() if one.name == "crm/contact")


def written(folder: Path, **changes: object) -> Path:
    """The shipped policy with keys of ``marketing`` set, or taken away where None."""
    said = yaml.safe_load((POLICIES / "purposes.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        if value is None:
            del said["purposes"]["marketing"][key]
        else:
            said["purposes"]["marketing"][key] = value
    path = folder / "purposes.yaml"
    path.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "key", "fix"),
    [
        ({"basis": None}, "purposes.marketing.basis: is missing", "Write one of consent, contract"),
        ({"basis": "because"}, "purposes.marketing.basis", "Write one of consent, contract"),
        ({"uses": []}, "purposes.marketing.uses", "List keys of Fides data uses"),
        ({"uses": ["Marketing!"]}, "purposes.marketing.uses.0", "List keys of Fides data uses"),
        ({"categories": ["email"]}, "purposes.marketing.categories.0", "List keys of Fides data categories"),
        ({"retention": 0}, "purposes.marketing.retention", "Write 1 or more"),
        ({"retention": " "}, "purposes.marketing.retention", "Write a number of days"),
        ({"description": None}, "purposes.marketing.description: is missing", "Say in a sentence"),
        (
            {"recipient": ["x"]},
            "purposes.marketing.recipient: is not known",
            "Choose from description, basis",
        ),
        (
            {"basis": "legitimate_interest", "may_object": False},
            "purposes.marketing: may_object: false goes against the law",
            "Leave it out",
        ),
        ({"basis": "legal_duty", "may_object": True}, "purposes.marketing: may_object: true", "Leave it out"),
    ],
)
def test_a_refused_policy_names_file_key_and_fix(
    tmp_path: Path, changes: dict[str, object], key: str, fix: str
) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(PurposesError) as refused:
        Purposes.load(path)
    [line] = refused.value.problems
    assert line.startswith(f"{path}: {key}"), line
    assert fix in line


@pytest.mark.parametrize(
    "text", [None, "a: [", "", "- 1", "version: 2\npurposes: {}\n", "\x00", "version: 2026-02-30"]
)
def test_what_is_no_policy_is_refused_in_words(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "purposes.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(PurposesError, match=re.escape(str(path))):
        Purposes.load(path)


def test_a_purpose_that_is_given_twice_is_told(tmp_path: Path) -> None:
    text = (POLICIES / "purposes.yaml").read_text(encoding="utf-8")
    (tmp_path / "purposes.yaml").write_text(text.replace("\n  sales:\n", "\n  billing:\n"), encoding="utf-8")
    with pytest.raises(PurposesError, match=r"billing is given twice"):
        Purposes.load(tmp_path / "purposes.yaml")


def test_who_may_say_no_follows_from_the_basis_and_may_be_widened_but_not_narrowed(tmp_path: Path) -> None:
    assert SHIPPED["marketing"].can_be_refused
    assert SHIPPED["analytics"].can_be_refused
    assert not SHIPPED["service"].can_be_refused
    assert not SHIPPED["legal_duty"].can_be_refused
    of_contract = Purposes.load(written(tmp_path, basis="contract", may_object=True))
    assert of_contract["marketing"].can_be_refused
    assert SHIPPED["legal_duty"].basis is Basis.LEGAL_DUTY


def test_the_projects_contracts_connectors_and_enrichers_keep_to_its_purposes() -> None:
    assert list(of_contracts(SHIPPED, all_contracts())) == []
    assert list(of_enrichers(SHIPPED, built_in())) == []
    connectors = (
        one for one in (ROOT / "cdm_pipelines" / "connectors").iterdir() if (one / "connector.yaml").exists()
    )
    for folder in (*connectors, *(ROOT / "tests" / "contracts").iterdir()):
        assert list(of_contracts(SHIPPED, load_contracts(folder))) == [], folder


def with_column(column: Column) -> SourceContract:
    return replace(CONTACT, columns=(*CONTACT.columns, column))


def test_a_personal_column_without_a_purpose_is_an_error_that_says_where_and_what_to_add() -> None:
    [problem] = of_contracts(SHIPPED, [with_column(Column("Twitter", privacy="user.contact"))])
    assert problem.startswith(f"{CONTACT.file}: schema[contact].properties[Twitter].purposes: ")
    assert CONTACT.file.endswith("crm/contact.odcs.yaml")
    assert "{property: purposes, value: [essential.service]}" in problem


def test_runs_may_go_on_while_contracts_are_completed_and_the_check_tells_all_the_same(
    tmp_path: Path,
) -> None:
    contract = with_column(Column("Twitter", privacy="user.contact", maps_to=("party.trade_name",)))
    policies = tmp_path / "policies"
    policies.mkdir()
    text = (POLICIES / "purposes.yaml").read_text(encoding="utf-8")
    (policies / "purposes.yaml").write_text(text.replace("until_declared: [service]", "until_declared: []"))
    with pytest.raises(PurposesError, match="Twitter"):
        in_force(policies, [contract])
    (policies / "purposes.yaml").write_text(text)
    purposes = in_force(policies, [contract])
    assert Given.of([contract], purposes).by_entity["crm/contact"]["trade_name"] == {"service"}
    assert len(list(of_contracts(purposes, [contract]))) == 1
    (policies / "purposes.yaml").write_text(
        text.replace("until_declared: [service]", "until_declared: [servise]")
    )
    with pytest.raises(
        PurposesError, match=r"until_declared: there is no purpose servise\. Did you mean 'service'"
    ):
        in_force(policies, [contract])


def test_what_feeds_a_personal_attribute_is_personal_whatever_its_contract_calls_it() -> None:
    column = Column("Account", privacy="system.operations", maps_to=("party.iban",))
    [problem] = of_contracts(SHIPPED, [with_column(column)])
    assert "holds user.financial.bank_account" in problem


@pytest.mark.parametrize("category", [None, "system.operations", "username"])
def test_a_column_that_tells_nothing_of_a_person_needs_no_purpose(category: str | None) -> None:
    assert list(of_contracts(SHIPPED, [with_column(Column("Batch", privacy=category))])) == []


def test_a_use_that_no_purpose_has_is_an_error_that_guesses_what_was_meant() -> None:
    column = Column("Twitter", privacy="user.contact", purposes=("marketing.communication.email",))
    [problem] = of_contracts(SHIPPED, [with_column(column)])
    assert "properties[Twitter].purposes: no purpose of " in problem
    assert "marketing.communication.email" in problem
    assert "Did you mean 'marketing.communications.email'?" in problem


def test_an_enricher_that_reads_what_its_purpose_does_not_cover_is_an_error(tmp_path: Path) -> None:
    said = yaml.safe_load((POLICIES / "purposes.yaml").read_text(encoding="utf-8"))
    said["purposes"]["billing"]["categories"] = ["user.behavior.purchase_history"]
    path = tmp_path / "purposes.yaml"
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    [problem] = of_enrichers(Purposes.load(path), built_in())
    assert problem.startswith(f"{path}: purposes.billing.categories: the enricher payment reads invoices.")
    assert "which is user.financial" in problem
    assert "Add user.financial" in problem


def test_an_enricher_without_a_purpose_and_a_name_that_is_no_enrichers_are_errors(tmp_path: Path) -> None:
    text = (POLICIES / "purposes.yaml").read_text(encoding="utf-8").replace("[payment]", "[paymant]")
    path = tmp_path / "purposes.yaml"
    path.write_text(text, encoding="utf-8")
    misspelt, left = of_enrichers(Purposes.load(path), built_in())
    assert "purposes.billing.enrichers: there is no enricher paymant. Did you mean 'payment'?" in misspelt
    assert left.startswith(f"{path}: purposes: the enricher payment works for none of them. Add it")


def test_an_enricher_that_no_purpose_names_is_told_and_works_for_what_is_undeclared(tmp_path: Path) -> None:
    text = (POLICIES / "purposes.yaml").read_text(encoding="utf-8").replace("    enrichers: [payment]\n", "")
    (tmp_path / "purposes.yaml").write_text(text, encoding="utf-8")
    purposes = in_force(tmp_path, all_contracts(), built_in())
    assert purposes.of_enricher("payment") == ("service",)
    [told] = of_enrichers(purposes, built_in())
    assert "the enricher payment works for none of them" in told
    (tmp_path / "purposes.yaml").write_text(
        text.replace("until_declared: [service]", "until_declared: []"), encoding="utf-8"
    )
    with pytest.raises(PurposesError, match="payment works for none"):
        in_force(tmp_path, all_contracts(), built_in())


def own_enricher(policies: Path, of: str) -> None:
    (policies / "enrichers").mkdir()
    (policies / "enrichers" / "tongue.sql").write_text("SELECT golden_id, language FROM customers")
    (policies / "enrichers" / "tongue.yaml").write_text(
        "description: The language of a customer.\npurpose: Writing in it.\ninputs: [customers]\n"
        f"columns: [{{name: language, type: text, description: Its code.{of}}}]\n",
        encoding="utf-8",
    )
    path = policies / "purposes.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[preference, basket]", "[preference, basket, tongue]"), encoding="utf-8")


def test_an_own_enricher_that_does_not_say_what_it_reads_may_read_all_of_its_inputs(tmp_path: Path) -> None:
    policies = Path(shutil.copytree(POLICIES, tmp_path / "policies"))
    own_enricher(policies, "")
    with pytest.raises(PurposesError) as refused:
        in_force(policies, all_contracts(), enrichers(policies))
    assert any("tongue reads customers.birth_date" in one for one in refused.value.problems)


def test_an_own_enricher_that_says_what_it_reads_needs_no_more_than_that(tmp_path: Path) -> None:
    policies = Path(shutil.copytree(POLICIES, tmp_path / "policies"))
    own_enricher(policies, ", of: [customers.language]")
    assert in_force(policies, all_contracts(), enrichers(policies)).of_enricher("tongue") == (
        "personalisation",
    )


def test_the_check_of_the_configuration_tells_all_of_it(tmp_path: Path, settings: Settings) -> None:
    policies = Path(shutil.copytree(POLICIES, tmp_path / "policies"))
    text = (policies / "purposes.yaml").read_text(encoding="utf-8")
    (policies / "purposes.yaml").write_text(
        text.replace("[analytics.reporting]", "[analytics]").replace("[payment]", "[]"), encoding="utf-8"
    )
    own = load_settings(**{**settings.model_dump(), "policies": policies})
    problems = check_configuration(own)
    assert any("web/event.odcs.yaml" in one and "analytics.reporting" in one for one in problems)
    assert any("the enricher payment works for none" in one for one in problems)
    (policies / "purposes.yaml").unlink()
    [missing] = check_configuration(own)
    assert str(policies / "purposes.yaml") in missing
