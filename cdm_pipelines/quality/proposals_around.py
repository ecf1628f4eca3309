"""What a file holds that is around customers: interactions, invoices, refunds, products.

Belongs here: telling such files from those of parties and orders, their keys. Does not belong here: parties and orders
themselves (proposals), what a column means (semantics).

A file is taken for one only where its headers say what no list of customers or orders says: when an invoice is due, the
number of a refund, what was done and when, that a ticket was solved. So no file of customers becomes one by a word that
it happens to have.
"""

from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import LogicalType
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.quality.mapping import SURE, Candidate, candidates, choose
from cdm_pipelines.quality.profile import ColumnProfile, FileProfile
from cdm_pipelines.quality.proposal import Proposal
from cdm_pipelines.quality.semantics import Meaning, names_line, names_order
from cdm_pipelines.quality.vocabulary import names, steers

_SOMEBODY = frozenset(
    f"party.{name}"
    for name in (
        "given_name",
        "family_name",
        "full_name",
        "birth_date",
        "postcode",
        "mobile",
        "iban",
        "vat_number",
    )
)
_DUE = {"invoice.due_on", "invoice.settled_on", "invoice.dunning_level", "invoice.disputed"}
_BILLED = {"invoice.amount", "invoice.issued_on"}
_PAID_BACK = {"refund.amount", "refund.refunded_at", "refund.reason"}
_OF_PRODUCT = {f"product.{name}" for name in ("name", "category", "brand", "price", "cost")}
_WHO = ("interaction.token", "interaction.party_email", "interaction.party_id", "interaction.party_phone")
_NAMED_VALUES = r'^\s*\[\s*\{\s*"key"\s*:'


def propose_around(file: FileProfile) -> Proposal | None:
    """The one entity of a file that is neither of parties nor of orders; None where it is one of these."""
    for find in (_invoices, _refunds, _tickets, _events, _products):
        found = find(file)
        if found is not None:
            return found
    return None


def _invoices(file: FileProfile) -> Proposal | None:
    """The number of an invoice, and when it is due, or paid, or how often somebody was reminded."""
    number = _numbered(file, "invoice.invoice_id")
    chosen = _chosen(file, "invoice", number)
    plain = _plain(chosen)
    if number is None or not plain & _DUE or not _targets(chosen) & _BILLED or _has_lines(file):
        return None
    return _proposal(file, Entity.INVOICE, number, chosen)


def _refunds(file: FileProfile) -> Proposal | None:
    """The number of a refund, and what was paid back, when or why."""
    number = _numbered(file, "refund.refund_id")
    chosen = _chosen(file, "refund", number)
    if number is None or not _targets(chosen) & _PAID_BACK:
        return None
    return _proposal(file, Entity.REFUND, number, chosen)


def _products(file: FileProfile) -> Proposal | None:
    """The number of an article that stands in one row, what is said of articles, and nobody who has one."""
    number = _numbered(file, "product.product_code")
    chosen = _chosen(file, "product", number)
    of_order = any(names_order(column.name) or names_line(column.name) for column in file.columns)
    if number is None or of_order or len(_targets(chosen) & _OF_PRODUCT) < 2 or _is_about_somebody(file):
        return None
    return _proposal(file, Entity.PRODUCT, number, chosen) if number.unique or not file.rows else None


def _tickets(file: FileProfile) -> Proposal | None:
    """When something was opened and solved: a row tells of two interactions, of three where it has a score."""
    solved = next(
        (column for column in file.columns if steers(column.name, "solved") and _is_moment(column)), None
    )
    opened = next(
        (column for column in file.columns if steers(column.name, "opened") and _is_moment(column)), None
    )
    told = [column for column in file.columns if steers(column.name, "ticket")]
    if solved is None or opened is None or not told or _is_about_somebody(file) or _has_lines(file):
        return None
    found = [
        one
        for one in candidates(file.columns, file.rows, "interaction")
        if one.column not in (solved, opened)
        and one.target not in ("interaction.occurred_at", "interaction.kind", "interaction.token")
    ]
    numbers = [
        one for one in found if one.target == "interaction.interaction_id" and _may_be_key(one.column, file)
    ]
    if not numbers:
        return None
    best = max(numbers, key=lambda one: (one.meaning.confidence, -one.position))
    number = best.column
    chosen = {
        number.name: Meaning(
            "interaction.interaction_id", 0.9, "the rows are tickets, and it tells them apart"
        )
    }
    chosen |= choose(
        [one for one in found if one.column is not number], without=("interaction.interaction_id",)
    )
    score = next((name for name, meaning in chosen.items() if meaning.target == "interaction.score"), None)
    bears = "score"
    if score is None:  # in words: Good, Bad
        score = next(
            (column.name for column in file.columns if names(column.name, "interaction.score")), None
        )
        if score is not None:
            bears = "outcome"
            chosen = {name: one for name, one in chosen.items() if one.target != "interaction.outcome"}
            chosen[score] = Meaning(
                "interaction.outcome", 0.8, "the header says so, and the values are words"
            )
    changed = next((column.name for column in file.columns if steers(column.name, "modified")), None)
    moments = [
        f"{{column: {_quoted(opened.name)}, kind: ticket_opened}}",
        f"{{column: {_quoted(solved.name)}, kind: ticket_solved}}",
    ]
    if score is not None:
        rated = changed or solved.name
        moments.append(f"{{column: {_quoted(rated)}, kind: ticket_rated, bears: [{bears}]}}")
    told_of = "each row tells of what happened to a ticket"
    return Proposal(
        (Entity.INTERACTION,),
        (number.name,),
        chosen,
        also={number.name: ("interaction.thread_id",)},
        repeated=not number.unique,
        properties=(("moments", f"[{', '.join(moments)}]", told_of),),
    )


