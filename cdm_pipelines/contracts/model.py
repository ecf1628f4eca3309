"""What a source delivers: the typed form of a contract, on which every other room builds.

Belongs here: `SourceContract`, `Column` and their parts, with what follows from them. Does not belong here:
how a contract is written (odcs) or how a value is checked (quality).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from hashlib import sha256

from cdm_pipelines.contracts.canonical import Entity, targets
from cdm_pipelines.contracts.statements import StatementOf

EPOCHS: Mapping[str, int] = {"epoch_seconds": 1, "epoch_millis": 1_000, "epoch_micros": 1_000_000}
"""Date formats that count from 1970-01-01 in UTC, and how many of them are a second."""


class Format(StrEnum):
    """How an extract is written."""

    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"
    PARQUET = "parquet"
    EXCEL = "excel"
    SQL = "sql"


class Delivery(StrEnum):
    """What an extract holds."""

    SNAPSHOT = "snapshot"  # every record: one that is absent is gone
    DELTA = "delta"  # what is new or changed


class RepeatedKey(StrEnum):
    """What it means when a key stands in more than one row of a file."""

    LAST = "last"  # the record is repeated on purpose: its last row counts
    IDENTICAL = "identical"  # so too, and what is mapped says the same each time


class LogicalType(StrEnum):
    """What a cell holds, in the words of the standard."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


class PartyKind(StrEnum):
    """Persons and organisations are linked apart."""

    PERSON = "person"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How text files are written.

    Attributes:
        delimiter: Between cells; one sign or several.
        encoding: Name of the encoding as Python knows it.
        other_encoding: Encoding of the lines that are not in ``encoding``; None when such lines are unfit.
        quote: Around cells; empty when the source never quotes.
        leading_apostrophe: Whether the source writes an apostrophe before values that a spreadsheet would
            change.
        skip_rows: Lines above the header, or above the first row where there is none.
        header: Whether the names of the columns stand in the file; else they are the contract's, by place.
        totals: Regular expressions of the first filled cell of a row that sums up others; empty for the usual words.
        sheet: Sheet of a workbook; the first when None.
        records_at: Path to the array of records in a JSON document; the document itself when None.
        rows_at: Path to a list within each JSON record of which each element is a row; the record is one when None.
        max_cell_bytes: Longer cells are not believed.
        max_unpacked_bytes: How large a compressed file may be once unpacked; None for what is usual for its size.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    quote: str = '"'
    leading_apostrophe: bool = False
    skip_rows: int = 0
    sheet: str | None = None
    max_cell_bytes: int = 1_000_000
    other_encoding: str | None = None
    header: bool = True
    totals: tuple[str, ...] = ()
    records_at: str | None = None
    max_unpacked_bytes: int | None = None
    rows_at: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A SQL extract: ``text`` has a ``:date`` parameter, ``url_variable`` names an environment variable."""

    text: str
    url_variable: str


@dataclass(frozen=True)
class KindRule:
    """How a record tells whether it is a person or an organisation.

    Attributes:
        column: Column that tells; None when all records of the entity are of one kind.
        values: Kind by value of that column.
        otherwise: Kind of every other record.
    """

    otherwise: PartyKind
    column: str | None = None
    values: Mapping[str, PartyKind] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Deletion:
    """A record is deleted when ``column`` has one of ``values``."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FillDown:
    """Continuation lines: lines of one ``key`` leave ``columns`` blank after the first.

    Attributes:
        key: Column that holds lines together.
        columns: Columns to fill from the first line of the key.
        numbered_as: Column to add with the number of the line within its key, from 1; none when None.
    """

    key: str
    columns: tuple[str, ...]
    numbered_as: str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """Other files of the day that bring columns of the same records.

    Attributes:
        location: Pattern of their paths, like that of the contract.
        key: Column of the contract that says which record a row is of.
        theirs: Name of that column in these files.
        dialect: How they are written; their format is the contract's.
    """

    location: str
    key: str
    theirs: str
    dialect: Dialect


