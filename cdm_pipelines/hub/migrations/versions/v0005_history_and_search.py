"""History of customers, and search that forgives typing errors."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.extensions import require

revision = "0005"
down_revision = "0004"

_GOLDEN = (
    "golden_id, party_kind, status, honorific, title, given_name, middle_names, initials, surname_prefix, surname, "
    "organisation_name, legal_form, trade_name, gender, birth_date, street, house_number, house_addition, "
    "address_extra, postcode, city, region, country, email, email_kind, phone, mobile, vat_number, coc_number, iban, "
    "language, job_title, email_opt_out, employer_id, record_count, source_count, first_seen, last_seen"
)
_FIRST = "SELECT publication_id, published_at FROM ops.publication WHERE jsonb_exists(changes, 'customer')"
_KEYS = {"email": "split_part(email, '@', 1)", "phone": "phone", "mobile": "mobile"}


def _column(
    name: str,
    kind: sa.types.TypeEngine[Any],
    description: str,
    privacy: str = "",
    *,
    key: bool = False,
    null: bool = False,
) -> sa.Column[Any]:
    comment = f"{description} Privacy category: {privacy or 'system.operations'}."
    return sa.Column(name, kind, primary_key=key, nullable=null, comment=comment)


def upgrade() -> None:
    """Go to this version."""
    schema = require(op.get_bind(), ("pg_trgm", "unaccent"))
    _create_history()
    op.execute(_AS_OF)
    op.execute(_AS_OF_ONE)
    _index_both_ends()
    op.create_index("customer_record_count_idx", "customer", ["record_count"], schema="golden")
    # Room in each page for what changes daily and has no index, as last_seen: no index is written for that.
    op.execute("ALTER TABLE golden.customer SET (fillfactor = 85)")
    _create_search(schema["pg_trgm"])
    op.execute(_SEARCH_WORDS.format(unaccent=schema["unaccent"]))
    op.execute(_SEARCH_SLIPS)
    op.execute(_SEARCH_LIKENESS.format(pg_trgm=schema["pg_trgm"]))
    op.execute(_SEARCH_SIMILAR.format(pg_trgm=schema["pg_trgm"]))
    op.execute(_SEARCH_SOURCE)
    op.execute("COMMENT ON VIEW golden.search_source IS 'What table golden.search should hold.'")
    _fill()


def downgrade() -> None:
    """Go back to the version before it; history is lost."""
    op.execute("DROP VIEW golden.search_source")
    op.execute("DROP FUNCTION golden.search_similar(text[]), golden.search_likeness(text, text)")
    op.execute("DROP FUNCTION golden.search_slips(text), golden.search_words(text)")
    op.drop_table("search_word", schema="golden")
    op.drop_table("search", schema="golden")
    op.execute("ALTER TABLE golden.customer RESET (fillfactor)")
    op.drop_index("customer_record_count_idx", "customer", schema="golden")
    for name in _KEYS:
        op.drop_index(f"customer_{name}_reversed_idx", "customer", schema="golden")
        op.drop_index(f"customer_{name}_idx", "customer", schema="golden")
        op.create_index(f"customer_{name}_idx", "customer", [name], schema="golden")
    op.execute("DROP FUNCTION golden.customer_as_of(timestamptz, uuid), golden.customer_as_of(timestamptz)")
    op.drop_table("customer_version", schema="golden")
    op.drop_table("customer_history", schema="golden")


def _create_history() -> None:
    op.execute("CREATE TABLE golden.customer_history (LIKE golden.customer INCLUDING COMMENTS)")
    for column in (
        _column("valid_from", sa.DateTime(timezone=True), "When this version was published."),
        _column(
            "valid_to",
            sa.DateTime(timezone=True),
            "When the next version was published, or the customer ended.",
        ),
        _column("opened_by", sa.BigInteger(), "Publication that published this version."),
        _column("closed_by", sa.BigInteger(), "Publication that ended it."),
        _column(
            "provenance",
            postgresql.JSONB(),
            "The rows of golden.provenance as they were then.",
            "user",
            null=True,
        ),
    ):
        op.add_column("customer_history", column, schema="golden")
    op.create_primary_key(
        "customer_history_pkey", "customer_history", ["golden_id", "valid_from"], schema="golden"
    )
    op.create_index("customer_history_valid_to_idx", "customer_history", ["valid_to"], schema="golden")
    op.create_table_comment(
        "customer_history",
        "Former versions of customers. The current ones are in golden.customer.",
        schema="golden",
    )
    op.create_table(
        "customer_version",
        _column("golden_id", sa.Uuid(), "Golden customer.", "user.unique_id", key=True),
        _column(
            "valid_from",
            sa.DateTime(timezone=True),
            "When the current version of the customer was published.",
        ),
        _column("publication_id", sa.BigInteger(), "Publication that published it."),
        schema="golden",
        comment="Since when customers are as they are; those without a row: since the first publication.",
    )
    op.create_index(
        "customer_version_publication_id_idx", "customer_version", ["publication_id"], schema="golden"
    )


def _index_both_ends() -> None:
    for name, whole in _KEYS.items():
        op.drop_index(f"customer_{name}_idx", "customer", schema="golden")
        op.execute(f"CREATE INDEX customer_{name}_idx ON golden.customer ({name} text_pattern_ops)")
        op.execute(
            f"CREATE INDEX customer_{name}_reversed_idx ON golden.customer (reverse({whole}) text_pattern_ops)"
        )


def _create_search(pg_trgm: str) -> None:
    op.create_table(
        "search",
        _column("golden_id", sa.Uuid(), "Golden customer.", "user.unique_id", key=True),
        _column("terms", postgresql.ARRAY(sa.Text()), "What the customer can be found by.", "user"),
        schema="golden",
        comment="Words and marks by which customers are found; made by view golden.search_source.",
    )
    op.execute("CREATE INDEX search_terms_idx ON golden.search USING gin (terms)")
    op.create_table(
        "search_word",
        _column("word", sa.Text(collation="C"), "A word of names or towns.", "user.name", key=True),
        _column("customers", sa.Integer(), "About how many customers have it."),
        _column(
            "slips",
            postgresql.ARRAY(sa.Text()),
            "The word, and the word without any one of its letters.",
            "user.name",
            null=True,
        ),
        schema="golden",
        comment="Every word that customers are found by, with what typing errors make of it.",
    )
    op.execute(
        "CREATE INDEX search_word_slips_idx ON golden.search_word USING gin (slips) WITH (fastupdate = off)"
    )
    op.execute(
        "CREATE INDEX search_word_word_trigrams_idx ON golden.search_word "
        f"USING gin (word {pg_trgm}.gin_trgm_ops) WITH (fastupdate = off)"
    )


def _fill() -> None:
    """What a hub that has customers already needs: they count as known since its last publication."""
    op.execute(
        """INSERT INTO golden.customer_version
           SELECT c.golden_id, p.published_at, p.publication_id FROM golden.customer c,
           (SELECT publication_id, published_at FROM ops.publication ORDER BY publication_id DESC LIMIT 1) p"""
    )
    op.execute("INSERT INTO golden.search SELECT golden_id, terms FROM golden.search_source")
    op.execute(
        """INSERT INTO golden.search_word SELECT word, count(*), golden.search_slips(word)
           FROM golden.search, unnest(terms) AS word WHERE word ~ '^[a-z0-9]' GROUP BY word"""
    )


_COLUMNS = ", ".join(f"c.{name}" for name in _GOLDEN.split(", "))

_AS_OF = f"""
CREATE FUNCTION golden.customer_as_of(at timestamptz) RETURNS SETOF golden.customer
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT {_COLUMNS} FROM golden.customer_history c WHERE c.valid_from <= at AND c.valid_to > at
    UNION ALL
    SELECT {_COLUMNS} FROM golden.customer c LEFT JOIN golden.customer_version v USING (golden_id)
    WHERE coalesce(v.valid_from, (SELECT published_at FROM ({_FIRST} ORDER BY 1 LIMIT 1) f)) <= at
