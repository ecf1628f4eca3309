"""Four eyes are those of two people: a key is nobody's eyes."""

from collections.abc import Iterator
from typing import Any

import pytest
from governed_hub import ANNA, PIET, GovernedHub
from sqlalchemy import text

from cdm_pipelines.hub.proposals import propose


@pytest.fixture
def asked(governed: GovernedHub) -> Iterator[dict[str, int]]:
    """What a privacy officer asked for, by kind."""
    with governed.engine.begin() as connection:
        made = {
            kind: propose(connection, kind, {"golden_ids": [one], "records": []}, "ann").proposal_id
            for kind, one in (("access", ANNA), ("erase", PIET))
        }
    yield made
    with governed.engine.begin() as connection:
        connection.execute(text("TRUNCATE ops.proposal"))


def states(governed: GovernedHub) -> list[str]:
    with governed.engine.connect() as connection:
        found = connection.scalars(text("SELECT state FROM ops.proposal ORDER BY proposal_id"))
        return list(found)


def test_a_key_approves_settles_and_hands_over_nothing(
    governed: GovernedHub, asked: dict[str, int], program: Any, browser: Any
) -> None:
    key, person = program("privacy_officer"), browser("privacy_officer")
    for number in asked.values():
        for what in ("approve", "reject", "archive", "go-on"):
            told = key.post(f"/privacy/proposals/{number}/{what}", data={"language": "en"})
            assert told.status_code == 403, what
            assert "needs a person who has signed in" in told.text
    told = key.post("/privacy/ask", data={"kind": "access", "customer": PIET})
    assert told.status_code == 403, "whoever has the key could approve it as themselves"
    assert states(governed) == ["open", "open"]
    told = program("steward").post("/review/proposal", data={"proposal": 1, "as": "approve"})
    assert told.status_code == 403
    assert (
        "Hiervoor moet een mens"
        in key.post(f"/privacy/proposals/{asked['access']}/approve", headers={"accept-language": "nl"}).text
    )

    assert person.post(f"/privacy/proposals/{asked['access']}/approve").status_code == 303
    assert person.post(f"/privacy/proposals/{asked['erase']}/reject").status_code == 303
    assert states(governed) == ["approved", "rejected"]
