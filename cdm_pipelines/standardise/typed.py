"""One whole record that a person types at a touch point, read as a source's would be.

Belongs here: which fields there are, what is read of them, and what is wrong with each. Does not belong here: how a
value of a kind is read (the modules of the semantic types), a single value of a customer (``single``).

Nothing that is told repeats a value: fields, rules and what to do (R6).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache

import pyarrow as pa

from cdm_pipelines.contracts.canonical import Entity, targets
from cdm_pipelines.contracts.model import Column, Delivery, Format, KindRule, PartyKind, SourceContract
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.standardise.columns import BLANKED, Columns
from cdm_pipelines.standardise.distinct import TEXT
from cdm_pipelines.standardise.party import kinds, party
from cdm_pipelines.standardise.placeholders import Placeholders

DATE_FORMATS = ("%Y-%m-%d", "%d-%m-%Y", "%d/%m/%Y", "%d.%m.%Y")
"""In which dates are typed, tried in order: the year first, or the day first."""
LONGEST = 1000
"""Most signs of a value; more is none that a person types."""
_FOLLOWS = {"email_kind"}
_OF_ORGANISATIONS = ("organisation_name", "trade_name", "legal_form", "vat_number", "coc_number")
_OF_PERSONS = ("given_name", "initials", "surname", "family_name", "full_name", "birth_date")
_FIXES = {
    Rule.UNKNOWN_CODE: "Write its code, or its name in Dutch or English, or leave the field out.",
    Rule.PLACEHOLDER: "Leave the field out.",
    Rule.NO_CONTENT: "Leave the field out.",
    Rule.LEGAL_FORM: "Look for it as an organisation.",
    Rule.REMARK: "Leave the remark out.",
    Rule.EMAIL_IN_NAME: "Give the address in its own field.",
    Rule.EXTENSION: "Nothing: it is read without.",
    Rule.SEVERAL_PERSONS: "Look for each by themselves.",
    Rule.NUL_BYTE: "Type the value anew.",
    Rule.UNDECODABLE: "Type the value anew.",
}
"""What to do at a touch point, where a rule speaks of files and sources."""
_DOUBTFUL = ("doubtful", "a value that cannot be right", "Correct it, or leave the field out.")


class FieldError(ValueError):
    """There is no such field; the message says which there are."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a field.

    Attributes:
        field: Its name.
        rule: Which rule it breaks.
        meaning: That rule in words.
        fix: What to do.
        left_out: Whether the value was left out; else it was read in part, or elsewhere.
    """

    field: str
    rule: str
    meaning: str
    fix: str
    left_out: bool


@dataclass(frozen=True)
class Typed:
    """What was read.

    Attributes:
        kind: Of party.
        values: Standardised values of the party's attributes.
        doubtful: Attributes whose value cannot be right.
        faults: What is wrong, in order of the fields.
    """

    kind: PartyKind
    values: Mapping[str, str] = field(repr=False)
    doubtful: frozenset[str] = frozenset()
    faults: tuple[Fault, ...] = ()


@cache
def fields() -> tuple[str, ...]:
    """The fields that a record may have: what a contract may map to a party, but what follows from others."""
    of_party = (target for target in targets().values() if target.entity is Entity.PARTY)
    return tuple(sorted(target.name for target in of_party if target.name not in _FOLLOWS))


def read_record(
    given: Mapping[str, str],
    *,
    today: str,
    country: str | None,
    kind: PartyKind | None = None,
    nobody: Placeholders,
) -> Typed:
    """Read a record.

    Args:
        given: Values by field, as they were typed; empty ones are as good as none.
        today: YYYY-MM-DD; nobody is born after it.
        country: ISO 3166-1 alpha-2 of what is written without a country, where the record names none.
        kind: Of party. Where it is not given, an organisation when fields of organisations alone tell who it is.
        nobody: Values that stand for nobody.

    Raises:
        FieldError: There is no such field.
    """
    if not given.keys() <= set(fields()):
        raise FieldError(f"A field is none of a party's; choose from {', '.join(fields())}.")
    faults: list[Fault] = []
    values: dict[str, str] = {}
    for name in sorted(given):
        unfit = _unfit(name, given[name])
        if unfit is not None:
            faults.append(unfit)
        elif given[name].strip():
            values[name] = given[name]
    contract = _contract(tuple(values), kind or _kind(values), country)
    columns = Columns(pa.table({name: pa.array([values[name]], TEXT) for name in values} or _EMPTY),
                      contract, Entity.PARTY)  # fmt: skip
    kinds_read = kinds(columns, contract.party_kind)
    standard = party(columns, kinds_read, today, nobody)
    read = {name: column[0].as_py() for name, column in standard.values.items() if column[0].is_valid}
    doubtful = frozenset(
        name for name, flags in standard.wrong.items() if flags[0].is_valid and flags[0].as_py()
    )
    noted = set()
    for note in columns.notes:
        noted.add(note.target)
        rule, column = note.rule, contract.column(note.target)
        out = note.action == BLANKED or note.target in doubtful
        fix = _FIXES.get(rule) or rule.fix(column)
        faults.append(Fault(note.target, str(rule), rule.meaning, fix, out))
    faults += [Fault(name, *_DOUBTFUL, left_out=True) for name in sorted(doubtful - noted)]
    texts = {name: str(value) for name, value in read.items() if not isinstance(value, bool)}
    return Typed(PartyKind(kinds_read[0].as_py()), texts, doubtful, tuple(sorted(faults, key=_by_field)))


_EMPTY = {"_row": pa.array(["1"], TEXT)}


def _by_field(fault: Fault) -> tuple[str, str]:
    return fault.field, fault.rule


def _unfit(name: str, value: str) -> Fault | None:
    """What keeps a value from being read at all."""
    if "\x00" in value:
        return _fault(name, Rule.NUL_BYTE)
    if len(value) > LONGEST:
        return _fault(name, Rule.TOO_LONG)
    try:
        value.encode()
    except UnicodeEncodeError:
        return _fault(name, Rule.UNDECODABLE)
    return None


def _fault(name: str, rule: Rule) -> Fault:
    fix = _FIXES.get(rule) or rule.fix(Column(name, max_length=LONGEST))
    return Fault(name, str(rule), rule.meaning, fix, left_out=True)


def _kind(values: Mapping[str, str]) -> PartyKind:
    tells = any(name in values for name in _OF_ORGANISATIONS)
    if tells and not any(name in values for name in _OF_PERSONS):
        return PartyKind.ORGANISATION
    return PartyKind.PERSON


@lru_cache(maxsize=256)
def _contract(names: tuple[str, ...], kind: PartyKind, country: str | None) -> SourceContract:
    """What a source would say of itself that delivers these fields."""
    return SourceContract(
        source="typed",
        entity="record",
        version="1",
        owner="",
        description="",
        location="",
        format=Format.CSV,
        delivery=Delivery.DELTA,
        columns=tuple(
            Column(
                name, maps_to=(f"party.{name}",), date_formats=DATE_FORMATS if name == "birth_date" else ()
            )
            for name in names
        ),
        default_country=country,
        party_kind=KindRule(kind),
    )
