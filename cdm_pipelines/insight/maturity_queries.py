"""How the facts that maturity rests on are measured: a query each, which anybody can run.

Belongs here: SQL of one ``value``, with the tables that it needs. Does not belong here: facts that follow from policies
(steps.insight), or what they are held against (``maturity_model``).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A query, and the tables without which there is no such fact."""

    query: str
    needs: tuple[str, ...] = ()


_KEPT = "SELECT {} AS value FROM insight.kpi WHERE month = :first"

MEASURES: Mapping[str, Measure] = {
    "sources": Measure(
        "SELECT count(DISTINCT split_part(asset, '/', 2)) AS value FROM ops.measurement WHERE asset LIKE 'standard/%'"
    ),
    "groups": Measure(
        """SELECT (SELECT count(*) FROM (SELECT FROM golden.customer LIMIT 1) AS master)
     + (SELECT count(*) FROM (SELECT FROM golden.customer_order LIMIT 1) AS transactions)
     + (SELECT count(*) FROM (SELECT FROM ops.measurement WHERE asset = 'profile/interactions' AND name = 'rows'
                              AND value > 0 LIMIT 1) AS interactions)
     + (SELECT count(*) FROM (SELECT FROM privacy.consent_statement LIMIT 1) AS consent) AS value"""
    ),
    "quality": Measure("SELECT avg(confidence) AS value FROM profile.quality", ("profile.quality",)),
    "fresh": Measure(
        """WITH each AS (
    SELECT asset, max("partition")::date AS newest FROM ops.measurement
    WHERE asset LIKE 'standard/%' AND "partition" <> '' GROUP BY asset)
SELECT avg(CASE WHEN newest > (SELECT max(newest) FROM each) - 7 THEN 1.0 ELSE 0 END) AS value FROM each"""
    ),
    "shared": Measure(
        "SELECT avg(CASE WHEN source_count > 1 THEN 1.0 ELSE 0 END) AS value FROM golden.customer"
    ),
    "lineage": Measure(
        """SELECT avg(CASE WHEN p.golden_id IS NULL THEN 0.0 ELSE 1 END) AS value
FROM golden.customer c LEFT JOIN (SELECT DISTINCT golden_id FROM golden.provenance) p USING (golden_id)"""
    ),
    "checks": Measure(
        """SELECT avg(value) AS value FROM (
    SELECT DISTINCT ON (asset, name) value FROM ops.measurement
    WHERE name LIKE 'check %' AND part = 'passed' AND asset NOT LIKE 'insight/%'
    ORDER BY asset, name, "partition" DESC, measured_at DESC) AS newest"""
    ),
    "outlets": Measure(
        """SELECT (SELECT count(*) FROM ops.sink WHERE disabled IS NULL)
     + (SELECT count(*) FROM ops.api_token WHERE revoked_at IS NULL AND made_at::date <= :last
        AND ends_at::date > :last) AS value"""
    ),
    "models": Measure(
        """SELECT (SELECT count(*) FROM (SELECT FROM profile.lifetime_value
                              WHERE probability_alive IS NOT NULL LIMIT 1) AS value_model)
     + (SELECT count(*) FROM (SELECT FROM profile.churn WHERE probability IS NOT NULL LIMIT 1) AS churn_model)
     AS value""",
        ("profile.lifetime_value", "profile.churn"),
    ),
    "departments": Measure(
        """SELECT count(DISTINCT role) AS value FROM ops.access_log
WHERE accessed_at::date > :last - 90 AND accessed_at::date <= :last"""
    ),
    "decisions": Measure(
        "SELECT count(*) AS value FROM identity.decision WHERE kind IN ('same', 'different', 'confirm', 'set')"
    ),
    "consent": Measure(
        """SELECT avg(CASE WHEN s.golden_id IS NULL THEN 0.0 ELSE 1 END) AS value FROM golden.customer c
LEFT JOIN (SELECT DISTINCT golden_id FROM privacy.consent WHERE purpose = 'marketing' AND state IS NOT NULL) s
USING (golden_id)"""
    ),
    "requests": Measure(
        """SELECT avg(CASE WHEN coalesce(closed_at::date <= due_on, false) THEN 1.0 ELSE 0 END) AS value
FROM privacy.request
WHERE received_at::date > :last - 365 AND received_at::date <= :last AND (state = 'done' OR due_on < :last)"""
    ),
    "measured": Measure(_KEPT.format("count(value)")),
    "targets": Measure(
        _KEPT.format("count(target) FILTER (WHERE value IS NOT NULL)::numeric / nullif(count(value), 0)")
    ),
    "met": Measure(_KEPT.format("avg(CASE WHEN met THEN 1.0 WHEN NOT met THEN 0 END)")),
    "months": Measure("SELECT count(DISTINCT month) AS value FROM insight.kpi WHERE month <= :first"),
}
"""By fact; those of owners and reviews follow from policies/governance.yaml."""
