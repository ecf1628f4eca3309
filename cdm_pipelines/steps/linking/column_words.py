"""Words in headers that tell what a column is worth for linking, in the languages that extracts come in.

Belongs here: tables of words. Does not belong here: what contracts map (quality.semantics), or weighing headers against
values (column_meanings).
"""

import re

from anyascii import anyascii

from cdm_pipelines.quality.semantics import Kind, header_words

ANSWER = re.compile(
    r"\b(cluster|truth|true|label|gold(?:en)?|dup(?:licate|e)?s?|match(?:ed|es)?|entity (?:id|key|no|number))\b"
)
"""Who has such a column wants to measure with it."""
TREATED = re.compile(r"\b(raw|orig(?:inal)?|clean(?:ed)?|std|standardi[sz]ed|norm(?:ali[sz]ed)?|masked)\b")
NOT_A_BIRTHDAY = re.compile(
    r"\b(creat\w*|modif\w*|updat\w*|chang\w*|regist\w*|order\w*|visit\w*|last|since|from|until|start\w*|end\w*|valid\w*"
    r"|expir\w*|sign\w*|join\w*|enrol\w*|died|deces|deceas\w*|death|wedding|married|purchas\w*|paid|invoice|contact"
    r"|member\w*|seen|load\w*|insert\w*|extract\w*|aangemaakt|gewijzigd|overl\w*|erstellt|geandert|ingang\w*|einde)\b"
)
"""Dates of events, however much their values look like birthdays."""
NAMELESS = re.compile(
    r"(?:unnamed|col(?:umn)?|fields?|kolom|spalte|veld|feld|colonne|columna|attr\w*|var|f|c|v|x)? ?[0-9]*"
)
"""A header that says nothing."""
NAMES_A_NAME = re.compile(r"\b\w*(?:name?s?|naam|nom|nome|nombre)\b")

_LETTERS = r"[\pL][\pL\pM'\x{2019}. -]*"
_CODE = r"(?i)[A-Z]{0,3}[0-9][A-Z0-9]{0,4}(?:[ -]?[A-Z0-9]{2,4})?"
_HOUSE = r"[0-9]{1,5}(?:[ /-]?\pL{1,4})?(?:[ /-][0-9]{1,4})?(?:\.0)?"
_PHONE = r"\+?[0-9 ()./-]{6,20}(?:\.0)?"
_OF_BIRTH = (
    r"(?:birth|born|b|dob|rec b|geb|geboorte|geburts?|naiss(?:ance)?|nac(?:imiento)?|nascita|nascimento)"
)

