"""A linkage policy for files that come without one, chosen by what their columns are about.

Belongs here: from files to a policy that extends a shipped one, with how sure it is and what it leaves out. Does not
belong here: what a column may be (column_meanings), which is taken (column_choice), how a policy is written
(suggested_policy), or what a policy does (linkage). Columns whose name says that they tell who is who (cluster, truth,
label) are never used: whoever has them wants to measure with them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc

from cdm_pipelines.contracts import LogicalType
from cdm_pipelines.linkage import LinkageError
from cdm_pipelines.quality.profile import ColumnProfile
from cdm_pipelines.quality.semantics import legal_forms
from cdm_pipelines.quality.suggest import OF_ORGANISATIONS, OF_PERSONS, Suggestion, suggest
from cdm_pipelines.steps.linking.blocking_cover import cover, hold_nobody_twice, sample_of
from cdm_pipelines.steps.linking.column_choice import NAMES, FileColumns, choose
from cdm_pipelines.steps.linking.column_meanings import PARTS, effective_values, offers
from cdm_pipelines.steps.linking.column_words import ANSWER, NOT_A_BIRTHDAY, words_of
from cdm_pipelines.steps.linking.suggested_policy import ROW_NUMBER, SOURCES, Choice, SuggestedPolicy
from cdm_pipelines.store.files import write_whole

_NAMES_OF_PERSONS = (*OF_PERSONS, "second_surname", *PARTS)
_PLACES = ("postcode", "city", "street", "birth_place", "region")
_SEVERAL = ("email", "phone", "mobile", "national_id", "iban")
"""Of which somebody may have more than one."""
_TELLING = 50  # values that a column must be worth before leaving it out is a loss
_LITTLE = 3  # values; a column worth fewer tells two people apart less than half of the time or little more
_LONGEST = 60  # characters; what is longer is a remark


def suggest_policy(files: Sequence[Path]) -> SuggestedPolicy:
    """Suggest how to link files, by their columns alone.

    Args:
        files: Of any format that can be ingested; they may name their columns differently.

    Raises:
        ExtractError: A file cannot be read.
        LinkageError: The columns give too little to link on; says which were found and what to do.
    """
    if twice := next(
        (stem for stem, count in Counter(file.stem for file in files).items() if count > 1), None
    ):
        raise LinkageError(
            f"two files are named {twice}, by which their records would be told apart: rename one"
        )
    suggestions = [suggest(file) for file in files]
    columns = [
        FileColumns(path, {one.profile.name: one.profile for one in found.columns}, offers(found))
        for path, found in zip(files, suggestions, strict=True)
    ]
    kind, why, unsure = _kind(columns)
    chosen, doubts = choose(columns, kind)
    little = _of_little_worth(columns, chosen)
    kept = tuple(choice for name, choice in chosen.items() if name not in little)
    used = {name for choice in kept for name in choice.names}
    identifier, no_id = _identifier(suggestions, used)
    left_out, stood_for = _left_out(columns, chosen, used | {identifier}, little)
    if len(kept) < 3:
        doubts.append(
            f"there is little to compare: {', '.join(choice.name for choice in kept) or 'no column'}"
        )
    suggested = SuggestedPolicy(
        kind=kind,
        why=why,
        id=identifier,
        source=_source(columns) if len(files) > 1 else None,
        chosen=kept,
        left_out=left_out,
        missed=_missed(columns, {name: why for name, why in left_out.items() if name not in stood_for}),
        doubts=(*unsure, *no_id, *doubts),
    )
    _check(suggested, (name for file in columns for name in file.profiles))
    return _for_the_data(suggested, columns, whole=all(one.file.whole for one in suggestions))


def _for_the_data(
    suggested: SuggestedPolicy, files: Sequence[FileColumns], *, whole: bool
) -> SuggestedPolicy:
    """With blocking rules for records with gaps, and the files that hold nobody twice."""
    policy = suggested.policy()
    records = sample_of([file.profiles for file in files], [file.path.stem for file in files], policy)
    reached = cover(records, policy)
    free = hold_nobody_twice(records) if whole else ()
    return replace(
        suggested,
        rules=reached.rules,
        covered=reached.told,
        duplicate_free=tuple(files[number].path.stem for number in free),
    )


def write_policy(suggested: SuggestedPolicy, folder: Path) -> Path:
    """Write the policy as ``policy.yaml``; what a person changed there is not overwritten.

    Raises:
        LinkageError: There is another ``policy.yaml`` in the folder.
    """
    path, text = folder / "policy.yaml", suggested.to_yaml()
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise LinkageError(
            f"{path} is there already and is not what would be suggested now; link with it (--policy {path}), or move "
            "it away for a new suggestion"
        )
    write_whole(path, text.encode())
    return path


def _kind(files: Sequence[FileColumns]) -> tuple[str, str, tuple[str, ...]]:
    """Person or organisation, what tells, and what is doubtful about it."""
    mapped = {offer.target for file in files for offer in file.offers}
    persons = [_word(target) for target in _NAMES_OF_PERSONS if target in mapped]
    organisations = [_word(target) for target in OF_ORGANISATIONS if target in mapped]
    if persons and organisations:
        kind, told = (
            ("person", persons) if len(persons) >= len(organisations) else ("organisation", organisations)
        )
        doubt = f"there are columns of persons ({', '.join(persons)}) and of organisations ({', '.join(organisations)})"
        return kind, f"by {', '.join(told)}", (f"{doubt}; link the two kinds apart if both are in the file",)
    if persons or organisations:
        return ("person" if persons else "organisation"), f"by {', '.join(persons or organisations)}", ()
    if _legal_forms(files) > 0.2:
        return "organisation", "by legal forms in the names", ()
    return (
        "person",
        "nothing in the columns tells",
        ("nothing tells whether these are persons or organisations",),
    )


def _legal_forms(files: Sequence[FileColumns]) -> float:
    """Which share of the names has a legal form."""
    for file in files:
        name = next((offer for offer in file.offers if offer.target == "party.name"), None)
        if name is not None:
            return legal_forms(file.profiles[name.column].values)
    return 0.0


def _word(target: str) -> str:
    return target.rpartition(".")[2].replace("_", " ")


def _of_little_worth(files: Sequence[FileColumns], chosen: Mapping[str, Choice]) -> dict[str, str]:
    """Of the chosen, those that tell people apart hardly or not beyond what others tell, with the reason.

    They add no evidence, and that they go with what is compared beside them would be taken for evidence.
    """
    found: dict[str, str] = {}
    for name in ("region", "country"):
        if name not in chosen:
            continue
        finer = next((one for one in _PLACES if one in chosen and one != name), None)
        worth = max(effective_values(one) for one in _profiles(files, chosen[name]))
        if finer is not None:
            found[name] = (
                f"{name}, of which {_word(finer)} tells more: both would count the same evidence twice"
            )
        elif worth < _LITTLE:
            found[name] = (
                f"{name}, which is worth {worth:.1f} equally frequent values: it tells few people apart"
            )
    if "gender" in chosen and not {"given_name", "initials"} & set(chosen):
        found["gender"] = "gender, which a whole name tells"
    return found


def _profiles(files: Sequence[FileColumns], choice: Choice) -> list[ColumnProfile]:
    return [file.profiles[name] for name in choice.names for file in files if name in file.profiles]


def _identifier(suggestions: Sequence[Suggestion], used: set[str]) -> tuple[str, tuple[str, ...]]:
    """The column whose values are unique in every file, or the record's place in the file."""
    keys = [
        {c.profile.name for c in one.columns if c.key_position and c.profile.unique}
        if one.file.rows
        else None
        for one in suggestions
    ]
    common = set.intersection(*(key for key in keys if key is not None)) if any(keys) else set()
    named = sorted(name for name in common - used if ANSWER.search(words_of(name)) is None)
    if len(named) == 1:
        return named[0], ()
    if any(c.profile.name == ROW_NUMBER and not c.profile.unique for one in suggestions for c in one.columns):
        raise LinkageError(
            f"no column identifies a record, {ROW_NUMBER} neither, by which name its place in the file would: rename "
            f"{ROW_NUMBER}, or give every record an id of its own in every file"
        )
    return ROW_NUMBER, (
        "no column identifies a record, so its place in the file does: do not sort the file anew",
    )


