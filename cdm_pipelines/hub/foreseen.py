"""What publishing the staged version would change, in counts and keys.

Belongs here: comparing the staged version with the published one in SQL, customers, ids, values and consent. Does not
belong here: staging it, what is shown of it or how it is judged (steps.plan).

Everything is kept in temporary tables that go with the transaction, and none of them holds a value of a person: keys,
names of attributes, sources.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Column, Connection, MetaData, Table, Text, insert, text
from sqlalchemy.schema import CreateTable

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.hub import consent
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.hub.published import published_table
from cdm_pipelines.hub.schema_privacy import consent as of_customers

_KEY = "source, entity, record_id"
_GOLDEN = attributes(Entity.PARTY, golden_only=True)
_STEWARD = "steward"
_CONSENT = str(of_customers)
_DEFAULT = Table(
    "foreseen_default",
    MetaData(),
    Column("purpose", Text),
    Column("was", Boolean),
    Column("will", Boolean),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """A customer of the next version, or of this one where it will be no more, and why it is worth a look.

    Attributes:
        kind: ``merged``, ``split``, ``changed`` or ``consent``.
        golden_id: The customer.
        weight: How much of it there is: records, values or answers.
    """

    kind: str
    golden_id: str
    weight: int


class Foreseen:
    """The staged version beside the published one."""

    def __init__(self, connection: Connection) -> None:
        """Compare them.

        Args:
            connection: In the transaction that staged customers and consent.
        """
        self._connection = connection
        self._coming = NextVersion.of(connection)
        self._staged = set(self._coming.staged.rows) if self._coming.staged else set()
        self._compare_records()
        self._compare_values()
        self._compare_consent()

    def counts(self) -> dict[str, int]:
        """Customers and records by what becomes of them."""
        return {name: self._count(query) for name, query in self._counted().items()}

    def ids(self) -> dict[str, int]:
        """Golden ids by what becomes of them: founded, alias, retired, restored, redirected."""
        if "golden_id" not in self._staged:
            return {}
        return {str(what): int(number) for what, number in self._connection.execute(text(_IDS))}

    def values(self) -> Iterator[Row]:
        """Golden values that change: attribute, change (filled, emptied, other), sources, customers."""
        yield from self._rows(
            """SELECT attribute, change, before, after, count(*) AS customers FROM foreseen_value
            GROUP BY 1, 2, 3, 4 ORDER BY 1, 5 DESC, 2, 3, 4"""
        )

    def consents(self) -> Iterator[Row]:
        """Purposes and channels with the customers for whom they fall away, and those for whom they come in."""
        yield from self._rows(
            """SELECT purpose, channel, count(DISTINCT before) FILTER (WHERE was) AS lost,
            count(DISTINCT after) FILTER (WHERE NOT was) AS gained FROM foreseen_consent GROUP BY 1, 2 ORDER BY 1, 2"""
        )

    def examples(self, most: int) -> list[Example]:
        """The customers of whom most changes, so many of each kind; ties by golden id."""
        return [
            Example(kind, str(row["id"]), int(row["weight"]))
            for kind, query in _EXAMPLES.items()
            for row in self._rows(f"{query} ORDER BY 2 DESC, 1 LIMIT :most", most=most)
        ]

    def parts(self, golden_id: str) -> list[Row]:
        """Of which customers, by golden id before and after, the records of one are or become part."""
        return self._rows(
            """SELECT before::text, after::text, records FROM foreseen_part
            WHERE :id IN (before::text, after::text) ORDER BY 3 DESC, 1, 2""",
            id=golden_id,
        )

    def records(self, golden_id: str, most: int) -> list[Row]:
        """Records that come to a customer or leave it."""
        return self._rows(
            """SELECT concat_ws('/', source, entity, record_id) AS record, before::text, after::text
            FROM foreseen_record WHERE :id IN (before::text, after::text) ORDER BY 1 LIMIT :most""",
            id=golden_id,
            most=most,
        )

    def values_of(self, golden_id: str) -> list[Row]:
        """Golden values of a customer that change."""
        return self._rows(
            """SELECT attribute, change, before, after FROM foreseen_value WHERE golden_id = cast(:id AS uuid)
            ORDER BY 1""",
            id=golden_id,
        )

    def consents_of(self, golden_id: str) -> list[Row]:
        """Purposes and channels of which a customer's answer changes."""
        return self._rows(
            """SELECT DISTINCT purpose, channel, was FROM foreseen_consent WHERE :id IN (before::text, after::text)
            ORDER BY 1, 2""",
            id=golden_id,
        )

    def both(self, golden_id: str, names: Sequence[str]) -> tuple[Row, Row]:
        """Values of a customer before and after; personal, so for a reader who may see them, or for their shapes."""
        columns = ", ".join(f'"{name}"::text' for name in names)
        found = []
        for table in (f"SELECT golden_id, {columns} FROM golden.customer", self._customers(columns)):
            query = f"SELECT * FROM ({table}) AS rows WHERE golden_id = cast(:id AS uuid)"
            found.append(next(iter(self._rows(query, id=golden_id)), {}))
        return found[0], found[1]

    def rows(self, name: str) -> list[tuple[Any, ...]]:
        """All rows as they will be published, by key: of ``customer``, ``crosswalk``, ``provenance``, ``consent``."""
        table = of_customers if name == "consent" else published_table(name).table
        columns = ", ".join(f'"{one.name}"' for one in table.columns)
        rows = self._consent(columns) if name == "consent" else self._coming.rows_of(name, columns)
        key = ", ".join(one.name for one in table.primary_key)
        query = f"SELECT * FROM ({rows}) AS rows ORDER BY {key}"
        return [tuple(row) for row in self._connection.execute(text(query))]

    def _customers(self, columns: str) -> str:
        return self._coming.rows_of("customer", f"golden_id, {columns}")

    def _consent(self, columns: str) -> str:
        return f"SELECT {columns} FROM {consent.next_rows(self._connection, of_customers)}"

    def _compare_records(self) -> None:
        crosswalk = self._coming.rows_of("crosswalk", f"{_KEY}, golden_id")
        self._keep(
            "foreseen_record",
            f"""SELECT {_KEY}, old.golden_id AS before, new.golden_id AS after
            FROM golden.crosswalk AS old FULL JOIN ({crosswalk}) AS new USING ({_KEY})
            WHERE old.golden_id IS DISTINCT FROM new.golden_id""",
        )
        self._keep(
            "foreseen_part",
            f"""WITH moved AS (SELECT before AS id FROM foreseen_record WHERE after IS NOT NULL AND before IS NOT NULL
                UNION SELECT after FROM foreseen_record WHERE after IS NOT NULL AND before IS NOT NULL)
            SELECT old.golden_id AS before, new.golden_id AS after, count(*) AS records
            FROM golden.crosswalk AS old JOIN ({crosswalk}) AS new USING ({_KEY})
            WHERE old.golden_id IN (SELECT id FROM moved) OR new.golden_id IN (SELECT id FROM moved) GROUP BY 1, 2""",
        )

    def _compare_values(self) -> None:
        if "customer" not in self._staged:
            none = "SELECT golden_id, '' AS attribute, '' AS change, '' AS before, '' AS after FROM golden.customer"
            self._keep("foreseen_value", f"{none} LIMIT 0")
            return
        each = ", ".join(
            f"('{one.name}', '{one.group}', old.\"{one.name}\" IS NULL, new.\"{one.name}\" IS NULL, "
            f'old."{one.name}" IS DISTINCT FROM new."{one.name}")'
            for one in _GOLDEN
        )
        self._keep(
            "foreseen_change",
            f"""SELECT golden_id, value.attribute, value.of, was_null, is_null
            FROM golden.customer AS old JOIN staging.customer AS new USING (golden_id)
            CROSS JOIN LATERAL (VALUES {each}) AS value (attribute, of, was_null, is_null, differs)
            WHERE value.differs""",
        )
        for name, schema in (("foreseen_old_origin", "golden"), ("foreseen_new_origin", "staging")):
            self._keep(
                name,
                f"""SELECT golden_id, attribute,
                    CASE WHEN decision_id IS NULL THEN source || '/' || entity ELSE '{_STEWARD}' END AS origin
                FROM {schema}.provenance WHERE golden_id IN (SELECT golden_id FROM foreseen_change)""",
            )
        self._keep("foreseen_value", _VALUES)

    def _compare_consent(self) -> None:
        now = consent.state(self._connection)
        then = consent.waiting(self._connection) or now
        was, will = (json.loads(one.get(consent.DEFAULTS, "{}")) for one in (now, then))
        self._keep("foreseen_answer", self._consent("golden_id, purpose, channel, allowed"))
        self._connection.execute(CreateTable(_DEFAULT))
        if was or will:
            rows = [
                {"purpose": one, "was": bool(was.get(one)), "will": bool(will.get(one))}
                for one in {**was, **will}
            ]
            self._connection.execute(insert(_DEFAULT), rows)
        everybody = "SELECT golden_id AS before, golden_id AS after FROM golden.customer"
        differs = f"""SELECT golden_id FROM {_CONSENT} AS old
            FULL JOIN foreseen_answer AS new USING (golden_id, purpose, channel)
            WHERE old.allowed IS DISTINCT FROM new.allowed"""
        whom = everybody if was != will else f"{everybody} WHERE golden_id IN ({differs})"
        self._keep(
            "foreseen_whom",
            f"""SELECT before, after FROM foreseen_part
            UNION SELECT before, after FROM ({whom}) AS same WHERE before NOT IN (SELECT before FROM foreseen_part)""",
        )
        self._keep("foreseen_consent", _ANSWERS)

    def _counted(self) -> dict[str, str]:
        several = "(SELECT {of} FROM foreseen_part GROUP BY 1 HAVING count(*) > 1)"
        joined, parted = several.format(of="after"), several.format(of="before")
        return {
            "before": "SELECT count(*) FROM golden.customer",
            "after": f"SELECT count(*) FROM ({self._coming.rows_of('customer', 'golden_id')}) AS rows",
            "merged": f"SELECT count(DISTINCT before) FROM foreseen_part WHERE after IN {joined}",
            "merged_into": f"SELECT count(*) FROM {joined} AS rows",
            "split": f"SELECT count(*) FROM {parted} AS rows",
            "split_into": f"SELECT count(DISTINCT after) FROM foreseen_part WHERE before IN {parted}",
            "changed": "SELECT count(DISTINCT golden_id) FROM foreseen_value",
            "consent_lost": "SELECT count(DISTINCT before) FROM foreseen_consent WHERE was",
            "consent_gained": "SELECT count(DISTINCT after) FROM foreseen_consent WHERE NOT was",
            "records": "SELECT count(*) FROM golden.crosswalk",
            "moved": "SELECT count(*) FROM foreseen_record WHERE before IS NOT NULL AND after IS NOT NULL",
            "come": "SELECT count(*) FROM foreseen_record WHERE before IS NULL",
            "gone": "SELECT count(*) FROM foreseen_record WHERE after IS NULL",
        }

    def _keep(self, name: str, query: str) -> None:
        self._connection.execute(text(f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS {query}"))
        self._connection.execute(text(f"ANALYZE {name}"))

    def _count(self, query: str) -> int:
        return int(self._connection.scalar(text(query)) or 0)

    def _rows(self, query: str, **parameters: object) -> list[Row]:
        return [dict(row) for row in self._connection.execute(text(query), parameters).mappings()]


_VALUES = """
    SELECT c.golden_id, c.attribute,
        CASE WHEN was_null THEN 'filled' WHEN is_null THEN 'emptied' ELSE 'other' END AS change,
        CASE WHEN was_null THEN '' ELSE coalesce(old.origin, old_rest.origin, '') END AS before,
        CASE WHEN is_null THEN '' ELSE coalesce(new.origin, new_rest.origin, '') END AS after
    FROM foreseen_change AS c
    LEFT JOIN foreseen_old_origin AS old ON (old.golden_id, old.attribute) = (c.golden_id, c.of)
    LEFT JOIN foreseen_old_origin AS old_rest ON (old_rest.golden_id, old_rest.attribute) = (c.golden_id, '*')
    LEFT JOIN foreseen_new_origin AS new ON (new.golden_id, new.attribute) = (c.golden_id, c.of)
    LEFT JOIN foreseen_new_origin AS new_rest ON (new_rest.golden_id, new_rest.attribute) = (c.golden_id, '*')"""
"""What has no row of its own in the provenance is what the row for all the rest says."""

_IDS = """
    SELECT CASE WHEN old.golden_id IS NULL THEN CASE new.status WHEN 'current' THEN 'founded' ELSE new.status END
        WHEN old.status = new.status THEN 'redirected'
        WHEN new.status = 'current' THEN 'restored' ELSE new.status END, count(*)
    FROM staging.golden_id AS new LEFT JOIN identity.golden_id AS old USING (golden_id)
    WHERE old.golden_id IS NULL OR (old.status, old.alias_of) IS DISTINCT FROM (new.status, new.alias_of)
    GROUP BY 1 ORDER BY 1"""

_ANSWERS = f"""
    WITH asked AS (
        SELECT before, after, purpose, channel FROM foreseen_whom JOIN {_CONSENT} ON golden_id = before
        UNION SELECT before, after, purpose, channel FROM foreseen_whom JOIN foreseen_answer ON golden_id = after
        UNION SELECT before, after, purpose, '' FROM foreseen_whom CROSS JOIN foreseen_default)
    SELECT * FROM (
        SELECT asked.*,
            coalesce(old.allowed, old_every.allowed, usual.was, false) AS was,
            coalesce(new.allowed, new_every.allowed, usual.will, false) AS will
        FROM asked
        LEFT JOIN {_CONSENT} AS old
            ON (old.golden_id, old.purpose, old.channel) = (before, asked.purpose, asked.channel)
        LEFT JOIN {_CONSENT} AS old_every
            ON (old_every.golden_id, old_every.purpose, old_every.channel) = (before, asked.purpose, '')
        LEFT JOIN foreseen_answer AS new
            ON (new.golden_id, new.purpose, new.channel) = (after, asked.purpose, asked.channel)
        LEFT JOIN foreseen_answer AS new_every
            ON (new_every.golden_id, new_every.purpose, new_every.channel) = (after, asked.purpose, '')
        LEFT JOIN foreseen_default AS usual ON usual.purpose = asked.purpose
    ) AS answers WHERE was <> will"""
"""A channel without an answer is as every channel is; where that has none either, as the purpose's default."""

_EXAMPLES = {
    "merged": "SELECT after AS id, sum(records) AS weight FROM foreseen_part GROUP BY 1 HAVING count(*) > 1",
    "split": "SELECT before AS id, sum(records) AS weight FROM foreseen_part GROUP BY 1 HAVING count(*) > 1",
    "consent": "SELECT after AS id, count(*) AS weight FROM foreseen_consent GROUP BY 1",
    "changed": "SELECT golden_id AS id, count(*) AS weight FROM foreseen_value GROUP BY 1",
}
