"""Contacts and accounts as Salesforce exports them.

Belongs here: the columns of both extracts and the habits of the sales staff who fill them in. Does not belong here:
who exists (people, companies) or when a record changes (books).
"""

import numpy as np

from cdm_demo import spelling
from cdm_demo.books import DELETED, MERGED, Book
from cdm_demo.companies import Organisations, is_company, spelled_form
from cdm_demo.dates import instant
from cdm_demo.draws import Flags, Floats, Ints, Text, digits, text
from cdm_demo.identifiers import salesforce
from cdm_demo.people import Persons
from cdm_demo.persons import Habits, Shown, shown, whole_name
from cdm_demo.words import words
from cdm_demo.writing import Columns

HABITS = Habits(
    given=(66, 12, 14, 5, 3),
    prefix=(72, 18, 4, 2, 4),
    number=(62, 22, 8, 8),
    postcode=(78, 18, 4),
    phone=(34, 14, 8, 6, 10, 16, 2, 8, 2),
    typing=0.026,
    email=0.82,
    mobile=0.72,
    landline=0.5,
    birth_date=0.42,
    address=0.4,
)
ACCOUNT_PREFIX, CONTACT_PREFIX, USER_PREFIX = "001", "003", "005"
_USERS = 14


def _users() -> Text:
    return salesforce(USER_PREFIX, np.arange(_USERS, dtype=np.int64))


def _country(codes: Text, style: Ints) -> Text:
    """Country in one of three spellings: Dutch, English, code."""
    names = {
        "NL": ("Nederland", "Netherlands", "NL"),
        "BE": ("België", "Belgium", "BE"),
        "DE": ("Duitsland", "Germany", "DE"),
    }
    return text([names[code][kind] for code, kind in zip(codes, style.tolist(), strict=True)])


def _housekeeping(book: Book, rows: Ints, day: int, start: int) -> dict[str, Text | str]:
    """Record id, deletion and merge flags, owner and times."""
    merged = book.ended(rows, day, MERGED)
    gone = merged | book.ended(rows, day, DELETED)
    event = book.last_event(rows, day)
    age = book.uniform("age", rows)
    made = np.where(
        book.first_day[rows] > 0,
        start + book.first_day[rows],
        start - 1 - (age * age * 2900).astype(np.int64),
    )
    since = (book.uniform("modified", rows) * (start - made)).astype(np.int64)
    # What is changed after the day's export has left comes with the next one.
    evening = (event > 0) & (book.first_day[rows] == 0) & book.chance("evening", rows, 0.15)
    changed = np.where(event > 0, start + event - evening, np.maximum(made, made + since))
    second = 6 * 3600 + (book.uniform("second", rows) * 10 * 3600).astype(np.int64)
    later = second + 1 + (book.uniform("later", rows) * 9000).astype(np.int64)
    later = np.where(evening, later % 3600 + 20 * 3600, later)
    users = _users()
    owner = users[(book.uniform("owner", rows) * _USERS).astype(np.int64)]
    editor = users[(book.uniform("editor", rows) * _USERS).astype(np.int64)]
    modified = instant(changed, later)
    return {
        "Id": book.key[rows],
        "IsDeleted": np.where(gone, "true", "false"),
        "MasterRecordId": np.where(merged, book.key[book.master[rows]], ""),
        "OwnerId": owner,
        "CreatedDate": instant(made, second),
        "CreatedById": owner,
        "LastModifiedDate": modified,
        "LastModifiedById": editor,
        "SystemModstamp": modified,
    }


def contacts(book: Book, people: Persons, rows: Ints, day: int, *, start: int, accounts: Text) -> Columns:
    """Cells of the contact extract.

    Args:
        book: The CRM's records of persons.
        people: The persons of the block.
        rows: Positions of the records wanted.
        day: 0 is the base day.
        start: Day number of the base day.
        accounts: Account id per organisation of the block; empty where the CRM has none.
    """
    view = shown(book, people, rows, day, HABITS)
    party = view.party
    employer = people.employer[party]
    employed = employer >= 0
    account = np.where(employed, accounts[np.maximum(employer, 0)] if len(accounts) else "", "")
    shouting = book.chance("capitals", rows, 0.02)
    given, family = spelling.upper(view.given, shouting), spelling.upper(view.family, shouting)
    title = text(words("organisations.txt", "title"))[(book.uniform("title", rows) * 20).astype(np.int64)]
    desk = text(words("organisations.txt", "department"))[
        (book.uniform("department", rows) * 10).astype(np.int64)
    ]
    country = _country(people.addresses.country[view.home], book.style("country", rows, (70, 12, 18)))
    region = people.addresses.region[view.home]
    iso_birth = text([f"{b[:4]}-{b[4:6]}-{b[6:]}" if b else "" for b in view.birth_date])
    work_phone = spelling.phone(
        book.style("phone", rows, HABITS.phone),
        people.addresses.country[view.home],
        people.addresses.area[view.home],
        people.addresses.subscriber[view.home],
    )
    cells: dict[str, Text | str] = {
        "AccountId": account,
        "LastName": family,
        "FirstName": given,
        "Salutation": _salutation(book, people, rows),
        "Name": whole_name(given, family),
        "MailingStreet": _street(book, view),
        "MailingCity": view.city,
        "MailingState": np.where(view.has_address & book.chance("state", rows, 0.2), region, ""),
        "MailingPostalCode": view.postcode,
        "MailingCountry": np.where(view.has_address, country, ""),
        "Phone": np.where(employed, work_phone, view.landline),
        "MobilePhone": view.mobile,
        "Email": view.email,
        "Title": np.where(employed & book.chance("has title", rows, 0.6), title, ""),
        "Department": np.where(employed & book.chance("has desk", rows, 0.25), desk, ""),
        "LeadSource": text(["Web", "Telefoon", "Beurs", "Partner", "", ""])[
            (book.uniform("lead", rows) * 6).astype(np.int64)
        ],
        "Birthdate": iso_birth,
        "HasOptedOutOfEmail": np.where(book.chance("opted out", rows, 0.17), "true", "false"),
        "Deceased__c": np.where(book.chance("deceased", rows, 0.01), "true", "false"),
        "DoNotCall": np.where(book.chance("do not call", rows, 0.12), "true", "false"),
    }
    return cells | _housekeeping(book, rows, day, start)


