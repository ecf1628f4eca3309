"""The pages of data quality: all source entities, one of them over days, one day with its rejected rows.

Belongs here: those pages. Does not belong here: figures (steps.operate.quality), mending rows (``corrections``).
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cdm_pipelines.console import charts, source_rows
from cdm_pipelines.console.errors import UnknownError
from cdm_pipelines.console.pages.asking import eyes, house_of
from cdm_pipelines.console.pages.render import language_of, on_day, rendered
from cdm_pipelines.console.pages.words import translator
from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.catalogue import UnknownEntityError, all_contracts, contract_named
from cdm_pipelines.contracts.told import told_path
from cdm_pipelines.insight.report_words import Language
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.steps.days import quarantine
from cdm_pipelines.steps.operate.quality import Day, days_of, repaired_columns, worse

PAGE = 25
"""Rows on a page."""


def overview(request: Request) -> Response:
    """All source entities: their last day, and what got worse."""
    said = translator(language_of(request))
    with eyes(request, "console quality") as one:
        source_rows.see_that_watches(one.sight)
        days = days_of(one.connection, all_contracts())
        caller, sight = one.caller, one.sight
    rows = [
        {
            "name": name,
            "last": of[-1],
            "course": charts.spark(
                [day.share for day in of], said("Share rejected over {number} days", number=len(of))
            ),
        }
        for name, of in days.items()
    ]
    lasts = [of[-1] for of in days.values()]
    return rendered(
        request,
        "quality.html",
        caller,
        sight=sight,
        rows=rows,
        percent=partial(charts.percent, language=Language(language_of(request))),
        worse=[(name, one) for name, of in days.items() for one in worse(of)],
        failed=[(name, check) for name, of in days.items() for check in of[-1].failed],
        last=max((day.date for day in lasts), default=""),
        read=sum(day.read for day in lasts),
        quarantined=sum(day.quarantined for day in lasts),
        repaired=sum(day.repaired for day in lasts),
    )


def entity(request: Request) -> Response:
    """One source entity over days, with its columns."""
    contract = contract_of(request)
    with eyes(request, "console quality") as one:
        source_rows.see_that_watches(one.sight)
        days = days_of(one.connection, [contract]).get(contract.name, [])
        caller, sight = one.caller, one.sight
    cells = repaired_columns(house_of(request).lake, contract, [day.date for day in days])
    return rendered(
        request,
        "quality-entity.html",
        caller,
        sight=sight,
        contract=contract,
        days=days[::-1],
        drawn=_drawn(days, request),
        worse=worse(days),
        percent=partial(charts.percent, language=Language(language_of(request))),
        columns=_columns(contract, days, cells),
        dates=[day.date for day in days][-7:],
    )


def _drawn(days: Sequence[Day], request: Request) -> list[tuple[str, Any]]:
    told = language_of(request)
    said = translator(told)
    drawn: dict[str, list[float | None]] = {
        "Rows delivered": [float(day.read) for day in days],
        "Share rejected": [day.share for day in days],
        "Share repaired": [day.repaired / day.accepted if day.accepted else None for day in days],
    }
    when = [on_day(day.date, told) for day in days]
    return [
        (
            said(name),
            charts.line(
                list(zip(when, figures, strict=True)),
                said(name),
                share=name.startswith("Share"),
                language=Language(told),
            ),
        )
        for name, figures in drawn.items()
    ]


def _columns(
    contract: SourceContract, days: Sequence[Day], cells: Mapping[str, Mapping[str, int]]
) -> list[dict[str, Any]]:
    """Columns with repaired cells: their number by day, those with most on the last day first."""
    dates = [day.date for day in days]
    names = {name for of in cells.values() for name in of}
    found = [
        {"name": name, "cells": [cells.get(date, {}).get(name) for date in dates[-7:]]} for name in names
    ]
    meant = {column.name: column.description for column in contract.columns}
    for one in found:
        one["means"] = meant.get(str(one["name"]), "")
    return sorted(found, key=lambda one: ([-(number or 0) for number in one["cells"][::-1]], one["name"]))


def day(request: Request) -> Response:
    """One day of a source entity: why rows were rejected, and the rows."""
    contract, date = contract_of(request), date_of(request)
    house = house_of(request)
    start = number_of(request.query_params.get("from", "0"))
    with eyes(request, "console quality") as one:
        source_rows.see_that_watches(one.sight)
        clear = source_rows.clear_columns(one.sight, contract)
        known = {day.date: day for day in days_of(one.connection, [contract]).get(contract.name, [])}
        number = quarantine.held_count(house.settings, contract.name, date)
        if date not in known and not number:
            raise UnknownError("Nothing is known of that day.")
        table = quarantine.held_rows(house.settings, contract.name, date, start, PAGE)
        rows = [told_row(row, contract, clear) for row in table.to_pylist()]
        source_rows.note(one, contract, clear, len(rows))
        caller, sight = one.caller, one.sight
    repaired = quarantine.repaired_cells(house.settings, contract.name, date, PAGE)
    return rendered(
        request,
        "quality-day.html",
        caller,
        sight=sight,
        contract=contract,
        date=date,
        of=known.get(date) or Day(date, quarantined=number),
        meaning=meaning,
        percent=partial(charts.percent, language=Language(language_of(request))),
        rows=rows,
        number=number,
        start=start,
        page=PAGE,
        repaired=[{**cell, "file": told_path(str(cell["file"]), contract)} for cell in repaired],
        mends="quarantine" in sight.role.changes,
    )


def told_row(row: Mapping[str, Any], contract: SourceContract, clear: set[str]) -> dict[str, Any]:
    """A rejected row as a role reads it: its place, its reasons with what to do, and its cells."""
    columns = {column.name: column for column in contract.columns}
    reasons = [
        {
            "column": one.get("column") or "",
            "rule": one["rule"],
            "meaning": meaning(one["rule"]),
            "fix": Rule(one["rule"]).fix(columns.get(one.get("column") or ""))
            if one["rule"] in _RULES
            else "",
        }
        for one in json.loads(row["_reasons"])
    ]
    return {
        "sha256": row["_sha256"],
        "row": row["_row"],
        "file": told_path(row["_file"], contract),
        "reasons": reasons,
        "cells": source_rows.seen_cells(row, contract, clear),
    }


_RULES = frozenset(str(rule) for rule in Rule)


def meaning(rule: str) -> str:
    """What a rule means, in words."""
    return Rule(rule).meaning if rule in _RULES else rule


def contract_of(request: Request) -> SourceContract:
    """The contract that a path names.

    Raises:
        UnknownError: There is none.
    """
    try:
        return contract_named(f"{request.path_params['source']}/{request.path_params['entity']}")
    except UnknownEntityError:
        raise UnknownError("There is no such source and entity.") from None


def date_of(request: Request) -> str:
    """The day that a path names.

    Raises:
        UnknownError: It is none.
    """
    try:
        return dt.date.fromisoformat(request.path_params["date"]).isoformat()
    except ValueError:
        raise UnknownError("Nothing is known of that day.") from None


def number_of(text: str) -> int:
    """A number that somebody wrote; 0 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


ROUTES = (
    Route("/quality", overview),
    Route("/quality/{source}/{entity}", entity),
    Route("/quality/{source}/{entity}/{date}", day),
)
