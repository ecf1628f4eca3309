"""Whose interactions are: counted days joined with who the customers are today.

Belongs here: the rule, and the figures that show nothing is lost. Does not belong here: counting days
(``interactions``), what the policy says (``tokens``), where tables come from (steps.profile.interactions).

An interaction is the customer's that it names: by a number of the source, by an order, by an e-mail address or phone
number that one customer has. One that names nobody and has a token is that customer's who was identified with the
token last before it; of those before the first identification, the customer's who was identified next within the
look-back. An identification of somebody who is no customer ends a customer's turn. A token of more customers than the
policy allows is a shared device, and so is nobody's. What is nobody's is anonymous, for one reason of ``Reason``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa

from cdm_pipelines.enrichment.inputs import ATTACHED
from cdm_pipelines.enrichment.interactions import DAY_SCHEMA, EVIDENCE, WHAT
from cdm_pipelines.enrichment.subjects import Whose, look_up_customers, restrict, run
from cdm_pipelines.enrichment.tokens import Eras, is_none_sql, left_out_sql, numbers_of_sql

if TYPE_CHECKING:
    import duckdb


class Way(StrEnum):
    """What attached an interaction."""

    PARTY = "party"
    """It names the customer's number in the source, or an order of the customer."""
    EMAIL = "email"
    PHONE = "phone"
    TOKEN = "token"  # noqa: S105 - no password


class Reason(StrEnum):
    """Why an interaction is anonymous."""

    UNKNOWN = "unknown party"
    """It names somebody who is no customer, or not one of those that are published."""
    AMBIGUOUS = "shared address"
    """It names an e-mail address or a phone number that several customers have."""
    SHARED = "shared device"
    NO_TOKEN = "no token"  # noqa: S105 - no password
    """It names nobody, and has no token, or what stands for one names no device."""
    LEFT_OUT = "channel left out"
    NOT_IDENTIFIED = "not identified"
    """Its token was never identified, or not within the look-back."""


@dataclass(frozen=True)
class Attached:
    """What came of attaching, in interactions; ``attached`` + ``anonymous`` = ``accepted``.

    Attributes:
        accepted: All that were counted.
        by: How many were attached, by way.
        anonymous: How many were not, by reason.
        shared_devices: How many tokens are shared devices.
        tokens: How many tokens were identified, shared ones among them.
    """

    accepted: int
    by: dict[Way, int]
    anonymous: dict[Reason, int]
    shared_devices: int
    tokens: int

    @property
    def attached(self) -> int:
        """All that have a customer."""
        return sum(self.by.values())


def attach(
    db: "duckdb.DuckDBPyConnection",
    eras: Eras,
    customers: Iterable[str] | None = None,
    whose: Whose | None = None,
) -> Attached | None:
    """Make view ``attached`` of the interactions of everybody, or of some customers.

    Args:
        db: With the tables of ``BASE``.
        eras: The rules.
        customers: Golden ids; what they get is what they get among everybody.
        whose: Who looks up what is not there of the crosswalk; only of some customers.

    Returns:
        What came of it; None for some customers.
    """
    look_up_customers(db)
    if customers is not None:
        restrict(db, customers, eras, whose)
    days = "days" if customers is None else "own_days"
    placed = _placed(db, eras, days, f"{', '.join(_GROUP)}, touches, first_at, last_at, score, scores")
    run(db, f"CREATE OR REPLACE TEMP TABLE placed AS {_GROUPED.format(placed=placed)}")
    _view_attached(db, "" if customers is None else "SEMI JOIN wanted USING (golden_id)")
    return _figures(db, "placed", len(eras)) if customers is None else None


def attach_only(db: "duckdb.DuckDBPyConnection", eras: Eras, condition: str) -> None:
    """Make view ``attached`` of some interactions of everybody; whose they are is what it is among all of them.

    Args:
        db: With the tables of ``BASE``.
        eras: The rules.
        condition: SQL on the columns of a counted day, which holds for the interactions that are asked for.
    """
    look_up_customers(db)
    run(db, f"CREATE OR REPLACE TEMP TABLE asked_days AS SELECT * FROM days WHERE ({condition})")
    # Of the others only those of the same devices matter: they say whose a device is. Mostly there is none.
    devices = "SELECT DISTINCT source, token FROM asked_days WHERE token IS NOT NULL"
    run(db, f"CREATE OR REPLACE TEMP TABLE asked_device AS {devices}")
    if db.sql("SELECT 1 FROM asked_device LIMIT 1").fetchall():
        run(
            db,
            "INSERT INTO asked_days SELECT d.* FROM days d SEMI JOIN asked_device x "
            f"ON x.source = d.source AND x.token = d.token WHERE ({condition}) IS NOT TRUE",
        )
    columns = f"{', '.join(_GROUP)}, touches, first_at, last_at, score, scores"
    placed = _placed(db, eras, "asked_days", columns, condition)
    run(db, f"CREATE OR REPLACE TEMP TABLE placed AS {_GROUPED.format(placed=placed)}")
    _view_attached(db)


