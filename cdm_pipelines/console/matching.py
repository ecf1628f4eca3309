"""The linkage in memory, for ``POST /match``: loaded once, and another one when a new one was published.

Belongs here: when it is loaded. Does not belong here: matching (steps.linking.match).

Whoever asks meanwhile is answered by the one before: loading takes seconds at a million customers.
"""

import logging
import time
from threading import Lock, Thread
from typing import NamedTuple

from sqlalchemy import Engine, text

from cdm_pipelines.console.errors import AwayError
from cdm_pipelines.faults import describe
from cdm_pipelines.linkage import LinkageError
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.linking.match import Matcher, NotReadyError
from cdm_pipelines.steps.stewardship.decisions import constraints
from cdm_pipelines.store.lake import Lake

_LOOK_SECONDS = 5.0
_logger = logging.getLogger(__name__)


class Held(NamedTuple):
    """A linkage in memory, and the last decision that counts in it."""

    matcher: Matcher
    decided: int


def held(engine: Engine, settings: Settings, before: Held | None = None) -> Held:
    """The linkage that was published last under all that is decided; ``before`` itself where that is it still.

    Raises:
        NotReadyError, LinkageError: Nothing is linked yet, or it cannot be asked; the text says what to run.
    """
    lake = Lake(settings.lake_url)
    with engine.connect() as connection:
        last = int(
            connection.scalar(text("SELECT coalesce(max(decision_id), 0) FROM identity.decision")) or 0
        )
        stale = before is None or before.matcher.stale(lake)
        if before is not None and not stale and last == before.decided:
            return before
        decided = constraints(connection)
    if before is None or stale:
        return Held(Matcher.load(lake, settings, decided), last)
    return Held(before.matcher.decided_by(lake, decided), last)


class Matching:
    """Holds the matcher; safe to use from several threads.

    Args:
        engine: Of its own.
        settings: Where the linkage is.
        given: What was loaded before this process was forked. Decisions are followed here then; a new linkage is loaded
            by whoever forked it, who puts another process in the place of this one, so that it is in memory once.
    """

    def __init__(self, engine: Engine, settings: Settings, given: Held | None = None) -> None:
        self._engine = engine
        self._settings = settings
        self._loading = Lock()
        self._held = given
        self._given = given is not None
        self._looked = 0.0

    def current(self) -> Matcher:
        """The matcher of what was published last, or of the one before while that is loaded.

        Raises:
            AwayError: Nothing is linked yet; the text says what to run.
        """
        found = self._held
        if found is None:
            with self._loading:
                self._look()
                found = self._held
        elif time.monotonic() > self._looked + _LOOK_SECONDS and self._loading.acquire(blocking=False):
            self._looked = time.monotonic()
            Thread(target=self._look_again, name="linkage", daemon=True).start()
        if found is None:
            raise AwayError("Nothing is linked yet.")
        return found.matcher

    def _look_again(self) -> None:
        """In a thread of its own, which holds the lock."""
        try:
            self._look()
        except Exception as error:
            _logger.warning(
                "The new linkage cannot be loaded, so that the one before answers: %s", describe(error)
            )
        finally:
            self._loading.release()

    def _look(self) -> None:
        """Load what is newer; where the lock is held."""
        self._looked = time.monotonic()
        before = self._held
        if self._given and before is not None and before.matcher.stale(Lake(self._settings.lake_url)):
            return  # another process is about to stand in this one's place
        try:
            self._held = held(self._engine, self._settings, before)
        except (NotReadyError, LinkageError) as error:
            if before is None:
                raise AwayError(str(error)) from None
            raise