def _street(book: Book, view: Shown) -> Text:
    """Street line; a few have a second line within the cell."""
    extra = text(["Gebouw B", "Postbus 112", "t.a.v. administratie", "3e verdieping"])[
        (book.uniform("extra line", view.rows) * 4).astype(np.int64)
    ]
    more = book.chance("has extra line", view.rows, 0.004) & (view.street != "")
    return np.where(more, view.street + "\n" + extra, view.street)


def _salutation(book: Book, people: Persons, rows: Ints) -> Text:
    female = people.female[book.party[rows]]
    style = book.style("salutation", rows, (46, 14, 10, 4, 26))
    men = text(["Dhr.", "De heer", "Mr.", "Dhr. drs.", ""])[style]
    women = text(["Mevr.", "Mevrouw", "Ms.", "Mevr. drs.", ""])[style]
    return np.where(female, women, men)


def accounts(
    book: Book, companies: Organisations, rows: Ints, day: int, *, start: int, parents: Text
) -> Columns:
    """Cells of the account extract.

    Args:
        book: The CRM's records of organisations.
        companies: The organisations of the block.
        rows: Positions of the records wanted.
        day: 0 is the base day.
        start: Day number of the base day.
        parents: Account id per organisation of the block; empty where the CRM has none.
    """
    party = book.party[rows]
    homes, home = companies.addresses, companies.address[party]
    error = 0.024 * np.where(book.copy[rows] > 0, 2.0, 1.0) * book.erring(rows, day)
    name = company_name(book, companies, rows, error, trades=0.35)
    street = spelling.street_line(homes, home, book.style("number", rows, HABITS.number))
    parent = companies.parent[party]
    owner = np.where(parent >= 0, parents[np.maximum(parent, 0)] if len(parents) else "", "")
    postal = spelling.postcode(homes, home, book.style("postcode", rows, HABITS.postcode))
    cells: dict[str, Text | str] = {
        "Name": name,
        "Type": text(["Customer", "Prospect", "Partner", "Customer", ""])[
            (book.uniform("type", rows) * 5).astype(np.int64)
        ],
        "ParentId": owner,
        "BillingStreet": spelling.damaged(
            street,
            book.chance("street slip", rows, error),
            book.uniform("street kind", rows),
            spelling.mistype,
        ),
        "BillingCity": homes.town[home],
        "BillingState": np.where(book.chance("state", rows, 0.2), homes.region[home], ""),
        "BillingPostalCode": postal,
        "BillingCountry": _country(homes.country[home], book.style("country", rows, (70, 12, 18))),
        "Phone": np.where(
            book.chance("phone", rows, 0.85),
            spelling.phone(
                book.style("phone style", rows, HABITS.phone),
                homes.country[home],
                homes.area[home],
                homes.subscriber[home],
            ),
            "",
        ),
        "AccountNumber": "A" + digits(book.serial[rows] + 100_000, 6),
        "Website": np.where(book.chance("website", rows, 0.6), "www." + companies.domain[party], ""),
        "Industry": companies.industry[party],
        "Description": np.where(
            book.chance("description", rows, 0.5) & (companies.trade_name[party] != ""),
            "Handelsnaam: " + companies.trade_name[party],
            "",
        ),
        "VAT_Number__c": _written_vat(book, companies, rows, 0.6),
        "KvK_Number__c": np.where(book.chance("coc", rows, 0.66), companies.coc[party], ""),
    }
    return cells | _housekeeping(book, rows, day, start)


def company_name(book: Book, companies: Organisations, rows: Ints, error: Floats, *, trades: float) -> Text:
    """Names of organisations with their legal form in one spelling or another.

    Args:
        book: Records of organisations.
        companies: The organisations.
        rows: Positions of the records.
        error: Share of typing errors.
        trades: Share of records that show the trade name, where there is one.
    """
    party = book.party[rows]
    form = spelled_form(companies.form[party], book.style("form", rows, (50, 24, 14, 12)))
    traded: Flags = (companies.trade_name[party] != "") & book.chance("trades", rows, trades)
    name = np.where(traded, companies.trade_name[party], companies.name[party])
    joint = np.where((form == "") | traded | ~is_company(companies.form[party]), "", " ")
    name = spelling.damaged(
        name, book.chance("name slip", rows, error), book.uniform("name kind", rows), spelling.mistype
    )
    written: Text = name + joint.astype(object) + np.where(joint == "", "", form)
    return written


def _written_vat(book: Book, companies: Organisations, rows: Ints, share: float) -> Text:
    """VAT numbers as people write them: plain, or with stops."""
    plain = companies.vat[book.party[rows]]
    dotted = text([f"{v[:2]}{v[2:6]}.{v[6:8]}.{v[8:11]}.{v[11:]}" if v[:2] == "NL" else v for v in plain])
    shown_vat = np.where(book.chance("dotted", rows, 0.12), dotted, plain)
    return np.where(book.chance("vat", rows, share), shown_vat, "")


def keys(book: Book, prefix: str) -> Text:
    """Salesforce ids of the records."""
    return salesforce(prefix, book.serial)
