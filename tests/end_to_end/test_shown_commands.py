"""What README and documentation show runs as it is printed: commands, SQL and Python, in one home with a day in it.

The tutorial is followed to the letter beside this (test_tutorial), YAML is read in test_shown_snippets. What needs a
server, another host, or a state that the page only supposes, is named here with where it runs; that all commands and
their options exist is tested in test_docs.
"""

import datetime as dt
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdm_pipelines.hub.connection import open_hub
from handbook import links

from .conftest import DAYS, ROOT, Deployment

pytestmark = pytest.mark.slow

BLOCK = re.compile(r'^([ ]*)```(\w+)(?: title="([^"]+)")?\n(.*?)^\1```', re.MULTILINE | re.DOTALL)
TUTORIAL = ROOT / "docs" / "tutorial" / "first-customer.md"
PAGES = [page for page in links.every_page() if page != TUTORIAL]
ELSEWHERE = {
    "actions judge": "with choices that have outcomes: test_action_judgement",
    "add-source": "in a copy of the checkout: test_connectors",
    "check": "in a copy, where it writes: test_tutorial",
    "ingest": "test_tutorial",
    "link crm.csv": "with a policy and labels of a person: test_link_files",
    "link evaluate": "with labels of a person: the same",
    "link explain crm|1042": "of files: the same",
    "link model --out": "of files: the same",
    "link model --restore": "of a former model: test_models",
    "link people.csv --policy linked/policy.yaml --out linked --engine spark": "on a cluster: test_spark",
    "link people.csv --policy person.yaml": "with a truth: test_link_files",
    "link people.parquet --policy mine.yaml --out linked --engine spark": "on a cluster: test_spark",
    "link sample pairs.csv": "the same",
    "plan": "with changed policies: test_plan",
    "quarantine retry": "with corrected rows: test_tutorial",
    "report --month": "of a month that was kept: test_report",
    "restore": "into another place: test_backup",
    "run": "test_days",
    "steward different": "without a decision that says the opposite: test_steward",
    "steward undo": "of a decision that was made: test_steward",
    "takeover": "of another company: test_takeover",
    "token revoke": "of a key that was made: test_console",
    "verify --backup": "test_backup",
}
"""Commands by how they begin, and where they run instead."""


def blocks(language: str) -> Iterator[str]:
    """Each block of a language, without the indentation of the list that it is in."""
    for page in PAGES:
        for indent, found, _, whole in BLOCK.findall(page.read_text(encoding="utf-8")):
            if found == language:
                yield re.sub(rf"^{indent}", "", whole, flags=re.MULTILINE)


def all_commands() -> list[tuple[str, ...]]:
    """The words after `cdm` of every command, each once."""
    found: dict[tuple[str, ...], None] = {}
    for whole in blocks("sh"):
        for line in whole.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0].rpartition("/")[2] == "cdm":
                found[tuple(words[1:])] = None
    return list(found)


def shown_commands() -> list[tuple[str, ...]]:
    """Those that run here."""
    return [
        one
        for one in all_commands()
        if not any(f"{' '.join(one)} ".startswith(f"{start} ") for start in ELSEWHERE)
    ]


@dataclass(frozen=True)
class Desk:
    """A deployment with a day of extracts, and what stands there in the place of what pages make up."""

    hub: Deployment
    words: dict[str, str]


@pytest.fixture(scope="module")
def desk(lived: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    hub, folder, before = lived(DAYS[0]), tmp_path_factory.mktemp("desk"), Path.cwd()
    for name in ("contacts.csv", "people.csv", "members.csv"):
        shutil.copy(hub.landing / "crm" / "contact" / f"{DAYS[0]}.csv", folder / name)
    ((golden, name, town),) = hub.query(
        "SELECT golden_id::text, surname, substr(postcode, 1, 4) FROM golden.customer c WHERE surname IS NOT NULL "
        "AND postcode IS NOT NULL AND record_count > 1 AND EXISTS (SELECT FROM golden.crosswalk x WHERE "
        "x.golden_id = c.golden_id AND entity = 'contact') ORDER BY 1 LIMIT 1"
    )
    (record, other, *_) = hub.query(
        f"SELECT source || '/' || entity, record_id FROM golden.crosswalk WHERE golden_id = '{golden}' "
        "ORDER BY entity <> 'contact', 1, 2"
    )
    ids = [one for (one,) in hub.query("SELECT golden_id::text FROM golden.customer ORDER BY 1 DESC LIMIT 2")]
    contact, customer = "|".join(record), "|".join(other)
    words = {
        "5f0c…": golden,
        "2026-03-01": dt.datetime.now(dt.UTC).date().isoformat(),
        "A": ids[0],
        "B": ids[1],
        "CUSTOMER": golden,
        "/backups/cdm": str(folder / "backups"),
        **dict.fromkeys(("van der berg 3511", "Anna van der Berg 1980"), f"{name} {town}"),
        **dict.fromkeys(("crm/contact|1042", "crm/contact|0037Q000020Fb6TQAS"), contact),
        **dict.fromkeys(("shop/customer|77", "shop/customer|6035959515489"), customer),
        "crm/contact/0037Q000020Fb6TQAS": contact.replace("|", "/"),
    }
    os.chdir(folder)
    yield Desk(hub, words)
    os.chdir(before)


@pytest.mark.parametrize("shown", shown_commands(), ids=" ".join)
def test_a_command_runs_as_it_is_printed(desk: Desk, shown: tuple[str, ...]) -> None:
    desk.hub.ask(*(desk.words.get(word, word) for word in shown))


@pytest.mark.parametrize("shown", [*blocks("sql")])
def test_sql_runs_as_it_is_printed(desk: Desk, shown: str) -> None:
    if (
        "$big" in shown
    ):  # the query of an enricher, which reads what the pipeline lays before it: test_own_enricher
        return
    asked = shown.replace("5f0c…", desk.words["5f0c…"]).replace(
        "CREATE EXTENSION", "CREATE EXTENSION IF NOT EXISTS"
    )
    with open_hub(desk.hub.settings) as engine, engine.connect() as connection:
        for statement in filter(str.strip, re.sub(r"--.*", "", asked).split(";")):
            connection.exec_driver_sql(statement)
        connection.rollback()


def test_python_that_reads_the_customers_runs_as_it_is_printed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shown,) = [one for one in blocks("python") if "pd.read_sql" in one]
    for name, value in desk.hub.settings.environment().items():
        monkeypatch.setenv(name, value)
    read: dict[str, object] = {}
    exec(shown, read)
    assert len(read["customers"]) == desk.hub.query("SELECT count(*) FROM golden.customer")[0][0]  # type: ignore[arg-type]


def test_what_runs_elsewhere_is_still_shown() -> None:
    every = {" ".join(words) for words in all_commands()}
    assert [start for start in ELSEWHERE if not any(f"{one} ".startswith(f"{start} ") for one in every)] == []
