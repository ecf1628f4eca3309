"""The data dictionary: every column of every source and of the golden customer, and where each comes from.

Belongs here: lineage from canonical columns to source columns, and the dictionary as Markdown. Does not belong here:
anything that the contracts and the canonical model do not say already.
"""

from collections.abc import Iterable, Sequence

from cdm_pipelines.contracts.canonical import (
    Attribute,
    EntityDeclaration,
    KeptAs,
    OfItself,
    OfNobody,
    OfParent,
    OfParty,
    declaration,
    declarations,
    targets,
)
from cdm_pipelines.contracts.model import Column, PartyKind, SourceContract

Origin = tuple[str, str, str]
"""Source, entity and column."""

_NEVER = {PartyKind.PERSON: "organisation", PartyKind.ORGANISATION: "name"}
"""The attribute group that records of a kind never have."""


def lineage(contracts: Iterable[SourceContract]) -> dict[str, list[Origin]]:
    """Where each canonical attribute comes from, inputs that are taken apart included.

    Returns:
        Path of the attribute to its source columns, sorted; attributes that nothing feeds are left out. The inputs
        themselves (``party.name``) are not attributes and have no entry.
    """
    found: dict[str, set[Origin]] = {}
    for contract in contracts:
        for column, path in contract.mapped():
            for attribute in fed_by(path, contract):
                found.setdefault(attribute, set()).add((contract.source, contract.entity, column.name))
    paths = (attribute.path for one in declarations() for attribute in one.attributes)
    return {path: sorted(found[path]) for path in paths if path in found}


def fed_by(path: str, contract: SourceContract) -> list[str]:
    """The attributes that a mapping feeds: an input feeds those that the contract's records can have."""
    target = targets()[path]
    if isinstance(target, Attribute):
        return [path]
    kind = contract.party_kind
    never = _NEVER[kind.otherwise] if kind is not None and kind.column is None else None
    fed = [targets()[f"{target.entity}.{name}"] for name in target.yields]
    return [a.path for a in fed if isinstance(a, Attribute) and (never is None or a.group != never)]


def render_dictionary(contracts: Sequence[SourceContract]) -> str:
    """The data dictionary as Markdown; the same contracts give the same text."""
    ordered = sorted(contracts, key=lambda contract: contract.name)
    parts = [
        "# Data dictionary",
        "Written by `cdm check --write` from the contracts and the canonical model: change those, not this file.",
        "Privacy categories and purposes are keys of the Fides taxonomy (fideslang, CC-BY-4.0).",
        *_canonical_part(ordered),
        "## Sources",
        *(part for contract in ordered for part in _source_part(contract)),
    ]
    return "\n\n".join(parts) + "\n"


def _canonical_part(contracts: Sequence[SourceContract]) -> list[str]:
    origins = lineage(contracts)
    parts = ["## Canonical columns"]
    for one in declarations():
        rows = [_canonical_row(attribute, origins.get(attribute.path, [])) for attribute in one.attributes]
        heading = ("Column", "Type", "Meaning", "Golden", "Privacy", "Comes from")
        parts += [f"### {one.entity}", f"{one.description} {_published_as(one)}", _table(heading, rows)]
    return parts


def _published_as(one: EntityDeclaration) -> str:
    """Where consumers find an entity, and by what a row finds its customer."""
    match one.whose:
        case OfItself():
            return f"What is golden is shown to consumers as a column of `golden.{one.table_name}`."
        case OfParty(by):
            names = ", or else by ".join(f"`{mine}`" for mine, _ in by)
            whose = f"a row finds its customer (`golden_id`) by {names}"
        case OfParent(parent, by):
            names = ", ".join(f"`{mine}`" for mine, _ in by)
            whose = f"a row is the customer's whose {declaration(parent).words} it names by {names}"
        case OfNobody():
            whose = "a row is no customer's"
    if one.kept is KeptAs.DAYS:
        return f"Kept in the standardised days, and published as figures of customers; {whose}."
    if one.kept is KeptAs.LEDGER:
        published = f"published as `privacy.{one.entity}_statement`"
        return f"Every version is kept in `records/{one.entity}`, and {published}; {whose}."
    return f"Published as `golden.{one.table_name}`; {whose}."


def _canonical_row(attribute: Attribute, origins: Sequence[Origin]) -> tuple[str, ...]:
    golden = "yes" if attribute.golden and isinstance(declaration(attribute.entity).whose, OfItself) else ""
    sources = ", ".join(f"`{source}/{entity}`.`{column}`" for source, entity, column in origins)
    return (
        f"`{attribute.name}`",
        str(attribute.type),
        attribute.description,
        golden,
        f"`{attribute.privacy}`",
        sources or "derived, or not delivered",
    )


def _source_part(contract: SourceContract) -> list[str]:
    delivered = f"{contract.format} at `{contract.location}`" if contract.location else "a query"
    facts = [
        f"{contract.description} Version {contract.version}, owned by {contract.owner}.",
        f"Delivered as {contract.delivery}: {delivered}"
        + (f", expected by {contract.expected_by}." if contract.expected_by else "."),
        f"Key: {', '.join(f'`{name}`' for name in contract.key)}.",
    ]
    if contract.modified_at:
        facts.append(f"Changed: `{contract.modified_at}`.")
    if contract.deleted:
        values = ", ".join(f"`{value}`" for value in contract.deleted.values)
        facts.append(f"Deleted: `{contract.deleted.column}` is {values}.")
    if contract.merged_into:
        facts.append(f"Merged into: `{contract.merged_into}`.")
    rows = [_column_row(column) for column in contract.columns]
    heading = ("Column", "Type", "Meaning", "Rules", "Feeds", "Privacy", "Purposes", "Class")
    return [f"### {contract.name}", " ".join(facts), _table(heading, rows)]


def _column_row(column: Column) -> tuple[str, ...]:
    return (
        f"`{column.name}`",
        str(column.logical_type),
        column.description,
        "; ".join(column.rules),
        ", ".join(f"`{path}`" for path in column.maps_to),
        f"`{column.privacy}`" if column.privacy else "",
        ", ".join(f"`{purpose}`" for purpose in column.purposes),
        column.classification or "",
    )


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
