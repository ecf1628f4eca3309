"""Contracts that map consent: what a statement needs, said with the file, the key and the fix."""

from pathlib import Path

import pytest

from cdm_pipelines.contracts import ContractError, load_contract

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: club-member
name: Members
version: 1.0.0
status: active
dataProduct: club
team: {{name: club}}
schema:
  - name: member
    customProperties:
      - {{property: delivery, value: snapshot}}
      {properties}
    properties:
      - name: number
        logicalType: string
        primaryKey: true
        primaryKeyPosition: 1
        required: true
      - name: mail
        logicalType: string
        customProperties: [{mapped}]
      - {{name: tick, logicalType: string}}
      - {{name: ticked, logicalType: timestamp}}
"""
MAIL = "{property: mapsTo, value: consent.party_email}"


def contract(tmp_path: Path, properties: str, mapped: str = MAIL) -> Path:
    path = tmp_path / "member.odcs.yaml"
    path.write_text(CONTRACT.format(properties=properties, mapped=mapped))
    return path


def test_statements_of_a_row(tmp_path: Path) -> None:
    told = "- {property: statements, value: [{column: tick, purpose: marketing, at: ticked, states: {x: given}}]}"
    (one,) = load_contract(contract(tmp_path, told)).statements
    assert (one.column, one.purpose, one.channel, one.at, one.states) == (
        "tick",
        "marketing",
        "",
        "ticked",
        {"x": "given"},
    )


@pytest.mark.parametrize(
    ("properties", "mapped", "problem"),
    [
        ("", MAIL, "feeds consent but not consent.purpose"),
        ("", "{property: mapsTo, value: consent.state}", "feeds consent but not whom it is about"),
        (
            "- {property: statements, value: [{column: tik, purpose: marketing}]}",
            MAIL,
            "unknown column 'tik'",
        ),
        ("- {property: statements, value: [{column: tick}]}", MAIL, r"statements\[0\]\.purpose: is missing"),
        (
            "- {property: statements, value: [{column: tick, purpose: marketing}]}",
            "",
            "no column feeds consent",
        ),
        ("- {property: statements, value: [tick]}", MAIL, "is not a mapping"),
        (
            "- {property: statements, value: [{column: tick, purpose: m}, {column: mail, purpose: m}]}",
            MAIL,
            "two statements about one purpose and channel",
        ),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, properties: str, mapped: str, problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        load_contract(contract(tmp_path, properties, mapped))
