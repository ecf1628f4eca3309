"""Files that we wrote for people and that hold an erased person: taken away where they lie, told where they do not.

Belongs here: what becomes of each export. Does not belong here: which there are (privacy.exports), erasing from the
places of the register (``erasure``).

A file that is where it was written, byte for byte, and holds a value of the person, their golden id, a record of
theirs or the pseudonym of either is removed whole: it can be made again. One that was moved or changed is in its
owner's hands, and so told.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from cdm_pipelines.hub import rights as hub
from cdm_pipelines.privacy import exports
from cdm_pipelines.privacy.masks import pseudonym
from cdm_pipelines.privacy.traces import Traces
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.privacy.access import pseudonym_key
from cdm_pipelines.steps.rights.collected import Collected
from cdm_pipelines.steps.rights.rescan import values_in

_HOW = "of {day} by {by}: removed whole, it can be made again"


def take_away(
    settings: Settings, engine: Engine, number: int, collected: Collected, done: Collection[str]
) -> None:
    """Remove the exports that hold any of the persons, each a step of the request; may be done twice.

    The step is written down before the file goes, so that a certificate names it whatever happens in between.
    """
    key, ids = pseudonym_key(settings), {str(one) for one in collected.persons.golden_ids}
    keyed = ids | {record for _, _, record in collected.persons.keys}
    traces = Traces([*collected.values, *ids, *(pseudonym(key, one) for one in keyed)])
    for export in exports.noted(settings.home) if traces else ():
        step, content = f"export of {export.what}: {export.path}", export.content
        if (
            content is not None
            and export.can_be_removed
            and values_in(Path(export.path).name, content, traces)
        ):
            if step not in done:
                how = _HOW.format(day=export.made_at[:10], by=export.by)
                with engine.begin() as connection:
                    hub.step_is_done(connection, number, step, 1, how)
            Path(export.path).unlink()
            exports.forget(settings.home, export)
        elif step in done:  # it was killed between the file and its note
            exports.forget(settings.home, export)


def out_of_hands(settings: Settings) -> Iterator[dict[str, Any]]:
    """Exports that are no more what we wrote, lie elsewhere, or may not be removed: for their owner to look through."""
    for export in exports.noted(settings.home):
        if export.content is None or not export.can_be_removed:
            yield {
                "what": export.what,
                "path": export.path,
                "made_on": export.made_at[:10],
                "by": export.by,
            }
