"""Policies of roles and of governance: what is wrong is told with file, key and fix; what is right holds as written."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.privacy.governance import GovernancePolicy
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.roles import DeclaredColumn, RolesPolicy
from cdm_pipelines.privacy.views import quoted_values
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.operate.checkup import check_configuration, overdue
from cdm_pipelines.steps.privacy.checks import governance_problems
from cdm_pipelines.steps.privacy.reading import reading

POLICIES = Settings.model_fields["policies"].default
ROLE: dict[str, Any] = {
    "description": "Tries.",
    "purposes": ["service"],
    "tables": ["golden.customer"],
    "reads": {"user.contact": "clear"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in POLICIES.iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


def written(folder: Path, name: str, said: object) -> Path:
    (folder / name).unlink()
    (folder / name).write_text(said if isinstance(said, str) else yaml.safe_dump(said), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"reads": {"user.name": "blurred"}},
            ["roles.tried.reads.user.name", "'blurred'", "clear, masked, hidden"],
        ),
        ({"reads": {"User Name": "clear"}}, ["roles.tried.reads", "is no privacy category"]),
        ({"tables": ["customer"]}, ["roles.tried.tables", "'customer' names no table", "schema.table"]),
        ({"rows": {"country": []}}, ["roles.tried.rows.country", "the condition is empty"]),
        ({"rows": {"country": {"like": "N%"}}}, ["roles.tried.rows.country.like"]),
        ({"changes": ["everything"]}, ["roles.tried.changes"]),
        ({"purposes": []}, ["roles.tried.purposes"]),
        ({"sees": "all"}, ["roles.tried.sees"]),
        (
            {"pseudonymous": {"quasi_identifiers": ["gender"]}},
            ["roles.tried", "reads user.unique_id as keyed; add that to reads"],
        ),
        (
            {
                "reads": {"user.unique_id": "keyed"},
                "pseudonymous": {"quasi_identifiers": ["gender"]},
                "search": True,
            },
            ["roles.tried", "a pseudonymous role may not search"],
        ),
    ],
)
def test_a_wrong_role_is_told(folder: Path, change: dict[str, Any], told: list[str]) -> None:
    written(folder, "roles.yaml", {"roles": {"tried": {**ROLE, **change}}})
    with pytest.raises(PrivacyPolicyError) as caught:
        RolesPolicy.load(folder)
    assert all(one in str(caught.value) for one in [str(folder / "roles.yaml"), *told]), caught.value


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"reads": {"user.contact.emial": "hidden"}}, "roles.tried.reads.user.contact.emial: no category"),
        ({"tables": ["golden.custmer"]}, "roles.tried.tables: there is no table golden.custmer"),
        ({"tables": ["goldne.*"]}, "roles.tried.tables: there is no table goldne.*"),
        (
            {"columns": {"golden.customer.emial": "hidden"}},
            "roles.tried.columns.golden.customer.emial: no table has",
        ),
        ({"columns": {"custmer.*": "hidden"}}, "roles.tried.columns.custmer.*: no table has"),
        (
            {
                "reads": {"user.unique_id": "keyed"},
                "pseudonymous": {
                    "quasi_identifiers": ["postcode"],
                    "shown_text": ["golden.customer.gendre"],
                },
            },
            "roles.tried.pseudonymous.shown_text: golden.customer.gendre: no table has",
        ),
        (
            {"reads": {"user.unique_id": "keyed"}, "pseudonymous": {"quasi_identifiers": ["postcod"]}},
            "roles.tried.pseudonymous.quasi_identifiers: postcod: no table has",
        ),
        (
            {
                "reads": {
                    "user.unique_id": "keyed",
                    "user.contact.address.country": "clear",
                    "user.name": "initial",
                },
                "pseudonymous": {"quasi_identifiers": ["country"], "shown_text": ["golden.customer.country"]},
            },
            "roles.tried.pseudonymous.quasi_identifiers: its view of customers shows given_name (user.name), by which",
        ),
        ({"purposes": ["servise"]}, "roles.tried.purposes: there is no purpose servise"),
        ({"rows": {"consent": ["marketng"]}}, "roles.tried.rows.consent: there is no purpose marketng"),
        ({"rows": {"branch": "Delft"}}, "roles.tried.rows.branch: golden customers have no column branch"),
        ({"rows": {"consent": {"none_of": ["marketing"]}}}, "roles.tried.rows.consent: give the purposes"),
    ],
)
def test_what_a_role_names_and_there_is_not_is_told(folder: Path, change: dict[str, Any], told: str) -> None:
    written(folder, "roles.yaml", {"roles": {"tried": {**ROLE, **change}}})
    settings = load_settings(policies=folder)
    assert any(told in one for one in governance_problems(settings, all_contracts()))
    assert any(told in one for one in check_configuration(settings))


def test_every_trait_that_a_pseudonymous_role_sees_has_to_count(folder: Path) -> None:
    """Else customers would seem to be in larger groups of alike than they are."""
    said = yaml.safe_load((POLICIES / "roles.yaml").read_text(encoding="utf-8"))
    settings = load_settings(policies=folder)
    assert governance_problems(settings, all_contracts()) == []
    own = said["roles"]["analyst"]["pseudonymous"]
    every = own["quasi_identifiers"]
    for left_out in every:
        own["quasi_identifiers"] = [one for one in every if one != left_out]
        written(folder, "roles.yaml", said)
        (told,) = governance_problems(settings, all_contracts())
        assert told.startswith(
            f"roles.yaml: roles.analyst.pseudonymous.quasi_identifiers: its view of customers shows {left_out} ("
        )
        said["roles"]["analyst"]["columns"] = {f"golden.customer.{left_out}": "hidden"}
        assert (
            governance_problems(load_settings(policies=written(folder, "roles.yaml", said)), all_contracts())
            == []
        )
        said["roles"]["analyst"]["columns"] = {}


def test_a_key_given_twice_is_told(folder: Path) -> None:
    twice = "roles:\n  tried: {description: A, purposes: [x]}\n  tried: {description: B, purposes: [x]}\n"
    with pytest.raises(PrivacyPolicyError, match=r"tried is given twice \(line 3\)"):
        RolesPolicy.load(written(folder, "roles.yaml", twice))


def test_a_day_that_there_is_not_is_told_with_its_key(folder: Path) -> None:
    text = (POLICIES / "governance.yaml").read_text(encoding="utf-8")
    day = re.sub(r"review_on: \S+", "review_on: 2026-02-30", text, count=1)
    (told,) = governance_problems(
        load_settings(policies=written(folder, "governance.yaml", day)), all_contracts()
    )
    assert "default.review_on: Input should be a valid date" in told


@pytest.mark.parametrize("name", ["roles.yaml", "governance.yaml"])
@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"- 1", b"day: 2026-02-30"])
def test_a_file_that_is_none_is_told(folder: Path, name: str, content: bytes) -> None:
    written(folder, name, "").joinpath(name).write_bytes(content)
    (told,) = governance_problems(load_settings(policies=folder), all_contracts())
    assert str(folder / name) in told


@pytest.mark.parametrize("name", ["roles.yaml", "governance.yaml"])
def test_a_folder_of_an_earlier_release_is_as_the_package_says(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert governance_problems(load_settings(policies=folder), all_contracts()) == []


def column(name: str, category: str, of_type: str = "text") -> DeclaredColumn:
    return DeclaredColumn(name, of_type, category)


def test_the_nearest_category_counts_and_nothing_said_is_hidden(folder: Path) -> None:
    said = {**ROLE, "reads": {"user": "hidden", "user.contact": "clear", "user.contact.email": "masked"}}
    said["columns"] = {"golden.customer.city": "stars"}
    role = RolesPolicy.load(written(folder, "roles.yaml", {"roles": {"tried": said}})).role("tried")
    shown = {
        one.name: role.reads_column("golden.customer", one)
        for one in (
            column("phone", "user.contact.phone_number"),
            column("email", "user.contact.email"),
            column("city", "user.contact.address.city"),
            column("surname", "user.name"),
            column("nameless", "user"),
            column("status", "system.operations"),
            column("contactless", "user.contactless"),
        )
    }
    assert {name: (one.how, one.mask.name if one.mask else "") for name, one in shown.items()} == {
        "phone": ("clear", ""),
        "email": ("masked", "email"),
        "city": ("masked", "stars"),
        "surname": ("hidden", ""),
        "nameless": ("hidden", ""),
        "status": ("hidden", ""),
        "contactless": ("hidden", ""),
    }


def test_free_text_of_a_pseudonymous_role_is_hidden_where_it_is_no_code(folder: Path) -> None:
    said = {
        **ROLE,
        "reads": {"user": "clear", "user.unique_id": "keyed"},
        "pseudonymous": {"quasi_identifiers": ["gender"], "shown_text": ["golden.customer.gender"]},
    }
    role = RolesPolicy.load(written(folder, "roles.yaml", {"roles": {"tried": said}})).role("tried")
    shown = {
        name: role.reads_column("golden.customer", column(name, "user.demographic", of_type)).how
        for name, of_type in (("gender", "text"), ("remark", "text"), ("born_on", "date"))
    }
    assert shown == {"gender": "clear", "remark": "hidden", "born_on": "clear"}
    assert role.reads_column("golden.customer", column("golden_id", "user.unique_id", "uuid")).how == "masked"


def test_what_a_mask_cannot_mask_is_hidden(folder: Path) -> None:
    said = {**ROLE, "reads": {"user": "email"}}
    role = RolesPolicy.load(written(folder, "roles.yaml", {"roles": {"tried": said}})).role("tried")
    assert role.reads_column("golden.customer", column("spent", "user.financial", "numeric")).how == "hidden"
    assert role.reads_column("golden.customer", column("email", "user.contact.email")).how == "masked"


def test_columns_may_be_named_without_their_schema(folder: Path) -> None:
    said = {**ROLE, "columns": {"customer.email": "hidden", "golden.*.phone": "stars"}}
    role = RolesPolicy.load(written(folder, "roles.yaml", {"roles": {"tried": said}})).role("tried")
    for table in ("golden.customer", "profile.customer"):
        assert role.reads_column(table, column("email", "user.contact.email")).how == "hidden", table
    assert role.reads_column("golden.customer", column("phone", "user.contact")).how == "masked"
    assert role.reads_column("profile.customer", column("phone", "user.contact")).how == "clear"


def test_values_of_conditions_are_literals() -> None:
    assert quoted_values(["NL", "'; DROP TABLE x; --", "a\\b", True]) == (
        "'NL', '''; DROP TABLE x; --',  E'a\\\\b', 'true'"
    )
    assert "$" not in quoted_values(["$find$; DROP TABLE x; --"]), "it would end the body of a function"


def test_readers_act_in_roles_and_for_purposes_that_there_are(folder: Path) -> None:
    settings = load_settings(policies=folder)
    assert reading(settings, "anna", "cdm customer", "service").purpose == "service"
    with pytest.raises(PrivacyPolicyError, match="The role service does not act for 'marketing'"):
        reading(settings, "anna", "cdm customer", "service", "marketing")
    with pytest.raises(PrivacyPolicyError, match="There is no role 'boss'"):
        reading(settings, "anna", "cdm customer", "boss")


GOVERNANCE: dict[str, Any] = {
    "default": {"owner": "o", "steward": "s", "custodian": "c", "review_on": dt.date(2030, 1, 1)},
    "sources": {"crm": {"steward": "sales"}, "crm/contact": {"review_on": dt.date(2020, 1, 1)}},
    "categories": {
        "user.financial": {"owner": "controller"},
        "user.financial.bank_account": {"steward": "bank"},
    },
    "attributes": {"party.iban": {"custodian": "vault"}},
}


def test_the_most_particular_entry_answers(folder: Path) -> None:
    policy = GovernancePolicy.load(written(folder, "governance.yaml", GOVERNANCE))
    iban = policy.of_attribute("party.iban", "user.financial.bank_account")
    assert (iban.owner, iban.steward, iban.custodian) == ("controller", "bank", "vault")
    assert policy.of_attribute("party.surname", "user.name").owner == "o"
    contact = policy.of_source("crm", "contact", "team of the contract")
    assert (contact.owner, contact.steward, contact.review_on) == (
        "team of the contract",
        "sales",
        dt.date(2020, 1, 1),
    )


def test_a_review_that_is_past_is_warned_of_and_is_no_problem(folder: Path) -> None:
    settings = load_settings(policies=written(folder, "governance.yaml", GOVERNANCE))
    (told,) = overdue(settings, dt.date(2026, 1, 1))
    assert told.startswith("governance.yaml: sources.crm/contact.review_on: 2020-01-01 is past")
    assert governance_problems(settings, all_contracts()) == []
    assert len(overdue(settings, dt.date(2031, 1, 1))) == 2


def test_what_governance_names_and_there_is_not_is_told(folder: Path) -> None:
    said = {
        **GOVERNANCE,
        "sources": {"crmm": {}},
        "attributes": {"party.ibn": {}},
        "categories": {"user.nme": {}},
    }
    problems = governance_problems(
        load_settings(policies=written(folder, "governance.yaml", said)), all_contracts()
    )
    assert problems == [
        "governance.yaml: sources.crmm: there is none of that name. Did you mean 'crm'?",
        "governance.yaml: attributes.party.ibn: there is none of that name. Did you mean 'party.iban'?",
        "governance.yaml: categories.user.nme: no category has that name. Did you mean 'user.name'?",
    ]
