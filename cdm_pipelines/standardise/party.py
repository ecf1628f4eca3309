"""Canonical party attributes from the columns of a source.

Belongs here: which semantic type reads which target, and what one attribute tells about another (country of a phone
number, honorific and gender). Does not belong here: how a value is read.
"""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.model import KindRule, PartyKind
from cdm_pipelines.standardise import codes, dates, email, identifiers, numbers, organisation_name, phone
from cdm_pipelines.standardise.address import address
from cdm_pipelines.standardise.columns import Columns
from cdm_pipelines.standardise.distinct import TEXT, coalesce, no_text
from cdm_pipelines.standardise.person import culture, gender_hint, person_names

_NAME_TARGETS = (
    "honorific", "title", "given_name", "middle_names", "initials", "surname_prefix", "surname", "family_name",
    "full_name", "salutation",
)  # fmt: skip
_ADDRESS_TARGETS = (
    "street",
    "house_number",
    "house_addition",
    "address_extra",
    "postcode",
    "city",
    "region",
    "address_line",
)
_SEVERAL_LINES = ("street", "address_line")


@dataclass(frozen=True)
class Standard:
    """Attributes of an entity by name, and where a value is kept that cannot be right."""

    values: dict[str, pa.Array]
    wrong: dict[str, pa.Array] = field(default_factory=dict)


def kinds(columns: Columns, rule: KindRule | None) -> pa.Array:
    """``person`` or ``organisation`` of each record; without a rule, persons."""
    rule = rule or KindRule(PartyKind.PERSON)
    if rule.column is None:
        return pa.repeat(pa.scalar(str(rule.otherwise)), columns.length)
    telling = pc.utf8_trim_whitespace(columns.raw(rule.column))
    found = pc.index_in(telling, value_set=pa.array(list(rule.values), TEXT))
    named = pa.array([str(kind) for kind in rule.values.values()], TEXT)
    return pc.coalesce(named.take(found), pa.scalar(str(rule.otherwise)))


def party(columns: Columns, kind: pa.Array, extract_date: str) -> Standard:
    """Standardise all party targets that the contract feeds.

    Args:
        columns: The delivered columns.
        kind: What `kinds` returned.
        extract_date: YYYY-MM-DD.
    """
    country = codes.country(columns.text("country"))
    default = pa.scalar(columns.contract.default_country, TEXT)
    home = pc.coalesce(country, default)
    standard = Standard({"country": country})
    _add_names(standard, columns, kind, home)
    _add_address(standard, columns, home)
    _add_contact_points(standard, columns, home)
    _add_identifiers(standard, columns, home)
    _add_person_facts(standard, columns, extract_date)
    standard.values["email_opt_out"] = numbers.boolean(columns.code("email_opt_out"))
    standard.values["employer_id"] = columns.code("employer_id")
    standard.values["job_title"] = columns.text("job_title")
    return standard


def _add_names(standard: Standard, columns: Columns, kind: pa.Array, home: pa.Array) -> None:
    nothing = pa.scalar(None, TEXT)
    is_person = pc.equal(kind, str(PartyKind.PERSON))
    given = {target: columns.text(target) for target in _NAME_TARGETS if columns.has(target)}
    organisation = columns.text("organisation_name")
    if columns.has("name"):
        name = columns.text("name")
        own = given.get("full_name", no_text(columns.length))
        given["full_name"] = coalesce(own, pc.if_else(is_person, name, nothing))
        organisation = coalesce(organisation, pc.if_else(is_person, nothing, name))
    names, wrong = person_names(given, culture(home))
    read, form, trade, odd = organisation_name.name(organisation, home)
    standard.values.update(names)
    standard.values["organisation_name"] = read
    standard.values["legal_form"] = coalesce(organisation_name.legal_form(columns.text("legal_form")), form)
    standard.values["trade_name"] = coalesce(columns.text("trade_name"), trade)
    standard.wrong.update(wrong, organisation_name=odd)


def _add_address(standard: Standard, columns: Columns, home: pa.Array) -> None:
    given = {
        target: columns.text(target, keep_lines=target in _SEVERAL_LINES)
        for target in _ADDRESS_TARGETS
        if columns.has(target)
    }
    values, wrong = address(given, home)
    standard.values.update(values)
    standard.wrong.update(wrong)


def _add_contact_points(standard: Standard, columns: Columns, home: pa.Array) -> None:
    phones = (phone.read(columns.code(target), home) for target in ("phone", "mobile"))
    number, mobile, wrong_number, wrong_mobile = phone.assign(*phones)
    mail, wrong_mail = email.read(columns.code("email"))
    standard.values.update(phone=number, mobile=mobile, email=mail, email_kind=email.kind(mail))
    standard.wrong.update(phone=wrong_number, mobile=wrong_mobile, email=wrong_mail)


def _add_identifiers(standard: Standard, columns: Columns, home: pa.Array) -> None:
    vat, wrong_vat = identifiers.vat_number(columns.code("vat_number"), home)
    coc, wrong_coc = identifiers.coc_number(columns.code("coc_number"), home)
    iban, wrong_iban = identifiers.iban(columns.code("iban"))
    standard.values.update(vat_number=vat, coc_number=coc, iban=iban)
    standard.wrong.update(vat_number=wrong_vat, coc_number=wrong_coc, iban=wrong_iban)


def _add_person_facts(standard: Standard, columns: Columns, extract_date: str) -> None:
    column = columns.column("birth_date")
    formats = column.date_formats if column is not None else ()
    born, wrong = dates.birth_date(columns.code("birth_date"), formats, extract_date)
    gender = codes.gender(columns.code("gender"))
    standard.values["gender"] = coalesce(gender, gender_hint(standard.values["honorific"]))
    standard.values["birth_date"] = born
    standard.values["language"] = codes.language(columns.code("language"))
    standard.wrong["birth_date"] = wrong
