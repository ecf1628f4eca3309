"""Erased records leave what linking keeps for its next run, which then links only those who were linked with them.

Belongs here: writing the state anew without them, to the last byte, and when it has to be thrown away instead. Does not
belong here: what is left of a state (linkage.incremental.removal), how it lies in files (``state``).
"""

from collections.abc import Iterator, Mapping

from cdm_pipelines.linkage import LinkagePolicy
from cdm_pipelines.linkage.places import Forget
from cdm_pipelines.settings import Settings
from cdm_pipelines.store import layout
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Stores
from cdm_pipelines.store.secret import Secret

UNKNOWN = ""
"""Stands for the published tables that a state led to where those are not what it says."""


def forgetting(settings: Settings, policies: Mapping[str, LinkagePolicy]) -> Forget:
    """How persons leave the state of each kind of party."""

    def forget(kind: str, stores: Stores, persons: Persons) -> None:
        _forget(stores.lake, kind, policies[kind], Secret.of(settings.home), persons)

    return forget


def _forget(lake: Lake, kind: str, policy: LinkagePolicy, secret: Secret, persons: Persons) -> None:
    # linkage loads where somebody is erased; the places of a deployment are asked for on other occasions too
    from cdm_pipelines.linkage.incremental.removal import without_records  # noqa: PLC0415
    from cdm_pipelines.steps.linking.state import KeptState, OtherKeyError, read_state, write_state  # noqa: PLC0415

    try:
        before = read_state(lake, kind, secret)
    except (OtherKeyError, DamagedError):
        before = None
    left = None if before is None else without_records(before.state, persons.linked, policy)
    if before is None or left is None:
        lake.delete(layout.link_state_path(kind))
        lake.delete_folder(layout.link_state_folder(kind))
        return
    number = max([before.number, *_numbers(lake, kind)]) + 1
    kept = KeptState(
        left, number, number, before.model, before.parties, UNKNOWN, before.shared, before.withheld
    )
    write_state(lake, kind, kept, secret)


def _numbers(lake: Lake, kind: str) -> Iterator[int]:
    """Numbers of all states of which there are files, finished or not."""
    for name in lake.folders(layout.link_state_folder(kind)):
        yield int(name.removeprefix("base-"))
