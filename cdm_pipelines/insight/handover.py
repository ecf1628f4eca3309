"""The hand-over of identity: of visits that name nobody, how many become somebody's, and where the others are lost.

Belongs here: the share and its parts, from the counts of attaching (enrichment.attachment). Does not belong here:
attaching, or whose any single visit is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cdm_pipelines.enrichment.attachment import Reason, Way
from cdm_pipelines.insight.report_words import Told

QUERY = """SELECT part, value FROM ops.measurement
WHERE asset = 'profile/interactions' AND name = 'whose' AND run = (
  SELECT run FROM ops.measurement WHERE asset = 'profile/interactions' AND name = 'whose'
  ORDER BY measured_at DESC, run LIMIT 1)
ORDER BY part"""
"""Interactions by what attached them, or why they are nobody's, as they were counted last."""
SHARE = """SELECT sum(value) FILTER (WHERE part = 'by token')
     / nullif(sum(value) FILTER (WHERE part IN ('by token', 'anonymous: not identified', 'anonymous: no token',
                                                'anonymous: shared device', 'anonymous: channel left out')), 0) AS value
FROM ops.measurement
WHERE asset = 'profile/interactions' AND name = 'whose' AND run = (
  SELECT run FROM ops.measurement WHERE asset = 'profile/interactions' AND name = 'whose'
  ORDER BY measured_at DESC, run LIMIT 1)"""
"""The share of ``HandOver``, as a query."""
LOST: Mapping[Reason, Told] = {
    Reason.NOT_IDENTIFIED: Told(
        en="the device never said who it was, or not within the look-back",
        nl="het apparaat zei nooit van wie het was, of niet op tijd",
    ),
    Reason.NO_TOKEN: Told(
        en="there was no token: refused, or not set", nl="er was geen token: geweigerd of niet gezet"
    ),
    Reason.SHARED: Told(
        en="the device is shared by several customers", nl="het apparaat wordt door meer klanten gedeeld"
    ),
    Reason.LEFT_OUT: Told(
        en="the channel is left out: a desk, a kiosk", nl="het kanaal telt niet mee: een balie, een zuil"
    ),
}
"""Where a visit that names nobody is lost."""


@dataclass(frozen=True)
class HandOver:
    """Visits that name nobody.

    Attributes:
        known: Those that became a customer's, by their token.
        lost: The others, by reason.
    """

    known: int
    lost: Mapping[Reason, int]

    @property
    def anonymous(self) -> int:
        """All of them."""
        return self.known + sum(self.lost.values())

    @property
    def share(self) -> float | None:
        """How many of them become known; None where there are none."""
        return self.known / self.anonymous if self.anonymous else None


def hand_over(whose: Mapping[str, float]) -> HandOver:
    """From the counts of attaching.

    Args:
        whose: Interactions by ``by <way>`` and ``anonymous: <reason>``, as ``profile/interactions`` measures them.
    """
    return HandOver(
        int(whose.get(f"by {Way.TOKEN}", 0)),
        {reason: int(whose.get(f"anonymous: {reason}", 0)) for reason in LOST},
    )
