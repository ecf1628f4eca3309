"""What linking reads of the current party records.

Belongs here: the records of one kind, those that changed, and what their own sources say of them; what weighs nothing
is blanked on the way. Does not belong here: linking, or what weighs nothing (linkage.encode.nobody).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import PartyKind, SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.linkage.encode.nobody import (
    Roles,
    Shared,
    shared_by_many,
    without_invalid,
    without_nameless,
)
from cdm_pipelines.linkage.incremental.relink import EverythingError
from cdm_pipelines.privacy.checks import in_force
from cdm_pipelines.privacy.given import Given, Withheld
from cdm_pipelines.settings import Settings
from cdm_pipelines.store import tables
from cdm_pipelines.store.arrow import whole
from cdm_pipelines.store.keys import composite
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Layered, Mark
from cdm_pipelines.store.secret import Secret

_INVALID = "invalid_attributes"
_OF_KIND = ("source", "entity", "party_kind")


@dataclass(frozen=True)
class Records:
    """Records of one kind as linking reads them: what weighs nothing is null.

    Attributes:
        rows: ``source`` is source/entity, since entities of a source may share ids.
        shared: Values that too many unlike names share.
    """

    rows: pa.Table
    shared: Shared


@dataclass(frozen=True)
class Changed:
    """Records of one kind that changed since a mark, some perhaps not, and those that left; see `Records`.

    Attributes:
        rows: As `Records` has them.
        gone: Source and id of those that left.
        shared: Keyed digests of the values that too many unlike names share; see `digests`.
    """

    rows: pa.Table
    gone: pa.Table
    shared: tuple[str, ...]


def digests(shared: Shared, secret: Secret) -> dict[str, tuple[str, str]]:
    """Column and value of shared values by a keyed digest, which tells that a value is one and not which."""
    return {secret.digest("|".join(pair).encode()): pair for pair in shared.texts()}


def not_compared(
    settings: Settings, policy: LinkagePolicy, contracts: Sequence[SourceContract] | None = None
) -> Withheld:
    """What is given for no purpose that lets records be compared, of the columns that a policy links by.

    Args:
        settings: Where the purposes are.
        policy: How records are linked.
        contracts: Those that say what columns are given for; the deployment's own when left out.

    Raises:
        PurposesError: The purposes cannot be used, or a contract does not keep to them.
    """
    contracts = all_contracts() if contracts is None else contracts
    given = Given.of(contracts, in_force(settings.policies, contracts))
    return given.not_identifying.among(_linked_by(policy))


def party_records(
    lake: Lake, kind: PartyKind, policy: LinkagePolicy, unlike_names: int, withheld: Withheld
) -> Records:
    """All records of a kind."""
    given, roles = _valid(tables.records(lake, Entity.PARTY), kind, policy, withheld), Roles.of(policy)
    shared = shared_by_many(given, roles, unlike_names)
    return Records(without_nameless(shared.taken_out(given), roles), shared)


def changed_records(
    lake: Lake,
    kind: PartyKind,
    policy: LinkagePolicy,
    mark: Mark,
    unlike_names: int,
    *,
    withheld: Withheld,
    before: tuple[str, ...],
    secret: Secret,
) -> Changed | None:
    """Records of one kind that changed since a mark; None where it is not known which did.

    That a value is shared by too many changes all records that hold it, so those count as changed.

    Args:
        lake: Where records are.
        kind: Of party.
        policy: How they are linked.
        mark: Since when.
        unlike_names: How many are too many; see `shared_by_many`.
        withheld: What is not compared; the same as when the mark was made.
        before: Digests of the values that were shared by too many when the mark was made.
        secret: By which digests are keyed.

    Raises:
        EverythingError: A value that too many shared is somebody's again: who holds it is not known by its digest.
    """
    parties = tables.records(lake, Entity.PARTY)
    changes = parties.since(mark)
    if changes is None:
        return None
    others = changes.rows.filter(pc.not_equal(changes.rows["party_kind"], str(kind)))
    left = pa.concat_tables([changes.gone, others.select(changes.gone.column_names)])
    gone = pa.table({"record_id": left["record_id"], "source": _source(left)})
    roles = Roles.of(policy)
    told = _valid_of(changes.rows, kind, _columns(parties.schema, policy), roles, withheld)
    if not told.num_rows and not gone.num_rows:
        return Changed(told, gone, before)
    shared = shared_by_many(_valid(parties, kind, policy, withheld, to_count=True), roles, unlike_names)
    now = digests(shared, secret)
    if set(before) - now.keys():
        raise EverythingError("a value that too many unlike names shared is somebody's again")
    new = shared.among({pair for digest, pair in now.items() if digest not in before})
    if len(new):
        everybody = _valid(parties, kind, policy, withheld)
        holders = everybody.filter(pa.array(new.held_by(everybody)))
        known = composite(told["source"], told["record_id"])
        holding = pc.is_in(composite(holders["source"], holders["record_id"]), value_set=known)
        told = pa.concat_tables([told, holders.filter(pc.invert(holding))])
    return Changed(without_nameless(shared.taken_out(told), roles), gone, tuple(now))


def few_records(
    rows: pa.Table,
    kind: PartyKind,
    policy: LinkagePolicy,
    *,
    withheld: Withheld,
    shared: Collection[str],
    secret: Secret,
) -> pa.Table:
    """Some records of a kind as linking reads them, as `Records.rows`.

    Args:
        rows: Of ``records/party``.
        kind: Of party; others are left out.
        policy: How they are linked.
        withheld: What is not compared.
        shared: Digests of values that too many unlike names share; see `digests`.
        secret: By which these are keyed.
    """
    roles = Roles.of(policy)
    given = _valid_of(rows, kind, _columns(rows.schema, policy), roles, withheld)
    found = []
    for group in roles.contacts:
        held = {one for name in group if name in given.column_names for one in given[name].to_pylist()} - {
            None
        }
        many = [one for one in sorted(held) if secret.digest(f"{group[0]}|{one}".encode()) in shared]
        found.append(pa.array(many, pa.string()))
    return without_nameless(Shared(roles.contacts, tuple(found)).taken_out(given), roles)


def _valid(
    parties: Layered, kind: PartyKind, policy: LinkagePolicy, withheld: Withheld, *, to_count: bool = False
) -> pa.Table:
    """All records of a kind less the values that may not count: what sharers are counted by, or all that is read."""
    roles, keep = Roles.of(policy), _columns(parties.schema, policy)
    if to_count:
        counted = {*roles.given, *roles.names, *(name for group in roles.contacts for name in group)}
        keep = [name for name in keep if name in counted]
    return _valid_of(parties.read([*keep, *_OF_KIND, _INVALID]), kind, keep, roles, withheld)


def _valid_of(
    parties: pa.Table, kind: PartyKind, keep: list[str], roles: Roles, withheld: Withheld
) -> pa.Table:
    own = _of_kind(parties, kind, [*keep, _INVALID])
    own = withheld.taken_out(own, own["source"])
    return without_invalid(own, whole(own[_INVALID]), roles.all).drop_columns([_INVALID])


def said_by_sources(lake: Lake, kind: PartyKind) -> pa.Table:
    """``merged_in_source`` of all records of a kind."""
    keep = ["record_id", "merged_into"]
    read = tables.records(lake, Entity.PARTY).read([*keep, "source", "entity", "party_kind"])
    into = pc.unique(read["merged_into"])
    few = read.filter(
        pc.or_(pc.is_valid(read["merged_into"]), pc.is_in(read["record_id"], value_set=into, skip_nulls=True))
    )
    return merged_in_source(_of_kind(few, kind, keep))


def _columns(schema: pa.Schema, policy: LinkagePolicy) -> list[str]:
    wanted = _linked_by(policy) | {"record_id", "merged_into"}
    return [name for name in schema.names if name in wanted]


def _linked_by(policy: LinkagePolicy) -> set[str]:
    return {name for column in policy.columns.values() for name in column.names}


def _of_kind(parties: pa.Table, kind: PartyKind, keep: list[str]) -> pa.Table:
    own = parties.filter(pc.equal(parties["party_kind"], str(kind)))
    return own.select(keep).append_column("source", _source(own))


def _source(parties: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(parties["source"], parties["entity"], "/")


def merged_in_source(records: pa.Table) -> pa.Table:
    """Records that their own source merged into another one: they describe the same party."""
    merged = records.filter(pc.is_valid(records["merged_into"]))
    pairs = pa.table(
        {
            "left_source": merged["source"],
            "left_id": merged["record_id"],
            "right_source": merged["source"],
            "right_id": merged["merged_into"],
        }
    )
    near = records.filter(pc.is_in(records["record_id"], value_set=pairs["right_id"].combine_chunks()))
    known = composite(near["source"], near["record_id"])
    pairs = pairs.filter(pc.is_in(composite(pairs["right_source"], pairs["right_id"]), value_set=known))
    return pairs.sort_by([("left_source", "ascending"), ("left_id", "ascending")])
