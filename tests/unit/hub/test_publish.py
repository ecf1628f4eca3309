"""Write, audit, publish: readers see one version or the other, and a rerun touches nothing."""

import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import hub_examples as examples
import pyarrow as pa
import pytest
from hub_examples import promote
from sqlalchemy import Engine, text

from cdm_pipelines.hub.audit import audit, figures
from cdm_pipelines.hub.differences import Change
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.publish import PublishResult
from cdm_pipelines.hub.schema import customer_order
from cdm_pipelines.hub.staging import stage


def log(engine: Engine) -> list[dict[str, dict[str, int]]]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT changes FROM ops.publication ORDER BY publication_id")))


def affected(result: PublishResult) -> dict[str, Change]:
    return {name: change for name, change in result.changes.items() if change.any}


def test_the_first_publication(hub_engine: Engine) -> None:
    result = examples.published(hub_engine)
    assert affected(result) == {
        "golden_id": Change(3, 0, 0, 0),
        "customer": Change(3, 0, 0, 0),
        "crosswalk": Change(5, 0, 0, 0),
        "provenance": Change(len(examples.everything(hub_engine)["golden.provenance"]), 0, 0, 0),
    }
    anna = examples.everything(hub_engine)["golden.customer"]
    assert {(row["surname"], row["record_count"]) for row in anna} == {("Berg", 2), ("Jansen", 2), (None, 1)}
    assert log(hub_engine)[0]["customer"] == {"inserted": 3, "updated": 0, "deleted": 0}


