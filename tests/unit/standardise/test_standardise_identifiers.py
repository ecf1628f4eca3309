"""VAT numbers, chamber-of-commerce numbers and bank accounts; the computed checks against python-stdnum."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban as stdnum_iban
from stdnum.eu import vat as stdnum_vat

from cdm_pipelines.standardise import identifiers
from cdm_pipelines.standardise.distinct import TEXT


def read(answer: tuple[pa.Array, ...]) -> tuple[str | None, bool]:
    return answer[0][0].as_py(), answer[1][0].as_py()


@pytest.mark.parametrize(
    ("delivered", "country", "expected", "wrong"),
    [
        ("004495445B01", "NL", "NL004495445B01", False),
        ("NL 0044.95.445.B01", None, "NL004495445B01", False),
        ("nl4495445b01", "NL", "NL004495445B01", False),
        ("NL002455799B11", "NL", "NL002455799B11", False),
        ("123456789B90", "NL", "NL123456789B90", True),
        ("BTW-nr. NL004495445B01", "NL", "NL004495445B01", False),
        ("BE 0697.449.992", "NL", "BE0697449992", False),
        ("697449992", "BE", "BE0697449992", False),
        ("DE136695976", "NL", "DE136695976", False),
        ("DE136695978", "NL", "DE136695978", True),
        ("EL 094259216", "GR", "EL094259216", False),
        ("094259216", "GR", "EL094259216", False),
        ("GB 980 7806 84", "GB", "GB980780684", False),
        ("GB 980 7806 84", "NL", "GB980780684", False),
        ("GB 980 7806 85", "NL", "GB980780685", True),
        ("CHE-116.281.710 MWST", "NL", "CHE116281710MWST", False),
        ("NO 123 456 785 MVA", "NL", "NO123456785MVA", False),
        ("004495446", "NL", "004495446", True),
        ("697449993", "BE", "697449993", True),
        ("12345", None, "12345", False),
        ("geen", "NL", None, False),
    ],
)
def test_vat_numbers(delivered: str, country: str | None, expected: str | None, wrong: bool) -> None:
    answer = identifiers.vat_number(pa.array([delivered]), pa.array([country], TEXT))
    assert read(answer) == (expected, wrong)


@pytest.mark.parametrize(
    ("delivered", "country", "expected", "wrong"),
    [
        ("12345678", "NL", "12345678", False),
        ("KvK 1234 5678", "NL", "12345678", False),
        ("1234567", "NL", "01234567", True),
        ("123456780001", "NL", "12345678", False),
        ("00000000", "NL", "00000000", True),
        ("123", "NL", "123", True),
        ("0697.449.992", "BE", "0697449992", False),
        ("-", "NL", None, False),
    ],
)
def test_chamber_of_commerce_numbers(delivered: str, country: str, expected: str | None, wrong: bool) -> None:
    answer = identifiers.coc_number(pa.array([delivered]), pa.array([country], TEXT))
    assert read(answer) == (expected, wrong)


@pytest.mark.parametrize(
    ("delivered", "expected", "wrong"),
    [
        ("NL91 ABNA 0417 1643 00", "NL91ABNA0417164300", False),
        ("nl91abna0417164301", "NL91ABNA0417164301", True),
        ("IBAN: NL91ABNA0417164300", "NL91ABNA0417164300", False),
        ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000", False),
        ("FR14 2004 1010 0505 0001 3M02 606", "FR1420041010050500013M02606", False),
        ("BE31435411161155", "BE31435411161155", False),
        ("417164300", "417164300", True),
        ("onbekend", None, False),
    ],
)
def test_bank_accounts(delivered: str, expected: str | None, wrong: bool) -> None:
    assert read(identifiers.iban(pa.array([delivered]))) == (expected, wrong)


_NUMBERS = settings(max_examples=30, deadline=None)


@_NUMBERS
@given(
    st.lists(
        st.from_regex(r"NL[0-9]{9}B[0-9]{2}|NL00000000[0-9]B0[01]", fullmatch=True), min_size=50, max_size=50
    )
)
def test_computed_dutch_vat_check_is_the_library_s(numbers: list[str]) -> None:
    _, wrong = identifiers.vat_number(pa.array(numbers), pa.nulls(len(numbers), TEXT))
    assert wrong.to_pylist() == [not stdnum_vat.is_valid(number) for number in numbers]


@_NUMBERS
@given(
    st.lists(
        st.from_regex(r"NL[0-9]{2}[A-Z]{4}[0-9]{10}|DE[0-9]{20}", fullmatch=True),
        min_size=20,
        max_size=20,
        unique=True,
    ),
    st.booleans(),
)
def test_computed_iban_check_is_the_library_s(numbers: list[str], mended: bool) -> None:
    if mended:
        numbers = [number[:2] + stdnum_iban.calc_check_digits(number) + number[4:] for number in numbers]
    _, wrong = identifiers.iban(pa.array(numbers))
    assert wrong.to_pylist() == [not stdnum_iban.is_valid(number) for number in numbers]
    assert not mended or not any(wrong.to_pylist())
