"""What is known of a customer on a day, as far as it tells who leaves.

Belongs here: features and labels in SQL, for any day of any customer. Does not belong here: which days (``churn``), or
the model (``churn_model``).

One query gives the features of training, judging and scoring, so that they cannot differ. Only what had happened by
the customer's day takes part: a refund of an earlier order counts from the day on which it was given, an invoice is
late once its due day has passed. Orders of one day are one purchase.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdm_pipelines.enrichment.churn_model import Columns, Feature
from cdm_pipelines.enrichment.work import Work

INPUTS = ("purchases", "orders", "refunds", "invoices", "touches")
READ = (
    *(f"purchases.{name}" for name in ("order_id", "ordered_on", "amount")),
    *(f"orders.{name}" for name in ("status", "ordered_on", "problem")),
    *(f"refunds.{name}" for name in ("order_id", "refunded_on", "amount")),
    *(f"invoices.{name}" for name in ("issued_on", "due_on", "settled_on")),
    *(f"touches.{name}" for name in ("kind", "day", "touches")),
)
"""Columns of them that the features follow from."""
_YEAR = "in the last year"
FEATURES = (
    Feature(
        "silence",
        "silence, in own intervals between purchases",
        high="longer without a purchase than average, against the own interval",
        low="shorter without a purchase than average, against the own interval",
        unknown="bought only once",
    ),
    Feature(
        "silence_after_first",
        "silence after the only purchase",
        high="bought only once, longer ago than average",
        low="bought only once, more lately than average",
        unknown="bought more than once",
    ),
    Feature(
        "purchases",
        "number of purchases",
        high="has bought more often than average",
        low="has bought no more often than average",
    ),
    Feature(
        "interval",
        "own interval between purchases",
        high="buys at longer intervals than average",
        low="buys at shorter intervals than average",
    ),
    Feature(
        "tenure",
        "time since the first purchase",
        high="a customer for longer than average",
        low="a customer for shorter than average",
    ),
    Feature(
        "purchase_value",
        "value of a purchase",
        high="spends more at a time than average",
        low="spends less at a time than average",
    ),
    Feature(
        "spend_trend",
        "trend of spend",
        high="spend has grown more, or fallen less, than average",
        low="spend has grown less, or fallen more, than average",
        unknown="has spent nothing in the last two horizons",
    ),
    Feature(
        "returned",
        "share of spend returned",
        high="returns more than average",
        low="returns no more than average",
    ),
    Feature(
        "quiet",
        "days since the last visit, open or click",
        high="visited, opened or clicked longer ago than average",
        low="visited, opened or clicked more lately than average",
        unknown=f"visited, opened and clicked nothing {_YEAR}",
    ),
    *(
        Feature(
            name,
            f"visits, opens and clicks {when}",
            high=f"visited, opened or clicked more than average {when}",
            low=f"visited, opened or clicked no more than average {when}",
        )
        for name, when in (
            ("engagement_30", "in the last 30 days"),
            ("engagement_90", "31 to 90 days ago"),
            ("engagement_365", "91 to 365 days ago"),
        )
    ),
    Feature(
        "complaints",
        f"complaints {_YEAR}",
        high=f"complained more than average {_YEAR}",
        low=f"complained no more than average {_YEAR}",
    ),
    Feature(
        "unsubscribed",
        f"newsletters ended {_YEAR}",
        high=f"ended more newsletters than average {_YEAR}",
        low=f"ended no more newsletters than average {_YEAR}",
    ),
    Feature(
        "paid_late",
        f"share of invoices paid late {_YEAR}",
        high=f"paid later than average {_YEAR}",
        low=f"paid no later than average {_YEAR}",
        unknown=f"had no invoice to pay {_YEAR}",
    ),
)
RECENCY = Feature("recency", "days since the last purchase")
"""What the model must beat: this one alone."""

_PURCHASES = """
CREATE OR REPLACE TEMP VIEW churn_purchase AS
SELECT p.golden_id, p.source, p.order_id, p.ordered_on, p.amount FROM purchases p
"""
_PURCHASES_OF_CONTRACTS = f"""{_PURCHASES}
ANTI JOIN (SELECT source, order_id FROM orders WHERE lower(trim(status)) IN (SELECT status FROM churn_ended))
USING (source, order_id)
"""
_ENDS = """
CREATE OR REPLACE TEMP VIEW churn_end AS
SELECT golden_id, ordered_on AS day FROM orders
WHERE lower(trim(status)) IN (SELECT status FROM churn_ended)
  AND coalesce(problem, '') NOT IN ('no date', 'in the future')
