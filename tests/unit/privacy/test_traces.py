"""Looking for values: whole ones, all of them, whatever the case."""

import pyarrow as pa
import pytest

from cdm_pipelines.privacy.traces import Traces, names_somebody, telling, texts_of


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
    assert "jan@home.nl" in texts["b"][0]
    assert texts["d"] == ["12345678"]
