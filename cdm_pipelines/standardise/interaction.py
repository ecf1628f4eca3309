"""Interactions from the columns of a source.

Belongs here: kinds and channels in canonical words, what one tells of the other, tokens and times that cannot be, rows
that tell of several interactions. Does not belong here: who it was (tokens are no identity), values that every entity
has (transaction).
"""

from datetime import date, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.model import Moment
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.standardise import dates
from cdm_pipelines.standardise.columns import MARKED, Columns
from cdm_pipelines.standardise.distinct import TEXT, coalesce, no_flags, no_text
from cdm_pipelines.standardise.interaction_words import IN, OTHER, OUT, InteractionWords
from cdm_pipelines.standardise.party import Standard
from cdm_pipelines.store.keys import record_id

KEY_SEPARATOR: Final = "|"
_CHANNEL_OF = {
    "visit": "web", "product_view": "web", "cart": "web", "search": "web", "sent": "email", "open": "email",
    "click": "email", "bounce": "email", "unsubscribe": "email", "call": "phone", "ticket_opened": "service desk",
    "ticket_solved": "service desk", "ticket_rated": "service desk",
}  # fmt: skip
_DIRECTION_OF = {
    "visit": IN, "product_view": IN, "cart": IN, "search": IN, "sent": OUT, "open": IN, "click": IN, "bounce": OUT,
    "unsubscribe": IN, "ticket_opened": IN, "ticket_solved": OUT, "ticket_rated": IN, "complaint": IN,
}  # fmt: skip
"""Who came to whom, where the kind tells: a bounce is a mail of ours that did not arrive. A call may be either."""


def complete(
    columns: Columns, standard: Standard, extract_date: str, timezone: str, words: InteractionWords
) -> None:
    """Bring the values of interactions into canonical words, and complete them by what they tell of each other.

    A word that is not known is kept as ``other``. Nothing here puts a row aside.
    """
    values = standard.values
    if not columns.has("interaction_id"):
        values["interaction_id"] = record_id([columns.key(name) for name in columns.contract.key])
    given = {name: values[name] for name in ("kind", "channel", "direction")}
    read = {"kind": words.kind, "channel": words.channel, "direction": words.direction}
    for name, told in read.items():
        values[name] = told(given[name])
        unknown = pc.and_(pc.is_valid(given[name]), pc.is_null(values[name]))
        columns.note(name, Rule.UNKNOWN_KIND, unknown, MARKED)
    values["kind"] = coalesce(values["kind"], _all(OTHER, columns.length))
    _complete_by_kind(values, given["channel"])
    if columns.has("token"):
        too_long = pc.fill_null(pc.greater(pc.utf8_length(values["token"]), words.longest_token), False)
        columns.note("token", Rule.NO_TOKEN, too_long)
        values["token"] = pc.if_else(too_long, pa.scalar(None, TEXT), values["token"])
    cannot_be = _cannot_be(values["occurred_at"], extract_date, words.days_ahead, timezone)
    columns.note("occurred_at", Rule.IMPOSSIBLE_TIME, cannot_be)
    values["occurred_at"] = pc.if_else(cannot_be, pa.scalar(None, TEXT), values["occurred_at"])
    standard.wrong.pop("occurred_at", None)


def _complete_by_kind(values: dict[str, pa.Array], channel_given: pa.Array) -> None:
    length = len(channel_given)
    told = pc.if_else(pc.is_null(channel_given), _by(values["kind"], _CHANNEL_OF), pa.scalar(None, TEXT))
    values["channel"] = coalesce(values["channel"], told, _all(OTHER, length))
    values["direction"] = coalesce(values["direction"], _by(values["kind"], _DIRECTION_OF))


def of_moments(
    table: pa.Table, columns: Columns, extract_date: str, timezone: str, words: InteractionWords
) -> pa.Table:
    """A table of rows that each tell of several interactions as a table of interactions.

    The id of each is that of the row with its kind, so that the same ticket delivered again tells of nothing new.
    """
    moments = columns.contract.moments
    pieces = [
        _of_moment(table, columns, one, extract_date=extract_date, timezone=timezone, words=words)
        for one in moments
    ]
    return pa.concat_tables(pieces).combine_chunks()


def _of_moment(
    table: pa.Table,
    columns: Columns,
    moment: Moment,
    *,
    extract_date: str,
    timezone: str,
    words: InteractionWords,
) -> pa.Table:
    column = columns.contract.column(moment.column)
    delivered = columns.key(moment.column)
    occurred = dates.timestamp(delivered, column.date_formats, timezone)
    occurred = pc.if_else(
        _cannot_be(occurred, extract_date, words.days_ahead, timezone), pa.scalar(None, TEXT), occurred
    )
    length = table.num_rows
    kind = coalesce(words.kind(_all(moment.kind, length)), _all(OTHER, length))
    given = columns.code("channel")
    values = {
        "kind": kind,
        "channel": words.channel(given),
        "direction": words.direction(columns.code("direction")),
    }
    _complete_by_kind(values, given)
    number = pc.binary_join_element_wise(table["interaction_id"].combine_chunks(), moment.kind, KEY_SEPARATOR)
    made = {**values, "occurred_at": occurred, "interaction_id": number, "record_id": number}
    others = {name for one in columns.contract.moments if one != moment for name in one.bears} - {
        *moment.bears
    }
    made |= dict.fromkeys(sorted(others), no_text(length))
    there = pc.is_valid(delivered)
    if moment.bears:
        bearing = no_flags(length)
        for name in moment.bears:
            bearing = pc.or_(bearing, pc.is_valid(table[name].combine_chunks()))
        there = pc.and_(there, bearing)
    for name, array in made.items():
        table = table.set_column(table.column_names.index(name), name, array)
    return table.filter(there)


def _cannot_be(moments: pa.Array, extract_date: str, days_ahead: int, timezone: str) -> pa.Array:
    """Which times are later than the day that delivered them, or stand for "not known"."""
    last = (date.fromisoformat(extract_date) + timedelta(days=days_ahead + 1)).isoformat()
    never = dates.is_sentinel(moments, timezone)
    return pc.fill_null(pc.or_(pc.greater_equal(moments, last), never), False)


def _by(kinds: pa.Array, told: dict[str, str]) -> pa.Array:
    return pa.array(list(told.values()), TEXT).take(pc.index_in(kinds, value_set=pa.array(list(told), TEXT)))


def _all(value: str, length: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, TEXT), length)
