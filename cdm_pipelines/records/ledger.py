"""A ledger: every version of a record that a source ever delivered, as statements of consent are kept.

Belongs here: what makes a version a new one, and its moment. Does not belong here: which one counts (privacy.consent).

A record that tells when it was said is a new statement when it says something that it did not say before with that
moment. One that does not, as a tick in a customer's record, is a new statement on each day on which it is another than
on the day before that delivered it: ticked, unticked and ticked again are three. What a later day leaves out stays. So
the ledger is the outcome of going through the days from the oldest to the newest, however they arrived, and each day
only adds to it.

A tick that was never there says nothing, and is no statement. One that is gone was taken back: what says ``nothing`` of
which a yes was the last thing said is a withdrawal. What says nothing at a moment, or of a mailbox, as a subscription
that waits to be confirmed, is kept as that.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity, attributes, declaration
from cdm_pipelines.records.partition import Partition, Read
from cdm_pipelines.records.schema import records_schema
from cdm_pipelines.store.arrow import whole

_MOMENT = "stated_at"
_GIVEN, _WITHDRAWN, _NOTHING = "given", "withdrawn", "nothing"
_STRICTEST_FIRST = ("objected", _WITHDRAWN, "refused", _GIVEN)
_ORDER = ("modified_at", "_file", "_row")
_SEPARATOR = "|"


def statements(entity: Entity, partitions: Sequence[Partition], read: Read) -> pa.Table:
    """The ledger of all days of one source entity, sorted by record id."""
    ledger = records_schema(entity).empty_table()
    for partition in sorted(partitions, key=lambda one: one.date):
        ledger = pa.concat_tables([ledger, added(entity, ledger, partition, read)])
    return ledger.take(pc.sort_indices(ledger["record_id"])).combine_chunks()


def added(entity: Entity, ledger: pa.Table, partition: Partition, read: Read) -> pa.Table:
    """What a day adds to the ledger of its source entity.

    Args:
        entity: The canonical entity.
        ledger: Of all earlier days of the source entity.
        partition: A later day.
        read: Reads columns of the table at a path.

    Returns:
        Rows of ``records_schema(entity)`` that the ledger does not have.
    """
    names = [one.name for one in attributes(entity)]
    day = read(partition.path, ["record_id", *_ORDER, "merged_into", *names, "invalid_attributes"])
    day = day.take(pc.sort_indices(day, sort_keys=[(name, "ascending") for name in ("record_id", *_ORDER)]))
    about = whole(day["record_id"]).cast(pa.string())
    day, about = _with_what_was_taken_back(ledger, day, about)
    said = _said(entity, day)
    moment = whole(day[_MOMENT]).cast(pa.string())
    dated = pc.is_valid(moment)
    before = _latest(ledger)
    at = pc.index_in(about, value_set=before[0])
    same = pc.fill_null(pc.equal(before[1].take(at), said), False)
    of_day = pc.if_else(dated, moment, pa.scalar(partition.date))
    number = pc.binary_join_element_wise(about, of_day, said, _SEPARATOR)
    known = pc.is_in(number, value_set=whole(ledger["record_id"]).cast(pa.string()))
    new = pc.and_not(pc.if_else(dated, True, pc.invert(same)), known)
    # Of what a day says without a moment of one record, the strictest: which came last cannot be known.
    one = pc.if_else(dated, number, pc.binary_join_element_wise(about, "", _SEPARATOR))
    strictest = pa.array(_STRICTEST_FIRST, pa.string())
    first = _first(one, pc.index_in(whole(day["state"]).cast(pa.string()), value_set=strictest), said)
    kept = pc.and_(new, first)
    length = day.num_rows
    made = {name: whole(day[name]) for name in (*names, "modified_at", "merged_into", "invalid_attributes")}
    made |= {name: _all(getattr(partition, name), length) for name in ("source", "entity")}
    made |= {name: _all(partition.date, length) for name in ("extract_date", "first_seen", "last_seen")}
    made |= {"record_id": number, "active": pa.repeat(pa.scalar(True), length)}
    schema = records_schema(entity)
    return pa.table({name: made[name] for name in schema.names}, schema=schema).filter(kept)


def _first(names: pa.Array, rank: pa.Array, digests: pa.Array) -> pa.Array:
    """The first row of each name: that of the lowest rank, by digest where several have it."""
    codes = names.dictionary_encode().indices
    table = pa.table({"name": codes, "rank": pc.fill_null(rank, len(_STRICTEST_FIRST)), "digest": digests})
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in table.column_names]).to_numpy()
    found = np.zeros(len(names), dtype=bool)
    _, places = np.unique(codes.to_numpy(zero_copy_only=False)[order], return_index=True)
    found[order[places]] = True
    return pa.array(found)


def _with_what_was_taken_back(ledger: pa.Table, day: pa.Table, about: pa.Array) -> tuple[pa.Table, pa.Array]:
    """Rows that say something, and what each is about: of a yes that is gone, that it was withdrawn."""
    nothing = pc.fill_null(pc.equal(day["state"], _NOTHING), False).combine_chunks()
    if not pc.any(nothing).as_py():
        return day, about
    newest = ledger.sort_by([("first_seen", "descending"), ("state", "descending")])
    last = newest["state"].take(pc.index_in(about, value_set=_about(newest)))
    yes_today = about.filter(pc.fill_null(pc.equal(whole(day["state"]), _GIVEN), False))
    was_yes = pc.or_(pc.fill_null(pc.equal(whole(last), _GIVEN), False), pc.is_in(about, value_set=yes_today))
    state = pc.if_else(pc.and_(nothing, was_yes), _WITHDRAWN, whole(day["state"]).cast(pa.string()))
    day = day.set_column(day.schema.get_field_index("state"), "state", state)
    # What says nothing is found by the party that it names; what names none is kept once, to be found by its mailbox.
    told = pc.or_(pc.is_valid(whole(day[_MOMENT])), pc.is_null(whole(day["party_id"])))
    told = pc.and_not(told, pc.is_in(about, value_set=_about(newest)))
    kept = pc.or_(pc.or_(pc.invert(nothing), was_yes), told)
    return day.filter(kept), about.filter(kept)


def _said(entity: Entity, rows: pa.Table) -> pa.Array:
    """Of each row a digest of all that it says, less its moment."""
    key = {one.name for one in declaration(entity).key}
    names = [one.name for one in attributes(entity) if one.name not in {*key, _MOMENT}]
    parts = [pc.fill_null(whole(rows[name]).cast(pa.string()), "") for name in names]
    texts = pc.binary_join_element_wise(*parts, "\x1f").dictionary_encode()
    digests = [blake2b(text.encode(), digest_size=8).hexdigest() for text in texts.dictionary.to_pylist()]
    return pa.array(digests, pa.string()).take(texts.indices)


def _latest(ledger: pa.Table) -> tuple[pa.Array, pa.Array]:
    """Of the statements without a moment, what each was about and said last."""
    undated = ledger.filter(pc.is_null(ledger[_MOMENT]))
    undated = undated.take(pc.sort_indices(undated["first_seen"], sort_keys=[("first_seen", "descending")]))
    parts = pc.split_pattern(whole(undated["record_id"]), _SEPARATOR, max_splits=2, reverse=True)
    return pc.list_element(parts, 0), pc.list_element(parts, 2)


def _about(ledger: pa.Table) -> pa.Array:
    """The record that each statement is a version of."""
    parts = pc.split_pattern(
        whole(ledger["record_id"]).cast(pa.string()), _SEPARATOR, max_splits=2, reverse=True
    )
    return pc.list_element(parts, 0)


def _all(value: str, length: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), length)
