"""What blocking does before anything is compared: pairs per rule, what was cut, which matches can be found at all.

Belongs here: counting candidate pairs in chunks, against the truth where there is one, and the picture of it. Does not
belong here: making the pairs (blocking.pairs), or reading and writing files (steps).
"""

from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cdm_pipelines.linkage.blocking.binding import bind
from cdm_pipelines.linkage.blocking.pairs import Allowed, Oversized, stream
from cdm_pipelines.linkage.encode.records import Records, encode
from cdm_pipelines.linkage.evaluate.truth import Codes, entities
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.linkage.progress import Progress, silent

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RuleCounts:
    """What one blocking rule makes.

    Attributes:
        rule: Its label in the policy.
        pairs: Pairs that it makes, whatever other rules make.
        new_pairs: Those that no earlier rule makes.
        running_pairs: Pairs of this rule and the earlier ones together.
        largest_block: Records in its largest block, cut or not.
        cut: Blocks above the policy's limits, of which no pairs are made.
        reduction_ratio: Share of all possible pairs that the rule spares.
        true_pairs: Pairs of one entity among ``pairs``; None without truth.
        running_true_pairs: Pairs of one entity that this rule or an earlier one makes; None without truth.
    """

    rule: str
    pairs: int
    new_pairs: int
    running_pairs: int
    largest_block: int
    cut: Oversized
    reduction_ratio: float
    true_pairs: int | None = None
    running_true_pairs: int | None = None


@dataclass(frozen=True)
class BlockingReport:
    """What all rules make together.

    Attributes:
        records: Number of records.
        possible_pairs: Number of pairs that could be made of them.
        rules: One entry per rule, in the policy's order.
        true_pairs: Number of pairs of one entity, blocked or not; None without truth.
    """

    records: int
    possible_pairs: int
    rules: tuple[RuleCounts, ...]
    true_pairs: int | None = None

    @property
    def candidate_pairs(self) -> int:
        """Number of pairs that will be compared."""
        return self.rules[-1].running_pairs

    @property
    def reduction_ratio(self) -> float:
        """Share of all possible pairs that blocking spares."""
        return _spared(self.candidate_pairs, self.possible_pairs)

    @property
    def pair_completeness(self) -> float | None:
        """Share of true pairs among the candidates; None without truth, 1 where there is no true pair."""
        return self.completeness(self.rules[-1].running_true_pairs)

    def completeness(self, found: int | None) -> float | None:
        """A number of true pairs as a share of all of them."""
        if found is None or self.true_pairs is None:
            return None
        return found / self.true_pairs if self.true_pairs else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            **asdict(self),
            "candidate_pairs": self.candidate_pairs,
            "reduction_ratio": self.reduction_ratio,
            "pair_completeness": self.pair_completeness,
        }


def explain_blocking(
    table: pa.Table | pd.DataFrame,
    policy: LinkagePolicy,
    *,
    truth: pd.DataFrame | None = None,
    progress: Progress = silent,
    threads: int | None = None,
) -> BlockingReport:
    """Count what the policy's blocking rules make of a table; nothing is compared.

    Pairs pass through in chunks of the policy's ``chunk_pairs``, so memory does not grow with their number.

    Args:
        table: Any table that has the columns which the policy maps.
        policy: How it is linked.
        truth: A record id and an entity id per row: columns ``record_id`` (or the policy's id) and ``truth_id`` or
            ``cluster``, or any two columns in this order; ``source`` where ids repeat between sources.
        progress: Told the share of the pairs that have been counted, as the stage ``count``.
        threads: How many to use, all cores by default.

    Raises:
        LinkageError: The table does not have what the policy reads, or the truth is of other records.
    """
    records = encode(table, policy, threads)
    makers, _ = bind(policy, records, threads)
    allowed = Allowed(records, policy)
    entity = None if truth is None else entities(records, truth, policy)
    rules = len(makers)
    made, new, true, new_true = (np.zeros(rules, dtype=np.int64) for _ in range(4))
    for pairs in stream(makers, allowed, policy.chunk_pairs, progress, "count"):
        first = int(pairs.rules[0] & -pairs.rules[0].astype(np.int64)).bit_length() - 1
        made += _by_rule(pairs.rules, rules)
        new[first] += len(pairs.rules)
        if entity is not None:
            same = (entity[pairs.left] == entity[pairs.right]) & (entity[pairs.left] >= 0)
            true += _by_rule(pairs.rules[same], rules)
            new_true[first] += int(same.sum())
    running, running_true = np.cumsum(new).tolist(), np.cumsum(new_true).tolist()
    return BlockingReport(
        records=len(records),
        possible_pairs=allowed.total,
        rules=tuple(
            RuleCounts(
                rule=maker.label,
                pairs=int(made[number]),
                new_pairs=int(new[number]),
                running_pairs=running[number],
                largest_block=max(maker.largest, maker.oversized.largest),
                cut=maker.oversized,
                reduction_ratio=_spared(int(made[number]), allowed.total),
                true_pairs=None if entity is None else int(true[number]),
                running_true_pairs=None if entity is None else running_true[number],
            )
            for number, maker in enumerate(makers)
        ),
        true_pairs=None if entity is None else _all_true(entity, records, policy),
    )


def _spared(pairs: int, possible: int) -> float:
    return 1 - pairs / possible if possible else 0.0


