"""What a user of ``make benchmark-linkage`` sees, at sizes that take seconds and without peers."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import psutil
import pytest
from benchmark_tables import rows

from benchmarks.command import main
from benchmarks.linkage import calibration, document, run, sets
from benchmarks.linkage.calibration import Cell
from benchmarks.linkage.kinds import KINDS, column
from benchmarks.linkage.run import Contestant, Linked
from benchmarks.meter import LimitError, Usage, environment, measure
from benchmarks.people import COLUMNS, generate
from cdm_pipelines.linkage import load_policy
from cdm_pipelines.linkage.policy.shipped import SHIPPED

pytestmark = pytest.mark.slow  # stages and systems run in processes of their own

FACTS = {"cores": "2", "Splink": "5"}


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Link without a process for each: starting Python is most of a small linking."""

    def run_here(
        given: Sequence[str],
        variables: Mapping[str, str],
        log: Path,
        *,
        limit: float | None = None,
        most: int | None = None,
    ) -> Usage:
        assert given[:3] == [sys.executable, "-m", "benchmarks"], log
        assert main(given[3:]) == 0
        return Usage(1.0, 1.0, 2**20)

    monkeypatch.setattr(run, "measure", run_here)


def test_people_are_the_same_for_the_same_seed_only() -> None:
    one, same, other = generate(500), generate(500), generate(500, seed=2)
    assert one.records.equals(same.records)
    assert one.truth.equals(same.truth)
    assert not one.records.equals(other.records)


def test_people_have_nine_columns_with_gaps_repeats_and_frequent_names() -> None:
    made = generate(5_000, repeats=0.3, sources=3)
    records, truth = made.records.to_pandas(), made.truth.to_pandas()
    assert list(records) == ["record_id", "source", *COLUMNS]
    assert len(COLUMNS) == 9
    assert truth["truth_id"].nunique() == 3_500
    assert records["record_id"].is_unique
    assert set(records["source"]) == {"s0", "s1", "s2"}
    assert records["email"].isna().mean() == pytest.approx(0.35, abs=0.05)
    names = records["surname"].value_counts(normalize=True)
    assert names.iloc[0] > 20 * names.median()


def test_the_truth_is_neither_in_an_id_nor_in_the_order_of_records() -> None:
    made = generate(4_000)
    ids = made.records["record_id"].to_pandas().str[1:].astype(int)
    person = made.truth["truth_id"].to_pandas()
    repeated = person.duplicated(keep=False)
    assert "truth_id" not in made.records.column_names
    assert abs(ids.corr(person.str[1:].astype(int))) < 0.1
    assert abs(ids.corr(repeated.astype(int))) < 0.1
    neighbours = (person == person.shift()).mean()
    assert neighbours < 0.01


def test_housemates_share_an_address_and_records_of_a_person_differ() -> None:
    made = generate(4_000, errors=0.1)
    frame = made.records.to_pandas().assign(person=made.truth["truth_id"].to_pandas())
    homes = frame.dropna(subset=["postcode", "house_number"]).groupby(["postcode", "house_number"])
    assert (homes["person"].nunique() > 1).mean() > 0.2
    repeated = frame[frame.duplicated("person", keep=False)]
    spelled = repeated.dropna(subset=["surname"]).groupby("person")["surname"].nunique()
    assert 0.05 < (spelled > 1).mean() < 0.5


def test_an_email_address_or_telephone_is_shared_by_housemates_only() -> None:
    made = generate(6_000, repeats=0.0, errors=0.0, gaps=0.0)
    frame = made.records.to_pandas().dropna()
    home = frame["postcode"] + frame["house_number"]
    for name in ("email", "phone"):
        shared = frame[frame.duplicated(name, keep=False)]
        assert 0 < len(shared) < 0.35 * len(frame)
        assert (home[shared.index].groupby(shared[name]).nunique() == 1).all()


def test_a_source_free_of_duplicates_has_nobody_twice() -> None:
    made = generate(3_000, repeats=0.4, sources=2, once_per_source=True)
    frame = made.records.to_pandas().assign(person=made.truth["truth_id"].to_pandas())
    assert not frame.duplicated(["source", "person"]).any()
    assert frame["person"].nunique() == 1_800


@pytest.mark.parametrize("variant", ["light", "wide"])
def test_our_policy_and_the_peers_rules_block_alike(variant: str) -> None:
    stem = {"light": "people", "wide": "people_wide"}[variant]
    policy = load_policy(run.POLICIES / f"{stem}.yaml")
    lengths = {"given_letter": "given_name:1", "surname_start": "surname:3", "birth_year": "birth_date:4"}
    ours = [tuple(lengths.get(key, key) for key in rule.keys) for rule in policy.blocking]
    assert ours == list(KINDS["people"].rules[variant])
    assert policy.derived["surname_start"].length == 3
    assert column("surname:3") == ("surname", 3)


