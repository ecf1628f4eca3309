"""Whatever happens to a file of the lake, what is published stays the same, or people are told what to do."""

import logging
import os
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.models import Copies, published_models
from cdm_pipelines.linkage import LinkageModel
from cdm_pipelines.steps.customers.publication import publish_customers, stage_customers
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.days.source_day import DayRefusedError, process_day
from cdm_pipelines.steps.linking.model_versions import LostModelError
from cdm_pipelines.steps.linking.parties import Linked, link_parties
from cdm_pipelines.steps.stewardship.decisions import constraints
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake, LakeError

from .conftest import DAYS, Deployment

ORDERS = (Entity.ORDER, Entity.ORDER_LINE, Entity.PAYMENT)
HEALED = (
    "records/party.arrow",
    "records/party.changes.arrow",
    "records/party.made.json",
    "records/order.arrow",
    "records/order_line.changes.arrow",
    "records/payment.made.json",
    "link/matches.arrow",
    "link/matches.changes.arrow",
    "link/clusters.arrow",
    "link/clusters.changes.arrow",
    "link/health.parquet",
    "link/linked.json",
    "link/model/person.json",
    "link/model/organisation.plan.arrow",
    "link/state/person.json",
    "link/state/person/base-*/records.arrow",
    "link/state/person/base-*/plan.arrow",
    "link/state/organisation/[0-9]*/links.arrow",
    "link/state/organisation/[0-9]*/same.arrow",
)
DAILY = (
    "raw/crm/contact/2026-06-01.parquet",
    "valid/crm/contact/2026-06-01.parquet",
    "quarantine/crm/contact/2026-06-01.parquet",
    "repairs/crm/contact/2026-06-01.parquet",
    "standard/crm/contact/2026-06-01/party.parquet",
)
SOMETIMES = ("corrections/", "publish/", "link/former_models/")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def gone(path: Path) -> None:
    path.unlink()


