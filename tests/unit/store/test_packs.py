"""Small files of past months lie in packs: read as before, whatever happens to process, disk or person."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import contract_named
from cdm_pipelines.quality import places as quality
from cdm_pipelines.store import files, layout, packs
from cdm_pipelines.store.compaction import compact
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Stores

CONTRACT = contract_named("crm/contact")
DAYS = [f"2026-01-{day:02d}" for day in range(1, 32)]
PACK = "valid/crm/contact/2026-01.zip"


def _table(day: str, *ids: str) -> pa.Table:
    own, rows = list(ids or [f"{day}-1", f"{day}-2"]), len(ids) or 2
    origin = {"_file": [day] * rows, "_row": list(range(rows))}
    return pa.table({"Id": own, "Email": [day] * rows, "record_id": own} | origin)


def _fill(lake: Lake) -> None:
    for day in DAYS:
        for path in _paths(day):
            with lake.writer(path, _table(day).schema) as writer:
                writer.write_table(_table(day))
                writer.add_key_value_metadata({layout.FINGERPRINT: day, layout.CONTENT: "made"})


def _paths(day: str) -> list[str]:
    return [layout.valid_path(CONTRACT, day), layout.standard_path(CONTRACT, day, Entity.PARTY)]


def _seen(lake: Lake) -> dict[str, tuple[bytes, dict[str, str], int, pa.Table, pa.Table, pa.Schema]]:
    """All that a reader can ask of every file."""
    found = {}
    for layer in ("valid", "standard"):
        for path in lake.paths(layer):
            pieces = pa.concat_tables(lake.read_batches(path, 1))
            lake.verify(path)
            assert lake.exists(path)
            found[path] = (
                lake.content(path),
                lake.notes(path),
                lake.count(path),
                lake.read(path),
                pieces,
                lake.schema(path),
            )
    return found


def _all(_month: str) -> bool:
    return True


def _done(lake: Lake) -> None:
    assert not [packing.fault for packing in compact(lake, _all) if packing.fault]


@pytest.fixture(params=[False, True], ids=["here", "elsewhere"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    made = Lake(f"memory://{tmp_path.name}{request.param}" if request.param else str(tmp_path / "lake"))
    _fill(made)
    return made


def test_a_month_becomes_one_file_and_reads_as_before(lake: Lake) -> None:
    before = _seen(lake)
    planned = list(compact(lake, _all, dry_run=True))
    assert _seen(lake) == before
    assert lake.lying_alone("valid", ".zip") == []
    done = list(compact(lake, _all))
    assert [p.files for p in planned] == [p.files for p in done] == [31, 31]
    assert all(abs(p.after - d.after) < 20 * 31 for p, d in zip(planned, done, strict=True))
    assert all(packing.after < packing.before for packing in done)
    assert lake.lying_alone("valid") == []
    assert lake.lying_alone("valid", ".zip") == [PACK]
    assert _seen(lake) == before
    assert layout.days(lake, "valid", CONTRACT) == DAYS
    assert layout.standard_days(lake, CONTRACT, Entity.PARTY) == DAYS
    assert list(compact(lake, _all)) == []


def test_the_same_files_make_the_same_pack_in_any_order(tmp_path: Path) -> None:
    at_once, in_parts = Lake(str(tmp_path / "a")), Lake(str(tmp_path / "b"))
    for lake in (at_once, in_parts):
        _fill(lake)
    late = {path: in_parts.content(path) for path in _paths(DAYS[3])}
    for path in late:
        in_parts.delete(path)
    _done(in_parts)
    for path, content in late.items():
        with in_parts.file(path) as sink:
            sink.write(content)
    _done(in_parts)
    _done(at_once)
    packed = [(tmp_path / name / PACK).read_bytes() for name in "ab"]
    assert packed[0] == packed[1]


def test_only_months_that_are_due_are_packed(lake: Lake) -> None:
    assert list(compact(lake, lambda month: month < "2026-01")) == []
    assert len(lake.lying_alone("valid")) == 31


def test_a_day_that_is_delivered_anew_takes_the_place_of_the_packed_one(lake: Lake) -> None:
    _done(lake)
    path = layout.valid_path(CONTRACT, DAYS[4])
    lake.write(path, _table("again", "9"))
    assert lake.read(path)["Id"].to_pylist() == ["9"]
    assert layout.days(lake, "valid", CONTRACT) == DAYS
    _done(lake)
    assert lake.lying_alone("valid") == []
    assert lake.read(path)["Id"].to_pylist() == ["9"]
    assert lake.read(layout.valid_path(CONTRACT, DAYS[5])).num_rows == 2


def test_two_processes_that_pack_the_same_lose_nothing(lake: Lake) -> None:
    before = _seen(lake)
    first = compact(lake, _all)
    next(first)
    _done(lake)
    assert [packing for packing in first if packing.fault] == []
    assert _seen(lake) == before
    assert lake.lying_alone("standard") == []


def test_a_large_file_stays_a_file(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _seen(lake)
    path = layout.valid_path(CONTRACT, DAYS[4])
    with monkeypatch.context() as patched:
        patched.setattr("cdm_pipelines.store.compaction.LARGEST", 1)
        _done(lake)
        assert _seen(lake) == before
        assert lake.lying_alone("valid", ".zip") == []
    _done(lake)
    monkeypatch.setattr("cdm_pipelines.store.compaction.LARGEST", 1)
    lake.write(path, _table("large", "9"))
    _done(lake)
    assert lake.lying_alone("valid") == [path]
    assert not lake.packs.holds(path), "the former day is gone from the pack"


def test_stored_and_deflated_files_both_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _seen(lake)
    monkeypatch.setattr("cdm_pipelines.store.packs.DEFLATED_BELOW", 0)
    _done(lake)
    assert _seen(lake) == before


class _KilledError(BaseException):
    """The process ends here."""


def _steps(monkeypatch: pytest.MonkeyPatch, at: int) -> Callable[[], int]:
    """Have the process die at the ``at``-th touch of the disk."""
    done = 0

    def dying(function: Callable[..., object]) -> Callable[..., object]:
        def touch(*args: object, **kwargs: object) -> object:
            nonlocal done
            done += 1
            if done == at:
                raise _KilledError
            return function(*args, **kwargs)

        return touch

    for owner, name in (
        (os, "fsync"),
        (Path, "replace"),
        (Path, "rmdir"),
        (files, "sync_folder"),
        (Lake, "delete"),
        (zipfile.ZipFile, "writestr"),
    ):
        monkeypatch.setattr(owner, name, dying(getattr(owner, name)))
    return lambda: done


def test_a_process_killed_at_any_step_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(str(tmp_path / "lake"))
    _fill(lake)
    before = _seen(lake)
    killed = 0
    for at in range(1, 10_000):
        with monkeypatch.context() as patched:
            steps = _steps(patched, at)
            try:
                _done(lake)
            except _KilledError:
                killed += 1
            else:
                assert steps() < at
                break
        assert _seen(Lake(str(tmp_path / "lake"))) == before, f"killed at step {at}"
        for path in before:  # so that every step is met with all files there as well as with few
            if at % 2 and not lake.lies_alone(path):
                with lake.file(path) as sink:
                    sink.write(before[path][0])
    assert killed > 50
    assert _seen(lake) == before
    assert lake.lying_alone("valid") == []


@pytest.mark.parametrize("place", ["a file", "the list", "the end", "all"])
def test_a_damaged_pack_is_told_and_never_read_as_less(tmp_path: Path, place: str) -> None:
    lake = Lake(str(tmp_path / "lake"))
    _fill(lake)
    _done(lake)
    pack = tmp_path / "lake" / PACK
    whole = bytearray(pack.read_bytes())
    at_list = zipfile.ZipFile(pack).start_dir
    match place:
        case "a file":
            whole[200] ^= 1
        case "the list":
            whole[at_list + 50] ^= 1
        case "the end":
            del whole[-300:]
        case _:
            whole.clear()
    pack.write_bytes(whole)
    told = []
    for day in DAYS:
        try:
            assert lake.read(layout.valid_path(CONTRACT, day)).num_rows == 2
        except DamagedError as damaged:
            told.append(str(damaged))
    assert len(told) == (1 if place == "a file" else 31)
    if place == "a file":
        assert "2026-01.zip" in told[0]
        assert "cdm run --date 2026-01-01 --source crm" in told[0]
    else:
        assert "cdm run --from 2026-01-01 --to 2026-01-31 --source crm" in told[0]
        with pytest.raises(DamagedError, match=r"2026-01\.zip"):
            layout.days(lake, "valid", CONTRACT)
    lake.write(layout.valid_path(CONTRACT, DAYS[30]), _table("again", "9"))
    left = pack.read_bytes()
    assert [packing.fault is not None for packing in compact(lake, _all)] == [True]
    assert pack.read_bytes() == left, "a damaged pack is left for who repairs it"


def test_every_flipped_byte_of_a_pack_is_noticed(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for path in (layout.valid_path(CONTRACT, day) for day in DAYS[:2]):
        lake.write(path, _table("x", "1"))
    _done(lake)
    pack, right = tmp_path / "lake" / PACK, _seen(lake)
    whole = pack.read_bytes()
    unnoticed = []
    for at in range(0, len(whole), 7):
        pack.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        try:
            assert _seen(lake) == right
            unnoticed.append(at)
        except DamagedError:
            pass
    pack.write_bytes(whole)
    assert len(unnoticed) < 30, "what is said twice, in the headers of files, may change: it is not read"


def test_an_erased_person_is_gone_from_packs(lake: Lake) -> None:
    for day in DAYS[:3]:
        lake.write(layout.valid_path(CONTRACT, day), _table(day, "secret-7", "8"))
    _done(lake)
    (valid,) = [place for place in quality.places([CONTRACT]) if place.name == "valid/crm/contact"]
    stores, persons = Stores(lake, None), Persons.of([("crm", "contact", "secret-7")])
    assert valid.search is not None
    found = list(valid.search.find(stores, persons))
    assert sum(len(one.rows) for one in found) == 3
    assert valid.erasure.remove(stores, persons) == 3  # type: ignore[union-attr]
    assert sum(len(one.rows) for one in valid.search.find(stores, persons)) == 0
    assert lake.read(layout.valid_path(CONTRACT, DAYS[0]))["Id"].to_pylist() == ["8"]
    for name in lake.packed(PACK):
        assert name not in {f"{day}.parquet" for day in DAYS[:3]}
    _done(lake)
    assert layout.days(lake, "valid", CONTRACT) == DAYS
    for day in DAYS:
        assert b"secret-7" not in bytes(str(lake.read(layout.valid_path(CONTRACT, day)).to_pydict()), "utf-8")


def test_an_erasure_that_was_stopped_is_finished_by_doing_it_again(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    _fill(lake)
    path = layout.valid_path(CONTRACT, DAYS[0])
    lake.write(path, _table("x", "secret-7", "8"))
    _done(lake)
    lake.write(path, _table("x", "8"))  # as if the process had ended before the pack was written anew
    assert b"secret-7" in packed_text(lake, path)
    (valid,) = [place for place in quality.places([CONTRACT]) if place.name == "valid/crm/contact"]
    assert valid.erasure.remove(Stores(lake, None), Persons.of([("crm", "contact", "secret-7")])) == 0  # type: ignore[union-attr]
    assert not lake.packs.holds(path)


def packed_text(lake: Lake, path: str) -> bytes:
    """What the pack has of a path, as text."""
    return str(pq.read_table(pa.BufferReader(lake.packed_content(path))).to_pydict()).encode()


def test_any_program_can_unpack_them(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    _fill(lake)
    before = _seen(lake)
    _done(lake)
    with zipfile.ZipFile(tmp_path / "lake" / PACK) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "lake" / "valid/crm/contact")
    (tmp_path / "lake" / PACK).unlink()
    assert _seen(lake) == before
    assert packs.address("records/party.arrow") is None
