"""Contract files as the Open Data Contract Standard defines them (Bitol ODCS v3).

Belongs here: YAML text becomes the standard's own objects, and what the standard itself forbids is reported.
Does not belong here: what this project reads into them (odcs, columns).
"""

from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import BaseModel, ValidationError

from cdm_pipelines.contracts.sections import Report
from cdm_pipelines.yaml_files import YamlError, parse_yaml


def parse(text: str, report: Report) -> OpenDataContractStandard:
    """Read a contract of version 3 of the standard.

    Raises:
        ContractError: The text is no YAML or no contract of the standard.
    """
    raw = _yaml(text, report)
    if not isinstance(raw, dict):
        report.add("file", "holds no mapping", "Start from the contract that `cdm suggest FILE` writes.")
        report.stop_if_faulty()
    _unknown_keys(raw, OpenDataContractStandard, "", report)
    known = {field.alias or name for name, field in OpenDataContractStandard.model_fields.items()}
    try:
        contract = OpenDataContractStandard.model_validate({k: v for k, v in raw.items() if k in known})
    except ValidationError as error:
        for fault in error.errors():
            path = ".".join(_step(step) for step in fault["loc"] if not _is_type_name(step))
            report.add(
                path, f"{fault['msg']}", "See https://bitol-io.github.io/open-data-contract-standard/."
            )
        report.stop_if_faulty()
    _check_header(contract, report)
    return contract


def _yaml(text: str, report: Report) -> Any:
    try:
        return parse_yaml(text)
    except YamlError as error:
        if error.line:
            where = f"line {error.line}, column {error.column}"
            report.add(where, f"is no YAML: {error.problem}", "Correct that line.")
        else:
            report.add("file", "is no YAML", "Save it as plain UTF-8 text.")
    report.stop_if_faulty()
    return None


def _check_header(contract: OpenDataContractStandard, report: Report) -> None:
    if contract.kind != "DataContract":
        report.add("kind", f"{contract.kind!r} is no contract", "Write kind: DataContract.")
    if not (contract.apiVersion or "").startswith("v3."):
        report.add("apiVersion", f"{contract.apiVersion!r} is not version 3", "Write apiVersion: v3.1.0.")
    for key, value in (("id", contract.id), ("version", contract.version)):
        if not value:
            report.add(key, "is missing", "The standard asks for it.")


def _unknown_keys(value: object, model: type[BaseModel], path: str, report: Report) -> None:
    """Report unknown keys: the standard's Python models let a misspelt ``requried`` pass below the top."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            name = item.get("name") or item.get("property") if isinstance(item, dict) else None
            _unknown_keys(item, model, f"{path}[{name or position}]", report)
        return
    if not isinstance(value, dict):
        return
    fields = _fields(model)
    for key, part in value.items():
        where = f"{path}.{key}" if path else str(key)
        if key not in fields:
            report.unknown(where, "key", str(key), fields)
        elif (below := fields[key]) is not None:
            _unknown_keys(part, below, where, report)


@cache
def _fields(model: type[BaseModel]) -> Mapping[str, type[BaseModel] | None]:
    """By each key of a model the model of what stands there; None where that has none."""
    return {field.alias or name: _model(field.annotation) for name, field in model.model_fields.items()}


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, list):
        found = [model for part in get_args(annotation) if (model := _model(part))]
        return found[0] if found else None
    return None


def _is_type_name(step: object) -> bool:
    return isinstance(step, str) and (step[:1].isupper() or "[" in step)


def _step(step: object) -> str:
    return f"[{step}]" if isinstance(step, int) else str(step)
