"""Reading the policies of privacy: YAML into typed, frozen objects, with errors that say what to do.

Belongs here: what the files have in common. Does not belong here: their keys (``roles``, ``governance``, ``policy``,
``purposes``).
"""

from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from cdm_pipelines.settings import Settings
from cdm_pipelines.yaml_files import YamlError, read_yaml


class PrivacyPolicyError(ValueError):
    """A policy of privacy cannot be used; the message names the file, the key and the fix."""


class Strict(BaseModel):
    """A part of a policy: unknown keys are errors, and nothing changes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PolicyFile(Strict):
    """All that a file of policies says.

    Attributes:
        FILE: Its name.
        MANUAL: What has every key of it.
    """

    FILE: ClassVar[str]
    MANUAL: ClassVar[str]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the policy; where a company's folder has none, of an earlier release, that of the package.

        Args:
            folder: Of the policies.

        Raises:
            PrivacyPolicyError: It is no YAML, or has an unknown, missing or wrong key.
        """
        path = folder / cls.FILE
        path = path if path.exists() else Settings.model_fields["policies"].default / cls.FILE
        try:
            return cls.model_validate(read_yaml(path))
        except ValidationError as error:
            problems = "; ".join(
                ": ".join(
                    filter(None, (".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")))
                )
                for one in error.errors(include_input=False)
            )
            end = "" if problems.endswith((".", "?")) else "."
            raise PrivacyPolicyError(f"{path}: {problems}{end} {cls.MANUAL} has every key.") from None
        except YamlError as error:
            raise PrivacyPolicyError(f"{path}: {error}. Compare it with the file of the package.") from None
