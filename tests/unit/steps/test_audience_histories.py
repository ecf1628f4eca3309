"""Whatever customers say, object to and become one with: nobody is delivered who does not allow it at that moment."""

from collections.abc import Iterator
from typing import Any

import pytest
from audience_hub import AUDIENCE, Hub, fill, golden, hub_of
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.activation.audience_book import Book
from cdm_pipelines.steps.consent.said import Statement, say

CUSTOMERS = 6
TABLES = (
    "golden.customer, golden.crosswalk, golden.provenance, identity.golden_id, privacy.consent, "
    "privacy.consent_statement, privacy.said_here, privacy.restriction, activation.delivery, "
    "activation.delivery_member, activation.gone_member"
)
WHO = st.integers(0, CUSTOMERS - 1)
STEPS = st.one_of(
    st.tuples(
        st.just("say"),
        WHO,
        st.sampled_from(["given", "given", "withdrawn", "refused", "objected"]),
        st.sampled_from(["email", "email", "phone", ""]),
    ),
    st.tuples(st.just("restrict"), WHO, st.sampled_from(["", "marketing", "service"])),
    st.tuples(st.just("lift"), WHO),
    st.tuples(st.just("expire"), WHO),
    st.tuples(st.just("merge"), WHO, WHO),
    st.tuples(st.just("deliver")),
    st.tuples(st.just("deliver")),
)


@pytest.fixture
def hub(settings: Settings, hub_engine: Engine) -> Hub:
    return hub_of(settings, hub_engine, 0)


@pytest.fixture
def book(hub: Hub) -> Book:
    return hub.declare({"people": {**AUDIENCE, "control_group": 0.4}})


def allowed_now(hub: Hub) -> set[str]:
    """Who allows marketing by e-mail and is not restricted, by the rows themselves and no code of ours."""
    rows = hub.run(
        """SELECT c.golden_id::text, c.email, p.channel, p.allowed AND coalesce(p.expires > now(), true) AS yes
        FROM golden.customer AS c JOIN privacy.consent AS p USING (golden_id)
        WHERE p.purpose = 'marketing' AND p.channel IN ('', 'email') AND p.state IS NOT NULL
        AND NOT EXISTS (SELECT FROM privacy.restriction AS r JOIN golden.crosswalk AS x
            USING (source, entity, record_id) WHERE x.golden_id = c.golden_id AND r.purpose IN ('', 'marketing'))"""
    )
    no = {email for _, email, _, yes in rows if not yes}
    return {email for _, email, _, yes in rows if yes} - no


def step(hub: Hub, what: tuple[Any, ...], gone: set[int]) -> None:
    """Do one thing; of who is no more, nothing."""
    if what[1] in gone:
        return
    if what[0] == "say":
        _, who, state, channel = what
        with hub.engine.begin() as connection:
            say(
                connection,
                hub.settings,
                Statement(str(golden(who)), "marketing", channel, state, "call"),
                who="P",
                role="service",
            )
    elif what[0] == "restrict":
        hub.restrict(what[1], what[2])
    elif what[0] == "lift":
        hub.run("DELETE FROM privacy.restriction WHERE record_id = :id", id=f"R{what[1]}")
    elif what[0] == "expire":
        hub.run(
            "UPDATE privacy.consent SET expires = now() - interval '1 second' WHERE golden_id = :id",
            id=golden(what[1]),
        )
    elif what[0] == "merge" and what[2] not in gone and what[1] != what[2]:
        loser, survivor = max(what[1:]), min(what[1:])  # the oldest id survives
        hub.merge(loser, survivor)
        gone.add(loser)


def once(hub: Hub, book: Book, steps: list[tuple[Any, ...]]) -> Iterator[set[str]]:
    """Live through a history; yields who is in the audience after each delivery."""
    hub.run(f"TRUNCATE {TABLES}")
    with hub.engine.begin() as connection:
        fill(connection, CUSTOMERS)
    hub.allow(*range(CUSTOMERS))
    (home := hub.settings.home).mkdir(exist_ok=True)
    (home / "secret.key").write_bytes(b"the same secret of all examples!")
    gone: set[int] = set()
    for what in [("deliver",), *steps, ("deliver",)]:
        if what[0] == "deliver":
            done = hub.deliver(book)
            known = hub.run("SELECT count(*) FROM activation.delivery")[0][0]
            found = {row["Email Address"] for row in hub.members()} if known else set()
            assert done.counts["members"] == len(found)
            yield found
        else:
            step(hub, what, gone)


@given(steps=st.lists(STEPS, min_size=2, max_size=14))
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nobody_is_delivered_who_does_not_allow_it_at_that_moment(
    hub: Hub, book: Book, steps: list[tuple[Any, ...]]
) -> None:
    held: set[str] = set()
    for found in once(hub, book, steps):
        allowed = allowed_now(hub)
        assert found <= allowed, "somebody is in it who does not allow it"
        control = {
            email
            for (email,) in hub.run(
                """SELECT DISTINCT c.email FROM activation.delivery_member AS m
                LEFT JOIN identity.golden_id AS g USING (golden_id)
                JOIN golden.customer AS c ON c.golden_id = coalesce(g.alias_of, m.golden_id)
                WHERE m.action = 'control'"""
            )
        }
        assert not found & control, "somebody of the control group is in it"
        assert allowed <= found | control, "who allows it is in it, or left out to compare"
        present = {email for (email,) in hub.run("SELECT email FROM golden.customer")}
        assert held & present <= control, "who was in the control group is so no more"
        held |= control
        last = {
            email
            for email, action in hub.run(
                """SELECT DISTINCT ON (m.golden_id) c.email, m.action FROM activation.delivery_member AS m
                JOIN golden.customer AS c USING (golden_id) WHERE m.action <> 'control'
                ORDER BY m.golden_id, m.delivery_id DESC"""
            )
            if action != "removed"
        }
        assert last == found, "the ledger says who is in it"
