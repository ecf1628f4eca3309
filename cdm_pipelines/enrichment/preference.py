"""What a customer likes: categories and brands, channels, times, prices, language.

Belongs here: habits that show in purchases and contacts. Does not belong here: how much somebody buys (``rfm``), what
goes with what (``basket``), or how often they are in touch (``engagement``).

**Lift.** A category's lift is the customer's share of order lines in it, divided by everybody's share. Of few lines it
is wild: one line in a category that is one in a thousand would be a lift of a thousand. So as many lines as
``smoothing`` says, spread like everybody's, are added to each customer's before it is divided, and the category that
tells most is looked for among those with at least ``least_lines`` lines.

**Habits** need repetition: a weekday, an hour and a price level are told of customers with enough orders or lines, and
a weekday or hour only where two orders fall on it.

**An article number of several sources** has the category and brand that the source of the order says, else those of
another. How many are placed in different categories is told: these may be different articles under one number.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Enricher, Output
from cdm_pipelines.enrichment.heat import heat_map
from cdm_pipelines.enrichment.moments import left_out, use_dated
from cdm_pipelines.enrichment.tastes import HABITS, LANGUAGES, LINES, PRICES, liked
from cdm_pipelines.enrichment.work import Parameters, Work
from cdm_pipelines.figures import Bars, Figures, Grid

_PURCHASES, _CONTACTS = "user.behavior.purchase_history", "user.behavior"
_KINDS = {"category": "categories", "brand": "brands"}
_MOST_KEPT = 5_000
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LANGUAGES = {
    "NL": "nl", "DE": "de", "AT": "de", "FR": "fr", "IT": "it", "ES": "es", "PT": "pt", "PL": "pl", "GB": "en",
    "IE": "en", "US": "en", "AU": "en", "NZ": "en", "DK": "da", "SE": "sv", "NO": "no", "IS": "is", "CZ": "cs",
    "SK": "sk", "HU": "hu", "RO": "ro", "BG": "bg", "GR": "el", "HR": "hr", "SI": "sl", "LT": "lt", "LV": "lv",
    "EE": "et",
}  # fmt: skip
"""Countries where one language reaches nearly everybody; not those with several, such as BE, CH, LU, CA and FI."""


class PreferenceParameters(Parameters):
    """What may be set.

    Attributes:
        category_levels: How many levels of a category's path count: with 2, ``Home > Kitchen > Knives`` is
            ``Home > Kitchen``.
        smoothing: Order lines, spread like everybody's, that are added before a lift is told.
        least_lines: Lines in a category or brand before it can be the characteristic one; lines with a price before a
            price level is told.
        least_orders: Orders before a weekday or an hour is told.
        contact_days: Days back in which contacts count for a channel.
        price_lines: Lines with a price before a category has a scale of prices.
        languages: By country, for customers who said none; ``{}`` for no guess.
    """

    category_levels: int = Field(default=2, ge=1, le=20)
    smoothing: float = Field(default=5, ge=0, le=10_000)
    least_lines: int = Field(default=2, ge=1)
    least_orders: int = Field(default=3, ge=1)
    contact_days: int = Field(default=365, ge=1, le=3650)
    price_lines: int = Field(default=50, ge=5)
    languages: Mapping[str, str] = _LANGUAGES


def _fit(work: Work) -> Mapping[str, Any]:
    parameters = _parameters(work)
    work.use("order_lines")
    rows = work.sql(_SCALES, levels=parameters.category_levels, least=parameters.price_lines).to_pylist()
    rows.sort(key=lambda row: str(row["name"]))
    of = {what: [row for row in rows if row["what"] == what] for what in (*_KINDS, "price")}
    [found] = work.sql(
        """SELECT count(*) AS lines, min(ordered_on)::VARCHAR AS first, max(ordered_on)::VARCHAR AS last
           FROM order_lines"""
    ).to_pylist()
    return {
        **{plural: {row["name"]: float(row["share"]) for row in of[kind]} for kind, plural in _KINDS.items()},
        "prices": {row["name"]: row["cuts"] for row in of["price"]},
        "lines": found["lines"],
        "window": [found["first"], found["last"]],
    }


def _counted(kind: str) -> str:
    return f"""
    SELECT '{kind}' AS what, name, n, n / sum(n) OVER () AS share, NULL AS cuts
    FROM {kind}_names JOIN (SELECT {kind} AS id, count(*) AS n FROM lines GROUP BY ALL) USING (id)"""


_SCALES = f"""
WITH {LINES}
SELECT * FROM (
    {_counted("category")}
    UNION ALL {_counted("brand")}
    UNION ALL
    SELECT 'price', name, n, NULL, cuts FROM category_names JOIN (
        SELECT category AS id, count(*) AS n, quantile_disc(price, [0.2, 0.4, 0.6, 0.8])::DOUBLE[] AS cuts
        FROM lines WHERE price IS NOT NULL AND category IS NOT NULL GROUP BY category HAVING count(*) >= $least)
    USING (id))
