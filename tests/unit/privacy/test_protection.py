"""What may be encrypted, and what is said where it may not."""

from dataclasses import replace
from pathlib import Path

import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.protection import POLICY, Protection
from cdm_pipelines.settings import Settings

PACKAGE = Settings.model_fields["policies"].default


def policy(folder: Path, text: str) -> Protection:
    (folder / POLICY).write_text(text)
    return Protection.load(folder)


def test_a_category_means_what_is_below_it_and_nothing_beside(tmp_path: Path) -> None:
    found = policy(tmp_path, "categories: [user.financial.bank_account]")
    assert found.standard(Entity.PARTY) == {"iban", "iban_original"}
    assert found.standard(Entity.INVOICE) == frozenset()
    assert found.covers("user.financial.bank_account.number")
    assert not found.covers("user.financial.bank_accounts")
    assert not found.covers("user.financial")
    assert not found.covers(None)
    erp = contract_named("erp/customer")
    (iban,) = [one.name for one in erp.columns if "party.iban" in one.maps_to]
    assert found.delivered(erp) == {iban}


def test_nothing_that_the_demo_delivers_is_encrypted_as_shipped() -> None:
    shipped = Protection.load(PACKAGE)
    assert shipped.categories
    assert not shipped.delivered(contract_named("erp/customer"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("categories: [user.demographic.date_of_birth]", "party.birth_date"),
        ("categories: [user.contact]", "compared in parts"),
        ("categories: [user.government_id]", "party.vat_number"),
        ("categories: user.financial.bank_account", "categories"),
        ("category: [user]", "category"),
        ("categories: [1]", "categories.0"),
        ("- user", POLICY),
        ("categories: [", "cannot be read as YAML"),
        ("categories: []\ncategories: []", "given twice"),
    ],
)
def test_a_policy_that_cannot_hold_names_the_file_and_what_is_wrong(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(PrivacyPolicyError) as failed:
        policy(tmp_path, text)
    assert POLICY in str(failed.value)
    assert told in str(failed.value)


def test_an_unknown_category_is_told_with_what_may_be_meant(tmp_path: Path) -> None:
    found = policy(tmp_path, "categories: [user.financial.bank_acount]")
    (problem,) = found.problems([contract_named("erp/customer")])
    assert problem == (
        "protection.yaml: categories: user.financial.bank_acount is no category. Did you mean "
        "'user.financial.bank_account'?"
    )


def test_a_key_column_is_not_encrypted(tmp_path: Path) -> None:
    found = policy(tmp_path, "categories: [user.government_id.passport_number]")
    erp = contract_named("erp/customer")
    columns = tuple(
        replace(one, privacy="user.government_id.passport_number") if one.key_position else one
        for one in erp.columns
    )
    with pytest.raises(PrivacyPolicyError, match="part of the key"):
        found.delivered(replace(erp, columns=columns))
