"""Fitted models of the pipeline through time: a new one takes the place of the former, which is kept.

Belongs here: keeping, finding and bringing back models in the lake. Does not belong here: fitting, or what differs
between two of them (linkage.model_diff).

Former models are numbered in the order in which they were replaced, so that no clock is needed; a model that is fitted
again to the same is no new one.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.linkage import LinkageModel, load_policy
from cdm_pipelines.linkage.model.fellegi_sunter import fingerprint_of
from cdm_pipelines.settings import Settings
from cdm_pipelines.store import layout
from cdm_pipelines.store.lake import Lake

PREVIOUS = "previous"


class VersionError(ValueError):
    """There is no such model; the message says which there are."""


@dataclass(frozen=True)
class Version:
    """A former model of one kind of party."""

    kind: PartyKind
    fingerprint: str
    path: str

    def read(self, lake: Lake) -> LinkageModel:
        """The model."""
        return LinkageModel.from_json(lake.read_text(self.path))


def put(lake: Lake, kind: PartyKind, model: LinkageModel) -> None:
    """Make a model the one that links from now on; the one before it is kept, if it is another."""
    path, text = layout.model_path(kind), model.to_json()
    former = lake.read_text(path) if lake.exists(path) else text
    if former != text:
        number = len(versions(lake, kind)) + 1
        lake.write_text(layout.former_model_path(kind, number, fingerprint_of(former)), former)
    lake.write_text(path, text)


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
