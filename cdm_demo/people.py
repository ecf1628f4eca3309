"""Persons as they are in reality, before any system writes them down.

Belongs here: households, names, birth dates, moves, marriages, phones and mailboxes. Does not belong here: how a
source spells them or which source knows them.
"""

from dataclasses import dataclass

import numpy as np

from cdm_demo.draws import Draws, Flags, Ints, Text, constant, permute, text
from cdm_demo.identifiers import iban
from cdm_demo.mailboxes import Owners, Registry, family_mailboxes, personal_mailboxes
from cdm_demo.places import Addresses, addresses, joined
from cdm_demo.words import ORIGIN_WEIGHTS, ORIGINS, given_names, surnames

EPOCH = np.datetime64("1900-01-01")
"""Days are counted from here."""

HEAD, PARTNER, CHILD, TWIN, LODGER = range(5)
"""What a person is to the first member of the household."""


@dataclass(slots=True)
class Persons:
    """Persons of one block, one array per attribute; positions are the persons.

    Attributes:
        number: Party number, unique over the whole run.
        household: Number of the first member.
        role: HEAD, PARTNER, CHILD, TWIN or LODGER.
        female: Gender.
        origin: Position in ORIGINS.
        birth_day: Days since EPOCH.
        given: First official given name.
        further: Further official given names; may be empty.
        call: Name by which the person is called.
        initials: With full stops.
        prefix: Of the surname; may be empty.
        surname: Without prefix.
        other_prefix: Of the other name that is used since a marriage.
        other_surname: Empty where there is none.
        address: Position in ``addresses`` of the present home.
        old_address: Position of the former home; equal to ``address`` for who did not move.
        move_day: 0 moved before the first day, d moves on that day, -1 did not move.
        mobile_prefix: 06 in the Netherlands, 04 or 0151 elsewhere.
        mobile: The rest of the mobile number.
        email: Main mailbox.
        second_email: Another mailbox of the same person; empty for most.
        family_email: Mailbox of the whole household; empty for most.
        partner_mobile: As ``mobile``, of the household's head, for who uses it; empty for most.
        iban: Account, often one for a couple.
        certain: Whether every record must carry strong evidence, because names and addresses cannot tell.
        junior: Whether a child bears its parent's given name.
        sparse: Whether some of the records lack an address.
        employer: Position of the organisation of a contact person, -1 for a consumer.
        addresses: Where they live.
    """

    number: Ints
    household: Ints
    role: Ints
    female: Flags
    origin: Ints
    birth_day: Ints
    given: Text
    further: Text
    call: Text
    initials: Text
    prefix: Text
    surname: Text
    other_prefix: Text
    other_surname: Text
    address: Ints
    old_address: Ints
    move_day: Ints
    mobile_prefix: Text
    mobile: Text
    email: Text
    second_email: Text
    family_email: Text
    partner_mobile: Text
    iban: Text
    certain: Flags
    junior: Flags
    sparse: Flags
    employer: Ints
    addresses: Addresses

    def __len__(self) -> int:
        return len(self.number)

    def family(self) -> Text:
        """Surname with its prefix."""
        return family_name(self.prefix, self.surname)

    def year(self) -> Ints:
        """Year of birth."""
        return year_of(self.birth_day)


def year_of(days: Ints) -> Ints:
    """Calendar year of days since EPOCH."""
    years: Ints = (EPOCH + days).astype("datetime64[Y]").astype(np.int64) + 1970
    return years


def family_name(prefix: Text, surname: Text) -> Text:
    """Prefix and surname in one value; an apostrophe prefix (d'Hondt) joins without a space."""
    joint = np.where((prefix == "") | (prefix == "d'") | (prefix == "l'") | (prefix == "D'"), "", " ")
    whole: Text = prefix + joint.astype(object) + surname
    return whole


@dataclass(frozen=True, slots=True)
class _Household:
    """Where each person belongs: position of the head, and what the person is to the head."""

    head: Ints
    role: Ints


