"""Refining one chunk of rows, and doing so for several chunks at a time.

Belongs here: what a worker process does, and giving results back in order. Does not belong here: reading or writing.
"""

import json
import multiprocessing
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice

import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.quality.damage import Lengths
from cdm_pipelines.quality.repeats import Repeats
from cdm_pipelines.standardise.placeholders import Placeholders
from cdm_pipelines.standardise.source_words import SourceWords

_PRELOAD = [
    "cdm_pipelines.steps.days.chunks",
    "cdm_pipelines.quality.validation",
    "cdm_pipelines.standardise.frame",
    "pandera.pandas",
]
"""What workers of all entities share, what ``refine`` loads included: loaded once, by the process that makes them."""


@dataclass(frozen=True)
class Chunk:
    """Some raw rows, and what later rows with the same key make of them."""

    raw: pa.Table
    repeats: Repeats


@dataclass(frozen=True)
class Refined:
    """What became of a chunk.

    ``reasons`` counts rejected rows by rule, ``repairs_by_rule`` changed cells; of the superseded rows ``repeated``
    are replaced by a row of their own file. ``lengths`` tells of lost leading zeros.
    """

    read: int
    valid: pa.Table
    quarantine: pa.Table
    repairs: pa.Table
    repaired: int
    reasons: Mapping[str, int]
    repairs_by_rule: Mapping[str, int]
    repeated: int
    lengths: Lengths
    standard: Mapping[Entity, pa.Table]


def refine(
    chunk: Chunk,
    contract: SourceContract,
    date: str,
    timezone: str,
    nobody: Placeholders,
    *,
    words: SourceWords,
) -> Refined:
    """Validate and standardise one chunk; pure, so it may run in any process."""
    from cdm_pipelines.quality.damage import digit_lengths  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.quality.validation import validate  # noqa: PLC0415 - heavy rooms load in a run
    from cdm_pipelines.standardise import standardise  # noqa: PLC0415

    repeats = chunk.repeats
    checked = validate(chunk.raw, contract, repeats.superseded, repeats.conflicting)
    standard = standardise(checked.valid, contract, date, timezone=timezone, nobody=nobody, words=words)
    repairs = pa.concat_tables([checked.repairs, standard.repairs])
    return Refined(
        read=chunk.raw.num_rows,
        valid=checked.valid,
        quarantine=checked.quarantine,
        repairs=repairs,
        repaired=repairs.group_by(["_file", "_row"]).aggregate([]).num_rows,
        reasons=_reasons(checked.quarantine),
        repairs_by_rule=dict(_counted(repairs["rule"])),
        repeated=int((repeats.repeated & ~repeats.conflicting).sum()),
        lengths=digit_lengths(chunk.raw, contract),
        standard=standard.tables,
    )


def _reasons(quarantine: pa.Table) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for text, rows in _counted(quarantine["_reasons"]):
        counts.update(dict.fromkeys({reason["rule"] for reason in json.loads(text)}, rows))
    return dict(counts)


def _counted(column: pa.ChunkedArray) -> Iterator[tuple[str, int]]:
    for one in column.value_counts().to_pylist():
        yield one["values"], one["counts"]


def in_order(
    chunks: Iterator[Chunk],
    processes: int,
    contract: SourceContract,
    date: str,
    timezone: str,
    *,
    nobody: Placeholders,
    words: SourceWords,
) -> Iterator[Refined]:
    """Refine chunks, several at a time when there is more than one; results come in the order of the chunks."""
    first = list(islice(chunks, 2))
    if len(first) < 2 or processes < 2:
        for chunk in chain(first, chunks):
            yield refine(chunk, contract, date, timezone, nobody, words=words)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting: deque[Future[Refined]] = deque()
        for chunk in chain(first, chunks):
            waiting.append(pool.submit(refine, chunk, contract, date, timezone, nobody, words=words))
            if len(waiting) > processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
