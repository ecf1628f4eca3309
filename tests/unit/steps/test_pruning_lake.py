"""Pruning by policy: what goes, what stays and what is told; a policy that cannot be used is refused in words."""

import datetime as dt
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.checkup import check_configuration
from cdm_pipelines.steps.operate.pruning import Pruned, prune_lake
from cdm_pipelines.steps.operate.pruning_policy import PruningPolicy, PruningPolicyError, month_is_due
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

SHIPPED = Settings.model_fields["policies"].default / "pruning.yaml"
CONTRACT = contract_named("crm/contact")
TODAY = dt.date(2026, 6, 1)
OLD, NEW = "2026-01-10", "2026-05-30"


def _policy(**changes: object) -> PruningPolicy:
    lake = {"pack_after": None, "raw": None, "valid": None, "quarantine": None} | changes
    return PruningPolicy.model_validate({"lake": lake, "outbox": None, "history": None})


def _lake(folder: Path) -> Lake:
    lake = Lake(str(folder))
    for day in (OLD, NEW):
        rows = pa.table(
            {
                "Id": ["1", "2"],
                "Email": ["secret@x.nl"] * 2,
                "_file": ["f"] * 2,
                "_row": [1, 2],
                "_sha256": ["s"] * 2,
                "_reasons": ["[]"] * 2,
            }
        )
        for layer in ("raw", "valid", "quarantine"):
            with lake.writer(f"{layer}/crm/contact/{day}.parquet", rows.schema) as writer:
                writer.write_table(rows)
                writer.add_key_value_metadata({layout.FILES: "f\t7", layout.FINGERPRINT: day})
    return lake


def _prune(lake: Lake, policy: PruningPolicy, *, dry_run: bool = False) -> dict[str, Pruned]:
    return {one.what: one for one in prune_lake(lake, [CONTRACT], policy, TODAY, dry_run=dry_run)}


@pytest.mark.parametrize("layer", ["raw", "valid", "quarantine"])
def test_rows_go_and_what_is_known_of_them_stays(tmp_path: Path, layer: str) -> None:
    lake, policy = _lake(tmp_path / "lake"), _policy(**{layer: 60})
    old, new = (f"{layer}/crm/contact/{day}.parquet" for day in (OLD, NEW))
    what = f"days of {layer} whose rows are older than the policy keeps"
    before = lake.content(old)
    planned = _prune(lake, policy, dry_run=True)[what]
    assert (planned.number, lake.content(old)) == (1, before)
    done = _prune(lake, policy)[what]
    assert done.number == 1
    assert "secret" not in str(lake.read(old).to_pydict())
    assert layout.rows(lake, old) == layout.rows(lake, new) == 2
    assert lake.notes(old)[layout.FILES] == lake.notes(new)[layout.FILES]
    assert lake.notes(old)[layout.FINGERPRINT] == OLD
    assert lake.schema(old) == lake.schema(new)
    assert lake.read(new)["Email"].to_pylist() == ["secret@x.nl"] * 2
    assert layout.days(lake, layer, CONTRACT) == [OLD, NEW]
    if layer == "quarantine":
        assert lake.read(old)["Id"].to_pylist() == ["1", "2"], "records that were held back are not absent"
    assert _prune(lake, policy)[what].number == 0


def test_as_shipped_only_files_become_fewer(tmp_path: Path) -> None:
    lake = _lake(tmp_path / "lake")
    before = {path: lake.content(path) for path in lake.paths("")}
    done = [one for one in _prune(lake, PruningPolicy.load(SHIPPED)).values() if one.number]
    assert [one.what for one in done] == ["files of past months into 3 packs"]
    assert {path: lake.content(path) for path in lake.paths("")} == before
    assert len(lake.lying_alone("")) == len(lake.lying_alone("", ".zip")) == 3


def test_pruned_days_are_packed_with_the_others(tmp_path: Path) -> None:
    lake = _lake(tmp_path / "lake")
    _prune(lake, _policy(pack_after=31))
    _prune(lake, _policy(pack_after=31, raw=60))
    assert lake.lying_alone("raw", ".parquet") == [f"raw/crm/contact/{NEW}.parquet"]
    assert layout.rows(lake, f"raw/crm/contact/{OLD}.parquet") == 2
    assert lake.read(f"raw/crm/contact/{OLD}.parquet").num_rows == 0


def test_a_damaged_day_is_left_and_told(tmp_path: Path) -> None:
    lake = _lake(tmp_path / "lake")
    (tmp_path / "lake" / f"raw/crm/contact/{OLD}.parquet").write_bytes(b"")
    told = [one for one in _prune(lake, _policy(raw=60, pack_after=31)).values() if one.fault]
    assert len(told) == 2
    assert all("cdm run --date 2026-01-10 --source crm" in one.fault for one in told)


@pytest.mark.parametrize(
    ("month", "after", "today", "due"),
    [
        ("2026-01", 31, "2026-03-03", False),
        ("2026-01", 31, "2026-03-04", True),
        ("2025-12", 1, "2026-01-01", False),
        ("2025-12", 1, "2026-01-02", True),
        ("2020-01", None, "2026-01-02", False),
    ],
)
def test_a_month_is_due_so_many_days_after_it_ended(
    month: str, after: int | None, today: str, *, due: bool
) -> None:
    assert month_is_due(month, after, dt.date.fromisoformat(today)) is due


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (("raw: null", "raw: 7"), r"lake\.raw: .*greater than or equal to 31"),
        (("raw: null", "raw: soon"), r"lake\.raw: .*integer"),
        (("raw: null", "raw: true"), r"lake\.raw: .*integer"),
        (("raw: null", "rows: null"), r"lake\.raw: Field required; lake\.rows: Extra"),
        (("history: null", "history: -1"), r"history: .*greater"),
        (("lake:", "lake: ["), "cannot be read as YAML"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_with_the_key(
    tmp_path: Path, changed: tuple[str, str], told: str
) -> None:
    path = tmp_path / "pruning.yaml"
    path.write_text(SHIPPED.read_text().replace(*changed))
    with pytest.raises(PruningPolicyError, match=told) as error:
        PruningPolicy.load(path)
    assert str(path) in str(error.value)


def test_a_folder_of_an_earlier_release_goes_by_the_shipped_policy(
    tmp_path: Path, settings: Settings
) -> None:
    policies = tmp_path / "policies"
    shutil.copytree(settings.policies, policies)
    own = settings.model_copy(update={"policies": policies})
    (policies / "pruning.yaml").unlink()
    assert PruningPolicy.load(policies / "pruning.yaml") == PruningPolicy.load(SHIPPED)
    (policies / "pruning.yaml").write_text("lake: {}")
    assert any("pruning.yaml: lake.pack_after" in problem for problem in check_configuration(own))
