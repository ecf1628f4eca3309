"""A standardised day of interactions counted: who did what, how often, and first and last when.

Belongs here: the tables that are kept of each day, and making them. Does not belong here: whose they are
(``attachment``), which days there are (steps.profile.interactions).

Who somebody is changes with every linking; so what is kept names what the interaction named (a party record, an order,
an e-mail address, a phone number, a token), never a golden customer. What is kept of a day is a function of that day,
of the ids in it that a later day delivers again, and of the time zone.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cdm_pipelines.enrichment.tokens import canonical_sql

if TYPE_CHECKING:
    import duckdb


FORM = 1
"""Of what is kept of a day; another one makes all days anew."""
SKEW_DAYS = 2
"""Clocks of other systems may be so far ahead; what is later has no moment that can be believed."""
EVIDENCE = ("party_id", "order_id", "party_email", "party_phone")
"""What names a customer, the most certain first: a number that the source gave, an order, an address, a phone."""
WHO = (*EVIDENCE, "token")
WHAT = ("channel", "kind", "direction", "campaign", "product_code", "thread_id", "outcome", "subject")
KINDS = (
    *("visit", "product_view", "cart", "search", "sent", "open", "click", "bounce", "unsubscribe", "call"),
    *("ticket_opened", "ticket_solved", "ticket_rated", "complaint", "other"),
)
_LONGEST_TEXT = 300
_MOST_PEOPLE = 100
"""A token that names more people on one day is no device of one: its day is not cut at its identifications."""
_BATCH = 122_880
_TEXT = pa.string()
_READ = ("record_id", "occurred_at", *WHO, *WHAT, "score")
READ = (*_READ, "is_deleted")
"""Columns of a standardised day that are read."""
DAY_SCHEMA = pa.schema(
    [
        *((name, _TEXT) for name in ("source", "entity", "extract_date", *WHO)),
        ("segment", pa.int32()),
        ("day", pa.date32()),
        *((name, _TEXT) for name in WHAT),
        ("touches", pa.int64()),
        ("first_at", pa.timestamp("us")),
        ("last_at", pa.timestamp("us")),
        ("score", pa.decimal128(18, 6)),
        ("scores", pa.int64()),
    ]
)
"""What is kept of a day: one row for all interactions that are alike but for their moment and score.

``segment`` counts, for a token, the times that it was identified before on that day and in that file, so that what
was before and after an identification are rows apart. ``day`` and moments are local; all three are null where the
source gives none that can be believed. Sorted by all columns.
"""
FOLLOWS_FROM = {
    **{name: name for name in (*WHO, *WHAT, "score")},
    **dict.fromkeys(("day", "first_at", "last_at"), "occurred_at"),
    "touches": "interaction_id",
    "scores": "score",
}
"""The attribute of an interaction that a column of a counted day follows from."""
SUBJECT_COLUMNS = pa.schema([(name, _TEXT) for name in ("source", *WHO)])
"""Whom rows name, and by whose numbers."""
IDS_SCHEMA = pa.schema([("id", pa.uint64())])
"""The ids that a day delivers, 64 bits of MD5 each, sorted: at 100,000,000 of them two are taken for one with a
probability of 0.03 %."""


@dataclass(frozen=True)
class Tally:
    """What a day consists of, in interactions: ``delivered`` = ``counted`` + ``repeated`` + ``withdrawn``.

    Attributes:
        delivered: Rows of the standardised day.
        counted: Interactions that are in the table.
        repeated: Those that a later day, or another row of this one, has too.
        withdrawn: Those that the source marks as deleted.
        without_moment: Of those counted, without a moment that can be read.
        in_future: Of those counted, with a moment later than the day it came on, by more than clocks are apart.
        unknown_kind: Of those counted, of a kind that is not known: they are of kind ``other``.
    """

    delivered: int = 0
    counted: int = 0
    repeated: int = 0
    withdrawn: int = 0
    without_moment: int = 0
    in_future: int = 0
    unknown_kind: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@contextmanager
def working(spill: Path, *, threads: int, memory: str = "2GB") -> "Iterator[duckdb.DuckDBPyConnection]":
    """DuckDB that holds no more than ``memory`` and puts the rest in a folder; results do not depend on either."""
    config: dict[str, Any] = {
        "threads": threads,
        "memory_limit": memory,
        "preserve_insertion_order": False,
        "temp_directory": str(spill),
    }
    import duckdb  # noqa: PLC0415 - loads where something is worked out

    with duckdb.connect(config=config) as db:
        db.execute("SET parquet_metadata_cache = true")  # hundreds of days are read again and again
        yield db


def ids_of(db: "duckdb.DuckDBPyConnection", batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The ids that a day delivers, as ``IDS_SCHEMA`` has them.

    Args:
        db: To work with.
        batches: ``record_id`` of its rows.
    """
    _given(db, batches, ("record_id",))
    yield from _batches(
        db.sql("SELECT DISTINCT md5_number_lower(record_id) AS id FROM given ORDER BY id"), IDS_SCHEMA
    )
    db.unregister("given")


