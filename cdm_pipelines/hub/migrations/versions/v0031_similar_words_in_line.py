"""Words that may be meant are looked up within the statement that asks for them, and not planned anew each time."""

from alembic import op

from cdm_pipelines.hub.extensions import require

revision = "0031"
down_revision = "0030"

# A function with a setting of its own is never put into the statement that calls it. The index takes the threshold of
# the session, which is lower where nobody has set one; who is less like than 0.45 is left out by the condition.
_SIMILAR = """
CREATE OR REPLACE FUNCTION golden.search_similar(typed text[])
RETURNS TABLE (word_typed text, word text, kind text, customers integer)
LANGUAGE sql STABLE PARALLEL SAFE {setting} AS $$
    SELECT q.word, f.word, f.kind, f.customers
    FROM unnest(typed) AS q(word), LATERAL (
        (SELECT w.word, w.customers, 'equal' AS kind FROM golden.search_word w WHERE w.word = q.word)
        UNION ALL
        (SELECT w.word, w.customers, 'begins' FROM golden.search_word w
         WHERE w.word > q.word AND w.word < q.word || '~' AND length(q.word) > 2 ORDER BY w.customers DESC LIMIT 8)
        UNION ALL
        (SELECT w.word, w.customers, 'slip' FROM golden.search_word w
         WHERE w.slips && golden.search_slips(q.word) AND w.word <> q.word ORDER BY w.customers DESC LIMIT 12)
        UNION ALL
        (SELECT w.word, w.customers, 'alike' FROM golden.search_word w
         WHERE w.word OPERATOR({pg_trgm}.%) q.word AND length(q.word) > 5 {enough}
         AND NOT EXISTS (SELECT FROM golden.search_word known WHERE known.word = q.word)
         ORDER BY {pg_trgm}.similarity(q.word, w.word) DESC, w.customers DESC LIMIT 8)
    ) AS f
$$"""
_ENOUGH = "AND {pg_trgm}.similarity(q.word, w.word) >= 0.45"
_SETTING = "SET pg_trgm.similarity_threshold = 0.45"


def upgrade() -> None:
    """Go to this version."""
    _make("", _ENOUGH)


def downgrade() -> None:
    """Go back to the version before it."""
    _make(_SETTING, "")


def _make(setting: str, enough: str) -> None:
    where = require(op.get_bind(), ("pg_trgm", "unaccent"))["pg_trgm"]
    op.execute(_SIMILAR.format(pg_trgm=where, setting=setting, enough=enough.format(pg_trgm=where)))
