"""How well a pseudonymous role's rows keep anybody from being recognised: k-anonymity, as figures.

Belongs here: counting, in the role's own view. Does not belong here: which columns count (policies/roles.yaml).

Customers who share all quasi-identifiers are a group; k is the size of the smallest one (Sweeney, 2002). A value that
is not known counts as a value.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.roles import FILE
from cdm_pipelines.privacy.views import schema_of
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.privacy.access import governed


@dataclass(frozen=True)
class Anonymity:
    """Figures of one role.

    Attributes:
        role: Its name.
        quasi_identifiers: Columns of its view of customers.
        wanted: Smallest group that the policy calls large enough.
        customers: In the view.
        groups: Of customers who share all of them.
        smallest: Size of the smallest group; 0 where there is nobody.
        below: Customers in groups that are smaller than wanted.
    """

    role: str
    quasi_identifiers: tuple[str, ...]
    wanted: int
    customers: int
    groups: int
    smallest: int
    below: int

    @property
    def share_below(self) -> float:
        """Share of the customers who are in too small a group."""
        return self.below / self.customers if self.customers else 0.0

    def told(self) -> dict[str, object]:
        """As a row of a table."""
        return {
            "role": self.role,
            "by": ", ".join(self.quasi_identifiers),
            "customers": self.customers,
            "groups": self.groups,
            "k": self.smallest,
            "wanted": self.wanted,
            "below it": f"{self.below:,} ({self.share_below:.1%})",
        }


def anonymity(connection: Connection, settings: Settings) -> Iterator[Anonymity]:
    """Figures of every pseudonymous role that has a view of customers.

    Raises:
        PrivacyPolicyError: The policy cannot be used, or names a column that the view has not.
    """
    for name, role in governed(settings).policy.roles.items():
        view = f'"{schema_of(name)}"."customer"'
        if (
            role.pseudonymous is None
            or connection.scalar(text("SELECT to_regclass(:v)"), {"v": view}) is None
        ):
            continue
        named = role.pseudonymous.quasi_identifiers
        there = connection.scalars(
            text("SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:v) AND attnum > 0"),
            {"v": view},
        ).all()
        if missing := sorted(set(named) - set(there)):
            raise PrivacyPolicyError(
                f"{FILE}: roles.{name}.pseudonymous.quasi_identifiers: {', '.join(missing)} is no column of its view "
                "of customers; show it in reads, or remove it here"
            )
        columns = ", ".join(f'"{column}"' for column in named)
        row = connection.execute(
            text(
                f"""SELECT coalesce(sum(n), 0), count(*), coalesce(min(n), 0), coalesce(sum(n) FILTER (WHERE n < :k), 0)
                FROM (SELECT count(*) AS n FROM {view} GROUP BY {columns}) AS g"""  # noqa: S608 - columns that are there
            ),
            {"k": role.pseudonymous.k},
        ).one()
        yield Anonymity(name, named, role.pseudonymous.k, *(int(figure) for figure in row))
