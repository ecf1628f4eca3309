"""How often a customer buys: the days between purchases, of everybody and of each.

Belongs here: days of purchases with the gaps between them, the distribution of gaps fitted to everybody, and the rhythm
of one customer drawn towards it. Does not belong here: what is concluded (``lifecycle``, ``basket``).

Orders of one day are one purchase. Logarithms of gaps are taken to be normal: a customer's own mean varies around that
of the population (between), and gaps around the customer's mean (within). The rhythm is the best linear predictor of
the customer's median gap, ``exp((sum of ln gap + weight * mu) / (gaps + weight))`` with ``weight = within / between``
(Searle, Casella and McCulloch, Variance Components, 1992): with one gap it is mostly the population's, with many the
customer's own.
"""

import math
from collections.abc import Mapping
from typing import Any

from cdm_pipelines.enrichment.work import Work

LEAST_CUSTOMERS = 30
"""Customers with a gap under which variances say nothing: the default gap of the parameters is taken."""
_EXPONENTIAL = math.pi**2 / 6
"""Variance of the logarithm of a gap where purchases come at random moments."""
_ALL_THE_POPULATION = 1e6
"""Weight of the population's mean where customers do not differ."""
DECIMALS = 9


def purchase_days(work: Work) -> None:
    """Make ``rhythm_days``, once: ``golden_id, day, number`` (from 1), ``gap`` since the one before, ``next_day``.

    ``log_gap`` is a DECIMAL, so that its sums do not depend on their order.
    """
    work.use("purchases")
    work.db.execute(
        f"""
        CREATE TEMP TABLE IF NOT EXISTS rhythm_days AS
        SELECT golden_id, day, row_number() OVER own AS number, day - lag(day) OVER own AS gap,
               CAST(ln(day - lag(day) OVER own) AS DECIMAL(18, {DECIMALS})) AS log_gap, lead(day) OVER own AS next_day
        FROM (SELECT DISTINCT golden_id, ordered_on AS day FROM purchases)
        WINDOW own AS (PARTITION BY golden_id ORDER BY day)
        """
    )


def fit_rhythm(work: Work, default_days: float) -> dict[str, Any]:
    """The gaps of everybody; several enrichers ask for them.

    Args:
        work: With all customers.
        default_days: The typical gap where fewer than ``LEAST_CUSTOMERS`` bought again.

    Returns:
        ``mu`` and ``within``: mean and variance within a customer of ln days; ``weight``: gaps that the population
        counts for; ``shortest`` and ``longest``: the 5th and 95th percentile of gaps in days; ``gaps``,
        ``customers``: what it is fitted to; ``fitted``: whether it is, and not the default.
    """
    return work.once(("rhythm", default_days), lambda: _fitted_rhythm(work, default_days))


def _fitted_rhythm(work: Work, default_days: float) -> dict[str, Any]:
    purchase_days(work)
    table = work.sql(
        """
        SELECT golden_id, count(gap) AS n, CAST(sum(log_gap) AS DOUBLE) AS total,
               CAST(sum(CAST(log_gap * log_gap AS DECIMAL(28, 12))) AS DOUBLE) AS squares
        FROM rhythm_days WHERE gap IS NOT NULL GROUP BY 1 ORDER BY 1
        """
    )
    customers = table.num_rows
    if customers < LEAST_CUSTOMERS:
        return {
            "fitted": False,
            "mu": round(math.log(default_days), DECIMALS),
            "within": round(_EXPONENTIAL, DECIMALS),
            "weight": 1.0,
            "shortest": 1,
            "longest": round(default_days * 10),
            "gaps": sum(table["n"].to_pylist()),
            "customers": customers,
        }
    n, total, squares = (table[name].to_numpy().astype(float) for name in ("n", "total", "squares"))
    mu, within, weight = _variances(n, total, squares)
    ends = work.sql(
        """
        SELECT CAST(quantile_disc(gap, 0.05) AS INTEGER) AS shortest,
               CAST(quantile_disc(gap, 0.95) AS INTEGER) AS longest
        FROM rhythm_days WHERE gap IS NOT NULL
        """
    ).to_pylist()[0]
    return {"fitted": True, "mu": mu, "within": within, "weight": weight, **ends, "gaps": int(n.sum())} | {
        "customers": customers
    }


def _variances(n: Any, total: Any, squares: Any) -> tuple[float, float, float]:
    """Mean, variance within, and within / between, by the analysis of variance of unbalanced groups."""
    gaps, customers = n.sum(), len(n)
    means, grand = total / n, total.sum() / gaps
    inside = max(float((squares - total * means).sum()), 0.0)
    within = inside / (gaps - customers) if gaps > customers else _EXPONENTIAL
    size = (gaps - (n * n).sum() / gaps) / (customers - 1)
    between = max(((n * (means - grand) ** 2).sum() / (customers - 1) - within) / size, 0.0)
    weight = min(within / between, _ALL_THE_POPULATION) if between > 0 else _ALL_THE_POPULATION
    worth = n / (n + weight)  # of a customer's mean as a measurement of the population's
    mu = float((worth * means).sum() / worth.sum())
    return round(mu, DECIMALS), round(float(within), DECIMALS), round(float(weight), DECIMALS)


def rhythm_sql(logs: str, gaps: str, fitted: Mapping[str, Any]) -> str:
    """SQL of the rhythm in days from a sum of ``log_gap`` and a count of gaps, within the bounds of the population."""
    mu, weight = float(fitted["mu"]), float(fitted["weight"])
    own = f"exp((coalesce(CAST({logs} AS DOUBLE), 0) + {weight * mu!r}) / ({gaps} + {weight!r}))"
    return f"least(greatest({own}, {float(fitted['shortest'])!r}), {float(fitted['longest'])!r})"
