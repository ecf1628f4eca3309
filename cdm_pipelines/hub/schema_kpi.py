"""Tables of what is kept of every month: key figures, maturity, touch points and who hands over to whom.

Belongs here: columns and comments. Does not belong here: filling and asking them (``kpi_history``).
"""

from sqlalchemy import BigInteger, Boolean, Column, Date, Double, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from cdm_pipelines.hub.schema import column, metadata

SCHEMA = "insight"


def _month() -> list[Column[object]]:
    return [
        column("month", Date, "Its first day.", key=True),
        column("as_of", Date, "Last day of the data that it was worked out from.", nullable=False),
    ]


kpi = Table(
    "kpi",
    metadata,
    *_month(),
    column("kpi", Text, "Key figure, as policies/kpis.yaml names it.", key=True),
    column("value", Double, "The figure, in its unit; empty where it cannot be measured."),
    column("base", BigInteger, "How many cases it rests on.", nullable=False),
    column("unit", Text, "share, score, count, days or currency.", nullable=False),
    column("target", Double, "What it was to reach; empty where nobody said."),
    column("met", Boolean, "Whether it did; empty without a figure or a target."),
    column(
        "because", JSONB(none_as_null=True), "Why it cannot be measured yet, by language; empty where it can."
    ),
    column("definition", Text, "Fingerprint of query, unit and direction.", nullable=False),
    schema=SCHEMA,
    comment="Key figures of the central customer view, by month.",
)
maturity = Table(
    "maturity",
    metadata,
    *_month(),
    column("dimension", Text, "vision, data, technology, organisation or governance.", key=True),
    column("level", Integer, "1 to 5.", nullable=False),
    column("evidence", JSONB, "What was found of each criterion, and what is not known.", nullable=False),
    schema=SCHEMA,
    comment="How mature the handling of customer data is, by month and dimension.",
)
touch_point = Table(
    "touch_point",
    metadata,
    *_month(),
    column("touch_point", Text, "As policies/touch_points.yaml names it.", key=True),
    column("contacts", BigInteger, "Contacts that it delivered in all; empty where it delivers none."),
    column("recognised", BigInteger, "Those of which it is known whose they are."),
    column("newest_on", Date, "Newest day that it delivered."),
    column(
        "complete",
        Double,
        "Share of the days of the month, up to the last of the data, on which it delivered.",
    ),
    column(
        "hidden", BigInteger, "Contacts of nobody, or that never arrive; empty where nobody said how many."
    ),
    schema=SCHEMA,
    comment="What each touch point delivers, and how often people are recognised there, by month.",
)
hand_over = Table(
    "hand_over",
    metadata,
    *_month(),
    column("from_point", Text, "Touch point.", key=True),
    column("to_point", Text, "Touch point at which the same customer came next.", key=True),
    column("times", BigInteger, "How often.", nullable=False),
    column("customers", BigInteger, "Of how many customers.", nullable=False),
    schema=SCHEMA,
    comment="From which touch point customers go to which, by month.",
)
TABLES = (kpi, maturity, touch_point, hand_over)
