"""The purposes of a company: what it uses personal data for, and on what ground.

Belongs here: reading ``policies/purposes.yaml`` and what can be checked in it alone. Does not belong here: whether
contracts, enrichers and sinks keep to it (``checks``), or what columns are given for (``given``).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.yaml_files import YamlError, read_yaml

POLICY = "purposes.yaml"
_KEY = r"^[a-z][a-z0-9_]*$"
_TAXONOMY_KEY = r"^[a-z][a-z_]*(\.[a-z][a-z_]*)*$"


class PurposesError(ValueError):
    """The purposes cannot be used; for each fault the message names the file, the key and the fix."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Basis(StrEnum):
    """On what ground data are used: the six of GDPR article 6, first paragraph."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_DUTY = "legal_duty"
    VITAL_INTEREST = "vital_interest"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTEREST = "legitimate_interest"


_MAY_OBJECT = frozenset({Basis.PUBLIC_TASK, Basis.LEGITIMATE_INTEREST})
"""Grounds against which the law lets everybody object (article 21)."""
_MAY_NOT_OBJECT = frozenset({Basis.LEGAL_DUTY, Basis.VITAL_INTEREST})


def _words(value: int | str) -> int | str:
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty. Write a number of days, or words such as: as long as customer")
    if isinstance(value, int) and value < 1:
        raise ValueError(
            f"{value} is no number of days. Write 1 or more, or words such as: as long as customer"
        )
    return value


Use = Annotated[str, Field(pattern=_TAXONOMY_KEY)]
Category = Annotated[str, Field(pattern=r"^(user|system)(\.[a-z_]+)*$")]
Name = Annotated[str, Field(pattern=_KEY)]
Words = Annotated[str, Field(min_length=1)]


class Purpose(BaseModel):
    """What data are used for.

    Attributes:
        description: In plain words.
        basis: On what ground.
        uses: Keys of Fides data uses; a column of a contract that names one of them is given for this purpose.
        categories: Keys of Fides data categories that it may use, each with all below it.
        enrichers: Enrichers of the profile that work for it: what they work out may be used for it.
        selects_by: Enrichers that work for other purposes, by whose columns customers may be chosen for this one. It
            is no ground to work them out: of a customer who turned those purposes off there is nothing to choose by.
        channels: Through which customers are addressed for it: email, phone, post, web.
        retention: Days after the last use, or words such as ``as long as customer``.
        recipients: Who is given data for it, outside the company as well.
        may_object: Whether a customer can say no and is heard; by default what the law says of the basis. A consent is
            withdrawn at all times.
        identity_resolution: Whether values given for it may tell that two records are of one customer.
        golden: Whether golden customers serve it: a value that is given for it may become a golden value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: Words
    basis: Basis
    uses: Annotated[tuple[Use, ...], Field(min_length=1)]
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    enrichers: tuple[Name, ...] = ()
    selects_by: tuple[Name, ...] = ()
    channels: tuple[Name, ...] = ()
    retention: Annotated[int | str, AfterValidator(_words)]
    recipients: tuple[Words, ...] = ()
    may_object: bool | None = None
    identity_resolution: bool = False
    golden: bool = False

    @model_validator(mode="after")
    def _objection_is_lawful(self) -> Self:
        if self.may_object is False and self.basis in _MAY_OBJECT:
            raise ValueError(
                f"may_object: false goes against the law where the basis is {self.basis}. Leave it out, or name "
                "another basis"
            )
        if self.may_object and self.basis in _MAY_NOT_OBJECT:
            raise ValueError(
                f"may_object: true cannot be kept where the basis is {self.basis}. Leave it out, or name another basis"
            )
        return self

    @property
    def can_be_refused(self) -> bool:
        """Whether a customer can turn it off: by objecting, or by not giving or by withdrawing consent."""
        return self.needs_consent or (
            self.basis in _MAY_OBJECT if self.may_object is None else self.may_object
        )

    @property
    def needs_consent(self) -> bool:
        """Whether nobody's data may be used for it who did not say yes."""
        return self.basis is Basis.CONSENT

    def covers(self, category: str) -> bool:
        """Whether it may use data of a category: one that it names, or one below that."""
        return any(category == one or category.startswith(f"{one}.") for one in self.categories)


