"""Who may be meant by what a person typed: golden customers found by the indexes of PostgreSQL.

Belongs here: from a query taken apart to candidates, the surest kind of agreement first, with an allowance for typing
errors. Does not belong here: what of it is theirs (``agreement``), reading what was typed or ranking who was found
(``steps.search``), filling the tables (``search_index``).

Each look-up costs about a millisecond at a million customers, because each goes through an index and takes a limited
number of rows: whole values, their beginning or their end (of which a single typing error leaves one intact), and
words, whose misspellings are looked up among the distinct words and not among the customers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from cdm_pipelines.hub import quick
from cdm_pipelines.hub.golden_ids import as_uuid, ends
from cdm_pipelines.hub.load import without_data
from cdm_pipelines.hub.schema import customer

GOLDEN_ID, RECORD_ID, ORDER = "golden id", "record id", "order number"
EMAIL, PHONE, ADDRESS, NAME, ALIKE = "e-mail", "phone", "address", "name", "alike"
IDS = frozenset({GOLDEN_ID, RECORD_ID, ORDER})

SHORTEST_NUMBER = 7
"""Digits that select a phone number."""
_FEW = 3  # candidates by all words, below which those that share all words but one are looked up too
_MOST = 100  # customers of one look-up
_RARE = 2000  # customers who share a word, above which it alone says too little
_LOOKED_AT = 1000  # rows that are sorted by likeness
_KEPT = 30  # of those
_SETTINGS = "SET LOCAL enable_seqscan = off; SET LOCAL pg_trgm.similarity_threshold = 0.45"
"""Until the transaction ends: each statement goes to the database and back, and what follows reads by ids.

Of a few rows among many the planner hopes that they come soon in the table itself, and may read all of it. Words are as
like as ``golden.search_similar`` wants them, so that its index gives no others.
"""
_LETTERS, _DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"


@dataclass(frozen=True)
class Query:
    """What a person typed, taken apart; what was not typed is empty.

    Attributes:
        text: All of it, with single blanks, for ids.
        email: Address in small letters.
        phone: E.164, or what digits there are where it is no complete number.
        postcode: As golden customers have it.
        area: First digits of a Dutch postcode, where no whole one was typed.
        house_number: Digits.
        birth: Year, or date as eight digits.
        words: Words of a name or a town.
        initials: Letters that are given instead of names.
        name: All words, prefixes and initials as they were typed.
    """

    text: str
    email: str = ""
    phone: str = ""
    postcode: str = ""
    area: str = ""
    house_number: str = ""
    birth: str = ""
    words: tuple[str, ...] = ()
    initials: tuple[str, ...] = ()
    name: tuple[str, ...] = ()


@dataclass
class Candidate:
    """A customer who may be meant, and by what it was found."""

    golden_id: UUID
    reasons: set[str] = field(default_factory=set)


class Candidates(NamedTuple):
    """Customers who may be meant, in no particular order, and the words that may be, where those were looked up."""

    customers: Sequence[Candidate]
    words: "Words | None"


def candidates(connection: Connection, query: Query) -> Candidates:
    """Who may be meant; those of an id alone where one is known by it."""
    found = _Found(connection)
    with without_data("searching"):
        quick.run(connection, _SETTINGS)
        for lookup in _ids(query.text):
            found.add(lookup)
        if not found.by_id:
            _by_values(found, query)
    return Candidates(list(found.by_id.values()), found.words)


class _Found:
    """Candidates so far."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.by_id: dict[UUID, Candidate] = {}
        self.words: Words | None = None

    def add(self, lookup: "_Lookup") -> int:
        """Run a look-up; returns how many customers it found."""
        rows = quick.scalars(self.connection, lookup.statement(), lookup.values)
        for golden_id in rows:
            self.by_id.setdefault(golden_id, Candidate(golden_id)).reasons.add(lookup.reason)
        return len(rows)

    def first(self, lookups: Iterable["_Lookup"]) -> None:
        """Add what the first look-up finds that finds anything."""
        for lookup in lookups:
            if lookup.branches and self.add(lookup):
                return


class Word(NamedTuple):
    """A word of customers, how it was found (``equal``, ``begins``, ``slip``, ``alike``), and how many have it."""

    text: str
    kind: str
    customers: int


