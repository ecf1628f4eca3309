"""The word lists of the demo: names, streets, towns, trades, articles.

Belongs here: reading the lists of ``vocabulary/`` and composing the long tails. Does not belong here: drawing
from them. The lists were written for this project.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cdm_demo.draws import Weighted

ORIGINS = ("nl", "fy", "tr", "ma", "sr", "pl", "de", "be")
"""Where names come from; the position is the code used in the arrays."""

ORIGIN_WEIGHTS = (815, 30, 32, 34, 33, 20, 20, 16)


@dataclass(frozen=True, slots=True)
class GivenName:
    """An official given name and what its bearers are called."""

    official: str
    called: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Town:
    """A town with its postal codes and area code."""

    country: str
    name: str
    inhabitants: int
    postcodes: tuple[int, ...]
    area: str
    region: str


@dataclass(frozen=True, slots=True)
class Article:
    """An article that the company sells; price in cents, tax included."""

    code: str
    name: str
    group: str
    price: int


def _lines(file: str) -> list[str]:
    raw = (files("cdm_demo") / "vocabulary" / file).read_text(encoding="utf-8")
    return [line for line in raw.splitlines() if line and not line.startswith("#")]


@cache
def _sections(file: str) -> dict[str, str]:
    sections: dict[str, str] = {}
    current = ""
    for line in _lines(file):
        if line.startswith("["):
            current = line.strip("[] ")
            sections[current] = ""
        else:
            sections[current] += f"{line}\n"
    return sections


@cache
def words(file: str, section: str) -> tuple[str, ...]:
    """The comma-separated words of one section of a list."""
    return tuple(word.strip() for word in _sections(file)[section].split(",") if word.strip())


@cache
def given_names(origin: str, gender: str, cohort: int) -> Weighted:
    """Given names by origin, gender (m, f) and birth cohort (1, 2, 3), most frequent first."""
    sections = _sections("given_names.txt")
    chosen = sections.get(f"{origin} {gender} {cohort}") or sections[f"{origin} {gender} 0"]
    names: list[GivenName] = []
    for token in chosen.split():
        official, _, called = token.replace("_", " ").partition("=")
        names.append(GivenName(official, tuple(called.split("/")) if called else (official,)))
    return Weighted(names, shift=6.0)


def split_surname(surname: str) -> tuple[str, str]:
    """Prefix and rest: ``van der Berg`` -> (``van der``, ``Berg``); names as in ``El Amrani`` stay whole."""
    parts = surname.split(" ")
    cut = 0
    while cut < len(parts) - 1 and parts[cut][0] in "abcdefghijklmnopqrstuvwxyz'":
        cut += 1
    if cut:
        return " ".join(parts[:cut]), " ".join(parts[cut:])
    for mark in ("d'", "l'", "D'"):
        if surname.startswith(mark):
            return mark, surname[len(mark) :]
    return "", surname


@cache
def surnames(origin: str) -> Weighted:
    """Surnames by origin as (prefix, rest), most frequent first; Dutch names get their long tail."""
    names = list(words("surnames.txt", origin))
    if origin == "nl":
        names += _tail()
    elif origin == "fy":
        names += _composed("tail-frisian-stem", "tail-frisian-ending")
    names = list(dict.fromkeys(names))
    return Weighted([split_surname(name) for name in names], shift=9.0)


def _composed(stems: str, endings: str) -> list[str]:
    """Every stem with every ending, in an order that alternates stems."""
    first, last = words("surnames.txt", stems), words("surnames.txt", endings)
    pairs = [(i, (i * 7 + j) % len(last)) for j in range(len(last)) for i in range(len(first))]
    return [first[i] + last[k] for i, k in pairs]


def _tail() -> list[str]:
    prefixes, places = words("surnames.txt", "tail-prefix"), words("surnames.txt", "tail-place")
    located = [
        f"{prefixes[(i * 5 + j) % len(prefixes)]} {place}" for j in range(3) for i, place in enumerate(places)
    ]
    composed = _composed("tail-stem", "tail-ending")
    head = len(located)
    interleaved = [name for pair in zip(located, composed[:head], strict=True) for name in pair]
    return interleaved + composed[head:]


@cache
def towns() -> tuple[Town, ...]:
    """Every town of the demo."""
    found = []
    for line in _lines("towns.txt"):
        country, name, inhabitants, codes, area, region = line.split(";")
        low, high = (int(code) for code in codes.split("-"))
        step = 10 if country == "BE" else 1
        found.append(Town(country, name, int(inhabitants), tuple(range(low, high + 1, step)), area, region))
    return tuple(found)


@cache
def streets(country: str) -> Weighted:
    """Street names of a country, most frequent first; Dutch ones get a composed tail."""
    names = list(words("streets.txt", country))
    if country == "NL":
        stems, endings = words("streets.txt", "NL-stem"), words("streets.txt", "NL-ending")
        for j in range(len(endings)):
            for i, stem in enumerate(stems):
                ending = endings[(i * 5 + j) % len(endings)]
                names.append(stem + ending)
    return Weighted(list(dict.fromkeys(names)), shift=12.0)


@cache
def articles() -> tuple[Article, ...]:
    """What the company sells, best-selling groups mixed."""
    found = []
    for number, entry in enumerate(words_by_bar("organisations.txt", "product")):
        name, group, price = entry
        found.append(Article(f"{group}-{10010 + 7 * number}", name, group, int(price)))
    return tuple(found)


@cache
def words_by_bar(file: str, section: str) -> tuple[tuple[str, ...], ...]:
    """The words of a section whose words have parts between bars."""
    return tuple(tuple(word.split("|")) for word in words(file, section))
