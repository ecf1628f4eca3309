"""Fitted models of the pipeline through time: a new one takes the place of the former, which is kept.

Belongs here: keeping, finding and bringing back models in the lake, and from their copies in the hub. Does not belong
here: fitting, or what differs between two of them (linkage.model_diff).

Former models are numbered in the order in which they were replaced, so that no clock is needed; a model that is fitted
again to the same is no new one.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from sqlalchemy import Connection

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.hub.models import Copies, keep_models
from cdm_pipelines.linkage import LinkageModel, load_policy
from cdm_pipelines.linkage.model.fellegi_sunter import fingerprint_of
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.linking.linked_with import MODEL, linked_models, linked_with
from cdm_pipelines.store import layout
from cdm_pipelines.store.damage import DamagedError, Fault
from cdm_pipelines.store.lake import Lake

PREVIOUS = "previous"
_log = logging.getLogger(__name__)


class VersionError(ValueError):
    """There is no such model; the message says which there are."""


class LostModelError(RuntimeError):
    """The model that customers were published with is gone; the message says what to do."""


@dataclass(frozen=True)
class Version:
    """A former model of one kind of party."""

    kind: PartyKind
    fingerprint: str
    path: str

    def read(self, lake: Lake) -> LinkageModel:
        """The model."""
        return LinkageModel.from_json(lake.read_json(self.path))


def put(lake: Lake, kind: PartyKind, model: LinkageModel) -> None:
    """Make a model the one that links from now on; the one before it is kept, if it is another."""
    path, text = layout.model_path(kind), model.to_json()
    former = text
    with suppress(DamagedError):
        former = lake.read_json(path)
    if former != text:
        number = len(versions(lake, kind)) + 1
        lake.write_json(layout.former_model_path(kind, number, fingerprint_of(former)), former)
    lake.write_json(path, text)


def current(lake: Lake, kind: PartyKind) -> LinkageModel | None:
    """The model that links now; None where the kind was never linked.

    Raises:
        DamagedError: It is damaged or gone.
    """
    path = layout.model_path(kind)
    if not lake.exists(path) and kind not in linked_models(lake):
        return None
    return LinkageModel.from_json(lake.read_json(path))


def kept(lake: Lake, kind: PartyKind, copies: Copies) -> LinkageModel | None:
    """The model to link with; None where the kind was never linked. A damaged or lost one is restored from its copy.

    Raises:
        LostModelError: It is damaged or gone, and there is no copy: it is never fitted anew unasked.
    """
    path = layout.model_path(kind)
    try:
        return LinkageModel.from_json(lake.read_json(path))
    except DamagedError as damaged:
        if kind in copies.by_kind:
            text = copies.by_kind[kind]
            lake.write_json(path, text)
            _log.warning(
                "%s %s: restored from the copy in the hub, model %s",
                path,
                damaged.fault,
                fingerprint_of(text),
            )
            return LinkageModel.from_json(text)
        if damaged.fault is Fault.MISSING and not _was_linked(lake, kind, copies):
            return None
        raise LostModelError(
            f"{lake.where(path)} {damaged.fault}, and the hub has no copy: the model that the published {kind}s were "
            "linked with is lost. Restore the file from a backup, or fit anew on purpose: `cdm run --date DAY --refit` "
            "(customers may be merged and split by it)."
        ) from None


def _was_linked(lake: Lake, kind: PartyKind, copies: Copies) -> bool:
    """Whether there was ever a model of a kind, as far as anything still tells."""
    try:
        models = linked_models(lake)
    except DamagedError:
        return True
    traces = lake.folders(layout.link_state_folder(kind)) or versions(lake, kind)
    # An earlier release published without copies, and of which kinds is not known.
    unknown_kinds = bool(copies.made_with) and not copies.by_kind and not models
    return kind in models or bool(traces) or unknown_kinds


def keep_copies(connection: Connection, lake: Lake) -> None:
    """Keep copies of the models that records were linked with, for the version that is being staged."""
    fingerprints = linked_models(lake)
    try:
        texts = {kind: lake.read_json(layout.model_path(kind)) for kind in fingerprints}
    except DamagedError as damaged:
        _log.warning("No copy of the linkage models is kept in the hub: %s", damaged)
        return
    if {kind: fingerprint_of(text) for kind, text in texts.items()} == fingerprints:
        keep_models(connection, linked_with(lake)[MODEL], texts, fingerprints)


def versions(lake: Lake, kind: PartyKind) -> list[Version]:
    """Former models of one kind, the last one replaced at the end."""
    found = lake.paths(layout.former_models(kind), ".json")
    return [Version(kind, PurePosixPath(path).stem.partition("-")[2], path) for path in found]


def find(lake: Lake, kind: PartyKind, asked: str) -> Version | None:
    """The former model that has, or begins with, a fingerprint; or that which was replaced last (``PREVIOUS``)."""
    known = versions(lake, kind)
    matching = [one for one in known if asked == PREVIOUS or one.fingerprint.startswith(asked)]
    return matching[-1] if asked and matching else None


def restore(lake: Lake, settings: Settings, fingerprint: str) -> Version:
    """Make a former model the one that links from now on.

    Raises:
        VersionError: There is no such model, or several, or it is of a policy that has changed since.
    """
    known = [one for kind in PartyKind for one in versions(lake, kind)]
    matching = {
        one.fingerprint: one for one in known if fingerprint and one.fingerprint.startswith(fingerprint)
    }
    if len(matching) != 1:
        raise VersionError(f"{unknown(fingerprint, list(matching.values()) or known)}; give one fingerprint.")
    (found,) = matching.values()
    model = found.read(lake)
    policy = load_policy(settings.policies / "linkage" / f"{found.kind}.yaml")
    if model.policy != policy.fingerprint:
        raise VersionError(
            f"Model {found.fingerprint} was fitted under another {found.kind} policy than today's: the next run would "
            "fit anew. Bring that policy back first."
        )
    put(lake, found.kind, model)
    return found


def unknown(asked: str, known: list[Version]) -> str:
    """What to say where a former model was not found, or not one alone."""
    there = ", ".join(f"{one.fingerprint} ({one.kind})" for one in known)
    return f"{asked!r} is not a former model; there is {there or 'none'}"
