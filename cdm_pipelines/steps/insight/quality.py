"""Figures of quality kept as a history: days of sources as they came in, and the state that is published.

Belongs here: which days are measured, reading them, writing ``insight.quality``. Does not belong here: counting
(insight), SQL of the history (hub.scorecards), how it is shown (figures, commands).
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, func, select

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, attributes, declaration, targets
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.frequency import every
from cdm_pipelines.enrichment.quality import QualityParameters
from cdm_pipelines.hub import scorecards
from cdm_pipelines.hub.schema_insight import quality
from cdm_pipelines.hub.schema_ops import source_day
from cdm_pipelines.insight.scorecard import CUSTOMER, GOLDEN, About, Score, Trend, as_row, trends
from cdm_pipelines.insight.scorecard_day import Delivered, Expected, day_scores
from cdm_pipelines.insight.scorecard_state import ADDRESS, measured_decline, state_scores
from cdm_pipelines.privacy.governance import GovernancePolicy
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.enrich import policy_of
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

DAYS = 28
"""Newest days of a source entity that are measured; what was measured before stays."""
_FORM = 1
"""Of the figures; another one measures the newest days anew."""
_QUARANTINE, _REPAIRS = ["_file", "_row", "_reasons"], ["_file", "_row", "column", "rule", "action"]
_BESIDE = ["_file", "_row", "modified_at", "party_kind", "invalid_attributes"]


@dataclass(frozen=True)
class Measured:
    """What came of measuring.

    Attributes:
        as_of: The last day that customers were made from; None where there are none yet.
        days: Days of source entities that were measured.
        changed: Figures that are new or differ from before.
        courses: The course of every figure.
    """

    as_of: dt.date | None
    days: int
    changed: int
    courses: Sequence[Trend]


@dataclass(frozen=True)
class Measuring:
    """What measuring needs of a deployment."""

    connection: Connection
    lake: Lake
    settings: Settings
    governance: GovernancePolicy
    run: str

    @cached_property
    def policy(self) -> str:
        """Changes when owners or targets do."""
        return sha256(f"{self.governance.model_dump_json()}{self.expected}".encode()).hexdigest()[:8]

    @cached_property
    def expected(self) -> Expected:
        """Which attributes a record should have."""
        chosen = policy_of(self.settings).chosen.get("quality")
        parameters = chosen.parameters if chosen else QualityParameters()
        assert isinstance(parameters, QualityParameters)  # noqa: S101 - for the type checker
        besides = {one.attribute for one in self.governance.targets if one.dimension == "completeness"}
        return Expected(
            {"person": parameters.person, "organisation": parameters.organisation},
            tuple(sorted(path for path in besides if path)),
        )

    @cached_property
    def owners(self) -> Mapping[str, str | None]:
        """That contracts name, by source/entity."""
        return {one.name: one.owner for one in all_contracts()}


def measure(connection: Connection, lake: Lake, settings: Settings, run: str) -> Measured:
    """Measure what has changed since, and keep it; the same state gives the same rows.

    Args:
        connection: To a migrated hub, in a transaction.
        lake: Of the deployment.
        settings: Where policies are.
        run: That measures.

    Raises:
        PrivacyPolicyError: ``governance.yaml`` cannot be used.
    """
    contracts = all_contracts()
    with_policy = Measuring(connection, lake, settings, GovernancePolicy.load(settings.policies), run)
    days = changed = 0
    for contract in contracts:
        for score in _due(with_policy, contract):
            days, changed = days + 1, changed + score
    as_of = published_day(connection)
    if as_of is not None:
        changed += _state(with_policy, contracts, as_of)
    return Measured(as_of, days, changed, trends(scorecards.history(connection)))


def published_day(connection: Connection) -> dt.date | None:
    """The last day that customers were made from."""
    last = connection.scalar(select(func.max(source_day.c.date)))
    return dt.date.fromisoformat(last) if last else None


def _due(of: Measuring, contract: SourceContract) -> Iterator[int]:
    """Measure the days of a source entity that are not, or were made anew; the last one for a changed policy too."""
    known = scorecards.measured_from(of.connection, contract.source, contract.entity)
    dates = layout.days(of.lake, "quarantine", contract)[-DAYS:]
    for date in dates:
        as_of, made_from = dt.date.fromisoformat(date), _made_from(of, contract, date)
        before = known.get(as_of, "")
        if before == made_from or (
            date != dates[-1] and before.rpartition(" ")[0] == made_from.rpartition(" ")[0]
        ):
            continue
        about = About(as_of, contract.source, contract.entity)
        scores = day_scores(about, contract, delivered(of.lake, contract, date), of.expected)
        yield _keep(of, scores, about, made_from)


def _keep(of: Measuring, scores: Sequence[Score], about: About, made_from: str) -> int:
    """Write the figures of a subject that were made from the same kind of thing: a day, or a state."""
    rows = []
    for one in scores:
        subject = {
            name: getattr(one, name) for name in ("source", "entity", "attribute", "dimension", "measure")
        }
        target = of.governance.target_of(subject)
        owner = (target.owner if target else None) or _owner(of, one)
        rows.append(as_row(one, owner, target.at_least if target else None, made_from))
    theirs = {"as_of": about.as_of, "source": about.source, "entity": about.entity}
    kind = quality.c.made_from.startswith(made_from.partition(" ")[0])
    return scorecards.replace_day(of.connection, quality, rows, of.run, theirs, kind)


def _owner(of: Measuring, score: Score) -> str:
    """Of a source its owner, of a golden attribute that attribute's."""
    if score.source == GOLDEN:
        path = "party.street" if score.attribute == ADDRESS else score.attribute.partition("|")[0]
        known = {one.path: one.privacy for one in declaration(Entity.PARTY).attributes}
        return of.governance.of_attribute(path, known.get(path, "")).owner
    named = of.owners.get(f"{score.source}/{score.entity}")
    return of.governance.of_source(score.source, score.entity, named).owner


