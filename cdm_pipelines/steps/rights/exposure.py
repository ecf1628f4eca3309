"""Who and what was in reach: of tables and views of the hub, files of any store, readings, and what left by the feed.

Belongs here: finding what was named, and reading it by the register of places. Does not belong here: counting
(privacy.exposure), who a reference names (``people``).
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Engine, Row, select, text

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import role_access
from cdm_pipelines.hub.role_schemas import quoted_name
from cdm_pipelines.hub.schema import publication
from cdm_pipelines.hub.schema_feed import outbox, sink
from cdm_pipelines.privacy.exposure import (
    CLEAR,
    GOLDEN,
    MASKED,
    RECORD,
    REFERENCES,
    Held,
    Reach,
    by_held,
)
from cdm_pipelines.privacy.views import schema_of, seen
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.privacy.access import governed, wanted
from cdm_pipelines.steps.rights.exposed_files import Files, Opened
from cdm_pipelines.steps.rights.people import People, positions
from cdm_pipelines.steps.rights.subject import RightsError
from cdm_pipelines.store import files
from cdm_pipelines.store.categories import IDENTIFIER, UNCLASSIFIED, is_personal
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.register import Register, Root

_RELATIONS = text(
    """SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, NULL)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname !~ '^pg_(toast|temp)' ORDER BY 1, a.attnum"""
)
_BY_BATCH = {"yield_per": 50_000}
_SIDES = ("", "other_", "party_")
Columns = dict[str, str]


@dataclass(frozen=True)
class Part:
    """What was in reach of one thing that was named.

    Attributes:
        what: The table, file or reading.
        rows: How many rows; None where that was not counted.
        unnamed: Rows of which it cannot be told whose they are.
        reach: Customers and records, by category.
        note: What else is to be known.
    """

    what: str
    rows: int | None
    unnamed: int
    reach: Reach
    note: str = ""


@dataclass(frozen=True)
class Exposure:
    """Everything that was in reach."""

    parts: Sequence[Part]
    total: Reach


def exposure(
    settings: Settings,
    engine: Engine,
    *,
    tables: Sequence[str] = (),
    paths: Sequence[str] = (),
    since: dt.datetime | None = None,
) -> Exposure:
    """Who and what was in reach.

    Args:
        settings: Of the deployment.
        engine: Of its migrated hub.
        tables: Tables and views of the hub: ``schema.table``.
        paths: Files or patterns, below the lake, landing or home, or as they lie on this machine.
        since: From when on readings and what left count.

    Raises:
        RightsError: A table or file is not there.
    """
    register, contracts = all_places(settings), all_contracts()
    with engine.connect() as connection:
        people = People(connection, contracts)
        total = Reach(people.customers)
        parts = list(_of_tables(settings, connection, register, people, tables))
        found = Files(settings, register, contracts)
        for path in paths:
            parts += [_of_file(one, people) for one in found.opened(path)]
        if since is not None:
            parts += [*_readings(connection, people, since), *_left(connection, people, since)]
    for part in parts:
        total.join(part.reach)
    return Exposure(parts, total)


def write_ids(path: Path, ids: Sequence[str]) -> None:
    """Write golden ids as CSV, one a line: ids and nothing else."""
    files.write_whole(path, "".join(f"{one}\n" for one in ("golden_id", *ids)).encode())


def _of_tables(
    settings: Settings,
    connection: Connection,
    register: Register,
    people: People,
    names: Sequence[str],
) -> Iterator[Part]:
    if not names:
        return
    there: dict[str, Columns] = {}
    for name, column, kind in connection.execute(_RELATIONS):
        there.setdefault(name, {})[column] = kind
    for name in names:
        if name not in there:
            raise RightsError(
                f"There is no table or view {name} in the hub.{nearest(name, there)} Write schema.table."
            )
    views = _role_views(settings, connection)
    catalogue = governed(settings).catalogue
    for name in names:
        if name in views:
            rows, held, table = views[name]
            yield _of_rows(connection, people, (name, rows), there[table], held)
            continue
        covering = register.covering(Root.HUB, name)
        said = (
            {column: one.category for column, one in catalogue[name].columns.items()}
            if name in catalogue
            else {}
        )
        if covering:
            said |= covering[0].columns
            said = {column: said.get(column, covering[0].others or UNCLASSIFIED) for column in there[name]}
        held = {column: (said.get(column, UNCLASSIFIED), CLEAR) for column in there[name]}
        schema, _, relation = name.partition(".")
        yield _of_rows(
            connection,
            people,
            (name, f"FROM {quoted_name(schema)}.{quoted_name(relation)} AS t"),
            there[name],
            held,
        )


def _role_views(settings: Settings, connection: Connection) -> dict[str, tuple[str, dict[str, Held], str]]:
    """Views of roles: where their rows come from, what their columns hold, and of which table."""
    found, there = governed(settings), role_access.relations(connection)
    rows = {
        f"{one.schema}.{view.name}": view.rows
        for one in wanted(connection, settings, found)
        for view in one.views
    }
    views = {}
    for name, role in found.policy.roles.items():
        for table in seen(role, there, found.catalogue):
            view = f"{schema_of(name)}.{table.view}"
            held = {
                one.column.name: (one.column.category, CLEAR if one.shown.mask is None else MASKED)
                for one in table.columns
            }
            views[view] = (rows[view], held, table.table)
    return views


def _of_rows(
    connection: Connection, people: People, of: tuple[str, str], types: Columns, held: dict[str, Held]
) -> Part:
    """Count rows of the hub, grouped there by what names somebody."""
    name, rows = of
    groups, reach = by_held(held), Reach(people.customers)
    number = int(connection.scalar(text(f"SELECT count(*) {rows}")) or 0)
    if not groups or not number:
        return Part(name, number, 0, reach, "" if groups else "no personal data is declared in it")
    flags = ", ".join(
        f"bool_or({' OR '.join(f't.{quoted_name(column)} IS NOT NULL' for column in columns)})"
        for columns in groups.values()
    )
    whose = False
    for kind, source, entity, value, more in _ways(types):
        whose = True
        query = f"SELECT {source}, {entity}, {value}, {flags} FROM (SELECT t.* {rows}) AS t{more} GROUP BY 1, 2, 3"  # noqa: S608
        for batch in connection.execute(text(query), execution_options=_BY_BATCH).partitions():
            columns = list(zip(*batch, strict=True))
            at = pa.array(np.arange(len(batch)))
            given = [
                pa.repeat(pa.scalar(kind), len(batch)),
                *(pa.array(one, pa.string()) for one in columns[:3]),
            ]
            names = pa.table([at, *given], schema=REFERENCES)
            resolved = people.resolve(names.filter(pc.is_valid(names["value"])))
            _add(
                reach, resolved, zip(groups, (pa.array(one, pa.bool_()) for one in columns[3:]), strict=True)
            )
    if not whose:
        reach.everybody({category for category, _ in groups})
        return Part(name, number, number, reach, "nothing in it tells whose a row is: everybody counts")
    return Part(name, number, 0, reach)


def _ways(types: Columns) -> Iterator[tuple[str, str, str, str, str]]:
    """How rows of a table name somebody: kind, source, entity and value, as SQL, and what is joined for it."""
    for name, kind in types.items():
        if kind == "uuid" and name not in ("event_id", "hub_id"):
            yield GOLDEN, "''", "''", f"t.{quoted_name(name)}::text", ""
        elif kind == "uuid[]":
            yield GOLDEN, "''", "''", "u.u::text", f", unnest(t.{quoted_name(name)}) AS u(u)"
    for side in _SIDES:
        key = [f"{side}{name}" for name in ("source", "entity", "record_id")]
        if set(key) <= set(types):
            source, entity, record = (f"t.{quoted_name(name)}" for name in key)
            yield RECORD, source, entity, record, ""


def _add(reach: Reach, resolved: pa.Table, flags: Iterable[tuple[Held, pa.Array]]) -> None:
    """Count what each row holds of whom it names."""
    for held, has in flags:
        mine = resolved.filter(pc.fill_null(has.take(resolved["row"]), False))
        reach.add(held, positions(mine), mine["record"].drop_null().to_pylist())


def _of_file(opened: Opened, people: People) -> Part:
    """Count what a file holds of whom; of one that is damaged it cannot be told."""
    reach, number, named, whose = Reach(people.customers), 0, 0, False
    try:
        for table, references in opened.batches:
            number += table.num_rows
            whose = whose or references.num_rows > 0
            named += _add_rows(reach, people, opened, table, references)
    except DamagedError:
        reach.everybody(opened.categories)
        return Part(opened.path, None, 0, reach, "it is damaged, so everybody counts")
    if opened.golden_ids:
        whose, found = True, _places_of(people, opened.golden_ids)
        for category in opened.categories:
            reach.add((category, CLEAR), found)
    if opened.everybody or (number and not whose and opened.categories):
        reach.everybody(opened.categories)
        note = "nothing in it tells whose it is: everybody counts"
        return Part(opened.path, number or None, number, reach, note)
    return Part(opened.path, number, number - named if opened.categories else 0, reach, opened.note)


def _add_rows(reach: Reach, people: People, opened: Opened, table: pa.Table, references: pa.Table) -> int:
    """Count rows of a file; returns how many of them name somebody, or a record of nobody."""
    resolved = people.resolve(references)
    flags = []
    for held, columns in by_held(
        {name: (opened.category(name), CLEAR) for name in table.column_names}
    ).items():
        has = pa.repeat(pa.scalar(False), table.num_rows)
        for name in columns:
            has = pc.or_(has, pc.is_valid(table[name].combine_chunks()))
        flags.append((held, has))
    _add(reach, resolved, flags)
    return len(resolved["row"].unique())


_READINGS = text(
    """SELECT a.tool, a.role, a.purpose, a.categories, count(DISTINCT a.access_id) AS readings,
        count(DISTINCT a.access_id) FILTER (WHERE a.golden_ids = '{}' AND a.rows > 0) AS whole,
        array_agg(DISTINCT u.id::text) FILTER (WHERE u.id IS NOT NULL) AS ids
    FROM ops.access_log AS a LEFT JOIN LATERAL unnest(a.golden_ids) AS u(id) ON true
    WHERE a.accessed_at >= :since GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
)


