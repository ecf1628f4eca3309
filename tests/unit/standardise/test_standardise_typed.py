"""A record that a person types: read as a source's would be, and what is wrong told by field without its value."""

from pathlib import Path
from typing import Any

import pytest

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.settings import Settings
from cdm_pipelines.standardise.placeholders import Placeholders, PlaceholdersError
from cdm_pipelines.standardise.typed import FieldError, Typed, fields, read_record

NOBODY = Placeholders.load(Settings.model_fields["policies"].default)
READ = [
    (
        {"full_name": "dhr. J. van der BERG"},
        {"surname_prefix": "van der", "surname": "Berg", "initials": "J."},
    ),
    ({"birth_date": "3-2-1980"}, {"birth_date": "1980-02-03"}),
    ({"birth_date": "1980-02-03"}, {"birth_date": "1980-02-03"}),
    ({"phone": "06-12341278"}, {"mobile": "+31612341278"}),
    ({"phone": "0475 12 34 56", "country": "België"}, {"mobile": "+32475123456"}),
    ({"email": " Anna@Klaver.NL "}, {"email": "anna@klaver.nl"}),
    (
        {"address_line": "kerkstraat 12b"},
        {"street": "Kerkstraat", "house_number": "12", "house_addition": "B"},
    ),
    (
        {"organisation_name": "Bakkerij Klaver B.V."},
        {"organisation_name": "Bakkerij Klaver", "legal_form": "BV"},
    ),
    ({"surname": "  ", "email": ""}, {}),
]
WRONG = [
    ("birth_date", "31-02-1980", "not_date", "YYYY-MM-DD|%d-%m-%Y"),
    ("birth_date", "2999-01-01", "doubtful", "leave the field out"),
    ("email", "anna at klaver", "not_email", "name@domain"),
    ("email", "info@klaver.nl", "shared_mailbox", "own address"),
    ("phone", "12", "not_phone", "country"),
    ("phone", "0612345678", "placeholder", "Leave the field out"),
    ("surname", "onbekend", "placeholder", "Leave the field out"),
    ("country", "Verweggistan", "unknown_code", "Write its code"),
    ("iban", "NL91ABNA0417164301", "doubtful", "Correct it"),
    ("city", "x" * 1001, "too_long", "1000"),
    ("city", "Delft\x00", "nul_byte", "anew"),
    ("city", "\udcff", "undecodable", "anew"),
]


def read(values: dict[str, str], **how: Any) -> Typed:
    return read_record(values, **{"today": "2026-06-01", "country": "NL", "nobody": NOBODY, **how})


@pytest.mark.parametrize(("given", "expected"), READ)
def test_a_record_is_read_as_a_sources_would_be(given: dict[str, str], expected: dict[str, str]) -> None:
    typed = read(given)
    assert {name: typed.values.get(name) for name in expected} == expected
    assert not [fault for fault in typed.faults if fault.left_out]


@pytest.mark.parametrize(("field", "value", "rule", "fix"), WRONG)
def test_what_is_wrong_is_told_by_field_and_not_repeated(field: str, value: str, rule: str, fix: str) -> None:
    typed = read({field: value, "given_name": "Anna"})
    (fault,) = typed.faults
    assert (fault.field, fault.rule, fault.left_out) == (field, rule, True)
    assert any(part in fault.fix for part in fix.split("|"))
    assert value not in repr(fault)
    assert field in typed.doubtful or field not in typed.values
    assert typed.values["given_name"] == "Anna", "what is right stays"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"surname": "Klaver"}, PartyKind.PERSON),
        ({"organisation_name": "Klaver"}, PartyKind.ORGANISATION),
        ({"coc_number": "68750110"}, PartyKind.ORGANISATION),
        ({"organisation_name": "Klaver", "surname": "Wartena"}, PartyKind.PERSON),
        ({"full_name": "Klaver Holding BV"}, PartyKind.ORGANISATION),
        ({}, PartyKind.PERSON),
    ],
)
def test_fields_tell_of_what_kind_a_party_is(given: dict[str, str], kind: PartyKind) -> None:
    assert read(given).kind is kind
    assert read({"email": "anna@klaver.nl"}, kind=PartyKind.ORGANISATION).kind is PartyKind.ORGANISATION


@pytest.mark.parametrize("name", ["surnaam", "email_kind", "order_id", ""])
def test_a_field_that_is_none_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(FieldError, match=r"choose from address_extra, .*surname"):
        read({name: "Klaver"})


def test_every_field_can_be_given() -> None:
    typed = read(dict.fromkeys(fields(), "1"))
    assert {fault.field for fault in typed.faults} <= set(fields())


@pytest.mark.parametrize("word", ["no", "~"])
def test_placeholder_that_yaml_reads_as_none_of_its_letters_is_refused(tmp_path: Path, word: str) -> None:
    (tmp_path / "placeholders.yaml").write_text(f"email: {{mailboxes: [noreply, {word}]}}")
    with pytest.raises(PlaceholdersError, match=r"placeholders\.yaml: email\.mailboxes: .*quotation marks"):
        Placeholders.load(tmp_path)
