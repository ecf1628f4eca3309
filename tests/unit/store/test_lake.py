"""What the lake does when a file cannot be written, and rows that are looked for."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
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


@pytest.mark.parametrize("wanted", [None, ["_row", "kind"]])
def test_rows_that_are_looked_for_are_those_of_the_whole_table(
    tmp_path: Path, wanted: list[str] | None
) -> None:
    """Of several groups of rows, with columns of few values (kept as codes), of many and of none at all."""
    numbers = range(250_000)
    table = pa.table(
        {
            "id": pa.array([f"{n:06}" for n in numbers]),
            "kind": pa.array([("person", "organisation", None)[n % 3] for n in numbers]),
            "empty": pa.nulls(len(numbers), pa.string()),
            "_row": pa.array(numbers, pa.int64()),
        }
    )
    lake, sought = Lake(str(tmp_path)), pa.array(["000004", "100001", "100005", "249999", "nobody"])
    lake.write_batches(
        "raw/crm.parquet", [table.slice(at, 100_000) for at in (0, 100_000, 200_000)], table.schema
    )
    found = list(
        lake.read_where(
            "raw/crm.parquet", ["id"], lambda rows: pc.is_in(rows["id"], value_set=sought), wanted
        )
    )
    whole = table.filter(pc.is_in(table["id"], value_set=sought))
    names = wanted or table.column_names
    assert pa.concat_tables(found).select(names).equals(whole.select(names))
    assert [rows.num_rows for rows in found] == [1, 2, 1]
