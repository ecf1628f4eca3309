"""A backup holds what there was at one moment, goes anywhere, and everything that was altered since is named."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.operate.backup import back_up, keep_newest, open_backup

from .conftest import DAYS, Deployment


def elsewhere(deployment: Deployment, home: Path, database: str | None) -> Deployment:
    """A bare installation for the same landing."""
    home.mkdir()
    given = {
        "home": home,
        "landing_url": deployment.settings.landing_url,
        "lake_url": str(home / "lake"),
        "threads": 1,
    }
    return Deployment(load_settings(**given, **({"database_url": database} if database else {})))


def only(folder: Path) -> Path:
    (found,) = [one for one in folder.iterdir() if one.is_dir()]
    return found


@pytest.fixture(scope="module")
def two_days(
    lived: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Deployment, Path]:
    """A deployment after two days, and a folder with a backup of it."""
    deployment, backups = lived(*DAYS[:2]), tmp_path_factory.mktemp("backups")
    deployment.ask("backup", str(backups))
    return deployment, backups


@pytest.fixture(scope="module")
def third_day(two_days: tuple[Deployment, Path], lived: Callable[..., Deployment]) -> Deployment:
    """What becomes of the same days without any backup."""
    return lived(*DAYS)


@pytest.mark.parametrize("own_server", [True, False], ids=["own PostgreSQL", "embedded"])
def test_a_restored_deployment_goes_on_as_if_nothing_had_happened(
    own_server: bool,
    two_days: tuple[Deployment, Path],
    third_day: Deployment,
    new_database: Callable[..., str],
    tmp_path: Path,
) -> None:
    """Same customers, history, feed and lake; and the next day gives what it gives where nothing was restored.

    The folder has blanks and accents in its name, and can be backed up itself.
    """
    deployment, backups = two_days
    other = elsewhere(deployment, tmp_path / "an öther höme", new_database() if own_server else None)

    said = other.cdm("restore", str(backups))

    assert "✗" not in said
    with open_hub(other.settings):
        assert other.published() == deployment.published()
        for table, order in (
            ("golden.customer_history", "golden_id, valid_from"),
            ("identity.event", "golden_id, event, publication_id"),
            ("ops.outbox", "position"),
            ("dagster.runs", "run_id"),
        ):
            whole = f"SELECT * FROM {table} ORDER BY {order}"
            assert other.query(whole) == deployment.query(whole), table
        assert other.lake() == deployment.lake()
        of_former, of_this = (json.loads(one.cdm("feed", "tail", "-n", "1")) for one in (deployment, other))
        assert of_former["id"] == of_this["id"]
        # Numbers of publications come again, and ids of events are made of them and of their source.
        assert of_former["source"] != of_this["source"]
        assert other.run(DAYS[2]) == 0
        assert other.published() == third_day.published()
        assert "✗" not in other.ask("verify")
        copied = other.ask("backup", str(tmp_path / "backups of it"))
        assert "read back and compared" in " ".join(copied.split()), "a long path is wrapped"


def test_backups_lie_in_an_object_store(
    two_days: tuple[Deployment, Path],
    bucket: str,
    new_database: Callable[..., str],
    tmp_path: Path,
) -> None:
    """There and back."""
    deployment, _ = two_days
    other = elsewhere(deployment, tmp_path / "other", new_database())

    deployment.cdm("backup", f"s3://{bucket}/cdm")
    assert "what was copied" in other.cdm("verify", "--backup", f"s3://{bucket}/cdm")
    other.cdm("restore", f"s3://{bucket}/cdm")

    assert other.published() == deployment.published()
    assert other.lake() == deployment.lake()


def test_a_backup_while_a_run_writes_is_of_one_moment(
    lived: Callable[..., Deployment], new_database: Callable[..., str], tmp_path: Path
) -> None:
    """Begun in the middle of a day's run, it is of before or after each of its steps; the rest follows from there."""
    deployment = lived(DAYS[0])
    command = [sys.executable, "-m", "cdm_pipelines.cli", "run", "--date", DAYS[1]]
    with subprocess.Popen(
        command, env=deployment.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        while not (deployment.settings.home / "lake/raw/crm/contact" / f"{DAYS[1]}.parquet").exists():
            time.sleep(0.02)
            assert run.poll() is None
        deployment.cdm("backup", str(tmp_path / "backups"))
        assert run.wait() == 0
    other = elsewhere(deployment, tmp_path / "other", new_database())

    other.cdm("restore", str(tmp_path / "backups"))
    assert other.run(DAYS[1]) == 0

    assert other.published() == deployment.published()


def test_a_restore_that_was_cut_short_is_ended_before_anything_else(
    two_days: tuple[Deployment, Path], new_database: Callable[..., str], tmp_path: Path
) -> None:
    """Stopped between hub and lake, nothing runs on the half; the same command ends it."""
    deployment, backups = two_days
    other = elsewhere(deployment, tmp_path / "other", new_database())
    in_the_way = other.settings.home / "lake/records/party.arrow"
    in_the_way.mkdir(parents=True)

    said = other.cdm("restore", str(backups), code=1)

    assert "records/party.arrow cannot be written" in said
    note = other.settings.home / "restore.json"
    assert note.exists()

    assert "has begun and not ended" in other.cdm("run", "--date", DAYS[2], code=1)
    in_the_way.rmdir()
    other.cdm("restore", str(backups))

    assert not note.exists()
    assert other.published() == deployment.published()
    assert other.lake() == deployment.lake()


def test_what_is_there_is_only_replaced_when_told_to(
    two_days: tuple[Deployment, Path], deploy: Callable[..., Deployment]
) -> None:
    """Another company's data is not lost by a slip; with --replace nothing of it is left."""
    deployment, backups = two_days
    other = deploy()
    other.cdm("run", "--date", DAYS[0], "--source", "shop")
    before, files = other.published(), other.lake()

    said = other.ask("restore", str(backups), code=1)

    assert "Nothing was touched" in said
    assert (other.published(), other.lake()) == (before, files)
    other.cdm("restore", str(backups), "--replace")
    assert other.published() == deployment.published()
    assert other.lake() == deployment.lake()


@pytest.mark.parametrize("which", ["hub.dump", "lake/records/party.arrow", "SHA256SUMS", "secret.key"])
def test_an_altered_backup_restores_nothing(
    which: str, two_days: tuple[Deployment, Path], new_database: Callable[..., str], tmp_path: Path
) -> None:
    """It is read whole and compared first."""
    deployment, backups = two_days
    shutil.copytree(backups, tmp_path / "backups")
    altered = only(tmp_path / "backups") / which
    content = bytearray(altered.read_bytes())
    content[len(content) // 2] ^= 1
    altered.write_bytes(content)
    other = elsewhere(deployment, tmp_path / "other", new_database())

    assert which in other.ask("restore", str(tmp_path / "backups"), code=1)
    assert other.query("SELECT to_regnamespace('golden')") == [(None,)]
    assert not other.lake()


def test_a_damaged_lake_is_not_copied_over_good_backups(
    two_days: tuple[Deployment, Path], deploy: Callable[..., Deployment], tmp_path: Path
) -> None:
    """The backup fails and names the file; those there were stay."""
    deployment = deploy()
    assert deployment.run(DAYS[0], sources=["shop"]) == 0
    deployment.ask("backup", str(tmp_path / "backups"), "--keep", "1")
    good = only(tmp_path / "backups")
    damaged = deployment.settings.home / f"lake/raw/shop/customer/{DAYS[0]}.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    time.sleep(1)

    said = deployment.ask("backup", str(tmp_path / "backups"), "--keep", "1", code=1)

    assert f"raw/shop/customer/{DAYS[0]}.parquet" in said
    assert (good / "manifest.json").exists()
    assert open_backup(str(tmp_path / "backups")).place.url == str(good)


@pytest.mark.parametrize(
    ("place", "code", "told"),
    [
        ("/proc/nothing/x", 1, "cannot be written"),
        ("nope://x", 2, "the protocol 'nope' is unknown"),
        ("s3://", 2, "names no place"),
    ],
)
def test_a_place_that_cannot_be_used_is_told(
    place: str, code: int, told: str, two_days: tuple[Deployment, Path]
) -> None:
    """In a sentence, and nothing is written elsewhere."""
    deployment, _ = two_days
    assert told in deployment.ask("backup", place, code=code)


@pytest.mark.parametrize("inside", ["lake/backups", "lake", "backups", "landing/../lake/backups"])
def test_a_backup_within_what_it_is_a_copy_of_is_refused(
    inside: str, two_days: tuple[Deployment, Path]
) -> None:
    """It would copy its own copies, round after round, and be lost with what it is a copy of."""
    deployment, _ = two_days
    before = deployment.lake()

    said = deployment.ask("backup", f"{deployment.settings.home}/{inside}", code=1)

    assert "name a place outside" in " ".join(said.split())
    assert deployment.lake() == before
    assert not (deployment.settings.home / "backups").exists()


def test_a_backup_that_the_restore_would_take_away_is_not_restored(
    two_days: tuple[Deployment, Path], new_database: Callable[..., str], tmp_path: Path
) -> None:
    deployment, backups = two_days
    other = elsewhere(deployment, tmp_path / "other", new_database())
    within = other.settings.home / "lake" / "copied"
    shutil.copytree(only(backups), within)

    said = other.ask("restore", str(within), "--replace", code=1)

    assert "move the backup elsewhere" in " ".join(said.split())
    assert (within / "manifest.json").exists()


def test_only_so_many_backups_are_kept(two_days: tuple[Deployment, Path], tmp_path: Path) -> None:
    """The newest ones; what others put there stays."""
    deployment, _ = two_days
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("ours")
    with open_hub(deployment.settings) as engine:
        made = []
        for _ in range(3):
            made.append(back_up(deployment.settings, engine, str(tmp_path)).place.url)
            time.sleep(1)
    keep_newest(str(tmp_path), 2)
    assert sorted(str(one) for one in tmp_path.iterdir() if one.name != "notes") == made[1:]
    assert (tmp_path / "notes" / "readme.txt").exists()


def test_passwords_and_names_stay_out_of_what_is_said(
    two_days: tuple[Deployment, Path], tmp_path: Path
) -> None:
    """Neither where it works nor where it does not."""
    deployment, _ = two_days
    planted = deployment.query("SELECT email FROM golden.customer WHERE email IS NOT NULL LIMIT 1")[0][0]
    said = deployment.cdm("backup", str(tmp_path / "backups"))
    (only(tmp_path / "backups") / "hub.dump").write_bytes(b"PGDMP" + planted.encode())
    said += deployment.cdm("verify", "--backup", str(tmp_path / "backups"), code=3)
    assert planted not in said


FIRST = "WHERE {0}::text = (SELECT min({0}::text) FROM {1})"
HUB_FAULTS = {
    "golden.customer": ("UPDATE {} SET city = 'Elders'", "golden_id"),
    "golden.crosswalk": ("DELETE FROM {}", "record_id"),
    "golden.provenance": ("UPDATE {} SET source = 'shop'", "golden_id"),
    "golden.customer_order": ("DELETE FROM {}", "record_id"),
    "golden.order_line": ("UPDATE {} SET quantity = quantity + 1", "record_id"),
    "golden.payment": ("UPDATE {} SET amount = amount + 1", "record_id"),
    "golden.customer_link": ("DELETE FROM {}", "record_id"),
    "golden.search": ("UPDATE {} SET terms = '{{}}'", "golden_id"),
    "golden.customer_version": ("UPDATE {} SET valid_from = valid_from - interval '1 day'", "golden_id"),
    "golden.customer_history": ("UPDATE {} SET city = 'Elders'", "golden_id"),
    "identity.golden_id": ("UPDATE {} SET record_id = record_id || 'x'", "golden_id"),
    "identity.event": ("DELETE FROM {}", "golden_id"),
    "ops.outbox": ("UPDATE {} SET type = 'customer.retired'", "position"),
    "ops.linkage_model": ("UPDATE {} SET model = replace(model, '0.9', '0.8')", "kind"),
}
"""By table what is done to its first rows behind the pipeline's back, and the column that orders them."""


@pytest.fixture(scope="module")
def to_be_hurt(
    two_days: tuple[Deployment, Path],
    new_database: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Deployment:
    """A restored deployment, of which every test puts right what it did."""
    deployment, backups = two_days
    other = elsewhere(deployment, tmp_path_factory.mktemp("hurt") / "home", new_database())
    other.ask("restore", str(backups))
    return other


@pytest.mark.parametrize("table", HUB_FAULTS)
def test_a_fault_in_a_table_of_the_hub_is_found_and_named(table: str, to_be_hurt: Deployment) -> None:
    """In each of them."""
    kept = f"CREATE TABLE public.kept AS TABLE {table}"
    to_be_hurt.alter(kept)
    fault, first = HUB_FAULTS[table]
    to_be_hurt.alter(f"{fault.format(table)} {FIRST.format(first, table)}")
    try:
        said = to_be_hurt.ask("verify", code=3)
    finally:
        to_be_hurt.alter(f"TRUNCATE {table}")
        overriding = "OVERRIDING SYSTEM VALUE" if table == "ops.outbox" else ""
        to_be_hurt.alter(
            f"INSERT INTO {table} {overriding} SELECT * FROM public.kept; DROP TABLE public.kept"
        )
    wrong = [line for line in said.splitlines() if "✗" in line]
    assert any(table in line for line in wrong), said
    assert "Elders" not in said
    assert "✗" not in to_be_hurt.ask("verify")


LAKE_FAULTS = (
    f"raw/crm/contact/{DAYS[0]}.parquet",
    f"valid/erp/customer/{DAYS[0]}.parquet",
    f"quarantine/crm/contact/{DAYS[0]}.parquet",
    f"repairs/crm/contact/{DAYS[1]}.parquet",
    f"standard/shop/customer/{DAYS[1]}/party.parquet",
    "records/party.arrow",
    "records/order.changes.arrow",
    "records/party.made.json",
    "link/matches.arrow",
    "link/clusters.changes.arrow",
    f"link/model/{PartyKind.PERSON}.json",
    "link/linked.json",
)


@pytest.mark.parametrize(
    ("path", "fault"), [(path, ("altered", "gone")[at % 2]) for at, path in enumerate(LAKE_FAULTS)]
)
def test_a_fault_in_a_file_of_the_lake_is_found_and_named(
    path: str, fault: str, to_be_hurt: Deployment
) -> None:
    """Of each layer, changed or missing; the doctor tells as well."""
    file = Path(to_be_hurt.settings.lake_url) / path
    content = file.read_bytes()
    if fault == "gone":
        file.unlink()
    else:
        changed = bytearray(content)
        changed[len(changed) // 3] ^= 0x10
        file.write_bytes(changed)
    try:
        said, of_doctor = to_be_hurt.ask("verify", code=3), to_be_hurt.ask("doctor", code=3)
    finally:
        file.write_bytes(content)
    layer, name = (
        path.split("/", maxsplit=1)[0],
        path.removesuffix("/party.parquet").partition(".")[0].split("/")[-1],
    )
    for text in (said, of_doctor):
        assert any("✗" in line and layer in line for line in text.splitlines()), text
        assert name in text


def test_a_day_that_was_refused_is_no_fault(deploy: Callable[..., Deployment]) -> None:
    """It stays in quarantine, and everything is what it should be."""
    deployment = deploy()
    assert deployment.run(DAYS[0], sources=["crm"]) == 0
    file = deployment.landing / "crm" / "contact" / f"{DAYS[1]}.csv"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:4]))  # a snapshot that is cut off
    assert deployment.run(DAYS[1], sources=["crm"]) == 1
    assert "✗" not in deployment.ask("verify")


def test_unfinished_folders_are_no_backups(tmp_path: Path, two_days: tuple[Deployment, Path]) -> None:
    """A folder that a killed backup left is passed over, and said to be none."""
    deployment, backups = two_days
    shutil.copytree(backups, tmp_path / "backups")
    left = only(tmp_path / "backups")
    (left / "manifest.json").unlink()
    assert "no finished backup" in deployment.ask("verify", "--backup", str(tmp_path / "backups"), code=1)
