"""What enrichers work on, from lake and hub.

Belongs here: the base tables of ``enrichment.inputs``, of everybody or of some customers. Does not belong here: what is
computed of them.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import OfParty
from cdm_pipelines.contracts.entity import declaration, with_state
from cdm_pipelines.enrichment.attachment import Attached
from cdm_pipelines.enrichment.inputs import ATTACHED
from cdm_pipelines.enrichment.interactions import SUBJECT_COLUMNS
from cdm_pipelines.enrichment.policy import EnrichmentPolicy
from cdm_pipelines.enrichment.tokens import Eras, InteractionPolicy
from cdm_pipelines.enrichment.work import GOLDEN_ID, Work, opened
from cdm_pipelines.golden.survivorship import CUSTOMER_SCHEMA
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.records import records_schema
from cdm_pipelines.records.whose import PARTY_KEY
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.former import WHOSE, Changed, versions
from cdm_pipelines.steps.profile.interactions import Updated, delivering, update_interactions
from cdm_pipelines.steps.profile.touches import Known, Touches, opened_touches, rules_now
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake


def newest_day(lake: Lake, contracts: Sequence[SourceContract]) -> dt.date | None:
    """The newest day of which there is anything."""
    dates = [
        date
        for contract in contracts
        for entity in contract.entities
        for date in layout.standard_days(lake, contract, entity)
    ]
    return dt.date.fromisoformat(max(dates)) if dates else None


@dataclass(frozen=True)
class AttachedFrom:
    """Stand for all by which interactions are attached besides the customers; empty where there are none.

    Attributes:
        before: As it was when days were counted before, by the records of the published version.
        now: As it is.
    """

    before: str
    now: str


def _digest(days: str, records: Mapping[str, str], eras: Eras) -> str:
    """Changes with the counted days, the records that say whose they are, and the rules."""
    said = [days, *(records.get(str(entity)) for entity in WHOSE), *eras]
    return sha256(repr(said).encode()).hexdigest()[:16] if days else ""


@dataclass(frozen=True)
class Company:
    """Where the records of customers are, and what a company chose of their profile.

    Attributes:
        lake: The lake.
        settings: Time zone, number of threads.
        policy: Currency, rates, states that do not count.
        contracts: Of all sources.
        interactions: Whose interactions are.
    """

    lake: Lake
    settings: Settings
    policy: EnrichmentPolicy
    contracts: Sequence[SourceContract]
    interactions: InteractionPolicy
    _attached: dict[str, tuple[pa.Table, Attached | None]] = field(default_factory=dict, compare=False)
    _in_part: dict[str, tuple[pa.Array, pa.Table]] = field(default_factory=dict, compare=False)

    @property
    def eras(self) -> Eras:
        """The rules by which interactions are attached: those of a contract as well, where the policy says nothing."""
        named = {one.source: (one.refers_to,) for one in delivering(self.contracts) if one.refers_to}
        numbers_of = {**named, **self.interactions.numbers_of}
        return rules_now(self.lake, self.interactions.model_copy(update={"numbers_of": numbers_of}))

    def counted(self) -> Updated:
        """Count the days of interactions that are new or have changed; once, so that all who ask are told what was."""
        return self._counted

    @cached_property
    def _counted(self) -> Updated:
        return update_interactions(
            self.lake,
            self.contracts,
            self.settings.timezone,
            threads=self.settings.threads,
            rows=self.settings.chunk_rows,
        )

    @property
    def last_attached(self) -> Attached | None:
        """What came of attaching interactions; None where that was not worked out."""
        return next((found for _, found in reversed(self._attached.values())), None)

    def attached_from(self, coming: NextVersion) -> AttachedFrom:
        """By what interactions are attached, now and when the profile was published, besides the customers."""
        counted, eras = self.counted(), self.eras
        return AttachedFrom(
            _digest(counted.before, coming.published_from, eras),
            _digest(counted.mark, versions(self.lake), eras),
        )

    def concerned(self, coming: NextVersion, touched: pa.Array) -> pa.Array | None:
        """Golden ids of customers whose interactions may be others than in the published profile; nobody else's are.

        Args:
            coming: The next version, made of the records as they are.
            touched: The customers that it touches, who are among them.

        Returns:
            None where that is not known, or where they are so many that everybody may be worked on.
        """
        counted = self.counted()
        changed = Changed.since(self.lake, coming.published_from)
        same_days = counted.mark == counted.before
        subjects = SUBJECT_COLUMNS.empty_table() if same_days else counted.subjects
        if changed is None or subjects is None:
            return None
        if not (counted.mark or counted.before) or not (len(touched) or subjects.num_rows or changed.any):
            return touched
        with self._touches(coming) as touches:
            names = touched.to_pylist()
            found = touches.concerned(
                self.eras, names, subjects, former=changed.parties, orders=changed.orders
            )
            ids = pa.array(found, pa.string())
            if not coming.are_few(ids):
                return None
            self._in_part[coming.fingerprint] = ids, touches.attached(self.eras, found)[0]
        return ids

    def attached(self, coming: NextVersion, ids: pa.Array | None = None) -> tuple[pa.Table, Attached | None]:
        """The interactions of everybody, and what came of attaching them, or those of some customers.

        Worked out once for a version; the days are counted before (``counted``).
        """
        if ids is not None and coming.fingerprint not in self._attached:
            return self._of(coming, ids), None
        if coming.fingerprint not in self._attached:
            with self._touches(coming) as touches:
                self._attached[coming.fingerprint] = touches.attached(self.eras)
        rows, found = self._attached[coming.fingerprint]
        return (rows, found) if ids is None else (rows.filter(pc.is_in(rows[GOLDEN_ID], value_set=ids)), None)

    def _of(self, coming: NextVersion, ids: pa.Array) -> pa.Table:
        """The interactions of some customers."""
        known, rows = self._in_part.get(coming.fingerprint, (None, ATTACHED.empty_table()))
        if known is not None and known.equals(ids):
            return rows
        if not len(ids) or not self.counted().mark:
            return ATTACHED.empty_table()
        with self._touches(coming) as touches:
            return touches.attached(self.eras, ids.to_pylist())[0]

    @contextmanager
    def _touches(self, coming: NextVersion) -> Iterator[Touches]:
        known = Known.of(self.lake, coming.crosswalk(CROSSWALK_SCHEMA, None))
        with opened_touches(self.lake, self.contracts, known, threads=self.settings.threads) as touches:
            yield touches


@contextmanager
def working(
    company: Company,
    coming: NextVersion,
    as_of: dt.date,
    inputs: Collection[str],
    ids: pa.Array | None = None,
) -> Iterator[Work]:
    """The work of enrichers on all customers of the next version, or on some.

    Args:
        company: Lake, settings and policy.
        coming: The next version.
        as_of: The day that scores hold for.
        inputs: What the enrichers read; what nobody reads is left empty.
        ids: Golden ids of the customers to work on; None for everybody.
    """
    policy, settings = company.policy, company.settings
    base = {
        "crosswalk": coming.crosswalk(CROSSWALK_SCHEMA, ids),
        "golden_customer": coming.customers(CUSTOMER_SCHEMA, ids)
        if "customers" in inputs
        else CUSTOMER_SCHEMA.empty_table(),
        "rates": policy.rates,
        "not_counted": pa.table({"status": pa.array(policy.not_counted, pa.string())}),
        "attached": company.attached(coming, ids)[0] if "touches" in inputs else ATTACHED.empty_table(),
        **{f"state_{one.entity}": _state(company.lake, one.entity) for one in with_state()},
    }
    with opened(
        base, as_of=as_of, currency=policy.currency, timezone=settings.timezone, threads=settings.threads
    ) as work:
        yield work


def _state(lake: Lake, entity: str) -> pa.Table:
    """The current records of an entity."""
    declared = declaration(entity)
    schema = records_schema(declared.entity)
    if isinstance(declared.whose, OfParty):
        for name in PARTY_KEY[1:]:
            schema = schema.append(pa.field(name, pa.string()))
    table = tables.records(lake, declared.entity)
    return table.read(schema.names).cast(schema) if table.exists else schema.empty_table()
