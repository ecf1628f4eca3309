"""What sources call interactions: the typed form of ``policies/interaction_words.yaml``.

Belongs here: loading it, and reading kinds, channels and directions by it. Does not belong here: what one value tells
of another (interaction).
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cdm_pipelines.standardise.distinct import TEXT, Arrays, over_distinct

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


def _texts(value: Any) -> Any:
    """YAML reads ``on`` as true and 1 as a number; they are meant as they are written."""
    return tuple(str(one) for one in value) if isinstance(value, list) else value


Words = dict[str, Annotated[tuple[str, ...], BeforeValidator(_texts)]]


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
            words: Words = getattr(self, name)
            if unknown := sorted(set(words) - set(known)):
                raise ValueError(f"{name}: there is no {', '.join(unknown)}; choose from {', '.join(known)}")
            counts = Counter(word for own in words.values() for word in {_key(one) for one in own})
            if twice := sorted(word for word, count in counts.items() if count > 1):
                raise ValueError(f"{name}: {', '.join(twice)} has two meanings; keep one")
        return self

    @classmethod
    def load(cls, policies: Path) -> Self:
        """Read those of a deployment: ``interaction_words.yaml`` of its policies, or else the one that is shipped.

        Raises:
            InteractionWordsError: The file is no YAML, or has an unknown or wrong key.
        """
        path = policies / FILE
        if not path.exists():
            path = Path(__file__).parents[1] / "policies" / FILE
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise InteractionWordsError(
                f"{path}: {problems}. Compare it with the file of the package."
            ) from None
        except (OSError, yaml.YAMLError) as error:
            raise InteractionWordsError(f"{path}: cannot be read as YAML ({type(error).__name__})") from None

    def kind(self, words: pa.Array) -> pa.Array:
        """The kinds that words mean; null where they mean none."""
        return _meant(words, self.kinds, KINDS)

    def channel(self, words: pa.Array) -> pa.Array:
        """The channels that words mean; null where they mean none."""
        return _meant(words, self.channels, CHANNELS)

    def direction(self, words: pa.Array) -> pa.Array:
        """The directions that words mean; null where they mean none."""
        return _meant(words, self.directions, (IN, OUT))


@cache
def shipped() -> InteractionWords:
    """The words of the package."""
    return InteractionWords.load(Path())


def _meant(words: pa.Array, meanings: Words, canonical: tuple[str, ...]) -> pa.Array:
    """What is meant by each of some words; a canonical word means itself whatever the lists say."""
    known = {_key(word): meaning for meaning, own in meanings.items() for word in own}
    known |= {_key(meaning): meaning for meaning in canonical}

    def read(values: pa.Array) -> Arrays:
        bare = pc.replace_substring_regex(pc.utf8_lower(values), r"[^\p{L}\p{N}]+", "")
        found = pc.index_in(bare, value_set=pa.array(list(known), TEXT))
        return (pa.array(list(known.values()), TEXT).take(found),)

    return over_distinct(read, words)[0]


def _key(word: str) -> str:
    return "".join(sign for sign in word.lower() if sign.isalnum())
