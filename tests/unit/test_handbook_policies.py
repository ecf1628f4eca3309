"""The reference of policies: every key that a shipped file writes is explained, and the explanation is the model's."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import BaseModel, Field

from handbook.fields import Key, keys_of
from handbook.policies import SHIPPED, comments, policies_page

ROWS = [
    [cell.strip() for cell in line.split(" | ")]
    for line in policies_page().splitlines()
    if line.startswith("| `")
]


@pytest.mark.parametrize("file", sorted(SHIPPED.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_key_of_a_shipped_file_is_in_the_reference(file: Path) -> None:
    if file.name == "given_names.yaml":  # a list of names, which a policy names as its table
        return
    sections = policies_page().split("\n## ")[1:]
    (section,) = [one for one in sections if file.name in one.partition("\n")[0]]
    known = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    assert set(yaml.safe_load(file.read_text(encoding="utf-8"))) <= known


def test_every_key_says_what_it_takes_and_what_it_means() -> None:
    assert [row for row in ROWS if not row[1] or row[-1].strip(" |") == ""] == []
    assert len(ROWS) > 400


class _Inner(BaseModel):
    """One of several.

    Attributes:
        size: How large it is.
    """

    size: Annotated[int, Field(ge=1)] = 3
    kind: Literal["a", "b"]


class _Whole(BaseModel):
    inner: dict[str, _Inner] = {}
    usual: _Inner = _Inner(size=7, kind="b")
    name: str | None = None
    """Its name."""
    far: bool = False  # whether it is


def test_keys_follow_from_the_model() -> None:
    assert list(keys_of(_Whole)) == [
        Key("inner", "by name: the keys below", "none", ""),
        Key("inner.<name>.size", "whole number, 1 or more", "`3`", "How large it is."),
        Key("inner.<name>.kind", "`a`, `b`", "must be there", ""),
        Key("usual", "keys below", "those below", ""),
        Key("usual.size", "whole number, 1 or more", "`7`", "How large it is."),
        Key("usual.kind", "`a`, `b`", "`b`", ""),
        Key("name", "text or `null`", "", "Its name."),
        Key("far", "`true` or `false`", "`false`", "Whether it is"),
    ]


def test_comments_of_a_shipped_file_tell_what_no_docstring_tells() -> None:
    assert comments("checks.yaml")["cluster_size"] == "Source records in the largest golden customer."
    assert comments("enrichment.yaml")["refit_days"].startswith("Scales and models are fitted anew")
