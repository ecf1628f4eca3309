"""Names of organisations as words: what belongs to the name, and what only says what kind of organisation it is.

Belongs here: legal forms, words that join others, words of one meaning, on one name at a time. Does not belong here:
comparing two names (compare.organisation), or reading a source's field into name, form and trade name (standardise).

A table may come from anywhere, so nothing here asks for a country. What is a legal form in one country and a word in
another (SA, AG, AS, Spa) is taken for a form at the end of a name only.
"""

import re
from collections.abc import Iterable
from functools import cache

from anyascii import anyascii
from cleanco.termdata import terms_by_country, terms_by_type

_FORM_WORDS = (
    "bv nv vof bvba cvba sprl vzw asbl gmbh ggmbh mbh kgaa ohg gbr ltd limited llc llp lllp plc pllc inc incorporated "
    "corp corporation sarl sasu eurl pty pte srl oy oyj ab aps sro bhd kft zrt nyrt ltda lda doo eood ood uab ehf "
    "stichting stg eenmanszaak maatschap vereniging"
)
_FORMS = frozenset(_FORM_WORDS.split())
"""Legal forms wherever they stand in a name."""

_END_WORDS = (
    "sa sas se sl ag ug kg eg ev ek ek ua cv as asa ans hb kb oe ee ae snc scs sca spa sl slu sal sae saoc jsc pjsc "
    "ojsc ooo oao zao pao kk yk gk co company cie lp unlimited private public cooperatie cooperative coop"
)
_AT_END = _FORMS | frozenset(_END_WORDS.split())
"""Also words, or parts of names: legal forms at the end."""

_PHRASES = (
    "besloten vennootschap", "naamloze vennootschap", "vennootschap onder firma", "commanditaire vennootschap",
    "cooperatieve vereniging", "aktiengesellschaft", "kommanditgesellschaft", "offene handelsgesellschaft",
    "gesellschaft mit beschrankter haftung", "gesellschaft mit beschraenkter haftung", "gesellschaft mbh",
    "eingetragener verein", "societe anonyme", "societe a responsabilite limitee", "societe par actions simplifiee",
    "sociedad anonima", "sociedade anonima", "sociedad limitada", "societa per azioni",
    "societa a responsabilita limitata", "aktiebolag", "aktiebolaget", "aktieselskab", "aktieselskabet",
    "aksjeselskap", "osakeyhtio", "kabushiki kaisha", "kabushiki gaisha", "yugen kaisha", "public limited company",
    "private limited", "limited liability company", "limited liability partnership", "limited partnership",
    "aktsiaselts", "spolka z ograniczona odpowiedzialnoscia", "spolka akcyjna", "sp z oo", "sp z o o", "sdn bhd",
    "pty limited", "haftungsbeschrankt", "a spol", "z oo", "in liquidatie", "in oprichting", "s de rl", "de rl de cv",
    "obshchestvo s ogranichennoi otvetstvennostiu",
)  # fmt: skip
_PHRASE = re.compile(rf"\b(?:{'|'.join(sorted(_PHRASES, key=len, reverse=True))})\b")

_JOINING_WORDS = (
    "and en und et e y i og och the de het der die das den dem des du la le les el los las il lo gli of van von zu "
    "zur zum voor for fur pour per op in im te ten ter at aan a an da do dos das di del della t s d l represented by"
)
JOINING = frozenset(_JOINING_WORDS.split())
"""Words that join others: in names they come and go."""

# Words of one meaning, the first of each line standing for all: abbreviations, and what organisations call themselves
# in the languages around us. Written down from dictionaries; nothing here comes from labelled pairs.
_SAME_WORDS = """
university univ uni universiteit universitat universitaet universite universidad universidade universita universitet
college coll hogeschool
school schule ecole escuela scuola scholen
institute inst institut instituut institution instituto istituto
hospital hosp ziekenhuis krankenhaus hopital klinikum
academy acad academie akademie academia
technology tech technologie technologies technological technologisch technologische technisch technische technical
technique techniek technik tecnologia
science sci sciences wetenschap wetenschappen wissenschaft wissenschaften
research res onderzoek forschung recherche recherches investigacion
laboratory lab labs laboratories laboratorium laboratoire laboratoires
medical med medisch medische medizin medizinische medicine
centre center cent ctr centrum zentrum centro
international intl int internationaal internationale internacional intern
national natl nat nationaal nationale nacional
european eur europees europese europaische europaeische europeen
american amer
manufacturing mfg manuf manufacture
manufacturer mfr mfrs manufacturers
engineering eng engrg engr engineers
industry ind inds industries industrie industrial industriel industrielle industrias industria
company cie compagnie compania maatschappij mij
business bedrijf
brothers bros gebroeders gebr gebruder fratelli
sons zonen zn soehne sohne fils hijos figli
service svc svcs services serv diensten dienst
system sys systems systemen systeme systemes sistemas
product prod prods products produkten produkte produits
chemical chem chemicals chemie chemische chimie chimique
pharmaceutical pharm pharma pharmaceuticals farma pharmazeutische
electric elec elektrisch elektro electrical electrique
electronics electr elektronik elektronica electronic electronique
communication comm communications communicatie kommunikation
telecommunication telecom telecommunications telecommunicatie
computer comp computers
management mgmt mgt mgnt
development dev developments entwicklung ontwikkeling developpement
association assn assoc ass associates associated verband verbond
group grp groep gruppe groupe grupo gruppo
holding hldg holdings hold
organization organisation org organisatie organisations organizations
foundation fdn found fondation fundacion
society soc societe societa
department dept departement department
government govt gov regering
ministry min ministerie ministerium ministere
municipality gem gemeente gemeinde commune municipio city
bank banque banco banca
insurance ins insur verzekeringen verzekering versicherung assurantien assurances assurance
transport transports transportbedrijf
construction constr bouw bouwbedrijf bau
restaurant rest restaurants
administration admin administratie verwaltung
state staat
federal fed
united utd verenigde vereinigte
saint st sint sankt
great grote
north noord nord
south zuid sud
east oost ost est
west ouest
royal koninklijke koninklijk
"""
_SAME = [line.split() for line in _SAME_WORDS.splitlines() if line]
_MEANING = {word: words[0] for words in _SAME for word in words[1:]}

