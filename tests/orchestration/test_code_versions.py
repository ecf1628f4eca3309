"""What marks an asset as made by other code or under another policy, and what does not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from cdm_pipelines.components.code_version import code_digest, code_version, policy_digest
from cdm_pipelines.components.location import load_definitions
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.settings import load_settings

PACKAGE = Path(load_settings().policies).parent
PRINTED = """
from cdm_pipelines.components.location import load_definitions
for spec in load_definitions().resolve_all_asset_specs(): print(spec.key.to_user_string(), spec.code_version)
"""


@pytest.fixture
def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A company's own policies, which the code location reads."""
    target = tmp_path / "policies"
    shutil.copytree(load_settings().policies, target)
    monkeypatch.setenv("CDM_POLICIES", str(target))
    return target


def versions() -> dict[str, str]:
    specs = load_definitions().resolve_all_asset_specs()
    return {spec.key.to_user_string(): str(spec.code_version) for spec in specs}


def layers_changed(before: dict[str, str]) -> set[str]:
    """Assets with another version than before; a layer of sources stands for all of its assets."""
    after = versions()
    changed = {key for key in before if before[key] != after[key]}
    found = {key for key in changed if key.count("/") == 1}
    for layer in ("raw", "valid", "quarantine", "standard"):
        own = {key for key in before if key.startswith(f"{layer}/")}
        assert own & changed in (set(), own)
        found |= {layer} if own & changed else set()
    return found


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        (
            "linkage/person.yaml",
            "max_size: 200",
            "max_size: 201",
            {"link/model", "link/matches", "link/clusters"},
        ),
        ("survivorship.yaml", "\n", "\nx_another: 1\n", {"golden/staged"}),
        ("checks.yaml", "snapshot_shrink:", "snapshot_shrink: ", set()),
        ("checks.yaml", "snapshot_shrink:", "x_snapshot_shrink:", {"raw"}),
        ("checks.yaml", "share_quarantined:", "x_share:", {"valid", "quarantine", "standard"}),
        ("checks.yaml", "cluster_size:", "x_cluster_size:", {"golden/staged"}),
        ("checks.yaml", "pattern_drift:", "x_pattern_drift:", {"link/model"}),
        ("audiences.yaml", "keep_files: 30", "keep_files: 31", {"publish/audiences"}),
        ("change_feed.yaml", "sinks: {}", "sinks: {x: 1}", {"publish/feed"}),
        (
            "change_feed.yaml",
            "purpose: identity",
            "purpose: service",
            {"publish/feed", "publish/source_corrections"},
        ),
    ],
)
def test_a_policy_changes_what_is_made_under_it_and_nothing_else(
    policies: Path, file: str, old: str, new: str, changed: set[str]
) -> None:
    before = versions()
    path = policies / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert layers_changed(before) == changed


def test_a_contract_changes_the_layers_of_its_source() -> None:
    policies = load_settings().policies
    one, other = all_contracts()[:2]
    for layer in ("raw", "valid", "quarantine", "standard"):
        key = dg.AssetKey([layer, one.source, one.entity])
        assert code_version(key, policies, one) != code_version(key, policies, other)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("return", "return ()  #", True),
        ("(", "(  # a word\n", False),
        ('"""', '"""A few more words. ', False),
    ],
    ids=["a statement", "a comment", "a docstring"],
)
def test_the_code_of_a_room_counts_as_it_runs(tmp_path: Path, old: str, new: str, changes: bool) -> None:
    package = tmp_path / "package"
    shutil.copytree(PACKAGE / "ingest", package / "ingest")
    before = code_digest(package, "ingest")
    assert before == code_digest(PACKAGE, "ingest")
    module = package / "ingest" / "scalars.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(
        text.replace(old, new, 1) if old != "return" else f"{text}\nMORE = 1\n", encoding="utf-8"
    )
    assert (code_digest(package, "ingest") != before) is changes


def test_a_module_more_or_under_another_name_changes_a_room(tmp_path: Path) -> None:
    package = tmp_path / "package"
    shutil.copytree(PACKAGE / "linkage", package / "linkage")
    seen = {code_digest(package, "linkage")}
    (package / "linkage" / "model" / "more.py").write_text("MORE = 1\n", encoding="utf-8")
    seen.add(code_digest(package, "linkage"))
    (package / "linkage" / "model" / "more.py").rename(package / "linkage" / "more.py")
    seen.add(code_digest(package, "linkage"))
    assert len(seen) == 3


def test_a_policy_that_cannot_be_read_does_not_keep_the_code_location_from_loading(policies: Path) -> None:
    before = versions()
    (policies / "survivorship.yaml").write_text("{", encoding="utf-8")
    (policies / "change_feed.yaml").unlink()
    assert layers_changed(before) == {"golden/staged", "publish/feed", "publish/source_corrections"}
    assert policy_digest(policies / "survivorship.yaml") != policy_digest(policies / "change_feed.yaml")


def test_versions_are_the_same_in_every_process() -> None:
    own = versions()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", PRINTED], env=environment, capture_output=True, text=True, check=True
        )
        assert dict(line.split() for line in done.stdout.splitlines()) == own


def test_the_ui_shows_the_file_of_every_asset() -> None:
    for spec in load_definitions().resolve_all_asset_specs():
        references = spec.metadata["dagster/code_references"]
        assert isinstance(references, dg.CodeReferencesMetadataValue)
        places = [
            ref.file_path for ref in references.code_references if isinstance(ref, dg.LocalFileCodeReference)
        ]
        assert places
        assert all(Path(place).is_file() for place in places)
        assert any(place.endswith(".py") for place in places)
