"""Who may be meant by what a person typed: golden customers found by the indexes of PostgreSQL.

Belongs here: from a query taken apart to candidates, the surest kind of agreement first, with an allowance for typing
errors. Does not belong here: reading what was typed or ranking who was found (``flows.search``), filling the tables
(``search_index``).

Each look-up costs about a millisecond at a million customers, because each goes through an index and takes a limited
number of rows: whole values, their beginning or their end (of which a single typing error leaves one intact), and
words, whose misspellings are looked up among the distinct words and not among the customers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, text

from cdm_pipelines.hub.load import without_data
from cdm_pipelines.hub.schema import customer

GOLDEN_ID, RECORD_ID, ORDER = "golden id", "record id", "order number"
EMAIL, PHONE, ADDRESS, NAME, ALIKE = "e-mail", "phone", "address", "name", "alike"
IDS = frozenset({GOLDEN_ID, RECORD_ID, ORDER})

_FEW = 10  # candidates by all words, below which those that share all words but one are looked up too
_MOST = 100  # customers of one look-up
_LOOKED_AT = 2000  # rows that are sorted by likeness
_KEPT = 30  # of those
_SHORTEST_NUMBER = 7  # digits that select a phone number
_LETTERS, _DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"


@dataclass(frozen=True)
class Query:
    """What a person typed, taken apart; what was not typed is empty.

    Attributes:
        text: All of it, with single blanks, for ids.
        email: Address in small letters.
        phone: E.164, or what digits there are where it is no complete number.
        postcode: As golden customers have it.
        house_number: Digits.
        birth: Year, or date as eight digits.
        words: Words of a name or a town.
        initials: Letters that are given instead of names.
    """

    text: str
    email: str = ""
    phone: str = ""
    postcode: str = ""
    house_number: str = ""
    birth: str = ""
    words: tuple[str, ...] = ()
    initials: tuple[str, ...] = ()


@dataclass
class Candidate:
    """A customer who may be meant, and by what it was found."""

    golden_id: UUID
    reasons: set[str] = field(default_factory=set)


def candidates(connection: Connection, query: Query) -> list[Candidate]:
    """Customers who may be meant, in no particular order; those of an id alone where one is known by it."""
    found = _Found(connection)
    with without_data("searching"):
        for lookup in _ids(query.text):
            found.add(lookup)
        if not found.by_id:
            _by_values(found, query)
    return list(found.by_id.values())


class _Found:
    """Candidates so far."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.by_id: dict[UUID, Candidate] = {}

    def add(self, lookup: "_Lookup") -> int:
        """Run a look-up; returns how many customers it found."""
        rows = self._connection.scalars(text(lookup.statement()), lookup.values).all()
        for golden_id in rows:
            self.by_id.setdefault(golden_id, Candidate(golden_id)).reasons.add(lookup.reason)
        return len(rows)

    def first(self, lookups: Iterable["_Lookup"]) -> None:
        """Add what the first look-up finds that finds anything."""
        for lookup in lookups:
            if lookup.branches and self.add(lookup):
                return

    def words(self, typed: str) -> Mapping[str, Sequence[tuple[str, bool]]]:
        """For each word typed the words of customers that may be meant, and whether it is the word itself."""
        known: dict[str, list[tuple[str, bool]]] = {}
        for word, meant, kind in self._connection.execute(text(_SIMILAR), {"typed": typed}):
            known.setdefault(word, [])
            if meant is not None:
                known[word].append((meant, kind == "equal"))
        return known


_SIMILAR = """
    SELECT typed.word, similar_word.word, similar_word.kind FROM unnest(golden.search_words(:typed)) AS typed(word)
    LEFT JOIN LATERAL golden.search_similar(ARRAY[typed.word]) AS similar_word ON true"""


class _Lookup:
    """One statement of several branches, with its values bound.

    Attributes:
        reason: What customers are found by.
        branches: Queries for ``golden_id``, and with ``like`` the column whose likeness to a text decides who is kept.
        values: Of the parameters.
    """

    def __init__(self, reason: str, like: tuple[str, str] | None = None) -> None:
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

    def branch(self, table: str, condition: str, limit: int = _MOST, golden_id: str = "golden_id") -> None:
        """Add a query, of which ``limit`` rows are looked at."""
        like = f", {self._like[0]} AS value" if self._like else ""
        self.branches.append(
            f"(SELECT {golden_id} AS golden_id{like} FROM {table} WHERE {condition} LIMIT {limit})"  # noqa: S608 - ours
        )

    def statement(self) -> str:
        """All branches together; sorted and cut by likeness where that is asked for."""
        union = " UNION ".join(self.branches)
        if self._like is None:
            return union
        likeness = f"golden.search_likeness(value, {self.bound(self._like[1])})"
        return f"SELECT golden_id FROM ({union}) f GROUP BY 1 ORDER BY max({likeness}) DESC LIMIT {_KEPT}"  # noqa: S608 - ours


