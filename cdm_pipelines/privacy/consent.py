"""Effective consent: what a customer allows for a purpose and a channel, of all that was ever said about it.

Belongs here: the rules, as one pure function of ledger and identity. Does not belong here: keeping the ledger
(records.ledger), which purposes there are, publishing (hub.consent).

The rules, argued in decision 31:

1. A statement is about the record that it names; where no record is known by that, about the e-mail address, then the
   phone number, then the token. What names nobody known is kept, and nobody's.
2. An address or a number of one customer stands for the records that have it. One that several customers have is a part
   of its own of each of them: what is said about it holds for each, and takes nothing back that one of them said.
3. Of a part the latest statement counts; of equally late ones the strictest.
4. Of a customer's parts the strictest counts (so after a merge), but for what was overruled: by a later statement about
   another part of the customer, made when both parts were known.
5. A yes does not count when it was said before birth, in the future, or waits for its confirmation. From the day on
   which it ends it is a no, as strict as none was ever asked.
6. A yes without a moment is as old as what shows when it came: the first day of its source entity shows nothing, so
   that such a yes is older than all that has a moment; on a later day it was not there the day before.
7. A state that is not known is no yes, and ends an earlier one: it may have been a no in words that nobody told us.
8. A statement for every channel is one for each. Where nothing was said, the purpose's default holds; for a purpose
   that is not known nothing is allowed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import duckdb
import pyarrow as pa

GIVEN, REFUSED, WITHDRAWN, OBJECTED = "given", "refused", "withdrawn", "objected"
STATES: Final = (GIVEN, REFUSED, WITHDRAWN, OBJECTED)
"""What can be said, in ISO/IEC TS 27560's sense of an event of a consent record; the last ones are the stricter."""
EXPIRED: Final = "expired"
UNKNOWN: Final = "unknown"
_STRICTNESS: Final = (GIVEN, EXPIRED, UNKNOWN, REFUSED, WITHDRAWN, OBJECTED)

_UNREAD: Final = "unknown state"
IN_FORCE, SUPERSEDED, OF_NOBODY = "in force", "superseded", "of nobody"
STANDINGS: Final = (
    IN_FORCE,
    SUPERSEDED,
    OF_NOBODY,
    "before birth",
    "in the future",
    "unconfirmed",
    "says nothing",
    _UNREAD,
    "no purpose",
)
"""What became of a statement: one of these, so that none is lost."""
_OF_OLD: Final = "1000-01-01"
"""Before all that can be said: the moment of a yes that may be of any day."""
DAYS_AHEAD: Final = 1
"""So many days after its extract a statement may be said to be: clocks and time zones differ."""

_T = pa.string()
STATEMENTS: Final = pa.schema(
    [(name, _T) for name in ("source", "entity", "record_id", "party")]
    + [(name, _T) for name in ("party_email", "party_phone", "token", "purpose", "channel", "state")]
    + [(name, _T) for name in ("stated_at", "first_seen", "expires_at", "double_opt_in")]
)
"""The ledger, as far as it decides. ``party`` is the key of a party record as one text; times are ISO 8601, UTC."""
RECORDS: Final = pa.schema([("golden_id", _T), ("party", _T), ("since", _T)])
"""The records of customers, with the day since when each is known."""
CONTACTS: Final = pa.schema([("party", _T), ("kind", _T), ("value", _T)])
"""What records can be reached by: kind is email, phone or token."""
BIRTHS: Final = pa.schema([("golden_id", _T), ("birth_date", _T)])
CONSENT: Final = pa.schema(
    [
        ("golden_id", _T),
        ("purpose", _T),
        ("channel", _T),
        ("allowed", pa.bool_()),
        ("state", _T),
        ("since", pa.timestamp("us", "UTC")),
        ("expires", pa.timestamp("us", "UTC")),
        ("why", _T),
        ("shared", pa.bool_()),
        ("contradictory", pa.bool_()),
        ("source", _T),
        ("entity", _T),
        ("record_id", _T),
    ]
)
"""One row per customer, purpose and channel about which something was said; channel '' is every channel."""
STANDING: Final = pa.schema(
    [
        ("source", _T),
        ("entity", _T),
        ("record_id", _T),
        ("golden_id", _T),
        ("customers", pa.int64()),
        ("standing", _T),
    ]
)
"""One row per statement: how many customers it is about, the one where it is one, and what became of it."""


