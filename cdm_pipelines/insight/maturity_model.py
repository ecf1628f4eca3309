"""What each level of maturity asks for: criteria that are measured, and questions that only people can answer.

Belongs here: dimensions, levels and criteria, as declarations. Does not belong here: measuring (steps.insight), judging
(``maturity``), answers (``policies/maturity.yaml``).

The five dimensions and levels follow the capability models that the field has in common (1 happens by chance, 2 is
repeated, 3 is defined, 4 is measured, 5 is improved by what was measured). Which measurement stands for a level is this
project's own choice: nothing else is asked for a level than what is written here, and a level needs all below it.
"""

from dataclasses import dataclass
from enum import StrEnum

from cdm_pipelines.insight.report_words import Told, Unit

HIGHEST = 5


class Dimension(StrEnum):
    """What maturity is told of."""

    VISION = "vision"
    DATA = "data"
    TECHNOLOGY = "technology"
    ORGANISATION = "organisation"
    GOVERNANCE = "governance"


TITLES = {
    Dimension.VISION: Told(en="Vision", nl="Visie"),
    Dimension.DATA: Told(en="Data", nl="Data"),
    Dimension.TECHNOLOGY: Told(en="Technology", nl="Techniek"),
    Dimension.ORGANISATION: Told(en="Organisation", nl="Organisatie"),
    Dimension.GOVERNANCE: Told(en="Governance", nl="Governance"),
}


@dataclass(frozen=True)
class Fact:
    """Something that is measured.

    Attributes:
        told: What it is.
        unit: What it is counted in.
    """

    told: Told
    unit: Unit


FACTS = {
    "sources": Fact(Told(en="sources that deliver", nl="bronnen die leveren"), Unit.COUNT),
    "groups": Fact(
        Told(
            en="groups of data that are delivered, of master data, transactions, interactions and consent",
            nl="groepen gegevens die worden geleverd, van stamgegevens, transacties, interacties en toestemming",
        ),
        Unit.COUNT,
    ),
    "quality": Fact(
        Told(
            en="mean confidence in a customer's data", nl="gemiddeld vertrouwen in de gegevens van een klant"
        ),
        Unit.SHARE,
    ),
    "fresh": Fact(
        Told(
            en="source entities whose newest day is within a week of the newest of all",
            nl="brontabellen waarvan de nieuwste dag binnen een week van de nieuwste van alle ligt",
        ),
        Unit.SHARE,
    ),
    "shared": Fact(
        Told(en="customers known by two sources or more", nl="klanten die twee of meer bronnen kennen"),
        Unit.SHARE,
    ),
    "lineage": Fact(
        Told(
            en="customers whose values lead back to source records",
            nl="klanten van wie de waarden terugleiden naar bronrecords",
        ),
        Unit.SHARE,
    ),
    "checks": Fact(Told(en="checks that passed", nl="controles die slaagden"), Unit.SHARE),
    "outlets": Fact(
        Told(
            en="systems that are told of changes, and keys of the API that are in use",
            nl="systemen die wijzigingen te horen krijgen, en API-sleutels in gebruik",
        ),
        Unit.COUNT,
    ),
    "models": Fact(
        Told(
            en="models of value and churn that the data could carry, of two",
            nl="modellen voor waarde en verloop die de gegevens konden dragen, van twee",
        ),
        Unit.COUNT,
    ),
    "departments": Fact(
        Told(
            en="roles that read customer data through our tools in the 90 days up to the end of the month",
            nl="rollen die in de 90 dagen tot het einde van de maand klantgegevens lazen met onze middelen",
        ),
        Unit.COUNT,
    ),
    "decisions": Fact(Told(en="decisions of data stewards", nl="beslissingen van data stewards"), Unit.COUNT),
    "owners": Fact(
        Told(en="source entities with an owner of their own", nl="brontabellen met een eigen eigenaar"),
        Unit.SHARE,
    ),
    "reviews": Fact(
        Told(
            en="reviews of ownership that are overdue", nl="herzieningen van eigenaarschap die te laat zijn"
        ),
        Unit.COUNT,
    ),
    "consent": Fact(
        Told(
            en="customers of whom it is known what they said about marketing",
            nl="klanten van wie bekend is wat zij over marketing hebben gezegd",
        ),
        Unit.SHARE,
    ),
    "requests": Fact(
        Told(
            en="requests of persons that were answered in time",
            nl="verzoeken van personen die op tijd zijn beantwoord",
        ),
        Unit.SHARE,
    ),
    "measured": Fact(
        Told(en="key figures that are measured", nl="kengetallen die worden gemeten"), Unit.COUNT
    ),
    "targets": Fact(
        Told(en="measured key figures that have a target", nl="gemeten kengetallen die een doel hebben"),
        Unit.SHARE,
    ),
    "met": Fact(Told(en="targets that are met", nl="doelen die worden gehaald"), Unit.SHARE),
    "months": Fact(
        Told(en="months of which key figures are kept", nl="maanden waarvan kengetallen zijn bewaard"),
        Unit.COUNT,
    ),
}

