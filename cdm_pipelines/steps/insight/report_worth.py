"""Sections of the report about quality and what it is worth, from figures that are kept as a history.

Belongs here: figures, queries and words of each. Does not belong here: measuring (``quality``, ``business_case``), or
the order of all sections (``report``).
"""

from cdm_pipelines.insight.report_model import Chart, ChartKind, Point, Section, Table, cell
from cdm_pipelines.insight.report_words import Told, Unit, same
from cdm_pipelines.insight.scorecard import Dimension
from cdm_pipelines.steps.insight.report_reading import Reading

_DIMENSIONS = {
    Dimension.COMPLETENESS: Told(en="Completeness", nl="Volledigheid"),
    Dimension.VALIDITY: Told(en="Validity", nl="Geldigheid"),
    Dimension.UNIQUENESS: Told(en="Uniqueness", nl="Uniciteit"),
    Dimension.CONSISTENCY: Told(en="Consistency", nl="Consistentie"),
    Dimension.TIMELINESS: Told(en="Timeliness", nl="Tijdigheid"),
    Dimension.ACCURACY: Told(en="Accuracy", nl="Juistheid"),
}
_NEWEST = """(SELECT DISTINCT ON (source, entity, attribute, dimension, measure) * FROM insight.quality
      WHERE as_of <= :as_of ORDER BY source, entity, attribute, dimension, measure, as_of DESC) AS newest"""
_OF_DIMENSION = f"""SELECT sum(numerator) / nullif(sum(denominator), 0) AS value
FROM {_NEWEST}
WHERE dimension = '{{}}'"""  # noqa: S608 - ours
_SOUND = f"""SELECT sum(numerator) / nullif(sum(denominator), 0) AS value
FROM {_NEWEST}
WHERE measure = 'all'"""  # noqa: S608 - ours
_MISSED = f"""FROM {_NEWEST}
WHERE numerator / denominator < target - 1e-12"""
_NOT_KEPT = Told(
    en="no scorecard is kept yet: the next run makes one",
    nl="er is nog geen scorekaart bewaard: de volgende run maakt er een",
)
_MOST = 10


def quality(reading: Reading) -> Section:
    """How good the data are, by dimension, and which targets are missed."""
    figures = (
        reading.figure(
            "without_fault",
            Told(en="Records without any fault", nl="Records zonder enige fout"),
            Told(
                en="Of the newest day of each source: records none of whose values was rejected or blanked, divided by "
                "all.",
                nl="Van de nieuwste dag van iedere bron: records waarvan geen waarde is afgekeurd of leeggemaakt, "
                "gedeeld door alle.",
            ),
            _SOUND,
            Unit.SHARE,
            because=_NOT_KEPT,
        ),
        *(
            reading.figure(
                str(dimension),
                title,
                Told(
                    en="What is in order divided by what was judged, summed over sources, attributes and ways of "
                    "measuring.",
                    nl="Wat in orde is gedeeld door wat is beoordeeld, opgeteld over bronnen, attributen en manieren "
                    "van meten.",
                ),
                _OF_DIMENSION.format(dimension),
                Unit.SHARE,
                because=_NOT_KEPT,
            )
            for dimension, title in _DIMENSIONS.items()
        ),
        reading.figure(
            "missed",
            Told(en="Targets of quality missed", nl="Kwaliteitsdoelen niet gehaald"),
            Told(
                en="Newest figures below their target in policies/governance.yaml.",
                nl="Nieuwste cijfers onder hun doel in policies/governance.yaml.",
            ),
            f"SELECT count(*) AS value {_MISSED}",
        ),
    )
    points = tuple(
        Point(label=title, value=one.value, unit=Unit.SHARE)
        for one, title in zip(figures[1:-1], _DIMENSIONS.values(), strict=True)
        if one.value is not None
    )
    below = reading.rows(
        f"SELECT source, entity, attribute, measure, numerator / denominator, target {_MISSED} "
        f"ORDER BY numerator / denominator - target, source, entity, attribute, measure LIMIT {_MOST}"
    )
    table = Table(
        title=Told(en="Farthest below their target", nl="Het verst onder hun doel"),
        columns=(
            Told(en="Source", nl="Bron"),
            Told(en="Attribute", nl="Attribuut"),
            Told(en="Measured", nl="Gemeten"),
            Told(en="Score", nl="Score"),
            Told(en="Target", nl="Doel"),
        ),
        rows=tuple(
            (
                same(f"{source}/{entity}"),
                same(attribute or "–"),  # noqa: RUF001 - the dash of an empty cell
                same(measure.replace("_", " ")),
                cell(float(share), Unit.SHARE),
                cell(float(target), Unit.SHARE),
            )
            for source, entity, attribute, measure, share, target in below
        ),
        numeric=(3, 4),
    )
    return Section(
        key="quality",
        title=Told(en="Quality", nl="Kwaliteit"),
        intro=Told(
            en="How good the data are that sources deliver, and what became of them.",
            nl="Hoe goed de gegevens zijn die bronnen leveren, en wat ervan is geworden.",
        ),
        figures=figures,
        charts=(Chart(kind=ChartKind.BARS, title=Told(en="By dimension", nl="Per dimensie"), points=points),)
        if points
        else (),
        tables=(table,) if below else (),
    )


