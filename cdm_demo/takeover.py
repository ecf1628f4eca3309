"""Company B, that is taken over: its own customers and some of ours, in an extract of its own, with the truth.

Belongs here: who is whose customer, and company B's file of customers and of what they said about mail. Does not belong
here: who exists (people), how values are spelled (persons, spelling), our own sources (assembly).

Some of its record ids are ours, of other people: two companies count from one.
"""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from cdm_demo import books, spelling, structure
from cdm_demo.books import Membership
from cdm_demo.dates import day_number
from cdm_demo.draws import Draws, Text, digits
from cdm_demo.generator import BLOCK, DEMO_START
from cdm_demo.mailboxes import Registry
from cdm_demo.people import Persons, consumers, merged
from cdm_demo.persons import Habits, shown

OVERLAP = 0.3
"""Share of company B's customers who are ours too, unless another is asked for."""
MOST = 5_000_000
"""Numbers of persons that no run of ours reaches begin here."""
SAME_IDS = 0.1
"""Share of its records that have an id of one of ours."""
HABITS = Habits(
    given=(70, 14, 10, 4, 2),
    prefix=(64, 24, 4, 2, 6),
    number=(52, 28, 8, 12),
    postcode=(60, 30, 10),
    phone=(24, 26, 8, 6, 18, 10, 2, 4, 2),
    typing=0.03,
    email=0.9,
    mobile=0.66,
    landline=0.3,
    birth_date=0.4,
    address=0.4,
)
_COLUMNS = (
    "Klantnummer", "Voornaam", "Achternaam", "Adres", "Postcode", "Woonplaats", "Land", "E-mail", "Telefoon",
    "Geboortedatum", "Gewijzigd",
)  # fmt: skip
_SAID = ("Nummer", "Klantnummer", "E-mail", "Doel", "Kanaal", "Status", "Moment")
_PURPOSES = ("newsletter", "newsletter", "newsletter", "loterij")
_CONTRACT = """\
# What company B's customers said about its mail.
apiVersion: v3.1.0
kind: DataContract
id: toestemmingen
name: Consents of company B
version: 1.0.0
status: active
dataProduct: company_b
team:
  name: unknown
schema:
  - name: toestemmingen
    description: A row per statement.
    customProperties:
      - {property: delivery, value: snapshot}
      - {property: format, value: csv}
      - {property: dialect, value: {delimiter: ";", encoding: utf-8}}
    properties:
"""
_CONTRACT_COLUMNS = (
    ("Nummer", "statement_id"),
    ("Klantnummer", "party_id"),
    ("E-mail", "party_email"),
    ("Doel", "purpose"),
    ("Kanaal", "channel"),
    ("Status", "state"),
    ("Moment", "stated_at"),
)


@dataclass(frozen=True, slots=True)
class CompanyB:
    """What was written.

    Attributes:
        folder: Holds its extracts.
        customers: Different persons.
        ours: Of them those who are our customers too.
        records: Rows of its file of customers.
        truth: Truth id by record id.
    """

    folder: Path
    customers: int
    ours: int
    records: int
    truth: dict[str, str]


