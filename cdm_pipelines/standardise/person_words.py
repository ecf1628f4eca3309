"""Words around a person's name: surname prefixes, forms of address, titles.

Belongs here: vocabulary. Does not belong here: the grammar that uses it (given_name, family_name, person_name).
"""

import re

from cdm_pipelines.standardise.distinct import remembered
from cdm_pipelines.standardise.vocabulary import words

# Prefixes that begin a surname, in one spelling; a prefix of several words is one of these after the other.
_PREFIXES = words(
    "van der den de het 't ten ter te in op aan bij onder over uit uijt voor tot toe von vom zu zum zur am im el al "
    "ben bin ibn abu di da del della dello dei degli dal dalla do dos das du des le la les lo los las d' l' dell' "
    "dall' af av y"
)
PREFIX_SPELLINGS = {word: word for word in sorted(_PREFIXES)} | {
    "t": "'t", "vander": "van der", "vanden": "van den", "vande": "van de", "van't": "van 't", "in't": "in 't",
    "op't": "op 't", "aan't": "aan 't", "v": "van", "v.": "van", "v.d": "v.d.", "v.d.": "v.d.", "vd": "v.d.",
    "v/d": "v.d.", "v/de": "van de", "v/der": "van der", "v/h": "van het", "v.h.": "van het", "v/t": "van 't",
    "v.de": "van de", "v.der": "van der", "v.den": "van den", "v.'t": "van 't", "a/d": "a/d",
}  # fmt: skip
# Within a full name these begin a surname only when written small: they are given names and surnames as well.
AMBIGUOUS_PREFIXES = words("ben bin st am im do las los al el la le da di du y v v. abu toe av af in op te")
# After a given name in a first-name field these belong to the surname: "Jan van der" | "Berg".
DUTCH_PREFIXES = words("van von der den de het 't t ten ter v.d. vd v/d v.d vander vanden vande zu van't")

MR, MRS, MX = "mr", "mrs", "mx"
HONORIFICS = {
    **dict.fromkeys(
        words("dhr heer mr mister mijnheer meneer herr monsieur hr sir sr señor sig signor signore"), MR
    ),
    **dict.fromkeys(
        words(
            "mevr mevrouw mw mej mejuffrouw juffrouw mrs ms miss mme madame mlle frau dame sra srta señora señorita "
            "doña sigra signora signorina fru fröken frøken"
        ),
        MRS,
    ),
    "mx": MX,
}
# Not a person, or more than one: no form of address follows from them.
HOUSEHOLDS = words("fam familie firma fa erven erfgenamen")
IGNORED = words("de den t.a.v tav aan exmo exma")
COUPLE = re.compile(
    r"(?<=\S)\s*(?:&|\+|(?<=\s)(?:en|and|und|et)(?=\s)|(?<=[a-zA-Z.])/(?=\s?[A-Z]))\s*(?=\S)", re.IGNORECASE
)

# Before the name, without full stop and case; those of `_NEEDS_STOP` are words or names without it.
TITLES = {
    "drs": "drs.", "ir": "ir.", "ing": "ing.", "mr": "mr.", "dr": "dr.", "prof": "prof.", "bc": "bc.", "ds": "ds.",
    "em": "em.", "kand": "kand.", "cand": "cand.", "lic": "lic.", "jhr": "jhr.", "jkvr": "jkvr.", "rev": "rev.",
    "mag": "mag.", "dipl-ing": "dipl.-ing.", "professor": "prof.", "doctor": "dr.", "med": "med.", "hc": "h.c.",
    "wed": "wed.", "weduwe": "wed.", "weduwnaar": "wed.", "dds": "dds.", "past": "past.", "zr": "zr.",
    "dott": "dott.", "dottssa": "dott.ssa", "drssa": "dr.ssa", "profssa": "prof.ssa", "avv": "avv.", "arch": "arch.",
    "geom": "geom.", "rag": "rag.", "dra": "dra.", "mgr": "mgr.",
}  # fmt: skip
NEEDS_STOP = words("bc ds em mag med hc past zr lic kand cand rev arch geom rag dra")
# Behind the name.
SUFFIXES = {
    "msc": "MSc", "bsc": "BSc", "phd": "PhD", "mba": "MBA", "llm": "LLM", "llb": "LLB", "emba": "EMBA",
    "mphil": "MPhil",
    "meng": "MEng", "beng": "BEng", "bba": "BBA", "bed": "BEd", "med": "MEd", "mres": "MRes", "dphil": "DPhil",
    "jr": "Jr.", "jun": "Jr.", "junior": "Jr.", "sr": "Sr.", "sen": "Sr.", "senior": "Sr.", "ii": "II", "iii": "III",
    "iv": "IV", "esq": "Esq.", "cpa": "CPA", "cfa": "CFA", "pmp": "PMP", "bhons": "BHons",
    "ma": "MA", "ba": "BA", "ra": "RA", "aa": "AA", "rc": "RC", "md": "MD", "re": "RE", "rb": "RB", "mpa": "MPA",
    "dds": "DDS", "mfa": "MFA", "eng": "Eng.",
}  # fmt: skip
# Also names or words: a title only in this very spelling, in a text that is not all capitals.
NEEDS_CAPITALS = words("ma ba ra aa rc md re rb mpa dds mfa eng bed med ii iii iv cpa cfa pmp sen jun")
# Words around a name that are no part of it.
RELATED = (
    HONORIFICS.keys() | HOUSEHOLDS | IGNORED | TITLES.keys() | SUFFIXES.keys()
    | words("geb geboren née born wed weduwe weduwnaar echtg ev en and und et")
)  # fmt: skip


_SHORT_HONORIFICS = words("sr sig")
_FEMININE = re.compile(r"\b(sig|dott|dr|prof)\.\s?(ra|ssa)\b\.?(?=\s|$)", re.IGNORECASE)


def one_word(text: str) -> str:
    """``Sig.ra`` and ``Dott.ssa`` without the full stop within them, which is no end of a word."""
    return _FEMININE.sub(r"\1\2.", text) if "." in text else text


def honorific_of(written: str) -> str | None:
    """The honorific that a word before a name is; ``SR`` without full stop is initials, and ``Sig`` a name."""
    word = bare(written)
    if word in _SHORT_HONORIFICS and "." not in written and written != "Sr":
        return None
    return HONORIFICS.get(word)


@remembered
def bare(token: str) -> str:
    """A token in small letters without full stops, as the tables above list it."""
    return token.replace(".", "").lower().strip(" ,;:()")


def prefix_of(token: str) -> str | None:
    """The prefix in its one spelling, when the token is one."""
    return PREFIX_SPELLINGS.get(token.lower())


def title_before(token: str, *, dutch: bool) -> str | None:
    """The title that a token before a name is; ``mr`` is the Dutch jurist's title only among Dutch names."""
    word = bare(token)
    if word == "mr":
        return TITLES[word] if dutch else None
    if word in NEEDS_STOP and "." not in token:
        return None
    return TITLES.get(word)


def title_behind(token: str, *, shouted: bool) -> str | None:
    """The title or suffix that a token behind a name is."""
    word = bare(token)
    found = SUFFIXES.get(word)
    if found is None or (word in NEEDS_CAPITALS and (shouted or token.strip(",") != found.strip("."))):
        return None
    return found
