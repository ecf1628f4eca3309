"""What the business case counts: volumes by name, each with the query that it comes from.

Belongs here: the queries, what they count in words, and which way is better. Does not belong here: what a unit is worth
(the company's own figures, ``business_case_policy``), or asking and keeping (steps.insight, hub.scorecards).

Every query gives ``source`` and ``value``: a row per source system where it can be told apart, else one row with an
empty source. Parameters: ``as_of``, the last day that customers were made from; ``rate``, moves a year
(``currency``); ``deltas``, source/entity of what is delivered as changes only; ``currency``, of the policy;
``timezone``, in which the deployment's days begin.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY


class Better(StrEnum):
    """Which way a volume should go; a base is no fault, and is not improved."""

    FEWER = "fewer"
    MORE = "more"
    BASE = "base"


@dataclass(frozen=True)
class Volume:
    """One thing that is counted.

    Attributes:
        words: What, in words.
        unit: Of the value.
        better: Which way it should go.
        query: On the hub.
    """

    words: str
    unit: str
    better: Better
    query: str


def _of_last_day(select: str, measure: str) -> str:
    """A query over the newest figures of a measure, of each source entity."""
    return f"""{select} FROM insight.quality q
        JOIN (SELECT source, entity, max(as_of) AS as_of FROM insight.quality
              WHERE measure = '{measure}' AND as_of <= :as_of GROUP BY source, entity) newest
        ON newest.source = q.source AND newest.entity = q.entity AND newest.as_of = q.as_of
        WHERE q.measure = '{measure}'"""  # noqa: S608 - of constants below


VOLUMES: Mapping[str, Volume] = {
    "customers": Volume(
        "golden customers in service",
        "customers",
        Better.BASE,
        "SELECT '' AS source, count(*) AS value FROM golden.customer WHERE status = 'active'",
    ),
    "records": Volume(
        "active records of parties",
        "records",
        Better.BASE,
        "SELECT source, count(*) AS value FROM golden.crosswalk WHERE active GROUP BY source",
    ),
    "revenue": Volume(
        "orders of the last 365 days, whatever became of them, in the currency of the policy",
        "money",
        Better.BASE,
        """SELECT source, coalesce(sum(total_amount), 0) AS value FROM golden.customer_order
           WHERE active AND currency = :currency AND (ordered_at AT TIME ZONE :timezone)::date
           BETWEEN CAST(:as_of AS date) - 364 AND CAST(:as_of AS date) GROUP BY source""",
    ),
    "duplicate_records": Volume(
        "active records beyond the first of their customer in the same entity of a source: a mailing to that source's "
        "list reaches the customer once more for each",
        "records",
        Better.FEWER,
        """SELECT source, sum(records - 1) AS value
           FROM (SELECT source, entity, golden_id, count(*) AS records FROM golden.crosswalk WHERE active
                 GROUP BY source, entity, golden_id) AS of_customer GROUP BY source""",
    ),
    "undeliverable_addresses": Volume(
        "customers in service with an address that lacks street, postcode or city, or whose postcode is in no register",
        "customers",
        Better.FEWER,
        """SELECT '' AS source, count(*) AS value FROM golden.customer c LEFT JOIN profile.location l USING (golden_id)
           WHERE c.status = 'active' AND coalesce(c.street, c.postcode, c.city) IS NOT NULL
           AND (c.street IS NULL OR c.postcode IS NULL OR c.city IS NULL OR l.postcode_known IS FALSE)""",
    ),
    "outdated_addresses": Volume(
        "addresses that are expected to be no longer right: the sum of 1 - exp(-moves a year x years since confirmed)",
        "addresses",
        Better.FEWER,
        """SELECT '' AS source,
                  coalesce(sum(1 - exp(-:rate * greatest(CAST(:as_of AS date) - l.address_confirmed_on, 0) / 365.25)),
                           0) AS value
           FROM profile.location l JOIN golden.customer c USING (golden_id)
           WHERE c.status = 'active' AND l.address_confirmed_on IS NOT NULL""",
    ),
    "bounced_emails": Volume(
        "e-mails of the last 365 days that came back",
        "e-mails",
        Better.FEWER,
        "SELECT '' AS source, coalesce(sum(bounces_365), 0) AS value FROM profile.engagement",
    ),
    "without_email": Volume(
        "customers in service without an e-mail address",
        "customers",
        Better.FEWER,
        """SELECT '' AS source, count(*) AS value FROM golden.customer
           WHERE status = 'active' AND email IS NULL""",
    ),
    "conflicting_customers": Volume(
        "customers whose records contradict each other in something that two of them have",
        "customers",
        Better.FEWER,
        "SELECT '' AS source, count(*) AS value FROM profile.quality WHERE consistency < 1",
    ),
    "quarantined_orders": Volume(
        "rows of orders that were rejected: of deliveries of changes those of 365 days, of whole deliveries the last",
        "rows",
        Better.FEWER,
        """WITH orders AS (SELECT DISTINCT source, entity FROM ops.source_day WHERE holds = 'order'),
           rejected AS (
               SELECT q.source, q.entity, q.as_of, q.denominator - q.numerator AS rows,
                      max(q.as_of) OVER (PARTITION BY q.source, q.entity) AS last
               FROM insight.quality q JOIN orders USING (source, entity)
               WHERE q.measure = 'accepted' AND q.as_of <= :as_of AND q.as_of > CAST(:as_of AS date) - 365)
           SELECT source, coalesce(sum(rows), 0) AS value FROM rejected
           WHERE as_of = last OR source || '/' || entity = ANY(:deltas) GROUP BY source""",
    ),
    "orders_of_nobody": Volume(
        "active orders whose customer is not known",
        "orders",
        Better.FEWER,
        """SELECT source, count(*) - count(golden_id) AS value FROM golden.customer_order WHERE active
           GROUP BY source""",
    ),
    "contacts_of_unknown": Volume(
        "interactions that name a party, address or number that belongs to no customer: a call, a ticket, a visit of "
        "somebody who is not found",
        "interactions",
        Better.FEWER,
        """SELECT '' AS source, coalesce(sum(m.value), 0) AS value FROM ops.measurement m
           WHERE m.asset = 'profile/interactions' AND m.name = 'whose' AND m.part = 'anonymous: unknown party'
           AND m.run = (SELECT run FROM ops.measurement WHERE asset = 'profile/interactions' AND name = 'whose'
                        ORDER BY measured_at DESC, run LIMIT 1)""",
    ),
    "contradictory_consent": Volume(
        "statements of consent that contradict another of the same moment",
        "statements",
        Better.FEWER,
        """SELECT '' AS source, coalesce(sum(m.value), 0) AS value FROM ops.measurement m
           WHERE m.asset = 'privacy/consent' AND m.name = 'contradictory'
           AND m.run = (SELECT run FROM ops.measurement WHERE asset = 'privacy/consent' AND name = 'contradictory'
                        ORDER BY measured_at DESC, run LIMIT 1)""",
    ),
    "rejected_rows": Volume(
        "rows of the last day of each source entity that were rejected",
        "rows",
        Better.FEWER,
        _of_last_day("SELECT q.source, sum(q.denominator - q.numerator) AS value", "accepted")
        + " GROUP BY q.source",
    ),
    "unfit_values": Volume(
        "values of the last day of each source entity that do not keep to their rules",
        "values",
        Better.FEWER,
        _of_last_day("SELECT q.source, sum(q.denominator - q.numerator) AS value", "fit")
        + " GROUP BY q.source",
    ),
    "share_without_fault": Volume(
        "records without any fault / records, of the last day of each source entity",
        "share",
        Better.MORE,
        _of_last_day("SELECT '' AS source, sum(q.numerator) / sum(q.denominator) AS value", "all")
        + " HAVING sum(q.denominator) > 0",
    ),
}
"""By name, as policies/business_case.yaml writes it; ``name:source`` is of one source."""
_PROFILE = re.compile(r"\bprofile\.\w+")


@dataclass(frozen=True)
class Asked:
    """What queries are asked with."""

    as_of: dt.date
    rate: float
    deltas: tuple[str, ...]
    currency: str
    timezone: str


def counted(connection: Connection, name: str, asked: Asked) -> dict[str, float] | None:
    """The volume by source; None where it cannot be measured.

    That is where the part of the profile that it reads is switched off, or there is nothing to have a share of.

    Args:
        connection: To the hub.
        name: Of ``VOLUMES``.
        asked: Parameters.
    """
    query = VOLUMES[name].query
    for table in set(_PROFILE.findall(query)):
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": table}) is None:
            return None
    known = {
        "as_of": asked.as_of,
        "rate": asked.rate,
        "deltas": list(asked.deltas),
        "currency": asked.currency,
        "timezone": asked.timezone,
    }
    used = {key: value for key, value in known.items() if re.search(rf":{key}\b", query)}
    statement = text(query)
    if "deltas" in used:
        statement = statement.bindparams(bindparam("deltas", type_=ARRAY(Text)))
    found = {row.source: float(row.value) for row in connection.execute(statement, used)}
    if VOLUMES[name].better is Better.MORE:  # a share of nothing is no share
        return found or None
    return found or {"": 0.0}
