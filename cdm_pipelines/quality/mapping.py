"""Which column of a file feeds what: all columns together.

Belongs here: one column per meaning and one meaning per column, one address that is never mixed with another, names as
a whole or in parts. Does not belong here: what one column may mean (semantics), keys and entities (proposals).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cdm_pipelines.contracts import LogicalType
from cdm_pipelines.contracts.canonical import Attribute, ValueType, targets
from cdm_pipelines.quality.profile import ColumnProfile
from cdm_pipelines.quality.semantics import Meaning, meanings

SURE = 0.6
"""What is less sure is not mapped."""
NAMES = ("party.given_name", "party.family_name")
WHOLE_NAMES = ("party.full_name", "party.name")
ADDRESS = (
    "party.address_line",
    "party.address_extra",
    "party.house_number",
    "party.house_addition",
    "party.postcode",
    "party.city",
    "party.region",
    "party.country",
)
_CORE = ("party.address_line", "party.postcode", "party.city")
_NUMBER = "party.house_number"
_ANY_ADDRESS = ("party.region", "party.country")
_EMPTY, _PARTLY = -0.15, -0.06
_TOLD, _IS_A_DATE, _BESIDE_OTHERS = 0.07, 0.15, 0.1
_AS_GOOD = 0.7
"""An address is as good as another when so much of it is filled; then the one that comes first in rank is taken."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One column with one meaning that it may have."""

    meaning: Meaning
    position: int
    column: ColumnProfile

    @property
    def target(self) -> str:
        """Canonical path."""
        return self.meaning.target


def candidates(columns: Sequence[ColumnProfile], rows: int, entity: str = "party") -> list[Candidate]:
    """Every meaning of every column that its type can hold; empty columns lose to filled ones."""
    found = []
    for position, column in enumerate(columns):
        found += [
            Candidate(_by_filling(meaning, column, rows), position, column)
            for meaning in meanings(column.name, column.values, entity=entity)
            if _fits(meaning, column)
        ]
    return found


def choose(found: Iterable[Candidate], without: Collection[str] = ()) -> dict[str, Meaning]:
    """For each target the column that most probably feeds it, and for each column at most one target.

    Args:
        found: Candidates of the columns of one file.
        without: Targets that are not to be fed.

    Returns:
        The meaning by the name of the column.
    """
    offered = [one for one in found if one.target not in without]
    offered = _told_by_others(_numbers_of_streets(_names_in_parts_or_whole(_one_address(offered))))
    chosen: dict[str, Meaning] = {}
    taken: set[str] = set()
    for one in sorted(offered, key=lambda one: (-one.meaning.confidence, one.position)):
        if one.meaning.confidence >= SURE and one.column.name not in chosen and one.target not in taken:
            chosen[one.column.name] = one.meaning
            taken.add(one.target)
    return _without_overlap(chosen)


def value_type(target: str) -> ValueType:
    """What a canonical path holds; text for composite values."""
    known = targets()[target]
    return known.type if isinstance(known, Attribute) else ValueType.TEXT


def _by_filling(meaning: Meaning, column: ColumnProfile, rows: int) -> Meaning:
    if not rows:
        return meaning
    more = _EMPTY if not column.filled else _PARTLY * (1 - column.filled)
    why = meaning.why
    if len(column.values) and value_type(meaning.target) in (ValueType.DATE, ValueType.TIMESTAMP):
        more, why = more + _IS_A_DATE, f"{why}, and the values are dates"
    return replace(meaning, confidence=round(meaning.confidence + more, 3), why=why)


def _fits(meaning: Meaning, column: ColumnProfile) -> bool:
    """Whether the type that was read can hold what the column would mean; without values nothing speaks against it."""
    if not len(column.values):
        return True
    kind = value_type(meaning.target)
    moments = (LogicalType.DATE, LogicalType.TIMESTAMP)
    if kind in (ValueType.DATE, ValueType.TIMESTAMP):
        return column.logical_type in moments
    if kind == ValueType.DECIMAL:
        return column.logical_type in (LogicalType.INTEGER, LogicalType.NUMBER)
    if kind == ValueType.BOOLEAN:
        return column.logical_type in (LogicalType.BOOLEAN, LogicalType.INTEGER)
    if column.logical_type == LogicalType.NUMBER and meaning.target.startswith("party."):
        return False
    return column.logical_type not in moments or meaning.target == "party.postcode"


