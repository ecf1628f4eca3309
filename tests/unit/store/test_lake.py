"""What the lake does when a file cannot be written."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from cdm_pipelines.store.lake import Lake, LakeError

FEW, MANY = pa.table({"id": ["1"]}), pa.table({"id": [f"{n:x}" * 9 for n in range(100_000)]})


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may be larger than 64 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
@pytest.mark.parametrize("as_arrow", [True, False])
def test_a_file_that_does_not_fit_is_refused_whole_with_what_to_do(tmp_path: Path, as_arrow: bool) -> None:
    lake = Lake(str(tmp_path))

    def write(table: pa.Table) -> None:
        if as_arrow:
            lake.write_arrow("records/party", [table], table.schema)
        else:
            lake.write("records/party", table)

    write(FEW)
    with pytest.raises(
        LakeError, match=r"records/party cannot be written: File too large.* set CDM_HOME"
    ) as told:
        write(MANY)
    assert "000" not in str(told.value)
    assert (lake.read_arrow if as_arrow else lake.read)("records/party").equals(FEW)
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["party"]


@pytest.mark.parametrize("elsewhere", [True, False])
def test_an_arrow_table_comes_back_as_it_went_wherever_the_lake_is(tmp_path: Path, elsewhere: bool) -> None:
    lake = Lake("memory://lake" if elsewhere else str(tmp_path))
    table = pa.table({"id": ["1", None, "é"], "seen": [True, False, None]})
    assert (
        lake.write_arrow("a/b.arrow", [table.slice(0, 1), table.slice(1)], table.schema, {"made": "ünder"})
        == 3
    )
    assert lake.read_arrow("a/b.arrow").equals(table, check_metadata=True)
    assert lake.read_arrow("a/b.arrow", ["seen"]).equals(table.select(["seen"]))
    assert lake.arrow_schema("a/b.arrow") == table.schema
    assert lake.arrow_notes("a/b.arrow") == {"made": "ünder"}
