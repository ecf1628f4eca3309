"""What the hub forgets: nothing that a sink has yet to get, nothing that is kept for good."""

import datetime as dt

import pytest
from sqlalchemy import Connection, Engine, text

from cdm_pipelines.hub import feed
from cdm_pipelines.hub.pruning import forget_events, forget_versions

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
LONG_AGO = NOW - dt.timedelta(days=100)


@pytest.fixture
def connection(hub_engine: Engine) -> Connection:
    """Five events of long ago and one of now, and a former version that ended long ago."""
    with hub_engine.begin() as connection:
        for at in (LONG_AGO, NOW):
            connection.execute(
                text(
                    "INSERT INTO ops.publication (changes, published_at) VALUES ('{\"customer\": {}}', :at)"
                ),
                {"at": at},
            )
        old, new = connection.execute(text("SELECT publication_id FROM ops.publication ORDER BY 1")).scalars()
        for number, publication in enumerate([old] * 5 + [new], start=1):
            connection.execute(
                text(
                    "INSERT INTO ops.outbox (event_id, publication_id, golden_id, type) "
                    "VALUES (gen_random_uuid(), :publication, gen_random_uuid(), 'customer.created')"
                ),
                {"publication": publication},
            )
            assert number
    return hub_engine.connect()


def _left(connection: Connection) -> list[int]:
    return list(connection.scalars(text("SELECT position FROM ops.outbox ORDER BY 1")))


def _sink(connection: Connection, name: str, position: int) -> None:
    connection.execute(
        text("INSERT INTO ops.sink (name, position) VALUES (:name, :position)"),
        {"name": name, "position": position},
    )


def test_events_go_when_every_sink_has_had_them(connection: Connection) -> None:
    with connection:
        _sink(connection, "a", 3)
        _sink(connection, "b", 6)
        _sink(connection, "no longer in the policy", 0)
        done = forget_events(connection, NOW, ["a", "b"])
        assert (done.rows, _left(connection)) == (3, [4, 5, 6])
        assert done.size > 0


def test_it_is_remembered_up_to_where_events_are_gone(connection: Connection) -> None:
    with connection:
        assert feed.pruned(connection) == 0
        _sink(connection, "a", 3)
        forget_events(connection, NOW, ["a"])
        assert feed.pruned(connection) == 3
        forget_events(connection, NOW, ["a"])
        assert feed.pruned(connection) == 3
        forget_events(connection, NOW + dt.timedelta(days=1), [])
        assert (feed.pruned(connection), _left(connection)) == (5, [6])


def test_a_sink_that_was_never_served_holds_all_back(connection: Connection) -> None:
    with connection:
        _sink(connection, "a", 6)
        assert forget_events(connection, NOW, ["a", "new"]).rows == 0


def test_dead_letters_stay_and_so_does_the_newest_event(connection: Connection) -> None:
    with connection:
        connection.execute(
            text(
                "INSERT INTO ops.dead_letter (sink, position, golden_id, attempts, error) "
                "VALUES ('a', 2, gen_random_uuid(), 1, 'no')"
            )
        )
        assert forget_events(connection, NOW + dt.timedelta(days=1), []).rows == 4
        assert _left(connection) == [2, 6]


def test_nothing_younger_goes(connection: Connection) -> None:
    with connection:
        assert forget_events(connection, LONG_AGO, []).rows == 0


def test_versions_go_that_ended_long_ago(connection: Connection) -> None:
    version = text(
        "INSERT INTO golden.customer_history (golden_id, party_kind, status, record_count, source_count, first_seen, "
        "last_seen, valid_from, valid_to, opened_by, closed_by) "
        "VALUES (gen_random_uuid(), 'person', 'active', 1, 1, '2026-01-01', '2026-01-01', :start, :end, 1, 2)"
    )
    with connection:
        connection.execute(version, {"start": LONG_AGO, "end": LONG_AGO + dt.timedelta(days=1)})
        connection.execute(version, {"start": LONG_AGO, "end": NOW})
        assert forget_versions(connection, NOW).rows == 1
        assert connection.scalar(text("SELECT count(*) FROM golden.customer_history")) == 1
