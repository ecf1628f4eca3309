"""Cases that are alike: the same doubt, and the same agreement pattern of their best pair of records.

Belongs here: finding them in the queue. Does not belong here: patterns (steps.linking.evidence), deciding (``desk``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import text

from cdm_pipelines.console.cases import PAIR, Key
from cdm_pipelines.console.house import House
from cdm_pipelines.console.queue import first_visible
from cdm_pipelines.console.reads import name_of
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.hub import proposals
from cdm_pipelines.hub import review_queue as hub
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.privacy.views import CUSTOMER
from cdm_pipelines.steps.linking.evidence import Linking
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY

_LOOKED_AT = 500
"""Cases of the same doubt, of those that the role sees, among which those alike are looked for."""


@dataclass(frozen=True)
class Alike:
    """A case that is like another one, with the names of its customers as the role sees them."""

    key: Key
    names: tuple[str, str]
    probability: float | None


def alike(eyes: Eyes, house: House, key: Key, kinds: Sequence[str], most: int) -> list[Alike]:
    """The cases of the queue that are like one of it, that one first; none where it is not about two customers.

    Args:
        eyes: Of who decides.
        house: What all requests share.
        key: The case.
        kinds: Of proposals; what is proposed already is left out.
        most: How many are wanted at most.
    """
    own = hub.items(eyes.connection, [key.text]).get(key.text)
    if key.kind != PAIR or own is None or not own["waits"]:
        return []
    waits = proposals.open_proposals(eyes.connection, kinds)
    proposed = {str(one.subject["case"]) for one in waits if "case" in one.subject}
    others = first_visible(eyes, _LOOKED_AT, {key.text, *proposed}, doubt=str(own["doubt"]))
    items: dict[str, Mapping[str, Any]] = {str(one["item_id"]): one for one in [own, *others]}
    links = {
        item: (Record(*one), Record(*other))
        for item, (one, other) in hub.best_links(eyes.connection, items).items()
    }
    patterns = _patterns(house, links)
    if key.text not in patterns:
        return []
    same = [item for item in items if patterns.get(item) == patterns[key.text]]
    names = _names(eyes, {one for item in same for one in Key.parse(item).ids})
    found = []
    for item in same:
        left, right = Key.parse(item).ids
        if left in names and right in names:
            found.append(Alike(Key.parse(item), (names[left], names[right]), items[item]["probability"]))
    return found[:most]


def _patterns(house: House, links: Mapping[str, tuple[Record, Record]]) -> dict[str, tuple[str, int]]:
    """Kind of party and agreement pattern of each case whose records can be compared."""
    records = sorted({record for pair in links.values() for record in pair})
    keys = pa.table(
        [pa.array([r[at] for r in records], pa.string()) for at in range(3)], names=list(RECORD_KEY)
    )
    rows = tables.records(house.lake, Entity.PARTY).rows(keys)
    models = house.models()
    linkings = house.kept("linkings", lambda: Linking.of(house.lake, house.settings, models.by_kind))
    found: dict[str, tuple[str, int]] = {}
    for kind, linking in linkings.items():
        compared = linking.over(rows.filter(pc.equal(rows["party_kind"], kind)))
        for item, pattern in zip(links, compared.patterns([*links.values()]), strict=True):
            if pattern is not None:
                found[item] = (kind, pattern)
    return found


def _names(eyes: Eyes, ids: set[UUID]) -> dict[UUID, str]:
    """Names of the customers whom the role sees."""
    columns = ", ".join(f'"{name}"' for name in eyes.sight.columns(CUSTOMER))
    query = text(f"SELECT {columns} FROM customer WHERE golden_id = ANY (:ids)")  # noqa: S608 - names of columns
    with eyes.as_role() as connection:
        rows: list[Mapping[str, Any]] = [
            dict(row) for row in connection.execute(query, {"ids": list(ids)}).mappings()
        ]
    eyes.note([CUSTOMER], [row["golden_id"] for row in rows])
    return {row["golden_id"]: name_of(row) for row in rows}
