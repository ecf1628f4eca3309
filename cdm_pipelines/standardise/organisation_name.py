"""Names of organisations, without their legal form.

Belongs here: legal forms in one spelling, trade names ("h.o.d.n."). Does not belong here: telling organisations from
persons.

Casing is kept: nobody can tell KPN from Kpn. ``i.o.`` (being founded) and ``in liquidatie`` say something of a
moment and are dropped. The forms of `_FORMS` are recognised everywhere; for a record of another country cleanco's
list of that country adds its own.
"""

import re
from functools import cache
from typing import NamedTuple

import pyarrow as pa
import pycountry
from cleanco.termdata import terms_by_country

from cdm_pipelines.standardise.distinct import FLAG, TEXT, Arrays, each, over_distinct

# Canonical form, and how it is written besides: letters stand for any punctuation between them (B.V., b v, BV).
_FORMS = {
    "BV": ("bv", "besloten vennootschap"), "NV": ("nv", "naamloze vennootschap"),
    "VOF": ("vof", "vennootschap onder firma"),
    "CV": ("cv", "commanditaire vennootschap"), "Coöperatie UA": ("coöperatie ua", "cooperatie ua", "coöp ua", "ua"),
    "BVBA": ("bvba",), "CVBA": ("cvba",), "VZW": ("vzw",), "ASBL": ("asbl",), "SPRL": ("sprl",), "SRL": ("srl",),
    "GmbH & Co. KG": ("gmbh & co kg", "gmbh und co kg", "gmbh + co kg"),
    "GmbH": ("gmbh", "gesellschaft mbh", "gesellschaft mit beschränkter haftung"),
    "KG": ("kg",), "OHG": ("ohg",), "UG": ("ug haftungsbeschränkt", "ug"), "GbR": ("gbr",),
    "e.K.": ("ek",), "AG": ("ag", "aktiengesellschaft"),
    "SARL": ("sarl",), "SASU": ("sasu",), "SAS": ("sas",), "EURL": ("eurl",),
    "SA": ("sa", "société anonyme", "sociedad anónima"),
    "Ltd": ("ltd", "limited"), "PLC": ("plc",), "LLP": ("llp",), "LLC": ("llc",), "Inc": ("inc", "incorporated"),
    "Corp": ("corp", "corporation"), "Pty Ltd": ("pty ltd", "pty limited", "proprietary limited"),
    "SpA": ("spa", "società per azioni"), "SL": ("sl",), "SE": ("se",),
    "AB": ("ab", "aktiebolag", "aktiebolaget"), "A/S": ("a/s", "aktieselskab"), "ApS": ("aps",),
    "Oy": ("oy", "osakeyhtiö"), "Oyj": ("oyj",), "s.r.o.": ("sro",), "Sp. z o.o.": ("sp z oo", "sp z o o"),
    "KGaA": ("kgaa",), "gGmbH": ("ggmbh",), "K.K.": ("kk", "kabushiki kaisha"), "Pte Ltd": ("pte ltd",),
    "Sdn Bhd": ("sdn bhd",), "Kft.": ("kft",), "Zrt.": ("zrt",), "d.o.o.": ("doo",), "Lda.": ("lda",),
    "Ltda.": ("ltda",),
    "Eenmanszaak": ("eenmanszaak",), "Maatschap": ("maatschap",),
}  # fmt: skip
# Words as well: only with full stops, in capitals within a name that is not all capitals, or at home.
_DOUBTFUL = {
    "SA": "FR BE CH LU ES",
    "SAS": "FR",
    "SE": "",
    "SL": "ES",
    "SpA": "IT",
    "AB": "SE",
    "AG": "DE CH AT",
    "UG": "DE",
}
_LEADING = {
    "Stichting": "stichting|stg\\.|foundation", "Vereniging": "vereniging",
    "Coöperatie": "co[öo]peratie(?:ve vereniging)?",
    "Maatschap": "maatschap", "VOF": "v\\.?o\\.?f\\.?", "BV": "b\\.?v\\.?", "NV": "n\\.?v\\.?",
    "VZW": "v\\.?z\\.?w\\.?",
    "Eenmanszaak": "eenmanszaak",
}  # fmt: skip
# "Vereniging van Eigenaars": the form is part of a name that makes no sense without it.
_BELONGS = re.compile(r"(?:van|voor|tot|ter|te|ten|inzake|in|op|bij|der|des|t\.?b\.?v\.?)\s", re.IGNORECASE)
_TRADES_AS = re.compile(
    r"[\s,(]+(?:t?\.?h\.?o\.?d\.?n\.?|t/a|d/?b/?a|(?:tevens )?handelend onder de naam|trading as)[\s.:]+",
    re.IGNORECASE,
)
_MOMENT = re.compile(r"[\s,(]+(?:i\.\s?o\.|in oprichting|in liquidatie|i\.l\.)\)?\s*$", re.IGNORECASE)
_AROUND = " \t\"',;:-("
_ODD = re.compile(r"@|https?:|[<>{}|\\^]")


