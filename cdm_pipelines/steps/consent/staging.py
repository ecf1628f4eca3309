"""The step from ledger and customers to consent: worked out and staged with the next version.

Belongs here: what has to be worked out anew, and of whom. Does not belong here: the rules (privacy.consent), publishing
(steps.customers.publication).

Where it is known what changed, only customers whom that may concern are worked on: those that the next version touches,
those whom new statements are about (delivered, or made here), those whose consent ends, and all that share an address
with one of them. The outcome is that of working on everybody.
"""

import json
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.hub import consent as hub
from cdm_pipelines.hub import said, staging
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.privacy.concerned import concerned
from cdm_pipelines.privacy.consent import RULES, STATEMENTS, Effective, effective
from cdm_pipelines.privacy.purposes import POLICY, Purposes
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.consent.identity import Identity, of_concerned, of_everybody
from cdm_pipelines.steps.days.records import first_days
from cdm_pipelines.store import tables
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.keys import RECORD_KEY, composite_keys, having, positions, record_keys
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Layered, Mark


@dataclass(frozen=True)
class StagedConsent:
    """What was staged.

    Attributes:
        delivered: Statements in the ledger.
        worked: Customers that were worked on; None for everybody, 0 where all was up to date.
        rows: Rows of consent that were staged.
        statements: Statements that were staged.
        standing: Of those that were worked on, by what became of them.
        purposes: Keys of the purposes that there are.
    """

    delivered: int
    worked: int | None = 0
    rows: int = 0
    statements: int = 0
    standing: Mapping[str, int] = field(default_factory=dict)
    purposes: Collection[str] = ()

    @property
    def sentence(self) -> str:
        """What was done, for the log."""
        if self.worked == 0:
            return f"{self.delivered:,} statements, up to date"
        whom = "everybody" if self.worked is None else f"{self.worked:,} customers"
        return f"{self.delivered:,} statements; {self.rows:,} rows for {whom}"


def stage_consent(
    connection: Connection,
    lake: Lake,
    settings: Settings,
    *,
    defaults: Mapping[str, bool] | None = None,
    rebuild: bool = False,
) -> StagedConsent:
    """Work out what customers allow, as they will be published, and stage it; what is up to date is left as it is.

    Args:
        connection: Of a migrated hub, in a transaction.
        lake: The lake.
        settings: Where policies are, and the number of threads.
        defaults: By purpose, whether it is allowed while nothing was said; as ``purposes.yaml`` has it when left out.
        rebuild: Whether to work on everybody whatever changed.

    Raises:
        PurposesError: The purposes cannot be used.
    """
    defaults = Purposes.load(settings.policies / POLICY).defaults if defaults is None else defaults
    staging.lock(connection)
    ledger, published = tables.records(lake, Entity.CONSENT), hub.state(connection)
    firsts = first_days(lake, Entity.CONSENT)
    delivered = (
        ledger.read(["last_seen"])["last_seen"] if ledger.exists else pa.chunked_array([], pa.string())
    )
    version = said.version(connection)
    here = int(version.partition(":")[0] or 0)
    if not (here or (ledger.exists and (published or len(delivered)))):
        return StagedConsent(0, purposes=tuple(defaults))
    coming = NextVersion.of(connection)
    work = _Work(
        connection,
        lake,
        coming,
        ledger,
        _newest(lake, delivered),
        firsts,
        defaults,
        version,
        settings.threads,
    )
    made_from = work.made_from(coming.fingerprint)
    total = len(delivered) + here
    if not rebuild and made_from == (hub.waiting(connection) or published):
        return StagedConsent(total, purposes=tuple(defaults))
    known = not rebuild and _lasting(published) == _lasting(work.made_from(coming.published))
    changed = work.concerned_by() if known else None
    ids, result = (None, work.everybody()) if changed is None else work.part(*changed)
    rows = work.ledger_rows(result.standing)
    hub.stage(connection, result.consent, rows, made_from, ids)
    counted = {
        row["values"]: row["counts"]
        for row in pc.value_counts(whole(result.standing["standing"])).to_pylist()
    }
    worked = None if ids is None else len(ids)
    standing = dict(sorted(counted.items()))
    return StagedConsent(total, worked, result.consent.num_rows, rows.num_rows, standing, tuple(defaults))


def _lasting(made_from: Mapping[str, str]) -> dict[str, str]:
    """What a version was made from, but for what it is known of whom it concerns."""
    return {name: one for name, one in made_from.items() if name not in ("as_of", hub.SAID)}


