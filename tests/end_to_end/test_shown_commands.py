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
from zoneinfo import ZoneInfo

import pytest

from cdm_pipelines.hub.connection import open_hub
from handbook import links

from .conftest import DAYS, ROOT, Deployment

pytestmark = pytest.mark.slow

BLOCK = re.compile(r'^([ ]*)```(\w+)(?: title="([^"]+)")?\n(.*?)^\1```', re.MULTILINE | re.DOTALL)
TUTORIAL = ROOT / "docs" / "tutorial" / "first-customer.md"
PAGES = [page for page in links.every_page() if page != TUTORIAL]
ELSEWHERE = {
    "actions judge --policies changes": "with choices that have outcomes: test_action_judgement",
    "add-source": "in a copy of the checkout: test_connectors",
    "add-source hubspot --entity contact --file export.csv": "the same",
    "add-source hubspot --entity contact --name crm2 --file hubspot-export.csv": "the same",
    "check": "in a copy, where it writes: test_tutorial",
    "check --write": "the same",
    "ingest contacts.csv --source crm": "test_tutorial",
    "ingest members.csv --source loyalty --date 2026-06-01": "with a source of one's own: test_tutorial",
    "link crm.csv shop.csv --policy linked/policy.yaml --out linked": "with a policy of a person: test_link_files",
    "link crm.csv shop.csv --policy policy.yaml --labels labels.csv --out linked": "with labels: the same",
    "link evaluate people.csv --policy linked/policy.yaml --out linked --labels sample.csv": "the same",
    "link evaluate people.csv --policy person.yaml --out linked --labels pairs.csv": "the same",
    "link evaluate people.csv --policy person.yaml --out linked --truth truth.csv --worst 20 --show-values": "the same",
    "link explain crm|1042 shop|77 crm.csv shop.csv --policy policy.yaml --out linked --picture pair.svg": "the same",
    "link model --out linked --diff other/model.json": "of files: the same",
    "link model --restore 3f9a0c": "of a former model: test_models",
    "link people.csv --policy linked/policy.yaml --out linked --engine spark --remote sc://cluster:15002 "
    "--exchange /mnt/shared": "on a cluster: test_spark",
    "link people.csv --policy person.yaml --out linked --truth truth.csv": "with a truth: test_link_files",
    "link people.parquet --policy mine.yaml --out linked --engine spark --remote sc://cluster:15002 "
    "--exchange /mnt/shared/exchange": "on a cluster: test_spark",
    "link sample pairs.csv people.csv --policy person.yaml --out linked --pairs 200 --show-values": "test_link_files",
    "plan --policies changes": "with changed policies: test_plan",
    "plan --policies policies --json > plan.json": "the same",
    "privacy certificate 12": "of an erasure that was done: test_erasure",
    "privacy erase CUSTOMER --by Petra --reason case 12": "the same",
    "privacy retention --apply --by Petra": "where something has expired: test_retention",
    "quarantine retry rejected.csv": "with corrected rows: test_tutorial",
    "remove-source crm --entity contact --from 2026-01-01 --to 2026-01-31": "by day and whole: test_lost_lake",
    "remove-source shop": "the same",
    "report --month 2026-06 --language nl --out board.html": "of a month that was kept: test_report",
    "restore /backups/cdm": "into another place: test_backup",
    "restore /backups/cdm/20261129T031500Z --replace": "the same",
    "run": "test_days",
    "run --customers": "the same",
    "run --date 2026-06-01": "the same",
    "run --date 2026-06-01 --accept customer_drift": "the same",
    "run --date 2026-06-03": "the same",
    "steward different A B --because father and son": "without a decision that says the opposite: test_steward",
    "steward undo 12": "of a decision that was made: test_steward",
    "takeover assess their_extracts": "of another company: test_takeover",
    "token revoke 7": "of a key that was made: test_console",
    "verify --backup /backups/cdm": "test_backup",
}
"""Commands, and where they run instead."""


def blocks(language: str) -> Iterator[str]:
    """Each block of a language, without the indentation of the list that it is in."""
    for page in PAGES:
        for indent, found, _, whole in BLOCK.findall(page.read_text(encoding="utf-8")):
            if found == language:
                yield re.sub(rf"^{indent}", "", whole, flags=re.MULTILINE)


def all_commands() -> list[tuple[str, ...]]:
    """The words after `cdm` of every command, each once."""
    found: dict[tuple[str, ...], None] = {}
    for whole in (*blocks("sh"), *blocks("console")):
        for line in whole.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words and words[0].rpartition("/")[2] == "cdm":
                found[tuple(words[1:])] = None
    return list(found)


def shown_commands() -> list[tuple[str, ...]]:
    """Those that run here."""
    return [one for one in all_commands() if " ".join(one) not in ELSEWHERE]


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
        **dict.fromkeys(("5f0c…", "422926d9-82f0-5447-b71d-9ca689352e4b"), golden),
        "2026-03-01": dt.datetime.now(ZoneInfo(hub.settings.timezone)).date().isoformat(),
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
    assert ELSEWHERE.keys() <= {" ".join(words) for words in all_commands()}
    named = {name for why in ELSEWHERE.values() for name in re.findall(r"test_\w+", why)}
    assert named <= {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
