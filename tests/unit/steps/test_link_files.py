"""Files in, clusters out: what is read, and that nothing half-written is left behind."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from cdm_pipelines.linkage import LinkageModel, link, load_policy
from cdm_pipelines.steps.linking.files import link_files, write_result

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
    below = [sum(model.comparisons["surname"].m[:-1]) for model in models]
    assert below[1] > below[0] + 0.05, "that surnames of matches differ was the lesson"
