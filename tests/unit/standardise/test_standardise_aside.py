"""What stands in a name or an address beside it: taken off, recorded, and the name read as if it were alone."""

import pyarrow as pa
import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.model import Column, Delivery, Format, KindRule, PartyKind, SourceContract
from cdm_pipelines.standardise import standardise
from cdm_pipelines.standardise.placeholders import Placeholders

NOBODY = Placeholders(
    email={"mailboxes": ["noreply"], "shared_mailboxes": ["info"]},
    phone={"numbers": ["0612345678", "+33123456789"]},
    postcode=["1234 AB", "00000"],
    identifier=["NL91ABNA0417164300"],
    name=["onbekend", "Test", "de bewoners", "n/a"],
    organisation_name=["privé"],
    address=["straat", "plaats"],
)


def read(**fields: str | None) -> tuple[dict[str, object], set[tuple[str, str, str]]]:
    """The standard values of a person that a source delivers, and what was noted: column, rule, action."""
    contract = SourceContract(
        source="s",
        entity="e",
        version="1",
        owner="",
        description="",
        location="",
        format=Format.CSV,
        delivery=Delivery.DELTA,
        columns=(Column("id", key_position=1), *(Column(n, maps_to=(f"party.{n}",)) for n in fields)),
        default_country="NL",
        party_kind=KindRule(PartyKind.PERSON),
    )
    row = {"id": "1", "_file": "f", "_sha256": "0", **fields}
    table = pa.table({name: pa.array([value], pa.string()) for name, value in row.items()})
    table = table.append_column("_row", pa.array([7], pa.int64()))
    found = standardise(table, contract, "2026-06-03", nobody=NOBODY)
    (values,) = found.tables[Entity.PARTY].to_pylist()
    notes = found.repairs.to_pylist()
    assert all(note["_row"] == 7 and not set(note["shape"]) & set("bcdefghijklm") for note in notes)
    return values, {(note["column"], note["rule"], note["action"]) for note in notes}


def name_of(values: dict[str, object]) -> str:
    parts = ("title", "given_name", "initials", "surname_prefix", "surname")
    return " ".join(str(values[part]) for part in parts if values[part])


@pytest.mark.parametrize(
    ("delivered", "name", "rule"),
    [
        ("Wouter Krol - verhuisd", "Wouter Krol", "remark"),
        ("Wouter Krol \u2013 zie 20391", "Wouter Krol", "remark"),
        ("WOUTER KROL - WANBETALER", "Wouter Krol", "remark"),
        ("Wouter Krol (graag niet mailen)", "Wouter Krol", "remark"),
        ("Wouter Krol [Inkoop]", "Wouter Krol", "remark"),
        ("Wouter van 't Krol overleden", "Wouter van 't Krol", "remark"),
        ("Wouter Krol | do not call", "Wouter Krol", "remark"),
        ("T.a.v. Wouter Krol", "Wouter Krol", "attention"),
        ("Attn: Wouter Krol", "Wouter Krol", "attention"),
        ("z. Hd. Wouter Krol", "Wouter Krol", "attention"),
        ("Wouter Krol p/a Smit", "Wouter Krol", "attention"),
        ("Krol & Co, attn. Wouter Krol", "Wouter Krol", "attention"),
        ("Wouter Krol <w.krol@mail.nl>", "Wouter Krol", "email_in_name"),
        ("w.krol@mail.nl", "", "email_in_name"),
        ("Wouter Krol, ing.", "ing. Wouter Krol", None),
        ("Wouter van der Krol, drs. ir.", "drs. ir. Wouter van der Krol", None),
        ("Wouter Krol, PhD", "PhD Wouter Krol", None),
        ("Krol van den", "van den Krol", None),
        ("Wouter Krol van den", "Wouter van den Krol", None),
        ("Wouter Jansen - de Krol", "Wouter Jansen-de Krol", None),
        ("Jan (Wouter) Krol", "Wouter Krol", None),
        ("Anna Krol (geb. Smit)", "Anna Krol-Smit", None),
        ("familie Krol", "Krol", "several_persons"),
        ("Piet Oud", "Piet Oud", None),
        ("Wilhelmina (Wil) Krol", "Wil Krol", None),
        ("Krol, Wil", "Wil Krol", None),
        ("krol, wil", "Wil Krol", None),
        ("KROL, WIL", "Wil Krol", None),
        ("krol, wil anna", "Wil Krol", None),
        ("Wouter Krol - Belt", "Wouter Krol-Belt", None),
        ("Wouter Krol, wil geen post", "Wouter Krol", "remark"),
        ("Wouter Krol (belt altijd terug)", "Wouter Krol", "remark"),
        ("Wouter (VIP) Krol", "Wouter Krol", "remark"),
        ("Wouter [niet bellen] van der Krol", "Wouter van der Krol", "remark"),
        ("Els Dubbel-Nieuw", "Els Dubbel-Nieuw", None),
        ("Onbekend", "", "placeholder"),
        ("test TEST", "", "placeholder"),
        ("Li Na", "Li Na", None),
    ],
)
def test_a_name_and_what_stands_beside_it(delivered: str, name: str, rule: str | None) -> None:
    values, notes = read(full_name=delivered)
    assert name_of(values) == name
    assert {rule for _, rule, _ in notes} == ({rule} if rule else set())
    assert values["full_name_original"] == delivered