def test_a_rerun_touches_no_row_and_writes_no_log(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    before = examples.everything(hub_engine)
    result = examples.published(hub_engine)
    assert examples.everything(hub_engine) == before
    assert (affected(result), result.publication_id, len(log(hub_engine))) == ({}, None, 1)
    assert result.changes["customer"] == Change(0, 0, 0, 3)
    assert result.changes["customer"].rows == 3


def test_only_what_differs_is_touched(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    before = {row["golden_id"]: row for row in examples.everything(hub_engine)["golden.customer"]}
    result = examples.published(hub_engine, examples.changed("003A", city="Gouda"))
    after = {row["golden_id"]: row for row in examples.everything(hub_engine)["golden.customer"]}
    assert affected(result) == {"customer": Change(0, 1, 0, 2)}
    assert [row["city"] for golden, row in after.items() if row != before[golden]] == ["Gouda"]
    assert log(hub_engine)[1:] == [{"customer": {"inserted": 0, "updated": 1, "deleted": 0}}]


def test_customers_come_and_go(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    merged = examples.published(hub_engine, examples.changed("001X", cluster="piet"))
    assert merged.changes["customer"] == Change(0, 1, 1, 1)
    assert merged.changes["golden_id"] == Change(0, 1, 0, 2)
    parted = examples.published(hub_engine)  # the two persons keep the id, being more than the organisation
    assert parted.changes["customer"] == Change(1, 2, 0, 0), "a new organisation, and its employee's employer"
    assert parted.changes["golden_id"] == Change(1, 0, 0, 3)


def test_a_value_that_becomes_null_is_a_change(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    result = examples.published(hub_engine, examples.changed("003A", birth_date=None))
    assert result.changes["customer"] == Change(0, 1, 0, 2)


def test_tables_that_are_left_out_stay(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    tables = examples.version(hub_engine, examples.changed("003A", city="Gouda"))
    result = promote(hub_engine, stage(hub_engine, {"customer": tables["customer"]}).token)
    assert affected(result) == {"customer": Change(0, 1, 0, 2)}
    assert result.changes["crosswalk"] == Change(0, 0, 0, 5)


def test_pieces_are_one_table(hub_engine: Engine) -> None:
    tables = examples.version(hub_engine)
    whole = tables["crosswalk"]
    pieces: dict[str, pa.Table | Iterable[pa.Table]] = {
        **tables,
        "crosswalk": (whole.slice(at, 1) for at in range(whole.num_rows)),
    }
    assert stage(hub_engine, pieces).rows["crosswalk"] == 5


def test_an_aborted_staging_leaves_the_one_before(hub_engine: Engine) -> None:
    first = examples.staged(hub_engine)
    wrong = examples.version(hub_engine)
    wrong["customer"] = examples.version(hub_engine, examples.changed("003A", birth_date="1980-02-30"))[
        "customer"
    ]
    with pytest.raises(HubError, match=r"loading staging\.customer failed: .* column birth_date"):
        stage(hub_engine, wrong)
    assert promote(hub_engine, first.token).changes["customer"].inserted == 3


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"customers": pa.table({})}, "customers is not a published table; choose from .*customer"),
        (
            {"crosswalk": pa.table({"source": ["crm"], "colour": ["red"]})},
            "lacks active, .* has besides colour",
        ),
    ],
)
def test_what_cannot_be_staged(hub_engine: Engine, tables: dict[str, pa.Table], message: str) -> None:
    with pytest.raises(HubError, match=message):
        stage(hub_engine, tables)


def test_only_what_was_checked_is_published(hub_engine: Engine) -> None:
    checked = examples.staged(hub_engine)
    examples.staged(hub_engine, examples.changed("003A", city="Gouda"))
    with pytest.raises(HubError, match="Another version has been staged"):
        promote(hub_engine, checked.token)
    assert examples.everything(hub_engine)["golden.customer"] == []


def test_publishing_twice_does_no_harm(hub_engine: Engine) -> None:
    done = examples.staged(hub_engine)
    promote(hub_engine, done.token)
    before = examples.everything(hub_engine)
    again = promote(hub_engine, done.token)
    assert (affected(again), again.changes["customer"].rows) == ({}, 3)
    assert examples.everything(hub_engine) == before


def test_staged_rows_lost_in_a_crash_are_not_published(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    before = examples.everything(hub_engine)
    token = examples.staged(hub_engine).token
    with hub_engine.begin() as connection:
        connection.execute(text("TRUNCATE staging.customer"))  # what a crash does to an unlogged table
    with pytest.raises(HubError, match=r"staging\.customer has 0 rows of the 3"):
        promote(hub_engine, token)
    assert examples.everything(hub_engine) == before


def test_readers_see_one_version_or_the_other(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    question = text(
        """SELECT (SELECT array_agg(city ORDER BY golden_id) FROM golden.customer),
                  (SELECT array_agg(active::text ORDER BY source, record_id) FROM golden.crosswalk)"""
    )
    versions = [examples.PEOPLE, [{**row, "city": "Gouda", "active": False} for row in examples.PEOPLE]]
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        with hub_engine.connect() as connection:
            while not done.is_set():
                seen.add(str(connection.execute(question).one()))
                connection.rollback()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        expected = set()
        for at in range(8):
            examples.published(hub_engine, versions[at % 2])
            with hub_engine.connect() as connection:
                expected.add(str(connection.execute(question).one()))
    finally:
        done.set()
        reader.join()
    assert len(expected) == 2
    assert seen <= expected


PUBLISH_AND_STOP_HALF_WAY = """
import sys, time
from sqlalchemy import create_engine
from cdm_pipelines.hub import publish

def stop(connection, publication, changes):
    assert changes
    print("half way", flush=True)
    time.sleep(600)

publish.publications.finish = stop
with create_engine(sys.argv[1]).begin() as connection:
    publish.promote(connection)
"""


@pytest.mark.slow
def test_a_killed_publication_leaves_the_last_version_in_service(hub_engine: Engine, tmp_path: Path) -> None:
    examples.published(hub_engine)
    before = examples.everything(hub_engine)
    token = examples.staged(hub_engine, examples.changed("003A", city="Gouda")).token
    program = tmp_path / "program.py"
    program.write_text(PUBLISH_AND_STOP_HALF_WAY, encoding="utf-8")
    url = hub_engine.url.render_as_string(hide_password=False)
    with subprocess.Popen([sys.executable, program, url], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half way\n"
        assert examples.everything(hub_engine) == before
        process.kill()
    assert examples.everything(hub_engine) == before
    assert promote(hub_engine, token).changes["customer"] == Change(0, 1, 0, 2)


def test_a_sound_version_passes_the_audit(hub_engine: Engine) -> None:
    examples.staged(hub_engine)
    with hub_engine.connect() as connection:
        assert audit(connection, len(examples.PEOPLE)) == []


DAMAGES = [
    ("DELETE FROM staging.crosswalk WHERE source = 'shop'", "reconciliation"),
    ("UPDATE staging.customer SET record_count = 9 WHERE surname = 'Berg'", "reconciliation"),
    ("UPDATE staging.customer SET status = 'inactive' WHERE surname = 'Berg'", "reconciliation"),
    ("INSERT INTO staging.customer SELECT * FROM staging.customer WHERE surname = 'Berg'", "uniqueness"),
    ("UPDATE staging.crosswalk SET record_id = '77' WHERE record_id = '78'", "uniqueness"),
    ("INSERT INTO staging.provenance SELECT * FROM staging.provenance", "uniqueness"),
    ("INSERT INTO staging.golden_id SELECT * FROM staging.golden_id", "uniqueness"),
    ("DELETE FROM staging.customer WHERE surname = 'Berg'", "referential_integrity"),
    ("DELETE FROM staging.crosswalk WHERE source = 'crm'", "referential_integrity"),
    ("UPDATE staging.provenance SET golden_id = gen_random_uuid()", "referential_integrity"),
    ("UPDATE staging.provenance SET record_id = '001X'", "referential_integrity"),
    ("UPDATE staging.customer SET employer_id = gen_random_uuid()", "referential_integrity"),
    ("UPDATE staging.golden_id SET status = 'retired'", "referential_integrity"),
    (
        "UPDATE staging.golden_id SET status = 'alias', alias_of = gen_random_uuid()",
        "referential_integrity",
    ),
]


def test_the_audit_finds_damage(hub_engine: Engine) -> None:
    examples.staged(hub_engine)
    for damage, problem in DAMAGES:
        with hub_engine.connect() as connection:  # and is rolled back
            connection.execute(text(damage))
            connection.execute(
                text(
                    """UPDATE ops.staged SET rows = CASE table_name
                         WHEN 'customer' THEN (SELECT count(*) FROM staging.customer)
                         WHEN 'crosswalk' THEN (SELECT count(*) FROM staging.crosswalk)
                         WHEN 'provenance' THEN (SELECT count(*) FROM staging.provenance)
                         WHEN 'golden_id' THEN (SELECT count(*) FROM staging.golden_id)
                         ELSE rows END"""
                )
            )
            problems = audit(connection, len(examples.PEOPLE))
        assert problem in {found.audit for found in problems}, damage
        assert all(found.count > 0 and "Berg" not in found.text for found in problems)


def test_a_forgotten_id_is_found(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    tables = examples.version(hub_engine, examples.changed("001X", cluster="piet"))
    current = pa.compute.equal(tables["golden_id"]["status"], "current")
    stage(hub_engine, {**tables, "golden_id": tables["golden_id"].filter(current)})
    with hub_engine.connect() as connection:
        [problem] = audit(connection, len(examples.PEOPLE))
    assert (problem.count, problem.text) == (1, "1 published ids are missing from the registry")


def test_figures_for_the_limits(hub_engine: Engine) -> None:
    examples.staged(hub_engine)
    with hub_engine.connect() as connection:
        first = figures(connection)
    promote(hub_engine)
    examples.staged(hub_engine, examples.changed("001X", cluster="piet"))
    with hub_engine.connect() as connection:
        second = figures(connection)
    assert (first.customers, first.drift, first.largest_customer) == (3, 0.0, 2)
    assert (second.customers, second.published_customers, second.largest_customer) == (2, 3, 3)
    assert second.drift == pytest.approx(1 / 3)
    assert first.size_drift == 0
    assert second.size_drift == pytest.approx(1 / 2)


def test_a_first_delivery_is_no_drift_and_the_next_one_is(hub_engine: Engine) -> None:
    examples.published(hub_engine)
    like = examples.PEOPLE[0]

    def loyalty(count: int) -> list[examples.Row]:
        new = [
            {**like, "source": "loyalty", "entity": "member", "record_id": f"L{n}", "cluster": f"new {n}"}
            for n in range(count)
        ]
        return [*examples.PEOPLE, *new]

    examples.staged(hub_engine, loyalty(20))
    with hub_engine.connect() as connection:
        first = figures(connection)
    assert (first.customers, first.new_customers, first.drift, first.size_drift) == (23, 20, 0.0, 0.0)
    promote(hub_engine)
    examples.staged(hub_engine, loyalty(43))
    with hub_engine.connect() as connection:
        second = figures(connection)
    assert (second.new_customers, second.drift) == (0, 1.0)


def test_nothing_to_audit_is_said(hub_engine: Engine) -> None:
    with hub_engine.connect() as connection:
        for ask in (lambda: audit(connection, 0), lambda: figures(connection)):
            with pytest.raises(HubError, match="Nothing is staged"):
                ask()


def test_orders_are_published_with_their_customer(hub_engine: Engine) -> None:
    tables = examples.version(hub_engine)
    anna = tables["crosswalk"]["golden_id"][0].as_py()
    order = {
        "source": "shop",
        "entity": "order",
        "record_id": "1",
        "golden_id": anna,
        "active": "true",
        "order_id": "1",
        "ordered_at": "2026-05-31T22:00:00Z",
        "total_amount": "12.50",
    }
    names = [column.name for column in customer_order.columns]
    orders = pa.table({name: pa.array([order.get(name)], pa.string()) for name in names})
    stage(hub_engine, {**tables, "customer_order": orders})
    with hub_engine.connect() as connection:
        assert audit(connection, len(examples.PEOPLE)) == []
    assert promote(hub_engine).changes["customer_order"] == Change(1, 0, 0, 0)
    with hub_engine.connect() as connection:
        row = connection.execute(
            text("SELECT golden_id::text, total_amount, ordered_at FROM golden.customer_order")
        )
        assert [str(value) for value in row.one()] == [anna, "12.50", "2026-05-31 22:00:00+00:00"]


def test_an_unknown_customer_of_an_order_is_found(hub_engine: Engine) -> None:
    tables = examples.version(hub_engine)
    names = [column.name for column in customer_order.columns]
    values = {"source": "shop", "entity": "order", "record_id": "1", "active": "true"}
    values["golden_id"] = "00000000-0000-5000-8000-000000000000"
    orders = pa.table({name: pa.array([values.get(name)], pa.string()) for name in names})
    stage(hub_engine, {**tables, "customer_order": orders})
    with hub_engine.connect() as connection:
        assert [p.text for p in audit(connection, len(examples.PEOPLE))] == [
            "1 orders name a customer that is not staged"
        ]
