"""The published rows of some records and some customers, for a version that is staged in part.

Belongs here: asking by many keys at once. Does not belong here: which ones (steps).
"""

import pyarrow as pa
from sqlalchemy import Connection, text

from cdm_pipelines.hub.load import copy_table, read_table

_RECORD = pa.schema([("source", pa.string()), ("entity", pa.string()), ("record_id", pa.string())])


class Asked:
    """Keys in temporary tables, which go with the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        connection.execute(text("DROP TABLE IF EXISTS asked_record, asked_id"))
        connection.execute(
            text(
                "CREATE TEMPORARY TABLE asked_record (source text, entity text, record_id text) ON COMMIT DROP"
            )
        )
        connection.execute(text("CREATE TEMPORARY TABLE asked_id (golden_id uuid) ON COMMIT DROP"))

    def crosswalk_of_records(self, records: pa.Table, schema: pa.Schema) -> pa.Table:
        """Rows of the crosswalk of the given records."""
        self._ask(records)
        return self._read("golden.crosswalk JOIN asked_record USING (source, entity, record_id)", schema)

    def customers_of_records(self, records: pa.Table) -> pa.Array:
        """Golden ids of the given records, each once."""
        self._ask(records)
        found = "(SELECT DISTINCT golden_id FROM golden.crosswalk JOIN asked_record USING (source, entity, record_id))"
        ids = pa.schema([("golden_id", pa.string())])
        return self._read(f"{found} AS found", ids, "golden_id")["golden_id"].combine_chunks()

    def crosswalk_of_customers(self, ids: pa.Array, schema: pa.Schema) -> pa.Table:
        """Rows of the crosswalk of the given customers."""
        self._ask_ids(ids)
        return self._read("golden.crosswalk JOIN asked_id USING (golden_id)", schema)

    def crosswalk_of_corrected(self, schema: pa.Schema) -> pa.Table:
        """Rows of the crosswalk of customers that have a value which a steward set."""
        corrected = (
            "(SELECT DISTINCT golden_id FROM golden.provenance WHERE decision_id IS NOT NULL) AS corrected"
        )
        return self._read(f"golden.crosswalk JOIN {corrected} USING (golden_id)", schema)

    def registry(self, ids: pa.Array, founders: pa.Table, schema: pa.Schema) -> pa.Table:
        """Ids that are among the given ones, stand for one of them, or were founded by one of the given records.

        And what the latter stand for.
        """
        self._ask(founders)
        self._ask_ids(ids)
        found = """(
            SELECT i.* FROM identity.golden_id AS i JOIN asked_id USING (golden_id)
            UNION SELECT i.* FROM identity.golden_id AS i JOIN asked_id AS a ON i.alias_of = a.golden_id
            UNION SELECT i.* FROM identity.golden_id AS i JOIN asked_record USING (record_id, source, entity)
            UNION SELECT i.* FROM identity.golden_id AS i JOIN identity.golden_id AS a ON a.alias_of = i.golden_id
                JOIN asked_record AS r ON (r.record_id, r.source, r.entity) = (a.record_id, a.source, a.entity)
            ) AS found"""
        return self._read(found, schema, "sequence")

    def newest(self) -> int:
        """Order of publication of the newest id."""
        return int(
            self._connection.scalar(text("SELECT coalesce(max(sequence), 0) FROM identity.golden_id")) or 0
        )

    def _ask(self, records: pa.Table) -> None:
        self._connection.execute(text("TRUNCATE asked_record"))
        copy_table(self._connection, "asked_record", records.select(_RECORD.names), schema="pg_temp")
        self._connection.execute(text("ANALYZE asked_record"))

    def _ask_ids(self, ids: pa.Array) -> None:
        self._connection.execute(text("TRUNCATE asked_id"))
        copy_table(self._connection, "asked_id", pa.table({"golden_id": ids}), schema="pg_temp")
        self._connection.execute(text("ANALYZE asked_id"))

    def _read(self, table: str, schema: pa.Schema, order: str = "source, entity, record_id") -> pa.Table:
        names = ", ".join(f'"{name}"' for name in schema.names)
        query = f"SELECT {names} FROM {table} ORDER BY {order}"  # noqa: S608 - names of our own tables and columns
        return read_table(self._connection, query, schema)
