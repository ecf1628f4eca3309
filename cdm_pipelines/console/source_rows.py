"""Rows as sources delivered them, as a role may see them: in clear what it reads, of the rest the shape.

Belongs here: which cells of a source entity a role reads. Does not belong here: reading the lake (steps.days), pages.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from cdm_pipelines.console.errors import ForbiddenError
from cdm_pipelines.console.sight import Eyes, Sight
from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.told import shape
from cdm_pipelines.hub import access_log
from cdm_pipelines.hub.access_log import Reading
from cdm_pipelines.store.categories import UNCLASSIFIED, is_personal


def watches(sight: Sight) -> bool:
    """Whether a role looks after data: it sees something of how the house runs, or mends what was rejected."""
    return "quarantine" in sight.role.changes or any(one.startswith("ops.") for one in sight.tables)


def see_that_watches(sight: Sight) -> None:
    """See that a role looks after data.

    Raises:
        ForbiddenError: It does not.
    """
    if not watches(sight):
        raise ForbiddenError(f"The role {sight.name} does not look after data (policies/roles.yaml).")


def clear_columns(sight: Sight, contract: SourceContract) -> set[str]:
    """The columns of a source entity that a role reads in clear.

    None for a role that sees some customers only, or that recognises nobody: whose row it is, is not known yet.
    """
    if not sight.role.sees_everybody or sight.role.pseudonymous is not None:
        return set()
    return {
        column.name
        for column in contract.columns
        if sight.role.reads_in_clear(column.privacy or UNCLASSIFIED)
    }


def seen_cells(
    row: Mapping[str, Any], contract: SourceContract, clear: Iterable[str]
) -> list[tuple[str, str, bool]]:
    """Cells of a row with a value: column, what the role reads of it, and whether that is the value itself."""
    own, readable = set(contract.column_names), set(clear)
    found = []
    for name, value in row.items():
        if value is not None and not name.startswith("_"):
            shown = name in own and name in readable
            found.append(
                (name if name in own else shape(name), str(value) if shown else shape(str(value)), shown)
            )
    return found


def note(eyes: Eyes, contract: SourceContract, clear: Iterable[str], rows: int) -> None:
    """Write the line of the access log, where anything personal is shown in clear."""
    readable = set(clear)
    categories = {
        column.privacy or UNCLASSIFIED
        for column in contract.columns
        if column.name in readable and is_personal(column.privacy or UNCLASSIFIED)
    }
    if categories and rows:
        reading = Reading(eyes.caller.who, eyes.sight.name, eyes.sight.role.purposes[0], eyes.tool)
        access_log.note(eyes.connection, reading, categories, rows=rows)
