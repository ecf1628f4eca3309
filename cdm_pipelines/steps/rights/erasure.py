"""Erasing persons: everywhere, for good, on record; and going on where it was cut short.

Belongs here: the order of the steps, and what is certified. Does not belong here: how rows leave a place
(``places`` of each room), what keeps erased persons out (``steps.days.kept_out``).

Whose data it is, what to look for after and what keeps them out is written down first, in one transaction with what the
law has kept. Then each place is a step, written down when it is done; each may be done twice. Last the whole deployment
is looked through, and only when nothing is found the certificate is issued and whose data it was is forgotten. So
whoever is killed at any moment goes on behind the last step, and there is one certificate.
"""

import datetime as dt
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, Engine

from cdm_pipelines.contracts.actor import Actor
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.hub import rights as hub
from cdm_pipelines.hub import upkeep
from cdm_pipelines.hub.profile_catalogue import forget_rows
from cdm_pipelines.hub.publish import note_rows
from cdm_pipelines.parallel import in_order
from cdm_pipelines.privacy import backups, log
from cdm_pipelines.privacy.certificate import Certificate, issued
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.privacy.tombstones import engraved
from cdm_pipelines.privacy.traces import Traces
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.rights import continuing, expiring, exported
from cdm_pipelines.steps.rights.certifying import EXPIRED, certified, chain_of, ground
from cdm_pipelines.steps.rights.collected import Collected, collect, held
from cdm_pipelines.steps.rights.expiring import Row
from cdm_pipelines.steps.rights.lanes import in_layers
from cdm_pipelines.steps.rights.requests import Receipt
from cdm_pipelines.steps.rights.rescan import Rescan, rescan
from cdm_pipelines.steps.rights.subject import RightsError, resolve
from cdm_pipelines.store import beside
from cdm_pipelines.store.file_store import FileStore
from cdm_pipelines.store.gate import closed
from cdm_pipelines.store.keyring import Keyring
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Anew, Place, Rows, Stores

KIND, EXPIRE = "erase", "expire"
"""Kinds of requests that erase: a person asked for it, or retention is over."""
REASON = "retention"
"""Why what has expired goes, in requests and certificates."""
_CONTINUING = "continuing"
_TOMBSTONES, _HOLDS = "tombstones", "legal holds"
_PAUSE = 1.0  # seconds
Progress = Callable[[str], None]
"""Is told in a few words what is going on."""


class NotGoneError(RightsError):
    """Something of the person is still there; the message says where."""


@dataclass(frozen=True)
class Asked:
    """A request to erase.

    Attributes:
        customers: Who is meant: golden ids, aliases or source records.
        actor: Who erases.
        checked_by: Who made sure that the person is who asks.
        reason: Number or words of the request, without values.
        receipt: When it was asked, and the policy of then; now when left out.
    """

    customers: Sequence[str]
    actor: Actor
    checked_by: str
    reason: str = ""
    receipt: Receipt | None = None


def erase(
    settings: Settings,
    engine: Engine,
    asked: Asked,
    *,
    patience: float = 1800.0,
    progress: Progress = lambda _: None,
) -> Certificate:
    """Erase persons everywhere.

    Args:
        settings: Of the deployment.
        engine: Of its migrated hub.
        asked: Who, by whom and why.
        patience: Seconds to wait for runs that are under way.
        progress: Told what is going on.

    Raises:
        ErasedError, UnknownError: Who is meant was erased, or is nobody.
        RightsError: Runs are under way, or the reason holds a value of the person.
        NotGoneError: Something is left somewhere; the request stays open.
        GateError, KeyringError: Another erasure is under way; a key of the tombstones is missing.
    """
    with alone(settings, engine, patience):
        number = _begun(settings, engine, asked, progress)
        return finished(settings, engine, number, asked.actor, progress)


def resume(
    settings: Settings,
    engine: Engine,
    actor: Actor,
    *,
    patience: float | None = 1800.0,
    progress: Progress = lambda _: None,
) -> list[Certificate]:
    """Go on with every erasure that was begun and not ended; returns their certificates.

    Args:
        settings: Of the deployment.
        engine: Of its migrated hub.
        actor: Who erases.
        patience: Seconds to wait for runs that are under way; None where there can be none.
        progress: Told what is going on.

    Raises:
        RightsError, NotGoneError, GateError, KeyringError: As :func:`erase`.
    """
    with alone(settings, engine, patience):
        with engine.connect() as connection:
            numbers = begun(connection)
        return [finished(settings, engine, number, actor, progress) for number in numbers]


def begun(connection: Connection) -> list[int]:
    """Numbers of the erasures that were begun and not ended."""
    return [one.request_id for one in hub.requests(connection) if one.kind in (KIND, EXPIRE) and one.subject]


