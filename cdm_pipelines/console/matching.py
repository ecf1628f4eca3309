"""The linkage in memory, for ``POST /match``: loaded once, and another one when a new one was published.

Belongs here: when it is loaded. Does not belong here: matching (steps.linking.match).

Whoever asks meanwhile is answered by the one before: loading takes seconds at a million customers.
"""

import logging
import time
from threading import Lock, Thread

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


class Matching:
    """Holds the matcher; safe to use from several threads."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._loading = Lock()
        self._held: Matcher | None = None
        self._decided = -1
        self._looked = 0.0

    def current(self) -> Matcher:
        """The matcher of what was published last, or of the one before while that is loaded.

        Raises:
            AwayError: Nothing is linked yet; the text says what to run.
        """
        held = self._held
        if held is None:
            with self._loading:
                self._look()
                held = self._held
        elif time.monotonic() > self._looked + _LOOK_SECONDS and self._loading.acquire(blocking=False):
            self._looked = time.monotonic()
            Thread(target=self._look_again, name="linkage", daemon=True).start()
        if held is None:
            raise AwayError("Nothing is linked yet.")
        return held

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
        lake = Lake(self._settings.lake_url)
        with self._engine.connect() as connection:
            last = int(
                connection.scalar(text("SELECT coalesce(max(decision_id), 0) FROM identity.decision")) or 0
            )
            if self._held is not None and last == self._decided and not self._held.stale(lake):
                return
            decided = constraints(connection)
        try:
            if self._held is None or self._held.stale(lake):
                self._held = Matcher.load(lake, self._settings, decided)
            else:
                self._held = self._held.decided_by(lake, decided)
        except (NotReadyError, LinkageError) as error:
            if self._held is None:
                raise AwayError(str(error)) from None
            raise
        self._decided = last
