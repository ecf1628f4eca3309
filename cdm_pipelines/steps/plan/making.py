"""The step that makes a plan: the steps of a run, beside, with changed policies, and what they would change.

Belongs here: running records, linking, golden customers and consent as the next run would, in a lake beside and in a
transaction that is rolled back. Does not belong here: any of those steps, the comparison (hub.foreseen), its form
(``outcome``).

Nothing is predicted: what a plan says is what those steps made. So it is what the next run makes, model fitted anew and
decisions of stewards included, where neither lake nor hub has changed by then.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from cdm_pipelines.contracts import PartyKind
from cdm_pipelines.contracts.canonical import Entity, with_state
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.foreseen import Foreseen
from cdm_pipelines.hub.migrate import newest, version
from cdm_pipelines.hub.models import published_models
from cdm_pipelines.hub.publish import published_from
from cdm_pipelines.hub.staging import lock
from cdm_pipelines.linkage import load_policy
from cdm_pipelines.quality.thresholds import ACCEPTABLE, Thresholds
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.consent.staging import stage_consent
from cdm_pipelines.steps.customers.publication import Rules, StagedCustomers, stage_customers
from cdm_pipelines.steps.days.records import build_records
from cdm_pipelines.steps.linking import model_versions
from cdm_pipelines.steps.linking.linked_with import DECISIONS, linked_with
from cdm_pipelines.steps.linking.parties import FITTED, Linked, link_parties
from cdm_pipelines.steps.plan.examples import Shown, examples_of
from cdm_pipelines.steps.plan.inputs import Inputs, inputs
from cdm_pipelines.steps.plan.outcome import Model, Plan
from cdm_pipelines.steps.plan.telling import told
from cdm_pipelines.steps.stewardship.decisions import constraints
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.beside import lake_beside, place_beside
from cdm_pipelines.store.gate import pass_through
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Mark

Progress = Callable[[str], None]
"""Is told in a few words what is being done."""
_READ = ("records", "link", "standard")
"""Folders of the lake that these steps read."""


class PlanError(Exception):
    """No plan can be made; the message says why and what to do."""


@dataclass(frozen=True)
class Run:
    """What the steps made with changed policies.

    Attributes:
        inputs: With what.
        linked: What came of linking.
        staged: Of the customers.
        foreseen: The version that they staged beside the published one.
        waiting: Records that had changed since the published version.
        decided: Whether stewards have decided anything since the published version.
        unapplied: Policies in force that are not those of the published version.
        silent: Contracts that were given and of which no day has arrived.
        in_force: The limits in force.
        lake: The lake beside, as the steps left it.
        connection: In the transaction that is rolled back.
    """

    inputs: Inputs
    linked: Linked
    staged: StagedCustomers
    foreseen: Foreseen
    waiting: int
    decided: bool
    unapplied: tuple[str, ...]
    silent: tuple[str, ...]
    in_force: Thresholds
    lake: Lake
    connection: Connection


def plan(
    settings: Settings,
    policies_folder: Path,
    contracts_folder: Path | None = None,
    *,
    shown: Shown | None = None,
    progress: Progress = lambda _: None,
) -> Plan:
    """Say what changed policies would do to the published customers; nothing is published, and nothing is left behind.

    Args:
        settings: Of the deployment.
        policies_folder: The policies that change; those in force stand for the others.
        contracts_folder: Contracts that change, likewise.
        shown: How values of examples are shown; by their shapes when left out.
        progress: Told in a few words what is being done.

    Raises:
        PlanInputError: A folder is not there, or a policy or contract has faults.
        PlanError: Nothing is published yet, the next run would fail, or a run wrote meanwhile.
        HubError, LakeError, DamagedError, LostModelError, LostDaysError: As a run.
    """
    with run_beside(settings, policies_folder, contracts_folder, progress=progress) as done:
        return told(
            done.inputs,
            _models(done.linked),
            done.staged,
            done.foreseen,
            waiting=done.waiting,
            decided=done.decided,
            unapplied=done.unapplied,
            silent=done.silent,
            limits=done.in_force.plan,
            examples=examples_of(done.foreseen, shown or Shown()),
            values=shown is not None,
        )


@contextmanager
def run_beside(
    settings: Settings,
    policies_folder: Path,
    contracts_folder: Path | None = None,
    *,
    progress: Progress = lambda _: None,
) -> Iterator[Run]:
    """Run the steps with changed policies; what they staged can be looked at in the block, and is gone afterwards.

    Raises:
        As :func:`plan`.
    """

    def given(folder: Path) -> Inputs:
        return inputs(settings, folder, policies_folder, contracts_folder)

    with steps_beside(settings, given, progress=progress) as done:
        yield done


@contextmanager
def steps_beside(
    settings: Settings,
    gather: Callable[[Path], Inputs],
    *,
    arrive: Callable[[Lake, Inputs], None] = lambda _lake, _given: None,
    also: Sequence[str] = (),
    progress: Progress = lambda _: None,
) -> Iterator[Run]:
    """Run the steps beside, with whatever policies, contracts and days; all of it is gone when the block ends.

    Args:
        settings: Of the deployment.
        gather: Told of an empty folder beside, gives what the steps run with.
        arrive: Puts further days into the lake beside, before records are brought up.
        also: Further folders of the lake that it reads.
        progress: Told in a few words what is being done.

    Raises:
        As :func:`plan`.
    """
    pass_through(settings.home)
    with open_hub(settings) as engine, place_beside(settings.home) as folder:
        _ready(engine)
        progress("reading policies")
        given = gather(folder)
        lake = Lake(settings.lake_url)
        before = _stamps(lake)
        beside = lake_beside(lake, folder / "lake", (*_READ, *also))
        own = given.settings.model_copy(update={"lake_url": str(folder / "lake")})
        try:
            arrive(beside, given)
            progress("bringing records up")
            build_records(beside, given.contracts, [one.entity for one in with_state()])
            with engine.connect() as connection:
                decided, copies = constraints(connection), published_models(connection)
                connection.rollback()
            linked = link_parties(
                beside, own, decided=decided, copies=copies, contracts=given.contracts, progress=progress
            )
        except Exception:
            _nothing_wrote(lake, before)
            raise
        with _rolled_back(engine) as connection:
            lock(connection)  # from here on no run publishes
            _nothing_wrote(lake, before)
            if constraints(connection).fingerprint != decided.fingerprint:
                raise PlanError("A steward decided something while the plan was being made: make it again.")
            published = published_from(connection)
            progress("choosing golden values")
            staged = stage_customers(connection, beside, own, accept=ACCEPTABLE, contracts=given.contracts)
            stops = [verdict.text for verdict in staged.verdicts.values() if verdict.stops]
            if stops:
                raise PlanError(f"The next run would stop with this, and publish nothing: {stops[0]}")
            progress("working out consent")
            stage_consent(connection, beside, own)
            _nothing_wrote(lake, before)
            progress("comparing with the published version")
            yield Run(
                given,
                linked,
                staged,
                Foreseen(connection),
                _waiting(beside, published),
                linked_with(beside)[DECISIONS] != published.get(DECISIONS),
                tuple(_unapplied(settings, lake, published)),
                tuple(one.name for one in given.given if not layout.days(lake, "standard", one)),
                Thresholds.load(settings.policies / "checks.yaml"),
                beside,
                connection,
            )


def _ready(engine: Engine) -> None:
    """See that there is a version to compare with."""
    with engine.connect() as connection:
        at, now = version(connection), newest()
        if at is None or (at == now and not published_from(connection)):
            raise PlanError(
                "Nothing is published yet, so that there is nothing to compare with: run a day first (`cdm run --date "
                "YYYY-MM-DD`, or `cdm demo`)."
            )
        if at != now:
            raise PlanError(
                f"The hub is at version {at}, and this release works with {now}: any run brings it up, and so does "
                "`cdm doctor`. A plan changes nothing, so it does not."
            )


@contextmanager
def _rolled_back(engine: Engine) -> Iterator[Connection]:
    """A transaction that never commits."""
    with engine.connect() as connection, connection.begin() as transaction:
        try:
            yield connection
        finally:
            transaction.rollback()


def _stamps(lake: Lake) -> dict[str, str]:
    return {path: stamp for part in _READ for path, stamp in lake.stamps(part).items()}


def _nothing_wrote(lake: Lake, before: dict[str, str]) -> None:
    """See that the lake is the one that the plan is made from."""
    if _stamps(lake) != before:
        raise PlanError("A run wrote while the plan was being made: make it again when that has ended.")


def _waiting(lake: Lake, published: Mapping[str, str]) -> int:
    """Party records that changed since the published version; all of them where that is not known."""
    parties, mark = tables.records(lake, Entity.PARTY), published.get(str(Entity.PARTY))
    changes = parties.since(Mark.parse(mark)) if mark else None
    if changes is None:
        return parties.read([]).num_rows
    return int(changes.rows.num_rows + changes.gone.num_rows)


def _unapplied(settings: Settings, lake: Lake, published: Mapping[str, str]) -> Iterator[str]:
    """Policies in force under which no run has published yet."""
    for kind in PartyKind:
        model, name = model_versions.current(lake, kind), f"linkage/{kind}.yaml"
        if model is not None and model.policy != load_policy(settings.policies / name).fingerprint:
            yield name
    if published.get("survivorship") != Rules.load(settings).fingerprint:
        yield "survivorship.yaml or purposes.yaml"


def _models(linked: Linked) -> tuple[Model, ...]:
    """How each kind was linked."""
    return tuple(
        Model(
            str(kind),
            linked.everything.get(kind) == FITTED,
            kind in linked.everything,
            linked.everything.get(kind, ""),
        )
        for kind in PartyKind
        if kind in linked.models
    )
