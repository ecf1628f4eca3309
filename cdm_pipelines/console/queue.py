"""The queue of doubtful cases as somebody sees it.

Belongs here: the items that wait, less those about customers whom the role does not see. Does not belong here: which of
them is next and what is decided (``desk``), the queue itself (hub.review_queue).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cdm_pipelines.console import reads
from cdm_pipelines.console.sight import Eyes
from cdm_pipelines.hub import review_queue as hub

Item = Mapping[str, Any]
_MOST_A_PAGE = 10_000


def visible(eyes: Eyes, items: Sequence[Item]) -> list[Item]:
    """Those about customers whom the role sees."""
    seen = reads.seen(eyes, {one[side] for one in items for side in ("left_id", "right_id")} - {None})
    return [one for one in items if {one["left_id"], one["right_id"]} - {None} <= seen]


def first_visible(eyes: Eyes, most: int, without: Collection[str] = (), *, doubt: str = "") -> list[Item]:
    """The items that wait and that the role sees, the largest priority first.

    As much of the queue is read as it takes: what the role sees may lie behind all that it does not see.

    Args:
        eyes: Of who looks.
        most: How many are wanted at most.
        without: Ids of items that are left out.
        doubt: Of which kind; empty for all.
    """
    found: list[Item] = []
    looked_at, page = 0, most
    while len(found) < most:
        items = hub.first_items(eyes.connection, page, without, skip=looked_at, doubt=doubt)
        found += visible(eyes, items)
        if len(items) < page:
            break
        looked_at, page = looked_at + page, min(2 * page, _MOST_A_PAGE)
    return found[:most]
