"""Each comparison as a table: two values, and the level that a person would give them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linkage_examples import comparison, records_of

from cdm_pipelines.linkage.compare.comparers import bound
from cdm_pipelines.linkage.policy.comparisons import Comparison

MISSING = "missing"


def level(spec: Comparison, clean: dict[str, str], left: dict[str, Any], right: dict[str, Any]) -> str:
    """The label of the level of two records; both directions must agree."""
    compared = bound(records_of([left, right], clean), spec, None)
    there = compared.levels(np.array([0], dtype=np.int32), np.array([1], dtype=np.int32))[0]
    back = compared.levels(np.array([1], dtype=np.int32), np.array([0], dtype=np.int32))[0]
    assert there == back
    return MISSING if there < 0 else compared.labels[there]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Jan", "jan", "equal"),
        ("Renée", "Renee", "equal"),
        ("Jan", "Johannes", "other form"),
        ("Hans", "Jan", "other form"),
        ("Kees", "Cornelis", "other form"),
        ("Tom", "Thomas", "other form"),
        ("Jan Willem", "Jan", "other form"),
        ("Jan-Willem", "Jan", "other form"),
        ("Margaretha", "Margeretha", "similar"),
        ("J.", "Jan", "same initial"),
        ("P.", "Jan", "different"),
        ("Bram", "Sanne", "different"),
        (None, "Jan", MISSING),
        ("", "Jan", MISSING),
        (float("nan"), float("nan"), MISSING),
        ("李", "李", "equal"),
    ],
)
def test_given_names(left: str, right: str, expected: str) -> None:
    spec = comparison(kind="given_name", column="a")
    assert level(spec, {"a": "name"}, {"a": left}, {"a": right}) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"a": "Jan", "b": None}, {"a": None, "b": "J.P."}, "same initial"),
        ({"a": "Betty", "b": None}, {"a": None, "b": "E.A.W."}, "same initial"),
        ({"a": None, "b": "J.P."}, {"a": None, "b": "J.P."}, "same initials"),
        ({"a": None, "b": "J.P."}, {"a": None, "b": "P.J."}, "another initial"),
        ({"a": None, "b": "A."}, {"a": None, "b": "B."}, "different"),
        ({"a": "Jan", "b": "J."}, {"a": "Jan", "b": None}, "equal"),
        ({"a": None, "b": None}, {"a": "Jan", "b": "J."}, MISSING),
        ({"a": None, "b": "J.", "c": "male"}, {"a": "Jan", "b": None, "c": "female"}, "different"),
    ],
)
def test_initials_and_gender(left: dict[str, Any], right: dict[str, Any], expected: str) -> None:
    spec = comparison(kind="given_name", column="a", initials="b", gender="c")
    assert level(spec, {"a": "name", "b": "identifier", "c": "text"}, left, right) == expected


def test_given_name_and_surname_swapped_count_once() -> None:
    left, right = {"a": "Isla", "b": "Hall"}, {"a": "Hall", "b": "Isla"}
    clean = {"a": "name", "b": "surname"}
    assert level(comparison(kind="given_name", column="a", surname="b"), clean, left, right) == "swapped"
    assert level(comparison(kind="surname", column="b", given_name="a"), clean, left, right) == MISSING


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (("van der", "Berg"), ("van der", "berg"), "equal"),
        (("van der", "Berg"), (None, "Berg"), "equal but for the prefix"),
        ((None, "van der Berg"), ("v.d.", "Berg"), "equal but for the prefix"),
        ((None, "Dijkstra"), (None, "Dykstra"), "equal"),
        ((None, "Jansen-de Vries"), (None, "Jansen"), "one of a double name"),
        ((None, "Jansen-de Vries"), ("de", "Vries"), "one of a double name"),
        ((None, "De Vries - Jansen"), (None, "Jansen-de Vries"), "one of a double name"),
        ((None, "Jansen"), (None, "Janssen"), "similar"),
        ((None, "Hoekstra"), (None, "Hoekema"), "looks alike"),
        ((None, "Bakker"), (None, "Visser"), "different"),
        ((None, None), (None, "Visser"), MISSING),
        (("van", None), ("van", "Visser"), MISSING),
    ],
)
def test_surnames(left: tuple[str, str], right: tuple[str, str], expected: str) -> None:
    spec = comparison(kind="surname", column="b", prefix="a")
    sides = [{"a": side[0], "b": side[1]} for side in (left, right)]
    assert level(spec, {"a": "name", "b": "surname"}, *sides) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("1980-02-03", "19800203", "equal"),
        ("1980-02-03", "1980-03-02", "day and month swapped"),
        ("1980-02-03", "1980-02-08", "one digit off"),
        ("1980-02-13", "1980-02-31", "one digit off"),  # two neighbours turned
        ("1980-02-13", "1980-02-25", "two of three parts"),
        ("1980-02-13", "1980-11-25", "same year"),
        ("1980-02-13", "1991-11-25", "different"),
        ("1980-02-13", "1980", MISSING),
        ("1980-02-13 00:00:00", "1980-02-13", "equal"),
    ],
)
def test_dates(left: str, right: str, expected: str) -> None:
    assert level(comparison(kind="date", column="a"), {"a": "date"}, {"a": left}, {"a": right}) == expected


@pytest.mark.parametrize("clean", ["text", "exact", "identifier", "date"])
def test_what_is_no_date_is_never_a_date_with_its_day_and_month_swapped(clean: str) -> None:
    spec = comparison(kind="date", column="a")
    for left, right in (("born in 1954", "summer of 1983"), ("٢٠٠١٠١٠٢", "١٩٦٠٠٥٠٣")):
        assert level(spec, {"a": clean}, {"a": left}, {"a": right}) in {"different", MISSING}
        assert level(spec, {"a": clean}, {"a": left}, {"a": left}) in {"equal", MISSING}
    assert level(spec, {"a": "text"}, {"a": "1954-03-09"}, {"a": "1983-12-25"}) == "different"


def test_a_date_written_day_first() -> None:
    spec = comparison(kind="date", column="a")
    for written in ("3-2-1980", "03/02/1980", "3.02.1980"):
        assert level(spec, {"a": "date_dmy"}, {"a": written}, {"a": "03-02-1980"}) == "equal"


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("1234 AB|10|A|Dorpsstraat|Ede", "1234ab|10|a|dorpsstraat|Ede", "same address"),
        ("1234 AB|10|A|Dorpsstraat|Ede", "1234AB|10||Dorpsstr.|Ede", "same address"),
        ("1234 AB|10|A|Dorpsstraat|Ede", "1234AB|10|B|Dorpsstraat|Ede", "same building"),
        ("1234 AB|10||Dorpsstraat|Ede", "|10||Dorpsstraat|Ede", "same address"),
        ("1234 AB|10||Dorpsstraat|Ede", "1234 AB|12||Dorpsstraat|Ede", "same street"),
        ("1234 AB|10||Dorpsstraat|Ede", "1234 CD|10||Kerkweg|Ede", "same number nearby"),
        ("1234 AB|10||Dorpsstraat|Ede", "9999 ZZ|3||Dorpsstraat|Assen", "same street name or postcode area"),
        ("1234 AB|10||Dorpsstraat|Ede", "9999 ZZ|3||Kerkweg|Ede", "same town"),
        ("1234 AB|10||Dorpsstraat|Ede", "9999 ZZ|3||Kerkweg|Assen", "different"),
        ("1234 AB|10||Dorpsstraat|Ede", "||||", MISSING),
    ],
)
def test_addresses(left: str, right: str, expected: str) -> None:
    spec = comparison(
        kind="address", postcode="a", house_number="b", house_addition="c", street="d", city="e"
    )
    clean = {"a": "identifier", "b": "identifier", "c": "identifier", "d": "text", "e": "text"}
    sides = [dict(zip("abcde", side.split("|"), strict=True)) for side in (left, right)]
    assert level(spec, clean, *sides) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (("+31201234567", None), (None, "020-1234567"), "last digits equal"),
        (("+31201234567", None), ("+31612345678", "+31 20 1234567"), "equal"),
        (("+31612345678", None), (None, "+31612345678"), "equal mobile number"),
        (("+31201234567", None), ("+31201234568", None), "one digit off"),
        (("+31201234567", None), ("+31509876543", None), "different"),
        ((None, None), ("+31509876543", None), MISSING),
    ],
)
def test_phones_across_columns(
    left: tuple[str | None, str | None], right: tuple[str | None, str | None], expected: str
) -> None:
    spec = comparison(kind="phone", columns=["a", "b"], mobile_prefixes="316")
    sides = [{"a": side[0], "b": side[1]} for side in (left, right)]
    assert level(spec, {"a": "digits", "b": "digits"}, *sides) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Anne@Example.nl", "anne@example.nl", "equal"),
        ("anne.visser@example.nl", "anne.viser@example.nl", "one letter off"),
        ("visser5@example.nl", "visser65@example.nl", "different"),  # two people of one family
        ("anne1992@example.nl", "anne1992@example.com", "same mailbox elsewhere"),
        ("a.visser@example.nl", "a.visser@other.nl", "different"),  # says no more than the name
        (None, "a.visser@other.nl", MISSING),
    ],
)
def test_emails(left: str, right: str, expected: str) -> None:
    assert level(comparison(kind="email", column="a"), {"a": "email"}, {"a": left}, {"a": right}) == expected


def test_identifiers_and_exact_values() -> None:
    spec = comparison(kind="identifier", column="a")
    clean = {"a": "identifier"}
    assert level(spec, clean, {"a": "NL91 ABNA 0417 1643 00"}, {"a": "NL91ABNA0417164300"}) == "equal"
    assert level(spec, clean, {"a": "NL91ABNA0417164300"}, {"a": "NL91ABNA0417164301"}) == "one character off"
    assert level(spec, clean, {"a": "NL91ABNA0417164300"}, {"a": "DE89370400440532013000"}) == "different"
    assert level(comparison(kind="exact", column="a"), {"a": "exact"}, {"a": "x"}, {"a": "X"}) == "different"


def test_text_takes_the_best_of_its_columns_and_the_highest_threshold() -> None:
    spec = comparison(kind="text", columns=["a", "b"], similarity="token_sort", at_least=[0.9, 0.7])
    clean = {"a": "text", "b": "text"}
    left = {"a": "Bakkerij Jansen", "b": None}
    assert level(spec, clean, left, {"a": "Holding X", "b": "Jansen Bakkerij"}) == "token_sort >= 0.9"
    assert level(spec, clean, left, {"a": "Bakkerij Janse", "b": "Y"}) == "token_sort >= 0.9"
    assert level(spec, clean, left, {"a": "Bakkerij Pietersen", "b": "Y"}) == "token_sort >= 0.7"
    assert level(spec, clean, left, {"a": "Y", "b": "bakkerij jansen"}) == "equal"


TEXTS = st.one_of(st.none(), st.text(max_size=12), st.text("abcdij -.'", max_size=8))


@pytest.mark.parametrize(
    ("content", "clean"),
    [
        (
            {"kind": "given_name", "column": "a", "initials": "b", "surname": "c"},
            ("name", "identifier", "surname"),
        ),
        ({"kind": "surname", "column": "a", "prefix": "b", "given_name": "c"}, ("surname", "name", "name")),
        ({"kind": "address", "postcode": "a", "house_number": "b", "street": "c"}, ("identifier",) * 3),
        ({"kind": "phone", "columns": ["a", "b"], "mobile_prefixes": "06"}, ("digits", "digits", "text")),
        ({"kind": "email", "column": "a"}, ("email", "text", "text")),
        ({"kind": "text", "columns": ["a", "b"]}, ("text",) * 3),
        ({"kind": "date", "column": "a"}, ("date", "text", "text")),
        ({"kind": "identifier", "column": "a"}, ("identifier", "text", "text")),
    ],
)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=2, max_size=6))
@settings(max_examples=60, deadline=None)
def test_levels_are_symmetric_and_equal_records_agree_fully(
    content: dict[str, Any], clean: tuple[str, ...], rows: list[tuple[str | None, ...]]
) -> None:
    twice = [dict(zip("abc", row, strict=True)) for row in (*rows, *rows)]
    compared = bound(records_of(twice, dict(zip("abc", clean, strict=True))), comparison(**content), None)
    left, right = (side.astype(np.int32) for side in np.triu_indices(len(twice), k=1))
    there, back = compared.levels(left, right), compared.levels(right, left)
    assert (there == back).all()
    assert ((there >= -1) & (there < len(compared.labels))).all()
    itself = there[right - left == len(rows)]
    if content["kind"] in {"email", "date", "identifier", "text"}:
        assert set(itself.tolist()) <= {-1, len(compared.labels) - 1}
    else:
        assert (itself != 0).all()
