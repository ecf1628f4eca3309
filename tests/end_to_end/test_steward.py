"""``cdm steward`` over real runs: what people decide is kept by every run that follows."""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from cdm_pipelines.commands.terminal import console
from cdm_pipelines.components.launch import run_job
from cdm_pipelines.components.session import open_session
from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.golden_ids import short
from cdm_pipelines.identity.entries import Part
from cdm_pipelines.steps.customers.publication import publish_customers, stage_customers
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.steps.operate.verify import verify
from cdm_pipelines.steps.stewardship.decisions import constraints
from cdm_pipelines.steps.stewardship.erasure import erase_details
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

from .conftest import DAYS, Deployment

MEMBERS = """SELECT golden_id::text, array_agg(source || '/' || entity || '/' || record_id ORDER BY source, record_id)
             FROM golden.crosswalk JOIN golden.customer USING (golden_id) WHERE {} GROUP BY 1 HAVING count(*) {}
             ORDER BY 1"""


OFFICER = Actor("Guus", Role.PRIVACY_OFFICER)


@dataclass(frozen=True)
class Desk:
    """A steward's desk."""

    home: Deployment

    def steward(self, *arguments: str, code: int = 0) -> str:
        return self.home.ask("steward", *arguments, code=code)

    def customers(self) -> None:
        """The steps of the job ``customers``, which take half the time without it."""
        settings = self.home.settings
        lake = Lake(settings.lake_url)
        with open_hub(settings) as engine, engine.begin() as connection:
            link_parties(lake, settings, decided=constraints(connection))
            assert not stage_customers(connection, lake, settings).stopped
            publish_customers(connection, lake, settings)

    def customers_job(self) -> None:
        """The job itself."""
        with open_session(self.home.settings) as session:
            outcome = run_job(session.definitions, "customers", session.instance)
            assert outcome.succeeded, outcome.failures

    def made_of(self, size: str, where: str = "party_kind = 'person'") -> list[tuple[str, list[str]]]:
        """Customers and their records."""
        return [(golden_id, records) for golden_id, records in self.home.query(MEMBERS.format(where, size))]

    def customer_of(self, record: str) -> str:
        found = [golden_id for golden_id, records in self.made_of("> 0", "true") if record in records]
        assert len(found) == 1
        return found[0]

    def current(self, golden_id: str) -> str:
        [(status, alias_of)] = self.home.query(
            f"SELECT status, alias_of::text FROM identity.golden_id WHERE golden_id = '{golden_id}'"
        )
        return golden_id if status == "current" else str(alias_of)


@pytest.fixture(scope="module")
def desk(lived: Callable[..., Deployment]) -> Desk:
    home = lived(DAYS[0])
    return Desk(home)


def test_decisions_are_kept_by_runs_and_undone_without_a_trace(desk: Desk) -> None:
    before = desk.home.published()
    (one, [record]), (other, [stranger]) = desk.made_of("= 1")[:2]
    large, [stays, leaver] = desk.made_of("= 2")[0]

    said = desk.steward("same", one, other, "--by", "Stien", "--because", "same passport")
    assert (
        said.strip()
        == "Decision 1 (same) by Stien is recorded; it takes effect with the next run of customers."
    )
    desk.steward("different", leaver, large, "--by", "Stien")
    desk.steward("set", large, "job_title=keeper of bees", "--by", "Stien")
    assert desk.home.published() == before
    desk.customers_job()
    assert desk.customer_of(record) == desk.customer_of(stranger) == desk.current(one) == desk.current(other)
    assert desk.customer_of(leaver) != large
    assert desk.customer_of(stays) == large
    title = f"SELECT job_title FROM golden.customer WHERE golden_id = '{large}'"
    assert desk.home.query(title) == [("keeper of bees",)]
    assert "steward, decision 3" in desk.steward("show", large)
    explained = desk.home.ask("link", "explain", linked_name(stays), linked_name(leaver))
    assert "were decided to be different parties" in explained
    explained = desk.home.ask("link", "explain", linked_name(record), linked_name(stranger))
    assert "They are in one cluster" in explained
    assert ": decided" in explained

    after = desk.home.published(versions=True)
    desk.customers()
    assert desk.home.published(versions=True) == after

    for number in ("1", "2", "3"):
        desk.steward("undo", number, "--by", "Guus")
    desk.customers()
    undone = desk.home.published()
    assert undone.keys() == before.keys()
    for table in undone.keys() - {"identity.golden_id"}:
        assert undone[table] == before[table], table
    assert {row[0] for row in before["identity.golden_id"]} <= {
        row[0] for row in undone["identity.golden_id"]
    }


