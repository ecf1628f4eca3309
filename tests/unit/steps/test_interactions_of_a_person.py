"""A person is found in, and erased from, every layer of a day of interactions, whatever names the person there."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts, contract_named
from cdm_pipelines.enrichment.interactions import working
from cdm_pipelines.enrichment.tokens import _SIGNS, canonical, canonical_sql
from cdm_pipelines.records import records_schema
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.profile.interactions import update_interactions
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Place, Root, Stores, erase, search

DAY, NEXT = "2026-06-01", "2026-06-02"
SOURCES = ("web/event", "mail/activity", "desk/ticket")
LAYERS = ("raw", "valid", "quarantine", "standard")
ANN = [("shop", "customer", "S1"), ("crm", "contact", "C1"), ("shop", "order", "#1")]
HERS, HIS = "hers", "his"


def visit(number: str, says: str, token: str = "", **more: str) -> dict[str, Any]:
    """An event as the shop exports it; ``says`` stands in the address of the page."""
    order = [{"key": "transaction_id", "value": {"string_value": more["order"]}}] if "order" in more else []
    return {
        "event_date": "20260601",
        "event_timestamp": "1780300800000000",
        "event_name": "page_view",
        "event_params": [
            *([{"key": "event_id", "value": {"string_value": number}}] if number else []),
            {"key": "page_location", "value": {"string_value": f"https://shop.example/{says}-{number}"}},
            *order,
        ],
        "user_pseudo_id": token,
        "user_id": more.get("user_id"),
        "traffic_source": {"name": "(direct)", "medium": "(none)"},
    }


VISITS = {
    DAY: [
        visit("1", HERS, "t-hers", user_id="S1"),
        visit("2", HERS, "t-order", order="#1"),
        visit("3", HERS, "t-hers"),
        visit("", HERS, "t-hers", user_id="S1"),  # rejected: it has no number
        visit("", HERS, '"t-hers"'),  # rejected, and known by its device alone
        visit("4", HIS, "t-shared", user_id="S2"),
        visit("5", HERS, "t-shared", user_id="S1"),
        visit("6", HIS, "t-shared"),
        visit("7", HIS, "t-his", user_id="C1"),  # a number of the shop, not of the CRM
        visit("", HIS, "t-his"),
    ],
    NEXT: [visit("8", HERS, " 't-hers' "), visit("9", HIS, "t-his"), visit("10", HERS, "t-order")],
}
MAILS = [
    ("m1", "ann@x.nl", HERS),
    ("m2", " ANN@X.NL ", HERS),
    ("", "Ann@x.nl", HERS),
    ("m3", "ben@x.nl", HIS),
]
CALLS = [
    ("d1", "", "06 12 34 56 78", HERS),
    ("", "", "+31 (0)6 1234 5678", HERS),
    ("d2", "", "0687654321", HIS),
]


@pytest.fixture
def lake(settings: Settings) -> Lake:
    """A lake with those days in every layer, counted, and the records of the persons."""
    landing, lake = Path(settings.landing_url), Lake(settings.lake_url)
    for source in SOURCES:
        (landing / source).mkdir(parents=True)
    for day, visits in VISITS.items():
        lines = "".join(f"{json.dumps(one)}\n" for one in visits)
        (landing / "web/event" / f"{day}.jsonl").write_text(lines)
    mails = [
        {"Activity ID": number, "Email Address": address, "Action": "open", "Timestamp": "2026-06-01 09:00:00",
         "Campaign ID": "1", "Campaign Title": "News", "Subject": says, "URL": "", "Bounce Type": ""}
        for number, address, says in MAILS
    ]  # fmt: skip
    calls = [
        {"Update ID": number, "ID": "7", "Update": "created", "Updated at": "2026-06-01 09:00:00",
         "Requester email": address, "Requester phone": phone, "Via": "voice", "Subject": says, "Status": "new",
         "Created at": "2026-06-01 09:00:00", "Solved at": "", "Satisfaction Score": ""}
        for number, address, phone, says in CALLS
    ]  # fmt: skip
    for name, rows in (("mail/activity", mails), ("desk/ticket", calls)):
        with (landing / name / f"{DAY}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    for source in SOURCES:
        for day in (DAY, NEXT) if source == "web/event" else (DAY,):
            process_day(settings, lake, contract_named(source), day, accept=["share_quarantined", "volume"])
    put(lake, Entity.PARTY, [
        {"source": "shop", "entity": "customer", "record_id": "S1", "email": "ann@x.nl"},
        {"source": "crm", "entity": "contact", "record_id": "C1", "mobile": "+31612345678"},
        {"source": "shop", "entity": "customer", "record_id": "S2", "email": "ben@x.nl", "phone": "+31687654321"},
    ])  # fmt: skip
    put(lake, Entity.ORDER, [{"source": "shop", "entity": "order", "record_id": "#1", "order_id": "#1"}])
    return lake


def put(lake: Lake, entity: Entity, rows: list[dict[str, Any]]) -> None:
    schema = records_schema(entity)
    full = [{name: row.get(name) for name in schema.names} for row in rows]
    tables.records(lake, entity).put([pa.Table.from_pylist(full, schema=schema)], schema, "x")


@pytest.fixture
def stores(lake: Lake, hub_engine: Engine) -> Iterator[Stores]:
    with hub_engine.connect() as connection:
        yield Stores(lake, connection)


def days(settings: Settings) -> list[Place]:
    """The places of the days of interactions, in the order of the register."""
    names = {f"{layer}/{source}" for layer in LAYERS for source in SOURCES}
    names |= {f"standard/{source}/interaction" for source in SOURCES} | {"profile/interactions"}
    return [place for place in all_places(settings) if place.root is Root.LAKE and place.name in names]


def told(lake: Lake, layer: str) -> list[str]:
    """Whose rows a layer has, each as often as it has it."""
    rows = [row for path in lake.paths(layer) for row in pq.read_table(f"{lake.url}/{path}").to_pylist()]
    return sorted(HERS if HERS in str(row.values()) else HIS for row in rows)


@pytest.mark.parametrize("counted", [True, False])
def test_a_person_is_found_and_erased_in_every_layer(
    settings: Settings, lake: Lake, stores: Stores, *, counted: bool
) -> None:
    if counted:
        update_interactions(lake, all_contracts(), settings.timezone, threads=1)
    before = {layer: told(lake, layer) for layer in (*LAYERS, "profile/interactions")}
    assert [before[layer].count(HERS) for layer in LAYERS] == [13, 9, 4, 9]
    persons = Persons.of(ANN)
    found: dict[str, list[str]] = {}
    for place, one in search(days(settings), stores, persons):
        found.setdefault(place.name.split("/")[0], []).extend(map(str, one.rows))
    for layer in LAYERS:
        assert len(found[layer]) == before[layer].count(HERS)
        assert not [row for row in found[layer] if HIS in row]
    assert sum(one.rows for one in erase(days(settings), stores, persons)) >= 35
    for layer, rows in before.items():
        assert told(lake, layer) == [one for one in rows if one == HIS]
    assert list(search(days(settings), stores, Persons.of(ANN))) == []


def test_an_erasure_that_was_stopped_is_finished_by_doing_it_again(
    settings: Settings, lake: Lake, stores: Stores
) -> None:
    update_interactions(lake, all_contracts(), settings.timezone, threads=1)
    places = days(settings)
    for number in range(1, len(places) + 1):
        erase(days(settings)[:number], stores, Persons.of(ANN))  # each time as a process of its own
    for layer in (*LAYERS, "profile/interactions"):
        assert HERS not in told(lake, layer)


def test_nobodys_rows_leave_with_a_person_who_left_none(
    settings: Settings, lake: Lake, stores: Stores
) -> None:
    nobody = Persons.of([("shop", "customer", "S9")])
    assert list(search(days(settings), stores, nobody)) == []
    assert sum(one.rows for one in erase(days(settings), stores, nobody)) == 0


def test_a_token_is_read_alike_by_both_engines(tmp_path: Path) -> None:
    quoted = [f"{one}t{other}" for one, other in zip(_SIGNS, reversed(_SIGNS), strict=True)]
    tokens = pa.array([*quoted, _SIGNS, "", None, "a b", "x" * 2000, '"n"t"'])
    with working(tmp_path, threads=1) as db:
        db.register("given", pa.table({"number": range(len(tokens)), "token": tokens}))
        expected = db.sql(
            f"SELECT {canonical_sql('token')} AS token FROM given ORDER BY number"
        ).to_arrow_table()
    assert canonical(tokens).to_pylist() == expected["token"].to_pylist()
