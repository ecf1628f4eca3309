"""All words of sources that standardisation reads by.

Belongs here: the files together. Does not belong here: a file (interaction_words, consent_words).
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from cdm_pipelines.standardise import consent_words, interaction_words
from cdm_pipelines.standardise.consent_words import ConsentWords
from cdm_pipelines.standardise.interaction_words import InteractionWords


@dataclass(frozen=True)
class SourceWords:
    """What sources call interactions, and what was said about consent."""

    interactions: InteractionWords
    consents: ConsentWords

    @classmethod
    def load(cls, policies: Path) -> Self:
        """Read those of a deployment, or else those that are shipped.

        Raises:
            InteractionWordsError, ConsentWordsError: A file is no YAML, or has an unknown or wrong key.
        """
        return cls(InteractionWords.load(policies), ConsentWords.load(policies))


@cache
def shipped() -> SourceWords:
    """The words of the package."""
    return SourceWords(interaction_words.shipped(), consent_words.shipped())
