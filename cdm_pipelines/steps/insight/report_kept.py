"""Sections of the report that are kept as a history of their own: key figures, maturity, touch points.

Belongs here: telling what those steps found as sections. Does not belong here: finding it (``kpis``, ``maturity``,
``touch_points``).
"""

from cdm_pipelines.insight import handover
from cdm_pipelines.insight.kpi_policy import dated
from cdm_pipelines.insight.kpis import KpiFound
from cdm_pipelines.insight.maturity_model import TITLES, Dimension
from cdm_pipelines.insight.report_model import Chart, ChartKind, Edge, Figure, Point, Section, Table, cell
from cdm_pipelines.insight.report_words import Language, Told, Unit, same
from cdm_pipelines.insight.touch_points import TouchPointPolicy, below, gaps, told
from cdm_pipelines.steps.insight import kpis, maturity, touch_points
from cdm_pipelines.steps.insight.report_reading import Reading


def key_figures(reading: Reading) -> Section:
    """The nine key figures against their targets, and how they went."""
    found = reading.kpis
    history = kpis.series(reading.connection, reading.settings, reading.period)
    against = Chart(
        kind=ChartKind.TARGETS,
        title=Told(en="Against target (the line across)", nl="Tegen het doel (de streep)"),
        points=tuple(
            Point(
                label=one.kpi.title,
                value=one.value,
                unit=one.kpi.unit,
                target=one.kpi.target,
                met=one.met,
            )
            for one in found
        ),
    )
    lines = tuple(
        Chart(
            kind=ChartKind.LINE,
            title=one.kpi.title,
            points=tuple(
                Point(label=same(f"{month:%Y-%m}"), value=value, unit=one.kpi.unit)
                for month, value in history[one.key]
            ),
            target=one.kpi.target,
        )
        for one in found
        if sum(value is not None for _, value in history[one.key]) > 1
    )
    return Section(
        key="kpis",
        title=Told(en="Key figures", nl="Kengetallen"),
        intro=Told(
            en="What the central customer view is to bring, by month and against its target.",
            nl="Wat het centrale klantbeeld moet brengen, per maand en tegen het doel.",
        ),
        figures=tuple(_figure(one) for one in found),
        charts=(against, *lines),
    )


def _figure(one: KpiFound) -> Figure:
    return Figure(
        key=one.key,
        title=one.kpi.title,
        value=one.value,
        unit=one.kpi.unit,
        formula=one.kpi.definition,
        query=one.query,
        because=one.because,
        base=one.base,
        target=one.kpi.target,
        met=one.met,
        owner=one.kpi.owner,
    )


_LEVEL = "SELECT level AS value FROM insight.maturity WHERE month = :first AND dimension = 'DIMENSION'"


def maturity_levels(reading: Reading) -> Section:
    """Levels of the five dimensions, what carries them and what the next takes."""
    rows = maturity.of_month(reading.connection, reading.settings, reading.period)
    formula = Told(
        en="The highest level of which all that is asked is there, and all of the levels below; what is not known is "
        "not there.",
        nl="Het hoogste niveau waarvan alles wat wordt gevraagd er is, en alles van de niveaus eronder; wat niet "
        "bekend is, is er niet.",
    )
    figures = tuple(
        Figure(
            key=row["dimension"],
            title=TITLES[Dimension(row["dimension"])],
            value=float(row["level"]),
            unit=Unit.LEVEL,
            formula=formula,
            query=dated(_LEVEL.replace("DIMENSION", row["dimension"]), reading.period.days),
        )
        for row in rows
    )
    in_words = [maturity.told_rows(rows, language) for language in (Language.ENGLISH, Language.DUTCH)]
    nothing = Told(en="Nothing is asked of level 1.", nl="Niveau 1 vraagt niets.")
    highest = Told(en="This is the highest level.", nl="Dit is het hoogste niveau.")
    cells = tuple(
        (
            TITLES[Dimension(row["dimension"])],
            cell(row["level"], Unit.LEVEL),
            Told(en=_points(en["evidence"]) or nothing.en, nl=_points(nl["evidence"]) or nothing.nl),
            Told(en=_points(en["for the next"]) or highest.en, nl=_points(nl["for the next"]) or highest.nl),
        )
        for row, en, nl in zip(rows, *in_words, strict=True)
    )
    radar = Chart(
        kind=ChartKind.RADAR,
        title=Told(en="Maturity, from 1 to 5", nl="Volwassenheid, van 1 tot 5"),
        points=tuple(
            Point(label=TITLES[Dimension(row["dimension"])], value=float(row["level"]), unit=Unit.LEVEL)
            for row in rows
        ),
    )
    lines = tuple(
        Chart(
            kind=ChartKind.LINE,
            title=TITLES[Dimension(name)],
            points=tuple(Point(label=same(at), value=float(level), unit=Unit.LEVEL) for at, level in levels),
        )
        for name, levels in maturity.history(reading.connection, reading.period).items()
        if len(levels) > 1
    )
    unknown = sum(one.get("answer", "") is None for row in rows for one in row["evidence"])
    intro = Told(
        en=f"How far the company is with customer data, by what is really there. {unknown} questions that only people "
        "can answer have no answer yet.",
        nl=f"Hoe ver het bedrijf is met klantgegevens, naar wat er werkelijk is. {unknown} vragen die alleen mensen "
        "kunnen beantwoorden hebben nog geen antwoord.",
    )
    table = Table(
        title=Told(en="What carries each level", nl="Wat ieder niveau draagt"),
        columns=(
            Told(en="Dimension", nl="Dimensie"),
            Told(en="Level", nl="Niveau"),
            Told(en="Evidence", nl="Bewijs"),
            Told(en="What the next level takes", nl="Wat het volgende niveau vraagt"),
        ),
        rows=cells,
        numeric=(1,),
    )
    return Section(
        key="maturity",
        title=Told(en="Maturity", nl="Volwassenheid"),
        intro=intro,
        figures=figures,
        charts=(radar, *lines),
        tables=(table,),
    )


