"""The step of touch points: counted of a month from lake and hub, kept, drawn for Dagster.

Belongs here: reading, counting, writing. Does not belong here: what is declared of a touch point (insight), or whose an
interaction is (steps.profile.touches).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy import Connection, text

from cdm_pipelines.enrichment.attachment import attach
from cdm_pipelines.figures import ROWS, Check, Grid, Outcome, Picture
from cdm_pipelines.hub import kpi_history
from cdm_pipelines.hub.load import read_table
from cdm_pipelines.hub.schema_kpi import hand_over as hand_over_table
from cdm_pipelines.hub.schema_kpi import touch_point as table
from cdm_pipelines.insight import handover
from cdm_pipelines.insight.report_charts import graph
from cdm_pipelines.insight.report_months import InsightError, Period
from cdm_pipelines.insight.report_words import Language, Told, number
from cdm_pipelines.insight.touch_points import (
    Seen,
    TouchPoint,
    TouchPointPolicy,
    below,
    gaps,
    told,
)
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.enrich import company_of
from cdm_pipelines.steps.profile.touches import Known, opened_touches, rules_kept
from cdm_pipelines.store.lake import Lake

ASSET = "insight/touch_points"
_ORDERS = pa.schema([("golden_id", pa.string()), ("source", pa.string()), ("met_at", pa.timestamp("us"))])
_READ_ORDERS = """SELECT golden_id::text, source, ordered_at AT TIME ZONE %(timezone)s FROM golden.customer_order
    WHERE golden_id IS NOT NULL AND ordered_at IS NOT NULL"""
ORDERS = """SELECT source, count(*) AS contacts, count(golden_id) AS recognised FROM golden.customer_order
WHERE (ordered_at AT TIME ZONE :timezone)::date BETWEEN :first AND :as_of GROUP BY source"""
DAYS = """SELECT split_part(asset, '/', 2) AS source, max("partition")::date AS newest_on,
       count(DISTINCT "partition") FILTER (WHERE "partition"::date BETWEEN :first AND :as_of) AS days
FROM ops.measurement WHERE asset LIKE 'standard/%' AND "partition" <> '' GROUP BY 1"""
_CONTACTS = "SELECT source, sum(touches)::BIGINT FROM {} WHERE day BETWEEN $first AND $as_of GROUP BY source"
_NEXT = """
WITH contacts AS (
    SELECT CAST(a.golden_id AS VARCHAR) AS golden_id, p.point, coalesce(a.first_at, CAST(a.day AS TIMESTAMP)) AS met_at
    FROM attached a JOIN points p ON p.source = a.source AND p.kind = 'contacts' WHERE a.day IS NOT NULL
    UNION ALL
    SELECT o.golden_id, p.point, o.met_at FROM orders o JOIN points p ON p.source = o.source AND p.kind = 'orders'),
followed AS (
    SELECT golden_id, point, met_at, lag(point) OVER w AS before, lag(met_at) OVER w AS before_at FROM contacts
    WINDOW w AS (PARTITION BY golden_id ORDER BY met_at, point))
SELECT before, point, count(*), count(DISTINCT golden_id) FROM followed
WHERE before <> point AND met_at - before_at <= to_days(CAST($days AS INTEGER))
    AND CAST(met_at AS DATE) BETWEEN $first AND $as_of
