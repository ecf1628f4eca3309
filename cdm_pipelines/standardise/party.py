"""Canonical party attributes from the columns of a source.

Belongs here: which semantic type reads which target, and what one attribute tells about another (country of a phone
number, honorific and gender). Does not belong here: how a value is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.model import KindRule, PartyKind
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.quality.values import as_mark
from cdm_pipelines.standardise import (
    aside,
    codes,
    dates,
    email,
    identifiers,
    numbers,
    organisation_name,
    phone,
)
from cdm_pipelines.standardise.address import address
from cdm_pipelines.standardise.columns import MARKED, MOVED, SHORTENED, Columns
from cdm_pipelines.standardise.distinct import TEXT, Arrays, coalesce, joined, no_flags, no_text
from cdm_pipelines.standardise.person import culture, gender_hint, person_names
from cdm_pipelines.standardise.placeholders import NO_PLACEHOLDERS, Placeholders

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

_WHOLE_NAMES = ("full_name", "name", "family_name", "surname", "given_name")
_IDENTIFIERS = ("vat_number", "coc_number", "iban")
_NAME_PARTS = ("given_name", "middle_names", "initials", "surname_prefix", "surname")
_FORMED = ("surname", "family_name", "full_name", "name")
_WITH_ASIDES = ("full_name", "given_name", "surname", "family_name")
_JOINED = r"(?i)[&+]|\s(?:en|and|und|et)\s"
_UNREAD = {
    "country": Rule.UNKNOWN_CODE,
    "language": Rule.UNKNOWN_CODE,
    "gender": Rule.UNKNOWN_CODE,
    "email_opt_out": Rule.NOT_BOOLEAN,
    "email": Rule.NOT_EMAIL,
    "vat_number": Rule.NOT_IDENTIFIER,
    "coc_number": Rule.NOT_IDENTIFIER,
    "iban": Rule.NOT_IDENTIFIER,
    "postcode": Rule.NOT_POSTCODE,
    "birth_date": Rule.NOT_DATE,
}
"""Targets whose value is read from their own columns alone, and what a value that cannot be read breaks."""


@dataclass(frozen=True)
class Standard:
    """Attributes of an entity by name, and where a value is kept that cannot be right."""

    values: dict[str, pa.Array]
    wrong: dict[str, pa.Array] = field(default_factory=dict)


def kinds(columns: Columns, rule: KindRule | None) -> pa.Array:
    """``person`` or ``organisation`` of each record; without a rule, persons.

    A person whose name has the legal form of an organisation, and of whom nothing else is told, is one.
    """
    rule = rule or KindRule(PartyKind.PERSON)
    if rule.column is None:
        return _as_named(columns, pa.repeat(pa.scalar(str(rule.otherwise)), columns.length))
    logical_type = columns.contract.column(rule.column).logical_type
    telling = as_mark(columns.raw(rule.column), logical_type)
    found = pc.index_in(telling, value_set=as_mark(pa.array(list(rule.values), TEXT), logical_type))
    named = pa.array([str(kind) for kind in rule.values.values()], TEXT)
    return _as_named(columns, pc.coalesce(named.take(found), pa.scalar(str(rule.otherwise))))


def _as_named(columns: Columns, kind: pa.Array) -> pa.Array:
    """The kind, organisation where the name of a person is one by its legal form and nothing tells of a person."""
    is_person = pc.equal(kind, str(PartyKind.PERSON))
    formed = pc.and_(is_person, _formed(columns))
    if not pc.any(formed).as_py():
        return kind
    for target in ("given_name", "initials", "birth_date"):
        formed = pc.and_(formed, pc.is_null(columns.code(target)))
    return pc.if_else(formed, str(PartyKind.ORGANISATION), kind)


def _formed(columns: Columns) -> pa.Array:
    """Where a name has the legal form of an organisation."""
    return columns.told("formed", lambda: aside.has_legal_form(_whole_name(columns)))


def _whole_name(columns: Columns) -> pa.Array:
    """What stands where a person's surname or whole name should."""
    return coalesce(*(columns.code(target) for target in ("surname", "family_name", "full_name", "name")))