def _events(file: FileProfile) -> Proposal | None:
    """What was done, when, and by whom: a browser, an address, a customer."""
    found = candidates(file.columns, file.rows, "interaction")
    numbers = [
        column
        for column in file.columns
        if names(column.name, "interaction.interaction_id") and _may_be_key(column, file)
    ]
    number = numbers[0] if numbers else None
    chosen = choose(
        [one for one in _with_times(found) if one.column is not number],
        without=("interaction.interaction_id",),
    )
    by_target = {meaning.target: name for name, meaning in chosen.items()}
    what, when = by_target.get("interaction.kind", ""), by_target.get("interaction.occurred_at", "")
    who = [by_target[target] for target in _WHO if target in by_target]
    if not what or not when or not who or not names(what, "interaction.kind"):
        return None
    if _is_about_somebody(file) or _has_lines(file):
        return None
    if number is not None:
        chosen = {number.name: Meaning("interaction.interaction_id", 0.9, "the header says so"), **chosen}
    key = (number.name,) if number is not None else _together(file, when, what, _always_filled(file, who))
    doubts = (
        [f"no column numbers the rows: {' + '.join(key)} is taken to tell them apart"]
        if number is None
        else []
    )
    named = [column.name for column in file.columns if _has_named_values(column)]
    doubts += [
        f"{name!r} is a list of named values: give what you need of it a column with a path, such as "
        f"{name}[key=page_location].value.string_value (`cdm add-source google_analytics4` has them for its export)"
        for name in named
    ]
    return Proposal(
        (Entity.INTERACTION,), key, chosen, repeated=number is None or not number.unique, doubts=tuple(doubts)
    )


def _proposal(
    file: FileProfile, entity: Entity, number: ColumnProfile, chosen: Mapping[str, Meaning]
) -> Proposal:
    repeats = bool(file.rows) and not number.unique
    doubts = (f"{number.name!r} is not unique in the sample",) if repeats else ()
    return Proposal((entity,), (number.name,), chosen, doubts=doubts, repeated=repeats)


def _numbered(file: FileProfile, target: str) -> ColumnProfile | None:
    """The column whose header names the number of a record, and that may be one."""
    return next((one for one in file.columns if names(one.name, target) and _may_be_key(one, file)), None)


def _may_be_key(column: ColumnProfile, file: FileProfile) -> bool:
    return not _is_moment(column) and (not file.rows or column.filled == 1)


def _is_moment(column: ColumnProfile) -> bool:
    return not len(column.values) or column.logical_type in (LogicalType.DATE, LogicalType.TIMESTAMP)


def _chosen(file: FileProfile, entity: str, number: ColumnProfile | None) -> Mapping[str, Meaning]:
    """The meanings of all columns in an entity whose number is known."""
    if number is None:
        return {}
    found = candidates(file.columns, file.rows, entity)
    own = next(one.meaning for one in found if one.column is number)
    target = f"{entity}.{'product_code' if entity == 'product' else entity + '_id'}"
    meant = Meaning(target, max(own.confidence, 0.8), "the header says so")
    rest = [one for one in found if one.column is not number]
    return {number.name: meant, **choose(rest, without=(target,))}


def _plain(chosen: Mapping[str, Meaning]) -> set[str]:
    """Targets of which a header says just that."""
    return {meaning.target for name, meaning in chosen.items() if names(name, meaning.target)}


def _targets(chosen: Mapping[str, Meaning]) -> set[str]:
    return {meaning.target for meaning in chosen.values()}


def _has_lines(file: FileProfile) -> bool:
    """Whether rows are lines of something."""
    return any(names_line(column.name) for column in file.columns)


def _is_about_somebody(file: FileProfile) -> bool:
    """Whether a file names persons, or where they live."""
    found = candidates(file.columns, file.rows)
    return bool(_sure(found) & _SOMEBODY)


def _sure(found: Sequence[Candidate]) -> set[str]:
    return {one.target for one in found if one.meaning.confidence >= SURE and not one.meaning.weak}


def _with_times(found: Sequence[Candidate]) -> list[Candidate]:
    """Without the days of moments of which there is a time as well."""
    moments = [
        one for one in found if one.target == "interaction.occurred_at" and one.meaning.confidence >= SURE
    ]
    timed = any(_is_timed(one.column) for one in moments)
    return [one for one in found if one not in moments or not timed or _is_timed(one.column)]


def _is_timed(column: ColumnProfile) -> bool:
    return column.logical_type == LogicalType.TIMESTAMP


def _together(file: FileProfile, *key: str) -> tuple[str, ...]:
    """A key that tells the rows of the sample apart, with one column more where it needs one."""
    filled = {
        column.name: column.cells for column in file.columns if column.filled == 1 or column.name in key
    }
    for more in ((), *((name,) for name in filled if name not in key)):
        names_ = (*key, *more)
        table = pa.table(
            [filled[name] for name in names_], names=[str(place) for place in range(len(names_))]
        )
        if table.group_by(table.column_names).aggregate([]).num_rows == file.rows:
            return names_
    return key


def _always_filled(file: FileProfile, columns: Collection[str]) -> str:
    """The one of some columns that is filled most."""
    filled = {column.name: column.filled for column in file.columns}
    return max(columns, key=lambda name: filled[name])


def _has_named_values(column: ColumnProfile) -> bool:
    return len(column.values) > 0 and bool(
        pc.all(pc.match_substring_regex(column.values, _NAMED_VALUES)).as_py()
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
