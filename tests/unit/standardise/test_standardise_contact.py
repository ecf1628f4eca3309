"""Phone numbers and e-mail addresses; the compiled ways against the libraries that decide."""

import random
from collections.abc import Iterator

import phonenumbers
import pyarrow as pa
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from cdm_pipelines.standardise import email, phone
from cdm_pipelines.standardise.distinct import TEXT


@pytest.mark.parametrize(
    ("delivered", "country", "expected"),
    [
        ("06-12345678", "NL", ("+31612345678", "mobile", False)),
        ("+31 (0)20 123 45 67", "NL", ("+31201234567", "landline", False)),
        ("0031612345678", "NL", ("+31612345678", "mobile", False)),
        ("(020) 624 11 11", "NL", ("+31206241111", "landline", False)),
        ("020/6241111", "NL", ("+31206241111", "landline", False)),
        ("612345678", "NL", ("+31612345678", "mobile", False)),
        ("'0612345678", "NL", ("+31612345678", "mobile", False)),
        ("tel:+31201234567", None, ("+31201234567", "landline", False)),
        ("Tel. 020-6241111 (kantoor)", "NL", ("+31206241111", "landline", False)),
        ("020-6241111 tst 12", "NL", ("+31206241111", "landline", False)),
        ("020-6241111 ext. 12", "NL", ("+31206241111", "landline", False)),
        ("06 12345678 / 020-6241111", "NL", ("+31612345678", "mobile", False)),
        ("0475 12 34 56", "BE", ("+32475123456", "mobile", False)),
        ("0475 12 34 56", "NL", ("+31475123456", "landline", False)),
        ("030 901820", "DE", ("+4930901820", "landline", False)),
        ("+1 212 555 0100", "NL", ("+12125550100", None, False)),
        ("088-1234567", "NL", ("+31881234567", None, False)),
        ("06-99999999", "NL", ("+31699999999", None, True)),
        ("020-624", "NL", ("+3120624", None, True)),
        ("020", "NL", (None, None, False)),
        ("geen", "NL", (None, None, False)),
        ("0612345678", None, (None, None, False)),
    ],
)
def test_phone_numbers(
    delivered: str, country: str | None, expected: tuple[str | None, str | None, bool]
) -> None:
    answer = phone.read(pa.array([delivered]), pa.array([country], TEXT))
    assert tuple(part[0].as_py() for part in answer) == expected


MOBILE, LANDLINE, OTHER = "+31612345678", "+31201234567", "+31687654321"


@pytest.mark.parametrize(
    ("in_phone", "in_mobile", "expected"),
    [
        (MOBILE, None, (None, MOBILE)),
        (None, LANDLINE, (LANDLINE, None)),
        (MOBILE, LANDLINE, (LANDLINE, MOBILE)),
        (MOBILE, MOBILE, (None, MOBILE)),
        (OTHER, MOBILE, (OTHER, MOBILE)),
        (LANDLINE, MOBILE, (LANDLINE, MOBILE)),
        (LANDLINE, LANDLINE, (LANDLINE, LANDLINE)),
        (LANDLINE, None, (LANDLINE, None)),
        (None, None, (None, None)),
    ],
)
def test_each_number_stands_where_its_kind_belongs(
    in_phone: str | None, in_mobile: str | None, expected: tuple[str | None, str | None]
) -> None:
    home = pa.array(["NL"])
    both = (phone.read(pa.array([number], TEXT), home) for number in (in_phone, in_mobile))
    number, mobile, *_ = phone.assign(*both)
    assert (number[0].as_py(), mobile[0].as_py()) == expected


def lists(pattern: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.from_regex(pattern, fullmatch=True), min_size=20, max_size=20)


def by_library(value: str, region: str) -> tuple[str | None, bool, bool]:
    """E.164, whether mobile and whether invalid, straight from phonenumbers."""
    if len({sign for sign in value if sign.isdigit()}) == 1:
        return None, False, False  # 000000000
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None, False, False
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None, False, False
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    is_mobile = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
    return written, is_mobile, not phonenumbers.is_valid_number(number)


def assert_as_library(values: list[str], regions: list[str]) -> None:
    number, kind, wrong = phone.read(pa.array(values), pa.array(regions))
    ours = zip(
        number.to_pylist(), [found == "mobile" for found in kind.to_pylist()], wrong.to_pylist(), strict=True
    )
    for value, region, answer in zip(values, regions, ours, strict=True):
        assert answer == by_library(value, region), (value, region)


def spelled(digits: str, code: str, chance: random.Random) -> str:
    """A national number as people write it."""
    prefix = chance.choice(
        ["0", "0", f"+{code}", f"00{code}", f"+{code}(0)", f"+{code} 0", f"(00{code})", "(0"]
    )
    breaks = (chance.choice(["", "", "", " ", "-", " - ", ".", ") ", " (", "  "]) for _ in digits)
    return prefix + "".join(digit + gap for digit, gap in zip(digits, breaks, strict=True)).rstrip(" -.()")