"""
_HISTORY = """
SELECT quantile_disc(ordered_on, .01) AS since, least(max(ordered_on), $as_of::DATE) AS until FROM churn_purchase
"""
_GAPS = """
WITH taken AS (SELECT golden_id FROM churn_purchase GROUP BY golden_id ORDER BY md5(golden_id::VARCHAR) LIMIT $most),
day_bought AS (
    SELECT DISTINCT golden_id, ordered_on AS day FROM churn_purchase SEMI JOIN taken USING (golden_id)
    WHERE ordered_on <= $until::DATE),
gap AS (SELECT day - lag(day) OVER (PARTITION BY golden_id ORDER BY day) AS days FROM day_bought)
SELECT quantile_disc(days, $share) AS days FROM gap WHERE days IS NOT NULL
"""
_THEN = """
CREATE OR REPLACE TEMP TABLE churn_moment AS
WITH past AS (SELECT unnest($days::DATE[]) AS day),
bought AS (
    SELECT p.golden_id, a.day, max(p.ordered_on) AS last
    FROM churn_purchase p JOIN past a ON p.ordered_on <= a.day AND p.ordered_on >= a.day - $lost::INTEGER GROUP BY ALL),
ended AS (SELECT e.golden_id, a.day, max(e.day) AS last FROM churn_end e JOIN past a ON e.day <= a.day GROUP BY ALL)
SELECT golden_id, day FROM bought b LEFT JOIN ended e USING (golden_id, day) WHERE e.last IS NULL OR b.last > e.last
ORDER BY md5(golden_id::VARCHAR || day::VARCHAR), golden_id, day LIMIT $most
"""
_NOW = """
CREATE OR REPLACE TEMP TABLE churn_moment AS
WITH event AS (
    SELECT golden_id, ordered_on AS day FROM churn_purchase
    UNION ALL SELECT golden_id, day FROM touches
    UNION ALL SELECT p.golden_id, r.refunded_on FROM refunds r JOIN churn_purchase p USING (source, order_id)
    UNION ALL SELECT golden_id, settled_on FROM invoices),
latest AS (SELECT golden_id, max(day) AS day FROM event WHERE day <= getvariable('horizon') GROUP BY ALL),
bought AS (SELECT golden_id, max(ordered_on) AS last FROM churn_purchase GROUP BY ALL),
ended AS (SELECT golden_id, max(day) AS last FROM churn_end GROUP BY ALL)
SELECT golden_id, greatest(l.day, $day::DATE) AS day
FROM bought b LEFT JOIN latest l USING (golden_id) LEFT JOIN ended e USING (golden_id)
WHERE (e.last IS NULL OR b.last > e.last) AND greatest(l.day, $day::DATE) - b.last <= $lost::INTEGER
"""
_LEFT = {
    False: "NOT EXISTS (SELECT 1 FROM churn_purchase p WHERE p.golden_id = f.golden_id AND p.ordered_on > f.now "
    "AND p.ordered_on <= f.now + $horizon::INTEGER)",
    True: "EXISTS (SELECT 1 FROM churn_end e WHERE e.golden_id = f.golden_id AND e.day > f.now "
    "AND e.day <= f.now + $horizon::INTEGER)",
}
"""Who left: of contracts who ended one, of others who bought nothing."""
_ENGAGED = "('visit', 'product_view', 'cart', 'search', 'open', 'click')"
_FEATURES = f"""
CREATE OR REPLACE TEMP TABLE churn_features AS
WITH day_bought AS (
    SELECT m.golden_id, m.day AS now, p.ordered_on AS day, sum(p.amount) AS amount
    FROM churn_moment m JOIN churn_purchase p ON p.golden_id = m.golden_id AND p.ordered_on <= m.day
    GROUP BY ALL),
