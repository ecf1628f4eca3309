"""What may leave for a purpose: of whom, and which attributes.

Belongs here: what a sink's purpose lets through, of events and of corrections. Does not belong here: reading who is off
and where golden values come from (steps), or the purposes (privacy).

An attribute leaves when the purpose covers its data category and, where it is one golden value, when the source that it
comes from delivered it for that purpose. Of the profile, what the purpose's own enrichers work out leaves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts.canonical import Entity, attributes, declarations
from cdm_pipelines.contracts.profile import ProfileTable
from cdm_pipelines.golden.policy import golden_groups
from cdm_pipelines.golden.provenance import EVERYTHING_ELSE
from cdm_pipelines.hub.feed import Entry
from cdm_pipelines.privacy.given import Given, Withheld
from cdm_pipelines.privacy.off import EVERY_CHANNEL, off_for
from cdm_pipelines.privacy.purposes import Purpose
from cdm_pipelines.publish.events import CONSENT_CHANGED, PROFILE_CHANGED

ORIGIN_SCHEMA = pa.schema([(name, pa.string()) for name in ("golden_id", "attribute", "source", "entity")])
"""Of some customers, the source entity that the values of each group of attributes come from, as in provenance."""


@dataclass(frozen=True)
class Leaving:
    """What leaves for one purpose.

    Attributes:
        purpose: The purpose.
        not_given: Attributes that source entities did not deliver for it.
        off: Golden ids of customers whose data may not be used for it.
        profile: Tables of the profile that may be used for it.
        key: Of the purpose.
        channel: Through which customers are addressed; empty where they are not.
    """

    purpose: Purpose
    not_given: Withheld
    off: pa.Array
    profile: Sequence[ProfileTable] = ()
    key: str = ""
    channel: str = EVERY_CHANNEL

    @classmethod
    def for_purpose(
        cls, key: str, channel: str, given: Given, off: pa.Table, profile: Iterable[ProfileTable]
    ) -> "Leaving":
        """What leaves for a purpose.

        Args:
            key: Of the purpose.
            channel: Through which customers are addressed; empty where they are not.
            given: What values are given for.
            off: ``OFF_SCHEMA``.
            profile: Tables of all enrichers that are switched on.
        """
        purpose = given.purposes[key]
        covered = {one.name for one in attributes(Entity.PARTY) if purpose.covers(one.privacy)}
        not_given = given.without(frozenset({key})).among(covered)
        used = tuple(one for one in profile if one.name in purpose.enrichers)
        return cls(purpose, not_given, off_for(off, key, channel), used, key, channel)

    def may_leave(self, golden_ids: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """Whether data of customers may leave, one by one."""
        return pc.invert(pc.is_in(golden_ids.cast(pa.string()), value_set=self.off))

    def covers(self, attribute: str) -> bool:
        """Whether a golden attribute, or what ``customer.changed`` calls a change of other rows, is covered."""
        return attribute in self._covered

    @cached_property
    def _covered(self) -> frozenset[str]:
        needed: dict[str, set[str]] = {name: set() for name in ("party_kind", "status", "records")}
        needed |= {one.name: {one.privacy} for one in attributes(Entity.PARTY)}
        needed |= {one.told_as: {a.privacy for a in one.attributes} for one in declarations() if one.told_as}
        return frozenset(
            name
            for name, categories in needed.items()
            if all(self.purpose.covers(one) for one in categories if one.startswith("user"))
        )

    @cached_property
    def _of_profile(self) -> frozenset[str]:
        """Columns of the wide view of the profile that leave."""
        return frozenset(
            f"{table.name}_{column.name}"
            for table in self.profile
            for column in table.columns
            if self.purpose.covers(column.privacy)
        )

    def events(self, entries: Sequence[Entry], origins: pa.Table) -> list[Entry]:
        """What is told of events: those of customers who may be used, without attributes that may not.

        Of a customer who is gone is told that they are, which is by what a system knows to let go of them. That what a
        customer allows for the purpose changed is told of whoever may not be used any more too: that is the news.

        Args:
            entries: In the order of the feed.
            origins: ``ORIGIN_SCHEMA`` of their customers.
        """
        if not entries:
            return []
        may = self.may_leave(pa.array([str(one.golden_id) for one in entries])).to_pylist()
        sources = self._sources(origins)
        told = (
            self._told(one, sources)
            for one, allowed in zip(entries, may, strict=True)
            if allowed or one.type == CONSENT_CHANGED
        )
        return [one for one in told if one is not None]

    def _told(self, entry: Entry, sources: Mapping[tuple[str, str], str]) -> Entry | None:
        if entry.changes is None:
            return entry
        if entry.type == PROFILE_CHANGED:
            changes = {name: pair for name, pair in entry.changes.items() if name in self._of_profile}
        elif entry.type == CONSENT_CHANGED:
            changes = {name: pair for name, pair in entry.changes.items() if self._is_asked(name)}
        else:
            changes = {
                name: pair
                for name, pair in entry.changes.items()
                if self.covers(name) and not self._withheld(str(entry.golden_id), name, sources)
            }
        return replace(entry, changes=changes) if changes else None

    def _is_asked(self, name: str) -> bool:
        """Whether a change of consent, as ``purpose`` or ``purpose/channel``, is of this purpose and channel."""
        purpose, _, channel = name.partition("/")
        return purpose == self.key and (not self.channel or channel in (EVERY_CHANNEL, self.channel))

    def _withheld(self, golden_id: str, name: str, sources: Mapping[tuple[str, str], str]) -> bool:
        """Whether the source that a golden value comes from did not deliver it for the purpose."""
        if not self.not_given:
            return False
        origin = next(
            (
                sources[golden_id, at]
                for at in (name, GROUP_OF.get(name, name), EVERYTHING_ELSE)
                if (golden_id, at) in sources
            ),
            None,
        )
        return origin is not None and name in self.not_given.by_entity.get(origin, ())

    def _sources(self, origins: pa.Table) -> Mapping[tuple[str, str], str]:
        if not self.not_given:
            return {}
        ids, names, source, entity = (origins[name].to_pylist() for name in ORIGIN_SCHEMA.names)
        return {
            (one, at): f"{of}/{part}" for one, at, of, part in zip(ids, names, source, entity, strict=True)
        }


GROUP_OF: Mapping[str, str] = {name: group for group, names in golden_groups().items() for name in names}
"""The group of attributes that each golden attribute is chosen with."""
