"""The keys of a typed part of YAML: what each takes, what holds where it is left out, and what it means.

Belongs here: reading that from pydantic models, their docstrings and comments. Does not belong here: which files are
made of which models (policies), or how a page looks.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import EnumMeta
from functools import cache
from itertools import pairwise
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

Model = type[BaseModel]
_PLAIN = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "`true` or `false`",
    "date": "day, YYYY-MM-DD",
    "Any": "any value",
    "object": "any value",
    "Path": "path",
}


_VAST = 1e9
"""A limit from here on is there against mistakes, and tells nobody anything."""


_PLURAL = {"text": "texts", "number": "numbers", "whole number": "whole numbers"}


@dataclass(frozen=True)
class Key:
    """A key that may be written.

    Attributes:
        path: From the top of the file; ``<name>`` stands for a name of one's own, ``[]`` for each entry of a list.
        value: What it takes, in words.
        otherwise: What holds where it is left out, in words.
        meaning: What it is for; empty where nothing says so.
    """

    path: str
    value: str
    otherwise: str
    meaning: str


def keys_of(
    model: Model, path: str = "", usual: BaseModel | None = None, above: tuple[Model, ...] = ()
) -> Iterator[Key]:
    """Every key of a model and of the models in it, in the order in which they are declared.

    Args:
        model: The model.
        path: What stands before its keys.
        usual: What holds where all of it is left out.
        above: Models that it is within, which are not gone into again.
    """
    told = meanings(model)
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        here = f"{path}{field.alias or name}"
        value = _kind(_annotated(field))
        meaning = field.description or told.get(name) or told.get(field.alias or name, "")
        otherwise = getattr(usual, name) if usual else _default(field)
        yield Key(here, value, _told(otherwise), meaning)
        for suffix, inner in _within(field.annotation):
            if inner not in above:
                within = otherwise if isinstance(otherwise, inner) else None
                yield from keys_of(inner, f"{here}{suffix}.", within, (*above, model))


@cache
def meanings(model: Model) -> Mapping[str, str]:
    """What the classes say of their fields: under ``Attributes:``, below the field, or behind it."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel:
            try:
                source = textwrap.dedent(inspect.getsource(one))
            except (OSError, TypeError):
                continue  # made while the program runs
            found |= _behind(source) | _below(source) | _attributes(one.__dict__.get("__doc__") or "")
    return found


def _behind(source: str) -> dict[str, str]:
    found = re.findall(
        r"^    (\w+): [^#\n]*(?:\([^#\n]*\n[^#]*\n    \))?  # (?!noqa)(.+)$", source, re.MULTILINE
    )
    return {name: _sentence(text) for name, text in found}


def _below(source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    (whole,) = ast.parse(source).body
    body = whole.body if isinstance(whole, ast.ClassDef) else []
    for field, text in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            found[field.target.id] = _sentence(text.value.value)
    return found


def _attributes(doc: str) -> dict[str, str]:
    _, _, listed = inspect.cleandoc(doc).partition("Attributes:\n")
    found = re.findall(r"^    (\w+(?:, \w+)*): (.+(?:\n {8,}.+)*)", listed, re.MULTILINE)
    return {name: _sentence(text) for names, text in found for name in names.split(", ")}


def _sentence(text: str) -> str:
    folded = " ".join(text.split())
    return folded[:1].upper() + folded[1:]


def _annotated(field: FieldInfo) -> Any:
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _kind(annotation: Any, *, several: bool = False) -> str:
    """What a value of a type looks like; ``several`` for the plural."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return _either(get_args(annotation), several=several)
    if origin is not None:
        return _made_of(origin, get_args(annotation), several=several)
    if isinstance(annotation, EnumMeta):
        return _choices(list(annotation.__members__.values()))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "the keys below" if several else "keys below"
    word = _PLAIN.get(getattr(annotation, "__name__", str(annotation)), "text")
    return _PLURAL.get(word, word) if several else word


def _either(arguments: Any, *, several: bool) -> str:
    parts = dict.fromkeys(_kind(one, several=several) for one in arguments if one is not NoneType)
    return " or ".join([*parts, *(["`null`"] if NoneType in arguments else [])])


def _made_of(origin: Any, arguments: Any, *, several: bool) -> str:
    if origin is Literal:
        return _choices(arguments)
    if origin is Annotated:
        words = _kind(arguments[0], several=several)
        limits = _limits(arguments[1:]) if words.endswith(("number", "numbers", "number or `null`")) else ""
        return f"{words}, {limits}" if limits else words
    if issubclass(origin, Mapping):
        return f"by name: {_kind(arguments[1], several=True)}"
    return f"{'lists' if several else 'list'} of {_kind(arguments[0], several=True)}"


def _choices(values: Any) -> str:
    return ", ".join(f"`{str(one).lower() if isinstance(one, bool) else one}`" for one in values)


def _limits(metadata: Any) -> str:
    found: dict[str, Any] = {}
    for item in metadata:
        for one in item.metadata if isinstance(item, FieldInfo) else (item,):
            found |= {name: getattr(one, name) for name in ("ge", "gt", "le", "lt") if hasattr(one, name)}
    low = f"{found['ge']:,} or more" if "ge" in found else f"above {found['gt']:,}" if "gt" in found else ""
    high = (
        f"at most {found['le']:,}"
        if found.get("le", _VAST) < _VAST
        else f"below {found['lt']:,}"
        if "lt" in found
        else ""
    )
    return ", ".join(filter(None, (low, high)))


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _told(default: Any) -> str:
    if default is PydanticUndefined:
        return "must be there"
    if default is None:
        return ""
    if isinstance(default, BaseModel):
        return "those below"
    if isinstance(default, bool | int | float):
        return f"`{str(default).lower()}`"
    return f"`{_spelled(default)}`" if default else "none"


def _spelled(default: Any) -> str:
    return f"[{', '.join(map(str, default))}]" if isinstance(default, tuple | list) else str(default)


def _within(annotation: Any, suffix: str = "") -> Iterator[tuple[str, Model]]:
    """The models within a type, with what is written between."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield suffix, annotation
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None or origin is Literal:
        return
    if origin is Annotated:
        yield from _within(arguments[0], suffix)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from _within(arguments[1], f"{suffix}.<name>")
    elif origin in (Union, UnionType):
        for one in arguments:
            yield from _within(one, suffix)
    else:
        for one in arguments[:1]:
            yield from _within(one, f"{suffix}[]")
