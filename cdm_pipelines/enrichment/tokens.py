"""What a token is, and which rules decide whose the visits of one are.

Belongs here: ``policies/interactions.yaml``, the eras in which its rules hold, and telling a token from what is none.
Does not belong here: attaching visits (``attachment``), or counting them (``interactions``).

Others who stitch visits leave out the same values (Snowplow, Segment, RudderStack document lists of them): a token that
thousands of browsers share makes one person of them all.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cdm_pipelines.settings import Settings
from cdm_pipelines.yaml_files import YamlError, read_yaml

POLICY = "interactions.yaml"
LONGEST = 1024
"""A token of more characters is none whatever the policy says, and is kept cut off."""
MOST_CUSTOMERS = 10
"""A token may be allowed no more customers than this."""


class InteractionPolicyError(ValueError):
    """``interactions.yaml`` cannot be used; the message names the file, the key and the fix."""


def _pattern(value: str) -> str:
    try:
        re.compile(value)
        pc.match_substring_regex(pa.array([""]), value)  # RE2, as DuckDB has it
    except (re.error, pa.ArrowInvalid):
        raise ValueError(f"{value!r} is no regular expression of RE2") from None
    return value


def _small(value: str) -> str:
    return " ".join(value.lower().split())


Pattern = Annotated[str, AfterValidator(_pattern)]
Word = Annotated[str, AfterValidator(_small), Field(min_length=1)]


class Rules(BaseModel):
    """What decides whose a visit is; see ``policies/interactions.yaml`` for the meaning of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    no_tokens: tuple[Word, ...] = ()
    no_token_patterns: tuple[Pattern, ...] = ()
    longest_token: int = Field(default=256, ge=8, le=LONGEST, strict=True)
    channels_left_out: tuple[Word, ...] = ()
    look_back_days: int = Field(default=90, ge=0, le=3650, strict=True)
    customers_per_token: int = Field(default=1, ge=1, le=MOST_CUSTOMERS, strict=True)
    numbers_of: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Changes when a rule does."""
        return sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:16]


class InteractionPolicy(Rules):
    """The rules that hold from now on, and whether they hold for what was before."""

    version: Literal[1]
    apply_to: Literal["new", "all"] = "all"

    @property
    def rules(self) -> Rules:
        """The rules alone."""
        return Rules.model_validate(self.model_dump(exclude={"version", "apply_to"}))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the policy from YAML; where a company's folder has none, of an earlier release, that of the package.

        Raises:
            InteractionPolicyError: The file is no YAML, or has an unknown, missing or wrong key.
        """
        path = path if path.exists() else Settings.model_fields["policies"].default / path.name
        try:
            return cls.model_validate(read_yaml(path))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
                for e in error.errors(include_input=False, include_url=False)
            )
            raise InteractionPolicyError(
                f"{path}: {problems}. Compare it with the file of the package."
            ) from None
        except YamlError as error:
            raise InteractionPolicyError(f"{path}: {error}. Copy the file of the package there.") from None


@dataclass(frozen=True)
class Era:
    """Rules, and the days for which they hold.

    Attributes:
        after: They hold for what was delivered after this day, YYYY-MM-DD; for everything when empty.
        rules: The rules.
    """

    after: str
    rules: Rules


Eras = Sequence[Era]
"""In the order of their days, the first with an empty ``after``."""


def eras_now(former: Eras, policy: InteractionPolicy, newest: str) -> tuple[Era, ...]:
    """The eras under today's policy.

    Args:
        former: Those of the run before; empty where there was none.
        policy: Today's.
        newest: The newest day that the run before knew, YYYY-MM-DD; empty where there was none.
    """
    if policy.apply_to == "all" or not former or not newest:
        return (Era("", policy.rules),)
    if former[-1].rules == policy.rules:
        return tuple(former)
    kept = [era for era in former if not era.after or era.after < newest]
    return (*kept, Era(newest, policy.rules))


def eras_as_json(eras: Eras) -> list[dict[str, Any]]:
    """Eras as they are kept."""
    return [{"after": era.after, "rules": era.rules.model_dump(mode="json")} for era in eras]


