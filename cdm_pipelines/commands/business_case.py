"""``cdm business-case``: what faults cost and better data brings, and what an improvement is worth.

Belongs here: printing, and the page. Does not belong here: counting, formulas (insight), which figures (steps.insight).
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.terminal import USAGE, console, fail, hub, settings, show, writable

if TYPE_CHECKING:
    from cdm_pipelines.insight.business_case import Volumes
    from cdm_pipelines.steps.insight.business_case import Worked

_IMPROVEMENT = re.compile(r"(?P<name>[a-z_]+(:[^=:]+)?)=(?P<percent>\d+(\.\d+)?)%?")
_NUMERIC = ["value", "low", "likely", "high", "worth", "less", "with low", "with high"]


def business_case(
    improve: Annotated[
        list[str],
        typer.Option(
            help="What an improvement is worth: duplicate_records:shop=10% is ten in a hundred duplicates fewer in the "
            "shop. May be repeated; all together are worked out.",
            metavar="NAME[:SOURCE]=PERCENT",
        ),
    ] = [],  # noqa: B006 - typer copies it
    html: Annotated[
        Path | None, typer.Option(help="Write it as a page with pictures.", metavar="FILE")
    ] = None,
    queries: Annotated[
        bool, typer.Option("--queries", help="Show the query behind every volume, and stop.")
    ] = False,
) -> None:
    """Show what faults cost and better data brings a year: measured volumes x the company's own inputs."""
    from cdm_pipelines.insight.business_case import ImprovementError, gain_of, improved  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.insight.business_case_measures import VOLUMES  # noqa: PLC0415
    from cdm_pipelines.steps.insight.business_case import kept_case  # noqa: PLC0415

    if queries:
        for name, volume in VOLUMES.items():
            query = re.sub(r"\n\s+", "\n  ", volume.query)
            console.print(f"-- {name}: {volume.words}\n{query};\n", markup=False)
        return
    wanted = _improvements(improve)
    page = writable(html) if html else None
    own = settings()
    with hub(own) as engine, engine.connect() as connection:
        done = kept_case(connection, own)
    if done.as_of is None:
        fail("Nothing is counted yet. `cdm run` counts when it has published customers.")
    try:
        worth = gain_of(done.policy, done.volumes, wanted) if wanted else {}
        then = improved(done.volumes, wanted)
    except ImprovementError as error:
        fail(str(error), USAGE)
    tables = _tables(done, worth, improve) + _volumes(done, then, wanted)
    if page is not None:
        page.write_text(_page(done, tables), encoding="utf-8")
        console.print(f"Written: {page}", markup=False)
        return
    console.print(f"Business case as of {done.as_of}, {done.policy.currency} a year", markup=False)
    for title, rows in tables:
        show(title, rows, numeric=_NUMERIC)


def _improvements(given: Sequence[str]) -> dict[str, float]:
    found = {}
    for one in given:
        match = _IMPROVEMENT.fullmatch(one.replace(" ", ""))
        if match is None or not 0 < float(match["percent"]) <= 100:
            fail(f"{one} is no improvement; write NAME=PERCENT, such as duplicate_records:shop=10%.", USAGE)
        found[match["name"]] = float(match["percent"]) / 100
    return found


_Table = tuple[str, list[dict[str, object]]]