def _view_attached(db: "duckdb.DuckDBPyConnection", wanted: str = "") -> None:
    run(
        db,
        f"CREATE OR REPLACE TEMP VIEW attached AS SELECT {', '.join(ATTACHED.names)} "
        f"FROM (SELECT * RENAME (way AS attached_by) FROM placed WHERE way IS NOT NULL) {wanted}",
    )


def attached_reader(db: "duckdb.DuckDBPyConnection") -> pa.RecordBatchReader:
    """View ``attached``, some rows at a time, to be read before ``db`` is used again.

    It is as ``inputs.ATTACHED`` has it, but for golden ids, which are bytes: of millions, text takes long to read.
    """
    rows: pa.RecordBatchReader = db.sql(_ATTACHED.replace("VARCHAR", "BLOB", 1)).to_arrow_reader(_BATCH)
    return rows


def attached_rows(db: "duckdb.DuckDBPyConnection") -> pa.Table:
    """View ``attached`` as ``inputs.ATTACHED`` has it, in no order."""
    shaped: pa.Table = db.sql(_ATTACHED).to_arrow_table().cast(ATTACHED)
    return shaped


_BATCH = 122_880
_COLUMNS = ", ".join(
    "golden_id::VARCHAR AS golden_id" if name == "golden_id" else name for name in ATTACHED.names
)
_ATTACHED = f"SELECT {_COLUMNS} FROM attached"


@dataclass(frozen=True)
class Preview:
    """What other rules would change.

    Attributes:
        before: What came of the rules that hold.
        after: What would come of the others.
        moved: Interactions that would have another customer, or one where they have none, or none where they have one.
        customers: Customers who would gain or lose interactions.
    """

    before: Attached
    after: Attached
    moved: int
    customers: int


def preview(db: "duckdb.DuckDBPyConnection", former: Eras, latter: Eras) -> Preview:
    """What would change if other rules held; nothing is changed.

    Args:
        db: With the tables of ``BASE``.
        former: The rules that hold.
        latter: The others, over the days for which they would hold (``tokens.eras_now``).
    """
    look_up_customers(db)
    figures = []
    for name, eras in (("former", former), ("latter", latter)):
        placed = _placed(db, eras, "days", f"hash({', '.join(_KEY)}) AS line, touches")
        run(db, f"CREATE OR REPLACE TEMP TABLE {name} AS {placed}")
        figures.append(_figures(db, name, len(eras)))
    moved, customers = db.execute(_MOVED).fetchall()[0]
    for name in ("former", "latter"):
        run(db, f"DROP TABLE {name}")
    return Preview(figures[0], figures[1], moved, customers)


