"""Text as people meant it: Unicode NFC, repaired mojibake, single spaces, no control characters.

Belongs here: what holds for any text whatever it means. Does not belong here: casing (casing) or what a value means.
"""

import html
import re
import unicodedata
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.standardise.distinct import TEXT, Arrays, all_ascii, each, over_distinct, where_needed

# Printable ASCII with single spaces, without the ampersand that begins an HTML entity and the grave accent
# that stands for an apostrophe: nothing to do.
_CLEAN = r"^[!-%'-_a-~]+( [!-%'-_a-~]+)*$"
_CLEAN_LINES = r"^[!-%'-_a-~]+([ \n][!-%'-_a-~]+)*$"
_HAS_CONTENT, _HAS_PLAIN_CONTENT = r"[\p{L}\p{N}]", "[A-Za-z0-9]"
_PLACEHOLDERS = frozenset({"n/a", "n.v.t.", "nvt", "n.v.t", "onbekend", "unknown", "#n/b", "#n/a", "#n.b."})
_ROUNDS = 5  # nested damage, such as &amp;amp; or text that was mis-decoded twice
_APOSTROPHES = str.maketrans(
    {
        "\u2019": "'",
        "\u2018": "'",
        "\u02bc": "'",
        "\u00b4": "'",
        "`": "'",
        "\u0149": "'n",
        "\u0132": "IJ",
        "\u0133": "ij",
    }
)
_DASHES = re.compile("[\u2010\u2011\u2012\u2013\u2014\u2212]")
_NEWLINES = re.compile(r"[ \t]*(?:\r\n|[\n\r\u2028\u2029\x85\x0b\x0c])\s*")
_BLANKS = re.compile(r"\s+")
_BLANKS_IN_LINE = re.compile(r"[^\S\n]+")


def repair(value: str, *, keep_lines: bool = False) -> str:
    """One value repaired; ``keep_lines`` keeps line ends, as a newline character."""
    from ftfy import fix_encoding  # noqa: PLC0415 - loads where some text is damaged
    from ftfy.badness import is_bad  # noqa: PLC0415

    for _ in range(_ROUNDS):
        before = value
        if "&" in value:
            value = html.unescape(value)
        if is_bad(value):
            value = fix_encoding(value)
        value = plain_punctuation(unicodedata.normalize("NFC", value))
        value = _without_controls(_NEWLINES.sub("\n" if keep_lines else " ", value))
        value = (_BLANKS_IN_LINE if keep_lines else _BLANKS).sub(" ", value).strip()
        if value == before:
            break
    return value


def visible(column: pa.Array) -> pa.Array:
    """Codes without signs that nobody sees: zero-width ones, byte-order marks, soft hyphens; odd blanks are plain ones.

    For what is compared as it stands and was copied from a web page or a mail: addresses, numbers.
    """

    def shown(values: pa.Array) -> Arrays:
        foreign = pc.invert(pc.match_substring_regex(values, r"^[ -~]*$"))
        return (where_needed(values, foreign, _visible_each, values),)

    return over_distinct(shown, column)[0]


def _visible_each(values: pa.Array) -> pa.Array:
    return each(lambda value: (visible_text(value) or None,), (TEXT,), values)[0]


def visible_text(value: str) -> str:
    """One value as ``visible`` has it."""
    return (
        value
        if value.isascii() and value.isprintable()
        else _DASHES.sub("-", _without_controls(value)).strip()
    )


def _without_controls(value: str) -> str:
    """Drop control, format and unassigned characters; a tab becomes a space."""
    if value.isprintable():
        return value
    kept = (
        " " if c == "\t" or unicodedata.category(c) == "Zs" else c
        for c in value
        if c in "\t\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    )
    return "".join(kept)


def plain_punctuation(value: str) -> str:
    """Typographic apostrophes and dashes in their ASCII form, the Dutch ligature as two letters."""
    return _DASHES.sub("-", value.translate(_APOSTROPHES))


def clean(column: pa.Array, *, keep_lines: bool = False, placeholders: bool = True) -> pa.Array:
    """Repair a text column; null where no letter or digit is left.

    Args:
        column: Text.
        keep_lines: Keep line ends: an address of several lines.
        placeholders: Whether words that stand for "nothing" (n.v.t., unknown) become null.
    """

    def repaired(values: pa.Array) -> Arrays:
        dirty = pc.invert(pc.match_substring_regex(values, _CLEAN_LINES if keep_lines else _CLEAN))
        values = where_needed(
            values, dirty, lambda damaged: _repair_each(damaged, keep_lines=keep_lines), values
        )
        content = _HAS_PLAIN_CONTENT if all_ascii(values) else _HAS_CONTENT
        values = pc.if_else(pc.match_substring_regex(values, content), values, pa.scalar(None, TEXT))
        if placeholders:
            empty = pc.is_in(pc.utf8_lower(values), value_set=pa.array(sorted(_PLACEHOLDERS)))
            values = pc.if_else(empty, pa.scalar(None, TEXT), values)
        return (values,)

    return over_distinct(repaired, column)[0]


def why_nothing(given: pa.Array, read: pa.Array) -> Iterator[tuple[Rule, pa.Array]]:
    """Where `clean` left nothing: because a word stands for it, or because there is no letter or digit."""
    lost = pc.and_(pc.is_valid(given), pc.is_null(read))
    if pc.any(lost).as_py():
        content = pc.match_substring_regex(given, _HAS_CONTENT)
        yield Rule.PLACEHOLDER, pc.and_(lost, content)
        yield Rule.NO_CONTENT, pc.and_not(lost, content)


def _repair_each(values: pa.Array, *, keep_lines: bool) -> pa.Array:
    return each(lambda value: (repair(value, keep_lines=keep_lines),), (TEXT,), values)[0]
