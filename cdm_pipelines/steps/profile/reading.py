"""What enrichers work on, from lake and hub.

Belongs here: the base tables of ``enrichment.inputs``, of everybody or of some customers. Does not belong here: what is
computed of them.
"""

import datetime as dt
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import OfParty
from cdm_pipelines.contracts.entity import declaration, with_state
from cdm_pipelines.enrichment.attachment import Attached
from cdm_pipelines.enrichment.inputs import ATTACHED
from cdm_pipelines.enrichment.policy import EnrichmentPolicy
from cdm_pipelines.enrichment.tokens import Eras, InteractionPolicy
from cdm_pipelines.enrichment.work import Work, opened
from cdm_pipelines.golden.survivorship import CUSTOMER_SCHEMA
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.records import records_schema
from cdm_pipelines.records.whose import PARTY_KEY
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.interactions import Updated, delivering, update_interactions
from cdm_pipelines.steps.profile.touches import Known, opened_touches, rules_now
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
class Company:
    """Where the records of customers are, and what a company chose of their profile.

    Attributes:
        lake: The lake.
        settings: Time zone, number of threads.
        policy: Currency, rates, states that do not count.
        contracts: Of all sources.
        interactions: Whose interactions are.
        spent: Seconds that counting and attaching interactions and reading base tables took, by what was done.
    """

    lake: Lake
    settings: Settings
    policy: EnrichmentPolicy
    contracts: Sequence[SourceContract]
    interactions: InteractionPolicy
    spent: dict[str, float] = field(default_factory=dict, compare=False)
    _attached: dict[str, tuple[pa.Table, Attached | None]] = field(default_factory=dict, compare=False)

    @property
    def eras(self) -> Eras:
        """The rules by which interactions are attached: those of a contract as well, where the policy says nothing."""
        named = {one.source: (one.refers_to,) for one in delivering(self.contracts) if one.refers_to}
        numbers_of = {**named, **self.interactions.numbers_of}
        return rules_now(self.lake, self.interactions.model_copy(update={"numbers_of": numbers_of}))

    def counted(self) -> Updated:
        """Count the days of interactions that are new or have changed."""
        with self.timed("counting"):
            return update_interactions(
                self.lake,
                self.contracts,
                self.settings.timezone,
                threads=self.settings.threads,
                rows=self.settings.chunk_rows,
            )

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Add the seconds that a block takes to ``spent``."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.spent[what] = self.spent.get(what, 0.0) + time.monotonic() - begun

    @property
    def last_attached(self) -> Attached | None:
        """What came of attaching interactions; None where that was not worked out."""
        return next((found for _, found in reversed(self._attached.values())), None)

    def attached(self, coming: NextVersion) -> tuple[pa.Table, Attached | None]:
        """The interactions of everybody, and what came of attaching them; worked out once for a version.

        The days are counted before (``counted``).
        """
        if coming.fingerprint not in self._attached:
            known = Known.of(self.lake, coming.crosswalk(CROSSWALK_SCHEMA, None))
            with (
                self.timed("attaching"),
                opened_touches(self.lake, self.contracts, known, threads=self.settings.threads) as touches,
            ):
                self._attached[coming.fingerprint] = touches.attached(self.eras)
        return self._attached[coming.fingerprint]


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
    attached = (
        company.attached(coming)[0] if "touches" in inputs and ids is None else ATTACHED.empty_table()
    )
    with company.timed("reading"):
        base = {
            "crosswalk": coming.crosswalk(CROSSWALK_SCHEMA, ids),
            "golden_customer": coming.customers(CUSTOMER_SCHEMA, ids)
            if "customers" in inputs
            else CUSTOMER_SCHEMA.empty_table(),
            "rates": policy.rates,
            "not_counted": pa.table({"status": pa.array(policy.not_counted, pa.string())}),
            "attached": attached,
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
