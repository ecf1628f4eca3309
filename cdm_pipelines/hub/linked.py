"""Golden values beside the source records that they are about.

Belongs here: what is asked in order to compare the two. Does not belong here: the comparison (publish).
"""

from collections.abc import Generator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cdm_pipelines.hub.bulk import customer_schema
from cdm_pipelines.hub.load import read_batches, read_table

_RULES = pa.schema([("golden_id", pa.string()), ("attribute", pa.string()), ("rule", pa.string())])


def linked_customers(
    connection: Connection, source: str, entity: str, golden_ids: Sequence[str] | None = None
) -> Generator[pa.Table, None, None]:
    """The customer of every active record of a source entity that may say something else than it, streamed.

    A customer's only record says what the customer does, but where a steward set a value.

    Args:
        connection: Inside a transaction, so that all rows are of one publication.
        source: Source system.
        entity: Its entity.
        golden_ids: Only these customers; all when None.

    Yields:
        ``record_id`` and the columns of a golden customer, all as text, in order of record id.
    """
    schema = customer_schema()
    columns = ", ".join(f'c."{name}"' for name in schema.names)
    only = "" if golden_ids is None else "AND c.golden_id = ANY (%(ids)s::uuid[])"
    query = f"""
        SELECT x.record_id, {columns} FROM golden.crosswalk AS x JOIN golden.customer AS c USING (golden_id)
        WHERE x.source = %(source)s AND x.entity = %(entity)s AND x.active {only} AND (c.record_count > 1
            OR c.golden_id IN (SELECT golden_id FROM golden.provenance WHERE decision_id IS NOT NULL))
        ORDER BY x.record_id COLLATE "C" """  # noqa: S608 - names of our own columns
    given: dict[str, object] = {"source": source, "entity": entity}
    if golden_ids is not None:
        given["ids"] = list(golden_ids)
    typed = schema.insert(0, pa.field("record_id", pa.string()))
    text = pa.schema([(name, pa.string()) for name in typed.names])
    for batch in read_batches(connection, query, typed, given):
        yield batch.cast(text)


def origins(connection: Connection, golden_ids: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Rows of ``golden.provenance`` of some customers, in some of its columns."""
    columns = ", ".join(schema.names)
    query = f"SELECT {columns} FROM golden.provenance WHERE golden_id = ANY (%(ids)s::uuid[])"  # noqa: S608 - our own
    return read_table(connection, query, schema, {"ids": list(golden_ids)})


def rules(connection: Connection, golden_ids: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Why the values of some customers are golden: ``golden_id, attribute, rule``, as in ``golden.provenance``."""
    query = """SELECT golden_id, attribute, rule FROM golden.provenance
               WHERE golden_id = ANY (%(ids)s::uuid[])"""
    ids = {"ids": pc.unique(golden_ids).to_pylist()}
    return read_table(connection, query, _RULES, ids)
