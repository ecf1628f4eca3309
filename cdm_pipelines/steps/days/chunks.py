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

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.store.arrow import to_frame, to_table

_PRELOAD = ["cdm_pipelines.steps.days.chunks", "cdm_pipelines.quality", "cdm_pipelines.standardise"]
"""What the workers of all entities share: loaded once, by the process that makes them."""


@dataclass(frozen=True)
class Chunk:
    """Some raw rows, and which of them a later row with the same key supersedes."""

    raw: pa.Table
    superseded: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Refined:
    """What became of a chunk."""

    read: int
    valid: pa.Table
    quarantine: pa.Table
    repairs: pa.Table
    repaired: int
    reasons: Mapping[str, int]
    standard: Mapping[Entity, pa.Table]


def refine(chunk: Chunk, contract: SourceContract, date: str, timezone: str) -> Refined:
    """Validate and standardise one chunk; pure, so it may run in any process."""
    from cdm_pipelines.quality import validate  # noqa: PLC0415 - heavy rooms load where the work is done
    from cdm_pipelines.standardise import standardise  # noqa: PLC0415

    checked = validate(to_frame(chunk.raw), contract, chunk.superseded)
    standard = standardise(checked.valid, contract, date, timezone=timezone)
    return Refined(
        read=chunk.raw.num_rows,
        valid=to_table(checked.valid),
        quarantine=to_table(checked.quarantine),
        repairs=to_table(checked.repairs),
        repaired=len(checked.repairs[["_file", "_row"]].drop_duplicates()),
        reasons=_reasons(checked.quarantine, checked.repairs),
        standard={entity: to_table(frame) for entity, frame in standard.items()},
    )


def _reasons(quarantine: pd.DataFrame, repairs: pd.DataFrame) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for text, rows in quarantine["_reasons"].value_counts().items():
        counts.update(dict.fromkeys({reason["rule"] for reason in json.loads(str(text))}, int(rows)))
    counts.update({str(rule): int(cells) for rule, cells in repairs["rule"].value_counts().items()})
    return dict(counts)


def in_order(
    chunks: Iterator[Chunk], processes: int, contract: SourceContract, date: str, timezone: str
) -> Iterator[Refined]:
    """Refine chunks, several at a time when there is more than one; results come in the order of the chunks."""
    first = list(islice(chunks, 2))
    if len(first) < 2 or processes < 2:
        for chunk in chain(first, chunks):
            yield refine(chunk, contract, date, timezone)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting: deque[Future[Refined]] = deque()
        for chunk in chain(first, chunks):
            waiting.append(pool.submit(refine, chunk, contract, date, timezone))
            if len(waiting) > processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
