"""R1: who may import whom. Between rooms, and between the wings of a room, arrows go one way."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cdm_pipelines"
OPEN_TO_ALL = (
    "loading",
    "faults",
    "parallel",
    "figures",
    "yaml_files",
    "settings",
    "contracts",
    "store",
    "hub",
)
"""The ground floor: each may import those before it, and every room all of them, but for what follows."""
ROOMS = (
    "ingest",
    "quality",
    "connectors",
    "standardise",
    "records",
    "linkage",
    "identity",
    "golden",
    "enrichment",
    "privacy",
    "insight",
    "publish",
)
WITHOUT_HUB = ("ingest", "quality", "connectors", "standardise", "linkage", "enrichment")
ON_TOP = ("steps", "console", "components", "definitions", "defs", "commands", "cli")
MAY_IMPORT_DAGSTER = {"components", "defs", "definitions"}
WINGS = {
    "linkage": (
        "errors",
        "progress",
        "policy",
        "encode",
        "blocking",
        "compare",
        "model",
        "cluster",
        "output",
        "report",
        "incremental",
        "engines",
        "explain",
        "evaluate",
        "places",
    ),
    "steps": (
        "days",
        "linking",
        "stewardship",
        "consent",
        "profile",
        "privacy",
        "customers",
        "search",
        "operate",
        "plan",
        "rights",
        "insight",
        "activation",
        "takeover",
    ),
}
"""What a room is made of, folders or single modules, in the order of its arrows."""

MODULES = {
    ".".join(("cdm_pipelines", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
INSIDE = sorted(name for name in MODULES if name != "cdm_pipelines")


def imports(name: str) -> set[str]:
    """All that a module imports, wherever in it and whatever for."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(name: str) -> set[str]:
    """The modules of the project that a module imports."""
    used = (one for one in imports(name) if one.startswith("cdm_pipelines."))
    return {one if one in MODULES else one.rpartition(".")[0] for one in used} - {name, "cdm_pipelines"}


def room_of(name: str) -> str:
    return name.split(".")[1]


def allowed(room: str) -> set[str]:
    if room in OPEN_TO_ALL:
        return set(OPEN_TO_ALL[: OPEN_TO_ALL.index(room)])
    ground = set(OPEN_TO_ALL) - ({"hub"} if room in WITHOUT_HUB else set())
    if room in ROOMS:
        return ground | set(ROOMS[: ROOMS.index(room)])
    assert room in ON_TOP, f"{room} is not a room of the house: add it here and to docs/architecture.md"
    return ground | set(ROOMS) | set(ON_TOP[: ON_TOP.index(room)])


@pytest.mark.parametrize("name", INSIDE)
def test_rooms_import_only_rooms_before_them(name: str) -> None:
    room = room_of(name)
    used = {room_of(one) for one in own_imports(name)} - {room}
    assert used <= allowed(room), f"{room} may not import {sorted(used - allowed(room))}"


@pytest.mark.parametrize("name", [name for name in INSIDE if room_of(name) in WINGS and name.count(".") > 1])
def test_wings_import_only_wings_before_them(name: str) -> None:
    room, wing = name.split(".")[1:3]
    order = WINGS[room]
    used = {one.split(".")[2] for one in own_imports(name) if room_of(one) == room and one.count(".") > 1}
    assert used - {wing} <= set(order[: order.index(wing)])


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter({name: own_imports(name) for name in MODULES}).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


@pytest.mark.parametrize("name", INSIDE)
def test_only_dagsters_rooms_import_dagster(name: str) -> None:
    uses = any(one == "dagster" or one.startswith(("dagster.", "dagster_")) for one in imports(name))
    assert not uses or room_of(name) in MAY_IMPORT_DAGSTER


@pytest.mark.parametrize("name", INSIDE)
def test_every_module_says_what_belongs_in_it(name: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8")))


def test_the_generator_of_demo_extracts_stands_beside_the_package() -> None:
    for path in sorted((PACKAGE.parent / "cdm_demo").rglob("*.py")):
        assert "cdm_pipelines" not in path.read_text(encoding="utf-8"), path.name
    users = {name for name in INSIDE if any(one.partition(".")[0] == "cdm_demo" for one in imports(name))}
    assert users == {"cdm_pipelines.commands.demo"}
