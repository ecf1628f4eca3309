"""Where the system is that was given who was erased; what it has to be told of them until it has taken that."""

import sqlalchemy as sa
from alembic import op

from cdm_pipelines.hub.migrations.columns import column

revision = "0028"
down_revision = "0027"

_SCHEMA, _TABLE = "activation", "gone_member"
_KEY = "gone_member_pkey"
_HOME = (
    ("platform", "System that was given them, by the name of its form."),
    ("place", "Folder, URL or address at which it was."),
)
_NOW = (
    "By what the system knows them: a key that says nothing to anybody else; for a webhook their golden id. "
    "Privacy category: user.unique_id."
)
_BEFORE = "By what the system knows them; tells nobody anything else. Privacy category: system.operations."
_NO_MORE = (
    "Who was erased while in an audience: by what the system knows them and no more, until it has been told."
)
_OF_NOBODY = (
    "Who was erased while in an audience: a key of nobody, until the system has been told to let go of it."
)


def upgrade() -> None:
    """Go to this version.

    A key for a webhook goes: it never was told one. The lake's own folder is named without where the lake lies.
    """
    op.execute(
        "UPDATE activation.delivery SET place = 'publish/audiences' "
        "WHERE platform <> 'webhook' AND place LIKE '%/publish/audiences'"
    )
    for name, what in _HOME:
        op.add_column(_TABLE, column(name, sa.Text(), what), schema=_SCHEMA)
    op.execute(
        """UPDATE activation.gone_member AS g SET platform = d.platform, place = d.place
        FROM (SELECT DISTINCT ON (audience) audience, platform, place FROM activation.delivery
              WHERE released_at IS NOT NULL ORDER BY audience, number DESC) AS d WHERE d.audience = g.audience"""
    )
    op.execute("DELETE FROM activation.gone_member WHERE platform IS NULL OR platform = 'webhook'")
    for name, _ in _HOME:
        op.alter_column(_TABLE, name, nullable=False, schema=_SCHEMA)
    _key("audience", "platform", "place", "member_key")
    _say(_NOW, _NO_MORE)


def downgrade() -> None:
    """Go back to the version before it, which knows of a member once."""
    op.execute(
        """DELETE FROM activation.gone_member AS g USING activation.gone_member AS other
        WHERE g.platform = 'webhook' OR (g.audience = other.audience AND g.member_key = other.member_key
              AND (g.platform, g.place) > (other.platform, other.place))"""
    )
    _key("audience", "member_key")
    for name, _ in _HOME:
        op.drop_column(_TABLE, name, schema=_SCHEMA)
    _say(_BEFORE, _OF_NOBODY)


def _key(*columns: str) -> None:
    op.drop_constraint(_KEY, _TABLE, schema=_SCHEMA)
    op.create_primary_key(_KEY, _TABLE, list(columns), schema=_SCHEMA)


def _say(key: str, table: str) -> None:
    op.alter_column(_TABLE, "member_key", comment=key, schema=_SCHEMA)
    op.create_table_comment(_TABLE, table, schema=_SCHEMA)
