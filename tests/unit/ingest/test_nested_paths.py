"""Nested records that a contract takes apart by paths: in lines, many at a time, and in a document, one by one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdm_pipelines.contracts import Column, Delivery, Dialect, Format, SourceContract
from cdm_pipelines.contracts.paths import PathError, Where, steps
from cdm_pipelines.ingest import ExtractError, read_file
from cdm_pipelines.ingest.addressed import Addressed
from cdm_pipelines.ingest.json_sql import projections

EVENT = {
    "event_timestamp": "1762128000123456",
    "event_name": "page_view",
    "event_params": [
        {"key": "page_title", "value": {"string_value": "Bikes & more"}},
        {"key": "ga_session_id", "value": {"int_value": 1762127990}},
        {"key": "page_title", "value": {"string_value": "a second one does not count"}},
    ],
    "user_id": None,
    "user_pseudo_id": "1.2",
    "device": {"category": "mobile", "web_info": {"browser": "Safari"}},
    "items": [{"item_id": "P1", "price": 12.5}, {"item_id": "P2", "params": [{"key": "size", "value": "L"}]}],
    "tags": ["a", "b"],
    "a.b": "a name with a full stop",
    "is_active_user": True,
}


def contract(paths: dict[str, list[str]], **more: Any) -> SourceContract:
    return replace(
        SourceContract(
            source="web",
            entity="event",
            version="1.0.0",
            owner="web",
            description="Events.",
            location="web/event/{date}*.jsonl",
            format=Format.JSONL,
            delivery=Delivery.DELTA,
            columns=tuple(Column(name, paths=tuple(ways)) for name, ways in paths.items()),
        ),
        **more,
    )


def read(path: Path, made: SourceContract) -> pa.Table:
    return pa.concat_tables(read_file(path, made))


def lines(tmp_path: Path, records: list[Any], made: SourceContract) -> pa.Table:
    path = tmp_path / "event.jsonl"
    texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in records]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return read(path, made)


def document(tmp_path: Path, records: list[Any], made: SourceContract) -> pa.Table:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return read(path, replace(made, format=Format.JSON))


@pytest.mark.parametrize("how", [lines, document])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (["event_name"], "page_view"),
        (["event_params[key=page_title].value.string_value"], "Bikes & more"),
        (["event_params[key=ga_session_id].value.int_value"], "1762127990"),
        (["event_params[key=ga_session_id].value.string_value"], None),
        (["event_params[key=nothing].value.string_value"], None),
        (["user_id", "user_pseudo_id"], "1.2"),
        (
            ["event_params[key=user].value.int_value", "event_params[key=page_title].value.string_value"],
            "Bikes & more",
        ),
        (["device.web_info.browser"], "Safari"),
        (["device.web_info"], '{"browser":"Safari"}'),
        (["items[0].item_id"], "P1"),
        (["items[0].price"], "12.5"),
        (["items[1].params[key=size].value"], "L"),
        (["items[item_id=P2].params[0].key"], "size"),
        (["items[7].item_id"], None),
        (["tags[1]"], "b"),
        (["tags[key=a].value"], None),
        (["is_active_user"], "true"),
        (["event_name.deeper"], None),
        (["nowhere.at.all"], None),
    ],
)
def test_a_path_leads_to_a_value(tmp_path: Path, how: Any, path: list[str], expected: str | None) -> None:
    table = how(tmp_path, [EVENT, {"event_name": "other"}], contract({"found": path, "event_timestamp": []}))
    assert table["found"][0].as_py() == expected
    assert table["event_timestamp"].to_pylist() == ["1762128000123456", None]


def test_paths_of_an_export_are_followed_in_compiled_code() -> None:
    ways = {
        "a": ["event_params[key=page_title].value.string_value", "items[0].item_id"],
        "b": ["device.category"],
    }
    for rows_at in (None, "items"):
        addressed = Addressed(contract(ways, dialect=Dialect(rows_at=rows_at)))
        addressed.add([EVENT])
        assert len(projections(addressed)) == (2 if rows_at is None else 3)
    beyond = Addressed(contract({"a": ["device"], "b": ["device.category"]}))
    beyond.add([EVENT])
    assert projections(beyond) == ()


@pytest.mark.parametrize("how", [lines, document])
def test_other_members_are_kept_and_what_a_path_goes_into_is_not(tmp_path: Path, how: Any) -> None:
    made = contract({"title": ["event_params[key=page_title].value.string_value"], "a.b": []})
    table = how(tmp_path, [EVENT], made)
    assert "event_params" not in table.column_names
    assert table["a.b"].to_pylist() == ["a name with a full stop"]
    assert table["device"].to_pylist() == ['{"category":"mobile","web_info":{"browser":"Safari"}}']
    assert table["user_id"].to_pylist() == [None]


def test_lines_that_are_no_objects_are_put_aside_in_their_place(tmp_path: Path) -> None:
    made = contract({"n": ["a.n"], "b": []})
    given_ = [
        {"a": {"n": 1}, "b": "x"},
        '{"a": {"n": 2}, "b"',
        "",
        "[1]",
        '{"a": {"n": NaN}, "b": "late", "c": 5}',
        '  {"a": {"n": 3}}  ',
        '{"a": {"n": 4}, "b": "\\ud800"}',
        '{"a": {"n": 5}, "b": ""}',
    ]
    table = lines(tmp_path, given_, made)
    assert table["_row"].to_pylist() == [1, 2, 4, 5, 6, 7, 8]
    assert table["n"].to_pylist() == ["1", None, None, None, "3", "4", "5"]
    assert table["b"].to_pylist() == ["x", None, None, "late", None, "\ufffd", None]
    assert table["c"].to_pylist() == [None, None, None, "5", None, None, None]
    assert table["_defect"].to_pylist() == [None, "unparsable", "unparsable", None, None, "undecodable", None]


def test_a_file_that_is_no_json_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="2 of 2 lines hold no JSON object"):
        lines(tmp_path, ["a;b", "1;2"], contract({"n": ["a.n"]}))


@pytest.mark.parametrize("how", [lines, document])
def test_each_element_of_a_list_is_a_row(tmp_path: Path, how: Any) -> None:
    made = contract(
        {"email_address": [], "action": ["activity.action"], "first": ["activity[0].action"]},
        dialect=Dialect(rows_at="activity"),
    )
    given_ = [
        {"email_address": "a@example.nl", "activity": [{"action": "open"}, {"action": "click"}]},
        {"email_address": "b@example.nl", "activity": []},
        {"email_address": "c@example.nl"},
        {"email_address": "d@example.nl", "activity": [{"action": "bounce"}]},
    ]
    table = how(tmp_path, given_, made)
    assert table["email_address"].to_pylist() == ["a@example.nl", "a@example.nl", "d@example.nl"]
    assert table["action"].to_pylist() == ["open", "click", "bounce"]
    assert table["first"].to_pylist() == ["open", "open", "bounce"]
    assert table["_row"].to_pylist() == [1, 2, 3]


NAMES = st.sampled_from(["key", "value", "items", "a", "A", "it's", 'quo"te', "back\\slash", "étage"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.sampled_from([0.5, 12.5, -3.25]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufdd0"), max_size=5),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
WAYS = st.lists(
    st.sampled_from(
        [
            "key",
            "value.key",
            "value.a",
            "items[0].a",
            "items[1].key",
            "items[key=x].value",
            "items[key=1].value.a",
            "items[a=it's].value",
            "value.A",
            "étage.it's",
            'quo"te.key',
            "items.a",
            "items.value.a",
            "value.a.key",
        ]
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    records=st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=4),
    paths=st.lists(WAYS, min_size=1, max_size=4),
    rows_at=st.sampled_from([None, "items", "value.a"]),
)
def test_lines_and_a_document_say_the_same(
    tmp_path: Path, records: list[Any], paths: list[list[str]], rows_at: str | None
) -> None:
    made = contract({f"c{n}": ways for n, ways in enumerate(paths)}, dialect=Dialect(rows_at=rows_at))
    found, expected = (how(tmp_path, records, made) for how in (lines, document))
    own = [*made.column_names, "_row", "_defect"]
    assert [same(row) for row in found.select(own).to_pylist()] == [
        same(row) for row in expected.select(own).to_pylist()
    ]


def same(row: dict[str, Any]) -> dict[str, Any]:
    """Objects and lists are JSON text, in which numbers may stand as numbers or as texts."""
    return {name: _plain(text) for name, text in row.items()}


def _plain(text: Any) -> Any:
    if not isinstance(text, str) or text[:1] not in ("{", "["):
        return text
    try:
        return json.dumps(json.loads(text, parse_int=str, parse_float=str))
    except ValueError:
        return text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ("p[key=x.y/z].value.string_value", ("p", Where("key", "x.y/z"), "value", "string_value")),
    ],
)
def test_how_a_path_is_written(path: str, expected: tuple[Any, ...]) -> None:
    assert steps(path) == expected


@pytest.mark.parametrize("path", ["", ".a", "a.", "a..b", "a[", "a[x]", "[0]", "a[0]b", "a.[0]"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(PathError):
        steps(path)
