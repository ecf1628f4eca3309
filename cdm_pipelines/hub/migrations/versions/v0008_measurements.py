"""Figures of assets and checks."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def _column(
    name: str, kind: sa.types.TypeEngine[Any], description: str, *, key: bool = False
) -> sa.Column[Any]:
    comment = f"{description} Privacy category: system.operations."
    return sa.Column(name, kind, primary_key=key, nullable=not key, comment=comment)


def upgrade() -> None:
    """Go to this version."""
    op.create_table(
        "measurement",
        _column("asset", sa.Text(), "Key of the asset: layer/source/entity or layer/name.", key=True),
        _column("partition", sa.Text(), "The day, YYYY-MM-DD; empty for a state.", key=True),
        _column("run", sa.Text(), "Run that measured it.", key=True),
        _column("name", sa.Text(), "What is measured; of a check: check and its name.", key=True),
        _column("part", sa.Text(), "Part of a distribution or table; empty for a single figure.", key=True),
        _column(
            "value",
            sa.Double(),
            "The figure, where it is a number; 1 is yes, 0 no, moments are seconds since 1970.",
        ),
        _column(
            "text",
            sa.Text(),
            "The figure, where it is none: a fingerprint, or a few words. No personal values.",
        ),
        sa.Column(
            "measured_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment="When it was written. Privacy category: system.operations.",
        ),
        schema="ops",
        comment="Figures of assets and their checks by run: counts, rates, distributions, fingerprints.",
    )


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_table("measurement", schema="ops")
