"""Touch points: where customers meet the company, what each delivers, and what stays hidden there.

Belongs here: ``policies/touch_points.yaml``, what is told of a touch point, gaps in their order. Does not belong here:
counting (steps.insight), or where identity is lost (``handover``).
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.insight.kpi_policy import Key
from cdm_pipelines.insight.report_words import Language, Told, Unit, number, written
from cdm_pipelines.privacy.policy_files import PolicyFile, Strict

FILE = "touch_points.yaml"


class TouchPoint(Strict):
    """A place or channel where customers meet the company.

    Attributes:
        title: Its name.
        contacts: Sources of interactions that happen there.
        orders: Sources whose orders are placed there.
        contacts_per_month: How many there are, as the company counts them; None where nobody knows.
    """

    title: Told
    contacts: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    contacts_per_month: Annotated[int, Field(ge=0, strict=True)] | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources that tell of it."""
        return tuple(dict.fromkeys([*self.contacts, *self.orders]))


class TouchPointPolicy(PolicyFile):
    """All touch points of a company.

    Attributes:
        version: Of the form of this file.
        within_days: A contact at another touch point within so many days is a hand-over.
        touch_points: By key, in the order in which they are shown.
    """

    FILE = FILE
    MANUAL = "docs/report.md"

    version: Literal[1]
    within_days: Annotated[int, Field(ge=1, le=366, strict=True)] = 30
    touch_points: Annotated[dict[Key, TouchPoint], Field(min_length=1)]

    @model_validator(mode="after")
    def _once(self) -> "TouchPointPolicy":
        for kind in ("contacts", "orders"):
            seen: dict[str, str] = {}
            for name, one in self.touch_points.items():
                for source in getattr(one, kind):
                    if source in seen:
                        raise ValueError(
                            f"touch_points.{name}.{kind}: {source} is of {seen[source]} already; a contact is of one "
                            "touch point"
                        )
                    seen[source] = name
        return self

    def problems(self, contacts: Collection[str], orders: Collection[str]) -> Iterator[str]:
        """Sources that it names and that deliver no such thing, each with its key and the fix.

        Args:
            contacts: Sources of interactions.
            orders: Sources of orders.
        """
        for name, one in self.touch_points.items():
            for kind, named, known in (("contacts", one.contacts, contacts), ("orders", one.orders, orders)):
                for source in named:
                    if source not in known:
                        yield (
                            f"{FILE}: touch_points.{name}.{kind}: no source of that name delivers any: {source}. "
                            f"{instead(source, sorted(known))}"
                        )


def unknown_sources(policy: TouchPointPolicy) -> list[str]:
    """Sources that a policy names and that deliver no such thing, by all contracts there are."""
    delivering = {
        kind: {one.source for one in all_contracts() if kind in one.entities}
        for kind in (Entity.INTERACTION, Entity.ORDER)
    }
    return list(policy.problems(delivering[Entity.INTERACTION], delivering[Entity.ORDER]))


@dataclass(frozen=True)
class Seen:
    """What a touch point delivered.

    Attributes:
        key: As the policy names it.
        contacts: In all; None where it delivers none.
        recognised: Those of which it is known whose they are.
        newest_on: Newest day that arrived.
        complete: Share of the days of the month, up to the last of the data, on which its sources delivered.
        per_month: Contacts a month as the company counts them, of one that delivers none.
    """

    key: str
    contacts: int | None = None
    recognised: int | None = None
    newest_on: dt.date | None = None
    complete: float | None = None
    per_month: int | None = None

    @property
    def delivers(self) -> bool:
        """Whether anything of it arrives."""
        return self.contacts is not None

    @property
    def share(self) -> float | None:
        """How often a person is recognised there; None without contacts."""
        if not self.contacts or self.recognised is None:
            return None
        return self.recognised / self.contacts

    @property
    def hidden(self) -> int | None:
        """Contacts of nobody; of one that delivers nothing those of a month; None where nobody knows how many."""
        if self.contacts is None or self.recognised is None:
            return self.per_month
        return self.contacts - self.recognised

    def row(self) -> dict[str, Any]:
        """As it is kept, without month and day."""
        return {
            "touch_point": self.key,
            "contacts": self.contacts,
            "recognised": self.recognised,
            "newest_on": self.newest_on,
            "complete": self.complete,
            "hidden": self.hidden,
        }


def gaps(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Kept rows of touch points that hide something, those that hide most first.

    One that delivers nothing and of which nobody knows how much happens comes before all: what it hides has no bound.
    """
    hiding = [row for row in rows if row["hidden"] is None or row["hidden"] > 0]
    return sorted(
        hiding, key=lambda row: (row["hidden"] is not None, -(row["hidden"] or 0), row["touch_point"])
    )


RECOGNISED = Told(en="{} known", nl="{} bekend")
NOTHING = Told(en="delivers nothing", nl="levert niets")
_UNKNOWN = Told(en="everything; nobody said how much", nl="alles; niemand zei hoeveel")
_A_MONTH = Told(en="{} a month", nl="{} per maand")


def below(row: dict[str, Any]) -> Told:
    """What stands below the name of a kept touch point: how often people are recognised there."""
    if row["contacts"] is None:
        return NOTHING
    share = row["recognised"] / row["contacts"] if row["contacts"] else 0.0
    english, dutch = (written(share, Unit.SHARE, language) for language in (Language.ENGLISH, Language.DUTCH))
    return Told(en=RECOGNISED.en.format(english), nl=RECOGNISED.nl.format(dutch))


def told(row: dict[str, Any], policy: TouchPointPolicy, language: Language) -> dict[str, str]:
    """A kept row in words, as a row of a table."""
    one = policy.touch_points.get(row["touch_point"])
    contacts, recognised = row["contacts"], row["recognised"]
    hidden = row["hidden"]
    words = _UNKNOWN.read(language) if hidden is None else number(hidden, language)
    if contacts is None and hidden is not None:
        words = _A_MONTH.read(language).format(words)
    return {
        "touch point": one.title.read(language) if one else row["touch_point"],
        "contacts": NOTHING.read(language) if contacts is None else number(contacts, language),
        "recognised": "" if not contacts else written(recognised / contacts, Unit.SHARE, language),
        "newest": str(row["newest_on"] or ""),
        "complete": "" if row["complete"] is None else written(row["complete"], Unit.SHARE, language),
        "hidden": words,
    }
