"""The story of two customers who are taken for one, by evidence, by a steward and by mistake, over real runs."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from cdm_pipelines.components.launch import run_job
from cdm_pipelines.components.session import open_session

from .conftest import Deployment

FITTED, MET, MARRIED, MISTAKEN = "2026-06-01", "2026-06-02", "2026-06-03", "2026-06-04"
FENNA = {
    "Id": "0037Q00000Fenna1AA",
    "FirstName": "Fenna",
    "LastName": "Hoogterp",
    "Email": "fenna.hoogterp@mail.example",
    "Birthdate": "1980-02-03",
    "MobilePhone": "06-51236789",
    "MailingStreet": "Havendijk 12",
    "MailingPostalCode": "8321 AB",
    "MailingCity": "Urk",
    "MailingCountry": "Nederland",
    "LastModifiedDate": "2026-05-01T10:00:00.000Z",
}
EVERT = {
    "Id": "0037Q00000Evert2AA",
    "FirstName": "Evert",
    "LastName": "Wiersma",
    "Email": "evert.wiersma@mail.example",
    "Birthdate": "1971-11-30",
    "MobilePhone": "06-59871234",
    "LastModifiedDate": "2026-05-02T10:00:00.000Z",
}
RECORDS = (EVERT["Id"], FENNA["Id"])


@dataclass
class Story:
    """An installation, and how much of what happened was looked at."""

    home: Deployment
    seen: dict[str, list[int]] = field(default_factory=dict)

    def deliver(self, day: str, *contacts: dict[str, str]) -> None:
        """Run a day of CRM: the contacts of the first day and the given ones."""
        crm = self.home.landing / "crm"
        with (crm / "contact" / f"{FITTED}.csv").open(encoding="utf-8-sig", newline="") as file:
            others = list(csv.DictReader(file))
        with (crm / "contact" / f"{day}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(others[0]), restval="", quoting=csv.QUOTE_ALL)
            writer.writeheader()
            writer.writerows([*others, *({"IsDeleted": "false", **contact} for contact in contacts)])
        (crm / "account" / f"{day}.csv").write_bytes((crm / "account" / f"{FITTED}.csv").read_bytes())
        assert self.home.run(day, sources=["crm"]) == 0

    def customers_job(self) -> None:
        """The job ``customers``, without new extracts."""
        with open_session(self.home.settings) as session:
            outcome = run_job(session.definitions, "customers", session.instance)
            assert outcome.succeeded, outcome.failures

    @property
    def customers(self) -> tuple[str, str]:
        """The golden ids of both records, by the crosswalk."""
        (one,), (other,) = self.home.query(
            f"SELECT golden_id::text FROM golden.crosswalk WHERE record_id IN {RECORDS} ORDER BY record_id"
        )
        return one, other

    def status(self, golden: str) -> tuple[str, str | None]:
        [(status, alias_of)] = self.home.query(
            f"SELECT status, alias_of::text FROM identity.golden_id WHERE golden_id = '{golden}'"
        )
        return status, alias_of

    def known(self, golden: str) -> list[tuple[Any, ...]]:
        """All that was ever known about a customer: first name, number of records, and whether it is known still."""
        columns, of_it = "given_name, record_count", f"WHERE golden_id = '{golden}'"
        former = f"SELECT {columns}, false FROM golden.customer_history {of_it} ORDER BY valid_from"
        return self.home.query(former) + self.home.query(
            f"SELECT {columns}, true FROM golden.customer {of_it}"
        )

    def news(self, golden: str) -> list[tuple[Any, ...]]:
        """What happened to an id since the last look: as identity remembers it, and as receivers are told.

        What changed of its profile is left out.
        """
        of_it = f"WHERE golden_id = '{golden}'"
        events = self.home.query(
            f"SELECT event, related_id::text FROM identity.event {of_it} ORDER BY publication_id"
        )
        told = self.home.query(
            f"""SELECT type, related_id::text FROM ops.outbox {of_it} AND type <> 'customer.profile_changed'
            ORDER BY position"""
        )
        old = self.seen.get(golden, [0, 0])
        self.seen[golden] = [len(events), len(told)]
        return events[old[0] :] + told[old[1] :]


@pytest.fixture(scope="module")
def story(lived: Callable[..., Deployment]) -> Story:
    home = lived(FITTED)
    return Story(home)


def test_two_customers_merged_by_evidence_and_parted_by_a_steward_stay_apart_through_a_mistake(
    story: Story,
) -> None:
    story.deliver(MET, EVERT, FENNA)
    evert, fenna = apart = story.customers
    assert evert != fenna
    assert story.status(evert) == story.status(fenna) == ("current", None)
    assert story.known(evert) == [("Evert", 1, True)]
    assert story.known(fenna) == [("Fenna", 1, True)]
    assert story.news(evert) == story.news(fenna) == [("created", None), ("customer.created", None)]
    [(met,)] = story.home.query("SELECT max(published_at)::text FROM ops.publication")

    story.deliver(
        MARRIED, {**FENNA, "Id": EVERT["Id"], "LastModifiedDate": "2026-06-02T10:00:00.000Z"}, FENNA
    )
    assert story.customers == (evert, evert)
    assert story.status(evert) == ("current", None)
    assert story.status(fenna) == ("alias", evert)
    assert story.known(evert) == [("Evert", 1, False), ("Fenna", 2, True)]
    assert story.known(fenna) == [("Fenna", 1, False)]
    assert story.news(evert) == [("customer.changed", None)]
    assert story.news(fenna) == [("merged", evert), ("customer.merged", evert)]
    assert all(name in story.home.ask("customer", fenna) for name in RECORDS)

    said = story.home.ask(
        "steward", "different", *(f"crm/contact/{name}" for name in RECORDS), "--by", "Stien"
    )
    assert "Decision 1 (different) by Stien is recorded" in said
    story.customers_job()
    assert story.customers == apart
    assert story.status(evert) == story.status(fenna) == ("current", None)
    assert story.known(evert) == [("Evert", 1, False), ("Fenna", 2, False), ("Fenna", 1, True)]
    assert story.known(fenna) == [("Fenna", 1, False), ("Fenna", 1, True)]
    assert story.news(evert) == [("customer.changed", None)]
    assert story.news(fenna) == [("restored", None), ("customer.restored", None)]
    assert EVERT["Id"] not in story.home.ask("customer", fenna)

    mistaken = {**FENNA, "Id": EVERT["Id"], "MasterRecordId": FENNA["Id"]}
    story.deliver(MISTAKEN, {**mistaken, "LastModifiedDate": "2026-06-03T10:00:00.000Z"}, FENNA)
    assert story.customers == apart
    assert story.status(evert) == story.status(fenna) == ("current", None)
    assert story.known(fenna) == [("Fenna", 1, False), ("Fenna", 1, True)]
    assert story.news(evert) == [("customer.changed", None)]  # its only record is not in use any more
    assert story.news(fenna) == []
    as_of = (
        f"SELECT golden_id::text, given_name FROM golden.customer_as_of('{met}') WHERE golden_id IN {apart}"
    )
    assert dict(story.home.query(as_of)) == {evert: "Evert", fenna: "Fenna"}

    story.home.ask("steward", "undo", "1", "--by", "Stien")
    story.customers_job()
    assert story.customers == (evert, evert)
    assert story.status(fenna) == ("alias", evert)
    assert story.news(fenna) == [("merged", evert), ("customer.merged", evert)]
    ids = story.home.query(f"SELECT golden_id::text FROM identity.golden_id WHERE record_id IN {RECORDS}")
    assert sorted(ids) == sorted((one,) for one in apart)
