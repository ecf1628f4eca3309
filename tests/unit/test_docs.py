"""The documentation says what is true: settings, data dictionary, commands, links."""

import re
from pathlib import Path

import pytest

from cdm_pipelines.cli import app
from cdm_pipelines.settings import load_settings, settings_table
from cdm_pipelines.steps.operate.checkup import check_configuration

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


def test_contracts_policies_and_data_dictionary_are_in_order() -> None:
    assert check_configuration(load_settings()) == []


def test_the_readme_lists_every_setting() -> None:
    assert settings_table() in README


def test_every_command_that_the_readme_shows_exists() -> None:
    commands = {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    groups = {group.name for group in app.registered_groups}
    shown = set(re.findall(r"\bcdm ([a-z-]+)", README))
    assert shown <= commands | groups


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
