"""What is handed over: an archive with the data for people and for machines, and a manifest of hashes.

Belongs here: the files of the archive. Does not belong here: gathering the data (``access``).
"""

import csv
import datetime as dt
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Engine

from cdm_pipelines.hub import rights as hub
from cdm_pipelines.privacy import log
from cdm_pipelines.privacy.page import page
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.privacy.words import Language
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.rights.access import Asked, Everything, everything
from cdm_pipelines.steps.rights.requests import Receipt
from cdm_pipelines.steps.rights.subject import resolve
from cdm_pipelines.store import files
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Stores
from cdm_pipelines.store.spreadsheets import neutralised

KIND = "access"
PAGE, MANIFEST = "index.html", "manifest.json"


def answer(
    settings: Settings,
    engine: Engine,
    name: str,
    to: Path,
    *,
    language: Language,
    checked_by: str,
    receipt: Receipt | None = None,
) -> Path:
    """Write everything that is known of a customer into an archive; returns its path.

    Args:
        settings: Of the deployment.
        engine: Of its migrated hub.
        name: Golden id, alias or source record.
        to: Folder of the archive.
        language: Of the page.
        checked_by: Who made sure that the person is who asks.
        receipt: When it was asked, and the policy of then; now when left out.

    Raises:
        ErasedError, UnknownError: Who is meant was erased, or is nobody.
    """
    with engine.begin() as connection:
        number, content = answered(
            settings, connection, name, language=language, checked_by=checked_by, receipt=receipt
        )
        path = to / f"access-{number}.zip"
        files.write_whole(path, content)  # before the request counts as answered
    return path


def answered(
    settings: Settings,
    connection: Connection,
    name: str,
    *,
    language: Language,
    checked_by: str,
    receipt: Receipt | None = None,
) -> tuple[int, bytes]:
    """The archive of everything that is known of a customer, with the number of the request that it answers.

    Args:
        settings: Of the deployment.
        connection: To its migrated hub, in a transaction that ends when the archive is safe.
        name: Golden id, alias or source record.
        language: Of the page.
        checked_by: Who made sure that the person is who asks.
        receipt: When it was asked, and the policy of then; now when left out.

    Raises:
        ErasedError, UnknownError: Who is meant was erased, or is nobody.
    """
    lake, register = Lake(settings.lake_url), all_places(settings)
    now = dt.datetime.now(dt.UTC)
    receipt = receipt or Receipt.now(settings)
    stores = Stores(lake, connection)
    persons = resolve(stores, lambda: register, log.tombstones(settings.home, lake), name)
    vault = Vault.of(settings, lake)
    found = {
        section: {table: [vault.open_row(row) for row in rows] for table, rows in held.items()}
        for section, held in everything(Asked(settings, register, stores, persons)).items()
    }
    number = hub.add_request(
        connection,
        kind=KIND,
        received_at=receipt.received_at,
        due_on=receipt.due_on,
        checked_by=checked_by,
        state=hub.OPEN,
        policy=receipt.policy.frozen,
    )
    hub.close_request(connection, number)
    return number, archived(found, language, now)


def archived(found: Everything, language: Language, now: dt.datetime) -> bytes:
    """The archive: per table JSON and CSV, one page, and a manifest with SHA-256 of each."""
    content = {PAGE: page(found, language, now.date()).encode()}
    for section, tables in found.items():
        for name, rows in tables.items():
            stem = section if section == name else f"{section}/{name}"
            content[f"json/{stem}.json"] = _json(rows)
            content[f"csv/{stem}.csv"] = _csv(rows)
    listed = {name: {"sha256": sha256(data).hexdigest(), "size": len(data)} for name, data in content.items()}
    manifest = {"made_at": now.isoformat(timespec="seconds"), "files": listed}
    content[MANIFEST] = json.dumps(manifest, indent=1).encode()
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(content.items()):
            archive.writestr(zipfile.ZipInfo(name, now.timetuple()[:6]), data, zipfile.ZIP_DEFLATED)
    return sink.getvalue()


def _json(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps(list(rows), indent=1, ensure_ascii=False, default=str).encode()


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = {name: [None if (cell := row.get(name)) is None else str(cell) for row in rows] for name in names}
    table = neutralised(pa.table({name: pa.array(column, pa.string()) for name, column in cells.items()}))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return text.getvalue().encode("utf-8-sig")
