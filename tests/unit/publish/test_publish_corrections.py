"""Which cells of a source its owner is told to correct, and what should stand there."""

from typing import Any

import pyarrow as pa
import pytest

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.publish.corrections import disagreements

Row = dict[str, str]
JAN: Row = {
    "given_name": "Jan",
    "initials": "J.",
    "surname_prefix": "van der",
    "surname": "Berg",
    "street": "Dorpsstraat",
    "house_number": "12",
    "house_addition": "A",
    "postcode": "1234 AB",
    "language": "nl",
    "birth_date": "1980-02-29",
    "email_opt_out": "true",
    "email": "jan@example.nl",
}

CASES: list[tuple[str, str, Row, dict[str, tuple[str, str]]]] = [
    ("all agree", "erp/customer", {}, {}),
    ("another value", "erp/customer", {"postcode": "9999 ZZ"}, {"PSTLZ": ("9999 ZZ", "1234 AB")}),
    ("an empty cell", "erp/customer", {"postcode": ""}, {}),
    ("a code of the source", "erp/customer", {"language": "de"}, {"SPRAS": ("de", "N")}),
    (
        "a date of the source",
        "erp/customer",
        {"birth_date": "1981-01-01"},
        {"ZZGBDAT": ("1981-01-01", "19800229")},
    ),
    (
        "one cell of several parts",
        "erp/customer",
        {"house_addition": ""},
        {"STRAS": ("Dorpsstraat 12", "Dorpsstraat 12 A")},
    ),
    ("a prefix is missing", "shop/customer", {"surname_prefix": ""}, {"Last Name": ("Berg", "van der Berg")}),
    ("initials are enough", "erp/customer", {"given_name": ""}, {}),
    (
        "another name",
        "erp/customer",
        {"surname": "Bergh"},
        {"NAME1": ("Jan J. van der Bergh", "Jan van der Berg")},
    ),
    ("consent", "shop/customer", {"email_opt_out": "false"}, {}),
    ("nothing golden", "erp/customer", {"iban": "NL91ABNA0417164300"}, {}),
]


@pytest.mark.parametrize(("case", "source", "own", "expected"), CASES, ids=[case for case, *_ in CASES])
def test_cells_that_disagree(case: str, source: str, own: Row, expected: dict[str, tuple[str, str]]) -> None:
    def table(row: Row) -> pa.Table:
        names = [attribute.name for attribute in attributes(Entity.PARTY)]
        filled: dict[str, Any] = {name: pa.array([row.get(name) or None], pa.string()) for name in names}
        return pa.table(filled)

    records = pa.concat_tables([table({}), table({**JAN, **own})])
    found = disagreements(contract_named(source), records, pa.concat_tables([table(JAN), table(JAN)]))
    told = {one.cell.column.name: (one.standardised[0].as_py(), one.golden[0].as_py()) for one in found}
    assert told == expected
