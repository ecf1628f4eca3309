"""What lies in the files and tables of a deployment, as anybody would find it who looks, whatever the case."""

import gzip
import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .conftest import Deployment


def texts_of(name: str, content: bytes) -> str:
    """The bytes of a file as text, whatever they are packed in."""
    if content[:4] == b"PAR1":
        return str(pq.read_table(pa.BufferReader(content)).to_pylist())
    if content[:2] == b"\x1f\x8b":
        return texts_of(name, gzip.decompress(content))
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return "".join(texts_of(one, archive.read(one)) for one in archive.namelist())
    return content.decode("utf-8", "replace")


def places_of(home: Deployment) -> dict[str, str]:
    """All files and tables of a deployment with what they hold, in small letters."""
    found = {}
    for path in sorted(Path(home.settings.home).rglob("*")):
        if path.is_file():
            name = str(path.relative_to(home.settings.home))
            found[name] = texts_of(path.name, path.read_bytes()).lower()
    tables = home.query(
        """SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
           WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"""
    )
    for (table,) in tables:
        rows = home.query(f"SELECT t::text FROM {table} AS t")
        found[str(table)] = "\n".join(str(row[0]) for row in rows).lower()
    return found


def holding(places: Mapping[str, str], values: Collection[str]) -> set[str]:
    """Places that hold any of some values."""
    small = {value.lower() for value in values}
    return {place for place, content in places.items() if any(value in content for value in small)}


def traces(home: Deployment, values: Collection[str]) -> set[str]:
    """Files and tables of a deployment that hold any of some values."""
    return holding(places_of(home), values)