_GENERIC_WORDS = (
    "beheer exploitatie verhuur advies adviesbureau handel handelsonderneming handelsmaatschappij "
    "administratiekantoor accountants consultancy consulting consultants solutions software media partners "
    "investments trading works enterprises supermarkt bakkerij slagerij garage autobedrijf hotel cafe "
    "vastgoed installatie logistics logistiek import export automatisering zorg design studio shop store "
    "stores market trust fund nederland netherlands holland belgie belgium deutschland germany france usa us "
    "america uk europe world global new first the"
)
GENERIC = frozenset(_GENERIC_WORDS.split()) | {words[0] for words in _SAME}
"""Words that many organisations have, and that tell little about which one it is."""


@cache
def _forms_of_countries() -> frozenset[str]:
    """What cleanco knows of any country, without punctuation; forms of one or two letters are left out."""
    terms = [
        term for found in (terms_by_country, terms_by_type) for listed in found.values() for term in listed
    ]
    bare = {re.sub(r"[^a-z0-9]", "", anyascii(term).lower()) for term in terms if " " not in term.strip()}
    return frozenset(word for word in bare if len(word) > 2)


def organisation_name(plain: str) -> str:
    """A name in lower case without accents as its words: without legal forms, letters with full stops joined.

    A name of nothing but a legal form is left as it is.
    """
    text = re.sub("['`\u2019]", "", plain)
    text = re.sub(r"\ba/s\b", " as ", text)
    words = re.sub(r"[^a-z0-9]+", " ", text).split()
    joined = _letters_joined(words)
    bare = _PHRASE.sub(" ", " ".join(joined)).split() or joined
    return " ".join(_without_forms(bare))


def _letters_joined(words: list[str]) -> list[str]:
    """Letters that stand alone become one word (b v, i b m), a legal form at the end of them a word of its own."""
    made: list[str] = []
    run = ""
    for word in [*words, ""]:
        if len(word) == 1 and word.isalpha():
            run += word
            continue
        if run:
            made += _parted(run)
            run = ""
        if word:
            made.append(word)
    return made


def _parted(run: str) -> list[str]:
    for size in (4, 3, 2):
        if len(run) > size and run[-size:] in _AT_END:
            return [run[:-size], run[-size:]]
    return [run]


def _without_forms(words: list[str]) -> list[str]:
    kept = list(words)
    while len(kept) > 1 and (
        kept[-1] in _AT_END or kept[-1] in _forms_of_countries() or kept[-1] in ("and", "en")
    ):
        kept.pop()
    some = [word for word in kept if word not in _FORMS]
    return some or kept or words


def significant(name: str) -> tuple[str, ...]:
    """The words of a cleaned name in their order, joining words left out; all of them where nothing else is there."""
    words = dict.fromkeys(name.split())
    return tuple(word for word in words if word not in JOINING) or tuple(words)


def meaning(word: str) -> str:
    """The word that stands for all of its meaning: universiteit and univ for university."""
    return _MEANING.get(word, word)


def acronyms(name: str) -> Iterable[str]:
    """Initials of a cleaned name of several words: of all of them, and of those that are not joining words."""
    words = name.split()
    if len(words) < 2:
        return ()
    short = [word for word in words if word not in JOINING]
    found = {"".join(word[0] for word in words), "".join(word[0] for word in short)}
    return tuple(sorted(one for one in found if len(one) > 1))


def short_name(name: str) -> str:
    """What an acronym is looked for under: the name itself where it is one short word, else its initials."""
    words = significant(name)
    if len(words) == 1:
        return words[0] if 2 <= len(words[0]) <= 6 and words[0].isalpha() else ""
    return "".join(word[0] for word in words) if len(words) > 2 else ""


def sorted_words(name: str) -> str:
    """The words of a cleaned name by meaning, in alphabetical order, written together."""
    return "".join(sorted({meaning(word) for word in significant(name)}))
