"""What customers say at a touch point, through whole runs: what was in force at once is what the next run publishes."""

import csv
import datetime as dt
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine

from cdm_pipelines.hub.connection import database_url
from cdm_pipelines.steps.consent.said import Statement, say
from cdm_pipelines.steps.consent.staging import stage_consent
from cdm_pipelines.steps.customers.publication import publish_customers
from cdm_pipelines.store.lake import Lake

from .conftest import DAYS, Deployment
from .test_consent import CONSENT, EVERT, FENNA, KEYS, LEDGER, customers_job, deliver, may_be_mailed

TODAY = dt.datetime.now(dt.UTC).date()
TOMORROW = TODAY + dt.timedelta(days=1)
"""Of a moment that an extract of today may tell, and that is after whatever is said."""
STATES = ("given", "withdrawn", "objected", "refused")


def tell(home: Deployment, *statements: Statement) -> None:
    """Take statements down, each in a transaction of its own."""
    engine = create_engine(database_url(home.settings))
    try:
        for one in statements:
            with engine.begin() as connection:
                say(connection, home.settings, one, who="Petra", role="service")
    finally:
        engine.dispose()


def mailed(home: Deployment, golden: str) -> tuple[bool, str]:
    """Whether a customer may be mailed about offers, and the state that says so."""
    [found] = home.query(
        f"""SELECT allowed, state FROM privacy.consent WHERE golden_id = '{golden}' AND purpose = 'marketing'
        AND channel = 'email'"""
    )
    return (found[0], found[1])


def state(home: Deployment) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    return home.query(CONSENT), home.query(LEDGER)


@pytest.fixture(scope="module")
def home(lived: Callable[..., Deployment]) -> Deployment:
    return lived(DAYS[0])


@pytest.fixture(scope="module")
def subscribers(home: Deployment) -> list[str]:
    """Customers who alone have their mailbox and may be mailed."""
    return [
        str(golden)
        for (golden,) in home.query(
            """SELECT golden_id FROM golden.customer JOIN privacy.consent USING (golden_id)
            WHERE purpose = 'marketing' AND channel = 'email' AND allowed AND NOT shared
            AND NOT EXISTS (SELECT FROM golden.customer AS o WHERE o.email = customer.email
                            AND o.golden_id <> customer.golden_id) ORDER BY golden_id"""
        )
    ]


def test_in_force_at_once_is_what_the_next_run_publishes_and_a_rebuild_too(
    home: Deployment, subscribers: list[str]
) -> None:
    chosen = subscribers[0]
    shown = home.ask(
        "privacy",
        "say",
        chosen,
        "--purpose",
        "marketing",
        "--channel",
        "email",
        "--state",
        "withdrawn",
        "--by",
        "Petra",
    )
    assert "marketing is not allowed by email" in " ".join(shown.split())
    assert "withdrawn" in home.ask("customer", chosen, "--consent")
    assert mailed(home, chosen) == (False, "withdrawn")

    everybody = [golden for (golden,) in home.query("SELECT golden_id::text FROM golden.customer ORDER BY 1")]
    others = [golden for golden in everybody if golden != chosen]
    channels = ("email", "", "phone")
    tell(
        home,
        *(
            Statement(
                golden, "marketing" if at % 2 else "analytics", channels[at % 3], STATES[at % 4], "call"
            )
            for at, golden in enumerate(others)
        ),
    )
    shared = home.query("SELECT count(*) FROM privacy.consent WHERE shared")
    assert shared[0][0] > 0, "customers who share a mailbox are among them"
    at_once, before = state(home), home.query("SELECT coalesce(max(position), 0) FROM ops.outbox")[0][0]

    customers_job(home)
    assert state(home) == at_once
    assert home.query("SELECT count(*) FROM privacy.said_here WHERE publication_id IS NULL") == [(0,)]
    told = dict(
        home.query(
            f"""SELECT golden_id::text, changes FROM ops.outbox WHERE type = 'customer.consent_changed'
            AND position > {before}"""
        )
    )
    assert set(told[chosen]) == {"marketing/email"}, "consumers are told with the publication"
    changed = home.query(
        """SELECT DISTINCT golden_id::text FROM privacy.said_here
        JOIN golden.crosswalk USING (source, entity, record_id) WHERE told <> '{}'"""
    )
    assert set(told) == {golden for (golden,) in changed}
    customers_job(home)
    again = f"SELECT count(*) FROM ops.outbox WHERE type = 'customer.consent_changed' AND position > {before}"
    assert home.query(again) == [(len(told),)], "once"
    assert home.run(DAYS[0], rebuild=True) == 0
    assert state(home) == at_once