def _by_rule(bits: npt.NDArray[np.uint32], rules: int) -> Counts:
    """How many of the pairs each rule makes."""
    return np.array([int(((bits >> np.uint32(rule)) & 1).sum()) for rule in range(rules)], dtype=np.int64)


def _all_true(entity: Codes, records: Records, policy: LinkagePolicy) -> int:
    """Pairs of one entity, those within a source that is free of duplicates left out."""
    known = np.flatnonzero(entity >= 0)
    free = np.isin(np.array(records.sources, dtype=object), policy.duplicate_free).astype(bool)
    total = _pairs(entity[known])
    within = known[free[records.source[known]]] if len(known) else known
    return total - _pairs(entity[within] * len(records.sources) + records.source[within])


def _pairs(codes: Codes) -> int:
    sizes = np.unique(codes, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


def rows(report: BlockingReport) -> list[dict[str, object]]:
    """The report as a table for people: one row per rule and one for all; completeness where truth is known."""
    found = [_row(report, one) for one in report.rules]
    total: dict[str, object] = dict.fromkeys(found[0])
    total |= {
        "rule": "all rules",
        "pairs": report.candidate_pairs,
        "new": report.candidate_pairs,
        "running total": report.candidate_pairs,
        "largest block": max(one.largest_block for one in report.rules),
        "cut: blocks": sum(one.cut.blocks for one in report.rules),
        "records": sum(one.cut.records for one in report.rules),
        "pairs not made": sum(one.cut.pairs for one in report.rules),
        "reduction ratio": _ratio(report.reduction_ratio),
    }
    if report.pair_completeness is not None:
        total["completeness"] = total["running"] = f"{report.pair_completeness:.2%}"
    return [*found, total]


def _row(report: BlockingReport, one: RuleCounts) -> dict[str, object]:
    row: dict[str, object] = {
        "rule": one.rule,
        "pairs": one.pairs,
        "new": one.new_pairs,
        "running total": one.running_pairs,
        "largest block": one.largest_block,
        "cut: blocks": one.cut.blocks,
        "records": one.cut.records,
        "pairs not made": one.cut.pairs,
        "reduction ratio": _ratio(one.reduction_ratio),
    }
    own, running = report.completeness(one.true_pairs), report.completeness(one.running_true_pairs)
    if own is not None and running is not None:
        row |= {"completeness": f"{own:.2%}", "running": f"{running:.2%}"}
    return row


def _ratio(spared: float) -> str:
    """A reduction ratio with as many digits as it takes to tell it from 1."""
    digits = 4
    while spared < 1 and f"{spared:.{digits}f}" == f"{1:.{digits}f}" and digits < 12:
        digits += 1
    return f"{spared:.{digits}f}"


def bars(report: BlockingReport, width: int = 60) -> list[str]:
    """A bar chart as lines of text: for each rule the new pairs (█) and those an earlier rule made as well (░)."""
    most = max(1, *(one.pairs for one in report.rules))
    label = max(len(one.rule) for one in report.rules)
    lines = []
    for one in report.rules:
        full = round(width * one.pairs / most)
        new = min(round(width * one.new_pairs / most), full)
        shown = ("█" * new + "░" * (full - new)) or ("▏" if one.pairs else "")
        lines.append(f"{one.rule:<{label}}  {shown} {one.new_pairs:,} of {one.pairs:,}")
    return lines


_LINE, _TOP, _LABEL, _WIDTH, _NOTES = 26, 64, 300, 420, 250


def svg(report: BlockingReport) -> str:
    """The bar chart as an SVG picture, with pair completeness where truth is known."""
    most = max(1, *(one.pairs for one in report.rules))
    width, height = _LABEL + _WIDTH + _NOTES, _TOP + _LINE * len(report.rules) + 16
    told = f"{report.candidate_pairs:,} candidate pairs of {report.records:,} records"
    if report.pair_completeness is not None:
        told += f", {report.pair_completeness:.2%} of the true pairs"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"',
        f'  width="{width}" height="{height}" font-size="13" fill="#222" role="img">',
        f"<title>{escape(told)}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="16" y="24" font-size="15" font-weight="bold">{escape(told)}</text>',
        '<rect x="16" y="36" width="12" height="12" fill="#2a6f97"/><text x="34" y="47">new pairs</text>',
        '<rect x="120" y="36" width="12" height="12" fill="#bcd4e6"/>',
        '<text x="138" y="47">made by an earlier rule as well</text>',
    ]
    for number, one in enumerate(report.rules):
        y = _TOP + _LINE * number
        full, new = (round(_WIDTH * pairs / most, 1) for pairs in (one.pairs, one.new_pairs))
        running = report.completeness(one.running_true_pairs)
        note = f"{one.new_pairs:,} of {one.pairs:,}" + (
            f"; complete {running:.1%}" if running is not None else ""
        )
        if one.cut.blocks:
            note += f"; {one.cut.blocks:,} blocks cut"
        parts += [
            f'<text x="{_LABEL - 10}" y="{y + 15}" text-anchor="end">{escape(one.rule)}</text>',
            f'<rect x="{_LABEL}" y="{y + 2}" width="{full}" height="18" fill="#bcd4e6"/>',
            f'<rect x="{_LABEL}" y="{y + 2}" width="{new}" height="18" fill="#2a6f97"/>',
            f'<text x="{_LABEL + full + 6}" y="{y + 15}">{escape(note)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