@dataclass(frozen=True)
class Effective:
    """What follows from a ledger.

    Attributes:
        consent: ``CONSENT``, sorted by its key.
        standing: ``STANDING``, sorted by its key.
    """

    consent: pa.Table
    standing: pa.Table


def effective(
    statements: pa.Table,
    records: pa.Table,
    contacts: pa.Table,
    births: pa.Table,
    *,
    defaults: Mapping[str, bool],
    as_of: date,
    first_days: Mapping[str, str] = MappingProxyType({}),
    threads: int = 1,
    spill: Path | None = None,
    memory: str = "1600MB",
) -> Effective:
    """Work out what every customer allows.

    Rows may come in any order.

    Args:
        statements: ``STATEMENTS``, each once.
        records: ``RECORDS``.
        contacts: ``CONTACTS``.
        births: ``BIRTHS``, of customers of whom a date of birth is known.
        defaults: By purpose, whether it is allowed while nothing was said.
        as_of: The day that the outcome holds for.
        first_days: Of source entities, as ``source/entity``, the first day that was delivered.
        threads: The outcome does not depend on it.
        spill: Folder for what does not fit in memory.
        memory: How much may be taken before that.
    """
    config: dict[str, Any] = {
        "threads": threads,
        "memory_limit": memory,
        "preserve_insertion_order": False,
        "python_enable_replacements": False,
        "temp_directory": str(spill or ""),
    }
    with duckdb.connect(config=config) as db:
        tables = {"statement": statements, "party": records, "reach": contacts, "birth": births}
        schemas = {"statement": STATEMENTS, "party": RECORDS, "reach": CONTACTS, "birth": BIRTHS}
        for name, table in tables.items():
            db.register(f"{name}_given", table.select(schemas[name].names))
        purposes = pa.table(
            {
                "purpose": pa.array(list(defaults), _T),
                "allowed": pa.array(list(defaults.values()), pa.bool_()),
            }
        )
        db.register("purpose_default", purposes)
        firsts = {"name": pa.array(list(first_days), _T), "first": pa.array(list(first_days.values()), _T)}
        db.register("first_day", pa.table(firsts))
        db.execute("SET TimeZone = 'UTC'")
        db.execute("SET VARIABLE as_of = $value", {"value": as_of})
        for name, query in _STEPS.items():
            db.execute(f"CREATE TEMP TABLE {name} AS {query}")
        return Effective(_sorted(db, "outcome", CONSENT), _sorted(db, "standing", STANDING))


def _sorted(db: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema) -> pa.Table:
    columns = ", ".join(f'"{column}"' for column in schema.names)
    key = ", ".join(f'"{column}"' for column in schema.names[:3])
    table: pa.Table = db.sql(f"SELECT {columns} FROM {name} ORDER BY {key}").to_arrow_table()
    return table.cast(schema)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