def party(
    columns: Columns, kind: pa.Array, extract_date: str, nobody: Placeholders = NO_PLACEHOLDERS
) -> Standard:
    """Standardise all party targets that the contract feeds.

    Args:
        columns: The delivered columns; what was not read of them is noted there.
        kind: What `kinds` returned.
        extract_date: YYYY-MM-DD.
        nobody: Values that stand for nobody, which are blanked.
    """
    country = codes.country(columns.text("country"))
    default = pa.scalar(columns.contract.default_country, TEXT)
    home = pc.coalesce(country, default)
    # What names a country that nobody can read is not of the source's own: numbers are read as no country's.
    elsewhere = pc.and_(pc.is_valid(columns.text("country")), pc.is_null(country))
    stated = pc.if_else(elsewhere, pa.scalar(None, TEXT), home)
    standard = Standard({"country": country})
    _add_names(standard, columns, kind, home, nobody)
    _add_address(standard, columns, home, stated, nobody)
    _add_contact_points(standard, columns, kind, stated, nobody)
    _add_identifiers(standard, columns, stated, elsewhere, nobody)
    _add_person_facts(standard, columns, extract_date, nobody)
    standard.values["email_opt_out"] = numbers.boolean(columns.code("email_opt_out"))
    standard.values["employer_id"] = columns.code("employer_id")
    standard.values["job_title"] = columns.text("job_title")
    _of_somebody(standard)
    for target, rule in _UNREAD.items():
        columns.unread(target, rule, standard.values[target])
    return standard


def _blank(
    columns: Columns, fed: Sequence[str], values: Mapping[str, pa.Array], of_nobody: pa.Array
) -> dict[str, pa.Array]:
    """The values, null where they stand for nobody, which is noted at the first of the targets that hold some."""
    if not pc.any(of_nobody).as_py():
        return dict(values)
    of_nobody = pc.fill_null(of_nobody, False)
    columns.note_one_of(fed, Rule.PLACEHOLDER, of_nobody)
    nothing = pa.scalar(None, TEXT)
    return {name: pc.if_else(of_nobody, nothing, column) for name, column in values.items()}


def _of_somebody(standard: Standard) -> None:
    """Only a value that is there can be wrong."""
    for name, flags in standard.wrong.items():
        standard.wrong[name] = pc.and_(pc.fill_null(flags, False), pc.is_valid(standard.values[name]))


def _add_names(
    standard: Standard, columns: Columns, kind: pa.Array, home: pa.Array, nobody: Placeholders
) -> None:
    nothing = pa.scalar(None, TEXT)
    is_person = pc.equal(kind, str(PartyKind.PERSON))
    given = {target: columns.text(target) for target in _NAME_TARGETS if columns.has(target)}
    organisation = columns.text("organisation_name")
    if columns.has("name"):
        name = columns.text("name")
        own = given.get("full_name", no_text(columns.length))
        given["full_name"] = coalesce(own, pc.if_else(is_person, name, nothing))
        organisation = coalesce(organisation, pc.if_else(is_person, nothing, name))
    formed = _formed(columns)
    columns.note_one_of(_FORMED, Rule.LEGAL_FORM, pc.and_(formed, is_person), MARKED)
    moved = pc.and_not(formed, is_person)
    for target in _FORMED:
        if target in given:
            company = pc.if_else(moved, given[target], nothing)
            organisation = coalesce(organisation, company)
            if target != "full_name" or not columns.has("name"):
                columns.note(target, Rule.LEGAL_FORM, pc.is_valid(company), MOVED)
            given[target] = pc.if_else(moved, nothing, given[target])
    several = _without_asides(columns, given)
    names, wrong = person_names(given, culture(home))
    couple = pc.and_(
        several, pc.match_substring_regex(coalesce(names["surname"], no_text(columns.length)), _JOINED)
    )
    wrong["surname"] = pc.or_(
        pc.or_(wrong["surname"], pc.fill_null(couple, False)), pc.and_(formed, is_person)
    )
    wrong["given_name"] = pc.or_(wrong["given_name"], pc.fill_null(couple, False))
    for part in ("given_name", "surname"):
        fed = (part, *_WHOLE_NAMES)
        names |= _blank(columns, fed, {part: names[part]}, nobody.in_name(names[part]))
    whole = {part: names[part] for part in _NAME_PARTS}
    names |= _blank(columns, _WHOLE_NAMES, whole, nobody.in_whole_name(*whole.values()))
    read, form, trade, odd = organisation_name.name(organisation, home)
    of_nobody = nobody.in_organisation_name(organisation)
    read, form, trade = _blank(
        columns, ("organisation_name", "name"), {"name": read, "form": form, "trade": trade}, of_nobody
    ).values()
    standard.values.update(names)
    standard.values["organisation_name"] = read
    standard.values["legal_form"] = coalesce(organisation_name.legal_form(columns.text("legal_form")), form)
    standard.values["trade_name"] = coalesce(columns.text("trade_name"), trade)
    standard.wrong.update(wrong, organisation_name=odd)


