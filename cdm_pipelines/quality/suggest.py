"""A first contract for a file that nobody has described yet.

Belongs here: choosing key, mapping and steering columns from a profile, and writing the contract with how
sure it is. Does not belong here: statistics (profile) or what headers mean (semantics).

What is written is a start to edit: every line that is a guess says so.
"""

import json
import re
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import LogicalType
from cdm_pipelines.contracts.canonical import Attribute, Entity, ValueType, attributes, targets
from cdm_pipelines.ingest.sniff import listed
from cdm_pipelines.quality.profile import ColumnProfile, FileProfile, profile_file
from cdm_pipelines.quality.semantics import (
    KINDS,
    ORDER_KINDS,
    Meaning,
    entity_of,
    header_words,
    meanings,
    names_line,
    names_order,
)
from cdm_pipelines.quality.values import as_flags

_SURE = 0.6
_KEY_WORDS = re.compile(r"\b(id|key|number|nummer|nr|code|no|kunnr|uuid|guid)\b")
_OTHER_KEYS = re.compile(
    r"\b(group|store|website|country|region|post(?:al)?|zip|area|territory|discount|vat|tax|sku)\b"
)
_MODIFIED = (
    r"(?:last )?(?:modified|changed|updated|gewijzigd)(?: ?(?:date|at|on|op))?|updated at|aedat|modified on"
)
_DELETED = r"(?:is )?deleted|loevm|verwijderd"
_MERGED = r"master ?record ?id|merged (?:in)?to(?: id)?"
OF_PERSONS = ("party.given_name", "party.family_name", "party.birth_date", "party.gender", "party.full_name")
_EXPECTED = {
    ValueType.DATE: LogicalType.DATE,
    ValueType.TIMESTAMP: LogicalType.TIMESTAMP,
    ValueType.DECIMAL: LogicalType.NUMBER,
    ValueType.BOOLEAN: LogicalType.BOOLEAN,
}
OF_ORGANISATIONS = ("party.organisation_name", "party.coc_number", "party.vat_number", "party.trade_name")


@dataclass(frozen=True, slots=True)
class ColumnSuggestion:
    """One column of the suggested contract.

    Attributes:
        profile: What the sample says.
        logical_type: Suggested type; text where what the column means is text.
        meaning: Suggested mapping; None when it is not mapped.
        key_position: Position in the key; None outside the key.
    """

    profile: ColumnProfile
    logical_type: LogicalType
    meaning: Meaning | None = None
    key_position: int | None = None

    @property
    def confidence(self) -> float:
        """From 0 to 1: how sure the suggestion is of this column as a whole."""
        sure = self.meaning.confidence if self.meaning else 0.8
        return round(sure - (0.3 if self.profile.doubt else 0.0), 2)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A first contract, and how sure it is."""

    source: str
    entity: str
    file: FileProfile
    feeds: Entity
    columns: tuple[ColumnSuggestion, ...]
    doubts: tuple[str, ...]

    def to_yaml(self) -> str:
        """The contract as ODCS v3 YAML, with comments that say how sure each part is."""
        return _render(self)


def suggest(path: Path | str, *, source: str = "", entity: str = "") -> Suggestion:
    """Profile a file and suggest a contract.

    Args:
        path: A file of any format that can be ingested.
        source: Name of the source; made of the folder's name when empty.
        entity: Name of the entity; made of the file's name when empty.

    Raises:
        ExtractError: The file cannot be read.
    """
    path = Path(path)
    file = profile_file(path)
    feeds = entity_of([column.name for column in file.columns])
    key, doubts = _key(file, feeds)
    chosen = _mapping(file, feeds, key)
    columns = tuple(
        ColumnSuggestion(
            profile=column,
            logical_type=_type(column, chosen.get(column.name), is_key=column.name in key),
            meaning=chosen.get(column.name),
            key_position=key.index(column.name) + 1 if column.name in key else None,
        )
        for column in file.columns
    )
    return Suggestion(
        source=_slug(source or path.resolve().parent.name, "source"),
        entity=_slug(entity or re.sub(r"[-_ ]*\d{4}-?\d{2}-?\d{2}.*|\..*", "", path.name), "entity"),
        file=file,
        feeds=feeds,
        columns=columns,
        doubts=doubts,
    )


def _slug(text: str, otherwise: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return slug if re.match(r"[a-z]", slug) else otherwise


def _key(file: FileProfile, feeds: Entity) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The key columns, and what is doubtful about them."""
    if feeds == Entity.ORDER_LINE:
        order = next(column.name for column in file.columns if names_order(column.name))
        line = next(column.name for column in file.columns if names_line(column.name))
        return (order, line), ()
    unique = [column for column in file.columns if column.unique]
    hinted = [column for column in unique if _looks_like_key(column)]
    if hinted:
        return (hinted[0].name,), ()
    if unique:
        return (unique[0].name,), (
            f"{unique[0].name!r} is taken as the key only because it is unique in the sample",
        )
    pair = _unique_pair(file)
    if pair:
        return pair, (f"the key {' + '.join(pair)} is unique in the sample; no column is so alone",)
    first = next((column for column in file.columns if _looks_like_key(column)), file.columns[0])
    return (first.name,), (f"no key was found: {first.name!r} is not unique or not always filled",)


