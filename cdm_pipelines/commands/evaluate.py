"""``cdm link evaluate`` and ``cdm link sample``: what a linkage is worth, and pairs to label where nobody knows.

Belongs here: measures and mistakes as text. Does not belong here: measuring (linkage), reading and writing
(steps.linking.evaluate).
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from cdm_pipelines.commands.linkages import Files, Model, Out, Policy, linkages_of, note_values
from cdm_pipelines.commands.terminal import USAGE, console, fail, show, shown, told_to_people, writable

if TYPE_CHECKING:
    from cdm_pipelines.linkage.evaluate.measures import Evaluation
    from cdm_pipelines.linkage.evaluate.mistakes import Mistakes, Row
    from cdm_pipelines.linkage.evaluate.sample import Estimate, SampleEvaluation
    from cdm_pipelines.steps.linking.evaluate import Judged
    from cdm_pipelines.steps.linking.explain import Linkage

WORST, CLASSES = 10, 10
_PLURAL = {"false merge": "false merges", "miss": "misses"}
ERRORS = "errors.csv"
Noting = Callable[[Iterable[str]], None]
"""Writes the line of records whose values are shown."""
ShowValues = Annotated[bool, typer.Option("--show-values", help="Show values, not their shapes only.")]


def evaluate(
    files: Files = None,
    *,
    truth: Annotated[
        Path | None,
        typer.Option(help="Who is who: record id, entity id.", exists=True, dir_okay=False),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Labelled pairs: left_source, left_id, right_source, right_id, and yes or no in `match`.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    policy: Policy = None,
    out: Out = None,
    model: Model = None,
    worst: Annotated[
        int, typer.Option(help="How many false merges and how many misses to show.", min=0)
    ] = WORST,
    show_values: ShowValues = False,
) -> None:
    """Measure what was linked against the truth, or against a labelled sample of pairs, and show the worst mistakes."""
    if (truth is None) == (labels is None):
        fail("Give --truth FILE or --labels FILE: one of the two.", USAGE)
    with told_to_people():
        for linkage in linkages_of(files, policy, out, model):
            noting = partial(note_values, files, "cdm link evaluate", linkage) if show_values else _of_nobody
            if truth:
                tell_truth(linkage, truth, out, worst=worst, show_values=show_values, noting=noting)
            elif labels:
                _tell_labels(linkage, labels, out, worst=worst, show_values=show_values, noting=noting)


def sample(
    target: Annotated[Path, typer.Argument(help="CSV file to write.", dir_okay=False)],
    files: Files = None,
    *,
    pairs: Annotated[int, typer.Option(help="How many pairs.", min=1)] = 200,
    policy: Policy = None,
    out: Out = None,
    model: Model = None,
    seed: Annotated[int, typer.Option(help="Another seed draws other pairs.")] = 1,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="With the values of both records, for who labels.")
    ] = False,
) -> None:
    """Draw pairs of what was linked, to be labelled yes or no by a person, for `cdm link evaluate --labels`."""
    from cdm_pipelines.steps.linking.evaluate import draw, write_rows  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.steps.linking.explain import SIDES  # noqa: PLC0415

    target = writable(target)
    with told_to_people():
        found = linkages_of(files, policy, out, model)
        rows = []
        for linkage in found:
            drawn = draw(linkage, pairs // len(found), seed=seed, show_values=show_values)
            if show_values:
                sides = [(row[f"{side}_source"], row[f"{side}_id"]) for row in drawn for side in SIDES]
                note_values(files, "cdm link sample", linkage, (f"{source}|{id_}" for source, id_ in sides))
            rows += drawn
    if not rows:
        fail("There are no pairs to label: no two records are in one cluster, and no pair is up for review.")
    write_rows(rows, target)
    console.print(
        f"{len(rows):,} pairs written to {target}: write yes or no in the column `match`, then "
        f"`cdm link evaluate … --labels {target}`",
        markup=False,
    )


def _of_nobody(_: Iterable[str]) -> None:
    """Nobody's values are shown."""


def tell_truth(
    linkage: "Linkage",
    truth: Path,
    out: Path | None,
    *,
    worst: int = WORST,
    show_values: bool = False,
    noting: Noting = _of_nobody,
) -> None:
    """Print what a linkage is worth by the truth, and its mistakes; these also go to ``out``."""
    from cdm_pipelines.linkage.evaluate.measures import Evaluation  # noqa: PLC0415
    from cdm_pipelines.steps.linking.evaluate import against_truth  # noqa: PLC0415

    judged = against_truth(linkage, truth, worst=worst, show=shown(values=show_values))
    noting(judged.mistakes.names)
    if isinstance(judged.measures, Evaluation):
        show(
            f"{linkage.name}: {judged.measures.records:,} records against the truth",
            _measures(judged.measures),
        )
    if any(band.pairs for band in judged.bands):
        show(
            "Pairs by probability: what the model expects, and what is true",
            [
                {
                    "probability": f"{band.low:g} to {band.high:g}",
                    "pairs": band.pairs,
                    "expected to match": f"{band.expected:.3f}" if band.pairs else "",
                    "match": f"{band.true:.3f}" if band.pairs else "",
                }
                for band in judged.bands
            ],
            numeric=["pairs", "expected to match", "match"],
        )
    _tell_mistakes(judged, out)


