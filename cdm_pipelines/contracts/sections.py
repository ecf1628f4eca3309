"""Reading typed values out of a contract while collecting every fault.

Belongs here: `Report` (the faults of one file) and `Section` (a part of the file whose values must be of some
type and whose keys must be known). Does not belong here: what the keys mean (odcs, columns).
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from open_data_contract_standard.model import CustomProperty

from cdm_pipelines.contracts.errors import ContractError, Problem, instead

VENDOR = "cdm"
_Choice = TypeVar("_Choice", bound=StrEnum)


class Report:
    """The faults of one contract file, in the order in which they were found."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, key: str, what: str, fix: str) -> None:
        """Note one fault."""
        self.problems.append(Problem(key, what, fix))

    def unknown(self, key: str, kind: str, word: str, known: Iterable[str]) -> None:
        """Note a word that does not exist, with the nearest one that does."""
        self.add(key, f"unknown {kind} {word!r}", instead(word, known))

    def stop_if_faulty(self) -> None:
        """Raise what was found so far.

        Raises:
            ContractError: Anything was noted.
        """
        if self.problems:
            raise ContractError(self.file, self.problems)


class Section:
    """A part of a contract: typed access to its values; a fault is noted and read as absent."""

    def __init__(self, values: Mapping[str, Any], known: Collection[str], key: str, report: Report) -> None:
        self.values = values
        self.key = key
        self.report = report
        for name in values:
            if name not in known:
                report.unknown(self.at(name), "property", str(name), known)

    @classmethod
    def of_properties(
        cls, properties: Iterable[CustomProperty] | None, known: Collection[str], key: str, report: Report
    ) -> "Section":
        """A section from the standard's ``customProperties``; those of other vendors are left alone."""
        ours: dict[str, Any] = {}
        for item in properties or ():
            if item.vendor not in (None, VENDOR):
                continue
            if not item.property:
                report.add(
                    f"{key}.customProperties", "an entry has no name", "Give it `property` and `value`."
                )
            elif item.property in ours:
                report.add(f"{key}.{item.property}", "stands there twice", "Keep one of them.")
            else:
                ours[item.property] = item.value
        return cls(ours, known, key, report)

    def at(self, name: str) -> str:
        """The full key path of ``name``."""
        return f"{self.key}.{name}"

    def fault(self, name: str, what: str, fix: str) -> None:
        """Note a fault of the value of ``name``."""
        self.report.add(self.at(name), what, fix)

    def text(self, name: str) -> str | None:
        """A text, or None when it is not given."""
        value = self.values.get(name)
        if value is None or isinstance(value, str):
            return value
        self.fault(name, f"{value!r} is not text", "Put it between quotes.")
        return None

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; one text counts as a list of one."""
        value = self.values.get(name)
        items = [] if value is None else value if isinstance(value, list) else [value]
        return tuple(item for item in items if self._is_text(name, item))

    def codes(self, name: str) -> dict[str, str]:
        """A mapping of text to text."""
        value = self.values.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fault(name, "is not a mapping", 'Write it as {"code": meaning}.')
            return {}
        pairs = value.items()
        return {code: text for code, text in pairs if self._is_text(name, code) and self._is_text(name, text)}

    def flag(self, name: str) -> bool | None:
        """A boolean, or None when it is not given."""
        value = self.values.get(name)
        if value is None or isinstance(value, bool):
            return value
        self.fault(name, f"{value!r} is neither true nor false", "Write true or false.")
        return None

    def number(self, name: str) -> int | None:
        """A whole number of at least 0, or None when it is not given."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.fault(name, f"{value!r} is not a whole number of at least 0", "Write one, without quotes.")
        return None

    def choice(self, name: str, choices: type[_Choice], default: _Choice) -> _Choice:
        """One of the values of ``choices``."""
        value = self.text(name)
        if value is None:
            return default
        known = [str(item) for item in choices]
        if value not in known:
            self.report.unknown(self.at(name), "value", value, known)
            return default
        return choices(value)

    def matching(self, name: str, pattern: re.Pattern[str], what: str, fix: str) -> tuple[str, ...]:
        """A list of texts that each match ``pattern`` as a whole."""
        found = []
        for text in self.texts(name):
            if pattern.fullmatch(text):
                found.append(text)
            else:
                self.fault(name, f"{text!r} is not {what}", fix)
        return tuple(found)

    def part(self, name: str, known: Collection[str]) -> "Section | None":
        """A mapping with known keys of its own, or None when it is not given."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault(name, "is not a mapping", f"Give it the keys {', '.join(known)}.")
            return None
        return Section(value, known, self.at(name), self.report)

    def required(self, name: str, read: Callable[[str], str | None]) -> str:
        """A text that has to be there; empty when it is not."""
        value = read(name)
        if not value:
            if self.values.get(name) in (None, ""):
                self.fault(name, "is missing", "Add it.")
            return ""
        return value

    def _is_text(self, name: str, value: object) -> bool:
        if isinstance(value, str):
            return True
        self.fault(name, f"{value!r} is not text", "Put it between quotes.")
        return False