@contextmanager
def alone(settings: Settings, engine: Engine, patience: float | None, own_run: str = "") -> Iterator[None]:
    """The gate closed, and no run under way that passed it before, but for the one in which this is done."""
    if patience is None:
        with closed(settings.home):
            yield
        return
    deadline = time.monotonic() + patience
    while True:
        _wait_for_runs(engine, deadline, own_run)
        with closed(settings.home):
            if not _runs(engine, own_run):
                yield
                return


def _wait_for_runs(engine: Engine, deadline: float, own_run: str) -> None:
    while number := _runs(engine, own_run):
        if time.monotonic() > deadline:
            raise RightsError(
                f"{number:,} runs are under way, and what they have read would come back: wait until they have ended, "
                "or terminate them. Nothing was changed."
            )
        time.sleep(_PAUSE)


def _runs(engine: Engine, own_run: str) -> int:
    with engine.connect() as connection:
        return hub.runs_under_way(connection, own_run)


def _begun(settings: Settings, engine: Engine, asked: Asked, progress: Progress) -> int:
    """Write down the request, whose data it is about and what the law has kept; returns its number."""
    lake, register, contracts = Lake(settings.lake_url), all_places(settings), all_contracts()
    receipt, stones = asked.receipt or Receipt.now(settings), log.tombstones(settings.home, lake)
    with engine.begin() as connection:
        hub.wait_for_turn(connection)
        stores = Stores(lake, connection, FileStore(settings.landing_url))
        persons = resolve(stores, lambda: register, stones, *asked.customers)
        for one in hub.requests(connection):
            told = one.subject and Collected.of_json(one.subject).persons
            if told and (told.keys & persons.keys or told.golden_ids & persons.golden_ids):
                raise RightsError(
                    f"Request {one.request_id} to erase that customer has begun: `cdm privacy resume` goes on with it."
                )
        progress("reading what is known")
        collected = collect(stores, register, contracts, persons, Vault.of(settings, lake))
        if Traces(collected.values).in_text(asked.reason):
            raise RightsError(
                "The reason holds a value of the person, and would stay: give the number of the request."
            )
        return begin(connection, lake, collected, receipt, checked_by=asked.checked_by, reason=asked.reason)


def begin(
    connection: Connection,
    lake: Lake,
    collected: Collected,
    receipt: Receipt,
    *,
    checked_by: str,
    reason: str,
    kind: str = KIND,
    expired: Sequence[Row] = (),
) -> int:
    """Write down a request with whose data it is about, and keep what the law has kept; returns its number.

    Args:
        connection: In a transaction.
        lake: The lake, of which they are yet to be erased.
        collected: Whose data it is about.
        receipt: When it was asked, and the policy of then.
        checked_by: Who made sure that it is right.
        reason: Why.
        kind: ``KIND`` or ``EXPIRE``.
        expired: Rows of the plan of retention that are carried out.
    """
    today = dt.datetime.now(dt.UTC).date()
    number = hub.add_request(
        connection,
        kind=kind,
        received_at=receipt.received_at,
        due_on=receipt.due_on,
        checked_by=checked_by,
        state=hub.OPEN,
        reason=reason,
        policy=receipt.policy.frozen,
        subject=collected.as_json
        | {
            _CONTINUING: continuing.noted(
                connection, lake, collected.persons, () if expired else all_contracts()
            )
        }
        | ({EXPIRED: list(expired)} if expired else {}),
    )
    documents = hub.hold(
        connection, number, held(connection, receipt.policy.holds, collected.persons.golden_ids, today)
    )
    if documents:
        hub.step_is_done(connection, number, _HOLDS, documents, "kept apart, as the law has it")
    return number