@dataclass(frozen=True, slots=True)
class Moment:
    """One of the interactions that a row tells of, as that of a ticket does of its opening and its solution.

    Attributes:
        column: When it was; a row without a value here does not tell of it.
        kind: Kind of interaction.
        bears: Attributes that it alone has; a row without a value in any of them does not tell of it.
    """

    column: str
    kind: str
    bears: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """One agreed property of the delivery, in the standard's words: ``timeOfAvailability``, ``frequency``."""

    property: str
    value: str
    unit: str | None = None


@dataclass(frozen=True)
class Column:
    """One column of a source entity.

    Attributes:
        name: As in the source.
        logical_type: What a cell holds.
        description: One sentence for the data dictionary.
        required: Whether a row without it is unfit.
        unique: Whether each value occurs once.
        key_position: Position in the key, from 1; None outside the key.
        pattern: Regular expression that the whole value matches.
        enum: Allowed values; empty when anything goes.
        min_length: In characters.
        max_length: In characters.
        minimum: Lowest number or earliest date.
        maximum: Highest number or latest date.
        aliases: Other names that it has in some files: of another language or export; the first that is there counts.
        paths: Where its value is in a nested record (`contracts.paths`), the first that holds one; empty for its name.
        maps_to: Canonical paths that it feeds.
        null_values: Texts that mean that there is no value.
        date_formats: Formats of ``strptime`` or names of `EPOCHS`, tried in order; empty means ISO 8601.
        decimal: Decimal sign of a number.
        values: Meaning of codes; a value that is not listed is unfit.
        leading_apostrophe: Whether one leading apostrophe is stripped; None leaves it to the dialect.
        multiline: Whether a cell may hold line ends; None where a look at the lines decides.
        classification: Confidentiality in the company's own words.
        privacy: Fides data category; None when the contract does not say and nothing is mapped.
        purposes: Fides data uses.
        examples: Made-up values for people.
    """

    name: str
    logical_type: LogicalType = LogicalType.STRING
    description: str = ""
    required: bool = False
    unique: bool = False
    key_position: int | None = None
    pattern: str | None = None
    enum: tuple[str, ...] = ()
    min_length: int | None = None
    max_length: int | None = None
    minimum: Decimal | date | None = None
    maximum: Decimal | date | None = None
    aliases: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    maps_to: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ()
    date_formats: tuple[str, ...] = ()
    decimal: str = "."
    values: Mapping[str, str] = field(default_factory=dict, hash=False)
    leading_apostrophe: bool | None = None
    multiline: bool | None = None
    classification: str | None = None
    privacy: str | None = None
    purposes: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def is_essential(self) -> bool:
        """Whether a row with a bad value here is unfit as a whole, instead of losing the value."""
        return self.required or self.key_position is not None

    @property
    def rules(self) -> tuple[str, ...]:
        """What is demanded of a value, in words."""
        checks: tuple[tuple[object, str], ...] = (
            (self.key_position, "part of the key"),
            (self.required and self.key_position is None, "required"),
            (self.unique, "unique"),
            (self.date_formats, "format " + " or ".join(self.date_formats)),
            (self.decimal == ",", "decimal comma"),
            (self.pattern, f"matches {self.pattern}"),
            (self.enum, "one of " + ", ".join(self.enum)),
            (self.values, "code: " + ", ".join(f"{code} = {text}" for code, text in self.values.items())),
            (self.min_length is not None, f"at least {self.min_length} characters"),
            (self.max_length is not None, f"at most {self.max_length} characters"),
            (self.minimum is not None, f"not below {self.minimum}"),
            (self.maximum is not None, f"not above {self.maximum}"),
            (self.null_values, "null when " + ", ".join(self.null_values)),
        )
        return tuple(text for holds, text in checks if holds)


