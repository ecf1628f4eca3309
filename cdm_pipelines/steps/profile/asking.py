"""What people ask of the profile: what it says of one customer, which models say it, whose visits are.

Belongs here: reading, and where each value comes from. Does not belong here: how an answer is shown (commands).
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection, select, text

from cdm_pipelines.enrichment.attachment import Preview
from cdm_pipelines.enrichment.compared import changed_numbers
from cdm_pipelines.enrichment.declaration import CURRENCY, Enricher, Output
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.lifecycle_step import ENRICHER as LIFECYCLE_STEP
from cdm_pipelines.enrichment.policy import EnrichmentPolicy
from cdm_pipelines.figures import Figures
from cdm_pipelines.hub import profile_models
from cdm_pipelines.hub.profile import is_there, table_of
from cdm_pipelines.hub.profile_models import ProfileModel
from cdm_pipelines.steps.profile.journey import Journey, Touch, journey
from cdm_pipelines.steps.profile.reading import Company
from cdm_pipelines.steps.profile.touches import Known, Touches, opened_touches, rules_kept
from cdm_pipelines.store.layout import INTERACTIONS

TELLING = (
    *(("rfm", name) for name in ("segment", "orders", "net", "last_ordered_on")),
    ("lifecycle", "stage"),
    ("lifetime_value", "expected_value"),
    ("churn", "risk"),
    *(("household", name) for name in ("composition", "size")),
    ("location", "province"),
    *(("preference", name) for name in ("category", "contact_channel")),
    ("engagement", "clicks_365"),
    ("service", "csat"),
    ("payment", "credit_class"),
    *(("basket", name) for name in ("next_product_name", "next_on")),
    ("quality", "confidence"),
)
"""Enrichers and columns of theirs that say most to a newcomer."""
_FEW = 4


@dataclass(frozen=True)
class Said:
    """One value of a customer's profile, and where it comes from.

    Attributes:
        enricher: Which says it.
        column: Of its table.
        value: As the hub has it.
        unit: Of the value.
        description: Meaning and formula.
        of: What it was worked out from: columns of inputs, or the inputs where these are many.
        as_of: The day that it holds for.
        model: Fingerprint of the scale or model; None where there is none.
    """

    enricher: str
    column: str
    value: object
    unit: str
    description: str
    of: Sequence[str]
    as_of: dt.date
    model: str | None


def profile_of(connection: Connection, policy: EnrichmentPolicy, golden_id: UUID) -> list[Said]:
    """All that the profile says of a customer, in the order of the policy; tables with several rows are left out."""
    found = []
    for name, chosen in policy.chosen.items():
        enricher, declared = chosen.enricher, profile_table(chosen.enricher)
        if enricher.key or not is_there(connection, declared):
            continue
        table = table_of(declared)
        row = connection.execute(select(table).where(table.c.golden_id == golden_id)).mappings().first()
        for output in enricher.outputs if row is not None else ():
            assert row is not None  # noqa: S101 - the loop is empty without one
            found.append(
                Said(
                    name,
                    output.name,
                    row[output.name],
                    policy.currency if output.unit == CURRENCY else output.unit,
                    output.description,
                    _read(enricher, output),
                    row["as_of"],
                    row["model"],
                )
            )
    return found


def _read(enricher: Enricher, output: Output) -> Sequence[str]:
    columns = enricher.read_for(output)
    return columns if len(columns) <= _FEW else list(dict.fromkeys(one.partition(".")[0] for one in columns))


def best_known(connection: Connection, policy: EnrichmentPolicy) -> UUID | None:
    """The person of whom the profile says most of what is telling, then the one who spent most; None without any."""
    told = [f'"{enricher}_{column}"' for enricher, column in TELLING if enricher in policy.chosen]
    if not told or not connection.scalar(text("SELECT to_regclass('profile.customer')")):
        return None
    spent = "rfm_net" if "rfm" in policy.chosen else "0"
    found: UUID | None = connection.scalar(
        text(
            f"""SELECT golden_id FROM profile.customer WHERE party_kind = 'person'
            ORDER BY num_nonnulls({", ".join(told)}) DESC, {spent} DESC NULLS LAST, golden_id LIMIT 1"""  # noqa: S608
        )
    )
    return found


@dataclass(frozen=True)
class Segment:
    """Customers of one segment, and what they spent in the reporting currency."""

    name: str
    customers: int
    net: Decimal


def segments(connection: Connection, policy: EnrichmentPolicy) -> list[Segment]:
    """The segments of customers who ever ordered, the largest first; none where that enricher is off."""
    chosen = policy.chosen.get("rfm")
    if chosen is None or not is_there(connection, profile_table(chosen.enricher)):
        return []
    rows = connection.execute(
        text(
            """SELECT coalesce(segment, 'none') AS segment, count(*) AS customers, sum(net) AS net FROM profile.rfm
            GROUP BY 1 ORDER BY 2 DESC, 1"""
        )
    )
    return [Segment(row.segment, row.customers, row.net) for row in rows]


@dataclass(frozen=True)
class Difference:
    """Two scales or models of an enricher side by side."""

    then: ProfileModel
    now: ProfileModel
    figures: Figures


def versions(connection: Connection, policy: EnrichmentPolicy) -> Mapping[str, Sequence[ProfileModel]]:
    """All scales and models of each enricher that has any, the newest last."""
    found = {name: profile_models.versions(connection, name) for name in policy.chosen}
    return {name: models for name, models in found.items() if models}


def differences(connection: Connection, policy: EnrichmentPolicy) -> list[Difference]:
    """The newest scale or model of each enricher beside the one before it, where there was one."""
    found = []
    for name, models in versions(connection, policy).items():
        if len(models) > 1:
            then, now = models[-2:]
            compare = policy.chosen[name].enricher.compared or changed_numbers
            found.append(Difference(then, now, compare(then.model, now.model)))
    return found


@contextmanager
def _published(connection: Connection, company: Company) -> Iterator[Touches]:
    """The interactions as they were counted last, beside the published customers; nothing is written."""
    known = Known.published(company.lake, connection)
    with opened_touches(company.lake, company.contracts, known, threads=company.settings.threads) as touches:
        yield touches


def tokens(connection: Connection, company: Company) -> Preview | None:
    """What today's policy would change of whose interactions are, against the rules that hold.

    Before any hold it is held against itself. None where no interactions are counted.

    Raises:
        DamagedError: What was counted of a day is damaged.
    """
    if not company.lake.paths(INTERACTIONS):
        return None
    with _published(connection, company) as touches:
        return touches.preview(rules_kept(company.lake) or company.eras, company.eras)


def journey_of(connection: Connection, company: Company, golden_id: UUID, limit: int) -> Journey:
    """Every touch of a customer: transactions, interactions by the rules that hold, and changes of stage.

    Args:
        connection: Of the hub.
        company: Where interactions are.
        golden_id: Of a current customer.
        limit: How many touches, the newest.
    """
    with _published(connection, company) as touches:
        attached, _ = touches.attached(rules_kept(company.lake) or company.eras, [str(golden_id)])
    more = _stages(connection, golden_id)
    return journey(
        connection, golden_id, attached, timezone=company.settings.timezone, limit=limit, more=more
    )


def _stages(connection: Connection, golden_id: UUID) -> list[Touch]:
    """The stages that a customer entered; none where that is not worked out."""
    table = table_of(profile_table(LIFECYCLE_STEP))
    if not connection.scalar(text("SELECT to_regclass(:name)"), {"name": str(table)}):
        return []
    rows = connection.execute(select(table).where(table.c.golden_id == golden_id))
    return [
        Touch(
            day=row.entered_on,
            at=None,
            what="stage",
            source="profile",
            detail=" to ".join(filter(None, (row.from_stage, row.stage))),
        )
        for row in rows
    ]
