"""What is checked between staging and publishing (R3, R5).

Belongs here: questions that the staged tables must answer with zero rows, and figures to compare with limits.
Does not belong here: the limits (``policies/checks.yaml``) or the decision to stop.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import Connection, func, select, text

from cdm_pipelines.hub import schema
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.load import without_data
from cdm_pipelines.hub.publish import published_rows
from cdm_pipelines.hub.published import PublishedTable, published
from cdm_pipelines.hub.staging import Staged, staged_tables


@dataclass(frozen=True)
class Problem:
    """Something that must not be published.

    Attributes:
        audit: ``reconciliation``, ``uniqueness`` or ``referential_integrity``.
        count: Rows concerned.
        text: What is wrong, in words, without values.
    """

    audit: str
    count: int
    text: str


@dataclass(frozen=True)
class InService:
    """What departments read.

    Attributes:
        customers: Golden customers.
        records: Source records that they are made of, by their own count.
        crossed: Rows of the crosswalk.
        newest: Newest extract that holds any of the records; None where there are none.
    """

    customers: int
    records: int
    crossed: int
    newest: dt.date | None


@dataclass(frozen=True)
class Figures:
    """What limits are set for.

    Attributes:
        customers: Staged golden customers.
        published_customers: Those of the version in service.
        largest_customer: Source records behind the one that has most.
        mean_records: Source records behind a staged customer, on average; 0 when there is none.
        published_mean_records: The same of the version in service.
        new_customers: Staged customers of source entities alone that have nothing in service: of a first delivery.
            They are no drift, and ``mean_records`` leaves out them and the other records of such entities.
    """

    customers: int
    published_customers: int
    largest_customer: int
    mean_records: float
    published_mean_records: float
    new_customers: int = 0

    @property
    def drift(self) -> float:
        """Change of the number of customers as a share of those in service; 0 at the first publication."""
        if not self.published_customers:
            return 0.0
        known = self.customers - self.new_customers
        return abs(known - self.published_customers) / self.published_customers

    @property
    def size_drift(self) -> float:
        """Change of the mean number of source records as a share of that in service; 0 at the first publication."""
        if not self.published_mean_records:
            return 0.0
        return abs(self.mean_records - self.published_mean_records) / self.published_mean_records


@dataclass(frozen=True)
class _Question:
    audit: str
    text: str
    tables: tuple[str, ...]
    sql: str
    whole: bool | None = None  # asked of a version that is staged whole (True), in part (False), or of both


_UNTOUCHED = """FROM golden.customer AS g WHERE NOT EXISTS (
    SELECT FROM staging.affected AS t WHERE t.golden_id = g.golden_id)"""

_QUESTIONS = (
    _Question(
        "uniqueness",
        "golden ids are staged more than once",
        ("customer",),
        "SELECT count(*) - count(DISTINCT golden_id) FROM staging.customer",
    ),
    _Question(
        "uniqueness",
        "source records are in more than one golden customer",
        ("crosswalk",),
        """SELECT count(*) FROM (SELECT FROM staging.crosswalk
           GROUP BY source, entity, record_id HAVING count(*) > 1) AS repeated""",
    ),
    _Question(
        "uniqueness",
        "source records are in another customer too, which is not staged",
        ("crosswalk",),
        """SELECT count(*) FROM staging.crosswalk AS s JOIN golden.crosswalk AS g USING (source, entity, record_id)
           WHERE NOT EXISTS (SELECT FROM staging.affected AS t WHERE t.golden_id = g.golden_id)""",
        whole=False,
    ),
    _Question(
        "uniqueness",
        "attributes have more than one provenance",
        ("provenance",),
        """SELECT count(*) FROM (SELECT FROM staging.provenance
           GROUP BY golden_id, attribute HAVING count(*) > 1) AS repeated""",
    ),
    _Question(
        "uniqueness",
        "ids are more than once in the registry",
        ("golden_id",),
        "SELECT count(*) - count(DISTINCT golden_id) FROM staging.golden_id",
    ),
    _Question(
        "reconciliation",
        "customers count other source records than the crosswalk gives them",
        ("customer", "crosswalk"),
        """SELECT count(*) FROM staging.customer LEFT JOIN (
             SELECT golden_id, count(*) AS records, bool_or(active) AS active
             FROM staging.crosswalk GROUP BY golden_id) AS members USING (golden_id)
           WHERE record_count IS DISTINCT FROM records
              OR (status = 'active') IS DISTINCT FROM active""",
    ),
    _Question(
        "referential_integrity",
        "crosswalk rows name a customer that is not staged",
        ("customer", "crosswalk"),
        """SELECT count(*) FROM staging.crosswalk AS x WHERE NOT EXISTS (
           SELECT FROM staging.customer AS c WHERE c.golden_id = x.golden_id)""",
    ),
    _Question(
        "referential_integrity",
        "provenance rows name a customer that is not staged",
        ("customer", "provenance"),
        """SELECT count(*) FROM staging.provenance AS p WHERE NOT EXISTS (
           SELECT FROM staging.customer AS c WHERE c.golden_id = p.golden_id)""",
    ),
    _Question(
        "referential_integrity",
        "customers have no provenance",
        ("customer", "provenance"),
        """SELECT count(*) FROM staging.customer AS c WHERE NOT EXISTS (
           SELECT FROM staging.provenance AS p WHERE p.golden_id = c.golden_id)""",
    ),
    _Question(
        "referential_integrity",
        "provenance rows name a source record of another customer",
        ("crosswalk", "provenance"),
        """SELECT count(*) FROM staging.provenance AS p WHERE NOT EXISTS (
           SELECT FROM staging.crosswalk AS x
           WHERE (x.source, x.entity, x.record_id, x.golden_id)
               = (p.source, p.entity, p.record_id, p.golden_id))""",
    ),
    _Question(
        "referential_integrity",
        "customers name an employer that is not staged",
        ("customer",),
        """SELECT count(*) FROM staging.customer AS c WHERE employer_id IS NOT NULL AND NOT EXISTS (
           SELECT FROM staging.customer AS e WHERE e.golden_id = c.employer_id)""",
        whole=True,
    ),
    _Question(
        "referential_integrity",
        "customers name an employer that will be no more",
        ("customer",),
        f"""SELECT count(*) FROM staging.customer AS c WHERE employer_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM staging.customer AS e WHERE e.golden_id = c.employer_id)
            AND NOT EXISTS (SELECT {_UNTOUCHED} AND g.golden_id = c.employer_id)""",  # noqa: S608 - our own words
        whole=False,
    ),
    _Question(
        "referential_integrity",
        "customers and current ids of the registry differ",
        ("customer", "golden_id"),
        """SELECT count(*) FROM staging.customer AS c
           FULL JOIN (SELECT golden_id FROM staging.golden_id WHERE status = 'current') AS i USING (golden_id)
           WHERE c.golden_id IS NULL OR i.golden_id IS NULL""",
    ),
    _Question(
        "referential_integrity",
        "aliases name an id that is not current",
        ("golden_id",),
        """SELECT count(*) FROM staging.golden_id AS a WHERE status = 'alias' AND NOT EXISTS (
           SELECT FROM staging.golden_id AS i WHERE i.golden_id = a.alias_of AND i.status = 'current')""",
    ),
    _Question(
        "referential_integrity",
        "published ids are missing from the registry",
        ("golden_id",),
        """SELECT count(*) FROM identity.golden_id AS old WHERE NOT EXISTS (
           SELECT FROM staging.golden_id AS new WHERE new.golden_id = old.golden_id)""",
        whole=True,
    ),
)


def _of_entity(known: PublishedTable) -> Iterator[_Question]:
    """What must hold of a table whose rows carry their golden customer, or none."""
    if known.entity is None or not known.of_customer:
        return
    named = f"""SELECT count(*) FROM staging.{known.name} AS o WHERE golden_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM staging.customer AS c WHERE c.golden_id = o.golden_id)"""  # noqa: S608 - names of our own tables
    tables = ("customer", known.name)
    for ends, sql, whole in (
        ("is not staged", named, True),
        (
            "will be no more",
            f"{named} AND NOT EXISTS (SELECT {_UNTOUCHED} AND g.golden_id = o.golden_id)",
            False,
        ),
    ):
        text = f"{known.entity.plural} name a customer that {ends}"
        yield _Question("referential_integrity", text, tables, sql, whole=whole)


def audit(connection: Connection, records: int) -> list[Problem]:
    """Everything that is wrong with what is staged; empty when it may be published.

    Args:
        connection: Of a migrated hub.
        records: Source records that there are, each of which must be in exactly one golden customer.

    Raises:
        HubError: nothing is staged, or staged rows are gone.
    """
    return list(_problems(connection, records, _waiting(connection)))


def figures(connection: Connection) -> Figures:
    """Sizes of the staged and the published version.

    Raises:
        HubError: nothing is staged, or staged rows are gone.
    """
    waiting = _waiting(connection)
    in_part = waiting.in_part
    published = published_rows(connection, schema.customer)
    published_records = published_rows(connection, schema.crosswalk)
    customers, records, largest = _sizes(connection, "staging.customer")
    if in_part:
        affected, theirs, _ = _sizes(connection, "golden.customer JOIN staging.affected USING (golden_id)")
        rest = text(f"SELECT g.record_count {_UNTOUCHED} ORDER BY g.record_count DESC LIMIT 1")
        customers, records = customers + published - affected, records + published_records - theirs
        largest = max(largest, int(connection.scalar(rest) or 0))
    first, theirs = _first_delivered(connection) if published and "crosswalk" in waiting.rows else (0, 0)
    known = (records - theirs, customers - first)
    means = (n / of if of else 0.0 for n, of in (known, (published_records, published)))
    mean, published_mean = means
    return Figures(customers, published, largest, mean, published_mean, new_customers=first)


def in_service(connection: Connection) -> InService:
    """What departments read at this moment, counted there."""
    customers, records, _ = _sizes(connection, "golden.customer")
    crossed = connection.scalar(select(func.count()).select_from(schema.crosswalk)) or 0
    newest = connection.scalar(select(func.max(schema.customer.c.last_seen)))
    return InService(customers, records, int(crossed), newest)


def _first_delivered(connection: Connection) -> tuple[int, int]:
    """Staged customers of source entities alone that have nothing in service, and all staged records of those."""
    new = """SELECT source, entity FROM (SELECT DISTINCT source, entity FROM staging.crosswalk) AS s
        WHERE NOT EXISTS (SELECT FROM golden.crosswalk AS g WHERE g.source = s.source AND g.entity = s.entity)"""
    if connection.execute(text(new)).first() is None:
        return 0, 0
    counted = f"""WITH new AS MATERIALIZED ({new}), customer AS (
          SELECT count(new.source) AS theirs, count(*) AS records
          FROM staging.crosswalk LEFT JOIN new USING (source, entity) GROUP BY golden_id)
        SELECT count(*) FILTER (WHERE theirs = records), coalesce(sum(theirs), 0) FROM customer"""  # noqa: S608 - our own words
    row = connection.execute(text(counted)).one()
    return int(row[0]), int(row[1])


def _sizes(connection: Connection, customers: str) -> tuple[int, int, int]:
    """Number of customers, of their records, and of those of the largest."""
    what = "count(*), coalesce(sum(record_count), 0), coalesce(max(record_count), 0)"
    row = connection.execute(text(f"SELECT {what} FROM {customers}")).one()  # noqa: S608 - our own words
    return int(row[0]), int(row[1]), int(row[2])


def _waiting(connection: Connection) -> Staged:
    waiting = staged_tables(connection)
    if waiting is None:
        raise HubError("Nothing is staged for publication: stage first (materialise golden/staged).")
    return waiting


def _problems(connection: Connection, records: int, waiting: Staged) -> Iterator[Problem]:
    connection.execute(text("SET LOCAL work_mem = '128MB'"))
    crossed = waiting.rows.get("crosswalk", records)
    if waiting.in_part:
        untouched = """SELECT (SELECT count(*) FROM golden.crosswalk)
            - (SELECT count(*) FROM golden.crosswalk JOIN staging.affected USING (golden_id))"""
        crossed += int(connection.scalar(text(untouched)) or 0)
    if crossed != records:
        what = f"{records:,} source records, but {crossed:,} rows in the crosswalk"
        yield Problem("reconciliation", abs(crossed - records), what)
    with without_data("auditing"):
        of_entities = chain.from_iterable(map(_of_entity, published().values()))
        for question in (*_QUESTIONS, *of_entities):
            asked = question.whole in (None, not waiting.in_part)
            if asked and all(table in waiting.rows for table in question.tables):
                count = int(connection.scalar(text(question.sql)) or 0)
                if count:
                    yield Problem(question.audit, count, f"{count:,} {question.text}")
