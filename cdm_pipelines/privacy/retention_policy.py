"""How long what is kept: the typed form of ``retention.yaml``, and what the retention of purposes comes to in days.

Belongs here: the keys, their checks, against the other policies too. Does not belong here: what expires when
(``retention``), finding it and letting it go (steps.rights).
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, ValueType, attributes
from cdm_pipelines.privacy.policy import FILE as HOLDS
from cdm_pipelines.privacy.policy import EntityName, RightsPolicy
from cdm_pipelines.privacy.policy_files import PolicyFile, PrivacyPolicyError, Strict
from cdm_pipelines.privacy.purposes import POLICY as PURPOSES
from cdm_pipelines.privacy.purposes import Basis, Purposes

FILE = "retention.yaml"
SHORTEST = 31
"""Days that nothing goes before: deliveries of the last weeks are run again, compared and corrected."""
_DATES = (ValueType.DATE, ValueType.TIMESTAMP)
_AS_CUSTOMER = re.compile(r"as long as customer(?:, then (?P<days>[1-9]\d{0,4}) days)?")
_UNTIL_WITHDRAWN = "until consent is withdrawn"
_COUNTED = (
    f"a number of days, `as long as customer`, `as long as customer, then 730 days`, or `{_UNTIL_WITHDRAWN}`"
)

Days = Annotated[int, Field(ge=SHORTEST, le=36_500, strict=True)] | None


class CustomersPolicy(Strict):
    """When somebody is a customer no more, and who stays all the same.

    Attributes:
        customer_for: Days after the last touch for which somebody is a customer.
        keep_confirmed: Whether customers stay whom a steward confirmed.
        at_once: How many customers, and how many documents, may go at once.
    """

    customer_for: Annotated[int, Field(ge=SHORTEST, le=36_500, strict=True)]
    keep_confirmed: bool = True
    at_once: Annotated[int, Field(ge=1, le=100_000, strict=True)] = 1000


class DocumentPolicy(Strict):
    """How long documents of one kind are kept.

    Attributes:
        dated: Attribute that tells from when on the years count.
        years: Calendar years after the end of that year.
        with_: Entities whose rows of the same order go with it.
    """

    dated: str
    years: Annotated[int, Field(ge=1, le=100, strict=True)]
    with_: tuple[EntityName, ...] = Field(default=(), alias="with")

    @staticmethod
    def until(dated: dt.date, years: int) -> dt.date:
        """The first day on which a document of a day may go."""
        return dt.date(dated.year + years + 1, 1, 1)


class RetentionPolicy(PolicyFile):
    """How long what is kept; None is for ever.

    Attributes:
        apply: Whether the schedule lets go what is due, and not only says so.
        customers: When they end.
        documents: By canonical entity.
        interactions: Days of interactions in the lake.
        landing: Extracts as delivered.
        raw: Rows as delivered.
        valid: Accepted rows.
        quarantine: Rejected rows.
        outbox: Events of the change feed.
        feed_files: Files of sinks.
        history: Former versions of customers.
        access_log: Lines of the access log.
    """

    version: Literal[1]
    FILE = FILE
    MANUAL = "docs/privacy.md"

    apply: bool = False
    customers: CustomersPolicy
    documents: Mapping[EntityName, DocumentPolicy] = {}
    interactions: Days
    landing: Days
    raw: Days
    valid: Days
    quarantine: Days
    outbox: Days
    feed_files: Days
    history: Days
    access_log: Days

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        for entity, rule in self.documents.items():
            dates = [one.name for one in attributes(Entity(entity)) if one.type in _DATES]
            if rule.dated not in dates:
                known = f"choose from {', '.join(dates)}" if dates else "it has none: leave the entity out"
                raise ValueError(f"documents.{entity}.dated: {rule.dated} is no date of {entity}; {known}")
            for other in rule.with_:
                if "order_id" not in {one.name for one in attributes(Entity(other))}:
                    raise ValueError(f"documents.{entity}.with: {other} names no order. Leave it out")
        if self.raw is not None and (self.landing is None or self.raw < self.landing):
            raise ValueError(
                f"raw: {self.raw} is less than landing ({self.landing or 'for ever'}), and persons are found in "
                "landing by raw. Make landing as short, or raw as long"
            )
        if self.interactions is not None and (self.landing is None or self.landing > self.interactions):
            raise ValueError(
                f"interactions: {self.interactions} is less than landing ({self.landing or 'for ever'}), where the "
                "same rows lie as delivered. Make landing as short, or interactions as long"
            )
        return self

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the policy; where a company's folder has none, of an earlier release, that of the package.

        Raises:
            PrivacyPolicyError: It is no YAML, has an unknown, missing or wrong key, or lets go what a law has kept.
        """
        policy = super().load(folder)
        if wrong := list(policy.against(RightsPolicy.load(folder))):
            raise PrivacyPolicyError("\n".join(f"{folder / FILE}: {one}" for one in wrong))
        return policy

    def against(self, law: RightsPolicy) -> Iterable[str]:
        """What a law has kept longer, in words with the key and the fix."""
        for hold in law.holds:
            for entity in (hold.entity, *hold.with_rows):
                rule = self.documents.get(entity)
                if rule is not None and rule.years < hold.years:
                    yield (
                        f"documents.{entity}.years: {rule.years} is shorter than a duty: {HOLDS} has it kept for "
                        f"{hold.years} years ({hold.reason}). Write {hold.years} or more."
                    )

    def place_days(self, what: str, pruned: int | None = None) -> int | None:
        """Days of a place: the shorter of what is said here and what pruning says."""
        known = [days for days in (getattr(self, what), pruned) if days is not None]
        return min(known, default=None)


