"""Values that a steward set: they stand above every source's.

Belongs here: which of them hold, putting them into golden records, and their provenance. Does not belong here: how a
steward's value is read (standardise), or the contest between sources (``contest``).

A set value belongs to whoever has the record that it names. Of several for one attribute of a customer the latest
counts, alone: it replaces the earlier ones even when it does not hold any more. It holds until its day of expiry, and
while every record that it overruled says what it said then: another value in one of them is news from the source, and
sources speak again. Should the old value come back, the set one holds again: the answer depends on records, decisions
and the day, never on what happened in between.
"""

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.golden.contest import Layout
from cdm_pipelines.golden.policy import SurvivorshipPolicy, golden_groups
from cdm_pipelines.golden.provenance import EVERYTHING_ELSE, PROVENANCE_SCHEMA
from cdm_pipelines.identity.decisions import Decision, Record
from cdm_pipelines.store.keys import RECORD_KEY, positions, record_keys

STEWARD = "steward"
"""The rule that the provenance of a set value names."""

SET_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in RECORD_KEY),
        ("attribute", pa.string()),
        ("value", pa.string()),
        ("decision_id", pa.int64()),
        ("holds", pa.bool_()),
    ]
)
"""Values that were set, by the record that each names, and whether each holds."""


def overruled(decisions: Iterable[Decision]) -> pa.Table:
    """``RECORD_KEY`` of the records whose values the decisions outrank."""
    return _keys(sorted({record for decision in decisions for record, _ in decision.overruled}))


def _keys(records: Iterable[Record]) -> pa.Table:
    schema = SET_SCHEMA.empty_table().select(RECORD_KEY).schema
    return pa.Table.from_pylist([record._asdict() for record in records], schema)


def set_values(decisions: Iterable[Decision], records: pa.Table, today: dt.date) -> pa.Table:
    """The values of effective decisions ``set``, as ``SET_SCHEMA`` in order of decision.

    Args:
        decisions: Those of kind ``set`` that have effect.
        records: ``records/party``, at least the rows that are ``overruled``: what they say now. One that is not there
            has not changed.
        today: The day on which the values are to hold.
    """
    decisions = list(decisions)
    named = sorted({(record, d.attribute) for d in decisions for record, _ in d.overruled})
    keys = _keys(record for record, _ in named)
    place = positions(record_keys(keys), record_keys(records)) if named else np.empty(0, np.int64)
    now: dict[tuple[Record, str], str | None] = {}
    for (record, attribute), at in zip(named, place.tolist(), strict=True):
        if at >= 0:
            now[record, attribute] = records[attribute][at].as_py()
    rows = []
    for decision in decisions:
        unchanged = all(
            decision.fingerprint(now[record, decision.attribute]) == then
            for record, then in decision.overruled
            if (record, decision.attribute) in now
        )
        current = decision.expires is None or today < decision.expires
        [record] = decision.records
        row = (*record, decision.attribute, decision.value, decision.decision_id, unchanged and current)
        rows.append(dict(zip(SET_SCHEMA.names, row, strict=True)))
    return pa.Table.from_pylist(rows, SET_SCHEMA)


@dataclass(frozen=True)
class Corrections:
    """Set values that hold, one per customer and attribute.

    Attributes:
        table: ``SET_SCHEMA`` and ``golden_id``.
    """

    table: pa.Table

    @classmethod
    def of(cls, values: pa.Table | None, crosswalk: pa.Table) -> Self:
        """Those of the customers of a crosswalk; others are left out.

        Args:
            values: ``SET_SCHEMA``.
            crosswalk: ``source, entity, record_id, golden_id``.
        """
        values = SET_SCHEMA.empty_table() if values is None else values
        if not values.num_rows:
            return cls(values.append_column("golden_id", pa.array([], pa.string())))
        at = positions(record_keys(values), record_keys(crosswalk))
        golden = crosswalk["golden_id"].combine_chunks().take(pa.array(at, mask=at < 0))
        table = values.append_column("golden_id", golden).filter(golden.is_valid()).sort_by("decision_id")
        subject = pc.binary_join_element_wise(table["golden_id"], table["attribute"], "|")
        last = {text: place for place, text in enumerate(subject.to_pylist())}
        table = table.take(pa.array(sorted(last.values()), pa.int64()))
        return cls(table.filter(table["holds"]).combine_chunks())

    def apply(
        self,
        customer: pa.Table,
        provenance: pa.Table,
        records: pa.Table,
        layout: Layout,
        policy: SurvivorshipPolicy,
    ) -> tuple[pa.Table, pa.Table]:
        """Put the values into the golden records of a chunk of customers, and write down what they outrank.

        Args:
            customer: The chunk's golden records, by the rules between sources.
            provenance: Theirs.
            records: Their source records, as ``layout`` says.
            layout: Where each customer's records are.
            policy: The policy that was applied.
        """
        place = positions(self.table["golden_id"].combine_chunks(), customer["golden_id"].combine_chunks())
        chosen = self.table.filter(pa.array(place >= 0)) if self.table.num_rows else self.table
        if not chosen.num_rows:
            return customer, provenance
        place = place[place >= 0]
        for attribute in chosen["attribute"].unique().to_pylist():
            customer = _with_values(customer, attribute, chosen, place)
        return customer, _with_provenance(provenance, chosen, _lost(chosen, place, records, layout), policy)


