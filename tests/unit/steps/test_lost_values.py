"""What linking cannot read is counted and told before; files may write dates each in their own form."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmarks.people import generate
from cdm_pipelines.cli import app
from cdm_pipelines.linkage import link, load_policy
from cdm_pipelines.linkage.compare.comparers import side_by_side
from cdm_pipelines.linkage.encode.records import encode
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.steps.linking.files import read_files
from cdm_pipelines.steps.linking.suggest_policy import suggest_policy

POLICY = """
extends: person
id: record_id
source: null
columns: {surname: surname, birth_date: birth_date, phone: phone}
"""


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], pd.DataFrame]:
    """Two files with one header: the one writes the day first, the other the month."""
    folder = tmp_path_factory.mktemp("shops")
    made = generate(3_000, seed=41, sources=2)
    frame, truth = made.records.to_pandas(), made.truth.to_pandas()
    forms = {"s0": ("counter", "{2}.{1}.{0}"), "s1": ("webshop", "{1}.{2}.{0}")}
    paths = []
    for source, (name, form) in forms.items():
        own = frame[frame["source"] == source]
        dates = [
            form.format(*str(day).split("-")) if isinstance(day, str) else "" for day in own["birth_date"]
        ]
        columns = ["record_id", "given_name", "surname", "birth_date"]
        paths.append(folder / f"{name}.csv")
        own.assign(birth_date=dates)[columns].to_csv(paths[-1], index=False)
    known = frame[["record_id", "source"]].replace({"source": {s: n for s, (n, _) in forms.items()}})
    return paths, truth[["record_id", "truth_id"]].merge(known, on="record_id")


def test_each_file_s_dates_are_read_in_its_own_form(shops: tuple[list[Path], pd.DataFrame]) -> None:
    paths, truth = shops
    suggested = suggest_policy(paths)
    policy = suggested.policy()
    forms = {"counter": "date_dmy", "webshop": "date_mdy"}
    column = policy.columns["birth_date"]
    assert {name: column.dates_in.get(name, column.clean) for name in forms} == forms
    assert any("unlike those of the other files" in line for line in suggested.told())
    table = read_files(paths, policy)
    found = encode(table, policy).columns["birth_date"].texts
    months = pd.Series([text[4:6] for text in found]).astype(int)
    assert (months.between(1, 12)).mean() > 0.97, "but for typing errors: months, never days"
    quality = evaluate(link(table, policy).clusters, truth)
    one_form = column.model_copy(update={"dates_in": {}})
    blind = policy.model_copy(update={"columns": {**policy.columns, "birth_date": one_form}})
    assert quality.pairs.f1 > evaluate(link(table, blind).clusters, truth).pairs.f1
    records, _, _ = side_by_side(table.slice(0, 50), table.slice(table.num_rows - 50), policy)
    whole = encode(table, policy)
    ids = whole.ids.to_pylist()
    asked = table["record_id"].slice(0, 50).to_pylist()
    for row, name in enumerate(asked):
        one, other = records.columns["birth_date"], whole.columns["birth_date"]
        text = [
            c.texts[c.flat[at]] if c.flat[at] >= 0 else None
            for c, at in ((one, row), (other, ids.index(name)))
        ]
        assert text[0] == text[1], "a pair by itself is read as it is in the whole"


def test_values_that_come_to_nothing_are_told_by_column_and_shape_before_linking(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "record_id": [f"r{n:04d}" for n in range(400)],
            "surname": [
                f"{'bdfgkl'[n % 6]}{'aeiou'[n // 6 % 5]}{'mnrst'[n // 30 % 5]}sen" for n in range(400)
            ],
            "birth_date": [f"{1940 + n % 60}-{n % 12 + 1}-{n % 28 + 1}" for n in range(400)],
            "phone": [f"06{n // 2:08d}" for n in range(400)],
        }
    )
    frame.loc[:8, "birth_date"] = "spring of 61"
    frame.loc[9:11, "birth_date"] = "Zwolle"
    frame.loc[12:20, "birth_date"] = "-"
    frame.loc[30:33, "phone"] = "ask Bertha"
    frame.to_csv(tmp_path / "people.csv", index=False)
    (tmp_path / "mine.yaml").write_text(POLICY, encoding="utf-8")
    arguments = [
        "link",
        tmp_path / "people.csv",
        "--policy",
        tmp_path / "mine.yaml",
        "--out",
        tmp_path / "out",
    ]
    told = CliRunner().invoke(app, [str(one) for one in arguments])
    assert told.exit_code == 0, told.output
    assert (
        "birth_date (birth_date): 12 of 391 values cannot be read as date and are taken for missing"
        in told.output
    )
    assert "phone (phone): 4 of 400 values cannot be read as digits" in told.output
    assert told.output.index("cannot be read") < told.output.index("scored pairs")
    assert "Expected of the links, after guards: precision" in told.output
    assert not any(value in told.output for value in ("Bertha", "Zwolle", "spring")), "shapes, no values"
    policy = load_policy(tmp_path / "mine.yaml")
    kept = encode(read_files([tmp_path / "people.csv"], policy), policy).columns["birth_date"]
    assert (kept.flat >= 0).sum() == 379, "months and days of one digit are read"


@pytest.mark.parametrize(
    ("named", "more"),
    [("dates_in", ""), ("duplicate_free", "\nduplicate_free: [Web]\n")],
    ids=["a form of dates", "free of duplicates"],
)
def test_a_policy_that_names_a_source_of_which_there_are_no_records_is_refused(
    tmp_path: Path, named: str, more: str
) -> None:
    (tmp_path / "people.csv").write_text(
        "record_id,shop,surname,birth_date,phone\n"
        + "".join(f"r{n},web,b{n},03/04/1970,06{n:08d}\n" for n in range(40))
    )
    form = f"birth_date: {{column: birth_date, dates_in: {{{'web' if more else 'Web'}: date_mdy}}}}"
    (tmp_path / "mine.yaml").write_text(
        POLICY.replace("source: null", "source: shop").replace("birth_date: birth_date", form) + more,
        encoding="utf-8",
    )
    given = ["link", "people.csv", "--policy", "mine.yaml", "--out", "out"]
    told = CliRunner().invoke(
        app, [str(tmp_path / one) if "." in one or one == "out" else one for one in given]
    )
    assert told.exit_code == 1
    said = " ".join(told.output.split())
    assert f"{named}: there are no records of Web; in column shop are web" in said


def test_a_policy_names_a_form_for_sources_that_exist_only_where_there_are_sources(tmp_path: Path) -> None:
    from cdm_pipelines.linkage import LinkageError  # noqa: PLC0415 - only here

    path = tmp_path / "mine.yaml"
    for column, said in (
        ("birth_date: {column: birth_date, dates_in: {till: date_mdy}}", "dates_in names sources"),
        ("surname: {column: surname, dates_in: {till: date_mdy}}", "dates_in is for dates"),
    ):
        source = "source" if "for dates" in said else "null"
        path.write_text(
            f"extends: person\nid: record_id\nsource: {source}\ncolumns: {{given_name: given_name, {column}}}\n",
            encoding="utf-8",
        )
        with pytest.raises(LinkageError, match=said):
            load_policy(path)
