"""Which pages a role has.

Belongs here: the menu, by what a role sees and may change. Does not belong here: the pages.
"""

from collections.abc import Callable

from cdm_pipelines.console.measured import KPI, QUALITY, sees
from cdm_pipelines.console.sight import Sight
from cdm_pipelines.console.source_rows import watches
from cdm_pipelines.privacy.views import CUSTOMER


def _finds(sight: Sight) -> bool:
    return sight.role.search and "golden_id" in sight.clear(CUSTOMER)


def _reviews(sight: Sight) -> bool:
    return "decisions" in sight.role.changes and "golden_id" in sight.clear(CUSTOMER)


PAGES: tuple[tuple[str, str, Callable[[Sight], bool]], ...] = (
    ("/", "Find", _finds),
    ("/review", "Review", _reviews),
    ("/corrections", "Corrections", lambda sight: "quarantine" in sight.role.changes),
    ("/quality", "Data quality", watches),
    ("/scorecards", "Scorecards", lambda sight: sees(sight, QUALITY)),
    ("/figures", "Key figures", lambda sight: sees(sight, KPI)),
    ("/sources", "Sources", watches),
    ("/privacy", "Privacy", lambda sight: "requests" in sight.role.changes),
    ("/plan", "Plan", lambda sight: "policies" in sight.role.changes),
)
"""Place, words, and who has it."""


def menu(sight: Sight | None) -> list[tuple[str, str]]:
    """The pages of a role, in order."""
    return [(place, words) for place, words, has in PAGES if sight is not None and has(sight)]