_VOLUMES = {
    "duplicate_records": Told(
        en="records too many of customers in one list", nl="records te veel van klanten in één lijst"
    ),
    "undeliverable_addresses": Told(
        en="customers whose address cannot be right", nl="klanten van wie het adres niet kan kloppen"
    ),
    "outdated_addresses": Told(
        en="addresses that are expected to be wrong by now",
        nl="adressen die naar verwachting niet meer kloppen",
    ),
    "bounced_emails": Told(en="e-mails of a year that came back", nl="e-mails van een jaar die terugkwamen"),
    "without_email": Told(en="customers without an e-mail address", nl="klanten zonder e-mailadres"),
    "conflicting_customers": Told(
        en="customers whose records contradict each other", nl="klanten van wie records elkaar tegenspreken"
    ),
    "quarantined_orders": Told(
        en="rows of orders that were rejected", nl="regels van bestellingen die zijn afgekeurd"
    ),
    "orders_of_nobody": Told(
        en="orders whose customer is not known", nl="bestellingen waarvan de klant niet bekend is"
    ),
    "contacts_of_unknown": Told(
        en="contacts with somebody who is not found", nl="contacten met iemand die niet wordt gevonden"
    ),
    "contradictory_consent": Told(
        en="statements of consent that contradict another",
        nl="uitspraken over toestemming die een andere tegenspreken",
    ),
}
"""What the pipeline saw, of the volumes of the business case; in the order in which they are told."""
_WORTH = """SELECT sum(likely) AS value FROM insight.worth
WHERE kind = '{}' AND as_of = (SELECT max(as_of) FROM insight.worth WHERE as_of <= :as_of)"""
_COUNTED = """SELECT name, sum(value) FROM insight.volume
WHERE as_of = (SELECT max(as_of) FROM insight.volume WHERE as_of <= :as_of) GROUP BY name"""
_UNPRICED = Told(
    en="no unit values are given: fill in `likely` in policies/business_case.yaml",
    nl="er zijn geen bedragen per stuk gegeven: vul `likely` in in policies/business_case.yaml",
)


def worth(reading: Reading) -> Section:
    """What poor data cost and better data would bring, by the company's own unit values."""
    figures = (
        reading.figure(
            "faults",
            Told(en="Cost of faults in a year", nl="Kosten van fouten in een jaar"),
            Told(
                en="Sum over kinds of fault of what was counted times the company's own unit values; kinds without "
                "them count for nothing.",
                nl="Som over soorten fouten van wat is geteld maal de eigen bedragen per stuk; soorten zonder bedrag "
                "tellen niet mee.",
            ),
            _WORTH.format("fault"),
            Unit.CURRENCY,
            because=_UNPRICED,
        ),
        reading.figure(
            "gains",
            Told(en="Missed in a year", nl="Gemist in een jaar"),
            Told(
                en="Sum of what better data would bring, by the same rule.",
                nl="Som van wat betere gegevens zouden opleveren, op dezelfde manier.",
            ),
            _WORTH.format("gain"),
            Unit.CURRENCY,
            because=_UNPRICED,
        ),
    )
    counted = dict(reading.rows(_COUNTED))
    rows = tuple(
        (title, cell(float(counted[name]), Unit.COUNT)) for name, title in _VOLUMES.items() if name in counted
    )
    table = Table(
        title=Told(en="What the pipeline counted", nl="Wat de pijplijn heeft geteld"),
        columns=(Told(en="What", nl="Wat"), Told(en="How many", nl="Hoeveel")),
        rows=rows,
        numeric=(1,),
    )
    return Section(
        key="worth",
        title=Told(en="Cost of poor data", nl="Kosten van slechte gegevens"),
        intro=Told(
            en="Counts are the pipeline's; what one of each is worth only the company can say. Without that there is "
            "no amount.",
            nl="De aantallen zijn van de pijplijn; wat één ervan waard is kan alleen het bedrijf zeggen. Zonder dat "
            "is er geen bedrag.",
        ),
        figures=figures,
        tables=(table,) if rows else (),
    )
