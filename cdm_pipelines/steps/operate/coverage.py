"""Is every file and table declared: what lies in a deployment, held against the register of places (R9).

Belongs here: walking what is there, and saying what no declaration covers. Does not belong here: the declarations.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from sqlalchemy import Connection, text

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.settings import Settings
from cdm_pipelines.store.categories import is_personal
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.packs import SUFFIX, path_of
from cdm_pipelines.store.register import Kind, Place, Register, Root

_LAYERED_COLUMNS = {"_gone", "_version", "_row"}
_CHANGES = ".changes.arrow"
_COLUMNS = """
    SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, NULL)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname !~ '^pg_(toast|temp)' ORDER BY 1, a.attnum"""
_PERSONAL = {attribute.name for attribute in attributes(Entity.PARTY) if is_personal(attribute.privacy)}
_VALUES = {"text", "date", "string", "large_string", "date32[day]"}
"""Types of columns that can hold a person's value, and not only a number that stands for one."""

Columns = dict[str, str]
"""Names of columns with their types."""


@dataclass(frozen=True)
class Coverage:
    """What was found.

    Attributes:
        faults: What no declaration covers, or not as it is, in words; empty when all is declared.
        seen: Names of the places of which something was there.
    """

    faults: tuple[str, ...]
    seen: frozenset[str]


def coverage(
    register: Register, settings: Settings, connection: Connection, outside: Mapping[str, Path] | None = None
) -> Coverage:
    """Hold every file under home, landing and lake, and every table and column of the database, against the register.

    Args:
        register: All places.
        settings: Where they are; places elsewhere than in folders of this machine are not walked.
        connection: To the database.
        outside: Folders and files that commands wrote for a person, by the first part of their places' pattern.
    """
    faults: list[str] = []
    seen: set[str] = set()
    for found in (*_files(settings, outside or {}), *_tables(connection)):
        places = register.covering(found.root, found.path)
        if len(places) != 1:
            names = " and ".join(place.name for place in places)
            faults.append(
                f"{found} is declared by {names}; narrow one of their patterns"
                if places
                else f"{found} is declared by no place; add one to the `places` of the room that writes it"
            )
            continue
        seen.add(places[0].name)
        if found.columns is not None:
            faults += _column_faults(places[0], found)
    faults += [
        f"{place.name}: there is no table {place.pattern}; remove the declaration"
        for place in register
        if place.kind is Kind.HUB_TABLE and "{" not in place.pattern
        if not place.absent and place.name not in seen
    ]
    return Coverage(tuple(faults), frozenset(seen))


@dataclass(frozen=True)
class _Thing:
    """A file or a table that is there; its columns where it has some."""

    root: Root
    path: str
    columns: Columns | None = None

    def __str__(self) -> str:
        return f"{self.root}: {self.path}"


def _column_faults(place: Place, found: _Thing) -> Iterator[str]:
    columns = found.columns or {}
    for name, type_ in columns.items():
        category = place.columns.get(name, place.others)
        if category is None:
            yield f"{found}: column {name} is not declared; add it to place {place.name} with its category"
        elif name in _PERSONAL and type_ in _VALUES and not is_personal(category):
            yield f"{found}: column {name} is personal, and place {place.name} says {category}; correct it"
    for name in place.columns:
        if name not in columns and name not in place.optional:
            yield f"{found}: there is no column {name}; remove it from place {place.name}"


def _tables(connection: Connection) -> list[_Thing]:
    """All tables with their columns, Dagster's too; views hold nothing."""
    found: dict[str, Columns] = {}
    for table, name, type_ in connection.execute(text(_COLUMNS)):
        columns = found.setdefault(table, {})
        if name is not None:
            columns[name] = type_
    return [_Thing(Root.HUB, table, columns) for table, columns in found.items()]


def _files(settings: Settings, outside: Mapping[str, Path]) -> Iterator[_Thing]:
    """All files, each below the nearest of the folders that are roots."""
    roots = {
        Path(url): root
        for url, root in (
            (settings.landing_url, Root.LANDING),
            (settings.lake_url, Root.LAKE),
            (str(settings.home), Root.HOME),
            (str(settings.policies), Root.POLICIES),
        )
        if "://" not in url
    }
    wanted = {path: name for name, path in outside.items()}
    for base in sorted({*roots, *wanted}):
        for file in sorted(base.rglob("*")) if base.is_dir() else [base]:
            nearest = next(folder for folder in (file, *file.parents) if folder in roots or folder in wanted)
            if nearest != base or not (file.is_file() or file.is_socket()):
                continue
            path = PurePosixPath(file.relative_to(base)).as_posix()
            if base in wanted:
                name = file.name if path == "." else path
                yield _Thing(Root.OUTSIDE, f"{wanted[base]}/{name}")
            else:
                yield _Thing(roots[base], *_read(roots[base], path, file))
                if roots[base] is Root.LAKE and file.suffix == SUFFIX:
                    yield from _packed(Lake(str(base)), path)


def _packed(lake: Lake, pack: str) -> Iterator[_Thing]:
    """The tables in a pack, each under the path that it stands for."""
    for name in lake.packed(pack):
        path = path_of(pack, name)
        if not lake.lies_alone(path):
            yield _Thing(Root.LAKE, path, _of_schema(lake.schema(path)))


def _read(root: Root, path: str, file: Path) -> tuple[str, Columns | None]:
    """The path under which a file is declared, and its columns where it is a table of ours."""
    if root is not Root.LAKE or file.name.startswith(".tmp-"):
        return path, None
    if path.endswith(".parquet"):
        return path, _of_schema(pq.read_schema(file))
    if path.endswith(".csv"):
        return path, _of_schema(pa_csv.read_csv(file).schema)
    if not path.endswith(".arrow"):
        return path, None
    with pa.OSFile(str(file)) as source:
        columns = _of_schema(pa.ipc.open_file(source).schema)
    if path.endswith(_CHANGES):
        columns = {name: type_ for name, type_ in columns.items() if name not in _LAYERED_COLUMNS}
        return path.removesuffix(_CHANGES) + ".arrow", columns
    return path, columns


def _of_schema(schema: pa.Schema) -> Columns:
    return {field.name: str(field.type) for field in schema}