def _made_from(of: Measuring, contract: SourceContract, date: str) -> str:
    """Changes when any table of the day does; its last word, when owners or targets do."""
    notes = of.lake.notes(layout.quarantine_path(contract, date))
    said = (notes.get(name, "") for name in (layout.FINGERPRINT, layout.CONTENT))
    return f"day {_FORM} {' '.join(said)} {of.policy}"


def delivered(lake: Lake, contract: SourceContract, date: str) -> Delivered:
    """What became of a day, as the lake has it; only columns that are counted are read."""
    quarantine, repairs = layout.quarantine_path(contract, date), layout.repairs_path(contract, date)
    valid = layout.valid_path(contract, date)
    accepted = layout.rows(lake, valid) if lake.exists(valid) else 0
    cells = lake.read(repairs, _REPAIRS) if lake.exists(repairs) else _none(_REPAIRS)
    standard = {}
    for entity in contract.entities:
        path = layout.standard_path(contract, date, entity)
        if lake.exists(path):
            fed = {str(name) for name in lake.schema(path).names}
            wanted = [name for name in (*_BESIDE, *_fed(contract, entity)) if name in fed]
            standard[str(entity)] = lake.read(path, wanted)
    mapped = {column.name for column, _ in contract.mapped()}
    loose = sorted(set(cells["column"].to_pylist()) - mapped)
    unmapped = {}
    if loose and lake.exists(valid):
        there = lake.read(valid, loose)
        unmapped = {name: there.num_rows - there[name].null_count for name in loose}
    rejected = lake.read(quarantine, _QUARANTINE)
    return Delivered(accepted + layout.rows(lake, quarantine), rejected, cells, standard, unmapped)


def _fed(contract: SourceContract, entity: Entity) -> list[str]:
    """Names of the attributes that columns feed."""
    found: list[str] = []
    for _, path in contract.mapped():
        target = targets()[path]
        if target.entity is entity:
            found += getattr(target, "yields", (target.name,))
    return list(dict.fromkeys(found))


def _none(columns: Sequence[str]) -> pa.Table:
    return pa.table({name: pa.array([], pa.int64() if name == "_row" else pa.string()) for name in columns})


def _state(of: Measuring, contracts: Sequence[SourceContract], as_of: dt.date) -> int:
    daily = {(one.source, one.entity) for one in contracts if every(one) == dt.timedelta(days=1)}
    scores = state_scores(of.connection, as_of, with_value(of.lake), daily, of.expected.of_kind)
    made_from = f"state {_FORM} {measured_decline(of.connection, as_of).rate:.6f}"
    changed = 0
    subjects = {(one.source, one.entity) for one in scores} | {(GOLDEN, CUSTOMER)}
    for source, entity in sorted(subjects):
        theirs = [one for one in scores if (one.source, one.entity) == (source, entity)]
        changed += _keep(of, theirs, About(as_of, source, entity), made_from)
    return changed


def with_value(lake: Lake) -> dict[tuple[str, str, str], int]:
    """Active party records that have a value, by source, entity and group of attributes chosen together."""
    groups: dict[str, list[str]] = {}
    for one in attributes(Entity.PARTY, golden_only=True):
        groups.setdefault(one.group, []).append(one.name)
    known = tables.records(lake, Entity.PARTY)
    if not known.exists:
        return {}
    names = [name for members in groups.values() for name in members]
    table = known.read(["source", "entity", "active", *names])
    table = table.filter(pc.equal(table["active"], True))
    keys = [table["source"], table["entity"]]
    any_of = [pc.coalesce(*(table[name] for name in members)) for members in groups.values()]
    counted = pa.table([*keys, *any_of], names=["source", "entity", *groups])
    grouped = counted.group_by(["source", "entity"]).aggregate([(name, "count") for name in groups])
    return {
        (row["source"], row["entity"], group): row[f"{group}_count"]
        for row in grouped.to_pylist()
        for group in groups
    }