bought AS (
    SELECT golden_id, now, count(*) AS n, min(day) AS first, max(day) AS last, sum(amount) AS spent,
           coalesce(sum(amount) FILTER (day > now - $horizon::INTEGER), 0)::DOUBLE AS lately,
           coalesce(sum(amount) FILTER (
               day <= now - $horizon::INTEGER AND day > now - 2 * $horizon::INTEGER), 0)::DOUBLE AS before
    FROM day_bought GROUP BY ALL),
given_back AS (
    SELECT m.golden_id, m.day AS now, sum(r.amount) AS amount
    FROM refunds r JOIN churn_purchase p USING (source, order_id) JOIN churn_moment m ON m.golden_id = p.golden_id
    WHERE p.ordered_on <= m.day AND coalesce(r.refunded_on, p.ordered_on) <= m.day GROUP BY ALL),
seen AS (
    SELECT m.golden_id, m.day AS now,
           max(t.day) FILTER (t.kind IN {_ENGAGED}) AS last,
           coalesce(sum(t.touches) FILTER (t.kind IN {_ENGAGED} AND t.day > m.day - 30), 0) AS month,
           coalesce(sum(t.touches) FILTER (
               t.kind IN {_ENGAGED} AND t.day > m.day - 90 AND t.day <= m.day - 30), 0) AS quarter,
           coalesce(sum(t.touches) FILTER (t.kind IN {_ENGAGED} AND t.day <= m.day - 90), 0) AS year,
           coalesce(sum(t.touches) FILTER (t.kind = 'complaint'), 0) AS complaints,
           coalesce(sum(t.touches) FILTER (t.kind = 'unsubscribe'), 0) AS unsubscribed
    FROM churn_moment m JOIN touches t ON t.golden_id = m.golden_id AND t.day <= m.day AND t.day > m.day - 365
    GROUP BY ALL),
billed AS (
    SELECT m.golden_id, m.day AS now, count(*) AS n,
           count(*) FILTER (i.settled_on IS NULL OR i.settled_on > i.due_on) AS late
    FROM churn_moment m JOIN invoices i ON i.golden_id = m.golden_id
        AND i.due_on < m.day AND i.due_on >= m.day - 365 AND coalesce(i.issued_on, i.due_on) <= m.day
    GROUP BY ALL)
SELECT b.golden_id, b.now, b.now - b.last AS silent, (b.last - b.first + $interval::DOUBLE) / b.n AS interval,
       CASE WHEN b.n > 1 THEN ln(1 + silent / interval) END AS silence,
       CASE WHEN b.n = 1 THEN ln(1 + silent) END AS silence_after_first,
       ln(b.n) AS purchases, ln(1 + b.now - b.first) AS tenure, ln(1 + b.spent::DOUBLE / b.n) AS purchase_value,
       CASE WHEN b.lately + b.before > 0 THEN (b.lately - b.before) / (b.lately + b.before) END AS spend_trend,
       CASE WHEN b.spent > 0 THEN least(greatest(coalesce(g.amount, 0), 0)::DOUBLE / b.spent::DOUBLE, 1)
            ELSE 0 END AS returned,
       ln(1 + b.now - s.last) AS quiet,
       ln(1 + coalesce(s.month, 0)) AS engagement_30, ln(1 + coalesce(s.quarter, 0)) AS engagement_90,
       ln(1 + coalesce(s.year, 0)) AS engagement_365, ln(1 + coalesce(s.complaints, 0)) AS complaints,
       ln(1 + coalesce(s.unsubscribed, 0)) AS unsubscribed, i.late / i.n AS paid_late,
       ln(1 + silent) AS recency
