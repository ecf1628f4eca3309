"""What roles see, told to people: as tables on the terminal, and as a handbook of HTML pages.

Belongs here: asking the database and the policies, writing the pages. Does not belong here: what they say
(privacy.handbook).
"""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection

from cdm_pipelines.contracts.canonical import declarations
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import role_access
from cdm_pipelines.privacy.catalogue import categories, types
from cdm_pipelines.privacy.governance import GovernancePolicy
from cdm_pipelines.privacy.handbook import Page, in_words, render_handbook
from cdm_pipelines.privacy.masks import nearest
from cdm_pipelines.privacy.roles import HIDDEN
from cdm_pipelines.privacy.views import Columns, schema_of, seen, shown_as
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.privacy.access import governed, group_of
from cdm_pipelines.store.files import make_folder, write_whole


def overview(connection: Connection, settings: Settings) -> list[dict[str, object]]:
    """A row per role."""
    found, there = governed(settings), role_access.relations(connection)
    return [
        {
            "role": name,
            "PostgreSQL": group_of(settings, name),
            "schema": schema_of(name),
            "views": len(seen(role, there, found.catalogue)),
            "rows": "; ".join(in_words(column, one) for column, one in role.rows.items())
            or ("all" if role.sees_who_is_restricted else "all but who is restricted"),
            "acts for": ", ".join(role.purposes),
            "may change": ", ".join(role.changes),
        }
        for name, role in found.policy.roles.items()
    ]


def seen_by(connection: Connection, settings: Settings, role: str) -> list[dict[str, object]]:
    """A row per column that a role sees.

    Raises:
        PrivacyPolicyError: There is no such role.
    """
    found = governed(settings)
    tables = seen(found.policy.role(role), role_access.relations(connection), found.catalogue)
    return [
        {
            "view": f"{schema_of(role)}.{table.view}",
            "column": one.column.name,
            "read": shown_as(one.shown),
            "category": one.column.category,
        }
        for table in tables
        for one in table.columns
    ]


def write_handbook(connection: Connection, settings: Settings, folder: Path) -> list[Path]:
    """Write the handbook into a folder, whose other files are left alone; returns its pages.

    Raises:
        PrivacyPolicyError: A policy cannot be used.
    """
    made = handbook_pages(settings, role_access.relations(connection))
    make_folder(folder)
    for name, page in made.items():
        write_whole(folder / name, page.encode())
    return [folder / name for name in made]


def manuals(settings: Settings, there: Mapping[str, Columns] | None = None) -> list[Page]:
    """What the manual of every role is made from.

    Args:
        settings: Where policies are.
        there: Tables and views of the database, with types; all that are declared when left out.

    Raises:
        PrivacyPolicyError: A policy cannot be used.
    """
    found = governed(settings)
    there = types(found.catalogue) if there is None else there
    known = sorted(categories(found.catalogue))
    return [
        Page(
            name,
            role,
            group_of(settings, name),
            seen(role, there, found.catalogue),
            [one for one in known if (nearest(one, role.reads) or HIDDEN) == HIDDEN],
        )
        for name, role in found.policy.roles.items()
    ]


def handbook_pages(settings: Settings, there: Mapping[str, Columns] | None = None) -> dict[str, str]:
    """The handbook by file name; arguments and errors as of :func:`manuals`."""
    paths = {
        f"{table}.{attribute.name}": attribute.path
        for one in declarations()
        for table in (
            f"golden.{one.table_name}",
            f"profile.{one.table_name}",
        )  # the wide view has golden columns
        for attribute in one.attributes
    }
    pages, governance = manuals(settings, there), GovernancePolicy.load(settings.policies)
    return render_handbook(pages, all_contracts(), governance, paths)
