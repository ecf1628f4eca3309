"""Who belongs to a customer: the others of its household, the organisations of its group, its employer, its contacts.

Belongs here: reading them through the role's views. Does not belong here: who belongs together (enrichment.household,
enrichment.organisation, identity.relations), how it is shown (pages).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from cdm_pipelines.console.errors import ForbiddenError
from cdm_pipelines.console.reads import Row, names_of
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.privacy.views import CUSTOMER, view_name

HOUSEHOLD, ORGANISATION = "profile.household_member", "profile.organisation_member"
MOST = 20


@dataclass(frozen=True)
class Relative:
    """A customer who belongs to another one.

    Attributes:
        golden_id: Of it.
        values: What the role sees of its golden values.
        role: What it is to the others; empty where that is not known, or the role does not see it.
    """

    golden_id: UUID
    values: Mapping[str, Any]
    role: str = ""


@dataclass(frozen=True)
class Related:
    """Who belongs to a customer.

    Attributes:
        others: They, of at most `MOST` each.
        role: What the customer is to them.
        name: Of their group.
        employer: The organisation that a person works for.
        contacts: The persons who act for an organisation.
        more: Whether there are others.
    """

    others: Sequence[Relative] = ()
    role: str = ""
    name: str = ""
    employer: Relative | None = None
    contacts: Sequence[Relative] = ()
    more: bool = False


def household(eyes: Eyes, golden_id: UUID) -> Related:
    """The others of a customer's household.

    Raises:
        ForbiddenError: The role does not see households.
    """
    own, rows = _of_group(eyes, HOUSEHOLD, "household_id", golden_id)
    known = _customers(eyes, [row["golden_id"] for row in rows[:MOST]])
    others = [known[row["golden_id"]] for row in rows[:MOST] if row["golden_id"] in known]
    roles = {row["golden_id"]: str(row.get("role") or "") for row in rows}
    named = [Relative(one.golden_id, one.values, roles[one.golden_id]) for one in others]
    return Related(named, str(own.get("role") or ""), more=len(rows) > MOST)


def organisation(eyes: Eyes, golden_id: UUID) -> Related:
    """The group of an organisation and who acts for it, or the employer of a person.

    Raises:
        ForbiddenError: The role sees neither groups nor employers.
    """
    if "employer_id" not in eyes.sight.clear(CUSTOMER) and ORGANISATION not in eyes.sight.tables:
        raise ForbiddenError(f"The role {eyes.sight.name} does not see employers (policies/roles.yaml).")
    own: Row = {}
    rows: list[Row] = []
    if ORGANISATION in eyes.sight.tables:
        own, rows = _of_group(eyes, ORGANISATION, "group_id", golden_id)
    employer, contacts = _working(eyes, golden_id)
    known = _customers(eyes, [*(row["golden_id"] for row in rows[:MOST]), *contacts[:MOST], *employer])
    roles = {row["golden_id"]: str(row.get("role") or "") for row in rows}
    return Related(
        [Relative(one, known[one].values, roles[one]) for one in list(roles)[:MOST] if one in known],
        str(own.get("role") or ""),
        str(own.get("group_name") or ""),
        next((known[one] for one in employer if one in known), None),
        [known[one] for one in contacts[:MOST] if one in known],
        more=len(rows) > MOST or len(contacts) > MOST,
    )


def _of_group(eyes: Eyes, table: str, group: str, golden_id: UUID) -> tuple[Row, list[Row]]:
    """The row of a customer in a table of groups, and those of the others of its group, one more than is shown."""
    eyes.sight.see_that_sees(table)
    if not {"golden_id", group} <= eyes.sight.clear(table):
        raise ForbiddenError(
            f"The role {eyes.sight.name} does not see who belongs together (policies/roles.yaml)."
        )
    rows_of = f'SELECT {names_of(eyes.sight, table)} FROM "{view_name(table)}" WHERE'  # noqa: S608 - ours
    with eyes.as_role() as connection:
        answer = connection.execute(text(f"{rows_of} golden_id = :id"), {"id": golden_id}).mappings().first()
        if answer is None:
            return {}, []
        own = dict(answer)
        # A group may be of many thousands: no more than are shown are looked at, in no order.
        query = text(f'{rows_of} "{group}" = :group AND golden_id <> :id LIMIT {MOST + 1:d}')
        found = connection.execute(query, {"group": own[group], "id": golden_id}).mappings()
        others = sorted((dict(row) for row in found), key=lambda row: str(row["golden_id"]))
    eyes.note([table], [row["golden_id"] for row in (own, *others)])
    return own, others


def _working(eyes: Eyes, golden_id: UUID) -> tuple[list[UUID], list[UUID]]:
    """The employer of a customer, and the customers whose employer it is, one more than is shown."""
    if "employer_id" not in eyes.sight.clear(CUSTOMER):
        return [], []
    own = text("SELECT employer_id FROM customer WHERE golden_id = :id AND employer_id IS NOT NULL")
    query = text(f"SELECT golden_id FROM customer WHERE employer_id = :id LIMIT {MOST + 1:d}")  # noqa: S608 - ours
    with eyes.as_role() as connection:
        employer = connection.scalars(own, {"id": golden_id}).all()
        contacts = connection.scalars(query, {"id": golden_id}).all()
    return list(employer), sorted(contacts, key=str)


def _customers(eyes: Eyes, ids: Sequence[UUID]) -> dict[UUID, Relative]:
    """Those of some customers whom the role sees."""
    if not ids:
        return {}
    query = text(f"SELECT {names_of(eyes.sight, CUSTOMER)} FROM customer WHERE golden_id = ANY (:ids)")  # noqa: S608 - ours
    with eyes.as_role() as connection:
        rows = [dict(row) for row in connection.execute(query, {"ids": list(ids)}).mappings()]
    eyes.note([CUSTOMER], [row["golden_id"] for row in rows])
    return {row["golden_id"]: Relative(row["golden_id"], row) for row in rows}
