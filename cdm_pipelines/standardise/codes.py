"""Codes of a standard: country, language, currency, gender.

Belongs here: every spelling that sources use for these, in one code. Does not belong here: codes of one source (a
contract's ``values``).

Names of countries and languages come from pycountry's translations of ISO 3166 and ISO 639 into the languages of
`_NAMES_IN`, those of countries also into the languages of `_FURTHER_NAMES_IN` where no two countries have one; only
what people write besides is listed here. A spelling that is not known gives null, never a guess.
"""

import gettext
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pyarrow as pa
import pycountry
from anyascii import anyascii

from cdm_pipelines.standardise.distinct import TEXT, Arrays, each, over_distinct

_NAMES_IN = ("nl", "de", "fr", "es", "it")
_FURTHER_NAMES_IN = (
    "bg", "ca", "cs", "da", "el", "et", "fi", "fy", "ga", "hr", "hu", "is", "lt", "lv", "mk", "nb_NO", "pl", "pt", "ro",
    "ru", "sk", "sl", "sq", "sr", "sv", "tr", "uk",
)  # fmt: skip
_ALIASES = {
    "NL": "holland, the netherlands, niederlande, hollande, pays bas, ned",
    "BE": "belgie, belgique, belgien, b, bel",
    "DE": "duitsland, deutschland, brd, d, bundesrepublik deutschland, germany, w germany",
    "FR": "f",
    "GB": "uk, u k, england, scotland, wales, northern ireland, engeland, schotland, great britain, groot brittannie, "
    "united kingdom, verenigd koninkrijk, grossbritannien",
    "US": "usa, u s a, u s, united states, united states of america, america, verenigde staten, amerika, vs, v s",
    "LU": "luxemburg, l, groothertogdom luxemburg",
    "IT": "i",
    "ES": "e",
    "AT": "a, oesterreich",
    "CH": "schweiz, suisse, svizzera",
    "CZ": "tsjechie, czech republic, ceska republika, tsjechische republiek",
    "PL": "polska",
    "SE": "sverige, s",
    "NO": "norge, n",
    "DK": "danmark",
    "FI": "suomi",
    "IE": "eire, republic of ireland, ierland",
    "PT": "p",
    "GR": "el, hellas",
    "TR": "turkiye, turkije, turkey",
    "HU": "magyarorszag",
    "HR": "hrvatska",
    "RU": "russia, rusland",
    "AE": "uae, u a e, dubai",
    "KR": "south korea, zuid korea",
    "CW": "curacao",
    "AW": "aruba",
    "BQ": "bonaire, saba, sint eustatius, bes",
    "XK": "kosovo, kosova, republic of kosovo, republika e kosoves, xkx, xk",  # in use, and not in ISO 3166
    "SK": "slovenska republika",
}
_CODE = 3
_CODE_BEHIND = re.compile(r"(?P<name>.+?)(?:\s-|\s*[(\[/,])\s*(?P<code>[A-Za-z]{2,3})\s*[)\]]?\s*")
_SAP_LANGUAGES = {
    "N": "nl", "E": "en", "D": "de", "F": "fr", "S": "es", "I": "it", "P": "pt", "K": "da", "V": "sv", "U": "fi",
    "O": "no", "L": "pl", "T": "tr", "R": "ru", "C": "cs", "H": "hu", "G": "el", "J": "ja", "1": "zh", "A": "ar",
    "B": "he", "W": "bg", "Q": "sk", "4": "ro", "6": "hr",
}  # fmt: skip
_LANGUAGE_ALIASES = {
    "nl": "nederlands, hollands, vlaams, flemish, dutch, ned, holl, nld, dut",
    "en": "engels, english, eng",
    "de": "duits, deutsch, german, deu, ger",
    "fr": "frans, francais, french, fra, fre",
    "es": "spaans, espanol, castellano, spanish",
    "it": "italiaans, italiano",
    "pl": "pools, polski",
    "tr": "turks, turkce",
    "el": "grieks, greek",
    "no": "noors, norsk",
}
_CURRENCY_ALIASES = {
    "€": "EUR",
    "EURO": "EUR",
    "EUROS": "EUR",
    "$": "USD",
    "US$": "USD",
    "£": "GBP",
    "¥": "JPY",
}
_GENDERS = {
    "female": "female, f, v, w, vrouw, vrouwelijk, weiblich, feminin, femme, frau, woman, vrl, 2",
    "male": "male, m, man, mannelijk, maennlich, mannlich, masculin, homme, herr, mnl, 1",
    "other": "other, x, o, anders, overig, divers, d, non-binary, nonbinary, non binary, neutraal, genderneutraal, nb",
}  # fmt: skip
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")


def _key(text: str) -> str:
    return _NOT_LETTERS.sub(" ", anyascii(text).lower()).strip()


def _listed(aliases: dict[str, str]) -> dict[str, str]:
    return {alias.strip(): code for code, names in aliases.items() for alias in names.split(",")}


