"""A policy's comparison for recordlinkage, the Python Record Linkage Toolkit.

Belongs here: our comparison as a compare feature of the toolkit. Does not belong here: the toolkit's comparisons in a
policy (compare.toolkit); importing this module loads scikit-learn.

``CompareLevels`` keeps the toolkit's interface: it goes into its ``Compare`` on frames as any of its own features does.
It compares two tables row by row as a pair scorer does.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
from recordlinkage.base import BaseCompareFeature

from cdm_pipelines.linkage.compare.comparers import Comparer, side_by_side
from cdm_pipelines.linkage.policy.comparisons import Comparison
from cdm_pipelines.linkage.policy.spec import Clean, LinkagePolicy


class CompareLevels(BaseCompareFeature):  # type: ignore[misc]  # the toolkit has no types
    """A policy's comparison as a compare feature of the toolkit: levels, -1 where it cannot be made.

    Args:
        comparison: As in a policy; its columns are those of the frame.
        clean: How each column is cleaned, ``text`` where it says nothing.
        label: Name of the feature.
    """

    def __init__(
        self,
        comparison: Comparison,
        *,
        clean: dict[str, Clean] | None = None,
        label: str | None = None,
    ) -> None:
        self.comparison, self.clean = comparison, clean or {}
        columns = list(dict.fromkeys((*comparison.reads, *comparison.reads_optionally)))
        super().__init__(columns, columns, label=label or comparison.kind)

    def _compute_vectorized(self, *series: pd.Series) -> npt.NDArray[np.int8]:
        names, half = self.labels_left, len(series) // 2
        left, right = (
            pd.DataFrame({name: one.to_numpy() for name, one in zip(names, side, strict=True)})
            for side in (series[:half], series[half:])
        )
        columns = {name: {"clean": self.clean.get(name, "text")} for name in names}
        policy = LinkagePolicy.model_validate(
            {
                "id": names[0],
                "columns": columns,
                "blocking": [{"keys": names[0]}],
                "comparisons": {self.comparison.kind: self.comparison},
            }
        )
        records, one, other = side_by_side(left, right, policy)
        return Comparer(records, policy).levels(one, other)[:, 0]
