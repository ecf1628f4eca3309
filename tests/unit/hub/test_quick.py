"""Statements given to the driver as they are: same transaction, values bound, texts of several statements."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, text

from cdm_pipelines.hub import quick


@pytest.fixture
def connection(hub_engine: Engine) -> Iterator[Connection]:
    with hub_engine.connect() as connection:
        yield connection


def test_what_is_written_is_committed_with_the_connection(hub_engine: Engine, connection: Connection) -> None:
    quick.run(connection, "CREATE TABLE public.quick (word text)")
    quick.run(connection, "INSERT INTO public.quick VALUES (:word)", {"word": "first"})
    connection.commit()
    quick.run(connection, "INSERT INTO public.quick VALUES (:word)", {"word": "second"})
    connection.rollback()
    with hub_engine.connect() as other:
        assert other.scalars(text("SELECT word FROM public.quick")).all() == ["first"]


def test_a_value_is_never_read_as_a_statement(connection: Connection) -> None:
    evil = "'; DROP TABLE golden.customer; -- :x %(y)s"
    assert quick.rows(connection, "SELECT :a, CAST(:b AS text[])", {"a": evil, "b": [evil]}) == [
        (evil, [evil])
    ]
    assert quick.mappings(connection, "SELECT 7 % 4 AS rest, :a AS said", {"a": evil}) == [
        {"rest": 3, "said": evil}
    ]
    assert quick.scalars(connection, "SELECT 7 % CAST(:a AS int)", {"a": 4}) == [3]


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["", " ", "NULL", "null", "a,b", "{a}", '"', "\\\\", '\\\\"', "'", "O'Neil", "é", "a\nb", "%s :x"],
        [UUID("5f0c1a2b-3c4d-4e5f-8a9b-000000000001"), UUID("5f0c1a2b-3c4d-4e5f-8a9b-000000000002")],
    ],
)
def test_a_list_is_an_array_of_these_values(connection: Connection, values: list[object]) -> None:
    kind = "uuid" if values and isinstance(values[0], UUID) else "text"
    asked = (
        f"SELECT one FROM unnest(CAST(:values AS {kind}[])) WITH ORDINALITY AS t (one, place) ORDER BY place"
    )
    assert list(quick.scalars(connection, asked, {"values": values})) == values
    compared = f"SELECT count(*) FROM unnest(CAST(:all AS {kind}[])) AS t (one) WHERE one = ANY(:values)"
    assert quick.scalars(connection, compared, {"all": values, "values": values}) == [len(values)]


def test_a_text_without_values_is_given_as_it_is(connection: Connection) -> None:
    quick.run(connection, """SET LOCAL application_name = 'a:b%c'; SET LOCAL statement_timeout = '7s'""")
    assert quick.scalars(connection, "SELECT current_setting('application_name')") == ["a:b%c"]
    assert quick.scalars(connection, "SELECT current_setting('statement_timeout')") == ["7s"]
