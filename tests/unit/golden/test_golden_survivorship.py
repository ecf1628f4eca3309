"""Whose value becomes golden, and what is remembered about it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.golden import Golden, SurvivorshipPolicy, load_policy, survive
from cdm_pipelines.golden.policy import golden_groups
from cdm_pipelines.golden.provenance import PROVENANCE_SCHEMA
from cdm_pipelines.golden.survivorship import CUSTOMER_SCHEMA
from cdm_pipelines.records import records_schema

Row = dict[str, Any]
GOLDEN = "00000000-0000-5000-8000-00000000000"


def policy(rules: str, folder: Path, more: str = "") -> SurvivorshipPolicy:
    path = folder / "survivorship.yaml"
    path.write_text(
        f"version: 1\ntrust: [erp, [crm/contact, crm/account], shop/customer]\nrules: [{rules}]\n{more}",
        encoding="utf-8",
    )
    return load_policy(path)


def record(source: str, record_id: str, customer: int = 1, **values: Any) -> Row:
    entity = {"crm": "contact"}.get(source, "customer")
    return {
        "source": source,
        "entity": entity,
        "record_id": record_id,
        "golden_id": f"{GOLDEN}{customer}",
        "active": True,
        "extract_date": "2026-06-01",
        "first_seen": "2026-06-01",
        "last_seen": "2026-06-01",
        "party_kind": "person",
        **values,
    }


def golden(rows: Sequence[Row], rules: SurvivorshipPolicy, chunk_rows: int = 250_000) -> Golden:
    schema = records_schema(Entity.PARTY)
    records = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)
    names = ["source", "entity", "record_id", "golden_id"]
    crosswalk = pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in names})
    return survive(records, crosswalk, rules, chunk_rows=chunk_rows)


def one(rows: Sequence[Row], rules: SurvivorshipPolicy) -> tuple[Row, dict[str, Row]]:
    """The only customer, and its provenance by attribute."""
    done = golden(rows, rules)
    assert done.customer.num_rows == 1
    return done.customer.to_pylist()[0], {row["attribute"]: row for row in done.provenance.to_pylist()}


RULE_TABLE: list[tuple[str, str, list[Row], str | None, str]] = [
    (
        "a value that failed a rule never beats one that passed, whatever else speaks for it",
        "valid, active, source_trust, recency",
        [
            record("erp", "1", phone="bad", invalid_attributes="email,phone"),
            record("shop", "2", phone="good", active=False, extract_date="2020-01-01"),
        ],
        "good",
        "valid",
    ),
    (
        "the fault of another attribute does not matter",
        "valid, source_trust",
        [record("erp", "1", phone="A", invalid_attributes="mobile"), record("crm", "2", phone="B")],
        "A",
        "source_trust",
    ),
    (
        "a failed value is better than none",
        "valid, source_trust",
        [record("erp", "1", phone="bad", invalid_attributes="phone"), record("crm", "2")],
        "bad",
        "uncontested",
    ),
    (
        "an inactive record speaks only when no active one does",
        "valid, active, source_trust",
        [record("erp", "1", phone="A", active=False), record("shop", "2", phone="B")],
        "B",
        "active",
    ),
    (
        "an active record without a value does not silence an inactive one",
        "valid, active, source_trust",
        [record("erp", "1", phone="A", active=False), record("shop", "2")],
        "A",
        "uncontested",
    ),
    (
        "trust of a whole source",
        "valid, source_trust, recency",
        [record("erp", "1", phone="A"), record("crm", "2", phone="B", extract_date="2026-06-09")],
        "A",
        "source_trust",
    ),
    (
        "equal trust breaks on recency",
        "valid, source_trust, recency",
        [
            record("crm", "1", phone="A", modified_at="2026-05-01T00:00:00Z"),
            record("crm", "2", phone="B", modified_at="2026-05-01T00:00:01Z"),
        ],
        "B",
        "recency",
    ),
    (
        "the extract date stands in for a modification time",
        "valid, recency",
        [record("crm", "1", phone="A", modified_at="2026-05-31T23:59:59Z"), record("crm", "2", phone="B")],
        "B",
        "recency",
    ),
    (
        "the value that most agree on",
        "valid, frequency, source_trust",
        [record("erp", "1", phone="A"), record("crm", "2", phone="B"), record("shop", "3", phone="B")],
        "B",
        "frequency",
    ),
    (
        "records that have left the race have no vote",
        "valid, active, frequency, source_trust",
        [
            record("erp", "1", phone="A"),
            record("crm", "2", phone="B"),
            record("shop", "3", phone="B", active=False),
            record("shop", "4", phone="B", active=False),
        ],
        "A",
        "source_trust",
    ),
    (
        "what no rule decides, the lowest key decides",
        "valid, source_trust",
        [record("crm", "2", phone="B"), record("crm", "10", phone="A")],
        "A",
        "stable_key",
    ),
    (
        "agreement needs no decision",
        "valid, source_trust",
        [record("crm", "2", phone="A"), record("erp", "1", phone="A")],
        "A",
        "uncontested",
    ),
    ("nobody has a value", "valid", [record("crm", "2"), record("erp", "1")], None, "none"),
]


@pytest.mark.parametrize("case", RULE_TABLE, ids=lambda case: case[0])
def test_rules(case: tuple[str, str, list[Row], str | None, str], tmp_path: Path) -> None:
    description, rules, rows, value, rule = case
    customer, provenance = one(rows, policy(rules, tmp_path))
    assert customer["phone"] == value, description
    if value is not None:
        told = provenance.get("phone", provenance.get("*"))
        assert told is not None
        assert told["rule"] == rule, description
        [winner] = [row for row in rows if row["record_id"] == told["record_id"]]
        assert winner["phone"] == value


def test_a_group_is_chosen_as_a_whole(tmp_path: Path) -> None:
    customer, provenance = one(
        [
            record(
                "erp", "1", street="Dorpsstraat", house_number="1", house_addition="A", postcode="1234 AB"
            ),
            record("crm", "2", street="Kerkplein", house_number="2", city="Delft"),
        ],
        policy("valid, source_trust", tmp_path),
    )
    address = {name: customer[name] for name in golden_groups()["address"]}
    assert {name: value for name, value in address.items() if value} == {
        "street": "Dorpsstraat",
        "house_number": "1",
        "house_addition": "A",
        "postcode": "1234 AB",
    }
    assert json.loads(provenance["address"]["losers"]) == [
        {
            "source": "crm",
            "entity": "contact",
            "record_id": "2",
            "value": {"street": "Kerkplein", "house_number": "2", "city": "Delft"},
        }
    ]


def test_a_fault_in_part_of_a_group_is_a_fault_of_the_group(tmp_path: Path) -> None:
    customer, _ = one(
        [
            record("erp", "1", street="Dorpsstraat", postcode="0000 AB", invalid_attributes="postcode"),
            record("shop", "2", street="Kerkplein"),
        ],
        policy("valid, source_trust", tmp_path),
    )
    assert (customer["street"], customer["postcode"]) == ("Kerkplein", None)


def test_a_group_without_its_core_is_no_value_unless_it_is_all_there_is(tmp_path: Path) -> None:
    rules = policy("valid, source_trust", tmp_path, "groups: {address: {core: [street, postcode]}}")
    country = record("erp", "1", country="NL")
    assert one([country, record("shop", "2", street="Kerkplein")], rules)[0]["street"] == "Kerkplein"
    assert one([country, record("shop", "2", city="Delft")], rules)[0]["country"] == "NL"


def test_completeness_counts_the_filled_attributes_of_a_group(tmp_path: Path) -> None:
    customer, provenance = one(
        [
            record("erp", "1", surname="Vries"),
            record("shop", "2", surname="Vries", surname_prefix="de", given_name="Anna"),
        ],
        policy("valid, completeness, source_trust", tmp_path),
    )
    assert (customer["given_name"], customer["surname_prefix"]) == ("Anna", "de")
    assert provenance["name"]["rule"] == "completeness"


def test_losers_are_the_distinct_other_values_and_survive_json(tmp_path: Path) -> None:
    awkward = 'a "quoted" \\ back\nslash é'
    _, provenance = one(
        [
            record("erp", "1", phone="A"),
            record("crm", "2", phone=awkward),
            record("crm", "3", phone=awkward),
            record("crm", "4", phone="A"),
            record("shop", "5", phone="C"),
            record("shop", "6"),
        ],
        policy("valid, source_trust", tmp_path),
    )
    losers = json.loads(provenance["phone"]["losers"])
    assert [(loser["record_id"], loser["value"]) for loser in losers] == [("2", awkward), ("5", "C")]


def test_a_customer_of_one_record_is_that_record(tmp_path: Path) -> None:
    row = record("shop", "1", phone="bad", invalid_attributes="phone", active=False, email="a@b.nl")
    customer, provenance = one([row], policy("valid, active", tmp_path))
    assert (customer["phone"], customer["email"], customer["status"]) == ("bad", "a@b.nl", "inactive")
    assert {name: (told["rule"], told["losers"]) for name, told in provenance.items()} == {
        "*": ("single_record", None)
    }


def test_the_star_row_speaks_for_all_groups_without_their_own(tmp_path: Path) -> None:
    rows = [
        record("erp", "1", surname="Vries", phone="A", gender="female", language="nl"),
        record("crm", "2", surname="Vries", phone="B", gender="female", email="a@b.nl", mobile="C"),
    ]
    _, provenance = one(rows, policy("valid, source_trust", tmp_path))
    assert {name: (told["record_id"], told["rule"]) for name, told in provenance.items()} == {
        "*": ("2", "uncontested"),
        "phone": ("1", "source_trust"),
        "language": ("1", "uncontested"),
    }


def test_summary_columns(tmp_path: Path) -> None:
    rows = [
        record("crm", "1", active=False, first_seen="2026-06-02", last_seen="2026-06-03"),
        record("crm", "2", first_seen="2026-06-01", last_seen="2026-06-02"),
        record("erp", "3", active=False, first_seen="2026-06-03", last_seen="2026-06-04"),
        record("erp", "4", customer=2, active=False),
    ]
    first, second = golden(rows, policy("valid", tmp_path)).customer.to_pylist()
    names = ("status", "record_count", "source_count", "first_seen", "last_seen")
    assert [first[name] for name in names] == ["active", 3, 2, "2026-06-01", "2026-06-04"]
    assert [second[name] for name in names] == ["inactive", 1, 1, "2026-06-01", "2026-06-01"]


def test_the_employer_is_a_golden_customer(tmp_path: Path) -> None:
    rows = [
        record("crm", "1", employer_id="7"),
        record("erp", "2"),
        record("crm", "7", customer=2, entity="account", party_kind="organisation", organisation_name="Acme"),
    ]
    person, organisation = golden(rows, policy("valid", tmp_path)).customer.to_pylist()
    assert (person["employer_id"], organisation["employer_id"]) == (f"{GOLDEN}2", None)


def test_many_distinct_values_in_a_wide_group_stay_apart(tmp_path: Path) -> None:
    columns = golden_groups()["address"]
    rows = [
        record(source, str(at))
        | {name: f"{name} {at} {source}" for name in columns}
        | {"golden_id": f"00000000-0000-5000-8000-{at:012d}"}
        for at in range(600)
        for source in ("shop", "erp")
    ]
    done = golden(rows, policy("valid, source_trust", tmp_path))
    told = done.provenance.filter(pa.compute.equal(done.provenance["attribute"], "address"))
    assert told["source"].unique().to_pylist() == ["erp"]
    assert [len(json.loads(losers)) for losers in told["losers"].to_pylist()] == [1] * 600


def test_a_record_without_a_golden_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 records have no golden id"):
        golden([record("crm", "1") | {"golden_id": None}], policy("valid", tmp_path))


def test_no_records_are_no_customers(tmp_path: Path) -> None:
    done = golden([], policy("valid", tmp_path))
    assert (done.customer.num_rows, done.provenance.num_rows) == (0, 0)
    assert (done.customer.schema, done.provenance.schema) == (CUSTOMER_SCHEMA, PROVENANCE_SCHEMA)


values = st.sampled_from(["A", "B", None])
some_records = st.lists(
    st.fixed_dictionaries(
        {
            "source": st.sampled_from(["crm", "erp", "shop"]),
            "customer": st.integers(1, 3),
            "active": st.booleans(),
            "modified_at": st.sampled_from(["2026-05-01T00:00:00Z", "2026-06-02T00:00:00Z", None]),
            "invalid_attributes": st.sampled_from([None, "phone", "postcode", "phone,postcode"]),
            "phone": values,
            "street": values,
            "postcode": values,
            "birth_date": values,
        }
    ),
    max_size=8,
)
all_rules = st.permutations(["active", "source_trust", "recency", "frequency", "completeness"])


@settings(max_examples=75, deadline=None)
@given(drawn=some_records, rules=all_rules, order=st.randoms(), chunk=st.integers(1, 5))
def test_laws_of_survivorship(
    drawn: list[Row], rules: list[str], order: Any, chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chosen = policy(", ".join(["valid", *rules]), tmp_path_factory.mktemp("policy"))
    rows = [record(**row, record_id=str(at)) for at, row in enumerate(drawn)]
    done = golden(rows, chosen)
    assert done == golden(order.sample(rows, len(rows)), chosen, chunk_rows=chunk)
    by_customer: dict[str, list[Row]] = {}
    for row in rows:
        by_customer.setdefault(row["golden_id"], []).append(row)
    assert done.customer["golden_id"].to_pylist() == sorted(by_customer)
    told: dict[tuple[str, str], Row] = {
        (row["golden_id"], row["attribute"]): row for row in done.provenance.to_pylist()
    }
    for customer in done.customer.to_pylist():
        members = {row["record_id"]: row for row in by_customer[customer["golden_id"]]}
        for group in ("phone", "address", "birth_date"):
            check_group(customer, members, group, told)


def check_group(
    customer: Row, members: Mapping[str, Row], group: str, told: Mapping[tuple[str, str], Row]
) -> None:
    columns = golden_groups()[group]
    have = {key: row for key, row in members.items() if any(row.get(name) for name in columns)}
    if not have:
        assert all(customer[name] is None for name in columns)
        return
    why = told.get((customer["golden_id"], group)) or told[customer["golden_id"], "*"]
    winner = members[why["record_id"]]
    assert {name: customer[name] for name in columns} == {name: winner.get(name) for name in columns}
    sound = [row for row in have.values() if not is_faulty(row, columns)]
    assert not sound or winner in sound, "a failed value never beats one that passed"
    others = {tuple(row.get(name) for name in columns) for row in have.values()} - {
        tuple(winner.get(name) for name in columns)
    }
    assert len(json.loads(why["losers"] or "[]")) == len(others)
    assert bool(others) == (why["rule"] not in {"uncontested", "single_record"})


def is_faulty(row: Row, columns: Sequence[str]) -> bool:
    return bool(set((row.get("invalid_attributes") or "").split(",")) & set(columns))