def _translations(domain: str, languages: tuple[str, ...] = _NAMES_IN) -> list[Callable[[str], str]]:
    return [
        gettext.translation(domain, pycountry.LOCALES_DIR, languages=[code]).gettext for code in languages
    ]


def _names(country: Any) -> set[str]:
    fields = ("name", "official_name", "common_name")
    return {getattr(country, field) for field in fields if hasattr(country, field)}


@cache
def _countries() -> dict[str, str]:
    found: dict[str, str] = {}
    translate = _translations("iso3166-1")
    for item in sorted(pycountry.countries, key=lambda country: country.alpha_2):
        names = {item.alpha_3, item.alpha_2, item.numeric, *_names(item)}
        names |= {spoken(name) for name in tuple(names) for spoken in translate}
        for name in sorted(names):
            found.setdefault(_key(name), item.alpha_2)
    codes = {item.alpha_2.lower(): item.alpha_2 for item in pycountry.countries}
    return found | _listed(_ALIASES) | codes


@cache
def _further_countries() -> dict[str, str]:
    """Countries by names of one of them alone, in languages in which few write to a Dutch company."""
    found: dict[str, set[str]] = {}
    translate = _translations("iso3166-1", _FURTHER_NAMES_IN)
    for item in pycountry.countries:
        for spoken in translate:
            for name in _names(item):
                found.setdefault(_key(spoken(name)), set()).add(item.alpha_2)
    return {name: codes.pop() for name, codes in found.items() if len(codes) == 1 and len(name) > _CODE}


@cache
def _languages() -> dict[str, str]:
    found: dict[str, str] = {}
    translate = _translations("iso639-3")
    known = [item for item in pycountry.languages if hasattr(item, "alpha_2")]
    for item in sorted(known, key=lambda language: language.alpha_2):
        names = {item.name, item.alpha_3} | {spoken(item.name) for spoken in translate}
        names |= {item.bibliographic} if hasattr(item, "bibliographic") else set()
        for name in sorted(names):
            found.setdefault(_key(name), item.alpha_2)
    codes = {item.alpha_2: item.alpha_2 for item in known}
    return found | _listed(_LANGUAGE_ALIASES) | codes


@cache
def _currencies() -> frozenset[str]:
    return frozenset(item.alpha_3 for item in pycountry.currencies)


@cache
def _gender_words() -> dict[str, str]:
    return _listed(_GENDERS)


def read_country(text: str) -> str | None:
    """ISO 3166-1 alpha-2 code (or XK) of one spelling: a code, a name, or both: ``NL - Nederland``, ``Holland (NL)``.

    A name and a code behind it that mean two countries are none.
    """
    known = _countries()
    found = _named_country(text)
    if found is None and re.match(r"[A-Za-z]{2}\s*[-:(/]", text.strip()):
        found = known.get(_key(text)[:2])
    if found is None and (parts := _CODE_BEHIND.fullmatch(text)):
        code, named = known.get(parts["code"].lower()), _named_country(parts["name"])
        found = code if named in (None, code) else None
    return found


def _named_country(text: str) -> str | None:
    key = _key(text)
    found = _countries().get(key)
    if found is None and key.startswith(("the ", "de ", "la ")):
        found = _countries().get(key.split(" ", 1)[1])
    return found or _further_countries().get(key)


def read_language(text: str) -> str | None:
    """ISO 639-1 code of one spelling: a code, a locale (``nl_NL``), a name, or SAP's one-letter key."""
    stripped = text.strip()
    if len(stripped) == 1:
        return _SAP_LANGUAGES.get(stripped.upper())
    known = _languages()
    found = known.get(_key(stripped))
    if found is None and (locale := re.match(r"([A-Za-z]{2,3})[-_]", stripped)):
        found = known.get(locale[1].lower())
    return found or known.get(_key(re.split(r"[(,;]", stripped)[0]))


def read_currency(text: str) -> str | None:
    """ISO 4217 code of one spelling."""
    key = text.strip().upper()
    key = _CURRENCY_ALIASES.get(key, key)
    return key if key in _currencies() else None


def read_gender(text: str) -> str | None:
    """``female``, ``male`` or ``other``; digits as in ISO 5218."""
    return _gender_words().get(anyascii(text).strip().lower().rstrip("."))


def _read(column: pa.Array, reader: Callable[[str], str | None]) -> pa.Array:
    def standard(values: pa.Array) -> Arrays:
        return each(lambda value: (reader(value) if value else None,), (TEXT,), values)

    return over_distinct(standard, column)[0]


def country(column: pa.Array) -> pa.Array:
    """Countries as ISO 3166-1 alpha-2."""
    return _read(column, read_country)


def language(column: pa.Array) -> pa.Array:
    """Languages as ISO 639-1."""
    return _read(column, read_language)


def currency(column: pa.Array) -> pa.Array:
    """Currencies as ISO 4217."""
    return _read(column, read_currency)


def gender(column: pa.Array) -> pa.Array:
    """Genders as ``female``, ``male`` or ``other``."""
    return _read(column, read_gender)