class Words(NamedTuple):
    """What words that were typed may mean.

    Attributes:
        meant: For each word the words of customers that may be meant; none where there is nothing like it.
        unread: What was typed and holds no sign of a word.
    """

    meant: Mapping[str, Sequence[Word]]
    unread: Sequence[str]


_SIMILAR = """
    SELECT typed.text, split.word, found.word, found.kind, found.customers
    FROM unnest(CAST(:typed AS text[])) AS typed(text)
    LEFT JOIN LATERAL unnest(golden.search_words(typed.text)) AS split(word) ON true
    LEFT JOIN LATERAL golden.search_similar(ARRAY[split.word]) AS found ON true"""


def words_meant(connection: Connection, query: Query) -> Words:
    """The words that may be meant, typing errors forgiven."""
    meant: dict[str, list[Word]] = {}
    unread: list[str] = []
    if query.words:
        for typed, word, *found in quick.rows(connection, _SIMILAR, {"typed": list(query.words)}):
            if word is None:
                unread.append(typed)
                continue
            meant.setdefault(word, [])
            if found[0] is not None:
                meant[word].append(Word(*found))
    return Words(meant, unread)


class _Lookup:
    """One statement of several branches, with its values bound.

    Attributes:
        reason: What customers are found by.
        branches: Queries for ``golden_id``, and with ``like`` for a value whose likeness to that text decides who is
            kept.
        values: Of the parameters.
    """

    def __init__(self, reason: str, like: str | None = None) -> None:
        self.reason = reason
        self.branches: list[str] = []
        self.values: dict[str, object] = {}
        self._like = like

    def bound(self, value: object) -> str:
        """A parameter that holds the value."""
        name = f"value_{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def begins(self, expression: str, beginning: str) -> str:
        """The condition that a text begins so, as indexes of pattern operators serve it."""
        after = beginning[:-1] + chr(ord(beginning[-1]) + 1)
        return f"{expression} ~>=~ {self.bound(beginning)} AND {expression} ~<~ {self.bound(after)}"

    def branch(
        self,
        table: str,
        condition: str,
        limit: int = _MOST,
        *,
        golden_id: str = "golden_id",
        value: str = "NULL",
    ) -> None:
        """Add a query, of which ``limit`` rows are looked at."""
        self.branches.append(
            f"(SELECT {golden_id} AS golden_id, {value} AS value FROM {table} WHERE {condition} LIMIT {limit})"  # noqa: S608 - ours
        )

    def statement(self) -> str:
        """All branches together; sorted and cut by likeness where that is asked for."""
        union = " UNION ".join(self.branches)
        if self._like is None:
            return union
        likeness = f"golden.search_likeness(value, {self.bound(self._like)})"
        return f"SELECT golden_id FROM ({union}) f GROUP BY 1 ORDER BY max({likeness}) DESC LIMIT {_KEPT}"  # noqa: S608 - ours


def _ids(typed: str) -> Iterator[_Lookup]:
    """Ids of any age; text of several words without a digit is none."""
    if " " in typed and not any(character.isdigit() for character in typed):
        return
    golden_id = as_uuid(typed)
    if golden_id is not None:
        by_golden_id = _Lookup(GOLDEN_ID)
        condition = f"golden_id = {by_golden_id.bound(golden_id)} AND status <> 'retired'"
        by_golden_id.branch("identity.golden_id", condition, golden_id="coalesce(alias_of, golden_id)")
        yield by_golden_id
    elif (between := ends(typed)) is not None:
        shortened = _Lookup(GOLDEN_ID)
        low, high = map(shortened.bound, between)
        condition = f"golden_id BETWEEN {low} AND {high} AND status <> 'retired'"
        shortened.branch("identity.golden_id", condition, golden_id="coalesce(alias_of, golden_id)")
        yield shortened
    for reason, table, key in (
        (RECORD_ID, "golden.crosswalk", "record_id"),
        (ORDER, "golden.customer_order", "order_id"),
    ):
        lookup = _Lookup(reason)
        lookup.branch(table, f"{key} = {lookup.bound(typed)} AND golden_id IS NOT NULL")
        yield lookup


