"""What values are given for, attribute by attribute, and tables without those that are not."""

from dataclasses import replace

import pyarrow as pa
import pytest

from cdm_pipelines.contracts import Column, SourceContract
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.privacy.given import Given, Withheld
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.settings import load_settings

PURPOSES = Purposes.load(load_settings().policies / "purposes.yaml")
CONTACT = next(one for one in all_contracts() if one.name == "crm/contact")
SERVICE, MAIL = "essential.service", "marketing.communications.email"


def contract(**uses: tuple[str, ...]) -> SourceContract:
    """A contract with a column for each party attribute or input, given for some uses."""
    columns = tuple(Column(name, maps_to=(f"party.{name}",), purposes=given) for name, given in uses.items())
    return replace(CONTACT, source="list", entity="person", columns=columns)


def not_compared(**uses: tuple[str, ...]) -> list[str]:
    given = Given.of([contract(**uses)], PURPOSES)
    return list(given.not_identifying.by_entity.get("list/person", ()))


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        ({"surname": (MAIL,), "email": (SERVICE,)}, ["surname"]),
        ({"surname": (MAIL, SERVICE), "email": (SERVICE,)}, []),
        ({"email": (MAIL,), "surname": (SERVICE,)}, ["email", "email_kind"]),
        # A mobile number among landlines changes places with them, so that neither may be compared.
        ({"phone": (MAIL,), "mobile": (SERVICE,)}, ["mobile", "phone"]),
        ({"phone": (MAIL,)}, ["mobile", "phone"]),
        # Whichever column a part of the name came from, both have to be given for it.
        ({"family_name": (MAIL,), "surname": (SERVICE,)}, ["surname", "surname_prefix"]),
    ],
)
def test_an_attribute_is_given_for_what_all_its_columns_are(
    uses: dict[str, tuple[str, ...]], expected: list[str]
) -> None:
    withheld = set(not_compared(**uses))
    named = {name for name in expected if name in withheld}
    assert named == set(expected)
    if not expected:
        assert not withheld


def test_only_the_records_of_the_source_entity_lose_the_value() -> None:
    records = pa.table({"email": ["a", "b", None, "d"], "phone": ["1", "2", "3", "4"]})
    origin = pa.array(["list/person", "crm/contact", "list/person", "crm/contact"])
    taken = Withheld({"list/person": ("email", "iban")}).taken_out(records, origin)
    assert taken["email"].to_pylist() == [None, "b", None, "d"]
    assert taken["phone"].to_pylist() == ["1", "2", "3", "4"]


def test_where_nothing_is_withheld_nothing_is_done() -> None:
    records = pa.table({"email": ["a"]})
    nothing = Withheld({"list/person": ("email",)}).among({"phone"})
    assert nothing.taken_out(records, pa.array(["list/person"])) is records
    assert not nothing
    assert nothing.fingerprint == ""


def test_the_projects_own_contracts_let_everything_be_compared_that_it_links_by() -> None:
    given = Given.of(all_contracts(), PURPOSES)
    assert set(given.not_identifying.by_entity) == {"crm/contact", "shop/customer"}
    assert {n for names in given.not_identifying.by_entity.values() for n in names} == {"email_opt_out"}
    assert not given.not_golden
