"""Whatever a table holds: a right answer, or an error that a user understands."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from linkage_examples import full_people, full_policy, people, policy, truth_of

from cdm_pipelines.linkage import LinkageError, link
from cdm_pipelines.linkage.encode.records import encode
from cdm_pipelines.linkage.evaluate.blocking import explain_blocking
from cdm_pipelines.linkage.evaluate.measures import evaluate

PEOPLE = people(60, seed=2)
COLUMNS = ["given_name", "surname", "birth_date", "postcode"]


def rows(number: int, **values: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"id": [f"{n:03d}" for n in range(number)], **dict.fromkeys(COLUMNS)})
    return frame.assign(**values)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (
            PEOPLE.rename(columns={"surname": "surnme"}),
            ["columns.surname", "'surname'", "did you mean 'surnme'"],
        ),
        (PEOPLE.drop(columns="id"), ["id", "no column 'id'"]),
        (pd.concat([PEOPLE, PEOPLE[["surname"]]], axis=1), ["more than one column 'surname'"]),
        (PEOPLE.assign(id="same"), ["repeat the id", "'same'"]),
        (PEOPLE.assign(id=None), ["have no id"]),
        (PEOPLE.assign(id=PEOPLE["id"].where(PEOPLE.index > 0)), ["1 records have no id"]),
        (pa.table({**{c: ["x"] for c in ["id", *COLUMNS[:3]]}, "postcode": [[1]]}), ["postcode", "list"]),
    ],
)
def test_told(frame: Any, told: list[str]) -> None:
    with pytest.raises(LinkageError) as caught:
        link(frame, policy())
    for part in told:
        assert part in str(caught.value)


def test_an_unknown_source_column() -> None:
    with pytest.raises(LinkageError, match="no column 'bron'"):
        link(PEOPLE, policy(source="bron"))
    with pytest.raises(LinkageError, match="have no source"):
        link(PEOPLE.assign(bron=None), policy(source="bron"))


def test_a_source_whose_records_could_have_the_names_of_others_is_refused() -> None:
    names = {"id": ["1", "nl|1"], "bron": ["crm|nl", "crm"]}
    with pytest.raises(LinkageError, match=r"1 sources have a \| in their name, the first is 'crm\|nl'"):
        link(rows(2).assign(**names), policy(source="bron"))
    found = link(rows(2).assign(**names | {"bron": ["crm-nl", "crm"]}), policy(source="bron"))
    assert found.clusters["cluster_id"].nunique() == 2


@pytest.mark.parametrize("number", [0, 1, 2])
def test_hardly_any_rows(number: int) -> None:
    result = link(rows(number, surname="jansen"), policy())
    assert len(result.clusters) == number
    assert list(result.clusters.columns) == ["source", "record_id", "cluster_id"]
    assert list(result.pairs.columns[:4]) == ["left_source", "left_id", "right_source", "right_id"]


def test_an_empty_arrow_table() -> None:
    empty = pa.table({name: pa.array([], pa.string()) for name in ["id", *COLUMNS]})
    assert len(link(empty, policy()).clusters) == 0


def test_nothing_but_nulls() -> None:
    result = link(rows(50), policy())
    assert result.clusters["cluster_id"].nunique() == 50


def test_an_empty_column_changes_nothing_else() -> None:
    result = link(PEOPLE.assign(postcode=None), policy())
    assert result.clusters["cluster_id"].nunique() < len(PEOPLE)
    assert (result.pairs["postcode"] == -1).all()


def test_a_constant_column_tells_nobody_apart_and_joins_nobody() -> None:
    result = link(rows(300, surname="jansen", postcode="1000AA"), policy())
    assert result.clusters["cluster_id"].nunique() == 300


def test_one_giant_block_is_cut_and_reported() -> None:
    frame = people(700, seed=3).assign(birth_date="1900-01-01")
    rule = link(frame, policy(max_block_size=50)).report["rules"][0]
    assert rule["rule"] == "birth_date"
    assert rule["new_pairs"] == 0
    assert rule["largest_block"] == len(frame)


def test_nan_none_nothing_and_spaces_are_all_missing() -> None:
    frame = PEOPLE.copy()
    plain = link(frame, policy()).clusters
    nothing: list[Any] = ["", " ", None, np.nan]
    surnames: list[Any] = [nothing[n % 4] if pd.isna(v) else v for n, v in enumerate(frame["surname"])]
    frame["surname"] = surnames
    pd.testing.assert_frame_equal(link(frame, policy()).clusters, plain)


def test_very_long_values() -> None:
    frame = PEOPLE.copy()
    frame.loc[:10, "surname"] = "x" * 10_000
    frame.loc[5:15, "given_name"] = "Jan " * 2_500
    assert len(link(frame, policy()).clusters) == len(frame)


def test_mixed_types_and_numbers() -> None:
    halves = pd.Series(range(len(PEOPLE)), dtype=float).where(lambda n: n % 3 > 0)
    frame = PEOPLE.assign(id=range(len(PEOPLE)), postcode=halves.to_numpy())
    mixed: Any = [n if n % 7 == 0 else v for n, v in enumerate(frame["surname"])]
    frame["surname"] = mixed
    frame["birth_date"] = pd.to_datetime(frame["birth_date"], errors="coerce")
    result = link(frame, policy())
    assert result.clusters["record_id"].tolist() == sorted(str(n) for n in range(len(PEOPLE)))


def test_numbers_too_large_for_integers_stay_apart() -> None:
    ids = 1e20 + 1e18 * np.arange(len(PEOPLE))
    assert link(PEOPLE.assign(id=ids), policy()).clusters["record_id"].nunique() == len(PEOPLE)
    large = pd.DataFrame({"id": ["a", "b", "c", "d"], "postcode": [1e20, 3e20, float("inf"), 12.0]})
    assert encode(large.assign(given_name=None, surname=None, birth_date=None), policy()).columns[
        "postcode"
    ].values.to_pylist() == ["12", "1e20", "3e20", "inf"]


def test_values_of_no_type_of_a_table_are_read_as_text() -> None:
    frame = PEOPLE.astype(object)
    strange: list[Any] = [10**30, "a\ud800b", [1, 2], 1 + 2j, b"\xff", None]
    frame["surname"] = pd.Series([strange[n % 6] for n in range(len(frame))], dtype=object)
    frame["postcode"] = pd.Series([10**30 + n for n in range(len(frame))], dtype=object)
    assert len(link(frame, policy()).clusters) == len(frame)
    halves = frame.assign(postcode=np.arange(len(frame), dtype=np.float16))
    assert len(link(halves, policy()).clusters) == len(frame)
    for one in (10**30, "a\ud800b", 1 + 2j):
        alone = frame.assign(surname=pd.Series([one] * len(frame), dtype=object))
        assert len(link(alone, policy()).clusters) == len(frame)


def test_a_duplicate_index_is_no_matter() -> None:
    plain = link(PEOPLE, policy()).clusters
    pd.testing.assert_frame_equal(link(PEOPLE.set_axis([0] * len(PEOPLE)), policy()).clusters, plain)


def test_strange_letters() -> None:
    frame = rows(4, surname=["Łukasz", "lukasz", "李", "مُحَمَّد"], birth_date="1980-01-01", postcode="1000AA")
    assert len(link(frame, policy()).clusters) == 4


def test_columns_that_are_not_named_by_text() -> None:
    frame = PEOPLE.rename(columns={"surname": 0})
    mapped = policy(
        columns={"surname": {"column": "0", "clean": "surname"}, **{c: {} for c in COLUMNS if c != "surname"}}
    )
    assert len(link(frame, mapped).clusters) == len(frame)


def test_errors_hold_no_values_of_persons() -> None:
    for frame in (PEOPLE.assign(id="same"), PEOPLE.drop(columns="surname")):
        with pytest.raises(LinkageError) as caught:
            link(frame, policy())
        assert not any(name in str(caught.value) for name in PEOPLE["given_name"].dropna().unique())


FULL = full_people(60, seed=5)
EACH_KIND = [
    "given_name",
    "surname",
    "birth_date",
    "street",
    "email",
    "phone",
    "account",
    "job",
    "gender",
    "city",
]
LONG = "very long " * 1_000


@pytest.mark.slow
@pytest.mark.parametrize("column", EACH_KIND)
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(["x"], id="constant"),
        pytest.param(["", " ", "-", None, np.nan], id="nothing"),
        pytest.param([LONG, LONG + "x", "short"], id="long"),
        pytest.param([1, 2.5, "three", True, None, pd.Timestamp("1980-01-02")], id="mixed"),
    ],
)
def test_every_comparison_takes_whatever_its_column_holds(column: str, values: list[Any]) -> None:
    frame = FULL.copy()
    filled: Any = [values[n % len(values)] for n in range(len(frame))]
    frame[column] = pd.Series(filled, dtype=object, index=frame.index)
    result = link(frame, full_policy(training={"random_pairs": 2_000}))
    assert result.clusters["record_id"].tolist() == sorted(FULL["id"])
    assert evaluate(result.clusters, truth_of(FULL)).pairs.precision > 0.9


def test_values_that_differ_after_ten_thousand_characters_do_not_take_ages_and_join_nobody() -> None:
    frame = rows(40, surname=[LONG + str(n) for n in range(40)], birth_date="1980-01-01")
    assert link(frame, policy()).clusters["cluster_id"].nunique() == 40


def test_ids_that_occur_twice_are_told_with_what_to_do() -> None:
    twice = pd.concat([PEOPLE, PEOPLE.iloc[:3]])
    with pytest.raises(LinkageError, match=r"3 records repeat the id .* make ids unique or name the source"):
        link(twice, policy())
    two_sources = pd.concat([PEOPLE.assign(source="a"), PEOPLE.iloc[:3].assign(source="b")])
    assert len(link(two_sources, policy(source="source")).clusters) == len(PEOPLE) + 3


@pytest.mark.parametrize(
    "frame",
    [PEOPLE.iloc[:0], rows(50), rows(300, surname="jansen", birth_date="1900-01-01", given_name="jan")],
    ids=["empty", "all null", "one giant block"],
)
def test_blocking_is_explained_for_what_cannot_be_linked(frame: pd.DataFrame) -> None:
    report = explain_blocking(frame, policy(max_block_size=100))
    assert (report.records, report.candidate_pairs) == (len(frame), 0)
    assert sum(rule.cut.records for rule in report.rules) in (0, 2 * len(frame))
