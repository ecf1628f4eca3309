"""Persons are erased everywhere and for good: nothing of theirs is found, nobody else's is touched, none comes back."""

import datetime as dt
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.persons import persons_of
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.store.register import Anew, Persons, Rows

from .conftest import DAYS, Deployment
from .traces import texts_of, traces

NUMBER = 20
SINGLE = (
    "SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' AND record_count = 1 ORDER BY 1"
)


@dataclass(frozen=True)
class Erased:
    """A deployment with a history, of which twenty persons were erased.

    Attributes:
        home: The deployment.
        delivered: A copy of what was delivered.
        persons: Who was erased, by golden id, as they were asked for.
        known: Everything that named them.
        values: Values that only they had, by whose rows of landing they are.
        others: Golden customers that stay, as they were before.
        told: What the command said.
    """

    home: Deployment
    delivered: Path
    persons: dict[str, str]
    known: Persons
    values: set[str]
    others: list[tuple[Any, ...]]
    told: str
    exports: Path


def customers(home: Deployment, known: Persons) -> list[tuple[Any, ...]]:
    """All golden customers but some."""
    return [
        row
        for row in home.query("SELECT * FROM golden.customer ORDER BY golden_id")
        if row[0] not in known.golden_ids
    ]


@pytest.fixture(scope="module")
def erased(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Erased:
    home = deploy()
    delivered = tmp_path_factory.mktemp("delivered") / "landing"
    shutil.copytree(home.landing, delivered)
    own = home.settings
    policies = own.home / "policies"
    shutil.copytree(own.policies, policies)
    (policies / "change_feed.yaml").write_text("sinks:\n  warehouse:\n    kind: files\n", encoding="utf-8")
    given = {n: getattr(own, n) for n in ("home", "landing_url", "lake_url", "database_url", "threads")}
    home = Deployment(load_settings(**given, policies=policies))
    assert home.run(DAYS[0]) == 0
    single = [str(row[0]) for row in home.query(SINGLE)]
    one, other, set_of, confirmed = single[:4]
    [(record, split)] = home.query(
        """SELECT min(source || '/' || entity || '/' || record_id), golden_id::text FROM golden.crosswalk
           JOIN golden.customer USING (golden_id) WHERE party_kind = 'person'
           GROUP BY golden_id HAVING count(*) = 2 ORDER BY 2 LIMIT 1"""
    )
    home.ask("steward", "same", one, other, "--by", "Stien", "--because", "same passport")
    home.ask("steward", "different", str(record), str(split), "--by", "Stien")
    home.ask("steward", "set", set_of, "job_title=keeper of bees", "--by", "Stien")
    home.ask("steward", "confirm", confirmed, "--by", "Stien")
    assert home.run(DAYS[1], DAYS[2]) == 0
    persons = {"merged": max(one, other), "split": str(split), "set": set_of, "confirmed": confirmed}
    persons |= {"housemate": housemate(home), "invoiced": invoiced(home)}
    everybody = home.query(
        "SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' ORDER BY 1"
    )
    more = [str(id_) for (id_,) in everybody if str(id_) not in {*persons.values(), one, other}]
    persons |= {f"other-{at}": name for at, name in enumerate(more[: NUMBER - len(set(persons.values()))])}
    assert len(set(persons.values())) == NUMBER
    with open_hub(home.settings) as engine, engine.connect() as connection:
        known = persons_of(connection, [UUID(one) for one in persons.values()])
    values, others = theirs_alone(delivered, known, home), customers(home, known)
    exports = tmp_path_factory.mktemp("exports")
    exported(home, exports)
    assert traces(home, values)
    complain(home, next(one for one in sorted(values) if "@" in one))
    told = home.ask("privacy", "erase", *persons.values(), "--by", "Petra", "--reason", "case 12", "--yes")
    return Erased(home, delivered, persons, known, values, others, told, exports)


def complain(home: Deployment, mail: str) -> None:
    """Somebody is restricted, and no more, with their own address as the reason of both."""
    [(person,)] = home.query(f"SELECT golden_id::text FROM golden.customer WHERE email = '{mail}'")
    for more in ((), ("--lift",)):
        home.ask("privacy", "restrict", person, "--by", "Petra", "--reason", f"wrote from {mail}", *more)


def exported(home: Deployment, to: Path) -> None:
    """Files for people: as they were written, moved, changed, and without any person."""
    for name, table in (
        ("customers.csv", "customer"),
        ("customers.parquet", "customer"),
        ("orders.jsonl", "customer_order"),
        ("moved.csv", "customer"),
        ("changed.csv", "customer"),
        ("products.csv", "product"),
    ):
        form = name.rpartition(".")[2]
        home.ask("export", "golden", "--table", table, "--format", form, "--out", str(to / name))
    home.ask("export", "golden", "--role", "analyst", "--out", str(to / "pseudonyms.csv"))
    rejected = to / "rejected.csv"
    home.ask("quarantine", "export", "crm/contact", "--date", DAYS[0], "--out", str(rejected))
    (to / "moved.csv").rename(to / "elsewhere.csv")
    with (to / "changed.csv").open("a", encoding="utf-8") as more:
        more.write("\n")


def housemate(home: Deployment) -> str:
    """Somebody with whom another customer shares an address."""
    [(found,)] = home.query(
        """SELECT c.golden_id::text FROM golden.customer c WHERE party_kind = 'person' AND record_count > 1
           AND EXISTS (SELECT FROM golden.customer d WHERE d.golden_id <> c.golden_id AND d.postcode = c.postcode
                       AND d.house_number = c.house_number AND d.party_kind = 'person')
           ORDER BY 1 LIMIT 1"""
    )
    return str(found)


def invoiced(home: Deployment) -> str:
    [(found,)] = home.query(
        """SELECT golden_id::text FROM golden.invoice JOIN golden.customer USING (golden_id)
           WHERE party_kind = 'person' AND source_count > 1 GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"""
    )
    return str(found)


def theirs_alone(delivered: Path, known: Persons, home: Deployment) -> set[str]:
    """Addresses, phones and long record numbers that stand in landing only in lines that name one of their records."""
    numbers = {
        key[2] for key in known.keys if len(key[2]) > 8 and "|" not in key[2]
    }  # no part of others by chance
    wanted = set(numbers)
    for id_ in known.golden_ids:
        for row in home.query(
            f"SELECT email, phone, mobile, iban FROM golden.customer WHERE golden_id = '{id_}'"
        ):
            wanted |= {str(one) for one in row if one}
    lines = [
        line
        for path in sorted(delivered.rglob("*"))
        if path.is_file()
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    shared = set()
    for value in wanted:
        others = (line for line in lines if value.lower() in line.lower())
        if any(not any(number in named_by(line) for number in numbers) for line in others):
            shared.add(value)
    for value in wanted - shared:
        for column in ("email", "phone", "mobile", "iban"):
            same = f"SELECT golden_id FROM golden.customer WHERE {column} = '{value}'"
            shared |= {value for (one,) in home.query(same) if one not in known.golden_ids}
    return wanted - shared


def named_by(line: str) -> str:
    """The part of a line in which its key is: numbers of other things may be alike."""
    return line if line.startswith("{") else line[:45]


def test_nothing_of_theirs_is_found_in_any_file_or_table(erased: Erased) -> None:
    assert len(erased.values) > NUMBER
    assert traces(erased.home, erased.values) <= {"privacy.legal_hold"}


def test_what_is_of_others_is_untouched(erased: Erased) -> None:
    assert customers(erased.home, erased.known) == erased.others
    assert len(erased.others) > 2 * NUMBER


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
    theirs = erased.values | ids
    left = {path.name: texts_of(path.name, path.read_bytes()) for path in erased.exports.iterdir()}
    holding = {name for name, text in left.items() if any(value in text for value in theirs)}
    assert holding == {"elsewhere.csv", "changed.csv"}, "out of our hands"
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
    for name in (
        *list(erased.persons.values())[:2],
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
    home = erased.home
    shutil.copytree(erased.delivered, home.landing, dirs_exist_ok=True)
    assert home.run(DAYS[0], DAYS[2]) == 0
    lake = Path(home.settings.lake_url)
    assert (lake / "publish" / "kept_out" / "crm" / "contact.json").exists()
    delivered = {path.split("/")[0] for path in traces(home, erased.values)} - {"privacy.legal_hold"}
    assert delivered == {"landing"}  # where their owner put them, and nowhere else
    now = [row[0] for row in home.query("SELECT golden_id FROM golden.customer")]
    assert not erased.known.golden_ids & set(now)
    assert customers(home, erased.known) == list(erased.others), "the other half of who was split among them"
    shutil.rmtree(home.landing)
    shutil.copytree(erased.delivered, home.landing)


def test_a_rebuild_from_what_is_left_is_what_was_there(erased: Erased) -> None:
    home = erased.home
    before = home.published()
    assert home.run(DAYS[0], DAYS[2], rebuild=True) == 0
    assert home.published() == before


STEPS_DONE = "SELECT place FROM privacy.request_step WHERE request_id = {} AND done_at IS NOT NULL"
KILLED = """
import os, random, signal, sys, threading
from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.rights.erasure import Asked, erase, resume

moment, name = int(sys.argv[1]), sys.argv[2]
seen = 0

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def progress(what):
    global seen
    seen += 1
    if seen == moment:
        threading.Timer(random.Random(moment).random() / 50, kill).start()

own, actor = load_settings(), Actor("Petra", Role.PRIVACY_OFFICER)
with open_hub(own) as engine:
    if name:
        erase(own, engine, Asked([name], actor, "Petra"), progress=progress)
    else:
        resume(own, engine, actor, progress=progress)
"""


def test_killed_at_ten_moments_it_is_complete_with_one_certificate(erased: Erased) -> None:
    home = erased.home
    [(name,)] = home.query(
        """SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' AND source_count > 1
           AND golden_id IN (SELECT golden_id FROM golden.customer_order) ORDER BY 1 LIMIT 1"""
    )
    with open_hub(home.settings) as engine, engine.connect() as connection:
        known = persons_of(connection, [UUID(str(name))])
    values = theirs_alone(erased.delivered, known, home)
    before = len(home.query("SELECT 1 FROM privacy.certificate"))
    places = sum(isinstance(one.erasure, Rows | Anew) for one in all_places(home.settings))
    kills, at_random, moments = 10, random.Random(7), []
    for left in range(
        kills, 0, -1
    ):  # so that each begins behind the last one, and the last is anywhere to the end
        begun = home.query("SELECT request_id FROM privacy.request WHERE subject IS NOT NULL")
        done = home.query(STEPS_DONE.format(begun[0][0])) if begun else []
        moments.append(len(done))
        moment = 1 + at_random.randrange(max(1, (places - len(done)) // left))
        arguments = [sys.executable, "-c", KILLED, str(moment), "" if begun else str(name)]
        ended = subprocess.run(arguments, env=home.environment, capture_output=True, text=True, check=False)
        assert ended.returncode == -signal.SIGKILL, f"{left}: {ended.returncode} {ended.stderr}"
    assert moments == sorted(moments), "none begins anew"
    assert len(set(moments)) > kills // 2, "killed all along the way"
    home.ask("privacy", "resume", "--by", "Petra")
    assert len(home.query("SELECT 1 FROM privacy.certificate")) == before + 1
    assert home.query("SELECT 1 FROM privacy.request WHERE state <> 'done'") == []
    assert traces(home, values) <= {"privacy.legal_hold"}
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
