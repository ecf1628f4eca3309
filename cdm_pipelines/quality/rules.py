"""The vocabulary of what can be wrong with a row or a cell, for reports, quarantine and repairs.

Belongs here: names of rules, what they mean to a person, and what to do. Does not belong here: how a rule is
checked (schema) or what happens to a row that breaks it (validation).
"""

from enum import StrEnum

from cdm_pipelines.contracts import Column


class Rule(StrEnum):
    """Every rule that a row or a cell can break."""

    RAGGED = "ragged"
    NUL_BYTE = "nul_byte"
    UNDECODABLE = "undecodable"
    CELL_TOO_LONG = "cell_too_long"
    UNPARSABLE = "unparsable"
    STRAY_QUOTE = "stray_quote"
    LINE_ENDS = "unexpected_line_ends"
    TOTALS = "totals_line"
    HEADER_AGAIN = "header_again"
    UNJOINED = "unjoined"
    SUPERSEDED = "superseded"
    MISSING_KEY = "missing_key"
    MISSING = "missing"
    UNKNOWN_CODE = "unknown_code"
    NOT_INTEGER = "not_integer"
    NOT_NUMBER = "not_number"
    NOT_BOOLEAN = "not_boolean"
    NOT_DATE = "not_date"
    IMPLAUSIBLE_DATE = "implausible_date"
    NOT_ALLOWED = "not_allowed"
    PATTERN = "pattern"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    NOT_EMAIL = "not_email"
    NOT_PHONE = "not_phone"

    @property
    def meaning(self) -> str:
        """What is wrong, in words."""
        return _MEANINGS[self][0]

    def fix(self, column: Column | None = None) -> str:
        """What to do about it."""
        text = _MEANINGS[self][1]
        if column is None:
            return text
        formats = " or ".join(column.date_formats) or "YYYY-MM-DD"
        allowed = ", ".join(column.enum or tuple(column.values))
        return text.format(
            formats=formats,
            allowed=allowed,
            pattern=column.pattern,
            decimal=column.decimal,
            minimum=column.minimum,
            maximum=column.maximum,
            min_length=column.min_length,
            max_length=column.max_length,
        )


_LINE = "Correct the line in the source, or correct the row here and retry."
_MEANINGS: dict[Rule, tuple[str, str]] = {
    Rule.RAGGED: (
        "another number of cells than the header",
        "Quote cells that hold the delimiter or a line end.",
    ),
    Rule.NUL_BYTE: ("a zero byte in a cell", _LINE),
    Rule.UNDECODABLE: ("bytes that are not in the file's encoding", _LINE),
    Rule.CELL_TOO_LONG: (
        "a cell longer than is believed",
        "Look for a missing quote, or raise maxCellBytes.",
    ),
    Rule.STRAY_QUOTE: (
        "a quote is opened and text follows where it is closed, or it is not closed on its line and whole rows follow",
        "Have quotes within a quoted cell doubled. If the cell may hold such lines, set multiline: true on its column.",
    ),
    Rule.LINE_ENDS: (
        "a cell holds a line end in a column that may have none",
        "Have it delivered on one line, or take multiline: false away from the column.",
    ),
    Rule.TOTALS: (
        "the row sums up others, or counts them",
        "Nothing, if so. Else say in dialect.totals how such rows begin.",
    ),
    Rule.HEADER_AGAIN: ("the row is the header once more", "Have the header delivered once."),
    Rule.UNJOINED: (
        "no record has the key of this row of a joined file, or a later row of that file has it too",
        "Check the key in joined, and whether both files are of the same day.",
    ),
    Rule.UNPARSABLE: ("a line that is no JSON object", _LINE),
    Rule.SUPERSEDED: ("a later row has the same key", "Nothing, when the later row is right."),
    Rule.MISSING_KEY: ("no value in a key column", "Give the record its key in the source."),
    Rule.MISSING: ("no value in a required column", "Fill it in in the source."),
    Rule.UNKNOWN_CODE: ("a code without a meaning", "Use one of {allowed}, or add the code to the contract."),
    Rule.NOT_INTEGER: ("no whole number", "Write digits only."),
    Rule.NOT_NUMBER: ("no number", "Write it with {decimal!r} before the decimals."),
    Rule.NOT_BOOLEAN: ("neither yes nor no", "Write true or false."),
    Rule.NOT_DATE: ("no date that exists", "Write an existing date as {formats}."),
    Rule.IMPLAUSIBLE_DATE: ("a year before 1800 or after 2199", "Correct it, or list it under nullValues."),
    Rule.NOT_ALLOWED: ("not an allowed value", "Use one of {allowed}."),
    Rule.PATTERN: ("not of the agreed form", "Make it match {pattern}."),
    Rule.TOO_SHORT: ("too short", "Use at least {min_length} characters."),
    Rule.TOO_LONG: ("too long", "Use at most {max_length} characters."),
    Rule.BELOW_MINIMUM: ("too low or too early", "The lowest is {minimum}."),
    Rule.ABOVE_MAXIMUM: ("too high or too late", "The highest is {maximum}."),
    Rule.NOT_EMAIL: ("no e-mail address", "Write it as name@domain."),
    Rule.NOT_PHONE: ("no phone number", "Write at least six digits."),
}
