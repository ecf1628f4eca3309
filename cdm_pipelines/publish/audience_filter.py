"""The filter of an audience: what is said of customers in YAML, read into typed terms and made SQL with parameters.

Belongs here: the language, its checks, its SQL. Does not belong here: which columns there are and may be used
(``audience_columns``), or consent by which somebody is approached (steps.activation).

A term is a comparison, ``{column: country, operator: equals, value: NL}``; what somebody allows, ``{consent:
analytics}``; or ``all``, ``any`` or ``not`` of terms. Values never become part of a statement: they are bound.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, not_, or_, true

from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.hub.schema_privacy import consent
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.publish.audience_columns import CUSTOMER, Allowed, Kind

_DEEPEST, _LONGEST = 8, 1000
"""Terms within terms, and values of a list."""
_CENTURY = 36_500


class FilterError(ValueError):
    """A filter says what cannot be said; the text names the key below the filter and the fix."""


@dataclass(frozen=True)
class Compare:
    """A column held against a value.

    Attributes:
        at: Where it stands, such as ``all[0]``.
        column: Its name.
        operator: One of ``OPERATORS``.
        value: As YAML has it.
    """

    at: str
    column: str
    operator: str
    value: Any = None


@dataclass(frozen=True)
class Allows:
    """What a customer allows: a purpose, by a channel or, where that is empty, in itself."""

    at: str
    purpose: str
    channel: str
    allowed: bool


@dataclass(frozen=True)
class Group:
    """``all``, ``any`` or ``not`` of terms."""

    how: str
    terms: "tuple[Term, ...]"


Term = Compare | Allows | Group
EVERYBODY = Group("all", ())


@dataclass(frozen=True)
class _Operator:
    """How a comparison is checked and made.

    Attributes:
        kinds: Of columns that it is for.
        wants: What its value is: one, list, pair, days, text or none.
        make: Its SQL.
    """

    kinds: frozenset[Kind]
    wants: str
    make: Callable[[ColumnElement[Any], Any], ColumnElement[bool]]


_ANY, _ORDERED = frozenset(Kind), frozenset({Kind.NUMBER, Kind.DATE})
_WORDS, _DAYS = frozenset({Kind.TEXT}), frozenset({Kind.DATE})


def _ago(days: int) -> ColumnElement[Any]:
    return func.current_date() - literal(days)


OPERATORS: Mapping[str, _Operator] = {
    "equals": _Operator(_ANY, "one", lambda column, value: column == value),
    "not_equals": _Operator(_ANY, "one", lambda column, value: column.is_distinct_from(value)),
    "in": _Operator(_ANY, "list", lambda column, value: column.in_(value)),
    "not_in": _Operator(_ANY, "list", lambda column, value: or_(column.is_(None), column.not_in(value))),
    "less_than": _Operator(_ORDERED, "one", lambda column, value: column < value),
    "at_most": _Operator(_ORDERED, "one", lambda column, value: column <= value),
    "more_than": _Operator(_ORDERED, "one", lambda column, value: column > value),
    "at_least": _Operator(_ORDERED, "one", lambda column, value: column >= value),
    "between": _Operator(_ORDERED, "pair", lambda column, value: column.between(*value)),
    "starts_with": _Operator(_WORDS, "text", lambda column, value: column.startswith(value, autoescape=True)),
    "contains": _Operator(_WORDS, "text", lambda column, value: column.icontains(value, autoescape=True)),
    "in_the_last_days": _Operator(
        _DAYS, "days", lambda column, value: and_(column > _ago(value), column <= func.current_date())
    ),
    "longer_ago_than_days": _Operator(_DAYS, "days", lambda column, value: column <= _ago(value)),
    "is_empty": _Operator(_ANY, "none", lambda column, _: column.is_(None)),
    "is_filled": _Operator(_ANY, "none", lambda column, _: column.is_not(None)),
}
"""By name. A column that is empty is equal to nothing, less than nothing, and in no list."""


def read(said: Any, at: str = "", depth: int = 0) -> Term:
    """A filter as YAML has it, as terms.

    Raises:
        FilterError: It is no filter.
    """
    where = f"{at}: " if at else ""
    if depth > _DEEPEST:
        raise FilterError(f"{where}lies deeper than {_DEEPEST} terms. Say it with fewer")
    if not isinstance(said, Mapping):
        raise FilterError(
            f"{where}is no term. Write {{column: …, operator: …, value: …}}, or all, any or not of terms"
        )
    keys = {str(one) for one in said}
    for how in ("all", "any", "not"):
        if how in keys:
            if keys != {how}:
                raise FilterError(
                    f"{where}{how} stands with {', '.join(sorted(keys - {how}))}. Make it a term of its own"
                )
            return _group(how, said[how], at, depth)
    if "consent" in keys:
        return _allows(said, keys, at)
    return _compare(said, keys, at)


def _group(how: str, said: Any, at: str, depth: int) -> Group:
    inside = f"{at}.{how}" if at else how
    if how == "not":
        return Group(how, (read(said, inside, depth + 1),))
    if not isinstance(said, Sequence) or isinstance(said, str) or not said:
        raise FilterError(f"{inside}: is no list of terms. Write at least one, each with a dash before it")
    return Group(how, tuple(read(one, f"{inside}[{n}]", depth + 1) for n, one in enumerate(said)))


def _known(keys: set[str], known: Sequence[str], at: str) -> None:
    for key in sorted(keys - set(known)):
        raise FilterError(f"{at}: {key} is not known. {instead(key, known)}")


def _allows(said: Mapping[str, Any], keys: set[str], at: str) -> Allows:
    _known(keys, ("consent", "channel", "allowed"), at)
    allowed = said.get("allowed", True)
    if not isinstance(allowed, bool):
        raise FilterError(f"{at}: allowed: is neither true nor false. Write one of them")
    return Allows(at, str(said["consent"]), str(said.get("channel", "")), allowed)


def _compare(said: Mapping[str, Any], keys: set[str], at: str) -> Compare:
    _known(keys, ("column", "operator", "value"), at)
    for key in ("column", "operator"):
        if not isinstance(said.get(key), str):
            raise FilterError(f"{at}: {key}: is missing. Write {{column: …, operator: …, value: …}}")
    operator = said["operator"]
    if operator not in OPERATORS:
        raise FilterError(f"{at}: operator: there is no {operator}. {instead(operator, OPERATORS)}")
    wants = OPERATORS[operator].wants
    if wants == "none" and "value" in said:
        raise FilterError(f"{at}: value: {operator} takes none. Remove it")
    if wants != "none" and said.get("value") is None:
        raise FilterError(f"{at}: value: is missing. Write one, or use is_empty")
    return Compare(at, said["column"], operator, said.get("value"))


def terms(term: Term) -> Iterator[Compare | Allows]:
    """The terms that are no groups."""
    if isinstance(term, Group):
        for one in term.terms:
            yield from terms(one)
    else:
        yield term


def columns_of(term: Term) -> frozenset[str]:
    """Names of the columns that a filter reads."""
    return frozenset(one.column for one in terms(term) if isinstance(one, Compare))


def problems(term: Term, allowed: Allowed) -> Iterator[str]:
    """What is wrong with a filter, given the columns there are and the purpose, in words with key and fix."""
    purposes = allowed.given.purposes
    for one in terms(term):
        if isinstance(one, Allows):
            if one.purpose not in purposes.by_key:
                yield f"{one.at}: consent: there is no purpose {one.purpose}. {instead(one.purpose, purposes.by_key)}"
            elif one.channel and one.channel not in purposes[one.purpose].channels:
                known = purposes[one.purpose].channels
                yield f"{one.at}: channel: {one.purpose} has no channel {one.channel}. {instead(one.channel, known)}"
            continue
        if (wrong := allowed.problem(one.column)) is not None:
            yield f"{one.at}: column: {wrong}"
            continue
        kind, operator = allowed.columns[one.column].kind, OPERATORS[one.operator]
        if kind not in operator.kinds:
            fitting = [name for name, known in OPERATORS.items() if kind in known.kinds]
            yield (
                f"{one.at}: operator: {one.operator} does not go with {one.column}, which is {kind}. Use one of: "
                f"{', '.join(fitting)}."
            )
        elif (wrong := _misfit(one, kind, operator.wants)) is not None:
            yield f"{one.at}: value: {wrong}"


def _misfit(term: Compare, kind: Kind, wants: str) -> str | None:
    """Why a value does not go with its column; None where it does."""
    if wants == "none":
        return None
    if wants == "days":
        fits = (
            isinstance(term.value, int) and not isinstance(term.value, bool) and 0 <= term.value <= _CENTURY
        )
        return None if fits else f"{term.operator} takes a number of days from 0 to {_CENTURY}."
    if wants in ("list", "pair") and (wrong := _no_list(term, wants)) is not None:
        return wrong
    for one in term.value if wants in ("list", "pair") else [term.value]:
        if not _fits(one, kind):
            return f"{term.column} is {kind}, and one value is {_called(one)}. {_WRITE[kind]}"
    return None


def _no_list(term: Compare, wants: str) -> str | None:
    """Why a value is not the list that is wanted; None where it is."""
    value = term.value
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return f"{term.operator} takes a list: write [one, other]."
    if len(value) > _LONGEST:
        return f"a list of {len(value):,} values is too long: {_LONGEST:,} at most."
    if wants == "pair" and len(value) != 2:
        return "between takes two values: write [lowest, highest]."
    return None


_WRITE = {
    Kind.TEXT: "Put text that YAML reads as something else between quotation marks.",
    Kind.NUMBER: "Write a number without quotation marks.",
    Kind.DATE: "Write a day such as 2026-06-01.",
    Kind.TRUTH: "Write true or false.",
}


def _fits(value: Any, kind: Kind) -> bool:
    if kind is Kind.TRUTH:
        return isinstance(value, bool)
    if kind is Kind.NUMBER:
        return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if kind is Kind.DATE:
        return isinstance(value, dt.date)
    return isinstance(value, str)


def _called(value: Any) -> str:
    """What a value is, without the value."""
    names = {
        bool: "yes or no",
        int: "a number",
        float: "a number",
        str: "text",
        dt.date: "a day",
        dt.datetime: "a day",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def sql(term: Term, allowed: Allowed, purposes: Purposes) -> ColumnElement[bool]:
    """The filter in SQL, over golden customers (``CUSTOMER``) and the tables of enrichers; values are parameters."""
    if isinstance(term, Compare):
        return OPERATORS[term.operator].make(allowed.sql(term.column), term.value)
    if isinstance(term, Allows):
        said = _said(term, purposes)
        return said if term.allowed else not_(said)
    made = [sql(one, allowed, purposes) for one in term.terms]
    if term.how == "not":
        return not_(func.coalesce(made[0], literal(value=False)))
    return or_(*made) if term.how == "any" else and_(true(), *made)


def _said(term: Allows, purposes: Purposes) -> ColumnElement[bool]:
    """Whether a purpose is allowed, as ``privacy.off`` has it: where two answers differ, the no counts."""
    c = consent.c
    of_channel = c.channel.in_(["", term.channel]) if term.channel else c.channel == ""
    own = and_(c.golden_id == CUSTOMER.c.golden_id, c.purpose == term.purpose)
    holds = and_(c.allowed, func.coalesce(c.expires > func.statement_timestamp(), literal(value=True)))
    no = exists().where(own, of_channel, not_(holds))
    if not purposes[term.purpose].needs_consent:
        return not_(no)
    yes_of = own if not term.channel else and_(own, of_channel)
    return and_(exists().where(yes_of, holds), not_(no))
