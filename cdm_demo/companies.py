"""Organisations and the people who act for them, as they are in reality.

Belongs here: legal and trade names, tax and trade-register numbers, domains, groups of companies, contact persons.
Does not belong here: how a source spells them.
"""

from dataclasses import dataclass

import numpy as np

from cdm_demo.draws import Draws, Flags, Ints, Text, Weighted, constant, styled, text
from cdm_demo.identifiers import chamber_of_commerce, iban, vat
from cdm_demo.mailboxes import Registry, ascii_name, work_mailboxes
from cdm_demo.people import Persons, consumers, family_name, mobiles
from cdm_demo.places import Addresses, addresses
from cdm_demo.words import surnames, words, words_by_bar

BV, SOLE, VOF, NV, FOUNDATION, ASSOCIATION, COOPERATIVE, GMBH, BE_BV, BE_NV = range(10)
"""Legal forms, as positions in LEGAL_FORMS."""

LEGAL_FORMS = ("B.V.", "", "V.O.F.", "N.V.", "", "", "U.A.", "GmbH", "BV", "NV")
_DUTCH_FORMS = (46, 27, 10, 1, 6, 5, 1)


@dataclass(slots=True)
class Organisations:
    """Organisations of one block, one array per attribute.

    Attributes:
        number: Party number, unique over the whole run.
        name: Without its legal form.
        form: Position in LEGAL_FORMS.
        trade_name: Empty for most.
        industry: As Salesforce lists them.
        address: Position in ``addresses``.
        vat: VAT number.
        coc: Chamber-of-commerce number; empty abroad.
        iban: Account.
        domain: Of web site and mail.
        email: The shared mailbox, as info@.
        parent: Position of the parent company, -1 for most.
        addresses: Where they are.
    """

    number: Ints
    name: Text
    form: Ints
    trade_name: Text
    industry: Text
    address: Ints
    vat: Text
    coc: Text
    iban: Text
    domain: Text
    email: Text
    parent: Ints
    addresses: Addresses

    def __len__(self) -> int:
        return len(self.number)


def organisations(draws: Draws, registry: Registry, numbers: Ints) -> Organisations:
    """Draw the organisations of one block; some belong to the one before them in the list."""
    size = len(numbers)
    abroad = draws.uniform("abroad", size)
    countries = np.where(abroad < 0.05, "BE", np.where(abroad > 0.955, "DE", "NL")).astype(object)
    form = draws.pick("form", size, _DUTCH_FORMS)
    form = np.where(countries == "DE", GMBH, form)
    form = np.where(countries == "BE", np.where(form == BV, BE_NV, BE_BV), form)
    child = draws.chance("group", size, 0.04)
    child[:1] = False
    child &= ~np.concatenate([[False], child[:-1]])
    child &= np.isin(form, (BV, NV)) & np.isin(np.concatenate([[NV], form[:-1]]), (BV, NV))
    place = np.arange(size)
    owner = np.where(child, place - 1, place)
    family, trade, town = _ingredients(draws, size)
    homes = addresses(draws.below("address"), countries, int(numbers[0]) + 900_000 if size else 0)
    name = _names(draws, form, family, trade, homes.town)
    suffix = text(["Beheer", "Holding", "Vastgoed", "Export", "Services"])[
        draws.integers("suffix", size, 0, 5)
    ]
    name = np.where(child, name[owner] + " " + suffix, name)
    main = text([ascii_name(n.replace("&", "en"))[:24].strip("-") for n in name[owner]])
    top = np.where(countries == "BE", ".be", np.where(countries == "DE", ".de", ".nl")).astype(object)
    role = Weighted(words("organisations.txt", "role"), shift=0.7).take(draws.uniform("role", size))
    claimed = registry.claim(main + "@" + top, numbers)
    own = text([site.replace("@", "") for site in claimed])
    domain = own[owner]
    sole = (form == SOLE).astype(np.int64)
    return Organisations(
        number=numbers,
        name=name,
        form=form,
        trade_name=np.where(draws.chance("trades", size, 0.14) & ~child, town, ""),
        industry=text([entry[2] for entry in trade]),
        address=owner,
        vat=vat(numbers, countries, sole=sole),
        coc=np.where(countries == "NL", chamber_of_commerce(numbers), ""),
        iban=iban(numbers, draws.uniform("bank", size), countries),
        domain=domain,
        email=role + "@" + domain,
        parent=np.where(child, owner, -1),
        addresses=homes,
    )


