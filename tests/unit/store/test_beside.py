"""A place beside the lake: what is written there leaves the lake alone, and what a killed process left is swept."""

import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from cdm_pipelines.store.beside import lake_beside, place_beside, sweep
from cdm_pipelines.store.lake import Lake

ONE, OTHER = pa.table({"a": [1]}), pa.table({"a": [2, 3]})
HOLDS_A_PLACE = """
import sys, time
from pathlib import Path
from cdm_pipelines.store.beside import place_beside
with place_beside(Path(sys.argv[1])) as folder:
    (folder / "someone.txt").write_text("someone")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("url", ["{folder}", "memory://beside-{name}"])
def test_what_is_written_beside_leaves_the_lake_alone(tmp_path: Path, url: str) -> None:
    lake = Lake(url.format(folder=tmp_path / "lake", name=tmp_path.name))
    for path in ("link/kept.parquet", "link/replaced.parquet", "link/deleted.parquet", "raw/unread.parquet"):
        lake.write(path, ONE)
    lake.write_arrow("records/party.arrow", [ONE], ONE.schema)
    before = lake.stamps()

    beside = lake_beside(lake, tmp_path / "beside", ["link", "records", "standard"])
    assert beside.paths("") == ["link/deleted.parquet", "link/kept.parquet", "link/replaced.parquet"]
    beside.write("link/replaced.parquet", OTHER)
    beside.delete("link/deleted.parquet")
    beside.write_arrow("records/party.arrow", [OTHER], ONE.schema)

    assert beside.read("link/kept.parquet").equals(ONE)
    assert beside.read("link/replaced.parquet").equals(OTHER)
    assert not beside.exists("link/deleted.parquet")
    assert lake.stamps() == before
    assert lake.read_arrow("records/party.arrow").equals(ONE)


def test_a_place_is_empty_private_and_gone_afterwards(tmp_path: Path) -> None:
    with place_beside(tmp_path) as one, place_beside(tmp_path) as other:
        assert one != other
        assert list(other.iterdir()) == []
        assert other.stat().st_mode & 0o777 == 0o700
        assert sweep(tmp_path) == 0
        assert one.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_place_is_gone_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), place_beside(tmp_path) as folder:
        folder.mkdir()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_A_PLACE, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert sweep(tmp_path) == 0
        assert (folder / "someone.txt").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (folder / "someone.txt").exists()
        assert sweep(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []
