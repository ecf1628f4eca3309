"""How many customers a model of lifetime value expected to buy again, against those who did.

Belongs here: what is kept of the expectation with a model, and judging it later. Does not belong here: fitting
(``value_fitting``), reading what came (steps.profile.drift).

Customers who bought are counted, and not their purchases: whoever has been withheld, erased or merged since takes a
whole history along, and a count of customers among those who are left stays comparable. It is held against as large a
part of what was expected of all.

A quarter is where it is told: with the fewest repeat buyers that a model is fitted to, totals are off by 8 % (root mean
square), so that a quarter is three times that. To it comes what chance alone gives one number in a thousand.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.enrichment.drift import Drift, warning
from cdm_pipelines.enrichment.value_models import Floats, PurchaseModel, alive, at_least
from cdm_pipelines.figures import Check

_DAYS = (30, 60, 90, 180, 360)
"""Days ahead of which an expectation is kept; between them it is a line."""
_WEEK = 7.0
_LIMIT, _ONE_IN_A_THOUSAND = 0.25, 3.29


def ahead(model: PurchaseModel, history: Mapping[str, Floats]) -> dict[str, Any]:
    """What is kept with a model: how many customers there were, and how many were expected to buy within some days.

    Args:
        model: Of purchases, in weeks.
        history: ``x, recency, age`` in days, and ``n``, how many customers have each.
    """
    x, recency, age, n = (history[name] for name in ("x", "recency", "age", "n"))
    now, once = alive(model, x, recency / _WEEK, age / _WEEK), np.ones(1)
    buy = {
        str(days): round(float(n @ (now * at_least(model, x, age / _WEEK, days / _WEEK, once)[:, 0])), 3)
        for days in _DAYS
    }
    return {"customers": int(n.sum()), "buy": buy}


def _judge(model: Mapping[str, Any], rows: pa.Table, fitted: date, newest: date) -> Check:
    days = (newest - fitted).days
    kept = model.get("ahead")
    if not kept or not kept["customers"] or days > _DAYS[-1]:
        return warning(False, "no model of purchases is between 30 and 360 days old")
    known = rows.filter(pc.less_equal(rows["first_purchase_on"], pa.scalar(fitted)))
    bought = int(pc.sum(pc.greater(known["last_purchase_on"], pa.scalar(fitted))).as_py() or 0)
    of_all = float(np.interp(days, [0, *_DAYS], [0, *(kept["buy"][str(one)] for one in _DAYS)]))
    expected = of_all * known.num_rows / kept["customers"]
    limit = _LIMIT * expected + _ONE_IN_A_THOUSAND * expected**0.5
    moved = abs(bought - expected) > limit
    told = (
        f"{bought:,} of {known.num_rows:,} customers bought again within {days} days of the fit of {fitted}, "
        f"{expected:,.0f} expected"
    )
    more = f": more than {limit:,.0f} off; fit anew, or find out what has changed" if moved else ""
    return warning(moved, told + more, bought=bought, expected=round(expected, 1), limit=round(limit, 1))


DRIFT = Drift(
    pa.schema([("first_purchase_on", pa.date32()), ("last_purchase_on", pa.date32())]),
    _judge,
    after_days=_DAYS[0],
)
