"""Whose the counted interactions are, from what the lake and the hub hold.

Belongs here: bringing together what attaching needs, and by which rules it is done on which days. Does not belong here:
attaching (enrichment), counting days (``interactions``).
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.enrichment.attachment import (
    Attached,
    Preview,
    attach,
    attach_only,
    attached_reader,
    attached_rows,
    preview,
)
from cdm_pipelines.enrichment.interactions import DAY_SCHEMA
from cdm_pipelines.enrichment.moments import BY_CUSTOMER, BY_US, SERVICE_DESK
from cdm_pipelines.enrichment.subjects import Whose, concerned, run
from cdm_pipelines.enrichment.tokens import Eras, InteractionPolicy, eras_as_json, eras_from_json, eras_now
from cdm_pipelines.hub.bulk import read_crosswalk
from cdm_pipelines.steps.profile.interactions import database, delivering
from cdm_pipelines.store import tables
from cdm_pipelines.store.damage import DamagedError, made_anew
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layout import INTERACTION_RULES, INTERACTIONS

if TYPE_CHECKING:
    import duckdb


_TEXT = pa.string()
PARTIES = pa.schema(
    [
        *((name, _TEXT) for name in ("source", "entity", "record_id")),
        ("active", pa.bool_()),
        *((name, _TEXT) for name in ("first_seen", "email", "phone", "mobile")),
    ]
)
"""What is asked of party records."""
ORDERS = pa.schema([(name, _TEXT) for name in ("source", "order_id", "party_entity", "party_record_id")])
"""What is asked of orders."""
CROSSWALK = pa.schema([(name, _TEXT) for name in ("golden_id", "source", "entity", "record_id")])
"""What is asked of the crosswalk."""
MESSAGES = pa.schema(
    [("golden_id", _TEXT), ("day", pa.date32()), ("campaign", _TEXT), ("contacts", pa.int64())]
)
"""How often we addressed a customer on a day, by the campaign that the interactions name."""


@dataclass(frozen=True)
class Known:
    """Who the customers are: columns as ``CROSSWALK``, ``PARTIES`` and ``ORDERS`` have them.

    Attributes:
        crosswalk: All of it, or none where somebody looks it up.
        parties: Of all records.
        orders: All of them.
        whose: Who looks up the crosswalk; then interactions of some customers can be asked for, and not of everybody.
    """

    crosswalk: pa.Table
    parties: pa.Table
    orders: pa.Table
    whose: Whose | None = None

    @classmethod
    def published(cls, lake: Lake, connection: Connection) -> "Known":
        """As they are published, with the current records."""
        return cls.of(lake, read_crosswalk(connection, CROSSWALK))

    @classmethod
    def of(cls, lake: Lake, crosswalk: pa.Table) -> "Known":
        """By a crosswalk, such as one that is about to be published, with the current records."""
        return cls(
            crosswalk.select(CROSSWALK.names),
            _state(lake, Entity.PARTY, PARTIES),
            _state(lake, Entity.ORDER, ORDERS),
        )

    @classmethod
    def looked_up(cls, lake: Lake, whose: Whose) -> "Known":
        """By a crosswalk of which what is needed for some customers is looked up, with the current records."""
        return replace(cls.of(lake, CROSSWALK.empty_table()), whose=whose)


def _state(lake: Lake, entity: Entity, schema: pa.Schema) -> pa.Table:
    table = tables.records(lake, entity)
    return table.read(schema.names) if table.exists else schema.empty_table()


def rules_now(lake: Lake, policy: InteractionPolicy) -> Eras:
    """By which rules which days are attached under today's policy; nothing is written.

    Where the policy says that it holds for what is new, that is every day after those that were there when rules were
    kept last.
    """
    kept = _kept_rules(lake)
    return eras_now(eras_from_json(kept.get("eras", [])), policy, kept.get("newest", ""))


def rules_kept(lake: Lake) -> Eras:
    """By which rules which days were attached last; empty before they ever were."""
    return eras_from_json(_kept_rules(lake).get("eras", []))


def keep_rules(lake: Lake, eras: Eras) -> None:
    """Keep the rules by which interactions are attached, for a later policy that is not to change them."""
    newest = max((PurePosixPath(path).stem for path in lake.paths(INTERACTIONS)), default="")
    lake.write_json(INTERACTION_RULES, json.dumps({"eras": eras_as_json(eras), "newest": newest}, indent=1))


def _kept_rules(lake: Lake) -> dict[str, Any]:
    if not lake.exists(INTERACTION_RULES):
        return {}
    try:
        found: dict[str, Any] = json.loads(lake.read_json(INTERACTION_RULES))
    except DamagedError as damaged:
        made_anew("What is known of former rules about interactions is", damaged)
        return {}
    return found


@dataclass(frozen=True)
class Touches:
    """Counted interactions beside who the customers are; made by ``opened_touches``."""

    db: "duckdb.DuckDBPyConnection"
    whose: Whose | None = None

    def attached(
        self, eras: Eras, customers: Iterable[str] | None = None
    ) -> tuple[pa.Table, Attached | None]:
        """The interactions of everybody, or of some customers, as ``inputs.ATTACHED``; see ``attachment.attach``."""
        found = attach(self.db, eras, customers, self.whose)
        return attached_rows(self.db), found

    def read(self, eras: Eras) -> tuple[pa.RecordBatchReader, Attached | None]:
        """The same of everybody, some rows at a time, golden ids as bytes, to be read before anything else is asked."""
        found = attach(self.db, eras)
        return attached_reader(self.db), found

    def concerned(
        self,
        eras: Eras,
        customers: Iterable[str],
        subjects: pa.Table,
        *,
        former: pa.Table | None = None,
        orders: pa.Table | None = None,
    ) -> list[str]:
        """Customers whose interactions may be others now; see ``subjects.concerned``."""
        return concerned(self.db, eras, customers, subjects, former=former, orders=orders, whose=self.whose)

    def last_by_customers(self, eras: Eras, first: dt.date | None, until: dt.date) -> pa.Table:
        """The last day, within some days, on which each customer was in touch with us: ``golden_id, touched``."""
        return self._within(eras, BY_CUSTOMER, first or dt.date.min, until, "max(day) AS touched")

    def messages_by_us(self, eras: Eras, first: dt.date, until: dt.date) -> pa.Table:
        """How often we addressed each customer within some days, besides about a ticket: ``MESSAGES`` in order."""
        condition = f"{BY_US} AND coalesce(kind NOT IN {SERVICE_DESK}, true)"
        figures = "day, campaign, CAST(sum(touches) AS BIGINT) AS contacts"
        return self._within(eras, condition, first, until, figures, by="1, 2, 3").cast(MESSAGES)

    def of_campaigns(
        self, eras: Eras, kinds: Sequence[str], campaigns: Sequence[str], first: dt.date
    ) -> pa.Table:
        """Which interactions of some kinds and campaigns there were since a day.

        Returns:
            ``golden_id, kind, campaign, day``, in order; campaigns are the same whatever the case and blanks around.
        """
        named, meant = (
            ", ".join("'" + one.replace("'", "''") + "'" for one in each)
            for each in (kinds, [one.strip().lower() for one in campaigns] or [""])
        )
        condition = f"kind IN ({named}) AND lower(trim(campaign)) IN ({meant})"
        return self._within(eras, condition, first, dt.date.max, "kind, campaign, day", by="1, 2, 3, 4")

    def _within(
        self, eras: Eras, condition: str, first: dt.date, until: dt.date, figures: str, *, by: str = "1"
    ) -> pa.Table:
        """Figures of each customer, of the interactions of some kinds from one day up to another."""
        attach_only(self.db, eras, f"day >= DATE '{first}' AND day <= DATE '{until}' AND {condition}")
        query = f"""SELECT CAST(golden_id AS VARCHAR) AS golden_id, {figures}
                    FROM attached GROUP BY {by} ORDER BY {by}"""  # noqa: S608 - our own names
        found: pa.Table = self.db.sql(query).to_arrow_table()
        return found

    def preview(self, former: Eras, latter: Eras) -> Preview:
        """What other rules would change; see ``attachment.preview``."""
        return preview(self.db, former, latter)


@contextmanager
def opened_touches(
    lake: Lake,
    contracts: Sequence[SourceContract],
    known: Known,
    *,
    threads: int,
    memory: str = "1200MB",
    rows: int = 100_000,
) -> Iterator[Touches]:
    """Open the counted interactions for as long as the block lasts.

    Args:
        lake: The lake; ``update_interactions`` went before.
        contracts: All that there are.
        known: Who the customers are.
        threads: Results do not depend on it.
        memory: How much attaching may take before it puts rows aside.
        rows: How many are read at a time from a lake that is elsewhere.

    Raises:
        DamagedError: What was counted of a day is damaged.
    """
    with database(threads, memory) as db:
        for name, table in (
            ("crosswalk", known.crosswalk),
            ("parties", known.parties),
            ("party_orders", known.orders),
        ):
            db.register(name, table)
        if known.whose is not None:
            db.unregister("crosswalk")
            columns = ", ".join(f"{name} VARCHAR" for name in CROSSWALK.names)
            run(db, f"CREATE TABLE crosswalk ({columns})")
        paths = [
            path
            for contract in delivering(contracts)
            for path in lake.paths(f"{INTERACTIONS}/{contract.source}/{contract.entity}")
        ]
        here = [lake.here(path) for path in paths]
        if paths and None not in here:
            names = ", ".join("'" + str(one).replace("'", "''") + "'" for one in here)
            run(db, f"CREATE VIEW days AS SELECT * FROM read_parquet([{names}], hive_partitioning = false)")  # noqa: S608 - names of our own files
        else:
            db.register("no_days", DAY_SCHEMA.empty_table())
            run(db, "CREATE TABLE days AS SELECT * FROM no_days")
            for path in paths:
                for piece in lake.read_batches(path, rows):
                    db.register("piece", piece)
                    run(db, "INSERT INTO days BY NAME SELECT * FROM piece")
                    db.unregister("piece")
        yield Touches(db, known.whose)
