"""The contracts that come with the project: against the standard, the demo's files and the canonical model."""

import json
from importlib import resources
from pathlib import Path

import pytest
import yaml

from cdm_demo.headers import EXTRACTS, Extract
from cdm_pipelines.contracts import load_contracts, render_dictionary
from cdm_pipelines.contracts.canonical import attributes
from cdm_pipelines.contracts.dictionary import lineage
from cdm_pipelines.contracts.odcs import SUFFIX

ROOT = Path(__file__).parents[3]
DEFS = ROOT / "cdm_pipelines" / "defs"
CONTRACTS = {contract.name: contract for contract in load_contracts(DEFS)}
FILES = [*DEFS.rglob(f"*{SUFFIX}"), *(ROOT / "tests" / "contracts").rglob(f"*{SUFFIX}")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_contracts_are_valid_by_the_standards_own_schema(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize("extract", EXTRACTS, ids=lambda extract: f"{extract.source}/{extract.entity}")
def test_contracts_describe_the_demo_files(extract: Extract) -> None:
    contract = CONTRACTS[f"{extract.source}/{extract.entity}"]
    counted = contract.fill_down.numbered_as if contract.fill_down else None
    assert tuple(name for name in contract.column_names if name != counted) == extract.columns
    assert tuple(name for name in contract.key if name != counted) == extract.key
    assert contract.delivery == extract.delivery
    assert contract.dialect.delimiter == extract.delimiter
    assert contract.dialect.encoding.removesuffix("-sig") == extract.encoding.removesuffix("-sig")


def test_every_column_has_a_description_and_personal_ones_a_category() -> None:
    for contract in CONTRACTS.values():
        for column in contract.columns:
            assert column.description, f"{contract.name}.{column.name}"
            assert column.privacy or not column.maps_to
            personal = any(path.startswith("party.") for path in column.maps_to)
            assert column.purposes or not personal or column.name == "AccountId", (
                f"{contract.name}.{column.name}"
            )


def test_lineage_reaches_the_parts_of_composite_values() -> None:
    found = lineage(CONTRACTS.values())
    assert ("erp", "customer", "NAME1") in found["party.surname"]
    assert ("erp", "customer", "NAME1") in found["party.legal_form"]
    assert ("crm", "account", "Name") in found["party.organisation_name"]
    assert ("crm", "account", "Name") not in found["party.surname"]
    assert found["order_line.line_id"] == [
        ("erp", "order_line", "POSNR"),
        ("shop", "order", "Lineitem number"),
    ]
    never_delivered = {"party.email_kind", "invoice.party_email", "interaction.direction"}
    never_delivered |= {f"consent.{name}" for name in ("party_phone", "channel", "expires_at")}
    never_delivered |= {"consent.notice", "consent.jurisdiction"}
    delivered = {entity for contract in CONTRACTS.values() for entity in contract.entities}
    for entity in delivered:
        for attribute in attributes(entity):
            assert attribute.path in found or attribute.path in never_delivered


def test_the_dictionary_shows_every_column_and_does_not_depend_on_order() -> None:
    text = render_dictionary(list(CONTRACTS.values()))
    assert text == render_dictionary(list(reversed(CONTRACTS.values())))
    for contract in CONTRACTS.values():
        assert f"### {contract.name}" in text
        for column in contract.columns:
            assert f"| `{column.name}` | {column.logical_type} |" in text
    assert "`erp/customer`.`ZZGBDAT`" in text
    assert "format %Y%m%d; null when 00000000" in text
