"""How a long piece of work tells how far it is.

Belongs here: the one signature of all progress callbacks. Does not belong here: what is shown to whom (commands).
"""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Told a stage and the share of it that is done, from 0 to 1, which never falls; perhaps often."""


def silent(stage: str, share: float) -> None:
    """Tell nobody."""
