"""The policy of pruning: how long is kept what grows with every day.

Belongs here: the typed form of ``policies/pruning.yaml``. Does not belong here: pruning.
"""

import datetime as dt
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cdm_pipelines.settings import Settings
from cdm_pipelines.yaml_files import YamlError, read_yaml

SHORTEST = 31
"""Days that nothing is pruned before: deliveries of the last weeks are run again, compared and corrected."""
Days = Annotated[int, Field(ge=SHORTEST, le=36_500, strict=True)] | None


class PruningPolicyError(ValueError):
    """``pruning.yaml`` cannot be used; the message names the file, the key and the fix."""


class LakePolicy(BaseModel):
    """Of the days in the lake; None is for ever, or for ``pack_after`` never."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pack_after: Annotated[int, Field(ge=1, le=36_500, strict=True)] | None
    raw: Days
    valid: Days
    quarantine: Days


class PruningPolicy(BaseModel):
    """What is pruned, and when.

    Attributes:
        lake: Days in the lake.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lake: LakePolicy
    outbox: Days
    history: Days
    access_log: Days = 730
    insight: Days = 3653
    action_choices: Days = None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the policy from YAML; where a company's folder has none, of an earlier release, that of the package.

        Raises:
            PruningPolicyError: The file is no YAML, or has an unknown, missing or wrong key.
        """
        path = path if path.exists() else Settings.model_fields["policies"].default / path.name
        try:
            return cls.model_validate(read_yaml(path))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in e['loc'] if part != 'constrained-int')}: {e['msg']}"
                for e in error.errors(include_input=False)
            )
            raise PruningPolicyError(
                f"{path}: {problems}. Give days ({SHORTEST} or more) or null for ever; compare it with the file of "
                "the package."
            ) from None
        except YamlError as error:
            raise PruningPolicyError(f"{path}: {error}. Copy the file of the package there.") from None


def before(days: int | None, today: dt.date) -> str | None:
    """The first day that is kept, YYYY-MM-DD; None where all are."""
    return None if days is None else (today - dt.timedelta(days=days)).isoformat()


def month_is_due(month: str, after: int | None, today: dt.date) -> bool:
    """Whether so many days have passed since a month, YYYY-MM, ended."""
    if after is None:
        return False
    year, number = map(int, month.split("-"))
    first_of_next = dt.date(year + number // 12, number % 12 + 1, 1)
    return first_of_next + dt.timedelta(days=after) <= today
