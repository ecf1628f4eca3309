"""Which entities a file holds, with the key and the columns of each.

Belongs here: persons, organisations, orders and their lines in one file, what identifies a record of each. Does not
belong here: what a column means (semantics, mapping), or the contract that is written (suggest).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import pyarrow.compute as pc

from cdm_pipelines.contracts import PartyKind
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.quality.keys import key_of, looks_like_key
from cdm_pipelines.quality.mapping import NAMES, SURE, Candidate, candidates, choose
from cdm_pipelines.quality.profile import ColumnProfile, FileProfile
from cdm_pipelines.quality.proposal import Proposal
from cdm_pipelines.quality.proposals_around import propose_around
from cdm_pipelines.quality.semantics import Meaning, legal_forms, names_line, names_order
from cdm_pipelines.quality.vocabulary import steers

OF_PERSONS = ("party.given_name", "party.family_name", "party.birth_date", "party.gender", "party.full_name")
OF_ORGANISATIONS = ("party.organisation_name", "party.coc_number", "party.vat_number", "party.trade_name")
_PERSONS_NAMES = (*NAMES, "party.full_name")
_OF_THE_PERSON = (
    *OF_PERSONS,
    *("party.middle_names", "party.initials", "party.surname_prefix", "party.salutation", "party.job_title"),
)
_OF_THE_COMPANY = ("party.organisation_name", "party.trade_name", "party.coc_number")
_ORDER_FACTS = ("order.ordered_at", "order.total_amount", "order.party_id", "order.party_email")
_LINE_FACTS = (
    "order_line.product_code",
    "order_line.product_name",
    "order_line.quantity",
    "order_line.unit_price",
)
_EVERY_ROW = 0.95
_NUMBERED = "Line number"


def propose(file: FileProfile) -> tuple[Proposal, ...]:
    """Every entity of a file, the main one first."""
    around = propose_around(file)
    if around is not None:
        return (around,)
    of_orders = candidates(file.columns, file.rows, "order")
    number = _order_number(file, of_orders)
    if number is not None:
        return _of_orders(file, of_orders, number)
    return _of_parties(file)


# Orders


def _order_number(file: FileProfile, found: Sequence[Candidate]) -> ColumnProfile | None:
    """The column with the number of the order; None when the file holds no orders."""
    facts = {one.target for one in found if one.meaning.confidence >= SURE}
    strong = [column for column in file.columns if names_order(column.name)]
    lines = any(names_line(column.name) for column in file.columns)
    if strong and (
        lines or facts & {"order.ordered_at", "order.total_amount"} or len(facts & set(_LINE_FACTS)) > 1
    ):
        return max(strong, key=lambda column: (column.filled, -file.columns.index(column)))
    plain = {
        one.target
        for one in found
        if one.meaning.confidence >= SURE and not one.meaning.weak and not one.meaning.group.rank
    }
    about = plain & {*_ORDER_FACTS[:2], "order.currency", "order.status", *_LINE_FACTS}
    if len(about) >= 4:
        weak = [
            one
            for one in found
            if one.target == "order.order_id"
            and one.meaning.weak
            and one.column.filled == (1 if file.rows else 0)
        ]
        return min(weak, key=lambda one: (-one.meaning.confidence, one.position)).column if weak else None
    return None


def _of_orders(file: FileProfile, found: list[Candidate], number: ColumnProfile) -> tuple[Proposal, ...]:
    meant = Meaning(
        "order.order_id",
        0.9,
        "the header says so" if names_order(number.name) else "the other columns are about orders",
    )
    rest = [one for one in found if one.column is not number and one.target != "order.order_id"]
    rest = [one for one in rest if one.meaning.group.rank < 8]
    chosen = {number.name: meant, **choose(rest)}
    line = next((column.name for column in file.columns if names_line(column.name)), None)
    with_lines = line is not None or (
        _repeats(number) and _adjacent(number) and bool(_targets(chosen) & set(_LINE_FACTS))
    )
    with_order = bool(_targets(chosen) & set(_ORDER_FACTS)) or not with_lines
    feeds = tuple(e for e, there in ((Entity.ORDER, with_order), (Entity.ORDER_LINE, with_lines)) if there)
    if not with_lines:
        chosen = {name: m for name, m in chosen.items() if not m.target.startswith("order_line.")}
    numbered = "" if line or not with_lines else _NUMBERED
    key = (number.name, *([line or numbered] if with_lines else []))
    if not with_order:
        chosen[number.name] = replace(meant, target="order_line.order_id")
    also = {number.name: ("order_line.order_id",)} if with_order and with_lines else {}
    doubts = () if with_lines or not _repeats(number) else (f"{number.name!r} is not unique in the sample",)
    repeated = len(key) == 1 and _repeats(number)
    main = Proposal(feeds, key, chosen, also=also, numbered=numbered, doubts=doubts, repeated=repeated)
    customers = _customers(file, main)
    return (main,) if customers is None else (main, customers)


def _customers(file: FileProfile, orders: Proposal) -> Proposal | None:
    """The customers of an order export: who they are stands on each of their orders."""
    whose = {
        m.target: name
        for name, m in orders.chosen.items()
        if m.target in ("order.party_id", "order.party_email")
    }
    used = {name for name, m in orders.chosen.items() if name not in whose.values()} | {
        whose.get("order.party_id", "")
    }
    found = [
        one
        for one in candidates(file.columns, file.rows)
        if one.column.name not in used and one.meaning.group.rank < 8 and one.target != "party.employer_id"
    ]
    chosen = choose(found, without=("party.organisation_name", "party.trade_name", "party.coc_number"))
    names_of_party = _targets(chosen) & {*_PERSONS_NAMES, "party.name"}
    address = _targets(chosen) & {"party.postcode", "party.address_line", "party.phone", "party.mobile"}
    if not names_of_party and not address:
        return None
    key = _key_of_customers(file, whose)
    if key is None:
        return None
    kind, doubt = _kind(file, chosen, _name(found))
    return Proposal(
        (Entity.PARTY,), (key,), chosen, "customer", kind=kind, kind_doubt=doubt, repeated=True, doubts=()
    )


def _key_of_customers(file: FileProfile, whose: Mapping[str, str]) -> str | None:
    """The customer's number; their e-mail address where that is missing or one number stands for all guests."""
    by_name = {column.name: column for column in file.columns}
    for target in ("order.party_id", "order.party_email"):
        column = by_name.get(whose.get(target, ""))
        if column is None:
            continue
        if not file.rows or (column.filled >= _EVERY_ROW and not _one_for_many(column)):
            return column.name
    return None


