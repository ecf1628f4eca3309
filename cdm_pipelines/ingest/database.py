"""SQL queries as extracts.

Belongs here: the rows of a query become a file of text, so that what follows treats it like any delivery.
Does not belong here: our own database (hub).

The contract names an environment variable with the database's URL: no secret stands in a contract, and none
reaches a message.
"""

import os
from pathlib import Path

import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.model import Query
from cdm_pipelines.ingest.errors import Refusal, Refuser
from cdm_pipelines.ingest.scalars import as_text, text_array

_BATCH_ROWS = 20_000


def spool_query(contract: SourceContract, date: str, target: Path, refuser: Refuser) -> None:
    """Run the contract's query for a day and write its rows as Parquet.

    Args:
        contract: Of format ``sql``; ``:date`` in its query becomes the day. Order the rows, so that the same
            data gives the same file.
        date: YYYY-MM-DD.
        target: File to write.
        refuser: Names the extract in errors.

    Raises:
        ExtractError: The variable is not set, the database cannot be reached, or the query fails.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415
    import sqlalchemy as sa  # noqa: PLC0415 - only sources that are queried need a database driver

    query = contract.query or Query("", "")
    url = os.environ.get(query.url_variable)
    if not url:
        refuser.refuse(
            Refusal.CONNECTION,
            f"cannot be asked: {query.url_variable} is not set",
            "Set that variable to the database's URL, such as postgresql+psycopg://user:password@host/name.",
        )
    engine = None
    try:
        engine = sa.create_engine(url)
        with engine.connect().execution_options(stream_results=True, yield_per=_BATCH_ROWS) as connection:
            statement = sa.text(query.text)
            parameters = {"date": date} if "date" in statement.compile().params else {}
            result = connection.execute(statement, parameters)
            names = list(result.keys())
            schema = pa.schema([pa.field(name, pa.string()) for name in names])
            with pq.ParquetWriter(target, schema) as writer:
                for rows in result.partitions():
                    cells = [text_array([as_text(row[i]) for row in rows]) for i in range(len(names))]
                    writer.write_table(pa.table(cells, schema=schema))
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        # The driver's own text may hold the address, a user or values: only its kind is told.
        refuser.refuse(
            Refusal.CONNECTION,
            f"cannot be queried ({type(error).__name__})",
            f"Check the query in the contract, and that {query.url_variable} leads to the database.",
        )
    finally:
        if engine is not None:
            engine.dispose()
