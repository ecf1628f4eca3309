"""The documentation says what is true: settings, commands, names of modules, derived pages, figures, links."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from benchmarks import results
from cdm_pipelines.cli import app
from cdm_pipelines.contracts.columns import COLUMN_PROPERTIES
from cdm_pipelines.contracts.delivery import DIALECT
from cdm_pipelines.contracts.odcs import ENTITY_PROPERTIES
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.operate.checkup import check_configuration
from handbook import links, pages, rooms
from handbook.mkdocs_hook import outside_links
from handbook.settings import settings_table

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = links.every_page()
STATEMENTS = json.loads((results.FOLDER / "statements.json").read_text(encoding="utf-8"))
CODE = {"cdm_pipelines", "hub", "ingest", "linkage", "quality", "records", "standardise", "steps", "store"}
"""Words with which a dotted name of code begins; those of the hub's schemas, such as golden, name tables."""


def prose(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_contracts_policies_and_data_dictionary_are_in_order() -> None:
    assert check_configuration(load_settings()) == []


def test_the_readme_lists_every_setting() -> None:
    assert settings_table() in README


# Commands


def shown_commands(text: str) -> Iterator[list[str]]:
    """Every `cdm …` of the blocks of shell, with a prompt or without, as words after `cdm`."""
    for block in re.findall(r"^[ ]*```(?:sh|console)\n(.*?)^[ ]*```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.strip().removeprefix("$ "), comments=True)
            if words and words[0].rpartition("/")[2] == "cdm":
                yield words[1:]


def faults(words: list[str]) -> Iterator[str]:
    """What a command as it is shown would stumble over."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    if command.name == "link":  # files, where no command of its own is named
        command = command.commands["files"]
    if hasattr(command, "commands") and not command.invoke_without_command:
        yield f"no command {words[:1]}"
    options = {name for item in command.params for name in [*item.opts, *item.secondary_opts]}
    yield from (word for word in words if word.startswith("--") and word not in options)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_shown_exists_with_its_options(page: Path) -> None:
    assert {
        " ".join(words): found for words in shown_commands(prose(page)) if (found := list(faults(words)))
    } == {}


def test_commands_after_a_prompt_are_read_too() -> None:
    assert [*shown_commands("```console\n$ cdm privacy dance --by Petra\nSo danced.\n```\n")] == [
        ["privacy", "dance", "--by", "Petra"]
    ]
    assert len([*shown_commands(prose(DOCS / "privacy.md"))]) > 10


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert list(faults(["customer", "x", "--colour"])) == ["--colour"]
    assert list(faults(["dance"])) == ["no command ['dance']"]
    assert list(faults(["steward", "dance"])) == ["no command ['dance']"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_target_that_is_shown_is_one_of_the_makefile(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", prose(page))) <= targets


# Names of code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_that_is_named_exists(page: Path) -> None:
    text = prose(page)
    files = set(re.findall(r"`((?:\w+/)+\w+\.py)`", text))
    assert {
        name for name in files if not any((top / name).exists() for top in (ROOT, ROOT / "cdm_pipelines"))
    } == set()
    dotted = set(re.findall(r"`([a-z_]+(?:\.\w+)+)[`(]", text))
    assert {name for name in dotted if name.partition(".")[0] in CODE and not exists(name)} == set()


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    whole = ROOT / "cdm_pipelines" / name.removeprefix("cdm_pipelines.").replace(".", "/")
    if whole.is_dir() or whole.with_suffix(".py").exists():
        return True
    module = whole.parent.with_suffix(".py")
    return (
        module.exists()
        and re.search(rf"^(?:def|class) {whole.name}\b", prose(module), re.MULTILINE) is not None
    )


def test_the_reference_of_contracts_names_every_property() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", prose(DOCS / "reference" / "contracts.md"), flags=re.MULTILINE))
    assert rows == {*ENTITY_PROPERTIES, *COLUMN_PROPERTIES, *DIALECT}


# Derived pages and pictures


@pytest.mark.parametrize("name", pages.DERIVED)
def test_derived_pages_are_what_the_code_says(name: str) -> None:
    fresh = "run `.venv/bin/python -m handbook --write` and commit it"
    assert prose(DOCS / name) == pages.DERIVED[name](), f"docs/{name} is out of date: {fresh}"


def test_the_picture_has_every_room_and_an_arrow_for_every_import() -> None:
    graph = {"low": frozenset[str](), "middle": frozenset({"low"}), "high": frozenset({"low", "middle"})}
    drawn = rooms.picture(graph, ["low", "middle", "high"])
    assert all(f">{name}</text>" in drawn for name in graph)
    assert drawn.count("url(#tip)") == 2  # high to low follows from the others
    assert "url(#wrong)" not in drawn


def test_the_picture_shows_an_arrow_against_the_order_in_red() -> None:
    drawn = rooms.picture({"low": frozenset({"high"}), "high": frozenset({"low"})}, ["low", "high"])
    assert drawn.count("url(#wrong)") == 1


def test_imports_are_those_of_the_code(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.py").write_text("from house.b import two\n\ndef f():\n    import house.c.three\n")
    (tmp_path / "b.py").write_text("import os\n")
    (tmp_path / "c.py").write_text("from house.c import itself\n")
    assert rooms.imports(tmp_path, "house") == {
        "a": frozenset({"b", "c"}),
        "b": frozenset(),
        "c": frozenset(),
    }


# Figures


@pytest.mark.parametrize("name", results.WRITERS)
def test_documents_of_benchmarks_say_what_the_results_files_say(name: str) -> None:
    for file, text in results.documents(name).items():
        assert prose(results.DOCS / file) == text, f"{file} is not what benchmarks/results/{name}.json says"


def folded(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("statement", STATEMENTS["statements"], ids=lambda one: str(one["says"])[:50])
def test_figures_in_explanations_are_those_of_the_results_file(statement: dict[str, Any]) -> None:
    assert statement["says"].format(**statement["figures"]) in folded(prose(DOCS / statement["page"]))


@pytest.mark.parametrize("page", sorted((DOCS / "explanation").glob("*.md")), ids=lambda page: page.name)
def test_no_explanation_has_a_share_that_no_results_file_has(page: Path) -> None:
    name = f"explanation/{page.name}"
    text = folded(prose(page))
    for one in STATEMENTS["statements"]:
        if one["page"] == name:
            text = text.replace(one["says"].format(**one["figures"]), "")
    given = set(STATEMENTS["given"].get(name, ()))
    assert set(re.findall(r"(?<![\w.])(?:\d*\.\d+|\d+(?:\.\d+)? ?%)(?![\w.]*\d)", text)) - given == set()


# Links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_a_file_and_to_a_heading(page: Path) -> None:
    assert links.broken_in(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Two words\n\n[a](#two-words) [b](#three) [c](other.md) [d](page.md#two-words)\n\n"
        "```\n# No heading\n[e](nothing.md)\n```\n[f](#no-heading) [g](https://example.com)\n"
    )
    assert links.broken_in(page) == [
        "#three leads to no heading",
        "other.md leads to no file",
        "#no-heading leads to no heading",
    ]


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    listed = re.findall(
        r": ([\w/-]+(?:\.md|/))$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE
    )
    shown = {path for path in listed if path.endswith(".md")}
    folders = tuple(path for path in listed if path.endswith("/"))
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert {path for path in there if not path.startswith(folders)} == shown
    kinds = [next(iter(item)) for item in yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]]
    assert kinds == ["Start", "Tutorial", "How-to", "Reference", "Explanation"]


def test_links_that_leave_the_site_are_shown_as_places_in_the_checkout() -> None:
    text = "[a policy](../../benchmarks/policies/x.yaml), [a page](../index.md), ![a picture](../rooms.svg)"
    shown = "a policy (`benchmarks/policies/x.yaml`), [a page](../index.md), ![a picture](../rooms.svg)"
    assert outside_links(text, "reference/page.md") == shown


def test_pages_fetch_nothing_from_other_hosts() -> None:
    for path in [*DOCS.rglob("*.md"), ROOT / "mkdocs.yml"]:
        assert not re.search(r"!\[[^]]*\]\(https?:|<script|<img|```mermaid", prose(path)), path.name