QUALIFY row_number() OVER (PARTITION BY what ORDER BY n DESC, name) <= {_MOST_KEPT}
"""
"""Everybody's share of lines by category and by brand, and the fifths of prices by category: the largest of each."""


def _compute(work: Work) -> pa.Table:
    parameters = _parameters(work)
    work.use("customers", "purchases", "order_lines")
    use_dated(work)
    bought = ", ".join(
        f"{kind}, {kind}_share, {kind}_lift, characteristic_{kind}, characteristic_{kind}_lift, "
        f"coalesce(liked_{kind}.many, 0)::INTEGER AS {plural}"
        for kind, plural in _KINDS.items()
    )
    return work.sql(
        f"""
        WITH {LINES}, {liked("category")}, {liked("brand")}, {HABITS}, {PRICES}, {LANGUAGES},
        known AS (SELECT golden_id FROM each_order_channel UNION SELECT golden_id FROM each_contact_channel
                  UNION SELECT golden_id FROM languages)
        SELECT golden_id, {bought},
               o.name AS order_channel, habit_order_channel.share AS order_channel_share,
               c.name AS contact_channel, habit_contact_channel.share AS contact_channel_share,
               habit_weekday.id::INTEGER AS weekday, habit_weekday.share AS weekday_share,
               habit_hour.id::INTEGER AS hour, habit_hour.share AS hour_share,
               price_level, language, language_from
        FROM known LEFT JOIN liked_category USING (golden_id) LEFT JOIN liked_brand USING (golden_id)
             LEFT JOIN habit_order_channel USING (golden_id) LEFT JOIN habit_contact_channel USING (golden_id)
             LEFT JOIN habit_weekday USING (golden_id) LEFT JOIN habit_hour USING (golden_id)
             LEFT JOIN prices USING (golden_id) LEFT JOIN languages USING (golden_id)
             LEFT JOIN order_channel_names o ON o.id = habit_order_channel.id
             LEFT JOIN contact_channel_names c ON c.id = habit_contact_channel.id
        """,
        **_values(work, parameters),
    )


def _values(work: Work, parameters: PreferenceParameters) -> dict[str, object]:
    fitted = work.fitted or {}
    shares = {kind: fitted.get(plural, {}) for kind, plural in _KINDS.items()}
    prices, languages = fitted.get("prices", {}), parameters.languages
    return {
        **{f"names_{kind}": list(share) for kind, share in shares.items()},
        **{f"shares_{kind}": list(share.values()) for kind, share in shares.items()},
        "priced": list(prices),
        "cuts": list(prices.values()),
        "countries": list(languages),
        "languages": list(languages.values()),
        "levels": parameters.category_levels,
        "smoothing": parameters.smoothing,
        "least_lines": parameters.least_lines,
        "least_orders": parameters.least_orders,
        "contact_days": parameters.contact_days,
    }


def _explain_fit(fitted: Mapping[str, Any]) -> Figures:
    figures: dict[str, Any] = {
        "order lines": fitted["lines"],
        "categories with a scale of prices": len(fitted["prices"]),
    }
    for plural in _KINDS.values():
        largest = sorted(fitted[plural].items(), key=lambda one: (-one[1], one[0]))[:15]
        figures[plural] = Grid(
            [{"name": name, "share": round(share, 4)} for name, share in largest], ("name",)
        )
    return figures


