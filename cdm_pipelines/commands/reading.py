"""What commands that show personal data have in common: options, values in clear, and the line of each reading.

Belongs here: that. Does not belong here: what is noted (steps.privacy.reading), what is encrypted (privacy.protection).
"""

import getpass
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from cdm_pipelines.hub.access_log import Reading
    from cdm_pipelines.settings import Settings

AsRole = Annotated[
    str,
    typer.Option(
        "--role",
        help="Role of policies/roles.yaml that you act in, for the access log.",
        show_default="engineer",
    ),
]
ForPurpose = Annotated[
    str,
    typer.Option(
        "--purpose", help="What for; the first purpose of the role when left out.", show_default=False
    ),
]


def login() -> str:
    """Who runs the command; in a container their number may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def opener(own: "Settings") -> Callable[[Mapping[str, object]], dict[str, object]]:
    """What gives a row with its encrypted values in clear."""
    from cdm_pipelines.privacy.protection import Vault  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    return Vault.of(own, Lake(own.lake_url)).open_row


def note(
    engine: "Engine",
    reading: "Reading",
    *,
    categories: Iterable[str],
    golden_ids: Collection[UUID] = (),
    rows: int | None = None,
) -> None:
    """Write the line for good, before anything is shown."""
    from cdm_pipelines.hub import access_log  # noqa: PLC0415 - commands load what they need

    with engine.begin() as connection:
        access_log.note(connection, reading, categories, golden_ids=golden_ids, rows=rows)
