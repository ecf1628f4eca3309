"""Draws of customers: numbers between 0 and 1 that nobody foretells, and that are the same on every rerun.

Belongs here: from golden ids and a key to numbers. Does not belong here: what is drawn for (``action_choice``).

A draw is SHA-256 over the key and the golden id. It depends on nothing else: not on who else there is, not on order,
not on the day. A merge keeps the oldest golden id, and with it that customer's draw.
"""

import duckdb
import numpy as np
import pyarrow as pa

from cdm_pipelines.insight.action_rules import Numbers
from cdm_pipelines.store.arrow import whole

_BITS = 53
"""So many bits a float holds without rounding."""


def drawn(golden_ids: pa.Array | pa.ChunkedArray, key: str, *, threads: int = 1) -> Numbers:
    """A number from 0 to below 1 per customer.

    Args:
        golden_ids: In any order.
        key: Of the deployment, made for one kind of draw: with another key all draws are others.
        threads: The outcome does not depend on it.
    """
    ids = whole(golden_ids).cast(pa.string())
    with duckdb.connect(config={"threads": threads, "python_enable_replacements": False}) as db:
        db.register("customer", pa.table({"n": pa.array(np.arange(len(ids))), "golden_id": ids}))
        query = "SELECT n, ('0x' || substr(sha256($key || golden_id), 1, 16))::UBIGINT AS drawn FROM customer"
        found = db.sql(query, params={"key": key}).to_arrow_table()
    result = np.empty(len(ids), np.uint64)
    result[found["n"].to_numpy()] = found["drawn"].to_numpy()
    return (result >> np.uint64(64 - _BITS)).astype(np.float64) / float(1 << _BITS)