def _looks_like_key(column: ColumnProfile) -> bool:
    words = header_words(column.name)
    return _KEY_WORDS.search(words) is not None and _OTHER_KEYS.search(words) is None


def _unique_pair(file: FileProfile) -> tuple[str, str] | None:
    full = [column for column in file.columns if column.filled == 1]
    hinted = [column for column in full if _looks_like_key(column)] or full
    for left, right in combinations(hinted[:6] + [c for c in full if c not in hinted][:4], 2):
        if len(left.values) * len(right.values) < file.rows:
            continue
        together = pa.table([left.cells, right.cells], names=["left", "right"])
        if together.group_by(["left", "right"]).aggregate([]).num_rows == file.rows:
            return left.name, right.name
    return None


def _mapping(file: FileProfile, feeds: Entity, key: tuple[str, ...]) -> dict[str, Meaning]:
    """For each target the column that most probably feeds it, and for each column at most one target."""
    kinds = KINDS if feeds == Entity.PARTY else ORDER_KINDS
    found = []
    for position, column in enumerate(file.columns):
        if feeds != Entity.PARTY and names_order(column.name):
            found.append((Meaning(f"{feeds}.order_id", 0.9, "the header says so"), position, column.name))
            continue
        if feeds == Entity.PARTY and column.name in key and _looks_like_key(column):
            continue
        found += [
            (meaning, position, column.name)
            for meaning in meanings(column.name, column.values, kinds)
            if meaning.target.split(".")[0] == feeds and _fits(meaning, column)
        ]
    chosen: dict[str, Meaning] = {}
    taken: set[str] = set()
    for meaning, _, name in sorted(found, key=lambda item: (-item[0].confidence, item[1])):
        if name not in chosen and meaning.target not in taken and meaning.confidence >= _SURE:
            chosen[name] = meaning
            taken.add(meaning.target)
    keys = {attribute.path for attribute in attributes(feeds) if attribute.key}
    if not keys <= taken or (feeds == Entity.PARTY and len(taken) < 2):
        return {}
    return _without_overlap(chosen)


def _without_overlap(chosen: dict[str, Meaning]) -> dict[str, Meaning]:
    """A whole name is not mapped where its parts are, nor the organisation that a person works for."""
    mapped = {meaning.target for meaning in chosen.values()}
    overlapping: set[str] = set()
    if mapped & {"party.given_name", "party.family_name"}:
        overlapping = {"party.full_name", "party.name", "party.organisation_name", "party.trade_name"}
    elif "party.full_name" in mapped or "party.organisation_name" in mapped:
        overlapping = {"party.name"}
    return {name: meaning for name, meaning in chosen.items() if meaning.target not in overlapping}


def _fits(meaning: Meaning, column: ColumnProfile) -> bool:
    """Whether the type that was read can hold what the column would mean; without values nothing speaks against it."""
    kind = _value_type(meaning)
    if not len(column.values):
        return True
    moments = (LogicalType.DATE, LogicalType.TIMESTAMP)
    if kind in (ValueType.DATE, ValueType.TIMESTAMP):
        return column.logical_type in moments
    if kind == ValueType.DECIMAL:
        return column.logical_type in (LogicalType.INTEGER, LogicalType.NUMBER)
    if kind == ValueType.BOOLEAN:
        return column.logical_type in (LogicalType.BOOLEAN, LogicalType.INTEGER)
    return column.logical_type not in moments or meaning.target == "party.postcode"


def _type(column: ColumnProfile, meaning: Meaning | None, *, is_key: bool) -> LogicalType:
    if is_key:
        return LogicalType.STRING
    if meaning is None:
        return column.logical_type
    expected = _EXPECTED.get(_value_type(meaning), LogicalType.STRING)
    return column.logical_type if len(column.values) and expected != LogicalType.STRING else expected


def _value_type(meaning: Meaning) -> ValueType:
    target = targets()[meaning.target]
    return target.type if isinstance(target, Attribute) else ValueType.TEXT


def _render(suggestion: Suggestion) -> str:
    file, lines = suggestion.file, []
    sampled = f"all {file.rows:,} rows" if file.whole else f"the first {file.rows:,} rows"
    lines += [
        f"# Suggested from {file.path.name}, {sampled}. A start to edit: check what is marked with a question mark.",
        *(f"# {line}" for line in listed(file.sniffed.findings, file.sniffed.doubts)),
        *(
            [f"# ? rows of the sample that will be quarantined as they are: {file.unfit:,}"]
            if file.unfit
            else []
        ),
        *(f"# ? {doubt}" for doubt in suggestion.doubts),
        "apiVersion: v3.1.0",
        "kind: DataContract",
        f"id: {suggestion.source}-{suggestion.entity.replace('_', '-')}",
        f"name: {_quoted(suggestion.entity + ' of ' + suggestion.source)}",
        "version: 0.1.0",
        "status: draft",
        f"dataProduct: {suggestion.source}",
        "team:",
        "  name: unknown # ? the team that answers for the data",
        "schema:",
        f"  - name: {suggestion.entity}",
        f"    description: {_quoted('Suggested from ' + file.path.name)}",
        "    customProperties:",
        *_entity_lines(suggestion),
        "    properties:",
    ]
    for column in suggestion.columns:
        lines += _column_lines(column)
    return "\n".join(lines) + "\n"


