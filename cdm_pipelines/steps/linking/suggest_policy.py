"""A linkage policy for files that come without one, chosen by what their columns are about.

Belongs here: from the semantic types of columns (quality) to a policy that extends a shipped one, with how sure it is.
Does not belong here: what a column means (quality), or what a policy does (linkage). Columns whose name says that they
tell who is who (cluster, truth, label) are never used: whoever has them wants to measure with them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage import LinkageError
from cdm_pipelines.quality.semantics import Kind, Meaning, header_words, meanings
from cdm_pipelines.quality.suggest import OF_ORGANISATIONS, OF_PERSONS, Suggestion, suggest
from cdm_pipelines.quality.values import as_flags
from cdm_pipelines.steps.linking.suggested_policy import ROW_NUMBER, Choice, SuggestedPolicy
from cdm_pipelines.store.files import write_whole

_ANSWER = re.compile(
    r"\b(cluster|truth|true|label|gold(?:en)?|dup(?:licate|e)?s?|match(?:ed|es)?|entity (?:id|key|no|number))\b"
)
_TREATED = re.compile(
    r"\b(raw|orig(?:inal)?|clean(?:ed)?|std|standardi[sz]ed|norm(?:ali[sz]ed)?|masked|fake|synthetic)\b"
)
_LEGAL_FORM = (
    r"(?i)\b(?:b\.?v|n\.?v|v\.?o\.?f|gmbh|ag|ltd|limited|inc|llc|plc|corp|s\.?a|s\.?r\.?l|stichting)\b"
)
_BIRTH_PLACE = r"birth ?place|place of birth|geboorte ?plaats|geburts ?ort|lieu de naissance"
_FURTHER = (
    Kind("party.city", r"suburb|locality|municipality|gemeente|gemeinde|commune"),
    Kind("birth_place", rf"(?:.* )?(?:{_BIRTH_PLACE})"),
)
"""Meanings that contracts have no place for, and that tell people apart all the same."""
_YEAR = r"(?:1[0-9]|20)[0-9]{2}"
_DATES = {
    "date": rf"^\s*{_YEAR}[^0-9]?[0-9]{{2}}[^0-9]?[0-9]{{2}}",
    "date_dmy": rf"^\s*(?:[0-9]{{1,2}}[^0-9][0-9]{{1,2}}[^0-9]|[0-9]{{4}}){_YEAR}",
}
_SURE = 0.6

_ADDRESS = {
    "party.postcode": "postcode",
    "party.house_number": "house_number",
    "party.house_addition": "house_addition",
    "party.address_line": "street",
    "party.city": "city",
}
_PERSON = {
    "party.given_name": "given_name",
    "party.initials": "initials",
    "party.surname_prefix": "surname_prefix",
    "party.family_name": "surname",
    "party.full_name": "full_name",
    "party.name": "full_name",
    "party.gender": "gender",
    "party.birth_date": "birth_date",
    "birth_place": "birth_place",
    **_ADDRESS,
    "party.email": "email",
    "party.phone": "phone",
    "party.mobile": "mobile",
    "party.iban": "iban",
}
_ORGANISATION = {
    "party.organisation_name": "organisation_name",
    "party.name": "organisation_name",
    "party.trade_name": "trade_name",
    **_ADDRESS,
    "party.email": "email",
    "party.phone": "phone",
    "party.vat_number": "vat_number",
    "party.coc_number": "coc_number",
    "party.iban": "iban",
}


def suggest_policy(files: Sequence[Path]) -> SuggestedPolicy:
    """Suggest how to link files, by their columns alone.

    Args:
        files: Of any format that can be ingested; files that are linked with each other name their columns alike.

    Raises:
        ExtractError: A file cannot be read.
        LinkageError: The columns give too little to link on; says which were found and what to do.
    """
    suggestions = [suggest(file) for file in files]
    found = [_meanings(one) for one in suggestions]
    kind, why, unsure = _kind(suggestions, found)
    chosen, disagreeing = _agreed(files, found, _PERSON if kind == "person" else _ORGANISATION)
    identifier, no_id = _identifier(suggestions)
    used = {choice.column for choice in chosen} | {identifier}
    names = dict.fromkeys(column.profile.name for one in suggestions for column in one.columns)
    left_out = {name: _reason(name, found) for name in names if name not in used}
    suggested = SuggestedPolicy(
        kind, why, identifier, len(files) > 1, chosen, left_out, (*unsure, *no_id, *disagreeing)
    )
    _check(suggested, names)
    return suggested


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


def _meanings(suggestion: Suggestion) -> dict[str, Choice]:
    """By target the column that feeds it, its confidence and the reason."""
    found: dict[str, Choice] = {}
    for column in suggestion.columns:
        name, meaning = column.profile.name, column.meaning
        if meaning is not None and _ANSWER.search(header_words(name)) is None:
            found[meaning.target] = Choice(meaning.target, name, column.confidence, meaning.why)
    mapped = {choice.column for choice in found.values()}
    for column in suggestion.columns:
        name, values = column.profile.name, column.profile.values
        words = header_words(name)
        if name in mapped or column.key_position or _ANSWER.search(words) or not len(values):
            continue
        for meaning in _second_look(words, values):
            if meaning.target not in found:
                found[meaning.target] = Choice(meaning.target, name, meaning.confidence, meaning.why)
                break
    return _readable_dates(found, suggestion)


def _second_look(words: str, values: pa.Array) -> Iterable[Meaning]:
    """What a column may be about besides what a contract would say of it.

    Headers may say how values were treated (``postcode_clean``), and dates of birth may lie before the years that a
    contract takes for plausible.
    """
    plain = " ".join(_TREATED.sub(" ", words).split())
    usual = [one for one in meanings(plain, values) if plain != words or one.target == "party.birth_date"]
    return [one for one in (*meanings(plain, values, _FURTHER), *usual) if one.confidence >= _SURE]


def _readable_dates(found: dict[str, Choice], suggestion: Suggestion) -> dict[str, Choice]:
    """The same without a date of birth that linkage cannot read, and with how to read it otherwise."""
    born = found.get("party.birth_date")
    if born is None:
        return found
    values = next(one.profile.values for one in suggestion.columns if one.profile.name == born.column)
    shares = {
        how: float(as_flags(pc.match_substring_regex(values, form)).mean()) for how, form in _DATES.items()
    }
    how = max(shares, key=lambda name: shares[name])
    if shares[how] < 0.5:
        return {target: choice for target, choice in found.items() if choice is not born}
    why = f"{born.why}, and {shares[how]:.0%} of the values are dates"
    sure = born.confidence + (0.2 if shares[how] > 0.8 and born.confidence < 0.8 else 0.0)
    read = replace(born, clean="" if how == "date" else how, confidence=round(sure, 2), why=why)
    return {**found, "party.birth_date": read}


def _kind(
    suggestions: Sequence[Suggestion], found: Sequence[Mapping[str, Choice]]
) -> tuple[str, str, tuple[str, ...]]:
    """Person or organisation, what tells, and what is doubtful about it."""
    mapped = {target for one in found for target in one}
    persons = [_word(target) for target in OF_PERSONS if target in mapped]
    organisations = [_word(target) for target in OF_ORGANISATIONS if target in mapped]
    if persons and organisations:
        kind, told = (
            ("person", persons) if len(persons) >= len(organisations) else ("organisation", organisations)
        )
        doubt = f"there are columns of persons ({', '.join(persons)}) and of organisations ({', '.join(organisations)})"
        return kind, f"by {', '.join(told)}", (f"{doubt}; link the two kinds apart if both are in the file",)
    if persons or organisations:
        return ("person" if persons else "organisation"), f"by {', '.join(persons or organisations)}", ()
    if _legal_forms(suggestions, found) > 0.2:
        return "organisation", "by legal forms in the names", ()
    return (
        "person",
        "nothing in the columns tells",
        ("nothing tells whether these are persons or organisations",),
    )


def _legal_forms(suggestions: Sequence[Suggestion], found: Sequence[Mapping[str, Choice]]) -> float:
    """Which share of the names has a legal form."""
    for suggestion, meant in zip(suggestions, found, strict=True):
        name = meant.get("party.name")
        if name is not None:
            values = next(c.profile.values for c in suggestion.columns if c.profile.name == name.column)
            return float(as_flags(pc.match_substring_regex(values, _LEGAL_FORM)).mean())
    return 0.0


def _word(target: str) -> str:
    return target.rpartition(".")[2].replace("_", " ")


def _agreed(
    files: Sequence[Path], found: Sequence[Mapping[str, Choice]], names: Mapping[str, str]
) -> tuple[tuple[Choice, ...], tuple[str, ...]]:
    """One column for each name of the policy, the one of most files; and what the others call it."""
    chosen: dict[str, Choice] = {}
    doubts: list[str] = []
    for target, name in names.items():
        offers = [one[target] for one in found if target in one]
        if not offers or name in chosen:
            continue
        column = Counter(choice.column for choice in offers).most_common(1)[0][0]
        agreeing = [choice for choice in offers if choice.column == column]
        surest = min(agreeing, key=lambda choice: choice.confidence)
        chosen[name] = replace(surest, name=name)
        for file, one in zip(files, found, strict=True):
            if target in one and one[target].column != column:
                doubts.append(
                    f"{file.name} has {name} in {one[target].column!r}, which is not read: call it {column!r} there too"
                )
    if {"given_name", "surname"} & set(chosen):
        chosen.pop("full_name", None)
    if len(chosen) < 3:
        doubts.append(f"there is little to compare: {', '.join(chosen) or 'no column'}")
    return tuple(chosen.values()), tuple(doubts)


def _identifier(suggestions: Sequence[Suggestion]) -> tuple[str, tuple[str, ...]]:
    """The column whose values are unique in every file, or the record's place in the file."""
    keys = [
        {c.profile.name for c in one.columns if c.key_position and c.profile.unique}
        if one.file.rows
        else None
        for one in suggestions
    ]
    common = set.intersection(*(key for key in keys if key is not None)) if any(keys) else set()
    named = sorted(name for name in common if _ANSWER.search(header_words(name)) is None)
    if len(named) == 1:
        return named[0], ()
    return ROW_NUMBER, (
        "no column identifies a record, so its place in the file does: do not sort the file anew",
    )


def _reason(name: str, found: Sequence[Mapping[str, Choice]]) -> str:
    """Why a column is not used."""
    if _ANSWER.search(header_words(name)):
        return "its name says that it tells who is who"
    for one in found:
        for target, choice in one.items():
            if choice.column == name:
                return f"{_word(target)}, which the policy does not compare"
    return "meaning not recognised, or of no use for linking"


def _check(suggested: SuggestedPolicy, names: Iterable[str]) -> None:
    try:
        if suggested.chosen:
            suggested.policy()
            return
    except LinkageError:
        pass
    found = ", ".join(choice.name for choice in suggested.chosen) or "none that a policy compares"
    raise LinkageError(
        f"too little to link on: of the columns {', '.join(names)} these were recognised: {found}. Rename columns "
        "(given_name, surname, birth_date, postcode, email …), or write a policy "
        "(docs/explanation/linkage.md) and give it with "
        "--policy"
    )
