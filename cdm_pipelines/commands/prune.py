"""``cdm prune``: what grows with every day, kept small by the policy.

Belongs here: doing it all in order, and saying what went. Does not belong here: what goes (steps.operate, components).
"""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.terminal import REFUSED, console, errors, settings, show, told_to_people
from cdm_pipelines.settings import Settings

if TYPE_CHECKING:
    from cdm_pipelines.steps.operate.pruning import Pruned

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def prune(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")
    ] = False,
) -> None:
    """Pack old days of the lake, and delete what policies/pruning.yaml and CDM_RUN_RETENTION_DAYS do not keep."""
    with told_to_people():
        done = list(_everything(settings(), dry_run=dry_run))
    well = [one for one in done if not one.fault]
    title = "Would go" if dry_run else "Went"
    rows = [
        {"what": one.what, "number": f"{one.number:,}", "frees": "" if one.freed is None else size(one.freed)}
        for one in well
        if one.number
    ]
    show(title, rows, ("number", "frees"))
    total = size(sum(one.freed or 0 for one in well))
    console.print(f"{'Would free' if dry_run else 'Freed'} {total}, and what the database reuses of its own.")
    for one in done:
        if one.fault:
            errors.print(f"✗ {one.what}: {one.fault}", style="red", markup=False)
    if any(one.fault for one in done):
        raise typer.Exit(REFUSED)


def _everything(own: Settings, *, dry_run: bool) -> "Iterator[Pruned]":
    from cdm_pipelines.components.pruning import prune_runs  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.components.session import open_instance  # noqa: PLC0415 - the same
    from cdm_pipelines.contracts.catalogue import all_contracts  # noqa: PLC0415 - the same
    from cdm_pipelines.hub import upkeep  # noqa: PLC0415 - the same
    from cdm_pipelines.steps.operate import pruning  # noqa: PLC0415 - the same
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415 - the same

    policy, lake, now = pruning.policy_of(own), Lake(own.lake_url), dt.datetime.now(dt.UTC)
    yield from pruning.prune_lake(lake, all_contracts(), policy, now.date(), dry_run=dry_run)
    if not dry_run:
        yield pruning.sweep_plans(own)
    with open_instance(own) as (engine, instance):
        with engine.connect() as connection, connection.begin() as transaction:
            yield from pruning.prune_hub(connection, lake, own, policy, now)
            if dry_run:
                transaction.rollback()
        oldest = now - dt.timedelta(days=own.run_retention_days)
        yield from prune_runs(instance, engine, oldest, dry_run=dry_run)
        if not dry_run:
            upkeep.vacuum(engine)


def size(count: float) -> str:
    """Bytes in the unit that people read."""
    sign, count = ("-" if count < 0 else ""), abs(count)
    for unit in _UNITS[:-1]:
        if count < 1024:
            return f"{sign}{count:,.0f} {unit}" if unit == "B" else f"{sign}{count:,.1f} {unit}"
        count /= 1024
    return f"{sign}{count:,.1f} {_UNITS[-1]}"
