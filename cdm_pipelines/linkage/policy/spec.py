"""The linkage policy: what a company writes in YAML to say how records are compared.

Belongs here: the typed, frozen policy, its validation and its errors. Does not belong here: how a rule or a
comparison is computed (blocking, compare).
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cdm_pipelines.linkage.errors import nearest
from cdm_pipelines.linkage.policy.comparisons import (
    Comparison,
    Frozen,
    GivenNameComparison,
    Names,
    Share,
    listed,
)
from cdm_pipelines.linkage.policy.equivalents import NameForms, equivalents

DateClean = Literal["date", "date_dmy", "date_mdy"]
Clean = Literal[
    "text",
    "name",
    "surname",
    "organisation",
    "street",
    "number",
    "digits",
    "identifier",
    "date",
    "date_dmy",
    "date_mdy",
    "email",
    "exact",
]
Take = Literal[
    "first",
    "last",
    "initial",
    "phonetic",
    "year",
    "month_day",
    "local_part",
    "domain",
    "rare_tokens",
    "value",
    "core",
    "acronym",
    "sorted_words",
]


OF_PAIRS = ("left_source", "left_id", "right_source", "right_id", "weight", "probability")
"""Columns of the table of pairs, beside those of the comparisons."""


class Column(Frozen):
    """A column as the policy names it, where the table keeps it, and how its values are cleaned.

    A list of columns is read as one text: the parts of a date, two surnames, or what files call by different names.

    Attributes:
        column: Of the table, or a list of them; the same name when left out.
        further: Columns after the first, where they are not written as a list.
        clean: As what its values are cleaned before they are compared.
        dates_in: Sources that write dates in another form than ``clean`` says, and in which.
    """

    column: str
    further: tuple[str, ...] = ()
    clean: Clean = "text"
    dates_in: dict[str, DateClean] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _several(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("column"), list) and data["column"]:
            first, *further = data["column"]
            return {**data, "column": first, "further": further}
        return data

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.names)) < len(self.names):
            raise ValueError("column names a column of the table twice; name each once")
        if self.dates_in and not self.clean.startswith("date"):
            raise ValueError(
                f"dates_in is for dates, and clean is {self.clean}; give clean: date or leave it out"
            )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the table, in the order in which they are read."""
        return (self.column, *self.further)


class Derived(Frozen):
    """A blocking key made from one or more columns; several columns give a key of several values.

    Attributes:
        of: The columns.
        take: What of each value.
        length: How many signs of it.
    """

    of: Names
    take: Take
    length: int | None = Field(default=None, ge=1)


class BlockingRule(Frozen):
    """Records that agree on everything in ``keys`` become candidate pairs.

    With ``window``, records are sorted by the last key of ``keys`` within agreement on the others, and each is paired
    with its next ``window`` neighbours. With ``algorithm`` a class of recordlinkage's index module makes the pairs.

    Attributes:
        keys: Columns or derived keys on which records have to agree.
        name: In reports; made of the keys when left out.
        window: How many neighbours in order of the last key a record is paired with.
        refine: Keys that split a block that is too large.
        max_block_size: Blocks of more records are cut.
        max_pairs: Most pairs of this rule.
        algorithm: Class of the index module of recordlinkage.
        arguments: What it is made with.
    """

    keys: Names
    name: str | None = None
    window: int | None = Field(default=None, ge=1, le=100)
    refine: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    max_block_size: int | None = Field(default=None, ge=2)
    max_pairs: int | None = Field(default=None, ge=1)
    algorithm: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """The rule's name in reports."""
        return self.name or " + ".join(self.keys)


class MatchThresholds(Frozen):
    """When a pair is a match and when a person should look.

    ``match`` is a posterior probability. With ``expected_false_matches`` the threshold is raised above it as far as is
    needed for the expected share of false pairs among accepted ones. Pairs from ``review`` on are kept. A pair that
    agrees on nothing beyond the comparisons in ``not_alone`` (names) is no match by itself, however rare they are.

    With ``may_cost`` these guards give way where the fitted model expects them to lose more than they save: the
    threshold is the highest, up to the one that they ask for, at which the expected F1 is at most so much below the
    best that any threshold gives, and ``not_alone`` holds only where there is such a threshold with it.

    Attributes:
        match: Probability from which a pair is a match.
        expected_false_matches: Share of false pairs among accepted ones for which the threshold is raised.
        review: Probability from which a pair is kept for a person to look at.
        not_alone: Comparisons that make no match by themselves.
        may_cost: How far below the best expected F1 the guards may lead.
    """

    match: Share = 0.9
    expected_false_matches: Share | None = None
    review: Share = 0.3
    not_alone: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    may_cost: Share | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.review > self.match:
            raise ValueError("review must not be above match")
        return self


class Clustering(Frozen):
    """Guards against over-merging.

    ``contradictions``: sets of comparisons that keep two records apart when each of them is made and disagrees.
    ``support``: two groups join only where their pairs' average log2 odds reach it.

    Attributes:
        contradictions: Sets of comparisons that keep two records apart when each disagrees.
        max_size: Most records of a cluster.
        max_component: Most records that are looked at together.
        support: Average log2 odds at which two groups join.
        limit: Has no effect any more, since comparisons are averaged, not scores; policies that say it can be read.
    """

    contradictions: tuple[Names, ...] = ()
    max_size: int = Field(default=200, ge=2)
    max_component: int = Field(default=1000, ge=2)
    support: float = 0.0
    limit: float = Field(default=10.0, gt=0)


