"""Made-up organisations for measuring linkage: what they are, and the records that several systems hold of them.

Belongs here: companies, groups with subsidiaries, chains with branches, universities and hospitals, and how records of
them come to differ. Does not belong here: anything of the demo's generator or of the product's lists of words, on which
comparisons were designed: the corruption is written down here on its own.

A subsidiary is an organisation of its own, and so is a branch of a chain: those are the near misses.
"""

import random
from dataclasses import dataclass

import pandas as pd

_STEMS_TEXT = (
    "al ber cor dan el far gor hel in jor kal lem mar nor ol per quin ros sal ter ul ver wes xan yor zel bra cla dre "
    "fle gra kro pri sto tri"
)
_STEMS = _STEMS_TEXT.split()
_ENDS_TEXT = "do na rix tek ma vex lin ston co ra der men vik sen dal tor mann ton field er"
_ENDS = _ENDS_TEXT.split()
_PEOPLE_TEXT = (
    "Jansen Bakker Visser Smit Meijer Müller Schmidt Fischer Weber Dubois Lefèvre García Rossi Smith Brown Taylor "
    "Jensen Nielsen Virtanen Kowalski Novák Andersson"
)
_PEOPLE = _PEOPLE_TEXT.split()
_TRADES_TEXT = (
    "Transport|Bakery|Software|Engineering|Logistics|Consulting|Construction|Chemicals|Foods|Electronics|"
    "Pharmaceuticals|Insurance|Shipping|Furniture|Textiles|Optics|Machinery|Energy|Printing|Packaging"
)
_TRADES = _TRADES_TEXT.split("|")
_UNITS_TEXT = (
    "Lighting|Medical Systems|Finance|Real Estate|Research|Semiconductors|Automotive|Services|"
    "Aerospace|Retail"
)
_UNITS = _UNITS_TEXT.split("|")
_TOWNS = {
    "NL": "Amsterdam Rotterdam Utrecht Eindhoven Groningen Tilburg Zwolle Breda",
    "DE": "Hamburg München Köln Leipzig Bremen Dresden Kiel",
    "FR": "Lyon Lille Nantes Rennes Dijon Reims",
    "GB": "Leeds Bristol Cardiff Derby Exeter York",
    "US": "Boston Denver Austin Dayton Tulsa Salem",
}
_FORMS = {
    "NL": ("B.V.", "BV", "b.v.", "N.V.", "NV", "VOF"),
    "DE": ("GmbH", "G.m.b.H.", "AG", "Aktiengesellschaft", "KG"),
    "FR": ("SA", "S.A.", "SARL", "S.A.R.L.", "SAS"),
    "GB": ("Ltd", "Ltd.", "Limited", "PLC", "plc"),
    "US": ("Inc", "Inc.", "Incorporated", "Corp.", "Corporation", "LLC"),
}
_ABBREVIATED = {
    "Engineering": "Eng.",
    "Pharmaceuticals": "Pharma",
    "International": "Intl",
    "Manufacturing": "Mfg",
    "University": "Univ.",
    "Institute": "Inst.",
    "Technology": "Tech.",
    "Services": "Svcs",
    "Systems": "Sys.",
    "Construction": "Constr.",
    "Hospital": "Hosp.",
    "Association": "Assn.",
}
_PLAIN = str.maketrans("éèüöäáíóç", "eeuoaaioc")
COLUMNS = ("name", "street", "house_number", "postcode", "city", "country", "phone", "vat_number")


@dataclass(frozen=True)
class _Organisation:
    name: str
    country: str
    town: str
    street: str
    number: str
    postcode: str
    phone: str
    vat: str


def generate(records: int, seed: int) -> pd.DataFrame:
    """About so many records, with ``record_id`` and the ``truth_id`` that only measures read."""
    dice = random.Random(seed)  # noqa: S311 - made-up data
    rows: list[dict[str, str | None]] = []
    number = 0
    while len(rows) < records:
        for one in _family(dice):
            number += 1
            times = dice.choices((1, 2, 3, 5), (50, 30, 15, 5))[0]
            rows += [_record(one, dice) | {"truth_id": str(number)} for _ in range(times)]
    dice.shuffle(rows)
    frame = pd.DataFrame(rows[:records]).astype("string")
    return frame.assign(record_id=[f"r{place:06d}" for place in range(len(frame))])


def _word(dice: random.Random) -> str:
    return (
        dice.choice(_STEMS) + dice.choice(_STEMS) * (dice.random() < 0.4) + dice.choice(_ENDS)
    ).capitalize()


