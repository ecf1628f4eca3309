"""What the code location offers: names, grouping, documentation, automation."""

import re

import dagster as dg
import pytest

from cdm_pipelines.components.location import load_definitions
from cdm_pipelines.enrichment.catalogue import built_in

LAYERS = {
    "raw",
    "valid",
    "quarantine",
    "standard",
    "records",
    "link",
    "golden",
    "privacy",
    "profile",
    "insight",
    "activation",
    "publish",
}
PER_SOURCE = {"raw", "valid", "quarantine", "standard"}
ENTITIES = {
    "crm": ["account", "contact"],
    "erp": ["customer", "invoice", "order", "order_line", "payment", "product", "refund"],
    "shop": ["customer", "order"],
    "web": ["event"],
    "mail": ["activity", "consent"],
    "desk": ["ticket"],
}
STATES = {
    "records/party",
    "records/order",
    "records/consent",
    "records/invoice",
    "records/product",
    "link/model",
    "link/matches",
    "link/clusters",
    "golden/staged",
    "golden/customer",
    "golden/crosswalk",
    "golden/provenance",
    "privacy/consent",
    "privacy/retention",
    *(f"insight/{name}" for name in ("kpis", "maturity", "report", "touch_points")),
    "activation/next_best_action",
    "publish/audiences",
    "publish/feed",
    "publish/source_corrections",
    "golden/history",
    "insight/business_case",
    "insight/quality",
    "profile/interactions",
    "profile/model",
    *(f"profile/{name}" for name in built_in()),
    "profile/customer",
    "profile/households",
    "profile/organisations",
}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return load_definitions()


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_every_asset_that_the_design_names_is_there_and_no_other(specs: dict[str, dg.AssetSpec]) -> None:
    layered = {f"{la}/{so}/{en}" for la in PER_SOURCE for so, entities in ENTITIES.items() for en in entities}
    assert set(specs) == layered | STATES


def test_keys_follow_the_naming_grammar(specs: dict[str, dg.AssetSpec]) -> None:
    for key, spec in specs.items():
        assert spec.key.path[0] in LAYERS, key
        assert len(spec.key.path) == (3 if spec.key.path[0] in PER_SOURCE else 2), key
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", part) for part in spec.key.path), key


def test_assets_of_one_title_stand_in_groups_that_tell_them_apart(specs: dict[str, dg.AssetSpec]) -> None:
    """The UI titles a node with the last part of its key."""
    extracts = [spec for spec in specs.values() if len(spec.key.path) == 3]
    assert all(spec.group_name == f"{spec.key.path[1]}/{spec.key.path[0]}" for spec in extracts)
    titled = [(spec.group_name, spec.key.path[-1]) for spec in specs.values()]
    assert len(set(titled)) == len(titled)


def test_every_asset_tells_what_it_is_and_who_owns_it(specs: dict[str, dg.AssetSpec]) -> None:
    for key, spec in specs.items():
        assert spec.description, key
        assert spec.owners, key
        assert spec.kinds, key
        assert spec.group_name, key
        assert spec.code_version, key
        assert "layer" in spec.tags, key


def origins(specs: dict[str, dg.AssetSpec], key: str, column: str) -> set[tuple[str, str]]:
    """Where the lineage of a column begins: source columns, or the asset that makes it."""
    found = specs[key].metadata.get("dagster/column_lineage")
    deps = found.deps_by_column.get(column, []) if isinstance(found, dg.TableColumnLineage) else []
    if not deps:
        return {(key, column)}
    each = (origins(specs, dep.asset_key.to_user_string(), dep.column_name) for dep in deps)
    return set().union(*each)


def test_golden_columns_lead_back_to_source_columns(specs: dict[str, dg.AssetSpec]) -> None:
    assert origins(specs, "golden/customer", "email") == {
        ("raw/crm/contact", "Email"),
        ("raw/erp/customer", "ZZSMTP"),
        ("raw/shop/customer", "Email"),
    }


SPENT = {
    ("raw/shop/order", "Refunded Amount"),
    ("raw/erp/order", "BRTWR"),
    ("raw/erp/order", "WAERK"),
    ("raw/erp/refund", "WRBTR"),
    ("raw/erp/refund", "WAERK"),
    ("raw/shop/order", "Total"),
    ("raw/shop/order", "Currency"),
}
PROFILE_COLUMNS = {
    ("profile/rfm", "net"): SPENT,
    ("profile/customer", "rfm_net"): SPENT,
    ("profile/households", "net"): SPENT,
    ("profile/customer", "location_province"): {
        ("raw/crm/account", "BillingPostalCode"),
        ("raw/crm/account", "BillingCountry"),
        ("raw/crm/contact", "MailingPostalCode"),
        ("raw/crm/contact", "MailingCountry"),
        ("raw/erp/customer", "PSTLZ"),
        ("raw/erp/customer", "LAND1"),
        ("raw/shop/customer", "Default Address Zip"),
        ("raw/shop/customer", "Default Address Country Code"),
    },
    ("profile/quality", "confirmed_on"): {
        ("raw/crm/account", "LastModifiedDate"),
        ("raw/crm/contact", "LastModifiedDate"),
        ("raw/erp/customer", "AEDAT"),
        ("records/party", "first_seen"),
    },
    ("profile/customer", "rfm_days_since_last_order"): {
        ("raw/erp/order", "AUDAT"),
        ("raw/shop/order", "Created at"),
    },
}


