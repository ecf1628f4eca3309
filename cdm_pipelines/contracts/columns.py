"""One property of a contract becomes one `Column`.

Belongs here: types, rules, mapping and privacy of a column. Does not belong here: what concerns the entity as
a whole (odcs).
"""

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from open_data_contract_standard.model import DataQuality, SchemaProperty

from cdm_pipelines.contracts import date_formats
from cdm_pipelines.contracts.canonical import targets
from cdm_pipelines.contracts.model import EPOCHS, Column, LogicalType
from cdm_pipelines.contracts.paths import PathError, steps
from cdm_pipelines.contracts.sections import Report, Section

COLUMN_PROPERTIES = (
    "mapsTo",
    "nullValues",
    "dateFormats",
    "decimal",
    "values",
    "leadingApostrophe",
    "multiline",
    "privacy",
    "purposes",
    "aliases",
    "path",
)
_OPTIONS = {
    LogicalType.STRING: ("pattern", "minLength", "maxLength", "format"),
    LogicalType.INTEGER: ("minimum", "maximum", "format"),
    LogicalType.NUMBER: ("minimum", "maximum", "format"),
    LogicalType.DATE: ("minimum", "maximum", "format"),
    LogicalType.TIMESTAMP: ("minimum", "maximum", "format", "timezone", "defaultTimezone"),
    LogicalType.BOOLEAN: (),
}
_TAXONOMY_KEY = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)*")
_JDK = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "SSS": "%f"}


def read_column(item: SchemaProperty, key: str, report: Report) -> Column:
    """Turn one ``properties`` entry of the standard into a column; faults are noted in ``report``."""
    section = Section.of_properties(item.customProperties, COLUMN_PROPERTIES, key, report)
    logical_type = _logical_type(item, key, report)
    options = Section(
        item.logicalTypeOptions or {}, _OPTIONS[logical_type], f"{key}.logicalTypeOptions", report
    )
    rules = _Rules(item, key, report)
    maps_to = _maps_to(section)
    return Column(
        name=item.name or "",
        logical_type=logical_type,
        description=" ".join((item.description or item.businessName or "").split()),
        required=bool(item.required) or rules.required,
        unique=bool(item.unique) or rules.unique,
        key_position=_key_position(item, key, report),
        pattern=_pattern(options) or rules.pattern,
        enum=rules.enum,
        min_length=options.number("minLength") if logical_type == LogicalType.STRING else None,
        max_length=options.number("maxLength") if logical_type == LogicalType.STRING else None,
        minimum=_bound(options, "minimum", logical_type),
        maximum=_bound(options, "maximum", logical_type),
        aliases=section.texts("aliases"),
        paths=_paths(section),
        maps_to=maps_to,
        null_values=section.texts("nullValues") + rules.null_values,
        date_formats=_date_formats(section, options, logical_type),
        decimal=_decimal(section, logical_type),
        values=section.codes("values"),
        leading_apostrophe=section.flag("leadingApostrophe"),
        multiline=section.flag("multiline"),
        classification=item.classification,
        privacy=_privacy(section, maps_to),
        purposes=section.matching(
            "purposes",
            _TAXONOMY_KEY,
            "a data use",
            "Use keys of the Fides taxonomy, such as essential.service.",
        ),
        examples=tuple(str(example) for example in item.examples or ()),
    )


def _logical_type(item: SchemaProperty, key: str, report: Report) -> LogicalType:
    known = [str(kind) for kind in LogicalType]
    if item.logicalType is None or item.logicalType in known:
        return LogicalType(item.logicalType or "string")
    report.unknown(f"{key}.logicalType", "type", item.logicalType, known)
    return LogicalType.STRING


def _key_position(item: SchemaProperty, key: str, report: Report) -> int | None:
    if not item.primaryKey:
        return None
    position = item.primaryKeyPosition or 1
    if position < 1:
        report.add(f"{key}.primaryKeyPosition", f"{position} is no position", "Count from 1.")
    return position


def _maps_to(section: Section) -> tuple[str, ...]:
    paths = section.texts("mapsTo")
    for path in paths:
        if path not in targets():
            section.report.unknown(section.at("mapsTo"), "canonical path", path, targets())
    return tuple(path for path in paths if path in targets())


def _paths(section: Section) -> tuple[str, ...]:
    paths = section.texts("path")
    for path in paths:
        try:
            steps(path)
        except PathError as error:
            section.fault("path", str(error), "Write it like items[0].id or params[key=page].value.text.")
    if paths and "aliases" in section.values:
        section.fault("aliases", "is of no use beside path", "List the other places in path.")
    return paths


