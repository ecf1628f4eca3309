"""What a spreadsheet leaves of values that it took for something else, and lines that are no records.

Belongs here: how such values and lines are told. Does not belong here: what happens to them (validation).

A long number becomes ``5.12E+12`` and has lost its digits; a formula leaves ``#N/A``; ``12-3`` becomes ``12-mrt``; a
whole number read as a fraction ends with ``.0``; leading zeros are gone. The first three cannot be undone: such a value
is none, and a row whose key it is cannot be told from others. The fourth can, and is. The last can only be guessed, so
it is said.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import Column, LogicalType, SourceContract
from cdm_pipelines.contracts.canonical import targets
from cdm_pipelines.contracts.entity import Attribute, ValueType
from cdm_pipelines.ingest.no_records import WORDS
from cdm_pipelines.quality.values import Flags, as_flags, matches
from cdm_pipelines.store.keys import is_identifying

_SCIENTIFIC = r"[-+]?[0-9](?:[.,][0-9]+[eE][-+]?|[eE]\+)[0-9]{1,3}"
_ERROR = (
    r"\s*(?:#{2,}|#(?:N/A(?: N/A)?|N/B|N/D|NV|I/T|GETTING_DATA)|"
    r"#[¡¿]?[\pL0-9/_]{2,14}[!?])\s*"
)
"""Excel's and Calc's in English, Dutch, German, French, Spanish; signs alone where a column was too narrow."""
_MONTH = (
    r"(?:[Jj]an|[Ff]eb|[Mm]rt|[Mm]aa|[Mm]ar|[Mm]är|[Mm]rz|[Aa]pr|[Mm]ei|[Mm]ay|[Mm]ai|[Jj]un|[Jj]ul|[Aa]ug|"
    r"[Ss]ep|[Oo]kt|[Oo]ct|[Nn]ov|[Dd]ec|[Dd]ez|[Dd]éc|[Ff]év|[Aa]vr|[Aa]oû)\.?"
)
_DAY = rf"[0-9]{{1,2}}-{_MONTH}|{_MONTH}-[0-9]{{2}}"
"""Excel's own spelling of a day without a year, or of a month: never in capitals."""
_NO_DIGITS = rf"\s*(?:{_SCIENTIFIC})\s*"
_NO_DIGITS_OR_DAY = rf"\s*(?:{_SCIENTIFIC}|{_DAY})\s*"
_NUMBERED = ("party.house_number", "party.house_addition")
_TRUNK_ZERO = frozenset(
    ["NL", "BE", "DE", "FR", "GB", "AT", "CH", "SE", "FI", "IE", "LU", "AU", "NZ", "ZA", "TR"]
)
"""Countries whose phone numbers begin with 0 when dialled within them."""
_TOTAL = (
    rf"(?i)^\s*(?:{WORDS})"
    r"(?:\s+(?:aantal|totaal|total|général|generale|general|klanten|debiteuren|relaties|leden|regels|rijen|records?|"
    r"rows|lines|customers|contacts|members|kunden|zeilen|clients|clientes|items|orders|bedrag|amount|eur|euro))*"
    r"\s*[:=]?\s*[-+€$£]?\s*[0-9.,' \x{a0}]*\s*%?$"
)
_NUMBER = (
    r"^\s*[(+-]?\s*(?:EUR|USD|GBP|€|\$|£)?\s*[0-9][0-9.,' \x{a0}\x{202f}]*\s*(?:EUR|USD|GBP|€|%)?\s*[)-]?\s*$"
)

Lengths = Counter[tuple[str, int, bool]]
"""How many values of digits alone there are, by column, number of digits, and whether the first is 0."""


class Spoilt(Enum):
    """Which of the things that a spreadsheet leaves are sought in a column; a day counts where ids are kept."""

    VALUE = _NO_DIGITS
    ID = _NO_DIGITS_OR_DAY

    def among(self, values: pa.Array) -> Flags:
        """Whether each text is such a thing as a whole; null is none."""
        found = matches(values, self.value)
        signed = pc.match_substring(values, "#")
        if pc.any(signed).as_py():  # the other expression takes milliseconds to prepare
            found |= matches(values, _ERROR)
        return found


def spoilt_sought(column: Column) -> Spoilt | None:
    """What a spreadsheet may have left in a column; None where nothing is sought.

    A column of another type than text has its own rule, and so has one whose contract lists its values. An id that
    looks like a day is believed where the contract gives its ``pattern``.
    """
    sought = is_identifying(column) or any(map(_is_text, column.maps_to))
    if column.logical_type is not LogicalType.STRING or column.enum or column.values or not sought:
        return None
    by_day = is_identifying(column) or any(path in _NUMBERED for path in column.maps_to)
    return Spoilt.ID if by_day and column.pattern is None else Spoilt.VALUE


def _is_text(path: str) -> bool:
    target = targets()[path]
    return not isinstance(target, Attribute) or target.type in (ValueType.TEXT, ValueType.REFERENCE)