class Organisation(NamedTuple):
    """The name of an organisation taken apart."""

    name: str | None
    legal_form: str | None
    trade_name: str | None
    odd: bool


def _spelled(form: str) -> str:
    """Pattern of a form: each letter of an abbreviation may have a full stop and a blank behind it."""
    if " " in form:
        return r"[\s.]+".join(_spelled(part) for part in form.split())
    if len(form) > 4 or not form.isalpha():
        return re.escape(form) + r"\.?"
    return r"\.?\s?".join(form) + r"\.?"


def _trailing(last_word: str = "") -> re.Pattern[str]:
    """Pattern of the forms behind a name, of those alone that can end with some letters."""
    groups = [
        f"(?P<f{number}>{_spelled(way)})"
        for number, (way, _) in enumerate(_WAYS)
        if _last_letters(way).endswith(last_word)
    ]
    return re.compile(rf"(?:^|(?<=[\s,(.]))(?:{'|'.join(groups)})[\s.,)]*$", re.IGNORECASE)


def _last_letters(way: str) -> str:
    return re.split(r"[\s/]", way)[-1]


def _last_words(forms: dict[str, tuple[str, ...]]) -> frozenset[str]:
    """What the last letters of a name with a form can be: ``bv``, or ``v`` where it is written B.V."""
    last = {_last_letters(way) for written in forms.values() for way in written}
    return frozenset(word[start:] for word in last for start in range(len(word)))


_WAYS = sorted(((way, name) for name, written in _FORMS.items() for way in written), key=lambda w: -len(w[0]))
_BEHIND = _trailing()
_LAST_WORDS = _last_words(_FORMS)
_LAST_WORD = re.compile(r"([^\W_]+)[\W_]*$")
_MAY_BEGIN = re.compile(
    r"(?:stichting|stg|foundation|vereniging|co[öo]p|maatschap|eenmanszaak|[vbn]\.?[ovz])", re.IGNORECASE
)
_MAY_TRADE = re.compile(r"h\.?o\.?d\.?n|t/a|d/?b/?a|handelend|trading", re.IGNORECASE)
_BEFORE = {name: re.compile(rf"(?:{pattern})\s+(?=\S)", re.IGNORECASE) for name, pattern in _LEADING.items()}


@cache
def _behind(last_word: str) -> re.Pattern[str]:
    """A few forms are tried in a tenth of the time of all; letters beyond ASCII have more than one spelling."""
    return _trailing(last_word) if last_word.isascii() else _BEHIND


@cache
def _national(country: str) -> frozenset[str]:
    """What cleanco knows of a country, without punctuation; forms of one letter are left out."""
    found = pycountry.countries.get(alpha_2=country)
    names = {found.name, getattr(found, "common_name", found.name)} if found else set()
    aliases = {
        "GB": "United Kingdom",
        "US": "United States of America",
        "CZ": "Czech Republic",
        "RU": "Russia",
    }
    terms = [t for name in sorted({*names, aliases.get(country, "")}) for t in terms_by_country.get(name, [])]
    return frozenset(bare for term in terms if len(bare := re.sub(r"[\W_]", "", term.casefold())) > 1)


