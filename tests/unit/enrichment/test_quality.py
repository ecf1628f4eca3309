"""The quality of a golden record: each dimension by its formula, what cannot be told left empty."""

import datetime as dt
from typing import Any

import pytest
from pydantic import ValidationError
from touch_rows import computed, profile_of, told

from cdm_pipelines.enrichment.quality import ENRICHER, QualityParameters

WHOLE = {
    "party_kind": "person",
    "surname": "Bakker",
    "given_name": "Anna",
    "birth_date": "1980-01-01",
    "street": "Dam",
    "house_number": "1",
    "postcode": "1012 JS",
    "city": "Amsterdam",
    "country": "NL",
    "email": "anna@example.com",
    "mobile": "+31612345678",
}


def golden(number: int, **values: Any) -> dict[str, Any]:
    return {"golden_id": number, **WHOLE, **values}


def record(number: int, name: str = "a", **values: Any) -> dict[str, Any]:
    return {"customer": number, "record_id": f"{number}{name}", "first_seen": "2026-06-03", **WHOLE, **values}


def of(customer: dict[str, Any], *records: dict[str, Any], **parameters: Any) -> Any:
    return profile_of(ENRICHER, parameters, golden_customer=[customer], state_party=list(records))[1]


def test_a_record_without_a_flaw() -> None:
    row = of(golden(1), record(1), record(1, "b"))
    assert (
        told(row, "completeness", "validity", "timeliness", "consistency", "uniqueness", "confidence")
        == (1,) * 6
    )
    assert told(row, "missing", "confirmed_on", "shared_with") == (None, dt.date(2026, 6, 3), 0)


def test_completeness_is_the_share_of_what_its_kind_should_have() -> None:
    person = golden(1, mobile=None, phone=None, given_name=None, initials="A.", birth_date=None)
    assert told(of(person, record(1)), "completeness", "missing") == (0.8, "birth_date, phone or mobile")
    company = {
        "golden_id": 1,
        "party_kind": "organisation",
        "organisation_name": "Bakkerij",
        "vat_number": "NL1",
    }
    row = of(company, record(1))
    assert told(row, "completeness") == (0.2222,)
    assert "birth_date" not in row["missing"]
    assert told(of(golden(1, email=None), record(1), person=["surname", "email"]), "completeness") == (0.5,)


NEVER = {"customer": 1, "record_id": "x", "extract_date": None, "first_seen": None}
"""A record of which it is not known when it was delivered."""


def test_validity_is_the_share_of_values_that_are_sound() -> None:
    row = of(golden(1), record(1, invalid_attributes="mobile,postcode"), record(1, "b"))
    assert told(row, "validity") == (0.9,)  # two of twenty
    assert told(of(golden(1), NEVER), "validity", "timeliness") == (None, None)


def test_timeliness_declines_from_the_last_day_that_a_source_changed_anything() -> None:
    def on(*records: dict[str, Any], **parameters: Any) -> Any:
        return told(of(golden(1), *records, **parameters), "confirmed_on", "timeliness")

    old = record(1, first_seen="2020-01-01", modified_at="2021-06-03T12:00:00Z")
    assert on(old) == (dt.date(2021, 6, 3), 0.6005)  # exp(-.102 * 5)
    assert on(old, decline_a_year=0) == (dt.date(2021, 6, 3), 1)
    assert on(old, record(1, "b", first_seen="2023-06-03"))[0] == dt.date(2023, 6, 3)
    assert on({**old, "modified_at": "2099-01-01T12:00:00Z"})[0] == dt.date(
        2020, 1, 1
    )  # no day that has been
    assert on({**old, "modified_at": "soon", "first_seen": None}) == (None, None)


