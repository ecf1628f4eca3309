"""Schemas of what is worked out about customers, and of whom they are approached for."""

from alembic import op

revision = "0021"
down_revision = "0020"

_SCHEMAS = {
    "insight": "Figures of quality, worth, key figures and maturity, kept as a history.",
    "activation": "Whom to approach with what, who was told to whom for which purpose, and what came of it.",
}


def upgrade() -> None:
    """Go to this version."""
    for name, comment in _SCHEMAS.items():
        op.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
        op.execute(f"COMMENT ON SCHEMA {name} IS '{comment}'")


def downgrade() -> None:
    """Go back from this version."""
    for name in _SCHEMAS:
        op.execute(f"DROP SCHEMA IF EXISTS {name}")
