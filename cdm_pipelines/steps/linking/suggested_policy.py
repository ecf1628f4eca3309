"""A suggested linkage policy: its columns with the reasons for them, as YAML to edit and in words.

Belongs here: what a suggestion says and how it is written. Does not belong here: how columns are recognised and chosen
(suggest_policy).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from cdm_pipelines.linkage import LinkagePolicy, load_policy
from cdm_pipelines.linkage.policy.shipped import SHIPPED
from cdm_pipelines.yaml_files import read_yaml

ROW_NUMBER = "row_number"
"""The id of records without one: their place in the file."""

SOURCES = ("source", "file", "name_of_file", "name_of_the_file")
"""What the column may be called that tells several files apart: one that no file has."""

_NOBODY_TWICE = "many records nearly agree with one of another file, hardly any with one of their own"

_READ = {
    "date": "with the year first",
    "date_dmy": "with the day first",
    "date_mdy": "with the month first",
}

Rule = Mapping[str, Any]


@dataclass(frozen=True)
class _Addition:
    """What a policy needs besides its own for a column that the shipped one does not know."""

    comparison: Mapping[str, Any]
    clean: str = "text"
    blocking: tuple[Rule, ...] = ()
    derived: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Mapping[str, Any] = field(default_factory=dict)


_ADDITIONS: Mapping[str, _Addition] = {
    "full_name": _Addition(
        {
            "kind": "text",
            "columns": "full_name",
            "similarity": "token_sort",
            "at_least": [0.92, 0.82, 0.7],
            "shared": True,
            "term_frequency": {},
        },
        blocking=(
            {"keys": "full_name"},
            {"keys": ["name_words", "birth_year"]},
            {"keys": ["name_words", "postcode"]},
            {"keys": ["name_words", "city"]},
        ),
        derived={"name_words": {"of": "full_name", "take": "rare_tokens", "length": 2}},
        thresholds={"not_alone": ["full_name"]},
    ),
    "middle_name": _Addition(
        {"kind": "given_name", "column": "middle_name", "term_frequency": {}},
        clean="name",
        blocking=(
            {"keys": ["middle_name", "surname_sound"], "refine": ["birth_year"]},
            {"keys": ["given_name", "middle_name"], "refine": ["surname_start"]},
        ),
    ),
    "second_surname": _Addition(
        {"kind": "surname", "column": "second_surname", "shared": True, "term_frequency": {}},
        clean="surname",
        blocking=(
            {"keys": ["surname_sound", "second_sound"], "refine": ["given_letter"]},
            {"keys": ["given_start", "second_sound"], "refine": ["birth_year"]},
        ),
        derived={"second_sound": {"of": "second_surname", "take": "phonetic", "length": 5}},
    ),
    "year_of_birth": _Addition(
        {"kind": "identifier", "column": "year_of_birth"},
        clean="digits",
        blocking=(
            {"keys": ["surname_sound", "year_of_birth"], "refine": ["given_letter"]},
            {"keys": ["given_name", "year_of_birth"], "refine": ["surname_start"]},
        ),
    ),
    "birth_place": _Addition(
        {
            "kind": "text",
            "columns": "birth_place",
            "at_least": [0.9],
            "shared": True,
            "term_frequency": {},
        },
        blocking=(
            {"keys": ["given_start", "surname_start", "birth_place"], "refine": ["birth_year"]},
            {"keys": ["any_sound", "birth_place"], "refine": ["birth_year"]},
        ),
    ),
    "national_id": _Addition(
        {"kind": "identifier", "column": "national_id"},
        clean="identifier",
        blocking=({"keys": "national_id"},),
    ),
    "region": _Addition({"kind": "exact", "column": "region", "shared": True}),
    "country": _Addition({"kind": "exact", "column": "country", "shared": True}),
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
        further: Columns that are read with it: other parts of a value, or what other files call it.
        dates_in: How the dates of a source are cleaned, where it writes them in a form of its own.
    """

    name: str
    column: str
    confidence: float
    why: str
    clean: str = ""
    further: tuple[str, ...] = ()
    dates_in: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All its columns."""
        return (self.column, *self.further)


@dataclass(frozen=True)
class SuggestedPolicy:
    """A policy and the reasons for it.

    Attributes:
        kind: ``person`` or ``organisation``, the shipped policy that it extends.
        why: What tells which of the two it is.
        id: Column that identifies a record.
        source: Column with the name of the file, where there are several: each is a source of its own.
        chosen: Columns that are used.
        left_out: Columns that are not, each with the reason.
        missed: Of these, the ones that may well tell people apart, with the reason: what a person should look at first.
        doubts: What a person should look at, in words.
        rules: Blocking rules besides those of the shipped policy and of the columns.
        covered: What blocking reaches, in words.
        duplicate_free: Sources in which nobody seems to be twice.
    """

    kind: str
    why: str
    id: str
    source: str | None
    chosen: tuple[Choice, ...]
    left_out: Mapping[str, str]
    missed: Mapping[str, str]
    doubts: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    covered: str = ""
    duplicate_free: tuple[str, ...] = ()

    @property
    def confidence(self) -> float:
        """From 0 to 1: how sure the suggestion is of its least certain column."""
        return min(choice.confidence for choice in self.chosen)

    def to_yaml(self) -> str:
        """The policy as YAML with comments, a start to edit."""
        lines = [
            *(
                f"# ! Not used though it may tell people apart: {name} ({why})"
                for name, why in self.missed.items()
            ),
            "# Suggested from the columns. A start to edit; docs/explanation/linkage.md has every key.",
            *(f"# ? {doubt}" for doubt in self.doubts),
            f"extends: {self.kind} # {self.why}",
            f"id: {_quoted(self.id)}",
            f"source: {f'{self.source} # the name of the file' if self.source else 'null'}",
            *(
                [f"duplicate_free: [{', '.join(map(_quoted, self.duplicate_free))}] # {_NOBODY_TWICE}"]
                if self.duplicate_free
                else []
            ),
            "columns:",
        ]
        for choice in self.chosen:
            column = _quoted(choice.column)
            if choice.further:
                column = f"[{', '.join(map(_quoted, choice.names))}]"
            clean = choice.clean or (_ADDITIONS[choice.name].clean if choice.name in _ADDITIONS else "")
            forms = ", ".join(f"{_quoted(source)}: {how}" for source, how in choice.dates_in)
            said = [f"clean: {clean}"] * bool(clean) + [f"dates_in: {{{forms}}}"] * bool(forms)
            if said:
                column = f"{{column: {column}, {', '.join(said)}}}"
            lines.append(f"  {choice.name}: {column} # {choice.confidence:.0%} sure: {choice.why}")
        if self.left_out:
            lines.append("# Not used: " + "; ".join(f"{name} ({why})" for name, why in self.left_out.items()))
        if self.covered:
            lines.append(f"# {self.covered}")
        further = _further(self.kind, {choice.name for choice in self.chosen}, self.rules)
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
            f"Not used though it may tell people apart: {name} ({why})." for name, why in self.missed.items()
        ]
        lines.append(
            f"No policy given. The columns suggest the {self.kind} policy ({self.why}); {verdict} of it:"
        )
        lines += [
            f"  {choice.name:<{width}}  {' + '.join(choice.names)}  {choice.confidence:.0%}, {choice.why}"
            for choice in self.chosen
        ]
        lines += [
            f"Dates of {source} are read {_READ[how]}, unlike those of the other files."
            for choice in self.chosen
            for source, how in choice.dates_in
        ]
        own = "the record's place in its file" if self.id == ROW_NUMBER else f"column {self.id!r}"
        lines.append(f"Record id: {own}.")
        lines += [f"{self.covered}."] if self.covered else []
        rest = {name: why for name, why in self.left_out.items() if name not in self.missed}
        if rest:
            lines.append("Not used: " + "; ".join(f"{name} ({why})" for name, why in rest.items()) + ".")
        if self.duplicate_free:
            lines.append(
                f"Taken to be free of duplicates: {', '.join(self.duplicate_free)} ({_NOBODY_TWICE})."
            )
        return [*lines, *(f"Look at this: {doubt}." for doubt in self.doubts)]


def _further(kind: str, names: set[str], rules: tuple[Rule, ...]) -> dict[str, Any]:
    """What the policy needs besides the one that it extends."""
    additions = {name: one for name, one in _ADDITIONS.items() if name in names}
    blocking = [dict(rule) for one in additions.values() for rule in one.blocking] + [
        dict(rule) for rule in rules
    ]
    further: dict[str, Any] = {}
    derived = {key: dict(made) for one in additions.values() for key, made in one.derived.items()}
    if derived:
        further["derived"] = derived
    if additions:
        further["comparisons"] = {name: dict(one.comparison) for name, one in additions.items()}
    if blocking:
        base = read_yaml(SHIPPED / f"{kind}.yaml")
        further["blocking"] = [*base["blocking"], *blocking]
    thresholds = {key: value for one in additions.values() for key, value in one.thresholds.items()}
    return {**further, **({"thresholds": thresholds} if thresholds else {})}


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
