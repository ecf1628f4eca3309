"""Sections of the report that are asked of the hub: customers, their value, risks.

Belongs here: figures, queries and words of each. Does not belong here: sections that are steps of their own
(``report_kept``), or the order of all (``report``).
"""

from cdm_pipelines.hub.consent import ALLOWED_NOW
from cdm_pipelines.insight.report_model import Chart, ChartKind, Point, Section, Table, cell
from cdm_pipelines.insight.report_words import Told, Unit, same
from cdm_pipelines.steps.insight.report_reading import Reading

_STAGES = {
    "prospect": Told(en="prospect", nl="nog geen klant"),
    "first_time": Told(en="bought once", nl="kocht één keer"),
    "active": Told(en="active", nl="actief"),
    "loyal": Told(en="loyal", nl="trouw"),
    "at_risk": Told(en="at risk", nl="dreigt te vertrekken"),
    "lost": Told(en="lost", nl="verloren"),
    "won_back": Told(en="won back", nl="teruggewonnen"),
}
_BY_SOURCE = """SELECT source, count(DISTINCT golden_id) FROM golden.crosswalk WHERE active
GROUP BY source ORDER BY 2 DESC, 1"""
_MAY_BE_MAILED = f"""SELECT count(DISTINCT golden_id) AS value FROM privacy.consent AS c
    WHERE purpose = 'marketing' AND {ALLOWED_NOW.format(of="c")}"""  # noqa: S608 - ours
_BY_STAGE = "SELECT stage, count(*) FROM profile.lifecycle GROUP BY stage"


def customers(reading: Reading) -> Section:
    """Who the customers are: how many, how well known, and what may be told to them."""
    figures = (
        reading.figure(
            "customers",
            Told(en="Customers", nl="Klanten"),
            Told(en="Golden customers, each counted once.", nl="Gouden klanten, ieder één keer geteld."),
            "SELECT count(*) AS value FROM golden.customer",
        ),
        reading.figure(
            "active",
            Told(en="Active customers", nl="Actieve klanten"),
            Told(
                en="Customers whom at least one source still keeps.",
                nl="Klanten die minstens één bron nog bijhoudt.",
            ),
            "SELECT count(*) AS value FROM golden.customer WHERE status = 'active'",
        ),
        reading.figure(
            "organisations",
            Told(en="Organisations", nl="Organisaties"),
            Told(en="Customers that are an organisation.", nl="Klanten die een organisatie zijn."),
            "SELECT count(*) AS value FROM golden.customer WHERE party_kind = 'organisation'",
        ),
        reading.figure(
            "new",
            Told(en="New this month", nl="Nieuw deze maand"),
            Told(
                en="Customers whose oldest record was first delivered in the month. In the month of the first run that "
                "is everybody.",
                nl="Klanten van wie het oudste record in de maand voor het eerst is geleverd. In de maand van de "
                "eerste run is dat iedereen.",
            ),
            "SELECT count(*) AS value FROM golden.customer WHERE first_seen BETWEEN :first AND :as_of",
        ),
        reading.figure(
            "records",
            Told(en="Records per customer", nl="Records per klant"),
            Told(
                en="Records in all sources, divided by customers: what was spread is one again.",
                nl="Records in alle bronnen, gedeeld door klanten: wat verspreid was is weer één.",
            ),
            "SELECT sum(record_count)::numeric / nullif(count(*), 0) AS value FROM golden.customer",
            Unit.SCORE,
        ),
        reading.figure(
            "shared",
            Told(en="Known by two sources or more", nl="Bekend bij twee of meer bronnen"),
            Told(
                en="Share of the customers whom at least two source systems know.",
                nl="Aandeel van de klanten dat minstens twee bronsystemen kennen.",
            ),
            "SELECT avg(CASE WHEN source_count > 1 THEN 1.0 ELSE 0 END) AS value FROM golden.customer",
            Unit.SHARE,
        ),
        reading.figure(
            "may_be_mailed",
            Told(en="May be told about offers", nl="Mogen aanbiedingen krijgen"),
            Told(
                en="Customers who allow marketing through at least one channel, by what they said.",
                nl="Klanten die marketing toestaan via minstens één kanaal, naar wat zij hebben gezegd.",
            ),
            _MAY_BE_MAILED,
        ),
    )
    by_stage = dict(reading.rows(_BY_STAGE, ("profile.lifecycle",)))
    charts = [
        Chart(
            kind=ChartKind.BARS,
            title=Told(en="Customers by source", nl="Klanten per bron"),
            points=tuple(Point(label=same(name), value=count) for name, count in reading.rows(_BY_SOURCE)),
        )
    ]
    if by_stage:
        charts.append(
            Chart(
                kind=ChartKind.BARS,
                title=Told(en="Customers by stage", nl="Klanten per fase"),
                points=tuple(
                    Point(label=words, value=by_stage.get(stage, 0)) for stage, words in _STAGES.items()
                ),
            )
        )
    return Section(
        key="customers",
        title=Told(en="Customers", nl="Klanten"),
        intro=Told(
            en="Who the customers are when all sources are put together.",
            nl="Wie de klanten zijn als alle bronnen bij elkaar worden gelegd.",
        ),
        figures=figures,
        charts=tuple(charts),
    )


