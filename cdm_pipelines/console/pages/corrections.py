"""The pages of corrections: work lists of rejected rows and source corrections, and mending one row in place.

Belongs here: those pages and forms. Does not belong here: mending (console.corrections), figures (``quality``).
"""

from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cdm_pipelines.console import corrections, source_rows
from cdm_pipelines.console.caller import Scope
from cdm_pipelines.console.errors import UnknownError
from cdm_pipelines.console.pages.asking import eyes, house_of
from cdm_pipelines.console.pages.quality import PAGE, contract_of, date_of, number_of, told_row
from cdm_pipelines.console.pages.render import rendered
from cdm_pipelines.console.sight import Sight
from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.catalogue import UnknownEntityError, all_contracts, contracts_of
from cdm_pipelines.contracts.told import shape
from cdm_pipelines.hub.assignments import assignments
from cdm_pipelines.steps.customers import told_corrections
from cdm_pipelines.steps.days import quarantine
from cdm_pipelines.steps.operate.quality import days_of

PLACE = "/corrections"
_ID = "user.unique_id"


def overview(request: Request) -> Response:
    """What there is to correct, by source, with its owner."""
    with eyes(request, "console corrections") as one:
        one.sight.see_that_may("quarantine")
        days = days_of(one.connection, all_contracts())
        told = told_corrections.counts(one.connection)
        given = assignments(one.connection)
        caller, sight = one.caller, one.sight
    rows = [
        {
            "source": source,
            "owners": sorted({contract.owner for contract in contracts_of(source)}),
            "rows": sum(
                day.quarantined for contract in contracts_of(source) for day in days.get(contract.name, [])
            ),
            "cells": sum(told.get(source, {}).values()),
            "who": sorted({who.who for work, who in given.items() if work[0] == source}),
        }
        for source in dict.fromkeys(contract.source for contract in all_contracts())
    ]
    return rendered(request, "corrections.html", caller, sight=sight, rows=rows)


def source(request: Request) -> Response:
    """The work of the owner of one source: days with rejected rows, and cells that should be corrected there."""
    name, column = request.path_params["source"], request.query_params.get("column", "")
    start = number_of(request.query_params.get("from", "0"))
    try:
        contracts = contracts_of(name)
    except UnknownEntityError:
        raise UnknownError("There is no such source and entity.") from None
    with eyes(request, "console corrections") as one:
        one.sight.see_that_may("quarantine")
        days = days_of(one.connection, contracts)
        counts = told_corrections.counts(one.connection).get(name, {})
        given = assignments(one.connection)
        told = told_corrections.told(house_of(request).lake, name, column, start, PAGE).to_pylist()
        cells = [_cell(one.sight, contracts, row) for row in told]
        for contract in contracts:
            shown = sum(row["entity"] == contract.entity for row in told)
            source_rows.note(one, contract, source_rows.clear_columns(one.sight, contract), shown)
        caller, sight = one.caller, one.sight
    work = [
        {"contract": contract, "day": day, "who": given.get((name, contract.entity, day.date))}
        for contract in contracts
        for day in days.get(contract.name, [])[::-1]
        if day.quarantined
    ]
    return rendered(
        request,
        "corrections-source.html",
        caller,
        sight=sight,
        source=name,
        owners=sorted({contract.owner for contract in contracts}),
        work=work,
        counts=counts,
        cells=cells,
        column=column,
        start=start,
        page=PAGE,
        number=counts.get(column, 0) if column else sum(counts.values()),
        who=given.get((name, "", "")),
    )


def _cell(sight: Sight, contracts: tuple[SourceContract, ...], row: Mapping[str, Any]) -> dict[str, Any]:
    """A cell that should be corrected, as the role reads it."""
    contract = next((one for one in contracts if one.entity == row["entity"]), None)
    clear = source_rows.clear_columns(sight, contract) if contract is not None else set()
    known = contract is not None and set(contract.key) <= clear
    shown = row["column"] in clear
    return {
        **row,
        "record_id": row["record_id"] if known else shape(row["record_id"]),
        "golden_id": row["golden_id"] if sight.role.search and sight.role.reads_in_clear(_ID) else "",
        "clear": shown,
        **{
            name: row[name] if shown else shape(row[name] or "") for name in ("current_value", "golden_value")
        },
    }