def test_a_value_that_is_not_published_yet_or_has_ended_is_no_damage(desk: Desk) -> None:
    (one, _), *_ = desk.made_of("= 1")
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)

    def compared(today: dt.date | None = None) -> list[str]:
        with open_hub(desk.home.settings) as engine, engine.connect() as connection:
            found = verify(connection, desk.home.settings, today=today)
        assert [one.finding for one in found if not one.well] == []
        return [one.finding for one in found if "against lake" in one.what or "not compared" in one.finding]

    said = desk.steward("set", one, "job_title=wasps", "--by", "Stien", "--expires", tomorrow.isoformat())
    assert "not compared: decisions are not published yet" in desk.home.ask("verify")
    desk.customers()
    assert set(compared()) == {"equal"}
    assert compared(tomorrow) == ["not compared: set values have ended since the publication"]
    desk.steward("undo", said.split()[1], "--by", "Stien")
    assert compared() == ["not compared: decisions are not published yet"]
    desk.customers()
    assert set(compared()) == {"equal"}


def test_two_confirmed_customers_are_not_merged_without_review(desk: Desk) -> None:
    large, [stays, leaver] = desk.made_of("= 2")[-1]
    number = recorded(desk.steward("different", leaver, large))
    desk.customers()
    alone = desk.customer_of(leaver)
    assert alone != large
    first, second = (recorded(desk.steward("confirm", name)) for name in (large, alone))
    desk.steward("undo", str(number))
    desk.customers()
    assert desk.customer_of(leaver) == alone
    explained = desk.home.ask("link", "explain", linked_name(stays), linked_name(leaver))
    assert "A steward confirmed both" in explained
    queue = desk.steward("queue", "--limit", "500")
    assert re.search(
        rf"confirmed apart.*({short(large)}.*{short(alone)}|{short(alone)}.*{short(large)})", queue
    )

    refused = desk.steward("same", large, alone, code=1)
    assert f"contradicts decisions {first} and {second}" in refused
    assert "changes nothing" in refused
    for command in (["conflicts"], ["list"], ["show", large], ["queue"]):
        assert f"contradicts decisions {first} and {second}" in desk.steward(*command)
    desk.customers()
    assert desk.customer_of(leaver) == alone
    desk.steward("undo", str(second))
    assert "No decision contradicts another." in desk.steward("conflicts")
    desk.customers()
    assert desk.customer_of(leaver) == large


def test_a_confirmed_customer_that_falls_apart_stays_and_is_proposed_to_be_split(desk: Desk) -> None:
    (one, [record]), (other, [stranger]) = desk.made_of("= 1")[-2:]
    joined = recorded(desk.steward("same", one, other))
    desk.customers()
    survivor = desk.current(one)
    confirmed = recorded(desk.steward("confirm", survivor))
    desk.steward("undo", str(joined))
    desk.customers()
    assert desk.customer_of(record) == desk.customer_of(stranger) == survivor
    queue = desk.steward("queue", "--limit", "500")
    assert re.search(rf"confirmed, falls apart.*{short(survivor)}", queue)
    assert re.search(rf"only the confirmation holds ({record}|{stranger})", queue)
    desk.steward("undo", str(confirmed))
    desk.customers()
    assert desk.customer_of(record) != desk.customer_of(stranger)
    assert "falls apart" not in desk.steward("queue", "--limit", "500")
    told = "SELECT event, reason FROM identity.event ORDER BY publication_id DESC LIMIT 1"
    assert desk.home.query(told) == [("restored", "decision")]


def test_a_merge_by_mistake_in_a_source_gives_way_to_a_steward(desk: Desk) -> None:
    lake = Lake(desk.home.settings.lake_url)
    table = tables.records(lake, Entity.PARTY)
    parties = table.read()
    rows = [row for row in parties.to_pylist() if row["party_kind"] == "person" and row["source"] == "crm"]
    kept, lost = (
        next(r for r in rows if desk.customer_of(name(r)) == golden) for golden in strangers(desk, rows)
    )
    number = recorded(desk.steward("different", name(kept), name(lost)))
    mistaken = [
        {**row, "merged_into": kept["record_id"]} if name(row) == name(lost) else row
        for row in parties.to_pylist()
    ]
    table.write(parties.from_pylist(mistaken, parties.schema), parties.schema, "mistaken")
    try:
        assert linked(desk, name(kept)) != linked(desk, name(lost))
        desk.steward("undo", str(number))
        assert linked(desk, name(kept)) == linked(desk, name(lost))
    finally:
        table.write(parties, parties.schema, "as it was")


def name(row: dict[str, object]) -> str:
    return f"{row['source']}/{row['entity']}/{row['record_id']}"


def linked_name(record: str) -> str:
    """A record as ``cdm link explain`` names it."""
    return "|".join(record.rsplit("/", 1))


def strangers(desk: Desk, rows: Sequence[dict[str, object]]) -> tuple[str, str]:
    """Two customers that CRM has a record of."""
    known = {name(row) for row in rows}
    found = [golden for golden, records in desk.made_of("> 0") if known & set(records)]
    return found[0], found[1]


