"""Beside backups lies what every installation that was made of them erased."""

from pathlib import Path

import pytest

from cdm_pipelines.privacy import backups, log
from cdm_pipelines.privacy.log import Erasure
from cdm_pipelines.privacy.tombstones import Kind, Tombstone
from cdm_pipelines.store.keyring import Keyring, KeyringError

KEY = ("2026-06-01", b"k" * 32)


def installation(home: Path, url: str, *requests: int) -> Path:
    """One that knows a backup, and erased some persons."""
    home.mkdir()
    Keyring({1: KEY}).write(home)
    log.put(home, [erasure(one) for one in requests])
    (home / "privacy").mkdir(exist_ok=True)
    (home / backups.FILE).write_text(f'{{"{url}": "2026-06-01T00:00:00+00:00"}}', encoding="utf-8")
    return home


def erasure(request: int) -> Erasure:
    stone = Tombstone(Kind.RECORD, 1, f"{request:032x}", request)
    return Erasure(request, "2026-06-02T00:00:00+00:00", (stone,))


@pytest.fixture
def backup(tmp_path: Path) -> str:
    folder = tmp_path / "backups" / "one"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    return str(folder)


def test_what_one_installation_wrote_beside_a_backup_stays_when_another_writes(
    tmp_path: Path, backup: str
) -> None:
    one = installation(tmp_path / "one", backup, 1, 2)
    other = installation(tmp_path / "other", backup, 1, 3)
    assert backups.copy_log(one) == []
    assert backups.copy_log(other) == []
    third = installation(tmp_path / "third", backup)
    backups.take_over(third, backup)
    assert sorted(each.request for each in log.erasures(third)) == [1, 2, 3]
    assert backups.copy_log(one) == []
    backups.take_over(other, backup)
    assert sorted(each.request for each in log.erasures(other)) == [1, 2, 3]


def test_a_damaged_log_beside_a_backup_is_written_anew_and_never_taken_over(
    tmp_path: Path, backup: str
) -> None:
    one = installation(tmp_path / "one", backup, 1)
    backups.copy_log(one)
    beside = Path(backup).parent / "erasures.jsonl"
    beside.write_text("no log\n", encoding="utf-8")
    with pytest.raises(KeyringError, match="is not the log of erasures"):
        backups.take_over(installation(tmp_path / "other", backup), backup)
    assert backups.copy_log(one) == []
    assert log.read_log(beside.read_text(encoding="utf-8"), "") == [erasure(1)]
