"""Values travel to PostgreSQL and back unchanged, and errors tell nothing about them."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from cdm_pipelines.hub import load
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.load import copy_table, read_batches, read_grouped, read_table, without_data

SCHEMA = pa.schema(
    [("word", pa.string()), ("day", pa.string()), ("yes", pa.string()), ("number", pa.string())]
)


@pytest.fixture
def engine(hub_engine: Engine) -> Engine:
    with hub_engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE staging.thing (word text, day date, yes boolean, number numeric)")
        )
    return hub_engine


def things(*rows: tuple[Any, ...]) -> pa.Table:
    return pa.table([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], schema=SCHEMA)


def test_text_of_the_lake_becomes_typed_values(engine: Engine) -> None:
    rows = things(
        ("a", "2026-02-28", "true", "12.50"), (None, None, None, None), ("", "0001-01-01", "false", "-3")
    )
    with engine.begin() as connection:
        assert copy_table(connection, "thing", rows) == 3
        found = [tuple(row) for row in connection.execute(text("TABLE staging.thing"))]
    assert found == [
        ("a", dt.date(2026, 2, 28), True, Decimal("12.50")),
        (None, None, None, None),
        ("", dt.date(1, 1, 1), False, Decimal(-3)),
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(
        st.none()
        | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
        | st.sampled_from(['"', "\\.", "\\N", "\n\r", ",", ""]),
        min_size=1,
    )
)
def test_any_text_comes_back_as_it_went(engine: Engine, words: list[str | None]) -> None:
    rows = pa.table({"word": pa.array(words, pa.string())})
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE staging.thing"))
        copy_table(connection, "thing", rows)
        found = read_table(connection, "SELECT word FROM staging.thing ORDER BY ctid", rows.schema)
    assert found.column(0).to_pylist() == words


def test_ids_come_with_what_stands_beside_them_however_they_are_read(engine: Engine) -> None:
    schema = pa.schema(
        [("id", pa.string()), ("word", pa.string()), ("yes", pa.bool_()), ("day", pa.date32())]
    )
    query = """SELECT md5(n::text)::uuid, (ARRAY['a', '', NULL, 'b\x1ec'])[1 + mod(n, 4)],
               (ARRAY[true, false, NULL])[1 + mod(n, 3)], CASE WHEN mod(n, 2) = 0 THEN DATE '2026-02-28' + mod(n, 3) END
               FROM generate_series(1, 100) AS n WHERE n < %(end)s"""
    with engine.begin() as connection:
        for end in (0, 1, 60, 1000):
            plain = read_table(connection, query, schema, {"end": end})
            assert read_grouped(connection, query, schema, {"end": end}).sort_by("id") == plain.sort_by("id")
        alone = "SELECT md5('one')::uuid WHERE {}"
        for where, found in (("true", 1), ("false", 0)):
            assert (
                read_grouped(
                    connection, alone.format(where), schema.empty_table().select(["id"]).schema
                ).num_rows
                == found
            )


def test_reading_in_pieces(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_READ_BYTES", 20)
    schema = pa.schema([("word", pa.string()), ("day", pa.date32()), ("yes", pa.bool_())])
    with engine.begin() as connection:
        copy_table(connection, "thing", things(*[(f"w{at}", "2026-01-01", "true", None) for at in range(10)]))
        pieces = list(
            read_batches(
                connection,
                "SELECT word, day, yes FROM staging.thing WHERE word <> %(word)s ORDER BY word",
                schema,
                {"word": "w3"},
            )
        )
    assert len(pieces) > 1
    rows = pa.concat_tables(pieces).to_pylist()
    assert [row["word"] for row in rows] == ["w0", "w1", "w2", "w4", "w5", "w6", "w7", "w8", "w9"]
    assert (rows[0]["day"], rows[0]["yes"]) == (dt.date(2026, 1, 1), True)


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        (things(("a", None, None, None), ("b", "Jan Jansen", None, None)), "row 2, column day"),
        (things(("Jan Jansen\0", None, None, None)), "row 1"),
        (things(("a", None, None, "Jan Jansen")), "column number"),
    ],
)
def test_an_error_names_the_place_and_not_the_value(engine: Engine, rows: pa.Table, place: str) -> None:
    with engine.begin() as connection, pytest.raises(HubError, match=place) as raised:
        copy_table(connection, "thing", rows)
    assert "Jansen" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert "staging.thing" in str(raised.value)


def test_a_violated_constraint_is_named_without_its_key(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE UNIQUE INDEX thing_word ON staging.thing (word)"))
    twice = things(("Jansen", None, None, None), ("Jansen", None, None, None))
    with engine.connect() as connection, pytest.raises(HubError, match="constraint thing_word") as raised:
        copy_table(connection, "thing", twice)
    assert "Jansen" not in str(raised.value)


def test_parameters_do_not_reach_an_error(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(HubError) as raised, without_data("asking"):
        connection.execute(text("SELECT * FROM nowhere WHERE name = :name"), {"name": "Jansen"})
    assert str(raised.value) == "asking failed: UndefinedTable, SQLSTATE 42P01"


def test_a_query_that_fails_on_the_way_is_told_and_the_connection_goes_on(engine: Engine) -> None:
    schema = pa.schema([("n", pa.string())])
    with engine.connect() as connection:
        for rows in (3, 200_000):
            with pytest.raises(HubError, match="DivisionByZero"), connection.begin_nested():
                read_table(
                    connection,
                    f"SELECT (1 / (n - {rows}))::text FROM generate_series(1, {rows}) AS n",
                    schema,
                )
            found = read_table(connection, f"SELECT n::text FROM generate_series(1, {rows}) AS n", schema)
            assert found["n"].to_pylist() == [str(number) for number in range(1, rows + 1)]