def linked(desk: Desk, record: str) -> str:
    """The cluster of a record, linked now."""
    lake = Lake(desk.home.settings.lake_url)
    with open_hub(desk.home.settings) as engine, engine.connect() as connection:
        link_parties(lake, desk.home.settings, decided=constraints(connection))
    clusters = tables.clusters(lake).read().to_pylist()
    return next(str(row["cluster_id"]) for row in clusters if f"{row['source']}/{row['record_id']}" == record)


def recorded(said: str) -> int:
    found = re.match(r"Decision (\d+) ", said)
    assert found, said
    return int(found[1])


@pytest.mark.parametrize("width", [80, 200])
def test_the_queue_masks_names_and_leaves_out_what_is_decided(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(console, "width", width)
    masked = desk.steward("queue", "--limit", "500")
    named = desk.steward("queue", "--limit", "500", "--values")
    surnames = {
        str(s) for (s,) in desk.home.query("SELECT surname FROM golden.customer WHERE length(surname) > 4")
    }
    assert not any(surname in masked for surname in surnames)
    assert any(surname in named for surname in surnames)
    pair = re.search(r"│ pair +│ +[\d.]+ │ ([0-9a-f]{8}-[0-9a-f]{4}) +│ ([0-9a-f]{8}-[0-9a-f]{4}) +│", masked)
    assert pair, masked
    priorities = [float(found) for found in re.findall(r"│ +([\d.]+) │ (?:pair|conf)", masked)]
    assert priorities == sorted(priorities, reverse=True)
    number = recorded(desk.steward("different", pair[1], pair[2]))
    assert not re.search(rf"{pair[1]} +│ {pair[2]}", desk.steward("queue", "--limit", "500"))
    desk.steward("undo", str(number))


def test_the_chain_is_verified_by_a_command_and_by_a_check(desk: Desk) -> None:
    said = desk.steward("verify")
    found = re.search(r"Head (\d+:[0-9a-f]{64})", said)
    assert found
    assert "unbroken" in desk.steward("verify", "--head", found[1])
    desk.steward("confirm", desk.made_of("= 1")[0][0], "--by", "Stien")
    assert "unbroken" in desk.steward("verify", "--head", found[1])
    desk.customers_job()
    assert check(desk) == (True, "in order")
    with open_hub(desk.home.settings) as engine, engine.begin() as connection:
        erase_details(connection, [2], {Part.AUTHOR}, OFFICER)
    said = desk.steward("verify")
    assert re.search(r"erased: author of decision 2, by decision \d+ on [\d-]{10} \(privacy officer\)", said)
    assert "unbroken" in said
    assert "(erased)" in desk.steward("list")
    tamper(
        desk, """UPDATE identity.decision_detail SET content = '"Guus"' WHERE (decision_id, place) = (1, 0)"""
    )
    assert "the author of decision 1 was altered" in desk.steward("verify", code=3)
    desk.customers_job()  # a person has to look at it; customers are published all the same
    assert check(desk) == (False, "the author of decision 1 was altered")
    assert "NUMBER:HASH" in desk.steward("verify", "--head", "nonsense", code=2)


def check(desk: Desk) -> tuple[bool, str | None]:
    """The last outcome of the check on the chain."""
    with open_session(desk.home.settings) as session:
        key = dg.AssetCheckKey(dg.AssetKey(["golden", "staged"]), "decision_chain")
        [record] = session.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event is not None
    assert record.event.dagster_event is not None
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    return evaluation.passed, evaluation.description


def tamper(desk: Desk, statement: str) -> None:
    with open_hub(desk.home.settings) as engine, engine.begin() as connection:
        for step in ("DISABLE", None, "ENABLE"):
            sql = f"ALTER TABLE identity.decision_detail {step} TRIGGER USER" if step else statement
            connection.exec_driver_sql(sql)


def test_mistakes_are_told_with_what_to_do(desk: Desk) -> None:
    [(golden_id, _)] = desk.made_of("= 1")[:1]
    assert "ATTRIBUTE=VALUE" in desk.steward("set", golden_id, "phone", code=2)
    assert "YYYY-MM-DD" in desk.steward("set", golden_id, "phone=1", "--expires", "soon", code=2)
    assert "not a valid phone" in desk.steward("set", golden_id, "phone=1", code=1)
    assert "golden id" in desk.steward("confirm", "somebody", code=1)
    assert "see `cdm steward list`" in desk.steward("undo", "999", code=1)


def test_no_value_reaches_a_log(desk: Desk) -> None:
    title = "keeper of bees"
    root = Path(desk.home.settings.home)
    logs = [path for path in root.rglob("*") if path.is_file() and path.suffix in {".log", ".err", ".out"}]
    assert not any(title.encode() in path.read_bytes() for path in logs)
    telling = "SELECT count(*) FROM dagster.event_logs WHERE event LIKE '%{}%'"
    assert desk.home.query(telling.format("decision_chain")) > [(0,)]
    assert desk.home.query(telling.format(title)) == [(0,)]
