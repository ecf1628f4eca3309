"""Words of sources by what they mean: what files of such words have in common.

Belongs here: the type of such a list, its checks, reading an array by it. Does not belong here: which words there are
(interaction_words, consent_words, placeholders).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, BeforeValidator, ValidationError

from cdm_pipelines.standardise.distinct import TEXT, Arrays, over_distinct
from cdm_pipelines.yaml_files import YamlError, parse_yaml

_Model = TypeVar("_Model", bound=BaseModel)
_QUOTES = 'write "yes", "no", "on", "off", "true", "false" and "null" with quotation marks'


def _text(value: Any) -> str:
    """A word as it is written: YAML reads 1 as a number and 1900-01-01 as a date, and what it read ``yes`` as is lost.

    Raises:
        ValueError: It was read as true, false or nothing.
    """
    if value is None or isinstance(value, bool):
        read = "no word at all" if value is None else f"{value}".lower()
        raise ValueError(f"holds a word that YAML reads as {read}; {_QUOTES}")
    return str(value)


def _texts(value: Any) -> Any:
    return tuple(map(_text, value)) if isinstance(value, list) else value


WordList = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Words = dict[str, WordList]


def check_words(name: str, words: Words, known: Sequence[str] | None) -> None:
    """See that only known meanings are named, and that no word has two.

    Raises:
        ValueError: One is not known, or a word has two meanings.
    """
    if known is not None and (unknown := sorted(set(words) - set(known))):
        raise ValueError(f"{name}: there is no {', '.join(unknown)}; choose from {', '.join(known)}")
    check_once(name, words.values())


def check_once(name: str, lists: Iterable[Sequence[str]]) -> None:
    """See that no word stands in two lists.

    Raises:
        ValueError: One does.
    """
    counts = Counter(word for own in lists for word in {key_of(one) for one in own})
    if twice := sorted(word for word, count in counts.items() if count > 1):
        raise ValueError(f"{name}: {', '.join(twice)} has two meanings; keep one")


def meant(words: pa.Array, meanings: Words, canonical: Iterable[str]) -> pa.Array:
    """What is meant by each of some words; a canonical word means itself whatever the lists say."""
    known = {key_of(word): meaning for meaning, own in meanings.items() for word in own}
    known |= {key_of(meaning): meaning for meaning in canonical}

    def read(values: pa.Array) -> Arrays:
        bare = pc.replace_substring_regex(pc.utf8_lower(values), r"[^\p{L}\p{N}]+", "")
        found = pc.index_in(bare, value_set=pa.array(list(known), TEXT))
        return (pa.array(list(known.values()), TEXT).take(found),)

    return over_distinct(read, words)[0]


def key_of(word: str) -> str:
    """A word without what does not matter."""
    return "".join(sign for sign in word.lower() if sign.isalnum())


def load_words(model: type[_Model], policies: Path, file: str, error: type[ValueError]) -> _Model:
    """Read those of a deployment: a file of its policies, or else the one that is shipped.

    Raises:
        ValueError: Of the given type: the file is no YAML, or has an unknown or wrong key.
    """
    path = policies / file
    if not path.exists():
        path = Path(__file__).parents[1] / "policies" / file
    try:
        said = _said(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError) as wrong:
        raise error(f"{path}: cannot be read as YAML ({type(wrong).__name__})") from None
    except YamlError as wrong:
        raise error(f"{path}: {wrong}") from None
    try:
        return model.model_validate(said)
    except ValidationError as wrong:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in wrong.errors())
        raise error(f"{path}: {problems}. Compare it with the file of the package.") from None


@lru_cache(maxsize=32)
def _said(text: str) -> Any:
    """What a text says, read once: each step of a run asks for the same words. Nobody changes it."""
    return parse_yaml(text)
