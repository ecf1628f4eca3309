"""Keeping what came of an asset in the hub, and telling Dagster of it: the figures are the same ones.

Belongs here: outcomes as rows of ``ops.measurement`` and as events. Does not belong here: which figures there are
(steps), or how each kind is shown (metadata).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
from sqlalchemy import Engine

from cdm_pipelines.components.metadata import shown
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.transient import told_to_people
from cdm_pipelines.figures import Check, Outcome

Results = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]


@dataclass(frozen=True)
class Measuring:
    """The measurements of one run."""

    engine: Engine
    run: str

    def results(self, outcomes: Sequence[Outcome]) -> Results:
        """Keep what came of states, and tell of them and of their checks."""
        for outcome in outcomes:
            self.keep(outcome)
            key = _key(outcome)
            if outcome.made:
                version = dg.DataVersion(outcome.version) if outcome.version else None
                yield dg.MaterializeResult(asset_key=key, metadata=_metadata(outcome), data_version=version)
            yield from check_results(key, outcome.checks)

    def days(
        self, outcomes: Sequence[Outcome], code_versions: Mapping[dg.AssetKey, str | None]
    ) -> Iterator[dg.AssetMaterialization]:
        """Keep what came of days, and tell of them; a run of several days tells of their checks at its end."""
        for outcome in outcomes:
            self.keep(outcome)
            key = _key(outcome)
            if outcome.made:
                code = {"dagster/code_version": version} if (version := code_versions.get(key)) else {}
                yield dg.AssetMaterialization(
                    key,
                    partition=outcome.partition,
                    metadata=_metadata(outcome),
                    tags={**code, "dagster/data_version": outcome.version},
                )

    def keep(self, outcome: Outcome) -> None:
        """Write the figures, in a transaction of their own."""
        from cdm_pipelines.hub.measurements import record  # noqa: PLC0415 - the driver loads only in a run

        with self.engine.begin() as connection:
            record(connection, self.run, outcome)


@contextmanager
def measuring(
    context: dg.AssetExecutionContext, platform: Platform, *expected: type[Exception]
) -> Iterator[Measuring]:
    """Open the hub for the figures of a run, and make it when it is not there yet.

    Faults in the block are told as ``told_to_people`` does, but for those that the caller ``expected``.
    """
    from cdm_pipelines.hub.migrate import migrate  # noqa: PLC0415 - the driver loads only in a run

    with told_to_people(*expected), platform.hub() as engine:
        migrate(engine)
        yield Measuring(engine, context.run.run_id)


def check_results(asset: dg.AssetKey, checks: Mapping[str, Check]) -> Iterator[dg.AssetCheckResult]:
    """What checks found, as Dagster's results."""
    for name, check in checks.items():
        yield dg.AssetCheckResult(
            asset_key=asset,
            check_name=name,
            passed=check.passed,
            severity=dg.AssetCheckSeverity(check.severity),
            description=check.text or None,
            metadata=shown(check.figures),
        )


def _key(outcome: Outcome) -> dg.AssetKey:
    return dg.AssetKey(outcome.asset.split("/"))


def _metadata(outcome: Outcome) -> dict[str, dg.MetadataValue[Any]]:
    where = {"dagster/uri": dg.MetadataValue.text(outcome.url)} if outcome.url else {}
    return {**shown(outcome.figures), **where}
