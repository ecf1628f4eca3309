"""Whether contracts, enrichers and sinks keep to the purposes.

Belongs here: comparing declarations with each other, and saying what to write instead. Does not belong here: what can
be checked in the policy alone (``purposes``), or what follows for data (``given``, ``off``).
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cdm_pipelines.contracts import Column, SourceContract
from cdm_pipelines.contracts.canonical import Entity, targets
from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.enrichment.declaration import Enricher
from cdm_pipelines.enrichment.inputs import INPUTS
from cdm_pipelines.enrichment.work import GOLDEN_ID
from cdm_pipelines.privacy.purposes import POLICY, Purposes, PurposesError

_PERSONAL = "user"
_OF_PARTY = frozenset({"golden/staged", "records/party"})
_OF_INTERACTION = "profile/interactions"


def in_force(
    policies: Path, contracts: Iterable[SourceContract], enrichers: Mapping[str, Enricher] | None = None
) -> Purposes:
    """The purposes, which contracts and enrichers keep to.

    Args:
        policies: The folder of policies.
        contracts: Of all sources.
        enrichers: All that there are; None where no profile is worked out.

    Raises:
        PurposesError: The policy cannot be used, or is not kept to; every fault is told.
    """
    purposes = Purposes.load(policies / POLICY)
    found = [*of_contracts(purposes, contracts, undeclared=not purposes.until_declared)]
    if enrichers is not None:
        found += of_enrichers(purposes, enrichers, undeclared=not purposes.until_declared)
    if found:
        raise PurposesError(found)
    return purposes


def of_contracts(
    purposes: Purposes, contracts: Iterable[SourceContract], *, undeclared: bool = True
) -> Iterator[str]:
    """Personal columns without a purpose, unless those are let pass, and data uses that no purpose has."""
    for contract in contracts:
        for column in contract.columns:
            file = contract.file or contract.name
            key = f"{file}: schema[{contract.entity}].properties[{column.name}].purposes"
            category = _personal(column)
            if undeclared and category is not None and not column.purposes:
                yield (
                    f"{key}: the column holds {category} and is given for nothing. Add to its customProperties: "
                    "{property: purposes, value: [essential.service]}, or other data uses of "
                    f"{purposes.path.name}."
                )
            for use in column.purposes:
                if use not in purposes.of_use:
                    yield (
                        f"{key}: no purpose of {purposes.path} has the data use {use}. "
                        f"{instead(use, purposes.of_use)} Or add it to `uses` of a purpose there."
                    )


def of_enrichers(
    purposes: Purposes, enrichers: Mapping[str, Enricher], *, undeclared: bool = True
) -> Iterator[str]:
    """Enrichers that work for no purpose, unless those are let pass, or read what theirs may not use; wrong names."""
    for key, purpose in purposes.by_key.items():
        for field, names in (("enrichers", purpose.enrichers), ("selects_by", purpose.selects_by)):
            for name in (name for name in names if name not in enrichers):
                yield (
                    f"{purposes.path}: purposes.{key}.{field}: there is no enricher {name}. "
                    f"{instead(name, enrichers)}"
                )
    for name, enricher in enrichers.items():
        own = [key for key, purpose in purposes.by_key.items() if name in purpose.enrichers]
        if undeclared and not own:
            yield (
                f"{purposes.path}: purposes: the enricher {name} works for none of them. Add it to `enrichers` of the "
                f"purpose that it serves; there are {', '.join(purposes.by_key)}."
            )
        for category, column in sorted(categories_read(enricher).items()):
            for key in (key for key in own if not purposes[key].covers(category)):
                yield (
                    f"{purposes.path}: purposes.{key}.categories: the enricher {name} reads {column}, which is "
                    f"{category}, and the purpose does not cover that. Add {category}, or move the enricher to a "
                    "purpose that does."
                )


def _personal(column: Column) -> str | None:
    """The personal category of what a column holds, by its own word or by that of what it feeds; None without one."""
    categories = [column.privacy, *(targets()[path].privacy for path in column.maps_to)]
    return next((one for one in categories if is_personal(one)), None)


def is_personal(category: str | None) -> bool:
    """Whether a data category says something of persons."""
    return category is not None and (category == _PERSONAL or category.startswith(f"{_PERSONAL}."))


def categories_read(enricher: Enricher) -> Mapping[str, str]:
    """Personal categories of what an enricher's columns follow from, each with an example: ``input.column``."""
    found: dict[str, str] = {}
    for path, read in attributes_read(enricher).items():
        category = targets()[path].privacy
        if is_personal(category):
            found.setdefault(str(category), read)
    return found


def attributes_read(enricher: Enricher) -> Mapping[str, str]:
    """Canonical attributes that an enricher's columns follow from, each with an example: ``input.column``.

    A column that does not say what it follows from may follow from every column of its inputs. Whose a row is counts
    for nothing: that is why there is a golden id.
    """
    found: dict[str, str] = {}
    for output in enricher.outputs:
        every = (f"{name}.{column}" for name in enricher.inputs for column in INPUTS[name].columns)
        for read in output.of or every:
            relation, _, column = read.partition(".")
            if column == GOLDEN_ID:
                continue
            for of in INPUTS[relation].columns[column].of:
                path = _path(*of.split(".", 1))
                if path in targets():
                    found.setdefault(path, read)
    return found


def _path(asset: str, column: str) -> str:
    """The canonical attribute that a column of an asset is; what the pipeline itself adds gives one there is not."""
    if asset in _OF_PARTY:
        return f"{Entity.PARTY}.{column}"
    if asset == _OF_INTERACTION:
        return f"{Entity.INTERACTION}.{column}"
    return column if "." in column else f"{asset.partition('/')[2]}.{column}"
