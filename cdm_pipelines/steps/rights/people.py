"""Whom references in rows name: the golden customers of today, by their positions among all.

Belongs here: looking golden ids, records, addresses and phones up in the hub. Does not belong here: what a reference is
(privacy.exposure), where rows come from (``exposure``).
"""

from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import CompoundSelect, Connection, Select, func, select, union

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import OfNobody, declaration
from cdm_pipelines.hub.load import read_table
from cdm_pipelines.hub.published import customers_of, published
from cdm_pipelines.hub.schema import crosswalk, customer, golden_id, search
from cdm_pipelines.hub.schema_privacy import consent_statement
from cdm_pipelines.privacy.exposure import EMAIL, GOLDEN, PARTY, PHONE, RECORD
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.keys import RECORD_KEY

_SIGN = {EMAIL: "@", PHONE: "+"}
_IDS = pa.schema([("golden_id", pa.string())])
_PAIRS = pa.schema([("value", pa.string()), ("golden_id", pa.string())])
_KNOWN = pa.schema([("value", pa.string()), ("customer", pa.int64())])
RESOLVED = pa.schema([("row", pa.int64()), ("customer", pa.int64()), ("record", pa.string())])


class People:
    """Everybody there is, as the hub has them now.

    Args:
        connection: Of a migrated hub.
        contracts: All, of which some are of nobody.
    """

    def __init__(self, connection: Connection, contracts: Sequence[SourceContract]) -> None:
        self._connection = connection
        self._of_nobody = {
            (one.source, one.entity)
            for one in contracts
            if all(isinstance(declaration(entity).whose, OfNobody) for entity in one.entities)
        }
        self.customers = whole(self._read(select(customer.c.golden_id), _IDS)["golden_id"])
        self._of_source = cache(self._read_records)
        self._of_party = cache(self._read_parties)
        self._by_term = cache(self._read_terms)

    def resolve(self, references: pa.Table) -> pa.Table:
        """Whom references name: ``RESOLVED``, a customer by position or a record that nobody's customer is.

        Args:
            references: ``privacy.exposure.REFERENCES``.
        """
        parts = [RESOLVED.empty_table()]
        groups = references.group_by(["kind", "source", "entity"]).aggregate([]).to_pylist()
        for group in groups:
            same = [pc.equal(references[name], group[name] or "") for name in ("kind", "source", "entity")]
            rows = references.filter(pc.and_(pc.and_(same[0], same[1]), same[2])).select(["row", "value"])
            kind, source, entity = group["kind"], group["source"] or "", group["entity"] or ""
            if kind == GOLDEN:
                known = self._registered
            elif kind == RECORD:
                known = self._of_source(source, entity)
            else:
                known = self._of_party(source) if kind == PARTY else self._by_term(kind)
            found = rows.join(known, "value", join_type="inner").select(["row", "customer"])
            parts.append(found.append_column("record", pa.nulls(found.num_rows, pa.string())).cast(RESOLVED))
            if kind == RECORD and (source, entity) not in self._of_nobody:
                alone = rows.join(known, "value", join_type="left anti")
                own = [pa.repeat(pa.scalar(one), alone.num_rows) for one in (source, entity)]
                key = pc.binary_join_element_wise(
                    *map(pa.chunked_array, ([own[0]], [own[1]])), alone["value"], "/"
                )
                columns = [alone["row"], pa.nulls(alone.num_rows, pa.int64()), key]
                parts.append(pa.table(columns, schema=RESOLVED))
        return pa.concat_tables(parts)

    @cached_property
    def _registered(self) -> pa.Table:
        """Every golden id that is somebody's now, those that were merged into another too."""
        current = func.coalesce(golden_id.c.alias_of, golden_id.c.golden_id)
        return self._known(
            select(golden_id.c.golden_id, current).union(select(customer.c.golden_id, customer.c.golden_id))
        )

    def _read_records(self, source: str, entity: str) -> pa.Table:
        """Records of a source entity, of whatever canonical entity, and statements of consent."""
        queries = []
        for table in published().values():
            if set(RECORD_KEY) <= set(table.key):
                of = customers_of(table.name).subquery().c
                queries.append(
                    select(of.record_id, of.golden_id).where(of.source == source, of.entity == entity)
                )
        s = consent_statement.c
        known = (s.source == source, s.entity == entity, s.golden_id.is_not(None))
        queries += [select(name, s.golden_id).where(*known) for name in (s.record_id, s.statement_id)]
        return self._known(union(*queries))

    def _read_parties(self, source: str) -> pa.Table:
        c = crosswalk.c
        return self._known(select(c.record_id, c.golden_id).where(c.source == source).distinct())

    def _read_terms(self, kind: str) -> pa.Table:
        """Addresses or phones of any record of a customer, as the search knows them."""
        terms = select(search.c.golden_id, func.unnest(search.c.terms).label("term")).subquery().c
        of_kind = func.left(terms.term, 1) == _SIGN[kind]
        return self._known(select(func.substr(terms.term, 2), terms.golden_id).where(of_kind))

    def _known(self, query: Select[Any] | CompoundSelect[Any]) -> pa.Table:
        """Values, each with the position of its customer; those of nobody there is are left out."""
        pairs = self._read(query, _PAIRS)
        at = pc.index_in(pairs["golden_id"], value_set=self.customers).cast(pa.int64())
        table = pa.table([pairs["value"], at], schema=_KNOWN)
        return table.filter(pc.is_valid(table["customer"]))

    def _read(self, query: Select[Any] | CompoundSelect[Any], schema: pa.Schema) -> pa.Table:
        compiled = query.compile(dialect=self._connection.dialect)
        return read_table(self._connection, str(compiled), schema, compiled.params)


def positions(resolved: pa.Table) -> np.ndarray:
    """Positions of the customers that were found."""
    return resolved["customer"].drop_null().to_numpy()
