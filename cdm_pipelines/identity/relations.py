"""Relations between golden customers.

Belongs here: the organisation that a person works for. Does not belong here: merging; a contact person and an
organisation are never one customer.
"""

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.records.keys import positions, record_keys, unit_join


def golden_employers(records: pa.Table, crosswalk: pa.Table) -> pa.Array:
    """The golden id of each record's employer.

    Args:
        records: ``records/party``, at least ``source, entity, record_id, party_kind, employer_id``;
            ``employer_id`` names an organisation's record in the same source.
        crosswalk: ``CROSSWALK_SCHEMA``, of the same records.

    Returns:
        Golden ids as text, one per record; null where no employer is named or none is known by that number.
    """
    organisations = records.select(["source", "entity", "record_id", "party_kind"])
    organisations = organisations.filter(pc.equal(organisations["party_kind"], "organisation"))
    employer = positions(
        unit_join(records, "source", "employer_id"), unit_join(organisations, "source", "record_id")
    )
    golden = positions(record_keys(organisations), record_keys(crosswalk))
    of_organisation = crosswalk["golden_id"].combine_chunks().take(pa.array(golden, mask=golden < 0))
    return of_organisation.take(pa.array(employer, mask=employer < 0))
