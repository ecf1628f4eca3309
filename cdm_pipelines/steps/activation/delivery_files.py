"""The files of a delivery: written whole, and the one that says that the others are.

Belongs here: writing and reading them, and the header of a target's template. Does not belong here: who is in them
(``audiences``), or when they count (``deliveries``).
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.csv as pa_csv

from cdm_pipelines.hub.deliveries import ADDED, REMOVED, UPDATED, Delivery
from cdm_pipelines.publish import audience_places as places
from cdm_pipelines.publish.audience_policy import FOLDER, Audience, Target
from cdm_pipelines.publish.platforms.form import Form
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.activation.audience_book import AudienceError
from cdm_pipelines.store.damage import LakeError
from cdm_pipelines.store.lake import Lake


def lake_at(settings: Settings, place: str) -> Lake:
    """Where files lie, of a place of the ledger."""
    return Lake(f"{settings.lake_url}/{FOLDER}" if place == FOLDER else place)


@dataclass(frozen=True)
class Files:
    """Where the files of an audience lie, and in what form.

    Attributes:
        lake: The folder of the target.
        form: None of a webhook, which has no files.
        headers: Of the form, in the order of the target's template.
    """

    lake: Lake
    form: Form | None
    headers: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings, target: Target) -> Self:
        """Those of a target.

        Raises:
            AudienceError: Its template cannot be read, or is of another form.
        """
        form = target.made_by
        headers = _headers(settings, target, form) if form else ()
        return cls(lake_at(settings, target.home.place), form, headers)

    def write(self, folder: str, rows: pa.Table, changed: pa.Array, removed: pa.Array) -> None:
        """Write the files of a delivery, whole, but for the one that says that it is.

        Args:
            folder: Of the delivery.
            rows: A row per member, with the columns of the form.
            changed: Positions of those that are new or other.
            removed: Keys of who is no longer in it.

        Raises:
            AudienceError, LakeError: The place cannot be written to.
        """
        form = self.form
        if form is None:
            return
        rows = rows.select(list(self.headers))
        try:
            self.lake.delete_folder(folder)
            self._csv(f"{folder}/{places.MEMBERS}", rows)
            if len(changed):
                self._csv(f"{folder}/{places.ADDED}", rows.take(changed))
            if form.key and len(removed):
                self._csv(f"{folder}/{places.REMOVED}", pa.table({form.key: removed}))
        except OSError as error:
            raise AudienceError(
                f"{self.lake.where(folder)} cannot be written to ({error.strerror or type(error).__name__}). Nothing "
                "was delivered: name another folder of the target, or have it made writable."
            ) from None

    def _csv(self, path: str, rows: pa.Table) -> None:
        content = io.BytesIO()
        pa_csv.write_csv(rows, content)
        with self.lake.file(path) as sink:
            sink.write(content.getbuffer())

    def finish(self, made: Delivery, said_of_it: Mapping[str, Any]) -> None:
        """Say that a delivery is whole."""
        self.lake.write_json(_manifest_of(made), json.dumps(said_of_it, indent=1))


def is_whole(settings: Settings, made: Delivery) -> bool:
    """Whether a delivery's own file is there."""
    try:
        found = json.loads(lake_at(settings, made.place).read_json(_manifest_of(made)))
    except LakeError:
        return False
    return bool(found.get("token") == str(made.token))


def manifest(
    made: Delivery, audience: Audience, form: Form | None, members: int, changed: Mapping[str, int]
) -> dict[str, Any]:
    """What a delivery's own file says of it.

    Args:
        made: The delivery.
        audience: The audience.
        form: Of the files.
        members: How many are in it.
        changed: How many were added, updated and removed; nobody where it says nothing.
    """
    by_key = (
        f"{places.ADDED} and {places.REMOVED}, or {places.MEMBERS} in the place of the whole list",
        f"{places.MEMBERS} in the place of the whole list: the form has no column by which somebody is removed",
    )
    return {
        "audience": made.audience,
        "delivery": made.number,
        "token": str(made.token),
        "purpose": audience.purpose,
        "channel": audience.channel,
        "platform": made.platform,
        "form": form.version if form else 0,
        "members": members,
        **{what: changed.get(what, 0) for what in (ADDED, UPDATED, REMOVED)},
        "take": by_key[0 if form and form.key else 1],
    }


def _manifest_of(made: Delivery) -> str:
    return f"{places.folder_of(made.audience, made.number)}/{places.MANIFEST}"


def _headers(settings: Settings, target: Target, form: Form) -> tuple[str, ...]:
    if not target.template:
        return form.headers
    path = Path(target.template)
    path = path if path.is_absolute() else settings.policies / path
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header: list[str] = next(csv.reader(lines), [])
    except (OSError, UnicodeDecodeError) as error:
        raise AudienceError(
            f"The template {path} cannot be read ({type(error).__name__}). Name another, or none."
        ) from None
    if drift := form.drift(header):
        raise AudienceError(
            f"The form of {form.title} has changed, or {path} is of another: {'; '.join(drift)}. Nothing was "
            f"delivered. Version {form.version} has {', '.join(form.headers)}."
        )
    return tuple(one.strip() for one in header)