WORDS: tuple[Kind, ...] = (
    Kind(
        "party.given_name",
        r"(?:first|fore|given|christian|call) ?(?:names?)?(?: c)?(?: ?1)?|f ?names?(?: c)?(?: ?1)?|g ?names?|roep ?naam"
        r"|voor ?na(?:am|men)|vor ?namen?|ruf ?name|prenoms?|nombres?|nombre de pila|primer nombre|nome|imie|fornavn"
        r"|fornamn|etunimi",
        _LETTERS,
    ),
    Kind(
        "party.middle_names",
        r"middle(?: ?(?:names?|initials?))?|m ?names?|mi|mid ?init(?:ial)?|(?:first|fore|given|f) ?names?(?: c)? ?2"
        r"|(?:second|2nd|other) (?:given |first |fore )?names?|tweede (?:voor)?naam|zweit(?:er)? ?(?:vor)?name"
        r"|deuxieme prenom|segundo nombre|drugie imie|mellannamn|mellomnavn",
        _LETTERS,
    ),
    Kind(
        "party.family_name",
        r"(?:last|sur|family|fam) ?(?:names?)?(?: c)?(?: ?1)?|l ?names?(?: c)?(?: ?1)?|achter ?naam|familie ?naam"
        r"|nach ?name|familien ?name|zu ?name|nom(?: de famille)?|apellidos?(?: ?1)?|primer apellido"
        r"|apellido paterno|cognome|sobrenome|apelido|nazwisko|etternavn|efternavn|efternamn|sukunimi",
        _LETTERS,
    ),
    Kind(
        "second_surname",
        r"(?:last|sur|family|l) ?names?(?: c)? ?2|second (?:last|sur|family) ?name|apellido ?2|segundo apellido"
        r"|apellido materno|(?:tweede|2e) achter ?naam",
        _LETTERS,
    ),
    Kind(
        "party.full_name",
        r"(?:full|whole|complete|person|patient|member) ?names?|volledige ?naam|nombre completo"
        r"|nom complet|nome completo|nom prenom|prenom nom"
        r"|(?:first|given) (?:name )?(?:and|en|und|y) (?:last|sur) ?name",
        r".*\pL.*",
    ),
    Kind(
        "party.birth_date",
        rf"{_OF_BIRTH} ?(?:dat[eu]m?|day|dag|tag|dt)|born(?: on)?|d ?o ?b|date ?of ?birth|b ?day"
        r"|geb(?:oren)?(?: ?op| am)?|geburts ?(?:datum|tag)|(?:date )?(?:de )?naissance|ne le"
        r"|f(?:ec(?:ha)?)? ?(?:de )?nac(?:imiento)?"
        r"|data ?(?:di |de )?(?:nascita|nascimento|urodzenia)|fodsels ?dato|fodelse ?(?:datum|dag)|syntyma ?aika",
    ),
    Kind(
        "birth_year",
        rf"(?:dob|{_OF_BIRTH})? ?(?:year|yr|yy|yyyy|jaar|jahr|annee|ano|anno|an)(?: (?:of|de|di) "
        r"(?:birth|naissance|nacimiento|nascita))?|(?:dob )?y|by|yob|rec by",
    ),
    Kind(
        "birth_month",
        rf"(?:dob|{_OF_BIRTH})? ?(?:month|mon|mo|mm|maand|monat|mois|mes|mese)(?: (?:of|de|di) "
        r"(?:birth|naissance|nacimiento|nascita))?|(?:dob )?m|bm|mob|rec bm",
    ),
    Kind(
        "birth_day",
        rf"(?:dob|{_OF_BIRTH})? ?(?:day|dy|dd|dag|tag|jour|dia|giorno)(?: (?:of|de|di) "
        r"(?:birth|naissance|nacimiento|nascita))?|(?:dob )?d|bd|rec bd",
    ),
    Kind(
        "birth_place",
        r"(?:.* )?(?:birth ?place|place of birth|geboorte ?plaats|geburts ?ort|lieu de naissance)",
    ),
    Kind(
        "party.gender",
        r"sexo?|sexe|genero|genre|sesso|geschlecht|geslacht|gender|kon|kjonn|m f",
        r"(?i)\pL+|[0129]",
    ),
    Kind(
        "party.house_number",
        r"(?:house|hse|home|building|street|huis|haus) ?(?:numbers?|nummer|num|no|nr)|house|h ?(?:nr|no|num)"
        r"|numero|num|nr civico|civico|huis ?nr|haus ?nr",
        _HOUSE,
    ),
    Kind(
        "party.address_line",
        r"(?:street|str|st|road) ?(?:names?|nam|naam)?(?: ?1)?|address(?: ?line)?(?: ?1)?|addr(?: ?1)?"
        r"|straat ?(?:naam)?|strass?e|adresse(?: ?1)?|calle|domicilio|direccion|rue|voie|via|indirizzo|rua|morada"
        r"|endereco|ulica|gata|adress",
        r".*\pL.*",
    ),
    Kind(
        "party.postcode",
        r"(?:post|postal|zip) ?(?:code|cd|nr|nummer|no)? ?(?:area|district|sector|prefix|[1-9])?|pc ?[0-9]?|p ?code|plz"
        r"|postleit ?zahl|cp|code ?post(?:al|e)|codigo ?postal|cod ?post(?:al)?|cap|codice postale|kod pocztowy"
        r"|post ?nummer",
        _CODE,
    ),
    Kind(
        "party.city",
        r"city(?: ?name)?|town|suburb|locality|municipality|village|place|woon ?(?:plaats|ort)|plaats|gemeente|ort"
        r"|wohn ?ort"
        r"|stadt?|gemeinde|ville|commune|poblacion|localidad|ciudad|municipio|citta|comune|cidade|localidade|miasto|ort",
        _LETTERS,
    ),
    Kind(
        "party.region",
        r"state|region|province|county|district|provincie|bundes ?land|departement|provincia|estado",
    ),
    Kind("party.country", r"country(?: ?(?:code|name|of residence))?|nationality|land|pays|pais|paese|staat"),
    Kind(
        "party.email",
        r".*\be? ?mails?\b(?: ?(?:address|adress?e?|adres))?|\w*mail ?adress?e?|courriel|correo(?: \w+)?",
        r"[^@\s]+@[^@\s]+",
    ),
    Kind(
        "party.mobile",
        r"mobile?(?: ?(?:phone|number|no|nr))?|mobiel|movil|cell(?: ?phone)?|cellulare|portable|handy|gsm|telemovel",
        _PHONE,
    ),
    Kind(
        "party.phone",
        r"(?:home |work |contact )?(?:tele)?(?:phone|fon|foon)(?: ?(?:numbers?|nummer|no|nr))?(?: ?[0-9])?"
        r"|tel(?: ?(?:no|nr|number))?|telefono|telefone|contact ?(?:no|number)",
        _PHONE,
    ),
    Kind(
        "national_id",
        r"ssn|bsn|nino|dni|nif|cpf|nhs(?: ?(?:no|number))?|soc(?:ial)? ?sec(?:urity)?(?: ?(?:id|no|number|nr))?"
        r"|national ?(?:id|insurance|number)(?: ?(?:no|number))?|passport(?: ?(?:no|number|nr))?|codice fiscale|pesel"
        r"|person ?nummer|burger ?service ?nummer|(?:loyalty|card|member(?:ship)?) ?(?:id|no|number|card)|tax ?id"
        r"|driv\w+ licen[cs]e(?: ?(?:no|number))?",
        r"(?i)[A-Z0-9][A-Z0-9 ./-]{4,24}",
    ),
)
"""What headers say beside what contracts map (``quality.semantics``): other languages, short forms, parts of dates."""
MAYBE: tuple[Kind, ...] = (
    Kind("party.family_name", r"s ?names?", _LETTERS),
    Kind("party.middle_names", r"s ?names?", _LETTERS),
    Kind("party.birth_date", r"date|datum|fecha|data|birth|day"),
)
"""Headers that say it where nothing else in the file does."""


def words_of(name: str) -> str:
    """A header as small words without accents, digits apart: ``Straße``, ``lname_c2``, ``Street #``."""
    plain = anyascii(name.replace("#", " number ").replace("№", " number "))
    return " ".join(re.sub(r"(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])", " ", header_words(plain)).split())