_GROUP = ("source", "day", *WHAT)
_KEY = tuple(
    name for name in DAY_SCHEMA.names if name not in {"touches", "first_at", "last_at", "score", "scores"}
)
_SILENT = f"coalesce({', '.join(EVIDENCE)}) IS NULL"
_OWN = ", ".join(
    f"CASE WHEN way IS NOT NULL THEN {name} END AS {name}" for name in (*_GROUP, "first_at", "last_at")
)
# Of anonymous interactions nothing is asked but how many there are: they fall into one row for each reason.
_GROUPED = f"""
SELECT golden_id, way, reason, {", ".join(_GROUP)}, sum(touches)::BIGINT AS touches, min(first_at) AS first_at,
       max(last_at) AS last_at, CAST(sum(score) AS DOUBLE) AS score, sum(scores)::BIGINT AS scores
FROM (SELECT golden_id, way, reason, {_OWN}, touches, score, scores FROM ({{placed}})) GROUP BY ALL
"""
_MOVED = """
WITH moved AS (SELECT f.golden_id AS one, l.golden_id AS other, f.touches FROM former f JOIN latter l USING (line)
              WHERE f.golden_id IS DISTINCT FROM l.golden_id)
SELECT coalesce((SELECT sum(touches) FROM moved), 0)::BIGINT,
       (SELECT count(*) FROM (SELECT one FROM moved WHERE one IS NOT NULL
                              UNION SELECT other FROM moved WHERE other IS NOT NULL))
"""
_LOOK_UPS = {
    "speaks": """
        SELECT said_by, source, rank FROM named_sources_{n}
        UNION ALL
        SELECT source, source, 0 FROM (SELECT DISTINCT source FROM {days})
        WHERE source NOT IN (SELECT said_by FROM named_sources_{n})""",
    "by_party": """
        SELECT said_by AS source, record_id AS party_id, w.golden_id
        FROM parties p SEMI JOIN (SELECT DISTINCT party_id AS record_id FROM {days}) USING (record_id)
        JOIN whose w USING (source, entity, record_id) JOIN speaks_{n} USING (source)
        QUALIFY row_number() OVER (
            PARTITION BY said_by, record_id ORDER BY rank, NOT active, first_seen, entity, source) = 1""",
    "by_order": """
        SELECT said_by AS source, order_id, w.golden_id
        FROM party_orders o SEMI JOIN (SELECT DISTINCT order_id FROM {days}) USING (order_id)
        JOIN whose w ON w.source = o.source AND w.entity = o.party_entity AND w.record_id = o.party_record_id
        JOIN speaks_{n} s ON s.source = o.source
        QUALIFY row_number() OVER (PARTITION BY said_by, order_id ORDER BY rank, w.golden_id) = 1""",
    "by_email": """
        SELECT party_email, CASE WHEN min(golden_id) = max(golden_id) THEN min(golden_id) END AS golden_id
        FROM (SELECT source, entity, record_id, email AS party_email FROM parties)
        SEMI JOIN (SELECT DISTINCT party_email FROM {days}) USING (party_email)
        JOIN whose USING (source, entity, record_id) GROUP BY ALL""",
    "by_phone": """
        SELECT party_phone, CASE WHEN min(golden_id) = max(golden_id) THEN min(golden_id) END AS golden_id
        FROM (SELECT source, entity, record_id, unnest([phone, mobile]) AS party_phone FROM parties)
        SEMI JOIN (SELECT DISTINCT party_phone FROM {days}) USING (party_phone)
        JOIN whose USING (source, entity, record_id) GROUP BY ALL""",
    "identified": """
        SELECT DISTINCT source, token, named_id AS golden_id, first_at, day FROM ({named})
        WHERE named_id IS NOT NULL OR NOT ambiguous""",
    "token": """
        SELECT source, token, min(golden_id) AS golden_id, min(day) AS first_day,
               count(DISTINCT golden_id) > {most} AS shared,
               count(DISTINCT golden_id) > 1 OR count(*) > count(golden_id) AS turns
        FROM identified_{n} GROUP BY ALL HAVING count(golden_id) > 0""",
    "turn": """
        SELECT source, token, first_at, min(day) AS day,
               CASE WHEN count(*) = count(golden_id) AND min(golden_id) = max(golden_id) THEN min(golden_id)
                    END AS golden_id
        FROM identified_{n} SEMI JOIN (SELECT * FROM token_{n} WHERE turns AND NOT shared) USING (source, token)
        WHERE first_at IS NOT NULL GROUP BY ALL""",
    "visit": """
        SELECT v.source, v.token, v.first_at,
               CASE WHEN former.token IS NOT NULL THEN former.golden_id
                    WHEN latter.day <= v.day + {back} THEN latter.golden_id END AS golden_id
        FROM (SELECT DISTINCT source, token, first_at, day FROM {days}
              SEMI JOIN (SELECT source, token FROM turn_{n}) USING (source, token)
              WHERE {silent} AND first_at IS NOT NULL) v
        ASOF LEFT JOIN turn_{n} former
             ON former.source = v.source AND former.token = v.token AND former.first_at <= v.first_at
        ASOF LEFT JOIN turn_{n} latter
             ON latter.source = v.source AND latter.token = v.token AND latter.first_at > v.first_at""",
}
"""What the join asks, each made of those before it: whose a number, an order, an address, a phone and a token is.

A number that several entities of a source have is an active record's, then the one's that was seen first, as it is for
orders. ``token`` has tokens of customers; where it matters who was identified last, ``turn`` says when who was, and
``visit`` whose moments without identification are.
"""


