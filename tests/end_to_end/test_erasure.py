"""Persons are erased everywhere and for good: nothing of theirs is found, nobody else's is touched, none comes back."""

import datetime as dt
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from cdm_pipelines.components.location import load_definitions
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.steps.days.landing import deliveries, ingested_digests
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Anew
from cdm_pipelines.store.register import Rows as RowsOut

from .conftest import DAYS, Deployment
from .erasing import (
    BACK,
    CONTACT,
    NEWCOMER,
    NUMBER,
    OF_NOBODY,
    SET,
    Erased,
    Living,
    contacts,
    customers,
    delivered_as,
    erased_of,
    lived_in,
    theirs_alone,
)
from .traces import holding, places_of, texts_of, traces
from .whose import Rows, Whose, entity_of, exclusive

KINDS = ("merged", "split", "set", "confirmed", "housemate", "invoiced")
"""Each kind of person of whom there is one among the erased."""
CHAIN = {"identity.decision", "identity.decision_head", "ops.publication"}
"""Tables that are only added to, by an erasure too."""
ON_RECORD = {"privacy.certificate", "privacy.legal_hold", "privacy.request", "privacy.request_step"}
"""Tables that tell of the erasure."""
EVENTS = {"identity.event", "identity.golden_id", "ops.outbox"}
"""What says that somebody was there and is not any more, by their golden id alone."""


