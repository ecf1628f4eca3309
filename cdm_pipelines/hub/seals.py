"""Checksums of tables to which publications only add: what happened to ids, what consumers were told, former versions.

Belongs here: sealing what a publication added, finding what differs since. Does not belong here: tables that can be
derived from the lake, which are compared with it (steps.operate.verify), or the decision log (identity.chain).

A seal is the number of a publication's rows and a sum over digests of their texts, whatever their order. Who takes rows
away on purpose (erasures, pruning) renews the seals in the same transaction; so does a migration that adds a column.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, Table, delete, text

from cdm_pipelines.hub.schema import customer_history
from cdm_pipelines.hub.schema_feed import event, outbox
from cdm_pipelines.hub.schema_ops import seal

_SEALED: Mapping[str, str] = {
    str(event): "publication_id",
    str(outbox): "publication_id",
    str(customer_history): "closed_by",
}
"""Tables, with the column that tells which publication added a row."""
_SEALS = (
    "SELECT number, rows, digest FROM ops.seals_of(cast(:name AS text)::regclass, :numbered, :publication)"
)


def seal_publication(connection: Connection, publication: int) -> None:
    """Seal what a publication has added."""
    for name in _SEALED:
        _seal(connection, name, publication)


def renew(connection: Connection, table: Table) -> None:
    """Seal a table anew, of which rows were taken or changed on purpose; does nothing where it has no seals."""
    name = str(table)
    if name in _SEALED:
        connection.execute(delete(seal).where(seal.c.table_name == name))
        _seal(connection, name, None)


def _seal(connection: Connection, name: str, publication: int | None) -> None:
    add = (
        f"INSERT INTO ops.seal (table_name, publication_id, rows, digest) SELECT :name, s.* FROM ({_SEALS}) s"  # noqa: S608 - our own words
    )
    values = {"name": name, "numbered": _SEALED[name], "publication": publication}
    connection.execute(text(add), values)


def broken(connection: Connection) -> Iterator[str]:
    """What differs from its seal, in sentences."""
    compare = f"""
        SELECT coalesce(s.publication_id, f.number), s.rows, f.rows
        FROM (SELECT * FROM ops.seal WHERE table_name = :name) s
        FULL JOIN ({_SEALS}) f ON f.number = s.publication_id
        WHERE (s.rows, s.digest) IS DISTINCT FROM (f.rows, f.digest) ORDER BY 1"""  # noqa: S608 - our own words
    for name, numbered in _SEALED.items():
        values = {"name": name, "numbered": numbered, "publication": None}
        for publication, sealed, found in connection.execute(text(compare), values):
            what = f"{found or 0:,} rows of publication {publication} and {sealed or 0:,} were written"
            same = sealed == found
            yield f"{name}: rows of publication {publication} were changed" if same else f"{name} has {what}"