def _source(files: Sequence[FileColumns]) -> str:
    """What the column with the names of the files is called: a column that a file has tells something else."""
    taken = {name for file in files for name in file.profiles}
    free = next((name for name in SOURCES if name not in taken), None)
    if free is None:
        raise LinkageError(
            f"the files have columns {', '.join(SOURCES)}, and one of these names is needed for the name of the file: "
            "rename a column"
        )
    return free


def _left_out(
    files: Sequence[FileColumns], chosen: Mapping[str, Choice], used: set[str], little: Mapping[str, str]
) -> tuple[dict[str, str], set[str]]:
    """Columns that are not used, each with the reason, and those of them that others stand for."""
    names = {**NAMES["organisation"], **NAMES["person"]}
    meant = {offer.column: offer.target for file in files for offer in reversed(file.offers)}
    of_little = {column: why for name, why in little.items() for column in chosen[name].names}
    parts = {"given_name", "surname"} <= set(chosen)
    found: dict[str, str] = {}
    stood_for = set(of_little)
    for name in dict.fromkeys(name for file in files for name in file.profiles):
        target = meant.get(name, "")
        said = names.get(target, "birth_date" if target in PARTS else "")
        if name in used:
            continue
        if ANSWER.search(words_of(name)):
            found[name] = "its name says that it tells who is who"
        elif name in of_little:
            found[name] = of_little[name]
        elif said in chosen or (said == "full_name" and parts):
            found[name] = f"{_word(target)}, which another column tells"
            if said not in _SEVERAL:
                stood_for.add(name)
        elif target:
            found[name] = f"{_word(target)}, which the policy does not compare"
        else:
            found[name] = "meaning not recognised, or of no use for linking"
    return found, stood_for