def _picture(table: pa.Table, work: Work) -> Figures:
    hours = work.sql(
        """SELECT isodow(ordered_on) AS day, hour(ordered_at) AS hour, count(*) AS n FROM purchases
           WHERE ordered_at::TIME <> TIME '00:00:00' GROUP BY ALL ORDER BY ALL"""
    ).to_pylist()
    work.use("order_lines")
    [lines] = work.sql(
        """SELECT count(*) FILTER (category IS NULL) AS no_category, count(*) FILTER (brand IS NULL) AS no_brand,
                  count(*) FILTER (quantity <= 0) AS returned, count(*) FILTER (amount IS NULL) AS no_amount,
                  count(*) AS n FROM order_lines"""
    ).to_pylist()
    [placed] = work.sql(
        """SELECT count(*) AS n FROM (
               SELECT product_code FROM products WHERE category IS NOT NULL GROUP BY product_code
               HAVING count(DISTINCT lower(regexp_replace(category, '\\s*>\\s*', '>', 'g'))) > 1)"""
    ).to_pylist()
    counts = {(row["day"] - 1, row["hour"]): row["n"] for row in hours}
    return {
        "customers": table.num_rows,
        "orders by weekday and hour": heat_map("Orders by weekday and hour", _WEEKDAYS, 24, counts),
        "preferred category": _bars(table["category"], "category"),
        "characteristic category": _bars(table["characteristic_category"], "category"),
        "preferred brand": _bars(table["brand"], "brand"),
        "order channel": _bars(table["order_channel"], "channel"),
        "contact channel": _bars(table["contact_channel"], "channel"),
        "price level": _levels(table["price_level"]),
        "language": _bars(table["language"], "language"),
        "language from": _bars(table["language_from"], "from"),
        "order lines": lines["n"],
        "order lines without a category": lines["no_category"],
        "order lines without a brand": lines["no_brand"],
        "order lines that take back": lines["returned"],
        "order lines without an amount": lines["no_amount"],
        "article numbers that sources place in different categories": placed["n"],
        **left_out(work),
    }


def _bars(column: pa.ChunkedArray, what: str, most: int = 15) -> Bars:
    counts = {
        row["values"]: row["counts"]
        for row in pc.value_counts(column.combine_chunks().drop_null()).to_pylist()
    }
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    rest = sum(count for _, count in ranked[most:])
    return Bars({**dict(ranked[:most]), **({"others": rest} if rest else {})}, (what, "customers"))


def _levels(column: pa.ChunkedArray) -> Bars:
    level = pc.floor(pc.add(pc.cast(column.drop_null(), pa.float64()), 0.5))
    counts = {int(row["values"]): row["counts"] for row in pc.value_counts(level).to_pylist()}
    names = {1: "1, lowest fifth", 2: "2", 3: "3", 4: "4", 5: "5, highest fifth"}
    return Bars(
        {name: counts.get(at, 0) for at, name in names.items()}, ("price level", "customers"), scale=True
    )


def _parameters(work: Work) -> PreferenceParameters:
    assert isinstance(work.parameters, PreferenceParameters)  # noqa: S101 - for the type checker
    return work.parameters


_CHANNEL = ("purchases.source", "purchases.ordered_on")
_CONTACT = tuple(f"touches.{name}" for name in ("channel", "kind", "direction", "day"))
_PRICED = tuple(f"order_lines.{name}" for name in ("amount", "quantity", "category"))
_LANGUAGE = ("customers.language", "customers.country")


def _share(name: str, what: str, of: tuple[str, ...], privacy: str = _PURCHASES) -> Output:
    return Output(
        name, ValueType.DECIMAL, f"Share of {what}.", unit="share", privacy=privacy, tells_from=0.1, of=of
    )


