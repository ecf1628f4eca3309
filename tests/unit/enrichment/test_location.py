"""Where customers are: by the shipped table and a company's own, moves that are moves, and honest confidence."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml
from touch_rows import computed, profile_of, told

from cdm_pipelines.enrichment.location import ENRICHER
from cdm_pipelines.enrichment.policy import EnrichmentPolicyError, load_policy
from cdm_pipelines.enrichment.postcodes import shipped

DAM = {"postcode": "1012 JS", "house_number": "1", "street": "Dam", "city": "Amsterdam", "country": "NL"}
BREDA = {"postcode": "4811 XA", "house_number": "9", "street": "Markt", "city": "Breda", "country": "NL"}


def customer(number: int, **values: Any) -> dict[str, Any]:
    return {"golden_id": number, "party_kind": "person", **values}


def record(number: int, address: dict[str, Any], seen: str, **more: Any) -> dict[str, Any]:
    key = f"{number}-{seen}-{len(more)}-{address.get('postcode')}"
    return {"customer": number, "record_id": key, "first_seen": seen, **address, **more}


def only(address: dict[str, Any], *records: dict[str, Any], **parameters: Any) -> Any:
    return profile_of(
        ENRICHER, parameters, golden_customer=[customer(1, **address)], state_party=list(records)
    )[1]


def test_a_dutch_postcode_tells_municipality_province_and_about_where() -> None:
    row = only(DAM, record(1, DAM, "2026-06-03"))
    assert told(row, "country", "place", "municipality", "province", "area_code") == (
        "NL",
        "Amsterdam",
        "Amsterdam",
        "Noord-Holland",
        "020",
    )
    assert 52.3 < float(row["latitude"]) < 52.4
    assert 4.8 < float(row["longitude"]) < 5.0
    assert told(row, "postcode_known", "place_agrees", "po_box", "addresses", "moved_on") == (
        True,
        True,
        False,
        1,
        None,
    )
    assert told(row, "address_confidence") == (1.0,)


@pytest.mark.parametrize(
    ("postcode", "city", "agrees"),
    [
        ("2511 AB", "'s-Gravenhage", True),
        ("2511 AB", "DEN HAAG", True),
        ("5211 AB", "Den Bosch", True),
        ("5211 AB", "s Hertogenbosch", True),
        ("2225 AB", "Katwijk", True),
        ("7957 AB", "De Wyk", True),
        ("2511 AB", "Rotterdam", False),
        ("2511 AB", None, None),
    ],
)
def test_a_city_agrees_however_it_is_spelled(postcode: str, city: str | None, agrees: bool | None) -> None:
    row = only({"postcode": postcode, "house_number": "1", "city": city, "country": "NL"})
    assert told(row, "place_agrees") == (agrees,)


def test_what_cannot_be_looked_up_is_left_empty() -> None:
    rows = profile_of(
        ENRICHER,
        golden_customer=[
            customer(1, postcode="1012JS", house_number="1"),  # the form tells the country
            customer(2, postcode="10115", city="Berlin", country="DE", house_number="1"),
            customer(3, postcode="0012", city="Oslo", house_number="1"),
            customer(4, city="Amsterdam", country="NL"),
            customer(5, postcode="1010 ZZ", house_number="1", country="NL"),
            customer(6, email="a@example.com"),
        ],
    )
    assert {
        number: told(row, "country", "municipality", "postcode_known", "address_confidence")
        for number, row in rows.items()
    } == {
        1: ("NL", "Amsterdam", True, 1.0),
        2: ("DE", None, None, None),
        3: (None, None, None, None),
        4: ("NL", None, None, None),
        5: ("NL", None, False, 0.0),
    }


@pytest.mark.parametrize(
    ("records", "moved"),
    [
        ([(DAM, "2024-01-01"), (BREDA, "2026-02-01")], ("2026-02-01", "Amsterdam")),
        ([(DAM, "2024-01-01"), (BREDA, "2024-01-01")], None),  # two addresses at a time
        ([(DAM, "2024-01-01"), (BREDA, "2025-01-01"), (DAM, "2026-01-01")], None),  # contradicting
        ([(BREDA, "2024-01-01"), (DAM, "2025-01-01"), (DAM, "2026-01-01")], ("2025-01-01", "Breda")),
        ([(DAM, "2024-01-01"), ({**DAM, "postcode": "1012 JT"}, "2026-01-01")], None),  # a slip of the pen
        ([(DAM, "2024-01-01"), ({**DAM, "house_number": "11"}, "2026-01-01")], None),  # likewise
        ([(DAM, "2024-01-01"), ({"city": "Breda", "country": "NL"}, "2026-01-01")], None),
        ([(DAM, "2024-01-01"), (BREDA, "2099-01-01")], None),  # a day that cannot have been
        ([(DAM, "2024-01-01"), (BREDA, "no day")], None),
    ],
)
def test_a_move_is_a_newer_address_and_no_contradiction(
    records: list[tuple[dict[str, Any], str]], moved: tuple[str, str] | None
) -> None:
    row = only(DAM, *(record(1, address, seen) for address, seen in records))
    day = dt.date.fromisoformat(moved[0]) if moved else None
    assert told(row, "moved_on", "moved_from") == (day, moved[1] if moved else None)


def test_the_day_on_which_a_source_changed_a_record_counts_before_the_first_extract() -> None:
    rows = profile_of(
        ENRICHER,
        golden_customer=[customer(1, **BREDA), customer(2, **BREDA)],
        state_party=[
            record(1, DAM, "2026-06-01", modified_at="2020-01-01T10:00:00Z"),
            record(1, BREDA, "2026-06-01", modified_at="2023-05-06T10:00:00Z"),
            record(2, DAM, "2026-06-01"),
            record(2, BREDA, "2026-06-02", modified_at="2199-05-06T10:00:00Z"),
        ],
    )
    assert [rows[n]["moved_on"] for n in (1, 2)] == [dt.date(2023, 5, 6), dt.date(2026, 6, 2)]


def test_an_address_with_a_fault_is_no_move() -> None:
    row = only(
        DAM, record(1, DAM, "2024-01-01"), record(1, BREDA, "2026-01-01", invalid_attributes="postcode")
    )
    assert row["moved_on"] is None


def test_confidence_falls_with_age_disagreement_faults_and_a_wrong_place() -> None:
    def of(address: dict[str, Any], *records: dict[str, Any], **parameters: Any) -> float:
        return float(only(address, *records, **parameters)["address_confidence"])

    fresh = record(1, DAM, "2026-06-03")
    assert of(DAM, fresh) == 1
    assert of(DAM, record(1, DAM, "2016-06-03")) == pytest.approx((4 + 0.3606) / 5, abs=1e-3)
    assert of(DAM, fresh, record(1, BREDA, "2026-06-03")) == pytest.approx(4.5 / 5)
    assert of(DAM, {**fresh, "invalid_attributes": "email,street"}) == pytest.approx(4 / 5)
    assert of(DAM, {**fresh, "invalid_attributes": "email"}) == 1
    wrong = {**DAM, "city": "Utrecht"}
    assert of(wrong, record(1, wrong, "2026-06-03")) == pytest.approx(4 / 5)
    assert of(wrong, record(1, wrong, "2026-06-03"), weights={"place": 0}) == 1
    assert of(DAM) == 1  # of a steward's correction: no record says it, postcode and place are known


def table(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "belgium.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


GOOD = "postcode,place,municipality,province,latitude,longitude\n9000,Gent,Gent,Oost-Vlaanderen,51.05,3.72\n"


def policy_with(folder: Path, tables: dict[str, str]) -> Path:
    policy = folder / "enrichment.yaml"
    said = {"version": 1, "currency": "EUR", "enrichers": {"location": {"tables": tables}}}
    policy.write_text(yaml.safe_dump(said))
    return policy


def test_a_table_of_the_company_s_own_beside_its_policies(tmp_path: Path) -> None:
    table(tmp_path, "\ufeff" + GOOD + "1,Brabant,Brussel,,,\n")
    chosen = load_policy(policy_with(tmp_path, {"BE": "belgium.csv"}), {"location": ENRICHER}).chosen[
        "location"
    ]
    rows = profile_of(
        ENRICHER,
        chosen.parameters.model_dump(),
        golden_customer=[
            customer(1, postcode="9000", city="Gent", country="BE", house_number="1"),
            customer(2, postcode="1020", city="Laken", country="BE", house_number="1"),
            customer(3, **DAM),
            customer(4, postcode="9000", country="DK", house_number="1"),
        ],
    )
    assert {n: told(row, "municipality", "province", "latitude") for n, row in rows.items()} == {
        1: ("Gent", "Oost-Vlaanderen", 51.05),
        2: ("Brussel", None, None),  # by the beginning of the postcode
        3: ("Amsterdam", "Noord-Holland", 52.37339),
        4: (None, None, None),
    }
    table(tmp_path, GOOD.replace("Gent", "Ghent"))
    again = load_policy(policy_with(tmp_path, {"BE": "belgium.csv"}), {"location": ENRICHER}).chosen[
        "location"
    ]
    assert again.fingerprint != chosen.fingerprint


@pytest.mark.parametrize(
    ("text", "told_as"),
    [
        (None, "cannot be read"),
        ("", "cannot be read as CSV"),
        (GOOD.splitlines()[0] + "\n", "has no postcodes"),
        (b"postcode,place\n\xff,x\n", "not in UTF-8"),
        ("postcode,place\n9000,Gent\n", "lacks the column municipality, province, latitude, longitude"),
        (GOOD + "9001,Geheim\n", "give every line the columns of the first"),
        (
            GOOD + "9000,Geheim,G,O,51.05,3.72\n",
            "line 2 has a postcode that another line has too, as have 1 others",
        ),
        (GOOD + ",Geheim,G,O,51.05,3.72\n", "line 3 has no postcode"),
        (GOOD + '9001,Geheim,G,O,"51,05",3.72\n', "line 3 has a latitude that is no number"),
        (GOOD + "9001,Geheim,G,O,51.05,372\n", "line 3 has a longitude beyond 180"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_when_the_policy_is_read(
    tmp_path: Path, text: str | bytes | None, told_as: str
) -> None:
    if text is not None:
        table(tmp_path, text)
    policy = policy_with(tmp_path, {"BE": "belgium.csv"})
    with pytest.raises(EnrichmentPolicyError) as refused:
        load_policy(policy, {"location": ENRICHER})
    assert told_as in str(refused.value)
    assert "belgium.csv" in str(refused.value)
    assert "Geheim" not in str(refused.value)


def test_a_country_is_two_capitals(tmp_path: Path) -> None:
    table(tmp_path, GOOD)
    with pytest.raises(EnrichmentPolicyError, match="Belgium is no country"):
        load_policy(policy_with(tmp_path, {"Belgium": "belgium.csv"}), {"location": ENRICHER})


def test_the_shipped_table_is_whole() -> None:
    table = shipped().to_pandas()
    assert len(table) == 4699
    assert table["province"].nunique() == 12
    assert table["code"].str.fullmatch("[1-9][0-9]{3}").all()
    assert table["latitude"].between(50.7, 53.6).all()
    assert table["longitude"].between(3.3, 7.3).all()


def test_figures_count_what_was_found_and_name_nobody() -> None:
    _, figures = computed(
        ENRICHER,
        golden_customer=[customer(1, **DAM), customer(2, **{**BREDA, "city": "Utrecht"})],
        state_party=[record(1, DAM, "2026-01-01", modified_at="2030-01-01T00:00:00Z")],
    )
    assert figures["customers with an address"] == 2
    assert figures["cities that are not that of the postcode"] == 1
    assert figures["records changed in the future"] == 1


def test_nobody_at_all() -> None:
    assert computed(ENRICHER)[0] == {}


def test_some_customers_alone_have_the_rows_that_they_have_among_all() -> None:
    addresses = [DAM, BREDA, {**DAM, "house_number": "3"}]
    golden = [customer(n, **addresses[n % 3]) for n in range(1, 10)]
    records = [
        record(n, addresses[(n + at) % 3], f"202{(n * at) % 7}-01-01")
        for n in range(1, 10)
        for at in range(n % 4)
    ]
    every = profile_of(ENRICHER, golden_customer=golden, state_party=records)
    some = profile_of(
        ENRICHER,
        golden_customer=[row for row in reversed(golden) if row["golden_id"] in (2, 7)],
        state_party=[row for row in reversed(records) if row["customer"] in (2, 7)],
    )
    assert some == {n: every[n] for n in (2, 7)}
