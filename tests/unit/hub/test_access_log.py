"""The access log: what a line says, how old ones go, and that persons can be taken out of it."""

import datetime as dt
from uuid import UUID

from sqlalchemy import Connection, Engine, select, update

from cdm_pipelines.hub import access_log
from cdm_pipelines.hub.access_log import Reading
from cdm_pipelines.hub.schema_access import access_log as table

ANNA, PIET, ELS = (UUID(int=number) for number in (1, 2, 3))
READING = Reading("anna", "service", "service", "cdm customer")
NOON = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


def lines(connection: Connection) -> list[tuple[list[UUID], int]]:
    rows = connection.execute(select(table.c.golden_ids, table.c.rows).order_by(table.c.access_id))
    return [(list(ids), number) for ids, number in rows]


def test_a_line_counts_the_customers_unless_it_is_told_how_many_rows(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        access_log.note(connection, READING, ["user.name", "user.name"], golden_ids=[PIET, ANNA])
        access_log.note(connection, READING, ["user.name"], rows=1_000)
        assert lines(connection) == [([ANNA, PIET], 2), ([], 1_000)]
        assert connection.scalars(select(table.c.categories)).all() == [["user.name"], ["user.name"]]


def test_many_customers_are_in_several_lines_and_one_is_taken_out_of_one_of_them(hub_engine: Engine) -> None:
    many = [UUID(int=number) for number in range(2 * access_log.MOST + 1)]
    with hub_engine.begin() as connection:
        access_log.note(connection, READING, ["user.name"], golden_ids=many)
        found = lines(connection)
        assert [number for _, number in found] == [access_log.MOST, access_log.MOST, 1]
        assert sorted(one for ids, _ in found for one in ids) == many
        assert access_log.take_out(connection, [many[3]]) == 1


def test_lines_of_before_a_moment_are_forgotten_and_later_ones_stay(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        for minutes, golden_id in ((-1, ANNA), (0, PIET), (1, ELS)):
            access_log.note(connection, READING, ["user.name"], golden_ids=[golden_id])
            connection.execute(
                update(table)
                .where(table.c.golden_ids == [golden_id])
                .values(accessed_at=NOON + dt.timedelta(minutes=minutes))
            )
        assert access_log.forget(connection, NOON) == 1
        assert lines(connection) == [([PIET], 1), ([ELS], 1)]


def test_who_is_taken_out_is_in_no_line_and_all_lines_stay(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        for ids in ([ANNA], [ANNA, PIET], [ELS]):
            access_log.note(connection, READING, ["user.name"], golden_ids=ids)
        assert access_log.take_out(connection, [ANNA]) == 2
        assert lines(connection) == [([], 1), ([PIET], 2), ([ELS], 1)]