def _one_for_many(column: ColumnProfile) -> bool:
    """Whether one value stands in so many rows that it is nobody's: the 0 of guests."""
    present = pc.drop_null(column.cells)
    if len(column.values) < 2 or len(present) < 10:
        return False
    most = pc.max(pc.struct_field(pc.value_counts(present), "counts")).as_py()
    return bool(most > 0.3 * len(present))


# Parties


def _of_parties(file: FileProfile) -> tuple[Proposal, ...]:
    key, doubts = key_of(file)
    keyed = {name for name in key if looks_like_key(file.columns[[c.name for c in file.columns].index(name)])}
    found = [one for one in candidates(file.columns, file.rows) if one.column.name not in keyed]
    everything = choose(found)
    mapped = _targets(everything)
    name = _name(found)
    kind, doubt = _kind(file, everything, name)
    company = mapped & {"party.organisation_name", "party.trade_name"}
    if len(mapped) < 2:
        return (Proposal((), key, {}, doubts=doubts),)
    if kind == PartyKind.ORGANISATION:
        main = Proposal(
            (Entity.PARTY,),
            key,
            choose(found, without=_besides_organisation(mapped, name)),
            kind=kind,
            kind_doubt=doubt,
            doubts=doubts,
        )
        contacts = _contacts(file, found, key) if company or name else None
        return (main,) if contacts is None else (main, contacts)
    named = bool(mapped & set(_PERSONS_NAMES)) or name is not None
    chosen = choose(found, without=_OF_THE_COMPANY) if named else everything
    employer = next((name for name, m in everything.items() if m.target == "party.organisation_name"), None)
    main = Proposal((Entity.PARTY,), key, chosen, kind=kind, kind_doubt=doubt, doubts=doubts)
    if employer is None or not named:
        return (main,)
    return _with_companies(file, main, found, employer)


def _name(found: Sequence[Candidate]) -> str | None:
    """The column with the name of whoever the record is of, person or organisation."""
    plain = [
        one
        for one in found
        if one.target == "party.name" and not one.meaning.weak and one.meaning.confidence >= SURE
    ]
    return max(plain, key=lambda one: (one.meaning.confidence, -one.position)).column.name if plain else None


def _besides_organisation(mapped: Collection[str], name: str | None) -> tuple[str, ...]:
    """What of an organisation's file is about its contact person, where the organisation has a name of its own."""
    named = "party.organisation_name" in mapped or name is not None
    contact = set(_PERSONS_NAMES) & set(mapped)
    return (*_OF_THE_PERSON, "party.employer_id") if named and contact else ("party.employer_id",)


def _contacts(file: FileProfile, found: Sequence[Candidate], key: tuple[str, ...]) -> Proposal | None:
    """The contact persons in a file of organisations."""
    chosen = choose(
        [one for one in found if one.target in (*_OF_THE_PERSON, "party.email", "party.mobile")],
        without=("party.organisation_name",),
    )
    persons = [name for name, m in chosen.items() if m.target in _PERSONS_NAMES]
    if not persons or len(key) != 1 or not _filled(file, persons[:1]):
        return None
    employer = {key[0]: ("party.employer_id",)}
    return Proposal((Entity.PARTY,), key, chosen, "contact", also=employer, kind=PartyKind.PERSON)


