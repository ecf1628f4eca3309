"""Files are written whole and for their owner alone, whatever the umask says."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdm_pipelines.store.files import make_folder, make_private, whole, write_whole
from cdm_pipelines.store.lake import Lake


@pytest.fixture(params=[0o000, 0o022, 0o277])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("_umask")
def test_files_and_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "file", b"text")
    lake = Lake(str(tmp_path / "lake"))
    lake.write_json("link/model/person.json", '{\n "a": 1\n}')
    for path in (p for top in ("a", "lake") for p in (tmp_path / top, *(tmp_path / top).rglob("*"))):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_what_is_there_already_is_tightened_when_it_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake").chmod(0o755)
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "file").chmod(0o644)
    write_whole(tmp_path / "file", b"text")
    Lake(str(tmp_path / "lake")).write_text("notes.txt", "text")
    assert (mode(tmp_path / "lake"), mode(tmp_path / "file")) == (0o700, 0o600)
    folder = tmp_path / "own"
    folder.mkdir()
    folder.chmod(0o777)
    make_folder(folder)
    assert mode(folder) == 0o777
    make_private(folder)
    assert mode(folder) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_account_that_serves_the_database_may_pass_through(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "postgres").mkdir(parents=True)
    os.chown(home / "postgres", 65534, -1)
    make_private(home)
    assert mode(home) == 0o711


def test_a_file_is_there_whole_or_not_at_all_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"before")

    def killed() -> None:
        with whole(path) as sink:
            sink.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_on_the_disk_before_it_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def flushed(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def moved(self: Path, target: Path) -> Path:
        done.append("moved")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", moved)
    write_whole(tmp_path / "file", b"text")
    assert done == ["file", "moved", "folder"]
