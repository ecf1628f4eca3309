"""Looking for values: whole ones, all of them, whatever the case."""

import json
import re

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdm_pipelines.privacy.traces import Traces, as_looked_for, names_somebody, telling, texts_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Jan Robertsen", set()),
        ("ROBERT SMIT", {"robert smit", "robert"}),
        ("mail=r.smit@home.nl;", {"r.smit@home.nl"}),
        ("x.r.smit@home.nl", {"r.smit@home.nl"}),
        ("ar.smit@home.nl", set()),
        ("+31612345678", {"+31612345678"}),
        ("31612345678", set()),
        ("+316123456789", set()),
        ("robert", {"robert"}),
        ("", set()),
    ],
)
def test_values_are_found_whole_and_within_others(text: str, found: set[str]) -> None:
    traces = Traces(["Robert Smit", "robert", "r.smit@home.nl", "+31612345678"])
    assert traces.in_text(text) == found
    assert traces.rows(pa.array([text])).to_pylist() == [bool(found)]
    assert traces.within(pa.chunked_array([[text, None]])) == found


def test_thousands_of_values_are_looked_for_at_once() -> None:
    values = [f"person-{at:05}@home.nl" for at in range(2_000)]
    texts = pa.array([f"<{value}>" for value in values[::7]] + ["nobody@home.nl"])
    assert Traces(values).within(texts) == set(values[::7])


@pytest.mark.parametrize(
    ("value", "looked_for"),
    [
        ("jan@home.nl", True),
        ("0612345678", True),
        ("2803 AD", True),
        ("Robert", True),
        ("Jan", False),
        ("2026-06-01", False),
        ("20260601", False),
        ("2026-06-01T10:00:00Z", False),
        ("1234567", False),
        ("1234567.25", False),
        (" ", False),
    ],
)
def test_what_is_telling(value: str, *, looked_for: bool) -> None:
    assert bool(telling([value, None])) is looked_for


@pytest.mark.parametrize(
    ("value", "looked_for"),
    [
        ("Culemborg,", "Culemborg"),
        ("'0612345678", "0612345678"),
        ("+31612345678", "+31612345678"),
        ("Stralen,L", "Stralen"),
        ("Kerkstraat 12, Delft", "Kerkstraat 12, Delft"),
        ("06-12345678;06-123", "06-12345678"),
        (" , ", ""),
    ],
)
def test_what_parts_cells_elsewhere_is_no_part_of_what_is_looked_for(value: str, looked_for: str) -> None:
    assert as_looked_for(value) == looked_for


def test_a_town_with_a_stray_sign_names_nobody_and_a_surname_does() -> None:
    assert not names_somebody("Culemborg,", "user.contact.address.city")
    assert names_somebody("Jansen,", "user.name")


WORDS = st.text(st.sampled_from("aAb1 -.éÉ\u212aİ\u03a3\u03c2"), max_size=9)


def as_read(value: str, text: str) -> bool:
    """Whether a text holds a value whole, sign by sign."""
    small = text.lower().replace("\u03c2", "\u03c3")
    value = value.lower().replace("\u03c2", "\u03c3")
    places = (at for at in range(len(small)) if value and small.startswith(value, at))
    near = (small[max(at - 1, 0) : at] + small[at + len(value) : at + len(value) + 1] for at in places)
    return any(not re.search("[a-z0-9]", beside) for beside in near)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(WORDS, max_size=9), st.lists(st.one_of(st.none(), WORDS), max_size=9))
def test_no_value_is_missed_in_columns_or_in_bytes(values: list[str], texts: list[str | None]) -> None:
    traces = Traces(values)
    one_by_one = [traces.in_text(text or "") for text in texts]
    for value in traces.values:
        if any(map(str.isalnum, value)):
            assert [value in found for found in one_by_one] == [as_read(value, text or "") for text in texts]
    assert traces.rows(pa.array(texts, pa.string())).to_pylist() == [bool(found) for found in one_by_one]
    assert traces.within(pa.array(["x", *texts], pa.string()).slice(1)) == set().union(*one_by_one)
    lines = "\n".join(text or "" for text in texts)
    assert traces.in_bytes(lines.encode()) == traces.in_text(lines)


