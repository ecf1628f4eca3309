"""Reading word lists that are written as text.

Belongs here: the one helper for it. Does not belong here: any word.
"""


def words(text: str) -> frozenset[str]:
    """The words of a text, for look-ups."""
    return frozenset(text.split())
