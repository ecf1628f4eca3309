"""The step that makes ``link/*`` from the current party records.

Belongs here: when a model is fitted, and what is written. Does not belong here: linkage itself.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
import pyarrow as pa

from cdm_pipelines.contracts import PartyKind, SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.hub.models import NO_COPIES, Copies
from cdm_pipelines.identity.constraints import NOTHING_DECIDED, Constraints
from cdm_pipelines.linkage import LinkageModel, LinkagePolicy, load_policy
from cdm_pipelines.linkage.cluster.health import Health, HealthLimits
from cdm_pipelines.linkage.encode.keys import BlockingPlan
from cdm_pipelines.linkage.model.drift import COUNTS, Drift, drift
from cdm_pipelines.linkage.progress import Progress
from cdm_pipelines.parallel import in_order
from cdm_pipelines.quality.thresholds import Thresholds
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.linking import model_versions
from cdm_pipelines.steps.linking.health import cluster_health, write_health
from cdm_pipelines.steps.linking.kind import EverythingError, KindLinked, link_changes, link_everything
from cdm_pipelines.steps.linking.linked_with import write_linked_with
from cdm_pipelines.steps.linking.state import (
    KeptState,
    OtherKeyError,
    keep_plan,
    kept_plan,
    read_state,
    write_state,
)
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.damage import DamagedError, Fault, made_anew
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Layered, Mark
from cdm_pipelines.store.secret import Secret

OUTGROWN = 3
"""A model fitted on less than this part of today's records is worth fitting anew."""
_TEXT = pa.string()
WEIGHT_STEP = 5
FITTED = "a model was fitted"
"""Why all records of a kind were linked, where that is why."""
_NO_CLUSTERS = pa.schema([(name, _TEXT) for name in ("source", "record_id", "cluster_id")])
_NO_PAIRS = pa.schema(
    [(name, _TEXT) for name in ("left_source", "left_id", "right_source", "right_id")]
    + [("weight", pa.float64()), ("probability", pa.float64())]
)


@dataclass
class Linked:
    """What came of it, for people and for metadata."""

    fitted: bool = False
    model_fingerprint: str = ""
    fitted_on: int = 0
    records: int = 0
    changed: int = 0
    compared: dict[str, int] = field(default_factory=dict)
    pairs: int = 0
    clusters: int = 0
    blocking: Counter[str] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    weights: Counter[int] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)
    """Values that weighed nothing since too many unlike names share them."""
    levels: dict[str, list[Mapping[str, object]]] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    models: dict[str, LinkageModel] = field(default_factory=dict)
    odds: dict[str, dict[int, int]] = field(default_factory=dict)
    expected: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    unlinkable: dict[str, float] = field(default_factory=dict)
    drift: dict[str, Drift | None] = field(default_factory=dict)
    everything: dict[str, str] = field(default_factory=dict)
    """Kinds of which all records were linked, and why."""
    health: Health = field(default_factory=Health.of_nothing)

    def add(self, one: KindLinked) -> None:
        """Account for the records of one kind."""
        kind, report = str(one.kind), one.report
        self.records += report["records"]
        self.fitted_on += one.model.records
        self.clusters += report["clusters"]
        self.pairs += len(one.state.links.left)
        self.changed += one.report["records"] if one.changed is None else one.changed
        self.sizes.update({int(size): count for size, count in report["cluster_sizes"].items()})
        self.blocking.update({f"{kind}: {rule['rule']}": rule["new_pairs"] for rule in report["rules"]})
        self.compared[kind] = report["pairs"]
        if one.why_everything:
            self.everything[kind] = one.why_everything
        self.seconds[kind] = round(one.seconds, 2)
        self.shared[kind] = len(one.shared)
        self.models[kind] = one.model
        self.labels[kind] = one.model.training.get("labels", 0)
        self.odds[kind] = {int(low): count for low, count in report["odds"].items()}
        self.expected[kind] = report["expected_curve"]
        self.drift[kind] = drift(one.model, report[COUNTS])
        self.levels[kind] = [
            {name: row[name] for name in ("comparison", "meaning", "m", "u", "weight")}
            for row in report["comparisons"]
        ]
        if one.unlinkable is not None:
            self.unlinkable[kind] = one.unlinkable
        bins = np.floor(one.state.weight / WEIGHT_STEP).astype(int) * WEIGHT_STEP
        for low, count in zip(*np.unique(bins, return_counts=True), strict=True):
            self.weights[int(low)] += int(count)

    @property
    def weight_steps(self) -> dict[str, int]:
        """Pairs by steps of match weight, lowest first."""
        return {f"{low:+d} to {low + WEIGHT_STEP:+d}": self.weights[low] for low in sorted(self.weights)}

    @property
    def outgrown(self) -> bool:
        """Whether there are now many times the records that the models were fitted on."""
        return self.records > OUTGROWN * self.fitted_on