@pytest.mark.parametrize(
    ("region", "code", "sizes"), [("NL", "31", (9,)), ("BE", "32", (8, 9)), ("DE", "49", (7, 10, 11))]
)
def test_compiled_numbers_are_the_library_s_for_every_prefix(
    region: str, code: str, sizes: tuple[int, ...]
) -> None:
    chance = random.Random(7)

    def numbers() -> Iterator[str]:
        for head in range(100, 1000):
            for size in sizes:
                yield f"{head}{''.join(chance.choices('0123456789', k=size - 3))}"

    values = [spelled(number, code, chance) for number in numbers()]
    assert_as_library(values, [region] * len(values))
    compiled, _ = phone._compiled(pa.array(values), pa.array([region] * len(values)))  # noqa: SLF001 - is it used at all?
    assert len(compiled) - compiled.null_count > len(values) / 10


@settings(max_examples=25, deadline=None)
@given(
    lists(r"(\+31|\+32|\+49|0031|0032|00|0|\(0|\+)?[ (-]?[0-9][0-9 ().-]{5,13}[0-9]"),
    st.sampled_from(["NL", "BE", "DE"]),
)
def test_compiled_numbers_are_the_library_s_however_they_are_written(values: list[str], region: str) -> None:
    assert_as_library(values, [region] * len(values))


@pytest.mark.parametrize(
    ("delivered", "expected", "wrong"),
    [
        ("Jan.Jansen@Example.NL", "jan.jansen@example.nl", False),
        (" mailto:a@b.nl ", "a@b.nl", False),
        ("Jan Jansen <jan@x.nl>", "jan@x.nl", False),
        ('"Jansen, Jan" <jan@x.nl>', "jan@x.nl", False),
        ("a@b.nl; c@d.nl", "a@b.nl", False),
        ("kapot@; c@d.nl", "c@d.nl", False),
        ("jan@x.nl (werk)", "jan@x.nl", False),
        ("[privé] jan@x.nl", "jan@x.nl", False),
        ("werk: jan@x.nl", "jan@x.nl", False),
        ("jan(werk)@x.nl", None, False),
        ("jan+web@gmail.com", "jan+web@gmail.com", False),
        ("j.a.n@gmail.com", "j.a.n@gmail.com", False),
        ("jan@bücher.de", "jan@xn--bcher-kva.de", False),
        ("jan@x.nl.", "jan@x.nl", False),
        ("jan@bedrijf.local", "jan@bedrijf.local", True),
        ("jan jansen@x.nl", None, False),
        ("jan..x@y.nl", None, False),
        ("jan@x", None, False),
        ("jan@ab--cd.nl", None, False),
        ("jan@a--b.nl", "jan@a--b.nl", False),
        ("jan@-a.nl", None, False),
        ("jan@x.test", "jan@x.test", True),
        (f"jan@{'a' * 63}.nl", f"jan@{'a' * 63}.nl", False),
        (f"jan@{'a' * 64}.nl", None, False),
        ("geen", None, False),
    ],
)
def test_email_addresses(delivered: str, expected: str | None, wrong: bool) -> None:
    address, reserved = email.read(pa.array([delivered]))
    assert (address[0].as_py(), reserved[0].as_py()) == (expected, wrong)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("jan@bedrijf.nl", "personal"),
        ("jan@gmail.com", "freemail"),
        ("jan@ziggo.nl", "freemail"),
        ("info@bedrijf.nl", "role"),
        ("administratie+2026@bedrijf.nl", "role"),
        ("info@gmail.com", "role"),
        ("jan@mailinator.com", "disposable"),
        (None, None),
    ],
)
def test_kind_of_email_address(address: str | None, expected: str | None) -> None:
    assert email.kind(pa.array([address], TEXT))[0].as_py() == expected


_LABEL = "[a-zA-Z0-9-]{1,8}"


@settings(max_examples=30, deadline=None)
@given(
    lists(rf"[a-zA-Z0-9][a-zA-Z0-9._+-]{{0,12}}@({_LABEL}\.){{0,2}}(nl|com|test|local|x|arpa|[a-z]{{2,8}})")
)
def test_accepted_addresses_are_those_that_the_library_accepts(values: list[str]) -> None:
    address, reserved = email.read(pa.array(values))
    for value, found, special in zip(values, address.to_pylist(), reserved.to_pylist(), strict=True):
        try:
            accepted = validate_email(value.lower(), check_deliverability=False)
            assert found == f"{accepted.local_part}@{accepted.ascii_domain}"
        except EmailNotValidError:
            assert found is None or special, value
