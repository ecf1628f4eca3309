"""What was known about a customer when: former versions, kept by publishing.

Belongs here: writing the versions that a publication ends, and reading them. Does not belong here: applying the
publication (``publish``), how an answer is shown.

A version is a row of golden.customer with its provenance, valid from one publication to another (transaction time, as
of SQL:2011's system-versioned tables). Only what was superseded is stored: a first load writes nothing. ``last_seen``
alone makes no version, since it moves with every extract: in a former version it says until when the sources were seen
to hold it.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, RowMapping, func, select, text

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.hub.publication import Publication
from cdm_pipelines.hub.schema import customer, customer_history

Row = Mapping[str, object]

MOVES_DAILY = "last_seen"
_COLUMNS = [column.name for column in customer.columns]
_KNOWN = [name for name in _COLUMNS if name not in ("golden_id", MOVES_DAILY)]
_EVERYTHING_ELSE = "*"
SUMMARY = frozenset({"golden_id", "status", "record_count", "source_count", "first_seen", MOVES_DAILY})
"""Columns that no single source record tells."""
_UNTOLD = frozenset({"golden_id", "first_seen", MOVES_DAILY})


def _named(alias: str, names: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


_FIRST = """(SELECT publication_id, published_at FROM ops.publication
             WHERE jsonb_exists(changes, 'customer') ORDER BY publication_id LIMIT 1)"""
_PROVENANCE = """(SELECT jsonb_agg(to_jsonb(p) - 'golden_id' ORDER BY p.attribute)
                  FROM golden.provenance p WHERE p.golden_id = o.golden_id)"""
_KEEP = f"""
    INSERT INTO golden.customer_history ({", ".join(_COLUMNS)}, valid_from, valid_to, opened_by, closed_by, provenance)
    SELECT {_named("o", _COLUMNS)}, coalesce(v.valid_from, f.published_at), :at,
        coalesce(v.publication_id, f.publication_id), :number, {_PROVENANCE}
    FROM {{differs}} JOIN golden.customer o USING (golden_id) LEFT JOIN golden.customer_version v USING (golden_id)
    LEFT JOIN {_FIRST} f ON true WHERE {{changed}}"""  # noqa: S608 - names of our own
_DIFFERS: Mapping[str, Mapping[str, str]] = {
    "customer": {
        "differs": "difference_customer d LEFT JOIN staging.customer n USING (golden_id)",
        "changed": "d.kind = 'deleted' OR (d.kind = 'updated' "
        f"AND ({_named('o', _KNOWN)}) IS DISTINCT FROM ({_named('n', _KNOWN)}))",
    },
    "provenance": {
        "differs": "(SELECT DISTINCT golden_id FROM difference_provenance) d",
        "changed": "v.publication_id IS DISTINCT FROM :number",
    },
}
_BEGIN = """
    INSERT INTO golden.customer_version (golden_id, valid_from, publication_id)
    SELECT golden_id, :at, :number FROM {begins}
    ON CONFLICT (golden_id) DO UPDATE SET valid_from = :at, publication_id = :number"""


def keep(connection: Connection, table: str, publication: Publication) -> int:
    """Keep the versions that a publication is about to end, and note that the next ones begin; returns their number.

    Args:
        connection: Before the rows of ``table`` are changed, with their keys in ``difference_<table>`` and the next
            ones in ``staging``.
        table: Published table; only ``customer`` and ``provenance`` make versions.
        publication: The publication under way.
    """
    if table not in _DIFFERS:
        return 0
    now = {"at": publication.at, "number": publication.number}
    kept = connection.execute(text(_KEEP.format(**_DIFFERS[table])), now).rowcount
    begun = "SELECT golden_id FROM golden.customer_history WHERE valid_to = :at"
    if table == "customer":
        begun += """ EXCEPT SELECT golden_id FROM difference_customer WHERE kind = 'deleted'
                     UNION ALL SELECT golden_id FROM difference_customer WHERE kind = 'inserted'"""
        ended = """DELETE FROM golden.customer_version v USING difference_customer d
                   WHERE v.golden_id = d.golden_id AND d.kind = 'deleted'"""
        connection.execute(text(ended))
    else:
        begun += " AND golden_id IN (SELECT golden_id FROM golden.customer)"
    connection.execute(text(_BEGIN.format(begins=f"({begun}) b")), now)
    return int(kept)


def begin_all(connection: Connection, table: str, publication: Publication) -> None:
    """Note that all customers begin, unless this is the first publication, from which they count without a note."""
    if table == "customer":
        begins = f"golden.customer WHERE EXISTS {_FIRST}"
        connection.execute(
            text(_BEGIN.format(begins=begins)), {"at": publication.at, "number": publication.number}
        )


def count(connection: Connection, publication: Publication) -> tuple[int, int]:
    """Versions that a publication has ended, and all that are kept."""
    ended = func.count().filter(customer_history.c.valid_to == publication.at)
    row = connection.execute(select(ended, func.count()).select_from(customer_history)).one()
    return int(row[0]), int(row[1])


@dataclass(frozen=True)
class Version:
    """A customer as it was known.

    Attributes:
        golden: Its columns.
        provenance: Where its values came from.
        valid_from: When it was published.
        valid_to: When the next version was published or the customer ended; None for the current one.
        publication: The publication that published it.
    """

    golden: Row
    provenance: Sequence[Row]
    valid_from: dt.datetime
    valid_to: dt.datetime | None
    publication: int

    def source(self, attribute: str) -> Row:
        """The row of the provenance that tells where an attribute's value came from."""
        return source_of(self.provenance, attribute)