def _bought(kind: str, plural: str) -> tuple[Output, ...]:
    of = tuple(f"order_lines.{name}" for name in (kind, "quantity", "ordered_on"))
    levels = (
        ", to the level of its path that the parameter category_levels says" if kind == "category" else ""
    )
    return (
        Output(
            kind,
            ValueType.TEXT,
            f"The {kind} of most of the customer's order lines{levels}; of two with as many, the one bought last.",
            privacy=_PURCHASES,
            of=of,
        ),
        _share(
            f"{kind}_share", f"the customer's order lines with a known {kind} that are of this {kind}", of
        ),
        Output(
            f"{kind}_lift",
            ValueType.DECIMAL,
            f"{kind}_share / everybody's share at the last fit, smoothed: (lines + s x p) / (all lines + s) / p, "
            f"with p everybody's share and s the parameter smoothing. Empty for a {kind} that was new since.",
            privacy=_PURCHASES,
            of=of,
            tells_from=0.5,
        ),
        Output(
            f"characteristic_{kind}",
            ValueType.TEXT,
            f"The {kind} with the highest lift over 1, of those with enough lines (parameter least_lines).",
            privacy=_PURCHASES,
            of=of,
        ),
        Output(
            f"characteristic_{kind}_lift",
            ValueType.DECIMAL,
            f"Its lift, as {kind}_lift.",
            privacy=_PURCHASES,
            of=of,
            tells_from=0.5,
        ),
        Output(
            plural, ValueType.INTEGER, f"How many {plural} the customer bought of.", privacy=_PURCHASES, of=of
        ),
    )


def _habits() -> tuple[Output, ...]:
    return (
        Output(
            "order_channel",
            ValueType.TEXT,
            "The source of most orders that count: the web shop, the till. Of two with as many, the later one.",
            privacy=_PURCHASES,
            of=_CHANNEL,
        ),
        _share("order_channel_share", "orders of that source", _CHANNEL),
        Output(
            "contact_channel",
            ValueType.TEXT,
            "The channel on which the customer was in touch with us on most days, of the last 365 (contact_days).",
            privacy=_CONTACTS,
            of=_CONTACT,
        ),
        _share(
            "contact_channel_share",
            "days with a contact, counted per channel, that are of it",
            _CONTACT,
            _CONTACTS,
        ),
        Output(
            "weekday",
            ValueType.INTEGER,
            "Day of most orders, 1 for Monday to 7 for Sunday, in the deployment's time zone. Empty with fewer orders "
            "than the parameter least_orders, or where no two fall on one day.",
            privacy=_PURCHASES,
            of=("purchases.ordered_on",),
        ),
        _share("weekday_share", "orders on that day", ("purchases.ordered_on",)),
        Output(
            "hour",
            ValueType.INTEGER,
            "Hour of most orders, 0 to 23, told as the weekday is. Orders at midnight sharp are left out: their source "
            "says the day only.",
            unit="hour",
            privacy=_PURCHASES,
            of=("purchases.ordered_at",),
        ),
        _share("hour_share", "orders with a time that are of that hour", ("purchases.ordered_at",)),
        Output(
            "price_level",
            ValueType.DECIMAL,
            "Mean over order lines of the fifth in which the price of one article lies among all prices paid in its "
            "category at the last fit: 1 is the lowest fifth, 5 the highest. Empty with fewer lines than least_lines.",
            privacy=_PURCHASES,
            tells_from=0.5,
            of=_PRICED,
        ),
        Output(
            "language",
            ValueType.TEXT,
            "The language that the golden record says, ISO 639-1; else that of its country, where one language reaches "
            "nearly everybody (parameter languages). Empty where neither tells.",
            privacy="user.demographic.language",
            of=_LANGUAGE,
        ),
        Output(
            "language_from",
            ValueType.TEXT,
            "stated, or country for one that follows from the country.",
            privacy="user.demographic.language",
            of=_LANGUAGE,
        ),
    )


ENRICHER = Enricher(
    name="preference",
    description="Categories and brands by share and lift, preferred channels, weekday and hour, price level, language.",
    inputs=("customers", "purchases", "order_lines", "products", "touches"),
    outputs=(*_bought("category", "categories"), *_bought("brand", "brands"), *_habits()),
    purpose="Offering what somebody likes, when and where they like it, in their language.",
    stale_when="an order, a line, an interaction or the golden record of the customer changed, or the scale was fitted",
    compute=_compute,
    parameters=PreferenceParameters,
    fit=_fit,
    explain_fit=_explain_fit,
    picture=_picture,
)
