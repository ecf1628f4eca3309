"""Who is told of changes: the typed form of ``policies/change_feed.yaml``.

Belongs here: the keys, their checks and their defaults. Does not belong here: serving a sink (``files``, ``webhook``).

Secrets are not in the file: it names the environment variable that holds one.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.settings import PREFIX
from cdm_pipelines.yaml_files import YamlError, read_yaml

_NO_PURPOSE = "name the purpose in purposes.yaml for which the sink is told, such as service"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class FeedPolicyError(ValueError):
    """``change_feed.yaml`` cannot be used; the message names the file, the key and the fix."""


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("use https://; http is for this machine only")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("use an address such as https://crm.example.com/customers")
    return value


def _variable(value: str) -> str:
    if not value.isidentifier() or value.startswith(PREFIX):
        raise ValueError(f"use the name of an environment variable that does not begin with {PREFIX}")
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Sink(_Strict):
    purpose: str = ""
    """Key of the purpose in ``purposes.yaml`` for which the sink is told: it limits of whom, and of what. Left out, it
    is the first of ``until_declared`` there, and ``cdm check`` tells it."""
    channel: str = ""
    """Through which customers are addressed by whom is told; empty where they are not."""
    start: Literal["beginning", "now"] = "beginning"
    """Where a sink that is served for the first time begins."""


class FileSink(_Sink):
    """JSON Lines files in a folder or at any fsspec URL.

    Attributes:
        url: Folder; ``publish/feed/<sink>`` in the lake when empty.
        rows_per_file: Most events of a file.
    """

    kind: Literal["files"]
    url: str = ""
    rows_per_file: int = Field(default=10_000, ge=1)


class WebhookSink(_Sink):
    """An address that takes one event per request, signed by Standard Webhooks.

    Attributes:
        url: The address.
        secret_variable: Environment variable with the signing secret, ``whsec_`` and base64; several, with spaces
            between, while a secret is replaced.
        timeout: Seconds that an answer may take.
        attempts: How often an event is sent before it is given up.
        first_wait: Seconds before the second attempt; doubled each time, with as much jitter.
        longest_wait: Most seconds between two attempts.
        stop_after: So many customers given up one after the other mean that the receiver may be down.
    """

    kind: Literal["webhook"]
    url: Annotated[str, AfterValidator(_web_address)]
    secret_variable: Annotated[str, AfterValidator(_variable)]
    timeout: float = Field(default=10, gt=0)
    attempts: int = Field(default=5, ge=1)
    first_wait: float = Field(default=1, ge=0)
    longest_wait: float = Field(default=60, ge=0)
    stop_after: int = Field(default=5, ge=2)


class SourceCorrections(_Strict):
    """What the owners of sources are told.

    Attributes:
        purpose: Key of the purpose for which they are.
    """

    purpose: str = "identity"


class FeedPolicy(_Strict):
    """All sinks of a deployment.

    Attributes:
        source: ``source`` of every event (CloudEvents); made from the hub's own id when empty.
        most_seconds: How long one delivery may take; what is left is delivered by the next.
        sinks: By name.
        source_corrections: What the owners of sources are told.
    """

    source: str = ""
    most_seconds: float = Field(default=300, gt=0)
    sinks: dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")],
        Annotated[FileSink | WebhookSink, Field(discriminator="kind")],
    ] = Field(default_factory=dict)
    source_corrections: SourceCorrections = SourceCorrections()

    def against(self, path: Path, purposes: Purposes) -> Iterator[str]:
        """What is wrong with the purposes that it names, in words that name the file, the key and the fix."""
        named = {"source_corrections": (self.source_corrections.purpose, "")}
        named |= {f"sinks.{name}": (sink.purpose, sink.channel) for name, sink in self.sinks.items()}
        for key, (purpose, channel) in named.items():
            if not purpose:
                yield f"{path}: {key}.purpose: {_NO_PURPOSE}."
            elif purpose not in purposes.by_key:
                yield (
                    f"{path}: {key}.purpose: {purposes.path} has no purpose {purpose}. "
                    f"{instead(purpose, purposes.by_key)}"
                )
            elif channel and channel not in purposes[purpose].channels:
                known = purposes[purpose].channels
                fix = instead(channel, known) if known else "Remove it."
                yield (
                    f"{path}: {key}.channel: nobody is addressed through {channel} for the purpose {purpose}. {fix} "
                    f"Or add it to purposes.{purpose}.channels in {purposes.path}."
                )

    @classmethod
    def in_force(cls, path: Path, purposes: Purposes) -> Self:
        """Read the policy, whose purposes there are.

        Raises:
            FeedPolicyError: As :meth:`load`, or it names what there is not.
        """
        policy = cls.load(path)
        if purposes.until_declared:
            first = {"purpose": purposes.until_declared[0]}
            sinks = {
                name: sink if sink.purpose else sink.model_copy(update=first)
                for name, sink in policy.sinks.items()
            }
            policy = policy.model_copy(update={"sinks": sinks})
        if problems := list(policy.against(path, purposes)):
            raise FeedPolicyError("\n".join(problems))
        return policy

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the policy.

        Raises:
            FeedPolicyError: The file is missing, is no YAML, or has an unknown or wrong key.
        """
        try:
            return cls.model_validate(read_yaml(path))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc']))}: {_NO_PURPOSE if e['loc'][-1:] == ('purpose',) else _said(e)}"
                for e in error.errors()
            )
            raise FeedPolicyError(
                f"{path}: {problems}. docs/reference/change-feed.md has every key."
            ) from None
        except YamlError as error:
            raise FeedPolicyError(f"{path}: {error}") from None


def _said(error: Mapping[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")