class Training(Frozen):
    """How the model is fitted.

    Attributes:
        random_pairs: So many are drawn to see how often strangers agree.
        iterations: Most steps of the fit.
        tolerance: Change of a parameter below which it has converged.
        relatives: A class of its own for different people who share what ``shared`` comparisons see.
    """

    random_pairs: int = Field(default=500_000, ge=1000)
    iterations: int = Field(default=150, ge=1)
    tolerance: float = Field(default=1e-4, gt=0)
    relatives: bool = True


class LinkagePolicy(Frozen):
    """How the records of a table are linked; see docs/explanation/linkage.md.

    Attributes:
        name: In reports.
        id: Column with the key of a record.
        source: Column with the source of a record; left out where all are of one.
        duplicate_free: Sources in which every record is another party.
        columns: The columns that are read, by the name that the rest of the policy uses.
        derived: Blocking keys made from columns, by name.
        blocking: Rules that make candidate pairs.
        comparisons: What of a pair is compared, by name.
        thresholds: When a pair is a match.
        clustering: What keeps too much from becoming one.
        training: How the model is fitted.
        seed: Of what is drawn at random.
        chunk_pairs: So many pairs are worked on at a time.
        max_block_size: Blocks of more records are cut, where a rule says nothing else.
        max_pairs: Most pairs of one rule, or as many as there are records.
    """

    name: str = "policy"
    id: str
    source: str | None = None
    duplicate_free: tuple[str, ...] = ()
    columns: dict[str, Column]
    derived: dict[str, Derived] = Field(default_factory=dict)
    blocking: tuple[BlockingRule, ...] = Field(min_length=1)
    comparisons: dict[str, Comparison] = Field(min_length=1)
    thresholds: MatchThresholds = MatchThresholds()
    clustering: Clustering = Clustering()
    training: Training = Training()
    seed: int = 20240229
    chunk_pairs: int = Field(default=1_000_000, ge=1)
    max_block_size: int = Field(default=1000, ge=2)
    max_pairs: int = Field(default=1_000_000, ge=1)
    folder: Path | None = Field(
        default=None, exclude=True
    )  # where the policy's own tables are looked up first

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("columns"), dict):
            spelled = {
                k: {"column": v} if isinstance(v, str | list) else v for k, v in data["columns"].items()
            }
            named = {k: {"column": k, **v} if isinstance(v, dict) else v for k, v in spelled.items()}
            data = {**data, "columns": named}
        return data

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        known = set(self.columns)
        for name, column in self.columns.items():
            if column.dates_in and self.source is None:
                raise ValueError(
                    f"columns.{name}: dates_in names sources, and there is no source; name its column"
                )
        for name, derived in self.derived.items():
            if name in known:
                raise ValueError(f"derived.{name}: there is a column of that name; choose another")
            _require(derived.of, known, f"derived.{name}.of")
        keys = known | set(self.derived)
        for number, rule in enumerate(self.blocking, start=1):
            _require((*rule.keys, *rule.refine), keys, f"blocking rule {number} ({rule.label})")
        for name, comparison in self.comparisons.items():
            _require((*comparison.reads, *comparison.reads_optionally), known, f"comparisons.{name}")
        for group in self.clustering.contradictions:
            _require(group, set(self.comparisons), "clustering.contradictions")
        _require(self.thresholds.not_alone, set(self.comparisons), "thresholds.not_alone")
        labels = [rule.label for rule in self.blocking]
        if len(set(labels)) < len(labels):
            raise ValueError("blocking: two rules have the same name; give one of them a name of its own")
        if len(self.blocking) > 31:
            raise ValueError("blocking: at most 31 rules")
        return self

    @model_validator(mode="after")
    def _beside_columns_of_pairs(self) -> Self:
        for name in self.comparisons:
            if name in OF_PAIRS:
                raise ValueError(f"comparisons.{name}: pairs have a column of that name; choose another")
        return self

    @property
    def key_columns(self) -> list[str]:
        """The columns that name a record."""
        return [self.id] if self.source is None else [self.id, self.source]

    def in_order_of(self, comparisons: Iterable[str]) -> Self:
        """The same policy with its comparisons in the order of the model that was fitted under it.

        The fingerprint does not tell the order, and patterns of pairs that are kept are in that of the model. A policy
        of other comparisons is as it was: it does not go with the model, whatever their order.
        """
        names = list(comparisons)
        if set(names) != set(self.comparisons):
            return self
        return self.model_copy(update={"comparisons": {name: self.comparisons[name] for name in names}})

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the policy's content and of the tables it names, whatever file it stands in."""
        plain = self.model_dump(mode="json", exclude={"name"})
        for column in plain["columns"].values():
            for name in ("further", "dates_in"):
                if not column[name]:
                    del column[name]  # models were fitted under policies that could not say it
        text = json.dumps([plain, self.name_forms()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def name_forms(self) -> dict[str, NameForms]:
        """Other forms of given names, by comparison that looks for them; from the tables that the policy names.

        Raises:
            LinkageError: A table is not found or cannot be read.
        """
        return {
            name: equivalents(one.equivalents, self.folder)
            for name, one in self.comparisons.items()
            if isinstance(one, GivenNameComparison)
        }


def _require(names: tuple[str, ...], known: set[str], where: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where}: no such name {name!r}{nearest(name, known)}")
