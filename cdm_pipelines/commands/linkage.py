"""``cdm link``: link any files under a policy, without the pipeline around it."""

from pathlib import Path
from typing import Annotated

import typer

from cdm_pipelines.commands.terminal import console, told_to_people


def link(
    files: Annotated[list[Path], typer.Argument(help="CSV or Parquet files.", exists=True, dir_okay=False)],
    policy: Annotated[Path, typer.Option(help="Linkage policy (YAML).", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder for clusters.parquet, pairs.parquet and model.json.")],
    model: Annotated[Path | None, typer.Option(help="Use this fitted model.", exists=True)] = None,
) -> None:
    """Find records that describe the same party. One file is deduplicated; several are linked as well."""
    from cdm_pipelines.flows.link_files import link_files  # noqa: PLC0415

    with told_to_people(), console.status("Linking …") as status:
        done = link_files(files, policy, out, model_path=model, progress=status.update)
    console.print(
        f"{done.records:,} records, {done.pairs:,} scored pairs, {done.clusters:,} clusters "
        f"({done.duplicates:,} duplicate records) written to {out}",
        markup=False,
    )
