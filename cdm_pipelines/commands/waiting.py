"""What a person sees while a command works: how far it is, how long it will take, and a clean end on Ctrl-C.

Belongs here: the progress line, the estimate of the time left, the answer to an interrupt. Does not belong here: the
work itself, or how a command speaks otherwise (terminal).
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cdm_pipelines.commands.terminal import console, fail

INTERRUPTED = 130
LINKING: Mapping[str, tuple[str, float]] = {
    "encode": ("reading the columns", 0.12),
    "block": ("finding blocks", 0.18),
    "compare": ("comparing pairs", 0.35),
    "fit": ("fitting the model", 0.08),
    "score": ("scoring pairs", 0.1),
    "cluster": ("clustering", 0.17),
}
"""The stages of linking in their order: in words, and about which share of the time each takes."""
_TOO_EARLY = 5.0  # seconds; before them an estimate is a guess, and nobody needs it


class Countdown:
    """How much of some work is done, and how long the rest will take.

    Args:
        stages: The stages in their order, in words and with their shares of the time; the shares add up to 1.
        clock: Seconds, from any start.
    """

    def __init__(
        self, stages: Mapping[str, tuple[str, float]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stages, self._clock = stages, clock
        self._started = clock()
        self.done = 0.0
        self.stage = ""

    def __call__(self, stage: str, share: float) -> None:
        """Take note that this share of a stage is done, from 0 to 1, and all stages before it."""
        names = list(self._stages)
        earlier = sum(self._stages[name][1] for name in names[: names.index(stage)])
        self.stage = self._stages[stage][0]
        self.done = max(self.done, min(earlier + share * self._stages[stage][1], 1.0))

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take; None while it is too early to tell."""
        spent = self._clock() - self._started
        return spent * (1 - self.done) / self.done if spent >= _TOO_EARLY and self.done > 0 else None

    @property
    def text(self) -> str:
        """The stage, the share that is done and the time left."""
        left = "" if self.left is None else f", {_duration(self.left)} left"
        return f"{self.stage}: {self.done:.0%} done{left}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"about {minutes}:{rest:02d}" if minutes else f"about {rest} s"


@contextmanager
def countdown(stages: Mapping[str, tuple[str, float]]) -> Iterator[Callable[[str, float], None]]:
    """Show a line with the stage, a bar, the time spent and the time left while a block runs; on a terminal only."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    work = Countdown(stages)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as line:
        task = line.add_task("starting", total=1.0)

        def told(stage: str, share: float) -> None:
            work(stage, share)
            line.update(task, completed=work.done, description=work.text)

        yield told


@contextmanager
def interruptible(told: str) -> Iterator[None]:
    """Answer Ctrl-C with one line and the exit code that shells give an interrupted command."""
    try:
        yield
    except KeyboardInterrupt:
        fail(told, INTERRUPTED)
