"""The specifications of a source entity's assets and checks.

Belongs here: what they are called, depend on and promise, from the contract. Does not belong here: making them
(source_assets), or the work on a day (steps.days).
"""

import dagster as dg

from cdm_pipelines.components.metadata import canonical_schema, lineage, same_columns, source_schema
from cdm_pipelines.components.registry import attributes_of
from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import attributes, targets
from cdm_pipelines.store.layout import LAYERS

_UPSTREAM = {"valid": "raw", "quarantine": "raw", "standard": "valid"}
_DESCRIPTIONS = {
    "raw": "Rows as delivered, all text, each with its file, row number and the file's checksum.",
    "valid": "Accepted rows; cells that broke a rule of the contract are blanked and recorded.",
    "quarantine": "Rejected rows with all their reasons, and every repaired cell. Listed by `cdm quarantine list`.",
    "standard": "One canonical spelling per value, the original beside it.",
}
_CHECKS = (
    ("valid", "reconciliation", True, "Rows read = rows accepted + rows quarantined."),
    ("valid", "contract", True, "Accepted rows, as they were written, pass the contract's Pandera schema."),
    (
        "valid",
        "share_quarantined",
        True,
        "The share of quarantined rows stays under the thresholds of policies/checks.yaml.",
    ),
    ("valid", "repeated_keys", False, "Keys come once in a file, or as often as the contract says."),
    ("valid", "spreadsheet", False, "No spreadsheet has changed ids, numbers or leading zeros on the way."),
    ("raw", "schema", False, "The columns are those of the contract."),
    ("raw", "volume", True, "A snapshot has not shrunk more than policies/checks.yaml allows."),
)


def asset_key(layer: str, contract: SourceContract) -> dg.AssetKey:
    """The key of one layer of a source entity."""
    return dg.AssetKey([layer, contract.source, contract.entity])


def asset_specs(contract: SourceContract, owner: str, freshness: dg.FreshnessPolicy) -> list[dg.AssetSpec]:
    """The four assets of a source entity."""
    return [
        dg.AssetSpec(
            asset_key(layer, contract),
            deps=[asset_key(_UPSTREAM[layer], contract)] if layer in _UPSTREAM else [],
            description=f"{contract.description}\n\n{_DESCRIPTIONS[layer]}",
            group_name=f"{contract.source}/{layer}",  # a node shows the last part of its key alone
            owners=[owner],
            kinds={layer, "parquet", "pandera"} if layer == "valid" else {layer, "parquet"},
            tags={"layer": layer, "source": contract.source, "privacy": "personal"},
            metadata=_schema_metadata(contract, layer),
            freshness_policy=freshness if layer == "standard" else None,
            skippable=True,
        )
        for layer in LAYERS
    ]


def check_specs(contract: SourceContract) -> list[dg.AssetCheckSpec]:
    """The checks of a source entity."""
    return [
        dg.AssetCheckSpec(name, asset=asset_key(layer, contract), blocking=blocking, description=description)
        for layer, name, blocking, description in _CHECKS
    ]


def _schema_metadata(
    contract: SourceContract, layer: str
) -> dict[str, dg.TableSchema | dg.TableColumnLineage]:
    if layer == "raw":
        return {"dagster/column_schema": source_schema(contract)}
    names = [column.name for column in contract.columns]
    if layer in ("valid", "quarantine"):
        return {
            "dagster/column_schema": source_schema(contract),
            "dagster/column_lineage": same_columns(names, asset_key("raw", contract).path),
        }
    origins: dict[str, list[tuple[list[str], str]]] = {}
    for column, path in contract.mapped():
        for attribute in attributes_of(targets()[path]):
            origins.setdefault(attribute, []).append((list(asset_key("valid", contract).path), column.name))
    if contract.modified_at:
        origins["modified_at"] = [(list(asset_key("valid", contract).path), contract.modified_at)]
    canonical = [a for entity in contract.entities for a in attributes(entity)]
    return {
        "dagster/column_schema": canonical_schema(canonical),
        "dagster/column_lineage": lineage(origins),
    }
