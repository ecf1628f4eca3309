"""The policies and contracts that a plan is made with: those in force, with the changed ones in their place.

Belongs here: putting them together in a folder beside, which files were taken and when they show, and what is wrong
with them in the words of ``cdm check``. Does not belong here: what follows from them (``making``).
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from cdm_pipelines.contracts import ContractError, SourceContract, load_contract, load_contracts
from cdm_pipelines.contracts.catalogue import DEFS, all_contracts
from cdm_pipelines.contracts.odcs import SUFFIX
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.operate.checkup import configuration_problems
from cdm_pipelines.steps.plan.outcome import Effect, Taken

_OF_POLICIES = (".yaml", ".yml", ".sql")
_OWN = ("linkage", "enrichers")
"""Folders in which a company has files of names that it chooses."""
_EFFECTS: Mapping[str, Effect] = {
    "linkage": Effect.PLAN,
    "survivorship.yaml": Effect.PLAN,
    "purposes.yaml": Effect.PLAN,
    "placeholders.yaml": Effect.PLAN,
    "checks.yaml": Effect.PLAN,
    "consent_words.yaml": Effect.NEXT_DAYS,
    "interaction_words.yaml": Effect.NEXT_DAYS,
    "protection.yaml": Effect.NEXT_DAYS,
}


class PlanInputError(ValueError):
    """What was given cannot be planned with; ``problems`` says each thing in words."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class NoFolderError(PlanInputError):
    """A folder that was named is not there, or holds nothing to plan with."""


@dataclass(frozen=True)
class Inputs:
    """Settings whose policies lie beside, all contracts, what was taken of what was given, and the contracts given."""

    settings: Settings
    contracts: tuple[SourceContract, ...]
    taken: tuple[Taken, ...]
    given: tuple[SourceContract, ...] = ()


def inputs(settings: Settings, folder: Path, policies: Path, contracts: Path | None) -> Inputs:
    """Put together what a plan is made with.

    Args:
        settings: Of the deployment.
        folder: Empty, beside.
        policies: Folder with the policies that change; those in force stand for the others.
        contracts: Folder with contracts that change, likewise; none change when left out.

    Raises:
        PlanInputError: A folder is not there or holds nothing, or a file has faults.
    """
    origins: dict[str, str] = {}
    taken = _policies_beside(settings.policies, policies, folder / "policies", origins)
    own = settings.model_copy(update={"policies": folder / "policies"})
    known, changed = all_contracts(), tuple[SourceContract, ...]()
    if contracts is not None:
        given, known = _contracts_beside(contracts, folder / "contracts", origins)
        taken += given
        names = {one.file for one in given}
        changed = tuple(one for one in known if one.name in names)
    problems = configuration_problems(own, known)
    if problems:
        raise PlanInputError([_in_place(one, origins) for one in problems])
    return Inputs(own, known, tuple(taken), changed)


def _policies_beside(in_force: Path, changed: Path, beside: Path, origins: dict[str, str]) -> list[Taken]:
    files = list(_files(changed, _OF_POLICIES, "policies"))
    shutil.copytree(in_force, beside, copy_function=shutil.copyfile)
    origins[str(beside)] = str(in_force)
    known = {str(path.relative_to(beside)) for path in beside.rglob("*") if path.is_file()}
    taken, problems = [], []
    for file in files:
        name = str(file.relative_to(changed))
        problem = None if name in known else _stray(name, known)
        if problem is not None:
            problems.append(f"{file}: {problem}")
            continue
        target, text = beside / name, file.read_bytes()
        differs = not target.is_file() or target.read_bytes() != text
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
        origins[str(target)] = str(file)
        taken.append(Taken(name, differs, _EFFECTS.get(name.partition("/")[0], Effect.ELSEWHERE)))
    if problems:
        raise PlanInputError(problems)
    return taken


def _stray(name: str, known: set[str]) -> str | None:
    """What is wrong with a file that no policy in force is called as; None where it may be called so."""
    near = get_close_matches(name, known, n=1, cutoff=0.85)
    if name.partition("/")[0] in _OWN and "/" in name and not near:
        return None
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
    return f"there is no policy {name}, so that nothing would read it; {hint}"


def _contracts_beside(
    changed: Path, beside: Path, origins: dict[str, str]
) -> tuple[list[Taken], tuple[SourceContract, ...]]:
    before = {one.name: one for one in all_contracts()}
    beside.mkdir()
    origins[str(beside)] = str(DEFS)
    places = {name: (Path(one.file), beside / f"{name}{SUFFIX}") for name, one in before.items()}
    try:
        for file in _files(changed, (SUFFIX,), "contracts"):
            given = load_contract(file)
            places[given.name] = (file, beside / f"{given.name}{SUFFIX}")
        for origin, target in places.values():
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(origin, target)
            origins[str(target)] = str(origin)
        loaded = load_contracts(beside)
    except ContractError as error:
        raise PlanInputError([_in_place(str(error), origins)]) from None
    names = [name for name, (origin, _) in places.items() if changed in origin.parents]
    after = {one.name: one for one in loaded}
    taken = [
        Taken(name, after[name] != before.get(name), _effect(before.get(name), after[name])) for name in names
    ]
    return taken, loaded


def _effect(before: SourceContract | None, after: SourceContract) -> Effect:
    """A contract shows at once in what its columns are given for, and otherwise in what arrives."""
    if before is None:
        return Effect.NEXT_DAYS
    same = {one.name: one.purposes for one in before.columns}
    columns = tuple(replace(one, purposes=same.get(one.name, one.purposes)) for one in after.columns)
    return Effect.PLAN if replace(after, columns=columns) == before else Effect.NEXT_DAYS


def _files(folder: Path, suffixes: Sequence[str], what: str) -> Iterator[Path]:
    if not folder.is_dir():
        raise NoFolderError(
            [f"{folder}: there is no such folder. Name the folder that holds the changed {what}."]
        )
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name.endswith(tuple(suffixes)) and not _hidden(path.relative_to(folder))
    ]
    if not found:
        raise NoFolderError(
            [
                f"{folder}: holds no {what} ({', '.join(f'*{one}' for one in suffixes)}); put those that change there."
            ]
        )
    yield from found


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _in_place(text: str, origins: Mapping[str, str]) -> str:
    """A text that names files beside, naming those that they were copied from."""
    for path in sorted(origins, key=len, reverse=True):
        text = text.replace(path, origins[path])
    return text
