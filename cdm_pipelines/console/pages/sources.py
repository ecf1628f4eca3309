"""The pages of sources: what each has agreed to, its last deliveries, and where a golden column comes from.

Belongs here: those pages. Does not belong here: what is shown (steps.operate.sources), the drawing (``charts``).
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cdm_pipelines.console import charts, source_rows
from cdm_pipelines.console.errors import UnknownError
from cdm_pipelines.console.pages.asking import eyes, house_of
from cdm_pipelines.console.pages.quality import contract_of
from cdm_pipelines.console.pages.render import language_of, rendered
from cdm_pipelines.console.pages.words import translator
from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Attribute, OfItself, declaration, declarations
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.dictionary import fed_by, lineage
from cdm_pipelines.contracts.frequency import every
from cdm_pipelines.steps.operate.quality import days_of
from cdm_pipelines.steps.operate.sources import Origin, age, attribute_named, deliveries, is_late, origins

PLACE = "/sources"


def overview(request: Request) -> Response:
    """All source entities: owner, delivery, freshness."""
    with eyes(request, "console sources") as one:
        source_rows.see_that_watches(one.sight)
        days = days_of(one.connection, all_contracts())
        caller, sight = one.caller, one.sight
    today = dt.datetime.now(dt.UTC).date()
    rows = [
        {
            "contract": contract,
            "last": days[contract.name][-1] if contract.name in days else None,
            **_fresh(contract, days[contract.name][-1].date if contract.name in days else None, today),
        }
        for contract in all_contracts()
    ]
    return rendered(request, "sources.html", caller, sight=sight, rows=rows)


def entity(request: Request) -> Response:
    """The contract of a source entity, and its last deliveries."""
    contract = contract_of(request)
    with eyes(request, "console sources") as one:
        source_rows.see_that_watches(one.sight)
        days = {day.date: day for day in days_of(one.connection, [contract]).get(contract.name, [])}
        caller, sight = one.caller, one.sight
    delivered = deliveries(house_of(request).lake, contract)
    today = dt.datetime.now(dt.UTC).date()
    return rendered(
        request,
        "source.html",
        caller,
        sight=sight,
        contract=contract,
        facts=_facts(contract),
        columns=[_column(contract, name) for name in contract.column_names],
        delivered=delivered,
        days=days,
        **_fresh(contract, delivered[0].date if delivered else None, today),
    )


def _fresh(contract: SourceContract, date: str | None, today: dt.date) -> dict[str, Any]:
    """How old the last extract is, and whether it is late by what was agreed."""
    return {
        "age": None if date is None else age(date, today),
        "late": None if date is None else is_late(contract, date, today),
        "every": agreed / dt.timedelta(days=1) if (agreed := every(contract)) else None,
    }


def _facts(contract: SourceContract) -> list[tuple[str, str]]:
    """What is agreed of the whole, in words and only what is said."""
    facts = [
        ("Owner", contract.owner),
        ("Version", contract.version),
        ("Format", str(contract.format)),
        ("Delivery", str(contract.delivery)),
        ("Location", contract.location),
        ("Key", ", ".join(contract.key)),
        ("Time of change", contract.modified_at or ""),
        (
            "Deleted when",
            f"{contract.deleted.column}: {', '.join(contract.deleted.values)}" if contract.deleted else "",
        ),
        ("Merged into", contract.merged_into or ""),
        ("Expected by", contract.expected_by or ""),
        ("Country where none is said", contract.default_country or ""),
    ]
    return [(name, value) for name, value in facts if value]


def _column(contract: SourceContract, name: str) -> dict[str, Any]:
    column = contract.column(name)
    fed = sorted({path for mapped in column.maps_to for path in fed_by(mapped, contract)})
    means = [one for path in fed if (found := attribute_named(path)) and (one := found.semantic)]
    return {"column": column, "fed": fed, "semantic": ", ".join(dict.fromkeys(str(one) for one in means))}


def columns(request: Request) -> Response:
    """All golden columns, each with how many source columns it comes from."""
    with eyes(request, "console lineage") as one:
        source_rows.see_that_watches(one.sight)
        caller, sight = one.caller, one.sight
    known = lineage(all_contracts())
    groups = [
        (one, [(attribute, known.get(attribute.path, [])) for attribute in one.attributes])
        for one in declarations()
    ]
    return rendered(request, "lineages.html", caller, sight=sight, groups=groups)


def column(request: Request) -> Response:
    """One golden column: the source columns that it comes from, as a picture and as a list."""
    with eyes(request, "console lineage") as one:
        source_rows.see_that_watches(one.sight)
        caller, sight = one.caller, one.sight
    attribute = attribute_named(request.path_params["column"])
    if attribute is None:
        raise UnknownError("There is no such golden column.")
    found = origins(all_contracts(), attribute.path)
    said = translator(language_of(request))
    told = said("Which source columns {column} comes from", column=attribute.path)
    return rendered(
        request,
        "lineage.html",
        caller,
        sight=sight,
        attribute=attribute,
        published=published_as(attribute),
        origins=found,
        drawing=charts.lineage(*drawn(attribute, found, said("taken apart")), told),
    )


def published_as(attribute: Attribute) -> str:
    """``golden.customer.email``, or where else a column of an entity is found; empty where it is not published."""
    one = declaration(attribute.entity)
    if isinstance(one.whose, OfItself):
        return f"golden.{one.table_name}.{attribute.name}" if attribute.golden else ""
    return f"golden.{one.table_name}.{attribute.name}" if str(one.kept) == "state" else ""


def drawn(
    attribute: Attribute, found: Sequence[Origin], apart: str
) -> tuple[list[list[charts.Box]], list[tuple[str, str]]]:
    """Boxes by column of the drawing, and which leads to which: source columns, values taken apart, records, golden.

    Args:
        attribute: The golden column.
        found: Where it comes from.
        apart: What stands below a value that is taken apart.
    """
    ordered = sorted(found, key=lambda one: (not one.via, one.via))
    sources = {
        one: charts.Box(
            f"{one.contract.name}.{one.column}", one.column, one.contract.name, f"{PLACE}/{one.contract.name}"
        )
        for one in ordered
    }
    record = charts.Box("record", attribute.path, f"records/{attribute.entity}", "")
    layers, edges = [list(dict.fromkeys(sources.values()))], dict[tuple[str, str], None]()
    if any(one.via for one in found):
        between = {
            one: charts.Box(one.via or f"through {box.key}", one.via, apart if one.via else "", "")
            for one, box in sources.items()
        }
        layers.append(list(dict.fromkeys(between.values())))
        edges |= {(sources[one].key, between[one].key): None for one in ordered}
        edges |= {(box.key, record.key): None for box in between.values()}
    else:
        edges |= {(box.key, record.key): None for box in sources.values()}
    layers.append([record])
    if published := published_as(attribute):
        golden = charts.Box("golden", attribute.name, published.rpartition(".")[0], "")
        layers.append([golden])
        edges[record.key, golden.key] = None
    return layers, list(edges)


ROUTES = (
    Route(PLACE, overview),
    Route(f"{PLACE}/lineage", columns),
    Route(f"{PLACE}/lineage/{{column}}", column),
    Route(f"{PLACE}/{{source}}/{{entity}}", entity),
)