def _placed(
    db: "duckdb.DuckDBPyConnection", eras: Eras, days: str, columns: str, condition: str = "true"
) -> str:
    """The query of interactions with ``golden_id`` and ``way``, or the ``reason`` why they have none."""
    pieces = []
    for number, era in enumerate(eras):
        rules, back = era.rules, f"INTERVAL {era.rules.look_back_days} DAY"
        none, left_out = is_none_sql("token", rules), left_out_sql("channel", rules)
        device = f"token IS NOT NULL AND NOT {left_out} AND NOT {none}"
        named = _named(f"SELECT * FROM {days} WHERE NOT ({_SILENT}) AND {device}", number)
        run(db, f"CREATE OR REPLACE TEMP TABLE named_sources_{number} AS {numbers_of_sql(rules)}")
        for name, query in _LOOK_UPS.items():
            asked = query.format(
                n=number, days=days, named=named, most=rules.customers_per_token, back=back, silent=_SILENT
            )
            run(db, f"CREATE OR REPLACE TEMP TABLE {name}_{number} AS {asked}")
        until = eras[number + 1].after if number + 1 < len(eras) else ""
        own = f"({condition}) AND extract_date > '{era.after}'" + (
            f" AND extract_date <= '{until}'" if until else ""
        )
        pieces.append(
            f"""
            SELECT CASE WHEN NOT ({_SILENT}) THEN named_id WHEN by_token THEN token_id END AS golden_id,
                   CASE WHEN NOT ({_SILENT}) THEN named_by WHEN by_token THEN '{Way.TOKEN}' END AS way,
                   CASE WHEN way IS NOT NULL THEN NULL
                        WHEN NOT ({_SILENT}) AND ambiguous THEN '{Reason.AMBIGUOUS}'
                        WHEN NOT ({_SILENT}) THEN '{Reason.UNKNOWN}'
                        WHEN shared THEN '{Reason.SHARED}'
                        WHEN token IS NULL THEN '{Reason.NO_TOKEN}'
                        WHEN {left_out} THEN '{Reason.LEFT_OUT}'
                        WHEN known THEN '{Reason.NOT_IDENTIFIED}'
                        WHEN {none} THEN '{Reason.NO_TOKEN}'
                        ELSE '{Reason.NOT_IDENTIFIED}' END AS reason,
                   {columns}
            FROM (SELECT r.*, NOT {left_out} AND t.shared AS shared, t.token IS NOT NULL AS known,
                         CASE WHEN t.shared THEN NULL WHEN t.turns THEN v.golden_id
                              WHEN r.day >= t.first_day - {back} THEN t.golden_id END AS token_id,
                         NOT {left_out} AND token_id IS NOT NULL AS by_token
                  FROM ({_named(f"SELECT * FROM {days} WHERE {own}", number)}) r
                  LEFT JOIN token_{number} t ON t.source = r.source AND t.token = r.token
                  LEFT JOIN visit_{number} v
                       ON v.source = r.source AND v.token = r.token AND v.first_at = r.first_at)"""
        )
    return " UNION ALL ".join(pieces)


def _named(rows: str, number: int) -> str:
    """Rows with the customer that each names itself, the way, and whether several share what names it."""
    return f"""
    SELECT d.*, coalesce(p.golden_id, o.golden_id, e.golden_id, f.golden_id) AS named_id,
           CASE WHEN p.golden_id IS NOT NULL OR o.golden_id IS NOT NULL THEN '{Way.PARTY}'
                WHEN e.golden_id IS NOT NULL THEN '{Way.EMAIL}'
                WHEN f.golden_id IS NOT NULL THEN '{Way.PHONE}' END AS named_by,
           (e.party_email IS NOT NULL AND e.golden_id IS NULL)
           OR (f.party_phone IS NOT NULL AND f.golden_id IS NULL) AS ambiguous
    FROM ({rows}) d
    LEFT JOIN by_party_{number} p ON p.source = d.source AND p.party_id = d.party_id
    LEFT JOIN by_order_{number} o ON o.source = d.source AND o.order_id = d.order_id
    LEFT JOIN by_email_{number} e ON e.party_email = d.party_email
    LEFT JOIN by_phone_{number} f ON f.party_phone = d.party_phone
    """


def _figures(db: "duckdb.DuckDBPyConnection", placed: str, eras: int) -> Attached:
    counts = dict(
        db.execute(
            f"SELECT coalesce(way, reason), sum(touches)::BIGINT FROM {placed} GROUP BY ALL"
        ).fetchall()
    )
    devices = " UNION ALL ".join(
        f"SELECT source, token, shared FROM token_{number}" for number in range(eras)
    )
    tokens, shared = db.execute(
        f"SELECT count(*), count(*) FILTER (shared) FROM "
        f"(SELECT source, token, bool_or(shared) AS shared FROM ({devices}) GROUP BY ALL)"
    ).fetchall()[0]
    return Attached(
        sum(counts.values()),
        {way: counts.get(str(way), 0) for way in Way},
        {reason: counts.get(str(reason), 0) for reason in Reason},
        shared,
        tokens,
    )
