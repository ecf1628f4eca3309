"""What the record of processing looks like: tables, a page, a spreadsheet, and JSON-LD in terms of the W3C's DPV.

Belongs here: the forms, which all say the same. Does not belong here: what they say (``processing``).

The tables are those of the model of the Belgian authority, with the map of data behind them. Terms are those of the
Data Privacy Vocabulary (https://w3id.org/dpv, W3C Community Group).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font

from cdm_pipelines.privacy.processing import Activity, Mapped, Processing
from cdm_pipelines.privacy.purposes import Basis

TITLE = "Record of processing activities"
DPV = "https://w3id.org/dpv#"
_BASES: Mapping[Basis, str] = {
    Basis.CONSENT: "dpv:Consent",
    Basis.CONTRACT: "dpv:Contract",
    Basis.LEGAL_DUTY: "dpv:LegalObligation",
    Basis.VITAL_INTEREST: "dpv:VitalInterest",
    Basis.PUBLIC_TASK: "dpv:PublicInterest",
    Basis.LEGITIMATE_INTEREST: "dpv:LegitimateInterest",
}
_WIDEST = 60
"""Characters of a column of the spreadsheet."""


@dataclass(frozen=True)
class Sheet:
    """A table of the record.

    Attributes:
        title: Of the tab.
        about: What it is, in a sentence.
        heading: Names of the columns.
        rows: Text by column.
    """

    title: str
    about: str
    heading: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def sheets(record: Processing) -> list[Sheet]:
    """The record as tables, in their order."""
    activities = record.activities
    return [
        Sheet("Controller", "Who decides (a).", ("What", "Who"), list(record.controller.items())),
        Sheet(
            "Processing activities",
            "What data are used for (b), on what ground, and by whom.",
            ("Purpose", "Description", "Legal basis", "Worked out for it", "Roles"),
            [
                (one.key, one.description, _words(one.basis), _list(one.enrichers), _list(one.roles))
                for one in activities
            ],
        ),
        Sheet(
            "Categories",
            "Of persons and of data (c), with the attributes.",
            ("Purpose", "Persons", "Categories of data, with all below", "Attributes in use"),
            [
                (one.key, _list(one.persons), _list(one.categories), _list(one.attributes))
                for one in activities
            ],
        ),
        Sheet(
            "Recipients",
            "Who is given data (d), and transfers to third countries (e).",
            ("Purpose", "Recipients", "Transfers to third countries"),
            [
                (
                    one.key,
                    _list(one.recipients),
                    "; ".join(f"{who}: {to}" for who, to in one.transfers.items()) or "none",
                )
                for one in activities
            ],
        ),
        Sheet(
            "Retention",
            "Until when (f); and what the law has kept of who is erased.",
            ("What", "Kept", "Why"),
            [*((one.key, one.retention, one.description) for one in activities), *record.holds],
        ),
        Sheet(
            "Security",
            "What protects data (g), in general words.",
            ("Measure",),
            [(one,) for one in record.security],
        ),
        Sheet(
            "Data",
            "Which data, why, where, and what is done. A place that ends with an asterisk stands for one per source "
            f"that delivers the attribute. Besides, anything may be in {_list(record.everything)}.",
            (
                "Attribute",
                "Meaning",
                "Category",
                "Purposes",
                "Sources",
                "Places",
                "Enrichers",
                "Seen in clear by",
            ),
            [_row(one) for one in record.attributes],
        ),
    ]


def _row(one: Mapped) -> tuple[str, ...]:
    return (
        one.path,
        one.description,
        one.category,
        _list(one.purposes),
        _list(one.sources) or "worked out of others, or not delivered",
        _list(places_in_short(one)),
        _list(one.enrichers),
        _list(one.clear),
    )


def places_in_short(one: Mapped) -> list[str]:
    """Places of an attribute, those of sources that deliver it as one per layer: ``raw/*``."""
    found = dict.fromkeys(
        f"{layer}/*" if any(rest == of or rest.startswith(f"{of}/") for of in one.sources) else place
        for place in one.places
        for layer, _, rest in (place.partition("/"),)
    )
    return list(found)


def page(record: Processing) -> bytes:
    """One HTML page that needs nothing from elsewhere."""
    environment = Environment(
        loader=PackageLoader("cdm_pipelines.privacy"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("processing.html").render(title=TITLE, sheets=sheets(record)).encode()


def spreadsheet(record: Processing) -> bytes:
    """A workbook with a tab per table; every cell is text, whatever it begins with."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for sheet in sheets(record):
        tab = book.create_sheet(sheet.title)
        for number, row in enumerate((sheet.heading, *sheet.rows), start=1):
            for place, text in enumerate(row, start=1):
                cell = tab.cell(number, place, ILLEGAL_CHARACTERS_RE.sub("", text))
                cell.data_type = "s"
                cell.font = Font(bold=number == 1)
                cell.alignment = Alignment(wrap_text=True, vertical="top")
        for place, cells in enumerate(tab.columns):
            longest = max(len(str(cell.value or "")) for cell in cells)
            tab.column_dimensions[cells[0].column_letter].width = min(_WIDEST, longest + 2) if place else 30
        tab.freeze_panes = "A2"
    written = BytesIO()
    book.save(written)
    return written.getvalue()


def json_ld(record: Processing) -> bytes:
    """JSON-LD: a ``dpv:PersonalDataHandling`` per purpose."""
    by_path = {one.path: one for one in record.attributes}
    measures = [
        {"@type": "dpv:TechnicalOrganisationalMeasure", "dcterms:description": one} for one in record.security
    ]
    said = {
        "@context": {"dpv": DPV, "dcterms": "http://purl.org/dc/terms/"},
        "@graph": [
            _controller(record.controller),
            *(_handling(one, by_path, measures) for one in record.activities),
        ],
    }
    return (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode()


def _controller(said: Mapping[str, str]) -> dict[str, Any]:
    rest = {name: text for name, text in said.items() if name in {"Representative", "Joint controllers"}}
    found: dict[str, Any] = {
        "@id": "#controller",
        "@type": "dpv:DataController",
        "dpv:hasName": said["Controller"],
        "dpv:hasContact": said["Contact"],
        "dpv:hasEntity": {
            "@type": "dpv:DataProtectionOfficer",
            "dpv:hasName": said["Data protection officer"],
            "dpv:hasContact": said["Contact of the officer"],
        },
    }
    if rest:
        found["dcterms:description"] = "; ".join(f"{name}: {text}" for name, text in rest.items())
    return found


def _handling(
    one: Activity, by_path: Mapping[str, Mapped], measures: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    return {
        "@id": f"#{one.key}",
        "@type": "dpv:PersonalDataHandling",
        "dpv:hasDataController": {"@id": "#controller"},
        "dpv:hasPurpose": {
            "@type": "dpv:Purpose",
            "dcterms:title": one.key,
            "dcterms:description": one.description,
        },
        "dpv:hasLegalBasis": {"@id": _BASES[one.basis]},
        "dpv:hasDataSubject": [{"@type": "dpv:DataSubject", "dcterms:title": who} for who in one.persons],
        "dpv:hasPersonalData": [
            *(
                _personal_data(path, by_path[path].category, by_path[path].description)
                for path in one.attributes
            ),
            *(_personal_data(given, given) for given in one.categories),
        ],
        "dpv:hasRecipient": [_recipient(who, one.transfers.get(who)) for who in one.recipients],
        "dpv:hasStorageCondition": {"@type": "dpv:StorageCondition", "dcterms:description": one.retention},
        "dpv:hasTechnicalOrganisationalMeasure": list(measures),
    }


def _personal_data(title: str, category: str, description: str = "") -> dict[str, str]:
    said = {"@type": "dpv:PersonalData", "dcterms:title": title, "dcterms:subject": category}
    return said | ({"dcterms:description": description} if description else {})


def _recipient(who: str, abroad: str | None) -> dict[str, Any]:
    said: dict[str, Any] = {"@type": "dpv:Recipient", "dpv:hasName": who}
    if abroad:
        said["dpv:hasLocation"] = {"@type": "dpv:ThirdCountry", "dcterms:description": abroad}
    return said


def _words(basis: Basis) -> str:
    return basis.replace("_", " ")


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


FORMS: Mapping[str, Callable[[Processing], bytes]] = {
    "processing.html": page,
    "processing.xlsx": spreadsheet,
    "processing.jsonld": json_ld,
}
"""What makes each file of the record."""
