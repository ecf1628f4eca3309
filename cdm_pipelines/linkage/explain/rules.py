"""Which blocking rules made a pair.

Belongs here: the rules asked about one pair, among all the records that stand around it. Does not belong here:
what a pair weighs (pair), or what all rules make together (evaluate.blocking).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.blocking.binding import bind
from cdm_pipelines.linkage.encode.positions import Positions
from cdm_pipelines.linkage.encode.records import Records, encode
from cdm_pipelines.linkage.policy.spec import BlockingRule, LinkagePolicy


@dataclass(frozen=True)
class MadePair:
    """What blocking made of a pair.

    Attributes:
        rules: The rules that made it, in the policy's order.
        cut: Rules whose keys its records share, but in a block above the policy's limits, which was cut or refined.
    """

    rules: tuple[str, ...]
    cut: tuple[str, ...] = ()


def made_pair(
    table: pa.Table,
    policy: LinkagePolicy,
    left: tuple[str, str],
    right: tuple[str, str],
    threads: int | None = None,
) -> MadePair:
    """Ask the rules about a pair.

    How large a block is, which words are rare and who is a neighbour depends on all records. They are encoded only for
    the rules that may have made the pair, and of their columns only those that these rules read.

    Args:
        table: The records.
        policy: The rules.
        left: Source and id of the one record.
        right: Source and id of the other.
        threads: How many to use, all cores by default.

    Raises:
        LinkageError: The table does not have what the policy reads.
    """
    ids = pc.is_in(table[policy.id].cast(pa.string()), pa.array([left[1], right[1]]))
    alone = encode(table.filter(ids), _only(policy, policy.blocking), 1)
    ends = _ends(alone, left, right)
    asked = [rule for rule in policy.blocking if _looks_around(rule, policy) or _agree(rule, alone, ends)]
    if not asked:
        return MadePair(())
    few = _only(policy, asked)
    records = encode(table, few, threads)
    ends = _ends(records, left, right)
    made, cut = [], []
    for rule, maker in zip(few.blocking, bind(few, records, threads)[0], strict=True):
        if maker.makes(ends[:1], ends[1:])[0]:
            made.append(rule.label)
        elif not _looks_around(rule, policy):
            cut.append(rule.label)
    return MadePair(tuple(made), tuple(cut))


def _only(policy: LinkagePolicy, rules: Sequence[BlockingRule]) -> LinkagePolicy:
    """The policy with some of its rules, and the columns that they read."""
    keys = {key for rule in rules for key in (*rule.keys, *rule.refine)}
    read = {name for key in keys for name in (policy.derived[key].of if key in policy.derived else (key,))}
    columns = {name: column for name, column in policy.columns.items() if name in read}
    return policy.model_copy(update={"blocking": tuple(rules), "columns": columns})


def _looks_around(rule: BlockingRule, policy: LinkagePolicy) -> bool:
    """Whether more than the values of two records decides if the rule would pair them, blocks of any size allowed."""
    takes = {policy.derived[key].take for key in (*rule.keys, *rule.refine) if key in policy.derived}
    return bool(rule.window or rule.algorithm or "rare_tokens" in takes)


def _ends(records: Records, left: tuple[str, str], right: tuple[str, str]) -> Positions:
    return np.sort([_position(records, *left), _position(records, *right)]).astype(np.int32)


def _position(records: Records, source: str, record_id: str) -> int:
    """The place of a record that is there."""
    here = pc.equal(records.ids, record_id).to_numpy(zero_copy_only=False)
    return int(np.flatnonzero(here & (records.source == records.sources.index(source)))[0])


def _agree(rule: BlockingRule, records: Records, ends: Positions) -> bool:
    """Whether two records share a value of each of the rule's keys."""
    codes = [records.key(key).codes[ends].tolist() for key in rule.keys]
    return all(set(one) & set(other) - {-1} for one, other in codes)
