"""A suggested linkage policy: its columns with the reasons for them, as YAML to edit and in words.

Belongs here: what a suggestion says and how it is written. Does not belong here: how columns are recognised and chosen
(suggest_policy).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from cdm_pipelines.linkage import LinkagePolicy, load_policy
from cdm_pipelines.linkage.policy.shipped import SHIPPED

ROW_NUMBER = "row_number"
"""The id of records without one: their place in the file."""

_WHOLE_NAME: dict[str, Any] = {
    "derived": {"name_words": {"of": "full_name", "take": "rare_tokens", "length": 2}},
    "comparisons": {
        "full_name": {
            "kind": "text",
            "columns": "full_name",
            "similarity": "token_sort",
            "at_least": [0.92, 0.82, 0.7],
            "shared": True,
            "term_frequency": {},
        }
    },
    "blocking": [
        {"keys": "full_name"},
        {"keys": ["name_words", "birth_year"]},
        {"keys": ["name_words", "postcode"]},
        {"keys": ["name_words", "city"]},
    ],
    "thresholds": {"not_alone": ["full_name"]},
}
"""What the person policy needs besides its own where a name comes whole."""
_PLACE_OF_BIRTH: dict[str, Any] = {
    "comparisons": {
        "birth_place": {
            "kind": "text",
            "columns": "birth_place",
            "at_least": [0.9],
            "shared": True,
            "term_frequency": {},
        }
    }
}


@dataclass(frozen=True)
class Choice:
    """A column of the policy.

    Attributes:
        name: As the policy names it.
        column: As the files name it.
        confidence: From 0 to 1.
        why: In words.
        clean: How its values are cleaned, where the shipped policy does not say it.
    """

    name: str
    column: str
    confidence: float
    why: str
    clean: str = ""


@dataclass(frozen=True)
class SuggestedPolicy:
    """A policy and the reasons for it.

    Attributes:
        kind: ``person`` or ``organisation``, the shipped policy that it extends.
        why: What tells which of the two it is.
        id: Column that identifies a record.
        several: Whether there are several files, each a source of its own.
        chosen: Columns that are used.
        left_out: Columns that are not, each with the reason.
        doubts: What a person should look at, in words.
    """

    kind: str
    why: str
    id: str
    several: bool
    chosen: tuple[Choice, ...]
    left_out: dict[str, str]
    doubts: tuple[str, ...]

    @property
    def confidence(self) -> float:
        """From 0 to 1: how sure the suggestion is of its least certain column."""
        return min(choice.confidence for choice in self.chosen)

    def to_yaml(self) -> str:
        """The policy as YAML with comments, a start to edit."""
        lines = [
            "# Suggested from the columns. A start to edit; docs/explanation/linkage.md has every key.",
            *(f"# ? {doubt}" for doubt in self.doubts),
            f"extends: {self.kind} # {self.why}",
            f"id: {_quoted(self.id)}",
            f"source: {'source # the name of the file' if self.several else 'null'}",
            "columns:",
        ]
        for choice in self.chosen:
            column = _quoted(choice.column)
            if choice.clean:
                column = f"{{column: {column}, clean: {choice.clean}}}"
            lines.append(f"  {choice.name}: {column} # {choice.confidence:.0%} sure: {choice.why}")
        if self.left_out:
            lines.append("# Not used: " + "; ".join(f"{name} ({why})" for name, why in self.left_out.items()))
        further = _further({choice.name for choice in self.chosen})
        if further:
            lines.append(
                yaml.safe_dump(further, sort_keys=False, default_flow_style=None, width=110).rstrip()
            )
        return "\n".join(lines) + "\n"

    def policy(self) -> LinkagePolicy:
        """The policy itself.

        Raises:
            LinkageError: The columns are not enough for one.
        """
        with TemporaryDirectory() as folder:
            path = Path(folder) / "suggested.yaml"
            path.write_text(self.to_yaml(), encoding="utf-8")
            return load_policy(path)

    def told(self) -> list[str]:
        """In words: what was chosen, how sure that is, and what to look at."""
        width = max(len(choice.name) for choice in self.chosen)
        verdict = "sure" if self.confidence >= 0.85 else "fairly sure" if self.confidence >= 0.7 else "unsure"
        lines = [
            f"No policy given. The columns suggest the {self.kind} policy ({self.why}); {verdict} of it:"
        ]
        lines += [
            f"  {choice.name:<{width}}  {choice.column}  {choice.confidence:.0%}, {choice.why}"
            for choice in self.chosen
        ]
        own = "the record's place in its file" if self.id == ROW_NUMBER else f"column {self.id!r}"
        lines.append(f"Record id: {own}.")
        if self.left_out:
            lines.append(
                "Not used: " + "; ".join(f"{name} ({why})" for name, why in self.left_out.items()) + "."
            )
        return [*lines, *(f"Look at this: {doubt}." for doubt in self.doubts)]


def _further(names: set[str]) -> dict[str, Any]:
    """What the policy needs besides the one that it extends."""
    if "full_name" in names:
        base = yaml.safe_load((SHIPPED / "person.yaml").read_text(encoding="utf-8"))
        place = _PLACE_OF_BIRTH["comparisons"] if "birth_place" in names else {}
        return {
            **_WHOLE_NAME,
            "comparisons": {**_WHOLE_NAME["comparisons"], **place},
            "blocking": [*base["blocking"], *_WHOLE_NAME["blocking"]],
        }
    return _PLACE_OF_BIRTH if "birth_place" in names else {}


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
