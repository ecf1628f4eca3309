"""Expected precision is the true one, whatever share matches, is known, or is written wrongly; policies are generic."""

from pathlib import Path

import pytest
import yaml
from linkage_cells import NAMES, Cell, linked

SHARED_SETS = ("historical_50k", "febrl3", "febrl4", "fake_1000")
POLICIES = Path(__file__).parents[3] / "benchmarks" / "policies"
CELLS = {
    "names and date of birth only, few match": Cell(records=4000, matched=0.05, columns=NAMES, errors=0.2),
    "hardly any match": Cell(records=2000, matched=0.02, columns=(*NAMES, "postcode"), errors=0.2),
    "half match, heavy errors, households": Cell(
        records=3000, matched=0.5, columns=(*NAMES, "postcode"), errors=0.35, household=0.4
    ),
    "two sources with addresses": Cell(records=4000, matched=0.6, errors=0.2, household=0.3, sources=2),
}


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_expected_precision_is_true(cell: Cell) -> None:
    result, precision, recall = linked(cell)
    assert abs(result.report["expected"]["precision"] - precision) <= 0.02
    assert recall >= 0.6


def test_policies_of_the_shared_sets_say_nothing_but_which_columns_there_are() -> None:
    for name in SHARED_SETS:
        content = yaml.safe_load((POLICIES / f"{name}.yaml").read_text(encoding="utf-8"))
        assert content["extends"] == "f1"
        assert set(content) <= {"extends", "id", "source", "duplicate_free", "columns"}
        assert all(isinstance(column, str) for column in content["columns"].values())
    common = yaml.safe_load((POLICIES / "f1.yaml").read_text(encoding="utf-8"))
    assert common["extends"] == "person"
    assert set(common) == {"extends", "thresholds", "clustering"}
