"""Write, audit, publish (R5): the next version is staged, checked, and then takes the place of the last one.

Belongs here: the one transaction that applies what is staged. Does not belong here: staging (``staging``), what makes a
version fit to be published (``audit``), nor how rows are made.

Publishing compares the staged with the published rows and touches only those that differ, so that a rerun
changes nothing and whoever follows changes sees changes only. Readers see the last version until the moment
of the commit.

A version is staged whole, or as the customers that a change touches, with all that belongs to them: then only those
are compared, and what is staged of other tables is put in the place of the rows with the same keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    Connection,
    Table,
    delete,
    exists,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.schema import AddConstraint, CreateIndex, DropConstraint, DropIndex, DropTable

from cdm_pipelines.contracts.profile import GroupView, ProfileTable
from cdm_pipelines.hub import consent, history, outbox, profile, seals, search_index
from cdm_pipelines.hub import publication as publications
from cdm_pipelines.hub.differences import Change, apply, change_of, differences, kinds
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.load import without_data
from cdm_pipelines.hub.publication import Publication
from cdm_pipelines.hub.published import PublishedTable, published
from cdm_pipelines.hub.schema import staged, version
from cdm_pipelines.hub.staging import AFFECTED, Staged, lock, staged_tables, staging_table


@dataclass(frozen=True)
class PublishResult:
    """What a publication did.

    Attributes:
        changes: Per published table.
        publication_id: Its number in ``ops.publication``; None when nothing changed.
        history: Former versions of customers: those that it added, and those that were there.
        profile: Per table of the profile that was staged.
        consent: Per table of consent, where that was staged.
    """

    changes: Mapping[str, Change]
    publication_id: int | None
    history: Change
    profile: Mapping[str, Change]
    consent: Mapping[str, Change]


def promote(
    connection: Connection,
    token: UUID | None = None,
    *,
    enriched: Sequence[ProfileTable] | None = None,
    groups: Sequence[GroupView] = (),
) -> PublishResult:
    """Publish what is staged, in the caller's transaction; what ``review`` does not read is staged no more afterwards.

    Where nothing is staged nothing is done, so that a step that is repeated after its commit does no harm.

    Args:
        connection: In a transaction, of a migrated hub.
        token: Publish only this staging.
        enriched: All tables of the profile, others being removed; None leaves the profile alone.
        groups: Views of the profile with a row per group of customers.

    Raises:
        HubError: staged rows are gone, or another process has staged something else since.
    """
    with without_data("publishing"):
        lock(connection)
        connection.execute(text("SET LOCAL work_mem = '128MB'"))
        connection.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))
        waiting = staged_tables(connection)
        if waiting is not None and token is not None and waiting.token != token:
            raise HubError(
                "Another version has been staged since this one was checked: check and publish that."
            )
        publication = publications.begin(connection)
        changes = {}
        for name, known in published().items():
            if waiting is not None and name in waiting.rows:
                changes[name] = _apply(connection, known, waiting, publication)
                connection.execute(DropTable(staging_table(name)))
            else:
                changes[name] = Change(0, 0, 0, published_rows(connection, known.table))
        connection.execute(DropTable(AFFECTED, if_exists=True))
        connection.execute(delete(staged))
        if waiting is not None:
            connection.execute(delete(version))
            rows = {name: change.rows for name, change in changes.items()}
            connection.execute(insert(version).values(made_from=waiting.made_from, rows=rows))
        search_index.refresh(connection, publication)
        added, kept = history.count(connection, publication)
        profiles = profile.publish(connection, enriched, groups) if enriched is not None else {}
        consents = consent.publish(connection, publication.number)
        counts = _counts(changes) | {
            f"profile.{name}": one.counts for name, one in profiles.items() if one.any
        }
        counts |= {f"privacy.{name}": one.counts for name, one in consents.items() if one.any}
        number = publications.finish(connection, publication, counts)
        outbox.append(connection, number)
        if number is not None:
            seals.seal_publication(connection, number)
        return PublishResult(changes, number, Change(added, 0, 0, kept - added), profiles, consents)


def compare(connection: Connection) -> Mapping[str, Mapping[str, int]]:
    """Rows of each published table that a version staged whole would insert, update and delete; tables that differ.

    Raises:
        HubError: Nothing is staged, or not everything.
    """
    waiting = staged_tables(connection)
    if waiting is None or waiting.in_part:
        raise HubError("Only a version that is staged whole can be compared with the published one.")
    found = {}
    for name, known in published().items():
        if name in waiting.rows:
            difference = _differences(connection, known, staging_table(name), in_part=False)
            found[name] = kinds(connection, difference)
            difference.drop(connection)
    return {name: counts for name, counts in found.items() if counts}


def published_from(connection: Connection) -> Mapping[str, str]:
    """What the published version was made from, by name; empty before the first one."""
    found: Mapping[str, str] | None = connection.scalar(select(version.c.made_from))
    return found or {}


def _apply(
    connection: Connection, known: PublishedTable, waiting: Staged, publication: Publication
) -> Change:
    """Make a table equal to its staged version, touching only what differs."""
    table = known.table
    new, rows = staging_table(table.name), waiting.rows[table.name]
    before = published_rows(connection, table) if waiting.in_part else 0
    if not waiting.in_part and not connection.scalar(select(exists().select_from(table))):
        change = _fill(connection, table, new, rows) if rows else Change(0, 0, 0, 0)
        history.begin_all(connection, table.name, publication)
        return change
    difference = _differences(connection, known, new, in_part=waiting.in_part)
    outbox.note(connection, known, difference)
    history.keep(connection, table.name, publication)
    counts = apply(connection, table, new, difference)
    difference.drop(connection)
    inserted, deleted = counts.get("inserted", 0), counts.get("deleted", 0)
    return change_of(counts, before + inserted - deleted if waiting.in_part else rows)


def _differences(connection: Connection, known: PublishedTable, new: Table, *, in_part: bool) -> Table:
    """The rows that differ. In part, of a table that is not the customers' nothing is taken away."""
    among = select(AFFECTED.c.golden_id) if in_part and known.whole_customers else None
    return differences(connection, known.table, new, among=among, whole=not in_part or known.whole_customers)


