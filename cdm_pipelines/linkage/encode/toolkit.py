"""Algorithms of recordlinkage, the Python Record Linkage Toolkit, by the names that a policy gives them.

Belongs here: finding an algorithm and making it, with errors that name the key. Does not belong here: what its pairs
or its similarities are used for (blocking.toolkit, compare.toolkit), or anything that works without the toolkit:
importing this module loads scikit-learn.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import recordlinkage
from recordlinkage.base import BaseCompareFeature, BaseIndexAlgorithm

from cdm_pipelines.linkage.encode.columns import Column
from cdm_pipelines.linkage.errors import LinkageError, nearest


def index_algorithm(name: str, arguments: dict[str, Any], key: str) -> Any:
    """One of the toolkit's index algorithms, which make candidate pairs.

    Raises:
        LinkageError: There is no such algorithm, or it does not take these arguments; ``key`` says where that stands.
    """
    return _made(_algorithm(recordlinkage.index, BaseIndexAlgorithm, name, key), arguments, key)


def compare_feature(name: str, arguments: dict[str, Any], key: str) -> Any:
    """One of the toolkit's compare features, which tell how alike two values are.

    Raises:
        LinkageError: There is no such algorithm, or it does not take these arguments; ``key`` says where that stands.
    """
    return _made(_algorithm(recordlinkage.compare, BaseCompareFeature, name, key), arguments, key)


def texts_of(column: Column) -> npt.NDArray[np.object_]:
    """The text of each record, None for null, of a column of width 1."""
    texts = np.empty(column.size + 1, dtype=object)
    texts[:-1] = column.texts
    return texts[column.flat]


def _algorithm(module: Any, base: type, name: str, key: str) -> Any:
    known = {
        n: c for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, base) and c is not base
    }
    if name not in known:
        raise LinkageError(f"{key}: recordlinkage has no {name!r}{nearest(name, known)}")
    return known[name]


def _made(algorithm: Any, arguments: dict[str, Any], key: str) -> Any:
    try:
        return algorithm(**arguments)
    except TypeError as error:
        raise LinkageError(f"{key}.arguments: {algorithm.__name__} does not take them: {error}") from None
