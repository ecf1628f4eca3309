"""What is suggested for a file, and how it is written down.

Belongs here: the suggestion and its text, the Open Data Contract Standard's YAML with comments that say how sure each
part is. Does not belong here: choosing (suggest).
"""

import json
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import Format, LogicalType, PartyKind
from cdm_pipelines.contracts.canonical import Entity, KeptAs, declaration, targets
from cdm_pipelines.ingest.sniff import listed
from cdm_pipelines.quality.profile import ColumnProfile, FileProfile
from cdm_pipelines.quality.semantics import Meaning
from cdm_pipelines.quality.values import TRUE, as_flags
from cdm_pipelines.quality.vocabulary import steers

_CERTAIN = 0.7
"""Below, a column is marked with a question mark: its header alone, or its values alone, do not tell."""
_USUAL_USE = "essential.service"
_ON_PURPOSES = (
    f"# ? purposes are {_USUAL_USE} throughout: say what each column is given for, see purposes.yaml"
)
_MOMENTS = (LogicalType.DATE, LogicalType.TIMESTAMP)
_EXTENSIONS = {Format.CSV: ".csv", Format.JSONL: ".jsonl", Format.PARQUET: ".parquet", Format.EXCEL: ".xlsx"}


@dataclass(frozen=True, slots=True)
class ColumnSuggestion:
    """One column of the suggested contract.

    Attributes:
        profile: What the sample says.
        logical_type: Suggested type; text where what the column means is text.
        meaning: Suggested mapping; None when it is not mapped.
        key_position: Position in the key; None outside the key.
        also: Further canonical paths that it feeds.
        paths: All canonical paths that it feeds.
        remark: What came out when the contract was tried on the file, in words.
    """

    profile: ColumnProfile
    logical_type: LogicalType
    meaning: Meaning | None = None
    key_position: int | None = None
    also: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    remark: str = ""

    @property
    def confidence(self) -> float:
        """From 0 to 1: how sure the suggestion is of the column's mapping; 0 where it is not mapped."""
        if self.meaning is None:
            return 0.0
        return max(round(self.meaning.confidence - (0.3 if self.profile.doubt else 0.0), 2), 0.0)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A first contract of one entity, and how sure it is.

    Attributes:
        source: Name of the source.
        entity: Name of the entity.
        file: What the sample says.
        feeds: Canonical entity that it feeds first.
        columns: In the order of the file.
        doubts: What is doubtful about the whole, in words.
        kind: Whether its parties are persons or organisations; None where it feeds none.
        kind_doubt: What is doubtful about that.
        beside: Main entity of the file, where this is a further one; empty for the main one.
        repeated: Whether a record stands in several rows.
        numbered: Column that ingest adds with the number of the line; empty for none.
        properties: Further properties of the entity, with their values as YAML and what is to be said of them.
    """

    source: str
    entity: str
    file: FileProfile
    feeds: Entity
    columns: tuple[ColumnSuggestion, ...]
    doubts: tuple[str, ...]
    kind: PartyKind | None = None
    kind_doubt: str = ""
    beside: str = ""
    repeated: bool = False
    numbered: str = ""
    properties: tuple[tuple[str, str, str], ...] = ()

    def to_yaml(self, *, alone: bool = False) -> str:
        """The contract as ODCS v3 YAML, with comments that say how sure each part is.

        Args:
            alone: Whether it has to be readable without the contract of the file's main entity.
        """
        file, lines = self.file, []
        sampled = f"all {file.rows:,} rows" if file.whole else f"the first {file.rows:,} rows"
        lines += [
            f"# Suggested from {file.path.name}, {sampled}. A start to edit: check what has a question mark.",
            *(f"# {line}" for line in listed(file.sniffed.findings, file.sniffed.doubts)),
            *(
                [f"# ? rows of the sample that will be quarantined as they are: {file.unfit:,}"]
                if file.unfit
                else []
            ),
            *(f"# ? {doubt}" for doubt in self.doubts),
            *([_ON_PURPOSES] if any(column.paths for column in self.columns) else []),
            "apiVersion: v3.1.0",
            "kind: DataContract",
            f"id: {self.source}-{self.entity.replace('_', '-')}",
            f"name: {_quoted(self.entity + ' of ' + self.source)}",
            "version: 0.1.0",
            "status: draft",
            f"dataProduct: {self.source}",
            "team:",
            "  name: unknown # ? the team that answers for the data",
            "schema:",
            f"  - name: {self.entity}",
            f"    description: {_quoted('Suggested from ' + file.path.name)}",
            "    customProperties:",
            *_entity_lines(self, alone=alone),
            "    properties:",
        ]
        for column in self.columns:
            lines += _column_lines(column)
        return "\n".join(lines) + "\n"


def _entity_lines(suggestion: Suggestion, *, alone: bool) -> list[str]:
    told = "? delta when a file holds only what is new or changed"
    days = declaration(suggestion.feeds).kept is KeptAs.DAYS
    properties: list[tuple[str, str, str]] = [
        ("delivery", "delta", "what happened since the last one") if days else ("delivery", "snapshot", told)
    ]
    properties += suggestion.properties
    properties += _written(suggestion, alone=alone)
    if suggestion.repeated:
        properties.append(("repeatedKey", "last", "a record stands in several rows: the last one counts"))
    if suggestion.numbered:
        properties.append(("fillDown", _fill_down(suggestion), "the lines of an order are counted"))
    if suggestion.kind is not None:
        properties.append(("partyKind", str(suggestion.kind), suggestion.kind_doubt))
    if _is_dutch(suggestion):
        properties.append(("defaultCountry", '"NL"', "most postal codes are Dutch"))
    properties += () if days else _steering(suggestion)
    return [
        f"      - {{property: {name}, value: {value}}}" + (f" # {comment}" if comment else "")
        for name, value, comment in properties
    ]


def _written(suggestion: Suggestion, *, alone: bool) -> list[tuple[str, str, str]]:
    """How the file is written, or whose file it is."""
    file = suggestion.file
    if suggestion.beside and not alone:
        return [("deliveredWith", suggestion.beside, "both are in one file")]
    properties = [("format", str(file.format), "")]
    if suggestion.beside:
        pattern = f"{suggestion.source}/{suggestion.beside}/{{date}}*{_EXTENSIONS[file.format]}"
        properties.append(("location", _quoted(pattern), f"the file of {suggestion.beside}"))
    dialect = _dialect(file)
    if dialect:
        properties.append(("dialect", dialect, "a byte-order mark is there" if file.bom else ""))
    return properties


def _dialect(file: FileProfile) -> str:
    words = file.sniffed.words()
    parts = {
        name: value if name == "encoding" else json.dumps(value, ensure_ascii=False)
        for name, value in words.items()
    }
    if any(column.apostrophe for column in file.columns):
        parts["leadingApostrophe"] = "true"
    return "{" + ", ".join(f"{name}: {value}" for name, value in parts.items()) + "}" if parts else ""


def _fill_down(suggestion: Suggestion) -> str:
    """The key, and the columns that are blank on every line of an order but its first."""
    key = next(column.profile for column in suggestion.columns if column.key_position == 1)
    cells = key.cells
    first = pc.fill_null(pc.not_equal(cells[1:], cells[:-1]), fill_value=True)
    further = pa.concat_arrays([pa.array([False]), pc.invert(first)])
    blank = []
    for column in suggestion.columns:
        profile = column.profile
        if profile is key or len(profile.cells) != len(cells) or not profile.filled:
            continue
        there = pc.and_(further, pc.not_equal(pc.fill_null(profile.cells, ""), ""))
        if not pc.any(there).as_py():
            blank.append(_quoted(profile.name))
    return f"{{key: {_quoted(key.name)}, numberedAs: {_quoted(suggestion.numbered)}, columns: [{', '.join(blank)}]}}"


def _is_dutch(suggestion: Suggestion) -> bool:
    for column in suggestion.columns:
        if "party.postcode" in column.paths and len(column.profile.values):
            dutch = as_flags(
                pc.match_substring_regex(column.profile.values, r"(?i)^[1-9][0-9]{3} ?[A-Z]{2}$")
            )
            return bool(dutch.mean() > 0.5)
    return False


def _steering(suggestion: Suggestion) -> list[tuple[str, str, str]]:
    found = []
    for column in suggestion.columns:
        profile = column.profile
        if steers(profile.name, "modified") and column.logical_type in _MOMENTS:
            found.append(("modifiedAt", _quoted(profile.name), ""))
        elif steers(profile.name, "deleted"):
            present = [value for value in profile.values.to_pylist() if value.lower() in TRUE]
            values = ", ".join(_quoted(value) for value in present or ["true"])
            sure = "" if present else "? no deleted record in the sample"
            found.append(("deleted", f"{{column: {_quoted(profile.name)}, values: [{values}]}}", sure))
        elif steers(profile.name, "merged"):
            found.append(("mergedInto", _quoted(profile.name), ""))
    first: dict[str, tuple[str, str, str]] = {}
    for item in found:
        first.setdefault(item[0], item)
    return list(first.values())


def _column_lines(column: ColumnSuggestion) -> list[str]:
    lines = [
        f"      - name: {_quoted(column.profile.name)} # {'; '.join(_notes(column))}",
        f"        logicalType: {column.logical_type}",
    ]
    if column.key_position:
        lines += ["        required: true", "        primaryKey: true"]
        lines.append(f"        primaryKeyPosition: {column.key_position}")
    custom = _column_properties(column)
    if custom:
        lines.append("        customProperties:")
        lines += [f"          - {{property: {name}, value: {value}}}" for name, value in custom]
    return lines


def _notes(column: ColumnSuggestion) -> list[str]:
    """How sure the mapping is, where there is one; what the sample says; what is doubtful."""
    profile = column.profile
    notes = [f"filled {profile.filled:.0%}", f"{len(profile.values):,} distinct"]
    notes += [text for text in (profile.doubt, column.remark) if text]
    if column.meaning is None:
        first = "part of the key" if column.key_position else "not mapped"
        return [f"{'? ' if profile.doubt or column.remark else ''}{first}", *notes]
    unsure = column.confidence < _CERTAIN or profile.doubt or column.remark
    return [f"{'? ' if unsure else ''}confidence {column.confidence:.2f}", *notes, column.meaning.why]


def _column_properties(column: ColumnSuggestion) -> list[tuple[str, str]]:
    profile, custom = column.profile, []
    if column.paths:
        paths = column.paths
        custom.append(("mapsTo", paths[0] if len(paths) == 1 else f"[{', '.join(paths)}]"))
        if targets()[paths[0]].privacy.startswith("user"):
            custom.append(("purposes", f"[{_USUAL_USE}]"))
    if profile.null_values:
        custom.append(("nullValues", f"[{', '.join(_quoted(text) for text in profile.null_values)}]"))
    if profile.date_formats and column.logical_type in _MOMENTS:
        custom.append(("dateFormats", f"[{', '.join(_quoted(text) for text in profile.date_formats)}]"))
    if profile.decimal != "." and column.logical_type == LogicalType.NUMBER:
        custom.append(("decimal", _quoted(profile.decimal)))
    if profile.apostrophe:
        custom.append(("leadingApostrophe", "true"))
    if pc.any(pc.match_substring(profile.values, "\n")).as_py():
        custom.append(("multiline", "true"))
    return custom


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
