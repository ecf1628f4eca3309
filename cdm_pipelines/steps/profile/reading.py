"""What enrichers work on, from lake and hub.

Belongs here: the base tables of ``enrichment.inputs``, of everybody or of some customers. Does not belong here: what is
computed of them.
"""

import datetime as dt
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, OfParent, OfParty
from cdm_pipelines.contracts.entity import EntityDeclaration, KeptAs, OfNobody, declaration, with_state
from cdm_pipelines.enrichment.attachment import Attached
from cdm_pipelines.enrichment.inputs import ATTACHED
from cdm_pipelines.enrichment.interactions import SUBJECT_COLUMNS
from cdm_pipelines.enrichment.policy import EnrichmentPolicy
from cdm_pipelines.enrichment.tokens import Eras, InteractionPolicy
from cdm_pipelines.enrichment.work import Late, Work, opened
from cdm_pipelines.golden.survivorship import CUSTOMER_SCHEMA
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.records import records_schema
from cdm_pipelines.records.whose import PARTY_KEY
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.former import WHOSE, Changed, versions
from cdm_pipelines.steps.profile.interactions import Updated, delivering, update_interactions
from cdm_pipelines.steps.profile.touches import CROSSWALK, Known, Touches, opened_touches, rules_now
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.keys import RECORD_KEY
from cdm_pipelines.store.lake import Lake

