"""Recording decisions in the hub: who may be named, what is kept, and that nobody alters it unseen."""

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import committed
import pyarrow as pa
import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from cdm_pipelines.contracts.actor import Actor, ActorError, Role
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.golden import load_policy, survive
from cdm_pipelines.hub.bulk import read_crosswalk, read_registry
from cdm_pipelines.hub.connection import DRIVER
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.migrate import migrate
from cdm_pipelines.hub.publish import promote
from cdm_pipelines.hub.staging import Staging
from cdm_pipelines.identity import CROSSWALK_SCHEMA, REGISTRY_SCHEMA, assign
from cdm_pipelines.identity.chain import Head
from cdm_pipelines.identity.decisions import DecisionError
from cdm_pipelines.records import records_schema
from cdm_pipelines.settings import Settings
from cdm_pipelines.standardise.single import ValueRefusedError
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

STIEN = Actor("Stien", Role.STEWARD)
ROWS = [
    ("crm/contact/1", "anna", "+31101111111"),
    ("shop/customer/2", "anna", "+31102222222"),
    ("erp/customer/3", "piet", None),
    ("erp/customer/4", "piet", None),
    ("shop/customer/5", "klaas", None),
    ("crm/account/6", "acme", None),
]


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings.lake_url)


def publish(
    engine: Engine, settings: Settings, clusters: dict[str, str] | None = None, **phones: str
) -> None:
    """Publish the rows, some of them in another cluster or with another phone number."""
    schema = records_schema(Entity.PARTY)
    rows, labels = [], []
    for name, cluster, phone in ROWS:
        source, entity, record_id = name.split("/")
        kind = "organisation" if entity == "account" else "person"
        day = dict.fromkeys(("extract_date", "first_seen", "last_seen"), "2026-06-01")
        row: dict[str, Any] = {
            "source": source,
            "entity": entity,
            "record_id": record_id,
            "party_kind": kind,
            **day,
        }
        rows.append({**row, "active": True, "country": "NL", "phone": phones.get(f"r{record_id}", phone)})
        labels.append((clusters or {}).get(record_id, cluster))
    records = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)
    parties = tables.records(Lake(settings.lake_url), Entity.PARTY)
    parties.write(records, schema, "made")
    keys = records.select(["source", "entity", "record_id"]).append_column("cluster_id", pa.array(labels))
    with engine.connect() as connection:
        done = assign(
            keys,
            read_registry(connection, REGISTRY_SCHEMA),
            read_crosswalk(connection, CROSSWALK_SCHEMA),
            records,
        )
        given = decisions.corrections(connection, parties)
    golden = survive(
        records, done.crosswalk, load_policy(settings.policies / "survivorship.yaml"), corrected=given
    )
    staged = {
        "golden_id": done.registry,
        "customer": golden.customer,
        "crosswalk": done.crosswalk.append_column("active", records["active"]),
        "provenance": golden.provenance,
    }
    with engine.begin() as connection:
        staging = Staging(connection)
        for name, table in staged.items():
            staging.add(name, table)
        newest = connection.scalar(text("SELECT coalesce(max(decision_id), 0) FROM identity.decision"))
        promote(connection, staging.finish({"decisions": str(newest)}).token)


@pytest.fixture
def hub(hub_engine: Engine, settings: Settings) -> Engine:
    publish(hub_engine, settings)
    return hub_engine


def golden_id(engine: Engine, record_id: str) -> str:
    with engine.connect() as connection:
        query = text("SELECT golden_id FROM golden.crosswalk WHERE record_id = :record")
        return str(connection.scalar(query, {"record": record_id}))


def told(engine: Engine) -> tuple[list[str], list[str], dict[str, int]]:
    """What linkage is told: same, different, confirmed."""
    found = committed.constraints(engine)
    return (
        sorted(found.same["left_id"] + found.same["right_id"]),
        sorted(found.different["left_id"] + found.different["right_id"]),
        dict(zip(found.confirmed["record_id"], found.confirmed["group"], strict=True)),
    )


def test_customers_are_named_by_golden_id_or_record_and_kept_as_records(hub: Engine) -> None:
    anna, piet = golden_id(hub, "1"), golden_id(hub, "3")
    assert committed.same(hub, anna, "shop/customer/5", STIEN).conflict is None
    committed.different(hub, anna, piet, STIEN)
    committed.confirm(hub, piet, STIEN)
    assert told(hub) == (["15"], ["13", "14", "32", "42"], {"3": 3, "4": 3})


