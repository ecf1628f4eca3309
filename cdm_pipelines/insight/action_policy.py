"""What a company may do next for a customer: the typed form of ``policies/next_best_action.yaml``.

Belongs here: the keys, and what can be checked of them alone and against the columns and purposes there are. Does not
belong here: whom an action is chosen for (``action_choice``), what came of it (``action_uplift``).

Nothing is invented: an action has an expected value where the company states its value, cost and probability, and no
other way. Where one of the actions has none the order of the file decides, since a known value and an unknown one
cannot be compared.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Literal, Self

import pyarrow as pa
import pyarrow.types as kinds
from pydantic import Field, model_validator

from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.insight.action_terms import (
    Amount,
    Column,
    Condition,
    Days,
    Exclusion,
    Key,
    Outcome,
    Probability,
    Value,
    Words,
    is_number,
    named,
)
from cdm_pipelines.insight.action_words import REASONS, Says
from cdm_pipelines.privacy.policy_files import PolicyFile, Strict
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.store.categories import is_personal

FILE = "next_best_action.yaml"
GOLDEN_ID = "golden_id"
CHANNELS: Mapping[str, tuple[str, ...]] = {
    "email": ("email",),
    "phone": ("mobile", "phone"),
    "post": ("street", "postcode"),
}
"""Channels, and the golden columns of which one has to be filled to reach somebody; of ``post`` all of them."""


class Action(Strict):
    """Something that may be done next.

    Attributes:
        key: By which it is logged.
        says: What it is, in both languages.
        purpose: Key of the purpose that it is for.
        channel: Through which the customer is addressed: email, phone, post.
        goal: What it is to bring about.
        outcome: What counts as a response to it; the policy's when not set.
        value, cost, probability: For its expected value, value times probability less cost; all of them or none.
        requires: All of it has to hold.
        excludes: None of it may hold.
        most_per_day: So many customers a day at most.
    """

    key: Key
    says: Says
    purpose: Words
    channel: Literal["email", "phone", "post"]
    goal: Words
    outcome: Outcome | None = None
    value: Value | None = None
    cost: Amount | None = None
    probability: Probability | None = None
    requires: tuple[Condition, ...] = ()
    excludes: tuple[Exclusion, ...] = ()
    most_per_day: Annotated[int, Field(ge=0, strict=True)] | None = None

    @model_validator(mode="after")
    def _worth_all_or_nothing(self) -> Self:
        given = {"value": self.value, "cost": self.cost, "probability": self.probability}
        missing = [name for name, one in given.items() if one is None]
        if missing and len(missing) < len(given):
            raise ValueError(
                f"an expected value needs value, cost and probability, and {' and '.join(missing)} "
                "is missing. Add it (cost: 0 where it costs nothing), or leave all three out"
            )
        return self

    @property
    def has_worth(self) -> bool:
        """Whether an expected value can be worked out."""
        return self.value is not None

    def columns(self) -> Iterator[str]:
        """The columns that it reads beside those of its channel."""
        yield from self.targets()
        yield from (one.column for each in self.excludes for one in each.when)

    def targets(self) -> Iterator[str]:
        """The columns by which customers are chosen for it: its purpose has to allow these.

        By those of exclusions somebody is left alone, whatever for they are kept.
        """
        yield from (one.column for one in self.requires)
        yield from (one.column for one in (self.value, self.probability) if one is not None and one.column)


class Pressure(Strict):
    """At most so many contacts by us, through any channel but the service desk, in so many days.

    Attributes:
        days: In which contacts are counted.
        most: That many.
    """

    days: Days = 7
    most: Annotated[int, Field(ge=1, le=1_000, strict=True)] = 1


class Model(Strict):
    """A model of who responds to what, used only where it beats the best single action on held-out randomised data.

    Attributes:
        features: Columns that it may look at; they are logged with each choice.
        method: ``logistic`` or ``boosting``.
        smallest: So many randomised customers with an outcome are needed.
    """

    features: Annotated[tuple[Column, ...], Field(min_length=1)]
    method: Literal["logistic", "boosting"] = "logistic"
    smallest: Annotated[int, Field(ge=200, strict=True)] = 2_000


class ActionPolicy(PolicyFile):
    """All that is said of next best actions.

    Attributes:
        period_days: A customer has one choice a period; its draws are made anew every period.
        control_share: Share of customers who are left alone, always the same ones, so that what actions bring can be
            measured.
        exploration: Share of choices that are drawn at random among the possible actions, so that another rule can be
            judged by them; 0 for none, and then none can.
        contact_pressure: After how many contacts no further one is made; None for no limit.
        outcome: What counts as a response, where an action says nothing else; rules and models are judged by it.
        never: Whom no action is for.
        actions: In the order that decides where no expected values are stated.
        log: Further columns to write down with every choice, so that a later rule that reads them can be judged.
        model: A model of responses; None for none.
    """

    FILE: ClassVar[str] = FILE
    MANUAL: ClassVar[str] = "docs/next-best-action.md"

    version: Literal[1]
    period_days: Annotated[int, Field(ge=1, le=366, strict=True)] = 28
    control_share: Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)] = 0.1
    exploration: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.1
    contact_pressure: Pressure | None = None
    outcome: Outcome = Outcome()
    never: tuple[Exclusion, ...] = ()
    actions: Annotated[tuple[Action, ...], Field(min_length=1)]
    log: tuple[Column, ...] = ()
    model: Model | None = None

    @model_validator(mode="after")
    def _keys_are_their_own(self) -> Self:
        keys = [one.key for one in self.actions]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"actions: {', '.join(twice)} is there twice. Give each action a key of its own")
        if NONE in keys:
            raise ValueError(
                f"actions: {NONE} is the word for leaving somebody alone. Give the action another key"
            )
        return self

    @property
    def by_value(self) -> bool:
        """Whether expected values decide; the order of the file otherwise."""
        return all(one.has_worth for one in self.actions)

    @property
    def decided_by(self) -> str:
        """What decides, in words."""
        if self.by_value:
            return "expected value = probability x value - cost"
        without = ", ".join(one.key for one in self.actions if not one.has_worth)
        return (
            f"the order of the actions in {FILE}: no value, cost and probability are stated of {without}, and none "
            "are invented"
        )

    @property
    def context(self) -> tuple[str, ...]:
        """The columns that are written down with every choice: all that decide, and those of ``log``."""
        named = {one.column for each in self.never for one in each.when}
        named |= {column for action in self.actions for column in action.columns()}
        named |= {*self.log, *(self.model.features if self.model else ())}
        return tuple(sorted(named))

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read beside the golden id, those by which customers are reached among them."""
        reach = {one for action in self.actions for one in CHANNELS[action.channel]}
        return tuple(sorted({*self.context, *reach, "status"}))

    @property
    def dates(self) -> frozenset[str]:
        """The columns that a test takes as dates."""
        return frozenset(
            one.column for _, one in self._conditions() if one.tests & {"days_ago_at_least", "days_ago_under"}
        )

    def empty_type(self, column: str) -> pa.DataType:
        """The type of a column of text, or of one without any value, as the tests of the policy want it."""
        for _, one in self._conditions():
            if one.column == column and one.tests - {"empty"}:
                if one.is_ is not None:
                    return pa.bool_()
                return pa.string() if one.one_of is not None else pa.float64()
        of_numbers = {one.value.column for one in self.actions if one.value is not None}
        rates = [one.probability for one in self.actions if one.probability is not None]
        of_numbers |= {one.column for one in rates if not one.rates}
        return pa.float64() if column in of_numbers else pa.string()

    @property
    def content(self) -> dict[str, Any]:
        """As it is kept with the choices that were made by it."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def fingerprint(self) -> str:
        """Changes when anything that it says does."""
        return sha256(json.dumps(self.content, sort_keys=True).encode()).hexdigest()[:16]

    def outcome_of(self, action: Action) -> Outcome:
        """What counts as a response to an action."""
        return action.outcome or self.outcome

    def says(self, language: Literal["en", "nl"]) -> dict[str, str]:
        """What actions and reasons are called in a language, by their keys."""
        own = [one for each in self.actions for one in each.excludes] + list(self.never)
        reasons = dict(REASONS)
        reasons |= {one.reason: one.says for one in own if one.says is not None}
        return {key: getattr(one, language) for key, one in reasons.items()} | {
            one.key: getattr(one.says, language) for one in self.actions
        }

    def problems(
        self,
        columns: Mapping[str, pa.DataType],
        categories: Mapping[str, str],
        made_by: Mapping[str, str],
        purposes: Purposes,
    ) -> Iterator[str]:
        """What it names that there is not, or that its purposes may not use; each with the key and the fix.

        Args:
            columns: Of ``profile.customer``, with their types.
            categories: Their privacy categories.
            made_by: The enricher of those that one works out.
            purposes: The purposes there are.
        """
        for number, action in enumerate(self.actions):
            where = f"{FILE}: actions.{number} ({action.key})"
            if action.purpose not in purposes.by_key:
                fix = instead(action.purpose, purposes.by_key)
                yield f"{where}: there is no purpose {action.purpose}. {fix}"
                continue
            purpose = purposes[action.purpose]
            if action.channel not in purpose.channels:
                yield (
                    f"{where}: nobody is addressed by {action.channel} for {action.purpose}. Add it to the channels of "
                    "the purpose in purposes.yaml, or choose another channel"
                )
            for column in sorted(set(action.targets()) & columns.keys()):
                category = categories.get(column, "user")
                if is_personal(category) and not purpose.covers(category):
                    yield (
                        f"{where}: {column} is {category}, which {action.purpose} may not use. Add the category to the "
                        "purpose in purposes.yaml, or leave the column out"
                    )
                enricher = made_by.get(column)
                if enricher and (wrong := purposes.not_chosen_by(action.purpose, enricher)):
                    yield (
                        f"{where}: {column} {wrong}. Add {enricher} to purposes.{action.purpose}.selects_by in "
                        "purposes.yaml, or leave the column out"
                    )
        yield from self._column_problems(columns)

    def of_others(self, made_by: Mapping[str, str], purposes: Purposes) -> dict[str, list[tuple[str, ...]]]:
        """By action, for each enricher that works for other purposes and that it chooses by: keys of those purposes."""
        return {
            action.key: purposes.of_others(
                action.purpose, (made_by[column] for column in action.targets() if column in made_by)
            )
            for action in self.actions
        }

    def _column_problems(self, columns: Mapping[str, pa.DataType]) -> Iterator[str]:
        for column in self.context:
            if column not in columns:
                yield f"{FILE}: there is no column {column}. {instead(column, columns)}"
        for where, one in self._conditions():
            problem = one.problem(columns[one.column]) if one.column in columns else ""
            if problem:
                yield f"{FILE}: {where}: {problem}. Take another test, or another column"
        for action in self.actions:
            value, rate = action.value, action.probability
            numbers = [one.column for one in (value,) if one is not None and one.column]
            numbers += [one.column for one in (rate,) if one is not None and one.column and not one.rates]
            for column in numbers:
                if column in columns and not is_number(columns[column]):
                    kind = named(columns[column])
                    yield f"{FILE}: actions ({action.key}): {column} is {kind}, and a number is needed"
            by_word = rate.column if rate is not None and rate.rates else None
            if by_word is not None and by_word in columns and not kinds.is_string(columns[by_word]):
                yield f"{FILE}: actions ({action.key}): rates are by value of a text, and {by_word} is none"

    def _conditions(self) -> Iterator[tuple[str, Condition]]:
        for each in self.never:
            yield from ((f"never ({each.reason})", one) for one in each.when)
        for action in self.actions:
            yield from ((f"actions ({action.key}): requires", one) for one in action.requires)
            for each in action.excludes:
                yield from ((f"actions ({action.key}): excludes ({each.reason})", one) for one in each.when)


NONE = "none"
"""In a log of choices: that the customer was left alone."""
