"""What is made of customers with the secret of the deployment: keys of members, draws, digests of rows.

Belongs here: those three. Does not belong here: the secret (store.secret), or what is done with them.

A key is all that a system is told of who a member is for us; it says nothing to anybody else, and another audience has
another one. A draw is a number from 0 to 1 that nobody can foretell, the same for a golden id in every run: by it a
control group is drawn, and which members a cap leaves. Both follow from the golden id, which survives a merge as the
oldest id of those that were merged; who was in a control group stays in it by the ledger.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.publish.platforms.catalogue import WEBHOOK
from cdm_pipelines.store.secret import Secret

_BYTES = 16
_BETWEEN = "\x1f"


@dataclass(frozen=True)
class Keys:
    """What is made with the secret; it is read, or made, when it is first asked for.

    Attributes:
        home: ``CDM_HOME``.
    """

    home: Path

    @cached_property
    def _key(self) -> bytes:
        return Secret.of(self.home).key

    def member(self, audience: str, golden_id: UUID | str) -> str:
        """By what the system of an audience knows a customer."""
        return str(self.members(audience, [str(golden_id)])[0])

    def known_as(self, platform: str, audience: str, golden_id: UUID | str) -> str:
        """By what a platform knows a member: of a webhook, which is told golden ids, that is the golden id."""
        return str(golden_id) if platform == WEBHOOK else self.member(audience, golden_id)

    def members(self, audience: str, golden_ids: Sequence[str]) -> pa.Array:
        """The same of many."""
        return self._digests(golden_ids, f"member of {audience}{_BETWEEN}")

    def draws(self, audience: str, golden_ids: Sequence[str]) -> npt.NDArray[np.float64]:
        """The draw of each of some customers for an audience, from 0 to 1."""
        each = self._hashed(golden_ids, f"draw for {audience}{_BETWEEN}", 8)
        return np.frombuffer(b"".join(one.digest() for one in each), ">u8") / 2.0**64

    def rows(self, table: pa.Table) -> pa.Array:
        """A digest of each row of a file whose columns are all text; one that is empty is as one that is null."""
        columns = [pc.fill_null(one.combine_chunks(), "") for one in table.columns]
        joined = columns[0]
        for column in columns[1:]:
            joined = pc.binary_join_element_wise(joined, column, _BETWEEN)
        return self._digests(joined.to_pylist())

    def _digests(self, contents: Iterable[str], start: str = "") -> pa.Array:
        return pa.array([one.hexdigest() for one in self._hashed(contents, start, _BYTES)], pa.string())

    def _hashed(self, contents: Iterable[str], start: str, size: int) -> Iterator[blake2b]:
        """Keyed BLAKE2b of each text, with the same start before all: what all have in common is hashed once."""
        first = blake2b(start.encode(), digest_size=size, key=self._key)
        for one in contents:
            found = first.copy()
            found.update(one.encode())
            yield found
