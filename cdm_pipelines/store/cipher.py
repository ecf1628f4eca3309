"""Texts that are kept encrypted: AES-SIV (RFC 5297) under keys that lie outside of lake and database.

Belongs here: the file of keys, and columns of text sealed and opened. Does not belong here: which columns
(``privacy.protection``).

Under one key the same text gives the same sealed text. So sealed texts are compared, counted and linked as they are,
and whoever has two of them learns that they are equal and nothing else. A sealed text names its key: ``enc:1:`` and
base32, of which capitals and digits survive every way in which identifiers are cleaned. One that no key opens stays as
it is: a source may deliver what looks like one.
"""

import datetime as dt
from base64 import b32decode, b32encode
from binascii import Error as NotBase32
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from cdm_pipelines.store import files
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.key_files import Keys, read_keys, written

_BITS = 512
_BEGINNING = "enc:"
_SEALED = r"^enc:[0-9]+:[A-Z2-7]+$"
_MOST = 1 << 17
"""Pairs of a value and its sealed text that are remembered: a chunk passes several times within a step."""


class CipherError(Exception):
    """A key is missing or cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Cipher:
    """The keys by number; the highest one seals, and each opens what it sealed.

    Attributes:
        keys: Each key, and the day on which it was made.
    """

    keys: Keys = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, path: Path) -> Self:
        """The keys in a file; none where there is no file.

        Raises:
            CipherError: It holds something else.
        """
        if not path.exists():
            return cls()
        try:
            return cls(read_keys(path.read_text(encoding="utf-8"), _BITS // 8))
        except (OSError, ValueError):
            raise CipherError(
                f"{path} does not hold the keys that were written there: put it back from a copy. Without it nobody "
                "can read what is encrypted, so nothing runs."
            ) from None

    @property
    def number(self) -> int:
        """Of the key that seals; 0 where there is none."""
        return max(self.keys, default=0)

    def with_new_key(self, today: dt.date) -> Self:
        """These keys, and one more that seals from now on."""
        return type(self)({**self.keys, self.number + 1: (today.isoformat(), AESSIV.generate_key(_BITS))})

    def write(self, path: Path) -> None:
        """Write the file whole, readable by its owner alone.

        Raises:
            CipherError: It cannot be written.
        """
        self._put(path, files.write_whole)

    def write_first(self, path: Path) -> Self:
        """Write the file, unless another process was first; returns the keys that it holds.

        Raises:
            CipherError: It cannot be written.
        """
        self._put(path, files.write_once)
        return type(self).of(path)

    def _put(self, path: Path, write: Callable[[Path, bytes], None]) -> None:
        try:
            write(path, written(self.keys).encode())
        except OSError as error:
            raise CipherError(
                f"The keys cannot be written to {path}: {error.strerror}. Have it made writable for the pipeline, or "
                "name another file with CDM_PROTECTION_KEYS. Nothing is kept in clear that should be encrypted, so "
                "nothing runs."
            ) from None

    def seal(self, column: pa.Array | pa.ChunkedArray) -> pa.Array:
        """A column of text, each value sealed; empty stays empty."""
        return _by_value(column, self._sealed)

    def open(self, column: pa.Array | pa.ChunkedArray) -> pa.Array:
        """A column of text, each value that is sealed opened."""
        text = whole(column)
        if not pc.any(pc.starts_with(text, _BEGINNING)).as_py():
            return text
        return _by_value(text, self.opened)

    def seal_again(self, column: pa.Array | pa.ChunkedArray) -> pa.Array:
        """A column of text, each value that an earlier key sealed sealed under the newest; others stay as they are."""
        return _by_value(column, self._again)

    def opened(self, value: str) -> str:
        """What a text says; one that is not sealed says itself."""
        remembered = self._values.get(value)
        if remembered is not None:
            return remembered
        parts = value.split(":", 2)
        known = self._ciphers.get(parts[1]) if len(parts) == 3 and value.startswith(_BEGINNING) else None
        if known is None:
            return value
        try:
            plain = known.decrypt(b32decode(parts[2] + "=" * (-len(parts[2]) % 8)), None).decode()
        except (InvalidTag, NotBase32, ValueError):
            return value
        if parts[1] == str(self.number):
            self._remember(plain, value)
        return plain

    def outdated(self, column: pa.Array | pa.ChunkedArray) -> bool:
        """Whether a column of text holds any value that is sealed under an earlier key."""
        sealed = pc.match_substring_regex(column, _SEALED)
        return bool(pc.any(pc.and_not(sealed, pc.starts_with(column, self._prefix))).as_py())

    @property
    def _prefix(self) -> str:
        return f"{_BEGINNING}{self.number}:"

    @cached_property
    def _ciphers(self) -> Mapping[str, AESSIV]:
        return {str(number): AESSIV(key) for number, (_, key) in self.keys.items()}

    def _again(self, value: str) -> str:
        plain = self.opened(value)
        return value if plain == value else self._sealed(plain)

    def _sealed(self, value: str) -> str:
        found = self._pairs.get(value)
        if found is None:
            content = self._ciphers[str(self.number)].encrypt(value.encode(), None)
            found = f"{self._prefix}{b32encode(content).decode().rstrip('=')}"
            self._remember(value, found)
        return found

    def _remember(self, value: str, sealed: str) -> None:
        if len(self._pairs) > _MOST:
            self._pairs.clear()
            self._values.clear()
        self._pairs[value], self._values[sealed] = sealed, value

    @cached_property
    def _pairs(self) -> dict[str, str]:
        return {}

    @cached_property
    def _values(self) -> dict[str, str]:
        return {}


def hidden(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column of text, with a word in place of what is sealed."""
    return pc.if_else(pc.match_substring_regex(column, _SEALED), pa.scalar("(encrypted)"), column)


def _by_value(column: pa.Array | pa.ChunkedArray, change: Callable[[str], str]) -> pa.Array:
    """Change each distinct text once."""
    coded = whole(column).dictionary_encode()
    changed = pa.array([change(value) for value in coded.dictionary.to_pylist()], pa.string())
    return changed.take(coded.indices)
