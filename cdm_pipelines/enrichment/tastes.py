"""The SQL of preferences: what most of a customer's rows have in common, and what sets the customer apart.

Belongs here: queries in parts, for a WITH clause. Does not belong here: parameters, columns and figures
(``preference``).

Categories, brands, sources and channels are numbered in the order of their names, so that rows are grouped by small
integers. Which of several values is that of most rows is the largest of one integer per value: how often, then the last
day, then the number, which breaks a tie by the name whichever customers are there.
"""

from cdm_pipelines.enrichment.moments import BY_CUSTOMER, DATED

_OFTEN, _DAY = 2**64, 2**32
_RANKED = f"n::HUGEINT * {_OFTEN} + (last_on - DATE '0001-01-01')::HUGEINT * {_DAY} + id"


def _id(ranked: str) -> str:
    return f"({ranked} % {_DAY})::BIGINT"


def _often(ranked: str) -> str:
    return f"({ranked} // {_OFTEN})::DOUBLE"


def numbered(name: str, values: str) -> str:
    """``<name>_names``: ``id`` and ``name`` of the values that a query gives as ``name``."""
    return f"""
    {name}_names AS (
        SELECT name, row_number() OVER (ORDER BY name) AS id
        FROM (SELECT DISTINCT name FROM ({values}) WHERE name IS NOT NULL))"""


LINES = f"""
paths AS (
    SELECT path, array_to_string(list_transform(string_split(path, '>')[1:$levels], lambda level: trim(level)), ' > ')
           AS name
    FROM (SELECT DISTINCT category AS path FROM order_lines WHERE category IS NOT NULL)),
{numbered("category", "SELECT name FROM paths")},
{numbered("brand", "SELECT brand AS name FROM order_lines")},
lines AS (
    SELECT l.golden_id, l.ordered_on, c.id AS category, b.id AS brand,
           CASE WHEN l.amount > 0 THEN TRY_CAST(l.amount / l.quantity AS DECIMAL(18, 4)) END AS price
    FROM order_lines l LEFT JOIN (SELECT path, id FROM paths JOIN category_names USING (name)) c ON c.path = l.category
         LEFT JOIN brand_names b ON b.name = l.brand
    WHERE coalesce(l.quantity, 1) > 0)
"""
"""Lines of what was bought, returns left out, with numbers of category and brand; a price is what one article cost."""


def liked(kind: str) -> str:
    """``liked_<kind>``: the category or brand of most lines, its lift, and the one with the largest lift."""
    lift = "(b.n + $smoothing::DOUBLE * e.share) / (t.total + $smoothing::DOUBLE) / e.share"
    return f"""
    shares_{kind} AS (
        SELECT id, share FROM {kind}_names
        JOIN (SELECT unnest($names_{kind}::VARCHAR[]) AS name, unnest($shares_{kind}::DOUBLE[]) AS share) USING (name)),
    bought_{kind} AS (
        SELECT golden_id, {kind} AS id, count(*) AS n, max(ordered_on) AS last_on
        FROM lines WHERE {kind} IS NOT NULL GROUP BY golden_id, {kind}),
    most_{kind} AS (
        SELECT golden_id, max({_RANKED}) AS ranked, sum(n)::DOUBLE AS total, count(*) AS many
        FROM bought_{kind} GROUP BY golden_id),
    telling_{kind} AS (
        SELECT golden_id, max({{'lift': lift, 'n': n, 'id': id}}) AS best
        FROM (SELECT b.golden_id, b.id, b.n, {lift} AS lift
              FROM bought_{kind} b JOIN most_{kind} t USING (golden_id) JOIN shares_{kind} e USING (id)
              WHERE b.n >= $least_lines)
        WHERE lift > 1 GROUP BY golden_id),
    liked_{kind} AS (
        SELECT t.golden_id, a.name AS {kind}, CAST(b.n / t.total AS DECIMAL(6, 4)) AS {kind}_share,
               CAST({lift} AS DECIMAL(18, 2)) AS {kind}_lift, d.name AS characteristic_{kind},
               CAST(c.best.lift AS DECIMAL(18, 2)) AS characteristic_{kind}_lift, t.many
        FROM (SELECT *, {_id("ranked")} AS id FROM most_{kind}) t
             CROSS JOIN LATERAL (SELECT {_often("t.ranked")} AS n) b
             JOIN {kind}_names a ON a.id = t.id LEFT JOIN shares_{kind} e ON e.id = t.id
             LEFT JOIN telling_{kind} c ON c.golden_id = t.golden_id LEFT JOIN {kind}_names d ON d.id = c.best.id)"""


