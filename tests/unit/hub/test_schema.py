"""The tables that departments read: typed, commented, and equal to what is declared."""

from alembic import command
from sqlalchemy import Engine, inspect, text

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.hub import migrate
from cdm_pipelines.hub.migrate import differences
from cdm_pipelines.hub.schema import metadata


def test_migrations_make_exactly_what_is_declared(hub_engine: Engine) -> None:
    assert differences(hub_engine) == []


def test_every_table_and_column_says_what_it_is_and_how_private(hub_engine: Engine) -> None:
    found = inspect(hub_engine)
    for table in metadata.tables.values():
        assert found.get_table_comment(table.name, table.schema)["text"], table.name
        for column in found.get_columns(table.name, table.schema):
            comment = column["comment"] or ""
            assert ". Privacy category: " in comment, f"{table.name}.{column['name']}"


def test_golden_columns_carry_the_words_of_the_canonical_model(hub_engine: Engine) -> None:
    comments = {c["name"]: c["comment"] for c in inspect(hub_engine).get_columns("customer", "golden")}
    for attribute in attributes(Entity.PARTY, golden_only=True):
        assert comments[attribute.name] == f"{attribute.description} Privacy category: {attribute.privacy}."


def test_values_are_typed(hub_engine: Engine) -> None:
    query = text(
        """SELECT column_name, data_type FROM information_schema.columns
           WHERE table_schema = 'golden' AND table_name = 'customer'"""
    )
    with hub_engine.connect() as connection:
        types = {row.column_name: row.data_type for row in connection.execute(query)}
    assert (types["golden_id"], types["birth_date"], types["email_opt_out"], types["surname"]) == (
        "uuid",
        "date",
        "boolean",
        "text",
    )


def test_an_empty_database_again(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        command.downgrade(migrate._config(connection), "base")  # noqa: SLF001 - no command of ours goes back
        assert "golden" not in inspect(connection).get_schema_names()
    migrate.migrate(hub_engine)
    assert differences(hub_engine) == []
