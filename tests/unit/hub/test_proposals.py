"""What one person proposes and another approves."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from cdm_pipelines.hub.proposals import (
    APPROVED,
    EXPIRED,
    OPEN,
    REJECTED,
    ProposalError,
    about,
    approve,
    forget,
    open_proposals,
    propose,
    reject,
)
from cdm_pipelines.hub.schema_console import proposal
from cdm_pipelines.store.register import Persons

ID = "7a0f6a3c-0000-5000-8000-000000000001"
SUBJECT = {"golden_ids": [ID], "records": ["crm/contact/1", "shop/account/2"]}
KINDS = ("same", "different")


def test_another_person_approves(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        made = propose(connection, "same", SUBJECT, "ann", "twins")
        assert [one.proposal_id for one in open_proposals(connection, KINDS)] == [made.proposal_id]
        with pytest.raises(ProposalError, match="Somebody else"):
            approve(connection, made.proposal_id, "ANN", KINDS)
        done = approve(connection, made.proposal_id, "bob", KINDS)
        assert (done.state, done.decided_by, done.subject) == (APPROVED, "bob", SUBJECT)
        assert open_proposals(connection, KINDS) == []
        with pytest.raises(ProposalError, match="approved already"):
            reject(connection, made.proposal_id, "bob", KINDS)


def test_the_database_refuses_that_somebody_approves_their_own(hub_engine: Engine) -> None:
    with hub_engine.connect() as connection:
        propose(connection, "same", SUBJECT, "ann")
        with pytest.raises(IntegrityError, match="four_eyes"):
            connection.execute(text("UPDATE ops.proposal SET state = 'approved', decided_by = 'Ann'"))


def test_the_same_is_proposed_once_and_taken_back_by_whoever_made_it(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        made = propose(connection, "same", SUBJECT, "ann")
        assert propose(connection, "same", SUBJECT, "bob") == made
        with pytest.raises(ProposalError, match="no proposal"):
            approve(connection, made.proposal_id, "bob", ["erase"])
        assert reject(connection, made.proposal_id, "ann", KINDS).state == REJECTED
        assert propose(connection, "same", SUBJECT, "bob").proposal_id != made.proposal_id


def test_one_that_nobody_decides_expires(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        made = propose(connection, "same", SUBJECT, "ann")
        connection.execute(text("UPDATE ops.proposal SET proposed_at = now() - interval '31 days'"))
        assert open_proposals(connection, KINDS) == []
        with pytest.raises(ProposalError, match="expired"):
            approve(connection, made.proposal_id, "bob", KINDS)


def test_what_a_person_asked_for_waits_until_somebody_decides(hub_engine: Engine) -> None:
    with hub_engine.begin() as connection:
        made = propose(
            connection, "erase", {**SUBJECT, "policy": {"years": 7}, "due_on": "2026-07-01"}, "ann"
        )
        connection.execute(text("UPDATE ops.proposal SET proposed_at = now() - interval '31 days'"))
        again = propose(
            connection, "erase", {**SUBJECT, "policy": {"years": 9}, "due_on": "2026-08-01"}, "bob"
        )
        assert again.proposal_id == made.proposal_id, "asked once, and under the policy of then"
        assert again.subject["policy"] == {"years": 7}
        assert [one.proposal_id for one in open_proposals(connection, ["erase"])] == [made.proposal_id]
        assert approve(connection, made.proposal_id, "bob", ["erase"]).state == APPROVED


@pytest.mark.parametrize("key", [("crm", "contact", "1"), ("shop", "account", "2")])
def test_persons_are_found_and_forgotten(hub_engine: Engine, key: tuple[str, str, str]) -> None:
    with hub_engine.begin() as connection:
        propose(connection, "same", SUBJECT, "ann", "his name is Ann")
        propose(connection, "same", {"golden_ids": [], "records": ["crm/contact/9"]}, "ann", "another")
        persons = Persons.of([key])
        assert len(connection.execute(proposal.select().where(about(persons))).all()) == 1
        assert forget(connection, persons) == 1
        gone, other = connection.execute(proposal.select().order_by(proposal.c.proposal_id)).all()
        assert (other.state, other.reason) == (OPEN, "another")
        assert (gone.state, gone.subject, gone.reason, gone.proposed_by) == (EXPIRED, {}, None, "ann")
