"""What the values of records are given for, and taking away those that are not given for a use.

Belongs here: from contracts to purposes per attribute of a source entity, and blanking others in a table of records.
Does not belong here: the purposes themselves (``purposes``), or where a table is read (steps).

An attribute that several columns of a contract feed is given for what all of them are: which of them a record's value
came from is not known any more. One that no column feeds is worked out of others, and follows those of its privacy
category: ``email_kind`` follows ``email``.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.contracts.dictionary import fed_by
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.store.arrow import whole

_EXCHANGED = (("phone", "mobile"),)
"""Attributes whose values change places in standardising: what holds for one holds for the other."""


@dataclass(frozen=True)
class Given:
    """What values of party records are given for.

    Attributes:
        purposes: The purposes.
        by_entity: By source entity (``source/entity``) and attribute, the keys of its purposes. An attribute that is
            not there is worked out of what is, by nothing that names a person.
    """

    purposes: Purposes
    by_entity: Mapping[str, Mapping[str, frozenset[str]]]

    @classmethod
    def of(cls, contracts: Iterable[SourceContract], purposes: Purposes) -> Self:
        """What the contracts that feed parties say."""
        feeding = (one for one in contracts if Entity.PARTY in one.entities)
        return cls(purposes, {one.name: _of_contract(one, purposes) for one in feeding})

    def without(self, allowed: frozenset[str]) -> "Withheld":
        """The attributes that are given for none of some purposes, by source entity."""
        found = {
            entity: tuple(sorted(name for name, given in by_name.items() if not given & allowed))
            for entity, by_name in self.by_entity.items()
        }
        return Withheld({entity: names for entity, names in sorted(found.items()) if names})

    @property
    def not_identifying(self) -> "Withheld":
        """What may not be compared with other records."""
        return self.without(self.purposes.identifying)

    @property
    def not_golden(self) -> "Withheld":
        """What may not become a golden value."""
        return self.without(self.purposes.golden)


@dataclass(frozen=True)
class Withheld:
    """Attributes that are withheld from a use, by source entity (``source/entity``); most often none."""

    by_entity: Mapping[str, Sequence[str]]

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self.by_entity)

    def among(self, names: Collection[str]) -> "Withheld":
        """Those of some attributes."""
        found = {entity: tuple(n for n in own if n in names) for entity, own in self.by_entity.items()}
        return Withheld({entity: own for entity, own in found.items() if own})

    @cached_property
    def fingerprint(self) -> str:
        """Changes when anything else is withheld; empty where nothing is."""
        said = repr(sorted((entity, tuple(names)) for entity, names in self.by_entity.items()))
        return sha256(said.encode()).hexdigest()[:16] if self else ""

    def taken_out(self, records: pa.Table, origin: pa.Array | pa.ChunkedArray) -> pa.Table:
        """The records without those values.

        Args:
            records: Attributes as columns; those that it lacks are skipped.
            origin: Of each record, its ``source/entity``.

        Returns:
            The same rows and columns; the table itself where nothing is withheld.
        """
        if not self or not records.num_rows:
            return records
        coded = whole(origin).dictionary_encode()
        entities = coded.dictionary.to_pylist()
        codes = coded.indices.to_numpy(zero_copy_only=False)
        for name in sorted({name for names in self.by_entity.values() for name in names}):
            if name not in records.column_names:
                continue
            theirs = np.array([name in self.by_entity.get(one, ()) for one in entities], dtype=bool)
            if theirs.any():
                column = records[name]
                kept = pc.if_else(pa.array(theirs[codes]), pa.scalar(None, column.type), column)
                records = records.set_column(records.schema.get_field_index(name), records.field(name), kept)
        return records


def origin_of(records: pa.Table) -> pa.ChunkedArray:
    """Of each record, its ``source/entity``."""
    return pc.binary_join_element_wise(records["source"], records["entity"], "/")


def _of_contract(contract: SourceContract, purposes: Purposes) -> dict[str, frozenset[str]]:
    """Purposes by attribute of the party."""
    prefix = f"{Entity.PARTY}."
    found: dict[str, frozenset[str]] = {}
    for column, path in contract.mapped():
        given = purposes.given_for(column.purposes)
        for attribute in fed_by(path, contract):
            if attribute.startswith(prefix):
                name = attribute.removeprefix(prefix)
                found[name] = found.get(name, given) & given
    for names in _EXCHANGED:
        if fed := [found[name] for name in names if name in found]:
            found |= dict.fromkeys(names, frozenset.intersection(*fed))
    declared = {one.name: one.privacy for one in attributes(Entity.PARTY)}
    for name, category in declared.items():
        if name not in found:
            near = [given for other, given in found.items() if declared.get(other) == category]
            if near:
                found[name] = frozenset.intersection(*near)
    return {name: found[name] for name in declared if name in found}
