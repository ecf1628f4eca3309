"""What a role sees: its views in the database, and reading them with its rights alone.

Belongs here: which tables and columns there are for a role, and transactions as that role. Does not belong here: what
follows from the policy (privacy.views), SQL of a single question (``reads``).

Every question about a customer runs as the caller's role in PostgreSQL, with its own views as the search path: what a
page hides, the database refuses.
"""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from threading import Lock, Thread
from uuid import UUID

from sqlalchemy import Connection, Engine, text
from sqlalchemy.dialects import postgresql

from cdm_pipelines.console.caller import Caller
from cdm_pipelines.console.errors import AwayError, ForbiddenError
from cdm_pipelines.hub import access_log, quick, role_access
from cdm_pipelines.hub.access_log import Reading
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.roles import CLEAR, Change, Role
from cdm_pipelines.privacy.views import CUSTOMER, SeenTable, schema_of, seen
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.privacy.access import governed, group_of
from cdm_pipelines.store.categories import is_personal

_FRESH_SECONDS = 30.0
"""How long what the policies and the database say is believed."""
_STATEMENT_SECONDS = 10
_AS_OURSELVES = (
    "SET LOCAL ROLE none; SET LOCAL search_path TO DEFAULT; SET LOCAL statement_timeout TO DEFAULT"
)


@dataclass(frozen=True)
class Sight:
    """All that a role sees.

    Attributes:
        name: Of the role.
        role: What it may.
        group: PostgreSQL's role.
        schema: Of its views.
        tables: What it sees, by ``schema.table``.
        four_eyes: Of which changes one proposes and another approves.
    """

    name: str
    role: Role
    group: str
    schema: str
    tables: Mapping[str, SeenTable]
    four_eyes: frozenset[str] = frozenset()

    @cached_property
    def as_role(self) -> str:
        """The statements by which a transaction acts as the role until it gives the rights back."""
        quote = postgresql.dialect().identifier_preparer.quote_identifier  # type: ignore[no-untyped-call]
        return (
            f"SET LOCAL ROLE {quote(self.group)}; SET LOCAL search_path TO {quote(self.schema)}, pg_catalog, pg_temp; "
            f"SET LOCAL statement_timeout TO '{_STATEMENT_SECONDS}s'"
        )

    def columns(self, table: str) -> list[str]:
        """The columns that it sees of a table; none where it sees nothing of it."""
        one = self.tables.get(table)
        return [] if one is None else [each.column.name for each in one.columns]

    def clear(self, table: str) -> set[str]:
        """The columns that it sees in clear."""
        one = self.tables.get(table)
        return set() if one is None else {each.column.name for each in one.columns if each.shown.how == CLEAR}

    def categories(self, *tables: str) -> set[str]:
        """Privacy categories of what it sees of tables, for the access log."""
        seen_of = (
            each.column.category
            for name in tables
            if name in self.tables
            for each in self.tables[name].columns
        )
        return {category for category in seen_of if is_personal(category)}

    def see_that_sees(self, table: str) -> SeenTable:
        """The table, where the role sees it.

        Raises:
            ForbiddenError: It does not.
        """
        if table not in self.tables:
            raise ForbiddenError(f"The role {self.name} does not see {table} (policies/roles.yaml).")
        return self.tables[table]

    def see_that_recognises(self) -> None:
        """See that the role sees who a customer is by golden id.

        Raises:
            ForbiddenError: It sees keys in the place of ids, or no customers.
        """
        if "golden_id" not in self.clear(CUSTOMER):
            raise ForbiddenError(f"The role {self.name} recognises no single customer (policies/roles.yaml).")

    def see_that_may(self, change: Change) -> None:
        """See that the role may change something.

        Raises:
            ForbiddenError: It may not.
        """
        if change not in self.role.changes:
            raise ForbiddenError(f"The role {self.name} may not change {change} (policies/roles.yaml).")


class Sights:
    """What every role sees, asked anew beside the requests when some time has passed; safe for several threads.

    Args:
        engine: Of its own: whoever asks holds a connection of the pool already, and all of them may be held so.
        settings: Where policies are.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._lock = Lock()
        self._found: Mapping[str, Sight] = {}
        self._until = 0.0

    def of(self, name: str) -> Sight:
        """What a role sees.

        Raises:
            ForbiddenError: The policy has no such role any more.
            AwayError: The policy cannot be used.
        """
        found = self._all().get(name)
        if found is None:
            raise ForbiddenError(f"There is no role {name} any more (policies/roles.yaml); sign in again.")
        return found

    @property
    def names(self) -> list[str]:
        """The roles there are."""
        return list(self._all())

    def _all(self) -> Mapping[str, Sight]:
        with self._lock:
            if not self._found:
                self._found = self._ask()
                self._until = time.monotonic() + _FRESH_SECONDS
            elif time.monotonic() >= self._until:
                self._until = time.monotonic() + _FRESH_SECONDS
                Thread(target=self._ask_again, name="sights", daemon=True).start()
            return self._found

    def _ask_again(self) -> None:
        """Ask in a thread; where it cannot be told, whoever asks next is told why."""
        try:
            found = self._ask()
        except Exception:
            found = {}
        with self._lock:
            self._found = found

    def _ask(self) -> dict[str, Sight]:
        try:
            known = governed(self._settings)
        except PrivacyPolicyError as error:
            raise AwayError(f"{error}: nobody sees anything until that is mended.") from None
        with self._engine.connect() as connection:
            there = role_access.relations(connection)
            views = connection.execute(
                text(
                    """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE c.relkind = 'v' AND n.nspname = ANY(:schemas)"""
                ),
                {"schemas": [schema_of(name) for name in known.policy.roles]},
            )
            made = {(schema, view) for schema, view in views}
        return {
            name: Sight(
                name,
                role,
                group_of(self._settings, name),
                schema_of(name),
                {
                    one.table: one
                    for one in seen(role, there, known.catalogue)
                    if (schema_of(name), one.view) in made
                },
                frozenset(known.policy.four_eyes),
            )
            for name, role in known.policy.roles.items()
        }


@dataclass(frozen=True)
class Eyes:
    """A transaction in which a caller reads: as their role, and as the pipeline where it notes what was read.

    Attributes:
        connection: In the transaction.
        sight: What the role sees.
        caller: Who reads.
        tool: With what, for the access log.
    """

    connection: Connection
    sight: Sight
    caller: Caller
    tool: str

    @contextmanager
    def as_role(self) -> Iterator[Connection]:
        """Read with the rights of the role alone, in its own schema."""
        quick.run(self.connection, self.sight.as_role)
        yield self.connection  # whatever fails ends the transaction, and the rights with it
        quick.run(self.connection, _AS_OURSELVES)

    def note(
        self, tables: Collection[str], golden_ids: Collection[UUID] = (), rows: int | None = None
    ) -> None:
        """Write the line of the access log; whoever opened the transaction commits it before anything is shown."""
        reading = Reading(self.caller.who, self.sight.name, self.sight.role.purposes[0], self.tool)
        categories = self.sight.categories(*tables)
        access_log.note(self.connection, reading, categories, golden_ids=golden_ids, rows=rows)