def finished(
    settings: Settings, engine: Engine, number: int, actor: Actor, progress: Progress
) -> Certificate:
    """Do what is left of a request.

    Raises:
        RightsError, NotGoneError: It is done; or something is left somewhere.
    """
    with engine.connect() as connection:
        request = next(one for one in hub.requests(connection) if one.request_id == number)
        done = hub.steps_done(connection, number)
    if request.subject is None:
        raise RightsError(f"Request {number} is done.")
    collected = Collected.of_json(request.subject)
    left = _let_go(settings, engine, request, done, progress)
    if collected.persons.keys or collected.persons.golden_ids:
        _keep_out(settings, engine, number, collected, done)
        _erase_places(settings, engine, request, done, progress)
    left += _let_go(settings, engine, request, done, progress, after=True)
    _hand_on(settings, engine, request, done)
    exported.take_away(settings, engine, number, collected, done)
    with engine.begin() as connection:
        hub.clear_reasons(connection, Traces(collected.values).in_text)
    Lake(settings.lake_url).sweep(
        dt.timedelta(0)
    )  # what was half-written when it was killed may hold their rows
    beside.sweep(settings.home)
    upkeep.vacuum(engine)
    progress("looking through everything")
    with engine.connect() as connection:
        traces = Traces(collected.values)
        statistics = partial(upkeep.analyze, engine)  # of which what they quote is looked through too
        seen = rescan(settings, connection, traces, statistics) if traces else Rescan(0, 0, {})
        connection.rollback()
    if not traces:
        statistics()
    if seen.found:
        with engine.begin() as connection:
            hub.do_again(connection, number)
        where = ", ".join(sorted(seen.found)[:10])
        raise NotGoneError(
            f"Values of the person are left in {len(seen.found):,} places: {where}. Take away files that the pipeline "
            "may not change, or have their owner deliver them anew; then `cdm privacy resume` ends the request."
        )
    with engine.begin() as connection:
        hub.wait_for_turn(connection)
        content = certified(settings, connection, request, seen, actor) | ground(settings, request, left)
        chain = chain_of(connection)
        certificate = issued(number, content, chain[-1] if chain else None, dt.datetime.now(dt.UTC))
        note_rows(connection)
        forget_rows(connection)
        hub.add_certificate(connection, vars(certificate))
        hub.close_request(connection, number)
    upkeep.vacuum(engine)
    upkeep.checkpoint(engine)
    return certificate


def _let_go(
    settings: Settings,
    engine: Engine,
    request: hub.Request,
    done: Collection[str],
    progress: Progress,
    *,
    after: bool = False,
) -> list[tuple[str, str, str]]:
    """Let go what has expired and is of no single person, each part a step.

    Returns:
        What could not go, since it is damaged: its place, which one, and the reason.
    """
    left: list[tuple[str, str, str]] = []
    lake = Lake(settings.lake_url)
    contracts = {contract.name: contract for contract in all_contracts()}
    for part in expiring.parts((request.subject or {}).get(EXPIRED, ()), after=after):
        if part.name in done:
            continue
        progress(part.name)
        with engine.begin() as connection:
            number, faults = expiring.let_go(expiring.Hands(settings, lake, connection, contracts), part)
            hub.step_is_done(connection, request.request_id, part.name, number, part.how, whole=not faults)
        left += [(part.place, subject, reason) for subject, reason in faults]
    return left


def _keep_out(
    settings: Settings, engine: Engine, number: int, collected: Collected, done: Collection[str]
) -> None:
    """Engrave the tombstones: from now on no delivery brings the person back."""
    if _TOMBSTONES in done:
        return
    now = dt.datetime.now(dt.UTC)
    known = [one for one in log.erasures(settings.home) if one.request == number]
    ring, current = Keyring.of(settings.home).current(settings.home, now.date())
    erasure = log.Erasure(
        number, now.isoformat(timespec="seconds"), tuple(engraved(collected.keys, ring, current, number))
    )
    log.add(settings.home, Lake(settings.lake_url), known[0] if known else erasure)
    backups.copy_log(settings.home)
    with engine.begin() as connection:
        hub.step_is_done(connection, number, _TOMBSTONES, len(erasure.stones), "kept out of deliveries by")


def _erase_places(
    settings: Settings, engine: Engine, request: hub.Request, done: Collection[str], progress: Progress
) -> None:
    """Erase persons from every place that was not done yet, each a step of its own; some of them side by side."""
    persons = Collected.of_json(request.subject or {}).persons
    landing = FileStore(settings.landing_url)
    emptied: dict[str, tuple[int, str]] = {}

    def erased(place: Place) -> None:
        if not isinstance(place.erasure, Rows | Anew):
            return
        progress(place.name)
        with engine.begin() as connection:
            stores = Stores(Lake(settings.lake_url), connection, landing, emptied)
            rows = place.erasure.remove(stores, persons)
            hub.step_is_done(connection, request.request_id, place.name, rows, place.erasure.how)

    def in_turn(places: Sequence[Place]) -> None:
        for place in places:
            erased(place)

    left = [one for one in all_places(settings) if one.name not in done]
    for lanes in in_layers(left):
        for _ in in_order(in_turn, lanes, settings.threads):
            pass


def _hand_on(settings: Settings, engine: Engine, request: hub.Request, done: Collection[str]) -> None:
    """Have the next run go on from the published version."""
    told = (request.subject or {}).get(_CONTINUING)
    if not told or continuing.STEP in done:
        return
    with engine.begin() as connection:
        lake, persons = Lake(settings.lake_url), Collected.of_json(request.subject or {}).persons
        continuing.hand_on(settings, connection, lake, told, persons)
        hub.step_is_done(connection, request.request_id, continuing.STEP, 0, continuing.HOW)
