"""Pictures of the business case: the graph from quality to goals, which input matters most, the optimum of upkeep.

Belongs here: drawing, as SVG text. Does not belong here: the amounts (``business_case``, ``fault_costs``).
"""

from collections.abc import Sequence
from decimal import Decimal
from html import escape

from cdm_pipelines.figures import Picture
from cdm_pipelines.insight.business_case import Amount, Case, Matter
from cdm_pipelines.insight.business_case_policy import BusinessCasePolicy
from cdm_pipelines.insight.fault_costs import Optimum
from cdm_pipelines.insight.scorecard_picture import svg

_ROW, _TOP, _LEFT, _WIDE = 30, 50, 300, 400
_GOAL_COLOURS = ("#2a7f62", "#4c78a8", "#f58518", "#b279a2")
_STEPS, _FITS = 60, 40


def money(amount: Decimal | float, currency: str) -> str:
    """An amount without cents, for pictures."""
    return f"{currency} {float(amount):,.0f}"


def graph(policy: BusinessCasePolicy, case: Case) -> Picture:
    """Dimensions of quality on the left, drivers with their amounts in the middle, goals on the right."""
    dimensions = list(dict.fromkeys(one for driver in policy.drivers.values() for one in driver.quality))
    goals, drivers = list(policy.goals), list(policy.drivers)
    rows = max(len(dimensions), len(goals), len(drivers))
    height = _TOP + 46 * rows + 10
    colours = {goal: _GOAL_COLOURS[at % len(_GOAL_COLOURS)] for at, goal in enumerate(goals)}

    def y(at: int, number: int) -> float:
        return _TOP + (height - _TOP - 20) * (at + 0.5) / number

    shapes: list[str] = []
    points: dict[str, float] = {}
    for at, (_name, driver) in enumerate(policy.drivers.items()):
        middle, colour = y(at, len(drivers)), colours[driver.goal]
        for one in driver.quality:
            left = y(dimensions.index(one), len(dimensions))
            shapes.append(_curve(150, left, 280, middle, colour))
        shapes.append(_curve(530, middle, 590, y(goals.index(driver.goal), len(goals)), colour))
    for at, one in enumerate(dimensions):
        shapes.append(_box((16, y(at, len(dimensions))), 134, [one], "#666"))
    amounts = {(one.kind, one.name): one for one in case.amounts}
    for at, name in enumerate(drivers):
        told = _told(amounts["driver", name], policy.currency)
        shapes.append(
            _box(
                (280, y(at, len(drivers))),
                250,
                [name.replace("_", " "), told],
                colours[policy.drivers[name].goal],
            )
        )
    for at, name in enumerate(goals):
        amount = amounts["goal", name]
        shapes.append(
            _box(
                (590, y(at, len(goals))),
                258,
                [policy.goals[name], _told(amount, policy.currency)],
                colours[name],
            )
        )
        points |= {name: float(amount.likely)} if amount.likely is not None else {}
    told = "From quality over drivers to goals, a year: " + "; ".join(
        f"{name} {_told(amounts['goal', name], policy.currency)}" for name in goals
    )
    return Picture(svg("From quality to goals, amounts a year", shapes, height), told, points)


def _told(one: Amount, currency: str) -> str:
    if one.likely is None:
        return f"not told: {len(one.missing)} missing"
    more = f", {len(one.missing)} missing" if one.missing else ""
    low, high = one.low or Decimal(0), one.high or Decimal(0)
    return f"{money(one.likely, currency)} ({low:,.0f} to {high:,.0f}{more})"


def _curve(x: float, y: float, to_x: float, to_y: float, colour: str) -> str:
    half = (x + to_x) / 2
    return (
        f'<path d="M{x} {y:.1f}C{half} {y:.1f} {half} {to_y:.1f} {to_x} {to_y:.1f}" fill="none" '
        f'stroke="{colour}" stroke-opacity=".5" stroke-width="2"/>'
    )


def _box(at: tuple[float, float], wide: int, words: Sequence[str], colour: str) -> str:
    x, y = at
    tall = 16 * len(words) + 6
    box = f'<rect x="{x}" y="{y - tall / 2:.1f}" width="{wide}" height="{tall}" rx="4" fill="#fff" stroke="{colour}"/>'
    lines = [
        f'<text x="{x + 8}" y="{y - tall / 2 + 15 + 16 * at:.1f}">{escape(_short(one))}</text>'
        for at, one in enumerate(words)
    ]
    return box + "".join(lines)


