"""What a report for the board is made of: sections with figures, charts and tables, in every language at once.

Belongs here: the form, and numbers as cells. Does not belong here: which sections there are (steps.insight), or how a
page looks (``report_page``). It is kept as JSON, so a month that is past is told as it was.
"""

import datetime as dt
from enum import StrEnum
from typing import Literal

from pydantic import model_validator

from cdm_pipelines.insight.report_words import Language, Told, Unit, written
from cdm_pipelines.privacy.policy_files import Strict


class Figure(Strict):
    """One figure, with how it is worked out beside it.

    Attributes:
        key: Its name within the section.
        title: What it is.
        value: The figure; None where it cannot be measured.
        unit: What it is counted in.
        formula: How it is worked out, in words.
        query: The SQL that it comes from, as it was run.
        because: Why it cannot be measured yet; None where it can.
        base: How many cases it rests on; None where that says nothing.
        target: What it was to reach.
        met: Whether it did.
        owner: Who answers for it.
    """

    key: str
    title: Told
    value: float | None
    unit: Unit
    formula: Told
    query: str
    because: Told | None = None
    base: int | None = None
    target: float | None = None
    met: bool | None = None
    owner: str = ""

    @model_validator(mode="after")
    def _said(self) -> "Figure":
        if self.value is None and self.because is None:
            raise ValueError(f"{self.key}: say why it cannot be measured")
        return self


class ChartKind(StrEnum):
    """How points are drawn."""

    TARGETS = "targets"
    LINE = "line"
    BARS = "bars"
    RADAR = "radar"
    MAP = "map"


class Point(Strict):
    """One point of a chart.

    Attributes:
        label: Its name.
        value: None where there is none.
        unit: What it is counted in.
        target: What it was to reach; of a chart against targets.
        met: Whether it did.
        key: By which edges name it; of a map.
        below: What stands below its name; of a map.
    """

    label: Told
    value: float | None
    unit: Unit = Unit.COUNT
    target: float | None = None
    met: bool | None = None
    key: str = ""
    below: Told | None = None


class Edge(Strict):
    """An arrow of a map; ``weight`` is from 0 to 1."""

    start: str
    end: str
    told: Told
    weight: float


class Chart(Strict):
    """A picture, as the points that are drawn.

    Attributes:
        kind: How.
        title: What is drawn.
        points: In the order in which they are drawn.
        edges: Arrows; of a map.
        target: A line across; of a line.
    """

    kind: ChartKind
    title: Told
    points: tuple[Point, ...]
    edges: tuple[Edge, ...] = ()
    target: float | None = None


class Table(Strict):
    """Rows of words.

    Attributes:
        title: What is in it.
        columns: Their headings.
        rows: Each has a cell per column.
        numeric: Places of columns that are set to the right.
    """

    title: Told
    columns: tuple[Told, ...]
    rows: tuple[tuple[Told, ...], ...]
    numeric: tuple[int, ...] = ()


class Section(Strict):
    """One part of the report.

    Attributes:
        key: Its name, also in links.
        title: Its heading.
        intro: What it tells, in a sentence or two.
        figures: With formula and query.
        charts: Pictures of figures.
        tables: What is told row by row.
        because: Why nothing of it can be measured yet; None where something can.
    """

    key: str
    title: Told
    intro: Told
    figures: tuple[Figure, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    because: Told | None = None


class Report(Strict):
    """All that is told of a month.

    Attributes:
        version: Of this form.
        month: Its first day.
        as_of: Last day of the data.
        currency: Of amounts.
        sections: In the order in which they are read.
    """

    version: Literal[1] = 1
    month: dt.date
    as_of: dt.date
    currency: str
    sections: tuple[Section, ...]


def cell(value: float | None, unit: Unit, currency: str = "") -> Told:
    """A number as a cell of a table; a dash where there is none."""
    if value is None:
        return Told(en="–", nl="–")  # noqa: RUF001 - the dash of an empty cell
    return Told(
        en=written(value, unit, Language.ENGLISH, currency), nl=written(value, unit, Language.DUTCH, currency)
    )