_RANK = f"(list_position([{_listed(_STRICTNESS)}], state) - 1)"
_STEPS: Final[Mapping[str, str]] = {
    "customer": "SELECT row_number() OVER () AS g, golden_id FROM (SELECT DISTINCT golden_id FROM party_given)",
    "party": """
        SELECT row_number() OVER () AS part, * FROM (
            SELECT g, party, min(since)::TIMESTAMP AS since FROM party_given JOIN customer USING (golden_id)
            GROUP BY ALL)""",
    "reach": """
        SELECT DISTINCT g, part, since, kind, value FROM reach_given JOIN party USING (party)
        WHERE value IS NOT NULL""",
    "shared": """
        SELECT -row_number() OVER () AS mailbox, * FROM (
            SELECT kind, value, count(DISTINCT g) AS customers FROM reach GROUP BY ALL HAVING count(DISTINCT g) > 1)""",
    "birth": """
        SELECT g, min(birth_date)::TIMESTAMP AS born FROM birth_given JOIN customer USING (golden_id)
        WHERE birth_date IS NOT NULL GROUP BY ALL""",
    # What is said without a moment is as late in its day as is strict: a yes at its beginning, a no at its end. A yes
    # of the first day may be of any day before it.
    "read": f"""
        SELECT row_number() OVER () AS n, *,
               CASE WHEN state = 'nothing' THEN 'says nothing'
                    WHEN state IS NULL OR state NOT IN ({_listed(STATES)}) THEN '{_UNREAD}'
                    WHEN coalesce(purpose, '') = '' THEN 'no purpose'
                    WHEN state = 'given' AND ahead THEN 'in the future'
                    WHEN state = 'given' AND double_opt_in = 'false' THEN 'unconfirmed' END AS fault,
               CASE WHEN stated IS NOT NULL AND NOT ahead THEN stated WHEN state = 'given' THEN day
                    ELSE day + INTERVAL 1 DAY - INTERVAL 1 SECOND END AS told,
               CASE WHEN of_old THEN TIMESTAMP '{_OF_OLD}' ELSE told END AS moment
        FROM (SELECT *, coalesce(stated >= day + INTERVAL {DAYS_AHEAD + 1} DAY, false) AS ahead,
                     coalesce(state = 'given' AND stated IS NULL AND day = first, false) AS of_old
              FROM (SELECT source, entity, record_id, party, party_email, party_phone, token, purpose,
                           coalesce(channel, '') AS channel, state, first_seen::TIMESTAMP AS day, double_opt_in,
                           stated_at::TIMESTAMPTZ::TIMESTAMP AS stated, expires_at::TIMESTAMPTZ::TIMESTAMP AS ends,
                           first::TIMESTAMP AS first
                    FROM statement_given LEFT JOIN first_day ON name = source || '/' || entity))""",
    "by_record": "SELECT n, g, part, since FROM read JOIN party USING (party)",
    "by_email": """
        SELECT n, g, part, since, kind, value FROM read JOIN reach ON kind = 'email' AND value = party_email
        WHERE n NOT IN (SELECT n FROM by_record)""",
    "by_phone": """
        SELECT n, g, part, since, kind, value FROM read JOIN reach ON kind = 'phone' AND value = party_phone
        WHERE n NOT IN (SELECT n FROM by_record) AND n NOT IN (SELECT n FROM by_email)""",
    "by_token": """
        SELECT n, g, part, since, kind, value FROM read JOIN reach ON kind = 'token' AND value = token
        WHERE n NOT IN (SELECT n FROM by_record) AND n NOT IN (SELECT n FROM by_email)
          AND n NOT IN (SELECT n FROM by_phone)""",
    "about": """
        SELECT n, g, part, since, true AS own, 'record' AS what, 1 AS customers FROM by_record
        UNION ALL
        SELECT n, g, coalesce(mailbox, part), CASE WHEN mailbox IS NULL THEN since END, mailbox IS NULL, kind,
               coalesce(customers, 1)
        FROM (SELECT * FROM by_email UNION ALL SELECT * FROM by_phone UNION ALL SELECT * FROM by_token)
        LEFT JOIN shared USING (kind, value)""",
    "counting": f"""
        SELECT about.*, purpose, channel, moment, ends,
               CASE WHEN state = 'given' AND ends < getvariable('as_of')::TIMESTAMP + INTERVAL 1 DAY
                    THEN '{EXPIRED}' WHEN fault = '{_UNREAD}' THEN '{UNKNOWN}' ELSE state END AS state
        FROM about JOIN read USING (n) LEFT JOIN birth USING (g)
        WHERE (fault IS NULL OR fault = '{_UNREAD}' AND purpose <> '')
          AND NOT (state = 'given' AND coalesce(told < born, false))""",
    "cell": """
        SELECT row_number() OVER () AS c, * FROM (
            SELECT g, purpose, channel FROM counting UNION SELECT g, purpose, '' FROM counting)""",
    "said": f"""
        SELECT c, n, part, since, own, moment, ends, {_RANK} AS rank
        FROM counting JOIN cell USING (g, purpose)
        WHERE counting.channel = cell.channel OR counting.channel = ''""",
    "last_of_part": "SELECT c, part, max(moment) AS latest FROM said GROUP BY ALL",
    "overruling": "SELECT c, max(moment) AS overruling FROM said WHERE own AND moment >= since GROUP BY ALL",
    # What decides comes first by how strict it is, then by its moment: one number, as six bits of years are to spare.
    "standing_out": """
        SELECT said.*, rank * (1::BIGINT << 60) + epoch_us(moment) * 2 + own::INT AS weight
        FROM said JOIN last_of_part USING (c, part) LEFT JOIN overruling USING (c)
        WHERE moment = latest AND NOT coalesce(own AND overruling > moment AND overruling >= since, false)""",
    "decided": """
        SELECT c, max(weight) AS weight, max(rank) AS rank, min(rank) < max(rank) AS contradictory,
               min(part) < max(part) AS parts, min(ends) FILTER (rank = 0) AS ends
        FROM standing_out GROUP BY ALL""",
    "equals": """
        SELECT c, min(n) AS n, min(n) < max(n) AS several FROM standing_out JOIN decided USING (c, weight)
        GROUP BY ALL""",
    "best": """
        SELECT c, n FROM equals WHERE NOT several
        UNION ALL
        SELECT c, arg_min(n, (source, entity, record_id))
        FROM standing_out JOIN decided USING (c, weight) JOIN read USING (n)
        WHERE c IN (SELECT c FROM equals WHERE several) GROUP BY ALL""",
    "with_others": "SELECT DISTINCT g, purpose FROM said JOIN cell USING (c) WHERE NOT own",
    "told": """
        SELECT c, n, any_value(what) AS what, max(customers) AS customers FROM best JOIN cell USING (c)
        JOIN about USING (n, g) GROUP BY ALL""",
    "outcome": f"""
        SELECT golden_id, cell.purpose, cell.channel,
               CASE WHEN d.allowed IS NULL THEN false WHEN rank IS NULL THEN d.allowed ELSE rank = 0 END AS allowed,
               list_extract([{_listed(_STRICTNESS)}], rank + 1) AS state, told AT TIME ZONE 'UTC' AS since,
               decided.ends AT TIME ZONE 'UTC' AS expires,
               CASE WHEN rank IS NULL AND d.allowed IS NULL THEN 'the purpose is not known'
                    WHEN rank IS NULL THEN 'nothing was said of every channel: as the purpose has it'
                    ELSE CASE WHEN contradictory AND parts THEN 'the strictest of what was said about its parts'
                              WHEN contradictory THEN 'the strictest of what was said at one moment'
                              WHEN of_old THEN 'a yes of unknown date'
                              ELSE 'the latest statement' END
                      || CASE what WHEN 'record' THEN ', about the record' WHEN 'email' THEN ', about an e-mail address'
                                   WHEN 'phone' THEN ', about a phone number' ELSE ', about a token' END
                      || CASE WHEN customers > 1 THEN ' that ' || customers || ' customers have' ELSE '' END
                      || CASE WHEN read.channel = '' AND cell.channel <> '' THEN ', for every channel' ELSE '' END
                      || CASE WHEN rank = 1 THEN '; it has ended' ELSE '' END
                      || CASE WHEN d.allowed IS NULL THEN '; the purpose is not known' ELSE '' END END AS why,
               with_others.g IS NOT NULL AS shared, coalesce(contradictory, false) AS contradictory,
               source, entity, record_id
        FROM cell JOIN customer USING (g) LEFT JOIN decided USING (c) LEFT JOIN told USING (c) LEFT JOIN read USING (n)
        LEFT JOIN with_others ON with_others.g = cell.g AND with_others.purpose = cell.purpose
        LEFT JOIN purpose_default AS d ON d.purpose = cell.purpose""",
    "customers_of": """
        SELECT n, min(g) AS g, count(*) AS customers FROM (SELECT DISTINCT n, g FROM about) GROUP BY ALL""",
    "standing": f"""
        SELECT source, entity, record_id, CASE WHEN customers = 1 THEN golden_id END AS golden_id,
               coalesce(customers, 0) AS customers,
               CASE WHEN fault IS NOT NULL THEN fault
                    WHEN customers IS NULL THEN '{OF_NOBODY}'
                    WHEN n IN (SELECT n FROM standing_out) THEN '{IN_FORCE}'
                    WHEN n IN (SELECT n FROM counting) THEN '{SUPERSEDED}' ELSE 'before birth' END AS standing
        FROM read LEFT JOIN customers_of USING (n) LEFT JOIN customer USING (g)""",
}
"""One table after the other; what SQL says here is what the rules above say."""
RULES: Final = repr((list(_STEPS.items()), STANDINGS, _STRICTNESS))
"""Changes when a rule does."""
