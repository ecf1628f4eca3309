"""Statements of consent from the columns of a source.

Belongs here: states, channels and purposes in canonical words, rows that tell of several statements. Does not belong
here: values that every entity has (transaction), which statement counts (privacy.consent).
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.statements import StatementOf
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.standardise import dates
from cdm_pipelines.standardise.columns import MARKED, Columns
from cdm_pipelines.standardise.consent_words import OTHER, UNKNOWN, ConsentWords
from cdm_pipelines.standardise.distinct import TEXT, coalesce
from cdm_pipelines.standardise.party import Standard
from cdm_pipelines.store.keys import record_id

KEY_SEPARATOR: Final = "|"


def complete(columns: Columns, standard: Standard, timezone: str, words: ConsentWords) -> None:
    """Bring the values of statements into canonical words. A word that is not known stays, and allows nothing."""
    values = standard.values
    if not columns.has("statement_id"):
        values["statement_id"] = record_id([columns.key(name) for name in columns.contract.key])
    given = {name: values[name] for name in ("state", "channel")}
    values["state"] = coalesce(words.state(given["state"]), _all(UNKNOWN, columns.length))
    values["channel"] = words.channel(given["channel"])
    unknown = pc.and_(pc.is_valid(given["channel"]), pc.is_null(values["channel"]))
    values["channel"] = pc.if_else(unknown, OTHER, values["channel"])
    columns.note("channel", Rule.UNKNOWN_CONSENT, unknown, MARKED)
    not_known = pc.and_(pc.is_valid(given["state"]), pc.equal(values["state"], UNKNOWN))
    columns.note("state", Rule.UNKNOWN_CONSENT, not_known, MARKED)
    values["purpose"], unknown = words.purpose(values["purpose"])
    columns.note("purpose", Rule.UNKNOWN_CONSENT, unknown, MARKED)
    for name in ("stated_at", "expires_at"):  # a date that stands for none
        never = pc.fill_null(dates.is_sentinel(values[name], timezone), False)
        values[name] = pc.if_else(never, pa.scalar(None, TEXT), values[name])
        standard.wrong.pop(name, None)


def of_statements(table: pa.Table, columns: Columns, timezone: str, words: ConsentWords) -> pa.Table:
    """The statements of a table: its rows, or those that each of its rows tells of.

    What says nothing stays: a tick that is gone tells something of one that was there (records.ledger).
    """
    told = columns.contract.statements
    if told:
        table = pa.concat_tables([_statement(table, columns, one, timezone, words) for one in told])
    return table.filter(pc.is_valid(table["record_id"])).combine_chunks()


def _statement(
    table: pa.Table, columns: Columns, one: StatementOf, timezone: str, words: ConsentWords
) -> pa.Table:
    said, length = columns.delivered(one.column), table.num_rows
    own = {word.strip().lower(): state for word, state in one.states.items()}
    at = pc.index_in(pc.utf8_lower(said), value_set=pa.array(list(own), TEXT))
    meaning = pc.coalesce(pa.array(list(own.values()), TEXT).take(at), said)
    state = coalesce(words.state(meaning), _all(UNKNOWN, length))
    purpose, _ = words.purpose(_all(one.purpose, length))
    about = KEY_SEPARATOR.join((one.purpose, one.channel or "*"))
    number = pc.binary_join_element_wise(table["statement_id"].combine_chunks(), about, KEY_SEPARATOR)
    made = {"state": state, "purpose": purpose, "statement_id": number, "record_id": number}
    channel = words.channel(_all(one.channel, length)) if one.channel else pa.nulls(length, TEXT)
    made["channel"] = coalesce(channel, _all(OTHER, length)) if one.channel else channel
    if one.at is not None:
        moment = dates.timestamp(columns.key(one.at), columns.contract.column(one.at).date_formats, timezone)
        never = pc.fill_null(dates.is_sentinel(moment, timezone), False)
        made["stated_at"] = pc.if_else(never, pa.scalar(None, TEXT), moment)
    for name, array in made.items():
        table = table.set_column(table.column_names.index(name), name, array)
    return table.filter(pc.is_valid(said))


def _all(value: str, length: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, TEXT), length)