_SEGMENTS = {
    "champion": Told(en="champion", nl="topklant"),
    "loyal": Told(en="loyal", nl="trouw"),
    "potential_loyalist": Told(en="potential loyalist", nl="kan trouw worden"),
    "new": Told(en="new", nl="nieuw"),
    "promising": Told(en="promising", nl="veelbelovend"),
    "needs_attention": Told(en="needs attention", nl="vraagt aandacht"),
    "about_to_sleep": Told(en="about to sleep", nl="dreigt in te slapen"),
    "cannot_lose": Told(en="cannot lose", nl="mag niet weg"),
    "at_risk": Told(en="at risk", nl="dreigt te vertrekken"),
    "hibernating": Told(en="hibernating", nl="slaapt"),
    "lost": Told(en="lost", nl="verloren"),
    "none": Told(en="none", nl="geen"),
}
_NO_ORDERS = Told(
    en="no source delivers orders of known customers", nl="geen bron levert bestellingen van bekende klanten"
)
_BY_SEGMENT = """SELECT coalesce(segment, 'none'), sum(net) FROM profile.rfm GROUP BY 1
HAVING sum(net) > 0 AND count(*) >= 5 ORDER BY 2 DESC, 1"""
"""A segment of fewer customers is not drawn: its sum would tell of single persons."""


def value(reading: Reading) -> Section:
    """What customers spent and are expected to spend."""
    rfm, expected = ("profile.rfm",), ("profile.lifetime_value",)
    figures = (
        reading.figure(
            "buyers",
            Told(en="Customers who ordered", nl="Klanten die bestelden"),
            Told(
                en="Customers with at least one order that counts.",
                nl="Klanten met minstens één bestelling die meetelt.",
            ),
            "SELECT count(*) AS value FROM profile.rfm WHERE orders > 0",
            needs=rfm,
        ),
        reading.figure(
            "net",
            Told(en="Spent", nl="Besteed"),
            Told(
                en="All that was ordered, less what was returned, of all years that are known.",
                nl="Alles wat is besteld, min wat terugkwam, van alle jaren die bekend zijn.",
            ),
            "SELECT sum(net) AS value FROM profile.rfm",
            Unit.CURRENCY,
            needs=rfm,
            because=_NO_ORDERS,
        ),
        reading.figure(
            "expected",
            Told(en="Expected in a year", nl="Verwacht in een jaar"),
            Told(
                en="Sum over customers of what each is expected to spend in the next twelve months.",
                nl="Som over klanten van wat ieder in de komende twaalf maanden naar verwachting besteedt.",
            ),
            "SELECT sum(expected_value) AS value FROM profile.lifetime_value",
            Unit.CURRENCY,
            needs=expected,
            because=_NO_ORDERS,
        ),
        reading.figure(
            "margin",
            Told(en="Expected margin in a year", nl="Verwachte marge in een jaar"),
            Told(
                en="The same, times the margin of what each customer bought.",
                nl="Hetzelfde, maal de marge op wat iedere klant kocht.",
            ),
            "SELECT sum(expected_margin) AS value FROM profile.lifetime_value",
            Unit.CURRENCY,
            needs=expected,
            because=Told(
                en="no source delivers what products cost", nl="geen bron levert wat producten kosten"
            ),
        ),
        reading.figure(
            "top_tenth",
            Told(en="Share of the best tenth", nl="Aandeel van het beste tiende deel"),
            Told(
                en="What the tenth of the buyers who spent most spent, divided by what all did.",
                nl="Wat de kopers die het meest besteedden, een tiende van alle, samen besteedden, gedeeld door wat "
                "allen besteedden.",
            ),
            """SELECT sum(net) FILTER (WHERE place <= ceil(buyers / 10.0)) / nullif(sum(net), 0) AS value
FROM (SELECT net, row_number() OVER (ORDER BY net DESC, golden_id) AS place, count(*) OVER () AS buyers
      FROM profile.rfm WHERE net > 0) AS placed""",
            Unit.SHARE,
            needs=rfm,
            because=_NO_ORDERS,
        ),
        reading.figure(
            "overdue",
            Told(en="Overdue", nl="Te laat betaald"),
            Told(
                en="Open amounts of invoices past their day.",
                nl="Openstaande bedragen van facturen waarvan de dag voorbij is.",
            ),
            "SELECT sum(overdue_amount) AS value FROM profile.payment",
            Unit.CURRENCY,
            needs=("profile.payment",),
            because=Told(en="no source delivers invoices", nl="geen bron levert facturen"),
        ),
    )
    segments = tuple(
        Point(
            label=_SEGMENTS.get(name) or same(str(name).replace("_", " ")),
            value=float(net),
            unit=Unit.CURRENCY,
        )
        for name, net in reading.rows(_BY_SEGMENT, rfm)
    )
    title = Told(
        en="Spent, by segment of five customers or more", nl="Besteed, per segment van vijf klanten of meer"
    )
    return Section(
        key="value",
        title=Told(en="Value", nl="Waarde"),
        intro=Told(
            en="What customers spent, and what they are expected to spend.",
            nl="Wat klanten besteedden, en wat zij naar verwachting gaan besteden.",
        ),
        figures=figures,
        charts=(Chart(kind=ChartKind.BARS, title=title, points=segments),) if segments else (),
    )