def _without_asides(columns: Columns, given: dict[str, pa.Array]) -> pa.Array:
    """Take off the names what is no part of them, with notes; returns where two persons stand in one."""
    several = no_flags(columns.length)
    for target in _WITH_ASIDES:
        if target not in given:
            continue
        given[target], *found = aside.names(given[target])
        fed = (target, "name") if target == "full_name" else (target,)
        for rule, rows in zip((Rule.REMARK, Rule.ATTENTION, Rule.EMAIL_IN_NAME), found, strict=False):
            columns.note_one_of(fed, rule, rows, SHORTENED)
        columns.note_one_of(fed, Rule.SEVERAL_PERSONS, found[-1], MARKED)
        several = pc.or_(several, found[-1])
    return several


def _add_address(
    standard: Standard, columns: Columns, home: pa.Array, stated: pa.Array, nobody: Placeholders
) -> None:
    given = {
        target: columns.text(target, keep_lines=target in _SEVERAL_LINES)
        for target in _ADDRESS_TARGETS
        if columns.has(target)
    }
    remarks = no_text(columns.length)
    for target in ("address_line", "street"):
        if target in given:
            given[target], remark = aside.places(given[target])
            columns.note(target, Rule.REMARK, pc.is_valid(remark), MOVED)
            remarks = joined(remarks, remark, ", ")
    if remarks.null_count < len(remarks):
        given["address_extra"] = joined(given.get("address_extra", no_text(columns.length)), remarks, ", ")
    values, wrong = address(given, home, stated)
    of_street = {name: values[name] for name in ("street", "house_number", "house_addition")}
    values |= _blank(columns, ("street", "address_line"), of_street, nobody.in_address(values["street"]))
    for name, told in (("city", nobody.in_address), ("postcode", nobody.in_postcode)):
        values |= _blank(columns, (name,), {name: values[name]}, told(values[name]))
    standard.values.update(values)
    standard.wrong.update(wrong)


def _add_contact_points(
    standard: Standard, columns: Columns, kind: pa.Array, stated: pa.Array, nobody: Placeholders
) -> None:
    phones = {target: _phone(columns, target, stated, nobody) for target in ("phone", "mobile")}
    number, mobile, wrong_number, wrong_mobile = phone.assign(*phones.values())
    mail, wrong_mail = email.read(columns.code("email"))
    (mail,) = _blank(columns, ("email",), {"email": mail}, nobody.in_email(mail)).values()
    shared = pc.and_(pc.equal(kind, str(PartyKind.PERSON)), nobody.in_shared_email(mail))
    columns.note("email", Rule.SHARED_MAILBOX, shared, MARKED)
    wrong_mail = pc.or_(wrong_mail, shared)
    standard.values.update(phone=number, mobile=mobile, email=mail, email_kind=email.kind(mail))
    standard.wrong.update(phone=wrong_number, mobile=wrong_mobile, email=wrong_mail)


