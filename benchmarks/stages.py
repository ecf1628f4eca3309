"""The stages, each as it runs in a process of its own.

Belongs here: calling the project's own steps, and the counts that the document shows. Does not belong here: how a
stage is measured (meter), or how any flow works.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.extracts import DAY
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.store.lake import Lake

Counts = dict[str, object]
NIGHT = ("records", "link", "stage", "publish")
"""The steps of ``night``."""


class NotPublishableError(Exception):
    """A check stopped the run; the message says which and why."""


def hub() -> Counts:
    """Make the database, start PostgreSQL and bring its schema to the newest version."""
    from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415 - a stage loads what it needs, and no more
    from cdm_pipelines.hub.migrate import migrate  # noqa: PLC0415

    with open_hub(load_settings()) as engine:
        migrate(engine)
    return {}


def day(source: str, date: str = DAY, *entities: str) -> Counts:
    """Land, validate and standardise a day of a source, of all its entities or of some."""
    import time  # noqa: PLC0415

    from cdm_pipelines.contracts.catalogue import contracts_of  # noqa: PLC0415
    from cdm_pipelines.steps.days.source_day import process_day  # noqa: PLC0415

    settings, lake = _opened()
    rows, quarantined, seconds = 0, 0, {}
    for contract in contracts_of(source):
        if entities and contract.entity not in entities:
            continue
        started = time.perf_counter()
        result = process_day(settings, lake, contract, date)
        seconds[contract.entity] = round(time.perf_counter() - started, 2)
        if result.stopped:
            reasons = "; ".join(v.text for v in result.verdicts.values() if v.stops)
            raise NotPublishableError(f"{contract.name}: {reasons}")
        rows += result.read
        quarantined += result.quarantined
    return {"rows": rows, "quarantined": quarantined, "seconds": seconds}


def records_party() -> Counts:
    """Build the current state of all parties."""
    return _records("party")


def records_order() -> Counts:
    """Build the current state of all orders, and of whatever else there is beside the parties."""
    from cdm_pipelines.contracts.canonical import Entity  # noqa: PLC0415 - a stage loads what it needs
    from cdm_pipelines.contracts.entity import with_state  # noqa: PLC0415

    return _records(*(str(one.entity) for one in with_state() if one.entity is not Entity.PARTY))


def _records(*names: str) -> Counts:
    from cdm_pipelines.contracts.canonical import Entity  # noqa: PLC0415
    from cdm_pipelines.contracts.catalogue import all_contracts  # noqa: PLC0415
    from cdm_pipelines.steps.days.records import build_records  # noqa: PLC0415

    entities = tuple(Entity(name) for name in names)
    contracts = [c for c in all_contracts() if set(entities) & set(c.entities)]
    _, lake = _opened()
    return {"rows": build_records(lake, contracts, entities).rows}


def link() -> Counts:
    """Link persons with persons and organisations with organisations."""
    from cdm_pipelines.steps.linking.parties import link_parties  # noqa: PLC0415

    settings, lake = _opened()
    linked = link_parties(lake, settings)
    return {
        "rows": linked.records,
        "candidate pairs": sum(linked.blocking.values()),
        "pairs kept": linked.pairs,
        "clusters": linked.clusters,
        "model fitted": linked.fitted,
        "seconds": {name: round(value, 2) for name, value in linked.seconds.items()},
    }


def stage() -> Counts:
    """Resolve identities, choose golden values, load them into staging and audit them."""
    from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415
    from cdm_pipelines.steps.customers.publication import stage_customers  # noqa: PLC0415

    settings, lake = _opened()
    with open_hub(settings) as engine, engine.begin() as connection:
        staged = stage_customers(connection, lake, settings)
    if staged.stopped:
        stopping = [f"{name}: {verdict.text}" for name, verdict in staged.verdicts.items() if verdict.stops]
        raise NotPublishableError("; ".join(stopping))
    return {"rows": staged.records, "customers": staged.customers}


def publish() -> Counts:
    """Make staging the published version."""
    from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415
    from cdm_pipelines.hub.upkeep import vacuum  # noqa: PLC0415
    from cdm_pipelines.steps.customers.publication import publish_customers  # noqa: PLC0415

    settings, lake = _opened()
    with open_hub(settings) as engine:
        with engine.begin() as connection:
            changes = publish_customers(connection, lake, settings).changes
        vacuum(engine)
    customers = changes["customer"]
    return {"rows": customers.rows, "changed": customers.inserted + customers.updated + customers.deleted}


def night(rebuild: str = "") -> Counts:
    """Bring everything from records to the published version up to date, in this one process.

    Args:
        rebuild: ``rebuild`` to work through all records whatever changed.
    """
    import time  # noqa: PLC0415

    from cdm_pipelines.contracts.canonical import Entity  # noqa: PLC0415
    from cdm_pipelines.contracts.catalogue import all_contracts  # noqa: PLC0415
    from cdm_pipelines.hub.connection import open_hub  # noqa: PLC0415
    from cdm_pipelines.hub.migrate import migrate  # noqa: PLC0415
    from cdm_pipelines.hub.upkeep import vacuum  # noqa: PLC0415
    from cdm_pipelines.steps.customers.publication import publish_customers, stage_customers  # noqa: PLC0415
    from cdm_pipelines.steps.days.records import build_records  # noqa: PLC0415
    from cdm_pipelines.steps.linking.parties import link_parties  # noqa: PLC0415
    from cdm_pipelines.steps.stewardship.decisions import constraints  # noqa: PLC0415

    settings, lake = _opened()
    everything = rebuild == "rebuild"
    with open_hub(settings) as engine:
        migrate(engine)
        with engine.connect() as connection:
            decided = constraints(connection)
        clock = [time.perf_counter()]
        built = build_records(lake, all_contracts(), tuple(Entity), rebuild=everything)
        clock.append(time.perf_counter())
        linked = link_parties(lake, settings, rebuild=everything, decided=decided)
        clock.append(time.perf_counter())
        with engine.begin() as connection:
            staged = stage_customers(connection, lake, settings, rebuild=everything)
        clock.append(time.perf_counter())
        if staged.stopped:
            raise NotPublishableError("; ".join(v.text for v in staged.verdicts.values() if v.stops))
        with engine.begin() as connection:
            changes = publish_customers(connection, lake, settings).changes
        vacuum(engine)
        clock.append(time.perf_counter())
    return {
        "seconds": {name: clock[at + 1] - clock[at] for at, name in enumerate(NIGHT)},
        "records": built.changed,
        "compared": sum(linked.compared.values()),
        "customers": staged.customers,
        "worked": staged.worked,
        "identity": {name: count for name, count in staged.identity.items() if name != "kept"},
        "published": {
            name: change.inserted + change.updated + change.deleted for name, change in changes.items()
        },
    }


def quality(truth: str, *folders: str) -> Counts:
    """Hold the clusters, ours and those of Splink at each of its thresholds, against the truth."""
    from benchmarks.quality import against_truth  # noqa: PLC0415

    settings, _ = _opened()
    others = {f"Splink at {Path(folder).name}": Path(folder) for folder in folders}
    return against_truth(settings, Path(truth), others)


def link_table(records: str, policy: str, out: str) -> Counts:
    """Link one file under a policy."""
    from benchmarks.linkage.ours import link_table as link_file  # noqa: PLC0415

    return link_file(records, policy, out)


def _opened() -> tuple[Settings, Lake]:
    settings = load_settings()
    return settings, Lake(settings.lake_url)


def _profile(name: str) -> Callable[..., Counts]:
    def run(*arguments: str) -> Counts:
        from benchmarks.profile_stages import STAGES as OF_PROFILES  # noqa: PLC0415

        return OF_PROFILES[name](*arguments)

    return run


def _rights(name: str) -> Callable[..., Counts]:
    def run(*arguments: str) -> Counts:
        from benchmarks.rights_stages import STAGES as OF_RIGHTS  # noqa: PLC0415

        return OF_RIGHTS[name](*arguments)

    return run


def _insight(name: str) -> Callable[..., Counts]:
    def run(*arguments: str) -> Counts:
        from benchmarks.insight_stages import STAGES as OF_INSIGHT  # noqa: PLC0415

        return OF_INSIGHT[name](*arguments)

    return run


STAGES: Mapping[str, Callable[..., Counts]] = {
    "hub": hub,
    "day": day,
    "records party": records_party,
    "records order": records_order,
    "link": link,
    "stage": stage,
    "publish": publish,
    "night": night,
    "quality": quality,
    "link table": link_table,
    **{f"profile {name}": _profile(name) for name in ("make", "night", "count", "run")},
    **{f"rights {name}": _rights(name) for name in ("access", "persons", "erase")},
    **{
        f"insight {name}": _insight(name)
        for name in ("prepare", "scorecards", "key figures", "actions", "audiences")
    },
}