def test_a_record_and_its_own_customer_are_told_apart(hub: Engine) -> None:
    committed.different(hub, "erp/customer/3", golden_id(hub, "3"), STIEN)
    assert told(hub)[1] == ["34"]
    with pytest.raises(DecisionError, match="Both names are of one customer"):
        committed.different(hub, golden_id(hub, "3"), golden_id(hub, "4"), STIEN)


def test_decisions_outlive_ids_that_change(hub: Engine, settings: Settings) -> None:
    klaas = golden_id(hub, "5")
    committed.same(hub, klaas, golden_id(hub, "3"), STIEN)
    before = told(hub)
    publish(hub, settings, {"5": "anna"})
    assert golden_id(hub, "5") != klaas
    assert told(hub) == before
    committed.same(hub, klaas, "erp/customer/4", STIEN)
    assert told(hub)[0] == ["35", "45"], "an alias names the record that founded it"
    found = committed.dossier(hub, klaas)
    assert str(found.golden_id) == golden_id(hub, "1")
    assert [one.decision.decision_id for one in found.decisions] == [1, 2]


def test_an_id_whose_founding_record_has_left_stands_for_a_record_that_it_has(
    hub: Engine, settings: Settings
) -> None:
    publish(hub, settings, dict.fromkeys("123", "anna") | {"4": "four"})
    anna = golden_id(hub, "1")
    publish(hub, settings, {"1": "alone", "2": "rest", "3": "rest", "4": "four"})
    assert (golden_id(hub, "2"), golden_id(hub, "1") == anna) == (anna, False)
    committed.same(hub, anna, "shop/customer/5", STIEN)
    assert told(hub)[0] == ["35"]


