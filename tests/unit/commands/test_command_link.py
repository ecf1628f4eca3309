"""What a user of ``cdm link`` sees: tables and charts before, the time left while, a clean end on Ctrl-C."""

import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from cdm_pipelines.cli import app
from cdm_pipelines.commands.waiting import LINKING, Countdown

SURNAMES = [f"{a}{b}{c}man" for a in "bdfgk" for b in "aeiou" for c in "lmnrst"]


def people(number: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    person = np.arange(number) // 2
    return pd.DataFrame(
        {
            "id": [f"r{n:05d}" for n in range(number)],
            "first_name": np.array(["Jan", "Els", "Bram", "Sanne"])[person % 4],
            "surname": np.array(SURNAMES)[person * 7 % len(SURNAMES)],
            "birth_date": [f"{1940 + p % 60}-{p % 12 + 1:02d}-{p % 28 + 1:02d}" for p in person],
            "postcode": [f"{1000 + p % 900} AB" for p in person],
            "cluster": person,
        }
    ).sample(frac=1, random_state=int(rng.integers(100)))


POLICY = """
extends: person
id: id
source: null
columns: {given_name: first_name, surname: surname, birth_date: birth_date, postcode: postcode}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    people(400).to_csv(tmp_path / "people.csv", index=False)
    (tmp_path / "mine.yaml").write_text(POLICY, encoding="utf-8")
    return tmp_path / "people.csv"


def cdm(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["link", *map(str, arguments)])


def test_blocking_is_explained_without_linking(file: Path, tmp_path: Path) -> None:
    picture = tmp_path / "charts" / "blocking.svg"
    told = cdm(
        file, "--policy", tmp_path / "mine.yaml", "--explain-blocking", "--truth", file, "--picture", picture
    )
    assert told.exit_code == 0, told.output
    for part in ("candidate pairs of 400 records", "birth_date", "all rules", "completeness", "100.00%", "█"):
        assert part in told.output
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["charts", "mine.yaml", "people.csv"]


def test_blocking_is_explained_for_the_policy_that_the_columns_suggest(file: Path) -> None:
    told = cdm(file, "--explain-blocking")
    assert told.exit_code == 0, told.output
    assert "all rules" in told.output
    assert "completeness" not in told.output


def test_a_file_without_policy_is_linked_under_the_one_that_is_suggested(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = cdm(file, "--out", out)
    assert told.exit_code == 0, told.output
    assert "No policy given. The columns suggest the person policy" in told.output
    assert sorted(path.name for path in out.iterdir()) == [
        "charts.svg",
        "clusters.parquet",
        "model.json",
        "pairs.parquet",
        "policy.yaml",
    ]
    first = pd.read_parquet(out / "clusters.parquet")
    again = cdm(file, "--policy", out / "policy.yaml", "--out", tmp_path / "again")
    assert again.exit_code == 0
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "again" / "clusters.parquet"), first)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["{file}"], 2, "--out FOLDER"),
        (["{file}", "--out", "{tmp}/o", "--truth", "{file}"], 2, "--explain-blocking"),
        (
            ["{file}", "--out", "{tmp}/o", "--labels", "{file}", "--model", "{file}"],
            2,
            "--labels goes with a fit",
        ),
        (
            ["{file}", "--policy", "{tmp}/mine.yaml", "--out", "{tmp}/o", "--labels", "{file}"],
            1,
            "labels: there is no column 'left_id'",
        ),
        (["{file}", "--out", "{file}/o"], 2, "cannot be used as a folder"),
        (["{tmp}/nothing.csv", "--out", "{tmp}/o"], 1, "empty"),
        (["{tmp}/nothing.csv", "--policy", "{tmp}/mine.yaml", "--out", "{tmp}/o"], 1, "the file is empty"),
        (
            ["{tmp}/lists.parquet", "--policy", "{tmp}/mine.yaml", "--out", "{tmp}/o"],
            1,
            "cannot be read as Parquet",
        ),
        (["{tmp}/ragged.csv", "--policy", "{tmp}/mine.yaml", "--out", "{tmp}/o"], 1, "cannot be read as CSV"),
        (["{tmp}/mine.yaml", "--policy", "{tmp}/mine.yaml", "--out", "{tmp}/o"], 1, "cannot be read as CSV"),
        (["{file}", "--explain-blocking", "--truth", "{tmp}/strangers.csv"], 1, "none of its ids"),
    ],
)
def test_bad_input_is_told_in_one_sentence(
    file: Path, tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    (tmp_path / "nothing.csv").touch()
    (tmp_path / "ragged.csv").write_text("id,surname\n1,2,3\n", encoding="utf-8")
    (tmp_path / "strangers.csv").write_text("id,cluster\nz1,1\n", encoding="utf-8")
    pd.DataFrame({"id": ["1"], "surname": [["a", "b"]]}).to_parquet(tmp_path / "lists.parquet")
    places = {"{file}": str(file), "{tmp}": str(tmp_path)}
    for name, path in places.items():
        arguments = [word.replace(name, path) for word in arguments]
    result = cdm(*arguments)
    assert result.exit_code == code, result.output
    assert told in result.output
    assert isinstance(result.exception, SystemExit)


def test_ctrl_c_leaves_one_line_and_no_half_written_files(file: Path, tmp_path: Path) -> None:
    slow = tmp_path / "slow.yaml"
    slow.write_text(POLICY + "chunk_pairs: 1\n", encoding="utf-8")
    main = threading.main_thread().ident or 0

    def interrupt() -> None:
        while True:
            frame = sys._current_frames().get(main)  # noqa: SLF001 - where the main thread is
            while frame is not None:
                if frame.f_code.co_name == "_fitted":
                    signal.pthread_kill(main, signal.SIGINT)
                    return
                frame = frame.f_back
            time.sleep(0.001)

    out = tmp_path / "out"
    waiting = threading.Thread(target=interrupt, daemon=True)
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's & makes tests deaf to it
    try:
        waiting.start()
        result = cdm(file, "--policy", slow, "--out", out)
        waiting.join(timeout=10)
    finally:
        signal.signal(signal.SIGINT, heard)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 130
    assert result.output.strip() == "Stopped: no result was written."
    assert list(out.iterdir()) == []


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_is_what_the_rest_takes_at_the_pace_so_far() -> None:
    clock = Clock()
    work = Countdown({"one": ("first", 0.5), "two": ("second", 0.5)}, clock)
    work("one", 0.5)
    clock.now += 4
    assert work.left is None
    assert work.text == "first: 25% done"
    clock.now += 56
    assert work.text == "first: 25% done, about 3:00 left"
    work("two", 0.5)
    assert work.text == "second: 75% done, about 20 s left"
    work("two", 1.0)
    assert work.left == 0


def test_what_is_done_never_falls_and_all_stages_make_the_whole() -> None:
    work = Countdown(LINKING, Clock())
    done = []
    for stage in LINKING:
        for share in (0.0, 0.4, 0.2, 1.0):
            work(stage, share)
            done.append(work.done)
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1.0)
