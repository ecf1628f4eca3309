"""What came of audiences: sent, opened, clicked, unsubscribed, bought, among those sent to and those left out.

Belongs here: joining the ledger with interactions and orders, and counting. Does not belong here: whose an interaction
is (steps.profile.touches), or judging the difference.

A message counts for an audience whose campaign it names, from the day on which the customer was added; an order counts
within the days that the audience says, whatever led to it: what the campaign did is the difference between those who
were sent to and the control group, not the number. Who is in the control group counts there alone. Each customer counts
once in each figure.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.enrichment.tokens import POLICY as INTERACTIONS
from cdm_pipelines.enrichment.tokens import InteractionPolicy
from cdm_pipelines.hub import deliveries
from cdm_pipelines.steps.activation.audience_book import Book
from cdm_pipelines.steps.profile.touches import Known, opened_touches, rules_kept, rules_now
from cdm_pipelines.store.lake import Lake

FIGURES = {"sent": "sent", "opened": "open", "clicked": "click", "unsubscribed": "unsubscribe"}
"""Figures by the kind of interaction that they count."""
_MESSAGE = pa.schema(
    [("golden_id", pa.string()), ("kind", pa.string()), ("campaign", pa.string()), ("day", pa.date32())]
)


def measure(connection: Connection, book: Book) -> list[dict[str, Any]]:
    """Count what came of every audience that was ever delivered, and keep it.

    Args:
        connection: Of a migrated hub, in a transaction.
        book: All that is declared.

    Returns:
        A row per audience and variant, as ``activation.result`` has them; nothing of audiences that were never
        delivered.
    """
    zone = book.settings.timezone
    treated = {name: deliveries.treated(connection, name, zone) for name in book.policy.audiences}
    treated = {name: rows for name, rows in treated.items() if rows.num_rows}
    messages = _MESSAGE.empty_table()
    if treated:
        first = min(pc.min(rows["since"]).as_py() for rows in treated.values())
        messages = _messages(connection, book, first)
    found = [
        row for name, rows in treated.items() for row in _of_audience(connection, book, name, rows, messages)
    ]
    deliveries.write_results(connection, found)
    return found


def counted(treated: pa.Table, messages: pa.Table, bought: pa.Array, campaign: str) -> list[dict[str, Any]]:
    """What came of one audience.

    Args:
        treated: ``deliveries.TREATED``.
        messages: ``golden_id, kind, campaign, day`` of messages by us, and what became of them.
        bought: Golden ids of those who ordered in time.
        campaign: As the messages name it.

    Returns:
        A row per variant that there is, in order.
    """
    figures = ", ".join(
        f"count(DISTINCT golden_id) FILTER (kind = '{kind}') AS {name}" for name, kind in FIGURES.items()
    )
    ordered = treated.append_column("bought", pc.is_in(treated["golden_id"], value_set=bought))
    with duckdb.connect() as db:
        db.register("treated", ordered)
        db.register("messages", messages)
        rows: pa.Table = db.sql(
            f"""WITH own AS (
                SELECT t.golden_id, variant, kind FROM treated AS t JOIN messages AS m USING (golden_id)
                WHERE lower(trim(m.campaign)) = lower(trim($campaign)) AND m.day >= t.since),
            told AS (SELECT variant, {figures} FROM own GROUP BY variant),
            who AS (SELECT variant, count(*) AS customers, count(*) FILTER (bought) AS bought FROM treated GROUP BY 1)
            SELECT variant, customers, {", ".join(f"coalesce({name}, 0) AS {name}" for name in FIGURES)}, bought
            FROM who LEFT JOIN told USING (variant) ORDER BY variant""",  # noqa: S608 - our own names
            params={"campaign": campaign},
        ).to_arrow_table()
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


def _of_audience(
    connection: Connection, book: Book, name: str, treated: pa.Table, messages: pa.Table
) -> Iterator[dict[str, Any]]:
    audience = book.policy.audiences[name]
    bought = deliveries.bought(connection, name, book.settings.timezone, audience.results_within)
    for row in counted(treated, messages, bought, audience.campaign or name):
        yield {"audience": name, **row}


def _messages(connection: Connection, book: Book, since: dt.date) -> pa.Table:
    """Messages of campaigns of audiences, and what became of them, of known customers from a day on."""
    lake = Lake(book.settings.lake_url)
    known = Known.published(lake, connection)
    with opened_touches(lake, all_contracts(), known, threads=book.settings.threads) as touches:
        policy = InteractionPolicy.load(book.settings.policies / INTERACTIONS)
        eras = rules_kept(lake) or rules_now(lake, policy)
        campaigns = [one.campaign or name for name, one in book.policy.audiences.items()]
        return touches.of_campaigns(eras, list(FIGURES.values()), campaigns, since).cast(_MESSAGE)