def counted(
    db: "duckdb.DuckDBPyConnection",
    batches: Iterable[pa.Table],
    *,
    source: str,
    entity: str,
    date: date,
    timezone: str,
    repeated: pa.Array | None = None,
) -> tuple[Tally, Iterator[pa.Table]]:
    """A day as ``DAY_SCHEMA`` has it.

    Args:
        db: To work with.
        batches: The rows, with the columns of ``READ`` as far as the day has them.
        source: Source system.
        entity: Entity of the source.
        date: The day of the extract.
        timezone: In which days begin.
        repeated: Ids that a later day delivers again: they count there.

    Returns:
        What the day consists of, and its table in pieces, to be read to their end before ``db`` is used again.
    """
    _given(db, batches, READ)
    tally = _kept(db, date, repeated)
    db.unregister("given")
    db.execute(f"CREATE OR REPLACE TEMP TABLE runs AS {_RUNS}")
    groups = db.sql(
        _GROUPS,
        params={"source": source, "entity": entity, "date": date.isoformat(), "timezone": timezone},
    )
    return tally, _batches(groups, DAY_SCHEMA)


def _given(db: "duckdb.DuckDBPyConnection", batches: Iterable[pa.Table], columns: tuple[str, ...]) -> None:
    """Let the database read rows as they come; columns that are not there are null."""
    schema = pa.schema([(name, pa.bool_() if name == "is_deleted" else _TEXT) for name in columns])

    def pieces() -> Iterator[pa.RecordBatch]:
        for table in batches:
            arrays = [
                table[field.name].cast(field.type)
                if field.name in table.column_names
                else pa.nulls(table.num_rows, field.type)
                for field in schema
            ]
            yield from pa.Table.from_arrays(arrays, schema=schema).to_batches()

    db.register("given", pa.RecordBatchReader.from_batches(schema, pieces()))


def _batches(relation: "duckdb.DuckDBPyRelation", schema: pa.Schema) -> Iterator[pa.Table]:
    """Rows in pieces of one size, so that files are alike whatever the memory and the number of threads."""
    for batch in relation.to_arrow_reader(_BATCH):
        yield pa.Table.from_batches([batch]).cast(schema)


def _text(name: str) -> str:
    return f"nullif(left(trim({name}), {_LONGEST_TEXT}), '')"