def company_b(
    ours: Path,
    *,
    customers: int,
    seed: int,
    out: Path,
    size: int = 200,
    overlap: float = OVERLAP,
    chance: int = 0,
    start: date = DEMO_START,
    days: int = 3,
) -> CompanyB:
    """Write company B's extracts beside those of ``generate``.

    Args:
        ours: The folder that ``generate`` wrote, with its truth.
        customers: As given to it; at most a block.
        seed: As given to it.
        out: Folder for the extracts.
        size: Persons that company B has.
        overlap: Share of them who are our customers.
        chance: Seed of company B's own chance.
        start: As given to ``generate``.
        days: As given to ``generate``.

    Raises:
        ValueError: There are more than one block of our customers, or too few for the overlap.
    """
    if customers > BLOCK:
        raise ValueError(f"customers must be at most {BLOCK}, not {customers}")
    draws = Draws(seed, "company b", chance)
    people, shared = _people(
        ours, draws, customers=customers, size=size, overlap=overlap, seed=seed, days=days
    )
    known = {books.SHOP: np.arange(len(people), dtype=np.int64)}
    joined = {books.SHOP: np.zeros(len(people), dtype=np.int64)}
    book = books.open_book(
        draws.below("book"), books.SHOP, Membership(known, joined), numbers=people.number,
        move_day=people.move_day, days=1,
    )  # fmt: skip
    book = books.with_keys(book, _ids(ours, draws, len(book)))
    rows = np.arange(len(book))
    view = shown(book, people, rows, 0, HABITS)
    shouting = book.chance("capitals", rows, 0.03)
    changed = day_number(start) - 1 - (book.uniform("changed", rows) * 900).astype(np.int64)
    cells: dict[str, Text] = {
        "Klantnummer": book.key,
        "Voornaam": spelling.upper(view.given, shouting),
        "Achternaam": spelling.upper(view.family, shouting),
        "Adres": view.street,
        "Postcode": view.postcode,
        "Woonplaats": view.city,
        "Land": np.where(view.has_address, people.addresses.country[view.home], ""),
        "E-mail": view.email,
        "Telefoon": np.where(view.mobile != "", view.mobile, view.landline),
        "Geboortedatum": np.array(
            [f"{b[6:]}-{b[4:6]}-{b[:4]}" if b else "" for b in view.birth_date], object
        ),
        "Gewijzigd": np.array([_dutch(one) for one in changed.tolist()], object),
    }
    out.mkdir(parents=True, exist_ok=True)
    with (out / "klanten.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
        writer.writerow(_COLUMNS)
        writer.writerows(zip(*(cells[name].tolist() for name in _COLUMNS), strict=True))
    _consents(out / "toestemmingen.csv", draws, cells, changed.tolist())
    (out / "toestemmingen.odcs.yaml").write_text(_contract(), encoding="utf-8")
    truth = dict(zip(book.key.tolist(), structure.person_id(people.number)[book.party].tolist(), strict=True))
    return CompanyB(out, len(people), shared, len(book), truth)


def _people(
    ours: Path, draws: Draws, *, customers: int, size: int, overlap: float, seed: int, days: int
) -> tuple[Persons, int]:
    """Company B's persons: some of ours, as they are, and others; and how many are ours."""
    with (ours / "truth" / "party.csv").open(encoding="utf-8", newline="") as file:
        there = {row["truth_id"] for row in csv.DictReader(file)}
    # Private persons are the first of a block to be made, so these are the same ones.
    first = int(customers * 0.2) + int(customers * 0.12)
    registry = Registry()
    numbers = np.arange(first, customers, dtype=np.int64)
    known = consumers(Draws(seed, 0).below("consumers"), registry, numbers, days)
    shared = round(size * overlap)
    mine = np.flatnonzero(np.isin(structure.person_id(known.number).astype(str), sorted(there)))
    if len(mine) < shared:
        raise ValueError(f"{shared} of our customers are asked for, and there are {len(mine)} persons")
    chosen = mine[np.argsort(draws.uniform("chosen", len(mine)), kind="stable")[:shared]]
    strange = MOST + np.arange(size - shared, dtype=np.int64)
    others = consumers(draws.below("strangers"), registry, strange, 1)
    everybody = merged(known, others)
    return _those(everybody, np.concatenate([np.sort(chosen), len(known) + np.arange(len(others))])), shared


def _those(people: Persons, at: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Persons:
    """Some persons of a block, with all its addresses."""
    names = [name for name in Persons.__slots__ if name != "addresses"]
    return Persons(**{name: getattr(people, name)[at] for name in names}, addresses=people.addresses)


def _ids(ours: Path, draws: Draws, size: int) -> Text:
    """Ids of its own, but for some that are ours, of other people."""
    ids = digits(np.arange(size, dtype=np.int64) + 10_001, 7)
    file = next(iter(sorted((ours / "landing" / "erp" / "customer").glob("*.csv"))))
    with file.open(encoding="cp1252", newline="") as lines:
        taken = sorted({row["KUNNR"] for row in csv.DictReader(lines, delimiter=";") if row.get("KUNNR")})
    same = np.flatnonzero(draws.chance("same id", size, SAME_IDS))[: len(taken)]
    ids[same] = np.array(taken[: len(same)], object)
    return ids


def _consents(path: Path, draws: Draws, cells: dict[str, Text], changed: list[int]) -> None:
    """What its customers said: a newsletter that we have too, and a lottery that we have not."""
    size = len(changed)
    says = draws.chance("says", size, 0.5) & (cells["E-mail"] != "")
    about = draws.integers("about", size, 0, len(_PURPOSES))
    no = draws.chance("no", size, 0.2)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
        writer.writerow(_SAID)
        for at in np.flatnonzero(says).tolist():
            state = "afgemeld" if no[at] else "aangemeld"
            moment = f"{np.datetime64('1900-01-01') + changed[at]}T10:00:00Z"
            word = _PURPOSES[about[at]]
            writer.writerow(
                [f"T{at:06}", cells["Klantnummer"][at], cells["E-mail"][at], word, "email", state, moment]
            )


def _contract() -> str:
    """The contract of its consents, which nobody would guess from its headers."""
    lines = []
    for name, attribute in _CONTRACT_COLUMNS:
        kind = "timestamp" if attribute == "stated_at" else "string"
        lines += [f"      - name: {name}", f"        logicalType: {kind}"]
        if attribute == "statement_id":
            lines += ["        required: true", "        primaryKey: true", "        primaryKeyPosition: 1"]
        lines += [
            "        customProperties:",
            f"          - {{property: mapsTo, value: consent.{attribute}}}",
            "          - {property: purposes, value: [essential.legal_obligation]}",
        ]
        if kind == "timestamp":
            lines.append('          - {property: dateFormats, value: ["%Y-%m-%dT%H:%M:%S%z"]}')
    return _CONTRACT + "\n".join(lines) + "\n"


def _dutch(day: int) -> str:
    year, month, of_month = str(np.datetime64("1900-01-01") + day).split("-")
    return f"{of_month}-{month}-{year}"


__all__ = ["OVERLAP", "CompanyB", "company_b"]
