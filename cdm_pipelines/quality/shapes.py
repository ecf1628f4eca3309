"""The shape of a value: enough to see what is wrong with it, too little to know whose it is (R6).

Belongs here: shapes. Does not belong here: judging them.
"""

import unicodedata

import pyarrow as pa

MAX_LENGTH = 24


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


def shapes(values: pa.Array) -> pa.Array:
    """The shape of each of some texts; null stays null."""
    return pa.array([text if text is None else shape(text) for text in values.to_pylist()], pa.string())
