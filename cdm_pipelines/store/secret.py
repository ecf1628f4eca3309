"""The secret of a deployment: what keeps digests of few possible values from being guessed.

Belongs here: the file that holds it, and what is made with it: digests, and streams that hide numbers. Does not belong
here: which digests and numbers (whoever keeps them), salts of single decisions (identity), of the change feed (hub).

A phone number, a birth date, a name are one of so few that whoever has a digest of one finds it by trying all. With a
key that lies elsewhere the digest tells nothing. The key is a file under ``CDM_HOME``, readable by its owner alone; it
is made once, and belongs into the backups of ``CDM_HOME`` and not into those of the lake.
"""

import secrets
from dataclasses import dataclass, field
from hashlib import blake2b, shake_128
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from cdm_pipelines.store import files

_BYTES = 32
FILE = "secret.key"
"""Its name under ``CDM_HOME``."""


class SecretError(Exception):
    """The secret cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Secret:
    """A key that only this deployment has."""

    key: bytes = field(repr=False)

    @classmethod
    def of(cls, home: Path) -> Self:
        """The secret of a deployment; made where there is none.

        Args:
            home: ``CDM_HOME``.

        Raises:
            SecretError: The file holds something else.
        """
        path = home / FILE
        if not path.exists():
            files.write_once(path, secrets.token_bytes(_BYTES))
        key = path.read_bytes()
        if len(key) != _BYTES:
            raise SecretError(
                f"{path} is not the secret that was made there: put it back from a backup of CDM_HOME, or remove it. "
                "Without it all records are linked once more."
            )
        return cls(key)

    def digest(self, data: bytes | memoryview) -> str:
        """32 hexadecimal digits of keyed BLAKE2b: the same for the same bytes, and only in this deployment."""
        return blake2b(data, digest_size=16, key=self.key).hexdigest()

    def stream(self, name: str, size: int) -> npt.NDArray[np.uint64]:
        """So many numbers that nobody can foretell without the key (SHAKE128 over it and a name).

        Args:
            name: One that is never used for anything else.
            size: How many.
        """
        return np.frombuffer(shake_128(self.key + name.encode()).digest(8 * size), np.uint64)
