"""Reading the policies of privacy: YAML into typed, frozen objects, with errors that say what to do.

Belongs here: what the files have in common. Does not belong here: their keys (``roles``, ``governance``, ``policy``,
``purposes``).
"""

from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from cdm_pipelines.settings import Settings


class PrivacyPolicyError(ValueError):
    """A policy of privacy cannot be used; the message names the file, the key and the fix."""


class UnreadableError(ValueError):
    """A file is no YAML that can be read; the message says why, and neither its name nor the fix."""


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
        except UnreadableError as error:
            raise PrivacyPolicyError(f"{path}: {error}. Compare it with the file of the package.") from None


class _GivenTwiceError(yaml.YAMLError):
    """A key is given twice."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which the first would silently say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise _GivenTwiceError(f"{', '.join(twice)} is given twice (line {node.start_mark.line + 1})")
        return super().construct_mapping(node, deep)

    def date_or_text(self, node: yaml.ScalarNode) -> object:
        """A date; 30 February stays text, which is told with its key where a date is wanted."""
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            return self.construct_scalar(node)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.date_or_text)


def read_yaml(path: Path) -> Any:
    """What a file of YAML says.

    Raises:
        UnreadableError: It cannot be read, is no YAML, or gives a key twice.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
    except _GivenTwiceError as error:
        raise UnreadableError(str(error)) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnreadableError(f"cannot be read as YAML ({type(error).__name__})") from None
