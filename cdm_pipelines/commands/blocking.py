"""``cdm link --explain-blocking``: the counts of ``linkage.blocking_report`` as a table and a chart.

Belongs here: how they are shown. Does not belong here: the counting.
"""

from collections.abc import Mapping
from pathlib import Path

from cdm_pipelines.commands.terminal import console, show
from cdm_pipelines.commands.waiting import countdown
from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.linkage.evaluate.blocking import bars, rows, svg
from cdm_pipelines.steps.linking.files import explain_files
from cdm_pipelines.store.files import write_whole

COUNTING: Mapping[str, tuple[str, float]] = {"count": ("counting pairs", 1.0)}


def explain(files: list[Path], policy: LinkagePolicy, truth: Path | None, picture: Path | None) -> None:
    """Print what the rules make; ``picture`` is an SVG file to write."""
    with countdown(COUNTING) as told:
        report = explain_files(files, policy, truth=truth, progress=told)
    found = rows(report)
    title = f"{report.candidate_pairs:,} candidate pairs of {report.records:,} records"
    show(title, found, numeric=[name for name in found[0] if name != "rule"])
    console.print("\nPairs per rule: █ new, ░ made by an earlier rule as well")
    console.print("\n".join(bars(report)), markup=False, no_wrap=True, overflow="crop")
    if picture is not None:
        write_whole(picture, svg(report).encode())
        console.print(f"Chart written to {picture}", markup=False)