FROM bought b LEFT JOIN given_back g USING (golden_id, now) LEFT JOIN seen s USING (golden_id, now)
LEFT JOIN billed i USING (golden_id, now)
"""


@dataclass(frozen=True)
class Cut:
    """How past days are looked at.

    Attributes:
        horizon: Days within which who buys nothing has left.
        interval: The usual days between two purchases, of which every customer has one to its own.
        lost: Days of silence after which a customer is lost already.
        most: Customers taken, one per day counted.
        contractual: Whether leaving is the end of a contract.
    """

    horizon: int
    interval: float
    lost: int
    most: int
    contractual: bool


@dataclass(frozen=True)
class Known:
    """Customers on past days: features, who left afterwards, and how long each had been silent.

    Attributes:
        columns: By feature, (n,).
        left: Who left within the horizon, (n,).
        silent: Days since the last purchase, (n,).
    """

    columns: Columns
    left: NDArray[np.bool_]
    silent: NDArray[np.float64]


def prepare(work: Work, ended: Sequence[str]) -> None:
    """Make what the queries read; orders in a state that ends a contract are ends and no purchases."""
    work.use(*INPUTS)
    work.db.execute("CREATE OR REPLACE TEMP TABLE churn_ended (status VARCHAR)")
    for status in ended:
        work.db.execute("INSERT INTO churn_ended VALUES (lower(trim($status)))", {"status": status})
    work.db.execute(_PURCHASES_OF_CONTRACTS if ended else _PURCHASES)
    work.db.execute(_ENDS)


def history(work: Work) -> tuple[date, date] | None:
    """From which day to which purchases are known, the first hundredth of them left aside; None without any."""
    found = work.sql(_HISTORY, as_of=work.as_of).to_pylist()[0]
    return (found["since"], found["until"]) if found["since"] and found["until"] else None


def gap(work: Work, share: float, until: date, most: int) -> int | None:
    """Days between two purchases of a customer that a share of such gaps does not exceed; None without any."""
    days: int | None = work.sql(_GAPS, share=share, until=until, most=most).to_pylist()[0]["days"]
    return days


def on_days(work: Work, days: Sequence[date], cut: Cut) -> Known:
    """Customers as they were known on each of some days; more than ``most`` are sampled by a checksum of id and day."""
    work.db.execute(_THEN, {"days": list(days), "most": cut.most, "lost": cut.lost})
    work.db.execute(_FEATURES, {"horizon": cut.horizon, "interval": cut.interval})
    left = f"SELECT f.*, {_LEFT[cut.contractual]} AS gone FROM churn_features f"
    table = work.sql(left, horizon=cut.horizon)
    return Known(columns_of(table), table["gone"].to_numpy(), table["silent"].to_numpy().astype(np.float64))


def now(work: Work, day: date, *, horizon: int, interval: float, lost: int) -> pa.Table:
    """Customers as they are on a day, or on the day of their last event where that is later.

    The rows stay in ``churn_features``, for the figures of the table.
    """
    work.db.execute(_NOW, {"day": day, "lost": lost})
    work.db.execute(_FEATURES, {"horizon": horizon, "interval": interval})
    work.db.execute("DROP TABLE churn_moment")
    return work.sql("SELECT * FROM churn_features")


def columns_of(table: pa.Table) -> dict[str, NDArray[np.float64]]:
    """The features of a table as columns of numbers, NaN where missing."""
    names = [one.name for one in (*FEATURES, RECENCY)]
    return {name: table[name].to_numpy().astype(np.float64) for name in names}