def _missed(files: Sequence[FileColumns], left_out: Mapping[str, str]) -> dict[str, str]:
    """Of the columns that are not used those that may well tell people apart, with the reason."""
    found = {}
    for name, why in left_out.items():
        profiles = [file.profiles[name] for file in files if name in file.profiles]
        if ANSWER.search(words_of(name)) or not any(map(_may_identify, profiles)):
            continue
        worth = max(map(effective_values, profiles))
        found[name] = f"{why}; worth {worth:,.0f} equally frequent values"
    return found


def _may_identify(column: ColumnProfile) -> bool:
    """Whether a column looks like what tells people apart: many values, repeated, no amounts, events or remarks."""
    if column.filled < 0.2 or column.unique or NOT_A_BIRTHDAY.search(words_of(column.name)):
        return False
    if column.logical_type in (LogicalType.NUMBER, LogicalType.TIMESTAMP):
        return False
    lengths = pc.utf8_length(column.values).to_numpy(zero_copy_only=False)
    return lengths.mean() <= _LONGEST and effective_values(column) >= _TELLING


def _check(suggested: SuggestedPolicy, names: Iterable[str]) -> None:
    try:
        if suggested.chosen:
            suggested.policy()
            return
    except LinkageError:
        pass
    found = ", ".join(choice.name for choice in suggested.chosen) or "none that a policy compares"
    raise LinkageError(
        f"too little to link on: of the columns {', '.join(dict.fromkeys(names))} these were recognised: {found}. "
        "Rename columns (given_name, surname, birth_date, postcode, email …), or write a policy "
        "(docs/explanation/linkage.md) and give it with --policy"
    )