def _tell_labels(
    linkage: "Linkage", labels: Path, out: Path | None, *, worst: int, show_values: bool, noting: Noting
) -> None:
    from cdm_pipelines.linkage.evaluate.sample import SampleEvaluation  # noqa: PLC0415
    from cdm_pipelines.steps.linking.evaluate import against_sample  # noqa: PLC0415

    judged = against_sample(linkage, labels, worst=worst, show=shown(values=show_values))
    noting(judged.mistakes.names)
    if isinstance(judged.measures, SampleEvaluation):
        _tell_estimates(linkage.name, judged.measures)
    _tell_mistakes(judged, out)


def _measures(found: "Evaluation") -> "list[Row]":
    rows: list[Row] = []
    for name, one in (
        ("pairs", found.pairs),
        ("within sources", found.within),
        ("across sources", found.across),
    ):
        if one.true_positives + one.false_positives + one.false_negatives:
            rows.append(_measured(name, one.precision, one.recall, one.f1))
    rows.append(_measured("records (B-cubed)", found.bcubed_precision, found.bcubed_recall, found.bcubed_f1))
    rows.append(
        {
            "measure": "parties that are one whole cluster",
            "precision": "",
            "recall": f"{found.exact_clusters:.4f}",
            "F1": "",
        }
    )
    return rows


def _measured(name: str, *values: float) -> "Row":
    told = [f"{value:.4f}" for value in values] or [""] * 3
    return {"measure": name} | dict(zip(("precision", "recall", "F1"), told, strict=True))


def _tell_estimates(name: str, found: "SampleEvaluation") -> None:
    labelled = sum(one.labelled for one in found.strata)
    show(
        f"{name}: {labelled:,} labelled pairs",
        [
            {"measure": title, "estimate, and 95% confidence": _estimated(one)}
            for title, one in (("precision", found.precision), ("recall", found.recall), ("F1", found.f1))
        ],
    )
    show(
        "Labels by stratum: each counts for pairs / labelled pairs",
        [
            {
                "pairs are": "in one cluster" if one.together else "apart",
                "probability": f"{one.band[0]:g} to {one.band[1]:g}" if one.band else "below review",
                "pairs": one.pairs,
                "labelled": one.labelled,
                "matches": one.matches,
            }
            for one in found.strata
        ],
        numeric=["pairs", "labelled", "matches"],
    )
    if found.outside:
        console.print(
            f"{found.outside:,} labelled pairs ({found.outside_matches:,} matches) are apart and below the review "
            "threshold. They count for no other pair, so they are in no estimate.",
            markup=False,
        )


def _estimated(one: "Estimate | None") -> str:
    return f"{one.value:.4f} ({one.low:.4f} to {one.high:.4f})" if one else "no label bears on it"


def _tell_mistakes(judged: "Judged", out: Path | None) -> None:
    from cdm_pipelines.steps.linking.evaluate import write_rows  # noqa: PLC0415

    found = judged.mistakes
    told = ", ".join(f"{count:,} {_PLURAL[kind]}" for kind, count in found.counts.items())
    console.print(f"\nMistakes: {told}", markup=False)
    if out is not None:
        write_rows(found.rows, out / ERRORS)
    if not any(found.counts.values()):
        return
    show("By how much each comparison agrees", found.classes[:CLASSES], numeric=["pairs"])
    if found.rows:
        console.print(_worst(found))
    if out is not None:
        console.print(f"Written to {out / ERRORS}", markup=False)


def _worst(found: "Mistakes") -> Table:
    """Each mistake with the level of every comparison, the two values below it."""
    title = "The false merges of the highest weight, the misses of the lowest"
    table = Table(title=title, title_justify="left", title_style="bold", show_lines=True)
    head = ("mistake", "left", "right", "weight", "probability")
    names = [name for name in found.rows[0] if name not in head and f"{name}, left" in found.rows[0]]
    for name in ("mistake", "records", "weight", *names):
        table.add_column(Text(name), overflow="fold")
    for row in found.rows:
        table.add_row(
            str(row["mistake"]),
            Text(f"{row['left']}\n{row['right']}"),
            f"{row['weight']:+.1f}",
            *(Text("\n".join((row[name], row[f"{name}, left"], row[f"{name}, right"]))) for name in names),
        )
    return table
