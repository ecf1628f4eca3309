"""The columns of ``records/*``.

Belongs here: their names and types. Does not belong here: what is in them (state, ledger).
"""

import pyarrow as pa

from cdm_pipelines.contracts.canonical import Entity, attributes


def records_schema(entity: Entity) -> pa.Schema:
    """Columns of ``records/<entity>``: origin, state, then the canonical attributes as text."""
    text = pa.string()
    origin = [("source", text), ("entity", text), ("record_id", text)]
    state = [
        ("active", pa.bool_()),
        ("extract_date", text),
        ("first_seen", text),
        ("last_seen", text),
        ("modified_at", text),
        ("merged_into", text),
    ]
    kind = [("party_kind", text)] if entity is Entity.PARTY else []
    values = [(attribute.name, text) for attribute in attributes(entity)]
    return pa.schema([*origin, *state, *kind, *values, ("invalid_attributes", text)])
