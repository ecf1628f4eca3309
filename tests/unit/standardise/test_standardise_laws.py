"""Laws of every semantic type: a standard value stays as it is, wherever and however often it stands."""

from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdm_pipelines.standardise import (
    codes,
    dates,
    email,
    identifiers,
    numbers,
    organisation_name,
    phone,
    text,
)
from cdm_pipelines.standardise.address import address
from cdm_pipelines.standardise.distinct import TEXT
from cdm_pipelines.standardise.person import person_names

PIECES = """
van der de den 't ter v.d. v/d Van DER d'Hondt D'ANGELO O'NEIL mcdonald MACDONALD ijsbrand Ijpma J.P. j.p JP Th. TH.M.
IJ. Jan jan JAN Peter (Jan) (Jan-Peter) "Jan" Jansen JANSEN jansen-de Vries - / geb. e/v wed. en & dr. drs. mr. Mr.
prof. MSc Jr. III MA Dhr. Mevr. mevrouw heer Fam. Zoë ÉLISE Müller ß 12 12a 3-5 2 hoog bis hs t.o. t/o nr. 1944 Plein
Kerkstraat KERKSTR. Laan Postbus 123 Gebouw A , . ; 1234 AB 1234ab 'S-GRAVENHAGE a/d IJSSEL Rijn (NH) BV B.V. b.v.
N.V. Stichting voor Vereniging V.O.F. i.o. h.o.d.n. GmbH & Co. KG Ltd (B.V.) AB S.A. SA Coöperatie U.A. Holding
"""
MESSY = st.lists(st.sampled_from(PIECES.split()), min_size=1, max_size=6).map(" ".join) | st.text(
    st.characters(codec="latin-1"), max_size=12
)
COUNTRIES = st.sampled_from(["NL", "BE", "DE", "FR", "GB", "US", None])
PARTS = ("honorific", "title", "given_name", "middle_names", "initials", "surname_prefix", "surname")
PLACE = ("street", "house_number", "house_addition", "address_extra", "postcode", "city", "region")
SIZE = 20

laws = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def many(values: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(values, min_size=SIZE, max_size=SIZE)


def column(values: list[str]) -> pa.Array:
    return pa.array(values, TEXT)


def same(value: str | None) -> pa.Array:
    return pa.repeat(pa.scalar(value, TEXT), SIZE)


def rows(arrays: dict[str, pa.Array]) -> list[dict[str, str | None]]:
    table: list[dict[str, str | None]] = pa.table(arrays).to_pylist()
    return table


@laws
@given(many(MESSY | st.text(max_size=12)), st.booleans())
def test_clean_text_is_clean(values: list[str], keep_lines: bool) -> None:
    once = text.clean(column(values), keep_lines=keep_lines)
    assert text.clean(once, keep_lines=keep_lines).equals(once)


@laws
@given(
    st.sampled_from(["full_name", "given_name", "family_name", "surname", "initials", "middle_names"]),
    many(MESSY),
    st.sampled_from([None, "US", "XX"]),
)
def test_a_standard_person_name_stays(target: str, values: list[str], culture: str | None) -> None:
    once, _ = person_names({target: text.clean(column(values))}, same(culture))
    again, _ = person_names({name: once[name] for name in PARTS}, same(culture))
    assert rows(again) == rows(once)


@laws
@given(many(MESSY), many(MESSY), many(MESSY))
def test_a_standard_name_from_several_columns_stays(
    given_names: list[str], family: list[str], spoken: list[str]
) -> None:
    delivered = {"given_name": given_names, "family_name": family, "salutation": spoken}
    once, _ = person_names(
        {name: text.clean(column(values)) for name, values in delivered.items()}, same(None)
    )
    again, _ = person_names({name: once[name] for name in PARTS}, same(None))
    assert rows(again) == rows(once)


@laws
@given(many(MESSY), COUNTRIES)
def test_a_standard_organisation_name_stays(values: list[str], country: str | None) -> None:
    name, form, *_ = organisation_name.name(text.clean(column(values)), same(country))
    assert organisation_name.name(name, same(country))[0].to_pylist() == name.to_pylist()
    assert organisation_name.legal_form(form).to_pylist() == form.to_pylist()


@laws
@given(many(MESSY), COUNTRIES)
def test_a_standard_address_stays(values: list[str], country: str | None) -> None:
    once, _ = address({"address_line": text.clean(column(values), keep_lines=True)}, same(country))
    again, _ = address({name: once[name] for name in PLACE}, same(country))
    assert rows(again) == rows(once)


@laws
@given(many(MESSY), COUNTRIES)
def test_a_standard_place_stays(values: list[str], country: str | None) -> None:
    def read(delivered: dict[str, pa.Array]) -> dict[str, pa.Array]:
        found, _ = address(delivered, same(country))
        return {name: found[name] for name in ("postcode", "city", "region")}

    once = read(dict.fromkeys(("postcode", "city", "region"), text.clean(column(values))))
    assert rows(read(once)) == rows(once)


_PHONES = st.from_regex(r"(\+31|0031|0|\+32|\+49)?[ (]?[1-9][0-9 ().-]{4,12}[0-9]", fullmatch=True) | MESSY


@laws
@given(many(_PHONES), COUNTRIES)
def test_a_standard_phone_number_stays(values: list[str], country: str | None) -> None:
    once = phone.read(column(values), same(country))
    again = phone.read(once[0], same(country))
    assert [part.to_pylist() for part in again] == [part.to_pylist() for part in once]


_MAIL = (
    st.from_regex(r"[A-Za-z0-9.+_-]{1,12}@[A-Za-z0-9.-]{1,12}\.(nl|COM|local|xn--p1ai)", fullmatch=True)
    | st.emails()
)


@laws
@given(many(_MAIL | MESSY))
def test_a_standard_email_address_stays(values: list[str]) -> None:
    once = email.read(column(values))
    again = email.read(once[0])
    assert [part.to_pylist() for part in again] == [part.to_pylist() for part in once]


_CODES: dict[str, Callable[[pa.Array], pa.Array]] = {
    "country": codes.country,
    "language": codes.language,
    "currency": codes.currency,
    "gender": codes.gender,
    "boolean": numbers.boolean,
    "decimal": numbers.decimal,
    "date": dates.date,
    "timestamp": lambda values: dates.timestamp(values, (), "Europe/Amsterdam"),
    "iban": lambda values: identifiers.iban(values)[0],
    "vat_number": lambda values: identifiers.vat_number(values, same("NL"))[0],
    "coc_number": lambda values: identifiers.coc_number(values, same("NL"))[0],
}


@laws
@given(
    many(
        MESSY
        | st.sampled_from(
            ["Nederland", "nl_NL", "euro", "V", "JA", "$1.234,50", "(12.5-", "NL 1234.56.789.B01"]
        )
        | st.from_regex(r"[+-]?[0-9.,]{1,8}-?", fullmatch=True)
        | st.datetimes().map(str)
        | st.dates().map(str)
        | st.from_regex(r"(NL|DE|BE)?[0-9 .]{8,20}(B0[0-9])?", fullmatch=True)
    )
)
@pytest.mark.parametrize("name", _CODES)
def test_a_standard_code_stays(name: str, values: list[str]) -> None:
    once = _CODES[name](column(values))
    assert _CODES[name](once).to_pylist() == once.to_pylist()
