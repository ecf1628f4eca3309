"""Writing the review queue: anew with each publication, and in line with each decision.

Belongs here: what is read and written, in the caller's transaction. Does not belong here: what is in doubt
(``doubts``), showing it (``review``).

The queue holds every pair of customers in doubt, decided or not, and says of each whether it waits. So a decision that
is taken back brings back what it took away, with the figures of the publication.
"""

from collections.abc import Iterable
from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.hub import review as hub
from cdm_pipelines.hub.parts import Asked
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.identity.constraints import Constraints
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.identity.effective import Conflict
from cdm_pipelines.steps.stewardship.doubts import doubtful_items, pairs_in_doubt, values
from cdm_pipelines.steps.stewardship.kinds import Doubt
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.keys import RECORD_KEY


def rewrite(connection: Connection, decided: Constraints) -> None:
    """Bring links and queue in line with what has been published; where nothing was staged nothing is done.

    Args:
        connection: In the transaction that published, after ``promote``; nobody may decide until it ends.
        decided: What is decided.
    """
    if not hub.is_staged(connection):
        return
    hub.apply_links(connection)
    between, doubts = hub.between(connection), hub.take_doubts(connection)
    named = [whole(column) for column in (between["left_id"], between["right_id"], doubts["golden_id"])]
    facts = hub.facts(connection, pa.concat_arrays(named))
    value = values(facts, hub.newest_order(connection))
    items = pa.concat_tables([pairs_in_doubt(between, facts, value), doubtful_items(doubts, facts, value)])
    kinds = [doubt for doubt in Doubt if doubt is not Doubt.CONFLICT]
    hub.replace_items(connection, [*map(str, kinds)], items)
    settle(connection, decided)


def settle(connection: Connection, decided: Constraints) -> None:
    """Bring the queue in line with what is decided: conflicts, and which pairs wait.

    Args:
        connection: In the transaction that recorded the decision or published, so that nobody else decides meanwhile.
        decided: What is decided.
    """
    conflicts = decided.decided.conflicts
    frames = (decided.same, decided.different)
    pairs = [
        (_record(left, one), _record(right, other))
        for frame in frames
        for left, one, right, other in frame.itertuples(index=False, name=None)
    ]
    members = list(decided.confirmed.itertuples(index=False, name=None))
    records = {record for pair in pairs for record in pair}
    records |= {_record(source, record_id) for source, record_id, _ in members}
    records |= {record for conflict in conflicts for record in conflict.clash.records}
    customer = _customers(connection, records)
    known = [
        (customer[left], customer[right]) for left, right in pairs if left in customer and right in customer
    ]
    apart = sorted({(min(ends), max(ends)) for ends in known})
    groups = {customer.get(_record(source, record_id)): group for source, record_id, group in members}
    confirmed = {golden_id: group for golden_id, group in groups.items() if golden_id is not None}
    hub.settle(connection, (str(Doubt.PAIR), str(Doubt.CONFIRMED)), apart, confirmed)
    hub.replace_items(connection, [str(Doubt.CONFLICT)], _conflict_items(connection, conflicts, customer))


def _conflict_items(
    connection: Connection, conflicts: Iterable[Conflict], customer: dict[Record, UUID]
) -> pa.Table:
    """Decisions that have no effect."""
    named = [
        (conflict, list(dict.fromkeys(customer[r] for r in conflict.clash.records if r in customer)))
        for conflict in conflicts
    ]
    if not named:
        return hub.ITEMS.empty_table()
    ids = pa.array(sorted({str(one) for _, known in named for one in known}), pa.string())
    facts = hub.facts(connection, ids)
    worth = dict(
        zip(
            facts["golden_id"].to_pylist(),
            values(facts, hub.newest_order(connection)).tolist(),
            strict=True,
        )
    )
    rows = [
        {
            "item_id": f"{Doubt.CONFLICT}/{conflict.decision.decision_id}",
            "doubt": str(Doubt.CONFLICT),
            "left_id": str(known[0]) if known else None,
            "right_id": str(known[-1]) if len(known) > 1 else None,
            "priority": float(np.sum([worth[str(one)] for one in known])),
            "finding": conflict.text,
            "decision_id": conflict.decision.decision_id,
        }
        for conflict, known in named
    ]
    return pa.Table.from_pylist(rows, hub.ITEMS)


def _customers(connection: Connection, records: Iterable[Record]) -> dict[Record, UUID]:
    """The published customer of each record that has one."""
    wanted = [record._asdict() for record in sorted(records)]
    if not wanted:
        return {}
    schema = CROSSWALK_SCHEMA.empty_table().select(RECORD_KEY).schema
    found = Asked(connection).crosswalk_of_records(pa.Table.from_pylist(wanted, schema), CROSSWALK_SCHEMA)
    columns = [found[name].to_pylist() for name in (*RECORD_KEY, "golden_id")]
    return {Record(*key): UUID(golden_id) for *key, golden_id in zip(*columns, strict=True)}


def _record(source: str, record_id: str) -> Record:
    system, entity = source.split("/", 1)
    return Record(system, entity, record_id)
