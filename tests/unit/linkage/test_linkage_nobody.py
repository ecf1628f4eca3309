"""What weighs nothing is blanked in every column that a policy reads, also in those that it reads as one."""

import pyarrow as pa
from linkage_examples import policy

from cdm_pipelines.linkage.encode.nobody import Roles, shared_by_many, without_invalid, without_nameless

COLUMNS = policy().model_dump()["columns"]
ROLES = Roles.of(
    policy(
        columns={
            **COLUMNS,
            "surname": {"column": ["surname", "maiden_name"], "clean": "surname"},
            "email": {"column": ["email", "email_2"], "clean": "email"},
        },
        comparisons={
            **{name: one.model_dump() for name, one in policy().comparisons.items()},
            "email": {"kind": "email", "column": "email"},
        },
    )
)


def test_a_value_that_failed_a_rule_is_blanked_in_a_further_column() -> None:
    table = pa.table({"surname": ["Bos"], "maiden_name": ["Vos"]})
    found = without_invalid(table, pa.array(["maiden_name"]), ROLES.all)
    assert found.to_pylist() == [{"surname": "Bos", "maiden_name": None}]


def test_a_name_in_a_further_column_is_a_name() -> None:
    rows = [
        {"given_name": None, "surname": None, "maiden_name": "Vos", "email": "a@x.example", "email_2": None},
        {"given_name": None, "surname": None, "maiden_name": None, "email": None, "email_2": "b@x.example"},
    ]
    found = without_nameless(pa.Table.from_pylist(rows), ROLES).to_pylist()
    assert found == [rows[0], {**rows[1], "email_2": None}]


def test_too_many_who_share_a_value_are_found_in_further_columns_too() -> None:
    names = ("Bos", "Vries", "Kramer", "Hulst")
    table = pa.table(
        {
            "given_name": ["Jan", "Els", "Piet", "Mia"],
            "surname": pa.array(names),
            "email": pa.array(["kassa@x.example", None, "kassa@x.example", None]),
            "email_2": pa.array([None, "kassa@x.example", None, "kassa@x.example"]),
        }
    )
    assert [value for _, value in shared_by_many(table, ROLES, 4).texts()] == ["kassa@x.example"]
