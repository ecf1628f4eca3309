"""How a customer takes part: e-mails opened and clicked, visits, and who was last in touch with whom.

Belongs here: counts of interactions in windows, last contacts, contact pressure. Does not belong here: tickets and
satisfaction (``service``), or through which channel somebody likes to be reached (``preference``).
"""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Age, Enricher, Output
from cdm_pipelines.enrichment.moments import (
    BY_CUSTOMER,
    BY_US,
    DATED,
    SERVICE_DESK,
    left_out,
    use_dated,
)
from cdm_pipelines.enrichment.work import Parameters, Work
from cdm_pipelines.figures import Bars, Figures, Grid

_WINDOWS = (30, 90, 365)
_PRESSURE_DAYS = 90
_EMAIL, _WEB = "user.behavior", "user.behavior.browsing_history"
_COUNTED = {
    "emails": ("e-mails sent to the customer", "kind = 'sent'", _EMAIL),
    "opens": ("e-mails opened, an e-mail opened twice being two", "kind = 'open'", _EMAIL),
    "clicks": ("links in e-mails followed", "kind = 'click'", _EMAIL),
    "bounces": ("e-mails that could not be delivered", "kind = 'bounce'", _EMAIL),
    "unsubscribes": ("times that the customer unsubscribed", "kind = 'unsubscribe'", _EMAIL),
    "visits": ("visits to the web site", "kind = 'visit' AND coalesce(channel, 'web') = 'web'", _WEB),
    "web_actions": (
        "products looked at, searches, and baskets filled on the web site",
        "kind IN ('product_view', 'search', 'cart')",
        _WEB,
    ),
}
"""What is counted: in words, in SQL, and its privacy category."""
_RARE = frozenset({"bounces", "unsubscribes"})


class EngagementParameters(Parameters):
    """What may be set.

    Attributes:
        contacts_per_week: More contacts by us in a week than this are too many.
    """

    contacts_per_week: float = Field(default=2.0, gt=0, le=100)


def _compute(work: Work) -> pa.Table:
    assert isinstance(work.parameters, EngagementParameters)  # noqa: S101 - for the type checker
    use_dated(work)
    counts = [
        f"coalesce(sum(touches) FILTER (({test}) AND age < {days}), 0)::INTEGER AS {name}_{days}"
        for name, (_, test, _) in _COUNTED.items()
        for days in _WINDOWS
    ]
    return work.sql(
        f"""
        WITH {DATED},
        told AS (SELECT * REPLACE (coalesce(kind, 'other') AS kind) FROM dated),
        counted AS (
            SELECT golden_id, {", ".join(counts)},
                   max(day) FILTER ({BY_US}) AS last_contact_by_us,
                   max(day) FILTER ({BY_CUSTOMER}) AS last_contact_by_customer,
                   max(day) FILTER (kind = 'bounce') AS last_bounce_on,
                   max(day) FILTER (kind = 'unsubscribe') AS unsubscribed_on,
                   coalesce(sum(touches) FILTER ({BY_US} AND kind NOT IN {SERVICE_DESK}
                                                 AND age < {_PRESSURE_DAYS}), 0) AS by_us
            FROM told GROUP BY golden_id),
        pressed AS (SELECT *, by_us * 7.0::DOUBLE / {_PRESSURE_DAYS} AS pressure FROM counted)
        SELECT * EXCLUDE (by_us, pressure),
               CAST(CASE WHEN emails_365 > 0 THEN least(1.0, opens_365::DOUBLE / emails_365) END
                    AS DECIMAL(6, 4)) AS open_rate,
               CAST(CASE WHEN emails_365 > 0 THEN least(1.0, clicks_365::DOUBLE / emails_365) END
                    AS DECIMAL(6, 4)) AS click_rate,
               CAST(pressure AS DECIMAL(10, 2)) AS contact_pressure,
               pressure > $most AS contacted_too_often
        FROM pressed
        """,
        most=work.parameters.contacts_per_week,
    )


def _picture(table: pa.Table, work: Work) -> Figures:
    figures: dict[str, object] = {
        "customers in touch": table.num_rows,
        "contacted too often": pc.sum(table["contacted_too_often"]).as_py() or 0,
        "taking part": Grid(
            [
                {
                    "what": name.replace("_", " "),
                    **{f"{days} days": _some(table[f"{name}_{days}"]) for days in _WINDOWS},
                }
                for name in _COUNTED
            ],
            ("what",),
        ),
        "contacts by us in a week": _pressures(table["contact_pressure"]),
    }
    return {**figures, **left_out(work)}  # type: ignore[dict-item]


