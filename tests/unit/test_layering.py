"""R1: who may import whom."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cdm_pipelines"
ROOMS = ["ingest", "quality", "standardise", "records", "linkage", "identity", "golden", "publish"]
OPEN_TO_ALL = {"settings", "contracts", "parallel", "hub"}
ON_TOP = {"commands", "demo", "flows", "cli", "components", "defs", "definitions"}
USES_HUB = {"records", "identity", "golden", "publish", "hub", "settings", "contracts"}
MAY_IMPORT_DAGSTER = {"components", "defs", "definitions"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.name != "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_import_only_rooms_above_them(path: Path) -> None:
    room = room_of(path)
    used = {name.split(".")[1] for name in imports(path) if name.startswith("cdm_pipelines.")} - {room}
    if room == "parallel":
        allowed = set()
    elif room in ("contracts", "settings"):
        allowed = {"contracts", "settings"}
    elif room == "hub":
        allowed = OPEN_TO_ALL | {"ingest"}
    elif room in ROOMS:
        allowed = set(ROOMS[: ROOMS.index(room)]) | {"settings", "contracts", "parallel"}
        allowed |= {"hub"} if room in USES_HUB else set()
    elif room in ("demo", "flows"):
        allowed = set(ROOMS) | OPEN_TO_ALL
    else:
        assert room in ON_TOP, f"{room} is not a room of the house: add it here and to docs/architecture.md"
        allowed = set(ROOMS) | OPEN_TO_ALL | ON_TOP
    assert used <= allowed, f"{room} may not import {sorted(used - allowed)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_dagsters_rooms_import_dagster(path: Path) -> None:
    uses = any(name == "dagster" or name.startswith(("dagster.", "dagster_")) for name in imports(path))
    assert not uses or room_of(path) in MAY_IMPORT_DAGSTER


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_says_what_belongs_in_it(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
