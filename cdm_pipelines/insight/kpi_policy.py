"""Which key figures there are: the typed form of ``policies/kpis.yaml``.

Belongs here: definition, owner, target, unit and query of each key figure, and the days that a query may name. Does not
belong here: asking the hub (steps.insight), or what came of it (``kpis``).
"""

import datetime as dt
import json
import re
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from cdm_pipelines.insight.report_words import Told, Unit
from cdm_pipelines.privacy.policy_files import PolicyFile, Strict

FILE = "kpis.yaml"
_NAMED_DAY = re.compile(r"(?<![:\w]):(\w+)")
DAYS = ("first", "last", "as_of")
"""Days that a query may name with a colon: of the month, and the last of the data."""


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


def _one_query(query: str) -> str:
    plain = re.sub(r"--[^\n]*", "", query).strip()
    if not re.match(r"(select|with)\b", plain, re.IGNORECASE):
        raise ValueError("a query begins with SELECT or WITH")
    if ";" in plain:
        raise ValueError("give one query, without a semicolon")
    for name in _NAMED_DAY.findall(re.sub(r"'[^']*'", "''", plain)):
        if name not in DAYS:
            raise ValueError(f":{name} is no day that a query may name; those are :{', :'.join(DAYS)}")
    return query.strip()


Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
TableName = Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z0-9_]+$")]


class Kpi(Strict):
    """One key figure.

    Attributes:
        title: Its name.
        definition: What it is and how it is worked out, in words.
        owner: Who answers for it.
        unit: What it is counted in.
        direction: Which way is better.
        target: What it is to reach; None where nobody said.
        needs: Tables without which it cannot be measured.
        without: Why it cannot be measured where a table is missing or the query gives no figure.
        query: A row of ``value`` and ``base``: the figure, and how many cases it rests on.
    """

    title: Told
    definition: Told
    owner: Annotated[str, Field(min_length=1, pattern=r"\S")]
    unit: Unit
    direction: Direction
    target: Annotated[float, Field(allow_inf_nan=False)] | None = None
    needs: tuple[TableName, ...] = ()
    without: Told
    query: Annotated[str, AfterValidator(_one_query)]

    @model_validator(mode="after")
    def _share(self) -> "Kpi":
        if self.unit == Unit.SHARE and self.target is not None and not 0 <= self.target <= 1:
            raise ValueError(f"target: a share is from 0 to 1, and {self.target:g} is not")
        return self

    @property
    def fingerprint(self) -> str:
        """Changes when the figure is no longer the same one: its query, unit or direction."""
        said = json.dumps([" ".join(self.query.split()), self.unit, self.direction])
        return sha256(said.encode()).hexdigest()[:16]

    def met(self, value: float | None) -> bool | None:
        """Whether a figure reaches the target; None without one of them."""
        if value is None or self.target is None:
            return None
        return value >= self.target if self.direction == Direction.HIGHER else value <= self.target


class KpiPolicy(PolicyFile):
    """All key figures of a company.

    Attributes:
        version: Of the form of this file.
        smallest_base: A figure that rests on fewer cases is not told: it would tell of single persons, and little of
            the whole.
        kpis: By key, in the order in which they are shown.
    """

    FILE = FILE
    MANUAL = "docs/report.md"

    version: Literal[1]
    smallest_base: Annotated[int, Field(ge=1, strict=True)] = 5
    kpis: Annotated[dict[Key, Kpi], Field(min_length=1)]


def dated(query: str, days: dict[str, dt.date]) -> str:
    """A query as it is run: its named days are dates, so that it can be pasted and run as it stands.

    Args:
        query: Of the policy.
        days: By the names of ``DAYS``.
    """
    parts = re.split(r"('[^']*')", query)
    return "".join(
        part if part.startswith("'") else _NAMED_DAY.sub(lambda m: f"DATE '{days[m[1]]}'", part)
        for part in parts
    )
