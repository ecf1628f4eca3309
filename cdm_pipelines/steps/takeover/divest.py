"""The step that takes a source out again, as if it had never been: and hands its records to whoever buys them.

Belongs here: what there is of a source, in which order it goes, its export. Does not belong here: taking days away
(steps.customers.lost_days), the run that publishes the customers without it (commands).

Nothing is marked: what is left of a source is looked up anew each time, so that after it was killed anywhere the same
again finds the rest. Extracts go first, that no sensor takes them in again; then contracts, decisions and days. From
then on nothing is published until the days are gone, which ``lost_days`` sees to. Golden values, links, consent, orders
and profile follow from the records in the next run, and golden ids by the rules of identity.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from sqlalchemy import Connection, text

from cdm_pipelines.contracts.actor import Actor
from cdm_pipelines.contracts.canonical import Entity, with_state
from cdm_pipelines.contracts.catalogue import DEFS, all_contracts
from cdm_pipelines.contracts.odcs import SUFFIX
from cdm_pipelines.hub import search_index, source_days
from cdm_pipelines.identity.decisions import Kind
from cdm_pipelines.identity.effective import State, effective
from cdm_pipelines.ingest.landing import dated_files
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.customers import lost_days
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.stewardship import decisions
from cdm_pipelines.steps.takeover.apply import COMPONENT_FILE
from cdm_pipelines.steps.takeover.folder import TakeoverError
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.file_store import FileStore
from cdm_pipelines.store.files import make_folder, whole, write_whole
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Rows, Stores
from cdm_pipelines.store.spreadsheets import neutralised

MANIFEST = "manifest.json"
_HISTORY = "golden/customer_history"
_REASON = "the source was divested"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Leaving:
    """What there is of a source.

    Attributes:
        name: Of it.
        contracts: Its files under ``defs``.
        landing: Its extracts, below landing.
        removal: Its days, in the lake and behind the customers.
        further: Other files of the lake that are of it alone.
        records: Its published records.
        customers: Published customers that have one.
        alone: Of them those that have no record of another source.
        history: Former versions of customers that only it had.
        decisions: Decisions in effect that name a record of it.
    """

    name: str
    contracts: tuple[Path, ...]
    landing: tuple[str, ...]
    removal: lost_days.Removal
    further: tuple[str, ...]
    records: int
    customers: int
    alone: int
    history: int
    decisions: tuple[int, ...]

    def __bool__(self) -> bool:
        """Whether there is anything."""
        days = self.removal.days or self.removal.files
        return bool(self.contracts or self.landing or days or self.further or self.records or self.history)


def leaving(settings: Settings, connection: Connection, name: str, defs: Path = DEFS) -> Leaving:
    """Look up what there is of a source.

    Raises:
        TakeoverError: There is nothing of it, or it is the only source of customers.
    """
    lake, known = Lake(settings.lake_url), {one.source for one in all_contracts()}
    folder = defs / name
    is_source = PurePosixPath(name).name == name and (folder / COMPONENT_FILE).is_file()
    contracts = tuple(sorted(folder.glob(f"*{SUFFIX}"))) if is_source or name in known else ()
    records, customers, alone = connection.execute(text(_COUNTS), {"name": name}).one()
    found = Leaving(
        name,
        contracts,
        tuple(_extracts(settings, name)),
        lost_days.to_remove(connection, lake, name)
        if _plain(name)
        else lost_days.Removal(name, frozenset(), ()),
        tuple(_further(lake, name)) if _plain(name) else (),
        int(records),
        int(customers),
        int(alone),
        int(connection.scalar(text(_VERSIONS), {"name": name}) or 0),
        _decisions(connection, name),
    )
    if not found:
        there = ", ".join(sorted(known))
        raise TakeoverError(f"There is no source {name}. There are {there}.")
    others = {row.source for row in source_days.known_days(connection) if row.holds == str(Entity.PARTY)} - {
        name
    }
    if found.removal.days and not others:
        raise TakeoverError(
            f"{name} is the only source that customers are made from: without it none would be left. Take another "
            "source in first, or give the whole deployment away with `cdm backup`."
        )
    return found


def take_out(
    settings: Settings, connection: Connection, found: Leaving, actor: Actor, defs: Path = DEFS
) -> None:
    """Take a source out: the next run publishes customers without it. Killed anywhere, the same again goes on.

    Args:
        settings: Of the deployment.
        connection: Of a migrated hub, in a transaction of this alone.
        found: What ``leaving`` found.
        actor: Who does it, for the log of decisions.
        defs: Where sources lie.
    """
    lake, landing = Lake(settings.lake_url), FileStore(settings.landing_url)
    for extract in found.landing:
        landing.delete(extract)
    if _plain(found.name) and not landing.lying_alone(found.name, ""):
        landing.delete_folder(found.name)  # what is left are folders
    component = defs / found.name / COMPONENT_FILE
    for path in (*found.contracts, component):
        path.unlink(missing_ok=True)
    if component.parent.is_dir() and not any(component.parent.iterdir()):
        component.parent.rmdir()
    for number in found.decisions:
        decisions.undo(connection, number, actor, _REASON)
    for further in found.further:
        lake.delete(further)
    lost_days.remove(connection, lake, found.removal)


def forget_history(settings: Settings, connection: Connection, name: str) -> int:
    """Remove former versions of customers that only the source had, and words of nobody; returns how many versions.

    Their ids are retired and stay, so that none is used again. To be done once the customers are published without it.
    """
    ids = frozenset(UUID(str(one)) for one in connection.scalars(text(_RETIRED), {"name": name}))
    if not ids:
        return 0
    search_index.forget_words(connection)
    place = next(one for one in all_places(settings) if one.name == _HISTORY)
    assert isinstance(place.erasure, Rows)  # noqa: S101 - so it is declared
    return place.erasure.remove(Stores(Lake(settings.lake_url), connection), Persons.of((), ids))


def hand_out(settings: Settings, name: str, folder: Path, defs: Path = DEFS) -> dict[str, int]:
    """Write a source's records for whoever gets them: current records with their origin, extracts, contracts.

    Args:
        settings: Of the deployment.
        name: Of the source.
        folder: New or empty, or one that an export of the same source was killed in.
        defs: Where sources lie.

    Returns:
        Records by canonical entity.

    Raises:
        TakeoverError: The folder holds something else.
    """
    known = _begun(settings, folder, name, defs)
    if known:  # some of the source has gone since
        return {str(entity): int(rows) for entity, rows in known["records"].items()}
    write_whole(folder / MANIFEST, json.dumps({"source": name, "complete": False}).encode())
    lake, vault = Lake(settings.lake_url), Vault.of(settings, Lake(settings.lake_url))
    written: dict[str, str] = {}
    counts: dict[str, int] = {}
    for entity in (one.entity for one in with_state()):
        rows = _records(lake, vault, entity, name)
        if rows is not None and rows.num_rows:
            target = folder / "records" / f"{entity}.csv"
            make_folder(target.parent)
            with whole(target) as sink:
                pa_csv.write_csv(neutralised(rows), sink)
            counts[str(entity)] = rows.num_rows
            written[f"records/{entity}.csv"] = _digest(target)
    landing = FileStore(settings.landing_url)
    for path in _extracts(settings, name):
        target = folder / "extracts" / path
        make_folder(target.parent)
        with landing.open(path) as given, whole(target) as sink:
            while block := given.read(_BLOCK):
                sink.write(block)
        written[f"extracts/{path}"] = _digest(target)
    for contract in sorted((defs / name).glob(f"*{SUFFIX}")):
        target = folder / "contracts" / contract.name
        make_folder(target.parent)
        write_whole(target, contract.read_bytes())
        written[f"contracts/{contract.name}"] = _digest(target)
    manifest = {"source": name, "complete": True, "records": counts, "sha256": dict(sorted(written.items()))}
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=1).encode())
    return counts


def _begun(settings: Settings, folder: Path, name: str, defs: Path) -> dict[str, Any] | None:
    """Begin an export, or go on with one: what its manifest says, where it is complete and the source has begun to go.

    An export of earlier, of a source that came again since, is none of what is there now: its folder is refused.
    """
    there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    make_folder(folder)
    if not there:
        return None
    known = folder / MANIFEST
    said: dict[str, Any] = json.loads(known.read_text(encoding="utf-8")) if known.is_file() else {}
    if said.get("source") != name:
        raise TakeoverError(f"{folder}: holds something else. Give a new or an empty folder with --export.")
    if not said.get("complete"):
        return None
    stays = dict(_stays(settings, name, defs))
    if not stays.items() <= said["sha256"].items():
        raise TakeoverError(
            f"{folder}: holds an earlier export of {name}, which has other extracts or contracts now. Give a new or "
            "an empty folder with --export."
        )
    all_there = stays.keys() == {path for path in said["sha256"] if not path.startswith("records/")}
    return None if all_there and stays else said


def _stays(settings: Settings, name: str, defs: Path) -> Iterator[tuple[str, str]]:
    """Extracts and contracts that are there, as an export names them, with their checksums."""
    landing = FileStore(settings.landing_url)
    for path in _extracts(settings, name):
        with landing.open(path) as given:
            found = hashlib.sha256()
            while block := given.read(_BLOCK):
                found.update(block)
        yield f"extracts/{path}", found.hexdigest()
    for contract in sorted((defs / name).glob(f"*{SUFFIX}")):
        yield f"contracts/{contract.name}", _digest(contract)


def _extracts(settings: Settings, name: str) -> list[str]:
    """Extracts of a source below landing: those in its folder, and where else its contracts say that they land."""
    if not _plain(name):
        return []
    own: set[str] = set(FileStore(settings.landing_url).lying_alone(name, ""))
    others: set[str] = set()
    for contract in all_contracts():
        if contract.location:
            found = {file.path for file, _ in dated_files(settings.landing_url, contract)}
            (own if contract.source == name else others).update(found)
    return sorted(own - others)


def _records(lake: Lake, vault: Vault, entity: Entity, name: str) -> pa.Table | None:
    table = tables.records(lake, entity)
    if not table.exists:
        return None
    rows = table.read()
    return vault.open(rows.filter(pc.equal(rows["source"], name)))


def _digest(path: Path) -> str:
    with path.open("rb") as given:
        return hashlib.file_digest(given, "sha256").hexdigest()


def _plain(name: str) -> bool:
    """Whether a name is that of a folder, and leads nowhere else."""
    return bool(name) and PurePosixPath(name).name == name and name not in (".", "..")


def _further(lake: Lake, name: str) -> Iterator[str]:
    """Files of the lake that are of one source and of no day that is taken away with its days."""
    for root in (layout.INTERACTIONS, "profile/interaction_ids", "publish/kept_out"):
        yield from lake.lying_alone(f"{root}/{name}", "")
    if lake.exists(path := layout.source_corrections_path(name)):
        yield path


def _decisions(connection: Connection, name: str) -> tuple[int, ...]:
    """Decisions in effect or in conflict that name a record of a source, the latest first."""
    log = decisions.read_log(connection)
    states = effective(log).states
    own = [
        one.decision_id
        for one in log
        if one.kind in (Kind.SAME, Kind.DIFFERENT, Kind.CONFIRM, Kind.SET)
        and states[one.decision_id] in (State.EFFECTIVE, State.CONFLICT)
        and any(record.source == name for record in one.records)
    ]
    return tuple(sorted(own, reverse=True))


_COUNTS = """
    SELECT coalesce(sum(own), 0), count(*), count(*) FILTER (WHERE own = every) FROM (
        SELECT golden_id, count(*) AS every, count(*) FILTER (WHERE source = :name) AS own
        FROM golden.crosswalk GROUP BY golden_id) AS customers WHERE own > 0"""
"""Published records of a source, customers that have one, and those that have no other."""

_VERSIONS = """
    SELECT count(*) FROM golden.customer_history JOIN identity.golden_id AS id USING (golden_id)
    WHERE id.source = :name AND id.status = 'retired'"""
"""Former versions of customers whose id a record of the source founded and that are no more."""

_RETIRED = "SELECT golden_id FROM identity.golden_id WHERE source = :name AND status = 'retired'"
"""Ids that a record of the source founded and that stand for nobody any more."""
