"""What defines each asset: the code of its rooms, the policies that it reads, and for a source its contract.

Belongs here: the code version of every asset, by which Dagster shows what was made by other code or under another
policy than today's. Does not belong here: fingerprints by which a step decides what to make anew (steps).

The code of a module counts as it is compiled: comments, docstrings and layout do not change it. Another minor version
of Python compiles otherwise, and changes all versions once.
"""

import json
import marshal
import py_compile
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path
from types import CodeType
from typing import Any

import dagster as dg

from cdm_pipelines.components.early import early
from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.yaml_files import YamlError, parse_yaml

PACKAGE = "cdm_pipelines"
_HEADER = (
    16  # bytes of a file of compiled code before the code: magic number, flags, hash of the source (PEP 552)
)
Policy = tuple[str, tuple[str, ...]]
"""A file below the folder of policies, and the keys of it that are read; all of them when none is named."""


@dataclass(frozen=True)
class MadeBy:
    """Rooms, wings or single modules, and policies, of an asset."""

    code: tuple[str, ...]
    policies: tuple[Policy, ...] = ()


def _checks(*names: str) -> Policy:
    return ("checks.yaml", names)


_PURPOSES: Policy = ("purposes.yaml", ())
_PROTECTION: Policy = ("protection.yaml", ())
_PROTECTED = ("privacy.protection", "store.cipher")
_LINKAGE: tuple[Policy, ...] = (
    ("linkage/person.yaml", ()),
    ("linkage/organisation.yaml", ()),
    ("placeholders.yaml", ("unlike_names",)),
    _PURPOSES,
)
_PLACEHOLDERS: Policy = ("placeholders.yaml", ())
_ENRICHMENT: Policy = ("enrichment.yaml", ())
_INTERACTIONS: Policy = ("interaction_words.yaml", ())
_CONSENT: Policy = ("consent_words.yaml", ())
_SURVIVORSHIP: Policy = ("survivorship.yaml", ())
_LINK = ("linkage", "identity.constraints", "privacy.given", "steps.linking")
_RECORDS = MadeBy(("contracts.canonical", "records", "steps.days.records"))
_PUBLISHED = MadeBy(
    (
        "hub.publish",
        "hub.differences",
        "hub.staging",
        "hub.parts",
        "hub.history",
        "hub.outbox",
        "hub.schema",
        *("hub.role_access", "hub.role_rights", "hub.role_schemas"),
        *("privacy.lost_values", "privacy.masks", "privacy.roles", "privacy.search", "privacy.views"),
    ),
    (("roles.yaml", ()),),
)
_KPIS: Policy = ("kpis.yaml", ())
_KEY_FIGURES = (
    *("insight.kpi_policy", "insight.report_charts", "insight.report_months", "insight.report_words"),
    *("hub.kpi_history", "hub.kpi_query", "steps.insight.months"),
)
MADE_BY: Mapping[str, MadeBy] = {
    "raw": MadeBy(
        (
            *("contracts", "ingest", "privacy.tombstones", "steps.days.kept_out", "steps.days.source_day"),
            *_PROTECTED,
        ),
        (_checks("snapshot_shrink"), _PROTECTION),
    ),
    "valid": MadeBy(
        ("contracts", "quality", "steps.days", *_PROTECTED),
        (_checks("share_quarantined", "repeated_keys"), _PROTECTION),
    ),
    "quarantine": MadeBy(
        ("contracts", "quality", "steps.days", *_PROTECTED),
        (_checks("share_quarantined", "repeated_keys"), _PROTECTION),
    ),
    "standard": MadeBy(
        ("contracts", "standardise", "steps.days", *_PROTECTED),
        (_checks("share_quarantined"), _PLACEHOLDERS, _INTERACTIONS, _CONSENT, _PROTECTION),
    ),
    "records": _RECORDS,
    "link/model": MadeBy(_LINK, (*_LINKAGE, _checks("pattern_drift"))),
    "link/matches": MadeBy(_LINK, _LINKAGE),
    "link/clusters": MadeBy(_LINK, (*_LINKAGE, _checks("doubtful_clusters"))),
    "golden/staged": MadeBy(
        (
            "contracts.canonical",
            "identity",
            "golden",
            "privacy.given",
            "steps.customers.publication",
            "steps.customers.affected",
            "steps.customers.lost_days",
        ),
        (
            _SURVIVORSHIP,
            _PURPOSES,
            _checks("customer_drift", "cluster_size", "cluster_size_drift", "id_churn", "merges"),
        ),
    ),
    "golden": _PUBLISHED,
    "profile": MadeBy(
        ("enrichment", "privacy", "steps.profile", "hub.profile", "hub.next_version"),
        (_ENRICHMENT, _PURPOSES),
    ),
    "privacy/consent": MadeBy(("privacy", "steps.consent", "hub.consent", "hub.next_version"), (_PURPOSES,)),
    "privacy/retention": MadeBy(
        ("privacy", "steps.rights", "hub.retention"),
        (("retention.yaml", ()), ("legal_holds.yaml", ()), ("pruning.yaml", ()), _PURPOSES),
    ),
    "insight/kpis": MadeBy((*_KEY_FIGURES, "insight.kpis", "steps.insight.kpis"), (_KPIS,)),
    "insight/maturity": MadeBy(
        (
            *(*_KEY_FIGURES, "insight.maturity", "insight.maturity_model", "insight.maturity_queries"),
            *("steps.insight.kpis", "steps.insight.maturity"),
        ),
        (_KPIS, ("maturity.yaml", ()), ("governance.yaml", ())),
    ),
    "insight/touch_points": MadeBy(
        (*_KEY_FIGURES, "insight.handover", "insight.touch_points", "steps.insight.touch_points"),
        (("touch_points.yaml", ()), ("interactions.yaml", ())),
    ),
    "insight/report": MadeBy(
        ("insight", "steps.insight", "hub.kpi_history", "hub.kpi_query"),
        (
            _KPIS,
            *((f"{name}.yaml", ()) for name in ("maturity", "touch_points", "governance", "interactions")),
            *((f"{name}.yaml", ()) for name in ("business_case",)),
        ),
    ),
    "insight/quality": MadeBy(
        ("insight", "steps.insight", "hub.scorecards", "hub.schema_insight"),
        (("governance.yaml", ()), _ENRICHMENT),
    ),
    "insight/business_case": MadeBy(
        ("insight", "steps.insight", "hub.scorecards", "hub.schema_insight"), (("business_case.yaml", ()),)
    ),
    "activation/next_best_action": MadeBy(
        ("insight", "privacy", "steps.activation", "steps.consent", "hub.actions"),
        (("next_best_action.yaml", ()), _PURPOSES),
    ),
    "publish/feed": MadeBy(
        ("publish", "privacy", "hub.feed", "hub.linked", "steps.customers"),
        (("change_feed.yaml", ()), _PURPOSES),
    ),
    "publish/audiences": MadeBy(
        ("publish", "privacy", "hub.deliveries", "steps.activation"),
        (("audiences.yaml", ()), _PURPOSES, _ENRICHMENT),
    ),
    "publish/source_corrections": MadeBy(
        ("publish", "privacy", "hub.linked", "steps.customers"),
        (("change_feed.yaml", ("source_corrections",)), _PURPOSES),
    ),
}
"""By asset, or by layer for all of a layer that are not named."""


