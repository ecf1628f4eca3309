"""The business case: quality -> drivers -> goals, in euros, from measured volumes and a company's own inputs.

Belongs here: amounts with their spread, which input matters most, what an improvement is worth. Does not belong here:
what is counted (``business_case_measures``), what a company says (``business_case_policy``), the formulas.

The likely amount is worked out in decimals with every input at its likely value, each term rounded to the cent, and
sums are of what was rounded: it can be checked by hand. Low and high come from a simulation: inputs are drawn between
their bounds, one stream per input by its name, so that another input changes no draw of this one; in 95 of 100 draws
the amount is above low, in 95 of 100 below high. Volumes are counted and not drawn.

A term without all its inputs has no amount, and says which are missing. Nothing is filled in.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from cdm_pipelines.insight.business_case_formulas import FORMULAS
from cdm_pipelines.insight.business_case_measures import VOLUMES, Better
from cdm_pipelines.insight.business_case_policy import BusinessCasePolicy, Range, Term

Volumes = Mapping[str, Mapping[str, float] | None]
"""Counted, by name and source; None where it cannot be measured."""
Improvements = Mapping[str, float]
"""Share by which a volume gets better, by ``name`` or ``name:source``."""
Draws = npt.NDArray[np.float64]
CENT = Decimal("0.01")
_TAIL = 5.0
_NOT_MEASURED = "not measurable yet: "


class ImprovementError(ValueError):
    """An improvement names what cannot be improved; the message says what can."""


@dataclass(frozen=True)
class Amount:
    """One amount a year.

    Attributes:
        kind: fault, gain, driver, goal, claim or total.
        name: In the policy.
        likely: With every input at its likely value; None where it cannot be told.
        low: Above which 95 of 100 draws are.
        high: Below which 95 of 100 draws are.
        volume: What was counted, of a term; None for a sum.
        unit: Of the volume.
        formula: How the amount follows, in words, with the names of volumes and inputs.
        missing: Inputs that are not given, and volumes that cannot be measured.
    """

    kind: str
    name: str
    likely: Decimal | None
    low: Decimal | None
    high: Decimal | None
    volume: float | None
    unit: str
    formula: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Matter:
    """How much one input matters: the total with it low and high, all others likely."""

    input: str
    low: Decimal
    high: Decimal

    @property
    def span(self) -> Decimal:
        """Between the two."""
        return abs(self.high - self.low)


@dataclass(frozen=True)
class Case:
    """All amounts, in the order faults, gains, drivers, goals, total, claims; and the inputs that matter most."""

    amounts: tuple[Amount, ...]
    matters: tuple[Matter, ...]

    def of(self, kind: str) -> list[Amount]:
        """Those of a kind."""
        return [one for one in self.amounts if one.kind == kind]

    @property
    def total(self) -> Amount:
        """Of all drivers."""
        return self.of("total")[0]

    @property
    def missing(self) -> tuple[str, ...]:
        """Inputs that a fault or gain waits for."""
        return tuple(sorted({name for one in self.of("total") for name in one.missing}))


def worked_out(policy: BusinessCasePolicy, volumes: Volumes) -> Case:
    """The whole case.

    Args:
        policy: What the company says.
        volumes: What was counted.
    """
    terms = {name: _term(policy, name, term, volumes) for name, term in policy.terms().items()}
    drawn = {name: _drawn(policy, term, volumes) for name, term in policy.terms().items()}
    found = [*terms.values()]
    drivers = {name: list(driver.terms) for name, driver in policy.drivers.items()}
    for name, names in drivers.items():
        found.append(_sum("driver", name, names, terms, drawn))
    for goal in policy.goals:
        names = [
            term for name, driver in policy.drivers.items() if driver.goal == goal for term in drivers[name]
        ]
        found.append(_sum("goal", goal, names, terms, drawn))
    every = [term for names in drivers.values() for term in names]
    found.append(_sum("total", "all", every, terms, drawn))
    for name, claim in policy.claims.items():
        if claim.enabled:
            found.append(_term(policy, name, claim, volumes, "claim"))
    return Case(tuple(found), tuple(_matters(policy, every, volumes)))


def improved(volumes: Volumes, improvements: Improvements) -> dict[str, Mapping[str, float] | None]:
    """Volumes after some have got better by a share: faults fewer, a share of what is sound nearer to 1.

    Raises:
        ImprovementError: There is no such volume, or it is no fault.
    """
    found: dict[str, Mapping[str, float] | None] = dict(volumes)
    for key, share in improvements.items():
        name, _, source = key.partition(":")
        possible = [one for one, volume in VOLUMES.items() if volume.better is not Better.BASE]
        if name not in possible:
            raise ImprovementError(f"{name} cannot be improved. Use one of: {', '.join(possible)}.")
        if not 0 < share <= 1:
            raise ImprovementError(
                f"{key} is to improve by {share:g}; give a share above 0 and at most 100 %."
            )
        before = found.get(name)
        if before is None:
            continue
        if source and source not in before:
            known = ", ".join(filter(None, before)) or "no single source"
            raise ImprovementError(f"{name} is not counted of {source}. It is of: {known}.")
        found[name] = {
            one: _better(name, value, share) if source in {"", one} else value
            for one, value in before.items()
        }
    return found


def _better(name: str, value: float, share: float) -> float:
    return value + share * (1 - value) if VOLUMES[name].better is Better.MORE else value * (1 - share)


def _volume(volumes: Volumes, key: str) -> float | None:
    name, _, source = key.partition(":")
    counts = volumes.get(name)
    if counts is None or (source and source not in counts):
        return None
    return counts[source] if source else sum(counts.values())


def _missing(policy: BusinessCasePolicy, term: Term, volumes: Volumes) -> tuple[str, ...]:
    unknown = [f"{_NOT_MEASURED}{one}" for one in term.measured if _volume(volumes, one) is None]
    return (*(name for name in term.inputs if not policy.inputs[name].given), *unknown)


def _term(policy: BusinessCasePolicy, name: str, term: Term, volumes: Volumes, kind: str = "") -> Amount:
    missing = _missing(policy, term, volumes)
    kind = kind or ("fault" if name in policy.faults else "gain")
    volume, measure = _volume(volumes, term.measured[0]), VOLUMES[term.measured[0].partition(":")[0]]
    formula = f"{FORMULAS[term.formula].words}: {' x '.join((*term.measured, *term.inputs))}"
    if missing:
        return Amount(kind, name, None, None, None, volume, measure.unit, formula, missing)
    likely = _likely(policy, term, volumes, {})
    low, high = _spread(_drawn(policy, term, volumes), likely)
    return Amount(kind, name, likely, low, high, volume, measure.unit, formula, ())


def _likely(
    policy: BusinessCasePolicy, term: Term, volumes: Volumes, instead: Mapping[str, float]
) -> Decimal:
    """To the cent, with every input at its likely value, or at another one."""
    counts = [Decimal(repr(round(_volume(volumes, one) or 0.0, 6))) for one in term.measured]
    inputs = [Decimal(repr(instead.get(name, policy.inputs[name].bounds[1]))) for name in term.inputs]
    exact: Decimal = FORMULAS[term.formula].work_out(counts, inputs)
    return exact.quantize(CENT, ROUND_HALF_UP)


def _drawn(policy: BusinessCasePolicy, term: Term, volumes: Volumes) -> Draws | None:
    """Draws of the amount; None where it cannot be told."""
    if _missing(policy, term, volumes):
        return None
    counts = [_volume(volumes, one) or 0.0 for one in term.measured]
    inputs = [draws_of(policy, name) for name in term.inputs]
    drawn: Any = FORMULAS[term.formula].work_out(counts, inputs)
    return np.asarray(drawn, dtype=np.float64)


def draws_of(policy: BusinessCasePolicy, name: str) -> Draws:
    """Draws of an input between its bounds; the same for a seed and a name, whatever else there is."""
    generator = np.random.Generator(np.random.PCG64([policy.seed, zlib.crc32(name.encode())]))
    return _shaped(policy.inputs[name], generator, policy.draws)


def _shaped(one: Range, generator: np.random.Generator, number: int) -> Draws:
    low, likely, high = one.bounds
    if low == high:
        return np.full(number, likely)
    if one.shape == "triangular":
        return generator.triangular(low, likely, high, number)
    ahead, behind = 1 + 4 * (likely - low) / (high - low), 1 + 4 * (high - likely) / (high - low)
    return low + (high - low) * generator.beta(ahead, behind, number)


def _spread(drawn: Draws | None, likely: Decimal) -> tuple[Decimal, Decimal]:
    """Low and high; of what does not vary the amount itself, to the cent."""
    if drawn is None or np.ptp(drawn) == 0:
        return likely, likely
    low, high = np.percentile(drawn, [_TAIL, 100 - _TAIL])
    return tuple(Decimal(repr(float(one))).quantize(CENT, ROUND_HALF_UP) for one in (low, high))  # type: ignore[return-value]


def _sum(
    kind: str,
    name: str,
    names: Iterable[str],
    terms: Mapping[str, Amount],
    drawn: Mapping[str, Draws | None],
) -> Amount:
    """Of the terms that have an amount; those that have none are told as missing."""
    names = list(names)
    missing = tuple(dict.fromkeys(lacking for one in names for lacking in terms[one].missing))
    told = [one for one in names if terms[one].likely is not None]
    formula = " + ".join(names)
    if not told:
        return Amount(kind, name, None, None, None, None, "", formula, missing)
    likely = sum((terms[one].likely or Decimal(0) for one in told), Decimal(0))
    draws = sum((one for name in told if (one := drawn[name]) is not None), np.zeros(1))
    low, high = _spread(draws, likely)
    return Amount(kind, name, likely, low, high, None, "", formula, missing)


def _matters(policy: BusinessCasePolicy, names: Iterable[str], volumes: Volumes) -> list[Matter]:
    """Every input that is given and has a range, those that move the total most first."""
    terms = [policy.terms()[name] for name in names]
    told = [term for term in terms if not _missing(policy, term, volumes)]
    found = []
    for name in sorted({one for term in told for one in term.inputs}):
        low, _, high = policy.inputs[name].bounds
        ends = [
            sum((_likely(policy, term, volumes, {name: end}) for term in told), Decimal(0))
            for end in (low, high)
        ]
        if ends[0] != ends[1]:
            found.append(Matter(name, *ends))
    return sorted(found, key=lambda one: (-one.span, one.input))


def gain_of(policy: BusinessCasePolicy, volumes: Volumes, improvements: Improvements) -> dict[str, Decimal]:
    """What improvements are worth a year, by driver and in all; drivers without an amount are left out.

    Raises:
        ImprovementError: There is no such volume, or it is no fault.
    """
    now, then = worked_out(policy, volumes), worked_out(policy, improved(volumes, improvements))
    found: dict[str, Decimal] = {}
    for before, after in zip(now.amounts, then.amounts, strict=True):
        if before.kind in {"driver", "total"} and before.likely is not None and after.likely is not None:
            found[before.name if before.kind == "driver" else "total"] = before.likely - after.likely
    return found
