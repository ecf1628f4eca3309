"""What people write in a field beside what belongs there: remarks, "t.a.v.", mailboxes, the name of a company.

Belongs here: telling it from the name or the address, and taking it off. Does not belong here: the grammar of what is
left (person_name, street), or what becomes of it (party).

A remark is told by its words, by its brackets, or by standing in small letters behind a dash where the name before it
is capitalised: "Jansen - de vries" may be a double name, "Jansen - zie ook 1234" is none.
"""

import re
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.standardise.distinct import FLAG, TEXT, Arrays, all_ascii, each, over_distinct
from cdm_pipelines.standardise.organisation_name import read_organisation
from cdm_pipelines.standardise.person_words import (
    COUPLE,
    bare,
    prefix_of,
    title_before,
    title_behind,
)

# A value that none of these signs and words is in has nothing beside it: nearly all have not.
_SUSPECT = (
    r"(?i)[@()\[\]{}*;|,:/]|\s[-\x{2013}\x{2014}]|[-\x{2013}\x{2014}]\s|\b(?:t\.?\s?a\.?\s?v|attn?|fao|c\.?o|p\.?a|z\.?\s?hd|"
    r"attentie|attention|händen|aandacht|overl|verst|dece|d[eé]c[eé]d|verhui|verzogen|niet|not|geen|wanbet|opgezegd|faill|"
    r"vervall|geblok|blok|dubbel|dupli|oud|ex|vip|let|zie)|\.\s*$"
)
_EMAIL = re.compile(r"[(<\[]?(?:mailto:|e-?mail:?\s*)?[\w.+%'-]+@[\w-]+(?:\.[\w-]+)+[)>\]]?", re.IGNORECASE)
_ATTENTION = re.compile(
    r"(?<![^\s,;(/-])(?:t\.?\s?a\.?\s?v\.?|attn?\b\.?|att\.|fao\b|z\.\s?hd\.?|ter attentie van|ter aandacht van|"
    r"for the attention of|zu händen(?: von)?|z\. ?h\.|à l'attention de|a l'attention de)(?:\s*:\s*|\s+)(?=\S)",
    re.IGNORECASE,
)
_CARE_OF = re.compile(r"(?<![^\s,;(])(?:c/o|p/a|p\.a\.|per adres)\s*:?\s*", re.IGNORECASE)
_WORDS = (
    r"(?:is\s+)?overl(?:eden|\.)|†|verstorben|deceased|d[eé]c[eé]d[eé]e?|verhuisd|unbekannt verzogen|moved away|"
    r"(?:graag |svp |a\.?u\.?b\.? )?(?:niet|nooit) (?:meer )?(?:bellen|mailen|benaderen|schrijven|aanschrijven|"
    r"bezoeken|gebruiken|leveren|storen|actief)|do not \w+|don't \w+|bitte nicht \w+|ne pas \w+|geen (?:reclame|post|"
    r"mailing|contact|klant)\b|wanbetal\w*|opgezegd|failliet|vervallen|geblokkeerd|blokkeren|dubbel(?:e)?\b|duplica\w+|"
    r"(?:oud|ex)-?\s?klant|vip\b|let op\b|zie (?:ook |opm|notitie|bijlage|\d).*|test\s?klant|inactief|inactive|"
    r"niet actief|oud adres|opmerking|nieuw(?:e klant)?\b|prospect|contactpersoon|inkoop|inkoper|verkoop|verkoper|"
    r"administratie|boekhouding|directeur|directie|eigenaar|eigenaresse|receptie|secretariaat|secretaresse|na \d.*|"
    r"voor \d.*|tel\.?\s.*"
)
_SIGNS = r"(?:\s*[*|;(\[{,:]+\s*|\s+[-\u2013\u2014/]+\s*|\s*[-\u2013\u2014/]+\s+)+"
_BEHIND = re.compile(rf"{_SIGNS}(?:{_WORDS}).*$", re.IGNORECASE)
# Verbs that are names too: Wil, Belt. They tell of somebody in small letters, before another word.
_BEHIND_VERB = re.compile(rf"{_SIGNS}(?:bestelt|belt|betaalt|komt|woont|wil|heeft)\s+\w.*$")
# Without any sign between them only what no surname is.
_BEHIND_BARE = re.compile(
    r"(?<=\S)\s+(?:overleden|deceased|verstorben|verhuisd|niet (?:meer )?(?:bellen|mailen|benaderen)|wanbetaler|"
    r"opgezegd|do not \w+)\b.*$",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\s*[(\[{]([^()\[\]{}]*)[)\]}]?\s*")
_CLOSED_BRACKETS = re.compile(r"\s*[(\[{]\s*([^()\[\]{}]*)[)\]}]\s*")
_REMARK = re.compile(_WORDS, re.IGNORECASE)
_OF_A_NAME = re.compile(r"(?:geb|née|born|e/v|e\.v|ev\b|wed|weduwe|echtg|w/v)[\w.]*", re.IGNORECASE)
_BORN_IN_BRACKETS = re.compile(
    r"\s*[(\[]\s*((?:geb|née|born|e/v|wed|weduwe)\b[^()\[\]]*)[)\]]", re.IGNORECASE
)
_RELATED_BY_SLASH = re.compile(r"\b(?:[ew]/v|v/[dht]|a/d)\b", re.IGNORECASE)
_FAMILIES = frozenset({"fam", "familie", "erven", "erfgenamen"})
_DASH = re.compile(
    r"\s+[-\u2013\u2014]+\s+|\s+[-\u2013\u2014]+(?=[a-z])|(?<=[a-zà-ÿ])[-\u2013\u2014]\s+(?=[a-z])"
)
_TITLES_BEHIND = re.compile(r"^(?P<name>.*\S)(?:\s*,\s*|\s+)(?P<titles>[^,]+)$")
# Forms that no person's name ends or begins with, whatever the country.
_FORMS = frozenset(
    {"BV", "NV", "VOF", "BVBA", "CVBA", "VZW", "ASBL", "SPRL", "SRL", "GmbH & Co. KG", "GmbH", "OHG", "GbR", "SARL",
     "EURL", "SASU", "Ltd", "PLC", "LLP", "LLC", "Inc", "Corp", "Pty Ltd", "A/S", "ApS", "s.r.o.", "Sp. z o.o.",
     "Stichting", "Vereniging", "Coöperatie", "Coöperatie UA", "Maatschap", "Eenmanszaak"}
)  # fmt: skip
_MAY_HAVE_FORM = (
    r"(?i)(?:b\.?\s?v|n\.?\s?v|v\.?\s?o\.?\s?f|bvba|cvba|vzw|asbl|sprl|srl|gmbh|kg|ohg|gbr|sarl|eurl|sasu|ltd|limited|plc|"
    r"llp|llc|inc|incorporated|corp|corporation|a/s|aps|o\.?|ua|vennootschap|maatschap|eenmanszaak)[\s.,)]*$|"
    r"^(?:stichting|stg|foundation|vereniging|co[öo]p|maatschap|eenmanszaak)"
)


class Name(NamedTuple):
    """A name without what stood beside it, and what that was."""

    text: str | None
    remark: bool = False
    attention: bool = False
    email: bool = False
    several: bool = False


def read_name(text: str) -> Name:
    """Take off a name what is no part of it; see `Name`."""
    rest = _EMAIL.sub(" ", text)
    email = rest != text
    rest = _BORN_IN_BRACKETS.sub(r" \1", _two_persons(rest))
    rest, attention = _without_attention(rest)
    plain = _without_remark(rest)
    remark = plain != rest
    plain = _titles_first(" ".join(plain.split()).strip(" ,;:/|*-\u2013\u2014"))
    first, _, others = plain.partition(" ")
    is_family = bool(others) and bare(first) in _FAMILIES
    return Name(
        (others if is_family else plain) or None, remark, attention, email, is_family or _is_several(plain)
    )


def _two_persons(text: str) -> str:
    """``Jan Smit / Piet Bos``: with fewer words on a side it is a double name."""
    parts = text.split(" / ")
    return " & ".join(parts) if len(parts) == 2 and all(len(part.split()) > 1 for part in parts) else text


def _without_attention(text: str) -> tuple[str, bool]:
    """Who a letter is for; before "c/o" who it is for, behind it where they are."""
    rest = text
    found = _ATTENTION.search(rest)
    if found is not None:
        rest = rest[found.end() :]
    care = _CARE_OF.search(rest)
    if care is not None:
        rest = rest[: care.start()] if rest[: care.start()].strip(" ,(") else rest[care.end() :]
    return rest.strip(" ,(") if rest != text else text, rest != text


def _without_remark(text: str) -> str:
    text = _CLOSED_BRACKETS.sub(
        lambda found: " " if _REMARK.match(found[1]) and _is_name(text[found.end() :]) else found[0], text
    )
    text = _BEHIND.sub("", text) if _BEHIND.search(text) and not _BEHIND.match(text) else text
    verb = _BEHIND_VERB.search(text)
    if verb is not None and not text[: verb.start()].islower():  # where all is in small letters a name is too
        text = text[: verb.start()] or text
    text = _BEHIND_BARE.sub("", text)
    text = _BRACKETS.sub(lambda found: " " if _is_remark(found[1]) else found[0], text)
    parts = _DASH.split(text, maxsplit=1)
    if len(parts) == 2 and parts[0][:1].isupper() and not parts[0].isupper() and _is_aside(parts[1]):
        text = parts[0]
    return text


def _is_name(behind: str) -> bool:
    """Whether what stands behind brackets is the rest of a name, and no more of a remark."""
    words = [word for word in behind.split() if prefix_of(word) is None]
    return bool(words) and words[0][0].isupper() and not any(sign.isdigit() for sign in behind)


def _is_remark(inside: str) -> bool:
    """Whether what stands in brackets is neither a call name nor the name that somebody was born with."""
    words = inside.split()
    if not words or _OF_A_NAME.match(words[0]):
        return not words
    return (words[0][0].islower() and prefix_of(words[0]) is None) or any(sign.isdigit() for sign in inside)


def _is_aside(behind: str) -> bool:
    """Whether what stands behind a dash is no half of a double name: in small letters, or with digits."""
    words = behind.split()
    return (
        bool(words) and prefix_of(words[0]) is None and (behind.islower() or any(s.isdigit() for s in behind))
    )


def _titles_first(text: str) -> str:
    """``de Vries, drs.`` and ``Jan de Vries ing.``: titles that belong before a name are put there."""
    words = text.replace(",", " , ").split()
    end = len(words)
    comma = "," in words
    while end > 1 and (words[end - 1] == "," or _is_title(words[end - 1], comma=comma)):
        end -= 1
    titles = [word for word in words[end:] if word != ","]
    before = [word for word in titles if title_behind(word, shouted=False) is None]
    if not before:
        return text
    behind = [word for word in titles if word not in before]
    return " ".join([*before, *words[:end], *behind]).replace(" ,", ",")


def _is_title(token: str, *, comma: bool) -> bool:
    """Whether a token behind a name is a title; without a comma, only one that belongs there or has a full stop."""
    if title_behind(token, shouted=False) is not None:
        return True
    return (
        (comma or token.endswith("."))
        and len(bare(token)) > 1
        and title_before(token, dutch=True) is not None
    )


def _is_several(text: str) -> bool:
    """Whether two persons stand in one name."""
    return COUPLE.search(_RELATED_BY_SLASH.sub(" ", text)) is not None


def names(column: pa.Array) -> Arrays:
    """Names, and where each kind of thing was taken off them, in the order of `Name`."""

    def standard(values: pa.Array) -> Arrays:
        suspect = pc.fill_null(pc.match_substring_regex(values, _SUSPECT), False)
        couple = pc.fill_null(
            pc.match_substring_regex(values, r"(?i)[&+]|\s(?:en|and|und|et)\s|^(?:fam|erven|erfg)"), False
        )
        suspect = pc.or_(suspect, couple)
        clean = [pa.repeat(pa.scalar(False), len(values)) for _ in range(4)]
        if not pc.any(suspect).as_py():
            return (values, *clean)
        slow = each(read_name, (TEXT, *(FLAG,) * 4), values.filter(suspect))
        return tuple(
            pc.replace_with_mask(fast, suspect, part)
            for fast, part in zip((values, *clean), slow, strict=True)
        )

    return over_distinct(standard, column)


def has_legal_form(column: pa.Array) -> pa.Array:
    """Where a name is an organisation's, by a legal form that no person's name has."""

    def standard(values: pa.Array) -> Arrays:
        flags = pc.fill_null(pc.match_substring_regex(values, _MAY_HAVE_FORM), False)
        if not pc.any(flags).as_py():
            return (flags,)
        (told,) = each(
            lambda v: (read_organisation(v, None).legal_form in _FORMS,), (FLAG,), values.filter(flags)
        )
        return (pc.replace_with_mask(flags, flags, told),)

    return over_distinct(standard, column)[0]


# Behind a house number: which bell, which door, what is near.
_PLACE = re.compile(
    r"^(?P<line>.*?[^\W\d_].*?\d+(?:\s?-?\s?[a-zA-Z](?![a-zA-Z])|\s?(?:bis|hs)\b|[-/]\d{1,4})?)(?:\s*[,;/-]\s*|\s+)(?P<aside>(?:"
    r"(?:\d+e|eerste|tweede|derde|vierde|bovenste|onderste|linker|rechter|middelste)\s*(?:bel|deur|ingang|poort)\b|"
    r"bel\s(?:\d|bij|boven|onder|links|rechts)|achterom|achterdeur|achteringang|achterzijde|voordeur|zijdeur|zijingang|"
    r"ingang|(?:tegenover|naast|achter|nabij|bij|boven|onder|voor|t/o|t\.o\.)\s+(?!\d)\w|hoek\s|via\s|afgeven|niet\s|"
    r"let\sop|graag\s|aanbellen|kloppen|gele?\s|groene?\s|rode?\s|witte?\s|blauwe?\s|derri[eè]re|rear\s|behind\s|opposite\s"
    r"|next\sto|near\s|gegenüber|neben|hinter|leave\s|c/o\s|p/a\s|sleutel|hond\b|pas\sop).*)$",
    re.IGNORECASE,
)
_PLACE_BRACKETS = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]\s*")


