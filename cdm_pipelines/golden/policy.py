"""The survivorship policy: which rules, in which order, decide each group of attributes.

Belongs here: reading and checking ``policies/survivorship.yaml``. Does not belong here: applying it
(``survivorship``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from cdm_pipelines.contracts.canonical import Attribute, Entity, ValueType, attributes
from cdm_pipelines.yaml_files import YamlError, read_yaml


class PolicyError(ValueError):
    """A policy that cannot be used; the text names the file, the key and the fix."""


class SurvivorshipRule(StrEnum):
    """What may decide between the values of several records."""

    VALID = "valid"
    ACTIVE = "active"
    SOURCE_TRUST = "source_trust"
    RECENCY = "recency"
    FREQUENCY = "frequency"
    COMPLETENESS = "completeness"


@dataclass(frozen=True)
class Group:
    """Attributes that are chosen together, and how.

    Attributes:
        name: As the canonical model calls it.
        attributes: Column names, in declared order.
        rules: Asked in this order.
        trust: Sources or ``source/entity`` with their rank, 0 being trusted most.
        core: The group counts as a value only where one of these is filled; all attributes by default.
    """

    name: str
    attributes: tuple[str, ...]
    rules: tuple[SurvivorshipRule, ...]
    trust: tuple[tuple[str, int], ...]
    core: tuple[str, ...]

    def rank(self, source: str, entity: str) -> int:
        """How far down the order of trust a source entity stands; an entity's own place goes before its source's."""
        ranks = dict(self.trust)
        last = max(ranks.values(), default=-1) + 1
        return ranks.get(f"{source}/{entity}", ranks.get(source, last))


@dataclass(frozen=True)
class SurvivorshipPolicy:
    """How golden values are chosen; one :class:`Group` per group of the canonical model."""

    groups: tuple[Group, ...]

    @property
    def fingerprint(self) -> str:
        """Changes whenever the policy can change an outcome."""
        return sha256(repr(self.groups).encode()).hexdigest()[:16]


@cache
def golden_groups() -> dict[str, tuple[str, ...]]:
    """Groups of the attributes that a golden customer carries, with their columns.

    Beside the canonical groups: the kind of party and, as a golden id, the employer.
    """
    groups: dict[str, tuple[str, ...]] = {"party_kind": ("party_kind",)}
    for attribute in attributes(Entity.PARTY):
        if _is_golden(attribute):
            groups[attribute.group] = (*groups.get(attribute.group, ()), attribute.name)
    return groups


def _is_golden(attribute: Attribute) -> bool:
    return attribute.golden or attribute.type is ValueType.REFERENCE


def load_policy(path: Path) -> SurvivorshipPolicy:
    """Read and check a survivorship policy.

    Raises:
        PolicyError: the file cannot be read, or says something that cannot be done.
    """
    try:
        content = read_yaml(path)
    except YamlError as error:
        raise PolicyError(f"{path}: {error}") from None
    return _Reader(path).policy(content)


@dataclass(frozen=True)
class _Reader:
    path: Path

    def policy(self, content: object) -> SurvivorshipPolicy:
        top = self._mapping(content, "", {"version", "trust", "rules", "groups"})
        if top.get("version") != 1:
            self._fail("version", "is not 1, the only version there is", "write `version: 1`")
        if "rules" not in top:
            self._fail(
                "rules", "is missing", f"list some of {_names(SurvivorshipRule)} in the order to be asked"
            )
        rules = self._rules(top["rules"], "rules")
        trust = self._trust(top.get("trust") or [], "trust")
        exceptions = self._mapping(top.get("groups") or {}, "groups", set(golden_groups()))
        groups = []
        for name, columns in golden_groups().items():
            group = Group(name, columns, rules, trust, columns)
            if name in exceptions:
                group = self._exception(group, exceptions[name], f"groups.{name}")
            groups.append(group)
        return SurvivorshipPolicy(tuple(groups))

    def _exception(self, group: Group, content: object, key: str) -> Group:
        given = self._mapping(content, key, {"rules", "trust", "core"})
        if "rules" in given:
            group = replace(group, rules=self._rules(given["rules"], f"{key}.rules"))
        if "trust" in given:
            group = replace(group, trust=self._trust(given["trust"], f"{key}.trust"))
        if "core" in given:
            core = self._texts(given["core"], f"{key}.core")
            unknown = [name for name in core if name not in group.attributes]
            if unknown or not core:
                fault = f"names {unknown[0]!r}, which the group does not have" if unknown else "is empty"
                self._fail(f"{key}.core", fault, f"name one or more of {', '.join(group.attributes)}")
            group = replace(group, core=tuple(core))
        return group

    def _rules(self, content: object, key: str) -> tuple[SurvivorshipRule, ...]:
        names = self._texts(content, key)
        for name in names:
            if name not in set(SurvivorshipRule):
                self._fail(
                    key,
                    f"names the rule {name!r}, which does not exist",
                    f"choose from {_names(SurvivorshipRule)}",
                )
        if len(set(names)) < len(names):
            self._fail(key, "names a rule twice", "name each rule once")
        if not names or names[0] != SurvivorshipRule.VALID:
            self._fail(
                key,
                "does not begin with valid",
                "put valid first: a value that failed a quality rule never beats one that passed",
            )
        return tuple(SurvivorshipRule(name) for name in names)

    def _trust(self, content: object, key: str) -> tuple[tuple[str, int], ...]:
        """A list, most trusted first, equals in a list of their own; or a mapping from names to weights."""
        if isinstance(content, Mapping):
            return self._weights(content, key)
        if not isinstance(content, list):
            self._fail(key, "is not a list", "list sources or source/entity, the most trusted first")
        ranks: dict[str, int] = {}
        for rank, level in enumerate(content):
            for name in self._texts(level if isinstance(level, list) else [level], f"{key}[{rank}]"):
                if name in ranks:
                    self._fail(f"{key}[{rank}]", f"names {name} a second time", "name each source once")
                ranks[name] = rank
        return tuple(ranks.items())

    def _weights(self, content: Mapping[Any, Any], key: str) -> tuple[tuple[str, int], ...]:
        for name, weight in content.items():
            if not isinstance(name, str) or isinstance(weight, bool) or not isinstance(weight, int | float):
                self._fail(f"{key}.{name}", "is not a number", "give each source a weight, the highest wins")
        weights = sorted(set(content.values()), reverse=True)
        return tuple((name, weights.index(weight)) for name, weight in content.items())

    def _texts(self, content: object, key: str) -> list[str]:
        if not isinstance(content, list) or not all(isinstance(item, str) for item in content):
            self._fail(key, "is not a list of names", "write a list, as in [a, b]")
        return content

    def _mapping(self, content: object, key: str, known: set[str]) -> Mapping[str, Any]:
        if not isinstance(content, dict):
            self._fail(
                key or "the file", "is not a mapping", f"write one or more of {', '.join(sorted(known))}"
            )
        for name in content:
            if name not in known:
                full = f"{key}.{name}" if key else str(name)
                self._fail(full, "is not known", f"choose from {', '.join(sorted(known))}")
        return content

    def _fail(self, key: str, fault: str, fix: str) -> NoReturn:
        raise PolicyError(f"{self.path}: {key} {fault}. {fix[0].upper()}{fix[1:]}.")


def _names(rules: type[SurvivorshipRule]) -> str:
    return ", ".join(rule.value for rule in rules)
