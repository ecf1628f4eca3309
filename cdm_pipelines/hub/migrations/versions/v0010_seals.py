"""Checksums of what publications add."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_COMMENT = "Privacy category: system.operations."
_SEALED = (
    ("identity.event", "publication_id"),
    ("ops.outbox", "publication_id"),
    ("golden.customer_history", "closed_by"),
)
_FUNCTION = """
CREATE FUNCTION ops.seals_of(relation regclass, numbered text, wanted bigint)
RETURNS TABLE (number bigint, rows bigint, digest numeric)
LANGUAGE plpgsql STABLE SET timezone TO 'UTC' SET datestyle TO 'ISO' SET extra_float_digits TO 1 AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT %2$I, count(*), sum((''x'' || left(md5(t::text), 15))::bit(60)::bigint)
         FROM %1$s AS t WHERE $1 IS NULL OR %2$I = $1 GROUP BY 1', relation, numbered) USING wanted;
END $$"""


def upgrade() -> None:
    """Go to this version."""
    op.create_table(
        "seal",
        sa.Column("table_name", sa.Text(), primary_key=True, comment=f"The table. {_COMMENT}"),
        sa.Column(
            "publication_id", sa.BigInteger(), primary_key=True, comment=f"Publication that added. {_COMMENT}"
        ),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment=f"Rows that it added. {_COMMENT}"),
        sa.Column(
            "digest", sa.Numeric(), nullable=False, comment=f"Sum over digests of the rows. {_COMMENT}"
        ),
        schema="ops",
        comment="Checksums of tables to which publications only add, by publication.",
    )
    op.execute(_FUNCTION)
    for name, numbered in _SEALED:
        schema, _, table = name.partition(".")
        op.create_index(f"{table}_{numbered}_idx", table, [numbered], schema=schema)
        op.execute(
            f"INSERT INTO ops.seal SELECT '{name}', s.* FROM ops.seals_of('{name}', '{numbered}', NULL) s"  # noqa: S608 - our own names
        )


def downgrade() -> None:
    """Go back to the version before."""
    for name, numbered in _SEALED:
        schema, _, table = name.partition(".")
        op.drop_index(f"{table}_{numbered}_idx", table, schema=schema)
    op.execute("DROP FUNCTION ops.seals_of(regclass, text, bigint)")
    op.drop_table("seal", schema="ops")