def _some(counts: pa.ChunkedArray) -> int:
    """How many customers have at least one."""
    return int(pc.sum(pc.greater(counts, 0)).as_py() or 0)


def _pressures(pressure: pa.ChunkedArray) -> Bars:
    steps = (("none", 0, 0), ("up to 1", 0, 1), ("1 to 2", 1, 2), ("2 to 4", 2, 4), ("over 4", 4, 10**8))
    value = pc.cast(pressure, pa.float64())
    found = {}
    for name, low, high in steps:
        inside = (
            pc.equal(value, 0) if not high else pc.and_(pc.greater(value, low), pc.less_equal(value, high))
        )
        found[name] = int(pc.sum(inside).as_py() or 0)
    return Bars(found, ("contacts in a week", "customers"), scale=True)


_COUNTS = tuple(f"touches.{name}" for name in ("kind", "channel", "day", "touches"))
_MOMENTS = tuple(f"touches.{name}" for name in ("kind", "direction", "day"))


def _outputs() -> tuple[Output, ...]:
    counted = tuple(
        Output(
            f"{name}_{days}",
            ValueType.INTEGER,
            f"How many {words}, in the {days} days that end at as_of or at the customer's last interaction after it.",
            privacy=privacy,
            tells_from=0 if name in _RARE else 5,
            of=_COUNTS,
        )
        for name, (words, _, privacy) in _COUNTED.items()
        for days in _WINDOWS
    )
    return (
        *counted,
        Output(
            "open_rate",
            ValueType.DECIMAL,
            "opens_365 / emails_365, at most 1; empty where nothing was sent. Mail programs that open by themselves "
            "raise it: clicks tell more.",
            unit="share",
            tells_from=0.1,
            of=_COUNTS,
        ),
        Output(
            "click_rate",
            ValueType.DECIMAL,
            "clicks_365 / emails_365, at most 1; empty where nothing was sent.",
            unit="share",
            tells_from=0.1,
            of=_COUNTS,
        ),
        Output(
            "last_contact_by_us",
            ValueType.DATE,
            "Day of the last interaction with direction out: an e-mail sent, a call made, a ticket answered.",
            of=_MOMENTS,
        ),
        Output(
            "last_contact_by_customer",
            ValueType.DATE,
            "Day of the last interaction with direction in: a visit, an open or click, a call or ticket. A bounce is "
            "no contact of either side.",
            of=_MOMENTS,
        ),
        Output(
            "last_bounce_on",
            ValueType.DATE,
            "Day on which an e-mail last came back.",
            of=("touches.kind", "touches.day"),
        ),
        Output(
            "unsubscribed_on",
            ValueType.DATE,
            "Day on which the customer last unsubscribed.",
            of=("touches.kind", "touches.day"),
        ),
        Output(
            "contact_pressure",
            ValueType.DECIMAL,
            f"Contacts by us in a week: interactions with direction out in {_PRESSURE_DAYS} days, answers of the "
            f"service desk left out, times 7 / {_PRESSURE_DAYS}.",
            unit="contacts a week",
            tells_from=0.5,
            of=(*_MOMENTS, "touches.touches"),
        ),
        Output(
            "contacted_too_often",
            ValueType.BOOLEAN,
            "Whether contact_pressure is over the parameter contacts_per_week.",
            of=(*_MOMENTS, "touches.touches"),
        ),
    )


ENRICHER = Enricher(
    name="engagement",
    description="Taking part by e-mail and on the web over 30, 90 and 365 days, last contacts, contact pressure.",
    inputs=("touches",),
    outputs=_outputs(),
    purpose="Choosing whom to contact, how and how often; sparing those who hear from us too much.",
    stale_when="an interaction of the customer is new, or the customer's identity changed",
    compute=_compute,
    parameters=EngagementParameters,
    picture=_picture,
    ages=(
        Age("days_since_contact_by_us", "last_contact_by_us", "Days since we were last in touch."),
        Age(
            "days_since_contact_by_customer",
            "last_contact_by_customer",
            "Days since the customer was last in touch.",
        ),
    ),
)