def test_values_on_the_border_of_two_pieces_are_found_in_bytes() -> None:
    traces = Traces(["jan@home.nl", "Kerkstraat 12"])
    pieces = (1 << 22, (1 << 22) - (1 << 12), (1 << 22) + (1 << 12))
    for room in (piece - border for piece in pieces for border in (12, 11, 6, 1, 0, -1)):
        assert traces.in_bytes(b"." * room + b"JAN@home.nl") == {"jan@home.nl"}
        assert traces.in_bytes(b"." * room + b"ajan@home.nl" + b"." * (1 << 14)) == set()
        assert traces.in_bytes(b"." * room + b"jan@home.nla" + b"." * (1 << 14)) == set()


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("Zoë van den Berg", "naam: ZOË VAN DEN BERG;", True),
        ("Zoë van den Berg", "naam: ZOE VAN DEN BERG;", False),
        ("Zoë van den Berg", "Zoë van den Bergh", False),
        ("Zoë van den Berg", "mej. Joë van den Berg, Zoë van den Berg", True),
        ("Ćwiękał", "ĆWIĘKAŁ, Jan", True),
        ("Παπαδόπουλος", "ΠΑΠΑΔΌΠΟΥΛΟΣ Γ.", True),
        ("Иванова", "ИВАНОВА, Мария", True),
    ],
)
def test_values_beyond_ascii_are_found_whatever_the_case(value: str, text: str, *, found: bool) -> None:
    traces = Traces([value])
    held = {value.lower()} if found else set()
    assert traces.in_text(text) == held
    assert traces.within(pa.array(["a", text, None])) == held
    assert traces.rows(pa.array(["a", text, None])).to_pylist() == [False, found, False]


def test_single_words_name_somebody_only_as_names() -> None:
    assert names_somebody("Robert", "user.name")
    assert not names_somebody("Amsterdam", "user.contact.address.city")
    assert not names_somebody("Noord-Holland", "user.contact.address.state")
    assert names_somebody("Kerkstraat 12", "user.contact.address.street")
    assert not names_somebody("Boor 12 V", "user.behavior.purchase_history")


def test_nested_and_dictionary_columns_are_texts_too() -> None:
    table = pa.table(
        {
            "a": pa.array(["x"]).dictionary_encode(),
            "b": [{"mail": "jan@home.nl"}],
            "c": [1.5],
            "d": [12345678],
        }
    )
    texts = {name: column.to_pylist() for name, column in texts_of(table)}
    assert texts["a"] == ["x"]
    assert texts["b"] == ["jan@home.nl"]
    assert texts["d"] == [12345678]


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.uint64(), pa.dictionary(pa.int8(), pa.int64())])
def test_whole_numbers_are_found_as_they_are_written(kind: pa.DataType) -> None:
    numbers = pa.table({"a": pa.array([1, None, 612345678, 88], kind)})
    values = ["612345678", "0612345678", "+612345678", "12345678", "9" * 30]
    found = {value for _, column in texts_of(numbers) for value in Traces(values).within(column)}
    assert found == {"612345678"}


@pytest.mark.parametrize(("value", "found"), [("612345678", True), ("-612345678", True), ("61234567", False)])
def test_a_number_below_nothing_is_found_with_its_sign_and_without(value: str, *, found: bool) -> None:
    assert bool(Traces([value]).within(pa.chunked_array([[3, -612345678]]))) is found


def test_a_value_with_a_zero_byte_is_found() -> None:
    traces = Traces(["Jan\0Pietersen", "ab\0cd"])
    assert traces.within(pa.array(["x JAN\0PIETERSEN", "Jan Pietersen"])) == {"jan\0pietersen"}
    assert traces.in_bytes(b"x,AB\0CD,") == {"ab\0cd"}


@pytest.mark.parametrize(
    "value", ['Bar "De Kroeg" Delft', "Müller-Çelik", "Ömer", "O\\Brien & Zn", "山田太郎花子山"], ids=str
)
def test_a_value_is_found_in_json_however_that_is_written(value: str) -> None:
    traces = Traces([value])
    for form in (value, value.upper()):
        for only in (False, True):
            written = json.dumps({"name": [form]}, ensure_ascii=only)
            for text in (written, written.replace("\\", "\\\\")):
                assert traces.in_bytes(text.encode()) == {value.lower()}, text
                assert traces.within(pa.array(["nothing", text])) == {value.lower()}, text
            another = json.dumps({"name": [f"{form[:-2]}xq"]}, ensure_ascii=only)
            assert not traces.in_bytes(another.encode())
