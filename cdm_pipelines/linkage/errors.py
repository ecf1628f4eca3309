"""The one exception of this room, and the hints that make it useful.

Belongs here: ``LinkageError`` and the search for what was probably meant. Does not belong here: deciding that
something is wrong.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class LinkageError(ValueError):
    """A policy, a table or a constraint that cannot be used; the message says which, why, and what to do.

    Messages carry names of files, keys, columns and records' ids, never a person's values.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'surname'?``, or the known names when none is near."""
    names = sorted(set(known))
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""
