"""What the benchmark of organisations makes up, and what its document says."""

from benchmarks.organisations.document import Linked, markdown
from benchmarks.organisations.made import generate


def test_made_up_organisations_are_the_same_each_time_and_have_near_misses() -> None:
    made = generate(2_000, seed=5)
    assert made.equals(generate(2_000, seed=5))
    assert made["record_id"].is_unique
    assert 800 < made["truth_id"].nunique() < 1_800
    first = made["name"].str.casefold().str.split().str[0]
    assert made.groupby(first)["truth_id"].nunique().max() > 3  # one name's beginning, several organisations


def test_the_document_shows_expected_beside_true_precision() -> None:
    row = Linked("made up", "names", 100, 40, "ours", 0.9, 0.5, 22, 0.95, 0.91, 1.0)
    assert "| ours | 0.900 | 0.500 | 0.643 | 22 | 0.950 | 0.910 | 1 |" in markdown([row], {"cores": "2"})
