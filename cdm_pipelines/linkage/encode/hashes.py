"""64-bit hashes of texts: the same for the same text in every table, process and machine.

Belongs here: hashing distinct values, and the hash of each record's value. Does not belong here: what is done with
hashes (keys).
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]


def hashed(values: pa.Array) -> Hashes:
    """A hash of each text, never 0; the same in every process and on every machine."""
    texts = np.empty(len(values), dtype=object)
    texts[:] = values.to_pylist()
    return np.maximum(pd.util.hash_array(texts, categorize=False), 1).astype(np.uint64)


def of_records(hashes: Hashes, codes: npt.NDArray[np.int32]) -> Hashes:
    """The hash of each record's value, shape of ``codes``; 0 for null."""
    return np.append(hashes, np.uint64(0))[codes]
