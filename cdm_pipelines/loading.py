"""Packages whose heavy names are loaded when they are first asked for (PEP 562).

Belongs here: that. Does not belong here: which names of a package are heavy.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def loaded_later(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package.

    Args:
        package: Its ``__name__``.
        homes: By name the module below it that has it.
    """

    def found(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return found