QUESTIONS = {
    "goal_written": Told(
        en="Is it written down what the company wants with customer data, and why?",
        nl="Staat op papier wat het bedrijf met klantgegevens wil, en waarom?",
    ),
    "sponsor": Told(
        en="Does a member of the board answer for customer data?",
        nl="Is een lid van de directie verantwoordelijk voor klantgegevens?",
    ),
    "board_reviews": Told(
        en="Does the board discuss these figures at least every quarter?",
        nl="Bespreekt de directie deze cijfers minstens ieder kwartaal?",
    ),
    "steers": Told(
        en="Has a decision of the last year been taken because of these figures?",
        nl="Is in het afgelopen jaar een besluit genomen vanwege deze cijfers?",
    ),
    "stewards_have_time": Told(
        en="Do data stewards have time for it in their working week?",
        nl="Hebben data stewards er in hun werkweek tijd voor?",
    ),
    "trained": Told(
        en="Were the people who enter customer data trained in the last two years?",
        nl="Zijn de mensen die klantgegevens invoeren in de laatste twee jaar opgeleid?",
    ),
    "judged_by_quality": Told(
        en="Are departments judged by the quality of the data that they enter?",
        nl="Worden afdelingen beoordeeld op de kwaliteit van de gegevens die zij invoeren?",
    ),
    "council": Told(
        en="Do the owners of data meet regularly and decide together?",
        nl="Komen de eigenaren van gegevens geregeld bijeen en beslissen zij samen?",
    ),
    "audited": Told(
        en="Has somebody from outside audited the handling of customer data in the last two years?",
        nl="Heeft iemand van buiten in de laatste twee jaar de omgang met klantgegevens gecontroleerd?",
    ),
    "restore_tried": Told(
        en="Was restoring a backup tried in the last year?",
        nl="Is in het afgelopen jaar het terugzetten van een back-up geprobeerd?",
    ),
}


@dataclass(frozen=True)
class Measured:
    """A criterion that is met from so much on; ``at_most`` turns it round."""

    fact: str
    at_least: float = 0.0
    at_most: float | None = None


@dataclass(frozen=True)
class Answered:
    """A criterion that is met when people answered yes."""

    question: str


Criterion = Measured | Answered

LEVELS: dict[Dimension, dict[int, tuple[Criterion, ...]]] = {
    Dimension.VISION: {
        2: (Measured("measured", 1), Answered("goal_written")),
        3: (Measured("measured", 5), Answered("sponsor")),
        4: (Measured("measured", 8), Measured("targets", 0.8), Answered("board_reviews")),
        5: (Measured("months", 12), Measured("met", 0.8), Answered("steers")),
    },
    Dimension.DATA: {
        2: (Measured("sources", 2), Measured("quality", 0.6)),
        3: (Measured("groups", 3), Measured("quality", 0.75)),
        4: (Measured("groups", 4), Measured("quality", 0.85), Measured("fresh", 0.9)),
        5: (Measured("quality", 0.95), Measured("fresh", 1), Measured("shared", 0.5)),
    },
    Dimension.TECHNOLOGY: {
        2: (Measured("checks", 0.8),),
        3: (Measured("checks", 0.95), Measured("lineage", 1)),
        4: (Measured("outlets", 1), Answered("restore_tried")),
        5: (Measured("outlets", 3), Measured("models", 2)),
    },
    Dimension.ORGANISATION: {
        2: (Measured("departments", 1),),
        3: (Measured("departments", 2), Answered("stewards_have_time")),
        4: (Measured("departments", 4), Measured("decisions", 1), Answered("trained")),
        5: (Measured("departments", 6), Answered("judged_by_quality")),
    },
    Dimension.GOVERNANCE: {
        2: (Measured("owners", 0.5),),
        3: (Measured("owners", 1), Measured("reviews", at_most=0), Measured("consent", 0.25)),
        4: (Measured("consent", 0.5), Measured("requests", 0.95), Answered("council")),
        5: (Measured("requests", 1), Measured("consent", 0.75), Answered("audited")),
    },
}
"""Criteria of each level; level 1 asks for nothing."""
