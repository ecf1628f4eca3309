"""Does this person exist? One record in, the customers that it would be linked with out.

Belongs here: the linkage of each kind of party held in memory, one typed record treated as a source's would be, and
the answer in customers. Does not belong here: finding and dividing (linkage.incremental.lookup), reading what was typed
(standardise.typed), who may see what of a customer (whoever asks the hub for it).

The answer is the one that the next run would give if the record alone had come: same cleaning, same values of nobody,
same candidates, same model, same guards and the same decisions, over the records that were linked last and that the
hub knows as somebody's. An answer holds keys, weights and words, never a value of anybody's record.

Two things that a run sees are left to it, since they change others' links and not the record's: a block that the record
makes too large makes no pairs for it, and a detail that the record makes one of too many unlike names weighs nothing
for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

import pyarrow as pa
from sqlalchemy import Connection

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.identity.constraints import Constraints
from cdm_pipelines.identity.decisions import Record
from cdm_pipelines.linkage import LinkageModel, LinkagePolicy, load_policy
from cdm_pipelines.linkage.encode.nobody import Roles, shared_by_many, without_invalid, without_nameless
from cdm_pipelines.linkage.incremental.lookup import Lookup, Near, RecordThereError
from cdm_pipelines.privacy.given import Withheld
from cdm_pipelines.privacy.protection import Vault
from cdm_pipelines.settings import Settings
from cdm_pipelines.standardise.placeholders import Placeholders
from cdm_pipelines.standardise.typed import Fault, FieldError, Typed, read_record
from cdm_pipelines.steps.linking import model_versions
from cdm_pipelines.steps.linking.inputs import not_compared, said_by_sources
from cdm_pipelines.steps.linking.kind import EverythingError, known_decisions, link_changes, unlike_names
from cdm_pipelines.steps.linking.match_answer import MatchAnswer, answer
from cdm_pipelines.steps.linking.state import KeptState, OtherKeyError, read_state
from cdm_pipelines.store import layout
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.secret import Secret

_TRIES = 3  # to read a state while a run puts another in its place
_TYPED = Record("typed", "record", "")
"""Stands for a record that no source has yet: none has an empty id."""


class NotReadyError(RuntimeError):
    """Nobody can be looked for yet; the message says what to run."""


class MatchRefusedError(ValueError):
    """The record tells of nobody; the message says what to give.

    Attributes:
        faults: What is wrong with its fields.
    """

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


@dataclass(frozen=True)
class _Kind:
    """One kind of party, held in memory."""

    policy: LinkagePolicy
    lookup: Lookup
    roles: Roles
    withheld: Withheld
    shared: frozenset[str]
    secret: Secret = field(repr=False)
    vault: Vault = field(repr=False)
    unlike_names: int

    def prepared(self, typed: Typed, record: Record) -> pa.Table:
        """One row as linking reads it: what weighs nothing is null."""
        names = dict.fromkeys(name for spec in self.policy.columns.values() for name in spec.names)
        source = f"{record.source}/{record.entity}"
        keys = {self.policy.id: record.record_id, self.policy.source or "source": source}
        columns = {name: typed.values.get(name) for name in names} | keys
        row = pa.table({name: pa.array([value], pa.string()) for name, value in columns.items()})
        if self.vault.cipher.number:  # what records hold encrypted is compared so
            row = self.vault.seal(row, self.vault.protection.standard(Entity.PARTY))
        row = self.withheld.taken_out(row, pa.array([source]))
        row = without_invalid(row, pa.array([",".join(sorted(typed.doubtful))]), self.roles.all)
        for group in self.roles.contacts:
            for name in group:
                value = row[name][0].as_py() if name in row.column_names else None
                if value is not None and self.secret.digest(f"{group[0]}|{value}".encode()) in self.shared:
                    row = _without(row, name)
        return without_nameless(row, self.roles)

    def tells(self, row: pa.Table) -> bool:
        """Whether anything is left that a record can be found by."""
        keys = set(self.policy.key_columns)
        return any(row[name].null_count == 0 for name in row.column_names if name not in keys)

    def near(self, row: pa.Table) -> Near:
        """What the record is compared with; a detail weighs nothing that it makes one of too many unlike names."""
        near = self.lookup.near(row)
        if self.unlike_names and self._often(near, row):
            counted = {*self.roles.given, *self.roles.names}.union(*self.roles.contacts)
            columns = [name for name in self.lookup.columns if name in counted]
            held = pa.concat_tables([self.lookup.records(near.candidates, columns), row.select(columns)])
            found = shared_by_many(held.combine_chunks(), self.roles, self.unlike_names)
            if len(found):
                return self.lookup.near(without_nameless(found.taken_out(row), self.roles))
        return near

    def _often(self, near: Near, row: pa.Table) -> bool:
        """Whether a detail of the record stands in so many candidates that it may have too many names with it."""
        if len(near.candidates) + 1 < self.unlike_names:
            return False
        for group in self.roles.contacts:
            names = [name for name in group if name in row.column_names]
            own = [value for name in names if (value := row[name][0].as_py()) is not None]
            if own:
                held = self.lookup.records(near.candidates, names)
                values = own + [value for name in names for value in held[name].to_pylist()]
                if any(values.count(one) >= self.unlike_names for one in own):
                    return True
        return False


@dataclass(frozen=True)
class Matcher:
    """The published linkage in memory, for any number of threads to ask.

    Attributes:
        kinds: What is linked, by kind of party.
    """

    kinds: Mapping[PartyKind, _Kind] = field(repr=False)
    _marks: tuple[str, ...] = field(repr=False)
    _nobody: Placeholders = field(repr=False)
    _country: str

    @classmethod
    def load(cls, lake: Lake, settings: Settings, decided: Constraints) -> Self:
        """Hold what was linked last.

        Args:
            lake: Where linking left it.
            settings: Of the deployment.
            decided: What stewards decided, up to now.

        Raises:
            NotReadyError: Nothing is linked yet, under these policies.
            LinkageError: A policy cannot be used for single records; the message says why.
            PrivacyPolicyError, CipherError: What is encrypted cannot be told, or not be read.
        """
        for _ in range(_TRIES - 1):
            try:
                return cls._load(lake, settings, decided)
            except DamagedError:
                continue  # a run has just put another state in its place
        try:
            return cls._load(lake, settings, decided)
        except DamagedError as damaged:
            raise NotReadyError(f"{damaged} Run `cdm run --date DAY`, which makes it anew.") from None

    @classmethod
    def _load(cls, lake: Lake, settings: Settings, decided: Constraints) -> Self:
        marks = _marks(lake)
        found = {kind: _kind(lake, kind, settings, decided) for kind in PartyKind}
        kinds = {kind: one for kind, one in found.items() if one is not None}
        if not kinds:
            raise NotReadyError(
                "Nothing is linked under these policies yet: run a day first (`cdm run --date DAY`)."
            )
        return cls(kinds, marks, Placeholders.load(settings.policies), settings.default_country)

    def stale(self, lake: Lake) -> bool:
        """Whether something else has been linked since, or persons were erased: load another one then."""
        try:
            return _marks(lake) != self._marks
        except DamagedError:
            return True

    def decided_by(self, lake: Lake, decided: Constraints) -> "Matcher":
        """The same linkage under what stewards have decided by now; a small part of the time that loading takes."""
        kinds = {
            kind: replace(
                one, lookup=one.lookup.decided_by(known_decisions(decided, said_by_sources(lake, kind)))
            )
            for kind, one in self.kinds.items()
        }
        return replace(self, kinds=kinds)

    def match(
        self,
        connection: Connection,
        values: Mapping[str, str],
        *,
        kind: PartyKind | None = None,
        country: str | None = None,
        record: Record = _TYPED,
    ) -> MatchAnswer:
        """Look for one record.

        Args:
            connection: Of the hub; crosswalk and registry of ids are read.
            values: By field of a party, as they were typed: see ``standardise.typed.fields``.
            kind: Of party; told from the fields where it is not given.
            country: ISO 3166-1 alpha-2, for numbers and postcodes without one; that of the deployment by default.
            record: As which record of which source it would come, where that is known: what the purposes of a source
                withhold, and a source that holds nobody twice, then count.

        Raises:
            MatchRefusedError: There is no such field, or nothing is left to look by; the message says what to give.
            NotReadyError: No party of its kind is linked yet.
            HubError: The database does not answer.
        """
        today = datetime.now(UTC).date().isoformat()
        try:
            typed = read_record(
                values, today=today, country=country or self._country, kind=kind, nobody=self._nobody
            )
        except FieldError as error:
            raise MatchRefusedError(str(error)) from None
        held = self.kinds.get(typed.kind)
        if held is None:
            raise NotReadyError(
                f"No {typed.kind} is linked yet: run a day with some first (`cdm run --date DAY`)."
            )
        row = held.prepared(typed, record)
        if not held.tells(row):
            raise MatchRefusedError(_nothing_told(typed), typed.faults)
        try:
            near = held.near(row)
        except RecordThereError:
            raise MatchRefusedError(
                f"There is a record {record} already: ask for its customer, or leave its name out.",
                typed.faults,
            ) from None
        return answer(connection, held.lookup, near, typed)


def _nothing_told(typed: Typed) -> str:
    name = "the name of the organisation" if typed.kind is PartyKind.ORGANISATION else "a name"
    return (
        f"Nothing is left to look by. Give {name}, and with it what tells one from others of that name: a date of "
        "birth, an address, an e-mail address, a phone number or an account. An address or a mailbox without a name is "
        "nobody's."
    )


def _marks(lake: Lake) -> tuple[str, ...]:
    """What changes with every linkage that is published, and when persons leave one."""
    paths = [layout.link_state_path(kind) for kind in PartyKind]
    return tuple(lake.read_json(path) if lake.exists(path) else "" for path in paths)


def _kind(lake: Lake, kind: PartyKind, settings: Settings, decided: Constraints) -> _Kind | None:
    """One kind as it was linked last; None where it never was, or under another policy."""
    model = model_versions.current(lake, kind)
    policy = load_policy(settings.policies / "linkage" / f"{kind}.yaml")
    if model is None or model.policy != policy.fingerprint:
        return None
    policy = policy.in_order_of(model.comparisons)
    secret = Secret.of(settings.home)
    try:
        kept = read_state(lake, kind, secret)
    except OtherKeyError:
        return None
    if kept is None or kept.model != model.fingerprint:
        return None
    if not kept.outcome:  # persons were erased, and whoever was linked with them has to be linked anew
        try:
            kept = _linked_anew(lake, kind, (policy, model), kept, settings=settings, decided=decided)
        except EverythingError:
            return None
    known = known_decisions(decided, said_by_sources(lake, kind))
    return _Kind(
        policy,
        Lookup.of(policy, model, kept.state, known),
        Roles.of(policy),
        not_compared(settings, policy),
        frozenset(kept.shared),
        secret,
        Vault.of(settings, lake),
        unlike_names(settings),
    )


def _linked_anew(
    lake: Lake,
    kind: PartyKind,
    linked_by: tuple[LinkagePolicy, LinkageModel],
    kept: KeptState,
    *,
    settings: Settings,
    decided: Constraints,
) -> KeptState:
    """The state of the next run, which is not kept."""
    done = link_changes(lake, kind, *linked_by, kept, decided=decided, settings=settings)
    return replace(kept, state=done.state, shared=done.shared)


def _without(row: pa.Table, name: str) -> pa.Table:
    return row.set_column(row.column_names.index(name), name, pa.nulls(1, pa.string()))
