"""What records were when the published profile was made, so far as it says whose interactions were.

Belongs here: keeping the addresses and phones of party records, and which records have changed since. Does not belong
here: which customers that concerns (``enrichment.subjects``).

What is kept is a function of one version of ``records/party`` and says of which. So it can be late or early, and is
then of no use, but never wrong: whoever asks names the version that was published.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.store import tables
from cdm_pipelines.store.damage import DamagedError, made_anew
from cdm_pipelines.store.keys import RECORD_KEY, having
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Mark
from cdm_pipelines.store.layout import FORMER_PARTIES, INTERACTIONS

WHOSE = (Entity.PARTY, Entity.ORDER)
"""Entities whose records say whose interactions are."""
CONTACTS = ("email", "phone", "mobile")
FORMER = pa.schema([(name, pa.string()) for name in (*RECORD_KEY, *CONTACTS)])
"""What is kept: party records that have an address or a phone."""
ORDERS = pa.schema([(name, pa.string()) for name in ("source", "order_id")])
_VERSION = "version"


def versions(lake: Lake) -> dict[str, str]:
    """The versions of the records that say whose interactions are, by entity."""
    known = {entity: tables.records(lake, entity) for entity in WHOSE}
    return {str(entity): str(table.mark) for entity, table in known.items() if table.exists}


def keep_former(lake: Lake) -> None:
    """Keep the contacts of party records as they are, where there are interactions; written whole or not at all."""
    table = tables.records(lake, Entity.PARTY)
    if not table.exists or not lake.paths(INTERACTIONS):
        return
    version = str(table.mark)
    if version == _version(lake):
        return
    rows = table.read(FORMER.names).cast(FORMER)
    rows = rows.filter(pc.is_valid(pc.coalesce(*(rows[name] for name in CONTACTS))))
    if str(table.mark) == version:  # and not one that another process has put in its place
        lake.write_arrow(FORMER_PARTIES, [rows], FORMER, {_VERSION: version})


def _version(lake: Lake) -> str:
    try:
        return lake.arrow_notes(FORMER_PARTIES)[_VERSION] if lake.exists(FORMER_PARTIES) else ""
    except DamagedError as damaged:
        made_anew("What parties were known by is", damaged)
        return ""


@dataclass(frozen=True)
class Changed:
    """Records that have changed since a version.

    Attributes:
        parties: What they were, as ``FORMER`` has it; of those that are new only the key.
        orders: As ``ORDERS`` has them.
    """

    parties: pa.Table
    orders: pa.Table

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self.parties.num_rows or self.orders.num_rows)

    @classmethod
    def since(cls, lake: Lake, published: Mapping[str, str]) -> Self | None:
        """What changed since a version that was made from these versions of records; None where that is not known."""
        found = {}
        for entity in WHOSE:
            table, mark = tables.records(lake, entity), published.get(str(entity))
            if not table.exists and mark is None:
                found[entity] = ORDERS.empty_table(), ORDERS.empty_table()
                continue
            changes = table.since(Mark.parse(mark)) if table.exists and mark else None
            if changes is None:
                return None
            found[entity] = changes.rows, changes.gone
        parties, orders = (found[entity] for entity in WHOSE)
        if orders[1].num_rows:  # by which numbers they were known is not
            return None
        keys = pa.concat_tables([piece.select(RECORD_KEY) for piece in parties])
        former = _former(lake, keys, published.get(str(Entity.PARTY)))
        return None if former is None else cls(former, orders[0].select(ORDERS.names).cast(ORDERS))


def _former(lake: Lake, keys: pa.Table, version: str | None) -> pa.Table | None:
    """What party records were at a version; None where that is not known."""
    if not keys.num_rows:
        return FORMER.empty_table()
    if version is None or _version(lake) != version:
        return None
    try:
        known = lake.read_arrow(FORMER_PARTIES)
    except DamagedError as damaged:
        made_anew("What parties were known by is", damaged)
        return None
    nothing = {name: pa.nulls(keys.num_rows, pa.string()) for name in CONTACTS}
    only_keys = pa.table({**{name: keys[name] for name in RECORD_KEY}, **nothing}, schema=FORMER)
    return pa.concat_tables([only_keys, known.filter(having(known, keys, RECORD_KEY))])