def _readings(connection: Connection, people: People, since: dt.datetime) -> Iterator[Part]:
    """What was read through our own tools since a moment, by tool, role and purpose; not who read it."""
    groups: dict[tuple[str, str, str], list[Row[Any]]] = {}
    for row in connection.execute(_READINGS, {"since": since}):
        groups.setdefault((row.tool, row.role, row.purpose), []).append(row)
    for (tool, role, purpose), own in groups.items():
        reach = Reach(people.customers)
        for row in own:
            categories = [one for one in row.categories if is_personal(one)]
            if row.whole:
                reach.everybody(categories)
            at = _places_of(people, row.ids or ())
            for category in categories:
                reach.add((category, CLEAR), at)
        readings, whole = sum(row.readings for row in own), sum(row.whole for row in own)
        note = f"{readings:,} readings" + (
            f", {whole:,} of them of whole tables: everybody counts for those" if whole else ""
        )
        yield Part(f"read with {tool} as {role} for {purpose}", None, 0, reach, note)
    if not groups:
        yield Part("readings since then", None, 0, Reach(people.customers), "the access log has none")


def _left(connection: Connection, people: People, since: dt.datetime) -> Iterator[Part]:
    """What sinks of the change feed were told: events published since then, or with a sink that moved since then."""
    told = (
        select(outbox.c.golden_id, outbox.c.related_id)
        .join(publication, publication.c.publication_id == outbox.c.publication_id)
        .where(publication.c.published_at >= since)
    )
    for name, position, moved in connection.execute(
        select(sink.c.name, sink.c.position, sink.c.updated_at).order_by(sink.c.name)
    ).all():
        if moved is None or moved < since:
            continue
        rows = connection.execute(told.where(outbox.c.position <= position)).all()
        reach = Reach(people.customers)
        reach.add((IDENTIFIER, CLEAR), _places_of(people, {str(one) for row in rows for one in row if one}))
        note = "golden ids and fingerprints, no values; when each event left is not kept, when it was published is"
        yield Part(f"sent to the sink {name}", len(rows), 0, reach, note)


def _places_of(people: People, ids: Collection[str]) -> np.ndarray:
    """Positions of the customers of golden ids."""
    values = pa.array(sorted(ids), pa.string())
    empty = pa.repeat(pa.scalar(""), len(values))
    names = [
        pa.array(np.arange(len(values), dtype=np.int64)),
        pa.repeat(pa.scalar(GOLDEN), len(values)),
        empty,
        empty,
    ]
    return positions(people.resolve(pa.table([*names, values], schema=REFERENCES)))


def nearest(name: str, known: Collection[str]) -> str:
    """What may be meant, as a sentence; empty where nothing is near."""
    near = get_close_matches(name, sorted(known), n=3)
    return f" Did you mean {' or '.join(near)}?" if near else ""
