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
    CONFLICTING_KEY = "conflicting_key"
    NOBODY = "nobody"
    SPREADSHEET = "spreadsheet"
    TRAILING_ZERO = "trailing_zero"
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
    NOT_IDENTIFIER = "not_identifier"
    NOT_POSTCODE = "not_postcode"
    NO_CONTENT = "no_content"
    PLACEHOLDER = "placeholder"
    SHARED_MAILBOX = "shared_mailbox"
    EXTENSION = "extension"
    REMARK = "remark"
    ATTENTION = "attention"
    EMAIL_IN_NAME = "email_in_name"
    LEGAL_FORM = "legal_form"
    SEVERAL_PERSONS = "several_persons"
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_CONSENT = "unknown_consent"
    NO_TOKEN = "no_token"  # noqa: S105 - the name of a rule
    IMPOSSIBLE_TIME = "impossible_time"

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
        "the row sums up others, or counts them, and is no record",
        "Nothing, if so. Else say in dialect.totals how such rows begin.",
    ),
    Rule.HEADER_AGAIN: ("the row is the header once more", "Have the header delivered once."),
    Rule.UNJOINED: (
        "no record has the key of this row of a joined file, or a later row of that file has it too",
        "Check the key in joined, and whether both files are of the same day.",
    ),
    Rule.UNPARSABLE: ("a line that is no JSON object", _LINE),
    Rule.SUPERSEDED: (
        "a later row has the same key, or one of the file that was changed later",
        "Nothing, when the later row is right.",
    ),
    Rule.CONFLICTING_KEY: (
        "a later row of the file has the same key and says something else",
        "Find out why the source gives one key twice, or write repeatedKey: last in the contract: the last row counts.",
    ),
    Rule.NOBODY: (
        "neither a name nor an e-mail address, phone or identifying number",
        "Fill one in in the source, or leave the line out: it names nobody.",
    ),
    Rule.SPREADSHEET: (
        "what a spreadsheet makes of a value: digits lost (1.23E+12), an error sign (#N/A), a day in place of an id",
        "Export it anew, the column as text, and do not open the file in a spreadsheet in between.",
    ),
    Rule.TRAILING_ZERO: (
        "an id, or another value in digits, that was read as a fraction (1042.0)",
        "Nothing: it is read without the .0; export the column as text.",
    ),
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
    Rule.NOT_PHONE: (
        "no phone number",
        "Write one number as its country dials it, or with + and the country code.",
    ),
    Rule.NOT_IDENTIFIER: (
        "no number of its kind",
        "Write the number as it was issued, with its check digits.",
    ),
    Rule.NOT_POSTCODE: ("no postcode", "Write the postcode of the address's country."),
    Rule.NO_CONTENT: (
        "signs without a letter or digit",
        "Leave the cell empty, or list it under nullValues.",
    ),
    Rule.PLACEHOLDER: (
        "a value that stands for nobody (policies/placeholders.yaml)",
        "Leave the cell empty in the source, or take the value off the list.",
    ),
    Rule.SHARED_MAILBOX: (
        "a mailbox of a function and not of one person; kept, and weighs nothing in linking",
        "Give the person's own address where there is one.",
    ),
    Rule.EXTENSION: ("an extension behind the number, left off", "Nothing, or give it a column of its own."),
    Rule.REMARK: ("a remark beside the value, left off", "Give remarks a column of their own in the source."),
    Rule.ATTENTION: ("for the attention of somebody: the name is theirs", "Write the name alone."),
    Rule.EMAIL_IN_NAME: ("an e-mail address in a name", "Move it to the e-mail column in the source."),
    Rule.LEGAL_FORM: (
        "an organisation's name in the place of a person's",
        "Register it as an organisation in the source.",
    ),
    Rule.UNKNOWN_KIND: (
        "a kind, channel or direction of interaction that is not known; kept as other",
        "Add the word to policies/interaction_words.yaml, or give its meaning in the contract (values).",
    ),
    Rule.UNKNOWN_CONSENT: (
        "a state, channel or purpose of consent that is not known; kept, and nothing is allowed by it",
        "Add the word to policies/consent_words.yaml, or give its meaning in the contract (values, states).",
    ),
    Rule.NO_TOKEN: (
        "too long to be a token of a browser or device (longest_token in policies/interaction_words.yaml)",
        "Map the column that holds the identifier alone.",
    ),
    Rule.IMPOSSIBLE_TIME: (
        "a time later than the day that delivered it, or a date that stands for none; the row is kept without it",
        "Check the clock and time zone of the source, and dateFormats in the contract.",
    ),
    Rule.SEVERAL_PERSONS: ("two persons in one record", "Give each person a record of their own."),
}
