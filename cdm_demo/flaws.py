"""Values and rows that must not pass quality control, and the list of where they are.

Belongs here: planting bad cells and bad rows. Does not belong here: ordinary typing errors (spelling), which pass.
"""

from dataclasses import dataclass, field

import numpy as np

from cdm_demo.draws import Draws, Flags, Ints, Text, constant, text
from cdm_demo.headers import Extract
from cdm_demo.writing import Columns

RATE = 0.0025
"""Share of records with one kind of bad cell; at least one record of each kind per block."""

CRM_CONTACTS, CRM_ACCOUNTS, ERP_PERSONS, ERP_COMPANIES, SHOP_CUSTOMERS = (
    "crm contacts",
    "crm accounts",
    "erp persons",
    "erp companies",
    "shop customers",
)
"""The books of a block."""

BAD_CELLS: dict[str, tuple[tuple[str, str, str], ...]] = {
    CRM_CONTACTS: (
        ("impossible_date", "Birthdate", "1979-02-30"),
        ("email_without_at", "Email", ""),
        ("phone_zeros", "Phone", "0000000000"),
        ("bad_postcode", "MailingPostalCode", "12345 AB"),
    ),
    CRM_ACCOUNTS: (
        ("wrong_check_digit", "VAT_Number__c", "NL123456789B01"),
        ("phone_zeros", "Phone", "0000000000"),
        ("bad_postcode", "BillingPostalCode", "XXXX"),
    ),
    ERP_PERSONS: (
        ("impossible_date", "ZZGBDAT", "19790230"),
        ("date_far_away", "ZZGBDAT", "99991231"),
        ("email_without_at", "ZZSMTP", ""),
        ("phone_zeros", "TELF1", "0000000000"),
        ("bad_postcode", "PSTLZ", "12 AB 34"),
        ("wrong_check_digit", "ZZIBAN", "NL00INGB0001234567"),
    ),
    ERP_COMPANIES: (
        ("wrong_check_digit", "STCEG", "NL123456789B01"),
        ("phone_zeros", "TELF1", "0000000000"),
    ),
    SHOP_CUSTOMERS: (
        ("email_without_at", "Email", ""),
        ("phone_zeros", "Default Address Phone", "'0000000000"),
        ("bad_postcode", "Default Address Zip", "'1234567"),
    ),
}
"""Kind, column and planted value per book; an empty value stands for the record's own mailbox without its @."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One flaw of one row of one file.

    Attributes:
        date: Of the extract.
        source: Of the extract.
        entity: Of the extract.
        row: Record number in the file as a spreadsheet shows it (the header is 1).
        record_id: Key of the record; empty for a row without a key.
        column: Bad cell; empty where the whole row is bad.
        kind: What is wrong.
    """

    date: str
    source: str
    entity: str
    row: int
    record_id: str
    column: str
    kind: str


@dataclass(slots=True)
class BadCells:
    """Bad cells of one book: per column and kind the planted values, empty for all other records."""

    planted: dict[tuple[str, str], Text] = field(default_factory=dict)

    def plant(self, name: str, draws: Draws, columns: Columns, able: Flags) -> None:
        """Choose records for each kind of bad cell.

        Args:
            name: Of the book.
            draws: Streams of this use.
            columns: Cells of all records of the book.
            able: Records that can do without the value.
        """
        free = able.copy()
        for kind, column, value in BAD_CELLS[name]:
            cells = columns[column]
            if isinstance(cells, str):
                raise TypeError(f"column {column} is the same in all rows; nothing can be planted there")
            order = np.argsort(draws.uniform(f"{kind} {column}", len(free)), kind="stable")
            fit = order[free[order] & (cells[order] != "")]
            chosen = fit[: max(1, int(len(free) * RATE))]
            free[chosen] = False
            values = constant("", len(free))
            values[chosen] = text([value or cell.replace("@", "") for cell in cells[chosen]])
            self.planted[column, kind] = values

    def applied(self, columns: Columns, rows: Ints) -> dict[str, Text | str]:
        """The cells of some records with their flaws."""
        cells = dict(columns)
        for (column, _), values in self.planted.items():
            flawed = values[rows]
            cells[column] = np.where(flawed == "", cells[column], flawed)
        return cells

    def kinds(self, rows: Ints) -> list[tuple[int, str, str]]:
        """Place in ``rows``, column and kind of each flaw of some records, in the order of the rows."""
        found = [
            (at, column, kind)
            for (column, kind), values in self.planted.items()
            for at in np.flatnonzero(values[rows] != "").tolist()
        ]
        return sorted(found)


@dataclass(frozen=True, slots=True)
class BadRows:
    """Rows of a file after planting.

    Attributes:
        lines: Rows as they go into the file.
        flaws: Place in ``lines``, key and kind of each bad row.
    """

    lines: list[str]
    flaws: list[tuple[int, str, str]]


def bad_rows(draws: Draws, extract: Extract, lines: Text, keys: Text, able: Flags, *, base: bool) -> BadRows:
    """Spoil a few rows: ragged ones, a repeated key, a missing key.

    Args:
        draws: Streams of this file and block.
        extract: Gives the dialect; the key is its first column.
        lines: Rows.
        keys: Their keys.
        able: Rows that may be spoiled.
        base: Whether it is the base day; later days have a repeated key only.
    """
    order = np.argsort(draws.uniform("bad rows", len(lines)), kind="stable")
    order = order[able[order]]
    out = lines.tolist()
    flaws: list[tuple[int, str, str]] = []
    share = 1 + len(lines) // 20_000
    if len(order) < 20:
        return BadRows(out, flaws)
    ragged, twice, nameless = order[:share], order[share : 3 * share], order[3 * share : 4 * share]
    if base:
        for at in ragged.tolist():
            out[at] = _ragged(extract, out[at])
            flaws.append((at, keys[at], "ragged"))
    for at in twice[: None if base else 1].tolist():
        # The last of two rows with one key is the one that counts.
        flaws.append((at, keys[at], "duplicate_key"))
        out.append(out[at])
    if base:
        for at in nameless.tolist():
            flaws.append((len(out), "", "null_key"))
            out.append(_without_key(extract, out[at]))
    return BadRows(out, sorted(flaws))


def _ragged(extract: Extract, line: str) -> str:
    """A row that was cut off, or in the ERP one with a cell too many."""
    if extract.quote_all:
        return line.rsplit(f'"{extract.delimiter}"', 6)[0] + '"'
    if extract.delimiter == ",":
        return line.rsplit(extract.delimiter, 4)[0]
    return f"{line}{extract.delimiter}X"


def _without_key(extract: Extract, line: str) -> str:
    tail = line.partition(extract.delimiter)[2]
    return ('""' if extract.quote_all else "") + extract.delimiter + tail