_STALE = """SELECT {what} FROM (
    SELECT substr(asset, length('standard/') + 1) AS entity, max("partition")::date AS newest FROM ops.measurement
    WHERE asset LIKE 'standard/%' AND "partition" <> '' GROUP BY 1) AS each
WHERE newest <= :as_of - {days}"""
STALE_AFTER = 7
"""A source entity is stale when its newest day is so many days before the last day of the data."""
_FAILED = """SELECT {what} FROM (
    SELECT DISTINCT ON (asset, name) asset, name, value FROM ops.measurement
    WHERE name LIKE 'check %' AND part = 'passed' AND asset NOT LIKE 'insight/%'
    ORDER BY asset, name, "partition" DESC, measured_at DESC) AS newest
WHERE value = 0"""


def risks(reading: Reading) -> Section:
    """What may go wrong, or does: requests that wait, targets missed, sources that fell silent, checks that failed."""
    missed = [one for one in reading.kpis if one.met is False]
    stale = reading.rows(_STALE.format(what="entity, newest", days=STALE_AFTER) + " ORDER BY newest, entity")
    failed = reading.rows(_FAILED.format(what="asset, name") + " ORDER BY asset, name")
    figures = (
        reading.figure(
            "overdue_requests",
            Told(en="Overdue requests of persons", nl="Verzoeken van personen die te laat zijn"),
            Told(
                en="Requests that are open and past the day on which they were due.",
                nl="Verzoeken die openstaan en waarvan de uiterste dag voorbij is.",
            ),
            "SELECT count(*) AS value FROM privacy.request WHERE state = 'open' AND due_on < :last",
        ),
        reading.figure(
            "missed_targets",
            Told(en="Targets missed", nl="Doelen niet gehaald"),
            Told(en="Key figures that do not reach their target.", nl="Kengetallen die hun doel niet halen."),
            "SELECT count(*) AS value FROM insight.kpi WHERE month = :first AND NOT met",
        ),
        reading.figure(
            "stale_sources",
            Told(en="Sources that fell silent", nl="Bronnen die stilvielen"),
            Told(
                en=f"Tables of sources whose newest day is {STALE_AFTER} days or more before the last day of the data.",
                nl=f"Tabellen van bronnen waarvan de nieuwste dag {STALE_AFTER} dagen of meer vóór de laatste dag van "
                "de gegevens ligt.",
            ),
            _STALE.format(what="count(*) AS value", days=STALE_AFTER),
        ),
        reading.figure(
            "failed_checks",
            Told(en="Checks that failed", nl="Controles die niet slaagden"),
            Told(
                en="Checks of sources, customers and profiles that did not pass when they last ran.",
                nl="Controles op bronnen, klanten en profielen die de laatste keer niet slaagden.",
            ),
            _FAILED.format(what="count(*) AS value"),
        ),
    )
    rows = [
        *(
            (
                Told(en="target missed", nl="doel niet gehaald"),
                one.kpi.title,
                cell(one.value, one.kpi.unit, reading.currency),
            )
            for one in missed
        ),
        *(
            (Told(en="source fell silent", nl="bron viel stil"), same(entity), same(str(newest)))
            for entity, newest in stale
        ),
        *(
            (
                Told(en="check failed", nl="controle niet geslaagd"),
                same(asset),
                same(name.removeprefix("check ")),
            )
            for asset, name in failed
        ),
    ]
    table = Table(
        title=Told(en="What to look at", nl="Waar naar te kijken"),
        columns=(Told(en="Risk", nl="Risico"), Told(en="What", nl="Wat"), Told(en="Finding", nl="Bevinding")),
        rows=tuple(rows),
    )
    return Section(
        key="risks",
        title=Told(en="Risks", nl="Risico's"),
        intro=Told(
            en="What waits, falls short or fell silent.", nl="Wat wacht, tekortschiet of is stilgevallen."
        ),
        figures=figures,
        tables=(table,) if rows else (),
    )
