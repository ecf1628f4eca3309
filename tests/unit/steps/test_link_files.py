"""Files in, clusters out: what is read, and that nothing half-written is left behind."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from cdm_pipelines.linkage import LinkageError, LinkageModel, link, load_policy
from cdm_pipelines.steps.linking.files import FileError, link_files, read_text, write_result

POLICY = """
id: id
columns: {surname: {clean: surname}, birth_date: {clean: date}}
source: null
blocking: [{keys: birth_date}, {keys: surname}]
comparisons:
  surname: {kind: surname, column: surname}
  birth_date: {kind: date, column: birth_date}
"""
PEOPLE = pd.DataFrame(
    {
        "id": [f"r{n:03d}" for n in range(300)],
        "surname": [f"{'abcde'[n % 5]}{'klmnr'[n // 5 % 5]}{'aeiou'[n // 25 % 5]}ström" for n in range(300)],
        "birth_date": [
            f"19{n // 2 % 70 + 10}-{n // 2 % 12 + 1:02d}-{n // 2 % 28 + 1:02d}" for n in range(300)
        ],
    }
)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


def test_any_delimiter_and_encoding_gives_the_same_clusters(tmp_path: Path, policy: Path) -> None:
    found = []
    for number, (separator, encoding) in enumerate([(",", "utf-8"), (";", "utf-8-sig"), ("\t", "cp1252")]):
        file, out = tmp_path / f"{number}.csv", tmp_path / f"out{number}"
        PEOPLE.to_csv(file, index=False, sep=separator, encoding=encoding)
        link_files([file], policy, out)
        found.append(pd.read_parquet(out / "clusters.parquet"))
    pd.testing.assert_frame_equal(found[0], found[1])
    pd.testing.assert_frame_equal(found[0], found[2])


def test_the_share_of_every_stage_is_told_up_to_the_end(tmp_path: Path, policy: Path) -> None:
    PEOPLE.to_csv(tmp_path / "people.csv", index=False)
    told: dict[str, list[float]] = {}
    link_files(
        [tmp_path / "people.csv"],
        policy,
        tmp_path / "out",
        progress=lambda stage, share: told.setdefault(stage, []).append(share),
    )
    assert list(told) == ["encode", "block", "compare", "fit", "score", "cluster"]
    assert all(shares == sorted(shares) and 0 <= shares[0] <= shares[-1] <= 1 for shares in told.values())
    assert [told[stage][-1] for stage in ("encode", "block", "compare", "score")] == [1, 1, 1, 1]


def test_an_interrupt_leaves_the_files_of_the_run_before(tmp_path: Path, policy: Path) -> None:
    file, out = tmp_path / "people.csv", tmp_path / "out"
    PEOPLE.to_csv(file, index=False)
    link_files([file], policy, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def interrupt(stage: str, _: float) -> None:
        if stage == "cluster":
            raise KeyboardInterrupt

    PEOPLE.iloc[:100].to_csv(file, index=False)
    with pytest.raises(KeyboardInterrupt):
        link_files([file], policy, out, progress=interrupt)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_files_are_written_all_or_none(tmp_path: Path, policy: Path) -> None:
    result, out = link(PEOPLE, load_policy(policy)), tmp_path / "out"
    out.mkdir()
    unwritable = pd.DataFrame({"left_id": [object()]})
    with pytest.raises(Exception, match="object"):
        write_result(replace(result, pairs=unwritable), out)
    assert list(out.iterdir()) == []
    write_result(result, out)
    assert sorted(path.name for path in out.iterdir()) == [
        "charts.svg",
        "clusters.parquet",
        "model.json",
        "pairs.parquet",
    ]


def test_labels_in_a_file_refine_the_fit(tmp_path: Path, policy: Path) -> None:
    file = tmp_path / "people.csv"
    PEOPLE.to_csv(file, index=False)
    labels = tmp_path / "labels.csv"
    strangers = [
        f"people,{a},people,{b},true" for a, b in zip(PEOPLE["id"][:60], PEOPLE["id"][100:160], strict=True)
    ]
    labels.write_text(
        "\n".join(["left_source,left_id,right_source,right_id,match", *strangers]), encoding="utf-8"
    )
    models = []
    for given in (None, labels):
        link_files([file], policy, tmp_path / "out", labels=given)
        models.append(LinkageModel.from_json((tmp_path / "out" / "model.json").read_text(encoding="utf-8")))
    assert models[1].training["labels"] == 60
    different = [model.comparisons["birth_date"].m[0] for model in models]
    assert different[1] > different[0] + 0.05, "that matches may be born on other days was the lesson"


def test_rows_that_ingest_would_not_take_are_put_aside_and_named(tmp_path: Path, policy: Path) -> None:
    lines = [
        "id;surname;birth_date",
        *(f"{row.id};{row.surname};{row.birth_date}" for row in PEOPLE.itertuples()),
    ]
    lines[5:5] = ["x1;too;many;cells", 'x2;"stray" quote;1970-01-01']
    file = tmp_path / "people.csv"
    file.write_text("\n".join([*lines, "Total: 302"]), encoding="utf-8")
    done = link_files([file], policy, tmp_path / "out")
    assert done.records == 300
    (put_aside,) = done.put_aside
    assert put_aside.rows == {"ragged": (6,), "stray_quote": (7,), "totals_line": (304,)}
    assert "3 rows were put aside" in put_aside.sentence
    with pytest.raises(FileError, match="every row of this file counts"):
        read_text(file)


def test_files_that_only_ingest_can_read_are_linked(tmp_path: Path, policy: Path) -> None:
    found = []
    packed = tmp_path / "a" / "people.csv.gz"
    packed.parent.mkdir()
    PEOPLE.to_csv(packed, index=False)
    document = tmp_path / "people.json"
    PEOPLE.to_json(document, orient="records")
    for file in (packed, document):
        link_files([file], policy, tmp_path / "out")
        found.append(pd.read_parquet(tmp_path / "out" / "clusters.parquet")["cluster_id"].nunique())
    assert found[0] == found[1]


@pytest.mark.parametrize("extends", ["person", "person.yaml"])
def test_a_policy_may_have_the_name_of_the_shipped_one_that_it_changes(tmp_path: Path, extends: str) -> None:
    mine = tmp_path / "person.yaml"
    mine.write_text(f"extends: {extends}\nthresholds: {{match: 0.991}}\n", encoding="utf-8")
    assert load_policy(mine).thresholds.match == 0.991
    other = tmp_path / "other.yaml"
    other.write_text("extends: person\n", encoding="utf-8")
    assert load_policy(other).thresholds.match == 0.991
    itself = tmp_path / "unshipped.yaml"
    itself.write_text("extends: unshipped\n", encoding="utf-8")
    with pytest.raises(LinkageError, match="extends itself"):
        load_policy(itself)
