"""What is made of customers with the secret of the deployment: keys of members, draws, digests of rows.

Belongs here: those three. Does not belong here: the secret (store.secret), or what is done with them.

A key is all that a system is told of who a member is for us; it says nothing to anybody else, and another audience has
another one. A draw is a number from 0 to 1 that nobody can foretell, the same for a golden id in every run: by it a
control group is drawn, and which members a cap leaves. Both follow from the golden id, which survives a merge as the
oldest id of those that were merged; who was in a control group stays in it by the ledger.
"""

from collections.abc import Sequence
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
        return self._digest(f"member of {audience}{_BETWEEN}{golden_id}")

    def known_as(self, platform: str, audience: str, golden_id: UUID | str) -> str:
        """By what a platform knows a member: of a webhook, which is told golden ids, that is the golden id."""
        return str(golden_id) if platform == WEBHOOK else self.member(audience, golden_id)

    def members(self, audience: str, golden_ids: Sequence[str]) -> pa.Array:
        """The same of many."""
        return pa.array([self.member(audience, one) for one in golden_ids], pa.string())

    def draws(self, audience: str, golden_ids: Sequence[str]) -> npt.NDArray[np.float64]:
        """The draw of each of some customers for an audience, from 0 to 1."""
        key, start = self._key, f"draw for {audience}{_BETWEEN}"
        drawn = b"".join(
            blake2b((start + one).encode(), digest_size=8, key=key).digest() for one in golden_ids
        )
        return np.frombuffer(drawn, ">u8") / 2.0**64

    def rows(self, table: pa.Table) -> pa.Array:
        """A digest of each row of a file whose columns are all text; one that is empty is as one that is null."""
        columns = [pc.fill_null(one.combine_chunks(), "") for one in table.columns]
        joined = columns[0]
        for column in columns[1:]:
            joined = pc.binary_join_element_wise(joined, column, _BETWEEN)
        return pa.array([self._digest(one) for one in joined.to_pylist()], pa.string())

    def _digest(self, content: str) -> str:
        return blake2b(content.encode(), digest_size=_BYTES, key=self._key).hexdigest()
