"""A publication that writes much leaves tables that are quick to read, whether or not the server runs on."""

import pytest
from hub_examples import published
from sqlalchemy import Engine, create_engine, text

from cdm_pipelines.hub import upkeep
from cdm_pipelines.hub.schema import SCHEMAS

MANY = [
    {"source": "crm", "entity": "contact", "record_id": str(n), "cluster": str(n), "surname": "Berg"}
    for n in range(1500)
]
_VACUUMED = (
    "SELECT last_vacuum IS NOT NULL FROM pg_stat_user_tables WHERE relid = 'golden.customer'::regclass"
)
_OURS_ALONE = "ALTER TABLE golden.customer SET (autovacuum_enabled = false)"  # else the server may come first


def _flushed(engine: Engine) -> None:
    engine.dispose()  # a connection tells its counts at the latest when it ends


def test_tables_are_vacuumed_after_a_large_publication_only(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        connection.execute(text(_OURS_ALONE))
    published(hub_engine, MANY)
    _flushed(hub_engine)
    assert "golden.customer" in upkeep.vacuum(hub_engine)
    with hub_engine.connect() as connection:
        assert connection.scalar(
            text(_VACUUMED)
        )  # how much is visible to all depends on who else reads meanwhile

    published(hub_engine, [{**MANY[0], "surname": "Dijk"}, *MANY[1:]])
    _flushed(hub_engine)
    assert "golden.customer" not in upkeep.vacuum(hub_engine)


@pytest.mark.parametrize("schema", sorted(SCHEMAS))
def test_tables_of_every_schema_are_vacuumed_and_counted(hub_engine: Engine, schema: str) -> None:
    with hub_engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {schema}.bulk AS SELECT generate_series(1, 2000) AS n"))
        connection.execute(text(f"ALTER TABLE {schema}.bulk SET (autovacuum_enabled = false)"))
    _flushed(hub_engine)
    assert upkeep.vacuum(hub_engine) == [f"{schema}.bulk"]
    upkeep.analyze(hub_engine)
    with hub_engine.connect() as connection:
        counted = "SELECT count(*) FROM pg_stats WHERE schemaname = :schema AND tablename = 'bulk'"
        assert connection.scalar(text(counted), {"schema": schema}) == 1


def test_the_log_of_before_ends_where_the_user_may_end_it(hub_engine: Engine) -> None:
    begins = text("SELECT redo_lsn FROM pg_control_checkpoint()")
    with hub_engine.begin() as connection:
        connection.execute(text("CREATE TABLE written AS SELECT 1"))
        before = connection.scalar(text("SELECT pg_current_wal_insert_lsn()"))
    assert upkeep.checkpoint(hub_engine)
    with hub_engine.connect() as connection:
        later = text("SELECT CAST(:now AS pg_lsn) >= CAST(:before AS pg_lsn)")
        assert connection.scalar(later, {"now": connection.scalar(begins), "before": before})
        connection.execute(text("CREATE ROLE nobody_special LOGIN"))
        connection.commit()
    few_rights = create_engine(hub_engine.url.set(username="nobody_special"))
    assert not upkeep.checkpoint(few_rights), "and nothing fails"
    few_rights.dispose()
    with hub_engine.begin() as connection:
        connection.execute(text("DROP ROLE nobody_special"))
