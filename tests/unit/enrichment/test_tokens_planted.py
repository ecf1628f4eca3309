"""Visits with a planted truth: devices of one, devices that a family shares, guests, machines, bots and no tokens."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from interaction_tables import attached, by, count, gid, known

from cdm_pipelines.enrichment.attachment import Reason, Way

PEOPLE, DAYS, FAMILIES, BOTS = 300, 120, 20, 5
NO_TOKENS = (
    "null",
    "undefined",
    "0",
    "[object Object]",
    '"anonymous"',
    "00000000-0000-0000-0000-000000000000",
)


@dataclass
class World:
    """What happened, and who it was: the truth of each visit by its campaign, which is its number."""

    seed: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    who: dict[str, str] = field(default_factory=dict)
    device: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        for owner in range(PEOPLE):
            for number in range(self.dice.choice([1, 1, 2])):
                self._device(f"dev-{self.seed}-{owner}-{number}", [f"p{owner}"])
        for family in range(FAMILIES):
            self._device(f"home-{family}", [f"p{family}", f"p{family + 100}"], visits=30)
        for bot in range(BOTS):
            for _ in range(40):
                self._visit(self.dice.randrange(DAYS), f"bot-{bot}", "nobody", login=False)
        for _ in range(200):  # a browser that tells no token, and a machine in a shop
            person = f"p{self.dice.randrange(PEOPLE)}"
            self._visit(
                self.dice.randrange(DAYS), self.dice.choice(NO_TOKENS), person, login=self.dice.random() < 0.3
            )
            self._visit(
                self.dice.randrange(DAYS), "machine", person, login=self.dice.random() < 0.5, channel="kiosk"
            )

    def _device(self, token: str, people: list[str], visits: int = 0) -> None:
        """A device in its time. One that a family shares is used a lot, so that more than one of them logs in:

        of a device on which one of two ever does, nothing tells of the other, and his visits are taken for hers.
        """
        born = self.dice.randrange(DAYS)
        for _ in range(visits or self.dice.randrange(1, 14)):
            day = min(DAYS - 1, born + self.dice.randrange(60))
            person = self.dice.choice(people)
            guest = len(people) == 1 and self.dice.random() < 0.002  # who does not log in
            true = f"p{self.dice.randrange(PEOPLE)}" if guest else person
            self._visit(day, token, true, login=not guest and self.dice.random() < 0.3)

    def _visit(self, day: int, token: str, person: str, *, login: bool, channel: str = "web") -> None:
        number = str(len(self.rows))
        month, rest = divmod(day, 28)
        moment = f"2026-{month + 1:02}-{rest + 1:02}T{self.dice.randrange(6, 22):02}:{self.dice.randrange(60):02}:00Z"
        named = {"party_id": person} if login else {}
        self.rows.append(
            {"campaign": number, "occurred_at": moment, "token": token, "channel": channel, **named}
        )
        self.who[number], self.device[number] = person, token


@pytest.mark.parametrize("seed", [1, 2])
def test_visits_go_to_who_it_was_and_those_of_shared_devices_to_nobody(seed: int) -> None:
    world = World(seed)
    parties = [{"record_id": f"p{n}", "customer": f"p{n}"} for n in range(PEOPLE)]
    _, day = count(world.rows, date="2026-12-31")
    with known([day], parties) as db:
        rows, figures = attached(db, by())
    assert figures is not None
    assert figures.attached + sum(figures.anonymous.values()) == figures.accepted == len(world.rows)
    by_token = [(row["campaign"], row["golden_id"]) for row in rows if row["attached_by"] == Way.TOKEN]
    right = sum(gid(world.who[visit]) == customer for visit, customer in by_token)
    assert right / len(by_token) >= 0.99
    assert len(by_token) > 600
    named = Counter(
        (world.device[row["campaign"]], row["party_id"]) for row in world.rows if row.get("party_id")
    )
    several = Counter(device for device, _ in named)
    shared = {
        device for device, people in several.items() if people > 1 and device.startswith(("dev", "home"))
    }
    assert len(shared) >= FAMILIES // 2
    assert figures.shared_devices == len(shared)
    assert not any(world.device[visit] in shared for visit, _ in by_token)
    assert not any(
        world.device[visit].startswith("bot") or world.device[visit] in (*NO_TOKENS, "machine")
        for visit, _ in by_token
    )
    silent = [world.device[row["campaign"]] for row in world.rows if not row.get("party_id")]
    assert figures.anonymous[Reason.SHARED] == sum(device in shared for device in silent)
    assert figures.anonymous[Reason.NO_TOKEN] == sum(device in NO_TOKENS for device in silent)
    assert figures.anonymous[Reason.LEFT_OUT] == silent.count("machine")
