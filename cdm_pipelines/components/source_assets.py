"""Raw, valid, quarantine and standard of one source entity: four assets, one unit of work per day.

Belongs here: the asset specifications and the loop over days. Does not belong here: the work on a day
(steps.days.source_day).

The four layers of a day are made together: they are cheap, must agree with each other, and in a backfill of many
days a refused file must not keep the other days from being ingested.
"""

from collections.abc import Iterator

import dagster as dg

from cdm_pipelines.components.metadata import (
    bar_chart,
    canonical_schema,
    lineage,
    same_columns,
    source_schema,
)
from cdm_pipelines.components.platform import Platform
from cdm_pipelines.components.registry import attributes_of
from cdm_pipelines.components.transient import told_to_people, transient_retry_policy
from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import attributes, targets
from cdm_pipelines.steps.days.source_day import DayAbsentError, DayRefusedError, DayResult, process_day
from cdm_pipelines.store.layout import raw_path

LAYERS = ("raw", "valid", "quarantine", "standard")
_DESCRIPTIONS = {
    "raw": "Rows as delivered, all text, each with its file, row number and the file's checksum.",
    "valid": "Accepted rows; cells that broke a rule of the contract are blanked and recorded.",
    "quarantine": "Rejected rows with all their reasons, and every repaired cell. Listed by `cdm quarantine list`.",
    "standard": "One canonical spelling per value, the original beside it.",
}


def source_assets(
    contract: SourceContract,
    *,
    owner: str,
    partitions: dg.PartitionsDefinition[str],
    freshness: dg.FreshnessPolicy,
) -> dg.AssetsDefinition:
    """The four assets of one source entity."""
    keys = {layer: dg.AssetKey([layer, contract.source, contract.entity]) for layer in LAYERS}
    upstream = {"raw": None, "valid": "raw", "quarantine": "raw", "standard": "valid"}
    specs = [
        dg.AssetSpec(
            keys[layer],
            deps=[keys[parent]] if (parent := upstream[layer]) else [],
            description=f"{contract.description}\n\n{_DESCRIPTIONS[layer]}",
            group_name=contract.source,
            owners=[owner],
            kinds={layer, "parquet", "pandera"} if layer == "valid" else {layer, "parquet"},
            tags={"layer": layer, "source": contract.source, "privacy": "personal"},
            code_version=contract.fingerprint,
            metadata=_schema_metadata(contract, layer, keys),
            freshness_policy=freshness if layer == "standard" else None,
            skippable=True,
        )
        for layer in LAYERS
    ]
    checks = [
        dg.AssetCheckSpec(
            "reconciliation",
            asset=keys["valid"],
            blocking=True,
            description="Rows read = rows accepted + rows quarantined.",
        ),
        dg.AssetCheckSpec(
            "share_quarantined",
            asset=keys["valid"],
            blocking=True,
            description="The share of quarantined rows stays under the thresholds of policies/checks.yaml.",
        ),
        dg.AssetCheckSpec(
            "schema",
            asset=keys["raw"],
            description="The columns are those of the contract.",
        ),
        dg.AssetCheckSpec(
            "volume",
            asset=keys["raw"],
            blocking=True,
            description="A full snapshot has not shrunk more than policies/checks.yaml allows.",
        ),
    ]

    @dg.multi_asset(
        name=f"{contract.source}__{contract.entity}",
        specs=specs,
        check_specs=checks,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=transient_retry_policy(),
        pool="lake",
    )
    def _assets(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.AssetMaterialization | dg.AssetCheckResult]:
        results: list[DayResult] = []
        refused: list[str] = []
        several = len(context.partition_keys) > 1
        for number, date in enumerate(context.partition_keys, start=1):
            try:
                with told_to_people(DayRefusedError):
                    result = process_day(platform.settings, platform.lake, contract, date)
            except DayAbsentError as absent:
                if several:
                    context.log.info("%s: no file, nothing to do", date)
                else:
                    refused.append(str(absent))
                continue
            except DayRefusedError as problem:
                context.log.warning("%s: %s", date, problem)
                refused.append(f"{date}: {problem}")
                continue
            results.append(result)
            context.log.info("%s (%d of %d): %s", date, number, len(context.partition_keys), result.sentence)
            yield from _materializations(
                contract, keys, result, platform.lake.where(raw_path(contract, date))
            )
        yield from _check_results(keys, results)
        if refused:
            raise dg.Failure(description="\n".join(refused), allow_retries=False)

    return _assets