def _entity_lines(suggestion: Suggestion) -> list[str]:
    file = suggestion.file
    properties: list[tuple[str, str, str]] = [
        ("delivery", "snapshot", "? delta when a file holds only what is new or changed"),
        ("format", str(file.format), ""),
    ]
    dialect = _dialect(file)
    if dialect:
        properties.append(("dialect", dialect, "a byte-order mark is there" if file.bom else ""))
    if suggestion.feeds == Entity.PARTY and any(column.meaning for column in suggestion.columns):
        properties.append(("partyKind", *_party_kind(suggestion)))
    if _is_dutch(suggestion):
        properties.append(("defaultCountry", '"NL"', "most postal codes are Dutch"))
    properties += _steering(suggestion)
    return [
        f"      - {{property: {name}, value: {value}}}" + (f" # {comment}" if comment else "")
        for name, value, comment in properties
    ]


def _dialect(file: FileProfile) -> str:
    words = file.sniffed.words()
    parts = {
        name: value if name == "encoding" else json.dumps(value, ensure_ascii=False)
        for name, value in words.items()
    }
    if any(column.apostrophe for column in file.columns):
        parts["leadingApostrophe"] = "true"
    return "{" + ", ".join(f"{name}: {value}" for name, value in parts.items()) + "}" if parts else ""


def _party_kind(suggestion: Suggestion) -> tuple[str, str]:
    mapped = {column.meaning.target for column in suggestion.columns if column.meaning}
    persons, organisations = len(mapped & set(OF_PERSONS)), len(mapped & set(OF_ORGANISATIONS))
    if persons > organisations:
        return "person", "" if persons > 1 else "? only one column says so"
    if organisations:
        return "organisation", "? or tell them apart with {column: , values: {}, otherwise: }"
    return "person", "? nothing in the columns tells"


def _is_dutch(suggestion: Suggestion) -> bool:
    for column in suggestion.columns:
        if column.meaning and column.meaning.target == "party.postcode" and len(column.profile.values):
            dutch = as_flags(
                pc.match_substring_regex(column.profile.values, r"(?i)^[1-9][0-9]{3} ?[A-Z]{2}$")
            )
            return bool(dutch.mean() > 0.5)
    return False


def _steering(suggestion: Suggestion) -> list[tuple[str, str, str]]:
    found = []
    for column in suggestion.columns:
        profile, words = column.profile, header_words(column.profile.name)
        if re.fullmatch(_MODIFIED, words) and column.logical_type in (
            LogicalType.DATE,
            LogicalType.TIMESTAMP,
        ):
            found.append(("modifiedAt", _quoted(profile.name), ""))
        elif re.fullmatch(_DELETED, words):
            present = [
                v
                for v in profile.values.to_pylist()
                if v.lower() in ("true", "1", "x", "yes", "y", "ja", "j")
            ]
            values = ", ".join(_quoted(value) for value in present or ["true"])
            sure = "" if present else "? no deleted record in the sample"
            found.append(("deleted", f"{{column: {_quoted(profile.name)}, values: [{values}]}}", sure))
        elif re.fullmatch(_MERGED, words):
            found.append(("mergedInto", _quoted(profile.name), ""))
    first: dict[str, tuple[str, str, str]] = {}
    for item in found:
        first.setdefault(item[0], item)
    return list(first.values())


def _column_lines(column: ColumnSuggestion) -> list[str]:
    profile = column.profile
    sure = "" if column.confidence >= _SURE and not profile.doubt else "? "
    notes = [f"{sure}confidence {column.confidence:.2f}", f"filled {profile.filled:.0%}"]
    notes += [f"{len(profile.values):,} distinct"] + ([profile.doubt] if profile.doubt else [])
    if column.meaning:
        notes.append(column.meaning.why)
    lines = [
        f"      - name: {_quoted(profile.name)} # {'; '.join(notes)}",
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


def _column_properties(column: ColumnSuggestion) -> list[tuple[str, str]]:
    profile, custom = column.profile, []
    if column.meaning:
        custom.append(("mapsTo", column.meaning.target))
    if profile.null_values:
        custom.append(("nullValues", f"[{', '.join(_quoted(text) for text in profile.null_values)}]"))
    if profile.date_formats and column.logical_type in (LogicalType.DATE, LogicalType.TIMESTAMP):
        custom.append(("dateFormats", f"[{', '.join(_quoted(text) for text in profile.date_formats)}]"))
    if profile.decimal != "." and column.logical_type == LogicalType.NUMBER:
        custom.append(("decimal", _quoted(profile.decimal)))
    if profile.apostrophe:
        custom.append(("leadingApostrophe", "true"))
    return custom


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
