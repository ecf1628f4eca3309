"""YAML that people write, read in one way: safely, quickly, and without swallowing what stands there twice.

Belongs here: text becomes dictionaries and lists, or an error that says where and why. Does not belong here: what the
keys of a file mean, which its own module says.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML built without libyaml: the same, ten times slower
    from yaml import SafeLoader  # type: ignore[assignment]


class YamlError(ValueError):
    """A text is no YAML, or cannot be read; the message says why, and neither the name of the file nor the fix.

    Attributes:
        problem: What is wrong.
        line: Where, from 1; None where the whole file is meant.
        column: In that line, from 1.
    """

    def __init__(
        self, message: str, problem: str, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message)
        self.problem, self.line, self.column = problem, line, column


class _GivenTwiceError(yaml.MarkedYAMLError):
    """A key is given twice."""


_MERGE = "tag:yaml.org,2002:merge"


class _Loader(SafeLoader):
    """Refuses a key that is given twice, of which the first would silently say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys: set[object] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag == _MERGE:
                continue  # what `<<` brings in yields to what stands beside it
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in keys:
                raise _GivenTwiceError(problem=f"{key} is given twice", problem_mark=key_node.start_mark)
            keys.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping

    def date_or_text(self, node: yaml.ScalarNode) -> object:
        """A date; 30 February stays text, which is told with its key where a date is wanted."""
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            return self.construct_scalar(node)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.date_or_text)


def parse_yaml(text: str | bytes) -> Any:
    """What a text of YAML says.

    Raises:
        YamlError: It is no YAML, or gives a key twice.
    """
    return _told(text)[0]


def parse_documents(text: str) -> list[Any]:
    """What each document of a text of YAML says.

    Raises:
        YamlError: As :func:`parse_yaml`.
    """
    return _told(text, several=True)


def read_yaml(path: Path) -> Any:
    """What a file of YAML says.

    Raises:
        YamlError: It cannot be read, is no YAML, or gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = type(error).__name__
        raise YamlError(f"cannot be read as YAML ({problem})", problem) from None
    return parse_yaml(text)


def _told(text: str | bytes, *, several: bool = False) -> list[Any]:
    try:
        if several:
            return list(yaml.load_all(text, _Loader))
        return [yaml.load(text, _Loader)]  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark, problem = error.problem_mark, error.problem or type(error).__name__
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        place = f"line {line}" if line else ""
        if isinstance(error, _GivenTwiceError):
            message = f"{problem} ({place})"
        else:
            message = f"cannot be read as YAML ({': '.join(filter(None, (place, problem)))})"
        raise YamlError(message, problem, line, column) from None
    except yaml.YAMLError as error:
        problem = type(error).__name__
        raise YamlError(f"cannot be read as YAML ({problem})", problem) from None