def test_consistency_compares_what_two_records_have() -> None:
    def with_records(*others: dict[str, Any]) -> Any:
        row = of(golden(1), record(1), *(record(1, str(n), **one) for n, one in enumerate(others)))
        return told(row, "consistency")[0]

    assert with_records() is None
    assert with_records({"surname": "BÀKKER"}) == 1
    assert with_records({"email": "other@example.com", "mobile": "+31687654321"}) == 1
    assert with_records({"birth_date": "1980-01-02"}) == 0.8  # one of five
    assert with_records({"birth_date": None, "surname": "Visser"}) == 0.75  # one of four
    assert with_records({"birth_date": None}, {"postcode": "1012 JT", "house_number": "2"}) == 0.6


def test_uniqueness_counts_other_customers_of_the_kind_with_the_same_mailbox_or_number() -> None:
    rows, figures = computed(
        ENRICHER,
        golden_customer=[
            golden(1),
            golden(2, mobile="+31600000002"),
            golden(3, mobile="+31600000003"),
            golden(4, email="d@example.com", mobile="+31600000003"),
            golden(5, email="e@example.com", mobile=None, phone="+31201234567"),
            golden(6, email="f@example.com", mobile=None, phone="+31201234567"),
            golden(7, email="info@example.com", email_kind="role", mobile="+31600000007"),
            golden(8, email="info@example.com", email_kind="role", mobile="+31600000008"),
            golden(9, email="anna@example.com", party_kind="organisation", mobile=None),
            golden(10, email=None, mobile=None),
        ],
    )
    assert {n: told(row, "shared_with", "uniqueness") for n, row in rows.items()} == {
        1: (2, 0.3333),
        2: (2, 0.3333),
        3: (2, 0.3333),
        4: (1, 0.5),
        5: (0, 1),
        6: (0, 1),
        7: (0, 1),
        8: (0, 1),
        9: (0, 1),
        10: (None, None),
    }
    assert figures["customers who share a contact point or number"] == 4


def test_confidence_is_the_weighted_mean_of_what_is_known() -> None:
    one = golden(1, birth_date=None, given_name=None)
    assert told(of(one, record(1)), "consistency", "confidence") == (None, 0.95)  # .8, 1, 1 and 1
    assert told(of(one, record(1), weights={"completeness": 3}), "confidence") == (0.9,)
    nothing = dict.fromkeys(("completeness", "validity", "timeliness", "consistency", "uniqueness"), 0)
    assert told(of(one, record(1), weights=nothing), "confidence") == (None,)


@pytest.mark.parametrize(
    ("said", "told_as"),
    [
        ({"person": ["surname", "shoe_size"]}, "shoe_size is no attribute of a golden customer"),
        ({"person": ["surname", "phone|fax"]}, "fax is no attribute"),
        ({"compared": ["surname", "surname"]}, "named twice"),
        ({"organisation": []}, "organisation"),
        ({"weights": {"beauty": 1}}, "beauty"),
        ({"weights": {"validity": -1}}, "validity"),
    ],
)
def test_parameters_that_cannot_be(said: dict[str, Any], told_as: str) -> None:
    with pytest.raises(ValidationError, match=told_as):
        QualityParameters.model_validate(said)


def test_figures_count_what_is_missing() -> None:
    _, figures = computed(
        ENRICHER,
        golden_customer=[golden(1, birth_date=None), golden(2, birth_date=None, email=None)],
        state_party=[record(1, modified_at="2099-01-01T00:00:00Z")],
    )
    assert getattr(figures["missing"], "counts") == {"birth_date": 2, "email": 1}  # noqa: B009
    assert figures["records changed in the future"] == 1


def test_nobody_at_all() -> None:
    assert computed(ENRICHER)[0] == {}


def test_the_order_of_rows_does_not_matter() -> None:
    customers = [golden(n, email=f"{n % 3}@example.com") for n in range(1, 8)]
    records = [
        record(n, str(at), surname="ABC"[at % 3], invalid_attributes="email" if at else None)
        for n in range(1, 8)
        for at in range(n % 4)
    ]
    assert profile_of(ENRICHER, golden_customer=customers, state_party=records) == profile_of(
        ENRICHER, golden_customer=customers[::-1], state_party=records[::-1]
    )
