"""Where the records are in JSON that nobody has described.

Belongs here: telling JSON Lines from a document, and the path of the array of records. Does not belong here: reading
either (jsonl, json_document).
"""

import json
import re

_LOOKED_AT = 20
_OPENED = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s"\[\]{}:,]+')


def has_lines_of_objects(text: str, *, whole: bool) -> bool:
    """Whether nearly all of the first lines hold an object each; of a sample the last line may be cut off."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not whole and len(lines) > 1:
        lines = lines[:-1]
    lines = lines[:_LOOKED_AT]
    good = sum(_is_object(line) for line in lines)
    if len(lines) == 1 and good:
        return not _wraps(json.loads(lines[0]))
    return bool(lines) and good >= 0.5 * len(lines)


def records_at(text: str) -> str | None:
    """Path of the first array of objects; empty for the document itself, None when there is none.

    Read sign by sign, as the text may be the beginning of a document only.
    """
    path: list[str | None] = []
    name: str | None = None
    signs = [found[0] for found in _OPENED.finditer(text)]
    for place, sign in enumerate(signs):
        if sign == "[":
            following = signs[place + 1 : place + 2]
            if following == ["{"] and None not in path:
                return ".".join(part for part in [*path, name] if part)
            path.append(None)
        elif sign == "{":
            if place:
                path.append(name)
            name = None
        elif sign in "]}" and path:
            path.pop()
        elif sign.startswith('"') and signs[place + 1 : place + 2] == [":"]:
            name = _name(sign)
    return None


def _name(sign: str) -> str:
    try:
        return str(json.loads(sign))
    except ValueError:
        return sign.strip('"')


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _wraps(document: dict[str, object]) -> bool:
    """Whether one object holds an array of objects, as a document does and a single record seldom."""
    arrays = [value for value in document.values() if isinstance(value, list) and value]
    return any(isinstance(value[0], dict) for value in arrays) or any(
        isinstance(value, dict) and _wraps(value) for value in document.values()
    )
