"""Keys as they are kept in a file: a list of number, day on which it was made, and the key in hexadecimal digits.

Belongs here: that form, there and back. Does not belong here: what keys are for (keyring, cipher).
"""

import datetime as dt
import json
from collections.abc import Mapping

Keys = Mapping[int, tuple[str, bytes]]
"""By number the day on which a key was made, ISO 8601, and the key."""


def read_keys(text: str, size: int) -> Keys:
    """The keys that a text holds.

    Args:
        text: Of the file.
        size: Bytes of each key.

    Raises:
        ValueError: It holds something else.
    """
    try:
        told = json.loads(text)
        found = {int(number): (str(made), bytes.fromhex(key)) for number, made, key in told}
    except TypeError as error:
        raise ValueError(str(error)) from None
    if any(len(key) != size or not dt.date.fromisoformat(made) for made, key in found.values()):
        raise ValueError("a key of another size")
    return found


def written(keys: Keys) -> str:
    """The text that holds keys."""
    return json.dumps([[number, made, key.hex()] for number, (made, key) in sorted(keys.items())])