@dataclass(frozen=True)
class Kept:
    """How long a source entity's customers are kept after their last touch.

    Attributes:
        days: The longest of its purposes.
        purpose: Which one that is.
        said: Its retention, as the policy of purposes has it.
        while_consented: Purposes for which they are kept as long as consent stands.
    """

    days: int
    purpose: str
    said: str
    while_consented: tuple[str, ...] = ()


def kept_by_purpose(
    policy: RetentionPolicy, purposes: Purposes, contracts: Sequence[SourceContract]
) -> dict[str, Kept]:
    """By ``source/entity`` that feeds parties, how long the purposes allow it to keep a customer.

    A purpose that rests on a legal duty keeps nobody: what the law has kept is kept apart when a customer goes.

    Raises:
        PrivacyPolicyError: The retention of a purpose cannot be counted.
    """
    counted = {key: _days(policy, purposes, key) for key in purposes.by_key}
    found = {}
    for contract in contracts:
        if Entity.PARTY not in contract.entities:
            continue
        given = {
            key
            for column in contract.columns
            if any(path.startswith("party.") for path in column.maps_to)
            for key in purposes.given_for(column.purposes)
        } or set(purposes.by_key)
        lasting = sorted(
            (key for key in given if purposes[key].basis is not Basis.LEGAL_DUTY),
            key=lambda key: (-(counted[key] or 0), key),
        ) or sorted(given)
        first = lasting[0]
        consented = tuple(sorted(key for key in lasting if counted[key] is None))
        days = counted[first] if counted[first] is not None else policy.customers.customer_for
        found[contract.name] = Kept(int(days or 0), first, str(purposes[first].retention), consented)
    return found


def _days(policy: RetentionPolicy, purposes: Purposes, key: str) -> int | None:
    """Days after the last touch for which a purpose keeps; None while a consent stands."""
    said = purposes[key].retention
    if isinstance(said, int):
        return said
    if said.strip() == _UNTIL_WITHDRAWN:
        return None
    match = _AS_CUSTOMER.fullmatch(said.strip())
    if match is None:
        raise PrivacyPolicyError(
            f"{purposes.path}: purposes.{key}.retention: {said!r} cannot be counted, so nobody can tell what expires. "
            f"Write {_COUNTED}."
        )
    return policy.customers.customer_for + int(match["days"] or 0)


__all__ = ["FILE", "PURPOSES", "DocumentPolicy", "Kept", "RetentionPolicy", "kept_by_purpose"]