def _tables(done: "Worked", worth: Mapping[str, Decimal], improve: Sequence[str]) -> list[_Table]:
    """What is shown, in order; tables without rows say that there are none."""
    from cdm_pipelines.steps.insight.business_case_figures import before_and_after, volume_rows  # noqa: PLC0415 - commands load what they need

    case = done.case
    found: list[_Table] = [
        ("Counted", [_shown(row) for row in volume_rows(done.volumes, done.policy.currency)]),
        ("Goals", _amounts(done, ["goal", "total"])),
        ("Drivers", _amounts(done, ["driver"])),
        ("Faults and gains, with the formula of each", _amounts(done, ["fault", "gain"])),
    ]
    if case.matters:
        rows: list[dict[str, object]] = [
            {"input": one.input, "with low": f"{one.low:,}", "with high": f"{one.high:,}"}
            for one in case.matters
        ]
        found.append(("What matters most: the total with each input low and high", rows))
    if rows := before_and_after(done):
        found.append(("Since the first run, at today's inputs", [_shown(row) for row in rows]))
    if improve:
        title = f"Worth a year: {', '.join(improve)}"
        told = worth.items() if worth.get("total") else ()
        found.append((title, [{"driver": name, "worth": f"{one:,}"} for name, one in told if one]))
    if done.optimum is not None:
        best = done.optimum
        row = {"now": best.now, "poor data now": best.poor_now, "least at": best.upkeep, "less": best.saved}
        found.append(("Upkeep a year", [{name: f"{value:,.2f}" for name, value in row.items()}]))
    if claims := _amounts(done, ["claim"]):
        for one in claims:
            one["source"] = done.policy.claims[str(one["name"])].source
        found.append(("CLAIMS of others, measured by nobody here, and part of nothing above", claims))
    if case.missing:
        asked = [
            {"input": name, "unit": done.policy.inputs[name].unit, "what": done.policy.inputs[name].means}
            if name in done.policy.inputs
            else {"input": name, "unit": "", "what": ""}
            for name in case.missing
        ]
        found.append(
            ("Missing: fill in under inputs in policies/business_case.yaml", [dict(one) for one in asked])
        )
    return found


def _volumes(done: "Worked", then: "Volumes", wanted: Mapping[str, float]) -> list[_Table]:
    """What improvements do to volumes, whether or not there is an amount for it."""
    names = sorted({key.partition(":")[0] for key in wanted})
    rows: list[dict[str, object]] = [
        {
            "volume": name,
            "now": f"{sum((done.volumes.get(name) or {}).values()):,.6g}",
            "then": f"{sum((then.get(name) or {}).values()):,.6g}",
        }
        for name in names
    ]
    return [("What would change", rows)] if rows else []


def _amounts(done: "Worked", kinds: Sequence[str]) -> list[dict[str, object]]:
    return [
        {
            "name": one.name,
            "low": _euro(one.low),
            "likely": _euro(one.likely),
            "high": _euro(one.high),
            "from": one.formula,
            "missing": len(one.missing) or "",
        }
        for kind in kinds
        for one in done.case.of(kind)
    ]


def _euro(amount: Decimal | None) -> str:
    return "not told" if amount is None else f"{amount:,}"


def _shown(row: Mapping[str, object]) -> dict[str, object]:
    return {
        name: "not measurable yet"
        if name == "value" and value is None
        else f"{value:,.6g}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, Decimal)
        else value
        for name, value in row.items()
    }


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;width:100%;margin-bottom:1.5em}td,th{border-bottom:1px solid #ddd;"
    "padding:.3em .5em;text-align:left;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap}"
    "svg{max-width:100%;height:auto}figure{margin:1em 0}@media print{body{margin:0}}"
)


def _page(done: "Worked", tables: Sequence[_Table]) -> str:
    """One page that needs nothing from elsewhere."""
    from cdm_pipelines.insight.business_case_pictures import graph, tornado, upkeep  # noqa: PLC0415 - commands load what they need

    currency, case = done.policy.currency, done.case
    pictures = (
        graph(done.policy, case),
        tornado(case.matters, case.total.likely, currency),
        upkeep(done.optimum, currency),
    )
    title = f"Business case as of {done.as_of}, {currency} a year"
    body = [f"<h1>{escape(title)}</h1>"]
    body += [f"<figure>{one.svg}<figcaption>{escape(one.told)}</figcaption></figure>" for one in pictures]
    for heading, rows in tables:
        body.append(f"<h2>{escape(heading)}</h2>")
        body.append(_html(rows) if rows else "<p>none</p>")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _html(rows: Sequence[Mapping[str, object]]) -> str:
    def cell(tag: str, name: str, value: object) -> str:
        number = ' class="n"' if name in _NUMERIC else ""
        return f"<{tag}{number}>{'' if value is None else escape(str(value))}</{tag}>"

    head = "".join(cell("th", name, name) for name in rows[0])
    lines = [
        "<tr>" + "".join(cell("td", name, value) for name, value in row.items()) + "</tr>" for row in rows
    ]
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