def habit(name: str, rows: str, value: str, least: str = "1") -> str:
    """``habit_<name>``: the number that most of a customer's rows have, and its share; told from so many rows on."""
    return f"""
    each_{name} AS (
        SELECT golden_id, {value} AS id, count(*) AS n, max(ordered_on) AS last_on FROM {rows} GROUP BY ALL),
    habit_{name} AS (
        SELECT golden_id, {_id("ranked")} AS id, CAST({_often("ranked")} / total AS DECIMAL(6, 4)) AS share
        FROM (SELECT golden_id, max({_RANKED}) AS ranked, sum(n)::DOUBLE AS total, max(n) AS often
              FROM each_{name} GROUP BY golden_id)
        WHERE total >= {least} AND often >= least({least}, 2))"""


HABITS = f"""
{numbered("order_channel", "SELECT source AS name FROM purchases")},
ordered AS (SELECT p.golden_id, p.ordered_on, p.ordered_at, s.id AS channel
            FROM purchases p JOIN order_channel_names s ON s.name = p.source),
timed AS (SELECT * FROM ordered WHERE ordered_at::TIME <> TIME '00:00:00'),
{DATED},
{numbered("contact_channel", "SELECT channel AS name FROM touches")},
contacts AS (
    SELECT DISTINCT d.golden_id, d.day AS ordered_on, c.id AS channel
    FROM (SELECT golden_id, day, channel, direction, coalesce(kind, 'other') AS kind FROM dated
          WHERE age < $contact_days) d
         JOIN contact_channel_names c ON c.name = d.channel
    WHERE {BY_CUSTOMER}),
{habit("order_channel", "ordered", "channel")},
{habit("contact_channel", "contacts", "channel")},
{habit("weekday", "ordered", "isodow(ordered_on)", "$least_orders")},
{habit("hour", "timed", "hour(ordered_at)", "$least_orders")}
"""
"""Channels by orders and by days with a contact, weekday and hour."""

PRICES = """
scales AS (
    SELECT id AS category, cuts FROM category_names
    JOIN (SELECT unnest($priced::VARCHAR[]) AS name, unnest($cuts::DOUBLE[][]) AS cuts) USING (name)),
prices AS (
    SELECT golden_id, CAST(avg(1 + (price > cuts[1])::INTEGER + (price > cuts[2])::INTEGER
                                 + (price > cuts[3])::INTEGER + (price > cuts[4])::INTEGER) AS DECIMAL(4, 2))
                      AS price_level
    FROM lines JOIN scales USING (category) WHERE price IS NOT NULL
    GROUP BY golden_id HAVING count(*) >= $least_lines)
"""
"""The mean fifth of the prices that a customer paid, each within its category."""

LANGUAGES = """
countries AS (SELECT unnest($countries::VARCHAR[]) AS country, unnest($languages::VARCHAR[]) AS language),
languages AS (
    SELECT golden_id, coalesce(lower(c.language), l.language) AS language,
           CASE WHEN c.language IS NULL THEN 'country' ELSE 'stated' END AS language_from
    FROM customers c LEFT JOIN countries l USING (country) WHERE coalesce(c.language, l.language) IS NOT NULL)
"""
"""The language that somebody said, else that of the country."""
