"""One set, linked under the policy that is suggested for it and under the careful one, with guards and without.

Belongs here: the four linkings and what is measured of them. Does not belong here: the sets, or the document.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from benchmarks.suggested.sets import Files
from cdm_pipelines.linkage import LinkageError, LinkagePolicy, link, load_policy
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.steps.linking.files import read_files
from cdm_pipelines.steps.linking.suggest_policy import suggest_policy

SUGGESTED, CAREFUL = "suggested", "careful"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """One linking.

    Attributes:
        name: Of the set.
        policy: ``suggested`` or ``careful``.
        guards: Whether those of the shipped policy are on.
        records: Of the set.
        quality: Pairwise precision, recall and F1; what precision the model expects. Empty where it failed.
        seconds: Of linking.
        columns: What the policy reads, by its names.
        failure: Why there are no figures.
    """

    name: str
    policy: str
    guards: bool
    records: int
    quality: dict[str, float]
    seconds: float
    columns: dict[str, str]
    failure: str = ""


def without_guards(policy: LinkagePolicy) -> LinkagePolicy:
    """The same with the threshold that serves F1 where probabilities are calibrated, and nothing that overrules it."""
    thresholds = policy.thresholds.model_copy(
        update={"match": 0.5, "expected_false_matches": None, "review": 0.1, "not_alone": ()}
    )
    clustering = policy.clustering.model_copy(update={"contradictions": ()})
    return policy.model_copy(update={"thresholds": thresholds, "clustering": clustering})


def measured(data: Files, tell: Tell) -> list[Measured]:
    """The four linkings of a set."""
    done = []
    for name in (SUGGESTED, CAREFUL):
        try:
            policy = suggest_policy(data.files).policy() if name == SUGGESTED else load_policy(data.careful)
        except LinkageError as error:
            done += [
                Measured(data.name, name, guards, data.records, {}, 0.0, {}, str(error))
                for guards in (True, False)
            ]
            tell(f"{data.name}, {name}: {error}")
            continue
        for guards in (True, False):
            done.append(_linked(data, name, policy if guards else without_guards(policy), guards=guards))
            tell(line(done[-1]))
    return done


def _linked(data: Files, name: str, policy: LinkagePolicy, *, guards: bool) -> Measured:
    table = read_files(data.files, policy)
    columns = {key: " + ".join(column.names) for key, column in policy.columns.items()}
    started = time.perf_counter()
    try:
        result = link(table, policy)
    except LinkageError as error:
        return Measured(data.name, name, guards, data.records, {}, 0.0, columns, str(error))
    seconds = time.perf_counter() - started
    quality = _quality(result.clusters, data.truth, by_source=policy.source is not None)
    quality["expected precision"] = float(result.report["expected"]["precision"])
    return Measured(data.name, name, guards, data.records, quality, round(seconds, 2), columns)


def _quality(clusters: pd.DataFrame, truth: pd.DataFrame, *, by_source: bool) -> dict[str, float]:
    found = evaluate(
        clusters.assign(**({} if by_source else {"source": ""})),
        truth.assign(**({} if by_source else {"source": ""})),
    )
    return {"precision": found.pairs.precision, "recall": found.pairs.recall, "F1": found.pairs.f1}


def line(one: Measured) -> str:
    """One linking in words."""
    guards = "guards on" if one.guards else "guards off"
    if one.failure:
        return f"{one.name}, {one.policy}, {guards}: {one.failure}"
    figures = ", ".join(f"{name} {value:.4f}" for name, value in one.quality.items())
    return f"{one.name}, {one.policy}, {guards}: {figures}; {one.seconds:.1f} s"
