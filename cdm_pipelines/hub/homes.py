"""Of which customers source records are, a few at a time and fast.

Belongs here: that one question. Does not belong here: customers themselves (``queries``), finding them (``search``).
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from cdm_pipelines.hub import quick
from cdm_pipelines.hub.load import without_data


class Home(NamedTuple):
    """The customer of a source record; of two, the one with the lower sequence was published first."""

    golden_id: UUID
    sequence: int


def homes(connection: Connection, records: Sequence[tuple[str, str, str]]) -> list[Home | None]:
    """The customer of each of some source records (source, entity, record id); None where it is of none."""
    if not records:
        return []
    sources, entities, ids = (list(part) for part in zip(*records, strict=True))
    with without_data("reading the customers of records"):
        rows = quick.rows(connection, _HOMES, {"sources": sources, "entities": entities, "ids": ids})
    found: list[Home | None] = [None] * len(records)
    for place, golden_id, sequence in rows:
        found[place - 1] = Home(golden_id, sequence)
    return found


_HOMES = """SELECT k.place, x.golden_id, g.sequence
    FROM unnest(CAST(:sources AS text[]), CAST(:entities AS text[]), CAST(:ids AS text[]))
        WITH ORDINALITY AS k (source, entity, record_id, place)
    JOIN golden.crosswalk AS x USING (source, entity, record_id)
    JOIN identity.golden_id AS g ON g.golden_id = x.golden_id"""