def _ingredients(draws: Draws, size: int) -> tuple[Text, Text, Text]:
    """A surname, a trade (word, kind of business, industry) and a trade name for each."""
    family = surnames("nl").take(draws.uniform("family", size))
    whole = family_name(text([f[0] for f in family]), text([f[1] for f in family]))
    trades = Weighted(words_by_bar("organisations.txt", "trade"), shift=9.0)
    trade = trades.take(draws.uniform("trade", size))
    brand = Weighted(words("organisations.txt", "word"), shift=20.0).take(draws.uniform("brand", size))
    shown = brand + " " + text([entry[0] for entry in trade])
    return whole, trade, shown


def _names(draws: Draws, form: Ints, family: Text, trade: Text, town: Text) -> Text:
    size = len(form)
    word = Weighted(words("organisations.txt", "word"), shift=20.0).take(draws.uniform("word", size))
    more = surnames("nl").take(draws.uniform("partner", size))
    partner = family_name(text([m[0] for m in more]), text([m[1] for m in more]))
    sector, kind = text([entry[0] for entry in trade]), text([entry[1] for entry in trade])
    capital = text([f[:1].upper() + f[1:] for f in family])
    plain = styled(
        draws.pick("pattern", size, (30, 24, 10, 18, 8, 10)),
        [
            lambda i: kind[i] + " " + family[i],
            lambda i: capital[i] + " " + sector[i],
            lambda i: capital[i] + " & " + partner[i] + " " + sector[i],
            lambda i: word[i] + " " + sector[i] + " " + town[i],
            lambda i: kind[i] + " " + word[i] + " " + town[i],
            lambda i: capital[i] + " " + sector[i] + " " + town[i],
        ],
    )
    foundation = text(words("organisations.txt", "stichting"))[draws.integers("foundation", size, 0, 8)]
    club = text(words("organisations.txt", "vereniging"))[draws.integers("club", size, 0, 8)]
    plain = np.where(form == FOUNDATION, foundation + " " + word + " " + town, plain)
    plain = np.where(form == ASSOCIATION, club + " " + word + " " + town, plain)
    return np.where(form == COOPERATIVE, "Coöperatie " + plain, plain)


def contacts(draws: Draws, registry: Registry, numbers: Ints, companies: Organisations) -> Persons:
    """Draw the contact persons of the organisations of one block; they use the organisation's address."""
    size = len(numbers)
    people = consumers(draws.below("person"), registry, numbers, days=1)
    employer = Weighted(range(len(companies)), shift=len(companies) * 0.4 + 1)
    place = employer.take(draws.uniform("employer", size)).astype(np.int64)
    domain = companies.domain[place]
    mailbox = work_mailboxes(
        draws, call=people.call, initial=people.initials, family=people.family(), domain=domain
    )
    people.household = companies.number[place]
    people.role = np.zeros(size, dtype=np.int64)
    people.employer = place
    people.addresses = companies.addresses
    people.address = companies.address[place]
    people.old_address = people.address
    people.move_day = np.full(size, -1, dtype=np.int64)
    people.mobile_prefix, people.mobile = mobiles(numbers, companies.addresses.country[people.address])
    people.email = registry.claim(mailbox, numbers)
    people.second_email = constant("", size)
    people.family_email = np.where(draws.chance("shared mailbox", size, 0.06), companies.email[place], "")
    people.partner_mobile = constant("", size)
    people.junior = np.zeros(size, dtype=bool)
    people.certain = np.ones(size, dtype=bool)
    people.sparse = np.zeros(size, dtype=bool)
    return people


def spelled_form(form: Ints, style: Ints) -> Text:
    """Legal forms in one of several spellings.

    Args:
        form: Positions in LEGAL_FORMS.
        style: 0 as registered, 1 without stops, 2 lower case, 3 left out.
    """
    registered = text(LEGAL_FORMS)[form]
    bare = text([f.replace(".", "") for f in LEGAL_FORMS])[form]
    small = text([f.lower() for f in LEGAL_FORMS])[form]
    out: Text = np.where(style == 1, bare, np.where(style == 2, small, np.where(style == 3, "", registered)))
    return out


def is_company(form: Ints) -> Flags:
    """Whether the legal form is written behind the name."""
    flags: Flags = ~np.isin(form, (SOLE, FOUNDATION, ASSOCIATION))
    return flags