def _points(lines: str) -> str:
    return "\n".join(f"• {line}" for line in lines.splitlines())


_COLUMNS = {
    "touch point": Told(en="Touch point", nl="Contactpunt"),
    "contacts": Told(en="Contacts", nl="Contacten"),
    "recognised": Told(en="Recognised", nl="Herkend"),
    "newest": Told(en="Newest day", nl="Nieuwste dag"),
    "complete": Told(en="Days delivered", nl="Dagen geleverd"),
    "hidden": Told(en="Hidden", nl="Verborgen"),
}


def journeys(reading: Reading) -> Section:
    """Touch points, how often people are recognised there, and where identity is lost."""
    found = touch_points.of_month(reading.connection, reading.lake, reading.settings, reading.period)
    policy = TouchPointPolicy.load(reading.settings.policies)
    ranked = gaps(found.points)
    order = ranked + [row for row in found.points if row not in ranked]
    table = Table(
        title=Told(
            en="Touch points, those that hide most first", nl="Contactpunten, wat het meest verbergt eerst"
        ),
        columns=tuple(_COLUMNS.values()),
        rows=tuple(
            tuple(
                Told(en=en[name] or "–", nl=nl[name] or "–")  # noqa: RUF001 - the dash of an empty cell
                for name in _COLUMNS
            )
            for en, nl in (
                (told(row, policy, Language.ENGLISH), told(row, policy, Language.DUTCH)) for row in order
            )
        ),
        numeric=(1, 2, 4, 5),
    )
    charts = [_map(found, reading)]
    if found.identity is not None and found.identity.anonymous:
        parts = {Told(en="became a customer's", nl="werden van een klant"): found.identity.known}
        parts |= {handover.LOST[reason]: count for reason, count in found.identity.lost.items()}
        charts.append(
            Chart(
                kind=ChartKind.BARS,
                title=Told(
                    en="What becomes of visits that name nobody",
                    nl="Wat er wordt van bezoeken die niemand noemen",
                ),
                points=tuple(Point(label=words, value=count) for words, count in parts.items()),
            )
        )
    return Section(
        key="touch_points",
        title=Told(en="Touch points and journeys", nl="Contactpunten en klantreizen"),
        intro=Told(
            en="Where customers meet the company, what of it arrives, and where they are not recognised.",
            nl="Waar klanten het bedrijf ontmoeten, wat daarvan aankomt, en waar zij niet worden herkend.",
        ),
        figures=(_handed_over(found),),
        charts=tuple(charts),
        tables=(table,),
    )


def _handed_over(found: touch_points.Map) -> Figure:
    share = found.identity.share if found.identity else None
    return Figure(
        key="hand_over",
        title=Told(en="Anonymous visits that become known", nl="Anonieme bezoeken die bekend worden"),
        value=None if share is None else round(share, 9),
        unit=Unit.SHARE,
        formula=Told(
            en="Of the visits that name nobody: those that became a customer's by their token, divided by all of them.",
            nl="Van de bezoeken die niemand noemen: die door hun token van een klant werden, gedeeld door alle.",
        ),
        query=handover.SHARE,
        because=Told(en="no source delivers visits", nl="geen bron levert bezoeken")
        if share is None
        else None,
        base=found.identity.anonymous if found.identity else None,
    )


def _map(found: touch_points.Map, reading: Reading) -> Chart:
    policy = TouchPointPolicy.load(reading.settings.policies)
    most = max((row["times"] for row in found.next), default=1)
    titles = [
        {key: one.title.read(language) for key, one in policy.touch_points.items()}
        for language in (Language.ENGLISH, Language.DUTCH)
    ]
    points = []
    for row in found.points:
        one = policy.touch_points.get(row["touch_point"])
        points.append(
            Point(
                label=one.title if one else same(row["touch_point"]),
                value=row["contacts"],
                key=row["touch_point"],
                below=below(row),
            )
        )
    edges = tuple(
        Edge(
            start=row["from_point"],
            end=row["to_point"],
            told=Told(
                en=touch_points.step_words(row, titles[0], Language.ENGLISH),
                nl=touch_points.step_words(row, titles[1], Language.DUTCH),
            ),
            weight=row["times"] / most,
        )
        for row in found.next[: touch_points.DRAWN]
    )
    return Chart(
        kind=ChartKind.MAP,
        title=Told(
            en="From which touch point customers go to which",
            nl="Van welk contactpunt klanten naar welk gaan",
        ),
        points=tuple(points),
        edges=edges,
    )
