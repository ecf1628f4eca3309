"""Relations between golden customers.

Belongs here: the organisation that a person works for. Does not belong here: merging; a contact person and an
organisation are never one customer.
"""

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.store.keys import RECORD_KEY, composite_keys, positions, record_keys


def golden_employers(records: pa.Table, organisations: pa.Table, crosswalk: pa.Table) -> pa.Array:
    """The golden id of each record's employer.

    Args:
        records: At least ``source, employer_id``; ``employer_id`` names an organisation's record in the same source.
        organisations: ``RECORD_KEY`` of the records that describe organisations.
        crosswalk: ``CROSSWALK_SCHEMA``, at least of the organisations that are employers.

    Returns:
        Golden ids as text, one per record; null where no employer is named or none is known by that number.
    """
    employer = employers(records, organisations)
    golden = positions(record_keys(employer), record_keys(crosswalk))
    return crosswalk["golden_id"].combine_chunks().take(pa.array(golden, mask=golden < 0))


def employers(records: pa.Table, organisations: pa.Table) -> pa.Table:
    """The organisation record that each record names, ``RECORD_KEY``; null where none is known by that number.

    Of several that are, in two entities of a source, the first by entity.
    """
    named = pc.is_in(
        organisations["record_id"], value_set=records["employer_id"].combine_chunks(), skip_nulls=True
    )
    few = organisations.select(RECORD_KEY).filter(named)
    ordered = few.sort_by([(name, "ascending") for name in RECORD_KEY])
    at = positions(
        composite_keys(records, "source", "employer_id"), composite_keys(ordered, "source", "record_id")
    )
    return ordered.take(pa.array(at, mask=at < 0))
