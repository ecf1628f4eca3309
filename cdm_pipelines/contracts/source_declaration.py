"""What ``defs.yaml`` of a source says beside its contracts: who answers for it, when it delivers, when a day is whole.

Belongs here: the declaration and its faults, in words. Does not belong here: the assets, job, schedule and sensor that
follow (components.source).
"""

import datetime as dt
import re
import zoneinfo
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from cdm_pipelines.contracts.errors import ContractError, Problem, instead
from cdm_pipelines.contracts.odcs import SUFFIX, load_contracts
from cdm_pipelines.yaml_files import YamlError, parse_documents

FILE = "defs.yaml"
COMPONENT = "cdm_pipelines.components.CustomerSource"
_OWNER = re.compile(r"team:[\w-]+|[^@\s]+@[^@\s]+\.[^@\s]+")
_CRON = (
    (0, 59, ""),
    (0, 23, ""),
    (1, 31, ""),
    (1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"),
    (0, 7, "SUNMONTUEWEDTHUFRISAT"),
)
"""Of each field of a cron expression the least and the most, and its names of three letters."""


class SourceDeclaration(BaseModel):
    """A system that delivers extracts of customers, orders or payments.

    The folder of ``defs.yaml`` holds one contract (``<entity>.odcs.yaml``, Open Data Contract Standard) per entity.

    Attributes:
        owner: Who answers for the source: an e-mail address or ``team:name``.
        start_date: First day that can be ingested, YYYY-MM-DD.
        schedule: Cron expression of the moment by which a day's extracts should be there; they are ingested then.
        timezone: Time zone of the schedule, and of what "today" is.
        required: Entities without which a day is not complete; all of them when empty.
        marker: Name of a file that the source writes last, with ``{date}`` in it; none when empty.
    """

    model_config = ConfigDict(extra="forbid")

    owner: str
    start_date: str
    schedule: str = "0 6 * * *"
    timezone: str = "Europe/Amsterdam"
    required: Sequence[str] = ()
    marker: str = ""

    @field_validator("owner")
    @classmethod
    def _reachable(cls, value: str) -> str:
        if not _OWNER.fullmatch(value):
            raise ValueError("is neither an e-mail address nor team:name")
        return value

    @field_validator("start_date")
    @classmethod
    def _day(cls, value: str) -> str:
        try:
            day = dt.date.fromisoformat(value)
        except ValueError:
            day = None
        if day is None or day.isoformat() != value:
            raise ValueError("is not a day; write YYYY-MM-DD, in quotes")
        return value

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str) -> str:
        fields = value.split()
        if len(fields) != len(_CRON) or not all(map(_allowed, fields, _CRON)):
            raise ValueError(
                'is not a cron expression; write minute, hour, day, month and weekday, such as "0 6 * * *"'
            )
        return value

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value not in _timezones():
            raise ValueError(f"is not a time zone. {instead(value, sorted(_timezones()))}")
        return value

    @field_validator("marker")
    @classmethod
    def _dated(cls, value: str) -> str:
        if value and "{date}" not in value:
            raise ValueError("has no {date} in it, so that one file would serve every day")
        return value


@cache
def _timezones() -> frozenset[str]:
    """Those that this machine knows, which looks through hundreds of files."""
    return frozenset(zoneinfo.available_timezones())


def _allowed(field: str, bounds: tuple[int, int, str]) -> bool:
    """Whether a field of a cron expression says something: ``*``, numbers, ranges, steps, names, lists of them."""
    least, most, names = bounds
    known = {names[at : at + 3] for at in range(0, len(names), 3)}

    def valued(text: str) -> bool:
        return text.upper() in known or (text.isdecimal() and least <= int(text) <= most)

    for part in field.split(","):
        span, _, step = part.partition("/")
        ends = span.split("-")
        if "/" in part and not (step.isdecimal() and int(step)):
            return False
        if span != "*" and not (len(ends) <= 2 and all(map(valued, ends))):
            return False
    return True


def declaration_problems(defs: Path) -> Iterator[ContractError]:
    """What is wrong in the ``defs.yaml`` files below a folder; other components than ours are left to Dagster."""
    for path in sorted(defs.rglob(FILE)):
        found: list[Problem] = []
        try:
            said = parse_documents(path.read_text(encoding="utf-8"))
        except YamlError as error:
            line = f"line {error.line}" if error.line else "the file"
            found.append(
                Problem(line, f"is no YAML: {error.problem}", "Compare it with the file of another source.")
            )
        except (OSError, UnicodeDecodeError):
            found.append(Problem("the file", "cannot be read as YAML in UTF-8", "Write it anew as UTF-8."))
        else:
            entities = {one.name.removesuffix(SUFFIX) for one in path.parent.glob(f"*{SUFFIX}")}
            for document in said or [None]:
                found += _faults(document, entities)
        if found:
            yield ContractError(str(path), found)


def declared_soundly(defs: Path) -> None:
    """Go on only where every source is declared and every contract written well.

    Raises:
        ContractError: One is not.
    """
    for error in declaration_problems(defs):
        raise error
    load_contracts(defs)


def _faults(document: Any, entities: set[str]) -> Iterator[Problem]:
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        yield Problem("type", "is missing", f"Write `type: {COMPONENT}`.")
        return
    component = document["type"]
    if component != COMPONENT:
        if component.startswith("cdm_pipelines."):
            yield Problem("type", f"there is no {component}", f"Write `type: {COMPONENT}`.")
        return
    attributes = document.get("attributes") or {}
    try:
        declared = SourceDeclaration.model_validate(attributes)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            yield _fault(one["type"], ".".join(map(str, one["loc"])) or "attributes", one["msg"])
        return
    for name in declared.required:
        if name not in entities:
            yield Problem(
                "attributes.required",
                f"there is no contract of {name!r} here",
                instead(name, sorted(entities)),
            )


def _fault(kind: str, key: str, message: str) -> Problem:
    known = list(SourceDeclaration.model_fields)
    match kind:
        case "missing":
            return Problem(f"attributes.{key}", "is missing", f"Write `{key}:` below `attributes:`.")
        case "extra_forbidden":
            return Problem(f"attributes.{key}", "is not known", instead(key, known))
        case "value_error":
            what, _, fix = message.removeprefix("Value error, ").partition("; ")
            what, _, hint = what.partition(". ")
            return Problem(
                f"attributes.{key}", what, f"{fix[:1].upper()}{fix[1:]}." if fix else hint or "Write another."
            )
        case _:
            return Problem(
                f"attributes.{key}",
                f"has a value of another kind ({message[:1].lower()}{message[1:]})",
                "Put texts in quotes.",
            )