def _with_companies(
    file: FileProfile, main: Proposal, found: Sequence[Candidate], employer: str
) -> tuple[Proposal, ...]:
    """Persons, and the organisations that they work for: one per company number, or per name where there is none."""
    if not _filled(file, [employer]):
        share = next(column.filled for column in file.columns if column.name == employer)
        told = f"{employer!r} names an organisation in {share:.0%} of the rows: an entity of its own needs it in all"
        return (replace(main, doubts=(*main.doubts, told)),)
    number = next((name for name, m in main.chosen.items() if m.target == "party.employer_id"), None)
    if number is not None and not _filled(file, [number]):
        number = None
    name = next(
        one.meaning
        for one in found
        if one.column.name == employer and one.target == "party.organisation_name"
    )
    further = choose([one for one in found if one.target in _OF_THE_COMPANY])
    chosen = {**further, employer: name}
    if number is None:
        kept = {n: m for n, m in main.chosen.items() if m.target != "party.employer_id"}
        linked = Meaning("party.employer_id", name.confidence, "the organisation is known by its name")
        main = replace(main, chosen={**kept, employer: linked})
    company = Proposal(
        (Entity.PARTY,), (number or employer,), chosen, "company", kind=PartyKind.ORGANISATION, repeated=True
    )
    return main, company


def _kind(file: FileProfile, chosen: Mapping[str, Meaning], name: str | None) -> tuple[PartyKind, str]:
    """Whether the records are persons or organisations, and what is doubtful about it."""
    mapped = _targets(chosen)
    persons, organisations = mapped & set(OF_PERSONS), mapped & set(OF_ORGANISATIONS)
    by_target = {m.target: name for name, m in chosen.items()}
    if "party.organisation_name" in mapped:
        return _kind_with_company(file, by_target, name, organisations, persons)
    if name is not None and steers(by_target.get("party.full_name", ""), "contact_person"):
        return PartyKind.ORGANISATION, "? by the contact person beside the name"
    if persons:
        return PartyKind.PERSON, "" if len(persons) > 1 else "? only one column says so"
    forms = _forms(file, name)
    if forms <= 0.3 and not organisations:
        return PartyKind.PERSON, "? nothing in the columns tells"
    apart = "or tell them apart with {column: , values: {}, otherwise: }"
    return (
        PartyKind.ORGANISATION,
        "" if forms > 0.9 else f"? {forms:.0%} of the names have a legal form; {apart}",
    )


def _kind_with_company(
    file: FileProfile,
    by_target: Mapping[str, str],
    name: str | None,
    organisations: Collection[str],
    persons: Collection[str],
) -> tuple[PartyKind, str]:
    """The same of a file with a column for an organisation: the record's own, or that which a person works for."""
    if set(NAMES) & set(by_target):
        if _companies_with_contacts(file, by_target, organisations, persons):
            return PartyKind.ORGANISATION, "? there are names of persons as well"
        return PartyKind.PERSON, ""
    full = by_target.get("party.full_name", "")
    of_a_contact = steers(full, "contact_person")
    of_person = (name is not None or bool(full)) and "party.coc_number" not in organisations
    if of_person and not of_a_contact and _forms(file, name) <= 0.3:
        return PartyKind.PERSON, "? there are names of organisations as well"
    return PartyKind.ORGANISATION, ""


def _forms(file: FileProfile, name: str | None) -> float:
    """Which share of the names has a legal form."""
    return next((legal_forms(column.values) for column in file.columns if column.name == name), 0.0)


def _companies_with_contacts(
    file: FileProfile, by_target: Mapping[str, str], organisations: Collection[str], persons: Collection[str]
) -> bool:
    """Whether a file with names of both is about organisations, by what is filled and by what else is told of them."""
    columns = {column.name: (place, column) for place, column in enumerate(file.columns)}
    company_place, company = columns[by_target["party.organisation_name"]]
    person_place, person = columns[next(by_target[target] for target in NAMES if target in by_target)]
    if file.rows:
        return company.filled >= _EVERY_ROW and (
            person.filled < company.filled - 0.1 or len(organisations) > 1
        )
    named_first = company_place < person_place
    return named_first and len(organisations) > 1 and not {"party.birth_date", "party.gender"} & set(persons)


# Columns


def _repeats(column: ColumnProfile) -> bool:
    return len(column.values) > 0 and not column.unique


def _adjacent(column: ColumnProfile) -> bool:
    """Whether the rows of each value stand together."""
    cells = column.cells
    starts = 1 + (pc.sum(pc.not_equal(cells[1:], cells[:-1])).as_py() or 0)
    return bool(starts == len(column.values))


def _filled(file: FileProfile, named: Sequence[str]) -> bool:
    """Whether nearly every row has a value in these columns; true of a file without rows."""
    by_name = {column.name: column for column in file.columns}
    return not file.rows or all(by_name[name].filled >= _EVERY_ROW for name in named)


def _targets(chosen: Mapping[str, Meaning]) -> set[str]:
    return {meaning.target for meaning in chosen.values()}