@dataclass(frozen=True)
class SourceContract:
    """What a source promises to deliver for one of its entities.

    Attributes:
        source: Name of the source, as in asset keys.
        entity: Name of the entity in the source, as in asset keys.
        version: Version of the contract.
        owner: Team that answers for the data.
        description: What the entity holds.
        location: Pattern of file paths below the landing root, with ``{date}`` or ``{date:%Y%m%d}`` in it.
        format: How an extract is written.
        delivery: Full snapshot or delta.
        columns: In the order of the contract.
        dialect: How text is written.
        query: For format ``sql``.
        default_country: ISO 3166-1 alpha-2 of records that name no country.
        party_kind: How a record tells its kind; set when a party is fed.
        modified_at: Column with the source's own time of change.
        deleted: How the source marks a deletion.
        merged_into: Column with the key of the record that took this one in.
        fill_down: How continuation lines are completed.
        repeated_key: What it means when a key is repeated in a file; None when the contract does not say.
        delivered_with: Entity of the same source whose files hold this one too; location, format and dialect are
            then that entity's.
        beside: Columns of those files that belong to the other entities in them, in the order of their contract.
        joined: Other files that bring columns of the same records.
        constants: Value by canonical path of what is the same in all rows.
        only_with: Column by canonical entity: a row without a value in it tells of none.
        moments: Interactions that each row tells of; none where a row is one.
        statements: Statements of consent that each row tells of; none where a row is one.
        refers_to: Source whose records are meant where a row names a party or an order; its own when None.
        sla: Agreed properties of the delivery.
        file: Path of the contract, for messages; empty where it was read from no file.
    """

    source: str
    entity: str
    version: str
    owner: str
    description: str
    location: str
    format: Format
    delivery: Delivery
    columns: tuple[Column, ...]
    dialect: Dialect = Dialect()
    query: Query | None = None
    default_country: str | None = None
    party_kind: KindRule | None = None
    modified_at: str | None = None
    deleted: Deletion | None = None
    merged_into: str | None = None
    fill_down: FillDown | None = None
    repeated_key: RepeatedKey | None = None
    delivered_with: str | None = None
    beside: tuple[str, ...] = ()
    joined: tuple[Joined, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict, hash=False)
    only_with: Mapping[Entity, str] = field(default_factory=dict, hash=False)
    moments: tuple[Moment, ...] = ()
    statements: tuple[StatementOf, ...] = ()
    refers_to: str | None = None
    sla: tuple[ServiceLevel, ...] = ()
    file: str = field(default="", compare=False, repr=False)

    @property
    def name(self) -> str:
        """``source/entity``."""
        return f"{self.source}/{self.entity}"

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key columns, in their declared position."""
        parts = [(c.key_position, c.name) for c in self.columns if c.key_position is not None]
        return tuple(name for _, name in sorted(parts))

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all declared columns."""
        return tuple(c.name for c in self.columns)

    def renamed(self, header: Sequence[str]) -> dict[str, str]:
        """Which names of a file's header are aliases, with the names of their columns.

        A column that stands there under its own name is not looked for under another.
        """
        found: dict[str, str] = {}
        for column in self.columns:
            if column.aliases and column.name not in header:
                alias = next((name for name in column.aliases if name in header), None)
                if alias is not None:
                    found[alias] = column.name
        return found

    @property
    def header_names(self) -> frozenset[str]:
        """Every name that a declared column may have in a file."""
        return frozenset(name for column in self.columns for name in (column.name, *column.aliases))

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            KeyError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name!r}")

    def mapped(self) -> list[tuple[Column, str]]:
        """Every column with every canonical path that it feeds, in declared order."""
        return [(column, path) for column in self.columns for path in column.maps_to]

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The canonical entities that it feeds, in the order of the canonical model."""
        fed = {targets()[path].entity for _, path in self.mapped()}
        return tuple(entity for entity in Entity if entity in fed)

    @property
    def expected_by(self) -> str | None:
        """Time of day by which an extract should have arrived, as agreed; None when nothing is agreed."""
        return next((s.value for s in self.sla if s.property == "timeOfAvailability"), None)

    @cached_property
    def fingerprint(self) -> str:
        """Changes when anything in the contract changes; does not depend on how the file is laid out."""
        said = {name: value for name, value in asdict(self).items() if name != "file"}
        content = json.dumps(said, sort_keys=True, default=str, ensure_ascii=False)
        return sha256(content.encode()).hexdigest()[:16]
