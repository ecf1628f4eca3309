"""What an answer to a request of access says, in Dutch and in English.

Belongs here: headings, explanations and labels. Does not belong here: the data (steps.rights.access), the page
(``page``).
"""

from collections.abc import Mapping
from enum import StrEnum


class Language(StrEnum):
    """In which an answer is written."""

    DUTCH = "nl"
    ENGLISH = "en"


SECTIONS: Mapping[str, Mapping[Language, tuple[str, str]]] = {
    "customer": {
        Language.DUTCH: (
            "Wat wij van u weten",
            "Per gegeven de waarde, waar die vandaan komt en waarom die geldt.",
        ),
        Language.ENGLISH: (
            "What we know of you",
            "Each value, where it comes from and why it is the one that counts.",
        ),
    },
    "records": {
        Language.DUTCH: ("Registraties in onze systemen", "Zoals elk systeem u kent, in één schrijfwijze."),
        Language.ENGLISH: ("Records in our systems", "As each system knows you, in one spelling."),
    },
    "delivered": {
        Language.DUTCH: (
            "Zoals aangeleverd",
            "Elke cel van uw registraties zoals het systeem die aanleverde.",
        ),
        Language.ENGLISH: ("As delivered", "Each cell of your records as the system delivered it."),
    },
    "rejected": {
        Language.DUTCH: (
            "Afgekeurde regels",
            "Regels over u die niet zijn overgenomen, zoals aangeleverd, en waarom niet.",
        ),
        Language.ENGLISH: (
            "Rejected rows",
            "Rows about you that were not accepted, as delivered, and why not.",
        ),
    },
    "transactions": {
        Language.DUTCH: (
            "Bestellingen, facturen en betalingen",
            "Wat u bestelde, wat in rekening werd gebracht en betaald.",
        ),
        Language.ENGLISH: ("Orders, invoices and payments", "What you ordered, what was billed and paid."),
    },
    "interactions": {
        Language.DUTCH: ("Contacten", "Bezoeken, e-mails, gesprekken en meldingen."),
        Language.ENGLISH: ("Interactions", "Visits, e-mails, calls and tickets."),
    },
    "consent": {
        Language.DUTCH: ("Toestemming", "Waarvoor uw gegevens gebruikt mogen worden."),
        Language.ENGLISH: ("Consent", "What your data may be used for."),
    },
    "restrictions": {
        Language.DUTCH: (
            "Beperking en bezwaar",
            "Waarvoor uw gegevens op uw verzoek niet gebruikt worden, en sinds wanneer.",
        ),
        Language.ENGLISH: (
            "Restrictions and objections",
            "What your data is not used for because you asked so, and since when.",
        ),
    },
    "profile": {
        Language.DUTCH: ("Wat wij van u afleiden", "Elke score, wat die betekent en waaruit die volgt."),
        Language.ENGLISH: ("What we work out of you", "Each score, what it means and what it follows from."),
    },
    "actions": {
        Language.DUTCH: (
            "Wat wij u willen aanbieden",
            "De gekozen actie en haar doel, waarom andere acties afvallen, en hoe elke keuze tot stand kwam.",
        ),
        Language.ENGLISH: (
            "What we mean to offer you",
            "The action that was chosen and what for, why others are not, and how each choice was made.",
        ),
    },
    "history": {
        Language.DUTCH: ("Eerdere waarden", "Wat wij eerder van u wisten, en van wanneer tot wanneer."),
        Language.ENGLISH: ("Former values", "What we knew of you before, and from when to when."),
    },
    "decisions": {
        Language.DUTCH: ("Besluiten", "Wat een medewerker over uw registraties besloot."),
        Language.ENGLISH: ("Decisions", "What one of us decided about your records."),
    },
    "recipients": {
        Language.DUTCH: ("Aan wie wij dit vertelden", "Systemen die van wijzigingen hoorden."),
        Language.ENGLISH: ("Who was told", "Systems that heard of changes."),
    },
    "readings": {
        Language.DUTCH: (
            "Wie uw gegevens inzag",
            "Wanneer, in welke rol, waarvoor en welke gegevens; geen namen van medewerkers of inzage in hele tabellen.",
        ),
        Language.ENGLISH: (
            "Who read your data",
            "When, in which role, for what and which data; no names of who works here or readings of whole tables.",
        ),
    },
    "purposes": {
        Language.DUTCH: (
            "Doelen en herkomst",
            "Per gegeven uit welk systeem, welke soort en waarvoor het is aangeleverd.",
        ),
        Language.ENGLISH: (
            "Purposes and sources",
            "Each value with its system, its kind and what it was delivered for.",
        ),
    },
    "retention": {
        Language.DUTCH: ("Bewaartermijnen", "Waar uw gegevens staan en hoe lang."),
        Language.ENGLISH: ("Retention", "Where your data is, and for how long."),
    },
}
"""Heading and explanation of each section, in the order of the page."""
TITLE = {Language.DUTCH: "Uw gegevens", Language.ENGLISH: "Your data"}
INTRODUCTION = {
    Language.DUTCH: "Dit zijn alle gegevens die wij op {day} van u hadden. U kunt vragen om verbetering, wissing, "
    "beperking of overdracht, en bezwaar maken; ook kunt u een klacht indienen bij de Autoriteit Persoonsgegevens. "
    "Dezelfde gegevens staan als JSON en CSV in dit archief. Namen van velden zijn Engels.",
    Language.ENGLISH: "This is all data that we had of you on {day}. You can ask for correction, erasure, restriction "
    "or transfer, and object; you can also complain to the supervisory authority. The same data is in this archive as "
    "JSON and CSV.",
}
NOTHING = {Language.DUTCH: "Niets.", Language.ENGLISH: "Nothing."}