_PAID_AT = "payment.paid_at"


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
    spent: dict[str, float] = field(default_factory=dict, compare=False)
    _found: list[Attached | None] = field(default_factory=list, compare=False)
    _kept: list["_Kept"] = field(default_factory=list, compare=False)
    _in_part: dict[str, tuple[pa.Array, pa.Table]] = field(default_factory=dict, compare=False)

    @property
    def days_of_payment(self) -> tuple[str, ...]:
        """The sources that say when something was paid."""
        told = {one.source for one in self.contracts if any(path == _PAID_AT for _, path in one.mapped())}
        return tuple(sorted(told))

    @property
    def fingerprint(self) -> str:
        """Changes with the policy, and with what contracts say of payments."""
        return sha256(repr((self.policy.fingerprint, self.days_of_payment)).encode()).hexdigest()[:16]

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
        with self.timed("counting"):
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
        return self._found[-1] if self._found else None

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
        with self._touches(coming, in_part=True) as touches:
            names = touched.to_pylist()
            found = touches.concerned(
                self.eras, names, subjects, former=changed.parties, orders=changed.orders
            )
            ids = pa.array(found, pa.string())
            if not coming.are_few(ids):
                return None
            self._in_part[coming.fingerprint] = ids, touches.attached(self.eras, found)[0]
        return ids

    @contextmanager
    def attached(self, coming: NextVersion, ids: pa.Array | None = None) -> Iterator[pa.RecordBatchReader]:
        """The interactions of everybody, some rows at a time and golden ids as bytes, or those of some customers.

        The days are counted before (``counted``); what came of everybody is then in ``last_attached``.
        """
        with self.timed("attaching"), ExitStack() as stack:
            if ids is not None:
                rows = self._of(coming, ids).to_reader()
            else:
                rows, found = stack.enter_context(self._touches(coming)).read(self.eras)
                self._found.append(found)
            yield rows

    def _of(self, coming: NextVersion, ids: pa.Array) -> pa.Table:
        """The interactions of some customers."""
        known, rows = self._in_part.get(coming.fingerprint, (None, ATTACHED.empty_table()))
        if known is not None and known.equals(ids):
            return rows
        if not len(ids) or not self.counted().mark:
            return ATTACHED.empty_table()
        with self._touches(coming, in_part=True) as touches:
            return touches.attached(self.eras, ids.to_pylist())[0]

    @contextmanager
    def _touches(self, coming: NextVersion, *, in_part: bool = False) -> Iterator[Touches]:
        if in_part:
            known = Known.looked_up(self.lake, _InHub(coming))
        else:
            known = Known.of(self.lake, coming.crosswalk(CROSSWALK_SCHEMA, None))
        with opened_touches(self.lake, self.contracts, known, threads=self.settings.threads) as touches:
            yield touches

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Add the seconds that a block takes to ``spent``."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.spent[what] = self.spent.get(what, 0.0) + time.monotonic() - begun

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep what is made of everybody until the block ends: who computes goes on with what fitting has made."""
        with ExitStack() as stack:
            self._kept.append(_Kept(stack))
            try:
                yield
            finally:
                self._kept.pop()


@dataclass(frozen=True)
class _InHub:
    """Looks up rows of the crosswalk of the next version."""

    coming: NextVersion

    def of_customers(self, golden_ids: pa.Array) -> pa.Table:
        return self.coming.crosswalk(CROSSWALK, golden_ids)

    def of_records(self, keys: pa.Table) -> pa.Table:
        return self.coming.crosswalk_of(CROSSWALK, keys)


@dataclass
class _Kept:
    """Work on everybody that stays open, by the version and the day that it was opened for."""

    stack: ExitStack
    works: dict[tuple[str, dt.date], Work] = field(default_factory=dict)


@contextmanager
def working(
    company: Company, coming: NextVersion, as_of: dt.date, ids: pa.Array | None = None
) -> Iterator[Work]:
    """The work of enrichers on all customers of the next version, or on some.

    Args:
        company: Lake, settings and policy.
        coming: The next version.
        as_of: The day that scores hold for.
        ids: Golden ids of the customers to work on; None for everybody.
    """
    if ids is not None or not company._kept:  # noqa: SLF001 - of this module
        with _opened(company, coming, as_of, ids) as work:
            yield work
        return
    kept = company._kept[-1]  # noqa: SLF001 - of this module
    key = (coming.fingerprint, as_of)
    if key not in kept.works:
        kept.works[key] = kept.stack.enter_context(_opened(company, coming, as_of, None))
    yield replace(kept.works[key], late=_late(company, coming))  # the former transaction may be over


@contextmanager
def _opened(company: Company, coming: NextVersion, as_of: dt.date, ids: pa.Array | None) -> Iterator[Work]:
    policy, settings = company.policy, company.settings
    with company.timed("reading"):
        crosswalk = coming.crosswalk(CROSSWALK_SCHEMA, ids)
        of = None if ids is None else crosswalk
        base = {
            "crosswalk": crosswalk,
            "rates": policy.rates,
            "not_counted": pa.table({"status": pa.array(policy.not_counted, pa.string())}),
            "days_of_payment": pa.table({"source": pa.array(company.days_of_payment, pa.string())}),
            **{
                f"state_{one.entity}": _state(company.lake, one, of)
                for one in with_state()
                if one.entity not in _READ_ONCE.values() and one.kept is KeptAs.STATE
            },
        }
    with (
        tempfile.TemporaryDirectory(prefix="cdm-profile-") as folder,
        opened(
            base,
            as_of=as_of,
            horizon=policy.horizon(as_of),
            currency=policy.currency,
            timezone=settings.timezone,
            threads=settings.threads,
            late=_late(company, coming, ids, of),
            spill=Path(folder),
        ) as work,
    ):
        yield work


_READ_ONCE = {
    "records": Entity.PARTY,
    "order_lines": Entity.ORDER_LINE,
    "products": Entity.PRODUCT,
    "payments": Entity.PAYMENT,
    "invoices": Entity.INVOICE,
}
"""Inputs that alone read the records of an entity, which are let go once the input is made."""


def _late(
    company: Company, coming: NextVersion, ids: pa.Array | None = None, of: pa.Table | None = None
) -> Late:
    """What is large, and read once it is asked for: interactions, golden customers, most records."""

    def customers() -> AbstractContextManager[pa.Table]:
        return nullcontext(coming.customers(CUSTOMER_SCHEMA, ids))

    def touches() -> AbstractContextManager[pa.RecordBatchReader]:
        return company.attached(coming, ids)

    def state(entity: Entity) -> tuple[str, Callable[[], AbstractContextManager[pa.Table]]]:
        return f"state_{entity}", lambda: nullcontext(_state(company.lake, declaration(entity), of))

    return {
        "customers": ("golden_customer", customers),
        "touches": ("attached", touches),
        **{name: state(entity) for name, entity in _READ_ONCE.items()},
    }


_ORIGIN = ("source", "active", "first_seen")


def _state(lake: Lake, declared: EntityDeclaration, of: pa.Table | None) -> pa.Table:
    """The current records of an entity, or those of the customers of a crosswalk.

    Of parties it has every column, of others no more of their origin than is asked.
    """
    schema = records_schema(declared.entity)
    if declared.entity is not Entity.PARTY:
        named = {*_ORIGIN, *(attribute.name for attribute in declared.attributes)}
        schema = pa.schema([one for one in schema if one.name in named])
    if isinstance(declared.whose, OfParty):
        for name in PARTY_KEY[1:]:
            schema = schema.append(pa.field(name, pa.string()))
    table = tables.records(lake, declared.entity)
    if not table.exists:
        return schema.empty_table()
    rows = table.read(schema.names) if of is None else _theirs(lake, declared, of).select(schema.names)
    return rows.cast(schema)


def _theirs(lake: Lake, declared: EntityDeclaration, crosswalk: pa.Table) -> pa.Table:
    """The records of an entity that are of the customers of a crosswalk; all of what is nobody's."""
    table, whose = tables.records(lake, declared.entity), declared.whose
    if not table.exists or isinstance(whose, OfNobody):
        return table.read() if table.exists else records_schema(declared.entity).empty_table()
    if isinstance(whose, OfParent):
        mine, others = zip(*whose.by, strict=True)
        parents = _theirs(lake, declaration(whose.entity), crosswalk)
        return table.rows(parents.select(["source", *others]), ["source", *mine])
    return table.rows(crosswalk.select(RECORD_KEY), PARTY_KEY if isinstance(whose, OfParty) else None)
