"""What the law has kept of persons who are erased, and how long backups last: the typed form of ``legal_holds.yaml``.

Belongs here: the keys, their checks, and from when on a document may go. Does not belong here: which rows are kept
(steps.rights).
"""

import datetime as dt
from calendar import monthrange
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.privacy.policy_files import PolicyFile, Strict

FILE = "legal_holds.yaml"


def _declared(name: str) -> str:
    if name not in set(Entity):
        raise ValueError(f"{name} is no canonical entity; choose from {', '.join(Entity)}")
    return name


EntityName = Annotated[str, AfterValidator(_declared)]


class Hold(Strict):
    """Documents that are kept though the person is erased.

    Attributes:
        entity: Canonical entity whose rows are the documents.
        dated: Its attribute that tells from when on the years count.
        years: How long it is kept, counted from the end of that year.
        reason: Law or rule that has it kept.
        with_rows: Entities of which the rows of the same order are kept with it.
        with_party: Attributes of the customer that are kept with it.
    """

    entity: EntityName
    dated: str
    years: Annotated[int, Field(ge=1, le=100, strict=True)]
    reason: Annotated[str, Field(min_length=1)]
    with_rows: tuple[EntityName, ...] = ()
    with_party: tuple[str, ...] = ()

    def until(self, dated: dt.date) -> dt.date:
        """The first day on which a document of a day may go: after so many calendar years have ended."""
        return dt.date(dated.year + self.years + 1, 1, 1)


class RightsPolicy(PolicyFile):
    """What is done about requests of persons.

    Attributes:
        answer_within: Months in which a request is to be answered.
        backups_last: Days after which backups are removed; certificates name the day.
        holds: What is kept.
    """

    FILE = FILE
    MANUAL = "docs/privacy.md"

    answer_within: Literal[1, 2, 3] = 1
    backups_last: Annotated[int, Field(ge=1, le=3_650, strict=True)]
    holds: tuple[Hold, ...]

    @property
    def frozen(self) -> dict[str, Any]:
        """As it is written down with a request."""
        return self.model_dump(mode="json")


def due(received: dt.date, months: int) -> dt.date:
    """The day by which a request is to be answered: the same day of a later month, or that month's last."""
    years, month = divmod(received.month - 1 + months, 12)
    year, month = received.year + years, month + 1
    return dt.date(year, month, min(received.day, monthrange(year, month)[1]))