def _one_address(found: list[Candidate]) -> list[Candidate]:
    """Candidates of one address only, with region and country of another where that one has none."""
    groups: dict[str, dict[str, float]] = {}
    rank: dict[str, tuple[int, int]] = {}
    for one in found:
        if one.target in ADDRESS and one.meaning.confidence >= SURE:
            filled = one.column.filled if len(one.column.values) else 0.01
            of_group = groups.setdefault(one.meaning.group.name, {})
            of_group[one.target] = max(filled, of_group.get(one.target, 0.0))
            place = (one.meaning.group.rank, one.position)
            rank[one.meaning.group.name] = min(place, rank.get(one.meaning.group.name, place))
    if not groups:
        return found
    worth = {name: sum(of_group.get(target, 0.0) for target in _CORE) for name, of_group in groups.items()}
    good = [name for name in groups if worth[name] >= _AS_GOOD * max(worth.values())]
    best = min(good, key=lambda name: rank[name])
    spare = [t for t in _ANY_ADDRESS if t not in groups[best]]
    return [
        one
        for one in found
        if one.target not in ADDRESS
        or one.meaning.group.name == best
        or (one.target in spare and one.meaning.group.rank < 8)
    ]


def _told_by_others(found: list[Candidate]) -> list[Candidate]:
    """Ambiguous words mean what no other column says better: `Title` beside `Salutation` is the job."""
    plain = [one for one in found if not one.meaning.weak and one.meaning.confidence >= SURE]
    strong, named = {one.target for one in plain}, {one.column.name for one in plain}
    result = []
    for one in found:
        if not one.meaning.ambiguous or one.target in (*NAMES, *WHOLE_NAMES):
            result.append(one)
        elif one.target == "party.employer_id" and not len(one.column.values):
            continue  # only values tell a number from a name
        elif one.target not in strong and one.column.name not in named:
            result.append(_surer(one, _TOLD if one.meaning.group.rank == 0 else 0.0))
    return result


def _numbers_of_streets(found: list[Candidate]) -> list[Candidate]:
    """`Nr.` alone is the number of anything; right after the street it is that of the house."""
    streets = {(one.position, one.meaning.group) for one in found if one.target == "party.address_line"}
    result = []
    for one in found:
        if one.target != _NUMBER or not one.meaning.ambiguous:
            result.append(one)
        elif (one.position - 1, one.meaning.group) in streets:
            result.append(_surer(one, _BESIDE_OTHERS))
    return result


def _surer(one: Candidate, more: float) -> Candidate:
    return replace(one, meaning=replace(one.meaning, confidence=round(one.meaning.confidence + more, 3)))


def _names_in_parts_or_whole(found: list[Candidate]) -> list[Candidate]:
    """Words such as `nom` and `nome` mean a surname or given name where other columns are names in parts."""
    parts = [one for one in found if one.target in NAMES]
    plain = {one.column.name for one in parts if not one.meaning.weak}
    strong = {one.target for one in parts if not one.meaning.weak and one.meaning.confidence >= SURE}
    unsure = {one.column.name for one in parts if one.meaning.weak} - plain
    result = []
    for one in found:
        if one.column.name not in unsure or one.target not in (*NAMES, *WHOLE_NAMES):
            result.append(one)
        elif (one.target in NAMES and strong - {one.target}) or (one.target in WHOLE_NAMES and not strong):
            result.append(_surer(one, _BESIDE_OTHERS))
    return result


def _without_overlap(chosen: Mapping[str, Meaning]) -> dict[str, Meaning]:
    """A whole name is not mapped where its parts are."""
    mapped = {meaning.target for meaning in chosen.values()}
    overlapping: set[str] = set()
    if mapped & set(NAMES):
        overlapping = set(WHOLE_NAMES)
    elif "party.full_name" in mapped or "party.organisation_name" in mapped:
        overlapping = {"party.name"}
    return {name: meaning for name, meaning in chosen.items() if meaning.target not in overlapping}
