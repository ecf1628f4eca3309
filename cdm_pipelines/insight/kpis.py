"""Key figures of a month: what was asked, what came of it, and how it is told.

Belongs here: the outcome of a key figure beside its declaration. Does not belong here: which there are
(``kpi_policy``), asking the hub (steps.insight).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdm_pipelines.insight.kpi_policy import Kpi
from cdm_pipelines.insight.report_words import Language, Told, number, written

NOT_YET = Told(en="not measurable yet, because", nl="nog niet meetbaar, want")
_FEW = Told(
    en="it would rest on {base} cases, and at least {smallest} are asked",
    nl="het zou op {base} gevallen berusten, en er zijn er minstens {smallest} nodig",
)
_MISSING = Told(
    en="table {table} is not there: what fills it is off, or has not run",
    nl="tabel {table} is er niet: wat haar vult staat uit of heeft nog niet gedraaid",
)


@dataclass(frozen=True)
class KpiFound:
    """A key figure of a month.

    Attributes:
        key: As the policy names it.
        kpi: Its declaration.
        query: As it was run.
        value: The figure; None where it cannot be measured.
        base: How many cases it rests on.
        because: Why it cannot be measured; None where it can.
    """

    key: str
    kpi: Kpi
    query: str
    value: float | None
    base: int
    because: Told | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a figure or a target."""
        return self.kpi.met(self.value)

    def row(self) -> dict[str, Any]:
        """As it is kept, without month and day."""
        return {
            "kpi": self.key,
            "value": self.value,
            "base": self.base,
            "unit": str(self.kpi.unit),
            "target": self.kpi.target,
            "met": self.met,
            "because": self.because.model_dump() if self.because else None,
            "definition": self.kpi.fingerprint,
        }


def without_table(table: str) -> Told:
    """Why there is no figure: a table that it needs is not there."""
    return _MISSING.filled(table=table)


def too_few(base: int, smallest: int) -> Told:
    """Why there is no figure: it would rest on too few cases."""
    return _FEW.filled(base=base, smallest=smallest)


def missed(found: Sequence[KpiFound]) -> list[KpiFound]:
    """Those that do not reach their target."""
    return [one for one in found if one.met is False]


def shown(one: KpiFound, language: Language, currency: str) -> dict[str, str]:
    """A key figure in words, as a row of a table."""
    dutch, kpi = language == Language.DUTCH, one.kpi
    words = {True: "ja" if dutch else "yes", False: "nee" if dutch else "no", None: ""}
    because = (one.because or kpi.without).read(language)
    return {
        "key": one.key,
        "title": kpi.title.read(language),
        "value": f"{NOT_YET.read(language)} {because}"
        if one.value is None
        else written(one.value, kpi.unit, language, currency),
        "target": "" if kpi.target is None else written(kpi.target, kpi.unit, language, currency),
        "met": words[one.met],
        "base": number(one.base, language),
        "owner": kpi.owner,
    }
