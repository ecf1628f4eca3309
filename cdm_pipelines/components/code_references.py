"""Where the code of each asset is: the UI shows the file beside the asset.

Belongs here: references to files of this machine, found without a network. Does not belong here: for what the code
counts (code_version).
"""

import dagster as dg

from cdm_pipelines.components.early import early


def with_code_references(definitions: dg.Definitions) -> dg.Definitions:
    """The definitions, each asset with the file and line of the function that makes it."""
    with early():
        found = dg.with_source_code_references(list(definitions.assets or []))
        specs = {
            spec.key: spec for one in found if isinstance(one, dg.AssetsDefinition) for spec in one.specs
        }
        return definitions.map_resolved_asset_specs(func=lambda spec: specs.get(spec.key, spec))