def altered(seed: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = bytearray(path.read_bytes())
        place = random.Random(f"{path.name}{seed}").randrange(len(content))
        content[place] ^= 1 << (place % 8)
        path.write_bytes(bytes(content))

    return change


DAMAGE: dict[str, Callable[[Path], None]] = {
    "emptied": emptied,
    "cut off": cut_off,
    "gone": gone,
    **{f"byte {seed}": altered(seed) for seed in range(3)},
}


def damaged(tables: Sequence[str]) -> list[tuple[str, str]]:
    """Each table with two kinds of damage, in turn, so that each kind befalls several tables."""
    kinds = list(DAMAGE)
    return [
        (table, kinds[(number + more) % len(kinds)])
        for number, table in enumerate(tables)
        for more in (0, len(kinds) // 2)
    ]


@dataclass(frozen=True)
class Company:
    """An installation with a published version, and copies of its lake as it was then."""

    deployment: Deployment
    published: dict[str, list[tuple[object, ...]]]
    whole: Path

    @property
    def lake(self) -> Lake:
        return Lake(self.deployment.settings.lake_url)

    def path(self, pattern: str) -> Path:
        (found,) = Path(self.lake.url).glob(pattern)
        return found

    def customers(self, *, rebuild: bool = False, copies: Copies | None = None) -> Linked:
        """From the current records to the published version, as the job does it."""
        lake, settings = self.lake, self.deployment.settings
        for entities in ((Entity.PARTY,), ORDERS):
            build_records(lake, all_contracts(), entities, rebuild=rebuild)
        with open_hub(settings) as engine:
            with engine.connect() as connection:
                linked = link_parties(
                    lake,
                    settings,
                    decided=constraints(connection),
                    copies=published_models(connection) if copies is None else copies,
                    rebuild=rebuild,
                )
            with engine.begin() as connection:
                assert not stage_customers(connection, lake, settings, rebuild=rebuild).stopped
                publish_customers(connection, lake, settings)
        return linked

    def refusal(self, *, rebuild: bool) -> str:
        """What the same says where it is refused; empty where it is not."""
        try:
            self.customers(rebuild=rebuild)
        except LakeError as error:
            return str(error)
        return ""


@pytest.fixture(scope="module")
def published(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Company:
    """Two days ingested, and published one by one."""
    deployment = deploy()
    company = Company(deployment, {}, tmp_path_factory.mktemp("whole") / "lake")
    for day in DAYS[:2]:
        for contract in all_contracts():
            process_day(deployment.settings, company.lake, contract, day)
        company.customers()
    shutil.copytree(company.lake.url, company.whole)
    company.published.update(deployment.published())
    return company


@pytest.fixture
def company(published: Company) -> Iterator[Company]:
    """The same, with the lake as it was for the next test."""
    yield published
    shutil.rmtree(published.lake.url)
    shutil.copytree(published.whole, published.lake.url)


def test_every_file_of_the_lake_is_of_a_table_that_is_damaged_here(company: Company) -> None:
    root = Path(company.lake.url)
    patterns = [pattern.split("/")[0:2] for pattern in (*HEALED, *DAILY)]
    layers = {pattern[0] for pattern in patterns}
    files = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    assert [
        path for path in files if path.split("/")[0] not in layers and not path.startswith(SOMETIMES)
    ] == []


@pytest.mark.parametrize(("table", "damage"), damaged(HEALED))
def test_what_follows_from_other_files_is_made_anew_with_a_warning(
    company: Company, table: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = company.path(table)
    DAMAGE[damage](path)
    with caplog.at_level(logging.WARNING, logger="cdm_pipelines"):
        linked = company.customers()
    assert not linked.fitted
    assert company.deployment.published() == company.published
    if table not in ("link/linked.json", "link/model/organisation.plan.arrow", "records/party.made.json"):
        told = [record.getMessage() for record in caplog.records]
        assert any("anew because" in text or "restored from the copy" in text for text in told) or (
            table.endswith("made.json") and damage == "gone"
        ), told
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="cdm_pipelines"):
        company.customers()
    assert caplog.records == [], "nothing is left to be put right"
    assert company.deployment.published() == company.published


@pytest.mark.parametrize(("table", "damage"), damaged(DAILY))
def test_a_damaged_day_changes_nothing_or_is_refused_with_the_command_that_makes_it_anew(
    company: Company, table: str, damage: str
) -> None:
    path = company.path(table)
    DAMAGE[damage](path)
    for rebuild in (False, True):
        told = company.refusal(rebuild=rebuild)
        assert not told or "cdm run --date 2026-06-01 --source crm" in told
        assert company.deployment.published() == company.published
    for contract in all_contracts():
        if contract.name == "crm/contact":
            process_day(company.deployment.settings, company.lake, contract, DAYS[0])
    company.customers(rebuild=True)
    assert company.deployment.published() == company.published


def test_a_lost_standardised_day_is_never_taken_for_one_that_did_not_come(company: Company) -> None:
    company.path("standard/crm/contact/2026-06-01/party.parquet").unlink()
    with pytest.raises(LakeError, match="is missing"):
        company.customers()
    assert company.deployment.published() == company.published


def test_a_snapshot_that_cannot_be_compared_with_the_day_before_is_refused(company: Company) -> None:
    contract = next(one for one in all_contracts() if one.name == "crm/contact")
    emptied(company.path("standard/crm/contact/2026-06-01/party.parquet"))
    with pytest.raises(DayRefusedError, match=r"is empty.*--date 2026-06-01 --source crm"):
        process_day(company.deployment.settings, company.lake, contract, DAYS[1])


@pytest.mark.parametrize("damage", ["gone", "emptied", "byte 1"])
def test_corrected_rows_that_are_lost_are_not_forgotten(company: Company, damage: str) -> None:
    contract = next(one for one in all_contracts() if one.name == "crm/contact")
    raw = company.lake.read(layout.raw_path(contract, DAYS[0]))
    company.lake.write(layout.corrections_path(contract, DAYS[0]), raw.slice(0, 2))
    process_day(company.deployment.settings, company.lake, contract, DAYS[0])
    process_day(company.deployment.settings, company.lake, contract, DAYS[0])
    DAMAGE[damage](company.path("corrections/crm/contact/2026-06-01.parquet"))
    before = company.path("valid/crm/contact/2026-06-01.parquet").read_bytes()
    with pytest.raises(DayRefusedError, match="Nothing else holds these corrected rows"):
        process_day(company.deployment.settings, company.lake, contract, DAYS[0])
    assert company.path("valid/crm/contact/2026-06-01.parquet").read_bytes() == before


def test_a_lost_model_comes_back_from_the_hub_as_it_was(company: Company) -> None:
    before = company.path("link/model/person.json").read_bytes()
    shutil.rmtree(Path(company.lake.url) / "link")
    assert not company.customers().fitted
    assert company.path("link/model/person.json").read_bytes() == before
    assert company.deployment.published() == company.published


@pytest.mark.parametrize("damage", ["gone", "emptied", "byte 1"])
def test_a_lost_model_without_a_copy_is_never_fitted_unasked(company: Company, damage: str) -> None:
    DAMAGE[damage](company.path("link/model/person.json"))
    with pytest.raises(LostModelError, match=r"person\.json .* Restore the file .*--refit"):
        company.customers(copies=Copies("of another version", {}))
    assert company.deployment.published() == company.published
    with open_hub(company.deployment.settings) as engine, engine.connect() as connection:
        assert set(published_models(connection).by_kind) == set(PartyKind)
        assert link_parties(company.lake, company.deployment.settings, refit=True).fitted
    LinkageModel.from_json(company.lake.read_json(layout.model_path("person")))


def test_commands_say_so_and_do_not_show_a_traceback(company: Company) -> None:
    emptied(company.path("standard/crm/contact/2026-06-01/party.parquet"))
    gone(company.path("records/party.made.json"))
    told = " ".join(company.deployment.cdm("run", "--date", DAYS[1], "--source", "erp", code=1).split())
    assert (
        "party.parquet is empty. Make it anew from landing: `cdm run --date 2026-06-01 --source crm`" in told
    )
    assert "Traceback" not in told
    assert company.deployment.published() == company.published
    altered(0)(company.path("link/matches.arrow"))
    some = "SELECT source || '/' || entity || '|' || record_id FROM golden.crosswalk WHERE entity = 'contact' LIMIT 2"
    records = [str(name) for (name,) in company.deployment.query(some)]
    told = " ".join(company.deployment.ask("link", "explain", *records, code=1).split())
    assert "matches.arrow has been altered since it was written" in told
    assert tables.matches(company.lake).fault() is not None


def test_a_home_is_for_its_owner_alone_whatever_the_umask(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy()
    home = deployment.settings.home
    home.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "cdm_pipelines.cli", "run", "--date", DAYS[0]],
        env=deployment.environment,
        capture_output=True,
        umask=0,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    out = home / "customers.csv"
    deployment.cdm("export", "golden", "--out", str(out))
    given = [path for path in home.rglob("*") if home / "landing" not in (path, *path.parents)]
    assert {path.relative_to(home).parts[0] for path in given} >= {"lake", "dagster", "customers.csv"}
    open_to_others = [str(path) for path in (home, *given) if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    assert [path for path in open_to_others if not Path(path).is_symlink()] == []
    assert os.access(out, os.R_OK)