def test_what_is_said_while_a_version_waits_is_not_taken_back_by_its_publication(
    home: Deployment, subscribers: list[str]
) -> None:
    chosen, lake = subscribers[1], Lake(home.settings.lake_url)
    tell(home, Statement(chosen, "marketing", "email", "given", "call"))
    engine = create_engine(database_url(home.settings))
    try:
        with engine.begin() as connection:
            stage_consent(connection, lake, home.settings, rebuild=True)
        tell(home, Statement(chosen, "marketing", "email", "withdrawn", "call"))
        with engine.begin() as connection:
            publish_customers(connection, lake, home.settings)
    finally:
        engine.dispose()
    assert mailed(home, chosen) == (False, "withdrawn")
    assert home.query("SELECT count(*) FROM privacy.said_here WHERE publication_id IS NULL") == [(0,)]


def test_the_latest_counts_whoever_brings_it(home: Deployment, subscribers: list[str]) -> None:
    one, other = subscribers[2:4]
    mailbox = dict(home.query("SELECT golden_id::text, email FROM golden.customer"))
    tell(
        home,
        Statement(one, "marketing", "email", "withdrawn", "call"),
        Statement(other, "marketing", "email", "given", "call"),
    )
    deliver(home, DAYS[1], ("mc-old", mailbox[one], "", "newsletter", "subscribed", f"{DAYS[1]} 09:00:00"))
    assert home.run(DAYS[1]) == 0
    assert mailed(home, one) == (False, "withdrawn"), "an older yes arrives"
    assert mailed(home, other) == (True, "given")
    folder, activity = (home.landing / "mail" / entity for entity in ("consent", "activity"))
    shutil.copy(activity / f"{DAYS[0]}.csv", activity / f"{TODAY}.csv")
    header = (folder / f"{DAYS[0]}.csv").read_text(encoding="utf-8").splitlines(keepends=True)[0]
    (folder / f"{TODAY}.csv").write_text(header, encoding="utf-8")
    deliver(
        home,
        str(TODAY),
        ("mc-new", mailbox[one], "", "newsletter", "subscribed", f"{TOMORROW} 23:00:00"),
        ("mc-no", mailbox[other], "", "newsletter", "unsubscribed", f"{TOMORROW} 23:00:00"),
    )
    assert home.run(str(TODAY), sources=["mail"]) == 0
    assert mailed(home, one) == (True, "given")
    assert mailed(home, other) == (False, "withdrawn")
    part = state(home)
    tell(home, Statement(other, "marketing", "email", "given", "call"))
    assert state(home)[0] == part[0], "said today, and the newer no of the mailbox counts"
    assert home.run(str(TODAY), sources=["mail"], rebuild=True) == 0
    assert state(home)[0] == part[0]


def test_it_follows_the_record_through_a_merge_and_a_split(deploy: Callable[..., Deployment]) -> None:
    home = deploy()
    contacts = home.landing / "crm" / "contact" / f"{DAYS[0]}.csv"
    with contacts.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file))
    with contacts.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="", quoting=csv.QUOTE_ALL)
        writer.writerows({"IsDeleted": "false", "DoNotCall": "false", **one} for one in (FENNA, EVERT))
    assert home.run(DAYS[0]) == 0

    def hears(key: str, said: str, **expected: bool) -> None:
        """Something is said: it is so at once, and after the next run."""
        tell(home, Statement(key, "marketing", "email", said, "call"))
        assert may_be_mailed(home) == expected
        customers_job(home)
        assert may_be_mailed(home) == expected

    fenna, evert = KEYS
    hears(fenna, "given", Fenna=True, Evert=False)
    home.ask("steward", "same", *KEYS, "--by", "Stien")
    customers_job(home)
    assert may_be_mailed(home) == {"Fenna": True, "Evert": True}, "said when both records were known"
    hears(fenna, "withdrawn", Fenna=False, Evert=False)
    hears(evert, "given", Fenna=True, Evert=True)
    home.ask("steward", "undo", "1", "--by", "Stien")
    customers_job(home)
    assert may_be_mailed(home) == {"Fenna": False, "Evert": True}, "each their own"
    hears(fenna, "given", Fenna=True, Evert=True)
