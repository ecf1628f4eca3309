"""Of whom enrichers work out nothing, now and in the published profile.

Belongs here: who is left out of each table, what changed of that, and staging the table that says so. Does not belong
here: for whom a purpose is off (privacy.off), or computing (``enrich``).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.contracts.profile import WITHHELD
from cdm_pipelines.enrichment.catalogue import enrichers
from cdm_pipelines.enrichment.declaration import AS_OF, MODEL
from cdm_pipelines.hub import profile, profile_withheld
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.privacy.checks import in_force
from cdm_pipelines.privacy.off import WITHHELD_SCHEMA, withheld
from cdm_pipelines.steps.consent.off import off_in_profile
from cdm_pipelines.steps.profile.reading import Company

_NOBODY = pa.array([], pa.string())
_ID = pa.schema([("golden_id", pa.string())])


@dataclass(frozen=True)
class Withholding:
    """Who is left out of which table.

    Attributes:
        latter: ``WITHHELD_SCHEMA`` of the next version.
        former: The same of the published one.
    """

    latter: pa.Table
    former: pa.Table

    @classmethod
    def between(
        cls, connection: Connection, coming: NextVersion, company: Company, off: pa.Table | None
    ) -> "Withholding":
        """From the published version to the next one.

        Raises:
            PurposesError: The purposes cannot be used, or contracts or enrichers do not keep to them.
        """
        policies = company.settings.policies
        purposes = in_force(policies, company.contracts, enrichers(policies))
        off = off_in_profile(connection, purposes) if off is None else off
        customers = _NOBODY
        used = sorted(purposes.of_profile)
        off = off.filter(pc.is_in(off["purpose"], value_set=pa.array(used, pa.string())))
        if off.num_rows:
            customers = coming.customers(_ID, pc.unique(off["golden_id"]))["golden_id"].combine_chunks()
        latter = withheld(off, purposes, company.policy.chosen, customers)
        return cls(latter, profile_withheld.published(connection, WITHHELD_SCHEMA))

    def ids(self, enricher: str) -> pa.Array:
        """Golden ids of the customers whom an enricher leaves out."""
        return self._latter.get(enricher, _NOBODY)

    def now(self, enricher: str) -> str:
        """Changes with them; empty where nobody is left out."""
        return _fingerprint(self.ids(enricher))

    def before(self, enricher: str) -> str:
        """The same of the published version."""
        return _fingerprint(self._former.get(enricher, _NOBODY))

    def with_changed(self, coming: NextVersion, touched: pa.Array | None) -> pa.Array | None:
        """Customers to work on, with those of whom something else is left out than before; None for everybody."""
        if touched is None or not len(self.changed):
            return touched
        found = pc.unique(pa.concat_arrays([touched, self.changed]))
        return found if coming.are_few(found) else None

    @cached_property
    def changed(self) -> pa.Array:
        """Golden ids of customers of whom something else is left out than before."""
        if self.latter.equals(self.former):
            return _NOBODY
        both = (
            pa.concat_tables([self.latter, self.former])
            .group_by(WITHHELD_SCHEMA.names)
            .aggregate([([], "count_all")])
        )
        return pc.unique(both.filter(pc.equal(both["count_all"], 1))["golden_id"].combine_chunks())

    def stage(self, connection: Connection, current: Mapping[str, str] | None, as_of: dt.date) -> None:
        """Stage the table that says so, where what was staged or published last was made from something else."""
        wanted = {"withheld": _fingerprint_of(self.latter)}
        if wanted == current:
            return
        rows = self.latter.append_column(AS_OF, pa.repeat(pa.scalar(as_of), self.latter.num_rows))
        rows = rows.append_column(MODEL, pa.nulls(rows.num_rows, pa.string()))
        profile.stage(connection, WITHHELD, rows, wanted, None)

    @cached_property
    def _latter(self) -> Mapping[str, pa.Array]:
        return _by_enricher(self.latter)

    @cached_property
    def _former(self) -> Mapping[str, pa.Array]:
        return _by_enricher(self.former)


def _by_enricher(rows: pa.Table) -> dict[str, pa.Array]:
    """Golden ids by enricher, in order."""
    texts, ids = rows["enrichers"].combine_chunks(), rows["golden_id"].combine_chunks()
    found: dict[str, list[pa.Array]] = {}
    for said in pc.unique(texts).to_pylist():
        theirs = ids.filter(pc.equal(texts, said))
        for name in said.split(", "):
            found.setdefault(name, []).append(theirs)
    return {name: _sorted(pa.concat_arrays(pieces)) for name, pieces in found.items()}


def _sorted(ids: pa.Array) -> pa.Array:
    return ids.take(pc.sort_indices(ids))


def _fingerprint(ids: pa.Array) -> str:
    return sha256("\n".join(ids.to_pylist()).encode()).hexdigest()[:16] if len(ids) else ""


def _fingerprint_of(rows: pa.Table) -> str:
    return sha256(repr(rows.to_pydict()).encode()).hexdigest()[:16]