def _privacy(section: Section, maps_to: tuple[str, ...]) -> str | None:
    declared = section.matching(
        "privacy",
        _TAXONOMY_KEY,
        "a data category",
        "Use a key of the Fides taxonomy, such as user.contact.email.",
    )
    if declared:
        return declared[0]
    return targets()[maps_to[0]].privacy if maps_to else None


def _pattern(options: Section) -> str | None:
    pattern = options.text("pattern")
    return pattern if pattern is None or _compiles(pattern, options.at("pattern"), options.report) else None


def _compiles(pattern: str, key: str, report: Report) -> bool:
    try:
        re.compile(pattern)
    except re.error as error:
        report.add(key, f"is no regular expression: {error}", "Correct it.")
        return False
    return True


def _bound(options: Section, name: str, logical_type: LogicalType) -> Decimal | date | None:
    value: Any = options.values.get(name)
    if value is None:
        return None
    if logical_type in (LogicalType.DATE, LogicalType.TIMESTAMP):
        try:
            return date.fromisoformat(str(value)[:10])
        except ValueError:
            options.fault(name, f"{value!r} is no date", "Write it as YYYY-MM-DD.")
            return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        options.fault(name, f"{value!r} is no number", "Write a number.")
        return None


def _decimal(section: Section, logical_type: LogicalType) -> str:
    sign = section.text("decimal") or "."
    if sign not in (".", ","):
        section.fault("decimal", f"{sign!r} is no decimal sign", 'Write "," or ".".')
    elif "decimal" in section.values and logical_type != LogicalType.NUMBER:
        section.fault(
            "decimal", f"has no meaning for type {logical_type}", "Set logicalType: number, or remove it."
        )
    return sign


def _date_formats(section: Section, options: Section, logical_type: LogicalType) -> tuple[str, ...]:
    formats = section.texts("dateFormats")
    if logical_type not in (LogicalType.DATE, LogicalType.TIMESTAMP):
        if formats:
            section.fault(
                "dateFormats",
                f"has no meaning for type {logical_type}",
                "Set logicalType: date or timestamp.",
            )
        return ()
    for text in formats:
        if text not in EPOCHS and (why := date_formats.fault(text)):
            section.fault(
                "dateFormats",
                f"{text!r} is no date format: {why}",
                f"Write it like %d-%m-%Y or %Y%m%d, with {date_formats.KNOWN}; or one of {', '.join(EPOCHS)}.",
            )
    standard = options.text("format")
    if standard is None or formats:
        return formats
    translated = re.sub(
        r"y+|M+|d+|H+|m+|s+|S+", lambda part: _JDK.get(part[0], part[0]), standard.replace("'", "")
    )
    if date_formats.fault(translated):
        options.fault(
            "format", f"{standard!r} is no date format", "Write it like dd-MM-yyyy, or use dateFormats."
        )
        return ()
    return (translated,)


class _Rules:
    """The rules of a column's ``enum`` and ``quality`` entries.

    The library metrics of the standard are taken, with ``mustBe: 0``. Text is for people, and rules of type
    ``custom`` are another engine's.
    """

    def __init__(self, item: SchemaProperty, key: str, report: Report) -> None:
        self.required = self.unique = False
        self.pattern: str | None = None
        self.null_values: tuple[str, ...] = ()
        self.enum: tuple[str, ...] = ()
        self._report = report
        if item.enum:
            self.enum = self._values([entry.value for entry in item.enum], f"{key}.enum")
        for position, rule in enumerate(item.quality or ()):
            self._read(rule, f"{key}.quality[{rule.name or position}]")

    def _read(self, rule: DataQuality, key: str) -> None:
        if rule.type in ("text", "custom"):
            return
        metric = rule.metric or rule.rule
        known = {
            "nullValues": ("", ()),
            "missingValues": ("", ("missingValues",)),
            "invalidValues": ("", ("validValues", "pattern")),
            "duplicateValues": ("", ()),
        }
        if metric not in known:
            self._report.unknown(f"{key}.metric", "metric", str(metric), known)
            return
        if rule.mustBe != 0:
            self._report.add(
                key, "allows faults", "Write mustBe: 0; how many are too many is set in checks.yaml."
            )
        arguments = Section(rule.arguments or {}, known[metric][1], f"{key}.arguments", self._report)
        self.required |= metric in ("nullValues", "missingValues")
        self.unique |= metric == "duplicateValues"
        self.null_values += arguments.texts("missingValues")
        self.pattern = _pattern(arguments) or self.pattern
        self.enum = self._values(arguments.values.get("validValues") or [], key) or self.enum

    def _values(self, values: list[Any], key: str) -> tuple[str, ...]:
        for value in values:
            if not isinstance(value, str | int) or isinstance(value, bool):
                self._report.add(key, f"{value!r} is not text", "Put it between quotes.")
        return tuple(str(value) for value in values)
