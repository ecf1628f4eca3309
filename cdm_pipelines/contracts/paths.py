"""Paths into nested records, as contracts write them: ``event_params[key=page_location].value.string_value``.

Belongs here: how a path is written, and what its steps are. Does not belong here: following one (ingest).

A name goes into an object, ``[2]`` to an element of a list (from 0), ``[key=page_location]`` to the first element of a
list whose ``key`` is ``page_location``.
"""

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Where:
    """The first element of a list that has a value under a name."""

    name: str
    value: str


Step = str | int | Where
_STEP = re.compile(r"\.?(?P<name>[^.\[\]]+)|\[(?P<index>[0-9]{1,6})\]|\[(?P<key>[^=\]]+)=(?P<value>[^\]]*)\]")


class PathError(ValueError):
    """A path that cannot be followed; the message says what is wrong with it."""


@lru_cache(maxsize=4096)
def steps(path: str) -> tuple[Step, ...]:
    """The steps of a path; the first is the name of a member of the record.

    Raises:
        PathError: It is none.
    """
    found: list[Step] = []
    place = 0
    while place < len(path):
        step = _STEP.match(path, place)
        if step is None or (found == []) == path.startswith((".", "["), place):
            raise PathError(f"{path!r} cannot be read after {path[:place]!r}")
        if step["index"] is not None:
            found.append(int(step["index"]))
        elif step["key"] is not None:
            found.append(Where(step["key"], step["value"]))
        else:
            if found and not path.startswith(".", place):
                raise PathError(f"{path!r} lacks a full stop after {path[:place]!r}")
            found.append(step["name"])
        place = step.end()
    if not found:
        raise PathError("an empty path leads nowhere")
    return tuple(found)
