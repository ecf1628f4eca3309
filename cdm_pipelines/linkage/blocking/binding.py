"""The policy's blocking rules bound to records.

Belongs here: from a rule and the keys of records to blocks. Does not belong here: what is decided about blocks that
are too large (plan), the pairs that blocks make (pairs), or how keys are hashed (encode).
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from cdm_pipelines.linkage.blocking.pairs import Blocks, Listed, Maker, Neighbours, combined
from cdm_pipelines.linkage.blocking.plan import BlockSizes, Counts, decide_plan
from cdm_pipelines.linkage.encode.columns import Codes
from cdm_pipelines.linkage.encode.hashes import Hashes
from cdm_pipelines.linkage.encode.keys import BlockingPlan, among, beside, together
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
    decided: list[BlockingPlan] = []
    for maker, own in in_order(lambda rule: _bind(rule, policy, records, plan), policy.blocking, threads):
        makers.append(maker)
        decided.append(own)
        progress("block", len(makers) / len(policy.blocking))
    return makers, plan or BlockingPlan.of_rules(decided, records.words)


def _bind(
    rule: BlockingRule, policy: LinkagePolicy, records: Records, plan: BlockingPlan | None
) -> tuple[Maker, BlockingPlan]:
    nothing: Hashes = np.zeros(0, np.uint64)
    no_plan = BlockingPlan({rule.label: nothing}, {rule.label: nothing})
    if rule.algorithm:
        from cdm_pipelines.linkage.blocking.toolkit import pairs_of_algorithm  # noqa: PLC0415 - recordlinkage is heavy

        left, right = pairs_of_algorithm(rule, records)
        return Listed(rule.label, left, right, len(records)), no_plan
    if rule.window:
        columns = [records.key(name) for name in rule.keys]
        everything = np.zeros(len(records), dtype=np.int32)
        within = combined(columns[:-1])[:, 0] if len(columns) > 1 else everything
        return Neighbours(rule.label, within, columns[-1].flat, rule.window), no_plan
    keys, finer = hashed_keys(rule, records)
    if plan is not None:
        largest = rule.max_block_size or policy.max_block_size
        return Blocks(rule.label, _numbered(plan.effective(rule.label, keys, finer)), largest), plan
    sizes = block_sizes(rule, policy, len(records), keys, finer)
    plan = decide_plan([sizes])
    blocks = Blocks(rule.label, _numbered(plan.effective(rule.label, keys, finer)))
    blocks.oversized = sizes.oversized
    return blocks, plan


def block_sizes(
    rule: BlockingRule, policy: LinkagePolicy, records: int, keys: Hashes, finer: Hashes | None
) -> BlockSizes:
    """Count the blocks of a rule.

    Args:
        rule: The rule.
        policy: Its policy, which says how large blocks may be.
        records: Number of all records.
        keys: Keys of the records, as ``hashed_keys`` gives them.
        finer: Keys to refine by.
    """
    distinct, sizes = _counted(keys[keys > 0])
    largest = rule.max_block_size or policy.max_block_size
    most_pairs = max(rule.max_pairs or policy.max_pairs, records)
    found = BlockSizes(rule.label, largest, most_pairs, distinct, sizes, refines=finer is not None)
    if finer is None or not len(found.too_large):
        return found
    large, _ = beside(among(keys, found.too_large), keys, finer.shape[1], 0)
    refined, refined_sizes = _counted(finer[large & (finer > 0)])
    return replace(found, refined=refined, refined_sizes=refined_sizes)


def hashed_keys(rule: BlockingRule, records: Records) -> tuple[Hashes, Hashes | None]:
    """The rule's key of each record, and the key that its blocks are split by where they are too large."""
    keys = [records.hashes(name) for name in rule.keys]
    finer = together([*keys, *(records.hashes(name) for name in rule.refine)]) if rule.refine else None
    return together(keys), finer


def _counted(keys: Hashes) -> tuple[Hashes, Counts]:
    """Distinct keys, and how often each occurs."""
    codes, distinct = pd.factorize(keys)
    return distinct, np.bincount(codes, minlength=len(distinct)).astype(np.int64)


def _numbered(keys: Hashes) -> Codes:
    """Hashes as numbers of blocks, counted by first appearance; -1 for none."""
    codes = pd.factorize(np.append(keys.ravel(), np.uint64(0)))[0]
    return np.where(keys > 0, codes[:-1].reshape(keys.shape), -1).astype(np.int32)