def with_code_versions(definitions: dg.Definitions, policies: Path) -> dg.Definitions:
    """The definitions, each asset with the version of what defines it."""
    contracts = {tuple(contract.name.split("/")): contract for contract in all_contracts()}

    def versioned(spec: dg.AssetSpec) -> dg.AssetSpec:
        contract = contracts.get(tuple(spec.key.path[1:]))
        return spec.replace_attributes(code_version=code_version(spec.key, policies, contract))

    with early():
        return definitions.map_resolved_asset_specs(func=versioned)


def code_version(key: dg.AssetKey, policies: Path, contract: SourceContract | None = None) -> str:
    """Changes when the code, a policy or the contract of an asset does."""
    made_by = MADE_BY.get(key.to_user_string()) or MADE_BY[key.path[0]]
    parts = [_own_code(name) for name in made_by.code]
    parts += [policy_digest(policies / name, keys) for name, keys in made_by.policies]
    parts += [contract.fingerprint] if contract else []
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


def policy_digest(path: Path, keys: tuple[str, ...] = ()) -> str:
    """Changes when what a policy says does; of a file that cannot be read as YAML, when its bytes do."""
    try:
        content = path.read_bytes()
    except OSError:
        return "missing"
    return _digest(content, keys)


@cache
def _digest(content: bytes, keys: tuple[str, ...]) -> str:
    try:
        said: Any = parse_yaml(content)
    except YamlError:
        return sha256(content).hexdigest()
    if keys and isinstance(said, Mapping):
        said = {key: said.get(key) for key in keys}
    return sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


@cache
def _own_code(name: str) -> str:
    return code_digest(files(PACKAGE), name)


def code_digest(package: Traversable, name: str) -> str:
    """Changes when the code of a room, a wing or a module does.

    Args:
        package: The folder of the package, wherever it is installed.
        name: Below it, with dots.
    """
    place = "/".join(name.split("."))
    folder, module = package / place, package / f"{place}.py"
    sources = dict(_sources(folder, "")) if folder.is_dir() else {"": module}
    return sha256(
        repr({at: _compiled(source) for at, source in sorted(sources.items())}).encode()
    ).hexdigest()


def _sources(folder: Traversable, below: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _sources(entry, f"{below}{entry.name}/")
        elif entry.name.endswith(".py"):
            yield f"{below}{entry.name}", entry


def _compiled(source: Traversable) -> tuple[object, ...]:
    return _plain(_kept(source) if isinstance(source, Path) else _code(source.read_bytes()))


def _code(content: bytes) -> CodeType:
    """Code without docstrings, which optimisation 2 leaves out."""
    return compile(content, "", "exec", dont_inherit=True, optimize=2)


def _kept(path: Path) -> CodeType:
    """The same as Python keeps compiled code beside a module: to compile all takes most of a second, at each start."""
    content, kept = path.read_bytes(), Path(cache_from_source(str(path), optimization=2))
    with suppress(OSError, ValueError, EOFError, TypeError):
        held = kept.read_bytes()
        if held[: len(MAGIC_NUMBER)] == MAGIC_NUMBER and held[8:_HEADER] == source_hash(content):
            found: CodeType = marshal.loads(held[_HEADER:])  # noqa: S302 - as Python itself reads it
            return found
    if not sys.dont_write_bytecode:
        with suppress(OSError, py_compile.PyCompileError):
            by_content = py_compile.PycInvalidationMode.CHECKED_HASH
            py_compile.compile(str(path), str(kept), doraise=True, optimize=2, invalidation_mode=by_content)
    return _code(content)


def _plain(code: CodeType) -> tuple[object, ...]:
    """What code does, without where it stands in its file."""
    signature = (
        code.co_name,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags,
    )
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return (
        *signature,
        *names,
        code.co_code,
        code.co_exceptiontable,
        [_constant(one) for one in code.co_consts],
    )


def _constant(value: object) -> object:
    if isinstance(value, CodeType):
        return _plain(value)
    if isinstance(value, frozenset):  # its order differs between processes
        return sorted(map(repr, value))
    return [_constant(one) for one in value] if isinstance(value, tuple) else value