@pytest.mark.parametrize(("asset", "column"), PROFILE_COLUMNS)
def test_profile_columns_lead_back_to_source_columns(
    specs: dict[str, dg.AssetSpec], asset: str, column: str
) -> None:
    assert origins(specs, asset, column) == PROFILE_COLUMNS[asset, column]


def test_every_column_of_the_profile_leads_back_to_a_source_or_to_who_somebody_is(
    specs: dict[str, dg.AssetSpec],
) -> None:
    made_here = {"golden/staged", "profile/interactions", *(f"records/{name}" for name in MADE_BY_RECORDS)}
    astray = {}
    for key, spec in specs.items():
        if not key.startswith("profile/") or "dagster/column_lineage" not in spec.metadata:
            continue
        for column in spec.metadata["dagster/column_lineage"].deps_by_column:
            for begins, name in origins(specs, key, column):
                if not begins.startswith("raw/") and begins not in made_here:
                    astray[key, column] = (begins, name)
    assert astray == {}


MADE_BY_RECORDS = ("party", "order", "invoice", "product")
"""They add to what sources say which source that is, and when it was delivered."""


def test_a_view_names_the_columns_that_it_has(specs: dict[str, dg.AssetSpec]) -> None:
    for name in ("customer", "households", "organisations", *built_in()):
        metadata = specs[f"profile/{name}"].metadata
        columns = [one.name for one in metadata["dagster/column_schema"].columns]
        described = [one.name for one in metadata["dagster/column_schema"].columns if one.description]
        assert described == columns, name
        assert metadata["dagster/column_lineage"].deps_by_column.keys() <= set(columns), name


def test_models_of_the_profile_are_held_against_the_customers_of_today(definitions: dg.Definitions) -> None:
    found = {key for one in definitions.asset_checks or () for key in one.check_keys}
    found |= {
        key
        for one in definitions.assets or ()
        if isinstance(one, dg.AssetsDefinition)
        for key in one.check_keys
    }
    drifting = {key.asset_key.to_user_string() for key in found if key.name == "drift"}
    assert drifting == {"profile/churn", "profile/lifetime_value"}


def test_jobs_schedules_and_sensors(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs()} - {"__ASSET_JOB"}
    sources = {"crm", "desk", "erp", "mail", "shop", "web"}
    assert jobs == {
        *(f"ingest_{name}" for name in sources),
        *("customers", "housekeeping", "key_figures", "retention"),
    }
    schedules = {s.name: (s.cron_schedule, s.execution_timezone) for s in repository.schedule_defs}
    assert schedules["daily_crm"] == ("0 6 * * *", "Europe/Amsterdam")
    assert {"daily_erp", "daily_shop"} < set(schedules)
    sensors = {s.name: s.default_status for s in repository.sensor_defs}
    landing = {"landing_crm", "landing_erp", "landing_shop"}
    assert landing | {"customers_automation", "feed_behind", "run_failed"} <= set(sensors)
    assert set(sensors.values()) == {dg.DefaultSensorStatus.RUNNING}


def test_a_backfill_of_many_days_is_one_run_per_source(definitions: dg.Definitions) -> None:
    for assets in definitions.resolve_asset_graph().assets_defs:
        if assets.partitions_def is not None:
            assert assets.backfill_policy == dg.BackfillPolicy.single_run()


def test_checks_that_guard_publication_block(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    blocking = {
        f"{key.asset_key.to_user_string()}:{key.name}"
        for key in graph.asset_check_keys
        if graph.get_check_spec(key).blocking
    }
    assert {
        "valid/crm/contact:reconciliation",
        "valid/crm/contact:share_quarantined",
        "raw/crm/contact:volume",
        "golden/staged:reconciliation",
        "golden/staged:uniqueness",
        "golden/staged:referential_integrity",
        "golden/staged:customer_drift",
        "golden/staged:cluster_size",
        "golden/staged:cluster_size_drift",
        "golden/staged:id_churn",
        "golden/staged:merges",
    } <= blocking
