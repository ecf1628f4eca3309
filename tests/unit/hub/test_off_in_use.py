"""Of whom data may not be used through a channel: what was said of it, and of every channel, and what was not said."""

import hub_examples as examples
import pytest
from sqlalchemy import Engine, text

from cdm_pipelines.identity import golden_id
from cdm_pipelines.privacy.purposes import POLICY, Purposes
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.consent.off import off_in_use

ANNA = golden_id("crm", "contact", "003A")
YES, NO, NOTHING = ("given", True), ("withdrawn", False), (None, False)


@pytest.mark.parametrize(
    ("said", "through", "off"),
    [
        ({}, "email", True),
        ({"": YES}, "email", False),
        ({"email": YES}, "email", False),
        (
            {"": NOTHING, "email": YES},
            "email",
            False,
        ),  # as consent is published where one channel was spoken of
        ({"": NOTHING, "email": YES}, "phone", True),
        ({"": NOTHING, "email": NO}, "email", True),
        ({"": NO, "email": YES}, "email", True),
        ({"": YES, "email": NO}, "email", True),
        ({"": YES, "email": NO}, "phone", False),
        ({"": NOTHING, "email": YES}, "", True),  # a yes to one channel is none to the whole
        ({"": NO}, "", True),
    ],
)
def test_who_may_be_addressed(
    hub_engine: Engine, said: dict[str, tuple[str | None, bool]], through: str, off: bool
) -> None:
    examples.published(hub_engine)
    purposes = Purposes.load(load_settings().policies / POLICY)
    assert purposes["marketing"].needs_consent
    with hub_engine.begin() as connection:
        for channel, (state, allowed) in said.items():
            connection.execute(
                text(
                    """
                    INSERT INTO privacy.consent
                        (golden_id, purpose, channel, allowed, state, why, shared, contradictory)
                    VALUES (:one, 'marketing', :channel, :allowed, :state, 'said', false, false)"""
                ),
                {"one": ANNA, "channel": channel, "allowed": allowed, "state": state},
            )
        found = off_in_use(connection, purposes, [("marketing", through)])
    assert (ANNA in found["golden_id"].to_pylist()) == off


@pytest.mark.parametrize(("expires", "off"), [("- interval '1 day'", True), ("+ interval '1 day'", False)])
def test_a_yes_that_has_ended_since_it_was_published_is_none(
    hub_engine: Engine, expires: str, off: bool
) -> None:
    examples.published(hub_engine)
    purposes = Purposes.load(load_settings().policies / POLICY)
    with hub_engine.begin() as connection:
        connection.execute(
            text(
                f"""
                INSERT INTO privacy.consent
                    (golden_id, purpose, channel, allowed, state, expires, why, shared, contradictory)
                VALUES (:one, 'marketing', 'email', true, 'given', now() {expires}, 'said', false, false)"""
            ),
            {"one": ANNA},
        )
        found = off_in_use(connection, purposes, [("marketing", "email")])
    assert (ANNA in found["golden_id"].to_pylist()) == off


@pytest.mark.parametrize(("through", "off"), [("email", True), ("post", True), ("", False)])
def test_who_has_died_is_addressed_through_no_channel_whatever_they_said(
    hub_engine: Engine, through: str, off: bool
) -> None:
    """A system that addresses nobody is told of them as of others, so that it comes to know it too."""
    examples.published(hub_engine)
    purposes = Purposes.load(load_settings().policies / POLICY)
    assert not purposes["service"].can_be_refused
    with hub_engine.begin() as connection:
        connection.execute(
            text("UPDATE golden.customer SET deceased = true WHERE golden_id = :one"), {"one": ANNA}
        )
        found = off_in_use(connection, purposes, [("service", through)])
    assert found["golden_id"].to_pylist() == ([ANNA] if off else [])
