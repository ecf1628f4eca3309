"""What a column is about, by its header and by its content.

Belongs here: words that systems and languages use in headers, and what values of a kind look like. Does not
belong here: types and formats (profile) or the contract that is made of it (suggest).
"""

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.quality.values import as_flags

_NOT_ABOUT_THE_PARTY = re.compile(
    r"\b(assistant|owner|creator|modifier|created by|modified by|account manager|accountant|reseller|reports to"
    r"|bounced|partner|product|model|item|tax|user|employee|controlled|picture|logo|hash|token|ip|template)\b"
)
_SECOND_CHOICE = re.compile(r"\b(other|shipping|delivery|home|alternate|secondary|extra|2|3|business)\b")


@dataclass(frozen=True, slots=True)
class Kind:
    """One meaning that a column can have.

    Attributes:
        target: Canonical path.
        header: Words in a header, in the systems and languages that customers' data comes in.
        content: What most values look like; None when content tells nothing.
        telling: Whether the content alone is enough.
    """

    target: str
    header: str
    content: str | None = None
    telling: bool = False


_EMAIL = r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"
_PHONE = r"\+?[0-9 ()./-]{6,20}"
_POSTCODE = (
    r"(?i)[0-9]{4} ?[A-Z]{2}|[0-9]{4,6}(?:-[0-9]{3,4})?|[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}"
    r"|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]"
)
_HONORIFIC = (
    r"(?i)(?:mr|mrs|ms|miss|mx|dr|prof|dhr|mevr|mw|de heer|mevrouw|herr|frau|hr|fr|m|mme|mlle|firma|company)"
    r"\.?(?: .*)?"
)
_LETTERS = r"[\pL][\pL\pM'\x{2019}. -]*"

KINDS: tuple[Kind, ...] = (
    Kind(
        "party.email_opt_out",
        r".*\bopt(?:ed)? ?out\b.*|unsubscribed|(?:is )?mailing excluded|do ?not ?(?:e ?)?mail|afgemeld",
    ),
    Kind(
        "party.email",
        r"e ?mail(?: ?(?:address|adres|adresse))?|smtp|mailadres|courriel|correo",
        _EMAIL,
        telling=True,
    ),
    Kind("party.mobile", r"mobile(?: ?phone)?|mobiel(?:nummer)?|cell(?: ?phone)?|gsm|handy|telf ?2", _PHONE),
    Kind(
        "party.phone",
        r"(?:tele)?phone(?: ?number)?|telefoon(?:nummer)?|tel|telefon|telf ?1|telephone",
        _PHONE,
    ),
    Kind(
        "party.iban",
        r"iban|bank ?accounts?|rekening(?:nummer)?",
        r"[A-Z]{2}[0-9]{2} ?[A-Z0-9 ]{11,36}",
        telling=True,
    ),
    Kind(
        "party.vat_number",
        r"vat(?: ?(?:number|id|no))?|btw(?: ?nummer)?|tax ?vat|ust ?id(?: ?nr)?|stceg",
        r"[A-Z]{2}[0-9A-Z.]{8,14}",
    ),
    Kind(
        "party.coc_number",
        r"kv ?k(?: ?(?:number|nummer))?|chamber ?of ?commerce|coc(?: ?number)?",
        r"[0-9]{8}",
    ),
    Kind(
        "party.birth_date",
        r"birth ?dat[eu]m?|birth ?day|dob|date of birth|geboorte ?datum|geburts ?datum|z*gbdat",
    ),
    Kind(
        "party.gender",
        r"gender|sex|geslacht|geschlecht",
        r"(?i)m|f|v|x|male|female|man|vrouw|woman|other|0|1|2",
    ),
    Kind("party.initials", r"initials|voorletters|initialen", r"(?:\pL\.? ?){1,6}"),
    Kind("party.given_name", r"first ?name|given ?name|fore ?name|voornaam|vorname|prenom", _LETTERS),
    Kind("party.middle_names", r"middle ?(?:names?|initial)|tweede ?naam", _LETTERS),
    Kind(
        "party.surname_prefix",
        r"tussenvoegsel|(?:naam)?voorvoegsel|(?:sur|last) ?name ?prefix|infix",
        _LETTERS,
    ),
    Kind(
        "party.family_name", r"last ?name|sur ?name|family ?name|achternaam|nachname|nom de famille", _LETTERS
    ),
    Kind("party.full_name", r"full ?name|volledige ?naam", _LETTERS),
    Kind("party.job_title", r"job ?title(?: description)?|functie|function|occupation|position|beruf"),
    Kind("party.salutation", r"salutation|aanhef|anrede?|prefix|title(?: abbreviation)?|titel", _HONORIFIC),
    Kind("party.trade_name", r"trade ?name|handelsnaam"),
    Kind("party.organisation_name", r"company|bedrijf(?:snaam)?|organi[sz]ation|organisatie|firma"),
    Kind("party.house_number", r"(?:house|street|huis|haus) ?(?:number|nummer|nr)", r"[0-9]{1,5}.*"),
    Kind(
        "party.house_addition",
        r"(?:house|street|huis) ?(?:number|nummer)? ?(?:suffix|addition|toevoeging)|toevoeging",
    ),
    Kind("party.address_extra", r"address ?(?:line)? ?2|adresregel ?2"),
    Kind(
        "party.address_line",
        r"(?:address ?)?street(?: ?address)?|address(?: ?line)?(?: ?1)?|adres|straat|stras+e?",
        r".*\pL.*",
    ),
    Kind("party.postcode", r"post(?:al)? ?code|zip(?: ?code)?|plz|pstlz", _POSTCODE),
    Kind("party.city", r"city|town|woonplaats|plaats|ort(?:01)?|stad|ville", _LETTERS),
    Kind("party.region", r"state(?: ?name| ?full)?|province|provincie|regio(?:n)?|bundesland"),
    Kind("party.country", r"country(?: ?(?:id|code|name))?|land(?:1|code)?|pays"),
    Kind("party.language", r"language|taal|spras|sprache|locale"),
    Kind("party.name", r"name(?: ?1)?|naam|customer(?: ?name)?|klant(?:naam)?|account ?name", r".*\pL.*"),
)
"""Every meaning of a party's column, the more telling header first."""

