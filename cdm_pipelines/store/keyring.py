"""Keys that rotate: what is kept of erased persons can be compared with a delivery, and with nothing else.

Belongs here: the file that holds the keys, and digests under them. Does not belong here: what is digested
(``privacy.tombstones``), the one secret of the deployment (``secret``).

A key is used for a year and kept for as long as anything was digested with it: without it nobody can tell any more
whether a delivered row is of an erased person. So a key that is missing is told, and never made anew.
"""

import datetime as dt
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cdm_pipelines.store import files
from cdm_pipelines.store.key_files import Keys, read_keys, written

FILE = "privacy/tombstone.keys"
"""Its name under ``CDM_HOME``."""
_BYTES, _DIGITS, _YEAR = 32, 32, dt.timedelta(days=365)


class KeyringError(Exception):
    """A key is missing or cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Keyring:
    """The keys by number; the highest one is in use.

    Attributes:
        keys: Each key, and the day on which it was made.
    """

    keys: Keys = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, home: Path) -> Self:
        """The keys of a deployment; none where there is no file.

        Raises:
            KeyringError: The file holds something else.
        """
        path = home / FILE
        return cls.parsed(path.read_text(encoding="utf-8"), str(path)) if path.exists() else cls()

    @classmethod
    def parsed(cls, text: str, where: str) -> Self:
        """The keys that a text holds.

        Raises:
            KeyringError: It holds something else.
        """
        try:
            return cls(read_keys(text, _BYTES))
        except ValueError:
            raise KeyringError(
                f"{where} does not hold the keys that were written there: put it back from a copy of CDM_HOME. Without "
                "it nobody can tell whether a delivered row is of an erased person, so nothing runs."
            ) from None

    @property
    def text(self) -> str:
        """As it is kept."""
        return written(self.keys)

    def current(self, home: Path, today: dt.date) -> tuple["Keyring", int]:
        """The keyring and the number of the key in use; a new one is made and written where that is a year old."""
        last = max(self.keys, default=0)
        if last and dt.date.fromisoformat(self.keys[last][0]) + _YEAR > today:
            return self, last
        more = Keyring({**self.keys, last + 1: (today.isoformat(), secrets.token_bytes(_BYTES))})
        more.write(home)
        return more, last + 1

    def with_others(self, other: "Keyring") -> "Keyring":
        """These keys and those of another keyring that are not among them."""
        return Keyring({**other.keys, **self.keys})

    def write(self, home: Path) -> None:
        """Write the file whole, readable by its owner alone."""
        files.write_whole(home / FILE, self.text.encode())

    def digest(self, number: int, text: str) -> str:
        """HMAC-SHA256 of a text under a key, its first 32 hexadecimal digits."""
        return hmac.digest(self.keys[number][1], text.encode(), "sha256").hex()[:_DIGITS]

    def require(self, numbers: set[int]) -> None:
        """Make sure that keys are there.

        Raises:
            KeyringError: One is missing.
        """
        if missing := sorted(numbers - set(self.keys)):
            raise KeyringError(
                f"Key {missing[0]} of {FILE} under CDM_HOME is missing, under which persons who were erased are known. "
                "Put the file back from a copy of CDM_HOME or from beside a backup. Without it nobody can tell whether "
                "a delivered row is of one of them, so nothing runs."
            )