def read_place(text: str) -> tuple[str | None, str | None]:
    """An address line, or a part of one, without the remarks on it, and those."""
    aside: list[str] = []

    def taken(found: re.Match[str]) -> str:
        aside.append(found[1].strip())
        return " "

    lines = _PLACE_BRACKETS.sub(taken, text) if re.search(r"\d.*[(\[]|^\s*[(\[]", text) else text
    lines = "\n".join(" ".join(line.split()) for line in lines.split("\n")).strip()
    found = _PLACE.match(lines)
    if found is not None:
        lines = found["line"]
        aside.append(found["aside"].strip())
    return lines or None, ", ".join(filter(None, aside)) or None


def places(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Address lines, and the remarks that stood on them."""

    def standard(values: pa.Array) -> Arrays:
        letter = "[A-Za-z]" if all_ascii(values) else r"\pL"
        pattern = rf"[(\[]|[0-9].*[\s,;/-]{letter}{{3,}}|[0-9].*\b[0-9]e\b|[0-9].*t[/.]o"
        suspect = pc.fill_null(pc.match_substring_regex(values, pattern), False)
        nothing = pa.nulls(len(values), TEXT)
        if not pc.any(suspect).as_py():
            return values, nothing
        slow = each(read_place, (TEXT, TEXT), values.filter(suspect))
        return (
            pc.replace_with_mask(values, suspect, slow[0]),
            pc.replace_with_mask(nothing, suspect, slow[1]),
        )

    line, aside = over_distinct(standard, column)
    return line, aside