def _with_values(
    customer: pa.Table, attribute: str, chosen: pa.Table, place: npt.NDArray[np.int64]
) -> pa.Table:
    own = np.flatnonzero(pc.equal(chosen["attribute"], attribute).to_numpy())
    source = np.full(customer.num_rows, -1, np.int64)
    source[place[own]] = own
    given = chosen["value"].combine_chunks().take(pa.array(source, mask=source < 0))
    columns = {attribute: given}
    if attribute == "email":
        from cdm_pipelines.standardise import email  # noqa: PLC0415 - loads where an address is put right

        columns["email_kind"] = email.kind(given)
    for name, values in columns.items():
        merged = pc.coalesce(values, customer[name].combine_chunks())
        customer = customer.set_column(customer.schema.get_field_index(name), name, merged)
    return customer


def _lost(
    chosen: pa.Table, place: npt.NDArray[np.int64], records: pa.Table, layout: Layout
) -> list[str | None]:
    """Per set value the distinct other values of its customer's records, as JSON."""
    found = []
    for at, attribute, value in zip(
        place.tolist(), chosen["attribute"].to_pylist(), chosen["value"].to_pylist(), strict=True
    ):
        columns = golden_groups().get(attribute, (attribute,))
        rows = records.select([*RECORD_KEY, *columns]).slice(layout.starts[at], layout.sizes[at]).to_pylist()
        others = {row[attribute]: row for row in reversed(rows) if row[attribute] not in (None, value)}
        found.append(_json([_loser(others[other], attribute, columns) for other in reversed(others)]))
    return found


def _loser(row: dict[str, Any], attribute: str, columns: Sequence[str]) -> dict[str, Any]:
    whole = {name: row[name] for name in columns if row[name] is not None}
    return {name: row[name] for name in RECORD_KEY} | {"value": whole if len(columns) > 1 else row[attribute]}


def _json(entries: list[dict[str, Any]]) -> str | None:
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":")) if entries else None


def _with_provenance(
    provenance: pa.Table, chosen: pa.Table, losers: list[str | None], policy: SurvivorshipPolicy
) -> pa.Table:
    """The rows of the set values in their places; one that is a whole group's takes the place of the group's row."""
    own = {
        **{name: chosen[name] for name in ("golden_id", "attribute", *RECORD_KEY, "decision_id")},
        "rule": pa.repeat(STEWARD, chosen.num_rows),
        "losers": pa.array(losers, pa.string()),
    }
    added = pa.table({name: own[name] for name in PROVENANCE_SCHEMA.names}, schema=PROVENANCE_SCHEMA)
    subjects = [pc.binary_join_element_wise(t["golden_id"], t["attribute"], "|") for t in (provenance, added)]
    kept = provenance.filter(pc.invert(pc.is_in(subjects[0], value_set=subjects[1].combine_chunks())))
    names = [EVERYTHING_ELSE]
    for group in policy.groups:
        names += [group.name, *(name for name in group.attributes if name != group.name)]
    both = pa.concat_tables([kept, added])
    order = pc.index_in(both["attribute"], value_set=pa.array(names))
    return (
        both.append_column("_order", order)
        .sort_by([("golden_id", "ascending"), ("_order", "ascending")])
        .drop("_order")
    )
