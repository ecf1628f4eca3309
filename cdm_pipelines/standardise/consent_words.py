"""What sources call what was said about consent: the typed form of ``policies/consent_words.yaml``.

Belongs here: loading it, and reading states, channels and purposes by it. Does not belong here: what follows from what
was said (privacy.consent).
"""

from functools import cache
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, model_validator

from cdm_pipelines.standardise.distinct import TEXT, Arrays, coalesce, over_distinct
from cdm_pipelines.standardise.words import WordList, Words, check_once, check_words, load_words, meant

FILE = "consent_words.yaml"
STATES = ("given", "refused", "withdrawn", "objected")
NOTHING, UNKNOWN, OTHER = "nothing", "unknown", "other"
CHANNELS = ("email", "phone", "post", "sms", "visit", "web", "app", OTHER)


class ConsentWordsError(ValueError):
    """``consent_words.yaml`` cannot be used; the message names the file, the key and the fix."""


class ConsentWords(BaseModel):
    """Words of sources by what they mean.

    Attributes:
        states: Words by state.
        nothing: Words that are known and say nothing.
        channels: Words by channel.
        purposes: Words by the key of a purpose.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    states: Words
    nothing: WordList
    channels: Words
    purposes: Words

    @model_validator(mode="after")
    def _known(self) -> Self:
        check_words("states", self.states, STATES)
        check_once("states and nothing", [*self.states.values(), self.nothing])
        check_words("channels", self.channels, CHANNELS)
        check_words("purposes", self.purposes, None)
        return self

    @classmethod
    def load(cls, policies: Path) -> Self:
        """Read those of a deployment, or else those that are shipped.

        Raises:
            ConsentWordsError: The file is no YAML, or has an unknown or wrong key.
        """
        return load_words(cls, policies, FILE, ConsentWordsError)

    def state(self, words: pa.Array) -> pa.Array:
        """The states that words mean, ``nothing`` among them; null where they mean none."""
        return meant(words, {**self.states, NOTHING: self.nothing}, (*STATES, NOTHING))

    def channel(self, words: pa.Array) -> pa.Array:
        """The channels that words mean; null where they mean none."""
        return meant(words, self.channels, CHANNELS)

    def purpose(self, words: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Keys of the purposes that words mean, and which words are not known: those stay as they are, as a key."""
        known = meant(words, self.purposes, self.purposes)
        unknown = pc.and_(pc.is_valid(words), pc.is_null(known))
        return coalesce(known, over_distinct(_as_key, words)[0]), unknown


def _as_key(words: pa.Array) -> Arrays:
    plain = pc.replace_substring_regex(pc.utf8_lower(words), r"[^\p{L}\p{N}]+", "_")
    key = pc.utf8_trim(plain, "_")
    return (pc.if_else(pc.equal(key, ""), pa.scalar(None, TEXT), key),)


@cache
def shipped() -> ConsentWords:
    """The words of the package."""
    return ConsentWords.load(Path())