$$"""  # noqa: S608 - names of our own

_AS_OF_ONE = f"""
CREATE FUNCTION golden.customer_as_of(at timestamptz, id uuid) RETURNS SETOF golden.customer
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    wanted uuid := id;
BEGIN
    FOR attempt IN 1..2 LOOP
        RETURN QUERY
            SELECT {_COLUMNS} FROM golden.customer_history c
            WHERE c.golden_id = wanted AND c.valid_from <= at AND c.valid_to > at
            UNION ALL
            SELECT {_COLUMNS} FROM golden.customer c LEFT JOIN golden.customer_version v USING (golden_id)
            WHERE c.golden_id = wanted
            AND coalesce(v.valid_from, (SELECT published_at FROM ({_FIRST} ORDER BY 1 LIMIT 1) f)) <= at;
        EXIT WHEN FOUND;
        SELECT alias_of INTO wanted FROM identity.golden_id g WHERE g.golden_id = id;
    END LOOP;
END
$$"""  # noqa: S608 - names of our own

_SEARCH_WORDS = """
CREATE FUNCTION golden.search_words(value text) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT string_to_array(btrim(regexp_replace(replace(translate(lower(
        {unaccent}.unaccent('{unaccent}.unaccent'::regdictionary, value)), '.''`', ''), 'ij', 'y'),
        '[^a-z0-9]+', ' ', 'g')), ' ')
