"""What enrichers work on, from lake and hub.

Belongs here: the base tables of ``enrichment.inputs``, of everybody or of some customers. Does not belong here: what is
computed of them.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import OfParty, declarations
from cdm_pipelines.enrichment.inputs import ATTACHED
from cdm_pipelines.enrichment.policy import EnrichmentPolicy
from cdm_pipelines.enrichment.work import Work, opened
from cdm_pipelines.golden.survivorship import CUSTOMER_SCHEMA
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.records import records_schema
from cdm_pipelines.records.whose import PARTY_KEY
from cdm_pipelines.settings import Settings
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
    """

    lake: Lake
    settings: Settings
    policy: EnrichmentPolicy


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
        "attached": ATTACHED.empty_table(),
        **{f"state_{one.entity}": _state(company.lake, one.entity) for one in declarations()},
    }
    with opened(
        base, as_of=as_of, currency=policy.currency, timezone=settings.timezone, threads=settings.threads
    ) as work:
        yield work


def _state(lake: Lake, entity: str) -> pa.Table:
    """The current records of an entity."""
    declared = next(one for one in declarations() if one.entity == entity)
    schema = records_schema(declared.entity)
    if isinstance(declared.whose, OfParty):
        for name in PARTY_KEY[1:]:
            schema = schema.append(pa.field(name, pa.string()))
    table = tables.records(lake, declared.entity)
    return table.read(schema.names).cast(schema) if table.exists else schema.empty_table()