def _family(dice: random.Random) -> list[_Organisation]:
    """Organisations that have a name in common: mostly one, at times a group's or a chain's."""
    country = dice.choices(list(_TOWNS), (40, 20, 15, 10, 15))[0]
    kind = dice.choices(("company", "group", "chain", "public"), (70, 10, 8, 12))[0]
    towns = _TOWNS[country].split()
    if kind == "public":
        what = dice.choice(
            ("University of {}", "{} Institute of Technology", "General Hospital {}", "{} Trade Association")
        )
        return [_placed(what.format(_word(dice)), country, dice)]
    if kind == "group":
        base = _word(dice)
        return [_placed(f"{base} {unit}", country, dice) for unit in dice.sample(_UNITS, dice.randint(2, 4))]
    if kind == "chain":
        base = f"{_word(dice)} {dice.choice(('Stores', 'Market', 'Hotel', 'Coffee'))}"
        picked = dice.sample(towns, min(len(towns), dice.randint(2, 5)))
        return [_placed(f"{base} {town}", country, dice, town) for town in picked]
    first = dice.choice(_PEOPLE) if dice.random() < 0.4 else _word(dice)
    second = f" & {dice.choice(('Sons', 'Partners', dice.choice(_PEOPLE)))}" if dice.random() < 0.15 else ""
    wide = dice.choice((" International", " Manufacturing", " Group")) if dice.random() < 0.25 else ""
    return [_placed(f"{first}{second} {dice.choice(_TRADES)}{wide}", country, dice)]


def _placed(name: str, country: str, dice: random.Random, town: str | None = None) -> _Organisation:
    return _Organisation(
        name,
        country,
        town or dice.choice(_TOWNS[country].split()),
        f"{_word(dice)} {dice.choice(('Street', 'Road', 'Lane', 'Square'))}",
        str(dice.randint(1, 250)),
        f"{dice.randint(1000, 9999)}{dice.choice('ABCDEFGH')}{dice.choice('ABCDEFGH')}",
        f"0{dice.randint(10**8, 10**9 - 1)}",
        f"{country}{dice.randint(10**8, 10**9 - 1)}",
    )


def _record(one: _Organisation, dice: random.Random) -> dict[str, str | None]:
    """What one system holds of an organisation."""

    def maybe(value: str, share: float) -> str | None:
        return value if dice.random() < share else None

    moved = dice.random() < 0.06
    town = dice.choice(_TOWNS[one.country].split()) if moved else one.town
    return {
        "name": _written(one, dice),
        "street": maybe(_slip(one.street, dice, 0.05) if not moved else f"{_word(dice)} Road", 0.9),
        "house_number": maybe(one.number if not moved else str(dice.randint(1, 250)), 0.9),
        "postcode": maybe(one.postcode if not moved else f"{dice.randint(1000, 9999)}AB", 0.85),
        "city": maybe(_slip(town, dice, 0.03), 0.95),
        "country": one.country,
        "phone": maybe(one.phone, 0.4),
        "vat_number": maybe(one.vat, 0.25),
    }


def _written(one: _Organisation, dice: random.Random) -> str:
    words = one.name.split()
    if len(words) >= 4 and dice.random() < 0.08:
        words = ["".join(word[0] for word in words if word not in ("&", "of"))]
    if words[:2] == ["University", "of"] and dice.random() < 0.3:
        words = [*words[2:], "University"]
    words = [_ABBREVIATED.get(word, word) if dice.random() < 0.25 else word for word in words]
    words = [dice.choice(("and", "+", "&")) if word == "&" else word for word in words]
    if len(words) > 2 and dice.random() < 0.07:
        words = words[:-1]
    if one.town not in words and dice.random() < 0.08:
        words.append(one.town)
    text = _slip(" ".join(words), dice, 0.12)
    if not one.name.startswith(("University", "General Hospital")) and dice.random() < 0.75:
        form = dice.choice(_FORMS[one.country])
        text = dice.choices((f"{text} {form}", f"{text}, {form}", f"{form} {text}"), (80, 15, 5))[0]
    if dice.random() < 0.15:
        text = text.upper()
    return text.translate(_PLAIN) if dice.random() < 0.4 else text


def _slip(text: str, dice: random.Random, share: float) -> str:
    """A text, at times with one typing error."""
    places = [
        place for place, letter in enumerate(text[:-1]) if letter.isalpha() and text[place + 1].isalpha()
    ]
    if not places or dice.random() >= share:
        return text
    at = dice.choice(places)
    return text[:at] + dice.choice(
        [text[at + 1 :], text[at] + text[at:], text[at + 1] + text[at] + text[at + 2 :], "e" + text[at + 1 :]]
    )
