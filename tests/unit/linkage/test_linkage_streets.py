"""Lines of addresses come to one spelling before they are compared, and their house number is that of the house."""

import pandas as pd
import pyarrow as pa
import pytest

from cdm_pipelines.linkage.encode.clean import clean
from cdm_pipelines.linkage.encode.dates import year_first


@pytest.mark.parametrize(
    ("one", "other", "street", "number"),
    [
        ("14 N Elm Rd", "14 North Elm Road 2nd Floor", "n elm rd", "14"),
        ("Gartenstraße 3a", "Gartenstr. 3 A", "gartenstr", "3a"),
        ("Lange Voorhout 8, 3 hoog", "lange voorhout 8-3", "lange voorhout", "8"),
        ("Avenida de la Paz 22 piso 4", "avda. de la paz 22", "ave de la paz", "22"),
        ("42nd Street 7", "7 42nd St Apt 5C", "42nd st", "7"),
        ("Sint Annaplein 9", "St. Annaplein 9", "st annaplein", "9"),
        ("Suite 300, 5 Old Mill Boulevard", "5 Old Mill Blvd #300", "old mill blvd", "5"),
    ],
)
def test_two_ways_to_write_a_line_are_one_street_and_number(
    one: str, other: str, street: str, number: str
) -> None:
    assert clean(pa.array([one, other]), "street").to_pylist() == [street, street]
    assert clean(pa.array([one, other]), "number").to_pylist() == [number, number]


def test_lines_without_a_house_number_have_none() -> None:
    lines = pa.array(["w oak ter", "West Oak Terrace 3rd floor", "12th Avenue"])
    assert clean(lines, "number").to_pylist() == [None, None, None]
    assert clean(lines, "street").to_pylist() == ["w oak ter", "w oak ter", "12th ave"]


def test_other_streets_stay_apart() -> None:
    lines = [
        "Elm Road",
        "Elm Court",
        "North Elm Road",
        "1st Avenue",
        "2nd Avenue",
        "Flat Rock Road",
        "Floor Street",
        "10 Stock Road",
        "12 Hoog Lane",
    ]
    assert len(pd.unique(pd.Series(clean(pa.array(lines), "street").to_pylist()))) == len(lines)


def test_dates_of_a_form_come_year_first_and_what_is_none_stays() -> None:
    written = pa.array(["3.9.1954", "13.1.2001", "none given", None, "1954-09-03"])
    assert year_first(written, "mdy").to_pylist() == [
        "1954-03-09",
        "2001-01-13",
        "none given",
        None,
        "1954-09-03",
    ]
