"""What sources call interactions: the typed form of ``policies/interaction_words.yaml``.

Belongs here: loading it, and reading kinds, channels and directions by it. Does not belong here: what one value tells
of another (interaction).
"""

from functools import cache
from pathlib import Path
from typing import Self

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cdm_pipelines.standardise.words import Words, check_words, load_words, meant

FILE = "interaction_words.yaml"
OTHER = "other"
IN, OUT = "in", "out"
CHANNELS = ("web", "email", "phone", "chat", "shop", "service desk", OTHER)
KINDS = (
    "visit", "product_view", "cart", "search", "sent", "open", "click", "bounce", "unsubscribe", "call",
    "ticket_opened", "ticket_solved", "ticket_rated", "complaint", OTHER,
)  # fmt: skip


class InteractionWordsError(ValueError):
    """``interaction_words.yaml`` cannot be used; the message names the file, the key and the fix."""


class InteractionWords(BaseModel):
    """Words of sources by what they mean.

    Attributes:
        kinds: Words by kind.
        channels: Words by channel.
        directions: Words for ``in`` and ``out``.
        longest_token: Longer ones, in characters, are none.
        days_ahead: How many days later than its extract an interaction may be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: Words
    channels: Words
    directions: Words
    longest_token: int = Field(ge=1)
    days_ahead: int = Field(ge=0)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name, known in (("kinds", KINDS), ("channels", CHANNELS), ("directions", (IN, OUT))):
            check_words(name, getattr(self, name), known)
        return self

    @classmethod
    def load(cls, policies: Path) -> Self:
        """Read those of a deployment: ``interaction_words.yaml`` of its policies, or else the one that is shipped.

        Raises:
            InteractionWordsError: The file is no YAML, or has an unknown or wrong key.
        """
        return load_words(cls, policies, FILE, InteractionWordsError)

    def kind(self, words: pa.Array) -> pa.Array:
        """The kinds that words mean; null where they mean none."""
        return meant(words, self.kinds, KINDS)

    def channel(self, words: pa.Array) -> pa.Array:
        """The channels that words mean; null where they mean none."""
        return meant(words, self.channels, CHANNELS)

    def direction(self, words: pa.Array) -> pa.Array:
        """The directions that words mean; null where they mean none."""
        return meant(words, self.directions, (IN, OUT))


@cache
def shipped() -> InteractionWords:
    """The words of the package."""
    return InteractionWords.load(Path())