def _schema_metadata(
    contract: SourceContract, layer: str, keys: dict[str, dg.AssetKey]
) -> dict[str, dg.TableSchema | dg.TableColumnLineage]:
    if layer == "raw":
        return {"dagster/column_schema": source_schema(contract)}
    names = [column.name for column in contract.columns]
    if layer in ("valid", "quarantine"):
        return {
            "dagster/column_schema": source_schema(contract),
            "dagster/column_lineage": same_columns(names, keys["raw"].path),
        }
    origins: dict[str, list[tuple[list[str], str]]] = {}
    for column, path in contract.mapped():
        for attribute in attributes_of(targets()[path]):
            origins.setdefault(attribute, []).append((list(keys["valid"].path), column.name))
    canonical = [a for entity in contract.entities for a in attributes(entity)]
    return {
        "dagster/column_schema": canonical_schema(canonical),
        "dagster/column_lineage": lineage(origins),
    }


def _materializations(
    contract: SourceContract, keys: dict[str, dg.AssetKey], result: DayResult, raw_url: str
) -> Iterator[dg.AssetMaterialization]:
    chart = bar_chart(result.reasons, ("rule", "rows or cells")) if result.reasons else None
    shown: dict[str, dict[str, object]] = {
        "raw": {
            "dagster/row_count": result.read,
            "files": "\n".join(result.files),
            "new columns": ", ".join(result.new_columns) or "none",
        },
        "valid": {"dagster/row_count": result.accepted, "repaired rows": result.repaired},
        "quarantine": {
            "dagster/row_count": result.quarantined,
            "share": round(result.quarantined / result.read, 6) if result.read else 0.0,
            **({"reasons": chart} if chart else {}),
        },
        "standard": {"dagster/row_count": sum(result.standard.values()), **result.standard},
    }
    for layer in LAYERS[:-1] if result.stopped else LAYERS:
        yield dg.AssetMaterialization(
            keys[layer],
            partition=result.date,
            metadata={
                **shown[layer],  # type: ignore[dict-item]
                "dagster/uri": raw_url.replace("/raw/", f"/{layer}/", 1),
                "input fingerprint": result.fingerprint,
            },
            tags={"dagster/code_version": contract.fingerprint, "dagster/data_version": result.fingerprint},
        )


def _check_results(keys: dict[str, dg.AssetKey], results: list[DayResult]) -> Iterator[dg.AssetCheckResult]:
    days = max(len(results), 1)
    read = sum(result.read for result in results)
    quarantined = sum(result.quarantined for result in results)
    new = sorted({name for result in results for name in result.new_columns})
    absent = sorted({name for result in results for name in result.absent_columns})
    remarks = [f"not in the contract: {', '.join(new)}"] if new else []
    remarks += [f"in the contract but not delivered: {', '.join(absent)}"] if absent else []
    yield dg.AssetCheckResult(
        check_name="reconciliation",
        asset_key=keys["valid"],
        passed=all(result.reconciles for result in results),
        metadata={"days": days, "read": read, "quarantined": quarantined},
    )
    for name, layer in (("share_quarantined", "valid"), ("volume", "raw")):
        verdicts = [verdict for result in results if (verdict := result.verdicts.get(name))]
        worst = max(verdicts, key=lambda verdict: verdict.rank, default=None)
        yield dg.AssetCheckResult(
            check_name=name,
            asset_key=keys[layer],
            passed=worst is None or worst.passed,
            severity=dg.AssetCheckSeverity(worst.severity) if worst else dg.AssetCheckSeverity.ERROR,
            description=worst.text if worst else "nothing to compare with",
            metadata={"figure": round(worst.figure, 6)} if worst else None,
        )
    yield dg.AssetCheckResult(
        check_name="schema",
        asset_key=keys["raw"],
        passed=not remarks,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(remarks) or "as declared",
    )
