"""Dates in the forms of real files are read as one day, and columns that belong together as one value."""

import pyarrow as pa
import pytest

from cdm_pipelines.linkage import LinkageError
from cdm_pipelines.linkage.encode.clean import clean
from cdm_pipelines.linkage.encode.records import encode, linked_columns
from cdm_pipelines.linkage.policy.file import parse_policy
from cdm_pipelines.linkage.policy.spec import Clean, LinkagePolicy


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("date", "1954-03-09"),
        ("date", "19540309"),
        ("date", "1954-3-9"),
        ("date", "1954/03/09 00:00:00"),
        ("date", "1954-03-09T12:30:00Z"),
        ("date", "19540309.0"),
        ("date", "54-03-09"),
        ("date", "540309"),
        ("date", "1954 Mar 9"),
        ("date", "9-3-1954"),
        ("date_dmy", "9-3-1954"),
        ("date_dmy", "09.03.1954 00:00"),
        ("date_dmy", "09031954"),
        ("date_dmy", "9031954"),
        ("date_dmy", "09/03/54"),
        ("date_dmy", "090354"),
        ("date_dmy", "9 maart 1954"),
        ("date_dmy", "9. März 1954"),
        ("date_dmy", "9 mars 1954"),
        ("date_dmy", "09-MAR-54"),
        ("date_dmy", "9 de marzo de 1954"),
        ("date_dmy", "1954-03-09"),
        ("date_dmy", "19540309"),
        ("date_dmy", "03/09/1954 "),
        ("date_mdy", "3/9/1954"),
        ("date_mdy", "03091954"),
        ("date_mdy", "March 9, 1954"),
        ("date_mdy", "3/9/54"),
    ],
)
def test_forms_of_a_date(how: Clean, text: str) -> None:
    expected = "19540903" if (how, text) == ("date_dmy", "03/09/1954 ") else "19540309"
    assert clean(pa.array([text]), how).to_pylist() == [expected]


@pytest.mark.parametrize(
    ("how", "text", "expected"),
    [
        ("date_dmy", "25/12/1954", "19541225"),
        ("date_dmy", "12/25/1954", "19541225"),
        ("date_dmy", "01-01-04", "20040101"),
        ("date_dmy", "01-01-44", "19440101"),
        ("date", "1954-03", "19540300"),
        ("date", "19541309", "19541309"),
        ("date", "unknown", None),
        ("date", "1954", None),
    ],
)
def test_what_a_date_does_not_say_is_not_made_up(how: Clean, text: str, expected: str | None) -> None:
    assert clean(pa.array([text]), how).to_pylist() == [expected]


def test_number_and_street_are_read_of_one_line() -> None:
    lines = pa.array(["1 Windsor Road", "Kerkstraat 12 a", "12-B Dorpsstraat", "Rijksweg"])
    assert clean(lines, "number").to_pylist() == ["1", "12a", "12b", None]
    assert clean(lines, "street").to_pylist() == ["windsor rd", "kerkstr", "dorpsstr", "rijksweg"]


def test_whole_numbers_that_were_written_with_a_fraction_are_the_same_numbers() -> None:
    written = pa.array(["12.0", "12", "1.05", "A1.0", "612345678.0"])
    assert clean(written, "identifier").to_pylist() == ["12", "12", "105", "a10", "612345678"]
    assert clean(written, "digits").to_pylist() == ["12", "12", "105", "10", "612345678"]


def policy(**columns: object) -> LinkagePolicy:
    return parse_policy(
        {
            "id": "id",
            "columns": columns,
            "blocking": [{"keys": name} for name in columns],
            "comparisons": {name: {"kind": "exact", "column": name} for name in columns},
        }
    )


def test_columns_that_belong_together_are_one_value() -> None:
    table = pa.table(
        {
            "id": ["1", "2", "3", "4"],
            "by": ["1954", "1954.0", None, None],
            "bm": ["3", "3.0", "3", None],
            "bd": ["9", None, "9", None],
            "one": ["Lopez", "Lopez", None, None],
            "two": ["Garcia", None, "Garcia", None],
        }
    )
    chosen = policy(
        birth_date={"column": ["by", "bm", "bd"], "clean": "date"},
        surname={"column": ["one", "two"], "clean": "surname"},
        name=["one", "two"],
    )
    records = encode(table, chosen)
    read = {name: [*column.texts, None] for name, column in records.columns.items()}
    found = {name: [read[name][code] for code in records.columns[name].flat] for name in read}
    assert found["birth_date"] == ["19540309", "19540300", "00000309", None]
    assert found["surname"] == ["lopez-garcia", "lopez", "garcia", None]
    assert found["name"] == ["lopez garcia", "lopez", "garcia", None]
    assert linked_columns(table, chosen).column_names == ["id", "by", "bm", "bd", "one", "two"]


def test_files_that_call_a_value_differently_are_one_column() -> None:
    crm = pa.table({"id": ["1"], "born": ["9-3-1954"]})
    shop = pa.table({"id": ["2"], "jaar": ["1954"], "maand": ["3"], "dag": ["9"]})
    table = pa.concat_tables([crm, shop], promote_options="default")
    chosen = policy(birth_date={"column": ["born", "jaar", "maand", "dag"], "clean": "date_dmy"})
    assert encode(table, chosen).columns["birth_date"].texts.tolist() == ["19540309"]


def test_a_missing_or_repeated_part_is_told() -> None:
    with pytest.raises(LinkageError, match="name each once"):
        policy(name=["one", "one"])
    with pytest.raises(LinkageError, match=r"columns\.name: the table has no column 'tow'"):
        encode(pa.table({"id": ["1"], "one": ["x"], "two": ["y"]}), policy(name=["one", "tow"]))


def test_a_list_makes_another_policy_and_one_name_does_not() -> None:
    assert policy(name="one").fingerprint == policy(name=["one"]).fingerprint
    assert policy(name="one").fingerprint != policy(name=["one", "two"]).fingerprint