def totals_lines(table: pa.Table, contract: SourceContract, names: Sequence[str], contacts: Flags) -> Flags:
    """Which rows are no records but the total under a list, or the number of its lines.

    Such a row has a word for it in a key or a name, and elsewhere numbers, further such words, or nothing.

    Args:
        table: Rows with all their columns.
        contract: Names the key.
        names: Columns that hold a name.
        contacts: Rows that have an e-mail address or phone number: those are somebody.
    """
    lines = np.zeros(table.num_rows, dtype=bool)
    for name in dict.fromkeys([*contract.key, *names]):
        if name in table.column_names:
            lines |= as_flags(pc.match_substring_regex(table[name], _TOTAL))
    rows = np.flatnonzero(lines & ~contacts)
    keep = np.ones(len(rows), dtype=bool)
    for name in table.column_names:
        if name.startswith("_") or not len(rows):
            continue
        cells = table[name].take(pa.array(rows)).combine_chunks()
        empty = as_flags(pc.equal(pc.utf8_trim_whitespace(pc.fill_null(cells, "")), ""))
        keep &= empty | _matches(cells, _NUMBER) | _matches(cells, _TOTAL)
    result = np.zeros(table.num_rows, dtype=bool)
    result[rows[keep]] = True
    return result


def _matches(cells: pa.Array, pattern: str) -> Flags:
    return as_flags(pc.match_substring_regex(cells, pattern))


def watched(contract: SourceContract) -> dict[str, str]:
    """Columns that may lose leading zeros, and what they hold: ``id``, ``number``, ``phone`` or ``postcode``."""
    found = {}
    for column in contract.columns:
        if column.logical_type not in (LogicalType.STRING, LogicalType.INTEGER):
            continue
        if "party.postcode" in column.maps_to:
            found[column.name] = "postcode"
        elif {"party.phone", "party.mobile"} & set(column.maps_to):
            found[column.name] = "phone"
        elif "party.coc_number" in column.maps_to:
            found[column.name] = "number"
        elif is_identifying(column):
            found[column.name] = "id"
    return found


def digit_lengths(table: pa.Table, contract: SourceContract) -> Lengths:
    """How long the values of digits alone are, in the columns that may lose leading zeros."""
    counts: Lengths = Counter()
    for name in watched(contract):
        if name not in table.column_names:
            continue
        cells = table[name]
        digits = cells.filter(pc.fill_null(pc.match_substring_regex(cells, "^[0-9]+$"), fill_value=False))
        if not len(digits):
            continue
        zero = pc.starts_with(digits, "0")
        kinds = pa.table([pc.binary_length(digits), zero], names=["length", "zero"])
        for row in kinds.group_by(["length", "zero"]).aggregate([([], "count_all")]).to_pylist():
            counts[name, int(row["length"]), bool(row["zero"])] += int(row["count_all"])
    return counts


def lost_zeros(counts: Lengths, contract: SourceContract) -> dict[str, str]:
    """By column, why it seems to have lost leading zeros, in words without values.

    - A postcode: most have five digits or more, none begins with 0, and some are one digit short.
    - A chamber-of-commerce number has eight digits, and some have seven or six.
    - A phone number of a country where they begin with 0: some are that digit short.
    - An id: those that begin with 0 are all of one length, and others are shorter.
    """
    found = {}
    for name, kind in watched(contract).items():
        lengths = {key[1:]: count for key, count in counts.items() if key[0] == name}
        total = sum(lengths.values())
        short, whole = _short(kind, lengths, contract.default_country or "")
        if short and short >= total * 0.005:
            found[name] = f"{short:,} of {total:,} values have {whole}"
    return found


def _short(kind: str, lengths: Mapping[tuple[int, bool], int], country: str) -> tuple[int, str]:
    """Number of values that seem to lack a zero in front, and what they have less of."""
    total = sum(lengths.values())
    by_length: Counter[int] = Counter()
    for (length, _), count in lengths.items():
        by_length[length] += count
    usual = min(by_length, key=lambda length: (-by_length[length], length), default=0)
    zeros = {length for (length, zero), count in lengths.items() if zero and count}
    if kind == "number":
        return sum(by_length[n] for n in (6, 7)), "fewer digits than eight"
    if kind == "phone":
        wanted = country in _TRUNK_ZERO
        return (
            sum(lengths.get((n, False), 0) for n in (8, 9)) if wanted else 0
        ), "neither the 0 in front nor a country code"
    if kind == "postcode":
        plausible = usual >= 5 and not zeros and by_length[usual] >= 0.6 * total
        return (by_length[usual - 1] if plausible else 0), f"{usual - 1} digits where {usual} are usual"
    if len(zeros) == 1 and usual in zeros:
        return (
            sum(count for length, count in by_length.items() if length < usual),
            f"fewer digits than {usual}, which is the length of those that begin with 0",
        )
    return 0, ""