REFUSED: list[tuple[str, Callable[[Engine, Settings], Any], str]] = [
    ("nobody", lambda e, _: committed.confirm(e, "crm/contact/99", STIEN), "no source record crm/contact/99"),
    ("no id", lambda e, _: committed.confirm(e, "Anna", STIEN), "by its golden id"),
    (
        "unknown",
        lambda e, _: committed.confirm(e, "00000000-0000-5000-8000-000000000001", STIEN),
        "no golden id",
    ),
    ("itself", lambda e, _: committed.same(e, "crm/contact/1", "crm/contact/1", STIEN), "one record"),
    ("kinds", lambda e, _: committed.same(e, "crm/contact/1", "crm/account/6", STIEN), "never one customer"),
    ("nothing to undo", lambda e, _: committed.undo(e, 1, STIEN), "no decision 1"),
    (
        "nobody decides",
        lambda e, _: committed.confirm(e, "crm/contact/1", Actor(" ", Role.STEWARD)),
        "who acts",
    ),
    (
        "too late",
        lambda e, settings: committed.set_value(
            e, settings, "crm/contact/1", "phone", "010-1234567", actor=STIEN, expires=dt.date(2020, 1, 1)
        ),
        "2020-01-01",
    ),
    (
        "not valid",
        lambda e, settings: committed.set_value(e, settings, "crm/contact/1", "phone", "12", actor=STIEN),
        "not a valid phone",
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[0])
def test_what_cannot_be_decided_is_refused_and_not_recorded(
    case: tuple[str, Callable[[Engine, Settings], Any], str], hub: Engine, settings: Settings
) -> None:
    _, decide, reason = case
    with pytest.raises((ActorError, DecisionError, ValueRefusedError), match=reason):
        decide(hub, settings)
    assert committed.logged(hub) == []


def test_an_undone_decision_is_not_undone_again(hub: Engine) -> None:
    committed.confirm(hub, "erp/customer/3", STIEN)
    committed.undo(hub, 1, STIEN)
    with pytest.raises(DecisionError, match="undone already"):
        committed.undo(hub, 1, STIEN)
    assert told(hub) == ([], [], {})


def phone(engine: Engine) -> tuple[str, str, int | None]:
    """Anna's golden number, the rule and the decision."""
    query = """SELECT c.phone, p.rule, p.decision_id FROM golden.customer AS c
               JOIN golden.crosswalk AS x USING (golden_id) JOIN golden.provenance AS p USING (golden_id)
               WHERE x.record_id = '1' AND p.attribute = 'phone'"""
    with engine.connect() as connection:
        return tuple(connection.execute(text(query)).one())


def everything(engine: Engine) -> list[str]:
    query = """SELECT to_jsonb(c)::text FROM golden.customer AS c
               UNION ALL SELECT to_jsonb(p)::text FROM golden.provenance AS p ORDER BY 1"""
    with engine.connect() as connection:
        return list(connection.scalars(text(query)))


def states(engine: Engine) -> list[str]:
    return [one.state for one in committed.logged(engine)]


def test_a_set_value_is_published_lapses_with_its_source_and_is_undone_without_a_trace(
    hub: Engine, settings: Settings
) -> None:
    before = everything(hub)
    anna = golden_id(hub, "1")
    committed.set_value(hub, settings, anna, "phone", "010 987 6543", actor=STIEN)
    publish(hub, settings)
    assert phone(hub) == ("+31109876543", "steward", 1)
    assert states(hub) == ["effective"]
    publish(hub, settings, r2="+31103333333")
    assert phone(hub)[2] is None
    assert states(hub) == ["lapsed"]
    publish(hub, settings)
    committed.set_value(hub, settings, anna, "phone", "010 987 0000", actor=STIEN)
    publish(hub, settings)
    assert phone(hub) == ("+31109870000", "steward", 2)
    assert states(hub) == ["replaced", "effective"]
    committed.undo(hub, 2, STIEN)
    committed.undo(hub, 1, STIEN)
    publish(hub, settings)
    assert everything(hub) == before
    assert states(hub) == ["undone", "undone", "effective", "effective"]


def test_stewards_who_decide_at_once_make_one_chain(hub: Engine) -> None:
    threads = [
        threading.Thread(
            target=committed.confirm, args=(hub, f"erp/customer/{3 + n % 2}", Actor(f"S{n}", Role.STEWARD))
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with hub.connect() as connection:
        found = decisions.verify_log(connection)
    assert (found.faults, found.head.decision_id) == ([], 8)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET decision_id = 7", "DELETE FROM {}", "TRUNCATE {}"],
    ids=lambda s: s.split()[0],
)
@pytest.mark.parametrize("table", ["identity.decision", "identity.decision_head", "identity.decision_detail"])
def test_the_database_refuses_to_alter_the_log(hub: Engine, table: str, statement: str) -> None:
    committed.confirm(hub, "erp/customer/3", STIEN)
    with pytest.raises(DBAPIError, match="can only be added to"), hub.begin() as connection:
        connection.execute(text(statement.format(table)))


def test_a_log_that_was_cut_with_its_heads_is_found_by_a_head_noted_elsewhere(hub: Engine) -> None:
    committed.confirm(hub, "erp/customer/3", STIEN)
    with hub.connect() as connection:
        noted = decisions.verify_log(connection).head
    with hub.begin() as connection:
        for table in ("decision", "decision_head", "decision_detail"):
            connection.execute(text(f"ALTER TABLE identity.{table} DISABLE TRIGGER USER"))
            connection.execute(text(f"DELETE FROM identity.{table}"))
    with hub.connect() as connection:
        assert decisions.verify_log(connection).faults == []
        (fault,) = decisions.verify_log(connection, [noted]).faults
        assert fault.decision_id == 1
        assert decisions.verify_log(connection, [Head(1, "0" * 64)]).faults != []


def test_nothing_is_added_to_a_log_that_was_cut(hub: Engine) -> None:
    committed.confirm(hub, "erp/customer/3", STIEN)
    with hub.begin() as connection:
        connection.execute(text("ALTER TABLE identity.decision DISABLE TRIGGER only_grows"))
        connection.execute(text("DELETE FROM identity.decision"))
    with pytest.raises(DecisionError, match="tampered with"):
        committed.confirm(hub, "erp/customer/3", STIEN)


def test_a_decision_that_cannot_be_stored_says_so_without_its_values(hub: Engine, settings: Settings) -> None:
    with hub.begin() as connection:
        connection.execute(text("DROP TABLE identity.decision_head CASCADE"))
        connection.execute(
            text("CREATE VIEW identity.decision_head AS SELECT 0 AS decision_id, '' AS hash WHERE false")
        )
    with pytest.raises(HubError, match="recording the decision failed") as failed:
        committed.set_value(hub, settings, "crm/contact/1", "phone", "010 987 6543", actor=STIEN)
    assert "987" not in str(failed.value)
    with hub.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM identity.decision")) == 0


def test_linkage_finds_no_decisions_in_a_hub_that_was_never_made(new_database: Callable[..., str]) -> None:
    engine = create_engine(make_url(new_database()).set(drivername=DRIVER))
    migrate(engine)
    assert told(engine) == ([], [], {})
    engine.dispose()
