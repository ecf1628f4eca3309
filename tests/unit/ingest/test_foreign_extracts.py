"""Published data that nobody here wrote: every row is accounted for."""

import csv
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from ingest_samples import DATE, run_day

from cdm_pipelines.contracts import SourceContract, load_contract
from cdm_pipelines.ingest import find_files
from cdm_pipelines.quality.suggest import suggest

ROOT = Path(__file__).parents[3]
CONTRACTS = ROOT / "tests" / "contracts"
EXTRACTS = Path(os.environ.get("BENCHMARK_DATA", ROOT / ".." / "shared" / "data")) / "extracts"
SALES = [f"AdventureWorks_Sales_{year}.csv" for year in (2017, 2018, 2019)]

pytestmark = pytest.mark.skipif(
    not EXTRACTS.is_dir(), reason=f"the published extracts are not at {EXTRACTS}: set BENCHMARK_DATA"
)

CASES: list[tuple[str, str, list[str], int, dict[str, int]]] = [
    ("adventureworks", "customer", ["AdventureWorks_Customers.csv"], 18148, {}),
    # Two order numbers were given to two customers each: SO62019 and SO72019.
    ("adventureworks", "order_line", SALES, 56046, {"superseded": 4}),
    ("adventureworks", "product", ["AdventureWorks_Products.csv"], 293, {}),
    ("contoso", "customer", ["customer_unique.csv"], 3165, {}),
    ("contoso", "order", ["orders.csv"], 3242, {}),
    ("contoso", "order_line", ["orderrows.csv"], 7794, {}),
]


def deliver_all(source: str, entity: str, files: list[str], landing: Path) -> SourceContract:
    """Put the published files into landing as a day's delivery."""
    folder = landing / source / entity
    folder.mkdir(parents=True)
    for file in files:
        shutil.copy(EXTRACTS / source / file, folder / f"{DATE}_{file}")
    return load_contract(CONTRACTS / source / f"{entity}.odcs.yaml")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}/{case[1]}")
def test_every_row_is_accounted_for(
    tmp_path: Path, case: tuple[str, str, list[str], int, dict[str, int]]
) -> None:
    source, entity, files, rows, rejected = case
    contract = deliver_all(source, entity, files, tmp_path)
    assert len(find_files(str(tmp_path), contract, DATE)) == len(files)
    outcome = run_day(tmp_path, contract)
    assert len(outcome.raw) == rows == sum(_records(EXTRACTS / source / file) for file in files)
    assert len(outcome.valid) + len(outcome.quarantine) == rows
    assert Counter(rule for rules in outcome.reasons.values() for rule in rules) == rejected
    assert outcome.blanked == []


def _records(path: Path) -> int:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return sum(1 for _ in csv.reader(stream)) - 1


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(EXTRACTS.rglob("*.csv")), ids=lambda path: path.name)
def test_a_contract_is_suggested_that_reads_the_file(path: Path, tmp_path: Path) -> None:
    contract_path = tmp_path / "suggested.odcs.yaml"
    contract_path.write_text(suggest(path, source="found", entity="thing").to_yaml(), encoding="utf-8")
    contract = load_contract(contract_path)
    folder = tmp_path / "found" / "thing"
    folder.mkdir(parents=True)
    shutil.copy(path, folder / f"{DATE}.csv")
    outcome = run_day(tmp_path, contract)
    assert len(outcome.raw) == _records(path)
    allowed = {"superseded", "missing_key"}
    assert {rule for rules in outcome.reasons.values() for rule in rules} <= allowed
