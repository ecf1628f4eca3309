"""Explaining what was linked: files under a policy, or the pipeline's own records.

Belongs here: which records, model and clusters a question is about. Does not belong here: the explanation itself
(linkage.explain, linkage.explain_clusters).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.identity.constraints import NOTHING_DECIDED, Constraints
from cdm_pipelines.linkage import LinkageModel, LinkagePolicy, load_policy
from cdm_pipelines.linkage.cluster.constraints import resolve
from cdm_pipelines.linkage.encode.records import ONLY_SOURCE, encode
from cdm_pipelines.linkage.explain.clusters import Explanation
from cdm_pipelines.linkage.explain.pair import Subject
from cdm_pipelines.linkage.explain.rules import MadePair, made_pair
from cdm_pipelines.linkage.model.fellegi_sunter import log2_odds
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.linking import model_versions
from cdm_pipelines.steps.linking.files import FileError, read_files, read_model
from cdm_pipelines.steps.linking.inputs import merged_in_source, not_compared, party_records
from cdm_pipelines.steps.linking.kind import unlike_names
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake

SIDES = ("left", "right")


class ExplainError(ValueError):
    """A question cannot be answered; the message says what to ask or to run."""


@dataclass(frozen=True)
class Linkage:
    """A table with what linking it gave.

    Attributes:
        name: What it is called: the policy's name, or the kind of party.
        table: The records.
        policy: How they were linked.
        model: What scored them.
        clusters: ``source``, ``record_id``, ``cluster_id``; none where they are not known.
        pairs: Pairs from the review threshold on, likewise.
        same: Pairs that were decided to be the same party.
        different: Pairs that were decided not to be.
        decided: What stewards decided.
    """

    name: str
    table: pa.Table
    policy: LinkagePolicy
    model: LinkageModel
    clusters: pa.Table | None = None
    pairs: pa.Table | None = None
    same: pd.DataFrame | None = None
    different: pd.DataFrame | None = None
    decided: Constraints = NOTHING_DECIDED

    @cached_property
    def names(self) -> pa.Array:
        """``source|record_id`` of each record."""
        ids = _text(self.table, self.policy.id)
        sources = _text(self.table, self.policy.source) if self.policy.source else pa.scalar(ONLY_SOURCE)
        return pc.binary_join_element_wise(sources, ids, "|")

    def key(self, row: int) -> tuple[str, str]:
        """Source and id of a record."""
        source = _text(self.table, self.policy.source)[row].as_py() if self.policy.source else ONLY_SOURCE
        return source, _text(self.table, self.policy.id)[row].as_py()

    def row(self, name: str) -> int | None:
        """The row of a record named ``source|record_id``, or by its id alone where only one record has that.

        Raises:
            ExplainError: Records of several sources have the id.
        """
        row = pc.index(self.names, name).as_py()
        if row >= 0:
            return int(row)
        ids = pc.indices_nonzero(pc.equal(_text(self.table, self.policy.id), name)).to_pylist()
        if len(ids) > 1:
            raise ExplainError(f"{len(ids)} sources have a record {name!r}; write source|record_id.")
        return int(ids[0]) if ids else None

    @cached_property
    def sources(self) -> list[str]:
        """The sources, sorted."""
        return (
            sorted(set(_text(self.table, self.policy.source).to_pylist()))
            if self.policy.source
            else [ONLY_SOURCE]
        )


def _text(table: pa.Table, name: str) -> pa.Array:
    column = table[name].cast(pa.string())
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())


def of_files(files: Sequence[Path], policy_path: Path, out: Path | None, model_path: Path | None) -> Linkage:
    """What ``cdm link`` was given, and wrote to ``out``.

    Raises:
        FileError: A file cannot be read, or nothing was linked to ``out``.
        LinkageError: The policy does not fit the files.
    """
    policy = load_policy(policy_path)
    table = read_files(files, policy)
    absent = [
        name for name in (policy.id, policy.source) if name is not None and name not in table.column_names
    ]
    if absent:
        raise FileError(f"{policy_path}: the files have no column {absent[0]!r}")
    model = written_model(out, model_path)
    if out is None:
        return Linkage(policy.name, table, policy, model)
    clusters, pairs = (pq.read_table(_written(out, f"{name}.parquet")) for name in ("clusters", "pairs"))
    return Linkage(policy.name, table, policy, model, clusters, pairs)


def _written(out: Path | None, name: str) -> Path:
    if out is None:
        raise FileError(
            "Say with --out where `cdm link` wrote its outcome, or give a fitted model with --model."
        )
    if not (out / name).is_file():
        raise FileError(f"{out} has no {name}; give the folder that `cdm link FILE… --out` wrote.")
    return out / name


def written_model(out: Path | None, model_path: Path | None) -> LinkageModel:
    """The fitted model in a file, or in the folder that ``cdm link`` wrote to.

    Raises:
        FileError: There is none.
        LinkageError: The file is not a model.
    """
    path = model_path or _written(out, "model.json")
    try:
        return read_model(path)
    except (OSError, UnicodeDecodeError):
        raise FileError(
            f"{path}: this cannot be read as a model; give the model.json that a fit wrote"
        ) from None


def of_lake(
    lake: Lake, settings: Settings, decisions: Callable[[], Constraints] = lambda: NOTHING_DECIDED
) -> list[Linkage]:
    """What the pipeline linked: persons, and organisations.

    Args:
        lake: Where it was written.
        settings: Where the policies are.
        decisions: What stewards decided; asked when something is linked.

    Raises:
        ExplainError: Nothing was linked yet.
    """
    found = []
    if lake.exists(layout.CLUSTERS):
        clusters, pairs, decided = tables.clusters(lake).read(), tables.matches(lake).read(), decisions()
        for kind in PartyKind:
            model = model_versions.current(lake, kind)
            if model is not None:
                policy = load_policy(settings.policies / "linkage" / f"{kind}.yaml")
                withheld = not_compared(settings, policy)
                table = party_records(lake, kind, policy, unlike_names(settings), withheld).rows
                merged = decided.allowed(merged_in_source(table).to_pandas())
                same = pd.concat([decided.same, decided.confirmed_pairs, merged])
                found.append(
                    Linkage(
                        str(kind), table, policy, model, clusters, pairs, same, decided.different, decided
                    )
                )
    if not found:
        raise ExplainError("Nothing is linked yet; run a day first (`cdm run --date DAY`), or name files.")
    return found


@dataclass(frozen=True)
class Answer:
    """An explanation with what it is about: positions in it are those of ``subject.records``."""

    linkage: Linkage
    subject: Subject
    explanation: Explanation
    made: MadePair

    @property
    def pair(self) -> tuple[str, str]:
        """The names of the two records."""
        return self.explanation.waterfall.left, self.explanation.waterfall.right


def explain(linkages: Sequence[Linkage], left: str, right: str, *, show: Callable[[str], str]) -> Answer:
    """Explain the pair of records of these names.

    Only the records of their clusters are compared: scores do not depend on other records. Blocking does.

    Args:
        linkages: What was linked.
        left: A record.
        right: Another.
        show: How a value may be shown.

    Raises:
        ExplainError: There is no such record, or the two are linked apart.
        LinkageError: The model is not of this policy.
    """
    (home, row), (other, second) = (_home(linkages, name) for name in (left, right))
    if home is not other:
        raise ExplainError(
            f"{left} is of kind {home.name}, {right} of kind {other.name}: the two kinds are never linked."
        )
    if row == second:
        raise ExplainError("The two names are of one record; name two.")
    names = (home.names[row].as_py(), home.names[second].as_py())
    members = _members(home.clusters, names) if home.clusters is not None else None
    wanted = pa.array(sorted({*names, *(name for group in members or () for name in group)}))
    records = encode(home.table.filter(pc.is_in(home.names, wanted)), home.policy, 1)
    subject = Subject(records, home.policy, home.model)
    position = {subject.name(k): k for k in range(len(records))}
    missing = next((name for group in members or () for name in group if name not in position), None)
    if missing is not None:
        raise ExplainError(f"The records no longer have {missing!r}, which was linked: link them again.")
    groups = [np.array([position[name] for name in group], dtype=np.int32) for group in members or ()]
    same, different = resolve(records, home.same, home.different)
    explanation = Explanation.of(
        subject,
        position[names[0]],
        position[names[1]],
        (groups[0], groups[1]) if groups else None,
        same=same,
        different=different,
        made=resolve(records, home.pairs.to_pandas(), None)[0] if home.pairs is not None else None,
        show=show,
    )
    if members is not None and not explanation.together:
        explanation = replace(
            explanation, reasons=(*_decided_apart(home.decided, members), *explanation.reasons)
        )
    ends = [home.key(at) for at in (row, second)]
    return Answer(home, subject, explanation, made_pair(home.table, home.policy, ends[0], ends[1]))


def _decided_apart(decided: Constraints, members: tuple[list[str], list[str]]) -> list[str]:
    """What stewards decided about two clusters."""
    reasons = []
    names = decided.confirmed["source"] + "|" + decided.confirmed["record_id"]
    groups = [set(decided.confirmed["group"][names.isin(records)]) for records in members]
    if all(groups) and not groups[0] & groups[1]:
        reasons.append("A steward confirmed both: they are merged by a steward only.")
    return reasons


def _home(linkages: Sequence[Linkage], name: str) -> tuple[Linkage, int]:
    for linkage in linkages:
        row = linkage.row(name)
        if row is not None:
            return linkage, row
    sources = sorted({source for linkage in linkages for source in linkage.sources})
    raise ExplainError(f"There is no record {name!r}; write source|record_id. Sources: {', '.join(sources)}.")


def _members(clusters: pa.Table, names: tuple[str, str]) -> tuple[list[str], list[str]]:
    """The records of the clusters of two records."""
    known = pc.binary_join_element_wise(*(_text(clusters, name) for name in ("source", "record_id")), "|")
    found = []
    for name in names:
        at = pc.index(known, name).as_py()
        if at < 0:
            raise ExplainError(f"{name} is not linked yet: link the records again.")
        cluster = pc.equal(clusters["cluster_id"], clusters["cluster_id"][at])
        found.append(known.filter(cluster.combine_chunks()).to_pylist())
    return found[0], found[1]


def steps(linkage: Linkage) -> dict[int, int]:
    """Pairs from the review threshold on, by whole bits of log2 odds (the lower end)."""
    if linkage.pairs is None:
        return {}
    left = pc.binary_join_element_wise(
        *(_text(linkage.pairs, f"left_{name}") for name in ("source", "id")), "|"
    )
    weight = linkage.pairs["weight"].to_numpy()[pc.is_in(left, linkage.names).to_numpy(zero_copy_only=False)]
    bits, counts = np.unique(
        np.floor(weight + log2_odds(linkage.model.prior)).astype(int), return_counts=True
    )
    return dict(zip(bits.tolist(), counts.tolist(), strict=True))


def others(
    fitted: Mapping[str, LinkageModel], asked: str, settings: Settings | None
) -> dict[str, LinkageModel | None]:
    """What models are to be held against: a model file, or former models of the pipeline.

    Args:
        fitted: Models by name; the pipeline's by kind of party.
        asked: A file, a fingerprint, or ``previous``, which is None for a kind that has had one model only.
        settings: Where the pipeline is; None where the models are not its own.

    Raises:
        ExplainError: There is no such model.
        FileError: The file is none.
    """
    if settings is None or Path(asked).is_file():
        if not Path(asked).is_file():
            raise ExplainError(f"{asked}: there is no such file; name a model file")
        other = written_model(None, Path(asked))
        alike = {name: len(one.comparisons.keys() & other.comparisons.keys()) for name, one in fitted.items()}
        return {max(alike, key=alike.__getitem__): other}
    lake = Lake(settings.lake_url)
    found = {name: model_versions.find(lake, PartyKind(name), asked) for name in fitted}
    if asked != model_versions.PREVIOUS:
        found = {name: version for name, version in found.items() if version}
    if not found:
        known = [one for name in fitted for one in model_versions.versions(lake, PartyKind(name))]
        raise ExplainError(f"{model_versions.unknown(asked, known)}.")
    return {name: version.read(lake) if version else None for name, version in found.items()}
