"""What golden values would be if records were divided among customers in another way.

Belongs here: survivorship over a few records, by the rules in force, with values that stewards set. Does not belong
here: the rules (golden), publishing (``publication``).
"""

import datetime as dt
from collections.abc import Mapping, Sequence

import pyarrow as pa

from cdm_pipelines.golden.corrected import overruled, set_values
from cdm_pipelines.golden.survivorship import survive
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.identity.decisions import Decision, Kind, Record
from cdm_pipelines.identity.effective import effective
from cdm_pipelines.steps.customers.publication import Rules
from cdm_pipelines.steps.stewardship.customer import concerning
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.layered import Layered

Values = Mapping[str, str | None]


def outlook(
    records: pa.Table,
    divided: Mapping[str, Sequence[Record]],
    rules: Rules,
    corrected: pa.Table | None = None,
) -> dict[str, Values]:
    """Golden values by customer.

    Args:
        records: Rows of ``records/party``, of all records that are named at least.
        divided: Records by customer, under any names; one that is in none is nobody's.
        rules: In force.
        corrected: See `set_of`.
    """
    home = {record: name for name, members in divided.items() for record in members}
    keys = list(zip(*(records[name].to_pylist() for name in RECORD_KEY), strict=True))
    whose = [home.get(Record(*key)) for key in keys]
    own = records.filter(pa.array([one is not None for one in whose], pa.bool_())).combine_chunks()
    columns: dict[str, list[str]] = {name: own[name].to_pylist() for name in RECORD_KEY}
    columns["golden_id"] = [one for one in whose if one is not None]
    crosswalk = pa.table(
        [pa.array(columns[name], pa.string()) for name in CROSSWALK_SCHEMA.names],
        names=CROSSWALK_SCHEMA.names,
    )
    golden = survive(rules.candidates(own), crosswalk, rules.policy, corrected=corrected).customer
    return {str(row["golden_id"]): row for row in golden.to_pylist()}


def set_of(
    log: Sequence[Decision], records: Sequence[Record], parties: Layered, today: dt.date
) -> pa.Table | None:
    """The values that stewards set for some records, as survivorship takes them; None where there are none."""
    about = concerning(log, records)
    decided = effective(about).of(Kind.SET)
    return set_values(decided, parties.rows(overruled(decided)), today) if decided else None