def _households(draws: Draws, size: int) -> _Household:
    sizes = 1 + draws.pick("size", size, (74, 19, 5, 2))
    starts = np.cumsum(sizes) - sizes
    starts, sizes = starts[starts < size], sizes[starts < size]
    head = np.repeat(starts, sizes)[:size]
    place = np.arange(size) - head
    second = np.array([PARTNER, CHILD, LODGER, TWIN])[draws.pick("second", size, (72, 18, 6, 4))]
    later = np.array([CHILD, TWIN, LODGER])[draws.pick("later", size, (84, 11, 5))]
    role = np.where(place == 0, HEAD, np.where(place == 1, second, later))
    # A later twin is the twin of the child before it; without such a child it is a child itself.
    before = np.concatenate([[HEAD], role[:-1]])
    role = np.where((place >= 2) & (role == TWIN) & (before != CHILD), CHILD, role)
    return _Household(head, role)


_DECADES = ((1930, 3), (1940, 9), (1950, 15), (1960, 19), (1970, 18), (1980, 17), (1990, 15), (2000, 6))


def _births(draws: Draws, house: _Household, foreign: Flags) -> Ints:
    size = len(house.head)
    decade = np.array([start for start, _ in _DECADES])[
        draws.pick("decade", size, [weight for _, weight in _DECADES])
    ]
    year = decade + draws.integers("year", size, 0, 10)
    year = np.minimum(year, 2007)
    parent = np.isin(np.arange(size), house.head[house.role == CHILD])
    year = np.where(parent, 1945 + draws.integers("parent", size, 0, 36), year)
    head_year = year[house.head]
    year = np.where(house.role == PARTNER, head_year + draws.integers("partner", size, -7, 8), year)
    generation = 20 + (draws.uniform("child", size) * np.minimum(18, 2008 - head_year - 20)).astype(np.int64)
    year = np.clip(np.where(house.role == CHILD, head_year + generation, year), 1930, 2007)
    day = draws.integers("day", size, 0, 365)
    # Registers note 1 January for immigrants whose day of birth is not known.
    day = np.where(foreign & draws.chance("new year", size, 0.12), 0, day)
    births: Ints = ((year - 1970).astype("datetime64[Y]").astype("datetime64[D]") - EPOCH).astype(
        np.int64
    ) + day
    # A twin shares the birth date of the head (second place) or of the person just before.
    twins = np.flatnonzero(house.role == TWIN)
    births[twins] = births[twins - 1]
    return births


@dataclass(frozen=True, slots=True)
class _Names:
    given: Text
    further: Text
    call: Text
    initials: Text
    prefix: Text
    surname: Text


def _initials(given: Text, further: Text) -> Text:
    def short(first: str, rest: str) -> str:
        return "".join(f"{part[0].upper()}." for part in f"{first} {rest}".split())

    return text([short(first, rest) for first, rest in zip(given, further, strict=True)])


