"""The business case of a deployment: volumes counted and kept, amounts worked out and kept.

Belongs here: asking, working out, writing ``insight.volume`` and ``insight.worth``. Does not belong here: queries and
formulas (insight), how it is shown (business_case_figures, commands).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.model import Delivery
from cdm_pipelines.hub import scorecards
from cdm_pipelines.hub.schema_insight import volume, worth
from cdm_pipelines.insight.business_case import Amount, Case, Volumes, worked_out
from cdm_pipelines.insight.business_case_measures import VOLUMES, Asked, counted
from cdm_pipelines.insight.business_case_policy import BusinessCasePolicy
from cdm_pipelines.insight.fault_costs import Optimum, optimum
from cdm_pipelines.insight.scorecard_state import measured_decline
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.insight.quality import published_day


@dataclass(frozen=True)
class Worked:
    """The business case of a day.

    Attributes:
        as_of: The day that volumes hold for; None where there are no customers yet.
        policy: What the company says.
        volumes: By name and source, of the last day.
        case: What follows.
        first_day: First day of which volumes were kept.
        first: The case with the volumes of that day and the inputs of today.
        optimum: Of upkeep; None where the company has not said what upkeep does.
        changed: Rows of both tables that are new or differ from before.
    """

    as_of: dt.date | None
    policy: BusinessCasePolicy
    volumes: Volumes
    case: Case
    first_day: dt.date | None = None
    first: Case | None = None
    optimum: Optimum | None = None
    changed: int = 0


def asked_of(connection: Connection, as_of: dt.date, currency: str, timezone: str) -> Asked:
    """What the queries are asked with."""
    deltas = tuple(one.name for one in all_contracts() if one.delivery is Delivery.DELTA)
    return Asked(as_of, measured_decline(connection, as_of).rate, deltas, currency, timezone)


def count_volumes(
    connection: Connection, as_of: dt.date, currency: str, timezone: str
) -> dict[str, dict[str, float] | None]:
    """All volumes, by name and source; None where the part of the profile that one reads is switched off."""
    asked = asked_of(connection, as_of, currency, timezone)
    return {name: counted(connection, name, asked) for name in VOLUMES}


def work_out(connection: Connection, settings: Settings, run: str) -> Worked:
    """Count volumes, work out what they are worth, and keep both; the same state gives the same rows.

    Args:
        connection: To a migrated hub, in a transaction.
        settings: Where the policy is.
        run: That works it out.

    Raises:
        PrivacyPolicyError: ``business_case.yaml`` cannot be used.
    """
    policy, as_of = BusinessCasePolicy.load(settings.policies), published_day(connection)
    if as_of is None:
        return Worked(None, policy, {}, worked_out(policy, {}))
    volumes = count_volumes(connection, as_of, policy.currency, settings.timezone)
    rows = [
        {"as_of": as_of, "name": name, "source": source, "value": value, "unit": _unit(policy, name)}
        for name, counts in volumes.items()
        for source, value in sorted((counts or {}).items())
    ]
    case = worked_out(policy, volumes)
    changed = scorecards.replace_day(connection, volume, rows, run, {"as_of": as_of})
    changed += scorecards.replace_day(connection, worth, _worths(policy, case, as_of), run, {"as_of": as_of})
    return _with_first(connection, Worked(as_of, policy, volumes, case, changed=changed))


def kept_case(connection: Connection, settings: Settings) -> Worked:
    """The case from the volumes that were kept last, by the policy as it is now; nothing is counted or written.

    Raises:
        PrivacyPolicyError: ``business_case.yaml`` cannot be used.
    """
    policy, rows = BusinessCasePolicy.load(settings.policies), scorecards.volumes(connection)
    if not rows:
        return Worked(None, policy, {}, worked_out(policy, {}))
    as_of = max(row["as_of"] for row in rows)
    volumes = _of_day(rows, as_of)
    return _with_first(connection, Worked(as_of, policy, volumes, worked_out(policy, volumes)))


def _with_first(connection: Connection, now: Worked) -> Worked:
    """With the case of the first day of which volumes were kept, and the optimum."""
    rows = scorecards.volumes(connection)
    first_day = min((row["as_of"] for row in rows), default=now.as_of)
    earlier = first_day is not None and now.as_of is not None and first_day < now.as_of
    first = worked_out(now.policy, _of_day(rows, first_day)) if earlier and first_day else None
    poor = sum((one.likely for one in now.case.of("fault") if one.likely is not None), Decimal(0))
    return replace(now, first_day=first_day, first=first, optimum=optimum(now.policy.upkeep, float(poor)))


def _of_day(rows: list[dict[str, Any]], day: dt.date) -> dict[str, dict[str, float] | None]:
    found: dict[str, dict[str, float] | None] = {}
    for row in rows:
        if row["as_of"] == day:
            counts = found.setdefault(row["name"], {})
            if counts is not None:
                counts[row["source"]] = row["value"]
    return found


def _unit(policy: BusinessCasePolicy, name: str) -> str:
    unit = VOLUMES[name].unit
    return policy.currency if unit == "money" else unit


def _worths(policy: BusinessCasePolicy, case: Case, as_of: dt.date) -> list[Mapping[str, Any]]:
    inputs = sha256(policy.model_dump_json().encode()).hexdigest()[:16]
    return [_row(policy, one, as_of, inputs) for one in case.amounts]


def _row(policy: BusinessCasePolicy, one: Amount, as_of: dt.date, inputs: str) -> Mapping[str, Any]:
    return {
        "as_of": as_of,
        "kind": one.kind,
        "name": one.name,
        "low": one.low,
        "likely": one.likely,
        "high": one.high,
        "currency": policy.currency,
        "volume": one.volume,
        "formula": one.formula,
        "missing": ", ".join(one.missing) or None,
        "inputs": inputs,
    }