_KNOWN = ", ".join(f"'{kind}'" for kind in KINDS)
_NAMED = f"coalesce({', '.join(EVIDENCE)}) IS NOT NULL"
# A person is named by the same evidence all day, as a rule; an order each time by another, so it comes last here.
_PERSON = "coalesce('1' || party_id, '2' || party_email, '3' || party_phone, '4' || order_id)"
_ROWS = f"""
SELECT md5_number_lower(record_id) AS id, coalesce(is_deleted, false) AS withdrawn,
       TRY_CAST(rtrim(occurred_at, 'Z') AS TIMESTAMP) AS said_at,
       said_at <= $date::TIMESTAMP + INTERVAL {SKEW_DAYS + 1} DAY AS believed,
       CASE WHEN believed THEN said_at END AS moment,
       {", ".join(f"nullif(trim({name}), '') AS {name}" for name in EVIDENCE)},
       {canonical_sql("token")} AS token,
       lower(trim(channel)) AS channel,
       CASE WHEN lower(trim(kind)) IN ({_KNOWN}) THEN lower(trim(kind)) ELSE 'other' END AS kind,
       kind IS NOT NULL AND lower(trim(kind)) NOT IN ({_KNOWN}) AS unknown_kind,
       CASE WHEN lower(trim(direction)) IN ('in', 'out') THEN lower(trim(direction)) END AS direction,
       {", ".join(f"{_text(name)} AS {name}" for name in WHAT[3:])},
       TRY_CAST(score AS DECIMAL(18, 6)) AS score
FROM given
"""
_ONCE = f"""
SELECT * FROM once
QUALIFY row_number() OVER (PARTITION BY id ORDER BY withdrawn DESC, said_at DESC, {", ".join((*WHO, *WHAT))}, score) = 1
"""
_TALLY = """
SELECT count(*), count(*) FILTER (said_at IS NULL), count(*) FILTER (NOT believed), count(*) FILTER (unknown_kind)
FROM kept
"""
_RUNS = f"""
WITH identified AS (
    SELECT token, moment, {_PERSON} AS person FROM kept WHERE token IS NOT NULL AND moment IS NOT NULL AND {_NAMED}),
few AS (SELECT token FROM identified GROUP BY token HAVING count(DISTINCT person) <= {_MOST_PEOPLE}),
turns AS (
    SELECT token, moment, person FROM identified SEMI JOIN few USING (token)
    QUALIFY person IS DISTINCT FROM lag(person) OVER (PARTITION BY token ORDER BY moment, person)),
numbered AS (SELECT token, moment, row_number() OVER (PARTITION BY token ORDER BY moment, person) AS segment FROM turns)
SELECT token, moment, CAST(max(segment) AS INTEGER) AS segment FROM numbered GROUP BY ALL
"""
_LOCAL = "timezone($timezone, timezone('UTC', {0}))"
_GROUPS = f"""
WITH hours AS (
    SELECT hour, {_LOCAL.format("hour")} - hour AS ahead
    FROM (SELECT DISTINCT time_bucket(INTERVAL 15 MINUTE, moment) AS hour FROM kept WHERE moment IS NOT NULL)),
cut AS (
    SELECT kept.*, runs.segment FROM (SELECT * FROM kept SEMI JOIN runs USING (token) WHERE moment IS NOT NULL) kept
    ASOF LEFT JOIN runs ON kept.token = runs.token AND kept.moment >= runs.moment
    UNION ALL BY NAME
    SELECT * FROM kept WHERE moment IS NULL OR token IS NULL OR token NOT IN (SELECT token FROM runs)),
here AS (
    SELECT cut.*, moment + ahead AS local FROM cut
    LEFT JOIN hours ON hour = time_bucket(INTERVAL 15 MINUTE, moment))
SELECT $source AS source, $entity AS entity, $date AS extract_date, {", ".join(WHO)},
       coalesce(segment, 0) AS segment, CAST(local AS DATE) AS day, {", ".join(WHAT)},
       count(*) AS touches, min(local) AS first_at, max(local) AS last_at,
       CAST(sum(score) AS DECIMAL(18, 6)) AS score, count(score) AS scores
FROM here GROUP BY ALL ORDER BY ALL
"""


def _kept(db: "duckdb.DuckDBPyConnection", date: date, repeated: pa.Array | None) -> Tally:
    """Make table ``kept`` of the interactions that count on this day."""
    db.execute(f"CREATE OR REPLACE TEMP TABLE once AS {_ROWS}", {"date": date.isoformat()})
    (delivered, ids) = _one(db, "SELECT count(*), count(DISTINCT id) FROM once")
    db.register("again", pa.table({"id": pa.array([], pa.uint64()) if repeated is None else repeated}))
    single = "SELECT * FROM once" if delivered == ids else _ONCE
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE kept AS SELECT * EXCLUDE (withdrawn) FROM ({single}) ANTI JOIN again USING (id) "
        "WHERE NOT withdrawn"
    )
    (withdrawn,) = _one(db, f"SELECT count(*) FROM ({single}) ANTI JOIN again USING (id) WHERE withdrawn")
    db.unregister("again")
    db.execute("DROP TABLE once")
    rows, without_moment, in_future, unknown_kind = _one(db, _TALLY)
    return Tally(
        delivered, rows, delivered - rows - withdrawn, withdrawn, without_moment, in_future, unknown_kind
    )


def _one(db: "duckdb.DuckDBPyConnection", query: str) -> tuple[int, ...]:
    found: tuple[int, ...] = db.execute(query).fetchall()[0]
    return found
