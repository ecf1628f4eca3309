"""The hub's tables: each declared, and persons found and erased in each, on a real PostgreSQL."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid5

import pytest
from sqlalchemy import Connection, Engine, insert, text

from cdm_pipelines.hub import (
    access_log,
    actions_places,
    console_places,
    delivery_places,
    insight_places,
    places,
    rights_places,
    schema,
    schema_feed,
    schema_profile,
    seals,
)
from cdm_pipelines.hub.every_table import every_table
from cdm_pipelines.hub.persons import persons_of
from cdm_pipelines.hub.schema import privacy_of
from cdm_pipelines.identity import decisions as subjects
from cdm_pipelines.identity.decisions import Draft, Kind, Record
from cdm_pipelines.privacy import places as privacy
from cdm_pipelines.steps.stewardship import places as stewardship
from cdm_pipelines.steps.stewardship.decisions import append, verify_log
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Register, Root, Stores, erase, search

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(1)


def id_(name: str) -> UUID:
    return uuid5(UUID(int=0), name)


ANNA, BRAM, OLD_ANNA = id_("anna"), id_("bram"), id_("old anna")
REGISTER = Register(
    [
        *stewardship.places(),
        *privacy.places(),
        *rights_places.places(),
        *console_places.places(),
        *actions_places.places(),
        *delivery_places.places(lambda _platform, _audience, golden_id: str(golden_id)),
        *insight_places.places(),
        *places.places(),
    ]
)
IN_HUB = [place for place in REGISTER if place.root is Root.HUB]
CUSTOMER = {
    "party_kind": "person",
    "status": "active",
    "record_count": 1,
    "source_count": 1,
    "first_seen": dt.date(2026, 6, 1),
    "last_seen": dt.date(2026, 6, 1),
}


def record(number: str, entity: str = "contact") -> dict[str, str]:
    return {"source": "crm", "entity": entity, "record_id": number}


@pytest.fixture
def stores(hub_engine: Engine, tmp_path: Any) -> Iterator[Stores]:
    """Anna, whose former id still resolves, and Bram, of whose former version a record of Anna was part."""
    with hub_engine.begin() as connection:
        fill(connection)
        yield Stores(Lake(str(tmp_path)), connection)


def fill(connection: Connection) -> None:
    def add(table: Any, *rows: dict[str, Any]) -> None:
        connection.execute(insert(table), list(rows))

    order = {"active": True, "order_id": "A1"}
    add(schema.publication, {"changes": {}}, {"changes": {}})
    add(
        schema.golden_id,
        {**founded("1"), "golden_id": ANNA, "sequence": 1, "status": "current", "alias_of": None},
        {**founded("2"), "golden_id": OLD_ANNA, "sequence": 2, "status": "alias", "alias_of": ANNA},
        {**founded("9"), "golden_id": BRAM, "sequence": 3, "status": "current", "alias_of": None},
    )
    add(
        schema.customer,
        {"golden_id": ANNA, "surname": "Zwart", **CUSTOMER},
        {"golden_id": BRAM, "surname": "Blauw", **CUSTOMER},
    )
    add(
        schema.crosswalk,
        *({**record(number), "golden_id": ANNA, "active": True} for number in "12"),
        {**record("9"), "golden_id": BRAM, "active": True},
    )
    add(
        schema.customer_order,
        {**record("A1", "order"), "golden_id": ANNA, **order},
        {**record("B1", "order"), "golden_id": BRAM, **order, "order_id": "B1"},
    )
    add(
        schema.metadata.tables["golden.order_line"],
        {**record("A1|1", "line"), **order},
        {**record("B1|1", "line"), **order, "order_id": "B1"},
    )
    add(schema.metadata.tables["golden.payment"], {**record("P1", "payment"), **order, "payment_id": "P1"})
    add(
        schema.provenance,
        *({"golden_id": g, "attribute": "*", **record("1"), "rule": "only"} for g in (ANNA, BRAM)),
    )
    version = {"valid_to": NOW, "opened_by": 1, "closed_by": 2}
    mixed = [{**record("9"), "losers": [{**record("2"), "value": "Zwart"}], "attribute": "name"}]
    add(
        schema.customer_history,
        {
            **CUSTOMER,
            **version,
            "golden_id": BRAM,
            "valid_from": NOW,
            "surname": "Blauw",
            "provenance": mixed,
        },
        {
            **CUSTOMER,
            **version,
            "golden_id": BRAM,
            "valid_from": NOW + dt.timedelta(1),
            "surname": "B",
            "provenance": [],
        },
        {
            **CUSTOMER,
            **version,
            "golden_id": OLD_ANNA,
            "valid_from": NOW,
            "surname": "Zwart",
            "provenance": [],
        },
    )
    add(
        schema_profile.profile_told,
        *({"golden_id": one, "enricher": "churn", "told": {"probability": 0.4}} for one in (ANNA, BRAM)),
    )
    add(schema.customer_version, {"golden_id": ANNA, "valid_from": NOW, "publication_id": 1})
    add(
        schema.search,
        {"golden_id": ANNA, "terms": ["zwart", "delft"]},
        {"golden_id": BRAM, "terms": ["blauw", "delft"]},
    )
    add(
        schema.search_word,
        *({"word": word, "customers": 1, "slips": []} for word in ("zwart", "blauw", "delft")),
    )
    told = {"publication_id": 1, "type": "customer.changed"}
    add(
        schema_feed.outbox,
        {**told, "event_id": id_("1"), "golden_id": ANNA, "related_id": None},
        {**told, "event_id": id_("2"), "golden_id": BRAM, "related_id": ANNA},
    )
    add(
        schema_feed.dead_letter,
        {"sink": "s", "position": 1, "golden_id": ANNA, "attempts": 1, "error": "503"},
    )
    add(
        schema_feed.event,
        {
            "golden_id": OLD_ANNA,
            "event": "merged",
            "related_id": ANNA,
            "evidence": {"records": [["crm", "contact", "2"]]},
            "publication_id": 1,
            "event_id": id_("3"),
        },
    )
    read = access_log.Reading("stien", "service", "service", "cdm customer")
    access_log.note(connection, read, ["user.name"], golden_ids=[ANNA, BRAM])
    anna, bram = (Record("crm", "contact", number) for number in "19")
    append(connection, Draft(Kind.CONFIRM, subjects.confirm([bram]), "Stien"))
    append(
        connection,
        Draft(Kind.SET, subjects.set_value(anna, "surname", "Zwart", None, {anna: "Swart"}), "Stien"),
    )


def founded(number: str) -> dict[str, Any]:
    return {**record(number), "generation": 0}


def found(stores: Stores, persons: Persons) -> dict[str, list[Any]]:
    return {place.name: list(one.rows) for place, one in search(IN_HUB, stores, persons)}


def test_every_table_of_the_schema_is_declared_with_the_categories_of_its_comments() -> None:
    for table in every_table().tables.values():
        (place,) = REGISTER.covering(Root.HUB, str(table))
        assert place.columns == {column.name: privacy_of(column) for column in table.columns}
        assert all("." in category or category == "user" for category in place.columns.values())
    assert REGISTER.named("golden/customer").columns["iban"] == "user.financial.bank_account"


def test_a_person_has_all_records_behind_any_of_their_ids(stores: Stores) -> None:
    anna = persons_of(stores.connection, [OLD_ANNA])
    assert anna.golden_ids == {ANNA, OLD_ANNA}
    assert anna.golden_ids == persons_of(stores.connection, [ANNA]).golden_ids
    assert anna.keys == {
        ("crm", "contact", "1"),
        ("crm", "contact", "2"),
        ("crm", "order", "A1"),
        ("crm", "line", "A1|1"),
        ("crm", "payment", "P1"),
    }
    assert persons_of(stores.connection, []).keys == set()


def test_a_person_is_found_in_every_table_that_knows_them(stores: Stores) -> None:
    anna = found(stores, persons_of(stores.connection, [ANNA]))
    assert {name: len(rows) for name, rows in anna.items()} == {
        "golden/customer": 1,
        "golden/crosswalk": 2,
        "golden/provenance": 2,  # the row of Bram names a record of hers
        "golden/customer_order": 1,
        "golden/order_line": 1,
        "golden/payment": 1,
        "golden/customer_history": 2,
        "golden/customer_version": 1,
        "golden/search_word": 1,
        "golden/search": 1,
        "ops/profile_told": 1,
        "ops/outbox": 1,
        "ops/dead_letter": 1,
        "ops/access_log": 1,
        "identity/event": 1,
        "identity/golden_id": 2,
        "identity/decision_detail": 5,
    }
    assert anna["golden/search_word"] == [{"word": "zwart"}]
    assert {row["decision_id"] for row in anna["identity/decision_detail"]} == {2}
    assert found(stores, Persons.of([])) == {}


def test_an_erased_person_leaves_every_table_and_others_stay(stores: Stores) -> None:
    anna, bram = (persons_of(stores.connection, [one]) for one in (ANNA, BRAM))
    bram_before = found(stores, bram)
    did = {one.place: one for one in erase(IN_HUB, stores, anna)}
    assert did["golden/customer_history"].rows == 2
    assert did["identity/event"].rows == 1
    assert did["identity/decision_detail"].rows == 4  # all but who decided
    assert verify_log(stores.connection).faults == []
    left = found(stores, anna)
    assert set(left) == {"identity/event", "identity/golden_id"}
    assert [row["evidence"] for row in left["identity/event"]] == [None] * 3
    bram_after = found(stores, bram)
    differs = {name for name in bram_before if bram_before[name] != bram_after.get(name)}
    # What held a record of Anna; and the word that she had too is now found by him alone.
    assert differs == {"golden/provenance", "golden/customer_history", "golden/search_word", "ops/access_log"}
    assert [row["golden_ids"] for row in bram_after["ops/access_log"]] == [[BRAM]]
    assert stores.connection.scalar(text("SELECT array_agg(word ORDER BY word) FROM golden.search_word")) == [
        "blauw",
        "delft",
    ]
    assert sum(one.rows for one in erase(IN_HUB, stores, anna)) == 0


def test_ids_of_an_erased_person_are_retired_and_consumers_told_once(stores: Stores) -> None:
    def asked(query: str) -> list[Any]:
        return list(map(tuple, stores.connection.execute(text(query)).all()))

    anna = persons_of(stores.connection, [ANNA])
    for _ in range(2):  # an erasure that was cut short does it again
        erase(IN_HUB, stores, anna)
        ids = sorted((ANNA, OLD_ANNA))
        assert asked(
            "SELECT golden_id, alias_of FROM identity.golden_id WHERE status = 'retired' ORDER BY 1"
        ) == [(one, None) for one in ids]
        told = asked(
            "SELECT golden_id, publication_id FROM ops.outbox WHERE type = 'customer.retired' ORDER BY 1"
        )
        assert told == [(one, 3) for one in ids]
        happened = asked("SELECT golden_id, reason FROM identity.event WHERE event = 'retired' ORDER BY 1")
        assert happened == [(one, "record_gone") for one in ids]
        assert list(seals.broken(stores.connection)) == []
    [(changes,)] = asked("SELECT changes FROM ops.publication WHERE publication_id = 3")
    assert changes == {"golden_id": {"inserted": 0, "updated": 2, "deleted": 0}}


def test_what_is_staged_is_searched_and_erased_while_it_is_there(stores: Stores) -> None:
    anna = persons_of(stores.connection, [ANNA])
    assert "staging/customer" not in found(stores, anna)
    stores.connection.execute(text("CREATE SCHEMA IF NOT EXISTS staging"))
    stores.connection.execute(text("CREATE TABLE staging.customer AS SELECT * FROM golden.customer"))
    assert len(found(stores, anna)["staging/customer"]) == 1
    did = {one.place: one.rows for one in erase(IN_HUB, stores, anna)}
    assert did["staging/customer"] == 1
    assert stores.connection.scalar(text("SELECT count(*) FROM staging.customer")) == 1


def test_nothing_is_found_by_what_stands_beside_a_key(stores: Stores) -> None:
    """Keys are compared as whole keys: neither a part of one nor parts of two."""
    near = Persons.of([("crm", "order", "1"), ("crm", "contact", "A1"), ("erp", "contact", "1")])
    assert found(stores, near) == {}
