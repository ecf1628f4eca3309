"""The report of a takeover as one HTML file that works offline and prints.

Belongs here: the template with its figures, and the pictures as SVG. Does not belong here: the figures
(``takeover_report``).

Every text is escaped by the environment of templates; nothing is marked safe but drawings made here, whose texts are
escaped as well.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cdm_pipelines.insight.business_case_policy import FILE as COSTS
from cdm_pipelines.insight.report_words import Language, Unit, day_name, number, translator, written
from cdm_pipelines.insight.takeover_overlap import Overlap
from cdm_pipelines.insight.takeover_report import Assessment
from cdm_pipelines.yaml_files import read_yaml

TEMPLATES = Path(__file__).parent / "templates"
WORDS = TEMPLATES / "takeover_dutch.yaml"
_WIDE, _ROW, _LEFT, _ROOM = 640, 26, 180, 320
_MOST = 14
"""Rows of a picture; the table beside it has all."""


@cache
def dutch() -> Mapping[str, str]:
    """Dutch by English: what the template says with t()."""
    found: dict[str, str] = read_yaml(WORDS)
    return found


def page(found: Assessment, language: Language = Language.ENGLISH) -> str:
    """The report as HTML.

    Args:
        found: What is known of the other company.
        language: In which it is read.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    t, count = translator(dutch(), language), partial(number, language=language)

    def share(value: float) -> str:
        return written(value, Unit.SHARE, language)

    environment.filters |= {
        "count": count,
        "share": share,
        "money": lambda amount: written(amount, Unit.CURRENCY, language, found.currency),
        "read": lambda told: told.read(language),
    }
    return environment.get_template("takeover.html").render(
        it=found,
        t=t,
        language=str(language),
        day=day_name(dt.date.fromisoformat(found.date), language),
        costs=COSTS,
        overlap_picture=_interval(found.overlap, t, count) if found.overlap else "",
        filled_picture=_paired(
            [(one.attribute, one.theirs, one.ours) for one in found.attributes[:_MOST]],
            t("theirs"),
            t("ours"),
            t("Filled: theirs and ours"),
        ),
        values_picture=_stacked(
            {one.attribute: (one.filled, one.replaced, one.other) for one in found.values[:_MOST]},
            (t("filled"), t("replaced"), t("other")),
            count,
        ),
        consent_picture=_stacked(
            {one.purpose: (one.given, one.refused, one.nothing) for one in found.consent.purposes},
            (t("said yes"), t("said no"), t("said nothing")),
            count,
        ),
    )


def _interval(one: Overlap, t: Callable[..., str], count: Callable[[float], str]) -> Markup:
    """All customers of theirs as a bar, with the part that is ours and its interval."""
    most = max(one.customers, 1)

    def at(number: float) -> float:
        return round(20 + (_WIDE - 40) * number / most, 1)

    low, high, middle = at(one.low), at(one.high), at(one.expected)
    named = {name: count(getattr(one, name)) for name in ("expected", "customers", "low", "high")}
    told = t("{expected} of {customers} customers are ours, between {low} and {high}", **named)
    parts = [
        Markup('<rect class="rest" x="20" y="16" width="{}" height="30"/>').format(_WIDE - 40),
        Markup('<rect class="a" x="20" y="16" width="{}" height="30"/>').format(round(middle - 20, 1)),
        Markup('<path class="whisker" d="M{0} 31 H{1} M{0} 22 V40 M{1} 22 V40"/>').format(low, high),
        Markup('<text x="20" y="64">0</text><text class="end" x="{}" y="64">{}</text>').format(
            _WIDE - 20, named["customers"]
        ),
        Markup('<text class="middle" x="{}" y="64">{}</text>').format(
            min(max(middle, 110), _WIDE - 110), t("{expected} ({low} to {high})", **named)
        ),
    ]
    return _drawing(72, told, parts)


def _paired(rows: Sequence[tuple[str, float, float]], first: str, second: str, told: str) -> Markup:
    """Two bars for each row, shares from 0 to 1."""
    parts = [_legend((first, second))]
    for place, (name, *shares) in enumerate(rows):
        y = 24 + place * _ROW
        parts.append(Markup('<text class="end" x="{}" y="{}">{}</text>').format(_LEFT - 8, y + 13, name))
        for at, share in enumerate(shares):
            parts.append(
                Markup('<rect class="{}" x="{}" y="{}" width="{}" height="8"/>').format(
                    "ab"[at], _LEFT, y + 9 * at, round(_ROOM * share, 1)
                )
            )
        parts.append(
            Markup('<text x="{}" y="{}">{} / {}</text>').format(
                _LEFT + _ROOM + 6, y + 13, *map(_percent, shares)
            )
        )
    return _drawing(30 + len(rows) * _ROW, told, parts)


def _stacked(
    rows: Mapping[str, tuple[int, int, int]], names: tuple[str, str, str], count: Callable[[float], str]
) -> Markup:
    """A bar of three parts for each row."""
    most = max((sum(one) for one in rows.values()), default=0) or 1
    parts = [_legend(names)]
    for place, (name, numbers) in enumerate(rows.items()):
        y, x = 24 + place * _ROW, float(_LEFT)
        parts.append(Markup('<text class="end" x="{}" y="{}">{}</text>').format(_LEFT - 8, y + 14, name))
        for many, kind in zip(numbers, "abc", strict=True):
            wide = round(_ROOM * many / most, 1)
            parts.append(
                Markup('<rect class="{}" x="{}" y="{}" width="{}" height="18"/>').format(kind, x, y, wide)
            )
            x = round(x + wide, 1)
        parts.append(
            Markup('<text x="{}" y="{}">{}</text>').format(x + 6, y + 14, " / ".join(map(count, numbers)))
        )
    return _drawing(30 + len(rows) * _ROW, ", ".join(names), parts)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _legend(names: Sequence[str]) -> Markup:
    parts = []
    for place, name in enumerate(names):
        x = _LEFT + place * 120
        parts.append(
            Markup(
                '<rect class="{}" x="{}" y="2" width="10" height="10"/><text x="{}" y="12">{}</text>'
            ).format("abc"[place], x, x + 15, name)
        )
    return Markup("").join(parts)


def _drawing(tall: int, told: str, parts: Sequence[Markup]) -> Markup:
    opened = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(_WIDE, tall, told)
    return opened + Markup("").join(parts) + Markup("</svg>")