def read_organisation(text: str, country: str | None) -> Organisation:
    """Read the name of an organisation; see `Organisation`."""
    name, *trade = _TRADES_AS.split(text, maxsplit=1) if _MAY_TRADE.search(text) else (text,)
    if not name.strip(_AROUND):
        name, trade = text, []
    name, form = _without_forms(name.strip(_AROUND), country)
    trade_name = _without_forms(trade[0].strip(_AROUND).rstrip(")"), country)[0] if trade else None
    return Organisation(name or None, form, trade_name, _ODD.search(name) is not None)


def _without_forms(name: str, country: str | None) -> tuple[str, str | None]:
    form: str | None = None
    while True:
        shorter, found = _step(name, country)
        form = form or found
        if shorter == name:
            return name, form
        name = shorter


def _step(name: str, country: str | None) -> tuple[str, str | None]:
    """The name without its outermost form; the same name when it has none, or none that can be taken off."""
    name = _balanced(_MOMENT.sub("", name).strip(_AROUND))
    last_word = _last_word(name)
    behind = _behind(last_word).search(name) if last_word in _LAST_WORDS else None
    if behind is not None and behind.start() > 0:
        form = _WAYS[int(str(behind.lastgroup)[1:])][1]
        if _is_meant(form, behind[0], name, country):
            return _balanced(name[: behind.start()].rstrip(_AROUND + ".&")) or name, form
    if country not in (None, "NL"):
        head, _, last = name.rpartition(" ")
        if head and re.sub(r"[\W_]", "", last.casefold()) in _national(country):
            return head.rstrip(_AROUND), last.replace(".", "").upper()
    for form, pattern in _BEFORE.items() if _MAY_BEGIN.match(name) else ():
        match = pattern.match(name)
        if match is not None:
            rest = name[match.end() :]
            return (name, form) if _BELONGS.match(rest) else (rest.strip(_AROUND) or name, form)
    return name, None


def _last_word(name: str) -> str:
    """The last letters and digits of a name, in small letters."""
    last = name.rpartition(" ")[2]
    if not last.isalnum():
        found = _LAST_WORD.search(name)
        last = found[1] if found else ""
    return last.casefold()


def _is_meant(form: str, written: str, name: str, country: str | None) -> bool:
    if form not in _DOUBTFUL:
        return True
    token = written.strip(" ,()")
    if len(re.sub(r"[\W_]", "", token)) > 4:  # written in full: Aktiengesellschaft
        return True
    at_home = country is not None and country in _DOUBTFUL[form].split()
    return at_home or "." in token or (token == form and not name.isupper())


def _balanced(name: str) -> str:
    return name + ")" if name.count("(") > name.count(")") else name


def read_legal_form(text: str) -> str:
    """A legal form in its one spelling, or as it is written when it is not known."""
    plain = text.strip()
    behind = _BEHIND.match(plain)
    if behind is not None:
        return _WAYS[int(str(behind.lastgroup)[1:])][1]
    for form, pattern in _BEFORE.items():
        if pattern.match(f"{plain} x"):
            return form
    return plain


def name(column: pa.Array, country: pa.Array) -> Arrays:
    """Organisation name, legal form and trade name, and where the name has what names do not have.

    Args:
        column: Text.
        country: ISO 3166-1 alpha-2 of the record, or of its source's default; null when unknown.
    """
    nothing = Organisation(None, None, None, odd=False)

    def standard(values: pa.Array, countries: pa.Array) -> Arrays:
        types = (TEXT, TEXT, TEXT, FLAG)
        return each(lambda v, c: read_organisation(v, c) if v else nothing, types, values, countries)

    return over_distinct(standard, column, country)


def legal_form(column: pa.Array) -> pa.Array:
    """Legal forms in one spelling."""

    def standard(values: pa.Array) -> Arrays:
        return each(lambda v: (read_legal_form(v) if v else None,), (TEXT,), values)

    return over_distinct(standard, column)[0]