def _ids(typed: str) -> Iterator[_Lookup]:
    golden_id = _as_uuid(typed)
    if golden_id is not None:
        by_golden_id = _Lookup(GOLDEN_ID)
        condition = f"golden_id = {by_golden_id.bound(golden_id)} AND status <> 'retired'"
        by_golden_id.branch("identity.golden_id", condition, golden_id="coalesce(alias_of, golden_id)")
        yield by_golden_id
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
    alike = _Lookup(ALIKE, like=("email", address))
    if mailbox:
        alike.branch("golden.customer", alike.begins("email", f"{mailbox}@"))
    half = len(mailbox) // 2
    for length in sorted({half, len(mailbox) - half, half - 1} - {-1, 0, 1}):
        for expression, piece in (("email", mailbox), ("reverse(split_part(email, '@', 1))", mailbox[::-1])):
            same_domain = f"right(email, {len(domain) + 1}) = {alike.bound('@' + domain)}"
            condition = f"{alike.begins(expression, piece[:length])} AND {same_domain}"
            alike.branch("golden.customer", condition, _LOOKED_AT)
    yield alike


def _phone(number: str) -> Iterator[_Lookup]:
    """The number; else one that ends so; else one of which the beginning or the end is the same."""
    if number.startswith("+"):
        yield _whole(PHONE, ("phone", "mobile"), "+", number)
    digits = number.removeprefix("+").removeprefix("00").removeprefix("0")
    if len(digits) < _SHORTEST_NUMBER:
        return
    if not number.startswith("+"):
        whole = _Lookup(PHONE)
        for column in ("phone", "mobile"):
            whole.branch("golden.customer", whole.begins(f"reverse({column})", digits[::-1]))
        yield whole
    for column in ("phone", "mobile"):
        alike = _Lookup(ALIKE, like=(column, number))
        if number.startswith("+"):
            alike.branch("golden.customer", alike.begins(column, number[:-4]), _LOOKED_AT)
        alike.branch("golden.customer", alike.begins(f"reverse({column})", digits[:-6:-1]), _LOOKED_AT)
        yield alike


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


def _by_words(found: _Found, query: Query) -> None:
    """Customers with all the words, then with words like them, and where those are few, with all of them but one."""
    known = found.words(" ".join(query.words)) if query.words else {}
    marks = [[f".{letter.lower()}"] for letter in query.initials]
    if query.birth:
        marks.append([f"*{query.birth[:4]}"])
    equal = [[meant for meant, same in words if same] for words in known.values()] + marks
    like = [[meant for meant, _ in words] for words in known.values()] + marks
    if all(equal):
        found.add(_having(equal))
    if all(like):
        found.add(_having(like))
    if len(found.by_id) < _FEW and len(like) > 1:
        for at in range(len(like)):
            others = [words for place, words in enumerate(like) if place != at]
            if not all(others):
                continue
            if at < len(known):  # a name may be known by its initial only
                found.add(_having([*others, [f".{list(known)[at][:1]}"]], _KEPT))
            found.add(_having(others, _MOST))


def _having(groups: Sequence[Sequence[str]], limit: int = _MOST) -> _Lookup:
    """Customers who have a term of each group."""
    lookup = _Lookup(NAME)
    conditions = (f"terms && CAST({lookup.bound(list(dict.fromkeys(group)))} AS text[])" for group in groups)
    lookup.branch("golden.search", " AND ".join(conditions), limit)
    return lookup


def rows(connection: Connection, found: Sequence[Candidate]) -> dict[UUID, Mapping[str, str | None]]:
    """All columns of customers, as text."""
    names = ", ".join(f"{column.name}::text" for column in customer.columns if column.name != "golden_id")
    query = text(f"SELECT golden_id, {names} FROM golden.customer WHERE golden_id = ANY(:ids)")  # noqa: S608 - ours
    with without_data("searching"):
        answer = connection.execute(query, {"ids": [one.golden_id for one in found]}).mappings()
        return {row["golden_id"]: dict(row) for row in answer}


def _as_uuid(typed: str) -> UUID | None:
    try:
        return UUID(typed)
    except ValueError:
        return None