ORDER_KINDS: tuple[Kind, ...] = (
    Kind(
        "order_line.line_id",
        r"(?:order )?line ?(?:item)? ?(?:number|nr|no|id)|order ?line ?item|posnr|regel(?:nummer)?",
    ),
    Kind(
        "order_line.product_code",
        r"product ?(?:key|id|code|sku|number)|sku|matnr|artikel(?:nummer)?|line ?item sku",
    ),
    Kind("order_line.product_name", r"product ?name|line ?item name|arktx|omschrijving"),
    Kind("order_line.quantity", r"(?:order )?quantity|qty|aantal|kwmeng|line ?item quantity"),
    Kind("order_line.unit_price", r"unit ?price|price|prijs|netpr|line ?item price"),
    Kind("order.party_id", r"customer ?(?:key|id|number|code|user)?|kunnr|klant(?:nummer|id)?"),
    Kind("order.party_email", r"(?:customer |billing )?e ?mail(?: ?address)?", _EMAIL, telling=True),
    Kind("order.ordered_at", r"order(?:ed)? ?(?:date|at)|created at|besteldatum|audat"),
    Kind("order.currency", r"(?:order )?currency(?: ?code)?|valuta|waerk|waers", r"[A-Z]{3}"),
    Kind("order.total_amount", r"(?:order )?total(?: ?amount)?|totaal|bedrag|brtwr"),
    Kind("order.status", r"(?:order )?status|financial status|state"),
)
"""Every meaning of a column of orders and their lines, apart from the order's own number."""

ORDER_NUMBER = r"order ?(?:key|id|number|no|nr)|bestel(?:ling)?nummer|vbeln"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column is probably about.

    Attributes:
        target: Canonical path.
        confidence: From 0 to 1.
        why: In words.
    """

    target: str
    confidence: float
    why: str


def header_words(name: str) -> str:
    """A header as small words: ``MailingPostalCode``, ``mailing_postal_code`` and ``Mailing Postal Code`` are one."""
    text = re.sub(r"__c$", "", name)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    text = re.sub(r"[^0-9a-zà-ÿ]+", " ", text.lower()).strip()
    return text.translate(str.maketrans("éèëïü", "eeeiu"))


def meanings(name: str, values: pa.Array, kinds: tuple[Kind, ...] = KINDS) -> list[Meaning]:
    """What a column may be about, most probable first.

    Args:
        name: Header.
        values: Distinct values, none of them null.
        kinds: Among which meanings to choose.
    """
    words = header_words(name)
    found = [meaning for kind in kinds if (meaning := _judge(kind, words, values)) is not None]
    return sorted(found, key=lambda meaning: -meaning.confidence)


def names_order(name: str) -> bool:
    """Whether a header names the number of an order."""
    return re.fullmatch(ORDER_NUMBER, header_words(name)) is not None


def names_line(name: str) -> bool:
    """Whether a header names the number of a line within an order."""
    return re.fullmatch(ORDER_KINDS[0].header, header_words(name)) is not None


def entity_of(names: list[str]) -> Entity:
    """Whether a file holds parties, orders or order lines, by its headers."""
    words = [header_words(name) for name in names]
    found = {kind.target for kind in ORDER_KINDS for word in words if re.fullmatch(kind.header, word)}
    has_order = any(names_order(name) for name in names)
    if has_order and "order_line.line_id" in found:
        return Entity.ORDER_LINE
    if has_order and found & {"order.ordered_at", "order.total_amount"}:
        return Entity.ORDER
    return Entity.PARTY


def _judge(kind: Kind, words: str, values: pa.Array) -> Meaning | None:
    share = _share(kind.content, values)
    exact = re.fullmatch(kind.header, words) is not None
    within = not exact and re.search(rf"\b(?:{kind.header})$", words) is not None
    if not exact and not within:
        if kind.telling and share is not None and share > 0.9:
            return Meaning(kind.target, 0.6, f"{share:.0%} of the values look like it, the header does not")
        return None
    confidence = 0.75 if exact else 0.65
    why = "the header says so"
    if share is not None:
        confidence += 0.2 if share > 0.8 else 0.0 if share > 0.5 else -0.45
        why += f", and {share:.0%} of the values look like it"
    if kind.target.startswith("party.") and _NOT_ABOUT_THE_PARTY.search(words):
        confidence -= 0.5
        why += ", but it seems to be about someone else"
    if _SECOND_CHOICE.search(words):
        confidence -= 0.1
    return Meaning(kind.target, round(max(confidence, 0.0), 2), why)


def _share(content: str | None, values: pa.Array) -> float | None:
    """Which part of the values looks like the content; None when that tells nothing."""
    if content is None or not len(values):
        return None
    return float(as_flags(pc.match_substring_regex(values, rf"\A(?:{content})\z")).mean())
