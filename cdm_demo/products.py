"""What the company sells, as SAP lists it.

Belongs here: category paths, brands and costs of the articles, and the rows of their extract. Does not belong here:
which articles there are (words), who orders them (orders).
"""

from functools import cache

import numpy as np

from cdm_demo.dates import sap_day
from cdm_demo.draws import Ints, Text, mix, text
from cdm_demo.orders import money, net_of
from cdm_demo.words import Article, articles
from cdm_demo.writing import Columns

_CATEGORIES = {
    "KEU": ("Wonen > Keuken", ("Elektrisch", "Pannen", "Bereiden")),
    "TEX": ("Wonen > Textiel", ("Slapen", "Baden", "Interieur")),
    "VER": ("Wonen > Verlichting", ("Lampen", "Lichtbronnen")),
    "MEU": ("Wonen > Meubelen", ("Zitten", "Opbergen")),
    "WON": ("Wonen > Accessoires", ("Decoratie", "Opbergen")),
    "TUI": ("Buiten > Tuin", ("Gereedschap", "Terras")),
    "GER": ("Klussen > Gereedschap", ("Elektrisch", "Handgereedschap")),
    "HUI": ("Huishouden", ("Schoonmaken", "Wassen")),
    "KAN": ("Kantoor", ("Papier", "Schrijven")),
}
_BRANDS = (
    "Huis & Hof",
    "Noordhuys",
    "Lumivo",
    "Vakman",
    "Bosch & Beek",
    "Tuingenoot",
    "Klaarwerk",
    "Solide",
    "Papyra",
)
"""The first is the house brand. No brand of that name is meant."""


@cache
def brands() -> tuple[str, ...]:
    """Brand of each article: two brands for the articles of a group, and the house brand."""
    groups = list(_CATEGORIES)
    found = []
    for number, article in enumerate(articles()):
        group = groups.index(article.group) if article.group in groups else 0
        found.append(
            _BRANDS[0] if number % 3 == 0 else _BRANDS[1 + (group + number % 2) % (len(_BRANDS) - 1)]
        )
    return tuple(found)


def category(number: int, article: Article) -> str:
    """Category path of an article, with > between its levels."""
    path, below = _CATEGORIES.get(article.group, (article.group, ("Overig",)))
    return f"{path} > {below[number % len(below)]}"


def costs(prices: Ints) -> Ints:
    """What one costs the company: 45 to 75 % of its price without tax, always the same for an article."""
    share = 450 + (mix(np.arange(len(prices)) + 7_001) * 300).astype(np.int64)
    return net_of(prices) * share // 1000


def rows(start: int) -> tuple[Columns, int]:
    """Cells of the product extract, the same on every day.

    Args:
        start: Day number of the base day.

    Returns:
        Cells by column, and their number.
    """
    stock = articles()
    size = len(stock)
    prices = np.array([item.price for item in stock], dtype=np.int64)
    made = sap_day(start - 900 - (mix(np.arange(size)) * 2000).astype(np.int64))
    changed = sap_day(start - 1 - (mix(np.arange(size) + 500) * 700).astype(np.int64))
    columns: dict[str, Text | str] = {
        "MATNR": text([item.code for item in stock]),
        "MAKTX": text([item.name for item in stock]),
        "MATKL": text([item.group for item in stock]),
        "PRDHA": text([category(number, item) for number, item in enumerate(stock)]),
        "ZZMERK": text(brands()),
        "KBETR": money(prices, ","),
        "STPRS": money(costs(prices), ","),
        "WAERS": "EUR",
        "MEINS": "ST",
        "ERSDA": made,
        "LAEDA": changed,
    }
    return columns, size