@pytest.fixture(scope="module")
def living(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Living:
    return lived_in(
        deploy(), tmp_path_factory.mktemp("delivered") / "landing", tmp_path_factory.mktemp("exports")
    )


@pytest.fixture(scope="module")
def erased(living: Living) -> Erased:
    return erased_of(living)


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_each_kind_of_person_were_everywhere_before(erased: Erased, kind: str) -> None:
    """Otherwise it would say nothing that none is left: they are found in files and in tables."""
    assert len(erased.values[kind]) >= 3
    places = erased.held[kind]
    layers = {place.rpartition("/")[0].removeprefix("lake/").split("/")[0] for place in places}
    assert {"landing", "raw", "valid", "standard", "records"} <= layers
    assert {"golden.customer", "golden.crosswalk"} <= places
    assert "golden.search" in set().union(*erased.held.values())


def test_values_that_a_record_lost_or_a_steward_set_are_among_them(erased: Erased) -> None:
    """Not those of golden customers alone: losing e-mails and phones, spellings of landing, customer numbers."""
    golden = {str(value).lower() for row in erased.before["golden.customer"] for value in row.values()}
    beside = erased.every_value - golden
    assert SET in erased.values["set"]
    assert {"identity.decision_detail", "golden.customer"} <= erased.held[SET]
    assert [value for value in beside if "@" in value], "mailboxes that another one was preferred to"
    assert [value for value in beside if value.startswith("06") and len(value) > 9], "phones as delivered"
    assert {record for source, _, record in erased.whose.records if source == "erp"} <= beside


def test_nothing_of_theirs_is_found_in_any_file_or_table(erased: Erased) -> None:
    left = places_of(erased.home)
    found = {kind: holding(left, values) for kind, values in erased.values.items()}
    for kind, places in found.items():
        ids = Whose.of(erased.before, [erased.persons[kind]]).ids
        by_law = any(row["golden_id"] in ids for row in erased.before["golden.invoice"])
        assert places <= ({"privacy.legal_hold"} if by_law else set()), kind
    assert len(erased.every_value) > 5 * NUMBER


def test_golden_ids_of_theirs_say_that_they_are_gone_and_no_more(erased: Erased) -> None:
    whose = erased.whose
    assert {name for name, rows in erased.after.items() if any(map(whose.has, rows))} == EVENTS
    gone = [row for row in erased.after["identity.golden_id"] if row["golden_id"] in whose.ids]
    assert {row["status"] for row in gone} == {"retired"}
    assert len(gone) == len(whose.ids) == NUMBER + 1, "the alias of one of them too"


def test_all_rows_of_others_are_untouched(erased: Erased) -> None:
    """Of every table: customers, orders, invoices, payments, consent, profile, history, provenance, decisions."""
    whose = erased.whose
    before, after = whose.rest(erased.before), whose.rest(erased.after)
    assert set(before) == set(after)
    same = set(before) - CHAIN - ON_RECORD - OF_NOBODY
    assert [name for name in sorted(same) if before[name] != after[name]] == []
    assert [name for name in sorted(CHAIN) if not set(before[name]) <= set(after[name])] == []
    with_some = {name for name in same if before[name]}
    assert with_some >= {
        *("golden.customer", "golden.crosswalk", "golden.provenance", "golden.customer_history"),
        *("golden.customer_order", "golden.order_line", "golden.payment", "golden.invoice", "golden.refund"),
        *("golden.customer_link", "golden.search", "privacy.consent", "privacy.consent_statement"),
        *("profile.rfm", "profile.household_member", "profile.lifecycle", "profile.engagement"),
        *("identity.golden_id", "identity.event", "ops.review_item", "activation.next_best_action"),
    }
    assert len(before["golden.customer"]) > 4 * NUMBER


def test_words_to_search_by_are_those_of_who_is_left(erased: Erased) -> None:
    def words(hub: Rows) -> set[str]:
        return {word for row in hub["golden.search"] for word in row["terms"] if word[0].isalnum()}

    noted = {row["word"] for row in erased.after["golden.search_word"]}
    assert noted == words(erased.after)
    assert noted < words(erased.before)


def test_no_day_is_ingested_again_for_its_extracts_having_been_emptied(erased: Erased) -> None:
    settings, by_source = erased.home.settings, defaultdict(list)
    for contract in all_contracts():
        by_source[contract.source].append(contract)
    assert len(by_source) > 3
    for source, contracts in by_source.items():
        now, problems = deliveries(settings.landing_url, contracts, "")
        assert not problems
        assert set(ingested_digests(Lake(settings.lake_url), contracts, now)) == set(now), source


def test_the_sensor_asks_for_no_day_whose_extracts_were_emptied(
    erased: Erased, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDM_LANDING_URL", erased.home.settings.landing_url)
    monkeypatch.setenv("CDM_LAKE_URL", erased.home.settings.lake_url)
    sensor = load_definitions().get_repository_def().get_sensor_def("landing_crm")
    cursor: str | None = json.dumps(
        {"before": {}, "asked": {}}
    )  # it knows these files as little as those of before
    for _ in range(2):
        with dg.DagsterInstance.ephemeral() as instance:
            found = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
        assert isinstance(found, dg.SensorResult)
        assert not found.run_requests
        cursor = found.cursor
    assert set(json.loads(str(cursor))["asked"]) == set(DAYS)


def test_lines_of_landing_are_emptied_where_they_are_theirs_and_nowhere_else(erased: Erased) -> None:
    own = erased.whose.numbers(erased.lines)
    assert set(erased.lines) == set(erased.left)
    emptied = {}
    for name, lines in erased.lines.items():
        left = erased.left[name]
        assert len(left) == len(lines), name
        emptied[name] = {at for at, both in enumerate(zip(lines, left, strict=True)) if both[0] != both[1]}
        assert {left[at] for at in emptied[name]} <= {""}, name
    assert emptied == own
    entities = {entity_of(name) for name, numbers in own.items() if numbers}
    assert entities == {entity_of(name) for name in own} - {"crm/account", "erp/product"}


def test_what_a_housemate_shares_with_one_of_them_stays(erased: Erased) -> None:
    """Whoever lives at the same address keeps the address, and the phone or mailbox that both had."""
    gone = erased.customer("housemate")
    address = ("street", "house_number", "postcode")
    mates = [
        row
        for row in erased.after["golden.customer"]
        if all(row[name] == gone[name] for name in address) and row["party_kind"] == "person"
    ]
    contact = {str(gone[name]) for name in ("email", "phone", "mobile") if gone[name]}
    assert mates
    shared = {str(row[name]) for row in mates for name in ("email", "phone", "mobile")} & contact
    assert shared
    left = places_of(erased.home)
    for value in {*shared, str(gone["postcode"])}:
        assert "golden.customer" in holding(left, {value.lower()}), value
        assert [place for place in holding(left, {value.lower()}) if place.startswith("lake/standard/")]


def test_what_stewards_had_decided_was_in_force_before(erased: Erased) -> None:
    """Each of the persons is what their name here says."""
    ids = {row["golden_id"]: row for row in erased.before["identity.golden_id"]}
    alias, survivor = erased.persons["merged"], erased.customer("merged")
    assert (ids[alias]["status"], ids[alias]["alias_of"]) == ("alias", survivor["golden_id"])
    assert (ids[survivor["golden_id"]]["status"], survivor["record_count"]) == ("current", 2)
    assert [row["reason"] for row in erased.before["identity.event"] if row["event"] == "merged"] == [
        "decision"
    ]
    split, [half] = erased.customer("split"), erased.half
    assert (split["record_count"], ids[half]["status"]) == (1, "current")
    assert len(erased.both) == 2
    assert half in {row["golden_id"] for row in erased.after["golden.customer"]}, "the other half stays"
    assert erased.customer("set")["job_title"] == SET
    [told] = [row for row in erased.before["golden.provenance"] if row["rule"] == "steward" and
              row["golden_id"] == erased.persons["set"]]  # fmt: skip
    assert (told["attribute"], bool(told["losers"])) == ("job_title", True)
    details = [row for row in erased.before["identity.decision_detail"] if row["decision_id"] == 4]
    [record] = Whose.of(erased.before, [erased.persons["confirmed"]]).records
    assert [row for row in details if record[2] in row["content"]]
    gone = Whose.of(erased.before, [erased.persons["invoiced"]])
    assert [row for row in erased.before["golden.invoice"] if row["golden_id"] in gone.ids]


def test_decisions_about_them_say_who_decided_and_nothing_else(erased: Erased) -> None:
    """The reason and the records of theirs are gone; those of the other half and of somebody who stays are not."""

    def details(hub: Rows, number: int) -> dict[int, str]:
        rows = [row for row in hub["identity.decision_detail"] if row["decision_id"] == number]
        return {row["place"]: row["content"] for row in rows}

    before = {number: details(erased.before, number) for number in range(1, 6)}
    after = {number: details(erased.after, number) for number in range(1, 6)}
    assert [kind["kind"] for kind in erased.before["identity.decision"]] == [
        *("same", "different", "set", "confirm", "set")
    ]
    for number in (1, 3, 4):
        assert list(after[number].values()) == ['"Stien"'], number
        assert len(before[number]) > 2
    [other] = {key[2] for key in erased.both} - {record for _, _, record in erased.whose.records}
    author, half = (after[2][place] for place in sorted(after[2]))
    assert (author, json.loads(half)[3]) == ('"Stien"', other)
    assert after[5] == before[5] != {}


def test_decisions_keep_their_order_and_the_chains_verify(erased: Erased) -> None:
    told = erased.home.ask("steward", "verify")
    assert "unbroken" in told
    assert "erased" in told
    shown = json.loads(erased.home.ask("privacy", "certificate", "3"))
    assert shown["content"]["looked_through"]["found"] == 0
    assert shown["content"]["customers"] >= NUMBER
    assert {"landing/crm/contact", "raw/crm/contact", "records/party", "golden/customer"} <= {
        place for place, rows, _ in shown["content"]["erased"] if rows
    }
    assert "none is left" in erased.told


def test_exports_that_lie_where_they_were_written_are_gone_and_others_are_told(erased: Erased) -> None:
    ids = {str(one) for one in erased.known.golden_ids}
    theirs = erased.every_value | ids
    left = {path.name: texts_of(path.name, path.read_bytes()) for path in erased.exports.iterdir()}
    found = {name for name, text in left.items() if any(value in text.lower() for value in theirs)}
    assert found == {"elsewhere.csv", "changed.csv"}, "out of our hands"
    assert {"customers.csv", "customers.parquet", "orders.jsonl", "pseudonyms.csv"}.isdisjoint(left)
    assert "products.csv" in left, "of nobody"
    content = json.loads(erased.home.ask("privacy", "certificate", "3"))["content"]
    named = {
        place.rpartition("/")[2]: how for place, _, how in content["erased"] if place.startswith("export of ")
    }
    assert {"customers.csv", "customers.parquet", "orders.jsonl", "pseudonyms.csv"} <= set(named)
    assert all("removed whole" in how for how in named.values())
    away = {Path(one["path"]).name: one for one in content["exports_out_of_hands"]}
    assert set(away) == {"moved.csv", "changed.csv"}
    assert {one["what"] for one in away.values()} == {"customer"}
    today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    assert {one["made_on"] for one in away.values()} == {today}
    assert erased.told.replace("\n", "").count("out of our hands") == 2


def test_invoices_are_kept_apart_with_their_reason(erased: Erased) -> None:
    [(number, what, until)] = erased.home.query(
        "SELECT count(*), min(what), min(until)::text FROM privacy.legal_hold"
    )
    assert number
    assert what == "invoice"
    assert until.endswith("-01-01")
    assert erased.home.query("SELECT content->'party'->>'surname' FROM privacy.legal_hold LIMIT 1")[0][0]


def test_erasing_again_an_alias_or_nobody_is_told(erased: Erased) -> None:
    """Who was erased by an alias is not found by the golden id that had survived either."""
    assert erased.persons["merged"] != erased.customer("merged")["golden_id"]
    for name in (
        *(erased.persons["merged"], str(erased.customer("merged")["golden_id"])),
        *(erased.persons["split"], erased.persons["invoiced"]),
        *(f"{s}/{e}/{r}" for s, e, r in sorted(erased.known.keys)[:2]),
    ):
        assert "was erased, by request 3" in erased.home.ask(
            "privacy", "erase", name, "--by", "Petra", "--yes", code=1
        )
    assert "There is no source record" in erased.home.ask(
        "privacy", "erase", "crm/contact/nobody", "--by", "Petra", "--yes", code=1
    )
    assert "Name a customer" in erased.home.ask(
        "privacy", "erase", "jansen", "--by", "Petra", "--yes", code=1
    )


def test_a_lost_key_is_told_and_nothing_runs(erased: Erased, capsys: pytest.CaptureFixture[str]) -> None:
    keys = erased.home.settings.home / "privacy" / "tombstone.keys"
    away = keys.rename(keys.with_suffix(".away"))
    try:
        assert erased.home.run(DAYS[2], sources=["mail"]) != 0
        assert "Key 1 of privacy/tombstone.keys" in capsys.readouterr().out.replace("\n", " ")
    finally:
        away.rename(keys)


def test_a_new_delivery_brings_none_of_them_back(erased: Erased) -> None:
    """Neither under their own numbers nor under new ones; who is only like them comes in."""
    home = erased.home
    before = customers(home, erased.whose.ids)
    delivered = contacts(erased)
    with (erased.delivered / CONTACT).open("a", encoding="utf-8") as lines:
        lines.writelines(f"{line}\n" for line in delivered)
    shutil.copytree(erased.delivered, home.landing, dirs_exist_ok=True)
    assert home.run(DAYS[0], DAYS[2]) == 0
    places = places_of(home)
    theirs = exclusive(erased.every_value, delivered[len(BACK) :])
    assert len(theirs) > len(erased.every_value) - 5
    found = holding(places, {*theirs, *BACK})
    assert [path for path in found if path.startswith("landing/")]
    away = {path for path in found if not path.startswith("landing/")}  # from where their owner put them
    assert away <= {"privacy.legal_hold"}
    now = {str(row[0]) for row in home.query("SELECT golden_id FROM golden.customer")}
    assert not erased.whose.ids & now
    new = home.query(
        """SELECT golden_id::text, given_name, email FROM golden.customer JOIN golden.crosswalk USING (golden_id)
           WHERE record_id LIKE '0037Q0000OTHER_QAA' AND record_count = 1 ORDER BY record_id"""
    )
    assert [(given, email) for _, given, email in new] == [
        ("Fenna", NEWCOMER),
        (delivered_as(erased, "invoiced")["FirstName"], "namesake@own-mailbox.example"),
    ]
    late = {id_ for id_, _, _ in new}
    assert customers(home, late) == before, "the other half of who was split among them"
    shutil.rmtree(home.landing)
    shutil.copytree(erased.delivered, home.landing)


def test_the_owner_of_a_source_is_told_how_many_rows_of_theirs_it_delivered(erased: Erased) -> None:
    """Of each day, and not which; sources that deliver none get no note."""
    lake = Path(erased.home.settings.lake_url)
    told = {
        str(path.relative_to(lake / "publish" / "kept_out").with_suffix("")): json.loads(path.read_text())
        for path in (lake / "publish" / "kept_out").rglob("*.json")
    }
    for days in told.values():
        days.pop("cdm.checksum")
    own = erased.whose.numbers(erased.lines)
    wanted: dict[str, dict[str, int]] = defaultdict(dict)
    for name, numbers in own.items():
        rows = len(numbers) + (len(BACK) if name == CONTACT else 0)
        # Visits before a login name nobody when they are delivered.
        if rows and entity_of(name) != "web/event":
            wanted[entity_of(name)][Path(name).stem] = rows
    assert {name: days for name, days in told.items() if name != "web/event"} == wanted
    assert 0 < told["web/event"][DAYS[0]] <= len(own[f"web/event/{DAYS[0]}.jsonl"])


def test_a_rebuild_from_what_is_left_is_what_was_there(erased: Erased) -> None:
    home = erased.home
    before = home.published()
    assert home.run(DAYS[0], DAYS[2], rebuild=True) == 0
    assert home.published() == before


STEPS_DONE = "SELECT place FROM privacy.request_step WHERE request_id = {} AND done_at IS NOT NULL"
KILLED = """
import os, random, signal, sys, threading
from sqlalchemy import Engine, event
from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.rights.erasure import Asked, erase, resume

moment, name, export = sys.argv[1:]
seen, near = 0, False

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def progress(what):
    global seen, near
    seen += 1
    if moment.isdigit() and seen == int(moment):
        threading.Timer(random.Random(seen).random() / 50, kill).start()
    near |= moment == "look" and what == "looking through everything"

def file(what, arguments):
    global near, seen
    if near and moment != "certificate" and what in ("open", "os.remove"):
        kill()
    near |= moment == "export" and what == "os.remove" and str(arguments[0]) == export

@event.listens_for(Engine, "before_cursor_execute")
def statement(connection, cursor, text, *_):
    global near
    if near and moment == "certificate" and "certificate" not in text and "request" not in text:
        kill()
    near |= moment == "certificate" and text.startswith("INSERT INTO privacy.certificate")

own, actor = load_settings(), Actor("Petra", Role.PRIVACY_OFFICER)
with open_hub(own) as engine:
    sys.addaudithook(file)
    if name:
        erase(own, engine, Asked([name], actor, "Petra"), progress=progress)
    else:
        resume(own, engine, actor, progress=progress)
"""
AIMED = ("export", "look", "certificate")
"""Between an export and its note, while everything is looked through, and between the certificate and the end."""


def test_killed_at_many_moments_it_is_complete_with_one_certificate(erased: Erased) -> None:
    """Five anywhere along the way, and three where only one thing is left to do."""
    home, export = erased.home, erased.exports / "killed.csv"
    [(name,)] = home.query(
        """SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' AND source_count > 1
           AND golden_id IN (SELECT golden_id FROM golden.customer_order) ORDER BY 1 LIMIT 1"""
    )
    values = theirs_alone(home, erased.delivered, str(name))
    assert {"golden.customer"} <= traces(home, values)
    home.ask("export", "golden", "--out", str(export))
    noted = home.settings.home / "privacy" / "exports"
    before = len(home.query("SELECT 1 FROM privacy.certificate"))
    places = sum(isinstance(one.erasure, RowsOut | Anew) for one in all_places(home.settings))
    kills, at_random, moments = 5, random.Random(7), []

    def killed(moment: str) -> None:
        begun = home.query("SELECT request_id FROM privacy.request WHERE subject IS NOT NULL")
        done = home.query(STEPS_DONE.format(begun[0][0])) if begun else []
        moments.append(len(done))
        if moment == "":  # so that each begins behind the last one, and some are left to the end
            moment = str(1 + at_random.randrange(max(1, (places - len(done)) // (kills + 2 - len(moments)))))
        arguments = [sys.executable, "-c", KILLED, moment, "" if begun else str(name), str(export)]
        ended = subprocess.run(arguments, env=home.environment, capture_output=True, text=True, check=False)
        assert ended.returncode == -signal.SIGKILL, f"{moment}: {ended.returncode} {ended.stderr}"

    def open_requests() -> int:
        return len(home.query("SELECT 1 FROM privacy.request WHERE state <> 'done'"))

    for _ in range(kills):
        killed("")
    assert moments == sorted(moments), "none begins anew"
    assert len(set(moments)) > kills // 2, "killed all along the way"
    killed("export")
    notes = [path for path in noted.iterdir() if str(export) in path.read_text(encoding="utf-8")]
    assert (export.exists(), len(notes), open_requests()) == (False, 1, 1), (
        "the file is gone, its note is not"
    )
    killed("look")
    assert [path for path in notes if path.exists()] == []
    assert (len(home.query("SELECT 1 FROM privacy.certificate")), open_requests()) == (before, 1)
    killed("certificate")
    assert (len(home.query("SELECT 1 FROM privacy.certificate")), open_requests()) == (before + 1, 0)
    home.ask("privacy", "resume", "--by", "Petra")
    assert len(home.query("SELECT 1 FROM privacy.certificate")) == before + 1
    assert home.query("SELECT 1 FROM privacy.request WHERE state <> 'done' OR subject IS NOT NULL") == []
    [(content,)] = home.query("SELECT content FROM privacy.certificate ORDER BY number DESC LIMIT 1")
    erased_places = [place for place, *_ in content["erased"]]
    assert erased_places.count(f"export of customer: {export}") == 1
    assert str(export) not in {one["path"] for one in content["exports_out_of_hands"]}
    assert {place.split("/")[0] for place in traces(home, values)} <= {"privacy.legal_hold"}
    assert home.query(f"SELECT 1 FROM golden.customer WHERE golden_id = '{name}'") == []


def test_while_a_run_is_under_way_an_erasure_waits_for_it(erased: Erased) -> None:
    home = erased.home
    [(name, email)] = home.query(
        """SELECT golden_id::text, email FROM golden.customer c WHERE party_kind = 'person' AND email IS NOT NULL
           AND NOT EXISTS (SELECT FROM golden.customer d WHERE d.golden_id <> c.golden_id AND d.email = c.email)
           ORDER BY 1 DESC LIMIT 1"""
    )
    run = subprocess.Popen(
        [sys.executable, "-m", "cdm_pipelines.cli", "run", "--from", DAYS[0], "--to", DAYS[2], "--rebuild"],
        env=home.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    under_way = "SELECT 1 FROM dagster.runs WHERE status = 'STARTED'"
    deadline = time.monotonic() + 300
    while not home.query(under_way) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert "runs are under way" in home.ask(
        "privacy", "erase", str(name), "--by", "Petra", "--yes", "--patience", "0", code=1
    )
    home.ask("privacy", "erase", str(name), "--by", "Petra", "--yes")
    assert run.wait(timeout=300) == 0
    assert home.query(f"SELECT 1 FROM golden.customer WHERE golden_id = '{name}'") == []
    assert home.query(f"SELECT 1 FROM golden.customer WHERE email = '{email}'") == []
