"""What a golden id is, and the tables that remember every one ever published.

Belongs here: how an id is made, the columns of registry, crosswalk and events, resolving an alias. Does not
belong here: which cluster gets which id (``assignment``).

An id is the name-based UUID (RFC 9562, version 5) of its founding source record, so it can be computed anew
by anyone and never collides. The generation, zero at first, is counted up where the founding record's id is
in use
elsewhere: after a split the larger part keeps it.
"""

from collections.abc import Iterable
from hashlib import sha1
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.records.keys import positions

NAMESPACE = UUID("5d2c1f7e-5a0e-5b1c-9a54-8f3b0d6c7e21")

CURRENT, ALIAS, RETIRED = "current", "alias", "retired"

REGISTRY_SCHEMA = pa.schema(
    [
        ("golden_id", pa.string()),
        ("source", pa.string()),
        ("entity", pa.string()),
        ("record_id", pa.string()),
        ("generation", pa.int64()),
        ("sequence", pa.int64()),
        ("status", pa.string()),
        ("alias_of", pa.string()),
    ]
)
"""Every golden id ever published: founding source record, order of publication, and what became of it."""

CROSSWALK_SCHEMA = pa.schema(
    [("source", pa.string()), ("entity", pa.string()), ("record_id", pa.string()), ("golden_id", pa.string())]
)
"""The golden customer of every source record."""

EVENT_SCHEMA = pa.schema([("golden_id", pa.string()), ("event", pa.string()), ("related_id", pa.string())])
"""What an assignment did: created, split (related: the id that the founding record had), restored, merged
(related: the id that survives) or retired (no record is left)."""


def golden_id(source: str, entity: str, record_id: str, generation: int = 0) -> str:
    """The golden id founded by a source record."""
    return golden_ids([f"{generation}|{source}|{entity}|{record_id}"])[0]


def golden_ids(names: Iterable[str]) -> list[str]:
    """Version 5 UUIDs of names ``generation|source|entity|record_id``, faster than ``uuid.uuid5``."""
    prefix = NAMESPACE.bytes
    digests = (sha1(prefix + name.encode(), usedforsecurity=False).hexdigest() for name in names)
    return [
        f"{d[:8]}-{d[8:12]}-5{d[13:16]}-{'89ab'[int(d[16], 16) & 3]}{d[17:20]}-{d[20:32]}" for d in digests
    ]


def resolve(ids: pa.Array, registry: pa.Table) -> pa.Array:
    """The current golden id behind each id ever published; null for retired and unknown ones.

    Args:
        ids: Golden ids as text.
        registry: ``REGISTRY_SCHEMA``. An alias always names a current id, so one step is enough.
    """
    current = pc.if_else(
        pc.equal(registry["status"], CURRENT), registry["golden_id"], registry["alias_of"]
    ).combine_chunks()
    at = positions(ids, registry["golden_id"].combine_chunks())
    return current.take(pa.array(at, mask=at < 0))
