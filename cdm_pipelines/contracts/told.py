"""What may be told of names that come with a delivery: of a column, a sheet, a file (R6).

Belongs here: the one decision whether such a name is shown or only its shape. Does not belong here: where it is told.

A file without its header has values for column names; a sheet or a file may be named after a customer. So a name is
shown where the contract has it, and what else there is by its shape.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from cdm_pipelines.contracts.model import SourceContract

MAX_LENGTH = 24
_UNNAMED = re.compile(r"unnamed_\d{1,4}")
_DATE = re.compile(r"\{date(?::([^}]+))?\}")
_USUAL = re.compile(
    r"parts?|deel|chunk|batch|file|bestand|full|volledig|delta|changes|wijzigingen|export|extract|copy|kopie|corrected|"
    r"correction|correctie|gecorrigeerd|new|nieuw|old|oud|final|definitief|version|versie|v|rev|retry|resend|again|"
    r"opnieuw|customers?|contacts?|accounts?|members?|orders?|lines?|payments?|csv|tsv|txt|jsonl?|parquet|xlsx?|gz|"
    r"zip|dat",
    re.IGNORECASE,
)
"""Words in names of files that are nobody's."""


class _Signs(dict[int, str]):
    """What each sign becomes, worked out once per sign."""

    def __missing__(self, code: int) -> str:
        category = unicodedata.category(chr(code))
        if category in ("Lu", "Lt"):
            shown = "A"
        elif category[0] in "LM":
            shown = "a"
        elif category[0] == "N":
            shown = "9"
        else:
            shown = chr(code) if 32 <= code < 127 else "?"
        self[code] = shown
        return shown


_SIGNS = _Signs()


def shape(value: str) -> str:
    """Letters become A or a, digits 9, other signs outside ASCII ``?``; cut off at 24 characters."""
    return value[:MAX_LENGTH].translate(_SIGNS)


def told_name(name: str, known: Collection[str]) -> str:
    """A name of a column or sheet as it may be told: itself, in quotes, where it is known, else its shape."""
    if name in known or _UNNAMED.fullmatch(name):
        return repr(name)
    return f"one of the form {shape(name)!r}"


def told_names(names: Iterable[str], known: Collection[str]) -> str:
    """Several of them, with commas between."""
    return ", ".join(told_name(name, known) for name in names)


def told_path(path: str, contract: SourceContract) -> str:
    """The path of a delivered file as it may be told: what the contract's location leaves open by its shape.

    Numbers of up to three digits and words such as ``corrected`` stay.
    """
    if not contract.location:
        return path
    fixed = re.split(r"(\*|\?|\{date(?::[^}]+)?\})", contract.location)
    pattern = "".join(
        f"(?P<o{place}>[^/]*)"
        if part in ("*", "?")
        else _stamp(found[1] or "%Y-%m-%d")
        if (found := _DATE.fullmatch(part))
        else re.escape(part)
        for place, part in enumerate(fixed)
    )
    whole = re.fullmatch(rf"{pattern}(?:\.gz|\.zip)?", path, re.IGNORECASE)
    if whole is None:
        return str(PurePosixPath(*(_open(part, contract) for part in PurePosixPath(path).parts)))
    told, end = "", 0
    for name in whole.groupdict():
        told += path[end : whole.start(name)] + _open(whole[name], contract)
        end = whole.end(name)
    return told + path[end:]


def _stamp(layout: str) -> str:
    parts = re.split(r"(%.)", layout)
    digits = {"%Y": r"\d{4}", "%j": r"\d{3}"}
    return "".join(digits.get(part, r"\d{2}") if part[:1] == "%" else re.escape(part) for part in parts)


def _open(text: str, contract: SourceContract) -> str:
    own = set(re.split(r"[^a-z0-9]+", contract.name.lower()))

    def one(part: re.Match[str]) -> str:
        word = part[0]
        usual = word.lower() in own or _USUAL.fullmatch(word)
        known = usual or (word.isdecimal() and len(word) <= 3)
        return word if known else shape(word)

    return re.sub(r"\d+|[^\W\d_]+|[^\x20-\x7e]", one, text)
