"""What happened between the published customers and those to come, and which link or decision an event rests on.

Belongs here: what is remembered with a version in order to tell, and evidence. Does not belong here: the reasons
themselves (identity.reasons).
"""

import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.identity.decisions import Decision, Kind, Record
from cdm_pipelines.identity.effective import effective
from cdm_pipelines.identity.reasons import EventReasons, Movement
from cdm_pipelines.steps.customers.affected import Since
from cdm_pipelines.steps.linking.linked_with import DECISIONS, MODEL
from cdm_pipelines.steps.stewardship.decisions import read_log
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY, composite_keys, positions, record_keys
from cdm_pipelines.store.lake import Lake

_SIDES = (("left_source", "left_id"), ("right_source", "right_id"))


def event_reasons(
    connection: Connection, published: Mapping[str, str], latter: Mapping[str, str], changed: Since | None
) -> EventReasons:
    """What happened since the published version.

    Args:
        connection: Of a migrated hub.
        published: What the published version was made from.
        latter: What the next one is made from.
        changed: What changed in the lake; None where that is not known.
    """
    decided, numbers = None, np.zeros(0, np.int64)
    if DECISIONS in published and DECISIONS in latter:
        found = _decided(read_log(connection), int(published[DECISIONS]), int(latter[DECISIONS]))
        rows = [record._asdict() for record in found]
        schema = pa.schema([(name, pa.string()) for name in RECORD_KEY])
        decided = record_keys(pa.Table.from_pylist(rows, schema))
        numbers = np.array(list(found.values()), np.int64)
    known = MODEL in published and MODEL in latter
    return EventReasons(
        None if changed is None else record_keys(changed.parties.rows),
        decided,
        numbers,
        published[MODEL] != latter[MODEL] if known else None,
    )


def explained(events: pa.Table, movement: Movement, lake: Lake) -> pa.Table:
    """Events with ``reason`` and ``evidence``, as they are staged."""
    found = movement.explain(events)
    evidence: list[dict[str, object]] = [
        {"decision": number} if number else {} for number in found.decision.tolist()
    ]
    merged = np.flatnonzero(pc.equal(events["event"], "merged"))
    for event, link in zip(merged, _joining(events.take(pa.array(merged)), movement, lake), strict=True):
        evidence[event] |= link
    texts = pa.array([json.dumps(one) if one else None for one in evidence], pa.string())
    return events.append_column("reason", found.reason).append_column("evidence", texts)


def _decided(log: list[Decision], before: int, after: int) -> dict[Record, int]:
    """Records of decisions about who is who that have effect after one number and not after the other."""
    former, latter = (
        {
            decision.decision_id: decision
            for decision in effective(entry for entry in log if entry.decision_id <= newest).decisions
            if decision.kind is not Kind.SET
        }
        for newest in (before, after)
    )
    changed = sorted(former.keys() ^ latter.keys())
    return {record: number for number in changed for record in (latter.get(number) or former[number]).records}


def _joining(merged: pa.Table, movement: Movement, lake: Lake) -> list[dict[str, object]]:
    """The strongest link between the records of a customer that was merged and others of the one it is in now."""
    none: list[dict[str, object]] = [{} for _ in range(merged.num_rows)]
    if not (merged.num_rows and tables.matches(lake).exists):
        return none
    now = movement.latter.filter(pc.is_in(movement.latter["golden_id"], value_set=merged["related_id"]))
    was = positions(record_keys(now), record_keys(movement.former))
    former = movement.former["golden_id"].combine_chunks().take(pa.array(was, mask=was < 0))
    event = positions(former, merged["golden_id"].combine_chunks())
    home = positions(now["golden_id"].combine_chunks(), merged["related_id"].combine_chunks())
    sources = pc.binary_join_element_wise(now["source"], now["entity"], "/")
    names = composite_keys(now.append_column("name", sources), "name", "record_id")

    matches = tables.matches(lake).read([*_SIDES[0], *_SIDES[1], "weight"])
    ids = now["record_id"].combine_chunks()
    matches = matches.filter(pc.and_(*(pc.is_in(matches[side[1]], value_set=ids) for side in _SIDES)))
    ends = np.stack([positions(composite_keys(matches, *side), names) for side in _SIDES], axis=1)
    inside = np.flatnonzero((ends >= 0).all(axis=1))
    inside = inside[(home[ends[inside]] == home[ends[inside]][:, ::-1]).all(axis=1)]
    events = event[ends[inside]]
    rows = np.concatenate([inside, inside])
    of = np.concatenate([events[:, 0], events[:, 1]])
    crossing = (of >= 0) & np.tile(events[:, 0] != events[:, 1], 2)
    rows, of = rows[crossing], of[crossing]
    order = np.lexsort((rows, -matches["weight"].to_numpy()[rows], of))
    chosen, first = np.unique(of[order], return_index=True)
    for number, row in zip(
        chosen.tolist(), matches.take(pa.array(rows[order][first])).to_pylist(), strict=True
    ):
        records = [f"{row[source]}/{row[name]}" for source, name in _SIDES]
        none[number] = {"records": records, "weight": round(row["weight"], 2)}
    return none
