"""The handbook: a manual for each role, as HTML that needs nothing from elsewhere.

Belongs here: from what a role sees and may do to pages. Does not belong here: asking the database, writing files
(steps.privacy.handbook).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from cdm_pipelines.contracts.model import SourceContract
from cdm_pipelines.privacy.governance import GovernancePolicy
from cdm_pipelines.privacy.roles import CONSENT, SOURCE, Condition, Role
from cdm_pipelines.privacy.views import SeenTable, schema_of, shown_as

_CHANGES = {
    "decisions": "You decide which records are of one customer, and set golden values: cdm steward.",
    "quarantine": "You correct rows that were rejected: cdm quarantine.",
    "requests": "You answer requests of persons.",
    "consent": "You take down what customers say about consent: POST /v1/consent, or cdm privacy say.",
    "policies": "You change contracts and policies, with the consent of the owner.",
}


@dataclass(frozen=True)
class Page:
    """What the page of one role is made from.

    Attributes:
        name: Of the role.
        role: What it may.
        group: PostgreSQL's role.
        tables: What it sees.
        hidden: Categories of which it sees nothing.
    """

    name: str
    role: Role
    group: str
    tables: Sequence[SeenTable]
    hidden: Sequence[str]


def render_handbook(
    pages: Sequence[Page],
    contracts: Sequence[SourceContract],
    governance: GovernancePolicy,
    paths: Mapping[str, str],
) -> dict[str, str]:
    """The pages by file name; the same policies give the same pages.

    Args:
        pages: Of all roles.
        contracts: Of all sources.
        governance: Who is answerable.
        paths: Canonical attribute of each ``schema.table.column`` that is one.
    """
    environment = Environment(
        loader=PackageLoader("cdm_pipelines.privacy"), autoescape=True, undefined=StrictUndefined
    )
    sources = [_source(one, governance) for one in sorted(contracts, key=lambda one: one.name)]
    roles = [_role(one, governance, paths) for one in pages]
    made = {"index.html": environment.get_template("index.html").render(roles=roles)}
    template = environment.get_template("role.html")
    for role in roles:
        made[f"{role['name']}.html"] = template.render(role=role, sources=sources)
    return made


def _source(one: SourceContract, governance: GovernancePolicy) -> dict[str, str]:
    found = governance.of_source(one.source, one.entity, one.owner)
    return {"name": one.name, "description": one.description, **{k: str(v) for k, v in vars(found).items()}}


def _role(page: Page, governance: GovernancePolicy, paths: Mapping[str, str]) -> dict[str, object]:
    role = page.role
    return {
        "name": page.name,
        "title": page.name.replace("_", " ").capitalize(),
        "description": role.description,
        "purposes": role.purposes,
        "schema": schema_of(page.name),
        "group": page.group,
        "rows": [in_words(column, one) for column, one in role.rows.items()],
        "sees_restricted": role.sees_who_is_restricted,
        "search": role.search,
        "pseudonymous": role.pseudonymous is not None,
        "changes": changes_in_words(role),
        "tables": [_table(one, governance, paths) for one in page.tables],
        "hidden": page.hidden,
    }


def _table(table: SeenTable, governance: GovernancePolicy, paths: Mapping[str, str]) -> dict[str, object]:
    columns = []
    for one in table.columns:
        path = paths.get(f"{table.table}.{one.column.name}", "")
        found = governance.of_attribute(path, one.column.category)
        columns.append(
            {
                "name": one.column.name,
                "description": one.column.description,
                "shown": shown_as(one.shown),
                "category": one.column.category,
                "owner": found.owner,
                "steward": found.steward,
            }
        )
    return {"view": table.view, "description": table.description, "columns": columns}


def changes_in_words(role: Role) -> list[str]:
    """What a role may change, a sentence each."""
    return [_CHANGES[one] for one in role.changes]


def in_words(column: str, condition: Condition) -> str:
    """A condition on rows, in words."""
    name = {SOURCE: "a source that knows them", CONSENT: "a purpose that they agreed to"}.get(
        column, f"the {column.replace('_', ' ')}"
    )
    parts = []
    if condition.any_of:
        parts.append(f"{name} is {' or '.join(map(str, condition.any_of))}")
    if condition.none_of:
        parts.append(f"{name} is not {' or '.join(map(str, condition.none_of))}")
    return ", and ".join(parts)
