"""History: what was known about a customer at any time, written only where something changed."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import hub_examples as examples
import pytest
from alembic import command
from hub_examples import promote
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from cdm_pipelines.hub import history, migrate
from cdm_pipelines.hub.schema import customer, customer_history
from cdm_pipelines.hub.staging import stage
from cdm_pipelines.identity import golden_id

Row = dict[str, Any]
ANNA, ACME, PIET = (
    golden_id("crm", "contact", "003A"),
    golden_id("crm", "account", "001X"),
    golden_id("erp", "customer", "77"),
)
COLUMNS = [column.name for column in customer.columns if column.name != history.MOVES_DAILY]


def rows(engine: Engine, source: str, **values: Any) -> dict[str, Row]:
    """Customers by id, without what moves daily."""
    query = text(f"SELECT {', '.join(COLUMNS)} FROM {source}")
    with engine.connect() as connection:
        return {str(row["golden_id"]): dict(row) for row in connection.execute(query, values).mappings()}


def provenance(engine: Engine) -> dict[str, list[Row]]:
    query = text("SELECT * FROM golden.provenance ORDER BY golden_id, attribute")
    found: dict[str, list[Row]] = {}
    with engine.connect() as connection:
        for row in connection.execute(query).mappings():
            found.setdefault(str(row["golden_id"]), []).append(dict(row))
    return found


def published_at(engine: Engine) -> dt.datetime:
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT max(published_at) FROM ops.publication"))
    assert isinstance(found, dt.datetime)
    return found


def kept(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM golden.customer_history")) or 0)


def test_history_has_every_column_of_a_customer() -> None:
    assert {column.name for column in customer.columns} < {column.name for column in customer_history.columns}


def test_a_first_load_and_a_rerun_write_nothing(hub_engine: Engine) -> None:
    first = examples.published(hub_engine)
    again = examples.published(hub_engine)
    assert (first.history.inserted, again.history.inserted, kept(hub_engine)) == (0, 0, 0)
    with hub_engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM golden.customer_version")) == 0
    later = [{**row, "last_seen": "2026-06-02"} for row in examples.PEOPLE]
    assert examples.published(hub_engine, later).changes["customer"].updated == 3
    assert kept(hub_engine) == 0, "having been seen once more is no new version"


EDITS = st.lists(
    st.tuples(
        st.integers(0, len(examples.PEOPLE) - 1),
        st.sampled_from(["city", "email", "cluster", "absent", "nothing"]),
        st.sampled_from(["x", "y", "anna"]),
    ),
    min_size=0,
    max_size=3,
)


def edited(people: list[Row], edits: list[tuple[int, str, str]]) -> list[Row]:
    people = [dict(row) for row in people]
    for at, what, value in edits:
        values = {"email": f"{value}@example.nl"}
        if what == "absent":
            people[at]["absent"] = not people[at].get("absent")
        elif what != "nothing":
            people[at][what] = values.get(what, value)
    return people


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(EDITS, min_size=2, max_size=4))
def test_as_of_gives_each_version_back_and_only_changes_are_written(
    hub_engine: Engine, days: list[list[tuple[int, str, str]]]
) -> None:
    people, seen = [dict(row) for row in examples.PEOPLE], []
    examples.published(hub_engine, people)
    for number, edits in enumerate(days, start=2):
        before, told = rows(hub_engine, "golden.customer"), provenance(hub_engine)
        people = edited(people, edits)
        present = [
            {key: value for key, value in row.items() if key != "absent"}
            | {"last_seen": f"2026-06-{number:02}"}
            for row in people
            if not row.get("absent")
        ] or [dict(examples.PEOPLE[0])]
        result = examples.published(hub_engine, present)
        now, telling = rows(hub_engine, "golden.customer"), provenance(hub_engine)
        ended = [one for one in before if now.get(one) != before[one] or told.get(one) != telling.get(one)]
        assert result.history.inserted == len(ended)
        if result.publication_id is not None:
            seen.append((published_at(hub_engine), now, telling))
    for at, then, telling in seen:
        assert rows(hub_engine, "golden.customer_as_of(:at)", at=at) == then
        with hub_engine.connect() as connection:
            for one, row in then.items():
                found = history.as_of(connection, UUID(one), at)
                assert found is not None
                assert {name: found.golden[name] for name in COLUMNS} == row
                assert list(found.provenance) == [
                    {key: value for key, value in line.items() if key != "golden_id"} for line in telling[one]
                ]
                assert rows(hub_engine, "golden.customer_as_of(:at, :id)", at=at, id=one) == {one: row}


def one(engine: Engine, golden: str, at: dt.datetime) -> history.Version | None:
    with engine.connect() as connection:
        return history.as_of(connection, UUID(golden), at)


def test_which_source_said_so(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    first = published_at(hub_engine)
    examples.published(hub_engine, examples.changed("003A", birth_date=None))
    examples.published(hub_engine, examples.changed("77", birth_date="1980-03-01"))
    then, now = one(hub_engine, ANNA, first), one(hub_engine, ANNA, dt.datetime.now(dt.UTC))
    assert then is not None
    assert now is not None
    assert then.golden["birth_date"] == dt.date(1980, 2, 29)
    assert (then.source("birth_date")["source"], then.source("birth_date")["record_id"]) == ("crm", "003A")
    assert (then.publication, now.publication, now.valid_to) == (1, 3, None)


def test_a_merged_customer_keeps_its_history(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    before = published_at(hub_engine)
    examples.published(hub_engine, examples.changed("001X", cluster="piet"))
    after = published_at(hub_engine)
    own, merged = one(hub_engine, PIET, before), one(hub_engine, PIET, after)
    assert own is not None
    assert merged is not None
    assert (str(own.golden["golden_id"]), own.golden["surname"]) == (PIET, "Jansen")
    assert str(merged.golden["golden_id"]) == ACME, (
        "an id that ended stands for the customer it was merged into"
    )
    assert list(rows(hub_engine, "golden.customer_as_of(:at, :id)", at=after, id=PIET)) == [ACME]
    with hub_engine.connect() as connection:
        steps = list(history.timeline(history.life(connection, UUID(PIET))))
    assert [step.event for step in steps if step.event != "begins"] == ["ends"]
    assert (steps[-1].at, str(steps[-1].after)) == (after, ACME)


def test_the_timeline_names_what_changed_and_who_said_so(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    examples.published(hub_engine, examples.changed("003A", city="Gouda"))
    with hub_engine.connect() as connection:
        steps = list(history.timeline(history.life(connection, UUID(ANNA))))
    begun: Mapping[str, object] = {step.attribute: step.after for step in steps if step.event == "begins"}
    assert (begun["city"], begun["surname"]) == ("Delft", "Berg")
    (change,) = [step for step in steps if step.event == "changes"]
    assert (change.attribute, change.before, change.after) == ("city", "Delft", "Gouda")
    assert (change.source["source"], change.source["record_id"]) == ("crm", "003A")


def test_before_the_beginning_and_for_unknown_ids_there_is_nothing(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    early = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    assert rows(hub_engine, "golden.customer_as_of(:at)", at=early) == {}
    assert one(hub_engine, ANNA, early) is None
    assert one(hub_engine, "00000000-0000-5000-8000-000000000000", dt.datetime.now(dt.UTC)) is None


def test_all_gone_and_back_again(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    everyone = rows(hub_engine, "golden.customer")
    empty = {
        name: table.slice(0, 0) for name, table in examples.version(hub_engine).items() if name != "golden_id"
    }
    promote(hub_engine, stage(hub_engine, empty).token)
    gone = published_at(hub_engine)
    examples.published(hub_engine)
    assert rows(hub_engine, "golden.customer_as_of(:at)", at=gone) == {}
    assert rows(hub_engine, "golden.customer_as_of(now())") == everyone


def test_a_clock_that_goes_back_does_not_turn_history_round(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    with hub_engine.begin() as connection:
        connection.execute(text("UPDATE ops.publication SET published_at = now() + interval '1 day'"))
    ahead = published_at(hub_engine)
    examples.published(hub_engine, examples.changed("003A", city="Gouda"))
    assert published_at(hub_engine) > ahead
    then = one(hub_engine, ANNA, ahead)
    assert then is not None
    assert then.golden["city"] == "Delft"


@pytest.mark.parametrize("populated", [True, False])
def test_a_hub_of_the_version_before_gets_history_and_search(hub_engine: Engine, populated: bool) -> None:
    if populated:
        examples.published(hub_engine)
    everyone = rows(hub_engine, "golden.customer")
    with hub_engine.begin() as connection:
        command.downgrade(migrate._config(connection), "0001")  # noqa: SLF001 - no command of ours goes back
    migrate.migrate(hub_engine)
    assert rows(hub_engine, "golden.customer_as_of(now())") == everyone
    with hub_engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM golden.search")) == len(everyone)
    examples.published(hub_engine, examples.changed("003A", city="Gouda"))
    assert kept(hub_engine) == (1 if populated else 0)
