"""What a person wants to know after a run: counts per source, customers, duplicates, quality against the truth.

Belongs here: figures. Does not belong here: how they are printed (commands).
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.hub import bulk, queries
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

EXAMPLES = 5
NAME = ("given_name", "initials", "surname_prefix", "surname", "organisation_name")
PLACE = ("street", "house_number", "house_addition", "postcode", "city")


def source_counts(lake: Lake, contracts: Sequence[SourceContract]) -> list[dict[str, object]]:
    """Rows over all days of the lake, per source entity."""
    rows: list[dict[str, object]] = []
    for contract in contracts:
        days = layout.days(lake, "raw", contract)
        repaired = 0
        for day in days:
            if lake.exists(path := layout.repairs_path(contract, day)):
                cells = lake.read(path, ["_file", "_row"])
                repaired += cells.group_by(["_file", "_row"]).aggregate([]).num_rows
        rows.append(
            {
                "source": contract.name,
                "days": len(days),
                "read": sum(layout.rows(lake, layout.raw_path(contract, day)) for day in days),
                "accepted": _rows(lake, [layout.valid_path(contract, day) for day in days]),
                "repaired": repaired,
                "quarantined": _rows(lake, [layout.quarantine_path(contract, day) for day in days]),
            }
        )
    return rows


def _rows(lake: Lake, paths: Sequence[str]) -> int:
    return sum(layout.rows(lake, path) for path in paths if lake.exists(path))


@dataclass(frozen=True)
class Accuracy:
    """Pairs of records in one customer, against the truth."""

    precision: float
    recall: float
    pairs: int


def accuracy(connection: Connection, truth: Path) -> Accuracy:
    """Compare the published crosswalk with a truth file (``source, entity, record_id, truth_id``)."""
    from cdm_pipelines.linkage.evaluate.measures import evaluate  # noqa: PLC0415 - the toolkit takes a second to load

    known = pd.read_csv(truth, dtype=str, keep_default_na=False, quoting=csv.QUOTE_MINIMAL)
    linked = bulk.read_crosswalk(connection, CROSSWALK_SCHEMA).to_pandas()
    both = linked.merge(known, on=["source", "entity", "record_id"], how="inner")
    key = pd.DataFrame({"source": both["source"] + "/" + both["entity"], "record_id": both["record_id"]})
    figures = evaluate(key.assign(cluster_id=both["golden_id"]), key.assign(truth_id=both["truth_id"])).pairs
    return Accuracy(figures.precision, figures.recall, figures.true_positives + figures.false_negatives)


def example_merges(connection: Connection, lake: Lake) -> list[dict[str, object]]:
    """A few customers that most sources know, and the source records behind each, as standardised."""
    parties = tables.records(lake, Entity.PARTY).read(
        ["source", "entity", "record_id", *NAME, *PLACE, "birth_date", "email", "phone"],
    )
    rows: list[dict[str, object]] = []
    for number, found in enumerate(queries.largest_customers(connection, EXAMPLES), start=1):
        customer = queries.customer(connection, str(found["golden_id"]))
        for record in customer.records if customer else ():
            is_record = [pc.equal(parties[name], record[name]) for name in ("source", "entity", "record_id")]
            (party,) = parties.filter(pc.and_(pc.and_(*is_record[:2]), is_record[2])).to_pylist()
            rows.append(
                {
                    "customer": number,
                    "source": f"{party['source']}/{party['entity']}",
                    "name": " ".join(filter(None, (party[name] for name in NAME))),
                    "birth date": party["birth_date"],
                    "address": " ".join(filter(None, (party[name] for name in PLACE))),
                    "e-mail": party["email"],
                    "phone": party["phone"],
                }
            )
    return rows
