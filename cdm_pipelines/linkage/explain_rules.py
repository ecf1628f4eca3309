"""Which blocking rules made a pair.

Belongs here: the rules asked about one pair, among all the records they were asked about before. Does not belong here:
what a pair weighs (explain), or what all rules make together (blocking_report).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.blocking import Maker, bind
from cdm_pipelines.linkage.encode import Records, encode
from cdm_pipelines.linkage.policy import LinkagePolicy, Rule


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
    table: pa.Table | pd.DataFrame,
    policy: LinkagePolicy,
    left: tuple[str, str],
    right: tuple[str, str],
    threads: int | None = None,
) -> MadePair:
    """Ask the rules about a pair.

    All records of the table are needed: how large a block is, which words are rare and who is a neighbour depends on
    them. Only the columns that rules read are encoded.

    Args:
        table: The records.
        policy: The rules.
        left: Source and id of the one record.
        right: Source and id of the other.
        threads: How many to use, all cores by default.

    Raises:
        LinkageError: The table does not have what the policy reads.
    """
    keys = {key for rule in policy.blocking for key in (*rule.keys, *rule.refine)}
    read = {name for key in keys for name in (policy.derived[key].of if key in policy.derived else (key,))}
    columns = {name: column for name, column in policy.columns.items() if name in read}
    few = policy.model_copy(update={"columns": columns})
    records = encode(table, few, threads)
    ends = np.sort([_position(records, *left), _position(records, *right)]).astype(np.int32)
    made, cut = [], []
    for rule, maker in zip(few.blocking, bind(few, records, threads), strict=True):
        if maker.makes(ends[:1], ends[1:])[0]:
            made.append(rule.label)
        elif _was_cut(rule, maker, records, ends):
            cut.append(rule.label)
    return MadePair(tuple(made), tuple(cut))


def _position(records: Records, source: str, record_id: str) -> int:
    """The place of a record that is there."""
    here = pc.equal(records.ids, record_id).to_numpy(zero_copy_only=False)
    return int(np.flatnonzero(here & (records.source == records.sources.index(source)))[0])


def _was_cut(rule: Rule, maker: Maker, records: Records, ends: np.ndarray) -> bool:
    if rule.algorithm or rule.window or not (maker.oversized.blocks or rule.refine):
        return False
    return all(_share(records.key(key).codes[ends]) for key in rule.keys)


def _share(codes: np.ndarray) -> bool:
    """Whether two records have a value in common; shape (2, width), -1 for none."""
    return bool(set(codes[0].tolist()) & set(codes[1].tolist()) - {-1})
