"""Whether a delivery is due between two publications: a sink is behind, and can be expected to take more.

Belongs here: which sinks wait, and when it is worth another try. Does not belong here: delivering (``feed``), starting
a run.

One that took something goes on at once. One that took nothing, since its receiver is down, is asked again after a pause
that doubles each time.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from cdm_pipelines.hub import feed
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.publish.policy import FeedPolicy
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.customers.feed import POLICY

_SHORTEST, _LONGEST = 120.0, 3600.0  # seconds between two deliveries that come to nothing


@dataclass(frozen=True)
class Asked:
    """The last delivery that was asked for.

    Attributes:
        at: When, in seconds.
        pause: Seconds until the next, unless a sink has taken something.
        positions: Of the sinks that waited then.
    """

    at: float = 0
    pause: float = 0
    positions: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_json(cls, text: str | None) -> "Asked":
        """As :meth:`to_json` wrote it; nothing was asked for where there is none."""
        return cls(**json.loads(text)) if text else cls()

    def to_json(self) -> str:
        """For the cursor of a sensor."""
        return json.dumps(asdict(self), sort_keys=True)


def due(waiting: Mapping[str, int], before: Asked, now: float) -> Asked | None:
    """The delivery to ask for; None while there is nothing to deliver, or it is too early to try again.

    Args:
        waiting: Position of each sink that is behind.
        before: The last delivery that was asked for.
        now: In seconds.
    """
    if not waiting:
        return None
    stuck = dict(waiting) == dict(before.positions)
    if stuck and now < before.at + before.pause:
        return None
    pause = min(2 * before.pause, _LONGEST) if stuck else _SHORTEST
    return Asked(now, pause, dict(waiting))


def waiting(settings: Settings) -> dict[str, int]:
    """Position of each sink in use that is behind; the hub is not opened where the policy names no sink.

    Raises:
        FeedPolicyError: ``change_feed.yaml`` cannot be used.
        HubError: The hub cannot be reached.
    """
    sinks = FeedPolicy.load(settings.policies / POLICY).sinks
    if not sinks:
        return {}
    with open_hub(settings) as engine, engine.connect() as connection:
        return {name: position for name, position in feed.waiting(connection).items() if name in sinks}
