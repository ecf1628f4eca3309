"""Whom a person works for."""

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.identity import golden_employers

RECORDS = [
    ("crm", "contact", "1", "person", "7"),
    ("crm", "contact", "2", "person", "9"),
    ("crm", "contact", "3", "person", None),
    ("crm", "contact", "4", "person", "1"),
    ("crm", "account", "7", "organisation", None),
    ("erp", "customer", "9", "organisation", None),
]


def test_the_employer_is_the_golden_customer_of_an_organisation_in_the_same_source() -> None:
    names = ["source", "entity", "record_id", "party_kind", "employer_id"]
    records = pa.table(
        {name: pa.array([row[at] for row in RECORDS], pa.string()) for at, name in enumerate(names)}
    )
    crosswalk = records.select(names[:3]).append_column("golden_id", pa.array([f"g{at}" for at in range(6)]))
    organisations = records.filter(pc.equal(records["party_kind"], "organisation"))
    assert golden_employers(records, organisations, crosswalk).to_pylist() == [
        "g4",
        None,
        None,
        None,
        None,
        None,
    ]
    shuffled = crosswalk.take(pa.array([5, 3, 4, 1, 0, 2]))
    assert golden_employers(records, organisations, shuffled).to_pylist() == [
        "g4",
        None,
        None,
        None,
        None,
        None,
    ]