def _whole(reason: str, columns: Iterable[str], mark: str, value: str) -> _Lookup:
    """By a whole value, golden or lost."""
    lookup = _Lookup(reason)
    for column in columns:
        lookup.branch("golden.customer", f"{column} = {lookup.bound(value)}")
    lookup.branch("golden.search", f"terms @> ARRAY[{lookup.bound(mark + value)}]")
    return lookup


def _email(address: str) -> Iterator[_Lookup]:
    """The address; else the same mailbox elsewhere, or in the same domain a mailbox of which one half is the same."""
    yield _whole(EMAIL, ("email",), "@", address)
    mailbox, _, domain = address.partition("@")
    alike = _Lookup(ALIKE, like=address)
    if mailbox:
        alike.branch("golden.customer", alike.begins("email", f"{mailbox}@"), value="email")
    half = len(mailbox) // 2
    for expression, piece in (
        ("email", mailbox[:half]),
        ("reverse(split_part(email, '@', 1))", mailbox[half:][::-1]),
    ):
        if len(piece) > 1:  # one letter selects nothing
            same_domain = f"right(email, {len(domain) + 1}) = {alike.bound('@' + domain)}"
            condition = f"{alike.begins(expression, piece)} AND {same_domain}"
            alike.branch("golden.customer", condition, _LOOKED_AT, value="email")
    yield alike


def _phone(number: str) -> Iterator[_Lookup]:
    """The number; else one that ends so; else one of which the beginning or the end is the same."""
    if number.startswith("+"):
        yield _whole(PHONE, ("phone", "mobile"), "+", number)
    digits = significant(number)
    if len(digits) < SHORTEST_NUMBER:
        return
    if not number.startswith("+"):
        whole = _Lookup(PHONE)
        for column in ("phone", "mobile"):
            whole.branch("golden.customer", whole.begins(f"reverse({column})", digits[::-1]))
        yield whole
    alike = _Lookup(ALIKE, like=number)
    for column in ("phone", "mobile"):
        conditions = [alike.begins(f"reverse({column})", digits[:-6:-1])]
        if number.startswith("+"):
            conditions[0] += f" AND left({column}, 3) = {alike.bound(number[:3])}"  # of the same country
            conditions.append(alike.begins(column, number[:-4]))
        for condition in conditions:
            alike.branch("golden.customer", condition, _LOOKED_AT, value=column)
    yield alike


def significant(number: str) -> str:
    """Digits without what stands before them at home or from abroad."""
    return number.removeprefix("+").removeprefix("00").removeprefix("0")


def _address(postcode: str, house_number: str) -> Iterator[_Lookup]:
    """The address; else that of a postcode one error away; else all of the postcode."""
    here = _Lookup(ADDRESS)
    here.branch("golden.customer", f"postcode = {here.bound(postcode)}")
    if not house_number:
        yield here
        return
    whole = _Lookup(ADDRESS)
    number = whole.bound(house_number)
    whole.branch("golden.customer", f"postcode = {whole.bound(postcode)} AND house_number = {number}")
    whole.branch("golden.search", f"terms @> ARRAY[{whole.bound(f'#{postcode} {house_number}')}]")
    yield whole
    alike = _Lookup(ALIKE)
    codes = alike.bound(sorted(_one_error_away(postcode)))
    alike.branch("golden.customer", f"postcode = ANY({codes}) AND house_number = {alike.bound(house_number)}")
    yield alike
    yield here


def _area(area: str, house_number: str) -> Iterator[_Lookup]:
    """That number in the area; else all of the area."""
    for number in dict.fromkeys((house_number, "")):
        here = _Lookup(ADDRESS)
        condition = f"postcode = ANY({here.bound(_codes(area))})"
        here.branch(
            "golden.customer",
            f"{condition} AND house_number = {here.bound(number)}" if number else condition,
        )
        yield here


def _one_error_away(code: str) -> set[str]:
    """Codes with one character replaced, or two neighbours swapped."""
    found = set()
    for at, character in enumerate(code):
        others = _DIGITS if character.isdigit() else _LETTERS if character.isalpha() else ""
        found |= {code[:at] + other + code[at + 1 :] for other in others}
        found.add(code[:at] + code[at + 1 : at + 2] + character + code[at + 2 :])
    return found - {code}