class _File(BaseModel):
    """What the file says.

    Attributes:
        purposes: By key.
        until_declared: Purposes that a column without any is taken to be given for, while contracts are completed;
            ``cdm check`` tells them all the same. Empty: runs refuse them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    purposes: Annotated[Mapping[Name, Purpose], Field(min_length=1)]
    until_declared: tuple[Name, ...] = ()


@dataclass(frozen=True)
class Purposes:
    """All purposes of a deployment.

    Attributes:
        path: Where they are written.
        by_key: In the order of the file.
        until_declared: Keys of the purposes that a column without any is taken to be given for, and an enricher to work
            for, so that runs go on while they are being completed; ``cdm check`` tells them all the same. Empty: runs
            refuse them.
    """

    path: Path
    by_key: Mapping[str, Purpose]
    until_declared: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the policy.

        Raises:
            PurposesError: It cannot be read, or says something that cannot be done; all of it is named.
        """
        try:
            said = _File.model_validate(read_yaml(path))
        except ValidationError as error:
            raise PurposesError(_problems(path, error)) from None
        except YamlError as error:
            fix = "Write it anew; docs/reference/purposes.md says what it holds."
            raise PurposesError([f"{path}: the file: {error}. {fix}"]) from None
        for key in said.until_declared:
            if key not in said.purposes:
                fix = instead(key, said.purposes)
                raise PurposesError([f"{path}: until_declared: there is no purpose {key}. {fix}"])
        return cls(path, dict(said.purposes), said.until_declared)

    @property
    def defaults(self) -> Mapping[str, bool]:
        """By purpose, whether it is allowed while nothing was said: one that rests on consent is not."""
        return {key: not one.needs_consent for key, one in self.by_key.items()}

    def __getitem__(self, key: str) -> Purpose:
        """The purpose of that key."""
        return self.by_key[key]

    @cached_property
    def of_use(self) -> Mapping[str, frozenset[str]]:
        """Keys of the purposes that have a data use."""
        uses = {use for purpose in self.by_key.values() for use in purpose.uses}
        return {
            use: frozenset(k for k, one in self.by_key.items() if use in one.uses) for use in sorted(uses)
        }

    def given_for(self, uses: Iterable[str]) -> frozenset[str]:
        """Keys of the purposes that a column with these data uses is given for."""
        uses = tuple(uses)
        if not uses:
            return frozenset(self.until_declared)
        return frozenset().union(*(self.of_use.get(use, frozenset()) for use in uses))

    def of_enricher(self, name: str) -> tuple[str, ...]:
        """Keys of the purposes that an enricher works for; ``until_declared`` where none names it."""
        listed = tuple(key for key, purpose in self.by_key.items() if name in purpose.enrichers)
        return listed or self.until_declared

    def not_chosen_by(self, key: str, enricher: str) -> str:
        """Why customers may not be chosen for a purpose by what an enricher works out; nothing where they may."""
        purpose = self[key]
        if enricher in (*purpose.enrichers, *purpose.selects_by):
            return ""
        return f"is worked out for {', '.join(self.of_enricher(enricher)) or 'no purpose'}, and not for {key}"

    def of_others(self, key: str, enrichers: Iterable[str]) -> list[tuple[str, ...]]:
        """Of those enrichers that do not work for a purpose the keys of the purposes that they work for, each once."""
        others = sorted(set(enrichers) - set(self[key].enrichers))
        return list(dict.fromkeys(self.of_enricher(name) for name in others))

    @property
    def of_profile(self) -> frozenset[str]:
        """Keys of the purposes that enrichers may work for."""
        return frozenset(key for key, one in self.by_key.items() if one.enrichers) | set(self.until_declared)

    @property
    def identifying(self) -> frozenset[str]:
        """Keys of the purposes whose values may be compared with those of other records."""
        return frozenset(key for key, one in self.by_key.items() if one.identity_resolution)

    @property
    def golden(self) -> frozenset[str]:
        """Keys of the purposes that golden customers serve."""
        return frozenset(key for key, one in self.by_key.items() if one.golden)


_FIXES: Mapping[str, str] = {
    "basis": f"Write one of {', '.join(Basis)}.",
    "uses": "List keys of Fides data uses, such as essential.service.",
    "categories": "List keys of Fides data categories, such as user.contact.",
    "description": "Say in a sentence what the data are used for.",
    "retention": "Write a number of days, or words such as: as long as customer.",
    "version": "Write `version: 1`, the only one there is.",
    "purposes": "Write `purposes:` and below it each purpose by its key.",
}


def _problems(path: Path, error: ValidationError) -> list[str]:
    """Every fault with its key and what to do about it."""
    found: list[str] = []
    errors = error.errors(include_input=False, include_url=False)
    for one in errors:
        if one["type"] == "too_short" and any(
            other["loc"][: len(one["loc"])] == one["loc"] for other in errors if other is not one
        ):
            continue  # of a list that would be long enough without its faults
        where: list[Any] = [part for part in one["loc"] if part not in ("int", "str", "[key]")]
        field = next((str(part) for part in reversed(where) if isinstance(part, str)), "")
        what = one["msg"].removeprefix("Value error, ")
        fix = _FIXES.get(field, "")
        if one["type"] == "missing":
            what = "is missing"
        elif one["type"] == "extra_forbidden":
            what = "is not known"
            known = _known(len(where))
            fix = f"Choose from {', '.join(known)}."
        elif one["loc"] and one["loc"][-1] == "[key]":
            fix = "Name purposes in small letters, digits and underscores."
        elif "pattern" in one["type"] and not fix:
            fix = "Use small letters, digits and underscores."
        text = f"{path}: {'.'.join(map(str, where)) or 'the file'}: {what}"
        line = f"{text}. {fix}" if fix and fix not in text else f"{text}."
        if line not in found:
            found.append(line)
    return found


def _known(depth: int) -> Collection[str]:
    return _File.model_fields if depth < 2 else Purpose.model_fields
