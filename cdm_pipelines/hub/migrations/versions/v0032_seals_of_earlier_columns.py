"""Seals of former versions that were made before those had a column more (version 27) are made anew."""

from alembic import op

revision = "0032"
down_revision = "0031"

# The newest column is the last in a row's text, and empty in rows that are older than it.
_SEALED_WITHOUT = """
    UPDATE ops.seal AS s SET digest = f.now FROM (
        SELECT closed_by, count(*) AS rows,
               sum(('x' || left(md5(t::text), 15))::bit(60)::bigint) AS now,
               sum(('x' || left(md5(regexp_replace(t::text, ',\\)$', ')')), 15))::bit(60)::bigint) AS before
        FROM golden.customer_history AS t GROUP BY 1) AS f
    WHERE s.table_name = 'golden.customer_history' AND s.publication_id = f.closed_by
        AND s.rows = f.rows AND s.digest = f.before AND s.digest <> f.now"""
_AS_SEALS_ARE_MADE = ("timezone = 'UTC'", "datestyle = 'ISO'", "extra_float_digits = 1")


def upgrade() -> None:
    """Go to this version: only what is what was sealed, but for the new column, is sealed with it."""
    for setting in _AS_SEALS_ARE_MADE:
        op.execute(f"SET LOCAL {setting}")
    op.get_bind().exec_driver_sql(_SEALED_WITHOUT)


def downgrade() -> None:
    """Go back to the version before it, which has the same tables."""
