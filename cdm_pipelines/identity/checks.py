"""Proof that every record has exactly one golden customer.

Belongs here: the count that R3 asks for, over keys. Does not belong here: checks of the published tables
(hub).
"""

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.records.keys import positions, record_keys


def misplaced_records(records: pa.Table, crosswalk: pa.Table) -> dict[str, int]:
    """Count the records that are not in exactly one golden customer.

    Args:
        records: ``records/party``, at least ``source, entity, record_id``.
        crosswalk: ``CROSSWALK_SCHEMA``.

    Returns:
        ``missing`` (records without a customer), ``unknown`` (crosswalk rows of no record), ``repeated``
        (crosswalk rows beyond the first of a record) and ``unassigned`` (rows without a golden id); all zero
        when every record is accounted for.
    """
    recorded, crossed = record_keys(records), record_keys(crosswalk)
    return {
        "missing": int((positions(recorded, crossed) < 0).sum()),
        "unknown": int((positions(crossed, recorded) < 0).sum()),
        "repeated": len(crossed) - pc.count_distinct(crossed).as_py(),
        "unassigned": crosswalk["golden_id"].null_count,
    }
