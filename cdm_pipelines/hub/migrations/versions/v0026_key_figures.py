"""Key figures, maturity, touch points and hand-over, by month."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.migrations.columns import column

revision = "0026"
down_revision = "0025"

_TABLES = ("kpi", "maturity", "touch_point", "hand_over")


def _month() -> tuple[sa.Column[object], ...]:
    return (
        column("month", sa.Date(), "Its first day.", nullable=False),
        column("as_of", sa.Date(), "Last day of the data that it was worked out from.", nullable=False),
    )


def _create(name: str, key: tuple[str, ...], comment: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        *_month(),
        *columns,
        sa.PrimaryKeyConstraint("month", *key, name=op.f(f"{name}_pkey")),
        schema="insight",
        comment=comment,
    )


def upgrade() -> None:
    """Go to this version."""
    _create(
        "kpi",
        ("kpi",),
        "Key figures of the central customer view, by month.",
        column("kpi", sa.Text(), "Key figure, as policies/kpis.yaml names it.", nullable=False),
        column("value", sa.Double(), "The figure, in its unit; empty where it cannot be measured."),
        column("base", sa.BigInteger(), "How many cases it rests on.", nullable=False),
        column("unit", sa.Text(), "share, score, count, days or currency.", nullable=False),
        column("target", sa.Double(), "What it was to reach; empty where nobody said."),
        column("met", sa.Boolean(), "Whether it did; empty without a figure or a target."),
        column(
            "because", postgresql.JSONB(), "Why it cannot be measured yet, by language; empty where it can."
        ),
        column("definition", sa.Text(), "Fingerprint of query, unit and direction.", nullable=False),
    )
    _create(
        "maturity",
        ("dimension",),
        "How mature the handling of customer data is, by month and dimension.",
        column(
            "dimension",
            sa.Text(),
            "vision, data, technology, organisation or governance.",
            nullable=False,
        ),
        column("level", sa.Integer(), "1 to 5.", nullable=False),
        column(
            "evidence",
            postgresql.JSONB(),
            "What was found of each criterion, and what is not known.",
            nullable=False,
        ),
    )
    _create(
        "touch_point",
        ("touch_point",),
        "What each touch point delivers, and how often people are recognised there, by month.",
        column("touch_point", sa.Text(), "As policies/touch_points.yaml names it.", nullable=False),
        column(
            "contacts", sa.BigInteger(), "Contacts that it delivered in all; empty where it delivers none."
        ),
        column("recognised", sa.BigInteger(), "Those of which it is known whose they are."),
        column("newest_on", sa.Date(), "Newest day that it delivered."),
        column(
            "complete",
            sa.Double(),
            "Share of the days of the month, up to the last of the data, on which it delivered.",
        ),
        column(
            "hidden",
            sa.BigInteger(),
            "Contacts of nobody, or that never arrive; empty where nobody said how many.",
        ),
    )
    _create(
        "hand_over",
        ("from_point", "to_point"),
        "From which touch point customers go to which, by month.",
        column("from_point", sa.Text(), "Touch point.", nullable=False),
        column("to_point", sa.Text(), "Touch point at which the same customer came next.", nullable=False),
        column("times", sa.BigInteger(), "How often.", nullable=False),
        column("customers", sa.BigInteger(), "Of how many customers.", nullable=False),
    )


def downgrade() -> None:
    """Go back from this version."""
    for name in reversed(_TABLES):
        op.drop_table(name, schema="insight")
