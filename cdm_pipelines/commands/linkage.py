"""``cdm link``: link any files under a policy, without the pipeline around it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cdm_pipelines.commands.terminal import USAGE, console, fail, settings, told_to_people, writable
from cdm_pipelines.commands.waiting import LINKING, countdown, interruptible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdm_pipelines.linkage import Engine
    from cdm_pipelines.steps.linking.lost_values import Lost
    from cdm_pipelines.steps.linking.suggested_policy import SuggestedPolicy


def link(
    files: Annotated[
        list[Path], typer.Argument(help="CSV, JSON, Parquet, Excel files.", exists=True, dir_okay=False)
    ],
    *,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="Linkage policy (YAML); suggested from the columns when left out.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for clusters.parquet, pairs.parquet, model.json and charts.svg.", file_okay=False
        ),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Use this fitted model.", exists=True)] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Pairs known to match or not, to refine the fit: left_source, left_id, right_source, right_id, match.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    explain_blocking: Annotated[
        bool, typer.Option("--explain-blocking", help="Only count the pairs that each blocking rule makes.")
    ] = False,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Who is who (record id, entity id), to hold the outcome against.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="SVG file for the chart of --explain-blocking.", dir_okay=False)
    ] = None,
    engine: Annotated[
        Literal["local", "spark"],
        typer.Option(help="Link on this machine, or on a Spark cluster: the same outcome."),
    ] = "local",
    remote: Annotated[
        str | None,
        typer.Option(help="Spark Connect server: sc://host:15002. CDM_SPARK_REMOTE when left out."),
    ] = None,
    master: Annotated[
        str | None,
        typer.Option(help="Spark on this machine, where PySpark is installed in full: local[2]."),
    ] = None,
    exchange: Annotated[
        str | None,
        typer.Option(help="Folder or URL that the cluster reaches too, through which records go to it."),
    ] = None,
) -> None:
    """Find records that describe the same party. One file is deduplicated; several are linked as well."""
    if picture and not explain_blocking:
        fail("--picture goes with --explain-blocking.", USAGE)
    if labels and (model or explain_blocking):
        fail("--labels goes with a fit: leave --model and --explain-blocking out.", USAGE)
    if out is None and not explain_blocking:
        fail("Give a folder for the result: --out FOLDER.", USAGE)
    asked = _asked(engine, remote, master, exchange, counts_only=explain_blocking)
    with interruptible("Stopped: no result was written."), told_to_people():
        from cdm_pipelines.steps.linking.files import link_files  # noqa: PLC0415

        if explain_blocking:
            _explain_blocking(files, policy, out, truth, picture)
        elif out is not None:
            writable(out / "clusters.parquet")
            chosen = asked()
            policy = policy or _suggested(files, out)
            with countdown(LINKING) as told:
                done = link_files(
                    files,
                    policy,
                    out,
                    model_path=model,
                    labels=labels,
                    progress=told,
                    engine=chosen,
                    before=_lost,
                )
            console.print(
                f"{done.records:,} records, {done.pairs:,} scored pairs, {done.clusters:,} clusters "
                f"({done.duplicates:,} duplicate records) written to {out}",
                markup=False,
            )
            console.print(f"{done.expected}.", markup=False, soft_wrap=True)
            for remark in done.remarks:
                console.print(f"Look at this: {remark}.", markup=False, soft_wrap=True)
            for put_aside in done.put_aside:
                console.print(f"{put_aside.sentence}.", markup=False, soft_wrap=True)
            if truth:
                from cdm_pipelines.commands.evaluate import tell_truth  # noqa: PLC0415
                from cdm_pipelines.steps.linking.explain import of_files  # noqa: PLC0415

                tell_truth(of_files(files, policy, out, None), truth, out)


def _asked(
    engine: str, remote: str | None, master: str | None, exchange: str | None, *, counts_only: bool
) -> "Callable[[], Engine | None]":
    """What makes the engine that the options name, once they fit together; None is that of this process."""
    if engine == "local":
        if remote or master or exchange:
            fail("--remote, --master and --exchange go with --engine spark.", USAGE)
        return lambda: None
    if counts_only:
        fail("--explain-blocking counts on this machine: leave --engine out.", USAGE)
    if remote and master:
        fail("Give --remote or --master: each names a cluster.", USAGE)

    def made() -> "Engine":
        from cdm_pipelines.steps.linking.engine import spark_engine  # noqa: PLC0415

        return spark_engine(settings(), remote or master, exchange)

    return made


def _lost(found: "Sequence[Lost]") -> None:
    """Say what cannot be read, before it is linked without."""
    for one in found:
        console.print(f"Look at this: {one.sentence}.", markup=False, soft_wrap=True)


def _suggested(files: list[Path], out: Path) -> Path:
    """The policy that the columns suggest, told and written."""
    from cdm_pipelines.steps.linking.suggest_policy import write_policy  # noqa: PLC0415

    suggested = _told(files)
    path = write_policy(suggested, out)
    console.print(
        f"Written to {path}: change it there and link with --policy {path}.", markup=False, soft_wrap=True
    )
    return path


def _told(files: list[Path]) -> "SuggestedPolicy":
    """What the columns suggest; what may tell people apart and is not used is said first."""
    from cdm_pipelines.steps.linking.suggest_policy import suggest_policy  # noqa: PLC0415

    suggested = suggest_policy(files)
    console.print("\n".join(suggested.told()), markup=False, soft_wrap=True)
    return suggested


def _explain_blocking(
    files: list[Path], policy: Path | None, out: Path | None, truth: Path | None, picture: Path | None
) -> None:
    from cdm_pipelines.commands.blocking import explain  # noqa: PLC0415
    from cdm_pipelines.linkage import load_policy  # noqa: PLC0415

    if policy is None and out is not None:
        policy = _suggested(files, out)
    chosen = load_policy(policy) if policy else _told(files).policy()
    explain(files, chosen, truth, picture and writable(picture))
