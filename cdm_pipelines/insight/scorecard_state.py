"""The scorecard of what is published: sources held against the golden customers, and the golden customers themselves.

Belongs here: queries on the hub that count what steps before have measured, and the figures that follow. Does not
belong here: measuring again, days of sources (``scorecard_day``), or the lake.

All is counted in the database: what comes back is a row per source, entity and attribute.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, text

from cdm_pipelines.insight.currency import Decline, decline
from cdm_pipelines.insight.scorecard import CUSTOMER, GOLDEN, About, Score

DAYS = 28
"""Days over which deliveries are counted."""
ADDRESS = "party.address"
"""Attribute under which the currency of addresses is told: an address is one value."""

QUERIES: Mapping[str, str] = {
    "one_record_each": """
        SELECT source, entity, count(*) AS numerator, sum(records) AS denominator
        FROM (SELECT source, entity, golden_id, count(*) AS records FROM golden.crosswalk WHERE active
              GROUP BY source, entity, golden_id) AS of_customer
        GROUP BY source, entity""",
    "losers": """
        SELECT l.loser ->> 'source' AS source, l.loser ->> 'entity' AS entity, p.attribute, count(*) AS lost
        FROM golden.provenance p CROSS JOIN LATERAL jsonb_array_elements(p.losers) AS l(loser)
        JOIN golden.crosswalk c ON c.source = l.loser ->> 'source' AND c.entity = l.loser ->> 'entity'
             AND c.record_id = l.loser ->> 'record_id' AND c.active
        WHERE p.losers IS NOT NULL GROUP BY 1, 2, 3""",
    "customer_known": """
        SELECT source, entity, 'order.party_id' AS attribute, count(golden_id) AS numerator, count(*) AS denominator
        FROM golden.customer_order WHERE active GROUP BY source, entity
        UNION ALL
        SELECT source, entity, 'invoice.party_id', count(golden_id), count(*)
        FROM golden.invoice WHERE active GROUP BY source, entity""",
    "days_delivered": """
        SELECT source, entity, count(DISTINCT date) AS days, min(date) AS first
        FROM ops.source_day WHERE date > :since AND date <= :as_of GROUP BY source, entity""",
    "kinds": """
        SELECT party_kind, count(*) AS customers FROM profile.quality JOIN golden.customer USING (golden_id)
        GROUP BY party_kind""",
    "missing": """
        SELECT c.party_kind, m.name, count(*) AS customers
        FROM profile.quality q JOIN golden.customer c USING (golden_id)
        CROSS JOIN LATERAL unnest(string_to_array(q.missing, ', ')) AS m(name) GROUP BY 1, 2""",
    "quality": """
        SELECT count(validity) AS valid_of, count(*) FILTER (WHERE validity = 1) AS valid,
               count(consistency) AS consistent_of, count(*) FILTER (WHERE consistency = 1) AS consistent,
               count(uniqueness) AS unique_of, count(*) FILTER (WHERE shared_with = 0) AS unique
        FROM profile.quality""",
    "not_bounced": """
        SELECT count(*) FILTER (WHERE coalesce(bounces_365, 0) = 0) AS numerator, count(*) AS denominator
        FROM profile.engagement WHERE emails_365 > 0""",
    "in_register": """
        SELECT count(*) FILTER (WHERE postcode_known) AS numerator, count(postcode_known) AS denominator
        FROM profile.location""",
    "moves": """
        SELECT count(*) FILTER (WHERE l.moved_on > c.first_seen AND l.moved_on <= :as_of) AS moves,
               coalesce(sum(greatest(least(CASE WHEN l.moved_on > c.first_seen THEN l.moved_on END, :as_of)
                                     - c.first_seen, 0)), 0) / 365.25 AS years
        FROM profile.location l JOIN golden.customer c USING (golden_id)""",
    "currency": """
        SELECT coalesce(sum(exp(-:rate * greatest(:as_of - address_confirmed_on, 0) / 365.25)), 0) AS numerator,
               count(address_confirmed_on) AS denominator
        FROM profile.location
        WHERE address_confirmed_on IS NOT NULL""",
}
"""Of the hub, by name; parameters: the day (as_of), the day after which deliveries count (since), and the rate."""


_TABLES = re.compile(r"\bprofile\.\w+")


def state_scores(
    connection: Connection,
    as_of: dt.date,
    with_value: Mapping[tuple[str, str, str], int],
    agreed_daily: Collection[tuple[str, str]],
    expected: Mapping[str, Collection[str]],
) -> list[Score]:
    """All figures of the published state.

    Args:
        connection: To the hub.
        as_of: The last day that customers were made from.
        with_value: Active records with a value, by source, entity and attribute or group of attributes.
        agreed_daily: Source and entity of what is to be delivered every day.
        expected: What a complete customer has, by kind of party, as ``profile.quality`` names what is missing.
    """
    return [
        *_of_sources(connection, as_of, with_value),
        *_deliveries(connection, as_of, agreed_daily),
        *_of_customers(connection, About(as_of, GOLDEN, CUSTOMER), expected),
    ]


def ask(connection: Connection, name: str, **values: object) -> list[dict[str, Any]]:
    """The rows of a query; none where the profile that it reads is switched off."""
    needed = set(_TABLES.findall(QUERIES[name]))
    if any(connection.scalar(text("SELECT to_regclass(:name)"), {"name": one}) is None for one in needed):
        return []
    return [dict(row) for row in connection.execute(text(QUERIES[name]), values).mappings()]


def measured_decline(connection: Connection, as_of: dt.date) -> Decline:
    """How fast addresses of our customers go out of date, by our own moves and the prior."""
    for seen in ask(connection, "moves", as_of=as_of):
        return decline(int(seen["moves"]), float(seen["years"]))
    return decline(0, 0)


def _of_sources(
    connection: Connection, as_of: dt.date, with_value: Mapping[tuple[str, str, str], int]
) -> Iterator[Score]:
    for row in ask(connection, "one_record_each"):
        about = About(as_of, row["source"], row["entity"])
        yield from about.score("", "one_record_each", row["numerator"], row["denominator"])
    lost = {
        (row["source"], row["entity"], row["attribute"]): row["lost"] for row in ask(connection, "losers")
    }
    for (source, entity, attribute), records in sorted(with_value.items()):
        held = records - lost.get((source, entity, attribute), 0)
        about = About(as_of, source, entity)
        yield from about.score(f"party.{attribute}", "agrees_with_golden", max(held, 0), records)
    for row in ask(connection, "customer_known"):
        about = About(as_of, row["source"], row["entity"])
        yield from about.score(row["attribute"], "customer_known", row["numerator"], row["denominator"])


def _deliveries(
    connection: Connection, as_of: dt.date, agreed_daily: Collection[tuple[str, str]]
) -> Iterator[Score]:
    since = as_of - dt.timedelta(days=DAYS)
    for row in ask(connection, "days_delivered", as_of=str(as_of), since=str(since)):
        if (row["source"], row["entity"]) in agreed_daily:
            agreed = (as_of - dt.date.fromisoformat(row["first"])).days + 1
            about = About(as_of, row["source"], row["entity"])
            yield from about.score("", "days_delivered", row["days"], agreed)


def _of_customers(
    connection: Connection, about: About, expected: Mapping[str, Collection[str]]
) -> Iterator[Score]:
    kinds = {row["party_kind"]: row["customers"] for row in ask(connection, "kinds")}
    missing: dict[str, int] = {}
    for row in ask(connection, "missing"):
        missing[row["name"]] = missing.get(row["name"], 0) + row["customers"]
    for name in dict.fromkeys(one for names in expected.values() for one in names):
        of = sum(kinds.get(kind, 0) for kind, names in expected.items() if name in names)
        lacking = missing.get(name.replace("|", " or "), 0)
        yield from about.score(f"party.{name}", "has_value", of - lacking, of)
    for row in ask(connection, "quality"):
        yield from about.score("", "all_fit", row["valid"], row["valid_of"])
        yield from about.score("", "records_agree", row["consistent"], row["consistent_of"])
        yield from about.score("", "shared_with_nobody", row["unique"], row["unique_of"])
    for name, attribute in (("not_bounced", "party.email"), ("in_register", "party.postcode")):
        for row in ask(connection, name):
            yield from about.score(attribute, name, row["numerator"], row["denominator"])
    rate = measured_decline(connection, about.as_of).rate
    for row in ask(connection, "currency", as_of=about.as_of, rate=rate):
        yield from about.score(ADDRESS, "currency", row["numerator"], row["denominator"])