def _phone(columns: Columns, target: str, stated: pa.Array, nobody: Placeholders) -> Arrays:
    """What `phone.read` returns for a target, without numbers of nobody, and with notes of what was left off."""
    if columns.empty(target):
        return no_text(columns.length), no_text(columns.length), no_flags(columns.length)
    given = columns.code(target)
    number, kind, wrong = phone.read(given, stated)
    columns.unread(target, Rule.NOT_PHONE, number)
    columns.note(target, Rule.EXTENSION, pc.and_(phone.has_extension(given), pc.is_valid(number)), SHORTENED)
    number, kind = _blank(
        columns, (target,), {"number": number, "kind": kind}, nobody.in_phone(number)
    ).values()
    return number, kind, pc.and_(wrong, pc.is_valid(number))


def _add_identifiers(
    standard: Standard, columns: Columns, stated: pa.Array, elsewhere: pa.Array, nobody: Placeholders
) -> None:
    if all(columns.empty(name) for name in _IDENTIFIERS):
        standard.values.update({name: no_text(columns.length) for name in _IDENTIFIERS})
        standard.wrong.update({name: no_flags(columns.length) for name in _IDENTIFIERS})
        return
    vat, wrong_vat = identifiers.vat_number(columns.code("vat_number"), stated)
    whose = pc.match_substring_regex(vat, "^[A-Z]{2}")
    wrong_vat = pc.or_(wrong_vat, pc.fill_null(pc.and_not(elsewhere, whose), False))
    coc, wrong_coc = identifiers.coc_number(columns.code("coc_number"), stated)
    iban, wrong_iban = identifiers.iban(columns.code("iban"))
    standard.values.update(vat_number=vat, coc_number=coc, iban=iban)
    standard.wrong.update(vat_number=wrong_vat, coc_number=wrong_coc, iban=wrong_iban)
    for name in _IDENTIFIERS:
        own = {name: standard.values[name]}
        standard.values.update(_blank(columns, (name,), own, nobody.in_identifier(own[name])))


def _add_person_facts(standard: Standard, columns: Columns, extract_date: str, nobody: Placeholders) -> None:
    column = columns.column("birth_date")
    formats = column.date_formats if column is not None else ()
    born, wrong = dates.birth_date(columns.code("birth_date"), formats, extract_date)
    gender = codes.gender(columns.code("gender"))
    standard.values["gender"] = coalesce(gender, gender_hint(standard.values["honorific"]))
    standard.values["birth_date"] = born
    standard.values["language"] = codes.language(columns.code("language"))
    standard.values["deceased"] = _deceased(columns, extract_date)
    standard.wrong["birth_date"] = pc.or_(wrong, pc.fill_null(nobody.in_birth_date(born), False))


_END_OF_TIME_IN_TWO_DIGITS = "1999-12-31"
"""How 31-12-9999 reads where years have two digits."""


def _deceased(columns: Columns, extract_date: str) -> pa.Array:
    """``true`` where a tick or a date up to the extract tells that somebody died, else null.

    A no is nothing that could overrule another source's yes: who does not know of a death writes no, or the end of
    time.
    """
    if columns.empty("deceased"):
        return no_text(columns.length)
    column = columns.column("deceased")
    code = columns.code("deceased")
    ticked = numbers.boolean(code)
    formats = column.date_formats if column is not None else ()
    told = pc.if_else(pc.is_valid(ticked), pa.scalar(None, TEXT), dates.date(code, formats))
    never = dates.is_sentinel(told)
    if any("%y" in form for form in formats):
        never = pc.or_(never, pc.fill_null(pc.equal(told, _END_OF_TIME_IN_TWO_DIGITS), False))
    may_be = pc.and_(pc.less_equal(told, extract_date), pc.greater_equal(told, dates.EARLIEST_BIRTH))
    died = pc.if_else(may_be, told, pa.scalar(None, TEXT))
    columns.unread("deceased", Rule.NOT_BOOLEAN, coalesce(ticked, pc.if_else(never, told, died)))
    yes = pc.or_(pc.fill_null(pc.equal(ticked, "true"), False), pc.and_(pc.is_valid(died), pc.invert(never)))
    return pc.if_else(yes, "true", pa.scalar(None, TEXT))
