"""Addresses and their landlines.

Belongs here: towns, postal codes, streets and house numbers that fit together. Does not belong here: how a source
writes them (spelling) or who lives there (people).

A postal code fixes its street, as in the Netherlands: three neighbouring letter pairs share a street and take
turns in its house numbers.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from cdm_demo.draws import Draws, Ints, Text, Weights, mix, permute, text
from cdm_demo.words import streets, towns

_LETTERS = [f"{a}{b}" for a in "ABCDEGHJ" for b in "ABCDEGHJKLNPRSTVWXZ"]
_ADDITIONS = ("A", "B", "C", "D", "a", "bis", "2", "3", "12", "2 hoog", "3 hoog", "hs", "I", "II", "rood")
_ADDITION_WEIGHTS = (30, 18, 8, 4, 0, 6, 6, 4, 2, 5, 3, 4, 3, 3, 1)


@dataclass(slots=True)
class Addresses:
    """Addresses, one array per part.

    Attributes:
        country: NL, BE or DE.
        town: Name.
        region: Province; empty outside the Netherlands.
        postcode: Digits.
        letters: Two letters; empty outside the Netherlands.
        street: Name.
        number: House number, digits.
        addition: Empty for most.
        area: Area code with its leading zero.
        subscriber: Rest of the landline number.
    """

    country: Text
    town: Text
    region: Text
    postcode: Text
    letters: Text
    street: Text
    number: Text
    addition: Text
    area: Text
    subscriber: Text

    def __len__(self) -> int:
        return len(self.country)


@cache
def _postcodes() -> tuple[dict[str, tuple[Ints, Ints, Weights]], dict[str, Text]]:
    """Per country its postal codes, their towns and weights; and the towns' parts as arrays."""
    by_country: dict[str, tuple[list[int], list[int], list[int]]] = {}
    for position, town in enumerate(towns()):
        codes, owners, weights = by_country.setdefault(town.country, ([], [], []))
        codes.extend(town.postcodes)
        owners.extend([position] * len(town.postcodes))
        weights.extend([town.inhabitants * 1000 // len(town.postcodes)] * len(town.postcodes))
    tables = {
        country: (np.array(codes, dtype=np.int64), np.array(owners, dtype=np.int64), Weights(weights))
        for country, (codes, owners, weights) in by_country.items()
    }
    parts = {
        "town": text([town.name for town in towns()]),
        "region": text([town.region for town in towns()]),
        "area": text([town.area for town in towns()]),
    }
    return tables, parts


def addresses(draws: Draws, countries: Text, first_serial: int) -> Addresses:
    """Draw one address per country given.

    Args:
        draws: Streams of this use.
        countries: NL, BE or DE.
        first_serial: Number of the first address; makes the landline numbers different.
    """
    size = len(countries)
    tables, parts = _postcodes()
    code, town = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    where_drawn = draws.uniform("postcode", size)
    pair = draws.integers("letters", size, 0, len(_LETTERS))
    street = text([""] * size)
    for country, (codes, owners, weights) in tables.items():
        at = np.flatnonzero(countries == country)
        chosen = weights.at(where_drawn[at])
        code[at], town[at] = codes[chosen], owners[chosen]
        street[at] = streets(country).take(mix(code[at] * 64 + pair[at] // 3))
    number = 1 + (pair % 3) * 28 + draws.integers("number", size, 0, 28)
    added = draws.chance("added", size, np.where(countries == "NL", 0.13, 0.03))
    addition = text(_ADDITIONS)[draws.pick("addition", size, _ADDITION_WEIGHTS)]
    area = parts["area"][town]
    return Addresses(
        country=countries,
        town=parts["town"][town],
        region=parts["region"][town],
        postcode=text([str(c) for c in code.tolist()]),
        letters=np.where(countries == "NL", text(_LETTERS)[pair], ""),
        street=street,
        number=text([str(n) for n in number.tolist()]),
        addition=np.where(added, addition, ""),
        area=area,
        subscriber=_subscribers(area, np.arange(size, dtype=np.int64) + first_serial),
    )


def _subscribers(area: Text, serial: Ints) -> Text:
    """Numbers that make ten digits together with a Dutch area code; none starts with 0 or 1."""
    seven = permute(serial, 7_000_000, 121) + 2_000_000
    six = permute(serial, 700_000, 122) + 200_000
    long_area = np.array([len(code) >= 4 for code in area.tolist()], dtype=bool)
    return text([str(n) for n in np.where(long_area, six, seven).tolist()])


def joined(first: Addresses, second: Addresses) -> Addresses:
    """Two sets of addresses, one after the other."""
    return Addresses(
        *(
            np.concatenate([getattr(first, name), getattr(second, name)])
            for name in Addresses.__dataclass_fields__
        )
    )