GROUP BY ALL ORDER BY 3 DESC, 1, 2"""
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Map:
    """All that is told of the touch points of a month.

    Attributes:
        points: Rows of ``insight.touch_point``, in the order of the policy.
        next: Rows of ``insight.hand_over``, the most frequent first.
        identity: What becomes of visits that name nobody; None where no interactions are counted.
    """

    points: Rows
    next: Rows
    identity: handover.HandOver | None


def of_month(connection: Connection, lake: Lake, settings: Settings, period: Period) -> Map:
    """The touch points of a month: counted and kept where the data are of it, otherwise as kept.

    Raises:
        InsightError: Nothing was kept of the month.
        PrivacyPolicyError: The policy cannot be used.
    """
    policy = TouchPointPolicy.load(settings.policies)
    order = list(policy.touch_points)
    if period.now:
        found = work_out(connection, lake, settings, period)
        keep(connection, period, found)
        return found
    points = kpi_history.of_month(connection, table, period.first)
    if not points:
        raise InsightError(
            f"No touch points were kept of {period.name}: they are when `cdm touch-points` runs in it."
        )
    points.sort(
        key=lambda row: order.index(row["touch_point"]) if row["touch_point"] in order else len(order)
    )
    steps = kpi_history.of_month(connection, hand_over_table, period.first)
    return Map(points, sorted(steps, key=lambda row: -row["times"]), None)


def work_out(connection: Connection, lake: Lake, settings: Settings, period: Period) -> Map:
    """Count what touch points delivered of the month, and from which customers went to which in it."""
    policy = TouchPointPolicy.load(settings.policies)
    counts, steps = _counted(connection, lake, settings, policy, period)
    days = {
        row.source: (row.newest_on, row.days)
        for row in connection.execute(text(DAYS), {"first": period.first, "as_of": period.as_of})
    }
    length = (period.as_of - period.first).days + 1
    seen = [_seen(key, one, counts, days, length) for key, one in policy.touch_points.items()]
    return Map(
        [{"as_of": period.as_of, **one.row()} for one in seen],
        [{"as_of": period.as_of, **row} for row in steps],
        identity(connection),
    )


def identity(connection: Connection) -> handover.HandOver | None:
    """What becomes of visits that name nobody, as it was counted last; None where no interactions are."""
    whose = {str(part): float(value) for part, value in connection.execute(text(handover.QUERY))}
    return handover.hand_over(whose) if whose else None


_Counts = Mapping[tuple[str, str], tuple[int, int]]
"""Contacts, and those recognised, by ``contacts`` or ``orders`` and source."""


def _counted(
    connection: Connection, lake: Lake, settings: Settings, policy: TouchPointPolicy, period: Period
) -> tuple[_Counts, Rows]:
    of_month = {"first": period.first, "as_of": period.as_of}
    ordered = connection.execute(text(ORDERS), {**of_month, "timezone": settings.timezone})
    counts: dict[tuple[str, str], tuple[int, int]] = {
        ("orders", row.source): (row.contacts, row.recognised) for row in ordered
    }
    orders = read_table(connection, _READ_ORDERS, _ORDERS, {"timezone": settings.timezone})
    company = company_of(lake, settings)
    known = Known.published(lake, connection)
    with opened_touches(lake, company.contracts, known, threads=settings.threads) as touches:
        db = touches.db
        attach(db, rules_kept(lake) or company.eras)
        recognised = dict(db.execute(_CONTACTS.format("attached"), of_month).fetchall())
        for source, contacts in db.execute(_CONTACTS.format("days"), of_month).fetchall():
            counts["contacts", source] = (contacts, recognised.get(source, 0))
        steps = _next(db, orders, policy, of_month)
    return counts, steps


def _next(
    db: duckdb.DuckDBPyConnection,
    orders: pa.Table,
    policy: TouchPointPolicy,
    of_month: Mapping[str, dt.date],
) -> Rows:
    """From which touch point customers went to which in the month; where they came from may be before it."""
    points = [
        {"point": key, "kind": kind, "source": source}
        for key, one in policy.touch_points.items()
        for kind in ("contacts", "orders")
        for source in getattr(one, kind)
    ]
    schema = pa.schema([(name, pa.string()) for name in ("point", "kind", "source")])
    db.register("points", pa.Table.from_pylist(points, schema))
    db.register("orders", orders)
    names = ("from_point", "to_point", "times", "customers")
    found = db.execute(_NEXT, {"days": policy.within_days, **of_month}).fetchall()
    return [dict(zip(names, row, strict=True)) for row in found]


def _seen(
    key: str,
    one: TouchPoint,
    counts: _Counts,
    days: Mapping[str, tuple[dt.date, int]],
    length: int,
) -> Seen:
    own = [
        counts[kind, source]
        for kind in ("contacts", "orders")
        for source in getattr(one, kind)
        if (kind, source) in counts
    ]
    arrived = [days[source] for source in one.sources if source in days]
    if not own and not any(number for _, number in arrived):
        return Seen(key, per_month=one.contacts_per_month)
    return Seen(
        key,
        sum(contacts for contacts, _ in own),
        sum(recognised for _, recognised in own),
        min((newest for newest, _ in arrived), default=None),
        min((number / length for _, number in arrived), default=None),
    )


def keep(connection: Connection, period: Period, found: Map) -> int:
    """Write the month; running it again changes nothing. Returns how many rows were changed."""
    changed = kpi_history.keep(connection, table, period.first, found.points)
    return changed + kpi_history.keep(connection, hand_over_table, period.first, found.next)


_MAP = Told(
    en="Touch points, and from which customers go to which: {steps}",
    nl="Contactpunten, en van welk naar welk klanten gaan: {steps}",
)
_ARROW = Told(en="{one} to {other}, {times} times", nl="{one} naar {other}, {times} keer")
DRAWN = 14
"""So many hand-overs are drawn, the most frequent; the table has them all."""


def picture(found: Map, policy: TouchPointPolicy, language: Language) -> tuple[str, str]:
    """The map, and the same in words."""
    titles = {key: one.title.read(language) for key, one in policy.touch_points.items()}
    nodes = []
    for row in found.points:
        key = str(row["touch_point"])
        nodes.append((key, titles.get(key, key), below(row).read(language), row["contacts"] is not None))
    most = max((row["times"] for row in found.next), default=1)
    edges = [
        (row["from_point"], row["to_point"], step_words(row, titles, language), row["times"] / most)
        for row in found.next[:DRAWN]
    ]
    words = _MAP.read(language).format(steps="; ".join(words for _, _, words, _ in edges[:5]) or "-")
    return graph(nodes, edges, words), words


def step_words(row: Mapping[str, Any], titles: Mapping[str, str], language: Language) -> str:
    """A hand-over in words."""
    one, other = (titles.get(row[name], row[name]) for name in ("from_point", "to_point"))
    return _ARROW.read(language).format(one=one, other=other, times=number(row["times"], language))


def told_points(
    rows: Sequence[dict[str, Any]], policy: TouchPointPolicy, language: Language
) -> list[dict[str, str]]:
    """Touch points in words, a row each."""
    return [told(row, policy, language) for row in rows]


def outcome(settings: Settings, period: Period, found: Map) -> Outcome:
    """What came of the touch points: the map, tables, and a warning where one delivers nothing."""
    policy, language = TouchPointPolicy.load(settings.policies), Language.ENGLISH
    svg, words = picture(found, policy, language)
    silent = [row["touch_point"] for row in found.points if row["contacts"] is None]
    share = found.identity.share if found.identity else None
    known = {} if share is None else {"anonymous visits that become known, share": round(share, 6)}
    return Outcome(
        ASSET,
        {
            ROWS: len(found.points),
            "month": period.name,
            **known,
            "map": Picture(svg, words),
            "touch points": Grid(told_points(found.points, policy, language), ("touch point",)),
            "gaps, the largest first": Grid(
                told_points(gaps(found.points), policy, language), ("touch point",)
            ),
            "from one to the next": Grid(
                [{name: value for name, value in row.items() if name != "as_of"} for row in found.next],
                ("from_point", "to_point"),
            ),
        },
        {
            "all_deliver": Check(
                not silent,
                f"{len(silent)} deliver nothing: {', '.join(silent)}"
                if silent
                else "every touch point delivers data",
                "WARN",
            )
        },
    )