def eras_from_json(kept: Sequence[Mapping[str, Any]]) -> tuple[Era, ...]:
    """What ``eras_as_json`` gave; rules that an earlier release did not know are as that release had them."""
    return tuple(Era(str(era["after"]), Rules.model_validate(era["rules"])) for era in kept)


_AROUND = " \\t\\r\\n\"'`´‘’“”„\\\\"  # noqa: RUF001 - quotes of all kinds are what is meant
"""Quotes and blanks that may stand around a token, as they are written between brackets of a regular expression."""
_SIGNS = _AROUND.replace(r"\t", "\t").replace(r"\r", "\r").replace(r"\n", "\n").replace(r"\\", "\\")
_BEFORE, _BEHIND = rf"[{_AROUND}\[({{<]*", rf"[{_AROUND}\])}}>]*"
_NOTHING = r"[0(){}\[\] .-]*"
_JOINED = "[._:|/,;-]"
_MOST_WORDS = 4
"""So many words for nothing, joined, are taken for nothing."""
_ESCAPES = {
    "%20": " ",
    "%22": '"',
    "%27": "'",
    "%5b": "[",
    "%5d": "]",
    "%7b": "{",
    "%7d": "}",
    "%28": "(",
    "%29": ")",
}


def canonical_sql(column: str) -> str:
    """SQL for a token without the quotes and blanks around it, null where nothing is left; kept short.

    Which device it names follows from the rest, whatever the policy says.
    """
    # Trimming every token takes ten times as long as looking whether there is anything to trim.
    around = _quoted(f"^[{_AROUND}]+|[{_AROUND}]+$")
    short = f"left({column}, {LONGEST + 1})"
    return f"""nullif(CASE WHEN regexp_matches({column}, {around})
        THEN left(regexp_replace({column}, {around}, '', 'g'), {LONGEST + 1}) ELSE {short} END, '')"""


def canonical(tokens: pa.Array) -> pa.Array:
    """What ``canonical_sql`` gives of the tokens of an array."""
    plain = pc.utf8_slice_codeunits(pc.utf8_trim(tokens, _SIGNS), 0, LONGEST + 1)
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)


def is_none_sql(column: str, rules: Rules) -> str:
    """SQL for whether a canonical token is none under some rules; null of null."""
    plain = f"lower({column})"
    tests = [f"length({column}) > {rules.longest_token}", f"regexp_full_match({column}, '{_NOTHING}')"]
    if rules.no_tokens:
        word = "(" + "|".join(re.escape(one) for one in sorted(rules.no_tokens)) + ")"
        several = f"{_BEFORE}{word}{_BEHIND}({_JOINED}{word}){{0,{_MOST_WORDS - 1}}}{_BEHIND}"
        unescaped = plain
        for escape, sign in _ESCAPES.items():
            unescaped = f"replace({unescaped}, {_quoted(escape)}, {_quoted(sign)})"
        unescaped = f"CASE WHEN contains({column}, '%') THEN {unescaped} ELSE {plain} END"
        tests.append(f"regexp_full_match({unescaped}, {_quoted(several)})")
    tests += [f"regexp_full_match({plain}, {_quoted(one)})" for one in rules.no_token_patterns]
    return f"({' OR '.join(tests)})"


def left_out_sql(channel: str, rules: Rules) -> str:
    """SQL for whether tokens of a channel tell of nobody."""
    if not rules.channels_left_out:
        return "false"
    words = ", ".join(map(_quoted, rules.channels_left_out))
    return f"coalesce({channel} IN ({words}), false)"


def numbers_of_sql(rules: Rules) -> str:
    """SQL for the pairs of a source and one whose numbers its interactions use; those that are not named use their own.

    Columns ``said_by``, ``source`` and ``rank``, lower ones first.
    """
    rows = [
        f"({_quoted(one)}, {_quoted(other)}, {rank})"
        for one, others in sorted(rules.numbers_of.items())
        for rank, other in enumerate(others)
    ]
    if not rows:
        return "SELECT '' AS said_by, '' AS source, 0 AS rank WHERE false"
    return f"SELECT * FROM (VALUES {', '.join(rows)}) named(said_by, source, rank)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