def _names(draws: Draws, origin: Ints, female: Flags, births: Ints) -> _Names:
    size = len(origin)
    cohort = np.searchsorted(np.array([1955, 1980]), year_of(births), side="right") + 1
    mixed = np.where((origin == ORIGINS.index("sr")) & draws.chance("creole", size, 0.4), 0, origin)
    names = {step: draws.uniform(step, size) for step in ("given", "second", "third", "call", "surname")}
    given, call = constant("", size), constant("", size)
    second, third = constant("", size), constant("", size)
    group = mixed * 6 + female * 3 + cohort - 1
    for code in np.unique(group).tolist():
        at = np.flatnonzero(group == code)
        table = given_names(ORIGINS[code // 6], "mf"[code // 3 % 2], code % 3 + 1)
        chosen = table.take(names["given"][at])
        given[at] = text([name.official for name in chosen])
        # The square makes the first call name the most frequent one.
        call[at] = text(
            [
                name.called[int(u * u * len(name.called))]
                for name, u in zip(chosen, names["call"][at].tolist(), strict=True)
            ]
        )
        second[at] = text([name.official for name in table.take(names["second"][at])])
        third[at] = text([name.official for name in table.take(names["third"][at])])
    count = draws.uniform("count", size)
    more = np.where(cohort == 1, 0.62, 0.42)
    second = np.where((count < more) & (second != given), second, "")
    third = np.where((count < more * 0.35) & (second != "") & (third != second) & (third != given), third, "")
    further = text([f"{a} {b}".strip() for a, b in zip(second, third, strict=True)])
    family = constant("", size)
    for code in np.unique(origin).tolist():
        at = np.flatnonzero(origin == code)
        family[at] = surnames(ORIGINS[code]).take(names["surname"][at])
    return _Names(
        given,
        further,
        call,
        _initials(given, further),
        text([prefix for prefix, _ in family]),
        text([rest for _, rest in family]),
    )


def _like_parent(draws: Draws, house: _Household, names: _Names, female: Flags) -> tuple[_Names, Flags]:
    """Children and twins bear the head's surname, and some children, told apart, the parent's given name."""
    head, role = house.head, house.role
    same_family = np.isin(role, (CHILD, TWIN))
    junior = (role == CHILD) & (female == female[head]) & draws.chance("junior", len(head), 0.16)
    given = np.where(junior, names.given[head], names.given)
    further = np.where(junior, names.further[head], names.further)
    family = _Names(
        given,
        further,
        np.where(junior, names.call[head], names.call),
        _initials(given, further),
        np.where(same_family, names.prefix[head], names.prefix),
        np.where(same_family, names.surname[head], names.surname),
    )
    return family, junior


def _other_names(draws: Draws, house: _Household, names: _Names, female: Flags) -> tuple[Text, Text]:
    """The name used since a marriage: the partner's, or the partner's followed by one's own."""
    size = len(female)
    own = family_name(names.prefix, names.surname)
    wed = female & (house.role == PARTNER) & draws.chance("wed", size, 0.45)
    alone = female & (house.role == HEAD) & draws.chance("alone", size, 0.035)
    spouse = np.where(wed, house.head, draws.integers("spouse", size, 0, max(size, 1)))
    double = draws.chance("double", size, 0.65)
    changed = (wed | alone) & (names.surname[spouse] != names.surname)
    surname = np.where(double, names.surname[spouse] + "-" + own, names.surname[spouse])
    return np.where(changed, names.prefix[spouse], ""), np.where(changed, surname, "")


def _ambiguous(household: Ints, initials: Text, surname: Text) -> Flags:
    """Persons who share household, surname and first initial with another person."""
    keys = [f"{h}|{s}|{i[:1]}" for h, s, i in zip(household.tolist(), surname, initials, strict=True)]
    _, inverse, counts = np.unique(np.array(keys), return_inverse=True, return_counts=True)
    shared: Flags = counts[inverse] > 1
    return shared


def mobiles(number: Ints, countries: Text) -> tuple[Text, Text]:
    """Mobile numbers, different for different party numbers: prefix (06, 04, 0151) and the rest."""
    serial = permute(number, 50_000_000, 131) + 10_000_000
    belgian = 70_000_000 + serial % 30_000_000
    prefix = np.where(countries == "BE", "04", np.where(countries == "DE", "0151", "06")).astype(object)
    return prefix, text([str(n) for n in np.where(countries == "BE", belgian, serial).tolist()])


def consumers(draws: Draws, registry: Registry, numbers: Ints, days: int) -> Persons:
    """Draw the private persons of one block.

    Args:
        draws: Streams of this use.
        registry: Keeps mailboxes apart over all blocks.
        numbers: Party numbers.
        days: Days of the run; some persons move on the second or a later one.
    """
    size = len(numbers)
    house = _households(draws, size)
    head = house.head
    origin = draws.pick("origin", size, ORIGIN_WEIGHTS)
    with_head = np.isin(house.role, (CHILD, TWIN)) | (
        (house.role == PARTNER) & draws.chance("same origin", size, 0.88)
    )
    origin = np.where(with_head, origin[head], origin)
    female = draws.chance("gender", size, 0.51)
    female = np.where((house.role == PARTNER) & draws.chance("pair", size, 0.96), ~female[head], female)
    births = _births(draws, house, np.isin(origin, (2, 3)))
    names, junior = _like_parent(draws, house, _names(draws, origin, female, births), female)
    other_prefix, other_surname = _other_names(draws, house, names, female)
    homes, address, old_address, move_day = _homes(draws, numbers, head, origin, days)
    countries = homes.country[address]
    family = family_name(names.prefix, names.surname)
    owners = Owners(names.call, family, year_of(births), countries, numbers)
    email = personal_mailboxes(draws.below("email"), registry, owners)
    second = personal_mailboxes(draws.below("second email"), registry, owners)
    has_second = draws.chance("has second", size, 0.16)
    shared = family_mailboxes(draws.below("family email"), registry, owners)
    shares = draws.chance("family mail", size, 0.16)[head] & (np.bincount(head, minlength=size)[head] > 1)
    mobile_prefix, mobile = mobiles(numbers, countries)
    one_account = (house.role == PARTNER) & draws.chance("one account", size, 0.4)
    accounts = iban(numbers, draws.uniform("bank", size), countries)
    sparse = draws.chance("sparse", size, 0.06)
    certain = _ambiguous(numbers[head], names.initials, names.surname) | (other_surname != "")
    certain |= (move_day >= 0) | sparse
    return Persons(
        number=numbers,
        household=numbers[head],
        role=house.role,
        female=female,
        origin=origin,
        birth_day=births,
        given=names.given,
        further=names.further,
        call=names.call,
        initials=names.initials,
        prefix=names.prefix,
        surname=names.surname,
        other_prefix=other_prefix,
        other_surname=other_surname,
        address=address,
        old_address=old_address,
        move_day=move_day,
        mobile_prefix=mobile_prefix,
        mobile=mobile,
        email=email,
        second_email=np.where(has_second, second, ""),
        family_email=np.where(shares, shared[head], ""),
        partner_mobile=np.where(
            (house.role == PARTNER) & draws.chance("partner phone", size, 0.12), mobile[head], ""
        ),
        iban=np.where(one_account, accounts[head], accounts),
        certain=certain,
        junior=junior,
        sparse=sparse,
        employer=np.full(size, -1, dtype=np.int64),
        addresses=homes,
    )


def _homes(
    draws: Draws, numbers: Ints, head: Ints, origin: Ints, days: int
) -> tuple[Addresses, Ints, Ints, Ints]:
    """Homes, old and new: addresses, present address, former address, day of the move."""
    size = len(head)
    abroad = draws.uniform("abroad", size)
    belgian = np.where(origin == ORIGINS.index("be"), 0.6, 0.006)
    german = np.where(origin == ORIGINS.index("de"), 0.45, 0.005)
    countries = np.where(abroad < belgian, "BE", np.where(abroad > 1 - german, "DE", "NL")).astype(object)
    countries = countries[head]
    first = int(numbers[0]) if size else 0
    homes = addresses(draws.below("home"), countries, first * 2)
    former = addresses(draws.below("former home"), countries, first * 2 + size)
    move_day = np.full(size, -1, dtype=np.int64)
    moved = draws.uniform("moved", size)
    move_day[moved < 0.07] = 0
    for day in range(1, days):
        low = 0.07 + (day - 1) * 0.006
        move_day[(moved >= low) & (moved < low + 0.006)] = day
    address = head.copy()
    old = np.where(move_day >= 0, np.arange(size) + size, address)
    # Who moves on a later day goes to the fresh address and leaves the household's.
    later = move_day > 0
    return joined(homes, former), np.where(later, old, address), np.where(later, address, old), move_day


def merged(first: Persons, second: Persons) -> Persons:
    """Two sets of persons with their addresses, one after the other."""
    shift = len(first.addresses)
    parts = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in Persons.__dataclass_fields__
        if name not in {"addresses", "address", "old_address"}
    }
    return Persons(
        **parts,
        address=np.concatenate([first.address, second.address + shift]),
        old_address=np.concatenate([first.old_address, second.old_address + shift]),
        addresses=joined(first.addresses, second.addresses),
    )