def test_a_placeholder_of_two_letters_is_told_by_its_sign() -> None:
    names = pa.array(["Na", "NA", "N/A", "n-a", "N.A.", "Nana"])
    assert NOBODY.in_name(names).to_pylist() == [False, False, True, True, True, False]


@pytest.mark.parametrize(
    ("surname", "expected"),
    [
        ("Krol van der", ("van der", "Krol")),
        ("KROL VAN DER", ("van der", "Krol")),
        ("Krol v.d.", ("v.d.", "Krol")),
        ("Krol, ten", ("ten", "Krol")),
        ("Krol - niet bellen", (None, "Krol")),
        ("Krol, drs.", (None, "Krol")),
    ],
)
def test_a_surname_with_what_stands_behind_it(surname: str, expected: tuple[str | None, str]) -> None:
    values, _ = read(given_name="Wouter", surname=surname)
    assert (values["surname_prefix"], values["surname"]) == expected


@pytest.mark.parametrize(
    "delivered",
    ["Wouter en Els Krol", "W. & E. Krol-Smit", "Wouter Krol und Els Smit", "Wouter Krol / Els Smit"],
)
def test_two_persons_in_one_name_are_marked(delivered: str) -> None:
    values, notes = read(full_name=delivered)
    assert ("full_name", "several_persons", "marked") in notes
    assert "given_name" in str(values["invalid_attributes"])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"full_name": "Krol Installaties B.V."}, ("organisation", "Krol Installaties", "BV", None)),
        ({"full_name": "Stichting Krol"}, ("organisation", "Krol", "Stichting", None)),
        ({"given_name": None, "surname": "Krol GmbH"}, ("organisation", "Krol", "GmbH", None)),
        ({"given_name": "Wouter", "surname": "Krol VOF"}, ("person", None, None, "surname")),
        ({"full_name": "Krol Ltd.", "birth_date": "1980-01-02"}, ("person", None, None, "surname")),
        ({"full_name": "Wouter Krol"}, ("person", None, None, None)),
    ],
)
def test_the_name_of_an_organisation_in_a_person_s_place(
    fields: dict[str, str | None], expected: tuple[str | None, ...]
) -> None:
    values, notes = read(**fields)
    names = ("party_kind", "organisation_name", "legal_form", "invalid_attributes")
    assert tuple(values[name] for name in names) == expected
    assert any(rule == "legal_form" for _, rule, _ in notes) == (
        values["surname"] != "Krol" or bool(expected[3])
    )


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("Vlinderpad 8 (achterom)", ("Vlinderpad", "8", None, "achterom")),
        ("Vlinderpad 8a, 2e bel", ("Vlinderpad", "8", "A", "2e bel")),
        ("Vlinderpad 8 naast de school", ("Vlinderpad", "8", None, "naast de school")),
        ("Vlinderpad 8 - bij buren afgeven", ("Vlinderpad", "8", None, "bij buren afgeven")),
        ("Vlinderpad 8-10", ("Vlinderpad", "8", "10", None)),
        ("Vlinderpad 8 bis", ("Vlinderpad", "8", "bis", None)),
    ],
)
def test_an_address_and_what_stands_on_it(delivered: str, expected: tuple[str | None, ...]) -> None:
    values, notes = read(address_line=delivered)
    assert tuple(values[n] for n in ("street", "house_number", "house_addition", "address_extra")) == expected
    assert notes == ({("address_line", "remark", "moved")} if expected[3] else set())