def tornado(matters: Sequence[Matter], likely: Decimal | None, currency: str, most: int = 12) -> Picture:
    """The total with each input low and high, widest first."""
    title = "Which input matters most: the total with it low and high"
    if not matters or likely is None:
        return Picture(svg(title, [_nothing("No input has a range yet.")], 100), f"{title}: nothing yet", {})
    shown = matters[:most]
    ends = [float(end) for one in shown for end in (one.low, one.high)]
    low, high = min(ends), max(ends)

    def x(amount: float) -> float:
        return _LEFT + _WIDE * (amount - low) / ((high - low) or 1)

    middle = x(float(likely))
    shapes = [f'<path d="M{middle:.1f} {_TOP - 8}V{_TOP + _ROW * len(shown)}" stroke="#999"/>']
    for at, one in enumerate(shown):
        top, left, right = _TOP + _ROW * at, *sorted((x(float(one.low)), x(float(one.high))))
        shapes.append(
            f'<rect x="{left:.1f}" y="{top}" width="{max(right - left, 1):.1f}" height="{_ROW - 10}" fill="#4c78a8"/>'
            f'<text x="{_LEFT - 10}" y="{top + 14}" text-anchor="end">{escape(one.input.replace("_", " "))}</text>'
            f'<text x="{_LEFT + _WIDE + 10}" y="{top + 14}">{money(one.low, currency)} to {one.high:,.0f}</text>'
        )
    points = {one.input: float(one.span) for one in shown}
    told = f"{title}: " + ", ".join(f"{one.input} {money(one.span, currency)}" for one in shown)
    return Picture(svg(title, shapes, _TOP + _ROW * len(shown) + 20), told, points)


def upkeep(found: Optimum | None, currency: str) -> Picture:
    """Cost of upkeep, of poor data, and of both, by what is spent on upkeep."""
    title = "Upkeep against the cost of poor data"
    if found is None:
        words = "Not told: say under upkeep in business_case.yaml what upkeep costs and what more of it would remove."
        return Picture(svg(title, [_nothing(words)], 100), f"{title}: nothing yet", {})
    end = max(found.now, found.upkeep) * 2 or 1.0
    spent = [end * at / _STEPS for at in range(_STEPS + 1)]
    most = max(one + found.poor_at(one) for one in spent)

    def place(upkeep: float, cost: float) -> str:
        return f"{70 + 620 * upkeep / end:.1f},{_TOP + 240 * (1 - cost / most):.1f}"

    lines = (
        ("upkeep", "#54a24b", [place(one, one) for one in spent]),
        ("poor data", "#c8553d", [place(one, found.poor_at(one)) for one in spent]),
        ("both", "#4c78a8", [place(one, one + found.poor_at(one)) for one in spent]),
    )
    shapes = [f'<path d="M70 {_TOP}V{_TOP + 240}H690" fill="none" stroke="#999"/>']
    for at, (name, colour, points) in enumerate(lines):
        shapes.append(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        shapes.append(f'<text x="710" y="{_TOP + 20 + 20 * at}" fill="{colour}">{name}</text>')
    for name, amount in (("now", found.now), ("least", found.upkeep)):
        x, _ = place(amount, 0).split(",")
        shapes.append(f'<path d="M{x} {_TOP}V{_TOP + 240}" stroke="#999" stroke-dasharray="4 3"/>')
        words = f"{name}: {money(amount, currency)}"
        shapes.append(
            f'<text x="{x}" y="{_TOP + (256 if name == "now" else 272)}" text-anchor="middle">{words}</text>'
        )
    told = (
        f"{title}: least at {money(found.upkeep, currency)} of upkeep a year, where poor data costs "
        f"{money(found.poor, currency)}; {money(found.saved, currency)} less than now"
    )
    figures = {"now": found.now, "least at": found.upkeep, "saved": found.saved}
    return Picture(
        svg(title, shapes, _TOP + 290), told, {name: round(one, 2) for name, one in figures.items()}
    )


def _short(words: str) -> str:
    return words if len(words) <= _FITS else f"{words[: _FITS - 1]}…"


def _nothing(words: str) -> str:
    return f'<text x="16" y="60" fill="#666">{escape(words)}</text>'
