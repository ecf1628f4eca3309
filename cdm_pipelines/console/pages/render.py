"""From a template and what it shows to a page: language, words, numbers and dates.

Belongs here: the environment of templates. Does not belong here: what a page shows.

Every text that comes from data is escaped by the environment; nothing is marked safe but drawings made here.
"""

import datetime as dt
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from cdm_pipelines.console.caller import Caller
from cdm_pipelines.console.pages.menu import menu
from cdm_pipelines.console.pages.words import TEMPLATES, codes, dutch, teller, translator
from cdm_pipelines.privacy.words import Language

_HERE = Path(__file__).resolve().parent.parent
STATIC = _HERE / "static"
LANGUAGE_COOKIE = "cdm_language"
NOTHING = "\N{EN DASH}"


def language_of(request: Request) -> Language:
    """The language that somebody chose, or their browser's; English where that is neither."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in set(Language):
        return Language(chosen)
    for part in request.headers.get("accept-language", "").lower().split(","):
        code = part.split(";")[0].strip()[:2]
        if code in set(Language):
            return Language(code)
    return Language.ENGLISH


def shown(value: object, language: Language = Language.ENGLISH, zone: str = "UTC") -> str:
    """A value as people of a language read it, moments where the deployment is."""
    if value is None or value in ([], ()):
        return NOTHING
    match value:
        case bool():
            text = translator(language)("yes" if value else "no")
        case int():
            text = _number(f"{value:,}", language)
        case Decimal() | float():
            text = _number(f"{value:,.2f}", language)
        case dt.date():
            text = _moment(value, language, zone)
        case dict():  # values that are chosen together
            text = shown([one for one in value.values() if one is not None], language, zone)
        case list() | tuple() | set():
            text = ", ".join(shown(one, language, zone) for one in value)
        case _:
            text = str(value)
    return text


def _moment(value: dt.date, language: Language, zone: str) -> str:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        value = value.astimezone(ZoneInfo(zone))
    day = f"{value:%d-%m-%Y}" if language is Language.DUTCH else f"{value:%Y-%m-%d}"
    has_time = isinstance(value, dt.datetime) and value.time() != dt.time.min
    return f"{day} {value:%H:%M}" if has_time else day


def label(name: str, language: Language, short: str = "") -> str:
    """What people call a column: in Dutch as the words have it, else its name, or a shorter one, with blanks."""
    words = dutch().get(name) if language is Language.DUTCH else None
    return words or (short or name).replace("_", " ").capitalize()


def code(value: object, of: str, language: Language, zone: str = "UTC") -> str:
    """A value in words, where it is a code of a declared set; any other as it is shown.

    Args:
        value: Of a column, for example.
        of: The set: a column whose values are codes, or what else has some (templates/dutch-codes.yaml).
        language: Of the reader.
        zone: As of ``shown``.
    """
    if of not in codes() or not isinstance(value, str):
        return shown(value, language, zone)
    words = teller(language, of)(value)
    return value.replace("_", " ") if words == value else words


def foreign(text: str, language: Language) -> Markup:
    """The attribute that says of a message that it stays English, for want of words."""
    english = language is not Language.ENGLISH and teller(language)(text) == text
    return Markup(' lang="en"') if english else Markup("")


def on_day(text: str, language: Language) -> str:
    """A day that is written as 2026-03-01, as people of a language write it."""
    return shown(dt.date.fromisoformat(text), language)


def _number(text: str, language: Language) -> str:
    return text.translate(str.maketrans(",.", ".,")) if language is Language.DUTCH else text


def _versioned(path: Path) -> str:
    """Its address, which changes with its content: browsers keep it until then."""
    return f"/static/{path.name}?{sha256(path.read_bytes()).hexdigest()[:8]}"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["static"] = {
        f"{path.name.partition('-')[0].partition('.')[0]}{path.suffix.replace('.', '_')}": _versioned(path)
        for path in STATIC.iterdir()
    }
    made.globals["menu"] = menu
    return made


def html(request: Request, template: str, caller: Caller | None, **content: Any) -> str:
    """A page, or a part of one, as HTML."""
    language, house = language_of(request), request.app.state.house
    content |= {
        "t": translator(language),
        "message": teller(language),
        "show": lambda value: shown(value, language, house.settings.timezone),
        "label": lambda name, short="": label(name, language, short),
        "code": lambda value, of: code(value, of, language, house.settings.timezone),
        "codes": lambda values, of: ", ".join(code(value, of, language) for value in values),
        "coded": lambda of: of in codes(),
        "on_day": lambda text: on_day(text, language),
        "foreign": lambda text: foreign(text, language),
        "language": str(language),
        "caller": caller,
        "local": house.local,
        "path": request.url.path,
    }
    return _environment().get_template(template).render(content)


def rendered(
    request: Request, template: str, caller: Caller | None, status: int = 200, **content: Any
) -> Response:
    """A page as an answer."""
    return HTMLResponse(html(request, template, caller, **content), status)
