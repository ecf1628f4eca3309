"""Two scales or models of whatever enricher: which numbers changed, the largest relative change first."""

from cdm_pipelines.enrichment.compared import MOST, changed_numbers
from cdm_pipelines.figures import Grid


def test_numbers_that_changed_are_told_the_largest_change_first() -> None:
    former = {
        "cuts": {"recency": [100, 200], "net": [1.0]},
        "window": ["2026-01-01"],
        "same": 4,
        "gone": 7,
        "fit": True,
    }
    latter = {
        "cuts": {"recency": [101, 250], "net": [-1.0]},
        "window": ["2026-02-01"],
        "same": 4,
        "fit": False,
    }
    found = changed_numbers(former, latter)
    assert (found["numbers that changed"], found["other values that changed"]) == (4, 2)
    grid = found["changed"]
    assert isinstance(grid, Grid)
    assert [tuple(row.values()) for row in grid.rows] == [
        ("cuts.net.1", 1.0, -1.0, "200.0%"),
        ("gone", 7, "", "100.0%"),
        ("cuts.recency.2", 200, 250, "20.0%"),
        ("cuts.recency.1", 100, 101, "1.0%"),
    ]


def test_what_is_refused_now_says_so_and_what_is_the_same_says_nothing() -> None:
    fitted = {"purchases": {"r": 0.25, "alpha": 4.4}}
    found = changed_numbers(fitted, {"purchases": {"refused": "Too few."}})
    assert (found["numbers that changed"], found["other values that changed"]) == (2, 1)
    assert changed_numbers(fitted, fitted) == {"numbers that changed": 0, "other values that changed": 0}


def test_of_many_numbers_those_that_changed_most_are_shown() -> None:
    found = changed_numbers({str(at): 100 for at in range(90)}, {str(at): 100 + at for at in range(90)})
    grid = found["changed most"]
    assert isinstance(grid, Grid)
    assert (found["numbers that changed"], len(grid.rows), grid.rows[0]["figure"]) == (89, MOST, "89")
