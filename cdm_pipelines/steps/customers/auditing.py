"""Verdicts on customers that are staged: what the audit found, and how much moved.

Belongs here: judging by thresholds, in words. Does not belong here: the audit's SQL (hub.audit), or staging
(``publication``).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from cdm_pipelines.hub import audit
from cdm_pipelines.identity.reasons import Churn
from cdm_pipelines.quality.thresholds import ACCEPTABLE, Thresholds, Verdict, judge


def judged(
    connection: Connection, records: int, figures: audit.Figures, thresholds: Thresholds
) -> dict[str, Verdict]:
    """Judge what is staged, by name of the check."""
    problems = audit.audit(connection, records)
    verdicts = {}
    for name in ("reconciliation", "uniqueness", "referential_integrity"):
        texts = [problem.text for problem in problems if problem.audit == name]
        verdicts[name] = Verdict(passed=not texts, severity="ERROR", text="; ".join(texts) or "in order")
    first = (
        f", {figures.new_customers:,} of them first delivered and not counted,"
        if figures.new_customers
        else ""
    )
    verdicts["customer_drift"] = judge(
        figures.drift,
        thresholds.customer_drift,
        f"{figures.customers:,} customers{first} against {figures.published_customers:,} in service: "
        f"{figures.drift:.1%}",
    )
    verdicts["cluster_size"] = judge(
        figures.largest_customer,
        thresholds.cluster_size,
        f"the largest customer is made of {figures.largest_customer:,} records",
    )
    verdicts["cluster_size_drift"] = judge(
        figures.size_drift,
        thresholds.cluster_size_drift,
        f"{figures.mean_records:.2f} records in a customer on average against {figures.published_mean_records:.2f} in "
        f"service: {figures.size_drift:.1%}",
    )
    return verdicts


def in_service(found: audit.InService, thresholds: Thresholds, today: dt.date) -> dict[str, Verdict]:
    """Judge what was published, as departments read it, by name of the check; it is in service already."""
    whole = found.records == found.crossed
    told = f"{found.customers:,} customers of {found.records:,} source records"
    aside = "" if whole else f", but {found.crossed:,} rows in the crosswalk: run `cdm verify`"
    age = (today - found.newest).days if found.newest else 0
    day = (
        f"the newest day in service is {found.newest}, {age:,} days ago"
        if found.newest
        else "nothing is in service"
    )
    return {
        "reconciliation": Verdict(passed=whole, severity="ERROR", text=f"{told}{aside}"),
        "newest_day": judge(age, thresholds.newest_day, day),
    }


def with_a_way_on(verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """The same verdicts; those that stop and may be so after all say how a person tells that."""
    return {
        name: replace(
            verdict,
            text=f"{verdict.text}. If it may be so: `cdm run --date DAY --accept {name}`, or another limit in "
            "policies/checks.yaml",
        )
        if verdict.stops and name in ACCEPTABLE
        else verdict
        for name, verdict in verdicts.items()
    }


def moved(
    churn: Churn, merged: int, figures: audit.Figures, thresholds: Thresholds, *, new_model: bool
) -> dict[str, Verdict]:
    """Judge how many golden ids changed, by name of the check."""
    share = merged / figures.published_customers if figures.published_customers else 0.0
    why = "; ".join(f"{reason}: {count:,}" for reason, count in churn.moved.items())
    churn_text = (
        f"{churn.total:,} of {churn.records:,} records in service have another golden id: {churn.share:.2%}"
    )
    merges_text = (
        f"{merged:,} of {figures.published_customers:,} customers in service are merged: {share:.2%}"
    )
    return {
        "id_churn": thresholds.id_churn.verdict(
            churn.total, churn.share, f"{churn_text}{f' ({why})' if why else ''}", new_model=new_model
        ),
        "merges": thresholds.merges.verdict(merged, share, merges_text, new_model=new_model),
    }
