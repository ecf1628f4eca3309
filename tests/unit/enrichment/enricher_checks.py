"""What every enricher holds: a row follows from its own customer, scale and model, in whatever order rows come."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from enricher_tables import Rows, gid, work_on

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Enricher

_OF_TYPE: Mapping[ValueType, tuple[str, ...]] = {
    ValueType.TEXT: ("string",),
    ValueType.DATE: ("date32",),
    ValueType.DECIMAL: ("decimal128", "double"),
    ValueType.INTEGER: ("int",),
    ValueType.BOOLEAN: ("bool",),
}
_OF_ORDER = ("state_order_line", "state_payment", "state_refund")


def order(
    number: int, customer: int, at: str | None, total: str | None, **more: str | None
) -> dict[str, Any]:
    """A record of an order; ``at`` is a day or a moment."""
    moment = f"{at}T10:00:00Z" if at is not None and len(at) == 10 else at
    return {
        "order_id": str(number),
        "customer": customer,
        "ordered_at": moment,
        "total_amount": total,
        **more,
    }


def line(number: int, of: int, product: str | None, **more: str | None) -> dict[str, Any]:
    """A record of a line of an order."""
    given = {"quantity": "1", "unit_price": "10.00", **more}
    return {"order_id": str(of), "line_id": str(number), "product_code": product, **given}


def fit(enricher: Enricher, **given: Any) -> dict[str, Any]:
    """What is fitted to everybody, as it comes back from the JSON in which it is kept; ``parameters`` may be given."""
    assert enricher.fit is not None
    parameters = given.pop("parameters", None) or enricher.parameters()
    with work_on(**given) as work:
        fitted: dict[str, Any] = json.loads(json.dumps(enricher.fit(work.of(parameters))))
    return fitted


def computed(enricher: Enricher, fitted: Mapping[str, Any] | None, **given: Any) -> pa.Table:
    """The enricher's table in its declared shape and types, sorted; ``parameters`` may be given."""
    parameters = given.pop("parameters", None) or enricher.parameters()
    with work_on(**given) as work:
        table = enricher.shaped(enricher.compute(work.of(parameters, fitted)))
    table = table.sort_by([(name, "ascending") for name in ("golden_id", *enricher.key)])
    for output in enricher.outputs:
        assert str(table.schema.field(output.name).type).startswith(_OF_TYPE[output.type]), output.name
    return table


def by_customer(table: pa.Table) -> dict[int, dict[str, Any]]:
    """Rows by the number of their customer."""
    return {int(row["golden_id"][-12:]): row for row in table.to_pylist()}


def only(customers: Sequence[int], given: Mapping[str, Rows]) -> dict[str, Rows]:
    """The rows of some customers."""
    orders = {row["order_id"] for row in given["state_order"] if row.get("customer") in customers}
    kept: dict[str, Rows] = {}
    for name, rows in given.items():
        if name in _OF_ORDER:
            kept[name] = [row for row in rows if row["order_id"] in orders]
        elif name == "golden_customer":
            kept[name] = [row for row in rows if row["golden_id"] in customers]
        elif name in ("state_order", "state_invoice"):
            kept[name] = [row for row in rows if row.get("customer") in customers]
        else:
            kept[name] = rows
    return kept


def check_subset_equals_full(enricher: Enricher, customers: Sequence[int], **given: Any) -> pa.Table:
    """The rows of some, computed alone and from rows in another order, are those computed among everybody."""
    fitted = fit(enricher, **given) if enricher.fit is not None else None
    turned = {name: list(reversed(rows)) for name, rows in given.items()}
    if enricher.fit is not None:
        assert fit(enricher, **turned) == fitted
    full = computed(enricher, fitted, **given)
    assert computed(enricher, fitted, **turned).equals(full)
    part = computed(enricher, fitted, **only(customers, given))
    ids = pa.array([gid(one) for one in customers])
    among = full.filter(pc.is_in(full["golden_id"], ids))
    assert part.num_rows
    assert part.equals(among)
    assert computed(enricher, fitted, **only((), given)).num_rows == 0  # a night on which nobody is reached
    return full
