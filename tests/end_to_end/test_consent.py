"""Consent through whole runs: what extracts deliver is in force in that day's publication, and nothing is lost."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdm_pipelines.components.launch import run_job
from cdm_pipelines.components.session import open_session

from .conftest import DAYS, Deployment

LEDGER = "SELECT source, entity, record_id, t.* FROM privacy.consent_statement AS t ORDER BY 1, 2, 3"
CONSENT = "SELECT t.* FROM privacy.consent AS t ORDER BY golden_id, purpose, channel"
VERSIONS = "SELECT xmin::text, t.* FROM privacy.consent AS t ORDER BY golden_id, purpose, channel"


def deliver(home: Deployment, day: str, *rows: tuple[str, ...]) -> None:
    """Add statements to the log of the e-mail tool: number, mailbox, visitor, topic, status, time."""
    with (home.landing / "mail" / "consent" / f"{day}.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([*row, "form", "2025-09", ""] for row in rows)


def consent(home: Deployment, email: str) -> list[tuple[Any, ...]]:
    return home.query(
        f"""SELECT purpose, channel, allowed, state, why FROM privacy.consent JOIN golden.customer USING (golden_id)
        WHERE email = '{email}' ORDER BY 1, 2"""
    )


def standing(home: Deployment) -> Counter[str]:
    return Counter(dict(home.query("SELECT standing, count(*) FROM privacy.consent_statement GROUP BY 1")))


@pytest.fixture(scope="module")
def home(lived: Callable[..., Deployment]) -> Deployment:
    return lived(DAYS[0])


@pytest.fixture(scope="module")
def subscriber(home: Deployment) -> str:
    """The mailbox of a customer alone that may be mailed."""
    found = home.query(
        """SELECT min(email) FROM golden.customer JOIN privacy.consent USING (golden_id)
        WHERE purpose = 'marketing' AND channel = 'email' AND allowed AND NOT shared
        AND NOT EXISTS (SELECT FROM golden.customer AS o WHERE o.email = customer.email
                        AND o.golden_id <> customer.golden_id)"""
    )
    return str(found[0][0])


@pytest.fixture(scope="module")
def ticked(home: Deployment, subscriber: str) -> str:
    """The mailbox of a customer alone that may be mailed by a tick of the first day, which tells no moment."""
    found = home.query(
        f"""SELECT min(email) FROM golden.customer JOIN privacy.consent AS c USING (golden_id)
        JOIN privacy.consent_statement AS s ON s.source = c.source AND s.entity = c.entity
            AND s.record_id = c.record_id AND s.stated_at IS NULL
        WHERE c.purpose = 'marketing' AND c.channel = 'email' AND allowed AND NOT shared
        AND email IS NOT NULL AND email <> '{subscriber}'"""
    )
    return str(found[0][0])


def test_ledger_knows_what_each_person_last_said(home: Deployment, extracts: Path) -> None:
    with (extracts.parent / "truth" / "consent.csv").open(encoding="utf-8") as file:
        truth = list(csv.DictReader(file))
    alone = Counter(row["mailbox"].lower() for row in truth if row["purpose"] == "marketing")
    last = {
        (email, purpose): state
        for email, purpose, state in home.query(
            """SELECT DISTINCT ON (party_email, purpose) party_email, purpose, state FROM privacy.consent_statement
            WHERE source = 'mail' AND double_opt_in IS NOT FALSE
            ORDER BY party_email, purpose, stated_at DESC, array_position(ARRAY['objected', 'withdrawn'], state)"""
        )
    }
    checked = 0
    for row in truth:
        if row["stated_at"][:10] <= DAYS[0] and alone[row["mailbox"].lower()] == 1:
            checked += 1
            assert last[row["mailbox"].lower(), row["purpose"]] == row["state"]
    assert checked > 10


def test_every_statement_is_accounted_for(home: Deployment) -> None:
    (delivered,) = home.query("SELECT count(*) FROM privacy.consent_statement")[0]
    assert sum(standing(home).values()) == delivered > 50
    assert standing(home)["of nobody"] > 0, "visitors whom nobody knows"
    measured = dict(
        home.query(
            "SELECT part, value FROM ops.measurement WHERE asset = 'privacy/consent' AND name = 'what became of them'"
        )
    )
    assert measured == standing(home)


def test_withdrawal_of_the_day_is_in_force_in_its_publication(
    home: Deployment, subscriber: str, ticked: str
) -> None:
    before = home.query(LEDGER)
    assert [row[2] for row in consent(home, subscriber) if row[1] == "email"] == [True]
    deliver(
        home,
        DAYS[1],
        ("mc-w", subscriber.upper(), "", "Newsletter", "Unsubscribed", f"{DAYS[1]} 09:00:00"),
        ("mc-v", "", "visitor-9", "newsletter", "objection", f"{DAYS[1]} 09:00:00"),
        ("mc-a", "nobody@nowhere.example", "", "newsletter", "objection", f"{DAYS[1]} 09:00:00"),
        ("mc-f", subscriber, "", "newsletter", "subscribed", "2031-01-01 09:00:00"),
        ("mc-t", ticked, "", "newsletter", "unsubscribed", "2024-02-03 09:00:00"),
        ("mc-u", subscriber, "", "Astrology", "subscribed", f"{DAYS[1]} 09:00:00"),
        ("mc-s", subscriber, "", "newsletter", "perhaps", f"{DAYS[1]} 09:00:00"),
    )
    of_nobody = standing(home)["of nobody"]
    assert home.run(DAYS[1]) == 0
    now = {(row[0], row[1]): row for row in consent(home, subscriber)}
    assert now["marketing", "email"][2:4] == (False, "withdrawn")
    assert now["astrology", "email"][2] is False, "a purpose that is not known"
    of_ticked = {(row[0], row[1]): row for row in consent(home, ticked)}
    assert of_ticked["marketing", "email"][2:4] == (False, "withdrawn"), "who knows when the tick was made?"
    assert standing(home)["of nobody"] == of_nobody + 2
    assert standing(home)["in the future"] == standing(home)["unknown state"] == 1
    told = home.query(
        f"""SELECT changes FROM ops.outbox JOIN golden.customer USING (golden_id)
        WHERE type = 'customer.consent_changed' AND email = '{subscriber}'"""
    )
    assert [set(changes) for (changes,) in told] == [{"marketing/email"}]
    keys = {row[:3] for row in home.query(LEDGER)}
    assert {row[:3] for row in before} <= keys, "the ledger only grows"


def test_command_line_shows_what_is_allowed_and_why(home: Deployment, subscriber: str) -> None:
    [(golden,)] = home.query(f"SELECT golden_id::text FROM golden.customer WHERE email = '{subscriber}'")
    shown = home.ask("customer", golden, "--consent")
    assert "withdrawn" in shown
    assert "the latest statement" in shown
    assert "mc-w" in shown, "the statement that decides"
    assert "nothing was said" in shown, "of other purposes"


def test_running_a_day_again_changes_nothing(home: Deployment) -> None:
    before = home.query(VERSIONS), home.query("SELECT count(*) FROM ops.outbox")
    assert home.run(DAYS[1]) == 0
    assert (home.query(VERSIONS), home.query("SELECT count(*) FROM ops.outbox")) == before


def test_said_again_later_and_part_equals_whole(home: Deployment, subscriber: str) -> None:
    deliver(home, DAYS[2], ("mc-b", subscriber, "", "newsletter", "subscribed", f"{DAYS[2]} 10:00:00"))
    assert home.run(DAYS[2]) == 0
    assert {(row[0], row[1]): row[2] for row in consent(home, subscriber)}["marketing", "email"] is True
    worked = home.query(
        "SELECT value FROM ops.measurement WHERE asset = 'privacy/consent' AND name = 'customers worked on'"
    )
    assert worked, "of some customers only"
    part = home.query(CONSENT), home.query(LEDGER)
    assert home.run(DAYS[2], rebuild=True) == 0
    assert (home.query(CONSENT), home.query(LEDGER)) == part


FENNA = {
    "Id": "0037Q00000Fenna1AA",
    "FirstName": "Fenna",
    "LastName": "Hoogterp",
    "Email": "fenna.hoogterp@mail.example",
    "HasOptedOutOfEmail": "false",
}
EVERT = {
    "Id": "0037Q00000Evert2AA",
    "FirstName": "Evert",
    "LastName": "Wiersma",
    "Email": "evert.wiersma@mail.example",
    "HasOptedOutOfEmail": "true",
}
RECORDS = (FENNA["Id"], EVERT["Id"])
KEYS = tuple(f"crm/contact/{one['Id']}" for one in (FENNA, EVERT))


def may_be_mailed(home: Deployment) -> dict[str, bool]:
    """Whether the customer of each of the two records may be mailed about offers."""
    rows = home.query(
        f"""SELECT x.record_id, c.allowed FROM golden.crosswalk AS x JOIN privacy.consent AS c USING (golden_id)
        WHERE x.record_id IN {RECORDS} AND purpose = 'marketing' AND channel = 'email'"""
    )
    return {"Fenna" if record == FENNA["Id"] else "Evert": allowed for record, allowed in rows}


def customers_job(home: Deployment) -> None:
    with open_session(home.settings) as session:
        outcome = run_job(session.definitions, "customers", session.instance)
        assert outcome.succeeded, outcome.failures


def test_merge_is_as_strict_as_its_parts_until_said_otherwise_and_a_split_gives_each_its_own(
    deploy: Callable[..., Deployment],
) -> None:
    home = deploy()
    contacts = home.landing / "crm" / "contact" / f"{DAYS[0]}.csv"
    with contacts.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file))
    with contacts.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="", quoting=csv.QUOTE_ALL)
        writer.writerows({"IsDeleted": "false", "DoNotCall": "false", **one} for one in (FENNA, EVERT))
    deliver(home, DAYS[0], ("mc-1", FENNA["Email"], "", "newsletter", "subscribed", "2026-05-01 09:00:00"))
    assert home.run(DAYS[0]) == 0
    assert may_be_mailed(home) == {"Fenna": True, "Evert": False}

    home.ask("steward", "same", *KEYS, "--by", "Stien")
    customers_job(home)
    assert (
        len(home.query(f"SELECT DISTINCT golden_id FROM golden.crosswalk WHERE record_id IN {RECORDS}")) == 1
    )
    assert may_be_mailed(home) == {"Fenna": False, "Evert": False}

    deliver(home, DAYS[1], ("mc-2", FENNA["Email"], "", "newsletter", "subscribed", f"{DAYS[1]} 09:00:00"))
    assert home.run(DAYS[1], sources=["mail"]) == 0
    assert may_be_mailed(home) == {"Fenna": True, "Evert": True}, (
        "the one person said so when both were known"
    )

    home.ask("steward", "undo", "1", "--by", "Stien")
    customers_job(home)
    assert may_be_mailed(home) == {"Fenna": True, "Evert": False}


def values(home: Deployment, golden: str) -> tuple[Any, ...]:
    """What the profile says that analytics, and that service alone are for; and what is withheld."""
    [found] = home.query(
        f"""SELECT rfm_orders IS NOT NULL, quality_confidence IS NOT NULL, withheld_purposes
        FROM profile.customer WHERE golden_id = '{golden}'"""
    )
    return found


def told(home: Deployment, sink: str) -> set[str]:
    """Golden ids of whom a sink is told, from the beginning; but for that what they allow has changed."""
    home.ask("feed", "replay", "--sink", sink, "--from", "1")
    folder = Path(home.settings.lake_url) / "publish" / "feed" / sink
    events = [json.loads(line) for path in folder.rglob("*.jsonl") for line in path.read_text().splitlines()]
    shutil.rmtree(folder, ignore_errors=True)
    return {str(event["subject"]) for event in events if event["type"] != "cdm.customer.consent_changed"}


@pytest.fixture(scope="module")
def buyer(home: Deployment) -> str:
    """A customer who orders and may be mailed."""
    [(golden,)] = home.query(
        """SELECT min(golden_id::text) FROM golden.customer JOIN privacy.consent USING (golden_id)
        JOIN profile.rfm USING (golden_id) WHERE purpose = 'marketing' AND channel = 'email' AND allowed AND orders > 0
        """
    )
    return str(golden)


def test_who_objects_has_no_profile_for_that_purpose_and_has_it_back(home: Deployment, buyer: str) -> None:
    assert values(home, buyer) == (True, True, None)
    refused = home.ask("privacy", "object", buyer, "--purpose", "billing", "--by", "Petra", code=1)
    assert "Nobody can object to billing: it rests on contract" in " ".join(refused.split())
    home.ask("privacy", "object", buyer, "--purpose", "analytics", "--by", "Petra")
    assert home.run(DAYS[2]) == 0
    assert values(home, buyer) == (False, True, "analytics")
    home.ask("privacy", "object", buyer, "--purpose", "analytics", "--by", "Petra", "--lift")
    assert home.run(DAYS[2]) == 0
    assert values(home, buyer) == (True, True, None)


def exported(home: Deployment, folder: Path, table: str, *options: str) -> list[dict[str, Any]]:
    file = folder / f"{table}.jsonl"
    home.ask("export", "golden", "--table", table, "--format", "jsonl", "--out", str(file), *options)
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def seen_as(home: Deployment, role: str, customer: str) -> dict[str, int]:
    """Rows of a customer in the views of a role."""
    orders = home.query(f"SELECT order_id FROM golden.customer_order WHERE golden_id = '{customer}'")
    numbers = ", ".join(f"'{number}'" for (number,) in orders)
    return {
        "customer": home.query(f"SELECT count(*) FROM for_{role}.customer WHERE golden_id = '{customer}'")[0][
            0
        ],
        "lines": home.query(f"SELECT count(*) FROM for_{role}.order_line WHERE order_id IN ({numbers})")[0][
            0
        ],
    }


def test_who_is_restricted_is_used_for_nothing(home: Deployment, buyer: str, tmp_path: Path) -> None:
    everybody, lines = (len(exported(home, tmp_path, one)) for one in ("customer", "order_line"))
    before = seen_as(home, "sales", buyer)
    assert before["customer"] == 1
    assert before["lines"] > 0
    others = home.query("SELECT count(*) FROM for_sales.order_line")[0][0] - before["lines"]
    home.ask("privacy", "restrict", buyer, "--by", "Petra")
    assert seen_as(home, "sales", buyer) == {"customer": 0, "lines": 0}, "at once"
    assert home.query("SELECT count(*) FROM for_sales.order_line") == [(others,)], "nobody else"
    by_steward = f"SELECT count(*) FROM for_steward.customer WHERE golden_id = '{buyer}'"
    assert home.query(by_steward) == [(1,)], "who decides who is who sees everybody"
    left = exported(home, tmp_path, "customer")
    assert len(left) == everybody - 1
    assert buyer not in {row["golden_id"] for row in left}
    assert len(exported(home, tmp_path, "order_line")) == lines - before["lines"]
    assert buyer not in {row["golden_id"] for row in exported(home, tmp_path, "customer", "--role", "sales")}
    assert home.run(DAYS[2]) == 0
    assert values(home, buyer)[:2] == (False, False)
    assert home.query(f"SELECT count(*) FROM golden.customer WHERE golden_id = '{buyer}'") == [(1,)], "kept"
    home.ask("privacy", "restrict", buyer, "--by", "Stien", "--lift", "--reason", "case 12")
    assert home.run(DAYS[2]) == 0
    assert values(home, buyer) == (True, True, None)
    lifted = home.query(
        "SELECT kind, checked_by, state, reason FROM privacy.request ORDER BY request_id DESC LIMIT 1"
    )
    assert lifted == [("restrict", "Stien", "done", "taken back: case 12")]
    told = home.ask("privacy", "restrict", buyer, "--by", "Petra", "--lift", code=1)
    assert "there is nothing to lift" in told


def test_who_said_no_to_all_that_a_role_acts_for_is_not_seen_by_it(home: Deployment, buyer: str) -> None:
    def seen() -> dict[str, int]:
        one = f"WHERE golden_id = '{buyer}'"
        of = {
            "analyst": "",
            "marketing": one,
            "sales": one,
            "steward": one,
        }  # an analyst sees keys in the place of ids
        return {
            role: home.query(f"SELECT count(*) FROM for_{role}.customer {where}")[0][0]
            for role, where in of.items()
        }

    before = seen()
    assert before["marketing"] == before["sales"] == before["steward"] == 1
    home.ask("privacy", "object", buyer, "--purpose", "marketing", "--by", "Petra")
    assert seen() == {**before, "marketing": 0}
    home.ask("privacy", "object", buyer, "--purpose", "sales", "--by", "Petra")
    assert seen() == {**before, "marketing": 0}, "sales handles orders as well, to which nobody can say no"
    home.ask("privacy", "object", buyer, "--purpose", "analytics", "--by", "Petra")
    assert seen() == {**before, "marketing": 0, "analyst": before["analyst"] - 1}
    for purpose in ("marketing", "sales", "analytics"):
        home.ask("privacy", "object", buyer, "--purpose", purpose, "--by", "Petra", "--lift")
    assert seen() == before


def test_an_export_is_for_a_purpose_and_as_a_role(home: Deployment, tmp_path: Path) -> None:
    masked = exported(home, tmp_path, "customer", "--role", "service")
    clear = {row["golden_id"]: row for row in exported(home, tmp_path, "customer")}
    assert {row["golden_id"] for row in masked} == clear.keys()
    mailed = [row for row in masked if row["email"]]
    assert mailed
    assert all("*" in row["email"] and row["email"] != clear[row["golden_id"]]["email"] for row in mailed)
    assert "vat_number" not in masked[0], "what is hidden from the role is not in the file"
    allowed = home.query(
        "SELECT golden_id::text FROM privacy.consent WHERE purpose = 'marketing' AND channel = '' AND allowed"
    )
    marketed = {row["golden_id"] for row in exported(home, tmp_path, "customer", "--role", "marketing")}
    assert marketed <= {golden for (golden,) in allowed}, (
        "a file names no channel: a yes to one is not enough"
    )
    told = home.ask("export", "golden", "--table", "provenance", "--role", "marketing", code=1)
    assert "The role marketing does not see golden.provenance" in " ".join(told.split())


def test_a_sink_is_told_of_nobody_who_did_not_agree_to_its_purpose(home: Deployment, tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    shutil.copytree(home.settings.policies, policies)
    (policies / "change_feed.yaml").write_text(
        """sinks:
          mailing: {kind: files, purpose: marketing, channel: email}
          warehouse: {kind: files, purpose: analytics}
        """
    )
    own = Deployment(home.settings.model_copy(update={"policies": policies}))
    before, left = told(own, "warehouse"), gone(home)
    chosen = min(before - left)
    home.ask("privacy", "object", chosen, "--purpose", "analytics", "--by", "Petra")
    assert told(own, "warehouse") == before - {chosen}, "the next delivery knows"
    allowed = home.query(
        """SELECT golden_id::text FROM privacy.consent
        WHERE purpose = 'marketing' AND channel = 'email' AND allowed"""
    )
    assert told(own, "mailing") <= {golden for (golden,) in allowed} | left


def gone(home: Deployment) -> set[str]:
    """Ids that are no customer's own any more; a system that knows one is told so that it lets go of it."""
    return {
        golden
        for (golden,) in home.query(
            "SELECT golden_id::text FROM identity.golden_id WHERE status <> 'current'"
        )
    }