@pytest.mark.parametrize(
    ("country", "delivered", "expected"),
    [
        ("NL", "9712ab", ("9712 AB", False)),
        ("BE", "9712 AB", ("9712 AB", True)),
        ("BE", "9000", ("9000", False)),
        ("NL", "9000", ("9000", True)),
        ("DE", "01067", ("01067", False)),
        ("DE", "1067", ("1067", True)),
        ("FR", "75008", ("75008", False)),
        ("GB", "ec1a1bb", ("EC1A 1BB", False)),
        ("GB", "75008", ("75008", True)),
        ("US", "606011234", ("60601-1234", False)),
        ("CA", "k1a0b1", ("K1A 0B1", False)),
        ("CA", "D1A 0B1", ("D1A 0B1", True)),
        ("NO", "0150", ("0150", False)),
        ("NO", "150", ("150", True)),
    ],
)
def test_a_postcode_is_judged_by_its_country(
    country: str, delivered: str, expected: tuple[str, bool]
) -> None:
    values, _ = read(postcode=delivered, country=country)
    assert (values["postcode"], values["invalid_attributes"] == "postcode") == expected


@pytest.mark.parametrize(
    ("field", "delivered", "kept", "note"),
    [
        ("phone", "+31 50 312 45 67 doorkiesnr 12", "+31503124567", ("extension", "shortened")),
        ("phone", "050-3124567 toestel 4", "+31503124567", ("extension", "shortened")),
        ("phone", "050\u00a0312\u200b4567", "+31503124567", None),
        ("phone", "5.0312E+8", None, ("not_phone", "blanked")),
        ("phone", "999999999", None, ("not_phone", "blanked")),
        ("phone", "O50-3l24567", None, ("not_phone", "blanked")),
        ("phone", "+31 6 1234 5678", None, ("placeholder", "blanked")),
        ("phone", "0033 1 23 45 67 89", None, ("placeholder", "blanked")),
        ("phone", "06-66666666", None, ("placeholder", "blanked")),
        ("email", "w.krol\u200b@mail\u00ad.nl", "w.krol@mail.nl", None),
        ("email", "\ufeffw.krol@mail.nl\u00a0", "w.krol@mail.nl", None),
        ("email", "w.krol@mail", None, ("not_email", "blanked")),
        ("email", "NoReply+7@mail.nl", None, ("placeholder", "blanked")),
        ("email", "info@mail.nl", "info@mail.nl", ("shared_mailbox", "marked")),
        ("iban", "NL91 ABNA 0417 1643 00", None, ("placeholder", "blanked")),
        ("vat_number", "NL999999999B01", None, ("placeholder", "blanked")),
        ("postcode", "1234ab", None, ("placeholder", "blanked")),
        ("city", "Plaats", None, ("placeholder", "blanked")),
        ("city", "--", None, ("no_content", "blanked")),
        ("country", "Verweggistan", None, ("unknown_code", "blanked")),
    ],
)
def test_what_comes_to_nothing_is_recorded(
    field: str, delivered: str, kept: str | None, note: tuple[str, str] | None
) -> None:
    values, notes = read(**{field: delivered})
    assert values[field] == kept
    assert notes == ({(field, *note)} if note else set())


def test_a_street_of_nobody_takes_its_number_with_it() -> None:
    values, notes = read(address_line="Straat 1", postcode="9712 AB")
    assert [values[name] for name in ("street", "house_number", "postcode")] == [None, None, "9712 AB"]
    assert notes == {("address_line", "placeholder", "blanked")}


def test_a_mobile_in_the_phone_column_is_not_noted_as_lost() -> None:
    values, notes = read(phone="06-28334455", mobile="050-3124567")
    assert (values["phone"], values["mobile"], notes) == ("+31503124567", "+31628334455", set())
