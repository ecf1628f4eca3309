"""Of whom data may not be used for a purpose: what follows from consent and objections.

Belongs here: from effective consent to golden ids by purpose, and which of them concern an enricher or a sink. Does not
belong here: what somebody said and when (the ledger of consent), or leaving rows out (steps).

A purpose that rests on consent is off for everybody who did not say yes; one that may be objected to is off for who
said no; the others are off for nobody. Where an answer for all channels and one for a channel differ, the no counts.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.privacy.purposes import Purpose, Purposes
from cdm_pipelines.store.arrow import whole

OFF_SCHEMA = pa.schema([("purpose", pa.string()), ("channel", pa.string()), ("golden_id", pa.string())])
"""Of whom data may not be used, by purpose; for one channel alone where ``channel`` is not empty."""
NOBODY = OFF_SCHEMA.empty_table()
EVERY_CHANNEL = ""


def off(
    consent: pa.Table,
    purposes: Purposes,
    customers: pa.Array | pa.ChunkedArray,
    asked: Iterable[tuple[str, str]] | None = None,
) -> pa.Table:
    """Of whom data may not be used.

    Args:
        consent: Effective consent: ``golden_id, purpose, channel, allowed``; an empty channel means all of them, and
            ``allowed`` that is null means no. Purposes that there are not say nothing.
        purposes: The purposes.
        customers: Golden ids of all customers: who never said anything did not consent.
        asked: Keys of purposes, each with a channel or the empty one; all purposes that can be refused, whole, by
            default.

    Returns:
        ``OFF_SCHEMA`` in order of purpose, channel and golden id, of these customers alone.
    """
    everyone = whole(customers).cast(pa.string())
    if asked is None:
        asked = [(key, EVERY_CHANNEL) for key in purposes.by_key]
    found = [NOBODY]
    for key, channel in sorted(set(asked)):
        if not purposes[key].can_be_refused:
            continue
        said = consent.filter(pc.equal(consent["purpose"], key))
        if channel != EVERY_CHANNEL:
            said = said.filter(pc.is_in(said["channel"], value_set=pa.array([EVERY_CHANNEL, channel])))
        yes = pc.fill_null(said["allowed"], False)
        no = pc.invert(yes)
        if channel == EVERY_CHANNEL:  # a no to one channel leaves the others
            no = pc.and_(no, pc.equal(said["channel"], EVERY_CHANNEL))
        ids = said["golden_id"].cast(pa.string())
        if not purposes[key].needs_consent:
            yes = pc.and_(yes, no)  # none is asked for
        said_yes, said_no = (pc.is_in(everyone, value_set=whole(ids.filter(one))) for one in (yes, no))
        is_off = refuses(purposes[key], said_yes, said_no)
        theirs = everyone.filter(is_off)
        theirs = theirs.take(pc.sort_indices(theirs))
        named = [pa.repeat(pa.scalar(text, pa.string()), len(theirs)) for text in (key, channel)]
        found.append(pa.table([*named, theirs], schema=OFF_SCHEMA))
    return pa.concat_tables(found)


def refuses(purpose: Purpose, said_yes: pa.Array, said_no: pa.Array) -> pa.Array:
    """Of whom data may not be used for a purpose, by what each of some customers said of it.

    Args:
        purpose: The purpose.
        said_yes: Whether an answer of theirs is yes; not asked of a purpose that needs no consent.
        said_no: Whether an answer of theirs is no.
    """
    if not purpose.can_be_refused:
        return pa.repeat(pa.scalar(False), len(said_no))
    return pc.or_(said_no, pc.invert(said_yes)) if purpose.needs_consent else said_no


def off_for(table: pa.Table, purpose: str, channel: str = EVERY_CHANNEL) -> pa.Array:
    """Golden ids of the customers whose data may not be used for a purpose, through a channel where one is named.

    Args:
        table: ``OFF_SCHEMA``.
        purpose: Key of the purpose.
        channel: Through which they would be addressed; empty where nobody is.
    """
    channels = pa.array(sorted({EVERY_CHANNEL, channel}))
    theirs = pc.and_(pc.equal(table["purpose"], purpose), pc.is_in(table["channel"], value_set=channels))
    ids = pc.unique(table["golden_id"].filter(theirs))
    return ids.take(pc.sort_indices(ids))


WITHHELD_SCHEMA = pa.schema(
    [("golden_id", pa.string()), ("enrichers", pa.string()), ("purposes", pa.string())]
)
"""Per customer of whom something is not worked out: names of enrichers and keys of purposes, with commas between."""


def withheld(table: pa.Table, purposes: Purposes, enrichers: Iterable[str], customers: pa.Array) -> pa.Table:
    """Whose profile leaves something out, and what: an enricher for whose every purpose the customer is off.

    Args:
        table: ``OFF_SCHEMA``.
        purposes: The purposes.
        enrichers: Names of the enrichers that are switched on.
        customers: Golden ids of those of its customers that there are.

    Returns:
        ``WITHHELD_SCHEMA`` in order of golden id; nobody of whom everything is worked out.
    """
    rows = [WITHHELD_SCHEMA.empty_table()]
    known = {key: off_for(table, key) for key in pc.unique(table["purpose"]).to_pylist()}
    known = {key: ids.filter(pc.is_in(ids, value_set=customers)) for key, ids in known.items()}
    for name in enrichers:
        keys = purposes.of_enricher(name)
        if not keys or not known.keys() >= set(keys):
            continue
        first, *others = (known[key] for key in keys)
        ids = first
        for theirs in others:  # it goes on for any purpose that is not off
            ids = ids.filter(pc.is_in(ids, value_set=theirs))
        for key in keys:
            labels = [pa.repeat(pa.scalar(text, pa.string()), len(ids)) for text in (name, key)]
            rows.append(pa.table([ids, *labels], schema=WITHHELD_SCHEMA))
    each = pa.concat_tables(rows)
    enrichers_of, purposes_of = (_joined(each, name) for name in ("enrichers", "purposes"))
    columns = [enrichers_of["golden_id"], enrichers_of["enrichers"], purposes_of["purposes"]]
    return pa.table(columns, schema=WITHHELD_SCHEMA)


def _joined(each: pa.Table, name: str) -> pa.Table:
    """Per golden id, in order, the distinct values of a column in order with commas between."""
    distinct = each.group_by(["golden_id", name]).aggregate([])
    distinct = distinct.sort_by([("golden_id", "ascending"), (name, "ascending")])
    lists = distinct.group_by("golden_id", use_threads=False).aggregate([(name, "list")])
    return pa.table({"golden_id": lists["golden_id"], name: pc.binary_join(lists[f"{name}_list"], ", ")})
