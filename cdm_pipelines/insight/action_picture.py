"""What actions brought, in a picture: an interval per action, beside the line of no effect; as SVG text.

Belongs here: drawing. Does not belong here: what is drawn (``action_uplift``).
"""

from collections.abc import Sequence
from html import escape

from cdm_pipelines.figures import Picture
from cdm_pipelines.insight.action_uplift import Uplift

_WIDTH, _TOP, _ROW, _LEFT, _RIGHT = 860, 58, 34, 230, 150
_TELLING, _NOT_TELLING = "#2a7f62", "#8a8a8a"


def uplift_picture(found: Sequence[Uplift]) -> Picture:
    """Intervals of responses that each action added, in percentage points."""
    known = [(one, one.rate) for one in found if one.rate is not None]
    points = {
        f"{one.action} {name}": getattr(rate, name)
        for one, rate in known
        for name in ("low", "value", "high")
    }
    told = "Responses that each action added, in percentage points: " + (
        "; ".join(
            f"{one.action} {_told(rate.value)} ({_told(rate.low)} to {_told(rate.high)})"
            for one, rate in known
        )
        or "not measurable yet"
    )
    low = min([0.0, *(rate.low for _, rate in known)])
    high = max([0.0, *(rate.high for _, rate in known)])
    span = (high - low) or 1.0

    def across(value: float) -> float:
        return _LEFT + (value - low) / span * (_WIDTH - _LEFT - _RIGHT)

    bottom = _TOP + _ROW * max(len(known), 1)
    zero = across(0.0)
    shapes = [
        f'<line x1="{zero:.1f}" y1="{_TOP - 16}" x2="{zero:.1f}" y2="{bottom}" stroke="#555" stroke-dasharray="4 3"/>',
        f'<text x="{zero:.1f}" y="{_TOP - 22}" text-anchor="middle">no effect</text>',
    ]
    for number, (one, rate) in enumerate(known):
        y = _TOP + _ROW * number + _ROW / 2
        colour = _TELLING if rate.tells else _NOT_TELLING
        words = f"{_told(rate.value)} ({_told(rate.low)} to {_told(rate.high)})"
        shapes += [
            f'<text x="{_LEFT - 14}" y="{y + 4:.1f}" text-anchor="end">{escape(one.action.replace("_", " "))}</text>',
            (
                f'<line x1="{across(rate.low):.1f}" y1="{y:.1f}" x2="{across(rate.high):.1f}" y2="{y:.1f}" '
                f'stroke="{colour}" stroke-width="3"/>'
            ),
            (
                f'<circle cx="{across(rate.value):.1f}" cy="{y:.1f}" r="5" fill="{colour}">'
                f"<title>{escape(one.action)}: {words}</title></circle>"
            ),
            f'<text x="{_WIDTH - _RIGHT + 10}" y="{y + 4:.1f}">{words}</text>',
        ]
    if not known:
        shapes.append(f'<text x="{_LEFT}" y="{_TOP + _ROW / 2}">not measurable yet</text>')
    head = "Responses that each action added, percentage points, 95 % intervals"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 12}" width="{_WIDTH}" '
        'font-family="sans-serif" font-size="13" fill="#222">'
        f'<rect width="{_WIDTH}" height="{bottom + 12}" fill="#fff"/>'
        f'<text x="12" y="20" font-weight="bold">{head}</text>{"".join(shapes)}</svg>'
    )
    return Picture(svg, told, points)


def _told(share: float) -> str:
    return f"{share * 100:+.1f}"


def uplift_rows(found: Sequence[Uplift]) -> list[dict[str, object]]:
    """What each action brought, as rows for people."""
    return [_row(one) for one in found]


def _row(one: Uplift) -> dict[str, object]:
    rate, amount = one.rate, one.amount
    said = {"action": one.action, "approached": one.treated, "left alone": one.control}
    if rate is None:
        names = (
            "responded",
            "left alone responded",
            "uplift (points)",
            "amount per customer",
            "approach for one more",
        )
        return {**said, **dict.fromkeys(names, ""), "customers to tell": "", "": one.reason}
    return {
        **said,
        "responded": f"{one.treated_rate:.1%}",
        "left alone responded": f"{one.control_rate:.1%}",
        "uplift (points)": f"{_told(rate.value)} ({_told(rate.low)} to {_told(rate.high)})",
        "amount per customer": ""
        if amount is None
        else f"{amount.value:+.2f} ({amount.low:+.2f} to {amount.high:+.2f})",
        "approach for one more": "" if one.needed_to_approach is None else f"{one.needed_to_approach:,.0f}",
        "customers to tell": "" if one.needed_to_tell is None else f"{one.needed_to_tell:,}",
        "": "" if rate.tells else "the interval has 0: no effect is told yet",
    }
