"""``cdm takeover``: another company's customers, looked at, taken in and given away again.

Belongs here: options, what is printed, exit codes. Does not belong here: doing it (steps.takeover).
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.terminal import console, settings, show, told_to_people, writable

if TYPE_CHECKING:
    from cdm_pipelines.insight.takeover_report import Assessment

app = typer.Typer(
    name="takeover",
    help="Take another company's customers in, and give them away again.",
    no_args_is_help=True,
)
Folder = Annotated[
    Path, typer.Argument(help="Folder with the other company's extracts, and contracts for some.")
]
_NAME = "other_company"


@app.command()
def assess(
    folder: Folder,
    name: Annotated[str, typer.Option(help="Name of the source that it would be.")] = _NAME,
    out: Annotated[
        Path, typer.Option(help="Report to write, one HTML file.", show_default="takeover-NAME.html")
    ] = Path(),
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, and write no file unless --out is given.")
    ] = False,
) -> None:
    """Say what taking a company in would bring, before anything of it is taken in; nothing is changed."""
    from cdm_pipelines.insight.takeover_page import page  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.insight.takeover_report import as_json as plain  # noqa: PLC0415
    from cdm_pipelines.steps.takeover import assess as step  # noqa: PLC0415
    from cdm_pipelines.store.files import write_whole  # noqa: PLC0415

    own = settings()
    target = out if out != Path() else Path(f"takeover-{name}.html")
    with told_to_people(), console.status("reading the other company's files") as status:
        found = step.assess(own, folder, name, progress=_quiet if as_json else status.update)
        if out != Path() or not as_json:
            write_whole(writable(target), page(found).encode())
    if as_json:
        typer.echo(json.dumps(plain(found), indent=1, ensure_ascii=False))
        return
    _print(found)
    console.print(f"Report written to {target}", markup=False, soft_wrap=True)


def _quiet(_: str) -> None:
    pass


def _print(found: "Assessment") -> None:
    show(
        "Files",
        [
            {
                "file": one.file,
                "as": one.entity,
                "contract": f"guessed ({one.doubts} doubts)" if one.suggested else "given",
                "rows": one.read,
                "put aside": one.quarantined,
                "mended": one.repaired,
            }
            for one in found.files
        ],
        ("rows", "put aside", "mended"),
    )
    told = [("customers of theirs", f"{found.customers:,} in {found.records:,} records")]
    if found.overlap:
        one = found.overlap
        told.append(
            (
                "ours already",
                f"{one.expected:,.0f} expected, {one.low:,} to {one.high:,} (95 %); {one.linked:,} are linked",
            )
        )
    else:
        told.append(("ours already", "not measurable yet, because no file holds customers"))
    told += [
        ("our customers", f"{found.golden_before:,} now, {found.golden_after:,} then"),
        ("of ours become one with another", f"{found.merged:,}"),
        ("golden values filled", f"{sum(one.filled for one in found.values):,}"),
        ("golden values replaced", f"{sum(one.replaced for one in found.values):,}"),
        ("pairs for a steward", f"{found.doubtful:,}"),
        *(
            (f"consent to {one.purpose}", f"{one.given:,} yes, {one.refused:,} no, {one.nothing:,} nothing")
            for one in found.consent.purposes
        ),
        (
            "cost of cleaning",
            f"€ {found.total[0]:,.2f} to € {found.total[2]:,.2f}, likely € {found.total[1]:,.2f}"
            if found.total
            else "no price yet: give unit_costs in policies/business_case.yaml",
        ),
    ]
    show(f"Takeover of {found.name}", [{"what": what, "": text} for what, text in told])
    console.print(found.ids.told, markup=False)
    for text in (*found.unreadable, *found.notes):
        console.print(f"! {text}", style="yellow", markup=False)
