"""Reading the policies of privacy: YAML into typed, frozen objects, with errors that say what to do.

Belongs here: what the files have in common. Does not belong here: their keys (``roles``, ``governance``).
"""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from cdm_pipelines.settings import Settings


class PrivacyPolicyError(ValueError):
    """A policy of privacy cannot be used; the message names the file, the key and the fix."""


class Strict(BaseModel):
    """A part of a policy: unknown keys are errors, and nothing changes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Policy = TypeVar("Policy", bound=Strict)


class _Once(yaml.SafeLoader):
    """Refuses a key that is given twice, of which the first would silently say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.YAMLError(f"{', '.join(twice)} is given twice (line {node.start_mark.line + 1})")
        return super().construct_mapping(node, deep)


def read_policy(kind: type[Policy], folder: Path, name: str) -> Policy:
    """A policy; where a company's folder has none, of an earlier release, that of the package.

    Args:
        kind: What it is.
        folder: Of the policies.
        name: Of the file.

    Raises:
        PrivacyPolicyError: It is no YAML, or has an unknown, missing or wrong key.
    """
    path = folder / name
    path = path if path.exists() else Settings.model_fields["policies"].default / name
    try:
        return kind.model_validate(yaml.load(path.read_text(encoding="utf-8"), _Once))  # noqa: S506 - a safe loader
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_input=False)
        )
        raise PrivacyPolicyError(f"{path}: {problems}. docs/governance.md has every key.") from None
    except yaml.YAMLError as error:
        said = (
            str(error) if "given twice" in str(error) else f"cannot be read as YAML ({type(error).__name__})"
        )
        raise PrivacyPolicyError(f"{path}: {said}. Compare it with the file of the package.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PrivacyPolicyError(
            f"{path}: cannot be read ({type(error).__name__}). Copy the file of the package there."
        ) from None
