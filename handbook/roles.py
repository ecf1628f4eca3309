"""The derived page of roles: in short what `cdm handbook` tells each role, of the shipped policies.

Belongs here: the manuals as Markdown. Does not belong here: what they say (privacy.handbook), or which other pages are
derived (``pages``).
"""

from collections.abc import Iterator, Sequence

from cdm_pipelines.privacy.handbook import Page, changes_in_words, in_words
from cdm_pipelines.privacy.views import SeenTable, schema_of
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.steps.privacy.handbook import manuals

_INTRODUCTION = """*Written by `make docs` from `policies/roles.yaml` and what tables are declared with; do not edit.*

What each role of the shipped policy sees, and may change: every view of its schema with the columns that it reads in
clear and those behind a mask; a column that stands in neither is hidden. `cdm handbook` writes a manual for each role
of a deployment, as HTML, with what every column means, who answers for it and whom to ask; `cdm roles show ROLE` tells
the same on the terminal. [What roles are and how masks show a value](../governance.md)."""


def roles_page() -> str:
    """Every role of the shipped policy with its views."""
    shipped = load_settings(policies=Settings.model_fields["policies"].default)
    parts = [
        f"# Roles\n\n{_INTRODUCTION}",
        *(part for one in manuals(shipped) for part in _role(one)),
    ]
    return "\n\n".join(parts) + "\n"


def _role(page: Page) -> Iterator[str]:
    role = page.role
    yield f"## {page.name}"
    yield role.description
    but = "" if role.sees_who_is_restricted else ", but who is restricted or said no to all that it acts for"
    said = [
        f"- Acts for: {_listed(role.purposes)}.",
        f"- Sees: {'; '.join(in_words(column, one) for column, one in role.rows.items()) or 'all customers'}{but}.",
        f"- Searches customers: {'yes' if role.search else 'no'}.",
        *(["- Sees keys in the place of ids, and recognises nobody."] if role.pseudonymous else []),
        *(f"- {one}" for one in changes_in_words(role)),
        f"- Sees nothing of: {_listed(page.hidden) or 'no category'}.",
    ]
    yield "\n".join(said)
    lines = [
        "| View | In clear | Masked |",
        "| --- | --- | --- |",
        *(_view(page.name, one) for one in page.tables),
    ]
    yield "\n".join(lines)


def _view(role: str, table: SeenTable) -> str:
    clear = [one.column.name for one in table.columns if one.shown.mask is None]
    masked = [f"`{one.column.name}` ({one.shown.mask.name})" for one in table.columns if one.shown.mask]
    return f"| `{schema_of(role)}.{table.view}` | {_listed(clear)} | {', '.join(masked)} |"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
