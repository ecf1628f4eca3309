"""The step from policies to the database: what each role sees is made, and told where it differs.

Belongs here: reading policies and declarations, and bringing the hub there. Does not belong here: what follows from the
policy (privacy.views), SQL (hub.role_access).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import phonenumbers
from sqlalchemy import Connection

from cdm_pipelines.enrichment.catalogue import enrichers
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.groups import group_views
from cdm_pipelines.hub import role_access
from cdm_pipelines.hub.role_access import Step
from cdm_pipelines.hub.role_schemas import RoleSchema
from cdm_pipelines.privacy.catalogue import DeclaredTable, categories, declared
from cdm_pipelines.privacy.masks import pads
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.purposes import POLICY as PURPOSES
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.privacy.roles import DeclaredColumn, RolesPolicy
from cdm_pipelines.privacy.views import role_schema
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.enrich import groups_of, policy_of, tables_of
from cdm_pipelines.store.secret import Secret

PSEUDONYMS = "pseudonyms of analysts"
"""Names the key of pseudonyms among those that are made from the secret of the deployment."""


@dataclass(frozen=True)
class Governed:
    """The policy of roles beside what it is about.

    Attributes:
        policy: Of roles.
        catalogue: What is declared of every table and column.
        possible: The same with the tables of enrichers that are switched off, which a policy may name as well.
        purposes: The purposes.
    """

    policy: RolesPolicy
    catalogue: Mapping[str, DeclaredTable]
    possible: Mapping[str, DeclaredTable]
    purposes: Purposes


def governed(settings: Settings) -> Governed:
    """The policy of roles, held against what is declared.

    Raises:
        PrivacyPolicyError: It cannot be used, or names what there is not.
        EnrichmentPolicyError, EnricherError: The policy of the profile cannot be used.
        PurposesError: The purposes cannot be used.
    """
    found = unchecked(settings)
    problems = role_problems(found)
    if problems:
        raise PrivacyPolicyError("; ".join(problems))
    return found


def unchecked(settings: Settings) -> Governed:
    """The same before it is held against what is declared."""
    enrichment = policy_of(settings)
    every = enrichers(settings.policies)
    return Governed(
        RolesPolicy.load(settings.policies),
        declared(tables_of(enrichment), groups_of(enrichment)),
        declared([profile_table(one) for one in every.values()], group_views(every)),
        Purposes.load(settings.policies / PURPOSES),
    )


def role_problems(found: Governed) -> list[str]:
    """What the policy of roles names that there is not."""
    columns = {
        name: [DeclaredColumn(column, one.type, one.category) for column, one in table.columns.items()]
        for name, table in found.possible.items()
    }
    return list(found.policy.problems(columns, categories(found.possible), found.purposes.by_key))


def pseudonym_key(settings: Settings) -> bytes:
    """The key of pseudonyms: 32 bytes that follow from the secret of the deployment."""
    secret = Secret.of(settings.home)
    return bytes.fromhex(secret.digest(PSEUDONYMS.encode()) + secret.digest(f"{PSEUDONYMS}, 2".encode()))


def wanted(connection: Connection, settings: Settings, found: Governed) -> list[RoleSchema]:
    """What the database is to hold for every role, by what tables it has now."""
    there = role_access.relations(connection)
    code = phonenumbers.country_code_for_region(settings.default_country)
    return [
        role_schema(
            name,
            role,
            group=group_of(settings, name),
            there=there,
            catalogue=found.catalogue,
            purposes=found.purposes,
            calling_code=code,
        )
        for name, role in found.policy.roles.items()
    ]


def group_of(settings: Settings, role: str) -> str:
    """PostgreSQL's name of a role."""
    return f"{settings.role_prefix}_{role}"


def apply(
    connection: Connection, settings: Settings, found: Governed | None = None, *, thorough: bool = False
) -> list[Step]:
    """Make the database what the policies say; does nothing where it is that already.

    Args:
        connection: Of a migrated hub, in a transaction.
        settings: Where policies and the secret are.
        found: The policies, where they have been read already.
        thorough: Whether each view is compared with one made anew, and not by the note of when it was made alone.

    Returns:
        What an administrator has to do.

    Raises:
        PrivacyPolicyError: A policy cannot be used.
    """
    found = found or governed(settings)
    role_access.set_key(connection, *pads(pseudonym_key(settings)))
    return role_access.bring_up(connection, wanted(connection, settings, found), thorough=thorough)


def drift(connection: Connection, settings: Settings, *, thorough: bool = True) -> list[Step]:
    """Where the database differs from the policies.

    Raises:
        PrivacyPolicyError: A policy cannot be used.
    """
    return role_access.steps(connection, wanted(connection, settings, governed(settings)), thorough=thorough)


def script(todo: Sequence[Step]) -> str:
    """What an administrator runs, as SQL; a finding names what others made, and stays one line of comment."""
    lines = [
        line
        for step in todo
        for line in (f"-- {' '.join(step.finding.split())}", *(f"{one};" for one in step.sql))
    ]
    return "\n".join(lines) + ("\n" if lines else "")
