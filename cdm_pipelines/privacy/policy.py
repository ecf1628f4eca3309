"""What the law has kept of persons who are erased, and how long backups last: the typed form of ``legal_holds.yaml``.

Belongs here: the keys, their checks, and from when on a document may go. Does not belong here: which rows are kept
(steps.rights).
"""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.settings import Settings

FILE = "legal_holds.yaml"


class RightsPolicyError(ValueError):
    """``legal_holds.yaml`` cannot be used; the message names the file, the key and the fix."""


def _declared(name: str) -> str:
    if name not in set(Entity):
        raise ValueError(f"{name} is no canonical entity; choose from {', '.join(Entity)}")
    return name


EntityName = Annotated[str, AfterValidator(_declared)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hold(_Strict):
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


class RightsPolicy(_Strict):
    """What is done about requests of persons.

    Attributes:
        answer_within: Months in which a request is to be answered.
        backups_last: Days after which backups are removed; certificates name the day.
        holds: What is kept.
    """

    answer_within: Literal[1, 2, 3] = 1
    backups_last: Annotated[int, Field(ge=1, le=3_650, strict=True)]
    holds: tuple[Hold, ...]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the policy; where a company's folder has none, of an earlier release, that of the package.

        Raises:
            RightsPolicyError: The file is no YAML, or has an unknown, missing or wrong key.
        """
        path = folder / FILE
        path = path if path.exists() else Settings.model_fields["policies"].default / FILE
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)
            )
            raise RightsPolicyError(f"{path}: {problems}. Compare it with the file of the package.") from None
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise RightsPolicyError(
                f"{path}: cannot be read as YAML ({type(error).__name__}). Copy the file of the package there."
            ) from None

    @property
    def frozen(self) -> dict[str, Any]:
        """As it is written down with a request."""
        return self.model_dump(mode="json")


def due(received: dt.date, months: int) -> dt.date:
    """The day by which a request is to be answered: the same day of a later month, or that month's last."""
    month = received.month - 1 + months
    year, month = received.year + month // 12, month % 12 + 1
    first_of_next = dt.date(year + month // 12, month % 12 + 1, 1)
    last = (first_of_next - dt.timedelta(days=1)).day
    return dt.date(year, month, min(received.day, last))
