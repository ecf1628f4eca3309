"""The shapes of many values: enough to see what is wrong with them, too little to know whose they are (R6).

Belongs here: shapes of columns. Does not belong here: the shape of one text (contracts.told), judging it.
"""

import pyarrow as pa

from cdm_pipelines.contracts.told import shape

__all__ = ["shape", "shapes"]


def shapes(values: pa.Array) -> pa.Array:
    """The shape of each of some texts; null stays null."""
    return pa.array([text if text is None else shape(text) for text in values.to_pylist()], pa.string())