def link_parties(
    lake: Lake,
    settings: Settings,
    *,
    refit: bool = False,
    rebuild: bool = False,
    decided: Constraints = NOTHING_DECIDED,
    copies: Copies = NO_COPIES,
    contracts: Sequence[SourceContract] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Linked:
    """Link persons with persons and organisations with organisations, as far as stewards have not decided.

    A model is fitted when there is none, when the policy has changed, or on command; then it is kept, so that
    days can come in any order (R4). It learns from the pairs that stewards decided about, unless the settings say
    otherwise. Under a kept model only what has changed is linked, to the same outcome.

    Args:
        lake: The lake.
        settings: Where policies are, and how many threads to use.
        refit: Whether to fit the models anew.
        rebuild: Whether to link all records though few have changed.
        decided: What stewards decided.
        copies: Models that the hub keeps, of the published version.
        contracts: Those that say what columns are given for; the deployment's own when left out.
        progress: Told in a few words what is being done.

    Raises:
        LostModelError: A model that was linked with is damaged or gone, and there is no copy of it.
        DamagedError: The current records are damaged or gone.
        PurposesError: The purposes cannot be used, or a contract does not keep to them.
    """
    linked = Linked()
    parties = tables.records(lake, Entity.PARTY).mark

    def begun(kind: PartyKind) -> _Begun:
        return _begun(
            lake,
            kind,
            settings,
            refit=refit,
            rebuild=rebuild,
            decided=decided,
            copies=copies,
            contracts=contracts,
        )

    done: list[KindLinked] = []
    for work in list(in_order(begun, PartyKind, settings.threads)):
        one = work.done or link_everything(
            lake,
            work.kind,
            work.policy,
            work.model,
            work.before,
            plan=work.plan,
            why=work.why_everything,
            decided=decided,
            labels=decided.labels if settings.learn_from_decisions else None,
            progress=_told(progress, work.kind),
            settings=settings,
            contracts=contracts,
        )
        if one is None:
            continue
        done.append(one)
        if work.model is None:
            model_versions.put(lake, work.kind, one.model)
            linked.fitted = True
        if one.why_everything:
            keep_plan(lake, one.kind, one.model.fingerprint, one.state.plan, Secret.of(settings.home))
        linked.add(one)
    publish_links(lake, done, parties, Secret.of(settings.home))
    limits = Thresholds.load(settings.policies / "checks.yaml").doubtful_clusters
    linked.health = cluster_health(done, decided, HealthLimits(limits.bridge, limits.size))
    write_health(lake, linked.health)
    fingerprints = {str(one.kind): one.model.fingerprint for one in done}
    linked.model_fingerprint = write_linked_with(lake, fingerprints, decided)
    return linked


@dataclass(frozen=True)
class _Begun:
    """The records of one kind: linked, if linking what has changed will do, or what linking all of them starts from.

    Few changes take little memory, so that the kinds are worked side by side; all records of a kind take much.
    """

    kind: PartyKind
    policy: LinkagePolicy
    model: LinkageModel | None
    before: KeptState | None
    plan: BlockingPlan | None = None
    done: KindLinked | None = None
    why_everything: str = ""


def _begun(
    lake: Lake,
    kind: PartyKind,
    settings: Settings,
    *,
    refit: bool,
    rebuild: bool,
    decided: Constraints,
    copies: Copies,
    contracts: Sequence[SourceContract] | None,
) -> _Begun:
    policy = load_policy(settings.policies / "linkage" / f"{kind}.yaml")
    model = None if refit else model_versions.kept(lake, kind, copies)
    if model is not None and model.policy != policy.fingerprint:
        model = None
    if model is not None:
        policy = policy.in_order_of(model.comparisons)
    before, lost = None, "nothing was linked with this model before"
    secret = Secret.of(settings.home)
    try:
        before = _state_of(lake, kind, model, secret) if model is not None else None
    except OtherKeyError as error:
        lost = str(error)
    plan = before.state.plan if before is not None else None
    if before is None and model is not None:
        plan = kept_plan(lake, kind, model.fingerprint, secret)
    begun = _Begun(kind, policy, model, before, plan)
    if model is None:
        return replace(begun, why_everything=FITTED)
    if before is None:
        return replace(begun, why_everything=lost)
    if rebuild:
        return replace(begun, why_everything="it was asked for")
    try:
        done = link_changes(
            lake, kind, policy, model, before, decided=decided, settings=settings, contracts=contracts
        )
    except EverythingError as error:
        return replace(begun, why_everything=str(error))
    return replace(begun, done=done)


def _told(progress: Callable[[str], None], kind: PartyKind) -> Progress:
    """Tells each stage of linking a kind once, when it begins."""
    begun: set[str] = set()

    def told(stage: str, _: float) -> None:
        if stage not in begun:
            begun.add(stage)
            progress(f"{kind}: {stage}")

    return told


def _state_of(lake: Lake, kind: PartyKind, model: LinkageModel, secret: Secret) -> KeptState | None:
    """What the last linkage with a model left behind; None where there is nothing, or it is damaged."""
    try:
        before = read_state(lake, kind, secret)
    except DamagedError as damaged:
        made_anew(f"What linking of {kind}s left for the next run is", damaged)
        return None
    return before if before is not None and before.model == model.fingerprint else None


def publish_links(lake: Lake, done: Sequence[KindLinked], parties: Mark, secret: Secret) -> None:
    """Bring the published tables and the states up to what was linked; states last, so that they are never ahead."""
    clusters, matches = tables.clusters(lake), tables.matches(lake)
    expected = [one.former.outcome for one in done if one.former is not None and one.former.outcome]
    whole = _whole(lake, layout.CLUSTERS, clusters, expected) & _whole(
        lake, layout.MATCHES, matches, expected
    )
    known = f"{clusters.mark} {matches.mark}" if whole and clusters.exists and matches.exists else None
    differences = [one.difference for one in done if one.former is not None and one.former.outcome == known]
    if known is not None and len(differences) == len(done) and all(differences):
        found = [difference for difference in differences if difference is not None]
        clusters.update(
            pa.concat_tables([clusters.schema.empty_table(), *(one.clusters for one in found)]),
            pa.concat_tables([one.clusters_gone for one in found]),
        )
        rows = [_in_columns(one.pairs, matches.schema) for one in found]
        matches.update(
            pa.concat_tables([matches.schema.empty_table(), *rows]),
            pa.concat_tables([one.pairs_gone for one in found]),
        )
    else:
        made_from = sha256(f"{parties} {[one.model.fingerprint for one in done]}".encode()).hexdigest()[:16]
        put = Layered.put if whole else Layered.write_lost
        rows_of_clusters = pa.concat_tables([_NO_CLUSTERS.empty_table(), *(one.clusters for one in done)])
        put(clusters, [rows_of_clusters], rows_of_clusters.schema, made_from)
        pairs = pa.concat_tables(
            [_NO_PAIRS.empty_table(), *(one.pairs for one in done)], promote_options="default"
        )
        put(matches, [pairs], pairs.schema, made_from)
    outcome = f"{clusters.mark} {matches.mark}"
    for one in done:
        if (
            one.unchanged
            and one.former is not None
            and one.former.belongs_to(one.model.fingerprint, parties, outcome, one.withheld)
        ):
            continue
        number = base = one.former.number + 1 if one.former is not None else _next_number(lake, one.kind)
        if one.former is not None and one.former.state.rows.base is one.state.rows.base:
            base = one.former.base
        kept = KeptState(
            one.state, number, base, one.model.fingerprint, parties, outcome, one.shared, one.withheld
        )
        write_state(lake, one.kind, kept, secret)


def _whole(lake: Lake, path: str, table: Layered, expected: Sequence[str]) -> bool:
    """Whether a published table is there as it was written; where it never was it is not missed."""
    fault = table.fault()
    if fault is None and expected and not table.exists:
        fault = lake.damaged(path, Fault.MISSING)
    if fault is not None:
        made_anew(f"{path} is", fault)
    return fault is None


def _next_number(lake: Lake, kind: PartyKind) -> int:
    folders = lake.folders(layout.link_state_folder(kind))
    return max((int(name.removeprefix("base-")) for name in folders), default=0) + 1


def _in_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table in the columns of another, which may have more."""
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
