"""No byte of a file can change without being noticed, and files of an earlier release are read as they are."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdm_pipelines.store import lake as lake_module
from cdm_pipelines.store.checksums import Kind, Seen
from cdm_pipelines.store.damage import Fault
from cdm_pipelines.store.lake import DamagedError, Lake, LakeError

TABLE = pa.table({"id": ["1", None, "é"] * 400, "weight": [1.5, None, 2.0] * 400})
TEXT = json.dumps({"a": 1, "b": {"c": [1, 2, 3]}}, indent=1)


def write_arrow(lake: Lake) -> str:
    lake.write_arrow("link/clusters.arrow", [TABLE], TABLE.schema, {"version": "1"})
    return "link/clusters.arrow"


def write_parquet(lake: Lake) -> str:
    path = "standard/crm/contact/2026-06-01/party.parquet"
    lake.write(path, TABLE)
    return path


def write_json(lake: Lake) -> str:
    lake.write_json("link/model/person.json", TEXT)
    return "link/model/person.json"


READ: dict[str, tuple[Callable[[Lake], str], Callable[[Lake, str], object]]] = {
    "arrow": (write_arrow, Lake.read_arrow),
    "parquet": (write_parquet, Lake.read),
    "json": (write_json, Lake.read_json),
}


@pytest.fixture(params=["here", "elsewhere"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake(str(tmp_path) if request.param == "here" else f"memory://{tmp_path.name}")


def content_of(lake: Lake, path: str) -> bytes:
    return bytes(lake._filesystem.cat_file(lake._full(path)))  # noqa: SLF001 - as a disk or a person has it


def spoil(lake: Lake, path: str, content: bytes) -> None:
    lake._filesystem.pipe_file(lake._full(path), content)  # noqa: SLF001 - nothing of ours changes a file


@pytest.mark.parametrize("kind", READ)
def test_one_byte_anywhere_is_noticed(lake: Lake, kind: str) -> None:
    write, read = READ[kind]
    path, choose = write(lake), random.Random(2026)
    good = content_of(lake, path)
    whole = read(lake, path)
    places = {*range(16), *range(len(good) - 120, len(good)), *choose.sample(range(len(good)), k=40)}
    for place in sorted(places & set(range(len(good)))):
        flipped = bytearray(good)
        flipped[place] ^= choose.randrange(1, 256)
        spoil(lake, path, bytes(flipped))
        with pytest.raises(DamagedError, match=r"is cut off|has been altered"):
            read(lake, path)
    spoil(lake, path, good)
    assert read(lake, path) == whole


@pytest.mark.parametrize("kind", READ)
def test_a_file_that_is_cut_off_empty_or_gone_is_named_with_what_to_do(lake: Lake, kind: str) -> None:
    write, read = READ[kind]
    path = write(lake)
    good = content_of(lake, path)
    for size in (len(good) - 1, len(good) // 2, 9, 1):
        spoil(lake, path, good[:size])
        with pytest.raises(DamagedError, match=r"is cut off|has been altered"):
            read(lake, path)
    spoil(lake, path, b"")
    with pytest.raises(LakeError, match="is empty"):
        read(lake, path)
    lake.delete(path)
    with pytest.raises(LakeError, match="is missing") as told:
        read(lake, path)
    assert lake.where(path) in str(told.value)
    day = "--date 2026-06-01 --source crm`" if kind == "parquet" else "--date DAY`"
    assert f"cdm run {day}" in str(told.value)


def test_schema_and_notes_are_verified_without_the_rows(lake: Lake) -> None:
    path = write_parquet(lake)
    good = content_of(lake, path)
    flipped = bytearray(good)
    flipped[10] ^= 1
    spoil(lake, path, bytes(flipped))
    assert lake.count(path) == TABLE.num_rows
    assert lake.schema(path) == TABLE.schema
    with pytest.raises(DamagedError):
        list(lake.read_batches(path, 100))
    with pytest.raises(DamagedError):
        lake.verify(path)
    flipped = bytearray(good)
    flipped[-40] ^= 1
    spoil(lake, path, bytes(flipped))
    for ask in (lake.count, lake.schema, lake.notes):
        with pytest.raises(DamagedError):
            ask(path)


def test_other_programs_read_the_files_and_callers_see_no_checksum(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    arrow, parquet, model = write_arrow(lake), write_parquet(lake), write_json(lake)
    assert pq.read_table(tmp_path / parquet).equals(TABLE)
    with pa.ipc.open_file(str(tmp_path / arrow)) as reader:
        assert reader.read_all().equals(TABLE)
    assert json.loads((tmp_path / model).read_text())["b"] == {"c": [1, 2, 3]}
    assert lake.notes(parquet) == {}
    assert lake.read(parquet).schema.metadata is None
    assert lake.arrow_notes(arrow) == {"version": "1"}
    assert lake.read_json(model) == TEXT


def test_the_same_content_has_the_same_bytes(tmp_path: Path) -> None:
    one, two = Lake(str(tmp_path / "one")), Lake(str(tmp_path / "two"))
    for write, _ in READ.values():
        assert content_of(one, write(one)) == content_of(two, write(two))


def test_files_of_an_earlier_release_are_read_as_they_are(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    pq.write_table(TABLE, tmp_path / "raw.parquet")
    with pa.ipc.new_file(str(tmp_path / "party.arrow"), TABLE.schema) as writer:
        writer.write_table(TABLE)
    (tmp_path / "made.json").write_text(TEXT)
    assert lake.read("raw.parquet").equals(TABLE)
    assert lake.read_arrow("party.arrow").equals(TABLE)
    assert lake.read_json("made.json") == TEXT


def test_a_file_is_looked_through_once_and_again_when_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_module, "_SEEN", Seen())
    read: list[str] = []
    look = lake_module._look_here  # noqa: SLF001 - counted, and done

    def counted(full: str, kind: Kind, *, rows: bool) -> Fault | None:
        read.append(full)
        return look(full, kind, rows=rows)

    monkeypatch.setattr(lake_module, "_look_here", counted)
    path = write_arrow(Lake(str(tmp_path)))
    for _ in range(3):
        Lake(str(tmp_path)).read_arrow(path)
    assert read == [], "what this process wrote it need not look through"
    monkeypatch.setattr(lake_module, "_SEEN", Seen())
    for _ in range(3):
        Lake(str(tmp_path)).read_arrow(path)
    assert len(read) == 1
    (tmp_path / path).touch()
    Lake(str(tmp_path)).read_arrow(path)
    assert len(read) == 2


def test_what_was_looked_through_is_remembered_within_bounds() -> None:
    seen = Seen(most=2)
    for name in "abc":
        seen.add(name, 1)
    assert [seen.has(name, 1) for name in "abc"] == [False, True, True]