def _by_values(found: _Found, query: Query) -> None:
    if query.email:
        found.first(_email(query.email))
    if query.phone:
        found.first(_phone(query.phone))
    if query.postcode:
        found.first(_address(query.postcode, query.house_number))
    if query.words or query.initials or query.birth:
        _by_words(found, query)
    elif query.area:
        found.first(_area(query.area, query.house_number))


def _by_words(found: _Found, query: Query) -> None:
    """Customers with all the words, then with words like them, and where those are few, with all of them but one."""
    found.words = words_meant(found.connection, query)
    known = found.words.meant
    marks = [[f".{letter.lower()}"] for letter in query.initials]
    if query.birth:
        marks.append([f"*{query.birth[:4]}"])
    if not known and not marks:  # of signs that no name has
        return
    equal = [[word.text for word in words if word.kind == "equal"] for words in known.values()] + marks
    like = [[word.text for word in words] for words in known.values()] + marks
    if query.area and all(like):
        found.add(_having(like, area=query.area))
    if len(query.birth) > len("1980") and all(like):
        found.add(_having(like, birth=query.birth))
    if all(equal) and found.add(_having(equal)) >= _MOST:
        return
    if all(like) and like != equal:
        found.add(_having(like))
    if len(found.by_id) < _FEW and len(like) > 1:
        but_one = _but_one(known, like)
        if but_one.branches:
            found.add(but_one)


def _but_one(known: Mapping[str, Sequence[Word]], like: Sequence[Sequence[str]]) -> _Lookup:
    """All words but one, whichever that is: in one statement, since each goes to the database and back."""
    rare = [sum(word.customers for word in words) < _RARE for words in known.values()]
    rare += [False] * (len(like) - len(known))
    lookup = _Lookup(NAME)
    for at in range(len(like)):
        others = [words for place, words in enumerate(like) if place != at]
        if not all(others):
            continue
        if at < len(known):  # a name may be known by its initial only
            _having([*others, [f".{list(known)[at][:1]}"]], _KEPT, lookup)
        if len(others) > 1 or rare[1 - at]:
            _having(others, _KEPT, lookup)
    return lookup


def _having(
    groups: Sequence[Sequence[str]],
    limit: int = _MOST,
    lookup: _Lookup | None = None,
    area: str = "",
    birth: str = "",
) -> _Lookup:
    """Customers who have a term of each group, beside whom a look-up finds already.

    Of an area, or born on a day, where one is given: days have no index, so that those of the year are looked at.
    """
    lookup = lookup or _Lookup(ADDRESS if area else NAME)
    conditions = [f"terms && CAST({lookup.bound(list(dict.fromkeys(group)))} AS text[])" for group in groups]
    if area:
        here = f"SELECT golden_id FROM golden.customer WHERE postcode = ANY({lookup.bound(_codes(area))})"  # noqa: S608 - ours
        conditions.append(f"golden_id IN ({here})")
    if birth:
        born = "SELECT to_char(birth_date, 'YYYYMMDD') FROM golden.customer c WHERE c.golden_id = search.golden_id"
        conditions.append(f"({born}) = {lookup.bound(birth)}")
    lookup.branch("golden.search", " AND ".join(conditions), limit)
    return lookup


def _codes(area: str) -> list[str]:
    """All Dutch postcodes that begin with four digits: their index serves whole values."""
    return [f"{area} {one}{other}" for one in _LETTERS for other in _LETTERS]


def rows(
    connection: Connection, ids: Iterable[UUID], columns: Sequence[str]
) -> dict[UUID, dict[str, str | None]]:
    """Columns of customers, as text."""
    names = ", ".join(f"{customer.c[name].name}::text" for name in columns)
    query = text(f"SELECT golden_id, {names} FROM golden.customer WHERE golden_id = ANY(:ids)")  # noqa: S608 - ours
    with without_data("searching"):
        answer = connection.execute(query, {"ids": list(ids)})
        return {golden_id: dict(zip(columns, values, strict=True)) for golden_id, *values in answer}