@dataclass(frozen=True)
class _Work:
    connection: Connection
    lake: Lake
    coming: NextVersion
    table: Layered
    as_of: date
    firsts: Mapping[str, str]
    defaults: Mapping[str, bool]
    version: str
    threads: int

    def made_from(self, customers: str) -> dict[str, str]:
        """Versions of all that consent is made from, given that of the customers, the ledger among it."""
        return {
            "customers": customers,
            "rules": sha256(RULES.encode()).hexdigest()[:16],
            hub.DEFAULTS: json.dumps(dict(sorted(self.defaults.items()))),
            hub.FIRST_DAYS: json.dumps(dict(sorted(self.firsts.items()))),
            "as_of": self.as_of.isoformat(),
            **({hub.SAID: self.version} if self.version else {}),
        }

    @cached_property
    def ledger(self) -> pa.Table:
        """All statements, those of sources and those that were made here, as ``said.LEDGER``."""
        here = said.ledger(self.connection)
        if not self.table.exists:
            return here
        rows = self.table.read()
        party = composite_keys(rows, "source", "party_entity", "party_record_id")
        of_sources = rows.append_column("party", party).select(said.LEDGER.names).cast(said.LEDGER)
        return pa.concat_tables([of_sources, here])

    @cached_property
    def said(self) -> pa.Table:
        """The ledger as the rules read it."""
        return self.ledger.select(STATEMENTS.names).cast(STATEMENTS)

    def everybody(self) -> Effective:
        """Work on everybody."""
        return self._effective(self.said, of_everybody(self.lake, self.coming))

    def concerned_by(self) -> tuple[pa.Array, pa.Table] | None:
        """Customers and statements that what changed may concern; None where that is not known."""
        mark = self.coming.published_from.get(str(Entity.CONSENT))
        changes = self.table.since(Mark.parse(mark)) if mark and self.table.exists else None
        touched = self.coming.touched()
        if changes is None or changes.gone.num_rows or touched is None:
            return None
        depending, several = hub.depending(self.connection, self.as_of.isoformat())
        ids = pa.concat_arrays([touched.cast(pa.string()), depending]).unique()
        about = hub.statements_about(self.connection, ids)
        here = said.waiting(self.connection)
        return ids, pa.concat_tables([changes.rows.select(RECORD_KEY), several, about, here])

    def part(self, customers: pa.Array, asked: pa.Table) -> tuple[pa.Array | None, Effective]:
        """Work on some customers, with all who share an address with one of them."""
        those = of_concerned(self.lake, self.coming, self.said, customers, asked)
        if those is None:
            those = of_everybody(self.lake, self.coming)
        part = concerned(self.said, those.records, those.contacts, customers=customers, asked=asked)
        if not self.coming.are_few(part.customers):
            return None, self.everybody()
        those = replace(those, records=part.records, contacts=part.contacts)
        return part.customers, self._effective(part.statements, those)

    def _effective(self, statements: pa.Table, whose: Identity) -> Effective:
        with tempfile.TemporaryDirectory(prefix="cdm-consent-") as folder:
            return effective(
                statements,
                whose.records,
                whose.contacts,
                whose.births,
                defaults=self.defaults,
                as_of=self.as_of,
                first_days=self.firsts,
                threads=self.threads,
                spill=Path(folder),
            )

    def ledger_rows(self, standing: pa.Table) -> pa.Table:
        """Statements as they are published: of the ledger, with what became of them."""
        rows = self.ledger.filter(having(self.ledger, standing, RECORD_KEY))
        at = pa.array(positions(record_keys(rows), record_keys(standing)))
        found = {name: whole(standing[name]).take(at) for name in ("golden_id", "customers", "standing")}
        names = [*RECORD_KEY, "first_seen", *(one.name for one in attributes(Entity.CONSENT))]
        return pa.table({**{name: rows[name] for name in names}, **found})


def _newest(lake: Lake, delivered: pa.ChunkedArray) -> date:
    """The day of the newest extract."""
    parties = tables.records(lake, Entity.PARTY)
    days = [*delivered.chunks, *(parties.read(["last_seen"])["last_seen"].chunks if parties.exists else [])]
    newest = pc.max(pa.chunked_array(days, pa.string())).as_py()
    return date.fromisoformat(newest or date.min.isoformat())
