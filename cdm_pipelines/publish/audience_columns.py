"""The columns that an audience may be chosen by, and for which purposes each may be used.

Belongs here: what there is of a customer in golden and profile tables, and whether a purpose allows it. Does not belong
here: the filter (``audience_filter``), or reading rows (steps.activation).

A golden column may be used for a purpose that covers its category and that some source gives it for; of a customer
whose value comes from a source that does not, it counts as empty. A column of the profile may be used for the purposes
that its enricher works for, and for those that say that they select by it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Subquery, case, cast, func, literal_column, null, select
from sqlalchemy.sql import sqltypes

from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.contracts.profile import ProfileTable
from cdm_pipelines.golden.provenance import EVERYTHING_ELSE
from cdm_pipelines.hub.schema import customer, privacy_of, provenance, typed
from cdm_pipelines.privacy.given import Given
from cdm_pipelines.publish.leaving import GROUP_OF
from cdm_pipelines.store.categories import is_personal

CUSTOMER = customer.alias("c")
"""Golden customers, as every query of this room names them."""


class Kind(StrEnum):
    """What can be said of a column."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    TRUTH = "yes or no"


_KINDS: Mapping[type, Kind] = {
    sqltypes.Boolean: Kind.TRUTH,
    sqltypes.DateTime: Kind.DATE,
    sqltypes.Date: Kind.DATE,
    sqltypes.Integer: Kind.NUMBER,
    sqltypes.Numeric: Kind.NUMBER,
    sqltypes.Uuid: Kind.TEXT,
    sqltypes.Text: Kind.TEXT,
    sqltypes.String: Kind.TEXT,
}


@dataclass(frozen=True)
class Declared:
    """A column.

    Attributes:
        name: As a filter names it: that of ``profile.customer``.
        kind: What can be said of it.
        privacy: Fides data category.
        enricher: Whose it is; empty of a golden column.
        stored: Its name in the enricher's table, or there the day that it is counted from.
        table: The enricher's table.
        age: Whether it is the days since that day.
    """

    name: str
    kind: Kind
    privacy: str
    enricher: str = ""
    stored: str = ""
    table: str = ""
    age: bool = False


def declared_columns(profile: Iterable[ProfileTable]) -> Mapping[str, Declared]:
    """All columns that there are, by name.

    Args:
        profile: Tables of the enrichers that are switched on.
    """
    found = {
        one.name: Declared(one.name, _kind(one.type), privacy_of(one))
        for one in customer.columns
        if one.name not in ("golden_id", "employer_id")
    }
    for own in (one for one in profile if one.wide):
        privacy = {one.name: one.privacy for one in own.columns}
        for one in own.columns:
            name = f"{own.name}_{one.name}"
            kind = _kind(typed(one.type))
            found[name] = Declared(name, kind, one.privacy, own.name, one.name, own.table_name)
        for age in own.ages:
            name = f"{own.name}_{age.name}"
            found[name] = Declared(
                name, Kind.NUMBER, privacy[age.of], own.name, age.of, own.table_name, age=True
            )
    return found


def _kind(kind: object) -> Kind:
    own = kind if isinstance(kind, type) else type(kind)
    return next(found for base, found in _KINDS.items() if issubclass(own, base))


@dataclass(frozen=True)
class Allowed:
    """What may be used for one purpose.

    Attributes:
        purpose: Its key.
        columns: All that there are.
        given: What values are given for.
    """

    purpose: str
    columns: Mapping[str, Declared]
    given: Given

    def problem(self, name: str) -> str | None:
        """Why a column cannot be used, with what to do; None where it can."""
        if name not in self.columns:
            return f"there is no column {name}. {instead(name, self.columns)}"
        own, purpose, key = self.columns[name], self.given.purposes[self.purpose], self.purpose
        file = self.given.purposes.path
        if is_personal(own.privacy) and not purpose.covers(own.privacy):
            return (
                f"{name} is {own.privacy}, which the purpose {key} does not cover. Choose by another column, or add "
                f"{own.privacy} to purposes.{key}.categories in {file}."
            )
        if own.enricher and (wrong := self.given.purposes.not_chosen_by(key, own.enricher)):
            return (
                f"{name} {wrong}. Choose by another column, or add {own.enricher} to purposes.{key}.selects_by in "
                f"{file}."
            )
        by_source = [of[name] for of in self.given.by_entity.values() if name in of]
        if not own.enricher and by_source and not any(key in purposes for purposes in by_source):
            return (
                f"no source gives {name} for {key}. Choose by another column, or add a data use of {key} to the "
                "column's purposes in a contract."
            )
        return None

    def sql(self, name: str) -> ColumnElement[Any]:
        """The column's value in SQL, over ``joined``; empty where it is not given for the purpose."""
        own = self.columns[name]
        if own.enricher:
            stored: ColumnElement[Any] = literal_column(f'"{own.enricher}"."{own.stored}"')
            return func.current_date() - cast(stored, sqltypes.Date) if own.age else stored
        value: ColumnElement[Any] = CUSTOMER.c[name]
        without = self._without(name)
        if not without:
            return value
        origin: ColumnElement[Any] = func.coalesce(
            *(literal_column(f'origin."{_label(way)}"') for way in _ways(name))
        )
        return case((origin.in_(without), null()), else_=value)

    def origin(self, names: Iterable[str]) -> Subquery | None:
        """What ``sql`` of some columns reads beside customers, to be joined by golden id; None where it is nothing.

        It is read in one pass over provenance, whatever the number of columns.
        """
        golden = (name for name in names if not self.columns[name].enricher)
        ways = sorted({way for name in golden if self._without(name) for way in _ways(name)})
        if not ways:
            return None
        p = provenance.c
        of_way = (
            func.max(p.source + "/" + p.entity).filter(p.attribute == way).label(_label(way)) for way in ways
        )
        return (
            select(p.golden_id, *of_way).where(p.attribute.in_(ways)).group_by(p.golden_id).subquery("origin")
        )

    def _without(self, name: str) -> list[str]:
        """Source entities that do not give a column for the purpose."""
        return sorted(self.given.without(frozenset({self.purpose})).among({name}).by_entity)

    def of_others(self, names: Iterable[str]) -> list[tuple[str, ...]]:
        """Of each enricher that works for other purposes, and whose columns are named: keys of those purposes, once."""
        return self.given.purposes.of_others(self.purpose, (one.enricher for one in self.sources(names)))

    def sources(self, names: Iterable[str]) -> Sequence[Declared]:
        """One column of each enricher whose table is read for some columns."""
        found = {self.columns[name].enricher: self.columns[name] for name in names}
        return [own for enricher, own in sorted(found.items()) if enricher]


def _ways(name: str) -> list[str]:
    """The rows of provenance that say where a golden value comes from; the first that there is counts."""
    return list(dict.fromkeys((name, GROUP_OF.get(name, name), EVERYTHING_ELSE)))


def _label(way: str) -> str:
    return f"of {way}"
