"""What is said of a file of the lake that is not as it was written, and what to do about it.

Belongs here: the errors, and the remedy of each layer. Does not belong here: finding out (lake, checksums), or making a
file anew (steps).
"""

import logging
import re
from calendar import monthrange
from enum import StrEnum

_DAY = re.compile(r"^[a-z]+/(?P<source>[^/]+)/[^/]+/(?P<date>\d{4}-\d\d-\d\d)[./]")
_PACK = re.compile(r"^[a-z]+/(?P<source>[^/]+)/[^/]+/(?P<year>\d{4})-(?P<month>\d\d)\.zip$")
_AGAIN = "The next run makes it anew: `cdm run --date DAY`."
_OTHERWISE = "Restore it from a backup."
_REMEDIES = {
    "records": _AGAIN,
    "link": _AGAIN,
    "publish": _AGAIN,
    "profile": _AGAIN,
    "corrections": "Nothing else holds these corrected rows: restore the file from a backup. To do without them, "
    "remove what is left of it and the day's file in `valid/`, run the day, and give the rows again.",
}
_log = logging.getLogger("cdm_pipelines.store")


class LakeError(Exception):
    """The lake cannot take or give a file; the message says what to do."""


class Fault(StrEnum):
    """What is wrong with a file."""

    MISSING = "is missing"
    EMPTY = "is empty"
    CUT_OFF = "is cut off: its end is not what was written"
    ALTERED = "has been altered since it was written: its checksum does not fit"
    UNREADABLE = "cannot be read: it is not what this release writes"


class DamagedError(LakeError):
    """A file of the lake is missing, empty, cut off or altered.

    Attributes:
        path: In the lake.
        fault: What is wrong.
    """

    def __init__(self, path: str, where: str, fault: Fault) -> None:
        self.path, self.fault = path, fault
        super().__init__(f"{where} {fault}. {_remedy(path)}")


def _remedy(path: str) -> str:
    """What to do, in words."""
    layer = path.partition("/")[0]
    if layer in _REMEDIES:
        return _REMEDIES[layer]
    pack = _PACK.match(path)
    if pack is not None:
        first, last = (
            f"{pack['year']}-{pack['month']}-01",
            monthrange(int(pack["year"]), int(pack["month"]))[1],
        )
        return (
            f"{_OTHERWISE} Without one, remove it and make its days anew from landing: "
            f"`cdm run --from {first} --to {first[:8]}{last} --source {pack['source']}`."
        )
    day = _DAY.match(path)
    if day is None:
        return _OTHERWISE
    return f"Make it anew from landing: `cdm run --date {day['date']} --source {day['source']}`."


def made_anew(what: str, because: DamagedError) -> None:
    """Warn that a file was not as it should be and that what it held is made anew."""
    _log.warning("%s made anew because %s %s", what, because.path, because.fault)