def day(request: Request) -> Response:
    """The rejected rows of one day, to be corrected and tried again."""
    contract, date = contract_of(request), date_of(request)
    house = house_of(request)
    start = number_of(request.query_params.get("from", "0"))
    with eyes(request, "console corrections") as one:
        one.sight.see_that_may("quarantine")
        clear = source_rows.clear_columns(one.sight, contract)
        number = quarantine.held_count(house.settings, contract.name, date)
        table = quarantine.held_rows(house.settings, contract.name, date, start, PAGE)
        rows = [told_row(row, contract, clear) for row in table.to_pylist()]
        source_rows.note(one, contract, clear, len(rows))
        who = assignments(one.connection).get((contract.source, contract.entity, date))
        caller, sight = one.caller, one.sight
    return rendered(
        request,
        "corrections-day.html",
        caller,
        sight=sight,
        contract=contract,
        date=date,
        rows=rows,
        number=number,
        start=start,
        page=PAGE,
        mends=True,
        corrected=quarantine.corrected(house.settings, contract.name, date),
        who=who,
        work=house.works.of(corrections.run_key(contract.source, date)),
    )


def state(request: Request) -> Response:
    """How the run of a day goes, as a part of the page."""
    contract, date = contract_of(request), date_of(request)
    with eyes(request, "console corrections") as one:
        one.sight.see_that_may("quarantine")
        caller, sight = one.caller, one.sight
    work = house_of(request).works.of(corrections.run_key(contract.source, date))
    return rendered(
        request, "work.html", caller, sight=sight, work=work, place=f"{PLACE}/{contract.name}/{date}/state"
    )


def row(request: Request) -> Response:
    """The form of one row."""
    contract, date, place = contract_of(request), date_of(request), _place(request)
    with eyes(request, "console corrections") as one:
        one.sight.see_that_may("quarantine")
        clear = source_rows.clear_columns(one.sight, contract)
        found = corrections.held(house_of(request).settings, contract, date, place)
        source_rows.note(one, contract, clear, 1)
        caller, sight = one.caller, one.sight
    told = told_row(found, contract, clear)
    wrong = {reason["column"] for reason in told["reasons"]}
    cells = corrections.fields(found, contract, clear)
    return rendered(
        request,
        "corrections-row.html",
        caller,
        sight=sight,
        contract=contract,
        date=date,
        told=told,
        cells=[cell for cell in cells if cell["name"] in wrong],
        others=[cell for cell in cells if cell["name"] not in wrong],
    )


async def correct(request: Request) -> Response:
    """Take a corrected row, and run its day when that was asked."""
    contract, date, place = contract_of(request), date_of(request), _place(request)
    form = {name: str(value) for name, value in (await request.form()).items()}

    def done() -> None:
        house = house_of(request)
        with eyes(request, "console corrections", Scope.WRITE) as one:
            corrections.correct(one, house.settings, contract, (date, *place), form)
            if form.get("then") == "run":
                corrections.run_again(one, house.works, contract, date)

    await run_in_threadpool(done)
    return RedirectResponse(f"{PLACE}/{contract.name}/{date}", 303)


def run(request: Request) -> Response:
    """Run a day again."""
    contract, date = contract_of(request), date_of(request)
    with eyes(request, "console corrections", Scope.WRITE) as one:
        corrections.run_again(one, house_of(request).works, contract, date)
    return RedirectResponse(f"{PLACE}/{contract.name}/{date}", 303)


async def assign(request: Request) -> Response:
    """Note who works on a day, or on the corrections of a source."""
    name = request.path_params["source"]
    if "entity" in request.path_params:
        contract, date = contract_of(request), date_of(request)
        work, back = (name, contract.entity, date), f"{PLACE}/{contract.name}/{date}"
    elif name in {contract.source for contract in all_contracts()}:
        work, back = (name, "", ""), f"{PLACE}/{name}"
    else:
        raise UnknownError("There is no such source and entity.")
    who = str((await request.form()).get("who", ""))

    def done() -> None:
        with eyes(request, "console corrections", Scope.WRITE) as one:
            corrections.assign(one, work, who)

    await run_in_threadpool(done)
    return RedirectResponse(back, 303)


def _place(request: Request) -> tuple[str, int]:
    return request.path_params["sha256"], number_of(request.path_params["row"])


_DAY = f"{PLACE}/{{source}}/{{entity}}/{{date}}"
ROUTES = (
    Route(PLACE, overview),
    Route(f"{PLACE}/{{source}}", source),
    Route(f"{PLACE}/{{source}}/assign", assign, methods=["POST"]),
    Route(_DAY, day),
    Route(f"{_DAY}/state", state),
    Route(f"{_DAY}/run", run, methods=["POST"]),
    Route(f"{_DAY}/assign", assign, methods=["POST"]),
    Route(f"{_DAY}/{{sha256}}/{{row}}", row),
    Route(f"{_DAY}/{{sha256}}/{{row}}", correct, methods=["POST"]),
)