def test_every_kind_of_data_has_a_policy_that_loads() -> None:
    for kind in KINDS:
        assert load_policy(run.POLICIES / f"{kind}.yaml").id == KINDS[kind].id


@pytest.mark.usefixtures("_in_this_process")
def test_a_small_comparison_shows_both_variants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [
        "linkage",
        "--skip-peers",
        "--records",
        "2000",
        "--sets",
        "people",
        "historical_50k",
        "--repetitions",
        "2",
    ]
    assert main([*given, "--shared-data", str(tmp_path / "none"), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert "Left out: historical_50k.parquet is not in" in printed.err
    assert (tmp_path / "benchmarks-linkage.md").read_text(encoding="utf-8") == printed.out
    shown = rows(printed.out, "People, 2,000")
    assert list(shown) == ["cdm_pipelines, light", "cdm_pipelines, wide"]
    assert all(float(figures[7]) > 0.9 for figures in shown.values())
    assert len(json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))["rows"]) == 4
    ET.parse(tmp_path / "benchmarks-linkage.svg")
    assert str(tmp_path) not in printed.out


@pytest.mark.usefixtures("_in_this_process")
def test_growth_shows_seconds_and_memory_of_every_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["linkage", "--growth", "--records", "500", "1000", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    head = next(line for line in text.splitlines() if line.startswith("| Records"))
    assert "block and compare, MiB" in head
    shown = rows(text, "Growth")
    assert list(shown) == ["500", "1,000"]
    steps = shown["1,000"][2:-2]
    assert len(steps) == 7
    total = sum(float(step.partition(" s")[0]) for step in steps)
    assert total == pytest.approx(float(shown["1,000"][1]), abs=0.4)
    assert all(int(step.rpartition(" ")[2].replace(",", "")) > 50 for step in steps[:4])
    ET.parse(tmp_path / "benchmarks-linkage-growth.svg")


def test_a_cell_holds_the_models_expectation_against_the_truth() -> None:
    cell = calibration.measure(0.3, 5, 0.05, 2, records=1_500, seed=1)
    assert 0 < cell.accepted < 1_000
    assert 0.9 < cell.expected_precision <= 1
    assert 0.8 < cell.precision <= 1
    assert 0.3 < cell.recall < 1


def test_the_grid_is_of_the_shipped_policy_less_columns() -> None:
    few, all_ = calibration.policy(3, 1), calibration.policy(9, 2)
    assert list(few.comparisons) == ["given_name", "surname", "birth_date"]
    assert set(few.columns) == set(calibration.COLUMNS[3])
    assert set(all_.columns) == set(COLUMNS)
    assert few.thresholds == all_.thresholds
    assert all_.duplicate_free == ("s0", "s1")
    cells = (
        len(calibration.REPEATS)
        * len(calibration.COLUMNS)
        * len(calibration.ERRORS)
        * len(calibration.SOURCES)
    )
    assert cells >= 24


def test_published_sets_lose_what_tells_who_is_who(tmp_path: Path) -> None:
    folder = tmp_path / "linkage"
    folder.mkdir()
    made = pd.DataFrame({"unique_id": range(40), "first_name": "a", "cluster": [n // 4 for n in range(40)]})
    made.to_csv(folder / "fake_1000.csv", index=False)
    data = sets.published("fake_1000", tmp_path, tmp_path)
    records, truth = pd.read_parquet(data.records), pd.read_parquet(data.truth)
    assert list(records) == ["unique_id", "first_name"]
    assert data.pairs == 60
    assert list(records["unique_id"]) == list(truth["record_id"])
    together = [a == b for a, b in zip(truth["truth_id"], truth["truth_id"][1:], strict=False)]
    assert sum(together) < 15


def test_febrl4_keeps_its_two_sources_apart_and_its_number_out(tmp_path: Path) -> None:
    data = sets.published("febrl4", tmp_path, tmp_path)
    records = pd.read_parquet(data.records)
    assert "soc_sec_id" not in records
    assert records["file"].value_counts().to_dict() == {"a": 5_000, "b": 5_000}
    assert data.pairs == 5_000
    assert not records["rec_id"].str.contains("org|dup").any()


def done(system: str, seconds: float, f1: float, variant: str = "light", **more: object) -> Linked:
    quality = {"precision": 1.0, "recall": 0.5, "F1": f1, "B-cubed F1": 0.9}
    usage = Usage(seconds + 2, seconds, int(seconds * 2**20))
    return Linked("people, 9", Contestant(system, variant), usage, seconds, {}, quality, **more)  # type: ignore[arg-type]


def text_of(*linked: Linked, others: float = 0.0) -> str:
    return document.markdown(FACTS, linked, {"comparison": others, "many": 9.0}, [], [])


def test_the_median_repetition_is_shown_and_ratios_are_of_one_variant() -> None:
    text = text_of(
        *(done(run.OURS, seconds, 0.95) for seconds in (9.0, 4.0, 5.0)),
        done(run.OURS, 1.0, 0.9, "wide"),
        done(run.SPLINK, 20.0, 0.9),
        done(run.SPLINK, 10.0, 0.9, "wide"),
        done(run.GOLDENMATCH, 50.0, 0.8, "automatic"),
    )
    assert rows(text, "People, 9")["cdm_pipelines, light"][:2] == ["5.0", "4.0 to 9.0"]
    beside = [
        line.strip("| ").split(" | ")[1:] for line in text.splitlines() if line.startswith("| people, 9")
    ]
    assert beside == [
        ["cdm_pipelines, light", "Splink, light", "0.25", "0.25", "+0.0500"],
        ["cdm_pipelines, wide", "Splink, wide", "0.10", "0.10", "+0.0000"],
        ["cdm_pipelines, light", "GoldenMatch, automatic", "0.10", "0.10", "+0.1500"],
    ]


def test_a_peer_that_fails_is_shown_with_its_reason() -> None:
    failed = Linked("people, 9", Contestant(run.SPLINK, "light"), failure="no such table")
    ended = Linked(
        "people, 9",
        Contestant(run.GOLDENMATCH, "automatic"),
        failure="ended at 9.1 GiB of memory after 5 seconds",
    )
    shown = rows(text_of(done(run.OURS, 5.0, 0.9), failed, ended), "People, 9")
    assert shown["Splink, light"][0] == "failed: no such table"
    assert shown["GoldenMatch, automatic"][0] == "ended at 9.1 GiB of memory after 5 seconds"


def test_a_peer_that_fails_does_not_stop_the_run_and_is_not_asked_again(tmp_path: Path) -> None:
    data = sets.people(200, tmp_path)
    asked = [Contestant(run.GOLDENMATCH, "automatic")]
    heard: list[str] = []
    linked = run.compare(
        *([data], lambda _: asked, tmp_path, Path(sys.executable)),
        repetitions=2,
        limits=run.Limits(seconds=60),
        tell=heard.append,
    )
    assert len(linked) == 1
    assert "No module named 'goldenmatch'" in linked[0].failure
    assert str(tmp_path) not in linked[0].failure


def test_a_threshold_that_only_the_truth_can_choose_is_a_row_of_its_own() -> None:
    best = {"threshold": 0.99, "precision": 1.0, "recall": 1.0, "F1": 1.0, "B-cubed F1": 1.0}
    shown = rows(text_of(done(run.SPLINK, 5.0, 0.9, best=best)), "People, 9")
    assert shown["Splink, light"][7] == "0.9000"
    assert shown["Splink, light, threshold 0.99 chosen by the truth"][7] == "1.0000"


@pytest.mark.parametrize(("others", "noisy"), [(0.1, False), (1.3, True)])
def test_figures_from_a_busy_machine_say_so(others: float, noisy: bool) -> None:
    text = text_of(done(run.OURS, 5.0, 0.9), others=others)
    assert ("Other work kept 1.3 cores busy" in text) is noisy
    assert "9.0 cores" not in text  # while another part was measured


def test_calibration_counts_the_cells_that_keep_the_promise() -> None:
    def cell(columns: int, expected: float, true: float) -> Cell:
        return Cell(0.1, columns, 0.03, 1, 50, expected, 0.8, true, 0.7, 0.9, 0.7, 1.0)

    cells = [cell(3, 0.99, 0.98), cell(5, 0.99, 0.88), cell(9, 0.95, 0.99)]
    text = document.markdown(FACTS, [], {}, [], cells)
    assert "within 0.02 of the expected one in 1 of 3 cells; the worst true precision is 0.880" in text
    assert "10% repeated, 5 columns, 3% errors, 1 source" in text
    assert text.count("**0.880**") == text.count("**0.990**") == 1
    assert "under 0.90" in text
    picture = document.pictures([], [], cells)["benchmarks-linkage-calibration.svg"]
    dots = [one for one in ET.fromstring(picture).iter() if one.tag.endswith("title")]
    assert len(dots) == 3


def test_a_process_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "survived"
    child = f"import time, pathlib; time.sleep(4); pathlib.Path({str(mark)!r}).touch()"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(LimitError, match=r"ended at 0\.\d GiB of memory after [1-9] seconds"):
        measure([sys.executable, "-c", script], environment(), tmp_path / "slow.log", limit=1)
    with pytest.raises(LimitError):
        measure([sys.executable, "-c", "import time; time.sleep(30)"], {}, tmp_path / "wait.log", limit=4)
    assert not mark.exists()


def test_a_process_that_takes_too_much_memory_is_ended_with_its_children(tmp_path: Path) -> None:
    """The memory is a grandchild's, which starts others as long as it is let."""
    pids = tmp_path / "pids"
    pids.mkdir()
    glutton = (
        "import os, pathlib, subprocess, sys, time\n"
        f"pathlib.Path({str(pids)!r}, str(os.getpid())).touch()\n"
        "held = bytearray(150 * 2**20)\n"
        "while True:\n"
        "    subprocess.Popen(['sleep', '61.7'])\n"
        "    time.sleep(0.05)\n"
    )
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {glutton!r}])"
    with pytest.raises(LimitError, match=r"ended at 0\.[1-9] GiB of memory"):
        measure(
            [sys.executable, "-c", script], environment(), tmp_path / "big.log", limit=60, most=100 * 2**20
        )
    (glutton_pid,) = (int(path.name) for path in pids.iterdir())
    assert not psutil.pid_exists(glutton_pid) or psutil.Process(glutton_pid).status() == psutil.STATUS_ZOMBIE
    orphans = [
        one for one in psutil.process_iter(["cmdline", "ppid"]) if one.info["cmdline"] == ["sleep", "61.7"]
    ]
    assert not orphans


def test_who_is_left_out_is_not_asked_and_named(tmp_path: Path) -> None:
    data = sets.people(200, tmp_path)
    asked = [Contestant(run.GOLDENMATCH, "automatic")]
    where = ([data], lambda _: asked, tmp_path, Path(sys.executable))
    for name, left_out in (("GoldenMatch", True), ("GoldenMatch@200", True), ("GoldenMatch@300", False)):
        limits = run.Limits(left_out=frozenset({name}))
        (one,) = run.compare(*where, repetitions=1, limits=limits, tell=lambda _: None)
        assert (one.failure == run.LEFT_OUT) is left_out
        assert one.outcome == (run.LEFT_OUT if left_out else f"failed: {one.failure}")


@pytest.mark.usefixtures("_in_this_process")
def test_many_candidate_pairs_are_a_part_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["linkage", "--many-pairs", "--records", "2000", "--out", str(tmp_path)]
    assert main(given) == 0
    text = capsys.readouterr().out
    (shown,) = (one for name, one in rows(text, "Many candidate pairs").items() if name == "2,000")
    wide = load_policy(run.POLICIES / "people_wide.yaml")
    many = load_policy(run.POLICIES / "people_many.yaml")
    assert int(shown[0].replace(",", "")) > 2000
    assert many.blocking[: len(wide.blocking)] == wide.blocking
    assert "tens of millions of pairs" in text


def test_whole_commands_link_under_their_own_policies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["linkage", "--commands", "--skip-peers", "--repetitions", "1", "--records", "1000"]
    assert main([*given, "--out", str(tmp_path)]) == 0
    shown = rows(capsys.readouterr().out, "Whole commands")
    assert set(shown) == {"cdm link, light", "cdm link, shipped"}
    for figures in shown.values():
        assert figures[0] == figures[2], "seconds are those of the whole process"
        assert float(figures[7]) > 0.9
    light, shipped = (load_policy(run.POLICIES / f"people{end}.yaml") for end in ("", "_shipped"))
    assert shipped.thresholds == load_policy(SHIPPED / "person.yaml").thresholds
    assert len(shipped.blocking) > len(light.blocking)


def test_a_whole_command_is_held_against_the_whole_process_of_the_peer() -> None:
    linked = [
        done(run.COMMAND, 5.0, 0.95),
        done(run.COMMAND, 8.0, 0.9, "shipped"),
        done(run.PLAIN, 10.0, 0.9),
    ]
    text = document.markdown(FACTS, [], {}, [], [], commands=linked)
    ratios = [
        line.strip("| ").split(" | ")[1:] for line in text.splitlines() if line.startswith("| people, 9")
    ]
    assert ratios == [
        ["cdm link, light", "0.50", "0.50", "+0.0500"],
        ["cdm link, shipped", "0.80", "0.80", "+0.0000"],
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--records", "5"],
        ["--repetitions", "0"],
        ["--sets", "nobody"],
        ["--growth", "--calibration"],
        ["--leave-out", "who"],
    ],
)
def test_options_that_cannot_be_used_are_refused(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["linkage", *wrong])
    assert stopped.value.code == 2
    assert wrong[0] in capsys.readouterr().err
