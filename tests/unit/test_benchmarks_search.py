"""What the benchmark of search types, and what its document says."""

import random

import pytest
from rapidfuzz.distance import OSA

from benchmarks.search import KINDS, slip
from benchmarks.search_document import Figures, Size, markdown

ROW = {
    "given_name": "Anna",
    "surname_prefix": "van der",
    "surname": "Berg",
    "city": "Delft",
    "birth_date": "1980-02-29",
    "postcode": "1234 AB",
    "house_number": "12",
    "mobile": "+31612345678",
    "email": "anna@example.nl",
    "order_id": "WEB-7",
    "record_id": "003A",
}


@pytest.mark.parametrize("value", ["Anna van der Berg", "anna@example.nl", "ab"])
def test_an_error_is_one_slip_of_the_fingers(value: str) -> None:
    dice = random.Random(1)
    made = {slip(value, dice) for _ in range(200)}
    assert {OSA.distance(value, other) for other in made} <= {0, 1}
    assert len(made) > len(value)


def test_every_kind_types_something_about_the_customer() -> None:
    typed = {kind.name: kind.typed(ROW, random.Random(1)) for kind in KINDS}
    assert typed["name, year of birth"] == "Anna van der Berg 1980"
    assert typed["phone"] == "0612345678"
    assert len(typed["phone with an error"]) == len(typed["phone"])
    assert typed["phone with an error"] != typed["phone"]
    assert all(typed.values())


def test_the_document_says_whether_the_aim_is_met() -> None:
    def told(p99: float) -> str:
        every, name = (Figures(kind, 10, 12.5, p99, 9.9, 0.8, 0.95) for kind in ("all", "name"))
        return markdown([Size(1_000_000, 0.1, every, (name,))], {"cores": "2"})

    assert "| name | 10 | 12.5 | 41.0 | 9.9 | 80.0% | 95.0% |" in told(41.0)
    assert "(aim: 50 ms; met)" in told(41.0)
    assert "(aim: 50 ms; not met)" in told(51.0)
