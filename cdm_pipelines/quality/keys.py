"""What identifies a record in a file of parties.

Belongs here: choosing the key columns, and what is doubtful about them. Does not belong here: what else columns mean
(semantics), or the key of orders (proposals).
"""

import re
from collections.abc import Iterator, Mapping
from itertools import combinations

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import LogicalType
from cdm_pipelines.quality.damage import Spoilt
from cdm_pipelines.quality.profile import ColumnProfile, FileProfile
from cdm_pipelines.quality.values import matches
from cdm_pipelines.quality.vocabulary import about_someone_else, header_words, names, readings

_KEY_WORDS = re.compile(
    r"\b(id|key|number|nummer|nr|code|no|num|numero|kunnr|uuid|guid|codice|codigo)\b|(nummer|nr|id)$"
)
_PLAIN_KEY = re.compile(
    r"(?:(?:record|customer|contact|person|klant|kunden?|client|member|party|entity|external|lid|relatie|debiteur|debitor)"
    r" ?)?(?:id|nummer|number|nr|no|key|code|hid|uuid|guid)|kunnr|do not modify \w+"
)
_OTHER_KEYS = re.compile(
    r"\b(group|store|website|country|landcode|region|post(?:al)?|zip|area|territory|discount|vat|btw|tax|tva|ust|sku|kvk|coc"
    r"|phone|tel|telefoon|telefon|mobile|fax|iban|bank|house|huis|haus|street|account|company|parent|owner|line|last4|card)\b"
    r"|postcode|hausn|huisn|telef|\badr\w*|\baddress|\badres"
)
_MEMBER = re.compile(
    r"contact|kontakt|member|mitglied|lid|relatie|socio|adherent|membre|crediteur|kreditor|creditor"
)
_CODE = r"[^\s@]*[0-9][^\s@]*"


def key_of(file: FileProfile) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The key columns of a file of parties, and what is doubtful about them."""
    if not file.rows:
        named = sorted((c for c in file.columns if looks_like_key(c)), key=_plainness)
        mail = [c for c in file.columns if names(c.name, "party.email")]
        first = (named or mail or list(file.columns))[0]
        return (first.name,), ("the file has no row that could tell the key",)
    spoilt = {column.name: count for column in file.columns if (count := _spoilt(column))}
    unique = [
        column
        for column in file.columns
        if (column.unique or column.name in spoilt) and _may_identify(column)
    ]
    hinted = sorted((column for column in unique if looks_like_key(column)), key=_plainness)
    mail = [column for column in unique if _meant(column, "party.email")]
    if hinted:
        return (hinted[0].name,), tuple(_told(hinted[0].name, spoilt))
    if mail:
        return (mail[0].name,), (
            f"{mail[0].name!r} is taken as the key: an address that changes is a new record",
        )
    if unique:
        first = min(unique, key=lambda column: column.logical_type == LogicalType.NUMBER)
        return (first.name,), (f"{first.name!r} is taken as the key only because it is unique in the sample",)
    pair = _unique_pair(file)
    if pair:
        return pair, (f"the key {' + '.join(pair)} is unique in the sample; no column is so alone",)
    named = sorted(
        (c for c in file.columns if looks_like_key(c)), key=lambda c: (-round(c.filled, 2), _plainness(c))
    )
    first = (named or [c for c in file.columns if _may_identify(c)] or list(file.columns))[0]
    return (first.name,), (f"no key was found: {first.name!r} is not unique or not always filled",)


def _told(name: str, spoilt: Mapping[str, int]) -> Iterator[str]:
    if name in spoilt:
        yield (
            f"{spoilt[name]:,} values of the key {name!r} are what a spreadsheet left of them (as 5.12E+12): their"
            " digits are lost, and their rows will be quarantined; have the file exported with ids as text"
        )


def _spoilt(column: ColumnProfile) -> int:
    """How many cells of a key a spreadsheet has spoilt; 0 where the others do not tell every row apart.

    Spoilt ids meet (`5.12E+12` is many numbers), so that a column with some is not unique and still the key.
    """
    if column.filled < 1 or not looks_like_key(column):
        return 0
    lost = Spoilt.ID.among(column.cells)
    sound = column.cells.filter(pa.array(~lost))
    told_apart = len(sound) > lost.sum() and len(pc.unique(sound)) == len(sound)
    return int(lost.sum()) if told_apart else 0


def _plainness(column: ColumnProfile) -> int:
    """0 for `Id`, `Customer number`; 1 for any other number."""
    return 0 if _PLAIN_KEY.fullmatch(header_words(column.name)) else 1


def looks_like_key(column: ColumnProfile) -> bool:
    """Whether the header names a number or code of the record, and the values may be one."""
    words = header_words(column.name)
    if _is_bare(column, words):
        return True
    if any(r.whole and not r.weak and r.target != "party.employer_id" for r in readings(column.name)):
        return False  # the code of a country, the number of a house
    if (
        _KEY_WORDS.search(words) is None
        or _OTHER_KEYS.search(words) is not None
        or about_someone_else(column.name)
    ):
        return bool(_PLAIN_KEY.fullmatch(words)) and _may_identify(column)
    return _may_identify(column)


def _is_bare(column: ColumnProfile, words: str) -> bool:
    """Whether the header is the word for a customer alone, and the values are codes: `Debiteur`, `Kunde`."""
    if not (names(column.name, "order.party_id") or _MEMBER.fullmatch(words)) or " " in words:
        return False
    return len(column.values) > 0 and bool(matches(column.values, _CODE).all()) and _may_identify(column)


def _may_identify(column: ColumnProfile) -> bool:
    """A moment, an amount, a yes or no and a text of lines identify nothing."""
    if column.logical_type in (LogicalType.DATE, LogicalType.TIMESTAMP, LogicalType.BOOLEAN):
        return False
    if any(reading.target == "party.birth_date" for reading in readings(column.name)):
        return False
    if column.logical_type == LogicalType.NUMBER:
        whole = matches(column.values, r"[0-9]+(?:\.0+)?")
        return bool((whole | Spoilt.ID.among(column.values)).all())
    return not pc.any(pc.match_substring(column.values, "\n")).as_py()


def _meant(column: ColumnProfile, target: str) -> bool:
    return any(reading.target == target and reading.group.rank < 8 for reading in readings(column.name))


def _unique_pair(file: FileProfile) -> tuple[str, str] | None:
    full = [column for column in file.columns if column.filled == 1 and _may_identify(column)]
    hinted = [column for column in full if looks_like_key(column)] or full
    for left, right in combinations(hinted[:6] + [c for c in full if c not in hinted][:4], 2):
        if len(left.values) * len(right.values) < file.rows:
            continue
        together = pa.table([left.cells, right.cells], names=["left", "right"])
        if together.group_by(["left", "right"]).aggregate([]).num_rows == file.rows:
            return left.name, right.name
    return None
