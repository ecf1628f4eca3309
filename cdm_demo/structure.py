"""What is true of the parties beyond who they are: the labels by which linkage errors can be studied.

Belongs here: the rows of ``truth/structure.csv``. Does not belong here: which record belongs to whom (blocks).
"""

import numpy as np

from cdm_demo.companies import Organisations
from cdm_demo.draws import Flags, Ints, Text, digits, text
from cdm_demo.people import Persons

COLUMNS = (
    "truth_id",
    "role",
    "household",
    "moved",
    "renamed",
    "junior",
    "shared_mailbox",
    "shared_mobile",
    "employer",
    "parent",
    "home",
)
"""One row per party.

role: organisation, contact, or what a person is to the first of the household: head, partner, child, twin, lodger.
household: truth id of its first member. moved, renamed (since a marriage), junior (a child with the given name of
its parent), shared_mailbox, shared_mobile: yes or empty. employer: truth id of the organisation that a contact acts
for. parent: truth id of the company that owns this one. home: where a person lives on the last day; who has the same
lives together. H and the number of the household's first member for the household's home, N and a person's own number
for who moved out of it.
"""

_ROLES = ("head", "partner", "child", "twin", "lodger")


def person_id(number: Ints) -> Text:
    """Truth ids of persons."""
    ids: Text = "P" + digits(number, 7)
    return ids


def organisation_id(number: Ints) -> Text:
    """Truth ids of organisations."""
    ids: Text = "O" + digits(number, 7)
    return ids


def _yes(flags: Flags) -> Text:
    return np.where(flags, "yes", "").astype(object)


def rows(people: Persons, companies: Organisations) -> list[str]:
    """Lines of all parties of one block."""
    return _company_rows(companies) + _person_rows(people, companies)


def _joined(*cells: Text) -> list[str]:
    return [",".join(row) for row in zip(*cells, strict=True)]


def _company_rows(companies: Organisations) -> list[str]:
    ids = organisation_id(companies.number)
    size = len(ids)
    blank = text([""] * size)
    parent = np.where(companies.parent >= 0, ids[np.maximum(companies.parent, 0)] if size else "", "")
    return _joined(ids, text(["organisation"] * size), *[blank] * 7, parent, blank)


def _person_rows(people: Persons, companies: Organisations) -> list[str]:
    acting = people.employer >= 0
    firms = organisation_id(companies.number)
    employer = np.where(acting, firms[np.maximum(people.employer, 0)] if len(firms) else "", "")
    return _joined(
        person_id(people.number),
        np.where(acting, "contact", text(_ROLES)[people.role]),
        np.where(acting, "", person_id(people.household)),
        _yes(people.move_day >= 0),
        _yes(people.other_surname != ""),
        _yes(people.junior),
        _yes(people.family_email != ""),
        _yes(people.partner_mobile != ""),
        employer,
        text([""] * len(people)),
        np.where(acting, "", _homes(people)),
    )


def _homes(people: Persons) -> Text:
    """Homes on the last day: who moves on a day of the run leaves the others, who moved before lives with them."""
    left: Text = "N" + digits(people.number, 7)
    return np.where(people.move_day > 0, left, "H" + digits(people.household, 7))
