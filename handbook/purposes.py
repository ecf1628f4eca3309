"""The derived page of purposes: what data are used for, on what ground, and which columns of sources are given for it.

Belongs here: the shipped policy and contracts as Markdown. Does not belong here: which other pages are derived
(``pages``).
"""

from collections.abc import Iterator, Mapping, Sequence

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.privacy.purposes import POLICY, Purpose, Purposes
from cdm_pipelines.settings import Settings

_INTRODUCTION = """*Written by `make docs` from `policies/purposes.yaml` and the contracts; do not edit.*

A **purpose** is what personal data are used for, on a ground that the law knows. Columns of contracts name Fides
*data uses* under `purposes`; the policy says which purpose each use is. What a column is given for binds ([why, and
how](../decisions/0030-purposes-bind.md)):

- **Linking**: a value given for no purpose that allows identity resolution is neither compared nor blocked on.
- **Golden values**: a value given for no purpose that golden customers serve is no candidate.
- **The profile**: nothing is worked out of a customer for whom all purposes of an enricher are off;
  `withheld_enrichers` and `withheld_purposes` of `profile.customer` say so.
- **What leaves**: each sink of the [change feed](change-feed.md) has a purpose, which limits of whom it is told, and
  what.

`cdm check` tells a personal column without a purpose, a purpose without a basis, a use or a sink's purpose that there
is not, and an enricher that reads what its purpose does not cover. A run does not link, publish or tell anybody
before that is in order."""
_COLUMNS = """What each source delivers, by the purposes that it is given for. The [data dictionary](data-dictionary.md)
has every column with its data uses."""


def purposes_page() -> str:
    """Every purpose of the shipped policy with what it may do."""
    shipped = Settings.model_fields["policies"].default
    purposes = Purposes.load(shipped / POLICY)
    table = _table(
        (
            "Purpose",
            "Basis",
            "Can be refused",
            "Identity resolution",
            "Golden values",
            "Enrichers",
            "Channels",
        ),
        [_row(key, one) for key, one in purposes.by_key.items()],
    )
    parts = [
        f"# Purposes\n\n{_INTRODUCTION}",
        table,
        *(part for key, one in purposes.by_key.items() for part in _purpose(key, one)),
        f"## Columns of sources\n\n{_COLUMNS}",
        _table(("Given for", "Columns"), list(_given(purposes, all_contracts()))),
    ]
    return "\n\n".join(parts) + "\n"


def _row(key: str, one: Purpose) -> Sequence[str]:
    basis = one.basis.replace("_", " ")
    refused = (
        "who did not consent" if one.needs_consent else "who objected" if one.can_be_refused else "nobody"
    )
    flags = ("yes" if flag else "no" for flag in (one.identity_resolution, one.golden))
    return (f"[{key}](#{key})", basis, refused, *flags, _keys(one.enrichers), ", ".join(one.channels))


def _purpose(key: str, one: Purpose) -> Iterator[str]:
    kept = f"{one.retention:,} days" if isinstance(one.retention, int) else one.retention
    yield f"## {key}\n\n{one.description}"
    yield "\n".join(
        [
            f"- Data uses: {_keys(one.uses)}",
            f"- Data categories, each with all below it: {_keys(one.categories)}",
            f"- Kept: {kept}",
            f"- Recipients: {', '.join(one.recipients) or 'none'}",
        ]
    )


def _given(purposes: Purposes, contracts: Sequence[SourceContract]) -> Iterator[Sequence[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for contract in contracts:
        by_purpose: dict[tuple[str, ...], list[str]] = {}
        for column in contract.columns:
            if column.purposes:
                given = tuple(key for key in purposes.by_key if key in purposes.given_for(column.purposes))
                by_purpose.setdefault(given, []).append(f"`{column.name}`")
        for given, names in by_purpose.items():
            found.setdefault(given, []).append(f"{contract.name}: {', '.join(names)}")
    order: Mapping[str, int] = {key: place for place, key in enumerate(purposes.by_key)}
    for given in sorted(found, key=lambda keys: [order[key] for key in keys]):
        yield ", ".join(given), "; ".join(found[given])


def _keys(keys: Sequence[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(text.replace("|", "/") for text in line) + " |" for line in lines)
