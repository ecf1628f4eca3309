"""The policy's blocking rules bound to records.

Belongs here: from a rule and the keys of records to blocks, and what is decided about blocks when a model is fitted.
Does not belong here: the pairs that blocks make (blocking), or how keys are hashed (keys).
"""

import numpy as np
import pandas as pd

from cdm_pipelines.linkage.blocking.pairs import Blocks, Listed, Maker, Neighbours, combined
from cdm_pipelines.linkage.encode.columns import Codes
from cdm_pipelines.linkage.encode.keys import BlockingPlan, Hashes, together
from cdm_pipelines.linkage.encode.records import Records
from cdm_pipelines.linkage.policy.spec import BlockingRule, LinkagePolicy
from cdm_pipelines.linkage.progress import Progress, silent
from cdm_pipelines.parallel import in_order


def bind(
    policy: LinkagePolicy,
    records: Records,
    threads: int | None = None,
    progress: Progress = silent,
    plan: BlockingPlan | None = None,
) -> tuple[list[Maker], BlockingPlan]:
    """The policy's rules, ready to make pairs of these records, and what was decided about their blocks.

    Args:
        policy: The policy.
        records: The records.
        threads: How many rules at a time.
        progress: Told the share of the rules that are ready, as the stage ``block``.
        plan: What was decided before, to be kept to. Blocks that have grown beyond ``max_block_size`` since are cut.
    """
    makers: list[Maker] = []
    refined: dict[str, Hashes] = {}
    cut: dict[str, Hashes] = {}
    for maker, split, left_out in in_order(
        lambda rule: _bind(rule, policy, records, plan), policy.blocking, threads
    ):
        makers.append(maker)
        refined[maker.label], cut[maker.label] = split, left_out
        progress("block", len(makers) / len(policy.blocking))
    return makers, plan or BlockingPlan(refined, cut, dict(records.words))


def _bind(
    rule: BlockingRule, policy: LinkagePolicy, records: Records, plan: BlockingPlan | None
) -> tuple[Maker, Hashes, Hashes]:
    nothing: Hashes = np.zeros(0, np.uint64)
    if rule.algorithm:
        from cdm_pipelines.linkage.blocking.toolkit import pairs_of_algorithm  # noqa: PLC0415 - recordlinkage is heavy

        left, right = pairs_of_algorithm(rule, records)
        return Listed(rule.label, left, right, len(records)), nothing, nothing
    if rule.window:
        columns = [records.key(name) for name in rule.keys]
        everything = np.zeros(len(records), dtype=np.int32)
        within = combined(columns[:-1])[:, 0] if len(columns) > 1 else everything
        return Neighbours(rule.label, within, columns[-1].flat, rule.window), nothing, nothing
    largest = rule.max_block_size or policy.max_block_size
    keys, finer = hashed_keys(rule, records)
    if plan is not None:
        return Blocks(rule.label, _ids(plan.effective(rule.label, keys, finer)), largest), nothing, nothing
    most_pairs = max(rule.max_pairs or policy.max_pairs, len(records))
    blocks = Blocks(rule.label, _ids(keys), largest, most_pairs, None if finer is None else _ids(finer))
    split = np.unique(keys[blocks.split])
    decided = BlockingPlan(refined={rule.label: split})
    left_out = decided.effective(rule.label, keys, finer)[blocks.cut] if blocks.cut.any() else nothing
    return blocks, split, np.unique(left_out)


def hashed_keys(rule: BlockingRule, records: Records) -> tuple[Hashes, Hashes | None]:
    """The rule's key of each record, and the key that its blocks are split by where they are too large."""
    keys = [records.hashes(name) for name in rule.keys]
    finer = together([*keys, *(records.hashes(name) for name in rule.refine)]) if rule.refine else None
    return together(keys), finer


def _ids(keys: Hashes) -> Codes:
    """Hashes as numbers of blocks, counted by first appearance; -1 for none."""
    codes = pd.factorize(np.append(keys.ravel(), np.uint64(0)))[0]
    return np.where(keys > 0, codes[:-1].reshape(keys.shape), -1).astype(np.int32)
