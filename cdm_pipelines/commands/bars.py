"""Bits as text: with their sign, and as bars.

Belongs here: how a weight looks on a terminal. Does not belong here: which weights are shown.
"""

from collections.abc import Sequence

WIDTH = 30  # signs


def signed(bits: float) -> str:
    """Bits with their sign."""
    return f"{round(bits, 2) + 0.0:+.2f}"  # nothing is +0.00, not -0.00


def bar(start: float, end: float, values: Sequence[float]) -> str:
    """A bar between two values on the scale that all values need; a line where zero is."""
    low, high = min(values), max(values)
    first, last, zero = (
        round((x - low) / ((high - low) or 1) * (WIDTH - 1)) for x in (*sorted((start, end)), 0)
    )
    marks = ["│" if place == zero else " " for place in range(WIDTH)]
    return "".join("█" if first <= place < max(last, first + 1) else mark for place, mark in enumerate(marks))
