"""What a golden id is, and the tables that remember every one ever published.

Belongs here: how an id is made, the columns of registry, crosswalk and events, resolving an alias. Does not
belong here: which cluster gets which id (``assignment``).

An id is the name-based UUID (RFC 9562, version 5) of its founding source record, so it can be computed anew
by anyone and never collides. The generation, zero at first, is counted up where the founding record's id is
in use
elsewhere: after a split the larger part keeps it.
"""

from hashlib import sha1
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.store.keys import positions

NAMESPACE = UUID("5d2c1f7e-5a0e-5b1c-9a54-8f3b0d6c7e21")

_DIGITS = [place for place in range(36) if place not in (8, 13, 18, 23)]  # the others are hyphens

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
    return str(golden_ids(pa.array([f"{generation}|{source}|{entity}|{record_id}"]))[0])


def golden_ids(names: pa.Array) -> pa.Array:
    """Version 5 UUIDs of names ``generation|source|entity|record_id``, as text; a million take about a second.

    Python does the hashing, one name at a time, and numpy writes all texts at once.
    """
    prefix = NAMESPACE.bytes
    hashed = [
        sha1(prefix + name, usedforsecurity=False).digest()[:16]
        for name in names.cast(pa.binary()).to_pylist()
    ]
    octets = np.frombuffer(b"".join(hashed), np.uint8).reshape(-1, 16).copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x50  # version 5
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80  # the variant of RFC 9562
    digits = np.stack([octets >> 4, octets & 0x0F], axis=2).reshape(-1, 32)
    texts = np.full((len(digits), 36), ord("-"), np.uint8)
    texts[:, _DIGITS] = np.frombuffer(b"0123456789abcdef", np.uint8)[digits]
    offsets = np.arange(len(digits) + 1, dtype=np.int32) * 36
    return pa.StringArray.from_buffers(len(digits), pa.py_buffer(offsets), pa.py_buffer(texts))


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