def source_of(provenance: Sequence[Row], attribute: str) -> Row:
    """Of a customer's provenance the row that tells where an attribute's value came from."""
    rows = {str(row["attribute"]): row for row in provenance}
    return rows.get(_GROUPS.get(attribute, attribute), rows.get(_EVERYTHING_ELSE, {}))


@dataclass(frozen=True)
class Life:
    """All versions of one golden id, oldest first, and the id that it is an alias of, if it is one."""

    golden_id: UUID
    versions: Sequence[Version]
    alias_of: UUID | None


_GROUPS = {attribute.name: attribute.group for attribute in attributes(Entity.PARTY)}
_LIFE = f"""
    SELECT * FROM (
        SELECT {_named("o", _COLUMNS)}, o.provenance, o.valid_from, o.valid_to, o.opened_by AS publication
        FROM golden.customer_history o WHERE o.golden_id = :id
        UNION ALL
        SELECT {_named("o", _COLUMNS)}, {_PROVENANCE}, coalesce(v.valid_from, f.published_at), NULL,
            coalesce(v.publication_id, f.publication_id)
        FROM golden.customer o LEFT JOIN golden.customer_version v USING (golden_id) LEFT JOIN {_FIRST} f ON true
        WHERE o.golden_id = :id) versions
    ORDER BY valid_from"""  # noqa: S608 - names of our own


def life(connection: Connection, golden_id: UUID) -> Life:
    """All versions of a golden id; none of an id that was never published."""
    alias_of = connection.scalar(
        text("SELECT alias_of FROM identity.golden_id WHERE golden_id = :id"), {"id": golden_id}
    )
    rows = connection.execute(text(_LIFE), {"id": golden_id}).mappings()
    return Life(golden_id, [_as_version(row) for row in rows], alias_of)


def as_of(connection: Connection, golden_id: UUID, at: dt.datetime) -> Version | None:
    """The version of a customer that was in service at a time.

    An id that was in use then stands for itself; any other for the customer that it is an alias of now.
    """
    own = life(connection, golden_id)
    found = _in_service(own, at)
    if found is None and own.alias_of is not None:
        found = _in_service(life(connection, own.alias_of), at)
    return found


def _in_service(own: Life, at: dt.datetime) -> Version | None:
    for version in own.versions:
        if version.valid_from <= at and (version.valid_to is None or at < version.valid_to):
            return version
    return None


def _as_version(row: RowMapping) -> Version:
    golden = {name: row[name] for name in _COLUMNS}
    return Version(golden, row["provenance"] or [], row["valid_from"], row["valid_to"], row["publication"])


@dataclass(frozen=True)
class Step:
    """One attribute that changed between two versions, or the beginning or the end of a customer.

    Attributes:
        at: When.
        publication: In which publication; None for an end.
        event: ``begins``, ``changes`` or ``ends``.
        attribute: What changed; empty for a beginning without values and for an end.
        before: Its value before.
        after: Its value since, or for an end the id that the customer was merged into.
        source: The provenance of the new value.
    """

    at: dt.datetime
    publication: int | None
    event: str
    attribute: str
    before: object
    after: object
    source: Row


def timeline(own: Life) -> Iterator[Step]:
    """What happened to a golden id, in order: each attribute that changed, and which source said so."""
    before: Version | None = None
    for version in own.versions:
        again = before is None or before.valid_to != version.valid_from
        if before is not None and again:
            yield _end(before, own)
        for name in _COLUMNS:
            old = None if again or before is None else before.golden[name]
            new = version.golden[name]
            if name not in _UNTOLD and new != old:
                event = "begins" if again else "changes"
                source = {} if name in SUMMARY else version.source(name)
                yield Step(version.valid_from, version.publication, event, name, old, new, source)
        before = version
    if before is not None and before.valid_to is not None:
        yield _end(before, own)


def _end(version: Version, own: Life) -> Step:
    at = version.valid_to or version.valid_from
    return Step(at, None, "ends", "", None, own.alias_of, {})
