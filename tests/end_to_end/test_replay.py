"""Who was erased since a backup was made is erased again when it is restored, before anybody reads."""

import datetime as dt
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from .conftest import DAYS, Deployment
from .erasing import theirs_alone
from .test_backup import elsewhere, only
from .traces import traces


@dataclass(frozen=True)
class Restored:
    """A backup, a person who was erased since, and another installation of which the restore was held up.

    Attributes:
        home: The installation that was backed up.
        backups: The folder of backups.
        golden_id: Who was erased; with a record that was never accepted, and is no customer's.
        values: Values that only they had.
        said: What the erasure said.
        other: The other installation.
        held_up: What the restore said that found a value of theirs in a file that the pipeline may not change.
        half_open: What somebody was told who wanted to read then.
        done: What the same command said once the file was taken away.
    """

    home: Deployment
    backups: Path
    golden_id: str
    values: set[str]
    said: str
    other: Deployment
    held_up: str
    half_open: str
    done: str


@pytest.fixture(scope="module")
def restored(
    lived: Callable[..., Deployment],
    new_database: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Restored:
    home, folder = lived(DAYS[0]), tmp_path_factory.mktemp("replay")
    backups, landing = folder / "backups", folder / "landing"
    for path in [one for day in DAYS[1:] for one in home.landing.rglob(f"{day}*")]:
        path.unlink()
    shutil.copytree(home.landing, landing)  # whoever restores elsewhere may have the extracts of then, too
    home.ask("backup", str(backups))
    [(golden_id,)] = home.query(
        """SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' AND source_count > 1
           AND email IS NOT NULL AND golden_id IN (SELECT golden_id FROM golden.invoice) ORDER BY 1 LIMIT 1"""
    )
    rejected = never_accepted(home)
    values = theirs_alone(home, landing, str(golden_id)) | {rejected}
    who = (str(golden_id), f"shop/customer/{rejected}")
    said = home.ask("privacy", "erase", *who, "--by", "Petra", "--yes")
    other = elsewhere(home, folder / "other", new_database())
    other = Deployment(other.settings.model_copy(update={"landing_url": str(landing)}))
    note = other.settings.home / "note.txt"
    mailbox = max(one for one in values if "@" in one)
    note.write_text(f"call back: {mailbox}\n", encoding="utf-8")
    held_up = other.ask("restore", str(backups), code=1)
    told = other.ask("customer", str(golden_id), code=1)
    note.unlink()
    done = other.ask("restore", str(backups))
    return Restored(home, backups, str(golden_id), values, said, other, held_up, told, done)


def never_accepted(home: Deployment) -> str:
    """A record that was rejected, and that no customer has."""
    path = Path(home.settings.lake_url) / "quarantine" / "shop" / "customer" / f"{DAYS[0]}.parquet"
    known = {str(one) for (one,) in home.query("SELECT record_id FROM golden.crosswalk")}
    rejected = {row["Customer ID"] for row in pq.read_table(path).to_pylist() if row["Customer ID"]} - known
    return str(min(rejected))


def last_days() -> str:
    """The day after which a backup of today has to be gone, as policies/legal_holds.yaml ships."""
    return f"{dt.datetime.now(dt.UTC).date() + dt.timedelta(days=90)}"


def test_a_certificate_names_the_backup_that_still_holds_the_person_and_until_when(
    restored: Restored,
) -> None:
    where = str(only(restored.backups))
    assert f"still in the backup {where} until {last_days()}" in restored.said.replace("\n", " ")
    shown = json.loads(restored.home.ask("privacy", "certificate", "1"))
    assert [(one["where"], one["until"]) for one in shown["content"]["backups"]] == [(where, last_days())]


def test_nothing_of_the_person_is_in_what_was_restored(restored: Restored) -> None:
    assert restored.values
    assert traces(restored.other, restored.values) <= {"privacy.legal_hold"}
    gone = f"SELECT 1 FROM golden.customer WHERE golden_id = '{restored.golden_id}'"
    assert restored.other.query(gone) == []
    assert "✗" not in restored.done
    everybody = "SELECT * FROM golden.customer ORDER BY golden_id"
    assert restored.other.query(everybody) == restored.home.query(everybody), "nobody else is missing"


def test_the_replay_has_a_certificate_of_its_own_that_names_the_backup(restored: Restored) -> None:
    [(number, reason, state)] = restored.other.query("SELECT request_id, reason, state FROM privacy.request")
    assert number > 1, "request 1 is the erasure itself"
    assert "brought back by a backup" in reason
    assert state == "done"
    shown = json.loads(restored.other.ask("privacy", "certificate", str(number)))
    assert shown["content"]["by"] == "pipeline"
    assert shown["content"]["customers"] == 1
    assert shown["content"]["looked_through"]["found"] == 0
    where = str(only(restored.backups))
    assert [(one["where"], one["until"]) for one in shown["content"]["backups"]] == [(where, last_days())]


def test_nobody_reads_before_the_person_is_gone(restored: Restored) -> None:
    """A restore that could not erase the person everywhere says where, and opens the hub for nobody."""
    assert "home/note.txt" in restored.held_up.replace("\n", "")
    assert "has begun and not ended" in restored.half_open
    assert restored.golden_id not in restored.half_open
