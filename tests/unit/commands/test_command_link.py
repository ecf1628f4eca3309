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
        (["{file}", "--out", "{tmp}/o", "--picture", "{tmp}/o.svg"], 2, "--explain-blocking"),
        (["evaluate", "{file}", "--policy", "{tmp}/mine.yaml"], 2, "--truth FILE or --labels FILE"),
        (["evaluate", "{file}", "--policy", "{tmp}/mine.yaml", "--truth", "{file}"], 1, "Say with --out"),
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
        (["{tmp}/nothing.csv", "--policy", "{tmp}/mine.yaml", "--out", "{tmp}/o"], 1, "is empty (0 bytes)"),
        (
            ["{tmp}/lists.parquet", "--policy", "{tmp}/mine.yaml", "--out", "{tmp}/o"],
            1,
            "the table has no column",
        ),
        (
            ["{tmp}/ragged.csv", "--policy", "{tmp}/mine.yaml", "--out", "{tmp}/o"],
            1,
            "the table has no column",
        ),
        (
            ["{tmp}/mine.yaml", "--policy", "{tmp}/mine.yaml", "--out", "{tmp}/o"],
            1,
            "the table has no column",
        ),
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


def test_files_of_one_name_cannot_be_told_apart(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "2024" / file.name
    other.parent.mkdir()
    other.write_bytes(file.read_bytes())
    told = cdm(file, other, "--out", tmp_path / "out")
    assert told.exit_code == 1
    assert "two files are named people" in " ".join(told.output.split())


def test_a_cluster_that_is_named_nowhere_is_told_before_a_policy_is_suggested(
    file: Path, tmp_path: Path
) -> None:
    told = cdm(file, "--out", tmp_path / "out", "--engine", "spark")
    assert told.exit_code == 1, told.output
    assert "suggested" not in told.output
    assert not (tmp_path / "out" / "policy.yaml").exists()


def test_a_linkage_is_held_against_the_truth(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = cdm(file, "--policy", tmp_path / "mine.yaml", "--out", out, "--truth", file)
    assert told.exit_code == 0, told.output
    for part in (
        "400 records against the truth",
        "records (B-cubed)",
        "one whole cluster",
        "Mistakes: 0 false merges",
        "Pairs by probability",
    ):
        assert part in told.output
    # Everyone is somebody else in this truth, but for one pair that is not found.
    wrong = people(400).assign(
        cluster=lambda one: one["id"].where(~one["id"].isin(["r00000", "r00003"]), "r")
    )
    wrong.to_csv(tmp_path / "wrong.csv", index=False)
    told = cdm(
        *("evaluate", file, "--policy", tmp_path / "mine.yaml", "--out", out),
        *("--truth", tmp_path / "wrong.csv", "--worst", 3),
    )
    assert told.exit_code == 0, told.output
    assert "Mistakes: 200 false merges, 1 misses" in told.output
    errors = pd.read_csv(out / "errors.csv", dtype=str, keep_default_na=False)
    assert errors["mistake"].tolist() == ["false merge"] * 3 + ["miss"]
    assert errors["left"].iloc[3].endswith("|r00000")
    assert errors["surname"].iloc[0] == "equal"
    assert set(errors["surname, left"]) <= {"aaaaaa"}
    assert not any(name in told.output for name in SURNAMES)
    shown = cdm(
        *("evaluate", file, "--policy", tmp_path / "mine.yaml", "--out", out, "--show-values"),
        *("--truth", tmp_path / "wrong.csv", "--worst", 3),
    )
    assert any(name in shown.output for name in SURNAMES)


def test_a_sample_is_drawn_labelled_and_weighed(file: Path, tmp_path: Path) -> None:
    out, labels = tmp_path / "out", tmp_path / "labels.csv"
    about = (file, "--policy", tmp_path / "mine.yaml", "--out", out)
    assert cdm(*about).exit_code == 0
    told = cdm("sample", labels, *about, "--pairs", 60)
    assert told.exit_code == 0, told.output
    drawn = pd.read_csv(labels, dtype=str, keep_default_na=False)
    assert list(drawn.columns) == ["left_source", "left_id", "right_source", "right_id", "match"]
    assert (drawn["match"] == "").all()
    told = cdm("evaluate", *about, "--labels", labels)
    assert told.exit_code == 1
    assert "no pair has a label yet" in told.output
    person = dict(zip(people(400)["id"], people(400)["cluster"], strict=True))
    same = drawn["left_id"].map(person) == drawn["right_id"].map(person)
    drawn.assign(match=same.map({True: "Yes", False: "no"})).to_csv(labels, index=False)
    told = cdm("evaluate", *about, "--labels", labels)
    assert told.exit_code == 0, told.output
    assert f"{len(drawn)} labelled pairs" in told.output
    assert "1.0000 (0." in told.output
    assert "Mistakes: 0 false merges, 0 misses" in told.output
    with_values = cdm("sample", labels, *about, "--pairs", 20, "--show-values")
    assert with_values.exit_code == 0
    assert set(pd.read_csv(labels)["surname, left"]) <= set(SURNAMES)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("r00000", "r00001", "maybe")], "row 2 has neither yes nor no"),
        ([("r00000", "r99999", "yes")], "were not linked"),
        ([("r00000", "r00001", "yes"), ("r00001", "r00000", "no")], "both yes and no"),
        ([("r00000", "r00000", "yes")], "paired with itself"),
    ],
)
def test_labels_that_cannot_be_are_refused(
    file: Path, tmp_path: Path, rows: list[tuple[str, str, str]], told: str
) -> None:
    about = (file, "--policy", tmp_path / "mine.yaml", "--out", tmp_path / "out")
    assert cdm(*about).exit_code == 0
    labels = pd.DataFrame(rows, columns=["left_id", "right_id", "match"])
    labels.assign(left_source="records", right_source="records").to_csv(tmp_path / "l.csv", index=False)
    result = cdm("evaluate", *about, "--labels", tmp_path / "l.csv")
    assert result.exit_code == 1
    assert told in result.output.replace("\n", " ")


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
