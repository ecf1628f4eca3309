"""Contact pressure: how often we addressed each customer lately.

Belongs here: the one rule of what counts, for actions and audiences alike. Does not belong here: how often is too often
(their policies), whose an interaction is (steps.profile.touches), the SQL of the ledger (hub.deliveries).

What interactions say that we sent counts; and who was added to an audience, as long as no message of its campaign came
back as an interaction of theirs on that day or later. So a mailing counts before the mail tool reports it, and is not
counted twice when it does.
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.enrichment.tokens import POLICY as INTERACTIONS
from cdm_pipelines.enrichment.tokens import InteractionPolicy
from cdm_pipelines.hub import deliveries
from cdm_pipelines.insight.action_choice import CONTACTS
from cdm_pipelines.publish.audience_policy import Audience
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.touches import MESSAGES, Known, opened_touches, rules_kept, rules_now
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake


def first_day(settings: Settings, days: int) -> dt.date:
    """The first of so many days that end today, in the time zone of the deployment."""
    return dt.datetime.now(ZoneInfo(settings.timezone)).date() - dt.timedelta(days=days - 1)


def messages(connection: Connection, settings: Settings, first: dt.date, until: dt.date) -> pa.Table:
    """What interactions say that we sent to each published customer from one day up to another, as ``MESSAGES``."""
    lake = Lake(settings.lake_url)
    newest = max((PurePosixPath(path).stem for path in lake.paths(layout.INTERACTIONS)), default="")
    if newest < first.isoformat():  # nothing was delivered since: who the customers are need not be read
        return MESSAGES.empty_table()
    known = Known.published(lake, connection)
    with opened_touches(lake, all_contracts(), known, threads=settings.threads) as touches:
        policy = InteractionPolicy.load(settings.policies / INTERACTIONS)
        return touches.messages_by_us(rules_kept(lake) or rules_now(lake, policy), first, until).cast(
            MESSAGES
        )


def contacts(
    connection: Connection,
    settings: Settings,
    sent: pa.Table,
    first: dt.date,
    audiences: Mapping[str, Audience],
    *,
    at_least: int = 1,
) -> pa.Table:
    """How often each customer was addressed from a day on, and when last: ``CONTACTS`` in order of golden id.

    Args:
        connection: Of a migrated hub.
        settings: Whose time zone days are in.
        sent: What interactions say since that day, as ``MESSAGES``.
        first: The day.
        audiences: Those that are declared, with their campaigns; one that is no more goes by its own name.
        at_least: Only who was so often.
    """
    added = deliveries.additions(connection, first, settings.timezone)
    campaigns = pa.table(
        {
            "audience": pa.array(list(audiences), pa.string()),
            "campaign": pa.array([one.campaign or name for name, one in audiences.items()], pa.string()),
        }
    )
    with duckdb.connect() as db:
        for name, table in (("sent", sent), ("added", added), ("campaigns", campaigns)):
            db.register(name, table)
        found: pa.Table = db.sql(
            """WITH named AS (
                SELECT golden_id, day, lower(trim(coalesce(c.campaign, audience))) AS campaign
                FROM added LEFT JOIN campaigns AS c USING (audience)),
            waiting AS (
                SELECT golden_id, day FROM named AS n WHERE NOT EXISTS (
                    SELECT 1 FROM sent AS s WHERE s.golden_id = n.golden_id AND lower(trim(s.campaign)) = n.campaign
                    AND s.day >= n.day)),
            addressed AS (
                SELECT golden_id, day, contacts FROM sent UNION ALL SELECT golden_id, day, 1 FROM waiting)
            SELECT golden_id, CAST(sum(contacts) AS BIGINT) AS contacts, max(day) AS last_on
            FROM addressed GROUP BY golden_id HAVING sum(contacts) >= $at_least ORDER BY golden_id""",
            params={"at_least": at_least},
        ).to_arrow_table()
    return found.cast(CONTACTS)
