"""What stewards read, staged with the customers: their links, and which of them are in doubt.

Belongs here: from the lake's matches and cluster health to rows by customer. Does not belong here: the queue that
follows from them (steps.stewardship), applying what is staged (hub.review).

The links of a customer are a function of its records and of the scored pairs that have one of them. So they are staged
anew for the customers that a change touches, and for those of records whose pairs changed; for all customers where the
latter are not known, or where another model says what a match is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.hub import bulk
from cdm_pipelines.hub.parts import Asked
from cdm_pipelines.hub.schema_review import relinked, staged_doubt, staged_link
from cdm_pipelines.hub.staging import Staging
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.steps.customers import affected
from cdm_pipelines.steps.linking import model_versions
from cdm_pipelines.steps.linking.health import read_health
from cdm_pipelines.steps.linking.linked_with import MODEL
from cdm_pipelines.steps.stewardship.doubts import customers_in_doubt
from cdm_pipelines.store import tables
from cdm_pipelines.store.keys import RECORD_KEY, composite_keys, having, positions, record_keys
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Changes, Mark

MATCHES = "link/matches"
"""By this name the published version remembers the pairs that it was made from."""
_SIDES = (("left_source", "left_id"), ("right_source", "right_id"))


def version(lake: Lake) -> dict[str, str]:
    """The version of the scored pairs."""
    table = tables.matches(lake)
    return {MATCHES: str(table.mark)} if table.exists else {}


@dataclass(frozen=True)
class Part:
    """Customers that were worked through by themselves.

    Attributes:
        asked: The published version.
        ids: Their golden ids, published and next.
        crosswalk: The next one of all their records.
        gone: Keys of records of theirs, some of which are there no more.
    """

    asked: Asked
    ids: pa.Array
    crosswalk: pa.Table
    gone: pa.Table


@dataclass(frozen=True)
class ReadModels:
    """Staging of the read models.

    Attributes:
        connection: In the transaction of the staging.
        lake: The lake.
        published: What the published version was made from.
        made_from: What the next one is made from.
        kinds: ``RECORD_KEY`` and ``party_kind`` of all records.
    """

    connection: Connection
    lake: Lake
    published: Mapping[str, str]
    made_from: Mapping[str, str]
    kinds: pa.Table

    def everything(self, staging: Staging, crosswalk: pa.Table) -> None:
        """Stage the links of all customers, and those in doubt."""
        staging.add(staged_link.name, self._links(crosswalk, self._pairs()))
        self._doubts(staging, crosswalk)

    def part(self, staging: Staging, part: Part) -> None:
        """Stage the links of customers that were worked through and of those whose pairs changed; all in doubt."""
        changes = self._changes()
        if changes is None:
            staging.add(staged_link.name, self._links(self._whole(part), self._pairs()))
        else:
            crosswalk, ids = self._relinked(part, changes)
            pairs = self._pairs()
            near = [having(pairs, _named(crosswalk), ("source", "record_id"), side) for side in _SIDES]
            staging.add(relinked.name, pa.table({"golden_id": ids}))
            staging.add(staged_link.name, self._links(crosswalk, pairs.filter(pc.or_(*near))))
        doubtful = affected.apart(read_health(self.lake))
        self._doubts(staging, affected.completed(part.asked, doubtful.select(RECORD_KEY), part.crosswalk))

    def _changes(self) -> Changes | None:
        """Pairs that changed since the published version; None where that is not known, or not all."""
        same_model = self.published.get(MODEL) == self.made_from.get(MODEL)
        if not (same_model and MATCHES in self.published and MATCHES in self.made_from):
            return None
        return tables.matches(self.lake).since(Mark.parse(self.published[MATCHES]))

    def _pairs(self) -> pa.Table:
        """The scored pairs."""
        table = tables.matches(self.lake)
        columns = [*_SIDES[0], *_SIDES[1], "weight", "probability"]
        if table.exists:
            return table.read(columns)
        text, number = pa.array([], pa.string()), pa.array([], pa.float64())
        return pa.table([text] * 4 + [number] * 2, names=columns)

    def _relinked(self, part: Part, changes: Changes) -> tuple[pa.Table, pa.Array]:
        """The next crosswalk of the customers whose links are made anew, and their ids."""
        ends = [
            affected.apart(table.select(side).rename_columns(["source", "record_id"]))
            for table in (changes.rows, changes.gone)
            for side in _SIDES
        ]
        known = _without(affected.distinct(pa.concat_tables(ends)), part.crosswalk)
        besides = part.asked.customers_of_records(known)
        besides = besides.filter(pc.invert(pc.is_in(besides, value_set=part.ids)))
        others = part.asked.crosswalk_of_customers(besides, CROSSWALK_SCHEMA)
        ids = pa.concat_arrays([part.ids, besides])
        return pa.concat_tables([part.crosswalk, others]), ids

    def _whole(self, part: Part) -> pa.Table:
        """The next crosswalk of all records."""
        published = bulk.read_crosswalk(self.connection, CROSSWALK_SCHEMA)
        stays = _without(_without(published, part.crosswalk), part.gone)
        return pa.concat_tables([stays, part.crosswalk])

    def _links(self, crosswalk: pa.Table, pairs: pa.Table) -> pa.Table:
        """Rows of ``golden.customer_link`` of the customers in a crosswalk, of which it has all records."""
        names = composite_keys(_named(crosswalk), "source", "record_id")
        at = [positions(composite_keys(pairs, *side), names) for side in _SIDES]
        golden = crosswalk["golden_id"].combine_chunks()
        code = golden.dictionary_encode().indices.to_numpy()
        own = [np.where(one >= 0, code[one], -1) if len(code) else one for one in at]
        inside = (own[0] == own[1]) & (own[0] >= 0)
        is_match = pairs["probability"].to_numpy() >= self._thresholds(crosswalk)[np.maximum(*at)]
        pieces = []
        for mine, there, sides in (
            (at[0], own[0] >= 0, _SIDES),
            (at[1], (own[1] >= 0) & ~inside, _SIDES[::-1]),
        ):
            rows = np.flatnonzero(there)
            chosen = pairs.take(pa.array(rows))
            record, other = (
                affected.apart(chosen.select(side).rename_columns(["source", "record_id"])) for side in sides
            )
            pieces.append(
                pa.table(
                    {
                        "golden_id": golden.take(pa.array(mine[rows])),
                        **{name: record[name] for name in RECORD_KEY},
                        **{f"other_{name}": other[name] for name in RECORD_KEY},
                        "weight": chosen["weight"],
                        "probability": chosen["probability"],
                        "is_match": is_match[rows],
                        "inside": inside[rows],
                    }
                )
            )
        return pa.concat_tables(pieces)

    def _thresholds(self, crosswalk: pa.Table) -> npt.NDArray[np.float64]:
        """The probability from which a pair of each record is a match: each kind has a model of its own."""
        models = {}
        for kind in PartyKind:
            model = model_versions.current(self.lake, kind)
            if model is not None:
                models[str(kind)] = model.match
        if len(set(models.values())) == 1:  # nor has a record without a model a pair
            return np.full(crosswalk.num_rows + 1, next(iter(models.values())))
        few = self.kinds.filter(having(self.kinds, crosswalk, RECORD_KEY))
        at = positions(record_keys(crosswalk), record_keys(few))
        kinds = few["party_kind"].combine_chunks().take(pa.array(at, mask=at < 0))
        thresholds = np.ones(crosswalk.num_rows + 1)  # the last is that of no record
        for name, match in models.items():
            thresholds[:-1][pc.fill_null(pc.equal(kinds, name), False).to_numpy(zero_copy_only=False)] = match
        return thresholds

    def _doubts(self, staging: Staging, crosswalk: pa.Table) -> None:
        """Stage the customers in doubt; the crosswalk has the records that health names."""
        health = read_health(self.lake)
        names = composite_keys(_named(crosswalk), "source", "record_id")
        at = positions(composite_keys(health, "source", "record_id"), names)
        golden = crosswalk["golden_id"].combine_chunks().take(pa.array(at, mask=at < 0))
        staging.add(staged_doubt.name, customers_in_doubt(health, golden))


def _named(crosswalk: pa.Table) -> pa.Table:
    """``source`` (with the entity, as linkage knows it) and ``record_id``."""
    source = pc.binary_join_element_wise(crosswalk["source"], crosswalk["entity"], "/")
    return pa.table({"source": source, "record_id": crosswalk["record_id"]})


def _without(records: pa.Table, others: pa.Table) -> pa.Table:
    """The records that are none of the others."""
    return records.filter(pc.invert(pc.is_in(record_keys(records), value_set=record_keys(others))))
