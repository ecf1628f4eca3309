"""``cdm link``: linking files, and why records were linked or were not.

Belongs here: the commands under ``cdm link``, and explanations as text. Does not belong here: what they say
(linkage.explain), or their pictures (linkage.pictures).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from cdm_pipelines.commands import linkage, models
from cdm_pipelines.commands.bars import WIDTH as BAR
from cdm_pipelines.commands.bars import bar, signed
from cdm_pipelines.commands.linkages import Files, Model, Out, Policy, linkages_of, note_values
from cdm_pipelines.commands.terminal import (
    USAGE,
    console,
    fail,
    settings,
    shown,
    told_to_people,
    writable,
)
from cdm_pipelines.store.files import write_whole

if TYPE_CHECKING:
    from cdm_pipelines.linkage import LinkageModel
    from cdm_pipelines.linkage.explain.pair import Waterfall
    from cdm_pipelines.linkage.explain.pictures import Picture
    from cdm_pipelines.steps.linking.explain import Answer

_DEFAULT = "files"


class _FilesByDefault(TyperGroup):
    """A group whose first argument may be a file: then files are linked."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in front of anything that is no command's name and no plea for help."""
        known = {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, args if args and args[0] in known else [_DEFAULT, *args])

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The commands, then the options of the default one."""
        super().format_help(ctx, formatter)
        default = self.commands[_DEFAULT]
        with default.make_context(_DEFAULT, [], parent=ctx, resilient_parsing=True) as own:
            default.format_help(own, formatter)


app = typer.Typer(
    cls=_FilesByDefault,
    help="Find records that describe the same party: `cdm link FILE… --policy POLICY --out FOLDER`. "
    "The word `files` may be left out; a file that is named like a command is written ./explain.",
)
app.command(_DEFAULT)(linkage.link)

PictureFile = Annotated[
    Path | None, typer.Option(help="Also draw it, as SVG (the one format).", metavar="FILE.svg")
]


@app.command()
def explain(
    left: Annotated[str, typer.Argument(help="A record: source|record_id, or its id if no other has it.")],
    right: Annotated[str, typer.Argument(help="Another record.")],
    files: Files = None,
    *,
    policy: Policy = None,
    out: Out = None,
    model: Model = None,
    picture: PictureFile = None,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Show values, not their shapes only.")
    ] = False,
) -> None:
    """Explain why two records are, or are not, one: each comparison's weight, and what clustering made of it."""
    from cdm_pipelines.linkage.explain import pictures  # noqa: PLC0415
    from cdm_pipelines.steps.linking import explain as explain_links  # noqa: PLC0415 - commands load what they need

    target = _svg(picture)
    with told_to_people():
        answer = explain_links.explain(
            linkages_of(files, policy, out, model), left, right, show=shown(values=show_values)
        )
        if show_values:
            note_values(files, "cdm link explain", answer.linkage, answer.pair)
    found = answer.explanation
    fitted, review = answer.subject.model, answer.subject.policy.thresholds.review
    console.print(_waterfall(found.waterfall, fitted.match, review))
    for line in _verdict(answer):
        console.print(line, markup=False)
    charts = [pictures.waterfall_chart(found.waterfall)]
    if found.graph:
        charts.append(pictures.graph_chart(found.graph, found.path, fitted.match))
    _draw(target, charts)


@app.command("model")
def show_model(
    files: Files = None,
    *,
    policy: Policy = None,
    out: Out = None,
    model: Model = None,
    picture: PictureFile = None,
    diff: Annotated[
        str,
        typer.Option(
            metavar="OTHER",
            help="What is different from another model: a model file, or of the pipeline's own a fingerprint or "
            "`previous`.",
        ),
    ] = "",
    restore: Annotated[
        str,
        typer.Option(
            metavar="FINGERPRINT", help="Bring a former model of the pipeline back; the next run uses it."
        ),
    ] = "",
) -> None:
    """Show a fitted model: m, u and weight per level; with records also its pairs, and records it cannot link."""
    target, mine = _svg(picture), not (files or out or model)
    if restore and not mine:
        fail("--restore brings back a model of the pipeline: give no files with it.", USAGE)
    with told_to_people():
        if restore:
            models.restored(settings(), restore)
        if files or mine:
            linkages = linkages_of(files, policy, out, model)
            fitted = {one.name: one.model for one in linkages}
        else:
            linkages, fitted = [], {"model": _written(out, model)}
        own = settings() if mine else None
        charts = models.show_difference(fitted, diff, own) if diff else models.show(fitted, linkages, own)
    _draw(target, charts)


def _written(out: Path | None, model: Path | None) -> "LinkageModel":
    from cdm_pipelines.steps.linking import explain as explain_links  # noqa: PLC0415

    return explain_links.written_model(out, model)


def _svg(picture: Path | None) -> Path | None:
    if picture is not None and picture.suffix.lower() != ".svg":
        fail(f"{picture}: pictures are SVG; give a name that ends in .svg.", USAGE)
    return writable(picture) if picture else None


def _draw(target: Path | None, charts: "Sequence[Picture]") -> None:
    from cdm_pipelines.linkage.explain import pictures  # noqa: PLC0415

    if target:
        write_whole(target, pictures.svg(*charts).encode())
        console.print(f"Picture written to {target}", markup=False)


def _waterfall(found: "Waterfall", match: float, review: float) -> Table:
    """One row per step, with the bar from the running sum before it to the one after it."""
    chance = found.probability
    verdict = "a match" if chance >= match else "for review" if chance >= review else "no match"
    title = f"{found.left} and {found.right}: probability {chance:.4f}, {verdict} by itself"
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    for heading in ("comparison", "level", found.left, found.right):
        table.add_column(Text(heading), overflow="fold")
    for heading in ("bits", "frequency", "sum"):
        table.add_column(heading, justify="right")
    table.add_column(no_wrap=True, min_width=BAR)
    totals = [0.0, *(value for step in found.steps for value in (step.before, step.total))]
    for step in found.steps:
        added = step.bits + step.term
        table.add_row(
            *(Text(text) for text in (step.name, step.meaning, step.left, step.right)),
            signed(step.bits),
            signed(step.term) if step.term else "",
            signed(step.total),
            Text(bar(step.before, step.total, totals), style="green" if added >= 0 else "red"),
        )
    return table


def _verdict(answer: "Answer") -> Iterator[str]:
    found, made = answer.explanation, answer.made
    if made.rules:
        yield f"Blocking rules that made a pair of them: {', '.join(made.rules)}."
    else:
        yield "No blocking rule made a pair of them."
    if made.cut:
        yield f"They share the keys of {', '.join(made.cut)}, but in a block that is too large: it was cut or refined."
    if found.decided:
        yield "They were decided to be the same party: that holds, whatever they score."
    if found.together is None or found.graph is None:
        yield "Which clusters they are in is known with --out."
    elif found.together:
        yield f"They are in one cluster, of {len(found.graph.nodes)} records, by this strongest chain of links:"
        for link in found.path:
            told = "decided" if link.decided else f"probability {link.probability:.4f}"
            yield f"  {answer.subject.name(link.left)} and {answer.subject.name(link.right)}: {told}"
    else:
        yield "They are in two clusters, because:"
        yield from (f"  {reason}" for reason in found.reasons)