def _fill(connection: Connection, table: Table, new: Table, rows: int) -> Change:
    """Fill an empty table, building its indexes afterwards.

    Emptying it first gives it a new file, which PostgreSQL need not log where no replica follows it.
    """
    name = f"{table.schema}.{table.name}"
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    connection.execute(text(f"TRUNCATE {name}"))
    for index in indexes:
        connection.execute(DropIndex(index))
    connection.execute(DropConstraint(table.primary_key, isolate_from_table=False))
    connection.execute(insert(table).from_select([column.name for column in table.columns], select(new)))
    connection.execute(AddConstraint(table.primary_key, isolate_from_table=False))
    for index in indexes:
        connection.execute(CreateIndex(index))
    connection.execute(text(f"ANALYZE {name}"))
    return Change(rows, 0, 0, 0)


def _counts(changes: Mapping[str, Change]) -> dict[str, dict[str, int]]:
    return {
        name: {"inserted": change.inserted, "updated": change.updated, "deleted": change.deleted}
        for name, change in changes.items()
        if change.any
    }


def published_rows(connection: Connection, table: Table) -> int:
    """Rows of a published table, as they were noted down with the version, or counted."""
    noted = connection.scalar(select(version.c.rows[table.name].as_integer()))
    if noted is not None:
        return int(noted)
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def note_rows(connection: Connection) -> None:
    """Count the published tables anew, of which rows were taken on purpose since the last publication."""
    noted = connection.scalar(select(version.c.rows))
    if noted is None:
        return
    known = {name: one.table for name, one in published().items() if name in noted}
    counted = {
        name: int(connection.scalar(select(func.count()).select_from(table)) or 0)
        for name, table in known.items()
    }
    connection.execute(update(version).values(rows={**noted, **counted}))
