"""What the policy of next best actions is written in: conditions, values, probabilities, outcomes.

Belongs here: each of them by itself, validated. Does not belong here: actions and the policy (``action_policy``), what
passes a condition (``action_rules``).
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import pyarrow as pa
import pyarrow.types as kinds
from pydantic import ConfigDict, Field, model_validator

from cdm_pipelines.insight.action_words import REASONS, Says
from cdm_pipelines.privacy.policy_files import Strict

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Words = Annotated[str, Field(min_length=1)]
Column = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Days = Annotated[int, Field(ge=1, le=3_650, strict=True)]


class Condition(Strict):
    """What has to hold of a column; an empty value passes no test but ``empty``.

    Attributes:
        column: Of ``profile.customer``.
        one_of: One of these values.
        is_: Yes or no, written ``is``.
        at_least, at_most, over, under: Bounds of a number.
        days_ago_at_least, days_ago_under: Bounds of how long before the day of the choice a date lies.
        empty: Whether there is no value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)

    column: Column
    one_of: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    is_: bool | None = Field(default=None, alias="is")
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    at_most: float | None = Field(default=None, allow_inf_nan=False)
    over: float | None = Field(default=None, allow_inf_nan=False)
    under: float | None = Field(default=None, allow_inf_nan=False)
    days_ago_at_least: Annotated[int, Field(ge=0, le=36_500)] | None = None
    days_ago_under: Days | None = None
    empty: bool | None = None

    @property
    def tests(self) -> frozenset[str]:
        """Names of the tests that are set."""
        return frozenset(name for name, value in self if name != "column" and value is not None)

    @model_validator(mode="after")
    def _tests_something(self) -> Self:
        if not self.tests:
            raise ValueError(
                "says nothing of its column. Add one_of, is, at_least, at_most, over, under, days_ago_at_least, "
                "days_ago_under or empty"
            )
        return self

    def problem(self, kind: pa.DataType) -> str:
        """Why a column of this type cannot be held against it; empty where it can."""
        needs = {
            "one_of": ("text", kinds.is_string(kind)),
            "is_": ("yes or no", kinds.is_boolean(kind)),
            **dict.fromkeys(("at_least", "at_most", "over", "under"), ("a number", is_number(kind))),
            **dict.fromkeys(("days_ago_at_least", "days_ago_under"), ("a date", kinds.is_date(kind))),
        }
        for test in sorted(self.tests - {"empty"}):
            wanted, fits = needs[test]
            if not fits:
                return f"{test.rstrip('_')} asks for {wanted}, and {self.column} is {named(kind)}"
        return ""


class Exclusion(Strict):
    """Whom an action is not for, and the reason that people are told.

    Attributes:
        reason: Its code.
        when: All of it has to hold.
        says: The reason in both languages; needed where the reason is none of the house's own.
    """

    reason: Key
    when: Annotated[tuple[Condition, ...], Field(min_length=1)]
    says: Says | None = None

    @model_validator(mode="after")
    def _can_be_told(self) -> Self:
        if self.says is None and self.reason not in REASONS:
            raise ValueError(f"the reason {self.reason} has no words. Add says: {{en: …, nl: …}}")
        return self


class Value(Strict):
    """What a response is worth: an amount of the company's, or a column of the profile.

    Attributes:
        amount: In the reporting currency.
        column: Of ``profile.customer``, that holds an amount.
        share: Of that column which a response brings.
    """

    amount: Amount | None = None
    column: Column | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.amount is None) == (self.column is None):
            raise ValueError("give an amount or a column, and not both")
        return self


class Probability(Strict):
    """How probable a response is: one rate, a column with a probability, or a rate per value of a column.

    Attributes:
        rate: The same for everybody.
        column: Of ``profile.customer``: a probability, or what ``rates`` are of.
        rates: By value of the column.
        otherwise: Of values that are not among them.
    """

    rate: Share | None = None
    column: Column | None = None
    rates: Mapping[str, Share] = Field(default_factory=dict)
    otherwise: Share | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.rate is None) == (self.column is None):
            raise ValueError("give a rate or a column, and not both")
        if self.column is None and (self.rates or self.otherwise is not None):
            raise ValueError("rates and otherwise need a column whose values they are for")
        if self.column is not None and self.otherwise is not None and not self.rates:
            raise ValueError("otherwise needs rates")
        return self


Response = Literal["order", "open", "click", "visit", "product_view", "cart", "call", "ticket_opened"]


class Outcome(Strict):
    """What counts as a response: something of a kind within so many days after the choice.

    Attributes:
        kind: Of what.
        within_days: Days after the choice.
        campaign: Only what names this campaign.
    """

    kind: Response = "order"
    within_days: Days = 30
    campaign: Words | None = None

    @model_validator(mode="after")
    def _orders_have_no_campaign(self) -> Self:
        if self.kind == "order" and self.campaign is not None:
            raise ValueError("orders name no campaign. Leave campaign out, or take click")
        return self


def is_number(kind: pa.DataType) -> bool:
    """Whether values of a type are numbers."""
    return bool(kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind))


def named(kind: pa.DataType) -> str:
    """A type in words."""
    if is_number(kind):
        return "a number"
    if kinds.is_date(kind):
        return "a date"
    return {"string": "text", "bool": "yes or no"}.get(str(kind), str(kind))
