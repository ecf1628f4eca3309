"""Which column of each file is taken for what, so that files which name their columns differently are one table.

Belongs here: from the offers of all files to the columns of a policy. Does not belong here: what makes an offer
(column_meanings), or how a policy is written (suggested_policy).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from cdm_pipelines.linkage.encode.clean import DATE_ORDERS
from cdm_pipelines.quality.profile import ColumnProfile
from cdm_pipelines.steps.linking import date_forms
from cdm_pipelines.steps.linking.column_meanings import PARTS, Offer, has_numbers, present
from cdm_pipelines.steps.linking.suggested_policy import Choice

_FORMS = {order: how for how, order in DATE_ORDERS.items()}
Profiles = Mapping[str, ColumnProfile]

_ADDRESS = {
    "party.postcode": "postcode",
    "party.house_number": "house_number",
    "party.house_addition": "house_addition",
    "party.address_line": "street",
    "party.city": "city",
}
_PERSON = {
    "party.given_name": "given_name",
    "party.middle_names": "middle_name",
    "party.initials": "initials",
    "party.surname_prefix": "surname_prefix",
    "party.family_name": "surname",
    "second_surname": "second_surname",
    "party.full_name": "full_name",
    "party.name": "full_name",
    "party.gender": "gender",
    "party.birth_date": "birth_date",
    "birth_year": "year_of_birth",
    "birth_place": "birth_place",
    **_ADDRESS,
    "party.region": "region",
    "party.country": "country",
    "party.email": "email",
    "party.phone": "phone",
    "party.mobile": "mobile",
    "party.iban": "iban",
    "national_id": "national_id",
}
_ORGANISATION = {
    "party.organisation_name": "organisation_name",
    "party.name": "organisation_name",
    "party.trade_name": "trade_name",
    **_ADDRESS,
    "party.email": "email",
    "party.phone": "phone",
    "party.vat_number": "vat_number",
    "party.coc_number": "coc_number",
    "party.iban": "iban",
}
NAMES: Mapping[str, Mapping[str, str]] = {"person": _PERSON, "organisation": _ORGANISATION}
"""By kind of party and target the name in the policy."""


@dataclass(frozen=True)
class FileColumns:
    """What is known of the columns of a file."""

    path: Path
    profiles: Profiles
    offers: Sequence[Offer]


def choose(files: Sequence[FileColumns], kind: str) -> tuple[dict[str, Choice], list[str]]:
    """The columns of the policy by its names, and what is doubtful about them."""
    names = NAMES[kind]
    taken, doubts = _taken(files, (*names, *PARTS))
    chosen: dict[str, Choice] = {}
    for target, name in names.items():
        if target in taken and name not in chosen and target not in ("party.birth_date", "birth_year"):
            chosen[name] = _choice(name, taken[target])
    if kind == "person":
        _dates(files, taken, chosen, doubts)
        _whole_names(files, taken, chosen)
    _lines(files, chosen)
    order = {name: place for place, name in enumerate(dict.fromkeys(names.values()))}
    return dict(sorted(chosen.items(), key=lambda one: order[one[0]])), doubts


Taken = dict[str, list[tuple[Offer, frozenset[int]]]]


def _taken(files: Sequence[FileColumns], targets: Iterable[str]) -> tuple[Taken, list[str]]:
    """By target the offers that are taken and the files that each is for, a column for one target only.

    What more files have is taken first, then what is surer; a further column only for files that have none yet.
    """
    wanted = set(targets)
    by_column: dict[tuple[str, str], dict[int, Offer]] = {}
    for number, file in enumerate(files):
        for offer in file.offers:
            if offer.target in wanted:
                best = by_column.setdefault((offer.target, offer.column), {})
                if number not in best or offer.confidence > best[number].confidence:
                    best[number] = offer
    order = {name: place for file in files for place, name in enumerate(file.profiles)}
    ranked = sorted(
        by_column.items(),
        key=lambda one: (-len(one[1]), -min(o.confidence for o in one[1].values()), order[one[0][1]], one[0]),
    )
    taken: Taken = {}
    used: set[str] = set()
    doubts = []
    for (target, column), found in ranked:
        have = {number for _, those in taken.get(target, []) for number in those}
        here = frozenset(number for number, file in enumerate(files) if column in file.profiles)
        if column in used or not found.keys() - have:
            continue
        if here & have:
            lacking = ", ".join(sorted(files[number].path.name for number in found.keys() - have))
            doubts.append(
                f"{lacking} has {_plain(target)} in {column!r}, which another file uses for something else: rename it"
            )
            continue
        surest = min(found.values(), key=lambda offer: offer.confidence)
        taken.setdefault(target, []).append((surest, here))
        used.add(column)
    return taken, doubts


def _plain(target: str) -> str:
    return target.rpartition(".")[2].replace("_", " ")


def _choice(name: str, taken: Sequence[tuple[Offer, frozenset[int]]], clean: str = "") -> Choice:
    ordered = sorted(taken, key=lambda one: min(one[1]))
    columns = tuple(dict.fromkeys(offer.column for offer, _ in ordered))
    least = min((offer for offer, _ in ordered), key=lambda offer: offer.confidence)
    return Choice(name, columns[0], least.confidence, least.why, clean, columns[1:])


def _dates(files: Sequence[FileColumns], taken: Taken, chosen: dict[str, Choice], doubts: list[str]) -> None:
    """A date of birth of one column or of three, in each file; the year alone where there is no more."""
    whole = taken.get("party.birth_date", [])
    have = {number for _, those in whole for number in those}
    lacking = set(range(len(files))) - have
    parts = [taken.get(part, []) for part in PARTS]
    split = [
        number for number in sorted(lacking) if all(any(number in those for _, those in one) for one in parts)
    ]
    form = date_forms.date_form(
        [present(files[number].profiles[offer.column]) for offer, those in whole for number in those]
    )
    order = form.order if form else "ymd"
    own = _own_forms(files, whole)
    unlike = {number: one for number, one in own.items() if not one.doubt and one.order != order}
    if unlike:
        doubts += [
            f"dates of birth in {files[n].path.name}: {one.doubt}" for n, one in own.items() if one.doubt
        ]
    elif form and form.doubt:
        doubts.append(f"dates of birth: {form.doubt}")
    if split:
        of_split = [[one for one in part if set(split) & one[1]] for part in parts]
        if not have and not _long_years(files, of_split[0]):
            order = "ymd"
        at = (2, 1, 0) if order == "dmy" else (1, 2, 0) if order == "mdy" else (0, 1, 2)
        whole = [*whole, *(one for place in at for one in of_split[place])]
    if whole:
        clean = "date" if split and order == "ymd" else date_forms.CLEAN[order]
        dates_in = tuple((files[n].path.stem, _FORMS[one.order]) for n, one in unlike.items())
        chosen["birth_date"] = replace(_choice("birth_date", whole, clean), dates_in=dates_in)
    elif "birth_year" in taken:
        chosen["year_of_birth"] = _choice("year_of_birth", taken["birth_year"], "digits")


def _own_forms(
    files: Sequence[FileColumns], whole: Sequence[tuple[Offer, frozenset[int]]]
) -> dict[int, date_forms.DateForm]:
    """How each file writes its dates of birth, where that can be told."""
    columns: dict[int, list[pa.Array]] = {}
    for offer, those in whole:
        for number in sorted(those):
            columns.setdefault(number, []).append(present(files[number].profiles[offer.column]))
    forms = {number: date_forms.date_form(columns[number]) for number in sorted(columns)}
    return {number: form for number, form in forms.items() if form is not None}


def _long_years(files: Sequence[FileColumns], years: Sequence[tuple[Offer, frozenset[int]]]) -> bool:
    values: list[pa.Array] = [
        present(files[number].profiles[offer.column]) for offer, those in years for number in those
    ]
    return all(date_forms.is_year(one) for one in values)


def _whole_names(files: Sequence[FileColumns], taken: Taken, chosen: dict[str, Choice]) -> None:
    """Names in parts where every file has them so, else whole ones, put together where a file has them in parts."""
    if "full_name" not in chosen:
        return
    parts = [
        taken.get(target, []) for target in ("party.given_name", "party.surname_prefix", "party.family_name")
    ]
    in_parts = {
        number
        for number in range(len(files))
        if all(any(number in those for _, those in part) for part in (parts[0], parts[2]))
    }
    if len(in_parts) == len(files):
        del chosen["full_name"]
        return
    whole = [*taken.get("party.full_name", []), *taken.get("party.name", [])]
    have = {number for _, those in whole for number in those}
    more = [one for part in parts for one in part if one[1] & (in_parts - have) and not one[1] & have]
    chosen["full_name"] = _choice("full_name", [*_one_a_file(whole), *more], "name" if more else "")
    for name in ("given_name", "surname", "surname_prefix"):
        chosen.pop(name, None)


def _one_a_file(taken: Sequence[tuple[Offer, frozenset[int]]]) -> list[tuple[Offer, frozenset[int]]]:
    kept: list[tuple[Offer, frozenset[int]]] = []
    for offer, those in taken:
        if not any(those & others for _, others in kept):
            kept.append((offer, those))
    return kept


def _lines(files: Sequence[FileColumns], chosen: dict[str, Choice]) -> None:
    """House numbers of lines that hold street and number, where no column has them alone."""
    street = chosen.get("street")
    if street is None:
        return
    lines = [
        name
        for name in street.names
        if any(name in file.profiles and has_numbers(file.profiles[name]) for file in files)
    ]
    chosen["street"] = replace(street, clean="street")
    if not lines:
        return
    number = chosen.get("house_number")
    own = number.names if number else ()
    with_own = {place for place, file in enumerate(files) if set(own) & set(file.profiles)}
    of_lines = {place for place, file in enumerate(files) if set(lines) & set(file.profiles)}
    if of_lines <= with_own:
        return
    if with_own & of_lines:
        own = ()  # a line that stands in a file beside its number would be read twice
    why = f"{street.why}, and most values hold a number"
    chosen["street"] = replace(street, clean="street", why=why)
    first, *further = (*own, *lines)
    sure = min(street.confidence, number.confidence) if number and own else street.confidence
    chosen["house_number"] = Choice("house_number", first, sure, why, "number", tuple(further))
