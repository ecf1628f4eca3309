"""Put a backup in the place of a deployment: hub, secret and lake, here or on another machine.

Belongs here: restoring, and that a restore which was cut short is ended before anything else is done. Does not belong
here: making backups and reading them (``backup``).

The whole backup is read and compared with its sums before anything is touched. Then comes the hub, in one transaction,
then the secret, then the lake file by file. A note in ``CDM_HOME`` says that it is under way: until it has ended the
hub is not opened for anything else, and the same command goes on where it was cut short.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, text

from cdm_pipelines.hub import dump as dumps
from cdm_pipelines.hub import feed
from cdm_pipelines.hub.connection import DAGSTER_SCHEMA, database_url
from cdm_pipelines.hub.migrate import knows, migrate
from cdm_pipelines.hub.unfinished import UNFINISHED_RESTORE
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.backup import (
    DUMP,
    LAKE,
    Backup,
    BackupError,
    Hashing,
    Progress,
    faults,
    sum_of,
)
from cdm_pipelines.steps.privacy.access import apply
from cdm_pipelines.store import files
from cdm_pipelines.store.file_store import lies_within
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.secret import FILE as SECRET


def restore(
    settings: Settings,
    engine: Engine,
    backup: Backup,
    *,
    replace: bool = False,
    before_readers: Callable[[], object] = lambda: None,
    progress: Progress = lambda _: None,
) -> None:
    """Make hub, secret and lake what they were when a backup was made.

    Args:
        settings: Of the deployment to be: its home, lake and database.
        engine: Of its database, migrated or empty.
        backup: What to restore.
        replace: Whether what is there may go.
        before_readers: Done with what was restored before the hub is opened for anybody else.
        progress: Told what is going on.

    Raises:
        BackupError, HubError, LakeError: It cannot be done. Of the hub all is restored then or nothing.
    """
    if lies_within(backup.place.url, settings.lake_url):
        raise BackupError(
            f"{backup.place.url} lies within the lake, which the restore makes what it was, without that backup. "
            "Nothing was restored: move the backup elsewhere first."
        )
    progress(f"comparing {len(backup.sums):,} files with their checksums")
    for fault in faults(backup):
        raise BackupError(f"{backup.place.url}: {fault} Nothing was restored: use another backup.")
    if not knows(backup.manifest.hub):
        raise BackupError(
            f"The backup was made by cdm_pipelines {backup.manifest.release}, whose hub this release does not know: "
            "install that release or a newer one."
        )
    note, lake = settings.home / UNFINISHED_RESTORE, Lake(settings.lake_url)
    under_way = json.loads(note.read_text()) if note.exists() else {}
    goes_on = under_way.get("backup") == backup.manifest.sums
    if not replace and not goes_on:
        _refuse_to_replace(engine, lake)
    if not (goes_on and under_way.get("hub")):
        _refuse_in_use(engine)
        _write(note, backup, hub=False)
        progress("restoring the hub")
        _restore_hub(settings, engine, backup)
        _write(note, backup, hub=True)
    with backup.place.open(SECRET) as source:
        files.write_whole(settings.home / SECRET, source.read())
    _restore_lake(lake, backup, progress)
    migrate(engine)
    with engine.begin() as connection:  # publications are numbered anew from here
        feed.begin_anew(connection)
    before_readers()
    note.unlink()
    files.sync_folder(note.parent)
    with engine.begin() as connection:  # a dump holds no rights
        apply(connection, settings)


def _write(note: Path, backup: Backup, *, hub: bool) -> None:
    content = {"from": backup.place.url, "backup": backup.manifest.sums, "hub": hub}
    files.write_whole(note, json.dumps(content).encode())


def _refuse_to_replace(engine: Engine, lake: Lake) -> None:
    with engine.connect() as connection:
        there = dumps.schemas_there(connection)
        customers = text("SELECT count(*) FROM golden.customer")
        number = int(connection.scalar(customers) or 0) if "golden" in there else 0
    held = []
    if number or DAGSTER_SCHEMA in there:
        held.append(f"a hub with {number:,} customers")
    if stamps := lake.stamps():
        held.append(f"a lake with {len(stamps):,} files")
    if held:
        raise BackupError(
            f"There is {' and '.join(held)} already. Nothing was touched. Restore into another CDM_HOME and database, "
            "or give --replace to have the backup take its place; make a backup of what is there first."
        )


def _refuse_in_use(engine: Engine) -> None:
    """Others would see the hub go, and write into it what belongs to the former one."""
    others = text(
        """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
           AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
    )
    with engine.connect() as connection:
        number = int(connection.scalar(others) or 0)
    if number:
        raise BackupError(
            f"{number} other connections use the database: stop `cdm up` and whatever else reads or writes it first."
        )


def _restore_hub(settings: Settings, engine: Engine, backup: Backup) -> None:
    with engine.connect() as connection:
        programs = dumps.client_programs(settings.postgres_bin, dumps.server_major(connection))
        there = dumps.schemas_there(connection)
    for left in settings.home.glob("restore-*"):  # of one that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix="restore-", dir=settings.home) as folder:
        archive = Path(folder) / DUMP
        with backup.place.open(DUMP) as source, archive.open("wb") as file:
            Hashing(file).take(source)
        dumps.restore(database_url(settings), programs, archive, replacing=there)
    engine.dispose()  # what its connections remember is of the former hub


def _restore_lake(lake: Lake, backup: Backup, progress: Callable[[str], None]) -> None:
    wanted = backup.lake_sums
    there = set(lake.stamps())
    due = [path for path, each in wanted.items() if path not in there or sum_of(lake, path) != each]
    progress(f"restoring the lake: {len(due):,} files")
    for path in due:
        with backup.place.open(LAKE + path) as source, lake.file(path) as file:
            Hashing(file).take(source)
    for path in there - set(wanted):
        lake.delete(path)