$$"""

_SEARCH_SLIPS = """
CREATE FUNCTION golden.search_slips(word text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(DISTINCT left(word, at - 1) || substr(word, at + 1)) || word
    FROM generate_series(1, length(word)) AS at WHERE length(word) BETWEEN 3 AND 30
$$"""

_SEARCH_SIMILAR = """
CREATE FUNCTION golden.search_similar(typed text[])
RETURNS TABLE (word_typed text, word text, kind text, customers integer)
LANGUAGE sql STABLE PARALLEL SAFE SET pg_trgm.similarity_threshold = 0.45 AS $$
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
         WHERE w.word OPERATOR({pg_trgm}.%) q.word AND length(q.word) > 5
         AND NOT EXISTS (SELECT FROM golden.search_word known WHERE known.word = q.word)
         ORDER BY {pg_trgm}.similarity(q.word, w.word) DESC, w.customers DESC LIMIT 8)
    ) AS f
$$"""

_SEARCH_LIKENESS = """
CREATE FUNCTION golden.search_likeness(one text, other text) RETURNS real LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT {pg_trgm}.similarity(one, other)
$$"""

_VALUES = "given_name text, initials text, surname text, organisation_name text, trade_name text, city text"
_SEARCH_SOURCE = f"""
CREATE VIEW golden.search_source AS
SELECT c.golden_id,
    golden.search_words(concat_ws(' ', c.given_name, c.surname, c.organisation_name, c.trade_name, c.city))
    || array_remove(ARRAY['.' || lower(left(coalesce(c.given_name, c.initials), 1)),
                          '*' || extract(year FROM c.birth_date)::text], NULL)
    || CASE WHEN c.record_count > 1 THEN coalesce((
        SELECT array_agg(lost.term) FROM golden.provenance p, jsonb_array_elements(p.losers) AS l(loser),
        jsonb_to_record(CASE jsonb_typeof(l.loser->'value') WHEN 'object' THEN l.loser->'value'
            ELSE jsonb_build_object(p.attribute, l.loser->'value') END)
            AS v({_VALUES}, postcode text, house_number text, email text, phone text, mobile text),
        unnest(golden.search_words(
            concat_ws(' ', v.given_name, v.surname, v.organisation_name, v.trade_name, v.city)) || ARRAY[
            '.' || lower(left(coalesce(v.given_name, v.initials), 1)), '@' || v.email, '+' || v.phone,
            '+' || v.mobile, '#' || v.postcode || ' ' || v.house_number]) AS lost(term)
        WHERE p.golden_id = c.golden_id AND lost.term IS NOT NULL AND p.attribute IN
            ('name', 'organisation', 'trade_name', 'address', 'email', 'phone', 'mobile')), ARRAY[]::text[])
        ELSE ARRAY[]::text[] END AS terms
FROM golden.customer c"""  # noqa: S608 - names of our own
