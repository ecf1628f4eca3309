"""Words in the languages of a board, and figures as each of them writes them.

Belongs here: languages, texts in all of them, numbers and months in words. Does not belong here: what is said.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from enum import StrEnum

from pydantic import Field

from cdm_pipelines.insight.report_months import InsightError
from cdm_pipelines.privacy.policy_files import Strict


class Language(StrEnum):
    """A language that a report can be read in."""

    ENGLISH = "en"
    DUTCH = "nl"


class Unit(StrEnum):
    """What a figure is counted in."""

    SHARE = "share"
    """From 0 to 1, written in per cent."""
    SCORE = "score"
    COUNT = "count"
    DAYS = "days"
    CURRENCY = "currency"
    """The reporting currency of policies/enrichment.yaml."""
    LEVEL = "level"


class Told(Strict):
    """A text in every language.

    Attributes:
        en: English.
        nl: Dutch.
    """

    en: str = Field(min_length=1, pattern=r"\S")
    nl: str = Field(min_length=1, pattern=r"\S")

    def read(self, language: Language) -> str:
        """The text in one of them."""
        return self.en if language == Language.ENGLISH else self.nl

    def filled(self, **words: object) -> "Told":
        """The text with words put into its braces."""
        return Told(en=self.en.format(**words), nl=self.nl.format(**words))


def translator(dutch: Mapping[str, str], language: str) -> Callable[..., str]:
    """From English words to those of a language; what is named in braces is put in after.

    Args:
        dutch: By English.
        language: In which is written.
    """

    def said(words: str, **named: object) -> str:
        found = dutch.get(words, words) if language == Language.DUTCH else words
        return found.format(**named) if named else found

    return said


def same(text: str) -> Told:
    """What is written alike in every language: a name, a key."""
    return Told(en=text, nl=text)


def language_of(text: str) -> Language:
    """The language that somebody asked for.

    Raises:
        InsightError: There is no report in it.
    """
    try:
        return Language(text)
    except ValueError:
        raise InsightError(
            f"There are no words in language {text!r}; choose en (English) or nl (Dutch)."
        ) from None


_MONTHS = (
    [
        "januari",
        "februari",
        "maart",
        "april",
        "mei",
        "juni",
        "juli",
        "augustus",
        "september",
        "oktober",
        "november",
        "december",
    ],
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
)
_CURRENCIES = {"EUR": "€", "GBP": "£", "USD": "$"}
_DAYS = Told(en="{} days", nl="{} dagen")


def number(value: float, language: Language, decimals: int = 0) -> str:
    """A number with the signs of a language: 1,234.5 or 1.234,5."""
    english = f"{value:,.{decimals}f}"
    if language == Language.ENGLISH:
        return english
    return english.translate(str.maketrans(",.", ".,"))


def written(value: float, unit: Unit, language: Language, currency: str = "") -> str:
    """A figure with its unit, as people read it."""
    match unit:
        case Unit.SHARE:
            return number(100 * value, language, 1) + "%"
        case Unit.SCORE:
            return number(value, language, 2)
        case Unit.DAYS:
            return _DAYS.read(language).format(number(value, language, 1))
        case Unit.CURRENCY:
            sign = _CURRENCIES.get(currency, currency)
            return f"{sign} {number(value, language, 2)}".strip()
        case Unit.LEVEL | Unit.COUNT:
            return number(value, language)


def month_name(month: dt.date, language: Language) -> str:
    """June 2026, juni 2026."""
    return f"{_MONTHS[language == Language.ENGLISH][month.month - 1]} {month.year}"


def day_name(day: dt.date, language: Language) -> str:
    """3 June 2026, 3 juni 2026."""
    return f"{day.day} {month_name(day, language)}"
