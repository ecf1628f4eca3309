"""How results are shown in Dagster: schemas, lineage, counts, tables and small charts.

Belongs here: turning contracts, the canonical model and figures into metadata. Counts, rates, keys and fingerprints
only: nothing here ever sees a personal value (R6).
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from sqlalchemy import Table, make_url

from cdm_pipelines.contracts.canonical import Attribute
from cdm_pipelines.contracts.model import SourceContract
from cdm_pipelines.figures import ROWS, Bars, Figure, Figures, Grid, Moment, Picture, Words

BAR_WIDTH = 30
_NONE = dg.MetadataValue.md("*none*")
_LARGE = 1_000
_POSTGRES = make_url("postgresql://").get_dialect()()


def source_schema(contract: SourceContract) -> dg.TableSchema:
    """Column schema of the raw and valid layers, from the contract."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(column.logical_type),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=not column.required, unique=column.unique),
                tags={"privacy": column.privacy} if column.privacy else {},
            )
            for column in contract.columns
        ]
    )


def canonical_schema(attributes: Iterable[Attribute]) -> dg.TableSchema:
    """Column schema of a canonical table."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=attribute.name,
                type=str(attribute.type),
                description=attribute.description,
                tags={"privacy": attribute.privacy},
            )
            for attribute in attributes
        ]
    )


def hub_schema(table: Table) -> dg.TableSchema:
    """Column schema of a table of the hub, from its comments."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type.compile(dialect=_POSTGRES).lower(),
                description=column.comment,
                constraints=dg.TableColumnConstraints(nullable=bool(column.nullable)),
            )
            for column in table.columns
        ]
    )


def lineage(columns: Mapping[str, Iterable[tuple[Sequence[str], str]]]) -> dg.TableColumnLineage:
    """Column lineage from ``{column: [(asset key, column), ...]}``."""
    return dg.TableColumnLineage(
        deps_by_column={
            name: [
                dg.TableColumnDep(asset_key=dg.AssetKey(list(key)), column_name=column)
                for key, column in dict.fromkeys((tuple(key), column) for key, column in origins)
            ]
            for name, origins in columns.items()
        }
    )


def same_columns(names: Iterable[str], upstream: Sequence[str]) -> dg.TableColumnLineage:
    """Lineage of a layer that passes its columns on under the same name."""
    return lineage({name: [(upstream, name)] for name in names})


def shown(figures: Figures) -> dict[str, Any]:
    """Figures as Dagster shows them, by name."""
    return {"dagster/row_count" if name == ROWS else name: _value(one) for name, one in figures.items()}


def _value(figure: Figure) -> Any:
    match figure:
        case Words(text):
            return text
        case Moment(seconds):
            return dg.MetadataValue.timestamp(seconds)
        case Bars():
            return bar_chart(figure)
        case Picture(svg, told):
            return picture(svg, told)
        case Grid(rows):
            return table(rows)
        case _:
            return dict(figure) if isinstance(figure, Mapping) else figure


def bar_chart(bars: Bars) -> dg.MarkdownMetadataValue:
    """A table with a bar per row that Dagster's Markdown view shows as it is."""
    counts = bars.counts
    if not counts:
        return _NONE
    most = max(counts.values(), default=0)
    rows = [f"| {bars.heading[0]} | {bars.heading[1]} | |", "| --- | ---: | --- |"]
    for name, count in counts.items() if bars.scale else sorted(counts.items(), key=lambda i: (-i[1], i[0])):
        bar = "█" * max(round(BAR_WIDTH * count / most), 1 if count else 0) if most else ""
        rows.append(f"| {name} | {count:,} | {bar} |")
    return dg.MetadataValue.md("\n".join(rows))


def picture(svg: str, told: str) -> dg.MarkdownMetadataValue:
    """A picture that stands in the metadata itself; ``told`` is read where it cannot be shown."""
    encoded = b64encode(svg.encode()).decode()
    return dg.MetadataValue.md(f"![{told}](data:image/svg+xml;base64,{encoded})")


def table(rows: Sequence[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """A plain Markdown table; every row has the keys of the first."""
    if not rows:
        return _NONE
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.4g}"
    return str(value)
