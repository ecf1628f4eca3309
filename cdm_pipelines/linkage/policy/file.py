"""Policies as YAML files: ``extends``, absent columns, and errors that name file, key and fix.

Belongs here: from a file to a validated policy. Does not belong here: what the keys mean (spec).
"""

from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from cdm_pipelines.linkage.errors import LinkageError, nearest
from cdm_pipelines.linkage.policy import comparisons
from cdm_pipelines.linkage.policy import spec as models
from cdm_pipelines.linkage.policy.shipped import SHIPPED
from cdm_pipelines.yaml_files import YamlError, read_yaml


def load_policy(path: str | Path) -> models.LinkagePolicy:
    """Read a policy from YAML; ``extends: <file or name>`` takes another policy and changes it.

    Raises:
        LinkageError: The file cannot be read or says something that a policy cannot; names file, key and fix.
    """
    path = Path(path)
    data = _read(path, ())
    data.setdefault("name", path.stem)
    return parse_policy(data, origin=path)


def parse_policy(data: dict[str, Any], origin: Path | None = None) -> models.LinkagePolicy:
    """A policy from a mapping as YAML holds it."""
    try:
        return models.LinkagePolicy.model_validate(
            {**without_absent(data), "folder": origin.parent if origin else None}
        )
    except ValidationError as error:
        raise LinkageError(_explain(error, str(origin) if origin else "policy")) from None


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path in seen:
        raise LinkageError(f"{path}: extends: the policy extends itself; name another one")
    try:
        data = read_yaml(path)
    except YamlError as error:
        if not path.exists():
            raise LinkageError(f"{path}: there is no such policy file") from None
        raise LinkageError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        raise LinkageError(f"{path}: a policy is a mapping of keys, found {type(data).__name__}")
    base = data.pop("extends", None)
    if base is None:
        return data
    return _extend(_read(_find(path, str(base)), (*seen, path)), data)


def _find(path: Path, base: str) -> Path:
    shipped = SHIPPED / f"{base.removesuffix('.yaml')}.yaml"
    for candidate in (path.parent / base, path.parent / f"{base}.yaml", shipped):
        # A file may have the name of the shipped policy that it changes: it does not mean itself then.
        if candidate.is_file() and not (candidate.samefile(path) and _is_another(shipped, path)):
            return candidate
    hint = nearest(base, (file.stem for file in SHIPPED.glob("*.yaml")))
    raise LinkageError(f"{path}: extends: there is no policy {base!r}{hint}")


def _is_another(shipped: Path, path: Path) -> bool:
    return shipped.is_file() and not shipped.samefile(path)


def _extend(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """``change`` laid over ``base``; the columns it names are all that the file has."""
    columns = change.get("columns")
    if isinstance(columns, dict):
        inherited = base.get("columns", {})
        absent = {name: None for name in inherited if name not in columns}
        base = {**base, "columns": _spelled(inherited)}
        change = {**change, "columns": {**_spelled(columns), **absent}}
    return _laid_over(base, change)


def _spelled(columns: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"column": value} if isinstance(value, str | list) else value for name, value in columns.items()
    }


def _laid_over(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
    return merged


def without_absent(data: dict[str, Any]) -> dict[str, Any]:
    """Take columns, derived keys and comparisons that are set to null out, and all that cannot do without them."""
    gone = _nulls(data, "columns")
    derived = {}
    for name, spec in (data.get("derived") or {}).items():
        kept = _shrunk(spec, "of", gone)
        if kept is None:
            gone.add(name)
        else:
            derived[name] = kept
    remaining = {
        name: _comparison_without(one, gone) for name, one in (data.get("comparisons") or {}).items()
    }
    comparisons = {name: one for name, one in remaining.items() if one is not None}
    lost = set(data.get("comparisons") or {}) - set(comparisons)
    result = dict(data)
    result |= {
        key: value for key, value in (("derived", derived), ("comparisons", comparisons)) if key in data
    }
    if isinstance(data.get("columns"), dict):
        result["columns"] = {k: v for k, v in data["columns"].items() if v is not None}
    if isinstance(data.get("blocking"), list):
        result["blocking"] = [
            {**rule, "refine": sorted(_names(rule, "refine") - gone)}
            if _names(rule, "refine") & gone
            else rule
            for rule in data["blocking"]
            if not _names(rule, "keys") & gone
        ]
    clustering, thresholds = data.get("clustering"), data.get("thresholds")
    if isinstance(clustering, dict) and isinstance(clustering.get("contradictions"), list):
        groups = [g for g in clustering["contradictions"] if not _names({"g": g}, "g") & lost]
        result["clustering"] = {**clustering, "contradictions": groups}
    if isinstance(thresholds, dict) and "not_alone" in thresholds:
        names = thresholds["not_alone"]
        names = [names] if isinstance(names, str) else names
        result["thresholds"] = {**thresholds, "not_alone": [name for name in names or () if name not in lost]}
    return result


def _nulls(data: dict[str, Any], key: str) -> set[str]:
    found = data.get(key)
    return {name for name, value in found.items() if value is None} if isinstance(found, dict) else set()


def _names(spec: Any, key: str) -> set[str]:
    value = spec.get(key) if isinstance(spec, dict) else None
    return {value} if isinstance(value, str) else {v for v in value or () if isinstance(v, str)}


def _shrunk(spec: Any, key: str, gone: set[str]) -> Any:
    """The mapping with names that are gone taken out of its list ``key``; None when nothing is left."""
    names = _names(spec, key)
    if spec is None or (names and names <= gone):
        return None
    if not names & gone or isinstance(spec[key], str):
        return spec
    return {**spec, key: [name for name in spec[key] if name not in gone]}


def _comparison_without(spec: Any, gone: set[str]) -> Any:
    if not isinstance(spec, dict):
        return spec
    if spec.get("kind") == "address":
        kept = {k: None if isinstance(v, str) and k != "kind" and v in gone else v for k, v in spec.items()}
        return kept if any(kept.get(part) for part in ("postcode", "street", "city")) else None
    if spec.get("column") in gone:
        return None
    kept = _shrunk(spec, "columns", gone) if "columns" in spec else spec
    optional = ("initials", "gender", "surname", "prefix", "given_name", "city")
    return kept and {k: None if k in optional and v in gone else v for k, v in kept.items()}


_SECTIONS: dict[str, type[BaseModel]] = {
    "columns": models.Column,
    "derived": models.Derived,
    "blocking": models.BlockingRule,
    "thresholds": models.MatchThresholds,
    "clustering": models.Clustering,
    "training": models.Training,
}


def _explain(error: ValidationError, where: str) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        location = list(problem["loc"])
        key = ".".join(str(part) for part in location)
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"unknown key{nearest(str(location[-1]), _fields(location))}"
        elif problem["type"] == "union_tag_invalid":
            kinds = [get_args(model.model_fields["kind"].annotation)[0] for model in comparisons.COMPARISONS]
            message = f"unknown kind; known: {', '.join(kinds)}"
        lines.append(f"{where}: {key}: {message}" if key else f"{where}: {message}")
    return "\n".join(lines)


def _fields(location: list[Any]) -> list[str]:
    section = str(location[0])
    if section == "comparisons" and len(location) > 3:
        kinds = {
            get_args(model.model_fields["kind"].annotation)[0]: model for model in comparisons.COMPARISONS
        }
        model = kinds.get(str(location[2]))
        return list(model.model_fields) if model else []
    if len(location) == 1:
        return [f for f in (*models.LinkagePolicy.model_fields, "extends") if f != "folder"]
    return list(_SECTIONS[section].model_fields) if section in _SECTIONS else []
