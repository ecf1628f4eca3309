"""Tables of names that stand for each other.

Belongs here: reading them. Does not belong here: comparing names (compare.name).
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cdm_pipelines.linkage.errors import LinkageError
from cdm_pipelines.linkage.policy.shipped import SHIPPED
from cdm_pipelines.yaml_files import YamlError, read_yaml

NameForms = Mapping[str, tuple[str, ...]]
"""For each name the formal names that it may stand for."""


def equivalents(file: str | None, folder: Path | None) -> dict[str, tuple[str, ...]]:
    """For each name in the table the formal names it may stand for, itself among them.

    Raises:
        LinkageError: The file is not found or is not a mapping of a formal name to a list of its forms.
    """
    if file is None:
        return {}
    candidates = [base / file for base in (folder, SHIPPED) if base is not None]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise LinkageError(
            f"comparison given_name: equivalents: no file {file!r} beside the policy or in {SHIPPED}"
        )
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> dict[str, tuple[str, ...]]:  # noqa: ARG001 - a changed file is read again
    try:
        table = read_yaml(path)
    except YamlError as error:
        raise LinkageError(f"{path}: {error}") from None
    if not isinstance(table, dict) or not all(isinstance(forms, list) for forms in table.values()):
        raise LinkageError(
            f"{path}: write each formal name with a list of its other forms, as in 'johannes: [jan, hans]'"
        )
    formal: dict[str, list[str]] = {}
    for name, forms in table.items():
        for form in (name, *forms):
            formal.setdefault(str(form).lower(), []).append(str(name).lower())
    return {form: tuple(dict.fromkeys(names)) for form, names in formal.items()}
